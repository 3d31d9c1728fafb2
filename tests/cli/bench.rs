//! `crucible bench`, at its smallest: what it prints must be whole and plausible. How fast anything is, is not asked.

use crate::util::Dir;
use serde_json::Value;

fn positive(value: &Value) -> bool {
    value.as_f64().is_some_and(|x| x > 0.0 && x.is_finite())
}

/// Peaks, times and shares are there, and agree with each other.
fn check(times: &Value) {
    let peak = &times["peak"];
    assert!(positive(&peak["gflops"]) && positive(&peak["gbytes_per_second"]), "{peak}");
    let rows = times["kernels"].as_array().expect("a list");
    assert!(!rows.is_empty(), "{times:#}");
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name} of {row:#}"));
        let seconds = &row["seconds"];
        assert!(positive(&seconds["min"]) && positive(&row["gbytes_per_second"]), "{row:#}");
        let of = |name: &str| seconds[name].as_f64().expect("a number");
        assert!(of("min") <= of("median") && of("median") <= of("max"), "{row:#}");
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs();
        assert!(near(number("gflops") * of("median") * 1e9, number("flops")), "{row:#}");
        assert!(near(number("gbytes_per_second") * of("median") * 1e9, number("bytes")), "{row:#}");
        assert!(positive(&row["share_of_gbytes"]), "{row:#}");
        // Copies and conversions reckon nothing.
        assert!(positive(&row["share_of_gflops"]) || row["flops"] == 0, "{row:#}");
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|row| row["kernel"].as_str().expect("a name")).collect()
}

#[test]
fn kernels_on_the_cpu() {
    let dir = Dir::new();
    let args = ["bench", "kernels", "--device", "cpu", "--size", "quick", "--repeats", "1", "--json", "--threads", "1"];
    let times = dir.run(&args).json();
    check(&times);
    assert_eq!((&times["device"], &times["threads"], &times["clock"]), (&"cpu".into(), &1.into(), &"host".into()));
    let (measured, left_out) = (names(&times["kernels"]), names(&times["left_out"]));
    for kernel in crucible_core::kernels::KERNELS {
        let places = [&measured, &left_out].map(|list| usize::from(list.contains(&kernel.name)));
        assert_eq!(places[0] + places[1], 1, "{} is either measured or left out: {places:?}", kernel.name);
    }
    for kernel in ["similarity", "product", "adamw", "pool"] {
        assert!(measured.contains(&kernel), "{measured:?}");
    }
}

#[test]
fn only_some_kernels_as_a_table() {
    let dir = Dir::new();
    let ran = dir.run(&["bench", "kernels", "--device", "cpu", "--size", "quick", "--only", "adamw", "--repeats", "1"]);
    let text = ran.ok();
    assert!(text.starts_with("cpu, ") && text.contains("Measured peaks: "), "{text}");
    assert!(text.contains("\nadamw  ") && !text.contains("\nproduct  "), "{text}");
    let ran = dir.run(&["bench", "kernels", "--device", "cpu", "--only", "nonsense"]);
    let said = ran.failed(2);
    assert!(said.contains("no kernel of that name") && said.contains("similarity_f16"), "{said}");
}

#[test]
fn kernels_on_an_adapter() {
    let dir = Dir::new();
    let Some(gpu) = crate::gpu::adapter(&dir) else { return };
    let args = ["bench", "kernels", "--device", &gpu, "--size", "quick", "--repeats", "1", "--json"];
    let times = dir.run(&[&args[..], &["--only", "similarity"]].concat()).json();
    check(&times);
    let features = dir.run(&["devices", "--json"]).json()["adapters"][0]["features"].clone();
    let measured = names(&times["kernels"]);
    assert!(measured.contains(&"similarity"), "{times:#}");
    assert_eq!(measured.contains(&"similarity_f16"), features["shader_f16"] == true, "{times:#}");
    check(&dir.run(&[&args[..], &["--only", "column_sum"]].concat()).json());
}

#[test]
fn training_steps() {
    let dir = Dir::new();
    let args = ["bench", "training", "--device", "cpu", "--size", "quick", "--batch", "2", "--repeats", "2", "--json"];
    let times = dir.run(&args).json();
    let [row] = times["batches"].as_array().expect("a list").as_slice() else { panic!("{times:#}") };
    assert_eq!((&row["batch"], &row["repeats"]), (&2.into(), &2.into()));
    let rate = &row["steps_per_second"];
    assert!(positive(&rate["min"]) && rate["min"].as_f64() <= rate["max"].as_f64(), "{row:#}");
    assert!(positive(&row["loss"]), "{row:#}");
}
