//! `crucible mine`: what it writes, that it writes the same however it is cut up or killed, and what it refuses.

use crate::eval::checkpoint;
use crate::util::{Dir, Ran};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;

const MINE: [&str; 5] = ["mine", "--events", "p/data/events.jsonl", "--threshold", "-0.02"];

fn mine<'a>(more: &[&'a str]) -> Vec<&'a str> {
    MINE.iter().chain(more).copied().collect()
}

/// A folder with the sample events in `p/data`.
fn prepared() -> Dir {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data"]).ok();
    dir
}

fn bundles(dir: &Dir, name: &str) -> Vec<Value> {
    dir.read(name).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

#[test]
fn bundles_statistics_quarantine_and_review() {
    let dir = prepared();
    let out = ["--output", "out/o.jsonl", "--quarantine", "out/q.jsonl", "--review", "out/r.jsonl"];
    let ran = dir.run(&mine(&[&out[..], &["--mined-at", "today"]].concat()));
    for part in
        ["candidates accepted", "threshold -0.0200", "Shuffled labels:", "candidates per second", "o_stats.json"]
    {
        assert!(ran.ok().contains(part), "{part}: {ran:?}");
    }
    assert!(!dir.path().join("out/o_resume_state.json").exists(), "the state goes when the run is finished");
    let stats: Value = serde_json::from_str(&dir.read("out/o_stats.json")).expect("JSON");
    let (mined, low) = (bundles(&dir, "out/o.jsonl"), bundles(&dir, "out/q.jsonl"));
    assert!(mined.len() > 100 && !low.is_empty(), "{} mined", mined.len());
    assert_eq!(
        (stats["written"].as_u64(), stats["quarantined"].as_u64()),
        (Some(mined.len() as u64), Some(low.len() as u64))
    );
    let rejected: u64 = stats["rejections"].as_object().expect("an object").values().filter_map(Value::as_u64).sum();
    assert_eq!(stats["candidates_tested"].as_u64(), stats["accepted"].as_u64().map(|n| n + rejected));
    assert!(stats["null"]["rate"].as_f64() > stats["pass_rate"].as_f64(), "{stats}");
    for bundle in mined.iter().chain(&low) {
        let m = &bundle["metadata"];
        assert_eq!((&m["tier"], &m["source"]), (&"tier3_adversarial".into(), &"tier3_organic_miner".into()));
        assert_eq!((&m["mined_at"], &m["scored_by"]), (&"today".into(), &serde_json::json!(["lexical"])));
        assert_eq!(m["lineups_tested"], 10);
        let passes =
            m["lineup_dangers"].as_array().expect("a list").iter().filter(|d| d.as_f64() >= Some(-0.02)).count();
        assert_eq!(m["passes"].as_u64(), Some(passes as u64));
    }
    assert!(mined.iter().all(|b| b["metadata"]["passes"].as_u64() >= Some(3)));
    assert!(low.iter().all(|b| b["metadata"]["passes"] == 2 && b["metadata"]["quarantined"] == true));
    let ids: BTreeSet<&str> = mined.iter().filter_map(|b| b["bundle_id"].as_str()).collect();
    let suspects = bundles(&dir, "out/r.jsonl");
    assert_eq!(stats["suspects"].as_u64(), Some(suspects.len() as u64));
    assert!(!suspects.is_empty());
    for suspect in &suspects {
        assert!(
            ids.contains(suspect["bundle_id"].as_str().expect("an id")) && suspect["verdict"].is_null(),
            "{suspect}"
        );
    }
    // What was mined is known to the next run, and `auto` follows it.
    let again = ["--output", "a.jsonl", "--existing-tier3", "out/o.jsonl", "--threshold", "auto", "--json"];
    let json = dir.run(&[&MINE[..3], &again].concat()).json();
    assert!(json["rejections"]["known_pair"].as_u64() >= Some(mined.len() as u64), "{json}");
    let calibration = &json["thresholds"][0]["calibration"];
    assert_eq!(
        (calibration["bundles"].as_u64(), calibration["quantile"].as_f64()),
        (Some(mined.len() as u64), Some(0.5))
    );
    let mut dangers: Vec<f64> = mined.iter().filter_map(|b| b["metadata"]["danger_score"].as_f64()).collect();
    dangers.sort_by(f64::total_cmp);
    let middle = (dangers[(dangers.len() - 1) / 2] + dangers[dangers.len() / 2]) / 2.0;
    let threshold = json["thresholds"][0]["value"].as_f64().expect("a number");
    assert!((threshold - middle).abs() < 1e-12, "the median under the same model: {threshold}, expected {middle}");
}

#[test]
fn threads_and_shards_end_in_the_same_bytes_and_seeds_do_not() {
    let dir = prepared();
    let run = |out: &str, more: &[&str]| {
        dir.run(&mine(&[&["--output", out, "--null-candidates", "0", "--force"], more].concat())).ok();
        dir.read(out)
    };
    let one = run("1.jsonl", &["--threads", "1"]);
    assert!(one == run("2.jsonl", &["--threads", "2"]), "threads");
    assert!(one != run("s.jsonl", &["--seed", "43"]), "seeds");
    let merge = ["pool", "merge", "--output", "m.jsonl", "--force", "--organic"];
    let merged = |most: &str| {
        let names: Vec<String> = (1..=7).rev().map(|i| format!("p{i}.jsonl")).collect();
        for (name, i) in names.iter().zip((1..=7).rev()) {
            run(name, &["--shard", &format!("{i}/7"), "--batch", "40", "--max-output", most]);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        dir.run(&[&merge[..], &names, &["--max-output", most]].concat()).ok();
        dir.read("m.jsonl")
    };
    assert!(one == merged("15000"), "seven shards, merged");
    assert!(merged("25").lines().eq(one.lines().take(25)), "the cap is that of the whole run");
    // Hardest first: a shorter run is the start of a longer one.
    let few = run("f.jsonl", &["--max-output", "25"]);
    assert!(few.lines().count() == 25 && one.starts_with(&few));
}

/// A model's vectors of the sample events, in `v.npy`.
fn with_vectors() -> Dir {
    let dir = prepared();
    std::fs::write(dir.path().join("m"), checkpoint(1)).expect("writes");
    std::fs::write(dir.path().join("n"), checkpoint(2)).expect("writes");
    dir.run(&["embed", "--checkpoint", "m", "--events", "p/data/events.jsonl", "--output", "v.npy"]).ok();
    dir
}

#[test]
fn a_model_its_vectors_and_mapped_ones_give_the_same() {
    let dir = with_vectors();
    let run = |out: &str, more: &[&str]| {
        dir.run(&mine(&[&["--output", out, "--null-candidates", "0"], more].concat())).ok();
        let mut all = bundles(&dir, out);
        all.iter_mut().for_each(|b| b["metadata"]["scored_by"] = Value::Null);
        all
    };
    let model = run("m.jsonl", &["--checkpoint", "m"]);
    assert!(model.len() > 50, "{}", model.len());
    assert!(model == run("v.jsonl", &["--embeddings", "v.npy"]), "a file");
    assert!(model == run("w.jsonl", &["--embeddings", "v.npy", "--map-embeddings"]), "mapped");
    let two = run("t.jsonl", &["--checkpoint", "m", "--checkpoint", "n"]);
    assert_eq!(two.len(), model.len(), "the first decides");
    for bundle in &two {
        let agreement = &bundle["metadata"]["agreement"];
        let passes = agreement["passes"].as_array().expect("a list");
        assert_eq!((agreement["models"].as_u64(), passes.len()), (Some(2), 2));
        let accept = passes.iter().filter(|p| p.as_u64() >= Some(3)).count() as u64;
        assert_eq!(agreement["accept"].as_u64(), Some(accept));
    }
    let stats: Value = serde_json::from_str(&dir.read("t_stats.json")).expect("JSON");
    assert_eq!(stats["agreement"].as_array().map(Vec::len), Some(1));
}

/// Vectors of four numbers for the sample events: `change` may spoil their bytes.
fn npy(dir: &Dir, dim: usize, spoil: impl Fn(usize, &mut Vec<f32>)) {
    let events = dir.read("p/data/events.jsonl");
    let rows = events.lines().count();
    let mut ids = String::new();
    let mut bytes = crucible_core::embeddings::npy_header(rows, dim);
    for (i, line) in events.lines().enumerate() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let _ = writeln!(ids, "{}", event["event_id"]);
        let mut row: Vec<f32> = (0..dim).map(|k| ((i * 31 + k * 17) % 23) as f32 + 1.0).collect();
        spoil(i, &mut row);
        bytes.extend(row.iter().flat_map(|x| x.to_le_bytes()));
    }
    std::fs::write(dir.path().join("x.npy"), bytes).expect("writes");
    dir.file("x_ids.jsonl", &ids);
}

#[test]
fn vectors_that_can_not_be_used_are_refused() {
    let dir = prepared();
    let run = || dir.run(&mine(&["--output", "o.jsonl", "--embeddings", "x.npy", "--force"]));
    npy(&dir, 4, |_, _| ());
    run().ok();
    std::fs::remove_file(dir.path().join("o.jsonl")).expect("is there");
    npy(&dir, 4, |i, row| {
        if i == 7 {
            row[2] = f32::NAN;
        }
    });
    let ran = run();
    let said = "(row 7): number 3 of its vector is NaN or infinite";
    assert!(ran.failed(3).contains(said), "{ran:?}");
    npy(&dir, 4, |i, row| {
        if i == 0 {
            row.pop();
        }
    });
    let ran = run();
    assert!(ran.failed(3).contains("x.npy"), "{ran:?}");
    assert!(!dir.path().join("o.jsonl").exists(), "nothing is written");
}

fn line(id: usize, sense: &str, text: &str) -> String {
    format!("{{\"event_id\":\"e{id}\",\"sense\":\"{sense}\",\"text\":\"{text}\"}}\n")
}

/// Runs on these events; what is said, and the statistics where there are any.
fn on(dir: &Dir, events: &str, more: &[&str]) -> Ran {
    dir.file("e.jsonl", events);
    dir.run(&[&["mine", "--events", "e.jsonl", "--output", "o.jsonl", "--force", "--json"], more].concat())
}

#[test]
fn odd_events_are_told_by_name() {
    let dir = Dir::new();
    let many: String =
        (10..60).map(|i| line(i, ["x#1", "x#2", "y#1"][i % 3], &format!("word{i} and word{}", i * 7))).collect();
    // A sense with one event, one with one text, a lemma with one sense.
    let odd = line(0, "one#1", "alone") + &line(1, "two#1", "Twice  said") + &line(2, "two#1", "twice said");
    let json = on(&dir, &(odd.clone() + &many), &["--threshold", "-1"]).json();
    let left = json["senses_left_out"].as_array().expect("a list");
    let of = |i: usize| (left[i]["why"].as_str(), left[i]["senses"].as_u64(), left[i]["examples"][0].as_str());
    assert_eq!(of(0), (Some("sense_with_one_event"), Some(1), Some("one#1")));
    assert_eq!(of(1), (Some("sense_with_one_text"), Some(1), Some("two#1")));
    assert_eq!((&json["lemmas_with_one_sense"], &json["none_within_lemma"]), (&3.into(), &15.into()));
    // Nothing else: nothing to mine.
    std::fs::remove_file(dir.path().join("o.jsonl")).expect("is there");
    let ran = on(&dir, &odd, &[]);
    for part in ["e.jsonl: no sense has two texts", "1 senses have one event (such as one#1)", "1 senses have one text"]
    {
        assert!(ran.failed(3).contains(part), "{part}: {ran:?}");
    }
    for (bad, said) in [
        (line(11, "x#1", "again"), "line 51: `event_id`: \"e11\" was already used on line 2"),
        (line(99, "x#1", "  "), "line 51: `text`: is empty"),
    ] {
        let ran = on(&dir, &(many.clone() + &bad), &[]);
        assert!(ran.failed(3).contains(said), "{ran:?}");
        assert!(!dir.path().join("o.jsonl").exists(), "nothing is written");
    }
    // Pools no larger than a lineup say nothing.
    let few: String = (10..14).map(|i| line(i, ["x#1", "x#2"][i % 2], &format!("word{i} and word{}", i * 7))).collect();
    let ran = on(&dir, &few, &[]);
    assert!(ran.stderr.contains("4 candidates have no more confusers than the 5 negatives of a lineup"), "{ran:?}");
    assert_eq!(ran.json()["rejections"]["pool_too_small"], 4);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let dir = prepared();
    for (more, said) in [
        (&["--output", "o.jsonl", "--min-passes", "11"][..], "min_passes is 11; expected 1 to 10"),
        (&["--output", "o.jsonl", "--shard", "0/7"], "expected I/N with I from 1 to N"),
        (&["--output", "o.jsonl", "--depths", "1,2"], "--depths takes three numbers"),
        (&["--output", "p/data/events.jsonl"], "--output p/data/events.jsonl would overwrite --events"),
        (&["--output", "o.jsonl", "--review", "./o.jsonl"], "--review ./o.jsonl would overwrite --output"),
        (&["--output", "o.jsonl", "--checkpoint", "m", "--use-embeddings"], "cannot be used with"),
        (&["--output", "o.jsonl", "--relative-margin", "3"], "relative_margin is 3; expected 0 to 2"),
    ] {
        let ran = dir.run(&mine(more));
        assert!(ran.failed(2).contains(said), "{said}: {ran:?}");
    }
    let auto = dir.run(&["mine", "--events", "p/data/events.jsonl", "--output", "o.jsonl", "--threshold", "auto"]);
    assert!(auto.failed(2).contains("--existing-tier3 FILE"), "{auto:?}");
    assert!(!dir.path().join("o.jsonl").exists());
}

#[cfg(unix)]
mod kill {
    use super::*;
    use crate::util::kill_moments;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    /// Kills that must have happened, and how often the run starts over.
    const KILLS: usize = 6;

    const RUN: [&str; 13] = [
        "--output",
        "run/o.jsonl",
        "--quarantine",
        "run/q.jsonl",
        "--review",
        "run/r.jsonl",
        "--null-candidates",
        "20",
        "--batch",
        "30",
        "--save-every",
        "0",
        "--quiet",
    ];

    fn files(dir: &Dir) -> Vec<String> {
        let names = ["o.jsonl", "q.jsonl", "r.jsonl"].map(|name| dir.read(&format!("run/{name}")));
        let entries = std::fs::read_dir(dir.path().join("run")).expect("a folder");
        let mut all: Vec<_> = entries.map(|e| e.expect("an entry").file_name().into_string().expect("plain")).collect();
        all.sort();
        assert_eq!(all, ["o.jsonl", "o_stats.json", "q.jsonl", "r.jsonl"], "nothing else is left");
        names.to_vec()
    }

    /// Whether the run was killed after `wait`.
    fn killed(dir: &Dir, wait: Option<Duration>) -> bool {
        let mut command = dir.command(&mine(&[&RUN[..], &["--resume"]].concat()));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("the program starts");
        if let Some(wait) = wait {
            let started = Instant::now();
            while started.elapsed() < wait && child.try_wait().expect("waits").is_none() {
                std::thread::sleep(Duration::from_micros(200));
            }
            child.kill().expect("kills");
        }
        let status = child.wait().expect("waits");
        assert!(status.signal() == Some(9) || status.success(), "{status}");
        status.signal() == Some(9)
    }

    #[test]
    fn a_run_that_was_killed_ends_in_the_bytes_of_one_that_was_left_alone() {
        let (mut stream, seed) = kill_moments("kill mine");
        let dir = prepared();
        let started = Instant::now();
        assert!(!killed(&dir, None));
        let whole = started.elapsed();
        let alone = files(&dir);
        // Batches make no difference, either.
        dir.run(&mine(&["--output", "b.jsonl", "--null-candidates", "0"])).ok();
        assert!(dir.read("b.jsonl") == alone[0], "batches");
        let (mut kills, mut resumed) = (0, 0);
        while kills < KILLS {
            std::fs::remove_dir_all(dir.path().join("run")).expect("removes");
            while kills < KILLS && killed(&dir, Some(whole.mul_f64(0.1 + 0.6 * stream.unit()))) {
                kills += 1;
                resumed += usize::from(dir.path().join("run/o_resume_state.json").exists());
            }
            assert!(!killed(&dir, None));
            assert!(files(&dir) == alone, "seed {seed}: other bytes after {kills} kills");
        }
        assert!(resumed > 0, "none of the kills left a state");
    }

    #[test]
    fn ctrl_c_saves_and_a_state_of_another_run_is_refused() {
        let dir = prepared();
        let run = |more: &[&str]| dir.command(&mine(&[&RUN[..], more].concat()));
        let state = dir.path().join("run/o_resume_state.json");
        // Runs until there is something to resume, then asks it to stop.
        for tries in 0.. {
            assert!(tries < 20, "the run was never stopped in time");
            let mut child =
                run(&["--force"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
            while !state.exists() && child.try_wait().expect("waits").is_none() {
                std::thread::sleep(Duration::from_micros(200));
            }
            let _ = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            if child.wait().expect("waits").code() == Some(130) {
                break;
            }
        }
        assert!(state.exists() && !dir.path().join("run/o.jsonl").exists(), "saved, and nothing else written");
        let other = crate::util::finish(&mut run(&["--resume", "--seed", "7"]));
        assert!(other.failed(2).contains("belongs to a run with other settings"), "{other:?}");
        crate::util::finish(&mut run(&["--resume"])).ok();
        let resumed = files(&dir);
        assert!(crate::util::finish(&mut run(&[])).failed(2).contains("are there already"));
        crate::util::finish(&mut run(&["--force"])).ok();
        assert!(files(&dir) == resumed, "a run that starts over");
    }
}
