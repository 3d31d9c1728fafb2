//! SentencePiece's compiled rewrites: a trie of bytes as a double array, and the texts that it points to.
//!
//! The library follows it without a look at where it leads. Here every step that a text could take is taken once.

use super::Checked;
use ct_codecs::{Base64, Decoder};

/// Bytes of what a character is rewritten to: in Unicode's own tables at most 33.
const MAX_REWRITE: usize = 40;

/// A unit of the double array, as the library reads it.
#[derive(Clone, Copy)]
struct Unit(u32);

impl Unit {
    fn has_leaf(self) -> bool {
        (self.0 >> 8) & 1 == 1
    }

    fn value(self) -> usize {
        (self.0 & 0x7fff_ffff) as usize
    }

    fn label(self) -> u32 {
        self.0 & 0x8000_00ff
    }

    fn offset(self) -> usize {
        ((self.0 >> 10) as usize) << ((self.0 & (1 << 9)) >> 6)
    }
}

/// # Errors
/// A map that leads out of itself, or rewrites a character to a long text.
pub(super) fn check(base64: &str) -> Checked<()> {
    let broken = |what: &str| format!("a precompiled_charsmap {what}");
    let bytes = Base64::decode_to_vec(base64, None).map_err(|_| broken("is no base64"))?;
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| broken("has no length"))?;
    let units = u32::from_le_bytes(*length) as usize / 4;
    let (trie, texts) = rest.split_at_checked(units * 4).ok_or_else(|| broken("is cut off"))?;
    let trie: Vec<Unit> = trie.as_chunks().0.iter().map(|unit| Unit(u32::from_le_bytes(*unit))).collect();
    let texts = std::str::from_utf8(texts).map_err(|_| broken("has texts that are no UTF-8"))?;
    walk(&trie, texts).map_err(broken)
}

fn walk(trie: &[Unit], texts: &str) -> Result<(), &'static str> {
    const OUT: &str = "leads out of its trie";
    let root = trie.first().ok_or("has an empty trie")?;
    let mut seen = vec![false; trie.len()];
    // Places from which the next byte is looked up.
    let mut open = vec![root.offset()];
    while let Some(base) = open.pop() {
        // Bytes reach all of a block of 256.
        if base | 0xff >= trie.len() {
            return Err(OUT);
        }
        for byte in 1..=255 {
            let at = base ^ byte as usize;
            let unit = trie[at];
            if unit.label() != byte || std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let next = at ^ unit.offset();
            if unit.has_leaf() {
                let leaf = trie.get(next).ok_or(OUT)?;
                rewrite(texts, leaf.value())?;
            }
            open.push(next);
        }
    }
    Ok(())
}

fn rewrite(texts: &str, at: usize) -> Result<(), &'static str> {
    let text = texts.get(at..).ok_or("points beside its texts")?;
    match text.bytes().take(MAX_REWRITE + 1).take_while(|byte| *byte != 0).count() > MAX_REWRITE {
        true => Err("rewrites a character to more than 40 bytes"),
        false => Ok(()),
    }
}
