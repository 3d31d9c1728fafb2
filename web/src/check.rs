//! Counts or faults of a file of bundles or events.

use crucible_core::data::{Fault, Faults, Pool, Tier, read_bundles, read_events};
use serde::Serialize;
use std::collections::BTreeSet;

/// A count under its name.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The name in files.
    pub name: &'static str,
    /// How many.
    pub count: usize,
}

/// What a file of bundles holds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct BundleCounts {
    /// Bundles.
    pub bundles: usize,
    /// Distinct events in them.
    pub events: usize,
    /// Bundles per tier, easiest first, then those without a tier.
    pub tiers: Vec<Count>,
    /// Tier3 bundles per pool.
    pub pools: Vec<Count>,
}

/// What a file of events holds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EventCounts {
    /// Events.
    pub events: usize,
    /// Distinct senses.
    pub senses: usize,
    /// Distinct lemmas.
    pub lemmas: usize,
}

/// Why a file was refused: every fault, up to a limit.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file's name.
    pub source: String,
    /// The first faults, in order of line.
    pub faults: Vec<LineFault>,
    /// How many more there are.
    pub more: u64,
}

/// One fault.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LineFault {
    /// From 1; none for a fault of the whole file.
    pub line: Option<u64>,
    /// Path of the field.
    pub field: Option<String>,
    /// What is wrong and what was expected.
    pub message: String,
}

impl From<Faults> for Refusal {
    fn from(faults: Faults) -> Self {
        let fault = |Fault { line, field, message }| LineFault { line, field, message };
        Self { source: faults.source, faults: faults.faults.into_iter().map(fault).collect(), more: faults.more }
    }
}

/// Reads a file of bundles (JSON Lines) named `source`.
///
/// # Errors
/// All faults, by line.
pub fn bundles(bytes: &[u8], source: &str) -> Result<BundleCounts, Refusal> {
    let set = read_bundles(&mut &*bytes, source)?;
    let tier_names = Tier::ALL.map(Tier::name).into_iter().chain(["no tier"]);
    let pool_names = Pool::ALL.map(Pool::name);
    Ok(BundleCounts {
        bundles: set.bundles.len(),
        events: set.events.len(),
        tiers: tier_names.zip(set.tier_counts()).map(|(name, count)| Count { name, count }).collect(),
        pools: pool_names.into_iter().zip(set.pool_counts()).map(|(name, count)| Count { name, count }).collect(),
    })
}

/// Reads a file of events (JSON Lines) named `source`.
///
/// # Errors
/// All faults, by line.
pub fn events(bytes: &[u8], source: &str) -> Result<EventCounts, Refusal> {
    let events = read_events(&mut &*bytes, source)?;
    let senses: BTreeSet<&str> = events.iter().map(|event| event.sense.as_ref()).collect();
    let lemmas: BTreeSet<&str> = events.iter().map(|event| event.lemma.as_ref()).collect();
    Ok(EventCounts { events: events.len(), senses: senses.len(), lemmas: lemmas.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named() {
        let event = |id: &str, sense: &str| format!(r#"{{"event_id":"{id}","sense":"{sense}","text":"t {id}"}}"#);
        let good = format!("{}\n{}\n", event("1", "bank#river"), event("2", "bank#money"));
        assert_eq!(events(good.as_bytes(), "f"), Ok(EventCounts { events: 2, senses: 2, lemmas: 1 }));
        let refusal = events(format!("{good}{{}}\n").as_bytes(), "f").expect_err("the third line has no fields");
        assert_eq!(refusal.faults[0].line, Some(3));
        assert!(bundles(b"", "f").is_err());
    }
}
