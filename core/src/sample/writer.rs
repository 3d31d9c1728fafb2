//! Writes one text: a template filled with words of a sense.
//!
//! A sense of its own vocabulary draws from that. A confusable sense draws what it shares with its partner, and exactly
//! one slot (or now and then two) holds a cue: one of its heads in place of the bare target word, or one of its own nouns.

use super::lexicon::{Lemma, Material, TARGET, Words};
use super::phrases::{Part, Phrases, Slot, Template};
use crate::rng::Stream;

/// One in so many words of a train text is new material.
const NEW_IN_TRAIN: usize = 25;
/// One in so many words of an organic text is new.
const NEW_IN_ORGANIC: usize = 3;
/// One in so many cues of an organic text is a known one; the others are a confusable sense's new usages.
const KNOWN_CUES_IN_ORGANIC: usize = 3;
/// One in so many organic texts is by a new template.
const NEW_TEMPLATES: usize = 2;
/// One in so many nouns is one that fits any sense.
const PLAIN_NOUNS: usize = 6;
/// One in so many bare target words of a sense that is not confusable becomes a compound.
const COMPOUNDS: usize = 3;
/// One in so many further nouns of a confusable sense is a second cue.
const SECOND_CUE: usize = 12;

/// Which set a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Known material.
    Train,
    /// Much new material.
    Organic,
}

/// A text with what it was made of.
#[derive(Clone, Debug)]
pub(super) struct Draft<'a> {
    /// The text.
    pub(super) text: String,
    /// Where the target word stands, in characters.
    pub(super) span: (u32, u32),
    /// The words and phrases that carry meaning (fillers are not listed), in the order of the text.
    pub(super) content: Vec<&'a str>,
}

/// What is settled before a text is written; the rest is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Given<'a> {
    /// The first person in the text.
    pub(super) who: Option<&'a str>,
    /// The first act.
    pub(super) act: Option<&'a str>,
    /// The phrase with the target word.
    pub(super) with: Option<&'a str>,
    /// The first nouns; the last of these comes first.
    pub(super) nouns: Vec<&'a str>,
}

/// Writes texts of one sense.
pub(super) struct Writer<'a, 'b> {
    pub(super) phrases: &'b Phrases<'a>,
    pub(super) lemma: &'b Lemma<'a>,
    pub(super) sense: usize,
    pub(super) set: Set,
    pub(super) stream: &'b mut Stream,
}

/// Where a confusable text's cue stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cue {
    None,
    Target,
    /// The n-th noun slot.
    Noun(usize),
}

impl<'a> Writer<'a, '_> {
    /// A text by a template of the set.
    pub(super) fn write(&mut self, given: Given<'a>) -> Draft<'a> {
        let phrases = self.phrases;
        let new = self.set == Set::Organic && self.one_in(NEW_TEMPLATES);
        let templates = if new { &phrases.new } else { &phrases.common };
        let template = &templates[self.stream.below(templates.len())];
        self.fill(template, given)
    }

    /// A text by the planted template of this number, counted round.
    pub(super) fn plant(&mut self, template: usize, given: Given<'a>) -> Draft<'a> {
        let templates = &self.phrases.planted;
        self.fill(&templates[template % templates.len()], given)
    }

    fn fill(&mut self, template: &Template<'a>, mut given: Given<'a>) -> Draft<'a> {
        let cue = self.choose_cue(template, !given.nouns.is_empty());
        let mut page = Page { text: String::new(), span: (0, 0), used: Vec::new() };
        let mut fillers: Vec<&str> = Vec::new();
        let mut num_nouns = 0;
        for part in template {
            let slot = match part {
                Part::Text(text) => {
                    page.push(text);
                    continue;
                }
                Part::Slot(slot) => slot,
            };
            match slot {
                Slot::Target => self.target(None, cue == Cue::Target, &mut page),
                Slot::With => {
                    let phrase = given.with.take().unwrap_or_else(|| self.draw(|m| &m.withs, false, &page.used));
                    self.target(Some(phrase), cue == Cue::Target, &mut page);
                }
                Slot::Act => {
                    let act = given.act.take().unwrap_or_else(|| self.draw(|m| &m.acts, false, &page.used));
                    page.push_content(act);
                }
                Slot::Noun => {
                    let noun = given
                        .nouns
                        .pop()
                        .unwrap_or_else(|| self.noun(cue == Cue::Noun(num_nouns), &mut page, &fillers));
                    num_nouns += 1;
                    page.push(noun);
                    if self.phrases.plain.contains(&noun) { fillers.push(noun) } else { page.used.push(noun) }
                }
                Slot::Other => page.push(self.other_noun()),
                Slot::Who | Slot::When | Slot::Aside => {
                    let list = match slot {
                        Slot::Who => &self.phrases.who,
                        Slot::When => &self.phrases.when,
                        _ => &self.phrases.aside,
                    };
                    let person = if *slot == Slot::Who { given.who.take() } else { None };
                    let filler = person.unwrap_or_else(|| unused(list, &fillers, self.stream));
                    fillers.push(filler);
                    page.push(filler);
                }
            }
        }
        Draft { text: page.text, span: page.span, content: page.used }
    }

    fn choose_cue(&mut self, template: &Template<'a>, nouns_given: bool) -> Cue {
        if self.lemma.senses[self.sense].partner.is_none() {
            return Cue::None;
        }
        let num_nouns = template.iter().filter(|p| matches!(p, Part::Slot(Slot::Noun))).count();
        match self.stream.below(num_nouns + 2) {
            n if n < num_nouns && !nouns_given => Cue::Noun(n),
            _ => Cue::Target,
        }
    }

    /// The target word: bare, as a compound, or in a phrase.
    fn target(&mut self, phrase: Option<&'a str>, cue: bool, page: &mut Page<'a>) {
        let sense = &self.lemma.senses[self.sense];
        let heads = &sense.own.heads;
        let compound = if sense.partner.is_some() {
            cue
        } else {
            phrase.is_none() && !heads.common.is_empty() && self.one_in(COMPOUNDS)
        };
        let head = compound.then(|| {
            // "sat on the oil seal" reads well, "sat on the seal oil" may not: phrases take compounds that end in the
            // target word, where a sense has any.
            let ends_well = |head: &&str| phrase.is_none() || head.ends_with(TARGET);
            let keep = |list: &[&'a str]| list.iter().copied().filter(ends_well).collect::<Vec<_>>();
            let fitting = Words { common: keep(&heads.common), new: keep(&heads.new) };
            let words = if fitting.common.is_empty() { heads } else { &fitting };
            self.pick(words, sense.partner.is_some(), &page.used)
        });
        let (before, after) = phrase.unwrap_or("~").split_once(TARGET).expect("the lexicon's phrases have one target");
        let (head_before, head_after) =
            head.unwrap_or("~").split_once(TARGET).expect("the lexicon's heads have one target");
        page.push(before);
        page.push(head_before);
        let start = page.text.chars().count();
        page.push(self.lemma.name);
        page.span = (start as u32, page.text.chars().count() as u32);
        page.push(head_after);
        page.push(after);
        page.used.extend(head);
        page.used.extend(phrase);
    }

    fn noun(&mut self, cue: bool, page: &mut Page<'a>, fillers: &[&'a str]) -> &'a str {
        let confusable = self.lemma.senses[self.sense].partner.is_some();
        if cue || (confusable && self.one_in(SECOND_CUE)) {
            return self.draw(|m| &m.nouns, true, &page.used);
        }
        // One at most, and not before the text has said anything else about the sense.
        let plain_fits = !page.used.is_empty() && !fillers.iter().any(|f| self.phrases.plain.contains(f));
        if plain_fits && self.one_in(PLAIN_NOUNS) {
            return unused(&self.phrases.plain, fillers, self.stream);
        }
        self.draw(|m| &m.nouns, false, &page.used)
    }

    /// A noun of another sense; a confusable sense's partner is as likely as all others together.
    fn other_noun(&mut self) -> &'a str {
        let senses = &self.lemma.senses;
        let other = match senses[self.sense].partner {
            Some(partner) if self.one_in(2) => partner,
            _ => (self.sense + 1 + self.stream.below(senses.len() - 1)) % senses.len(),
        };
        self.pick(&senses[other].own.nouns, false, &[])
    }

    /// Draws from the sense's own material, or from what it shares with its partner unless a cue is wanted.
    fn draw(&mut self, list: for<'m> fn(&'m Material<'a>) -> &'m Words<'a>, cue: bool, used: &[&str]) -> &'a str {
        let lemma = self.lemma;
        let sense = &lemma.senses[self.sense];
        let material = if sense.partner.is_some() && !cue { &lemma.shared } else { &sense.own };
        self.pick(list(material), cue, used)
    }

    fn pick(&mut self, words: &Words<'a>, cue: bool, used: &[&str]) -> &'a str {
        let new = match self.set {
            Set::Train => self.one_in(NEW_IN_TRAIN),
            Set::Organic if cue => !self.one_in(KNOWN_CUES_IN_ORGANIC),
            Set::Organic => self.one_in(NEW_IN_ORGANIC),
        };
        let list = if new && !words.new.is_empty() { &words.new } else { &words.common };
        unused(list, used, self.stream)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.stream.below(n) == 0
    }
}

/// An entry of `list` that is not in `used`, or any where all are.
pub(super) fn unused<'a>(list: &[&'a str], used: &[&str], stream: &mut Stream) -> &'a str {
    let free: Vec<&str> = list.iter().copied().filter(|entry| !used.contains(entry)).collect();
    let from = if free.is_empty() { list } else { &free };
    from[stream.below(from.len())]
}

/// A text that grows.
struct Page<'a> {
    text: String,
    span: (u32, u32),
    used: Vec<&'a str>,
}

impl<'a> Page<'a> {
    /// Adds `part`, with a capital where a sentence starts.
    fn push(&mut self, part: &str) {
        let starts = self.text.is_empty() || self.text.ends_with(". ");
        let mut chars = part.chars();
        match chars.next() {
            Some(first) if starts => {
                self.text.push(first.to_ascii_uppercase());
                self.text.push_str(chars.as_str());
            }
            _ => self.text.push_str(part),
        }
    }

    fn push_content(&mut self, part: &'a str) {
        self.push(part);
        self.used.push(part);
    }
}
