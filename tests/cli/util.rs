//! A folder for each test, and a builder of commands that run in it.

use crucible_core::rng::Stream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// A test's own folder; it is removed in the end.
pub(crate) struct Dir(tempfile::TempDir);

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        std::fs::write(&path, text).expect("writes");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The program in this folder, with nothing of the outer environment that it would take for settings.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crucible"));
        command.args(args).current_dir(self.path());
        for name in ["CRUCIBLE_CONFIG", "CRUCIBLE_DEVICE", "CRUCIBLE_CACHE_DIR", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(&mut self.command(args))
    }
}

/// What draws the moments of kills: of `CRUCIBLE_KILL_SEED`, else of the clock. Its seed is printed, and comes second.
#[expect(clippy::print_stdout, reason = "a seed is of use only when it is known")]
pub(crate) fn kill_moments(purpose: &str) -> (Stream, u64) {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
    let seed = std::env::var("CRUCIBLE_KILL_SEED").map_or_else(|_| clock(), |seed| seed.parse().expect("a number"));
    println!("CRUCIBLE_KILL_SEED={seed} draws these moments again");
    (Stream::new(seed, purpose, 0), seed)
}

/// A Python with these modules; nothing, with a line that says so, where there is none.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn python_with(modules: &str) -> Option<String> {
    let python = std::env::var("CRUCIBLE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    if has.is_ok_and(|ran| ran.status.success()) {
        return Some(python);
    }
    println!("skipped: {python} has no {modules}; CRUCIBLE_PYTHON names another Python");
    None
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Ran {
    /// The output of a run that went well.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self:#?}");
        &self.stdout
    }

    /// The message of a run that ended with `code`; it has printed no result.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:#?}");
        assert_eq!(self.stdout, "", "a failed run prints no result");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        &self.stderr
    }

    /// The output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.ok()).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}
