//! The page's numbers are the command's.

use crate::driver::Browser;
use crate::fixture::{BUNDLES, Fixture};
use crate::page::{choose, download, evaluate, failures, open, result, self_check};
use crate::programs;
use crate::serve::Server;
use crucible_core::eval::{Item, Scoreboard, read_items};
use serde_json::Value;

/// A margin nearer to 0 than this may fall on either side.
const UNSURE: f64 = 1e-6;
/// Margins may differ by so much.
const NEAR: f64 = 1e-4;

#[test]
fn the_page_says_what_the_command_says() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);
    let (state, text) = self_check(&browser);
    assert_eq!(state, "good", "the self-check: {text}");
    assert!(text.contains("agree") && text.contains("software GPU"), "the self-check: {text}");
    // It is offered, but the CPU is faster.
    let chosen = "return [document.querySelector('input[name=\"device\"]:checked').value, document.querySelector('input[value=\"gpu\"]').disabled];";
    assert_eq!(browser.run(chosen), serde_json::json!(["cpu", false]));

    choose(&browser, "eval_set", &[&files.path("eval.jsonl")]);
    for (model, device, exact) in [
        ("headless", "cpu", true),
        ("candidate", "gpu", false),
        // The products of a head round as the processor at hand does it.
        ("candidate", "cpu", false),
    ] {
        choose(&browser, "checkpoint", &[&files.path(&format!("{model}.safetensors"))]);
        assert_eq!(evaluate(&browser, device), "done", "{:?}", failures(&browser));
        let what = format!("{model} on the {device}");
        let own = files.read(&format!("{model}_items.jsonl"));
        same_items(&download(&browser, &format!("{model}_eval_items.jsonl")), &own, exact, &what);
        let own = files.read(&format!("{model}.json"));
        same_scoreboard(&download(&browser, &format!("{model}_eval.json")), &own, exact, &what);
    }
    the_baseline_is_judged(&browser);
    a_foreign_baseline_is_refused_until_allowed(&browser);
    a_cancelled_evaluation_leaves_nothing(&browser);
    let log = browser.console_errors();
    assert!(log.is_empty(), "the console reported: {log:#?}");
}

#[test]
fn a_gpu_that_computes_wrongly_is_noticed() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = Browser::start(&programs);
    // A GPU that does nothing: the outputs stay as they were.
    browser.before_each_worker("GPUComputePassEncoder.prototype.dispatchWorkgroups = () => {};");
    browser.open(&server.url);
    let (state, text) = self_check(&browser);
    assert_eq!(state, "bad", "a GPU that computes nothing was not noticed: {text}");
    assert!(text.contains("computes wrongly"), "the self-check: {text}");
    let offered = browser.run("return !document.querySelector('input[value=\"gpu\"]').disabled;");
    assert_eq!(offered, false, "a GPU that computes wrongly is offered");

    browser.before_each_worker("Object.defineProperty(WorkerNavigator.prototype, 'gpu', { get: () => undefined });");
    browser.open(&server.url);
    let (state, text) = self_check(&browser);
    assert_eq!(state, "none", "a browser without WebGPU: {text}");
    // The CPU does it all the same.
    choose(&browser, "checkpoint", &[&files.path("headless.safetensors")]);
    choose(&browser, "eval_set", &[&files.path("eval.jsonl")]);
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
    let own = files.read("headless_items.jsonl");
    same_items(&download(&browser, "headless_eval_items.jsonl"), &own, true, "without WebGPU");
}

fn items(bytes: &[u8]) -> Vec<Item<'static>> {
    read_items(&mut &*bytes, "items").unwrap_or_else(|faults| panic!("{faults}"))
}

/// The same bundles in the same order with the same verdicts; if `exact`, the same bytes.
fn same_items(bytes: &[u8], own: &[u8], exact: bool, what: &str) {
    let (got, want) = (items(bytes), items(own));
    assert_eq!((got.len(), want.len()), (BUNDLES, BUNDLES), "{what}");
    let passed = want.iter().filter(|item| item.passes()).count();
    assert!((100..BUNDLES - 100).contains(&passed), "{what}: both must occur: {passed} of {BUNDLES} pass");
    for (got, want) in got.iter().zip(&want) {
        assert!((got.margin - want.margin).abs() <= NEAR, "{what}: {got:?}, expected {want:?}");
        assert!(want.margin.abs() <= UNSURE || got.passes() == want.passes(), "{what}: {got:?}, expected {want:?}");
        let near = Item { margin: want.margin, pos_sim: want.pos_sim, max_neg_sim: want.max_neg_sim, ..got.clone() };
        assert_eq!(near, *want, "{what}: other fields");
    }
    // The same text for the same items.
    let mut written = Vec::new();
    crucible_core::eval::write_items(&got, &mut written).expect("a Vec takes everything");
    assert!(written == bytes, "{what}: the text's form");
    assert!(!exact || bytes == own, "{what}: the files differ");
}

/// The same document but for where and when it was made, and numbers to rounding; if `exact`, to the last digit.
fn same_scoreboard(bytes: &[u8], own: &[u8], exact: bool, what: &str) {
    // It reads as a scoreboard, and is written as the command writes one.
    let board: Scoreboard = serde_json::from_slice(bytes).expect("a scoreboard");
    assert_eq!(crucible_core::json_text(&board).expect("writes").as_bytes(), bytes, "{what}: the text's form");
    let (mut got, mut want): (Value, Value) =
        (serde_json::from_slice(bytes).expect("JSON"), serde_json::from_slice(own).expect("JSON"));
    for board in [&mut got, &mut want] {
        for key in ["timestamp", "device"] {
            assert!(board[key].is_string(), "{what}: {key} is missing");
            board[key] = Value::Null;
        }
    }
    assert!(!exact || got == want, "{what}: {got:#}, expected {want:#}");
    near(&got, &want, what);
}

fn near(got: &Value, want: &Value, path: &str) {
    match (got, want) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{path}: {:?}, expected {:?}", a.keys(), b.keys());
            a.iter().zip(b.values()).for_each(|((key, a), b)| near(a, b, &format!("{path}.{key}")));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| near(a, b, path));
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
            assert!((a - b).abs() <= NEAR * b.abs().max(1.0), "{path}: {a}, expected {b}");
        }
        _ => assert_eq!(got, want, "{path}"),
    }
}

/// With a baseline and its items, the page gives the verdict that `crucible compare` gives.
fn the_baseline_is_judged(browser: &Browser) {
    let files = Fixture::get();
    choose(browser, "baseline", &[&files.path("baseline.json")]);
    assert_eq!(evaluate(browser, "cpu"), "done", "{:?}", failures(browser));
    assert!(result(browser).contains("This is no test"), "without items there is no verdict: {}", result(browser));

    choose(browser, "baseline", &[&files.path("baseline_items.jsonl")]);
    assert_eq!(evaluate(browser, "cpu"), "done", "{:?}", failures(browser));
    let said =
        files.crucible(&["compare", "baseline.json", "candidate.json", "--format", "json", "--inconclusive-exit", "0"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let verdict = said["verdict"].as_str().expect("a verdict");
    let shown = browser.run("return document.querySelector('.verdict strong').textContent;");
    assert_eq!(shown, verdict, "the page's verdict");
    let flips = format!("{} lost, {} gained", said["overall"]["lost"], said["overall"]["gained"]);
    let row = browser.run(
        "const cells = document.querySelector('[aria-label=\"Changes against the baseline\"] tbody tr').cells; \
         return `${cells[5].textContent} lost, ${cells[6].textContent} gained`;",
    );
    assert_eq!(row, flips.as_str(), "flips of all bundles");
    // The downloaded scoreboard holds the comparison, as the command's does.
    files.crucible(&[
        "eval",
        "--checkpoint",
        "candidate.safetensors",
        "--eval-set",
        "eval.jsonl",
        "--output",
        "held.json",
        "--baseline-scoreboard",
        "baseline.json",
        "--no-ledger",
        "--regression-threshold",
        "0.02",
    ]);
    let (got, want): (Value, Value) = (
        serde_json::from_slice(&download(browser, "candidate_eval.json")).expect("JSON"),
        serde_json::from_slice(&files.read("held.json")).expect("JSON"),
    );
    assert_eq!(got["baseline"], want["baseline"], "the comparison in the scoreboard");
}

/// A baseline of another eval set: said why, compared only when asked to, and recorded.
fn a_foreign_baseline_is_refused_until_allowed(browser: &Browser) {
    let files = Fixture::get();
    let whole = String::from_utf8(files.read("eval.jsonl")).expect("UTF-8");
    let half: String = whole.lines().take(500).map(|line| format!("{line}\n")).collect();
    let half = files.file("half.jsonl", half.as_bytes());
    browser.run("document.querySelector('#eval_set-loaded button').click();");
    choose(browser, "eval_set", &[&half]);
    assert_eq!(evaluate(browser, "cpu"), "done", "{:?}", failures(browser));
    let text = result(browser);
    assert!(text.contains("is of another eval set") && text.contains("G9"), "{text}");
    browser.run(
        "[...document.querySelectorAll('.result button')].find((b) => b.textContent.startsWith('Compare all')).click();",
    );
    let overridden = "return document.querySelector('.result')?.innerText.includes('G9 was passed over') || null;";
    browser.until("the comparison was allowed", overridden);
    let board: Value = serde_json::from_slice(&download(browser, "candidate_half.json")).expect("JSON");
    assert_eq!(board["overrides"][0]["id"], "G9", "the override is recorded");
}

fn a_cancelled_evaluation_leaves_nothing(browser: &Browser) {
    let files = Fixture::get();
    // Large enough that there is a step to cancel after.
    let all = std::fs::read_to_string(files.path("all.jsonl")).expect("was written");
    choose(browser, "eval_set", &[&files.file("large.jsonl", all.as_bytes())]);
    browser.run("document.querySelector('#results').replaceChildren(); document.querySelector('#eval_set-loaded button').click();");
    browser.run(
        "document.querySelector('input[value=\"cpu\"]').click(); document.getElementById('evaluate').click(); \
                 document.getElementById('cancel').click();",
    );
    let ended = "const s = document.getElementById('ready').dataset.state; return s === 'running' ? null : s;";
    assert_eq!(browser.until("the evaluation ends", ended), "cancelled");
    assert_eq!(
        browser.run("return document.querySelectorAll('.result').length;"),
        0,
        "a result of a cancelled evaluation"
    );
    assert_eq!(evaluate(browser, "cpu"), "done", "the page can't be used any more: {:?}", failures(browser));
}
