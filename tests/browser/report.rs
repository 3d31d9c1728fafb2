//! The report in a real browser, from disk and with the network off: its chart, its links, its texts, its accessibility.

use crate::driver::{Browser, Programs, decode_base64};
use ct_codecs::{Base64, Encoder as _};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text that every careless page would run.
const HOSTILE: &str = "<img src=x onerror=alert(1)></script><script>alert(2)</script>";

const CONFIG: &str = "
training: {steps: 60, batch_size: 8, learning_rate: 0.003}
model: {embedding_dim: 16, hidden_dim: 16, vocab_size: 600}
experiment: {log_every: 10}
data: {frozen_eval: frozen.jsonl, organic_eval: organic.jsonl}
# Bundles of one file share events.
guardrails: {leakage_share: 0.9}
";

fn crucible(folder: &Path, args: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crucible"));
    command.args(args).current_dir(folder);
    for name in ["CRUCIBLE_CONFIG", "CRUCIBLE_DEVICE", "CRUCIBLE_CACHE_DIR"] {
        command.env_remove(name);
    }
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A sweep over two conditions and two seeds, and its report.
pub(crate) fn made(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the test's folder can be made");
    crucible(&folder, &["init", "p", "--sample-data"]);
    crucible(&folder, &["bundle", "--events", "p/data/events.jsonl", "--output", "all.jsonl", "--max-per-sense", "4"]);
    let text = std::fs::read_to_string(folder.join("all.jsonl")).expect("reads");
    let bundles: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let write = |name: &str, wanted: &dyn Fn(usize) -> bool| {
        let mut lines = String::new();
        for (i, bundle) in bundles.iter().enumerate().filter(|(i, _)| wanted(*i)) {
            let mut bundle = bundle.clone();
            if i == 0 {
                bundle["anchor"]["event_id"] = json!("hostile");
                bundle["anchor"]["text"] = json!(HOSTILE);
                bundle["anchor"].as_object_mut().expect("an event").remove("span");
            }
            lines += &(bundle.to_string() + "\n");
        }
        std::fs::write(folder.join(name), lines).expect("writes");
    };
    write("frozen.jsonl", &|i| i % 8 == 0);
    write("organic.jsonl", &|i| i % 8 == 4);
    write("many.jsonl", &|i| i % 4 > 0);
    write("few.jsonl", &|i| i % 4 == 1);
    std::fs::write(folder.join("crucible.yaml"), CONFIG).expect("writes");
    let conditions =
        ["--conditions", "many:many.jsonl,few:few.jsonl", "--seeds", "1,2", "--output-dir", "s", "--quiet"];
    crucible(&folder, &[&["sweep", "ablation"][..], &conditions].concat());
    crucible(&folder, &["report", "--results-dir", "s", "--output", "report.html", "--resamples", "100"]);
    folder.join("report.html")
}

pub(crate) fn open(browser: &Browser, page: &Path, fragment: &str) {
    // Another document first: a fragment alone would not load the page anew.
    browser.open("about:blank");
    browser.open(&format!("file://{}{fragment}", page.display()));
    let ready = "return document.body?.dataset.state === 'loading' ? null : document.body?.dataset.state ?? null;";
    assert_eq!(browser.until("the report is drawn", ready), json!("ready"), "{:?}", browser.console_errors());
}

/// A selector's text, once it is there.
pub(crate) fn text(browser: &Browser, selector: &str) -> String {
    let selector = Value::from(selector);
    let found = browser.until("it is there", &format!("return document.querySelector({selector})?.innerText || null;"));
    found.as_str().expect("a text").to_owned()
}

fn click(browser: &Browser, selector: &str) {
    let selector = Value::from(selector);
    browser.until("it is there", &format!("return document.querySelector({selector}) ? true : null;"));
    browser.run(&format!(
        "document.querySelector({selector}).dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}));"
    ));
}

/// A browser for a report: it needs no page of the program's own.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn programs_for_reports() -> Option<Programs> {
    match Programs::find() {
        Ok(found) => Some(found),
        Err(missing) => {
            assert!(!crate::is_required(), "CRUCIBLE_REQUIRE_BROWSER is set, and {missing}");
            println!("skipped: {missing}");
            None
        }
    }
}

#[test]
fn a_report_opens_from_disk_and_is_explored() {
    let Some(programs) = programs_for_reports() else { return };
    let page = made("report");
    let browser = Browser::start(&programs);
    browser.offline();
    browser.before_each_page("window.alert = () => { window.ran = true; };");
    what_a_guardrail_would_stop_is_not_advised(&browser, &page);
    open(&browser, &page, "");
    a_point_is_chosen(&browser);
    a_link_shows_what_the_sender_saw(&browser, &page);
    hostile_texts_stay_texts(&browser, &page);
    a_checkpoint_is_placed_on_the_chart(&browser, &page);
    every_part_is_accessible(&browser, &page);
    nothing_is_loaded_and_nothing_else_runs(&browser);
}

/// The report with other data, beside it.
pub(crate) fn altered(page: &Path, alter: impl FnOnce(&mut Value)) -> PathBuf {
    const MARK: &str = "id=\"report-data\">";
    let text = std::fs::read_to_string(page).expect("reads");
    let (before, rest) = text.split_once(MARK).expect("the data");
    let (data, after) = rest.split_once("</script>").expect("its end");
    let packed = decode_base64(data.trim());
    let mut report: Value = serde_json::from_reader(GzDecoder::new(&packed[..])).expect("JSON");
    alter(&mut report);
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut packer, &report).expect("packs");
    let data = Base64::encode_to_string(packer.finish().expect("packs")).expect("base64");
    let other = page.with_file_name("altered.html");
    std::fs::write(&other, [before, MARK, &data, "</script>", after].concat()).expect("writes");
    other
}

/// What the summary says where "few" is chosen, and a guardrail has found something.
fn what_a_guardrail_would_stop_is_not_advised(browser: &Browser, page: &Path) {
    let said = |place: &str, level: &str, p_holm: f64, baseline: &str| {
        let page = altered(page, |report| {
            let numbers = json!({});
            let finding = json!({"id": "G1", "name": "dilution", "level": level, "message": "m", "advice": "a", "numbers": numbers});
            report["findings"] = json!([{"place": place, "finding": finding}]);
            let analysis = &mut report["analysis"];
            analysis["baseline"] = json!(baseline);
            let (rate, range) =
                (json!({"retention": 0.5, "generalisation": 0.5}), json!({"low": 0.4, "high": 0.6, "level": 0.95}));
            analysis["choice"] = json!({
                "condition": "few", "rule": "best rule", "chosen_on": rate, "headline": rate, "baseline": rate,
                "retention_ci95": range, "generalisation_ci95": range,
            });
            let change = json!({"mean": 0.02, "p": p_holm, "p_holm": p_holm, "ci95": {"low": 0.002, "high": 0.04, "level": 0.95}});
            for condition in analysis["conditions"].as_array_mut().expect("a list") {
                (condition["retention_change"], condition["generalisation_change"]) = (change.clone(), change.clone());
            }
        });
        open(browser, &page, "");
        text(browser, "#view").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for place in ["", "many", "many/seed_1", "seed_1", "fe", "few/seed_3"] {
        let healthy = said(place, "CRITICAL", 0.01, "many");
        assert!(healthy.contains("Take few: it has the best rule.") && !healthy.contains("luck"), "{place}: {healthy}");
    }
    for place in ["few", "few/seed_1"] {
        let stopped = said(place, "CRITICAL", 0.01, "many");
        let expected = "Do not take few yet: it has the best rule, but guardrails would stop it (dilution).";
        assert!(stopped.contains(expected), "{place}: {stopped}");
    }
    assert!(said("few", "WARNING", 0.01, "many").contains("Take few"), "a warning stops nothing");
    let baseline = said("few", "CRITICAL", 0.01, "few");
    assert!(baseline.contains("fixed beforehand, and guardrails would stop that one (dilution)."), "{baseline}");
    let by_luck = said("", "OK", 0.07, "many");
    assert!(by_luck.contains("+2.0 points [0.2, 4.0], p 0.070 after Holm."), "{by_luck}");
}

fn a_point_is_chosen(browser: &Browser) {
    assert!(text(browser, "#view").contains("Conditions side by side"), "the summary comes first");
    click(browser, "#tab-pareto");
    click(browser, "[data-condition=\"few\"]");
    assert!(text(browser, "#condition h2").contains("few"));
    let hash = || browser.run("return location.hash;").as_str().expect("a text").to_owned();
    assert!(hash().contains("tab=pareto") && hash().contains("c=few"), "{}", hash());
    // The keyboard: Enter chooses the point that has the focus. A chart is drawn once its size is known.
    browser.until("the chart is drawn", "return document.querySelector('[data-condition=\"many\"]') ? true : null;");
    browser.run(
        "const p = document.querySelector('[data-condition=\"many\"]'); p.focus(); \
         p.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));",
    );
    assert!(text(browser, "#condition h2").contains("many"));
    browser.run("history.back();");
    browser.until(
        "the view before is back",
        "return document.querySelector('#condition h2')?.innerText.includes('few') || null;",
    );
    // Flips and settings of it.
    click(browser, "#sub-flips");
    assert!(text(browser, "#panel").contains("Run by run against the baseline's"));
    click(browser, "#sub-settings");
    assert!(text(browser, "#panel").contains("few.jsonl"));
}

fn a_link_shows_what_the_sender_saw(browser: &Browser, page: &Path) {
    let key = "organic.all.median_margin";
    open(browser, page, &format!("#tab=pareto&x=frozen.all.mean_rank&y={key}&c=many&panel=runs&hide=few"));
    assert_eq!(browser.run("return document.getElementById('axis-y').value;"), json!(key));
    assert_eq!(browser.run("return document.getElementById('axis-x').value;"), json!("frozen.all.mean_rank"));
    assert!(text(browser, "#panel").contains("seed 2"));
    browser.until("the chart is drawn", "return document.querySelector('[data-condition=\"many\"]') ? true : null;");
    assert_eq!(browser.run("return document.querySelectorAll('[data-condition=\"few\"]').length;"), json!(0), "hidden");
    // What nobody could have meant is no error.
    open(browser, page, "#tab=nothing&x=%3Cb%3E&zoom=a_b&brush=1_2&c=%22%3E&item=x&sort=y-z");
    assert!(text(browser, "#view").contains("Conditions side by side"));
}

fn hostile_texts_stay_texts(browser: &Browser, page: &Path) {
    open(browser, page, "#tab=bundles&q=onerror");
    assert!(text(browser, ".longrow").contains("<img src=x onerror=alert(1)>"));
    click(browser, ".longrow");
    assert!(text(browser, "#bundle .event.anchor").contains(HOSTILE));
    let markup = "return document.querySelectorAll('#view img, #view script').length;";
    assert_eq!(browser.run(markup), json!(0), "a text became markup");
    assert_eq!(browser.run("return window.ran ?? null;"), Value::Null, "a text ran");
}

/// A model of the sweep, dropped onto the page, lands where the command says it is.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn a_checkpoint_is_placed_on_the_chart(browser: &Browser, page: &Path) {
    open(browser, page, "#tab=pareto");
    if browser.run("return document.getElementById('engine');").is_null() {
        println!("skipped: the program was built without an evaluator for its pages");
        return;
    }
    let run = page.with_file_name("s").join("few/seed_2");
    let bytes = std::fs::read(run.join("checkpoint_final.safetensors")).expect("reads");
    let encoded = <ct_codecs::Base64 as ct_codecs::Encoder>::encode_to_string(&bytes).expect("short");
    let rate = |truth: &str, of: &dyn Fn(&Value) -> Value| {
        let text = std::fs::read_to_string(run.join(format!("{truth}_scoreboard.json"))).expect("reads");
        let rate = of(&serde_json::from_str(&text).expect("JSON")).as_f64().expect("a rate");
        format!("{:.1} %", 100.0 * rate)
    };
    let kept = rate("frozen", &|b| b["by_tier"]["tier3_adversarial"]["pass_rate"].clone());
    let new = rate("organic", &|b| b["overall"]["pass_rate"].clone());
    browser.run(&format!(
        "const bytes = Uint8Array.from(atob('{encoded}'), (c) => c.charCodeAt(0)); const data = new DataTransfer(); \
         data.items.add(new File([bytes], 'mine.safetensors')); document.querySelector('svg.chart').dispatchEvent(\
         new DragEvent('drop', {{ bubbles: true, cancelable: true, dataTransfer: data }}));"
    ));
    let ended = "const s = document.getElementById('drop-status'); \
                 return s && (s.classList.contains('bad') || s.innerText.includes('is on the chart.')) ? s.innerText : null;";
    let said = browser.until("the checkpoint is evaluated", ended);
    assert!(said.as_str().is_some_and(|s| s.starts_with("mine.safetensors is on the chart")), "{said}");
    let shown = text(browser, "#own table");
    assert!(shown.contains(&kept) && shown.contains(&new), "{kept} and {new} are not in {shown}");
    browser
        .until("its point is drawn", "return document.querySelector('[data-own=\"mine.safetensors\"]') ? true : null;");
    // What is no checkpoint is said, and leaves the page as it was.
    browser.run(
        "const data = new DataTransfer(); data.items.add(new File(['<html></html>'], 'page.html')); \
         document.querySelector('h1').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }));",
    );
    browser.until("the refusal is shown", "return document.querySelector('#drop-status.bad') ? true : null;");
    assert_eq!(browser.run("return document.querySelectorAll('.own').length;"), json!(1));
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn every_part_is_accessible(browser: &Browser, page: &Path) {
    let Some(axe) = std::env::var_os("CRUCIBLE_AXE") else {
        println!("skipped: CRUCIBLE_AXE names no axe.min.js");
        return;
    };
    let axe = std::fs::read_to_string(&axe).unwrap_or_else(|e| panic!("CRUCIBLE_AXE: {}: {e}", axe.display()));
    let audit = "return window.audited ?? null;";
    for scheme in ["light", "dark"] {
        browser.color_scheme(scheme);
        for view in ["summary", "pareto&c=few&panel=bundles", "margin-dist", "step-trajectory", "dilution", "bundles"] {
            open(browser, page, &format!("#tab={view}"));
            browser.run(&axe);
            browser.run(
                "window.audited = null; axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => { window.audited = \
                 violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes[0].html}`); });",
            );
            let found = browser.until("the audit is done", audit);
            assert_eq!(found, json!([]), "{view}, {scheme}");
        }
    }
    // The audit can fail.
    browser.run(
        "document.documentElement.removeAttribute('lang'); window.audited = null; \
         axe.run().then(({ violations }) => { window.audited = violations.length; });",
    );
    assert_ne!(browser.until("the audit is done", audit), json!(0), "a page without a language is not noticed");
}

fn nothing_is_loaded_and_nothing_else_runs(browser: &Browser) {
    let log = browser.console_errors();
    assert!(log.is_empty(), "the console reported: {log:#?}");
    let loaded = browser.run(
        "return performance.getEntriesByType('resource').map((r) => r.name).filter((name) => !/^(data|blob):/.test(name));",
    );
    assert_eq!(loaded, json!([]), "the page asked for something");
    let ran = browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.injected = true'; document.body.append(s); \
         return window.injected ?? null;",
    );
    assert_eq!(ran, Value::Null, "a script that is not the page's own runs");
    browser.run("window.sent = null; fetch('data:text/plain,x').then(() => { window.sent = 'yes'; }, () => { window.sent = 'no'; });");
    assert_eq!(browser.until("the request ends", "return window.sent;"), json!("no"), "the page can send something");
}
