//! A sweep as a job array of a Slurm cluster.
//!
//! One array task runs one trial; a job that waits for them all puts the results together. Slurm's requeueing and our exit status 75 fit together: SIGUSR1 comes a minute before the
//! time limit, the trial saves and ends with 75, and the task puts itself back into the queue.

use super::Planned;
use super::args::Common;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The scripts, in the sweep's folder.
const SCRIPT: &str = "sweep.sbatch";
const COLLECT: &str = "collect.sbatch";

/// Writes the scripts and submits them.
pub(super) fn submit(planned: &Planned, common: &Common, plan: &Path, ctx: &Context) -> CliResult<Exit> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| CliError::io("read", path, &e));
    let (root, plan) = (absolute(&planned.root)?, absolute(plan)?);
    let program = std::env::current_exe()
        .map_err(|e| CliError::new(Exit::Error, format!("cannot tell where this program lies: {e}")))?;
    output::create_folder(&root.join("slurm"))?;
    let trials = planned.trials.len();
    let (path, after) = (root.join(SCRIPT), root.join(COLLECT));
    output::write_file(&path, array(trials, common, &program, &root, &plan)?.as_bytes())?;
    output::write_file(&after, collect(common, &program, &root)?.as_bytes())?;
    let job = sbatch(&path, &[])?;
    let folder = planned.root.display();
    let mut text = format!("job {job}: {trials} trials\nfollow it:  crucible sweep status --output-dir {folder}\n");
    // However the trials end: those that are finished have something to say.
    let collect = match sbatch(&after, &[format!("--dependency=afterany:{job}")]) {
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
    ctx.print(&json!({"job": job, "collect_job": collect, "script": path, "trials": trials}), &text)?;
    Ok(Exit::Success)
}

/// Submits a script; the job's number.
fn sbatch(script: &Path, options: &[String]) -> CliResult<String> {
    let ran = Command::new("sbatch").arg("--parsable").args(options).arg(script).output().map_err(|e| {
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
fn array(trials: usize, common: &Common, program: &Path, root: &Path, plan: &Path) -> CliResult<String> {
    let own = [
        format!("--array=0-{}%{}", trials.saturating_sub(1), common.parallel),
        "--job-name=crucible-sweep".to_owned(),
        "--requeue".to_owned(),
        "--open-mode=append".to_owned(),
        "--signal=B:USR1@60".to_owned(),
    ];
    let mut text = head(&own, "%A_%a.log", common, root)?;
    let _ = write!(
        text,
        "\n\
         # Signals come to this script; the trial gets them from it, saves, and ends with 75.\n\
         {} --quiet trial run --plan {} --index \"$SLURM_ARRAY_TASK_ID\" &\n\
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
    fn words_survive_the_shell() {
        for path in ["/a b/c", "/it's", "/$HOME/`x`/\"q\"", "/ü"] {
            let quoted = quoted(Path::new(path)).expect("plain");
            let ran = Command::new("sh").arg("-c").arg(format!("printf %s {quoted}")).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&ran.stdout), path);
        }
        assert!(super::quoted(Path::new("/a\nb")).is_err());
    }
}
