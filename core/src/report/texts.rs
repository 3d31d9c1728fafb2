//! The texts of an eval: each distinct event once, and which events a bundle is made of.

use super::columns::Column;
use crate::data::BundleSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The longest text that is kept whole, in characters.
pub const MAX_TEXT_CHARS: usize = 2000;
/// Texts of one eval, in bytes: beyond that, bundles that matter least go without.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

/// Events and the bundles made of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Texts {
    /// `event_id` of each event.
    pub ids: Vec<String>,
    /// Its sense.
    pub senses: Vec<String>,
    /// Its text; cut after 2,000 characters, and `…` put there.
    pub texts: Vec<String>,
    /// Start of the target word in characters, plus 1; 0 where none is marked.
    pub span_start: Column,
    /// Its end.
    pub span_end: Column,
    /// Events of each item: its anchor. For items without texts all three are empty.
    pub anchor: Column,
    /// Its positive.
    pub positive: Column,
    /// How many negatives it has.
    pub negatives: Column,
    /// The negatives of all items, one after another.
    pub negative: Column,
    /// Items whose texts are here.
    pub items: usize,
    /// Texts that were cut.
    pub cut: usize,
}

impl Texts {
    /// Texts of the items `ids`, the most important first in `order`, while they fit into `budget` bytes.
    pub(super) fn of(set: &BundleSet, ids: &[&str], order: &[usize], budget: usize) -> Self {
        let by_id: HashMap<&str, usize> =
            set.bundles.iter().enumerate().map(|(i, b)| (b.bundle_id.as_str(), i)).collect();
        let bundle = |item: usize| by_id.get(ids[item]).map(|b| &set.bundles[*b]);
        let mut number: Vec<Option<u32>> = vec![None; set.events.len()];
        let mut kept = vec![false; ids.len()];
        let mut bytes = 0;
        for &item in order {
            let Some(bundle) = bundle(item) else { continue };
            let events =
                || [bundle.anchor, bundle.positive].into_iter().chain(bundle.negatives.iter().map(|n| n.event));
            let more: usize =
                events().filter(|e| number[*e as usize].is_none()).map(|e| set.events[e as usize].text.len()).sum();
            if bytes + more <= budget {
                bytes += more;
                kept[item] = true;
                events().for_each(|e| number[e as usize] = Some(0));
            }
        }
        let events: Vec<usize> = (0..set.events.len()).filter(|e| number[*e].is_some()).collect();
        events.iter().enumerate().for_each(|(at, e)| number[*e] = Some(at as u32));
        let at = |event: u32| number[event as usize].unwrap_or(0);
        let of = |item: usize| bundle(item).filter(|_| kept[item]);
        let column = |value: &dyn Fn(usize) -> u32| Column::counts(&(0..ids.len()).map(value).collect::<Vec<_>>());
        let negative: Vec<u32> = (0..ids.len())
            .filter_map(of)
            .flat_map(|b| b.negatives.iter().map(|n| at(n.event)).collect::<Vec<_>>())
            .collect();
        let span = |end: bool| {
            let value = |e: &usize| set.events[*e].span.map_or(0, |s| if end { s.1 } else { s.0 + 1 });
            Column::counts(&events.iter().map(value).collect::<Vec<_>>())
        };
        let long = |text: &str| text.char_indices().nth(MAX_TEXT_CHARS).map(|(at, _)| at);
        let text = |e: &usize| {
            let text = &set.events[*e].text;
            long(text).map_or_else(|| text.clone(), |at| format!("{}…", &text[..at]))
        };
        Self {
            ids: events.iter().map(|e| set.events[*e].event_id.clone()).collect(),
            senses: events.iter().map(|e| set.events[*e].sense.clone()).collect(),
            texts: events.iter().map(text).collect(),
            span_start: span(false),
            span_end: span(true),
            anchor: column(&|i| of(i).map_or(0, |b| at(b.anchor))),
            positive: column(&|i| of(i).map_or(0, |b| at(b.positive))),
            negatives: column(&|i| of(i).map_or(0, |b| b.negatives.len() as u32)),
            negative: Column::counts(&negative),
            items: kept.iter().filter(|k| **k).count(),
            cut: events.iter().filter(|e| long(&set.events[**e].text).is_some()).count(),
        }
    }
}
