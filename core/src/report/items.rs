//! Items of all runs on one eval, set side by side.

use super::build::{BoardInput, shorten};
use super::columns::Column;
use super::document::EvalItems;
use super::measures::Frame;
use super::texts::Texts;
use crate::data::BundleSet;
use crate::eval::Item;
use std::collections::HashMap;

/// One eval and the order of its items.
pub(super) struct Eval {
    /// Its name before a number was added.
    pub(super) base: String,
    pub(super) document: EvalItems,
    pub(super) frame: Frame,
    place: HashMap<String, usize>,
    /// Negatives of each item, by event id, where texts are there.
    negatives: Option<HashMap<usize, Vec<String>>>,
    winners: HashMap<String, u32>,
}

impl Eval {
    /// From the first scoreboard of it.
    pub(super) fn new(name: String, board: &BoardInput) -> Self {
        let items = board.items.as_deref().unwrap_or_default();
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut groups = Vec::new();
        let group = items.iter().map(|item| {
            *numbers.entry(item.group.as_ref()).or_insert_with(|| {
                groups.push(item.group.clone().into_owned());
                groups.len() as u32 - 1
            })
        });
        let group: Vec<u32> = group.collect();
        let tier: Vec<_> = items.iter().map(|i| i.tier).collect();
        let pool: Vec<_> = items.iter().map(|i| i.pool).collect();
        let column = |of: &dyn Fn(usize) -> u32| Column::counts(&(0..items.len()).map(of).collect::<Vec<_>>());
        let header = &board.scoreboard.eval_header;
        let mut path = header.eval_path.clone();
        shorten(&mut path);
        Self {
            base: board.name.clone(),
            document: EvalItems {
                name,
                truth: board.truth,
                path,
                fingerprint: header.fingerprint.clone(),
                count: header.item_count,
                content_hash: header.content_hash.clone(),
                protocol_hash: header.protocol_hash.clone(),
                ids: items.iter().map(|i| i.bundle_id.clone().into_owned()).collect(),
                group_kind: items.first().map(|i| i.group_kind),
                group: Column::counts(&group),
                tier: column(&|i| tier[i].map_or(0, |t| t.index() as u32 + 1)),
                pool: column(&|i| pool[i].map_or(0, |p| p.index() as u32 + 1)),
                groups: groups.clone(),
                texts: None,
                no_texts: None,
                winners: Vec::new(),
            },
            place: items.iter().map(|i| i.bundle_id.clone().into_owned()).zip(0..).collect(),
            frame: Frame { group, groups: groups.len(), tier, pool },
            negatives: None,
            winners: HashMap::new(),
        }
    }

    /// Whether a scoreboard is of this eval.
    pub(super) fn is_of(&self, board: &BoardInput) -> bool {
        self.base == board.name && self.document.protocol_hash == board.scoreboard.eval_header.protocol_hash
    }

    /// The document; without items where nothing shows them.
    pub(super) fn finished(mut self, with_items: bool) -> EvalItems {
        if !with_items {
            let none = Column::counts(&[]);
            self.document.ids.clear();
            self.document.groups.clear();
            [self.document.group, self.document.tier, self.document.pool] = [none.clone(), none.clone(), none];
        }
        self.document
    }

    /// Adds texts; `worst` is the order of items from the most to the least important.
    pub(super) fn add_texts(&mut self, set: &BundleSet, worst: &[usize], budget: usize) {
        let ids: Vec<&str> = self.document.ids.iter().map(String::as_str).collect();
        let texts = Texts::of(set, &ids, worst, budget);
        let by_id: HashMap<&str, usize> = set.bundles.iter().map(|b| b.bundle_id.as_str()).zip(0..).collect();
        let names = |id: &&str| {
            let bundle = &set.bundles[*by_id.get(*id)?];
            Some(bundle.negatives.iter().map(|n| set.events[n.event as usize].event_id.clone()).collect())
        };
        self.negatives = Some(ids.iter().enumerate().filter_map(|(i, id)| Some((i, names(id)?))).collect());
        if texts.items < ids.len() {
            let left = ids.len() - texts.items;
            let why = format!("{left} of {} bundles have no texts here, so that the report stays small", ids.len());
            self.document.no_texts = Some(why);
        }
        self.document.texts = Some(texts);
    }

    /// A run's items in the eval's order; none where they are other items.
    pub(super) fn ordered<'a>(&self, items: &'a [Item<'static>]) -> Option<Vec<&'a Item<'static>>> {
        let mut ordered: Vec<Option<&Item<'static>>> = vec![None; self.place.len()];
        for item in items {
            ordered[*self.place.get(item.bundle_id.as_ref())?] = Some(item);
        }
        ordered.into_iter().collect()
    }

    /// The winning negatives of a run's items.
    pub(super) fn winners(&mut self, items: &[&Item<'static>]) -> Column {
        let mut numbers = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let name = item.winning_negative.as_ref();
            numbers.push(match &self.negatives {
                Some(of) => of.get(&i).and_then(|n| n.iter().position(|e| e == name)).map_or(0, |at| at as u32 + 1),
                None => {
                    let next = self.winners.len() as u32 + 1;
                    let number = *self.winners.entry(name.to_owned()).or_insert(next);
                    if number == next {
                        self.document.winners.push(name.to_owned());
                    }
                    number
                }
            });
        }
        Column::counts(&numbers)
    }
}

/// Items from the one with the lowest mean margin to that with the highest; of equals the first.
pub(super) fn worst_first(runs: &[&[f64]], count: usize) -> Vec<usize> {
    let mean: Vec<f64> =
        (0..count).map(|i| runs.iter().map(|m| m[i]).sum::<f64>() / runs.len().max(1) as f64).collect();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| mean[*a].total_cmp(&mean[*b]));
    order
}
