//! `crucible serve`, as long as a test needs it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crucible"))
            .args(["serve", "--json", "--quiet"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut said = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        while !said.ends_with("}\n") {
            assert!(output.read_line(&mut said).expect("it says something") > 0, "it ended early: {said}");
        }
        let said: serde_json::Value = serde_json::from_str(&said).expect("it says where it is, as JSON");
        let url = said["url"].as_str().expect("an address").to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
