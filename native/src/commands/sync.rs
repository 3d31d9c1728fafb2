//! `crucible sync`: sends what runs could not tell an MLflow server while they ran.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::io::is_hidden;
use crate::tracking::deliver::{Delivery, deliver};
use crate::tracking::journal::JOURNAL;
use crate::tracking::{Failure, Server};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Folders below a sweep's.
const DEPTH: usize = 4;
/// Runs of one call, at most.
const MAX_RUNS: usize = 100_000;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 crucible sync runs/first
    crucible sync sweeps/ratios     all trials of a sweep, and the report that lies there")]
pub struct Args {
    /// Folders of tracked runs, or of sweeps
    #[arg(value_name = "RUN_DIR", required = true)]
    pub runs: Vec<PathBuf>,
}

/// What became of one run.
#[derive(Debug, Serialize)]
struct Synced {
    #[serde(serialize_with = "crate::output::shown")]
    dir: PathBuf,
    run_id: Option<String>,
    entries_sent: u64,
    files_sent: u64,
    entries_left: Option<u64>,
    refused: u64,
    error: Option<String>,
}

/// Sends it. What the server has already is not sent again.
///
/// # Errors
/// No server, folders without tracked runs (2), something that could not be sent (1).
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let server = Server::needed()?;
    let mut dirs = Vec::new();
    for folder in &args.runs {
        let before = dirs.len();
        std::fs::read_dir(folder).map_err(|e| CliError::io("read", folder, &e))?;
        walk(folder, DEPTH, &mut dirs);
        if dirs.len() == before {
            let message = format!("{}: there is no {JOURNAL} in it or below it", folder.display());
            return Err(CliError::usage(message).advise("runs are tracked with --tracking mlflow"));
        }
    }
    dirs.sort();
    dirs.dedup();
    let mut synced = Vec::new();
    for dir in dirs {
        let result = deliver(&dir, &server, true);
        let down = match &result {
            Ok(delivery) => matches!(delivery.failure, Some(Failure::Down(_))),
            Err(failure) => matches!(failure, Failure::Down(_)),
        };
        synced.push(outcome(dir, result));
        if down && !server.answers() {
            // The others would each wait for it.
            break;
        }
    }
    ctx.print(&synced, &text(&synced))?;
    match synced.iter().find_map(|s| s.error.as_ref()) {
        None => Ok(Exit::Success),
        Some(error) => {
            let message = format!("not everything was sent to {}: {error}", server.address());
            Err(CliError::new(Exit::Error, message).advise("mend the cause and run the same command: it goes on there"))
        }
    }
}

/// Tracked runs in a folder and below it.
fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if folder.join(JOURNAL).is_file() && found.len() < MAX_RUNS {
        found.push(folder.to_owned());
    }
    if depth > 0 {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let open = entries.filter(|e| !is_hidden(&e.file_name()));
        for entry in open.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())) {
            walk(&entry.path(), depth - 1, found);
        }
    }
}

fn outcome(dir: PathBuf, result: Result<Delivery, Failure>) -> Synced {
    match result {
        Ok(Delivery { sent, left, now, files, failure }) => Synced {
            dir,
            run_id: sent.run_id,
            entries_sent: now,
            files_sent: files,
            entries_left: Some(left),
            refused: sent.refused,
            error: failure.map(|f| f.to_string()),
        },
        Err(failure) => Synced {
            dir,
            run_id: None,
            entries_sent: 0,
            files_sent: 0,
            entries_left: None,
            refused: 0,
            error: Some(failure.to_string()),
        },
    }
}

fn text(synced: &[Synced]) -> String {
    let mut out = String::new();
    for s in synced {
        let _ = write!(out, "{}: {} lines and {} files sent", s.dir.display(), s.entries_sent, s.files_sent);
        if s.refused > 0 {
            let _ = write!(out, ", {} never taken", s.refused);
        }
        match (s.entries_left, &s.run_id) {
            (Some(left), _) if left > 0 => drop(write!(out, ", {left} wait")),
            (_, Some(id)) => drop(write!(out, " → run {id}")),
            _ => {}
        }
        out.push('\n');
    }
    out
}
