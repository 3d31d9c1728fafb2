//! The same with real servers: `tests/reference/tracking.py`, where there is a Python for it.

use crate::sweep::prepared;
use std::process::Command;

#[expect(clippy::print_stdout, reason = "a test that did nothing says so")]
#[test]
fn mlflow_and_tensorboard_read_what_is_written() {
    let Ok(python) = std::env::var("CRUCIBLE_TRACKING_PYTHON") else {
        println!("skipped: CRUCIBLE_TRACKING_PYTHON names no Python with mlflow and tensorboard");
        return;
    };
    let dir = prepared();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/reference/tracking.py");
    let mut command = Command::new(python);
    command.args([script, env!("CARGO_BIN_EXE_crucible")]).current_dir(dir.path());
    let ran = crate::util::finish(&mut command);
    assert!(ran.ok().contains("all is there"), "{ran:?}");
}
