use super::*;
use crate::config::check_values;
use crate::rng::Stream;
use std::io::{BufReader, repeat};

fn two() -> Vec<Trial> {
    let mut config = Config::default();
    config.data.bundles = Some("/data/b.jsonl".to_owned());
    config.data.frozen_eval = Some("/data/f.jsonl".to_owned());
    plan(&config, &Conditions::Ratios(vec!["85_10_5".to_owned()]), &[1, 2]).expect("a plan")
}

fn lines(trials: &[Trial]) -> String {
    trials.iter().map(|t| serde_json::to_string(t).expect("plain data") + "\n").collect()
}

fn refusal(text: &str) -> String {
    read_plan(text.as_bytes()).expect_err("it is refused").to_string()
}

#[test]
fn a_plan_is_read_as_it_was_written_and_holds_no_secret() {
    let mut config = Config::default();
    config.guardrails.webhook = Some("http://host/PLANTED".to_owned());
    let trials = plan(&config, &Conditions::Steps(vec![5, 9]), &[1]).expect("a plan");
    assert!(!lines(&trials).contains("PLANTED"));
    assert_eq!(read_plan(lines(&trials).as_bytes()), Ok(trials));
}

#[test]
fn what_decides_no_number_changes_no_trial() {
    let plain = two();
    let mut other = two();
    other[0].config.guardrails.webhook = Some("http://host/PLANTED".to_owned());
    other[0].config.experiment.checkpoint_every = 5;
    other[0].config.experiment.log_every = 5;
    other[0].config.guardrails.overrides = vec!["G11".to_owned()];
    assert_eq!(plain[0].identity(), other[0].identity());
    other[0].config.training.batch_size += 1;
    assert_ne!(plain[0].identity(), other[0].identity());
}

#[test]
fn an_input_counts_by_its_content_where_that_is_known() {
    let (mut here, mut there) = (two().remove(0), two().remove(0));
    there.config.data.bundles = Some("/elsewhere/b.jsonl".to_owned());
    assert_ne!(here.identity(), there.identity());
    for trial in [&mut here, &mut there] {
        trial.inputs.insert("data.bundles".to_owned(), "aa".to_owned());
    }
    assert_eq!(here.identity(), there.identity());
    there.inputs.insert("data.bundles".to_owned(), "bb".to_owned());
    assert_ne!(here.identity(), there.identity());
}

#[test]
fn lines_are_limited_before_they_are_in_memory() {
    // Without an end: whoever read it whole would never come back.
    let endless = read_plan(BufReader::new(repeat(b'x'))).expect_err("it is refused").to_string();
    assert!(endless.contains("line 1: a plan has at most"), "{endless}");
    let blank = read_plan(BufReader::new(repeat(b'\n'))).expect_err("it is refused").to_string();
    assert!(blank.contains("a plan has at most"), "{blank}");
}

#[test]
fn folders_and_steps_are_checked() {
    for dir in ["", "..", "a/../b", "/a", "a//b", "c:/x", "a\\b", "a/\n"] {
        let mut trials = two();
        trials[1].dir = dir.to_owned();
        assert!(refusal(&lines(&trials)).contains("leads out of the plan's folder"), "{dir:?}");
    }
    let mut trials = two();
    trials[1].dir = trials[0].dir.to_uppercase();
    assert!(refusal(&lines(&trials)).contains("is that of an earlier trial"));
    for steps in [vec![0], vec![3, 3], vec![4, 2], vec![10_000]] {
        let mut trials = two();
        trials[0].steps = steps;
        assert!(refusal(&lines(&trials)).contains("steps must rise"));
    }
}

#[test]
fn settings_are_checked_as_those_of_a_file_are() {
    assert_eq!(check_values(&two()[0].config), Ok(()));
    let broken: [fn(&mut Config); 6] = [
        |c| c.training.batch_size = 0,
        |c| c.training.steps = 0,
        |c| c.model.vocab_size = 1 << 60,
        |c| c.model.dropout = 5.0,
        |c| c.curriculum.tier_probabilities = [-1.0, 3.0, 0.0],
        |c| c.device.kind = "toaster".to_owned(),
    ];
    for (number, breaks) in broken.into_iter().enumerate() {
        let mut config = two().remove(0).config;
        breaks(&mut config);
        assert!(check_values(&config).is_err(), "{number}");
    }
}

/// Words that change what a line means, and bytes that break it.
const WORDS: [&str; 14] =
    ["0", "-1", "1e309", "18446744073709551615", "null", "[]", "{}", "\"\"", "..", "\\u0000", "true", "\"", "}", ","];

/// A few changes of a text: bytes, words, pieces twice, pieces gone.
fn mutated(text: &[u8], stream: &mut Stream) -> Vec<u8> {
    let mut out = text.to_vec();
    for _ in 0..=stream.below(4) {
        let at = stream.below(out.len().max(1));
        let end = (at + stream.below(40)).min(out.len());
        match stream.below(4) {
            0 if !out.is_empty() => out[at] = stream.bits() as u8,
            1 => drop(out.splice(at..end, WORDS[stream.below(WORDS.len())].bytes())),
            2 => drop(out.splice(at..at, out[at..end].to_vec())),
            _ => {
                // A number, wherever the next one is.
                let digit = out[at..].iter().position(u8::is_ascii_digit).map_or(at, |i| at + i);
                let length = out[digit..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
                out.splice(digit..digit + length, WORDS[stream.below(8)].bytes());
            }
        }
    }
    out
}

/// `CRUCIBLE_MUTATIONS` says how many.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long a test runs is up to who runs it")]
fn no_mutated_plan_ends_the_program() {
    let count = std::env::var("CRUCIBLE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let text = lines(&two());
    let mut taken = 0;
    for number in 0..count {
        let mut stream = Stream::new(1, "mutated plans", number);
        let Ok(trials) = read_plan(mutated(text.as_bytes(), &mut stream).as_slice()) else { continue };
        for trial in trials {
            taken += 1;
            let _ = (trial.identity(), trial.evaluations());
            let sound = check_values(&trial.config).is_ok();
            assert!(!sound || (trial.config.training.batch_size > 0 && trial.config.training.steps > 0));
        }
    }
    assert!(taken > 0, "some must get through, or nothing behind the parser was tried");
}
