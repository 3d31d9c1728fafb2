//! The page in a real browser: what a visitor sees after dropping a good and a bad file, and whether the page notices a
//! GPU that computes wrongly.
//!
//! Serves the page on a loopback port and drives headless Chromium. Where Chromium, chromedriver or the page itself is
//! missing it prints that it was skipped; with `CRUCIBLE_REQUIRE_BROWSER=1` that is a failure. With
//! `CRUCIBLE_SCREENSHOTS=DIR` it leaves pictures of the page there.

mod driver;
mod server;

use crucible_cli::web_assets;
use driver::{Browser, Programs};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn the_page_checks_files_and_its_own_arithmetic() {
    let page = || web_assets::required().map_err(|e| e.message);
    let programs = match Programs::find().and_then(|programs| page().map(|()| programs)) {
        Ok(found) => found,
        Err(missing) => {
            let required = std::env::var("CRUCIBLE_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
            assert!(!required, "CRUCIBLE_REQUIRE_BROWSER is set, and {missing}");
            println!("skipped: {missing}");
            return;
        }
    };
    let url = server::serve();
    let browser = Browser::start(&programs);

    browser.open(&url);
    let (state, text) = self_check(&browser);
    assert_eq!(state, "good", "the self-check: {text}");
    assert!(text.contains("agree"), "the self-check: {text}");

    a_good_file_shows_its_counts(&browser);
    a_bad_file_shows_its_lines(&browser);
    events_are_told_apart(&browser);
    pictures(&browser);
    let log = browser.console_errors();
    assert!(log.is_empty(), "the console reported: {log:#?}");

    // A GPU that does nothing: the outputs stay as they were.
    browser.before_each_worker("GPUComputePassEncoder.prototype.dispatchWorkgroups = () => {};");
    browser.open(&url);
    let (state, text) = self_check(&browser);
    assert_eq!(state, "bad", "a GPU that computes nothing was not noticed: {text}");
    assert!(text.contains("computes wrongly"), "the self-check: {text}");

    browser.before_each_worker("Object.defineProperty(WorkerNavigator.prototype, 'gpu', { get: () => undefined });");
    browser.open(&url);
    let (state, text) = self_check(&browser);
    assert_eq!(state, "none", "a browser without WebGPU: {text}");
}

/// State and text of the self-check, once it is done.
fn self_check(browser: &Browser) -> (String, String) {
    let done = "const s = document.getElementById('self-check'); \
                return s.dataset.state === 'running' ? null : [s.dataset.state, s.innerText];";
    pair(&browser.until("the self-check is done", done))
}

fn pair(value: &Value) -> (String, String) {
    let text = |at: usize| value[at].as_str().unwrap_or_default().to_owned();
    (text(0), text(1))
}

/// Gives the page a file and returns state and text of the result.
fn check(browser: &Browser, name: &str, content: &str) -> (String, String) {
    let path = folder().join(name);
    std::fs::write(&path, content).expect("the test's folder can be written");
    browser.run("document.getElementById('result').dataset.state = 'empty';");
    browser.choose_file("#file", &path);
    let done = "const s = document.getElementById('result'); \
                return ['empty', 'reading'].includes(s.dataset.state) ? null : [s.dataset.state, s.innerText];";
    pair(&browser.until("the file is checked", done))
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&folder).expect("the test's folder can be made");
    folder
}

fn event(id: &str, sense: &str) -> Value {
    json!({"event_id": id, "sense": sense, "text": format!("text of {id}")})
}

fn bundle(id: &str, tier: &str) -> Value {
    let mut negative = event(&format!("{id}-n"), "bank#money");
    negative["source"] = json!("within_lemma");
    json!({
        "bundle_id": id,
        "anchor": event(&format!("{id}-a"), "bank#river"),
        "positive": event(&format!("{id}-p"), "bank#river"),
        "negatives": [negative],
        "metadata": {"tier": tier},
    })
}

fn a_good_file_shows_its_counts(browser: &Browser) {
    let tiers = ["tier1_easy", "tier1_easy", "tier2_robust", "tier3_adversarial"];
    let lines: Vec<String> = (0..).zip(tiers).map(|(i, tier)| bundle(&format!("b{i}"), tier).to_string()).collect();
    let (state, text) = check(browser, "good.jsonl", &lines.join("\n"));
    assert_eq!(state, "good", "{text}");
    let expected = ["4 bundles over 12 distinct events", "tier1_easy\t2", "tier2_robust\t1", "tier3_adversarial\t1"];
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

fn a_bad_file_shows_its_lines(browser: &Browser) {
    // A name that would run if it were taken for markup.
    let hostile = "<img src=x onerror=document.title='run'>";
    let mut bad = bundle("b1", "tier1_easy");
    bad["metadata"]["tier"] = json!(hostile);
    let mut empty = bundle("b2", "tier1_easy");
    empty["negatives"] = json!([]);
    let content = format!("{}\n{bad}\n{empty}\n", bundle("b0", "tier1_easy"));
    let (state, text) = check(browser, "bad.jsonl", &content);
    assert_eq!(state, "bad", "{text}");
    for part in ["2 faults", "line 2", "line 3", hostile] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert_eq!(browser.run("return document.images.length;"), json!(0), "a file's text became markup");
}

fn events_are_told_apart(browser: &Browser) {
    let content = format!("{}\n{}\n", event("e1", "bank#river"), event("e2", "bank#money"));
    let (state, text) = check(browser, "events.jsonl", &content);
    assert_eq!(state, "good", "{text}");
    assert!(text.contains("senses\t2") && text.contains("lemmas\t1"), "{text}");
}

/// Pictures of a good and a bad result, light and dark, where they are asked for.
fn pictures(browser: &Browser) {
    let Some(folder) = std::env::var_os("CRUCIBLE_SCREENSHOTS").map(PathBuf::from) else { return };
    for scheme in ["light", "dark"] {
        browser.color_scheme(scheme);
        a_bad_file_shows_its_lines(browser);
        browser.screenshot(&folder.join(format!("bad-{scheme}.png")));
        a_good_file_shows_its_counts(browser);
        browser.screenshot(&folder.join(format!("good-{scheme}.png")));
    }
}
