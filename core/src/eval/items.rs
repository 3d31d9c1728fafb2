//! The items file: one line for each bundle, from which everything paired is computed later.

use super::score::Score;
use crate::data::kind::Wanted;
use crate::data::{BundleSet, Event, Fault, Faults, Pool, Tier, check_kind};
use crate::parallel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Write};

/// Items that are turned into text together.
const BLOCK: usize = 1024;

/// Cosines are at most 2 apart; scores of models that never ran here may be any others.
const MOST_MARGIN: f64 = 1e6;

/// What `group` of an item names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// The anchor's field `doc`: the document that the text is from.
    Doc,
    /// The anchor's lemma, where there is no `doc`.
    Lemma,
}

/// One bundle's result. Bundles of one group are resampled together, since they are not independent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Item")]
pub struct Item<'a> {
    /// The bundle.
    #[serde(borrow)]
    pub bundle_id: Cow<'a, str>,
    /// The anchor's document, or its lemma.
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    /// Which of the two.
    pub group_kind: GroupKind,
    /// The bundle's tier; null where it has none.
    pub tier: Option<Tier>,
    /// The pool of a tier3 bundle; null for the other tiers.
    pub pool: Option<Pool>,
    /// `pos_sim − max_neg_sim`, in cosine units; the bundle passes when it is above 0. −2 with a zero vector.
    pub margin: f64,
    /// 1 + negatives that are more similar than the positive.
    pub rank: u32,
    /// Cosine of anchor and positive; −1 with a zero vector.
    pub pos_sim: f64,
    /// Largest cosine of anchor and negative; 1 with a zero vector.
    pub max_neg_sim: f64,
    /// `event_id` of that negative; of equals the first.
    #[serde(borrow)]
    pub winning_negative: Cow<'a, str>,
    /// A vector of this bundle was zero or not finite: it failed, and it is no tie.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub zero_vector: bool,
}

impl Item<'_> {
    /// Passed: margin > 0.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.margin > 0.0
    }
}

/// The items of `scores`, which belong to `set.bundles` in order.
///
/// # Panics
/// When there is not one score for each bundle.
#[must_use]
pub fn items<'a>(set: &'a BundleSet, scores: &[Score]) -> Vec<Item<'a>> {
    assert_eq!(set.bundles.len(), scores.len(), "one score for each bundle is needed");
    let event = |index: u32| &set.events[index as usize];
    let item = |i: usize| {
        let (bundle, score) = (&set.bundles[i], &scores[i]);
        let (group, group_kind) = group_of(event(bundle.anchor));
        let winner = bundle.negatives.get(score.winner as usize).map_or("", |n| &event(n.event).event_id);
        Item {
            bundle_id: Cow::Borrowed(&bundle.bundle_id),
            group,
            group_kind,
            tier: bundle.metadata.tier,
            pool: bundle.metadata.pool(),
            margin: score.margin,
            rank: score.rank,
            pos_sim: score.pos_sim,
            max_neg_sim: score.max_neg_sim,
            winning_negative: Cow::Borrowed(winner),
            zero_vector: score.zero_vector,
        }
    };
    parallel::map(scores.len(), item)
}

/// The anchor's `doc` (a text or a number) if it has one, else its lemma.
fn group_of(anchor: &Event) -> (Cow<'_, str>, GroupKind) {
    match anchor.extra.get("doc") {
        Some(Value::String(doc)) if !doc.is_empty() => (Cow::Borrowed(doc.as_str()), GroupKind::Doc),
        Some(Value::Number(doc)) => (Cow::Owned(doc.to_string()), GroupKind::Doc),
        _ => (Cow::Borrowed(&anchor.lemma), GroupKind::Lemma),
    }
}

/// The group of every bundle, numbered in order of first appearance: bundles with equal `group` have equal numbers.
#[must_use]
pub fn groups(set: &BundleSet) -> Vec<u32> {
    let named = parallel::map(set.bundles.len(), |i| group_of(&set.events[set.bundles[i].anchor as usize]).0);
    let mut numbers = HashMap::new();
    let mut out: Vec<u32> = Vec::with_capacity(named.len());
    for (i, name) in named.iter().enumerate() {
        // Most bundles come beside others of their group.
        if i > 0 && named[i - 1] == *name {
            out.push(out[i - 1]);
            continue;
        }
        let next = numbers.len() as u32;
        out.push(*numbers.entry(name).or_insert(next));
    }
    out
}

/// Writes items as JSON Lines.
///
/// # Errors
/// Those of `out`.
pub fn write_items(items: &[Item<'_>], out: &mut dyn Write) -> std::io::Result<()> {
    let blocks: Vec<&[Item<'_>]> = items.chunks(BLOCK).collect();
    let texts = parallel::map(blocks.len(), |i| {
        let mut text = Vec::with_capacity(blocks[i].len() * 288);
        for item in blocks[i] {
            serde_json::to_writer(&mut text, item)?;
            text.push(b'\n');
        }
        Ok::<_, serde_json::Error>(text)
    });
    for text in texts {
        out.write_all(&text?)?;
    }
    Ok(())
}

/// Reads an items file.
///
/// # Errors
/// All faults, by line: unreadable input, bad JSON, numbers out of range, bundle ids that were used before, no items.
pub fn read_items(reader: &mut dyn BufRead, source: &str) -> Result<Vec<Item<'static>>, Faults> {
    check_kind(reader, source, Wanted::Items)?;
    let mut faults = Faults::new(source);
    let (mut items, mut seen) = (Vec::new(), HashMap::<String, u64>::new());
    for (number, line) in (1u64..).zip(reader.lines()) {
        let line = line.map_err(|e| Faults::of_file(source, format!("could not be read at line {number}: {e}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let mut fault = |field: Option<&str>, message: String| {
            faults.push(Fault { line: Some(number), field: field.map(str::to_owned), message });
        };
        let item: Item<'_> = match serde_json::from_str(&line) {
            Ok(item) => item,
            Err(e) => {
                fault(None, format!("is no item of an items file: {e}"));
                continue;
            }
        };
        if !(-MOST_MARGIN..=MOST_MARGIN).contains(&item.margin) {
            fault(Some("margin"), format!("is {}; no similarities are so far apart", item.margin));
        } else if let Some(first) = seen.insert(item.bundle_id.clone().into_owned(), number) {
            fault(Some("bundle_id"), format!("\"{}\" was already used on line {first}", item.bundle_id));
        } else {
            items.push(into_owned(item));
        }
    }
    if items.is_empty() && faults.faults.is_empty() {
        return Err(Faults::of_file(source, "is empty; expected one item a line (JSON Lines)"));
    }
    faults.or(items)
}

fn into_owned(item: Item<'_>) -> Item<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    Item {
        bundle_id: own(item.bundle_id),
        group: own(item.group),
        winning_negative: own(item.winning_negative),
        group_kind: item.group_kind,
        tier: item.tier,
        pool: item.pool,
        margin: item.margin,
        rank: item.rank,
        pos_sim: item.pos_sim,
        max_neg_sim: item.max_neg_sim,
        zero_vector: item.zero_vector,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embeddings::Embeddings;
    use crate::eval::score::{score, tests::set_of};
    use serde_json::json;

    fn sample() -> (BundleSet, Vec<Score>) {
        let mut set = set_of(4, &[(0, 1, &[2, 3]), (1, 0, &[3]), (2, 3, &[0])]);
        set.events[1].extra.insert("doc".into(), json!("d \"7\""));
        set.events[2].extra.insert("doc".into(), json!(12));
        set.bundles[1].metadata.tier = Some(Tier::Adversarial);
        let embeddings = Embeddings::normalised(2, vec![1.0, 0.0, 0.6, 0.8, 0.8, 0.6, 0.0, 0.0]);
        let scores = score(&set, &embeddings);
        (set, scores)
    }

    #[test]
    fn groups_are_documents_where_known() {
        let (set, scores) = sample();
        let items = items(&set, &scores);
        let groups: Vec<_> = items.iter().map(|i| (i.group.as_ref(), i.group_kind)).collect();
        assert_eq!(groups, [("a", GroupKind::Lemma), ("d \"7\"", GroupKind::Doc), ("12", GroupKind::Doc)]);
        assert_eq!((items[1].tier, items[1].pool), (Some(Tier::Adversarial), Some(Pool::Legacy)));
        assert_eq!((items[0].tier, items[0].pool), (None, None));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (set, scores) = sample();
        let items = items(&set, &scores);
        let mut text = Vec::new();
        write_items(&items, &mut text).expect("a Vec takes everything");
        assert_eq!(read_items(&mut text.as_slice(), "items").expect("own output is sound"), items);
        // More than one block keeps its order.
        let many: Vec<_> =
            (0..3000).map(|i| Item { bundle_id: Cow::Owned(format!("b{i}")), ..items[0].clone() }).collect();
        text.clear();
        write_items(&many, &mut text).expect("a Vec takes everything");
        assert_eq!(read_items(&mut text.as_slice(), "items").expect("own output is sound"), many);
    }

    #[test]
    fn faults_come_with_their_lines() {
        let (set, scores) = sample();
        let mut text = Vec::new();
        write_items(&items(&set, &scores), &mut text).expect("a Vec takes everything");
        let first = String::from_utf8(text).expect("JSON is UTF-8").lines().next().expect("three lines").to_owned();
        let wild = first.replace("\"margin\":-2.0", "\"margin\":-7.5e9");
        assert_ne!(wild, first);
        let faults =
            read_items(&mut format!("{first}\nnot json\n{first}\n{wild}\n").as_bytes(), "f").expect_err("faulty");
        let lines: Vec<_> = faults.faults.iter().map(|f| f.line).collect();
        assert_eq!(lines, [Some(2), Some(3), Some(4)], "{faults}");
        assert!(read_items(&mut "\n".as_bytes(), "f").is_err());
    }
}
