//! What a tracker hears of a whole sweep: a run of its own, of which those of the trials are parts.

use super::Planned;
use crate::context::Context;
use crate::error::CliResult;
use crate::progress::Reporter;
use crate::tracking::journal::{JOURNAL, Status};
use crate::tracking::{self, About, Run, Server, URI};
use crucible_core::config::{Config, Tracking, TrackingKind};
use crucible_core::sweep::Trial;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The server that trials of a plan are tracked on; they run without one, too, and `crucible sync` sends what they wrote.
///
/// # Errors
/// An address that can't be used.
pub(crate) fn server(config: &Config, ctx: &Context) -> CliResult<Option<Server>> {
    if !config.tracking.kind.mlflow() {
        return Ok(None);
    }
    let server = Server::from_env()?;
    if server.is_none() {
        ctx.reporter.warn(format!("{URI} is not set: what MLflow is to hear waits for `crucible sync`"));
    }
    Ok(server)
}

/// The server that a sweep is tracked on, asked for before anything is done.
pub(super) fn needed(planned: &Planned) -> CliResult<Option<Arc<Server>>> {
    let wanted = planned.trials.first().is_some_and(|t| t.config.tracking.kind.mlflow());
    Ok(wanted.then(Server::needed).transpose()?.map(Arc::new))
}

/// The sweep's own run; none where MLflow is not told. TensorBoard knows no parts.
pub(super) fn sweep(root: &Path, trials: &[Trial], server: Option<Arc<Server>>, reporter: &Reporter) -> Option<Run> {
    let first = trials.first().filter(|t| t.config.tracking.kind.mlflow())?;
    let kind = json!(first.kind).as_str().unwrap_or_default().to_owned();
    let conditions: BTreeSet<&str> = trials.iter().map(|t| t.condition.as_str()).collect();
    let seeds: BTreeSet<u64> = trials.iter().map(|t| t.seed).collect();
    let params = [
        ("sweep.kind", kind.clone()),
        ("sweep.conditions", json!(conditions).to_string()),
        ("sweep.seeds", json!(seeds).to_string()),
        ("training.steps", first.config.training.steps.to_string()),
    ];
    let about = About {
        name: tracking::name_of(root, 1),
        parent: None,
        tags: tracking::tags([("crucible.sweep", kind)]),
        params: params.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>(),
    };
    let tracking = Tracking { kind: TrackingKind::Mlflow, ..first.config.tracking.clone() };
    Some(Run::new(root, root, &tracking, server, about, reporter))
}

/// The results of a tracked sweep were put together, by a command of its own.
pub(super) fn collected(root: &Path, trials: &[Trial], ctx: &Context) -> CliResult<()> {
    if !root.join(JOURNAL).is_file() {
        return Ok(());
    }
    let server = trials.first().map(|t| server(&t.config, ctx)).transpose()?.flatten().map(Arc::new);
    if let Some(run) = sweep(root, trials, server, &ctx.reporter) {
        run.begin(None);
        run.end(Status::Finished);
    }
    Ok(())
}
