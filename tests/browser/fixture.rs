//! What the command leaves for the page: models that it trained, an eval set of 1,000 bundles, scoreboards of all.

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Bundles of the eval set.
pub(crate) const BUNDLES: usize = 1000;
/// A text that would run if it were taken for markup.
pub(crate) const HOSTILE: &str = "<img src=x onerror=alert(1)></script>";

/// Name, training steps, and layers of the head.
const MODELS: [(&str, &str, &str); 3] = [("baseline", "150", "1"), ("candidate", "400", "1"), ("headless", "400", "0")];

/// Files of one folder.
pub(crate) struct Fixture {
    pub(crate) folder: PathBuf,
}

impl Fixture {
    /// Made once for all tests of a run.
    pub(crate) fn get() -> &'static Self {
        static FIXTURE: OnceLock<Fixture> = OnceLock::new();
        FIXTURE.get_or_init(Self::make)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).expect("the test's folder can be written");
        self.path(name)
    }

    fn make() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("the test's folder can be made");
        let this = Self { folder };
        this.crucible(&["init", "project", "--sample-data"]);
        this.crucible(&["bundle", "--events", "project/data/events.jsonl", "--output", "all.jsonl"]);
        for (name, steps, layers) in MODELS {
            let args = ["train", "--bundles", "all.jsonl", "--output-dir", name, "--steps", steps];
            this.crucible(&[&args[..], &["--model.num_layers", layers]].concat());
            let checkpoint = this.path(name).join("checkpoint_final.safetensors");
            std::fs::copy(checkpoint, this.path(&format!("{name}.safetensors"))).expect("copies");
        }
        this.file("eval.jsonl", this.eval_set().as_bytes());
        for (name, ..) in MODELS {
            let (checkpoint, board) = (format!("{name}.safetensors"), format!("{name}.json"));
            this.crucible(&["eval", "--checkpoint", &checkpoint, "--eval-set", "eval.jsonl", "--output", &board]);
        }
        this
    }

    /// Runs the command in the folder.
    pub(crate) fn crucible(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crucible"));
        command.args(args).current_dir(&self.folder);
        for name in ["CRUCIBLE_CONFIG", "CRUCIBLE_DEVICE"] {
            command.env_remove(name);
        }
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// Bundles of all tiers, one of them with texts that would run.
    fn eval_set(&self) -> String {
        let all = std::fs::read_to_string(self.path("all.jsonl")).expect("was written");
        let lines: Vec<&str> = all.lines().collect();
        assert!(lines.len() > 2 * BUNDLES, "{} bundles", lines.len());
        let mut chosen = String::new();
        for i in 0..BUNDLES - 1 {
            let _ = writeln!(chosen, "{}", lines[i * lines.len() / BUNDLES]);
        }
        let event = |id: &str, sense: &str| json!({"event_id": id, "sense": sense, "text": format!("{HOSTILE} {id}")});
        let bundle: Value = json!({
            "bundle_id": HOSTILE,
            "anchor": event("a", "<b>sense</b>"),
            "positive": event("p", "<b>sense</b>"),
            "negatives": [event("n", "other")],
            "metadata": {"tier": "tier3_adversarial"},
        });
        let _ = writeln!(chosen, "{bundle}");
        chosen
    }
}
