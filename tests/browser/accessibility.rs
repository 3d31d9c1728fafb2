//! The page for people who use a keyboard or have it read to them, and with very many rows.

use crate::driver::Browser;
use crate::fixture::Fixture;
use crate::page::{choose, evaluate, failures, open, self_check};
use crate::programs;
use crate::serve::Server;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Rows of the large table.
const ROWS: usize = 100_000;

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn an_audit_finds_nothing_serious() {
    let Some(programs) = programs() else { return };
    let Some(axe) = std::env::var_os("CRUCIBLE_AXE") else {
        assert!(!crate::is_required(), "CRUCIBLE_REQUIRE_BROWSER is set, and CRUCIBLE_AXE names no axe.min.js");
        println!("skipped: CRUCIBLE_AXE names no axe.min.js");
        return;
    };
    let axe = std::fs::read_to_string(&axe).unwrap_or_else(|e| panic!("CRUCIBLE_AXE: {}: {e}", axe.display()));
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);
    browser.run(&axe);
    audit(&browser, "empty");
    self_check(&browser);
    audit(&browser, "compared");
    choose(&browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    choose(&browser, "baseline", &[&files.path("baseline.json"), &files.path("baseline_items.jsonl")]);
    choose(&browser, "eval_set", &[&files.path("eval.jsonl")]);
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
    browser.run("document.querySelector('.items [data-index]').click();");
    browser.until("texts are shown", "return document.querySelector('.texts section') && true;");
    for scheme in ["light", "dark"] {
        browser.color_scheme(scheme);
        audit(&browser, scheme);
    }
    browser.size(360, 800);
    audit(&browser, "360 px");
    choose(&browser, "checkpoint", &[&files.file("broken.safetensors", b"<html>")]);
    audit(&browser, "a failure");
    // The audit can fail.
    browser.run("document.documentElement.removeAttribute('lang');");
    assert!(!violations(&browser).is_empty(), "a page without a language is not noticed");
}

fn audit(browser: &Browser, state: &str) {
    let found = violations(browser);
    assert!(found.is_empty(), "{state}: {found:#?}");
}

/// What axe calls serious or critical.
fn violations(browser: &Browser) -> Vec<String> {
    let found = browser.run_async(
        "const { violations } = await axe.run(document, { resultTypes: ['violations'] }); return violations \
         .filter((v) => ['serious', 'critical'].includes(v.impact)) \
         .map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html + ' ' + n.failureSummary).join(' | ')}`);",
    );
    let list = found.as_array().unwrap_or_else(|| panic!("the audit: {found}"));
    list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_narrow_page_does_not_scroll_sideways() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);
    choose(&browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    choose(&browser, "eval_set", &[&files.path("eval.jsonl")]);
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
    for width in [360, 768, 1280, 3840] {
        browser.size(width, 900);
        let wide = browser.run("return document.documentElement.scrollWidth;");
        assert!(wide.as_u64().expect("a number") <= u64::from(width), "{wide} px at {width} px");
    }
}

#[test]
fn the_table_is_sorted_filtered_and_walked_by_keyboard_at_a_hundred_thousand_rows() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);
    choose(&browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    choose(&browser, "eval_set", &[&files.file("many.jsonl", many(files).as_bytes())]);
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));

    let rows = "document.querySelectorAll('.items [data-index]').length";
    let few = browser.run(&format!("return {rows};")).as_u64().expect("a number");
    assert!((10..200).contains(&few), "{few} rows are elements");
    let first = "return document.querySelector('.items [data-index]').children[0].textContent;";
    let press = |key: &str| {
        browser.run(&format!(
            "document.querySelector('.items').dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }}));"
        ));
    };
    // By name, up and down.
    browser.run("document.querySelector('[data-column=\"bundle_id\"] button').click();");
    assert_eq!(browser.run(first), "m0");
    browser.run("document.querySelector('[data-column=\"bundle_id\"] button').click();");
    assert_eq!(browser.run(first), format!("m{}", ROWS - 1).as_str());
    let sorted = "return document.querySelector('[data-column=\"bundle_id\"]').ariaSort;";
    assert_eq!(browser.run(sorted), "descending");
    // To the end and Enter: the texts of the last row.
    press("End");
    press("End");
    press("Enter");
    let texts = browser.until("texts are shown", "return document.querySelector('.texts h4')?.textContent ?? null;");
    assert_eq!(texts, "m0");
    // One of them.
    browser.run("const f = document.querySelector('input[type=\"search\"]'); f.value = 'm77777'; f.dispatchEvent(new Event('input'));");
    assert_eq!(browser.run(&format!("return {rows};")), 1);
    browser.run("const f = document.querySelector('input[type=\"search\"]'); f.value = ''; f.dispatchEvent(new Event('input'));");
    // A screenful at a time, from top to bottom: no frame takes long.
    let slowest = browser.run_async(
        "const port = document.querySelector('.items'); let slowest = 0; let last = performance.now(); \
         for (let i = 0; i < 60; i += 1) { port.scrollTop = (i / 60) * port.scrollHeight; \
         await new Promise(requestAnimationFrame); const now = performance.now(); \
         slowest = Math.max(slowest, now - last); last = now; } return slowest;",
    );
    let slowest = slowest.as_f64().expect("milliseconds");
    assert!(slowest < 500.0, "a frame took {slowest} ms");
}

/// The eval set's bundles over and over, under new names.
fn many(files: &Fixture) -> String {
    let all = String::from_utf8(files.read("eval.jsonl")).expect("UTF-8");
    let bundles: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut many = String::new();
    for i in 0..ROWS {
        // One negative each: what is many here are the rows.
        let Value::Object(mut bundle) = bundles[i % bundles.len()].clone() else { panic!("a bundle is an object") };
        bundle["bundle_id"] = json!(format!("m{i}"));
        if let Some(negatives) = bundle.get_mut("negatives").and_then(Value::as_array_mut) {
            negatives.truncate(1);
        }
        let _ = writeln!(many, "{}", Value::Object(bundle));
    }
    many
}
