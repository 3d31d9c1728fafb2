//! A server that answers as MLflow does, holds to its limits, and can be made to misbehave.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// Of 127.0.0.1, signed by itself; made by
/// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out certificate.pem -days 36500
/// -subj "/CN=Crucible's tests" -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE`.
pub(crate) const CERTIFICATE: &str = include_str!("../../fixtures/tls/certificate.pem");
const KEY: &str = include_str!("../../fixtures/tls/key.pem");

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// As it should.
    Well,
    /// Not at all.
    Hangs,
    /// 500 to so many requests, then well.
    Fails(usize),
    /// Well to so many requests, then with 500.
    Tires(usize),
    /// It does what it is asked, but the answer to this request, from 0, never comes; then well.
    Loses(usize),
    /// These bytes, whatever it is asked.
    Says(Vec<u8>),
    /// With a status and an MLflow error code to requests for this path, well to others.
    Refuses(&'static str, u16, &'static str),
}

/// A run, as the server has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StubRun {
    pub(crate) name: String,
    pub(crate) status: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) params: BTreeMap<String, String>,
    /// Key, step, value as it came; twice where it came twice.
    pub(crate) metrics: Vec<(String, u64, Value)>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) experiments: Vec<String>,
    pub(crate) runs: BTreeMap<String, StubRun>,
    /// Paths of all requests.
    pub(crate) requests: Vec<String>,
    /// Sizes of batches of metrics.
    pub(crate) batches: Vec<usize>,
    pub(crate) authorization: Vec<String>,
    mood: Option<Mood>,
}

pub(crate) struct Stub {
    pub(crate) uri: String,
    seen: Arc<Mutex<Seen>>,
}

impl Stub {
    pub(crate) fn new(mood: Mood) -> Self {
        Self::start("http", mood, serve)
    }

    /// One that speaks HTTPS, with a [certificate](CERTIFICATE) that nobody trusts unless told to.
    pub(crate) fn behind_tls() -> Self {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
            .expect("a server");
        let config = Arc::new(config);
        Self::start("https", Mood::Well, move |stream, seen| {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = rustls::StreamOwned::new(connection, stream);
            serve(&mut stream, seen);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
    }

    fn start(scheme: &str, mood: Mood, serve: impl Fn(TcpStream, &Mutex<Seen>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let uri = format!("{scheme}://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Seen { mood: Some(mood), ..Seen::default() }));
        let (of_server, serve) = (Arc::clone(&seen), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, serve) = (Arc::clone(&of_server), Arc::clone(&serve));
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { uri, seen }
    }

    /// All that it has seen; a copy, so that nobody waits for whoever looks.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.lock().mood = Some(mood);
    }

    /// Forgets which requests came.
    pub(crate) fn forget_requests(&self) {
        self.lock().requests.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("the stub works")
    }

    /// The one run that there is.
    #[track_caller]
    pub(crate) fn run(&self) -> StubRun {
        let seen = self.seen();
        assert_eq!(seen.runs.len(), 1, "{:?}", seen.runs.keys());
        seen.runs.values().next().expect("a run").clone()
    }
}

fn serve(stream: impl Read + Write, seen: &Mutex<Seen>) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line == "\r\n" => break,
            Ok(_) => lines.push(line.trim_end().to_owned()),
        }
    }
    let header = |name: &str| {
        lines
            .iter()
            .find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()))
    };
    let length = header("content-length").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let mut body = Vec::new();
    let mut words = lines[0].split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
    let mut seen = seen.lock().expect("the stub works");
    if !matches!(seen.mood, Some(Mood::Says(_) | Mood::Hangs))
        && (&mut reader).take(length).read_to_end(&mut body).is_err()
    {
        return;
    }
    seen.requests.push(format!("{method} {path}"));
    seen.authorization.extend(header("authorization"));
    let broken = (500, json!({"error_code": "INTERNAL_ERROR", "message": "out of order"}));
    let mood = seen.mood.clone().expect("a mood");
    let (status, answer) = match &mood {
        Mood::Hangs => {
            drop(seen);
            std::thread::sleep(std::time::Duration::from_secs(60));
            return;
        }
        Mood::Says(bytes) => {
            drop(seen);
            let _ = reader.get_mut().write_all(bytes);
            return;
        }
        Mood::Fails(0) | Mood::Well => seen.answer(method, &path, &body),
        Mood::Fails(n) => {
            seen.mood = Some(Mood::Fails(n - 1));
            broken
        }
        Mood::Tires(0) => broken,
        Mood::Tires(n) => {
            seen.mood = Some(Mood::Tires(n - 1));
            seen.answer(method, &path, &body)
        }
        Mood::Loses(n) => {
            seen.mood = Some(if *n == 0 { Mood::Well } else { Mood::Loses(n - 1) });
            let answer = seen.answer(method, &path, &body);
            if *n == 0 {
                return;
            }
            answer
        }
        Mood::Refuses(what, status, code) if path.contains(what) => {
            (*status, json!({"error_code": code, "message": "no\nsuch\u{1b}[31m luck"}))
        }
        Mood::Refuses(..) => seen.answer(method, &path, &body),
    };
    drop(seen);
    // To a file the real one says nothing.
    let text = if answer.is_null() { String::new() } else { answer.to_string() };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    let _ = reader.get_mut().write_all((head + &text).as_bytes());
}

impl Seen {
    fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let refused = |message: &str| (400, json!({"error_code": "INVALID_PARAMETER_VALUE", "message": message}));
        if let Some(rest) = path.strip_prefix("/api/2.0/mlflow-artifacts/artifacts/1/") {
            let (run, name) = rest.split_once("/artifacts/").expect("a run's file");
            let run = self.runs.get_mut(run).expect("a run that is there");
            assert!(
                run.files.insert(name.to_owned(), body.to_vec()).is_none_or(|old| old != body),
                "{name} came twice"
            );
            return (200, Value::Null);
        }
        let Some(call) = path.strip_prefix("/api/2.0/mlflow/") else { return (200, json!({})) };
        let body: Value = if method == "POST" { serde_json::from_slice(body).expect("JSON") } else { Value::Null };
        let run_id = body["run_id"].as_str().unwrap_or_default().to_owned();
        let pairs = |list: &Value| -> Vec<(String, String)> {
            let text = |v: &Value| v.as_str().expect("a text").to_owned();
            list.as_array().into_iter().flatten().map(|p| (text(&p["key"]), text(&p["value"]))).collect()
        };
        match call.split('?').next().unwrap_or_default() {
            "experiments/get-by-name" if self.experiments.is_empty() => {
                (404, json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}))
            }
            "experiments/get-by-name" => (200, json!({"experiment": {"experiment_id": "1"}})),
            "experiments/create" if !self.experiments.is_empty() => {
                (400, json!({"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there"}))
            }
            "experiments/create" => {
                self.experiments.push(body["name"].as_str().expect("a name").to_owned());
                (200, json!({"experiment_id": "1"}))
            }
            "runs/search" => {
                let filter = body["filter"].as_str().expect("a filter");
                let found = self.runs.iter().filter(|(_, run)| {
                    run.tags.get("crucible.key").is_some_and(|key| filter == format!("tags.`crucible.key` = '{key}'"))
                });
                let runs: Vec<Value> = found.map(|(id, _)| json!({"info": info(id)})).collect();
                (200, if runs.is_empty() { json!({}) } else { json!({"runs": runs}) })
            }
            "runs/create" => {
                let id = format!("run{}", self.runs.len());
                let name = body["run_name"].as_str().expect("a name").to_owned();
                let tags = pairs(&body["tags"]).into_iter().collect();
                self.runs.insert(id.clone(), StubRun { name, tags, ..StubRun::default() });
                (200, json!({"run": {"info": info(&id)}}))
            }
            "runs/log-batch" => {
                let metrics = body["metrics"].as_array().cloned().unwrap_or_default();
                let params = pairs(&body["params"]);
                if metrics.len() > 1000 || params.len() > 100 || params.iter().any(|(_, v)| v.chars().count() > 6000) {
                    return refused("too much");
                }
                let numbers = ["NaN", "Infinity", "-Infinity"];
                if metrics.iter().any(|m| !m["value"].is_number() && !numbers.iter().any(|n| m["value"] == *n)) {
                    return refused("no number");
                }
                if !metrics.is_empty() {
                    self.batches.push(metrics.len());
                }
                let run = self.runs.get_mut(&run_id).expect("a run that is there");
                run.params.extend(params);
                run.metrics.extend(metrics.iter().map(|m| {
                    assert!(m["timestamp"].as_i64().is_some_and(|t| t > 0), "{m}");
                    (
                        m["key"].as_str().expect("a key").to_owned(),
                        m["step"].as_u64().expect("a step"),
                        m["value"].clone(),
                    )
                }));
                (200, json!({}))
            }
            "runs/update" => {
                let run = self.runs.get_mut(&run_id).expect("a run that is there");
                run.status.push(body["status"].as_str().expect("a status").to_owned());
                (200, json!({"run_info": info(&run_id)}))
            }
            other => panic!("{method} {other}"),
        }
    }
}

fn info(id: &str) -> Value {
    json!({"run_id": id, "artifact_uri": format!("mlflow-artifacts:/1/{id}/artifacts")})
}
