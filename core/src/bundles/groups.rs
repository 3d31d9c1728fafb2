//! Events by text, sense and lemma, as numbers in order of first appearance.

use super::space::Space;
use crate::data::Event;
use crate::lexical::Sparse;
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
pub(super) fn normal_text(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Who belongs together.
pub(super) struct Groups {
    /// Distinct normal texts.
    pub(super) texts: Vec<String>,
    /// Each event's text, sense and lemma.
    pub(super) text: Vec<u32>,
    pub(super) sense: Vec<u32>,
    pub(super) lemma: Vec<u32>,
    /// Names of the senses.
    pub(super) senses: Vec<String>,
    /// Events, ascending.
    pub(super) by_sense: Vec<Vec<u32>>,
    pub(super) by_lemma: Vec<Vec<u32>>,
    /// Each sense's parent, of those that name one.
    parent: Vec<Option<u32>>,
}

impl Groups {
    pub(super) fn new(events: &[Event]) -> Self {
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

    /// The up to `k` siblings of each sense for which `wanted`, nearest centroid first: of the senses with its parent
    /// (field `parent` of its events, else what stands before the last `/` of its id) if there are others, else of the
    /// senses of its lemma (that of its first event).
    pub(super) fn siblings(&self, space: &Space<'_>, k: usize, wanted: impl Fn(u32) -> bool) -> Vec<Vec<u32>> {
        let count = self.senses.len();
        let own: Vec<u32> = (0..count as u32).collect();
        let rows: Vec<f32>;
        let centroids = match space {
            Space::Lexical { vectors, keys } => {
                let centroid = |s: usize| {
                    let vectors = self.by_sense[s].iter().map(|&e| &vectors[keys[e as usize] as usize]);
                    Sparse::unit(vectors.flat_map(|v| v.iter().map(|(f, w)| (f, f64::from(w)))).collect())
                };
                Space::Lexical { vectors: crate::parallel::map(count, centroid), keys: &own }
            }
            Space::Dense { rows: all, dim, .. } => {
                rows = crate::parallel::map(count, |s| centroid(all, *dim, &self.by_sense[s])).concat();
                Space::dense(&rows, *dim, &own)
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
            centroids.nearest(queries, members, k, &|query, member| query != member)
        });
        let mut out = vec![Vec::new(); count];
        for ((queries, _), found) in families.iter().zip(found) {
            queries.iter().zip(found).for_each(|(&sense, near)| out[sense as usize] = near);
        }
        out
    }
}

/// The direction of a sense's mean, of unit length.
fn centroid(rows: &[f32], dim: usize, members: &[u32]) -> Vec<f32> {
    let mut sum = vec![0f64; dim];
    for &event in members {
        let row = &rows[event as usize * dim..][..dim];
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += f64::from(*x));
    }
    let norm = sum.iter().map(|s| s * s).sum::<f64>().sqrt();
    sum.iter().map(|s| if norm > 0.0 { (s / norm) as f32 } else { 0.0 }).collect()
}
