//! The commands of `docs/QUICKSTART.md`, run one after the other as a shell would.

use super::links::root;
use crate::util::{Dir, finish};

/// Fenced blocks of commands, each with the exit status that its fence expects.
fn blocks(text: &str) -> Vec<(i32, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(i32, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(fence), None) if fence.starts_with("sh") => {
                let code = fence.split_once("expect=").map_or(0, |(_, code)| code.trim().parse().expect("a status"));
                open = Some((code, String::new()));
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, commands))) => *commands += &format!("{line}\n"),
            _ => {}
        }
    }
    blocks
}

#[test]
fn its_commands_do_what_it_says() {
    let text = std::fs::read_to_string(root().join("docs/QUICKSTART.md")).expect("docs/QUICKSTART.md");
    let blocks = blocks(&text);
    assert!(blocks.len() >= 6, "{blocks:?}");
    let dir = Dir::new();
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_crucible")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    // `cd` holds from block to block.
    let mut inside = dir.path().to_owned();
    for (code, commands) in blocks {
        for command in commands.lines() {
            if let Some(to) = command.strip_prefix("cd ") {
                inside.push(to);
                continue;
            }
            let mut shell = std::process::Command::new("sh");
            shell.args(["-ec", command]).current_dir(&inside).env("PATH", &path).env_remove("CRUCIBLE_CONFIG");
            let ran = finish(&mut shell);
            assert_eq!(ran.code, code, "{command}\n{}\n{}", ran.stdout, ran.stderr);
        }
    }
}
