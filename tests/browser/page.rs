//! What a visitor does on the page, and sees.

use crate::driver::{Browser, Programs};
use crate::fixture::Fixture;
use serde_json::Value;
use std::path::Path;

/// A browser with the page in it, ready for files; its self-check may still run.
pub(crate) fn open(programs: &Programs, url: &str) -> Browser {
    let browser = Browser::start(programs);
    browser.open(url);
    ready(&browser);
    browser
}

/// Waits until the page takes files.
pub(crate) fn ready(browser: &Browser) {
    browser.until("the page takes files", "return document.getElementById('version').textContent || null;");
}

/// State and text of the self-check, once it is done.
pub(crate) fn self_check(browser: &Browser) -> (String, String) {
    let done = "const s = document.getElementById('self-check'); \
                return s.dataset.state === 'running' ? null : [s.dataset.state, s.innerText];";
    let value = browser.until("the self-check is done", done);
    let text = |at: usize| value[at].as_str().unwrap_or_default().to_owned();
    (text(0), text(1))
}

/// Gives the page files in one of its places, and waits until they were read.
pub(crate) fn choose(browser: &Browser, slot: &str, files: &[&Path]) {
    browser.run("document.getElementById('ready').dataset.state = 'asked';");
    browser.choose_files(&format!("#{slot}"), files);
    read(browser);
}

/// Waits until files that were dropped or chosen are read; the state that the page is in then.
pub(crate) fn read(browser: &Browser) -> String {
    let read = "const s = document.getElementById('ready').dataset.state; \
                return ['asked', 'reading'].includes(s) ? null : s;";
    browser.until("the files are read", read).as_str().unwrap_or_default().to_owned()
}

/// Drops files and folders onto the middle of `selector`, and waits until they were read.
pub(crate) fn drop_paths(browser: &Browser, selector: &str, paths: &[&Path]) {
    browser.run("document.getElementById('ready').dataset.state = 'asked';");
    browser.drop_paths(selector, paths);
    read(browser);
}

/// Names of the files that the page has, in the order of its places.
pub(crate) fn loaded(browser: &Browser) -> Vec<String> {
    let names = browser.run("return [...document.querySelectorAll('.loaded strong')].map((e) => e.textContent);");
    names.as_array().expect("a list").iter().map(|n| n.as_str().unwrap_or_default().to_owned()).collect()
}

/// What the page says of files that were taken.
pub(crate) fn notes(browser: &Browser) -> String {
    browser.run("return document.getElementById('notes').innerText;").as_str().unwrap_or_default().to_owned()
}

/// Drops a file onto the middle of `selector`, as a mouse would.
pub(crate) fn drop_file(browser: &Browser, selector: &str, name: &str, text: &str) {
    browser.run("document.getElementById('ready').dataset.state = 'asked';");
    let (selector, name, text) = (Value::from(selector), Value::from(name), Value::from(text));
    browser.run(&format!(
        "const data = new DataTransfer(); data.items.add(new File([{text}], {name})); \
         document.querySelector({selector}).dispatchEvent(new DragEvent('drop', \
         {{ bubbles: true, cancelable: true, dataTransfer: data }}));"
    ));
    read(browser);
}

/// Evaluates on `device` (`gpu` or `cpu`), and waits for the result; how it ended.
pub(crate) fn evaluate(browser: &Browser, device: &str) -> String {
    browser.run(&format!("document.querySelector('input[value=\"{device}\"]').click();"));
    let chosen = browser.run("return document.querySelector('input[name=\"device\"]:checked').value;");
    assert_eq!(chosen, device, "the page does not let this device be chosen");
    browser.run("document.getElementById('evaluate').click();");
    let ended = "const s = document.getElementById('ready').dataset.state; \
                 return ['done', 'failed', 'cancelled'].includes(s) ? s : null;";
    browser.until("the evaluation ends", ended).as_str().expect("a text").to_owned()
}

/// The failures that the page shows: code and text of each.
pub(crate) fn failures(browser: &Browser) -> Vec<(String, String)> {
    let shown = browser
        .run("return [...document.querySelectorAll('#failures .failure')].map((f) => [f.dataset.code, f.innerText]);");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    shown.as_array().expect("a list").iter().map(|f| (text(&f[0]), text(&f[1]))).collect()
}

/// The text of the only result.
pub(crate) fn result(browser: &Browser) -> String {
    browser.run("return document.querySelector('.result').innerText;").as_str().expect("a text").to_owned()
}

/// Presses the button for a file that the page writes; its bytes.
pub(crate) fn download(browser: &Browser, name: &str) -> Vec<u8> {
    let folder = Fixture::get().path("downloads");
    let file = folder.join(name);
    std::fs::create_dir_all(&folder).expect("the test's folder can be made");
    let _ = std::fs::remove_file(&file);
    browser.downloads_to(&folder);
    browser.run(&format!("document.querySelector('[data-file=\"{name}\"]').click();"));
    browser.wait("the download is there", || file.exists().then(|| std::fs::read(&file).expect("reads")))
}
