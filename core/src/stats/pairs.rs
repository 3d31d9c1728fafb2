//! Items of two scoreboards, side by side.

use crate::data::{Pool, Tier};
use crate::eval::Item;
use std::collections::HashMap;

/// One bundle in both scoreboards.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The bundle.
    pub bundle_id: String,
    /// Number of its group, in order of first appearance.
    pub group: u32,
    /// Its tier.
    pub tier: Option<Tier>,
    /// Its pool, in tier3.
    pub pool: Option<Pool>,
    /// The baseline's margin.
    pub before: f64,
    /// The candidate's margin.
    pub after: f64,
}

impl Pair {
    /// Passed before, fails now.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.before > 0.0 && self.after <= 0.0
    }

    /// Failed before, passes now.
    #[must_use]
    pub fn gained(&self) -> bool {
        self.before <= 0.0 && self.after > 0.0
    }
}

/// All bundles that are in both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// In the baseline's order.
    pub pairs: Vec<Pair>,
    /// Bundles in one of the two only.
    pub unpaired: usize,
}

impl Pairs {
    /// Pairs by `bundle_id`; tier, pool and group are the baseline's.
    #[must_use]
    pub fn of(before: &[Item<'_>], after: &[Item<'_>]) -> Self {
        let mut rest: HashMap<&str, f64> = after.iter().map(|item| (item.bundle_id.as_ref(), item.margin)).collect();
        let mut groups: HashMap<&str, u32> = HashMap::new();
        let mut pairs = Vec::with_capacity(before.len());
        let mut unpaired = 0;
        for item in before {
            let Some(after) = rest.remove(item.bundle_id.as_ref()) else {
                unpaired += 1;
                continue;
            };
            let next = groups.len() as u32;
            pairs.push(Pair {
                bundle_id: item.bundle_id.clone().into_owned(),
                group: *groups.entry(item.group.as_ref()).or_insert(next),
                tier: item.tier,
                pool: item.pool,
                before: item.margin,
                after,
            });
        }
        Self { pairs, unpaired: unpaired + rest.len() }
    }
}
