//! A sweep as a job array of a Slurm cluster.
//!
//! An array has at most `MaxArraySize` tasks: more trials are several arrays, one after the other. One array task runs one trial; a job that waits for them all puts the results together. Slurm's requeueing and our exit status 75 fit together: SIGUSR1 comes a minute before the
//! time limit, the trial saves and ends with 75, and the task puts itself back into the queue.

use super::Planned;
use super::args::Common;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use serde_json::json;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The scripts, in the sweep's folder.
const SCRIPT: &str = "sweep.sbatch";
const COLLECT: &str = "collect.sbatch";
/// Slurm's own MaxArraySize, where the cluster does not say another.
const DEFAULT_MAX_ARRAY: usize = 1001;
/// How trials get the webhook's address, which no file of the sweep holds.
const WEBHOOK: &str = "CRUCIBLE_WEBHOOK";

/// Writes the scripts and submits them.
pub(super) fn submit(planned: &Planned, common: &Common, plan: &Path, ctx: &Context) -> CliResult<Exit> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| CliError::io("read", path, &e));
    let (root, plan) = (absolute(&planned.root)?, absolute(plan)?);
    let program = std::env::current_exe()
        .map_err(|e| CliError::new(Exit::Error, format!("cannot tell where this program lies: {e}")))?;
    output::create_folder(&root.join("slurm"))?;
    let trials = planned.trials.len();
    let after = root.join(COLLECT);
    output::write_file(&after, collect(common, &program, &root)?.as_bytes())?;
    let mut scripts = Vec::new();
    for (number, part) in parts(trials, max_array()?).into_iter().enumerate() {
        let path = root.join(script_name(number));
        output::write_file(&path, array(&part, common, &program, &root, &plan)?.as_bytes())?;
        scripts.push((path, part));
    }
    let webhook = planned.caller.guardrails.webhook.as_deref();
    let jobs = submit_arrays(&scripts, webhook)?;
    let folder = planned.root.display();
    let mut text = String::new();
    for (job, (_, part)) in jobs.iter().zip(&scripts) {
        let _ = match jobs.len() {
            1 => writeln!(text, "job {job}: {trials} trials"),
            _ => writeln!(text, "job {job}: trials {} to {} of {trials}", part.start, part.end - 1),
        };
    }
    let _ = writeln!(text, "follow it:  crucible sweep status --output-dir {folder}");
    let (job, path) = (jobs[0].clone(), scripts[0].0.clone());
    // However the trials end: those that are finished have something to say.
    let collect = match sbatch(&after, &[format!("--dependency=afterany:{}", jobs.join(":"))], webhook) {
        Ok(collect) => {
            let _ = writeln!(text, "then:       job {collect} puts the results together");
            Some(collect)
        }
        Err(error) => {
            ctx.reporter.warn(format!("results won't be put together by themselves: {error}"));
            let _ = writeln!(text, "then:       crucible sweep collect --output-dir {folder}");
            None
        }
    };
    let json = json!({"job": job, "jobs": jobs, "collect_job": collect, "script": path, "trials": trials});
    ctx.print(&json, &text)?;
    Ok(Exit::Success)
}

/// Trials of one array each: an array of this cluster has at most `max` tasks.
fn parts(trials: usize, max: usize) -> Vec<Range<usize>> {
    (0..trials.max(1)).step_by(max).map(|start| start..(start + max).min(trials)).collect()
}

fn script_name(number: usize) -> String {
    match number {
        0 => SCRIPT.to_owned(),
        _ => format!("sweep_{}.sbatch", number + 1),
    }
}

/// The most tasks of an array, as the cluster says; Slurm's default where it does not.
///
/// # Errors
/// Arrays are turned off.
fn max_array() -> CliResult<usize> {
    let said = Command::new("scontrol").args(["show", "config"]).output().ok();
    let said = said.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned()).unwrap_or_default();
    match max_array_of(&said).unwrap_or(DEFAULT_MAX_ARRAY) {
        0 => Err(CliError::new(Exit::Error, "job arrays are turned off on this cluster (MaxArraySize is 0)")
            .advise("run the trials one by one: `crucible sweep plan`, then `crucible trial run` in jobs of your own")),
        max => Ok(max),
    }
}

/// `MaxArraySize` in the words of `scontrol show config`. Indices begin at 0 and end below it.
fn max_array_of(config: &str) -> Option<usize> {
    let value = |line: &str| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "MaxArraySize").then(|| value.trim().parse().ok())?
    };
    config.lines().find_map(value)
}

/// Submits the arrays. Each waits for the one before it, so that `--parallel` holds for all of them together.
fn submit_arrays(scripts: &[(PathBuf, Range<usize>)], webhook: Option<&str>) -> CliResult<Vec<String>> {
    let mut jobs: Vec<String> = Vec::new();
    for (script, _) in scripts {
        let after: Vec<String> = jobs.last().map(|job| format!("--dependency=afterany:{job}")).into_iter().collect();
        match sbatch(script, &after, webhook) {
            Ok(job) => jobs.push(job),
            Err(mut error) if !jobs.is_empty() => {
                let (there, all) = (jobs.join(", "), scripts.len());
                error.message += &format!("\n{} of {all} arrays are submitted: {there}", jobs.len());
                return Err(error.advise(format!("cancel them (scancel {}) or let them run", jobs.join(" "))));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(jobs)
}

/// Submits a script; the job's number. Secrets go with the job's environment, never into a file.
fn sbatch(script: &Path, options: &[String], webhook: Option<&str>) -> CliResult<String> {
    let mut command = Command::new("sbatch");
    if let Some(webhook) = webhook {
        command.env(WEBHOOK, webhook);
    }
    let ran = command.arg("--parsable").args(options).arg(script).output().map_err(|e| {
        CliError::new(Exit::Error, format!("cannot run sbatch: {e}"))
            .advise(format!("submit {} on a machine that has it", script.display()))
    })?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !ran.status.success() {
        let message = format!("sbatch refused {}: {}", script.display(), said(&ran.stderr));
        return Err(CliError::new(Exit::Error, message).advise("mend the options (--sbatch) and run the same command"));
    }
    Ok(said(&ran.stdout).split(';').next().unwrap_or_default().to_owned())
}

/// A word as a shell reads it; paths that are no UTF-8 can't be written into a script.
fn quoted(path: &Path) -> CliResult<String> {
    let text = path
        .to_str()
        .filter(|t| !t.contains(['\n', '\r']))
        .ok_or_else(|| CliError::usage(format!("{}: this path can't be written into a script", path.display())))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// The first lines of a script: `own` options, then the user's.
fn head(own: &[String], log: &str, common: &Common, root: &Path) -> CliResult<String> {
    let mut text = String::from("#!/bin/bash\n");
    let path = root.join("slurm").join(log);
    let path = path.to_str().filter(|t| !t.contains(['"', '\n'])).map_or_else(|| format!("slurm-{log}"), str::to_owned);
    if common.sbatch.iter().any(|option| option.contains('\n')) {
        return Err(CliError::usage("--sbatch: one option a flag"));
    }
    let output = format!("--output=\"{path}\"");
    for option in own.iter().chain([&output]).chain(&common.sbatch) {
        let _ = writeln!(text, "#SBATCH {option}");
    }
    Ok(text)
}

/// One task a trial.
fn array(part: &Range<usize>, common: &Common, program: &Path, root: &Path, plan: &Path) -> CliResult<String> {
    let own = [
        format!("--array=0-{}%{}", part.len().saturating_sub(1), common.parallel),
        "--job-name=crucible-sweep".to_owned(),
        "--requeue".to_owned(),
        "--open-mode=append".to_owned(),
        "--signal=B:USR1@60".to_owned(),
    ];
    let index = match part.start {
        0 => "$SLURM_ARRAY_TASK_ID".to_owned(),
        start => format!("$(({start} + SLURM_ARRAY_TASK_ID))"),
    };
    let mut text = head(&own, "%A_%a.log", common, root)?;
    let _ = write!(
        text,
        "\n\
         # Signals come to this script; the trial gets them from it, saves, and ends with 75.\n\
         {} --quiet trial run --plan {} --index \"{index}\" &\n\
         trial=$!\n\
         trap 'kill -USR1 $trial' USR1 TERM\n\
         wait $trial\n\
         status=$?\n\
         # A trap ends the first wait; the second one has the trial's own status.\n\
         while kill -0 $trial 2>/dev/null; do wait $trial; status=$?; done\n\
         if ((status == 75)); then scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\"; fi\n\
         exit $status\n",
        quoted(program)?,
        quoted(plan)?
    );
    Ok(text)
}

/// What follows the trials.
fn collect(common: &Common, program: &Path, root: &Path) -> CliResult<String> {
    let mut text = head(&["--job-name=crucible-collect".to_owned()], "collect_%j.log", common, root)?;
    let _ = write!(
        text,
        "\n{} --quiet sweep collect --output-dir {} --resamples {}",
        quoted(program)?,
        quoted(root)?,
        common.analysis.resamples
    );
    if let Some(baseline) = &common.analysis.baseline {
        let _ = write!(text, " --baseline {}", quoted(Path::new(baseline))?);
    }
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_cut_into_arrays_that_the_cluster_takes() {
        assert_eq!(format!("{:?}", parts(4, 1001)), "[0..4]");
        assert_eq!(format!("{:?}", parts(1001, 1001)), "[0..1001]");
        assert_eq!(parts(2500, 1001), [0..1001, 1001..2002, 2002..2500]);
        let said = "MaxArrayTasks = 5\nMaxArraySize            = 1001\nMaxDBDMsgs = 20000\n";
        assert_eq!((max_array_of(said), max_array_of("slurm_load_ctl_conf error")), (Some(1001), None));
        assert_eq!((script_name(0), script_name(1)), ("sweep.sbatch".to_owned(), "sweep_2.sbatch".to_owned()));
    }

    #[test]
    fn words_survive_the_shell() {
        for path in ["/a b/c", "/it's", "/$HOME/`x`/\"q\"", "/ü"] {
            let quoted = quoted(Path::new(path)).expect("plain");
            let ran = Command::new("sh").arg("-c").arg(format!("printf %s {quoted}")).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&ran.stdout), path);
        }
        assert!(super::quoted(Path::new("/a\nb")).is_err());
    }
}
