//! What is in a pool: numbers by tier and pool, sources, strength, danger, coverage, duplicates.

use super::keys::{Key, Keys};
use super::strength::Strength;
use crate::data::{NegativeSource, Pool, Tier, WholeBundle};
use crate::estimate::quantile;
use crate::lexical::hash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Quantiles of danger, linear between neighbours, in cosine units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DangerQuantiles {
    /// Bundles that have a danger.
    pub n: usize,
    /// The least.
    pub min: f64,
    /// 10th percentile.
    pub q10: f64,
    /// 25th percentile.
    pub q25: f64,
    /// Median.
    pub median: f64,
    /// 75th percentile.
    pub q75: f64,
    /// 90th percentile.
    pub q90: f64,
    /// The greatest.
    pub max: f64,
}

impl DangerQuantiles {
    fn of(mut dangers: Vec<f64>) -> Option<Self> {
        dangers.sort_unstable_by(f64::total_cmp);
        let at = |q| quantile(&dangers, q);
        Some(Self {
            n: dangers.len(),
            min: at(0.0)?,
            q10: at(0.1)?,
            q25: at(0.25)?,
            median: at(0.5)?,
            q75: at(0.75)?,
            q90: at(0.9)?,
            max: at(1.0)?,
        })
    }
}

/// Bundles by how many lineups they passed, of 10.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StrengthCounts {
    /// 8 to 10.
    pub ultra: u64,
    /// 5 to 7.
    pub mid: u64,
    /// 2 to 4.
    pub low: u64,
    /// Fewer.
    pub weak: u64,
    /// Bundles that do not say.
    pub unknown: u64,
}

impl StrengthCounts {
    /// Counts a bundle.
    pub fn count(&mut self, strength: Option<Strength>) {
        *match strength {
            Some(Strength::Ultra) => &mut self.ultra,
            Some(Strength::Mid) => &mut self.mid,
            Some(Strength::Low) => &mut self.low,
            Some(Strength::Weak) => &mut self.weak,
            None => &mut self.unknown,
        } += 1;
    }
}

/// A tier, a pool, or all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatsGroup {
    /// Bundles.
    pub bundles: u64,
    /// By `source`; those that name none are under `(none)`.
    pub by_source: BTreeMap<String, u64>,
    /// By passes.
    pub strength: StrengthCounts,
    /// Danger when the bundles were made; null where none says it.
    pub danger: Option<DangerQuantiles>,
    /// Distinct senses of anchors.
    pub senses: usize,
    /// Distinct lemmas of anchors.
    pub lemmas: usize,
    /// Distinct anchors.
    pub anchors: usize,
    /// Negatives by source.
    pub negatives: BTreeMap<String, u64>,
    /// Bundles whose anchor and positive an earlier bundle has.
    pub repeated_pairs: u64,
    /// Those among them whose set of negatives is that of an earlier one too.
    pub duplicates: u64,
}

/// What is in one or more files of bundles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolStats {
    /// All bundles.
    pub overall: StatsGroup,
    /// By tier; those without one are in none.
    pub by_tier: BTreeMap<Tier, StatsGroup>,
    /// Tier3 by pool.
    pub by_pool: BTreeMap<Pool, StatsGroup>,
    /// Bundles without a tier.
    pub without_tier: u64,
}

/// Counts bundles one by one; memory is some bytes a bundle.
#[derive(Default)]
pub struct StatsBuilder {
    overall: Group,
    by_tier: BTreeMap<Tier, Group>,
    by_pool: BTreeMap<Pool, Group>,
    without_tier: u64,
    pairs: HashSet<Key>,
    wholes: HashSet<Key>,
}

#[derive(Default)]
struct Group {
    counts: StatsGroup,
    dangers: Vec<f64>,
    /// Hashes: 64 bits suffice to count.
    senses: HashSet<u64>,
    lemmas: HashSet<u64>,
    anchors: HashSet<u64>,
}

impl StatsBuilder {
    /// Counts one more.
    pub fn push(&mut self, bundle: &WholeBundle) {
        let keys = Keys::of(bundle);
        let repeated = !self.pairs.insert(keys.pair);
        let duplicate = !self.wholes.insert(keys.whole);
        let metadata = &bundle.metadata;
        self.overall.push(bundle, repeated, duplicate);
        match metadata.tier {
            Some(tier) => self.by_tier.entry(tier).or_default().push(bundle, repeated, duplicate),
            None => self.without_tier += 1,
        }
        if let Some(pool) = metadata.pool() {
            self.by_pool.entry(pool).or_default().push(bundle, repeated, duplicate);
        }
    }

    /// The numbers.
    #[must_use]
    pub fn finish(self) -> PoolStats {
        PoolStats {
            overall: self.overall.finish(),
            by_tier: self.by_tier.into_iter().map(|(tier, group)| (tier, group.finish())).collect(),
            by_pool: self.by_pool.into_iter().map(|(pool, group)| (pool, group.finish())).collect(),
            without_tier: self.without_tier,
        }
    }
}

impl Group {
    fn push(&mut self, bundle: &WholeBundle, repeated: bool, duplicate: bool) {
        let (counts, metadata) = (&mut self.counts, &bundle.metadata);
        counts.bundles += 1;
        counts.repeated_pairs += u64::from(repeated);
        counts.duplicates += u64::from(duplicate);
        let source = metadata.source.as_deref().unwrap_or("(none)");
        match counts.by_source.get_mut(source) {
            Some(count) => *count += 1,
            None => drop(counts.by_source.insert(source.to_owned(), 1)),
        }
        counts.strength.count(Strength::of(metadata));
        for source in NegativeSource::ALL {
            let of = bundle.negatives.iter().filter(|(_, s)| *s == source).count() as u64;
            *counts.negatives.entry(source.name().to_owned()).or_default() += of;
        }
        self.dangers.extend(metadata.danger_score);
        self.senses.insert(hash(&[&bundle.anchor.sense]));
        self.lemmas.insert(hash(&[&bundle.anchor.lemma]));
        self.anchors.insert(hash(&[&bundle.anchor.event_id]));
    }

    fn finish(self) -> StatsGroup {
        StatsGroup {
            danger: DangerQuantiles::of(self.dangers),
            senses: self.senses.len(),
            lemmas: self.lemmas.len(),
            anchors: self.anchors.len(),
            ..self.counts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::stream_bundles;

    #[test]
    fn groups_are_counted_by_hand() {
        let event = |id: &str, sense: &str, more: &str| {
            format!(r#"{{"event_id":"{id}","sense":"{sense}","text":"{id}"{more}}}"#)
        };
        let line = |id: usize, anchor: (&str, &str), negatives: &[&str], metadata: &str| {
            let negative = |n: &&str| event(n, "x#9", r#","source":"sibling""#);
            format!(
                r#"{{"bundle_id":"{id}","anchor":{},"positive":{},"negatives":[{}],"metadata":{{{metadata}}}}}"#,
                event(anchor.0, anchor.1, ""),
                event("p", anchor.1, ""),
                negatives.iter().map(negative).collect::<Vec<_>>().join(",")
            )
        };
        let tier3 = r#""tier":"tier3_adversarial""#;
        let organic = format!(r#"{tier3},"source":"tier3_organic_miner""#);
        let lines = [
            line(0, ("a", "bank#1"), &["m", "n"], &format!(r#"{organic},"danger_score":0.1,"passes":8"#)),
            line(1, ("a", "bank#1"), &["n", "m"], &format!(r#"{organic},"danger_score":0.2,"passes":5"#)),
            line(2, ("a", "bank#1"), &["n"], &format!(r#"{organic},"danger_score":0.4,"passes":1"#)),
            line(3, ("b", "bank#2"), &["n"], &format!(r#"{tier3},"danger_score":0.8"#)),
            line(4, ("c", "bat#1"), &["n"], r#""tier":"tier1_easy","source":"bundle_generator""#),
            line(5, ("c", "bat#1"), &["k"], ""),
        ];
        let mut stats = StatsBuilder::default();
        stream_bundles(&mut lines.join("\n").as_bytes(), "t", &mut |_, bundle| {
            stats.push(&bundle);
            Ok(())
        })
        .expect("bundles");
        let stats = stats.finish();
        let all = &stats.overall;
        assert_eq!((all.bundles, all.senses, all.lemmas, all.anchors, stats.without_tier), (6, 3, 2, 3, 1));
        assert_eq!((all.repeated_pairs, all.duplicates), (3, 1));
        let sources: Vec<_> = all.by_source.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(sources, [("(none)", 2), ("bundle_generator", 1), ("tier3_organic_miner", 3)]);
        assert_eq!(all.negatives["sibling"], 8);
        let organic = &stats.by_pool[&Pool::Organic];
        assert_eq!(organic.strength, StrengthCounts { ultra: 1, mid: 1, low: 0, weak: 1, unknown: 0 });
        let danger = organic.danger.expect("there are some");
        assert_eq!((danger.n, danger.min, danger.median, danger.max), (3, 0.1, 0.2, 0.4));
        assert!((danger.q75 - 0.3).abs() < 1e-12 && (danger.q10 - 0.12).abs() < 1e-12, "{danger:?}");
        assert_eq!(stats.by_pool[&Pool::Legacy].bundles, 1);
        assert_eq!(stats.by_tier[&Tier::Easy].danger, None);
        assert_eq!(stats.by_tier[&Tier::Adversarial].bundles, 4);
        assert_eq!(StatsBuilder::default().finish(), PoolStats::default());
    }
}
