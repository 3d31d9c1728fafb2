//! Against plain re-computation, and planted sweeps whose truth is known.

use super::*;
use crate::config::Config;
use crate::data::Tier;
use crate::eval::{GroupKind, Item};
use crate::rng::Stream;
use std::borrow::Cow;

const RUN: &str = "conditions × seeds × items";

/// Items that pass with probability `rate` + a shift of the seed + one of the group.
fn items(condition: &str, seed: u64, truth: &str, n: usize, rate: f64) -> Vec<Item<'static>> {
    let name = format!("{condition} {truth}");
    let mut noise = Stream::new(seed, truth, 1);
    let shift = 0.04 * (noise.unit() - 0.5);
    (0..n)
        .map(|i| {
            let (group, mut item) = (i / 4, Stream::new(seed, &format!("{RUN} {truth}"), i as u64));
            let ease = 0.2 * (Stream::new(7, truth, group as u64).unit() - 0.5);
            let own = 0.1 * (Stream::new(seed, &name, i as u64).unit() - 0.5);
            let passes = item.unit() < rate + shift + ease + own;
            Item {
                bundle_id: Cow::Owned(format!("{truth}{i}")),
                group: Cow::Owned(format!("{truth} group {group}")),
                group_kind: GroupKind::Lemma,
                tier: Some(if truth == "frozen" && i % 3 == 0 { Tier::Robust } else { Tier::Adversarial }),
                pool: None,
                margin: if passes { 0.1 } else { -0.1 },
                rank: 1,
                pos_sim: 0.0,
                max_neg_sim: 0.0,
                winning_negative: Cow::Borrowed("n"),
                zero_vector: false,
            }
        })
        .collect()
}

fn outcomes(conditions: &[(&str, f64, f64)], seeds: u64, n: usize) -> Vec<Outcome> {
    conditions
        .iter()
        .flat_map(|&(name, frozen, organic)| {
            (0..seeds).map(move |seed| Outcome {
                condition: name.to_owned(),
                seed,
                items: [items(name, seed, "frozen", n, frozen), items(name, seed, "organic", n, organic)],
            })
        })
        .collect()
}

fn few() -> Settings {
    Settings { resamples: 400, ..Settings::default() }
}

#[test]
fn rates_are_those_of_the_items() {
    let outcomes = outcomes(&[("a", 0.3, 0.5), ("b", 0.4, 0.4)], 3, 300);
    let results = Results::new(&outcomes).expect("sound");
    let analysis = analyse(&results, "a", [0.2, 0.2], &few());
    for condition in &analysis.conditions {
        let rates = |truth: usize, hardest: bool| -> Vec<f64> {
            let of = outcomes.iter().filter(|o| o.condition == condition.name);
            of.map(|o| {
                let counted = || o.items[truth].iter().filter(|i| !hardest || i.tier == Some(Tier::Adversarial));
                counted().filter(|i| i.passes()).count() as f64 / counted().count() as f64
            })
            .collect()
        };
        for (measured, rates) in [(&condition.retention, rates(0, true)), (&condition.generalisation, rates(1, false))]
        {
            let spread = Spread::of(&rates).expect("three");
            assert!((measured.mean - spread.mean).abs() < 1e-12, "{measured:?}");
            assert!((measured.std.expect("three") - spread.std.expect("three")).abs() < 1e-12);
            assert!((measured.min - spread.min).abs() < 1e-12 && (measured.max - spread.max).abs() < 1e-12);
            assert!(measured.ci95.low <= measured.mean && measured.mean <= measured.ci95.high, "{measured:?}");
        }
    }
    assert!(analysis.retention_of.contains("tier3") && analysis.generalisation_of.contains("all"), "{analysis:?}");
}

#[test]
fn a_planted_frontier_is_found_and_a_beaten_condition_is_not_on_it() {
    let planted = [("base", 0.30, 0.30), ("keeps", 0.45, 0.25), ("learns", 0.20, 0.50), ("worse", 0.15, 0.20)];
    let results = Results::new(&outcomes(&planted, 6, 1200)).expect("sound");
    let analysis = analyse(&results, "base", [0.1, 0.1], &few());
    let of = |name: &str| analysis.conditions.iter().find(|c| c.name == name).expect("there");
    assert_eq!(analysis.frontier, ["keeps", "base", "learns"]);
    assert!(of("worse").p_on_frontier < 0.05 && of("keeps").p_on_frontier > 0.95, "{analysis:#?}");
    assert!(of("worse").p_beats_baseline.expect("no baseline") < 0.05);
    let change = of("learns").generalisation_change.as_ref().expect("no baseline");
    assert!(change.p_holm < 0.05 && change.ci95.low > 0.1, "{change:?}");
    let choice = analysis.choice.as_ref().expect("halves");
    assert_eq!(choice.condition, "base", "others learn less, or lose more than two points: {choice:?}");
    // The area again, by a grid.
    let points: Vec<[f64; 2]> = analysis.conditions.iter().map(|c| [c.retention.mean, c.generalisation.mean]).collect();
    let n = 800;
    let at = |i: usize| 0.1 + 0.6 * (i as f64 + 0.5) / f64::from(n);
    let inside = (0..n * n).filter(|i| {
        let (x, y) = (at(*i as usize / n as usize), at(*i as usize % n as usize));
        points.iter().any(|p| p[0] > x && p[1] > y)
    });
    let area = inside.count() as f64 * (0.6 / f64::from(n)).powi(2);
    assert!((analysis.hypervolume.value - area).abs() < 1e-3, "{} {area}", analysis.hypervolume.value);
}

#[test]
fn equal_conditions_are_rarely_told_apart() {
    // Twice the same setting under other draws of items: a change is found in about one of twenty, before Holm.
    let mut found = 0;
    for round in 0..60u64 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let results = Results::new(&outcomes(&[(&a, 0.4, 0.4), (&b, 0.4, 0.4)], 6, 240)).expect("sound");
        let analysis = analyse(&results, &a, [0.2, 0.2], &Settings { resamples: 300, ..Settings::default() });
        found += usize::from(analysis.conditions[1].retention_change.as_ref().is_some_and(|d| d.p < 0.05));
    }
    assert!(found <= 9, "{found} of 60");
}

#[test]
fn flips_of_equal_settings_do_not_exceed_the_floor() {
    let results = Results::new(&outcomes(&[("a", 0.4, 0.4), ("b", 0.4, 0.4), ("c", 0.2, 0.4)], 6, 600)).expect("sound");
    let analysis = analyse(&results, "a", [0.2, 0.2], &few());
    let excess = |c: usize| analysis.conditions[c].flips["frozen"].excess.expect("six seeds");
    assert!(excess(1) <= 0.0, "the same seed shares its draws: {}", excess(1));
    assert!(excess(2) > excess(1) + 0.02, "{}", excess(2));
    assert_eq!(analysis.conditions[0].flips["frozen"].rates.negative, 0.0);
    assert!(analysis.conditions[2].flips["frozen"].persistent > 0);
}

/// An outcome whose items pass as written: `+` passes; every item is a group of its own.
fn written(condition: &str, seed: u64, passes: &str) -> Outcome {
    let of = |truth: &str| -> Vec<Item<'static>> {
        let mut items = items(condition, seed, truth, passes.len(), 0.5);
        for (i, (item, sign)) in items.iter_mut().zip(passes.chars()).enumerate() {
            item.margin = if sign == '+' { 0.1 } else { -0.1 };
            item.tier = None;
            item.group = Cow::Owned(format!("{truth} {i}"));
        }
        items
    };
    Outcome { condition: condition.to_owned(), seed, items: [of("frozen"), of("organic")] }
}

#[test]
fn flips_are_those_counted_by_hand() {
    let runs = [("a", 1, "++--"), ("a", 2, "+-+-"), ("b", 1, "-+--"), ("b", 2, "--++")];
    let results = Results::new(&runs.map(|(c, s, p)| written(c, s, p))).expect("sound");
    let flips = &analyse(&results, "a", [0.0, 0.0], &few()).conditions[1].flips["organic"];
    // Seeds of the baseline: the second item falls, the third rises. Against it: one falls in each seed, one rises in one.
    assert_eq!((flips.floor, flips.rates.negative, flips.rates.positive), (Some(0.25), 0.25, 0.125));
    assert_eq!(
        (flips.excess, flips.persistent, &flips.persistent_ids[..]),
        (Some(0.0), 1, &["organic0".to_owned()][..])
    );
}

#[test]
fn seeds_and_items_are_both_drawn_again() {
    // Seeds differ and items don't, then the other way round.
    let seeds = Results::new(&[written("a", 1, "++++++++"), written("a", 2, "--------")]).expect("sound");
    let of = |results: &Results| analyse(results, "a", [0.0, 0.0], &few()).conditions[0].generalisation.clone();
    let m = of(&seeds);
    assert_eq!((m.mean, m.ci95.low, m.ci95.high, m.item_error), (0.5, 0.0, 1.0, 0.0));
    let items = Results::new(&[written("a", 1, "++++----"), written("a", 2, "++++----")]).expect("sound");
    let m = of(&items);
    // The standard error of a share of 8.
    assert!((m.item_error - (0.25f64 / 8.0).sqrt()).abs() < 0.02 && m.std == Some(0.0), "{m:?}");
    assert!(m.ci95.low <= 0.25 && m.ci95.high >= 0.75, "{m:?}");
}

#[test]
fn what_can_not_be_set_side_by_side_is_refused() {
    assert_eq!(Results::new(&[]).err(), Some(ResultsError::Nothing));
    let mut some = outcomes(&[("a", 0.4, 0.4), ("b", 0.4, 0.4)], 2, 40);
    some[3].items[1].pop();
    assert!(matches!(Results::new(&some).err(), Some(ResultsError::OtherItems { truth: "organic", .. })));
    let mut some = outcomes(&[("a", 0.4, 0.4), ("b", 0.4, 0.4)], 2, 40);
    let more = some[3].items[0][0].clone();
    some[3].items[0].push(Item { bundle_id: Cow::Borrowed("more"), ..more });
    assert!(matches!(Results::new(&some).err(), Some(ResultsError::OtherItems { truth: "frozen", .. })));
    let mut some = outcomes(&[("a", 0.4, 0.4), ("b", 0.4, 0.4)], 2, 40);
    some.remove(1);
    let results = Results::new(&some).expect("one seed is left");
    assert_eq!((results.seeds.clone(), results.left_out.clone()), (vec![0], vec![1]));
    some.remove(1);
    assert_eq!(Results::new(&some).err(), Some(ResultsError::NoSeed));
    let mut some = outcomes(&[("a", 0.4, 0.4)], 1, 40);
    some[0].items[0].clear();
    assert_eq!(Results::new(&some).err(), Some(ResultsError::Empty("frozen")));
}

#[test]
fn results_repeat_whatever_the_threads() {
    let results = Results::new(&outcomes(&[("a", 0.3, 0.5), ("b", 0.4, 0.4)], 3, 120)).expect("sound");
    let analysis = analyse(&results, "a", [0.2, 0.2], &few());
    assert_eq!(analysis, analyse(&results, "a", [0.2, 0.2], &few()));
    assert_ne!(analysis, analyse(&results, "a", [0.2, 0.2], &Settings { seed: 1, ..few() }));
}

#[test]
fn plans_name_every_run_once() {
    let config = Config::default();
    let ratios = Conditions::Ratios(vec!["85_10_5".into(), "75_15_10".into()]);
    let trials = plan(&config, &ratios, &[42, 7]).expect("sound");
    let dirs: Vec<&str> = trials.iter().map(|t| t.dir.as_str()).collect();
    assert_eq!(dirs, ["R85_10_5/seed_42", "R85_10_5/seed_7", "R75_15_10/seed_42", "R75_15_10/seed_7"]);
    assert_eq!(trials[2].config.curriculum.tier3_ratios.by_pool(), [0.75, 0.15, 0.10]);
    assert_eq!(trials[1].config.experiment.seeds, [7]);
    let text: String = trials.iter().map(|t| serde_json::to_string(t).expect("JSON") + "\n").collect();
    assert_eq!(read_plan(text.as_bytes()).expect("its own lines"), trials);
    let mut hashes: Vec<String> = trials.iter().map(Trial::identity).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 4);

    let steps = plan(&config, &Conditions::Steps(vec![300, 100, 200]), &[1]).expect("sound");
    assert_eq!((steps.len(), steps[0].config.training.steps), (1, 300));
    let at: Vec<(String, u64)> = steps[0].evaluations().into_iter().map(|e| (e.dir, e.step)).collect();
    assert_eq!(at[0], ("steps/seed_1/step_100".to_owned(), 100));
    assert_eq!(at[2], ("steps/seed_1/step_300".to_owned(), 300));
}

#[test]
fn plans_that_would_overwrite_themselves_or_others_are_refused() {
    let config = Config::default();
    let named =
        |names: &[&str]| Conditions::Ablation(names.iter().map(|n| (n.to_string(), "b.jsonl".into())).collect());
    let error =
        |conditions: &Conditions, seeds: &[u64]| plan(&config, conditions, seeds).expect_err("refused").to_string();
    assert_eq!(error(&named(&["a"]), &[]), "no seeds are given");
    assert_eq!(error(&named(&[]), &[1]), "no conditions are given");
    assert_eq!(error(&named(&["a", "A"]), &[1]), "condition A is given twice");
    assert_eq!(error(&named(&["a"]), &[1, 1]), "seed 1 is given twice");
    for bad in ["", "..", "a/b", ".hidden", "a b", "ä"] {
        assert!(error(&named(&[bad]), &[1]).contains("can't name a condition"), "{bad}");
    }
    assert!(error(&Conditions::Ratios(vec!["50_50_50".into()]), &[1]).contains("must sum to 100"));
    assert_eq!(error(&Conditions::Steps(vec![5, 5]), &[1]), "step 5 is given twice");
    assert_eq!(error(&Conditions::Steps(vec![0]), &[1]), "there is no model to evaluate at step 0");
    let mut trial = plan(&config, &named(&["a"]), &[1]).expect("sound").remove(0);
    for bad in ["../x", "/x", "a//b", "", "a/.."] {
        trial.dir = bad.to_owned();
        let line = serde_json::to_string(&trial).expect("JSON");
        assert!(read_plan(line.as_bytes()).expect_err("refused").to_string().contains("leads out"), "{bad}");
    }
    trial.index = 3;
    let line = serde_json::to_string(&trial).expect("JSON");
    assert!(read_plan(line.as_bytes()).expect_err("refused").to_string().starts_with("line 1: index 3"));
    assert!(read_plan("{}".as_bytes()).expect_err("refused").to_string().starts_with("line 1: no trial"));
}

fn found(outcomes: &[Outcome], kind: Kind, id: &str) -> Vec<crate::guardrails::Finding> {
    let results = Results::new(outcomes).expect("sound");
    let mut found = findings(&results, kind, "", &few(), &Config::default().guardrails);
    found.retain(|f| f.id == id);
    found
}

#[test]
fn a_cliff_is_seen_from_the_best_step_or_from_the_baseline() {
    use crate::guardrails::Level;
    // Frozen rises all the way; organic has its best in the middle.
    let planted = outcomes(&[("step_1", 0.3, 0.4), ("step_2", 0.36, 0.55), ("step_3", 0.42, 0.4)], 5, 2000);
    let cliffs = found(&planted, Kind::Steps, "G8");
    let seen: Vec<Level> = cliffs.iter().map(|f| f.level).collect();
    assert_eq!(seen, [Level::Ok, Level::Warning], "{cliffs:?}");
    assert!(cliffs[1].message.starts_with("step_3 against step_2: "), "{cliffs:?}");
    assert!(cliffs[1].numbers["organic_high"] < 0.0, "{cliffs:?}");
    // As conditions beside each other, both are held to the first, which neither falls below.
    let cliffs = found(&planted, Kind::Ratio, "G8");
    assert!(cliffs.len() == 2 && cliffs.iter().all(|f| f.level == Level::Ok), "{cliffs:?}");
    // Alike in everything: nothing to see.
    let alike = outcomes(&[("a", 0.3, 0.4), ("b", 0.3, 0.4)], 5, 2000);
    assert!(found(&alike, Kind::Ratio, "G8").iter().all(|f| f.level == Level::Ok));
}

#[test]
fn seeds_that_differ_are_named_with_condition_and_truth() {
    use crate::guardrails::Level;
    // So few items that their error covers the seeds' own shift.
    let mut planted = outcomes(&[("a", 0.3, 0.4), ("b", 0.3, 0.4)], 4, 300);
    let quiet = found(&planted, Kind::Ratio, "G14");
    assert_eq!(quiet.len(), 4);
    // One seed of one condition is much better on the organic holdout.
    planted[5].items[1] = items("b", 1, "organic", 300, 0.7);
    let loud = found(&planted, Kind::Ratio, "G14");
    let warned: Vec<_> = loud.iter().filter(|f| f.level > Level::Ok).map(|f| f.message.as_str()).collect();
    assert!(quiet.iter().all(|f| f.level == Level::Ok), "{quiet:?}");
    assert!(warned.iter().any(|m| m.starts_with("b, organic, all items: 4 seeds")), "{warned:?}");
}
