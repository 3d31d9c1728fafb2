//! Mining itself: senses to batches, batches to tested candidates, these to bundles.

use super::corpus::{Corpus, Known, set_of};
use super::lineups::{Candidate, best_lineup, danger, draw_lineups, negatives};
use super::mined::{Mined, rank};
use super::null::Null;
use super::pairs::{self, Pair};
use super::pools::{Confuser, Search, siblings};
use super::settings::{Settings, SettingsError};
use crate::data::{Bundle, BundleSet, Metadata, Negative, Tier};
use crate::lexical::hash;
use crate::neighbours::{Neighbour, Screen, Similarity, Space};
use crate::parallel;
use crate::rng::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// Candidates of a batch, where the search of so many is short; always at least [`LEAST`].
const BATCH: usize = 65_536;
/// Fewer queries would make packing the vectors the larger part of a search.
const LEAST: usize = 2048;
/// Multiplications of a batch's search, about: some 15 seconds of two cores. Each batch packs all vectors anew, so
/// smaller ones take longer together.
const BATCH_WORK: f64 = 6e12;

/// Why nothing can be mined.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MinerError {
    /// A setting that makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Vectors of other events.
    #[error("there are {vectors} vectors for {events} events; row i must be event i")]
    Rows {
        /// Rows given.
        vectors: usize,
        /// Events.
        events: usize,
    },
    /// Not one threshold for each model, or none.
    #[error("there are {models} models and {thresholds} thresholds")]
    Models {
        /// Spaces given.
        models: usize,
        /// Thresholds given.
        thresholds: usize,
    },
}

/// A part of the senses: `number` of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which one.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// Whether a sense belongs to it: by the hash of its name, so that other senses do not matter.
    #[must_use]
    pub fn has(self, sense: &str) -> bool {
        hash(&[sense]) % self.of as u64 + 1 == self.number as u64
    }
}

/// Senses that are searched and validated together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    senses: Vec<u32>,
    /// Pairs that will be drawn.
    pub candidates: usize,
}

/// All batches of a run or a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order.
    pub batches: Vec<Batch>,
    /// Pairs that will be drawn.
    pub candidates: usize,
    /// Senses of which they are drawn.
    pub senses: usize,
}

/// A batch with its confusers.
pub struct Searched {
    /// By sense.
    pairs: Vec<Pair>,
    /// Ascending.
    anchors: Vec<u32>,
    pools: Vec<[Vec<Neighbour>; 3]>,
}

/// What stays the same over a run.
pub struct Miner<'a> {
    pub(super) corpus: &'a Corpus<'a>,
    /// The first ranks and decides; all score.
    pub(super) spaces: Vec<Space<'a>>,
    /// Of each model: danger from which on a lineup passes.
    pub(super) thresholds: Vec<f64>,
    known: Known,
    pub(super) settings: Settings,
    siblings: Vec<Vec<u32>>,
}

impl<'a> Miner<'a> {
    /// Prepares a run. The first of `models` ranks confusers and decides; further ones score the same lineups.
    ///
    /// # Errors
    /// Settings out of range, vectors of other events, not one threshold for each model.
    pub fn new(
        corpus: &'a Corpus<'a>,
        models: &[Similarity<'a>],
        thresholds: Vec<f64>,
        known: Known,
        settings: Settings,
    ) -> Result<Self, MinerError> {
        settings.check()?;
        if models.is_empty() || models.len() != thresholds.len() {
            return Err(MinerError::Models { models: models.len(), thresholds: thresholds.len() });
        }
        let events = corpus.events.len();
        if let Some(vectors) = models.iter().filter_map(|m| Some(m.rows()?.len())).find(|n| *n != events) {
            return Err(MinerError::Rows { vectors, events });
        }
        let groups = &corpus.groups;
        let spaces: Vec<Space<'_>> = models.iter().map(|m| Space::new(*m, &groups.texts, &groups.text)).collect();
        let wanted: Vec<bool> = parallel::map(groups.senses.len(), |s| groups.has_two_texts(s));
        let siblings = siblings(groups, &spaces[0], &settings, &wanted);
        Ok(Self { corpus, spaces, thresholds, known, settings, siblings })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Events without a direction for the first model.
    #[must_use]
    pub fn zero_vectors(&self) -> usize {
        (0..self.corpus.events.len() as u32).filter(|e| self.spaces[0].is_zero(*e)).count()
    }

    /// Cuts the senses (of a shard, or all) into batches: lemma by lemma, so that a batch searches few lemmas. `most`
    /// bounds the candidates of a batch; without it, a batch is about as much as a search of some 15 seconds.
    #[must_use]
    pub fn plan(&self, shard: Option<Shard>, most: Option<usize>) -> Plan {
        let groups = &self.corpus.groups;
        let dim = match &self.spaces[0] {
            Space::Lexical { .. } => 1,
            Space::Dense(dense) => dense.dim(),
        };
        let work = (self.corpus.events.len().max(1) * dim) as f64;
        let most = most.unwrap_or(((BATCH_WORK / work) as usize).clamp(LEAST, BATCH)).max(1);
        let drawn =
            parallel::map(groups.senses.len(), |s| match shard.is_none_or(|shard| shard.has(&groups.senses[s])) {
                true => pairs::count(groups.by_text(s).len()).min(self.settings.candidates_per_sense),
                false => 0,
            });
        let mut senses: Vec<u32> = (0..drawn.len() as u32).filter(|s| drawn[*s as usize] > 0).collect();
        senses.sort_by_key(|s| groups.lemma[groups.by_sense[*s as usize][0] as usize]);
        let mut plan = Plan { senses: senses.len(), ..Plan::default() };
        let mut batch = Batch::default();
        for sense in senses {
            let count = drawn[sense as usize];
            if batch.candidates > 0 && batch.candidates + count > most {
                plan.batches.push(std::mem::take(&mut batch));
            }
            batch.senses.push(sense);
            batch.candidates += count;
            plan.candidates += count;
        }
        plan.batches.extend(Some(batch).filter(|b| b.candidates > 0));
        plan
    }

    /// Draws a batch's pairs and finds the confusers of their anchors. A device may look for those in other lemmas: what is
    /// found does not depend on it.
    #[must_use]
    pub fn search(&self, batch: &Batch, screen: Option<&dyn Screen>) -> Searched {
        let (most, seed) = (self.settings.candidates_per_sense, self.settings.seed);
        let groups = &self.corpus.groups;
        let pairs = parallel::map(batch.senses.len(), |i| pairs::draw(groups, batch.senses[i], most, seed)).concat();
        self.searched(&self.view(), pairs, screen)
    }

    /// The corpus under its own labels.
    pub(super) fn view(&self) -> Search<'_> {
        Search {
            corpus: self.corpus,
            groups: &self.corpus.groups,
            siblings: &self.siblings,
            space: &self.spaces[0],
            settings: &self.settings,
        }
    }

    pub(super) fn searched(&self, search: &Search<'_>, pairs: Vec<Pair>, screen: Option<&dyn Screen>) -> Searched {
        let mut anchors: Vec<u32> = pairs.iter().filter(|p| self.left_out(p).is_none()).map(|p| p.anchor).collect();
        anchors.sort_unstable();
        anchors.dedup();
        let pools = search.pools(&anchors, screen);
        Searched { pairs, anchors, pools }
    }

    /// What ends a pair before its confusers are looked for.
    pub(super) fn left_out(&self, pair: &Pair) -> Option<Cause> {
        let near_duplicate = self.settings.near_duplicate;
        if self.known.has_pair(pair.anchor, pair.positive) {
            Some(Cause::KnownPair)
        } else if self.spaces[0].is_zero(pair.anchor) || self.spaces[0].is_zero(pair.positive) {
            Some(Cause::ZeroVector)
        } else if self.corpus.alike(pair.anchor, pair.positive, near_duplicate) {
            Some(Cause::NearDuplicate)
        } else {
            None
        }
    }

    /// Tests a batch's candidates.
    #[must_use]
    pub fn validate(&self, searched: &Searched) -> Mined {
        let by_sense: Vec<&[Pair]> = searched.pairs.chunk_by(|a, b| a.sense == b.sense).collect();
        let view = self.view();
        let tested = parallel::map(by_sense.len(), |s| self.test_sense(&view, by_sense[s], searched));
        let mut all = Mined::default();
        tested.into_iter().for_each(|mined| all.add_unsorted(mined));
        all.accepted.sort_by(rank);
        all.quarantined.sort_by(rank);
        all
    }

    /// The candidates of one sense.
    pub(super) fn test_sense(&self, view: &Search<'_>, pairs: &[Pair], searched: &Searched) -> Mined {
        let mut mined = Mined::default();
        mined.counts.senses = 1;
        mined.counts.passes = vec![0; self.settings.lineups + 1];
        mined.counts.others_accept = vec![0; self.spaces.len() - 1];
        let mut pool = Vec::new();
        for pair in pairs {
            mined.counts.candidates += 1;
            let tested = self.left_out(pair).map_or_else(|| self.test(view, pair, searched, &mut pool), Err);
            let rejections = &mut mined.counts.rejections;
            let (candidate, within) = match tested {
                Ok(tested) => tested,
                Err(cause) => {
                    *cause.of(rejections) += 1;
                    continue;
                }
            };
            mined.counts.passes[candidate.passes as usize] += 1;
            mined.counts.none_within_lemma += u64::from(within == 0);
            if candidate.passes as usize >= self.settings.min_passes {
                mined.accepted.push(candidate);
            } else {
                rejections.too_few_passes += 1;
                if candidate.passes as usize >= self.settings.quarantine_from() {
                    mined.quarantined.push(candidate);
                }
            }
        }
        self.drop_repeated(&mut mined, pairs.first().map_or(0, |p| p.sense), view);
        for candidate in &mined.accepted {
            for (count, passes) in mined.counts.others_accept.iter_mut().zip(&candidate.others) {
                *count += u64::from(*passes as usize >= self.settings.min_passes);
            }
        }
        mined.counts.accepted = mined.accepted.len() as u64;
        mined
    }

    /// Keeps the best of each set of senses that tier3 does not have yet. The anchor's sense is part of what makes two
    /// bundles the same, so this needs no look beyond a sense.
    fn drop_repeated(&self, mined: &mut Mined, sense: u32, view: &Search<'_>) {
        let mut seen = HashSet::new();
        let mut key = |candidate: &Candidate, counts: Option<&mut super::Rejections>| {
            let senses = candidate.negatives.iter().map(|n| view.groups.sense[n.0 as usize]).collect();
            let key = (sense, set_of(senses));
            let known = self.known.has_senses(&key);
            let new = !known && seen.insert(key);
            if let Some(rejections) = counts {
                rejections.known_senses += u64::from(known);
                rejections.repeated_senses += u64::from(!known && !new);
            }
            new
        };
        mined.accepted.sort_by(rank);
        mined.quarantined.sort_by(rank);
        let rejections = &mut mined.counts.rejections;
        mined.accepted.retain(|c| key(c, Some(&mut *rejections)));
        mined.quarantined.retain(|c| key(c, None));
    }

    /// Tests one candidate; beside it, how many confusers are from within the lemma.
    pub(super) fn test(
        &self,
        view: &Search<'_>,
        pair: &Pair,
        searched: &Searched,
        pool: &mut Vec<Confuser>,
    ) -> Result<(Candidate, usize), Cause> {
        let at = searched.anchors.binary_search(&pair.anchor).map_err(|_| Cause::NoConfuser)?;
        let positive = self.spaces[0].similarity(pair.anchor, pair.positive);
        view.confusers(pair, &searched.pools[at], positive, pool);
        let Settings { lineups, negatives_per_lineup, seed, .. } = self.settings;
        match pool.len() {
            0 => return Err(Cause::NoConfuser),
            n if n <= negatives_per_lineup && lineups > 1 => return Err(Cause::PoolTooSmall),
            _ => {}
        }
        let within = pool.partition_point(|c| c.source == crate::data::NegativeSource::WithinLemma);
        let (a, p) = (&self.corpus.events[pair.anchor as usize], &self.corpus.events[pair.positive as usize]);
        let mut stream = Stream::new(seed, "mine lineups", hash(&[&a.event_id, "\n", &p.event_id]));
        let mut dangers = Vec::with_capacity(lineups);
        let mut drawn: Vec<u32> = Vec::with_capacity(lineups * negatives_per_lineup);
        draw_lineups(&mut stream, within, pool.len(), negatives_per_lineup, lineups, |lineup| {
            dangers.push(danger(lineup.iter().map(|i| pool[*i as usize].similarity), positive));
            drawn.extend(lineup);
        });
        let (passes, best) = best_lineup(&dangers, self.thresholds[0]);
        let size = drawn.len() / lineups;
        let id = Sha256::digest([a.event_id.as_bytes(), b"\0", p.event_id.as_bytes()].concat());
        let mut candidate = Candidate {
            anchor: pair.anchor,
            positive: pair.positive,
            id: id.first_chunk().map_or(0, |b| u64::from_be_bytes(*b)),
            passes,
            danger: best.map_or(f64::NEG_INFINITY, |b| dangers[b]),
            dangers,
            negatives: best.map(|b| negatives(pool, &drawn[b * size..][..size])).unwrap_or_default(),
            others: Vec::new(),
        };
        if passes as usize >= self.settings.min_passes.min(self.settings.quarantine_from()) {
            candidate.others = self.others(&candidate, pool, &drawn, size);
        }
        Ok((candidate, within))
    }

    /// How many of the same lineups pass under each further model.
    fn others(&self, candidate: &Candidate, pool: &[Confuser], drawn: &[u32], size: usize) -> Vec<u32> {
        let further = self.spaces.iter().zip(&self.thresholds).skip(1);
        let passes = further.map(|(space, &threshold)| {
            let to = |event: u32| space.similarity(candidate.anchor, event);
            let positive = to(candidate.positive);
            let similarities: Vec<f64> = pool.iter().map(|c| to(c.event)).collect();
            let passes =
                |lineup: &&[u32]| danger(lineup.iter().map(|i| similarities[*i as usize]), positive) >= threshold;
            drawn.chunks(size).filter(passes).count() as u32
        });
        passes.collect()
    }

    /// How often candidates would be accepted if labels meant nothing ([`Null`]).
    #[must_use]
    pub fn null(&self) -> Option<Null> {
        super::null::null(self)
    }

    /// Candidates as bundles of tier3's organic pool; `more` goes into the metadata of each.
    #[must_use]
    pub fn bundles(&self, candidates: &[Candidate], more: &Map<String, Value>) -> BundleSet {
        let mut set = BundleSet::default();
        let mut place: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
        let extras = parallel::map(candidates.len(), |i| self.extra(&candidates[i], more));
        for (candidate, extra) in candidates.iter().zip(extras) {
            let mut index = |event: u32| {
                *place.entry(event).or_insert_with(|| {
                    set.events.push(self.corpus.events[event as usize].clone());
                    set.events.len() as u32 - 1
                })
            };
            let (anchor, positive) = (index(candidate.anchor), index(candidate.positive));
            let negatives =
                candidate.negatives.iter().map(|&(event, source)| Negative { event: index(event), source }).collect();
            let metadata = Metadata {
                tier: Some(Tier::Adversarial),
                danger_score: Some(candidate.danger),
                source: Some(Metadata::ORGANIC.to_owned()),
                expansion: None,
                extra,
            };
            let bundle_id = bundle_id(candidate);
            set.bundles.push(Bundle { bundle_id, anchor, positive, negatives, metadata, extra: Map::new() });
        }
        set
    }

    /// What a bundle says of the lineups.
    fn extra(&self, candidate: &Candidate, more: &Map<String, Value>) -> Map<String, Value> {
        let mut extra = Map::new();
        extra.insert("passes".to_owned(), json!(candidate.passes));
        extra.insert("lineups_tested".to_owned(), json!(candidate.dangers.len()));
        extra.insert("lineup_dangers".to_owned(), json!(candidate.dangers));
        extra.insert("threshold".to_owned(), json!(self.thresholds[0]));
        if !candidate.others.is_empty() {
            extra.insert("agreement".to_owned(), self.agreement(candidate));
        }
        extra.extend(more.clone());
        extra
    }

    /// How many models accept a candidate, and the passes of each.
    fn agreement(&self, candidate: &Candidate) -> Value {
        let passes: Vec<u32> = [candidate.passes].iter().chain(&candidate.others).copied().collect();
        let accept = passes.iter().filter(|p| **p as usize >= self.settings.min_passes).count();
        json!({"models": passes.len(), "accept": accept, "passes": passes})
    }
}

/// `organic_` and the candidate's id: the same pair has the same in every run.
pub(super) fn bundle_id(candidate: &Candidate) -> String {
    format!("organic_{:016x}", candidate.id)
}

/// Why a pair can't be tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The existing tier3 has it.
    KnownPair,
    /// Anchor or positive has no direction.
    ZeroVector,
    /// Anchor and positive are nearly the same text.
    #[serde(rename = "near_duplicate_pair")]
    NearDuplicate,
    /// No source has a confuser.
    NoConfuser,
    /// No more confusers than a lineup holds: every lineup would be the same.
    PoolTooSmall,
}

impl Cause {
    fn of(self, rejections: &mut super::Rejections) -> &mut u64 {
        match self {
            Self::KnownPair => &mut rejections.known_pair,
            Self::ZeroVector => &mut rejections.zero_vector,
            Self::NearDuplicate => &mut rejections.near_duplicate_pair,
            Self::NoConfuser => &mut rejections.no_confuser,
            Self::PoolTooSmall => &mut rejections.pool_too_small,
        }
    }
}
