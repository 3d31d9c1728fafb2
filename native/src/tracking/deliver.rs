//! Sends a run's journal to a server, from where it was sent to.
//!
//! All requests may be sent twice without harm: the run is found by its key before it is made, and MLflow takes a number of
//! the same step and time once. After each that the server took, [`Sent`] is written; so a delivery that is cut off, by a
//! server or by a kill, goes on where it was. Whoever delivers holds the folder's lock.

use super::artifacts;
use super::journal::{self, Entry, JOURNAL, Metrics, Start};
use super::sent::Sent;
use super::server::{Failure, Server, patiently};
use crate::lock;
use serde_json::{Value, json};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Whoever holds it sends; it is empty.
pub(super) const LOCK: &str = ".tracking.lock";
/// For another process that sends the same.
const PATIENCE: Duration = Duration::from_secs(5);
/// Numbers in one request; MLflow takes no more.
const MAX_METRICS: usize = 1000;
/// Settings in one request; MLflow takes no more.
const MAX_PARAMS: usize = 100;
/// Characters of a setting's or a tag's value.
const MAX_VALUE: usize = 6000;
/// Characters of a name.
const MAX_NAME: usize = 250;
/// The tag that holds the key.
const KEY: &str = "crucible.key";

/// What is done, and what is not.
#[derive(Debug)]
pub struct Delivery {
    /// As it is known now.
    pub sent: Sent,
    /// Lines that wait.
    pub left: u64,
    /// Lines that were sent now.
    pub now: u64,
    /// Files that were sent now.
    pub files: u64,
    /// Why not all of it was sent.
    pub failure: Option<Failure>,
}

/// Sends what waits in `dir`, and with `files` those of the folder that the server does not have as they are.
///
/// # Errors
/// There is no journal, or what was sent can't be written down.
pub fn deliver(dir: &Path, server: &Server, files: bool) -> Result<Delivery, Failure> {
    let path = dir.join(JOURNAL);
    let unread = |e: std::io::Error| Failure::Unusable(format!("cannot read {}: {e}", path.display()));
    let _lock = locked(dir)?;
    let start = journal::first(&path).map_err(unread)?;
    let start = start.ok_or_else(|| Failure::Unusable(format!("{} has no beginning", path.display())))?;
    let mut delivering = Delivering { dir, server, sent: Sent::read(dir, &start.key), now: 0, files: 0 };
    let mut failure = delivering.run(&start, &path).err();
    if files && failure.is_none() {
        failure = delivering.files().err();
    }
    let Delivering { sent, now, files, .. } = delivering;
    let mut left = 0;
    let mut offset = sent.offset;
    while failure.is_some() {
        let lines = journal::lines(&path, offset).map_err(unread)?;
        let Some(last) = lines.last() else { break };
        (offset, left) = (last.end, left + lines.len() as u64);
    }
    Ok(Delivery { sent, left, now, files, failure })
}

fn locked(dir: &Path) -> Result<std::fs::File, Failure> {
    let lock = lock::take_within(&dir.join(LOCK), PATIENCE).map_err(|e| Failure::Unusable(e.message))?;
    lock.ok_or_else(|| Failure::Down(format!("another process sends what is in {}", dir.display())))
}

struct Delivering<'a> {
    dir: &'a Path,
    server: &'a Server,
    sent: Sent,
    now: u64,
    files: u64,
}

impl Delivering<'_> {
    fn run(&mut self, start: &Start, path: &Path) -> Result<(), Failure> {
        let unread = |e: std::io::Error| Failure::Unusable(format!("cannot read {}: {e}", path.display()));
        loop {
            let lines = journal::lines(path, self.sent.offset).map_err(unread)?;
            if lines.is_empty() {
                return Ok(());
            }
            if self.sent.run_id.is_none() {
                ensure(self.dir, start, self.server, &mut self.sent)?;
            }
            let mut rest = lines.as_slice();
            while let Some(line) = rest.first() {
                let count = match &line.entry {
                    Some(Entry::Metrics(_)) => self.metrics(rest)?,
                    Some(Entry::Start(start)) => self.params(start).map(|()| 1)?,
                    Some(Entry::Resume { .. }) => self.update(json!({"status": "RUNNING"})).map(|()| 1)?,
                    Some(Entry::End { status, time }) => {
                        self.files()?;
                        self.update(json!({"status": status, "end_time": time})).map(|()| 1)?
                    }
                    None => {
                        self.sent.refused += 1;
                        1
                    }
                };
                self.sent.offset = rest[count - 1].end;
                self.sent.entries += count as u64;
                self.now += count as u64;
                self.save()?;
                rest = &rest[count..];
            }
        }
    }

    fn save(&self) -> Result<(), Failure> {
        self.sent.write(self.dir).map_err(|e| Failure::Unusable(e.message))
    }

    fn run_id(&self) -> &str {
        self.sent.run_id.as_deref().unwrap_or_default()
    }

    /// Sends the numbers of the lines that begin `rest`, as many as go into one request; how many lines.
    fn metrics(&mut self, rest: &[journal::Line]) -> Result<usize, Failure> {
        let (mut metrics, mut count) = (Vec::new(), 0);
        for line in rest {
            let Some(Entry::Metrics(Metrics { step, time, values, .. })) = &line.entry else { break };
            if count > 0 && metrics.len() + values.len() > MAX_METRICS {
                break;
            }
            let of_line =
                values.iter().map(|(key, x)| json!({"key": key, "value": x, "timestamp": time, "step": step}));
            metrics.extend(of_line);
            count += 1;
        }
        // A line has a few; one that somebody wrote by hand may have more.
        for chunk in metrics.chunks(MAX_METRICS) {
            let body = json!({"run_id": self.run_id(), "metrics": chunk});
            self.accepted(self.server.post("runs/log-batch", &body))?;
        }
        Ok(count)
    }

    fn params(&mut self, start: &Start) -> Result<(), Failure> {
        let pair =
            |(key, value): (&String, &String)| json!({"key": cut(key, MAX_NAME), "value": cut(value, MAX_VALUE)});
        let params: Vec<Value> = start.params.iter().map(pair).collect();
        for chunk in params.chunks(MAX_PARAMS) {
            let body = json!({"run_id": self.run_id(), "params": chunk});
            self.accepted(self.server.post("runs/log-batch", &body))?;
        }
        Ok(())
    }

    fn update(&mut self, mut body: Value) -> Result<(), Failure> {
        body["run_id"] = self.run_id().into();
        self.accepted(self.server.post("runs/update", &body))
    }

    /// Sends the folder's files that the server does not have.
    fn files(&mut self) -> Result<(), Failure> {
        let Some(root) = self.sent.artifacts.clone() else { return Ok(()) };
        for name in artifacts::in_folder(self.dir) {
            // One that is gone or unreadable meanwhile is not there.
            let Some((file, hash)) = artifacts::open(self.dir, &name) else { continue };
            if self.sent.files.get(&name) == Some(&hash) {
                continue;
            }
            let taken = self.server.put(&root, &name, &file);
            let refused = matches!(taken, Err(Failure::Refused(_)));
            self.accepted(taken.map(|()| Value::Null))?;
            if !refused {
                self.sent.files.insert(name, hash);
                self.files += 1;
            }
            self.save()?;
        }
        Ok(())
    }

    /// Goes on past what the server does not take: it never will, and what follows is none the worse for it.
    fn accepted(&mut self, answer: Result<Value, Failure>) -> Result<(), Failure> {
        match answer {
            Err(Failure::Refused(_)) => self.sent.refused += 1,
            Err(Failure::Missing(words)) => {
                let words = format!("{words}: is this the server that the run was begun on?");
                return Err(Failure::Unusable(words));
            }
            Err(other) => return Err(other),
            Ok(_) => {}
        }
        Ok(())
    }
}

/// Finds the run on the server, or makes it, and that of which it is a part; `sent` is written then.
fn ensure(dir: &Path, start: &Start, server: &Server, sent: &mut Sent) -> Result<(), Failure> {
    let parent = match &start.parent {
        Some(way) => parent(dir, way, server)?,
        None => None,
    };
    // Here nothing can be passed over.
    let must = |failure| match failure {
        Failure::Refused(words) | Failure::Missing(words) => Failure::Unusable(words),
        other => other,
    };
    let experiment = experiment(server, &start.experiment).map_err(must)?;
    let filter = format!("tags.`{KEY}` = '{}'", start.key);
    let search = json!({"experiment_ids": [experiment], "filter": filter, "max_results": 1});
    let mut tags = vec![json!({"key": KEY, "value": start.key})];
    tags.extend(start.tags.iter().map(|(k, v)| json!({"key": cut(k, MAX_NAME), "value": cut(v, MAX_VALUE)})));
    tags.extend(parent.map(|id| json!({"key": "mlflow.parentRunId", "value": id})));
    let name = cut(&start.name, MAX_NAME);
    let create = json!({"experiment_id": experiment, "run_name": name, "start_time": start.time, "tags": tags});
    // Each time it is looked for anew: the answer to the last try may have been lost.
    let found_or_made = patiently(|| match server.post_once("runs/search", &search)?.pointer("/runs/0/info") {
        Some(info) => Ok(info.clone()),
        None => Ok(server.post_once("runs/create", &create)?["run"]["info"].clone()),
    });
    let info = found_or_made.map_err(must)?;
    let id = info["run_id"].as_str().filter(|id| is_id(id));
    sent.run_id = Some(id.ok_or_else(|| strange("the run"))?.to_owned());
    sent.artifacts = info["artifact_uri"].as_str().and_then(artifact_root);
    sent.write(dir).map_err(|e| Failure::Unusable(e.message))
}

fn strange(of: &str) -> Failure {
    Failure::Unusable(format!("it answered without a name of {of} that can be used: this is no MLflow server"))
}

/// The server's name of an experiment, which is made if it is not there.
fn experiment(server: &Server, name: &str) -> Result<String, Failure> {
    let by_name = || server.get("experiments/get-by-name", "experiment_name", name);
    let id = |value: &Value| {
        value.as_str().filter(|id| is_id(id)).map(str::to_owned).ok_or_else(|| strange("the experiment"))
    };
    match by_name() {
        Err(Failure::Missing(_)) => {}
        found => return id(&found?["experiment"]["experiment_id"]),
    }
    match server.post("experiments/create", &json!({"name": name})) {
        // Somebody else was faster.
        Err(Failure::Exists) => id(&by_name()?["experiment"]["experiment_id"]),
        made => id(&made?["experiment_id"]),
    }
}

/// The server's name of the run in the folder that `way` leads to; none where no run is there.
fn parent(dir: &Path, way: &str, server: &Server) -> Result<Option<String>, Failure> {
    let way = PathBuf::from(way);
    // A folder from a stranger must not lead elsewhere.
    if way.components().count() > 8 || way.components().any(|c| c != Component::ParentDir) {
        return Ok(None);
    }
    let dir = dir.join(way);
    let path = dir.join(JOURNAL);
    if !path.is_file() {
        return Ok(None);
    }
    let _lock = locked(&dir)?;
    let Ok(Some(start)) = journal::first(&path) else { return Ok(None) };
    let mut sent = Sent::read(&dir, &start.key);
    if sent.run_id.is_none() {
        // A part of a part has no place in MLflow's lists.
        ensure(&dir, &Start { parent: None, ..start }, server, &mut sent)?;
    }
    Ok(sent.run_id)
}

/// Names of runs and experiments go into addresses.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Where a server that keeps files itself keeps those of a run: `mlflow-artifacts:/1/abc/artifacts` is `1/abc/artifacts`.
fn artifact_root(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("mlflow-artifacts:")?;
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/')?.1,
        None => rest.strip_prefix('/')?,
    };
    let path = path.trim_matches('/');
    let sound = |part: &str| {
        part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && !part.is_empty()
    };
    (path.len() < 1000 && path.split('/').all(sound)).then(|| path.to_owned())
}

/// The first characters of a text.
fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_that_keep_files_are_sent_some() {
        assert_eq!(artifact_root("mlflow-artifacts:/1/ab-c/artifacts").as_deref(), Some("1/ab-c/artifacts"));
        assert_eq!(artifact_root("mlflow-artifacts://host:1/1/a/artifacts").as_deref(), Some("1/a/artifacts"));
        for bad in [
            "s3://b/1",
            "/tmp/x",
            "mlflow-artifacts:/1/../2",
            "mlflow-artifacts:/",
            "mlflow-artifacts:/a?b",
            "mlflow-artifacts:/a//b",
        ] {
            assert_eq!(artifact_root(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        assert!(is_id("0123abc") && is_id("1"));
        for bad in ["", "../x", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(!is_id(bad), "{bad}");
        }
        assert_eq!((cut("äöü", 2), cut("äöü", 3), cut("", 0)), ("äö", "äöü", ""));
    }
}
