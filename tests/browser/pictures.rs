//! Pictures of the page, where they are asked for: `CRUCIBLE_SCREENSHOTS=DIR`.

use crate::driver::Browser;
use crate::fixture::Fixture;
use crate::page::{choose, evaluate, failures, open, self_check};
use crate::programs;
use crate::serve::Server;
use std::path::PathBuf;

#[test]
fn pictures() {
    let Some(folder) = std::env::var_os("CRUCIBLE_SCREENSHOTS").map(PathBuf::from) else { return };
    let Some(programs) = programs() else { return };
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);
    self_check(&browser);
    let picture = |name: &str, (width, height): (u32, u32), scheme: &str, top: &str| {
        browser.size(width, height);
        browser.color_scheme(scheme);
        browser.run(&format!("document.querySelector('{top}').scrollIntoView(); document.activeElement?.blur();"));
        browser.screenshot(&folder.join(format!("{name}.png")));
    };
    picture("page-start", (1000, 520), "light", "body");
    loaded(&browser, files);
    picture("page-results", (1000, 820), "light", ".result");
    picture("page-results-dark", (1000, 820), "dark", ".result");
    picture("page-narrow", (360, 1100), "light", ".result");
    browser.run("document.querySelectorAll('.items [data-index]')[2].click();");
    browser.until("texts are shown", "return document.querySelector('.texts section') && true;");
    picture("page-items", (1000, 640), "light", ".part:last-child");
    choose(&browser, "eval_set", &[&files.file("notes.jsonl", b"{\"bundle_id\": \"b1\", \"anchor\": {}}\nnot JSON\n")]);
    picture("page-failure", (1000, 420), "light", "#failures");
}

fn loaded(browser: &Browser, files: &Fixture) {
    choose(browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    choose(browser, "eval_set", &[&files.path("eval.jsonl")]);
    choose(browser, "baseline", &[&files.path("baseline.json"), &files.path("baseline_items.jsonl")]);
    assert_eq!(evaluate(browser, "gpu"), "done", "{:?}", failures(browser));
}
