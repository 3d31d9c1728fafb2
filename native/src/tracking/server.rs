//! An MLflow server, by its REST interface: where it is, who we are, and requests that may fail.
//!
//! `MLFLOW_TRACKING_URI` says where, `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or `_TOKEN`, or the address itself, who we
//! are: MLflow's own names. None of it is ever written or printed.

use crate::error::{CliError, CliResult};
use crate::http;
use ct_codecs::{Base64, Encoder};
use serde_json::Value;
use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the server is.
pub const URI: &str = "MLFLOW_TRACKING_URI";
/// For a request and its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For a file.
const FILE_TIMEOUT: Duration = Duration::from_secs(120);
/// For an answer to the question whether there is anybody.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// For so long a server that was down is believed to be.
const MOMENT: Duration = Duration::from_secs(60);
/// Before the second try, and before the third and last.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// A longer answer is none of MLflow's to what we ask.
const MAX_ANSWER: u64 = 1 << 20;
/// Characters of a server's words that are passed on.
const MAX_WORDS: usize = 200;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answers, not in time, or with a fault of the server's own: it is worth trying again.
    Down(String),
    /// The server does not talk to us: nothing can be sent before somebody mends that.
    Unusable(String),
    /// There is no such thing.
    Missing(String),
    /// It is there already.
    Exists,
    /// The server does not take this; it may take other things.
    Refused(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Down(words) | Self::Unusable(words) | Self::Missing(words) | Self::Refused(words) => {
                f.write_str(words)
            }
            Self::Exists => f.write_str("it is there already"),
        }
    }
}

/// An MLflow server.
pub struct Server {
    /// `http://host:port/prefix` or `https://…`, without names and passwords.
    base: String,
    authorization: Option<String>,
    agent: ureq::Agent,
    files: ureq::Agent,
    probe: ureq::Agent,
    /// When it was last found down; none: it was up since.
    down: Mutex<Option<Instant>>,
}

impl Server {
    /// The one that the environment names, if it does.
    ///
    /// # Errors
    /// An address that can't be used (exit status 2).
    pub fn from_env() -> CliResult<Option<Self>> {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let Some(uri) = var(URI) else { return Ok(None) };
        let login =
            var("MLFLOW_TRACKING_USERNAME").map(|name| (name, var("MLFLOW_TRACKING_PASSWORD").unwrap_or_default()));
        Self::new(&uri, login, var("MLFLOW_TRACKING_TOKEN")).map(Some)
    }

    /// The same, where there must be one.
    ///
    /// # Errors
    /// There is none, or its address can't be used (exit status 2).
    pub fn needed() -> CliResult<Self> {
        Self::from_env()?.ok_or_else(|| {
            CliError::usage(format!("{URI} is not set: no MLflow server is named"))
                .advise(format!("set it, such as {URI}=http://127.0.0.1:5000, or leave MLflow out (--tracking none)"))
        })
    }

    fn new(uri: &str, login: Option<(String, String)>, token: Option<String>) -> CliResult<Self> {
        // Not the address itself: it may hold a secret.
        let unusable = |what: &str, advice: &str| Err(CliError::usage(format!("{URI}: {what}")).advise(advice));
        let Some((scheme, rest)) = uri.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        else {
            let advice =
                "folders and databases are not written to: start `mlflow server` over them and name its address";
            return unusable("this is no http:// or https:// address", advice);
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let base = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        if host.is_empty() || path.contains(['?', '#']) || base.parse::<ureq::http::Uri>().is_err() {
            return unusable("this is no address of a server", "expected http://HOST:PORT or https://HOST");
        }
        let of_address = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            (decoded(name), decoded(password))
        });
        let basic = |(name, password): (String, String)| {
            Some(format!("Basic {}", Base64::encode_to_string(format!("{name}:{password}")).ok()?))
        };
        let authorization = match (login.or(of_address), token) {
            (Some(login), _) => basic(login),
            (None, token) => token.map(|token| format!("Bearer {token}")),
        };
        if authorization.as_ref().is_some_and(|text| text.chars().any(char::is_control)) {
            return unusable("the token has characters that can't be sent", "correct MLFLOW_TRACKING_TOKEN");
        }
        let agents = [TIMEOUT, FILE_TIMEOUT, PROBE_TIMEOUT].map(http::agent);
        let [agent, files, probe] = agents;
        Ok(Self { base, authorization, agent, files, probe, down: Mutex::default() })
    }

    /// Its address, without names and passwords.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    /// It was just found to be down, or up.
    pub(super) fn is_down(&self, down: bool) {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = down.then(Instant::now);
    }

    /// Whether it was found down a moment ago, by whichever run.
    pub(super) fn was_down(&self) -> bool {
        self.down.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < MOMENT)
    }

    /// Whether anybody answers there, whatever they say.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.probe.get(format!("{}/health", self.base)).call().is_ok()
    }

    /// Posts to `path` of the interface, such as `runs/update`.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        patiently(|| self.post_once(path, body))
    }

    /// The same for what must not be done twice: an answer may be lost after it was done.
    pub(super) fn post_once(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.agent.post(format!("{}/api/2.0/mlflow/{path}", self.base));
        let request = request.header("content-type", "application/json");
        let request = self.authorization.iter().fold(request, |r, a| r.header("authorization", a));
        answer(request.send(body.to_string().as_bytes()))
    }

    /// Gets `path` of the interface, with a parameter.
    pub(super) fn get(&self, path: &str, name: &str, value: &str) -> Result<Value, Failure> {
        let url = format!("{}/api/2.0/mlflow/{path}?{name}={}", self.base, encoded(value));
        patiently(|| {
            let request = self.agent.get(&url);
            answer(self.authorization.iter().fold(request, |r, a| r.header("authorization", a)).call())
        })
    }

    /// Puts a file where the server keeps those of a run (`1/abc/artifacts`).
    pub(super) fn put(&self, root: &str, name: &str, file: &File) -> Result<(), Failure> {
        let name: Vec<String> = name.split('/').map(encoded).collect();
        let url = format!("{}/api/2.0/mlflow-artifacts/artifacts/{root}/{}", self.base, name.join("/"));
        patiently(|| {
            let request = self.files.put(&url).header("content-type", "application/octet-stream");
            let request = self.authorization.iter().fold(request, |r, a| r.header("authorization", a));
            let again = file.try_clone().and_then(|mut f| std::io::Seek::rewind(&mut f).map(|()| f));
            let file = again.map_err(|e| Failure::Refused(format!("the file can't be read: {e}")))?;
            answer(request.send(file)).map(drop)
        })
    }
}

/// Tries a few times while the server is down.
pub(super) fn patiently<T>(mut request: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let started = Instant::now();
    for pause in PAUSES {
        match request() {
            // One that hangs would hang again.
            Err(Failure::Down(_)) if started.elapsed() < TIMEOUT => std::thread::sleep(pause),
            done => return done,
        }
    }
    request()
}

/// The object that an answer holds, null where it is empty, or what is wrong with it.
fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, Failure> {
    let mut response = response.map_err(|e| Failure::Down(e.to_string()))?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let body = body.map_err(|e| Failure::Down(format!("its answer can't be read: {e}")))?;
    let value = serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object);
    match (status, &value) {
        (200..=299, Some(value)) => return Ok(value.clone()),
        // To a file there is nothing to say.
        (200..=299, None) if body.is_empty() => return Ok(Value::Null),
        _ => {}
    }
    let code = value.as_ref().and_then(|v| v["error_code"].as_str()).map(str::to_owned);
    let words = value.as_ref().and_then(|v| v["message"].as_str()).unwrap_or_default();
    let words = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect::<String>();
    let said = format!("it answered {status} {words}").trim_end().to_owned();
    Err(match (status, code.as_deref()) {
        (401 | 403, _) => Failure::Unusable(format!(
            "{said}: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )),
        (408 | 429 | 500.., _) => Failure::Down(said),
        (200..=299, _) => Failure::Unusable("its answer is no JSON object: this is no MLflow server".to_owned()),
        (400..=499, Some("RESOURCE_DOES_NOT_EXIST")) => Failure::Missing(said),
        (400..=499, Some("RESOURCE_ALREADY_EXISTS")) => Failure::Exists,
        (400..=499, Some(_)) => Failure::Refused(said),
        _ => Failure::Unusable(format!("{said}: this is no MLflow server")),
    })
}

/// A text as part of an address.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The text of a part of an address.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let code = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if code.is_some() { &after[2..] } else { after };
        out.push(code.unwrap_or(byte));
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_secrets() {
        let server = Server::new("http://me:p%40ss@host:5000/ml/", None, None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(server.address(), "http://host:5000/ml");
        // printf 'me:p@ss' | base64
        assert_eq!(server.authorization.as_deref(), Some("Basic bWU6cEBzcw=="));
        let server = Server::new("http://h", None, Some("t".into())).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(server.authorization.as_deref(), Some("Bearer t"));
        let server = Server::new("https://me:x@host/ml", None, None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(server.address(), "https://host/ml");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        let bad = [
            "https://u:secret@",
            "HTTPS://secret",
            "sqlite:///secret.db",
            "secret",
            "http://",
            "http://u:secret@",
            "http://h/?secret",
            "http://se cret",
        ];
        for uri in bad {
            let error = Server::new(uri, None, None).err().unwrap_or_else(|| panic!("{uri} was taken"));
            assert!(error.exit == crate::exit::Exit::Usage && !error.to_string().contains("cret"), "{uri}: {error}");
        }
        assert!(Server::new("http://h", None, Some("a\r\nb: c".into())).is_err());
    }

    #[test]
    fn parts_of_addresses_go_there_and_back() {
        for text in ["a b", "ä/ö?&=%", "", "%zz", "plain-_.~"] {
            assert_eq!(decoded(&encoded(text)), text);
            assert!(!encoded(text).contains(['/', '?', '&', ' ']));
        }
    }
}
