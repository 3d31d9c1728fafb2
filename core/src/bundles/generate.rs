//! From events to tiered bundles.
//!
//! Random choices come from streams keyed by the sense's or the event's name, so threads do not matter and neither do
//! events of other senses. Memory is events × pool depths; similarities of all pairs are never held.

use super::report::{GenerateReport, Why};
use super::settings::{GenerateError, PerSource, Settings};
use crate::data::{Bundle, BundleSet, Event, Metadata, Negative, NegativeSource, tiers_of};
use crate::lexical::hash;
use crate::neighbours::{Groups, Neighbour, Similarity, Space};
use crate::parallel;
use crate::rng::Stream;
use serde_json::Map;
use std::collections::HashSet;

/// How many senses count as siblings of one.
pub(crate) const SIBLING_SENSES: usize = 3;

/// An event that may become an anchor.
struct Anchor {
    event: u32,
    /// One for each bundle, of distinct texts.
    positives: Vec<u32>,
    /// Nearest texts of each source; one deeper than asked, since a positive's text may have to go.
    pools: [Vec<u32>; 3],
}

/// A bundle in numbers of events.
struct Drawn {
    anchor: u32,
    positive: u32,
    negatives: Vec<Negative>,
    danger: f64,
}

/// Makes bundles of `events`. No two texts of a bundle's negatives are alike, nor like the anchor's or the positive's
/// (without case, white space made equal); danger is the greatest similarity of anchor and negative, less that of
/// anchor and positive, and tiers follow from it over all bundles.
///
/// # Errors
/// Settings out of range, vectors of other events, an event id used twice.
pub fn generate(
    events: &[Event],
    similarity: Similarity<'_>,
    settings: &Settings,
    seed: u64,
) -> Result<(BundleSet, GenerateReport), GenerateError> {
    settings.check()?;
    let mut ids = HashSet::new();
    if let Some(event) = events.iter().find(|e| !ids.insert(e.event_id.as_str())) {
        return Err(GenerateError::DuplicateId(event.event_id.clone()));
    }
    let groups = Groups::new(events);
    if let Some(vectors) = similarity.rows().map(|r| r.len()).filter(|n| *n != events.len()) {
        return Err(GenerateError::Rows { vectors, events: events.len() });
    }
    let space = Space::new(similarity, &groups.texts, &groups.text);
    let mut report = GenerateReport {
        events: events.len(),
        distinct_texts: groups.texts.len(),
        senses: groups.senses.len(),
        lemmas: groups.by_lemma.len(),
        anchors: 0,
        bundles: 0,
        tiers: [0; 3],
        tier_negatives: Default::default(),
        negatives: PerSource::default(),
        filled_up: PerSource::default(),
        short_bundles: 0,
        zero_vectors: (0..events.len() as u32).filter(|e| space.is_zero(*e)).count(),
        danger: None,
        left_out: Vec::new(),
    };
    let mut anchors = choose(events, &groups, settings, seed, &mut report);
    fill_pools(&mut anchors, &groups, &space, settings);
    let drawn = parallel::map(anchors.len(), |i| draw(&anchors[i], events, &groups, &space, settings, seed));
    for (anchor, drawn) in anchors.iter().zip(&drawn) {
        if drawn.is_empty() {
            report.leave_out(Why::NoNegative, &events[anchor.event as usize].event_id);
        }
    }
    report.left_out.sort_by_key(|l| l.why);
    let set = assemble(events, &drawn, settings, &mut report);
    Ok((set, report))
}

/// Anchors in the order of events, with their positives. A sense's texts are put in a drawn order, round a circle, and
/// an anchor takes those after its own: each text is a positive about as often as an anchor.
fn choose(
    events: &[Event],
    groups: &Groups,
    settings: &Settings,
    seed: u64,
    report: &mut GenerateReport,
) -> Vec<Anchor> {
    let chosen = parallel::map(groups.by_sense.len(), |s| {
        let members = &groups.by_sense[s];
        let mut stream = Stream::new(seed, "bundle", hash(&[&groups.senses[s]]));
        let mut texts = groups.by_text(s);
        if texts.len() < 2 {
            let why = if members.len() < 2 { Why::SenseWithOneEvent } else { Why::SenseWithOneText };
            return members.iter().map(|&event| (event, Err(why))).collect::<Vec<_>>();
        }
        stream.shuffle(&mut texts);
        let most = settings.max_per_sense.unwrap_or(usize::MAX).min(members.len());
        let kept: HashSet<u32> = stream.sample(members.len(), most).into_iter().map(|i| members[i]).collect();
        let others = texts.len() - 1;
        let mut out = Vec::with_capacity(members.len());
        for (slot, text) in texts.iter().enumerate() {
            for (rank, &event) in text.iter().enumerate() {
                if !kept.contains(&event) {
                    out.push((event, Err(Why::OverMaxPerSense)));
                    continue;
                }
                let positives = (0..settings.bundles_per_event.min(others)).map(|j| {
                    let text = &texts[(slot + 1 + (rank + j) % others) % texts.len()];
                    text[stream.below(text.len())]
                });
                let positives = positives.collect();
                out.push((event, Ok(Anchor { event, positives, pools: Default::default() })));
            }
        }
        out
    });
    let mut all: Vec<(u32, Result<Anchor, Why>)> = chosen.into_iter().flatten().collect();
    all.sort_unstable_by_key(|a| a.0);
    let mut anchors = Vec::new();
    for (event, outcome) in all {
        match outcome {
            Ok(anchor) => anchors.push(anchor),
            Err(why) => report.leave_out(why, &events[event as usize].event_id),
        }
    }
    anchors
}

fn fill_pools(anchors: &mut [Anchor], groups: &Groups, space: &Space<'_>, settings: &Settings) {
    let depth = |source| match settings.depth(source) {
        0 => 0,
        depth => depth + 1,
    };
    let differ = |a: u32, b: u32| {
        let (a, b) = (a as usize, b as usize);
        groups.sense[a] != groups.sense[b] && groups.text[a] != groups.text[b]
    };
    let other_lemma = |a: u32, b: u32| differ(a, b) && groups.lemma[a as usize] != groups.lemma[b as usize];
    let grouped = |of: &[u32], n: usize| {
        let mut out = vec![Vec::new(); n];
        anchors.iter().enumerate().for_each(|(i, a)| out[of[a.event as usize] as usize].push(i));
        out
    };
    let by_lemma: Vec<Vec<usize>> = grouped(&groups.lemma, groups.by_lemma.len());
    let by_sense: Vec<Vec<usize>> = grouped(&groups.sense, groups.by_sense.len());
    let events_of = |at: &[usize]| -> Vec<u32> { at.iter().map(|&i| anchors[i].event).collect() };
    // Of one text, the nearest event alone.
    let keys = Some(&groups.text[..]);

    let near = depth(NegativeSource::WithinLemma);
    let within = parallel::map(by_lemma.len(), |l| {
        space.nearest(&events_of(&by_lemma[l]), &groups.by_lemma[l], near, keys, &differ)
    });
    let near = depth(NegativeSource::Sibling);
    let senses = if near == 0 { 0 } else { SIBLING_SENSES };
    let siblings = groups.siblings(space, senses, |s| !by_sense[s as usize].is_empty());
    let sibling = parallel::map(by_sense.len(), |s| {
        let mut members: Vec<u32> =
            siblings[s].iter().flat_map(|&sense| &groups.by_sense[sense as usize]).copied().collect();
        members.sort_unstable();
        space.nearest(&events_of(&by_sense[s]), &members, near, keys, &differ)
    });
    let queries: Vec<u32> = anchors.iter().map(|a| a.event).collect();
    let depth = depth(NegativeSource::CrossLemma);
    let cross = space.nearest_apart(&queries, depth, keys, &groups.lemma, &other_lemma, None);

    let indices = [by_lemma.concat(), by_sense.concat(), (0..anchors.len()).collect()];
    for (source, (at, found)) in indices.into_iter().zip([within.concat(), sibling.concat(), cross]).enumerate() {
        let items = |pool: Vec<Neighbour>| pool.into_iter().map(|n| n.item).collect();
        at.into_iter().zip(found).for_each(|(i, pool)| anchors[i].pools[source] = items(pool));
    }
}

fn draw(
    anchor: &Anchor,
    events: &[Event],
    groups: &Groups,
    space: &Space<'_>,
    settings: &Settings,
    seed: u64,
) -> Vec<Drawn> {
    let mut stream = Stream::new(seed, "bundle negatives", hash(&[&events[anchor.event as usize].event_id]));
    let text = |event: u32| groups.text[event as usize];
    let bundles = anchor.positives.iter().filter_map(|&positive| {
        let shuffled = NegativeSource::ALL.map(|source| {
            let pool: Vec<u32> = anchor.pools[source as usize]
                .iter()
                .copied()
                .filter(|e| text(*e) != text(positive))
                .take(settings.depth(source))
                .collect();
            stream.sample(pool.len(), pool.len()).into_iter().map(|i| pool[i]).collect::<Vec<_>>()
        });
        let mut negatives: Vec<Negative> = Vec::new();
        let mut take = |source: NegativeSource, most: usize| {
            let mut left = most;
            for &event in &shuffled[source as usize] {
                if left == 0 {
                    break;
                }
                if negatives.iter().all(|n| text(n.event) != text(event)) {
                    negatives.push(Negative { event, source });
                    left -= 1;
                }
            }
            most - left
        };
        let mut missing = settings.negatives.total();
        for source in NegativeSource::ALL {
            missing -= take(source, settings.negatives.of(source));
        }
        for source in NegativeSource::ALL {
            missing -= take(source, missing);
        }
        negatives.sort_by_key(|n| n.source);
        let hardest = negatives.iter().map(|n| space.similarity(anchor.event, n.event)).reduce(f64::max)?;
        let danger = hardest - space.similarity(anchor.event, positive);
        Some(Drawn { anchor: anchor.event, positive, negatives, danger })
    });
    bundles.collect()
}

fn assemble(events: &[Event], drawn: &[Vec<Drawn>], settings: &Settings, report: &mut GenerateReport) -> BundleSet {
    let dangers: Vec<f64> = drawn.iter().flatten().map(|d| d.danger).collect();
    let mut tiers = tiers_of(&dangers).into_iter();
    let mut set = BundleSet::default();
    let mut place: Vec<Option<u32>> = vec![None; events.len()];
    for of_anchor in drawn {
        report.anchors += usize::from(!of_anchor.is_empty());
        for (number, bundle) in of_anchor.iter().enumerate() {
            let mut index = |event: u32| {
                *place[event as usize].get_or_insert_with(|| {
                    set.events.push(events[event as usize].clone());
                    set.events.len() as u32 - 1
                })
            };
            let mut bundle_id = format!("{}_{}", settings.id_prefix, events[bundle.anchor as usize].event_id);
            if settings.bundles_per_event > 1 {
                bundle_id = format!("{bundle_id}_{number}");
            }
            let (anchor, positive) = (index(bundle.anchor), index(bundle.positive));
            let negatives: Vec<Negative> =
                bundle.negatives.iter().map(|n| Negative { event: index(n.event), source: n.source }).collect();
            let tier = tiers.next();
            let mut got = PerSource::default();
            negatives.iter().for_each(|n| *got.of_mut(n.source) += 1);
            report.count(tier.map_or(0, crate::data::Tier::index), got, &settings.negatives);
            let metadata = Metadata {
                tier,
                danger_score: Some(bundle.danger),
                source: Some("bundle_generator".to_owned()),
                ..Metadata::default()
            };
            set.bundles.push(Bundle { bundle_id, anchor, positive, negatives, metadata, extra: Map::new() });
        }
    }
    report.bundles = set.bundles.len();
    report.danger = dangers.iter().copied().reduce(f64::min).map(|least| {
        let most = dangers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        [least, dangers.iter().sum::<f64>() / dangers.len() as f64, most]
    });
    set
}

#[cfg(test)]
mod tests;
