//! Sentence templates and filler, the same for all senses.
//!
//! A line of the file is `common`, `new` or `planted` with a template, or `who`, `when`, `aside` or `plain` with a list.
//! Slots of a template are `{noun}`, `{act}`, `{who}`, `{when}`, `{aside}`, `{other}` (a noun of another sense of the
//! lemma) and exactly one of `{target}` and `{with}`, which hold the target word.

use super::lists::{LineFault, entries, keyword_lines};

const FILE: &str = include_str!("phrases.txt");

/// What a slot is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The target word or a compound with it.
    Target,
    /// What a person did, with the target word in it.
    With,
    /// What a person did.
    Act,
    /// A noun of the sense.
    Noun,
    /// A noun of another sense of the lemma.
    Other,
    /// A person.
    Who,
    /// A time or manner.
    When,
    /// A sentence about something else.
    Aside,
}

/// A part of a template.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    /// As it is.
    Text(&'a str),
    /// To be filled.
    Slot(Slot),
}

/// A sentence with slots.
pub(super) type Template<'a> = Vec<Part<'a>>;

/// All templates and filler.
#[derive(Debug, Default)]
pub(super) struct Phrases<'a> {
    /// Templates of both sets.
    pub(super) common: Vec<Template<'a>>,
    /// Templates of the organic set alone.
    pub(super) new: Vec<Template<'a>>,
    /// Templates of planted events.
    pub(super) planted: Vec<Template<'a>>,
    /// People, singular.
    pub(super) who: Vec<&'a str>,
    /// Times and manners.
    pub(super) when: Vec<&'a str>,
    /// Whole sentences.
    pub(super) aside: Vec<&'a str>,
    /// Nouns that fit any sense.
    pub(super) plain: Vec<&'a str>,
}

/// The phrases that are part of the program.
pub(super) fn built_in() -> Phrases<'static> {
    parse(FILE).expect("a test reads the built-in phrases")
}

/// Reads a phrases file.
///
/// # Errors
/// The first fault: an unknown keyword or slot, an unclosed slot, a template without exactly one target, a kind that is
/// missing from the file.
pub(super) fn parse(text: &str) -> Result<Phrases<'_>, LineFault> {
    let mut phrases = Phrases::default();
    let mut last_line = 0;
    for item in keyword_lines(text) {
        let (line, keyword, value) = item?;
        last_line = line;
        match keyword {
            "common" => phrases.common.push(template(line, value)?),
            "new" => phrases.new.push(template(line, value)?),
            "planted" => phrases.planted.push(template(line, value)?),
            "who" => phrases.who.extend(entries(line, value)?),
            "when" => phrases.when.extend(entries(line, value)?),
            "aside" => phrases.aside.extend(entries(line, value)?),
            "plain" => phrases.plain.extend(entries(line, value)?),
            _ => return Err(LineFault::new(line, format!("unknown keyword \"{keyword}\""))),
        }
    }
    let templates = [&phrases.common, &phrases.new, &phrases.planted].map(Vec::len);
    let lists = [&phrases.who, &phrases.when, &phrases.aside, &phrases.plain].map(Vec::len);
    if templates.iter().chain(&lists).any(|n| *n == 0) {
        return Err(LineFault::new(last_line, "some kind of template or filler is missing"));
    }
    Ok(phrases)
}

fn template(line: usize, text: &str) -> Result<Template<'_>, LineFault> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| LineFault::new(line, format!("unclosed slot in \"{text}\"")))?;
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        parts.push(Part::Slot(match name {
            "target" => Slot::Target,
            "with" => Slot::With,
            "act" => Slot::Act,
            "noun" => Slot::Noun,
            "other" => Slot::Other,
            "who" => Slot::Who,
            "when" => Slot::When,
            "aside" => Slot::Aside,
            _ => return Err(LineFault::new(line, format!("unknown slot {{{name}}}"))),
        }));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    let targets = parts.iter().filter(|p| matches!(p, Part::Slot(Slot::Target | Slot::With))).count();
    if targets != 1 {
        return Err(LineFault::new(line, format!("{targets} slots for the target word in \"{text}\"; expected one")));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_read() {
        let phrases = parse(FILE).unwrap_or_else(|fault| panic!("phrases: {fault}"));
        assert!(phrases.common.len() >= 25, "{} templates", phrases.common.len());
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let cases = [
            ("# none\n\nhow so\n", 3, "unknown keyword"),
            ("common The {target} and {what}.\n", 1, "unknown slot {what}"),
            ("common The {target} and {noun.\n", 1, "unclosed slot"),
            ("common The {noun}.\n", 1, "0 slots"),
            ("common The {target} {with}.\n", 1, "2 slots"),
            ("common The {target}.\n", 1, "missing"),
            ("who a, , b\n", 1, "empty entry"),
        ];
        for (text, line, message) in cases {
            let fault = parse(text).expect_err(text);
            assert!(fault.line == line && fault.message.contains(message), "{text:?} gave {fault}");
        }
    }
}
