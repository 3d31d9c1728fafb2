//! Which files of a folder a server is given.

use crucible_core::data::hex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// Those of every run.
const NAMES: [&str; 5] =
    ["config.yaml", "guardrails.json", crate::guards::BEFORE, "exposures.json", "pareto_analysis.json"];
/// Scoreboards; and reports and capsules that lie there.
const ENDS: [&str; 3] = ["_scoreboard.json", ".html", ".capsule.tar.zst"];
/// A larger file is not sent.
const MAX_BYTES: u64 = 2 << 30;
/// Files of one folder, at most.
const MAX_FILES: usize = 1000;

/// Their names, in order: those in the folder, and scoreboards of steps on the way (`step_500/frozen_scoreboard.json`).
pub(super) fn in_folder(dir: &Path) -> Vec<String> {
    let names = |dir: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !name.starts_with('.')).collect()
    };
    let mut found = Vec::new();
    for name in names(dir) {
        if name.strip_prefix("step_").is_some_and(|n| n.parse::<u64>().is_ok()) {
            let boards = names(&dir.join(&name)).into_iter().filter(|n| n.ends_with(ENDS[0]));
            found.extend(boards.map(|board| format!("{name}/{board}")));
        } else if NAMES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end)) {
            found.push(name);
        }
    }
    found.sort();
    found.truncate(MAX_FILES);
    found
}

/// A file and its SHA-256; none where it can't be read. A link leads elsewhere: it is not followed.
pub(super) fn open(dir: &Path, name: &str) -> Option<(File, String)> {
    let path = dir.join(name);
    let meta = std::fs::symlink_metadata(&path).ok()?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return None;
    }
    let mut file = File::open(&path).ok()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    file.rewind().ok()?;
    Some((file, hex(&hash.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_sent_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let all = [
            "config.yaml",
            "train.log",
            "frozen_scoreboard.json",
            "step_5/organic_scoreboard.json",
            "step_x/a_scoreboard.json",
            "x.html",
            ".x.html.abc.tmp",
            "r.capsule.tar.zst",
            "secret.key",
            "tracking.json",
            "step_5/config.yaml",
        ];
        for name in all {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
            std::fs::write(path, name).expect("writes");
        }
        let expected =
            ["config.yaml", "frozen_scoreboard.json", "r.capsule.tar.zst", "step_5/organic_scoreboard.json", "x.html"];
        assert_eq!(in_folder(dir.path()), expected);
        assert_eq!(in_folder(&dir.path().join("none")), [""; 0]);
        // printf config.yaml | sha256sum
        let (_, hash) = open(dir.path(), "config.yaml").expect("opens");
        assert_eq!(&hash[..8], "d8d04223", "{hash}");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/hostname", dir.path().join("y.html")).expect("links");
            assert!(open(dir.path(), "y.html").is_none());
        }
    }
}
