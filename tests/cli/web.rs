//! `crucible serve`, and the page in the program.

use crate::util::Dir;
use crucible_cli::web_assets;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

#[path = "../../native/build/wasm_target.rs"]
mod wasm_target;

/// Bytes that the module may have before it is packed: a page that is sent around holds it.
const MOST_BYTES: usize = 2_500_000;

/// Whether the page is here; where not, it was said.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn has_page() -> bool {
    let Err(missing) = web_assets::required() else { return true };
    let required = std::env::var("CRUCIBLE_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
    assert!(!required, "CRUCIBLE_REQUIRE_BROWSER is set, and {missing}");
    println!("skipped: {missing}");
    false
}

/// A running `crucible serve`.
struct Serving {
    child: Child,
    port: u16,
}

impl Serving {
    fn start(dir: &Dir, args: &[&str]) -> Self {
        let mut child = dir.command(&[&["serve"], args].concat()).stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("is piped");
        BufReader::new(output).read_line(&mut line).expect("it says where it is");
        let url = line.trim().strip_prefix("The page is at http://127.0.0.1:").and_then(|url| url.strip_suffix('/'));
        let port = url.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        Self { child, port }
    }

    /// What comes back for these bytes: everything until the other side closes.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit can be set");
        // It may answer and close before it has read all.
        let _ = stream.write_all(request.replace("PORT", &self.port.to_string()).as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ends it with a signal; its exit status.
    #[cfg(unix)]
    fn end(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        std::process::Command::new("kill").args([signal, &id]).status().expect("kill runs");
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().expect("can be waited for") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{signal} did not end it");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_page_is_served_with_its_headers_to_this_machine_alone() {
    if !has_page() {
        return;
    }
    let dir = Dir::new();
    let serving = Serving::start(&dir, &[]);
    let answer = serving.ask("GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let policy = web_assets::policy().expect("the page has one");
    for line in [
        "Content-Type: text/html; charset=utf-8",
        &format!("Content-Length: {}", body.len()),
        &format!("Content-Security-Policy: {policy}; frame-ancestors 'none'"),
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Resource-Policy: same-origin",
    ] {
        assert!(head.lines().any(|known| known == line), "{line:?} is not in {head}");
    }
    assert!(body.contains("<title>Crucible"), "{body}");

    let script = serving.ask("HEAD /page.js HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n");
    assert!(script.contains("Content-Type: text/javascript") && script.ends_with("\r\n\r\n"), "{script}");
    for (request, status) in [
        ("GET /static/ HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", "404"),
        ("GET /../../etc/passwd HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", "404"),
        ("GET / HTTP/1.1\r\nHost: evil.example:PORT\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Length: 3\r\n\r\nabc", "405"),
        ("nonsense\r\n\r\n", "400"),
        (&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)), "431"),
    ] {
        let answer = serving.ask(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {answer:.80}");
    }
    // Somebody who never ends a request does not keep others waiting.
    let mut slow: Vec<TcpStream> =
        (0..8).map(|_| TcpStream::connect(("127.0.0.1", serving.port)).expect("connects")).collect();
    slow.iter_mut().for_each(|stream| stream.write_all(b"GET / HT").expect("sends"));
    let start = Instant::now();
    assert!(serving.ask("GET / HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n").contains("200 OK"));
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());

    let taken = dir.run(&["serve", "--port", &serving.port.to_string()]);
    assert!(taken.failed(1).contains("another program has it"), "{taken:?}");
}

#[cfg(unix)]
#[test]
fn signals_end_it_with_the_usual_statuses() {
    if !has_page() {
        return;
    }
    let dir = Dir::new();
    assert_eq!(Serving::start(&dir, &[]).end("-INT"), Some(130));
    assert_eq!(Serving::start(&dir, &[]).end("-TERM"), Some(75));
}

#[test]
fn the_page_is_written_whole_into_a_folder() {
    if !has_page() {
        return;
    }
    let dir = Dir::new();
    dir.run(&["serve", "--export", "site"]).ok();
    for name in web_assets::names() {
        let written = std::fs::read(dir.path().join("site").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(web_assets::asset(name) == Some(written.as_slice()), "{name}");
    }
    let entries = |folder: &str| std::fs::read_dir(dir.path().join(folder)).expect("a folder").count();
    assert_eq!((entries("site"), entries(".")), (web_assets::names().count(), 1), "nothing else is there");
    // Not over something that is there; an empty folder is nothing.
    assert!(dir.run(&["serve", "--export", "site"]).failed(2).contains("is a folder that is not empty"));
    dir.file("file", "x");
    assert!(dir.run(&["serve", "--export", "file"]).failed(2).contains("is there already"));
    std::fs::create_dir(dir.path().join("empty")).expect("creates");
    let said = dir.run(&["serve", "--export", "empty", "--json"]).json();
    assert_eq!(said["files"].as_array().map(Vec::len), Some(web_assets::names().count()));
}

#[test]
fn a_program_without_the_page_says_so() {
    if web_assets::required().is_err() {
        let ran = Dir::new().run(&["serve"]);
        assert!(ran.failed(1).contains("without the page"), "{ran:?}");
    }
}

#[test]
fn the_module_is_small() {
    if !has_page() {
        return;
    }
    let engine: serde_json::Value = serde_json::from_str(web_assets::engine().expect("is there")).expect("JSON");
    let packed = decoded(engine["wasm"].as_str().expect("text"));
    let mut module = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut module).expect("unpacks");
    assert!(module.starts_with(b"\0asm") && engine["bytes"] == module.len(), "{} bytes", module.len());
    assert!(module.len() <= MOST_BYTES, "the module has {} bytes; at most {MOST_BYTES} may be", module.len());
}

fn decoded(text: &str) -> Vec<u8> {
    use ct_codecs::{Base64, Decoder as _};
    Base64::decode_to_vec(text, None).expect("is base64")
}

/// What the build script watches while the wasm target is missing changes when `rustup target add` installs it.
#[test]
fn the_build_watches_for_the_wasm_target() {
    let dir = Dir::new();
    let library = dir.path().join("lib/rustlib/wasm32-unknown-unknown/lib");
    assert!(!wasm_target::is_installed(&library));
    // A toolchain that rustup did not install: its folder gets another one.
    std::fs::create_dir_all(dir.path().join("lib/rustlib/x86_64")).expect("creates");
    assert_eq!(wasm_target::watched(&library), Some(dir.path().join("lib/rustlib")));
    let components = dir.file("lib/rustlib/components", "rustc-x86_64\n");
    assert_eq!(wasm_target::watched(&library), Some(components));
    dir.file("lib/rustlib/wasm32-unknown-unknown/lib/self-contained", "");
    assert!(!wasm_target::is_installed(&library), "the folder alone is no target");
    dir.file("lib/rustlib/wasm32-unknown-unknown/lib/libstd-0.rlib", "");
    assert!(wasm_target::is_installed(&library));
}
