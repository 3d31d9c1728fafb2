//! A sweep as a job array of a Slurm cluster.
//!
//! One array task runs one trial. Slurm's requeueing and our exit status 75 fit together: SIGUSR1 comes a minute before the
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

/// The script, in the sweep's folder.
const SCRIPT: &str = "sweep.sbatch";

/// Writes the script and submits it.
pub(super) fn submit(planned: &Planned, common: &Common, plan: &Path, ctx: &Context) -> CliResult<Exit> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| CliError::io("read", path, &e));
    let (root, plan) = (absolute(&planned.root)?, absolute(plan)?);
    let program = std::env::current_exe()
        .map_err(|e| CliError::new(Exit::Error, format!("cannot tell where this program lies: {e}")))?;
    let script = script(planned.trials.len(), common, &program, &root, &plan)?;
    output::create_folder(&root.join("slurm"))?;
    let path = root.join(SCRIPT);
    output::write_file(&path, script.as_bytes())?;
    let ran = Command::new("sbatch").arg("--parsable").arg(&path).output().map_err(|e| {
        CliError::new(Exit::Error, format!("cannot run sbatch: {e}"))
            .advise(format!("submit {} on a machine that has it", path.display()))
    })?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !ran.status.success() {
        let message = format!("sbatch refused {}: {}", path.display(), said(&ran.stderr));
        return Err(CliError::new(Exit::Error, message).advise("mend the options (--sbatch) and run the same command"));
    }
    let job = said(&ran.stdout).split(';').next().unwrap_or_default().to_owned();
    let text = format!(
        "job {job}: {} trials\nfollow it:  crucible sweep status --output-dir {}\nthen:       crucible sweep collect --output-dir {1}\n",
        planned.trials.len(),
        planned.root.display()
    );
    ctx.print(&json!({"job": job, "script": path, "trials": planned.trials.len()}), &text)?;
    Ok(Exit::Success)
}

/// A word as a shell reads it; paths that are no UTF-8 can't be written into a script.
fn quoted(path: &Path) -> CliResult<String> {
    let text = path
        .to_str()
        .filter(|t| !t.contains(['\n', '\r']))
        .ok_or_else(|| CliError::usage(format!("{}: this path can't be written into a script", path.display())))?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

fn script(trials: usize, common: &Common, program: &Path, root: &Path, plan: &Path) -> CliResult<String> {
    let mut text = String::from("#!/bin/bash\n");
    let mut option = |option: &str| {
        let _ = writeln!(text, "#SBATCH {option}");
    };
    option(&format!("--array=0-{}%{}", trials.saturating_sub(1), common.parallel));
    option("--job-name=crucible-sweep");
    option("--requeue");
    option("--open-mode=append");
    option("--signal=B:USR1@60");
    let log = root.join("slurm").join("%A_%a.log");
    let log = log.to_str().filter(|t| !t.contains(['"', '\n'])).unwrap_or("slurm-%A_%a.log");
    option(&format!("--output=\"{log}\""));
    for more in &common.sbatch {
        if more.contains('\n') {
            return Err(CliError::usage("--sbatch: one option a flag"));
        }
        option(more);
    }
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
