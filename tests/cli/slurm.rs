//! A sweep on a real Slurm: one controller, one node, both here, in a folder of their own.
//!
//! Needs root and Debian's `slurm-wlm` and `munge`; without them it skips with a printed line, or fails where
//! `CRUCIBLE_REQUIRE_SLURM` is set.

use crate::sweep::{RATIO, assert_same, files, prepared};
use crate::util::{Dir, Ran, finish};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A cluster; it ends with the test.
struct Cluster {
    folder: PathBuf,
    _owner: tempfile::TempDir,
}

fn there(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}

fn id_of_user() -> String {
    finish(Command::new("id").arg("-u")).ok().trim().to_owned()
}

impl Cluster {
    /// Starts one; none where this machine can't.
    #[expect(clippy::print_stdout, reason = "a skip is told")]
    fn start() -> Option<Self> {
        let missing: Vec<&str> =
            ["sbatch", "slurmctld", "slurmd", "munged"].into_iter().filter(|p| !there(p)).collect();
        let root = id_of_user() == "0";
        if !missing.is_empty() || !root {
            let why = if root { format!("no {}", missing.join(", ")) } else { "not root".to_owned() };
            assert!(std::env::var_os("CRUCIBLE_REQUIRE_SLURM").is_none(), "Slurm is required, and there is {why}");
            println!("skipped: a sweep on Slurm ({why})");
            return None;
        }
        let owner = tempfile::tempdir().expect("a folder");
        let folder = owner.path().to_owned();
        let cluster = Self { folder: folder.clone(), _owner: owner };
        let mode = |path: &Path, mode: u32| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("sets");
        };
        for name in ["munge", "state", "spool"] {
            std::fs::create_dir_all(folder.join(name)).expect("creates");
            mode(&folder.join(name), 0o755);
        }
        mode(&folder, 0o755);
        std::fs::write(folder.join("munge/key"), [7u8; 128]).expect("writes");
        mode(&folder.join("munge/key"), 0o600);
        let host = finish(Command::new("hostname").arg("-s")).ok().trim().to_owned();
        // Ports of this process, so that two tests do not meet.
        let port = 20_000 + 2 * (std::process::id() % 20_000);
        let d = folder.display();
        let conf = format!(
            "ClusterName=crucible\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\n\
             AuthType=auth/munge\nAuthInfo=socket={d}/munge/socket\nCredType=cred/munge\n\
             SlurmctldPort={port}\nSlurmdPort={}\nStateSaveLocation={d}/state\nSlurmdSpoolDir={d}/spool\n\
             SlurmctldPidFile={d}/slurmctld.pid\nSlurmdPidFile={d}/slurmd.pid\n\
             SlurmctldLogFile={d}/slurmctld.log\nSlurmdLogFile={d}/slurmd.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n\
             AccountingStorageType=accounting_storage/none\nSwitchType=switch/none\nMpiDefault=none\n\
             MailProg=/bin/true\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nReturnToService=2\n\
             MinJobAge=600\nSchedulerParameters=batch_sched_delay=1\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN\n\
             PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n",
            port + 1
        );
        std::fs::write(folder.join("slurm.conf"), conf).expect("writes");
        let munge = |name: &str| format!("{d}/munge/{name}");
        finish(cluster.command("munged").args([
            "--force".to_owned(),
            format!("--socket={}", munge("socket")),
            format!("--key-file={}", munge("key")),
            format!("--pid-file={}", munge("pid")),
            format!("--seed-file={}", munge("seed")),
            format!("--log-file={}", munge("log")),
        ]))
        .ok();
        finish(&mut cluster.command("slurmctld")).ok();
        finish(cluster.command("slurmd").args(["-N", &host])).ok();
        cluster.wait("a node", || cluster.ask("sinfo", &["-h", "-o", "%T"]).contains("idle"));
        Some(cluster)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        command.env("SLURM_CONF", self.folder.join("slurm.conf")).env("PATH", path);
        command
    }

    fn ask(&self, program: &str, args: &[&str]) -> String {
        finish(self.command(program).args(args)).stdout
    }

    fn crucible(&self, dir: &Dir, args: &[&str]) -> Ran {
        finish(dir.command(args).env("SLURM_CONF", self.folder.join("slurm.conf")))
    }

    #[track_caller]
    fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            let logs = ["slurmctld.log", "slurmd.log"].map(|l| std::fs::read_to_string(self.folder.join(l)));
            assert!(started.elapsed() < Duration::from_secs(180), "no {what}: {logs:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for name in ["slurmd.pid", "slurmctld.pid", "munge/pid"] {
            if let Ok(pid) = std::fs::read_to_string(self.folder.join(name)) {
                let _ = Command::new("kill").arg(pid.trim()).status();
            }
        }
    }
}

/// Without what a scheduler adds.
fn results(root: &Path) -> BTreeMap<String, Vec<u8>> {
    files(root).into_iter().filter(|(name, _)| !name.starts_with("slurm") && !name.ends_with(".sbatch")).collect()
}

#[test]
fn a_job_array_ends_in_the_bytes_of_a_sweep_on_this_machine() {
    let Some(cluster) = Cluster::start() else { return };
    let dir = prepared();
    // Long enough for a signal to find it.
    let args = [&RATIO[..], &["--steps", "12000"]].concat();
    dir.run(&args).ok();
    let root = dir.path().join("s");
    let alone = results(&root);
    std::fs::remove_dir_all(&root).expect("removes");
    let ran = cluster.crucible(&dir, &[&args[..], &["--executor", "slurm", "--parallel", "2", "--json"]].concat());
    let job = ran.json()["job"].as_str().expect("a job").to_owned();
    let array = |task: u32| format!("{job}_{task}");
    let first_steps = |trial: &str| {
        let metrics = root.join(trial).join("metrics.jsonl");
        cluster.wait("first steps", || std::fs::read_to_string(&metrics).is_ok_and(|text| !text.is_empty()));
    };
    // One is asked to make room, and goes back into the queue by itself. `scancel` tries again for a minute while it does:
    // not its status counts, but the job's.
    first_steps("R85_10_5/seed_1");
    finish(cluster.command("timeout").args(["2", "scancel", "--batch", "--signal=USR1", &array(0)]));
    // Another one is killed.
    first_steps("R85_10_5/seed_2");
    let pattern = format!("trial run --plan {} --index 1", root.join("plan.jsonl").display());
    finish(Command::new("pkill").args(["-KILL", "-f", &pattern])).ok();
    let state = |task: u32| cluster.ask("scontrol", &["show", "job", &array(task)]);
    let ended = |task: u32| {
        ["JobState=COMPLETED", "JobState=FAILED", "JobState=CANCELLED"].iter().any(|s| state(task).contains(s))
    };
    cluster.wait("end of the array", || {
        // Slurm would let it wait for two minutes.
        if state(0).contains("JobState=PENDING") {
            cluster.ask("scontrol", &["update", &format!("JobId={}", array(0)), "StartTime=now"]);
        }
        (0..4).all(ended)
    });
    assert!(state(0).contains("JobState=COMPLETED") && !state(0).contains("Restarts=0"), "{}", state(0));
    assert!(state(1).contains("JobState=FAILED"), "{}", state(1));
    let status = cluster.crucible(&dir, &["sweep", "status", "--output-dir", "s"]);
    assert!(status.ok().contains("3 of 4 finished") && status.stdout.contains("stopped at step"), "{status:?}");
    // The same command goes on: finished trials are skipped, the killed one is resumed.
    let ran = cluster.crucible(&dir, &[&args[..], &["--executor", "slurm", "--json"]].concat());
    let collect = ran.json()["collect_job"].as_str().expect("a job").to_owned();
    // The job that follows the trials ends when all is done, and by itself.
    cluster.wait("end of the second array and what follows it", || {
        cluster.ask("scontrol", &["show", "job", &collect]).contains("JobState=COMPLETED")
    });
    assert_same(&alone, &results(&root), "on Slurm");
}

#[test]
fn without_slurm_the_script_is_left_and_named() {
    let dir = prepared();
    let ran = finish(
        dir.command(&[&RATIO[..], &["--executor", "slurm", "--sbatch=--partition=gpu"]].concat())
            .env("PATH", "/nowhere"),
    );
    assert!(ran.failed(1).contains("cannot run sbatch") && ran.stderr.contains("sweep.sbatch"), "{ran:?}");
    let after = dir.read("s/collect.sbatch");
    assert!(after.contains("sweep collect --output-dir '/") && after.contains("#SBATCH --partition=gpu"), "{after}");
    let script = dir.read("s/sweep.sbatch");
    assert!(script.contains("#SBATCH --array=0-3%1") && script.contains("#SBATCH --partition=gpu"), "{script}");
}

#[test]
fn more_trials_than_an_array_takes_are_several_arrays_and_a_secret_is_in_none_of_their_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = prepared();
    let scripts = [
        ("scontrol", "echo 'MaxArraySize            = 3'"),
        ("sbatch", "echo \"$@\" \"hook=$CRUCIBLE_WEBHOOK\" >>asked; wc -l <asked"),
    ];
    for (name, text) in scripts {
        let path = dir.file(&format!("bin/{name}"), &format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("sets");
    }
    let path = format!("{}:{}", dir.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let args = ["sweep", "ratio", "--ratios", "85_10_5", "--seeds", "1,2,3,4,5,6,7", "--executor", "slurm", "--json"];
    let hook = ["--guardrails.webhook", "http://127.0.0.1:1/PLANTEDSECRET"];
    let ran = finish(dir.command(&[&args[..], &hook].concat()).env("PATH", path));
    ran.ok();
    assert_eq!(ran.json()["jobs"], serde_json::json!(["1", "2", "3"]), "{ran:?}");
    let asked = dir.read("asked");
    let asked: Vec<&str> = asked.lines().collect();
    assert!(asked.iter().all(|line| line.ends_with("hook=http://127.0.0.1:1/PLANTEDSECRET")), "{asked:?}");
    assert!(asked[1].contains("--dependency=afterany:1 ") && asked[2].contains("--dependency=afterany:2 "));
    assert!(asked[3].contains("--dependency=afterany:1:2:3") && asked[3].contains("collect.sbatch"), "{asked:?}");
    let last = dir.read("s/sweep_3.sbatch");
    assert!(last.contains("--array=0-0%1") && last.contains("--index \"$((6 + SLURM_ARRAY_TASK_ID))\""), "{last}");
    let held = files(&dir.path().join("s"));
    assert!(held.values().all(|bytes| !String::from_utf8_lossy(bytes).contains("PLANTEDSECRET")));
}
