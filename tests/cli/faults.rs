//! Bad input, fault by fault: what is said, the exit status, and that nothing is written.

use crate::eval::checkpoint;
use crate::util::{Dir, finish};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What data faults ask for.
const MEND: &str = "help: correct what is named, or take those lines out";

/// Everything below a folder; files that may be read with what they hold.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("is a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.append(&mut snapshot(&path));
            all.insert(path, None);
        } else {
            let bytes = std::fs::read(&path).ok();
            all.insert(path, bytes);
        }
    }
    all
}

/// The command ends with `code`, says all of `parts`, and leaves the folder as it was.
#[track_caller]
fn refuses(dir: &Dir, command: &mut Command, code: i32, parts: &[&str]) {
    let before = snapshot(dir.path());
    let ran = finish(command);
    for part in parts {
        assert!(ran.failed(code).contains(part), "{part:?} is not said: {ran:#?}");
    }
    let after = snapshot(dir.path());
    let names = |s: &BTreeMap<PathBuf, Option<Vec<u8>>>| s.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "files came or went");
    assert!(after == before, "a file was changed");
}

const BUNDLE: [&str; 5] = ["bundle", "--events", "in.jsonl", "--output", "new/b.jsonl"];
const TRAIN: [&str; 5] = ["train", "--bundles", "in.jsonl", "--output-dir", "new/run"];
const EVAL: [&str; 7] = ["eval", "--checkpoint", "m", "--eval-set", "in.jsonl", "--output", "new/s.json"];

/// `bundle` refuses `in.jsonl`, an existing file or folder.
#[track_caller]
fn events_refused(dir: &Dir, code: i32, parts: &[&str]) {
    refuses(dir, &mut dir.command(&BUNDLE), code, parts);
}

/// `train` and `eval` refuse it.
#[track_caller]
fn bundles_refused(dir: &Dir, code: i32, parts: &[&str]) {
    std::fs::write(dir.path().join("m"), checkpoint(1)).expect("writes");
    for args in [&TRAIN[..], &EVAL] {
        refuses(dir, &mut dir.command(args), code, parts);
    }
}

/// An event of `more` fields.
fn event(id: &str, sense: &str, more: &str) -> String {
    format!(r#"{{"event_id":"{id}","sense":"{sense}","text":"a word"{more}}}"#)
}

/// A bundle whose anchor has `more` fields.
fn bundle(id: &str, more: &str) -> String {
    let (anchor, positive) = (event("a", "x#1", more), event("p", "x#1", ""));
    let negative = event("n", "x#2", r#","source":"within_lemma""#);
    format!(r#"{{"bundle_id":"{id}","anchor":{anchor},"positive":{positive},"negatives":[{negative}]}}"#)
}

/// A sound line, then a faulty one of each kind of file; for events and for bundles, what is said of it.
#[track_caller]
fn in_events_and_bundles(faulty: [&[u8]; 2], said: [&str; 2]) {
    let dir = Dir::new();
    let sound = [event("sound", "x#1", r#","embedding":[1,2]"#), bundle("sound", r#","embedding":[1,2]"#)];
    let write = |i: usize| {
        let bytes = [sound[i].as_bytes(), b"\n", faulty[i], b"\n"].concat();
        std::fs::write(dir.path().join("in.jsonl"), bytes).expect("writes");
    };
    write(0);
    events_refused(&dir, 3, &["in.jsonl: line 2: ", said[0], MEND]);
    write(1);
    bundles_refused(&dir, 3, &["in.jsonl: line 2: ", said[1], MEND]);
}

/// As above, the faults made from sound lines by a replacement.
#[track_caller]
fn replaced(from: &str, to: &str, said: [&str; 2]) {
    let [event, bundle] =
        [event("b", "x#1", r#","embedding":[3,4]"#), bundle("b", r#","embedding":[3,4]"#)].map(|sound| {
            assert!(sound.contains(from), "{sound}");
            sound.replacen(from, to, 1)
        });
    in_events_and_bundles([event.as_bytes(), bundle.as_bytes()], said);
}

/// Events of two senses that bundles can be made of.
fn sound_events() -> String {
    let line = |i: usize| {
        let sound = event(&i.to_string(), &format!("x#{}", i % 2), r#","embedding":[3,4]"#) + "\n";
        sound.replacen("a word", &format!("word {i}"), 1)
    };
    (0..8).map(line).collect()
}

#[test]
fn the_lines_that_faults_are_put_into_are_sound() {
    let dir = Dir::new();
    dir.file("in.jsonl", &sound_events());
    dir.run(&BUNDLE).ok();
    dir.file("in.jsonl", &(bundle("sound", "") + "\n" + &bundle("b", r#","embedding":[3,4]"#)));
    std::fs::write(dir.path().join("m"), checkpoint(1)).expect("writes");
    dir.run(&EVAL).ok();
}

#[test]
fn what_is_not_json_is_refused() {
    let said = "line 2: not JSON (column 17): EOF while parsing a value; expected one whole object a line";
    in_events_and_bundles([br#"{"event_id": "b","#, br#"{"event_id": "b","#], [said; 2]);
    let said = "line 2: not JSON (column 1): expected value";
    in_events_and_bundles([b"<!DOCTYPE html>"; 2], [said; 2]);
}

#[test]
fn a_missing_field_is_named() {
    replaced(r#""sense":"x#1","#, "", ["line 2: missing field `sense`", "line 2: `anchor`: missing field `sense`"]);
    let bundle = bundle("b", "").replacen("positive", "pos", 1);
    let said = ["line 2: missing field `sense`", "line 2: missing field `positive`"];
    in_events_and_bundles([br#"{"event_id":"b"}"#, bundle.as_bytes()], said);
}

#[test]
fn a_wrong_type_is_named() {
    let said = "invalid type: integer `5`, expected a string";
    let fields = [&format!("line 2: `text`: {said}"), &format!("line 2: `anchor.text`: {said}")];
    replaced(r#""a word""#, "5", fields.map(String::as_str));
}

#[test]
fn an_empty_text_is_refused() {
    replaced(r#""a word""#, r#"" ""#, ["line 2: `text`: is empty", "line 2: `anchor.text`: is empty"]);
}

#[test]
fn an_id_that_is_there_twice_is_refused() {
    let again = [event("sound", "x#1", ""), bundle("sound", "")];
    let said =
        ["`event_id`: \"sound\" was already used on line 1", "`bundle_id`: \"sound\" was already used on line 1"];
    in_events_and_bundles([again[0].as_bytes(), again[1].as_bytes()], said);
}

#[test]
fn invalid_utf_8_is_refused() {
    let said = "line 2: invalid UTF-8 at byte 14; save the file as UTF-8";
    in_events_and_bundles([b"{\"event_id\":\"\xff\"}"; 2], [said; 2]);
}

#[test]
fn an_embedding_that_is_not_finite_is_refused() {
    // As Python's json writes it, as other programs do, and beyond an f32.
    for bad in ["NaN", "Infinity", "-Infinity"] {
        replaced("[3,4]", &format!("[3,{bad}]"), ["embedding[1]`: NaN or infinity (column "; 2]);
    }
    for bad in ["null", r#""NaN""#, "1e39"] {
        let said = ["`embedding`: number 2 is not finite", "`anchor.embedding`: number 2 is not finite"];
        replaced("[3,4]", &format!("[3,{bad}]"), said);
    }
}

#[test]
fn embeddings_of_another_length_are_refused() {
    replaced("[3,4]", "[3,4,5]", ["`embedding`: has 3 numbers, but line 1 has 2"; 2]);
}

#[test]
fn an_empty_file_is_refused() {
    for text in ["", "\n \n"] {
        let dir = Dir::new();
        dir.file("in.jsonl", text);
        events_refused(&dir, 3, &["in.jsonl: is empty; expected one event a line (JSON Lines)"]);
        bundles_refused(&dir, 3, &["in.jsonl: is empty; expected one bundle a line (JSON Lines)"]);
    }
}

#[test]
fn a_folder_is_no_file() {
    let dir = Dir::new();
    std::fs::create_dir(dir.path().join("in.jsonl")).expect("creates");
    let parts = ["in.jsonl: it is a folder", "help: name a file inside it"];
    events_refused(&dir, 3, &parts);
    bundles_refused(&dir, 3, &parts);
}

#[test]
fn a_line_of_100_mb_is_refused() {
    let dir = Dir::new();
    let file = std::fs::File::options().append(true).open(dir.file("in.jsonl", "{")).expect("opens");
    file.set_len(100 << 20).expect("grows");
    let said = "in.jsonl: line 1: is 104857600 bytes long; at most 16777216 are read. Is this a JSON Lines file?";
    events_refused(&dir, 3, &[said]);
    bundles_refused(&dir, 3, &[said]);
}

/// Through a pipe, so that the program can be looked at before it sees the end.
#[cfg(target_os = "linux")]
#[test]
fn a_line_of_100_mb_is_never_held() {
    use std::io::Write;
    use std::process::Stdio;
    let dir = Dir::new();
    let mut command = dir.command(&["bundle", "--events", "/dev/stdin", "--output", "b.jsonl"]);
    let mut child =
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    for _ in 0..100 {
        pipe.write_all(&[b'{'; 1 << 20]).expect("is read");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("is running");
    drop(pipe);
    let output = child.wait_with_output().expect("waits");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(3) && said.contains("/dev/stdin: line 1: is 104857600 bytes"), "{said}");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: u64 = peak.expect("a peak").parse().expect("a number");
    assert!(peak < 64 << 10, "{peak} KiB at most");
}

/// A configuration, and other files, that `train` refuses.
#[track_caller]
fn configuration_refused(files: &[(&str, &str)], parts: &[&str]) {
    let dir = Dir::new();
    for (name, text) in files {
        dir.file(name, text);
    }
    dir.file("in.jsonl", &bundle("b", ""));
    refuses(&dir, &mut dir.command(&TRAIN), 2, parts);
}

#[test]
fn configurations_that_extend_each_other_are_refused() {
    let files = [("crucible.yaml", "extends: base.yaml\n"), ("base.yaml", "\nextends: crucible.yaml\n")];
    let chain = "base.yaml:2: `extends`: a cycle: crucible.yaml extends base.yaml extends crucible.yaml";
    configuration_refused(&files, &[chain, "take one `extends` out"]);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let said = "crucible.yaml:2: `training.stepz`: unknown key; did you mean `training.steps`?";
    configuration_refused(&[("crucible.yaml", "training:\n  stepz: 5\n")], &[said]);
}

#[test]
fn tier_probabilities_that_sum_to_0_9_are_refused() {
    let said = "crucible.yaml:2: `curriculum.tier_probabilities`: 0.5 + 0.3 + 0.1 = 0.9; they must sum to 1";
    configuration_refused(&[("crucible.yaml", "curriculum:\n  tier_probabilities: [0.5, 0.3, 0.1]\n")], &[said]);
}

/// A folder that another user may use, and the program as that user runs it. Root may read everything, so as root
/// the program runs as nobody, from a copy that nobody can reach.
#[cfg(unix)]
mod permissions {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    /// Of `nobody`, most often.
    const OTHER: u32 = 65534;

    struct Other {
        dir: Dir,
        copy: Option<Dir>,
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("sets");
    }

    impl Other {
        /// None, and a word about it, where the program can't be run as another user.
        #[expect(clippy::print_stdout, reason = "a skipped test says so")]
        fn new() -> Option<Self> {
            let dir = Dir::new();
            let mut this = Self { dir, copy: None };
            if std::fs::metadata(this.dir.path()).expect("is there").uid() != 0 {
                return Some(this);
            }
            let copy = Dir::new();
            // In a process of its own: a file that is open for writing when another test forks can't be run.
            let cp = Command::new("cp").arg(env!("CARGO_BIN_EXE_crucible")).arg(copy.path().join("crucible")).status();
            assert!(cp.expect("cp starts").success());
            for path in [copy.path(), &copy.path().join("crucible"), this.dir.path()] {
                set_mode(path, 0o755);
            }
            this.copy = Some(copy);
            match this.command(&["--version"]).output() {
                Ok(output) if output.status.success() => Some(this),
                other => {
                    println!("skipped: can't run as another user: {other:?}");
                    None
                }
            }
        }

        fn command(&self, args: &[&str]) -> Command {
            let Some(copy) = &self.copy else { return self.dir.command(args) };
            let mut command = Command::new(copy.path().join("crucible"));
            command.args(args).current_dir(self.dir.path()).env_clear().uid(OTHER).gid(OTHER);
            command
        }

        /// A command that is refused for want of permission.
        #[track_caller]
        fn refused(&self, args: &[&str], parts: &[&str]) {
            refuses(&self.dir, &mut self.command(args), 1, parts);
        }
    }

    #[test]
    fn a_file_that_may_not_be_read_is_named() {
        let Some(other) = Other::new() else { return };
        // All but the input could be written and read.
        set_mode(other.dir.path(), 0o777);
        let input = other.dir.file("in.jsonl", "");
        std::fs::write(other.dir.path().join("m"), checkpoint(1)).expect("writes");
        set_mode(&input, 0o000);
        for args in [&BUNDLE[..], &TRAIN, &EVAL] {
            other.refused(args, &["in.jsonl: permission denied", "help: ask its owner for permission to read it"]);
        }
    }

    #[test]
    fn a_folder_that_may_not_be_written_is_named() {
        let Some(other) = Other::new() else { return };
        std::fs::write(other.dir.path().join("m"), checkpoint(1)).expect("writes");
        other.dir.file("events.jsonl", &sound_events());
        other.dir.file("in.jsonl", &bundle("b", ""));
        std::fs::create_dir(other.dir.path().join("new")).expect("creates");
        set_mode(&other.dir.path().join("new"), 0o555);
        let advice = "help: choose a folder that you may write to, or change its permissions";
        let bundle = ["bundle", "--events", "events.jsonl", "--output", "new/b.jsonl"];
        let train = ["train", "--bundles", "in.jsonl", "--output-dir", "new"];
        let embed = ["embed", "--checkpoint", "m", "--events", "events.jsonl", "--output", "new/v.npy"];
        for (args, part) in [
            (&bundle[..], "cannot write new/b.jsonl: permission denied"),
            (&train, "/new/.lock: permission denied"),
            (&TRAIN, "/new/run: permission denied"),
            (&EVAL, "cannot write new/s.json: permission denied"),
            (&embed, "cannot write new/v.npy: permission denied"),
        ] {
            other.refused(args, &[part, advice]);
        }
    }
}

/// Disks of a few pages: a tmpfs in the test's folder, which root may mount.
#[cfg(target_os = "linux")]
mod full_disk {
    use super::*;
    use crate::eval;

    /// `disk` in the folder.
    struct Disk(Dir);

    impl Disk {
        /// `bytes` are rounded up to pages. None, and a word about it, where nothing can be mounted.
        #[expect(clippy::print_stdout, reason = "a skipped test says so")]
        fn new(dir: Dir, bytes: usize) -> Option<Self> {
            let disk = dir.path().join("disk");
            std::fs::create_dir(&disk).expect("creates");
            let size = format!("size={bytes}");
            let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&disk).output();
            if mounted.as_ref().is_ok_and(|output| output.status.success()) {
                return Some(Self(dir));
            }
            let required = std::env::var_os("CRUCIBLE_REQUIRE_TMPFS").is_some();
            assert!(!required, "CRUCIBLE_REQUIRE_TMPFS is set, but nothing can be mounted: {mounted:?}");
            println!("skipped: can't mount a small disk: {mounted:?}");
            None
        }

        /// The command fails for want of space on `file`, and says what helps.
        #[track_caller]
        fn refuses(&self, args: &[&str], file: &str) {
            refuses(&self.0, &mut self.0.command(args), 1, &[&said(file), ADVICE]);
        }

        /// As above for a training that writes to `disk/run`, which is left with whole files of these names.
        #[track_caller]
        fn stops_training(&self, more: &[&str], file: &str, left: &[&str]) {
            let train = ["train", "--bundles", "bundles.jsonl", "--output-dir", "disk/run", "--quiet"];
            let ran = self.0.run(&[&train[..], more].concat());
            for part in [&said(file), ADVICE] {
                assert!(ran.failed(1).contains(part), "{part:?} is not said: {ran:#?}");
            }
            let run = self.0.path().join("disk/run");
            let names: Vec<_> = snapshot(&run).into_keys().collect();
            assert_eq!(names, left.iter().map(|name| run.join(name)).collect::<Vec<_>>());
            for name in left.iter().filter(|name| name.ends_with(".jsonl")) {
                let text = self.0.read(&format!("disk/run/{name}"));
                assert!(text.is_empty() || text.ends_with('\n'), "{name}: half a line");
                text.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).expect(name)));
            }
            let log = self.0.read("disk/run/train.log");
            assert!(log.ends_with('\n'), "half a line: {log}");
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            // Lazily: a disk that is still in use goes when it no longer is.
            let _ = Command::new("umount").arg("-l").arg(self.0.path().join("disk")).status();
        }
    }

    const ADVICE: &str = "help: free some space or write to another disk; nothing was left half written";

    fn said(file: &str) -> String {
        format!("disk/{file}: no space left on device")
    }

    /// A folder with a model, events and bundles.
    fn prepared() -> Dir {
        let dir = Dir::new();
        std::fs::write(dir.path().join("m"), checkpoint(1)).expect("writes");
        dir.file("events.jsonl", &eval::events(0, 100).join("\n"));
        dir.file("bundles.jsonl", &eval::bundles());
        dir
    }

    #[test]
    fn bundles_that_do_not_fit_leave_the_old_ones() {
        let Some(disk) = Disk::new(prepared(), 16 << 10) else { return };
        disk.0.file("disk/b.jsonl", "old");
        disk.refuses(&["bundle", "--events", "events.jsonl", "--output", "disk/b.jsonl", "--force"], "b.jsonl");
    }

    #[test]
    fn vectors_that_do_not_fit_leave_no_ids() {
        let dir = prepared();
        let args = |output| ["embed", "--checkpoint", "m", "--events", "events.jsonl", "--output", output];
        dir.run(&args("v.npy")).ok();
        let size = dir.read("v_ids.jsonl").len();
        let Some(disk) = Disk::new(dir, size) else { return };
        disk.refuses(&args("disk/v.npy"), "v.npy");
    }

    #[test]
    fn a_scoreboard_that_does_not_fit_leaves_no_items() {
        let dir = prepared();
        let args = |output| ["eval", "--checkpoint", "m", "--eval-set", "bundles.jsonl", "--output", output];
        dir.run(&args("s.json")).ok();
        let size = dir.read("s_items.jsonl").len();
        let Some(disk) = Disk::new(dir, size) else { return };
        disk.refuses(&args("disk/s.json"), "s.json");
    }

    /// What a run writes first.
    const BEGUN: [&str; 4] = ["config.yaml", "guardrails_before.json", "metrics.jsonl", "train.log"];

    const WIDE: [&str; 4] = ["--model.embedding_dim", "128", "--model.hidden_dim", "128"];

    #[test]
    fn a_training_that_can_not_save_leaves_no_half_state() {
        let Some(disk) = Disk::new(prepared(), 64 << 10) else { return };
        let args = [&WIDE[..], &["--training.steps", "200", "--experiment.checkpoint_every", "50"]].concat();
        disk.stops_training(&args, "run/resume_state.safetensors", &BEGUN);
    }

    #[test]
    fn a_training_whose_result_does_not_fit_leaves_no_half_checkpoint() {
        let Some(disk) = Disk::new(prepared(), 64 << 10) else { return };
        let args = [&WIDE[..], &["--training.steps", "20", "--training.warmup_steps", "0"]].concat();
        let left = [
            "config.yaml",
            "exposures.json",
            "exposures.jsonl",
            "guardrails.json",
            BEGUN[1],
            "metrics.jsonl",
            "train.log",
        ];
        disk.stops_training(&args, "run/checkpoint_final.safetensors", &left);
    }

    #[test]
    fn a_training_that_can_not_log_leaves_whole_lines() {
        // One page for each of the four files; the second one of the metrics is not there.
        let Some(disk) = Disk::new(prepared(), 4 << 12) else { return };
        let args = ["--training.steps", "200", "--experiment.log_every", "1"];
        disk.stops_training(&args, "run/metrics.jsonl", &BEGUN);
    }
}
