//! Byte-level BPE's words: the expression
//! `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (A. Radford et al., GPT-2, 2019), spelled out.

mod classes;

use classes::{LETTERS, NUMBERS};
use tokenizers::{Offsets, pattern::Pattern};

/// Endings that are words of their own.
const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// Cuts a text into its words; together they are the text.
pub(super) struct Gpt2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    let within = |ranges: &[(u32, u32)]| {
        let after = ranges.partition_point(|(first, _)| *first <= c as u32);
        after > 0 && c as u32 <= ranges[after - 1].1
    };
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        c if c.is_whitespace() => Class::Space,
        _ if within(LETTERS) => Class::Letter,
        _ if within(NUMBERS) => Class::Number,
        _ => Class::Other,
    }
}

impl Pattern for Gpt2 {
    fn find_matches(&self, text: &str) -> Result<Vec<(Offsets, bool)>, tokenizers::Error> {
        if text.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let mut words = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let end = start + word(&text[start..]);
            words.push(((start, end), true));
            start = end;
        }
        Ok(words)
    }
}

/// Bytes of the first word of a text that is not empty.
fn word(text: &str) -> usize {
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    // A space belongs to the word behind it.
    let inner = text.strip_prefix(' ').unwrap_or(text);
    let run = |text: &str, wanted: Class| {
        text.char_indices().find(|(_, c)| class(*c) != wanted).map_or(text.len(), |(at, _)| at)
    };
    match inner.chars().next().map(class) {
        Some(wanted) if wanted != Class::Space => return text.len() - inner.len() + run(inner, wanted),
        _ => {}
    }
    // White space alone; the last of several is left for the word behind it.
    let end = run(text, Class::Space);
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    if end < text.len() && last > 0 { last } else { end }
}

/// The character that stands for a byte: itself where it can be seen, else one behind the first 256.
pub(super) fn visible(byte: u8) -> char {
    let seen = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if seen(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|other| !seen(*other)).count() as u32;
    char::from_u32(256 + before).unwrap_or(char::REPLACEMENT_CHARACTER)
}
