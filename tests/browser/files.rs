//! Files that come and go: dropped anywhere, in folders, in place of others, removed, and cancelled while they are read.

use crate::driver::Browser;
use crate::fixture::Fixture;
use crate::page::{choose, drop_paths, evaluate, failures, loaded, notes, open, read, ready};
use crate::programs;
use crate::serve::Server;
use serde_json::json;

#[test]
fn files_are_taken_wherever_they_are_dropped_and_removed_again() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);

    // Two at once, beside every field; what they are, is seen by their content.
    drop_paths(&browser, "h1", &[&files.path("eval.jsonl"), &files.path("candidate.safetensors")]);
    assert_eq!(loaded(&browser), ["candidate.safetensors", "eval.jsonl"], "{:?}", failures(&browser));
    drop_paths(&browser, "[data-slot=\"checkpoint\"]", &[&files.path("baseline.json")]);
    assert_eq!(loaded(&browser), ["candidate.safetensors", "eval.jsonl", "baseline.json"]);
    assert!(
        notes(&browser).contains("baseline.json is a scoreboard: it was put under Baseline"),
        "{}",
        notes(&browser)
    );

    // A run's folder: its checkpoint, and none of its other files.
    drop_paths(&browser, "footer", &[&files.path("headless")]);
    let names = loaded(&browser);
    assert_eq!(names, ["checkpoint_final.safetensors", "eval.jsonl", "baseline.json"], "{:?}", failures(&browser));
    assert!(failures(&browser).is_empty(), "{:?}", failures(&browser));
    let said = notes(&browser);
    assert!(said.contains("checkpoint_final.safetensors replaces candidate.safetensors"), "{said}");
    a_foreign_folder_is_explained(&browser);
    browser.run("document.getElementById('evaluate').focus();");
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
    assert_eq!(browser.run("return document.activeElement.id;"), json!("evaluate"), "the keyboard's place");

    // The same content under another name takes the place of the first.
    choose(&browser, "eval_set", &[&files.file("again.jsonl", &files.read("eval.jsonl"))]);
    assert!(notes(&browser).contains("again.jsonl replaces eval.jsonl"), "{}", notes(&browser));
    assert_eq!(
        browser.run("return document.querySelectorAll('.result').length;"),
        0,
        "a result of a file that is gone"
    );

    // Each can be removed, and the keyboard goes on from there.
    for (slot, next) in [("checkpoint", "checkpoint"), ("eval_set", "eval_set"), ("baseline", "baseline")] {
        browser.run(&format!("const b = document.querySelector('#{slot}-loaded button'); b.focus(); b.click();"));
        assert_eq!(browser.run("return document.activeElement.id;"), json!(next));
    }
    assert!(loaded(&browser).is_empty());
    assert_eq!(browser.run("return document.getElementById('evaluate').disabled;"), true);
    let log = browser.console_errors();
    assert!(log.is_empty(), "the console reported: {log:#?}");
}

fn a_foreign_folder_is_explained(browser: &Browser) {
    let files = Fixture::get();
    let folder = files.path("foreign_model");
    std::fs::create_dir_all(&folder).expect("the test's folder can be made");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::write(folder.join(name), "{}").expect("writes");
    }
    let before = loaded(browser);
    browser.drop_paths("main", &[&folder]);
    let found = browser.wait("it is explained", || failures(browser).first().cloned());
    assert_eq!(found.0, "folder");
    assert!(found.1.contains("crucible eval --checkpoint foreign_model"), "{found:?}");
    assert_eq!(loaded(browser), before);
}

/// A worker that is in the middle of something hears nothing: it is ended, and another gets the files.
#[test]
fn reading_is_cancelled_whatever_the_worker_does() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = Browser::start(&programs);
    browser.before_each_worker(
        "const read = Blob.prototype.arrayBuffer; Blob.prototype.arrayBuffer = function () { \
         const end = Date.now() + (this.name === 'slow.jsonl' ? 60000 : 0); while (Date.now() < end); return read.call(this); };",
    );
    browser.open(&server.url);
    ready(&browser);
    choose(&browser, "checkpoint", &[&files.path("headless.safetensors")]);
    choose(&browser, "eval_set", &[&files.path("eval.jsonl")]);
    browser.choose_files("#eval_set", &[&files.file("slow.jsonl", b"{}")]);
    browser.until("it is read", "return document.getElementById('ready').textContent.includes('slow.jsonl') || null;");
    browser.run("document.getElementById('cancel').click();");
    assert_eq!(read(&browser), "cancelled");
    assert_eq!(loaded(&browser), ["headless.safetensors", "eval.jsonl"]);
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
}
