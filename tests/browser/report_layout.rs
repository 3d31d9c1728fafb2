//! What a report looks like: nothing overlaps, nothing is cut, on a phone, a screen and paper.

use crate::driver::Browser;
use crate::report::{altered, made, open, programs_for_reports, text};
use serde_json::{Value, json};
use std::path::Path;

/// A4 within its margins, in pixels.
const PAPER: u32 = 703;
const VIEWS: [&str; 9] = [
    "summary",
    "pareto&c=few",
    "pareto&c=few&panel=worst",
    "pareto&c=few&panel=flips",
    "pareto&c=few&panel=runs",
    "margin-dist",
    "step-trajectory",
    "dilution",
    "bundles",
];

#[test]
fn nothing_is_cut_and_nothing_overlaps() {
    let Some(programs) = programs_for_reports() else { return };
    let page = made("layout");
    let browser = Browser::start(&programs);
    let long = altered(&page, long_names);
    labels_lie_beside_marks(&browser, &page);
    no_part_is_wider_than_the_screen(&browser, &long);
    tables_fit_at_a_thousand_pixels(&browser, &page);
    all_parts_are_printed_whole(&browser, &long);
    what_is_equal_or_empty_is_said(&browser, &page);
    let log = browser.console_errors();
    assert!(log.is_empty(), "the console reported: {log:#?}");
}

fn long_names(report: &mut Value) {
    report["conditions"][0]["name"] = json!("a_condition_whose_name_goes_on_and_on_and_is_never_broken_by_a_space");
}

fn settled(browser: &Browser) {
    browser.run_async("for (let i = 0; i < 4; i += 1) await new Promise(requestAnimationFrame);");
}

/// Pairs of boxes in the chart that lie on each other: labels and labels, labels and marks; and what leaves the plot.
const OVERLAPS: &str = "
    const box = (e) => e.getBoundingClientRect();
    const labels = [...document.querySelectorAll('.chart .label')];
    const marks = [...document.querySelectorAll('.chart .condition .mark, .chart .run, .chart .own path')];
    const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    const found = [];
    labels.forEach((label, i) => {
        for (const other of [...labels.slice(i + 1), ...marks]) if (over(box(label), box(other))) found.push(`${label.textContent} on ${other.textContent || other.parentNode.dataset.condition || 'a mark'}`);
    });
    const plot = box(document.querySelector('.ground'));
    for (const e of document.querySelectorAll('.ellipse')) {
        const b = box(e);
        if (b.left < plot.left - 1 || b.right > plot.right + 1 || b.top < plot.top - 1 || b.bottom > plot.bottom + 1) found.push('an ellipse leaves the plot');
    }
    return [labels.length, document.querySelectorAll('.ellipse').length, found];";

fn labels_lie_beside_marks(browser: &Browser, page: &Path) {
    for width in [360, 1000] {
        browser.size(width, 900);
        for view in ["pareto", "pareto&layers=seeds,ellipses,intervals", "pareto&c=few"] {
            open(browser, page, &format!("#tab={view}"));
            browser.until("the chart is drawn", "return document.querySelector('.chart .mark') ? true : null;");
            settled(browser);
            let found = browser.run(OVERLAPS);
            assert_eq!(found[2], json!([]), "{view} at {width} px");
            assert!(found[0].as_u64() >= Some(1) && found[1].as_u64() >= Some(1), "labels and ellipses: {found}");
        }
    }
    // Without a word, the chart shows changes against the baseline.
    open(browser, page, "#tab=pareto");
    assert!(text(browser, "figure h3").contains("Changes against many"), "{}", text(browser, "figure h3"));
}

fn no_part_is_wider_than_the_screen(browser: &Browser, page: &Path) {
    browser.size(360, 800);
    for view in VIEWS {
        open(browser, page, &format!("#tab={view}"));
        settled(browser);
        let wide = browser.run("return document.documentElement.scrollWidth;");
        assert!(wide.as_u64() <= Some(360), "{view}: {wide} px");
    }
}

fn tables_fit_at_a_thousand_pixels(browser: &Browser, page: &Path) {
    browser.size(1000, 900);
    for view in ["summary", "pareto&c=few", "pareto&c=few&panel=bundles", "margin-dist", "dilution", "bundles"] {
        open(browser, page, &format!("#tab={view}"));
        settled(browser);
        let cut = browser.run(
            "return [...document.querySelectorAll('.scroll, .port')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.ariaLabel);",
        );
        assert_eq!(cut, json!([]), "{view}");
    }
}

fn all_parts_are_printed_whole(browser: &Browser, page: &Path) {
    browser.size(1000, 900);
    open(browser, page, "#tab=pareto&c=few");
    browser.size(PAPER, 1000);
    browser.media("print");
    browser.run("dispatchEvent(new Event('beforeprint'));");
    let wide = browser.run(&format!(
        "return [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > {PAPER} + 1 || \
         (e.matches('.scroll, .holder, .port') && e.scrollWidth > e.clientWidth + 1)).slice(0, 5).map((e) => `${{e.tagName}} ${{e.className}} ${{e.textContent.slice(0, 60)}}`);"
    ));
    assert_eq!(wide, json!([]), "wider than paper");
    let said = text(browser, "#view");
    let parts = [
        "Conditions side by side",
        "Guardrails",
        "Conditions on these axes",
        "Run by run",
        "Settings",
        "How far bundles are",
    ];
    for part in parts.into_iter().chain(["What the loss said", "Looks per bundle", "The first 40 are printed"]) {
        assert!(said.contains(part), "{part} is not printed");
    }
    let blank = "return [...document.querySelectorAll('.chart')].filter((e) => e.childElementCount === 0).length;";
    assert_eq!(browser.run(blank), json!(0), "charts that were not drawn");
    assert_eq!(browser.run("return document.querySelectorAll('.longrow').length;"), json!(40));
    // Afterwards the page is as it was.
    browser.run("dispatchEvent(new Event('afterprint'));");
    browser.media("");
    assert_eq!(browser.run("return document.querySelectorAll('.partname').length;"), json!(0));
}

fn what_is_equal_or_empty_is_said(browser: &Browser, page: &Path) {
    browser.size(1000, 900);
    let page = altered(page, |report| {
        let runs = report["runs"].as_array_mut().expect("runs");
        for i in 0..2 {
            runs[2 + i]["boards"] = runs[i]["boards"].clone();
            for run in [i, 2 + i] {
                runs[run]["exposures"]["expected"]["pools"][1]["size"] = json!(0);
            }
        }
        // What rounds to zero has no sign.
        let change =
            json!({"mean": -0.00001, "interval": {"low": -0.00002, "high": 0.00001, "level": 0.95, "method": "m"}});
        for of in report["landscape"]["differences"][1].as_array_mut().expect("a list") {
            *of = change.clone();
        }
    });
    open(browser, &page, "#tab=pareto");
    browser.until("the chart is drawn", "return document.querySelector('.chart .label') ? true : null;");
    let said = text(browser, "#view");
    assert!(said.contains("many and few are equal on both axes, run by run"), "{said}");
    assert!(said.contains("A share of an empty pool changes nothing."), "{said}");
    assert_eq!(
        text(browser, ".table tbody tr:nth-child(2) td:nth-child(3)").split_whitespace().collect::<Vec<_>>().join(" "),
        "0.0 [0.0, 0.0]"
    );
    assert!(!said.contains("\u{2212}0.0 ") && !said.contains("-0.0"), "{said}");
    open(browser, &page, "#tab=dilution");
    assert!(text(browser, "#view").contains("pool organic (in "), "{}", text(browser, "#view"));
}
