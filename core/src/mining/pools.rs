//! Confuser pools: whom lineups are drawn from.

use super::corpus::Corpus;
use super::pairs::Pair;
use super::settings::Settings;
use crate::bundles::SIBLING_SENSES;
use crate::data::NegativeSource;
use crate::neighbours::{Groups, Neighbour, Screen, Space};
use crate::parallel;

/// An event that may be a negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confuser {
    /// Its number.
    pub event: u32,
    /// Where it came from.
    pub source: NegativeSource,
    /// Cosine with the anchor.
    pub similarity: f64,
}

/// Whose confusers are looked for, under which labels.
pub(super) struct Search<'a> {
    pub(super) corpus: &'a Corpus<'a>,
    /// The corpus' groups, or such with shuffled labels.
    pub(super) groups: &'a Groups,
    /// Senses near each sense.
    pub(super) siblings: &'a [Vec<u32>],
    pub(super) space: &'a Space<'a>,
    pub(super) settings: &'a Settings,
}

/// Senses near each sense for which `wanted`.
pub(super) fn siblings(groups: &Groups, space: &Space<'_>, settings: &Settings, wanted: &[bool]) -> Vec<Vec<u32>> {
    let count = if settings.depths.sibling == 0 { 0 } else { SIBLING_SENSES };
    groups.siblings(space, count, |s| wanted[s as usize])
}

impl Search<'_> {
    /// For each of `anchors` (ascending), the nearest events of each source that have another sense, a direction, and a
    /// text that is not nearly the anchor's; one of each text. The first `range_min` of a source are left out.
    pub(super) fn pools(&self, anchors: &[u32], screen: Option<&dyn Screen>) -> Vec<[Vec<Neighbour>; 3]> {
        let groups = self.groups;
        let differ = |a: u32, b: u32| {
            let near_duplicate = self.settings.near_duplicate;
            groups.sense[a as usize] != groups.sense[b as usize]
                && !self.space.is_zero(b)
                && !self.corpus.alike(a, b, near_duplicate)
        };
        let other_lemma = |a: u32, b: u32| groups.lemma[a as usize] != groups.lemma[b as usize] && differ(a, b);
        let keys = Some(&groups.text[..]);
        let depth = |source| self.settings.searched(self.settings.depths.of(source));
        let mut pools: Vec<[Vec<Neighbour>; 3]> = anchors.iter().map(|_| Default::default()).collect();
        let mut put = |source: NegativeSource, at: Vec<usize>, found: Vec<Vec<Neighbour>>| {
            for (i, mut near) in at.into_iter().zip(found) {
                near.drain(..self.settings.guards.range_min.min(near.len()));
                pools[i][source as usize] = near;
            }
        };

        let source = NegativeSource::WithinLemma;
        let by_lemma = grouped(anchors, &groups.lemma);
        let found = parallel::map(by_lemma.len(), |i| {
            let (lemma, at) = &by_lemma[i];
            self.space.nearest(&of(anchors, at), &groups.by_lemma[*lemma as usize], depth(source), keys, &differ)
        });
        put(source, by_lemma.into_iter().flat_map(|g| g.1).collect(), found.concat());

        let source = NegativeSource::Sibling;
        let by_sense = grouped(anchors, &groups.sense);
        let found = parallel::map(by_sense.len(), |i| {
            let (sense, at) = &by_sense[i];
            let kin = &self.siblings[*sense as usize];
            let mut members: Vec<u32> = kin.iter().flat_map(|s| &groups.by_sense[*s as usize]).copied().collect();
            members.sort_unstable();
            self.space.nearest(&of(anchors, at), &members, depth(source), keys, &differ)
        });
        put(source, by_sense.into_iter().flat_map(|g| g.1).collect(), found.concat());

        let source = NegativeSource::CrossLemma;
        let found = self.space.nearest_apart(anchors, depth(source), keys, &groups.lemma, &other_lemma, screen);
        put(source, (0..anchors.len()).collect(), found);
        pools
    }

    /// The confusers of a pair, by source and rank: its anchor's pools without what the guards refuse beside this
    /// positive and without texts that are nearly the positive's. An event of two sources counts for the first.
    pub(super) fn confusers(&self, pair: &Pair, pools: &[Vec<Neighbour>; 3], positive: f64, out: &mut Vec<Confuser>) {
        out.clear();
        let text = |event: u32| self.groups.text[event as usize];
        for source in NegativeSource::ALL {
            for near in &pools[source as usize] {
                let twice = || out.iter().any(|c| text(c.event) == text(near.item));
                if self.settings.guards.allows(near.similarity, positive)
                    && !twice()
                    && !self.corpus.alike(pair.positive, near.item, self.settings.near_duplicate)
                {
                    out.push(Confuser { event: near.item, source, similarity: near.similarity });
                }
            }
        }
    }
}

/// Places of the items of each group, groups by number.
fn grouped(items: &[u32], group: &[u32]) -> Vec<(u32, Vec<usize>)> {
    let mut by: Vec<(u32, usize)> = items.iter().enumerate().map(|(i, e)| (group[*e as usize], i)).collect();
    by.sort_unstable();
    by.chunk_by(|a, b| a.0 == b.0).map(|run| (run[0].0, run.iter().map(|x| x.1).collect())).collect()
}

fn of(items: &[u32], at: &[usize]) -> Vec<u32> {
    at.iter().map(|&i| items[i]).collect()
}
