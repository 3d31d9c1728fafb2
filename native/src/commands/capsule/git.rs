//! The state of a folder's git repository, as `git` tells it.

use crucible_core::capsule::Git;
use std::path::Path;
use std::process::{Command, Stdio};

/// Commit and whether tracked files differ from it; none without git, outside a repository, or before its first commit.
pub(super) fn state(folder: &Path) -> Option<Git> {
    let commit = git(folder, &["rev-parse", "--verify", "--quiet", "HEAD"])?.trim().to_owned();
    let known = matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    let changes = git(folder, &["status", "--porcelain", "--untracked-files=no"])?;
    known.then(|| Git { commit, dirty: !changes.trim().is_empty() })
}

fn git(folder: &Path, args: &[&str]) -> Option<String> {
    // Nothing is written, and no program of the repository's choice is started, for a look at it.
    let output = Command::new("git")
        .args(["-c", "core.fsmonitor=false"])
        .args(args)
        .current_dir(folder)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}
