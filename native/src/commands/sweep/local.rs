//! Trials on this machine: so many at a time, each in threads of its own.

use super::Planned;
use super::args::Common;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::progress::Progress;
use crate::signals::Stop;
use crate::tracking::Server;
use crate::trials::{Ended, Found, Runner};
use crucible_core::sweep::Trial;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How a sweep ended.
#[derive(Default)]
pub(super) struct Done {
    /// By a signal.
    pub(super) stopped: bool,
    /// Trials that did not make it, in the order of the plan.
    pub(super) failed: Vec<(String, CliError)>,
}

/// Runs all trials that are not finished. One that fails stops no other.
pub(super) fn run(
    planned: &Planned,
    common: &Common,
    found: Found,
    server: Option<Arc<Server>>,
    stop: &Stop,
    ctx: &Context,
) -> CliResult<Done> {
    let quiet = ctx.within();
    let runner = Runner::new(&planned.root, &planned.caller, server, stop, &quiet).knowing(found);
    let rows = Rows::new(planned, ctx);
    let workers = common.parallel.get().min(planned.trials.len());
    let threads = (rayon::current_num_threads() / workers).max(1);
    let next = AtomicUsize::new(0);
    let ended: Mutex<BTreeMap<usize, CliResult<Ended>>> = Mutex::default();
    let work = || {
        while let Some(trial) = planned.trials.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.requested() {
                break;
            }
            let tried = catch_unwind(AssertUnwindSafe(|| runner.run(trial, &|what| rows.say(trial, what))));
            let result = tried
                .unwrap_or_else(|_| Err(CliError::new(Exit::Error, "the program failed: this is a fault of its own")));
            rows.ended(trial, &result);
            ended.lock().unwrap_or_else(PoisonError::into_inner).insert(trial.index, result);
        }
    };
    if workers == 1 {
        work();
    } else {
        let pools = (0..workers).map(|_| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
        let pools = pools.collect::<Result<Vec<_>, _>>();
        let pools = pools.map_err(|e| CliError::new(Exit::Error, format!("cannot start threads: {e}")))?;
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| pool.install(work));
            }
        });
    }
    let mut done = Done { stopped: stop.requested(), failed: Vec::new() };
    for (index, result) in ended.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match result {
            Err(error) => done.failed.push((planned.trials[index].dir.clone(), error)),
            Ok(Ended::Stopped) => done.stopped = true,
            Ok(_) => {}
        }
    }
    Ok(done)
}

/// A row of progress for each condition.
struct Rows<'a> {
    rows: BTreeMap<String, Progress>,
    ctx: &'a Context,
    total: usize,
    done: AtomicUsize,
}

impl<'a> Rows<'a> {
    fn new(planned: &Planned, ctx: &'a Context) -> Self {
        let parts = planned.trials.chunk_by(|a, b| a.condition == b.condition);
        let rows = parts.map(|trials| {
            let name = trials[0].condition.clone();
            (name.clone(), ctx.reporter.start(&name, "seeds", trials.len() as u64))
        });
        Self { rows: rows.collect(), ctx, total: planned.trials.len(), done: AtomicUsize::new(0) }
    }

    fn say(&self, trial: &Trial, what: &str) {
        if let Some(row) = self.rows.get(&trial.condition) {
            row.message(format!("seed {}: {what}", trial.seed));
        }
    }

    fn ended(&self, trial: &Trial, result: &CliResult<Ended>) {
        if let Some(row) = self.rows.get(&trial.condition) {
            row.inc(1);
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let how = match result {
            Ok(Ended::Finished) => "finished".to_owned(),
            Ok(Ended::Skipped) => "was finished; skipped".to_owned(),
            Ok(Ended::Stopped) => "stopped and saved".to_owned(),
            Err(error) => format!("failed: {}", error.message),
        };
        self.ctx.reporter.note(format!("[{done}/{}] {} seed {}: {how}", self.total, trial.condition, trial.seed));
    }
}
