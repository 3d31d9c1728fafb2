//! Files that can't be used: each says what is wrong, where, and what to do, and leaves the page as it was.

use crate::driver::Browser;
use crate::fixture::Fixture;
use crate::page::{choose, drop_file, evaluate, failures, open, ready};
use crate::programs;
use crate::serve::Server;
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn broken_files_are_told_apart_and_leave_the_page_usable() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);
    choose(&browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    choose(&browser, "eval_set", &[&files.path("eval.jsonl")]);

    checkpoints(&browser);
    eval_sets(&browser);
    files_in_the_wrong_place(&browser);

    let loaded = browser.run("return document.querySelectorAll('.loaded li').length;");
    assert_eq!(loaded, 2, "what was there before is there still, and nothing else");
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
    let log = browser.console_errors();
    assert!(log.is_empty(), "the console reported: {log:#?}");
}

/// Memory that is full, or a fault in the module, ends the worker: the page starts another, and says what to do.
#[test]
fn a_worker_that_stops_is_replaced() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = Browser::start(&programs);
    browser.before_each_worker(
        "const read = Blob.prototype.arrayBuffer; Blob.prototype.arrayBuffer = function () { \
         if (this.name === 'trap.jsonl') throw new WebAssembly.RuntimeError('unreachable'); return read.call(this); };",
    );
    browser.open(&server.url);
    ready(&browser);
    choose(&browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    says(
        refused(&browser, "eval_set", &files.file("trap.jsonl", b"{}")),
        "broken",
        &["worker stopped", "Drop the files"],
    );
    assert_eq!(
        browser.run("return document.querySelectorAll('.loaded li').length;"),
        0,
        "the new worker knows no files"
    );
    choose(&browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    choose(&browser, "eval_set", &[&files.path("eval.jsonl")]);
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
}

/// The only failure that choosing `file` brings.
fn refused(browser: &Browser, slot: &str, file: &Path) -> (String, String) {
    choose(browser, slot, &[file]);
    only(browser, &file.display().to_string())
}

fn only(browser: &Browser, what: &str) -> (String, String) {
    let mut shown = failures(browser);
    assert_eq!(shown.len(), 1, "{what}: {shown:?}");
    shown.remove(0)
}

#[track_caller]
fn says((code, text): (String, String), wanted: &str, parts: &[&str]) {
    assert_eq!(code, wanted, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

/// A checkpoint with another header.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header is JSON");
    change(&mut header);
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()
}

fn checkpoints(browser: &Browser) {
    let files = Fixture::get();
    let good = files.read("candidate.safetensors");
    let cut = files.file("cut.safetensors", &good[..good.len() / 2]);
    says(refused(browser, "checkpoint", &cut), "damaged", &["cut.safetensors", "cut short", "Copy or download"]);

    let halves = with_header(&good, |header| {
        // Numbers of half the size: the same shape in half the bytes.
        let shape = header["token_embeddings"]["shape"].as_array().expect("a shape").clone();
        let [rows, columns] = [0, 1].map(|i| shape[i].as_u64().expect("a number"));
        header["token_embeddings"]["dtype"] = json!("F16");
        header["token_embeddings"]["shape"] = json!([rows, columns * 2]);
    });
    let halves = files.file("halves.safetensors", &halves);
    says(refused(browser, "checkpoint", &halves), "wrong_type", &["halves.safetensors", "F16", "expected F32"]);

    let lies = with_header(&good, |header| header["token_embeddings"]["data_offsets"] = json!([0, u64::MAX]));
    let lies = files.file("lies.safetensors", &lies);
    says(refused(browser, "checkpoint", &lies), "damaged", &["lies.safetensors", "safetensors"]);
    let long = [&(1u64 << 40).to_le_bytes(), &good[8..]].concat();
    let long = files.file("long.safetensors", &long);
    says(refused(browser, "checkpoint", &long), "damaged", &["long.safetensors"]);

    let foreign = with_header(&good, |header| header["__metadata__"] = json!({"format": "pt"}));
    let foreign = files.file("foreign.safetensors", &foreign);
    says(refused(browser, "checkpoint", &foreign), "foreign", &["no checkpoint of Crucible"]);

    // Its bytes are never read: the file has none on the disk.
    let huge = files.path("huge.safetensors");
    let file = std::fs::File::create(&huge).expect("creates");
    file.set_len(3 << 30).expect("a file may have holes");
    says(refused(browser, "checkpoint", &huge), "too_large", &["3072 MiB", "crucible eval"]);
    std::fs::remove_file(&huge).expect("removes");

    let page = files.file("page.safetensors", b"<!doctype html><html><body>Please sign in</body></html>");
    says(refused(browser, "checkpoint", &page), "wrong_kind", &["a web page", "sign-in"]);
    says(refused(browser, "checkpoint", &files.file("none.safetensors", b"")), "empty", &["none.safetensors is empty"]);
    let zip = files.file("pytorch_model.bin", b"PK\x03\x04 and so on");
    says(refused(browser, "checkpoint", &zip), "wrong_kind", &["a pickle (PyTorch)"]);
}

fn eval_sets(browser: &Browser) {
    let files = Fixture::get();
    let good = String::from_utf8(files.read("eval.jsonl")).expect("UTF-8");
    let lines: Vec<&str> = good.lines().take(4).collect();
    let mut tier: Value = serde_json::from_str(lines[1]).expect("JSON");
    // A name that would run if it were taken for markup.
    tier["metadata"]["tier"] = json!("<img src=x onerror=document.title='run'>");
    let mut none: Value = serde_json::from_str(lines[2]).expect("JSON");
    none["negatives"] = json!([]);
    let bad = format!("{}\n{tier}\n{none}\n{}\n{{\"bundle_id\":\n", lines[0], lines[3]);
    let bad = files.file("bad.jsonl", bad.as_bytes());
    let parts = ["3 faults", "line 2", "line 3", "line 5", "negatives", "<img src=x"];
    says(refused(browser, "eval_set", &bad), "faults", &parts);
    assert_eq!(browser.run("return document.images.length;"), 0, "a file's text became markup");

    let packed = files.file("cut.jsonl.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03 cut");
    says(refused(browser, "eval_set", &packed), "packed", &["cut.jsonl.gz can't be unpacked"]);
}

fn files_in_the_wrong_place(browser: &Browser) {
    let files = Fixture::get();
    says(
        refused(browser, "eval_set", &files.path("project/data/events.jsonl")),
        "wrong_kind",
        &["It is a file of events", "have no faults", "crucible bundle"],
    );
    says(
        refused(browser, "baseline", &files.file("x.json", b"{\"eval_header\": 1}")),
        "scoreboard",
        &["no scoreboard"],
    );
    // Dropped with the mouse: the place says what is expected, and elsewhere the content decides.
    // The place is a hint alone: it is read as what it is.
    drop_file(browser, "[data-slot=\"checkpoint\"]", "e.jsonl", "{\"bundle_id\":\"1\",\"anchor\":{}}\n");
    says(only(browser, "dropped on the checkpoint"), "faults", &["line 1"]);
    drop_file(browser, "h1", "e.jsonl", "{\"bundle_id\":\"1\",\"anchor\":{}}\n");
    says(only(browser, "dropped on the page"), "faults", &["line 1"]);
    drop_file(browser, "h1", "notes.txt", "hello");
    says(only(browser, "dropped on the page"), "wrong_kind", &["notes.txt can't be used here", "It is text"]);
}
