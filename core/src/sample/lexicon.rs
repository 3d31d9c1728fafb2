//! The lemmas, their senses and the words that tell them apart.
//!
//! A lexicon file reads like this:
//!
//! ```text
//! lemma bank
//! sense finance
//! head savings ~, ~ data / private ~
//! noun loan, teller / interest rate
//! act signed the loan papers / transferred the rent
//! with opened an account at the ~ / complained to the ~
//! confusable river snow
//! noun footpath / ditch
//! ...
//! ```
//!
//! `head` compounds stand for the target word (`~`), `noun`s go with "the", `act`s are what a person did, and `with`s are
//! what a person did with the target word in it. What follows `/` is new material: rare in the train set, common in the
//! organic set. A `confusable` section holds what two senses of the lemma share; such a sense adds only cues, its heads
//! and a few nouns. The first sense of a lemma is the dominant one.

use super::lists::{LineFault, entries, keyword_lines};

/// The files, in the order of the data.
const FILES: [&str; 3] = [
    include_str!("lexicon/bank_to_crane.txt"),
    include_str!("lexicon/current_to_note.txt"),
    include_str!("lexicon/organ_to_watch.txt"),
];

/// Stands for the target word.
pub(super) const TARGET: char = '~';

/// Entries of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Words<'a> {
    /// Seen in both sets.
    pub(super) common: Vec<&'a str>,
    /// Rare in the train set.
    pub(super) new: Vec<&'a str>,
}

/// What sentences are made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Material<'a> {
    /// Compounds with [`TARGET`].
    pub(super) heads: Words<'a>,
    /// Noun phrases that "the" may precede.
    pub(super) nouns: Words<'a>,
    /// Verb phrases in the past tense, said of one person.
    pub(super) acts: Words<'a>,
    /// The same with [`TARGET`].
    pub(super) withs: Words<'a>,
}

/// One sense.
#[derive(Clone, Debug)]
pub(super) struct Sense<'a> {
    /// Without the lemma.
    pub(super) name: &'a str,
    /// Of a confusable sense: its cues.
    pub(super) own: Material<'a>,
    /// The other sense of a confusable pair, as an index into the lemma's senses.
    pub(super) partner: Option<usize>,
}

/// One lemma.
#[derive(Clone, Debug)]
pub(super) struct Lemma<'a> {
    /// The target word.
    pub(super) name: &'a str,
    /// Two or more; the dominant one first.
    pub(super) senses: Vec<Sense<'a>>,
    /// What the two senses of a confusable pair share.
    pub(super) shared: Material<'a>,
    /// The names of the pair, and where it was named.
    pair: Option<(usize, &'a str, &'a str)>,
}

/// The lexicon that is part of the program.
pub(super) fn built_in() -> Vec<Lemma<'static>> {
    FILES.iter().flat_map(|file| parse(file).expect("a test reads the built-in lexicon")).collect()
}

/// Which section the next list belongs to.
enum Section {
    None,
    Shared,
    Sense,
}

/// Reads one lexicon file.
///
/// # Errors
/// The first fault: an unknown keyword, a list in no section or of no entries, a head or `with` without exactly one
/// target word, a sense that lacks material, a confusable pair that names no two senses of the lemma.
pub(super) fn parse(text: &str) -> Result<Vec<Lemma<'_>>, LineFault> {
    let mut lemmas: Vec<Lemma<'_>> = Vec::new();
    let mut section = Section::None;
    let mut last_line = 0;
    for item in keyword_lines(text) {
        let (line, keyword, value) = item?;
        if keyword == "lemma" {
            finish(lemmas.last_mut(), last_line)?;
            lemmas.push(Lemma { name: value, senses: Vec::new(), shared: Material::default(), pair: None });
            section = Section::None;
        } else {
            let lemma = lemmas.last_mut().ok_or_else(|| LineFault::new(line, "comes before the first lemma"))?;
            section = read_line(lemma, section, line, keyword, value)?;
        }
        last_line = line;
    }
    finish(lemmas.last_mut(), last_line)?;
    Ok(lemmas)
}

fn read_line<'a>(
    lemma: &mut Lemma<'a>,
    section: Section,
    line: usize,
    keyword: &str,
    value: &'a str,
) -> Result<Section, LineFault> {
    match keyword {
        "sense" => {
            if lemma.senses.iter().any(|s| s.name == value) {
                return Err(LineFault::new(line, format!("sense {value} is there twice")));
            }
            lemma.senses.push(Sense { name: value, own: Material::default(), partner: None });
            return Ok(Section::Sense);
        }
        "confusable" => {
            let (first, second) =
                value.split_once(' ').ok_or_else(|| LineFault::new(line, "confusable needs two senses"))?;
            if lemma.pair.replace((line, first, second)).is_some() {
                return Err(LineFault::new(line, "a lemma has one confusable pair at most"));
            }
            return Ok(Section::Shared);
        }
        _ => {}
    }
    let material = match section {
        Section::None => return Err(LineFault::new(line, format!("\"{keyword}\" is in no section"))),
        Section::Shared => &mut lemma.shared,
        Section::Sense => &mut lemma.senses.last_mut().expect("a sense line opened this section").own,
    };
    let list = match keyword {
        "head" => &mut material.heads,
        "noun" => &mut material.nouns,
        "act" => &mut material.acts,
        "with" => &mut material.withs,
        _ => return Err(LineFault::new(line, format!("unknown keyword \"{keyword}\""))),
    };
    let (common, new) = value.split_once('/').ok_or_else(|| LineFault::new(line, "no new material (after \"/\")"))?;
    let words = Words { common: entries(line, common)?, new: entries(line, new)? };
    let targets = usize::from(matches!(keyword, "head" | "with"));
    if let Some(entry) = words.common.iter().chain(&words.new).find(|e| e.matches(TARGET).count() != targets) {
        return Err(LineFault::new(line, format!("\"{entry}\" must have the target word {targets} times")));
    }
    *list = words;
    Ok(section)
}

/// Joins the confusable pair and checks that every sense can make sentences. A fault of the whole lemma is reported at
/// its last line.
fn finish(lemma: Option<&mut Lemma<'_>>, line: usize) -> Result<(), LineFault> {
    let Some(lemma) = lemma else { return Ok(()) };
    if lemma.senses.len() < 2 {
        return Err(LineFault::new(line, format!("lemma {} has fewer than two senses", lemma.name)));
    }
    if let Some((line, first, second)) = lemma.pair {
        let find = |name| lemma.senses.iter().position(|s| s.name == name);
        match (find(first), find(second)) {
            (Some(a), Some(b)) if a != b => {
                lemma.senses[a].partner = Some(b);
                lemma.senses[b].partner = Some(a);
            }
            _ => return Err(LineFault::new(line, format!("{first} and {second} are no two senses of {}", lemma.name))),
        }
        if [&lemma.shared.nouns, &lemma.shared.acts, &lemma.shared.withs].iter().any(|w| w.common.is_empty()) {
            return Err(LineFault::new(line, "a confusable section needs nouns, acts and withs"));
        }
    }
    for sense in &lemma.senses {
        let own = &sense.own;
        let needed = if sense.partner.is_some() {
            [&own.heads, &own.nouns, &own.nouns]
        } else {
            [&own.nouns, &own.acts, &own.withs]
        };
        if needed.iter().any(|w| w.common.is_empty()) {
            let message = format!("sense {}#{} lacks heads, nouns, acts or withs", lemma.name, sense.name);
            return Err(LineFault::new(line, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEMMA: &str = "lemma a\nconfusable x y\nnoun n / m\nact b / c\nwith d ~ / e ~\n\
        sense x\nhead f ~ / g ~\nnoun h / i\nsense y\nhead j ~ / k ~\nnoun l / o\n\
        sense z\nnoun p / q\nact r / s\nwith t ~ / u ~\n";

    #[test]
    fn the_built_in_files_are_read() {
        for (i, file) in FILES.iter().enumerate() {
            if let Err(fault) = parse(file) {
                panic!("lexicon file {i}: {fault}");
            }
        }
    }

    #[test]
    fn pairs_are_joined_and_lists_are_split() {
        let lemmas = parse(LEMMA).expect("a sound file");
        let [lemma] = &lemmas[..] else { panic!("one lemma") };
        assert_eq!(lemma.senses.iter().map(|s| s.partner).collect::<Vec<_>>(), [Some(1), Some(0), None]);
        assert_eq!((lemma.shared.nouns.common[0], lemma.senses[2].own.withs.new[0]), ("n", "u ~"));
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let cases = [
            ("sense x\n", 1, "before the first lemma"),
            ("lemma a\nnoun b / c\n", 2, "in no section"),
            ("lemma\n", 1, "no keyword with a value"),
            ("lemma a\nsense x\nverb b / c\n", 3, "unknown keyword"),
            ("lemma a\nsense x\nnoun b, c\n", 3, "no new material"),
            ("lemma a\nsense x\nnoun b,, c / d\n", 3, "empty entry"),
            ("lemma a\nsense x\nwith b / c ~\n", 3, "target word 1 times"),
            ("lemma a\nsense x\nnoun b ~ / c\n", 3, "target word 0 times"),
            ("lemma a\nsense x\n", 2, "fewer than two senses"),
            ("lemma a\nsense x\nsense x\n", 3, "twice"),
            ("lemma a\nsense x\nsense y\n", 3, "a#x lacks"),
            (&LEMMA.replace("confusable x y", "confusable x"), 2, "two senses"),
            (&LEMMA.replace("confusable x y", "confusable x v"), 2, "no two senses"),
            (&LEMMA.replace("confusable x y", "confusable x x"), 2, "no two senses"),
            (&LEMMA.replace("act b / c\n", ""), 2, "needs nouns, acts and withs"),
            (&LEMMA.replace("head f ~ / g ~\n", ""), 14, "a#x lacks"),
            (&LEMMA.replace("sense z", "confusable x y"), 12, "one confusable pair"),
        ];
        for (text, line, message) in cases {
            let fault = parse(text).expect_err(text);
            assert!(fault.line == line && fault.message.contains(message), "{text:?} gave {fault}");
        }
    }
}
