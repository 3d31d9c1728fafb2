//! Events by text, sense and lemma, as numbers in order of first appearance.

use super::{Dense, Space};
use crate::data::Event;
use crate::embeddings::Embeddings;
use crate::lexical::{Sparse, hash};
use crate::rng::Stream;
use std::collections::HashMap;

/// Names as numbers.
#[derive(Default)]
struct Names {
    by_name: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn add(&mut self, name: String) -> u32 {
        let next = self.names.len() as u32;
        *self.by_name.entry(name).or_insert_with_key(|name| {
            self.names.push(name.clone());
            next
        })
    }
}

/// A text as far as bundles tell texts apart: without case, and with one space for any white space.
pub(crate) fn normal_text(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Who belongs together.
#[derive(Clone)]
pub(crate) struct Groups {
    /// Distinct normal texts.
    pub(crate) texts: Vec<String>,
    /// Each event's text, sense and lemma.
    pub(crate) text: Vec<u32>,
    pub(crate) sense: Vec<u32>,
    pub(crate) lemma: Vec<u32>,
    /// Names of the senses.
    pub(crate) senses: Vec<String>,
    /// Events, ascending.
    pub(crate) by_sense: Vec<Vec<u32>>,
    pub(crate) by_lemma: Vec<Vec<u32>>,
    /// Each sense's parent, of those that name one.
    parent: Vec<Option<u32>>,
}

impl Groups {
    pub(crate) fn new(events: &[Event]) -> Self {
        let normal = crate::parallel::map(events.len(), |i| normal_text(&events[i].text));
        let (mut texts, mut senses, mut lemmas) = (Names::default(), Names::default(), Names::default());
        let text = normal.into_iter().map(|t| texts.add(t)).collect();
        let sense: Vec<u32> = events.iter().map(|e| senses.add(e.sense.clone())).collect();
        let lemma: Vec<u32> = events.iter().map(|e| lemmas.add(e.lemma.clone())).collect();
        let collect = |of: &[u32], n: usize| {
            let mut out = vec![Vec::new(); n];
            (0..).zip(of).for_each(|(event, &group)| out[group as usize].push(event));
            out
        };
        let by_sense = collect(&sense, senses.names.len());
        let by_lemma = collect(&lemma, lemmas.names.len());
        let mut parents = Names::default();
        let parent = by_sense.iter().map(|members: &Vec<u32>| {
            let named = members.iter().find_map(|&e| events[e as usize].extra.get("parent")?.as_str());
            let path = || events[members[0] as usize].sense.rsplit_once('/').map(|(parent, _)| parent);
            named.or_else(path).map(|p| parents.add(p.to_owned()))
        });
        let parent = parent.collect();
        Self { texts: texts.names, text, sense, lemma, senses: senses.names, by_sense, by_lemma, parent }
    }

    /// A sense's events by text, texts by their first event.
    pub(crate) fn by_text(&self, sense: usize) -> Vec<Vec<u32>> {
        let mut sorted: Vec<(u32, u32)> = self.by_sense[sense].iter().map(|&e| (self.text[e as usize], e)).collect();
        sorted.sort_unstable();
        let mut texts: Vec<Vec<u32>> =
            sorted.chunk_by(|a, b| a.0 == b.0).map(|run| run.iter().map(|x| x.1).collect()).collect();
        // By first event: the numbers of texts depend on other senses.
        texts.sort_unstable_by_key(|t| t[0]);
        texts
    }

    /// Whether a sense's events have more than one text.
    pub(crate) fn has_two_texts(&self, sense: usize) -> bool {
        let events = &self.by_sense[sense];
        events.iter().any(|e| self.text[*e as usize] != self.text[events[0] as usize])
    }

    /// Whether the lemma of a sense's first event has another sense.
    pub(crate) fn has_rivals(&self, sense: usize) -> bool {
        let lemma = self.lemma[self.by_sense[sense][0] as usize];
        self.by_lemma[lemma as usize].iter().any(|e| self.sense[*e as usize] as usize != sense)
    }

    /// The same events with the senses of each lemma's events shuffled among them: every sense keeps its size.
    pub(crate) fn shuffled(&self, seed: u64) -> Self {
        let mut sense = self.sense.clone();
        for events in &self.by_lemma {
            let mut labels: Vec<u32> = events.iter().map(|e| self.sense[*e as usize]).collect();
            // Keyed by the lemma's first sense: by a name, as lemmas have none here.
            let name = &self.senses[labels[0] as usize];
            Stream::new(seed, "shuffled labels", hash(&[name])).shuffle(&mut labels);
            events.iter().zip(labels).for_each(|(e, label)| sense[*e as usize] = label);
        }
        let mut by_sense = vec![Vec::new(); self.senses.len()];
        (0..).zip(&sense).for_each(|(event, s)| by_sense[*s as usize].push(event));
        Self { sense, by_sense, ..self.clone() }
    }

    /// The up to `k` siblings of each sense for which `wanted`, nearest centroid first: of the senses with its parent
    /// (field `parent` of its events, else what stands before the last `/` of its id) if there are others, else of the
    /// senses of its lemma (that of its first event).
    pub(crate) fn siblings(&self, space: &Space<'_>, k: usize, wanted: impl Fn(u32) -> bool) -> Vec<Vec<u32>> {
        let count = self.senses.len();
        let own: Vec<u32> = (0..count as u32).collect();
        let rows: Embeddings;
        let centroids = match space {
            Space::Lexical { vectors, text } => {
                let centroid = |s: usize| {
                    let vectors = self.by_sense[s].iter().map(|&e| &vectors[text[e as usize] as usize]);
                    Sparse::unit(vectors.flat_map(|v| v.iter().map(|(f, w)| (f, f64::from(w)))).collect())
                };
                Space::Lexical { vectors: crate::parallel::map(count, centroid), text: &own }
            }
            Space::Dense(dense) => {
                let sums = crate::parallel::map(count, |s| centroid(dense, &self.by_sense[s])).concat();
                rows = Embeddings::normalised(dense.dim(), sums);
                Space::Dense(Dense::new(&rows))
            }
        };
        let mut families: Vec<(Vec<u32>, Vec<u32>)> = vec![Default::default(); self.by_lemma.len()];
        let mut by_parent: Vec<Vec<u32>> = Vec::new();
        for &sense in &own {
            families[self.lemma[self.by_sense[sense as usize][0] as usize] as usize].1.push(sense);
            if let Some(parent) = self.parent[sense as usize] {
                by_parent.resize_with(by_parent.len().max(parent as usize + 1), Vec::new);
                by_parent[parent as usize].push(sense);
            }
        }
        for sense in own.iter().copied().filter(|s| wanted(*s)) {
            if self.parent[sense as usize].is_none_or(|p| by_parent[p as usize].len() < 2) {
                families[self.lemma[self.by_sense[sense as usize][0] as usize] as usize].0.push(sense);
            }
        }
        for family in by_parent.into_iter().filter(|f| f.len() > 1) {
            families.push((family.iter().copied().filter(|s| wanted(*s)).collect(), family));
        }
        let found = crate::parallel::map(families.len(), |f| {
            let (queries, members) = &families[f];
            centroids.nearest(queries, members, k, None, &|query, member| query != member)
        });
        let mut out = vec![Vec::new(); count];
        for ((queries, _), found) in families.iter().zip(found) {
            for (&sense, near) in queries.iter().zip(found) {
                out[sense as usize] = near.into_iter().map(|n| n.item).collect();
            }
        }
        out
    }
}

/// The direction of a sense's mean, of unit length.
fn centroid(dense: &Dense<'_>, members: &[u32]) -> Vec<f32> {
    let mut sum = vec![0f64; dense.dim()];
    let mut buffer = Vec::new();
    for &event in members {
        let row = dense.gathered(&[event], &mut buffer);
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += f64::from(*x));
    }
    let norm = sum.iter().map(|s| s * s).sum::<f64>().sqrt();
    sum.iter().map(|s| if norm > 0.0 { (s / norm) as f32 } else { 0.0 }).collect()
}
