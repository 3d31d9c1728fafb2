//! The killers that are known to be in the train set.
//!
//! A **true killer** is a pair of a confusable sense whose anchor shares words with many events of the other senses and
//! none with its positive: whatever negatives a lineup draws, some are closer. It is found among the events, by counts of
//! shared words. A **pseudo-killer** is a pair whose anchor and positive share more than the anchor shares with anything
//! else but one event of another sense, planted for it, that retells the anchor: dangerous only where a lineup happens to
//! draw that event.

use super::lexicon::{Lemma, TARGET};
use super::writer::Given;
use super::{Press, Written};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Shorter words are articles, prepositions and pronouns for the most part.
const CONTENT_LETTERS: usize = 4;
/// Longer ones that say as little.
const STOP_WORDS: [&str; 14] = [
    "with", "from", "into", "over", "under", "down", "that", "before", "after", "through", "their", "against", "back",
    "behind",
];

/// A true killer has at least so many events against it by shared content words alone; by similarity of the whole texts
/// there are several times as many, more than a miner's pool within the lemma holds (10).
const MANY: usize = 5;

/// Whether a known killer deserves the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TruthKind {
    /// Dangerous over many lineups.
    TrueKiller,
    /// Dangerous against one rare negative only.
    PseudoKiller,
}

/// One known pair of train events. `anchor`, `positive` and `against` are event ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TruthRecord {
    /// Of the sense in question.
    pub anchor: String,
    /// Another event of the same sense.
    pub positive: String,
    /// What the pair is.
    pub kind: TruthKind,
    /// The events of other senses that share more words with the anchor than the positive does: many for a true killer,
    /// the planted one for a pseudo-killer.
    pub against: Vec<String>,
    /// In words.
    pub why: String,
}

/// The words of a text that carry meaning.
fn content_words<'a>(written: &Written<'a>, lemma: &str) -> BTreeSet<&'a str> {
    let words = written.content.iter().flat_map(|phrase| phrase.split([' ', '-', TARGET]));
    words.filter(|w| w.len() >= CONTENT_LETTERS && *w != lemma && !STOP_WORDS.contains(w)).collect()
}

/// All words of a text.
fn all_words<'a>(written: &'a Written<'_>) -> BTreeSet<&'a str> {
    written.event.text.split(|c: char| !c.is_alphanumeric()).collect()
}

/// Up to `per_sense` true killers for each confusable sense of the lemma, the anchors closest to the partner's events
/// first. No event is in two of them.
pub(super) fn find_killers(lemma: &Lemma<'_>, train: &[Vec<Written<'_>>], per_sense: usize) -> Vec<TruthRecord> {
    let pairs = lemma.senses.iter().enumerate().filter_map(|(sense, s)| Some((sense, s.partner?)));
    pairs.flat_map(|(sense, partner)| killers_of(lemma, train, sense, partner, per_sense)).collect()
}

fn killers_of(
    lemma: &Lemma<'_>,
    train: &[Vec<Written<'_>>],
    sense: usize,
    partner: usize,
    limit: usize,
) -> Vec<TruthRecord> {
    let content: Vec<Vec<BTreeSet<&str>>> =
        train.iter().map(|events| events.iter().map(|e| content_words(e, lemma.name)).collect()).collect();
    let texts: Vec<BTreeSet<&str>> = train[sense].iter().map(all_words).collect();
    let shared = |anchor: usize, other: &BTreeSet<&str>| content[sense][anchor].intersection(other).count();
    // Summed over the partner's events: the more of them, the closer the anchor is to that sense.
    let closeness = |anchor: usize| content[partner].iter().map(|other| shared(anchor, other)).sum::<usize>();
    let mut anchors: Vec<usize> = (0..texts.len()).collect();
    anchors.sort_by_key(|&anchor| (Reverse(closeness(anchor)), anchor));

    let mut taken = BTreeSet::new();
    let mut records = Vec::new();
    for anchor in anchors {
        if records.len() == limit {
            break;
        }
        let against: Vec<String> = (0..train.len())
            .filter(|other| *other != sense)
            .flat_map(|other| train[other].iter().zip(&content[other]))
            .filter(|(_, words)| shared(anchor, words) > 0)
            .map(|(written, _)| written.event.event_id.clone())
            .collect();
        // Of those without a content word in common, the one that has the fewest others in common too.
        let positive = (0..texts.len())
            .filter(|p| *p != anchor && !taken.contains(p) && shared(anchor, &content[sense][*p]) == 0)
            .min_by_key(|p| (texts[anchor].intersection(&texts[*p]).count(), *p));
        let Some(positive) = positive.filter(|_| !taken.contains(&anchor) && against.len() >= MANY) else { continue };
        taken.extend([anchor, positive]);
        records.push(TruthRecord {
            anchor: train[sense][anchor].event.event_id.clone(),
            positive: train[sense][positive].event.event_id.clone(),
            kind: TruthKind::TrueKiller,
            against,
            why: format!(
                "{} shares its context with {}; anchor and positive have no other word of it in common",
                super::sense_id(lemma, sense),
                super::sense_id(lemma, partner),
            ),
        });
    }
    records
}

/// Plants three events for each sense of the lemma that is not confusable: anchor, positive, and the rare negative of
/// another sense.
pub(super) fn plant_pseudo_killers<'a>(
    lemma: &Lemma<'a>,
    train: &mut [Vec<Written<'a>>],
    press: &mut Press<'a, '_>,
) -> Vec<TruthRecord> {
    let num_senses = lemma.senses.len();
    let people = &press.phrases.who;
    let mut records = Vec::new();
    for (sense, own) in lemma.senses.iter().enumerate().filter(|(_, s)| s.partner.is_none()).map(|(i, s)| (i, &s.own)) {
        let [[act, other_act, ..], [with, other_with, ..], [n1, n2, n3, ..]] =
            [&own.acts.common[..], &own.withs.common[..], &own.nouns.common[..]]
        else {
            continue;
        };
        let person = |i: usize| Some(people[(train[sense].len() + i) % people.len()]);
        let anchor = Given { act: Some(act), with: Some(with), nouns: vec![n1, n2, n3], who: person(0) };
        let positive = Given { act: Some(other_act), with: Some(other_with), nouns: vec![n1, n2, n3], who: person(1) };
        // The rare negative retells the anchor: the same person, act and nouns, in the same sentence.
        let negative = Given { with: None, ..anchor.clone() };
        let mut plant = |sense: usize, template: usize, given: &Given<'a>| {
            let written = press.plant(lemma, sense, train[sense].len(), template, given)?;
            let id = written.event.event_id.clone();
            train[sense].push(written);
            Some(id)
        };
        let planted = (
            plant(sense, sense, &anchor),
            plant(sense, sense + 1, &positive),
            plant((sense + 1) % num_senses, sense, &negative),
        );
        let (Some(anchor), Some(positive), Some(negative)) = planted else { continue };
        records.push(TruthRecord {
            anchor,
            positive,
            kind: TruthKind::PseudoKiller,
            why: format!("only {negative}, planted for this pair, retells the anchor in another sense"),
            against: vec![negative],
        });
    }
    records
}
