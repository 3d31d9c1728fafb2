//! Training and evaluating with `--device gpu`, on a real GPU or a software adapter.

use crate::util::Dir;
use serde_json::Value;

/// `gpu:N` of the adapter that the machine has first; none, with a printed line, where it has none.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn adapter(dir: &Dir) -> Option<String> {
    let listed = dir.run(&["devices", "--json"]).json();
    let first = listed["adapters"].as_array().and_then(|all| all.first()).map(|a| format!("gpu:{}", a["number"]));
    if first.is_none() {
        let required = std::env::var("CRUCIBLE_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "CRUCIBLE_REQUIRE_GPU is set, and there is no adapter");
        println!("skipped: no adapter, not even a software one");
    }
    first
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn train(dir: &Dir, device: &str, run: &str) -> Vec<Value> {
    let steps = ["--training.steps", "200", "--experiment.log_every", "10", "--training.batch_size", "8"];
    let model = ["--model.embedding_dim", "32", "--model.hidden_dim", "32", "--model.vocab_size", "600"];
    let args = ["train", "--bundles", "b.jsonl", "--output-dir", run, "--device", device];
    dir.run(&[&args[..], &steps, &model].concat()).ok();
    lines(&dir.read(&format!("{run}/metrics.jsonl")))
}

#[test]
fn a_gpu_follows_the_cpus_curve_repeats_bit_for_bit_and_gives_the_same_verdicts() {
    let dir = Dir::new();
    let Some(gpu) = adapter(&dir) else { return };
    dir.run(&["init", "p", "--sample-data"]).ok();
    dir.run(&["bundle", "--events", "p/data/events.jsonl", "--output", "b.jsonl", "--max-per-sense", "6"]).ok();
    let (on_cpu, on_gpu) = (train(&dir, "cpu", "cpu"), train(&dir, &gpu, "gpu"));
    assert_eq!((on_cpu.len(), on_gpu.len()), (20, 20));
    for (cpu, gpu) in on_cpu.iter().zip(&on_gpu) {
        let loss = |line: &Value| line["loss"].as_f64().expect("a number");
        assert!((loss(cpu) - loss(gpu)).abs() < 1e-3 * loss(cpu), "{cpu} and {gpu}");
    }
    train(&dir, &gpu, "again");
    let checkpoint = |run: &str| std::fs::read(dir.path().join(run).join("checkpoint_final.safetensors"));
    assert!(checkpoint("gpu").expect("is there") == checkpoint("again").expect("is there"), "two runs on one adapter");
    assert!(dir.read("gpu/train.log").contains("from step 0 of 200 on "), "the log names the device");

    let score = |device: &str, to: &str| {
        let checkpoint = "gpu/checkpoint_final.safetensors";
        let args = ["eval", "--checkpoint", checkpoint, "--eval-set", "b.jsonl", "--output", to, "--device", device];
        dir.run(&args).ok();
        let board: Value = serde_json::from_str(&dir.read(to)).expect("a scoreboard");
        (lines(&dir.read(&to.replace(".json", "_items.jsonl"))), board["device"].clone())
    };
    let ((by_cpu, cpu), (by_gpu, device)) = (score("cpu", "cpu.json"), score(&gpu, "gpu.json"));
    assert!(cpu == "cpu" && device != "cpu", "{cpu} and {device}");
    assert_eq!(by_cpu.len(), by_gpu.len());
    for (cpu, gpu) in by_cpu.iter().zip(&by_gpu) {
        let margin = |line: &Value| line["margin"].as_f64().expect("a number");
        assert!((margin(cpu) - margin(gpu)).abs() < 1e-5, "{cpu} and {gpu}");
        assert!((margin(cpu) > 0.0) == (margin(gpu) > 0.0) || margin(cpu).abs() <= 1e-6, "{cpu} and {gpu}");
    }
}

#[test]
fn a_device_that_is_not_there_ends_with_4_and_nothing_is_written() {
    let dir = Dir::new();
    dir.run(&["init", "p", "--sample-data"]).ok();
    dir.run(&["bundle", "--events", "p/data/events.jsonl", "--output", "b.jsonl", "--max-per-sense", "2"]).ok();
    let args = ["train", "--bundles", "b.jsonl", "--output-dir", "run", "--device", "gpu:999", "--training.steps", "5"];
    let ran = dir.run(&args);
    let said = ran.failed(4);
    assert!(said.contains("adapter number 999") && said.contains("crucible devices"), "{said}");
    assert!(!dir.path().join("run").exists());
}
