//! Chromium through chromedriver: the few WebDriver commands that the test needs, over plain HTTP on loopback.

use ct_codecs::{Base64, Decoder as _};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a page to do what it was asked; generous, as software GPUs share busy cores.
const PATIENCE: Duration = Duration::from_secs(60);

/// What has to be installed.
pub(crate) struct Programs {
    chromium: PathBuf,
    chromedriver: PathBuf,
}

impl Programs {
    /// Looks on the `PATH`.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn find() -> Result<Self, String> {
        let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path);
        let chromium = chromium.ok_or("chromium is not installed")?;
        let chromedriver = on_path("chromedriver").ok_or("chromedriver is not installed")?;
        Ok(Self { chromium, chromedriver })
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A running browser; ends with its driver when dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    pub(crate) fn start(programs: &Programs) -> Self {
        let mut driver = Command::new(&programs.chromedriver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let output = BufReader::new(driver.stdout.take().expect("its output is piped"));
        let port = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok());
        // From here on a panic ends chromedriver too.
        let mut browser = Self { driver, port: port.expect("chromedriver names its port"), session: String::new() };
        // The software GPU is pinned, so that the outcome does not depend on the machine. As root there is no sandbox.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-unsafe-webgpu",
            "--use-webgpu-adapter=swiftshader",
            "--window-size=900,1000",
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": programs.chromium, "args": arguments},
        }}});
        let session = browser.request("POST", "/session", &capabilities);
        browser.session = session["sessionId"].as_str().expect("a session has an id").to_owned();
        browser
    }

    /// Loads a page.
    pub(crate) fn open(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// Runs a function's body in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Runs `script` until it returns something other than null.
    pub(crate) fn until(&self, what: &str, script: &str) -> Value {
        let start = Instant::now();
        loop {
            let value = self.run(script);
            if !value.is_null() {
                return value;
            }
            assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs `look` until it returns something.
    pub(crate) fn wait<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a function's body that may await; what it returns.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, (e) => done({{ failed: String(e) }}));"
        );
        self.command("execute/async", &json!({"script": script, "args": []}))
    }

    /// Puts files into a file field.
    pub(crate) fn choose_files(&self, selector: &str, files: &[&Path]) {
        let found = self.command("element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|o| o.values().next()?.as_str()).expect("an element has an id").to_owned();
        let paths: Vec<&str> = files.iter().map(|file| file.to_str().expect("a path in UTF-8")).collect();
        self.command(&format!("element/{id}/value"), &json!({"text": paths.join("\n")}));
    }

    /// Drops files and folders from the disk at the middle of `selector`, as a mouse does.
    pub(crate) fn drop_paths(&self, selector: &str, paths: &[&Path]) {
        let place = self.run(&format!(
            "const e = document.querySelector({}); e.scrollIntoView({{ block: 'center', behavior: 'instant' }}); \
             const box = e.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2];",
            json!(selector)
        ));
        let files: Vec<&str> = paths.iter().map(|path| path.to_str().expect("a path in UTF-8")).collect();
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({"items": [], "files": files, "dragOperationsMask": 1});
            self.devtools(
                "Input.dispatchDragEvent",
                &json!({"type": kind, "x": place[0], "y": place[1], "data": data}),
            );
        }
    }

    /// Runs `script` in every page that is opened from now on, before the page's own.
    pub(crate) fn before_each_page(&self, script: &str) {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": script }));
    }

    /// Runs `script` in every worker that a page starts from a text from now on, before the worker's own.
    pub(crate) fn before_each_worker(&self, script: &str) {
        let script = json!(format!("{script}\n"));
        self.before_each_page(&format!(
            "globalThis.Blob = class extends Blob {{ constructor(parts, options) {{ \
             super(options?.type === 'text/javascript' ? [{script}, ...parts] : parts, options); }} }};"
        ));
    }

    /// Takes the network away.
    pub(crate) fn offline(&self) {
        self.devtools("Network.enable", &json!({}));
        let none = json!({"offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0});
        self.devtools("Network.emulateNetworkConditions", &none);
    }

    /// Lets pages write files, into `folder`.
    pub(crate) fn downloads_to(&self, folder: &Path) {
        let folder = folder.to_str().expect("a path in UTF-8");
        self.devtools("Browser.setDownloadBehavior", &json!({"behavior": "allow", "downloadPath": folder}));
    }

    /// Gives the page a size in pixels.
    pub(crate) fn size(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// `print`, or nothing for the screen.
    pub(crate) fn media(&self, media: &str) {
        self.devtools("Emulation.setEmulatedMedia", &json!({ "media": media }));
    }

    /// `light` or `dark`.
    pub(crate) fn color_scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// What the page or the browser logged as an error since the last call.
    pub(crate) fn console_errors(&self) -> Vec<Value> {
        let log = self.command("se/log", &json!({"type": "browser"}));
        log.as_array().expect("a log is a list").iter().filter(|entry| entry["level"] == "SEVERE").cloned().collect()
    }

    /// Writes a PNG of the page.
    pub(crate) fn screenshot(&self, file: &Path) {
        let picture = self.request("GET", &format!("/session/{}/screenshot", self.session), &Value::Null);
        std::fs::write(file, decode_base64(picture.as_str().expect("a picture in base64")))
            .expect("a picture is written");
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.command("goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    fn command(&self, command: &str, body: &Value) -> Value {
        self.request("POST", &format!("/session/{}/{command}", self.session), body)
    }

    /// One request; its `value`.
    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver answers");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .expect("a request can be sent");
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).expect("an answer has a first line");
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("an answer has headers");
            if line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').expect("a header has a colon");
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length is a number");
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("an answer is as long as it says");
        let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        assert!(status.contains(" 200 "), "{method} {path}: {}{:#}", status, answer["value"]["message"]);
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ending the session closes Chromium. During a panic this must not panic again, so it is written out here.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let session = &self.session;
            let _ =
                write!(stream, "DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            let _ = stream.read_to_end(&mut Vec::new());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

pub(crate) fn decode_base64(text: &str) -> Vec<u8> {
    Base64::decode_to_vec(text, None).expect("base64")
}

#[test]
fn base64_is_decoded() {
    assert_eq!(decode_base64("aGVsbG8="), b"hello");
    assert_eq!(decode_base64("/+8="), [0xff, 0xef]);
}
