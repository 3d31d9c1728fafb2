//! Names inside a capsule: such as every system takes for the same plain file below a folder.

use super::Refusal;

/// Bytes of a name with its folder: what the oldest form of tar holds without extensions.
pub const MAX_NAME_BYTES: usize = 100;
/// Folders in a name, with the file.
const MAX_PARTS: usize = 4;
/// Characters of names besides ASCII letters and digits.
const OTHERS: &[u8] = b"._-+=@";
/// Names that Windows keeps for devices, whatever follows a point.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A name for messages: quoted, with everything odd escaped, and never long.
pub(super) fn escaped(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let cut: String = text.chars().take(2 * MAX_NAME_BYTES).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}

/// Checks a name; gives it back as text.
pub(super) fn check(name: &[u8]) -> Result<&str, Refusal> {
    let shown = || escaped(name);
    if name.starts_with(b"/") || name.starts_with(b"\\") || (name.len() > 1 && name[1] == b':') {
        return Err(Refusal::Absolute { name: shown() });
    }
    if name.split(|b| matches!(b, b'/' | b'\\')).any(|part| part == b"..") {
        return Err(Refusal::Parent { name: shown() });
    }
    let refused = |reason| Refusal::Name { name: shown(), reason };
    if name.len() > MAX_NAME_BYTES {
        return Err(refused("it has more than 100 bytes"));
    }
    let text = std::str::from_utf8(name).map_err(|_| refused("it is not ASCII"))?;
    if text.split('/').count() > MAX_PARTS {
        return Err(refused("it has more than four parts"));
    }
    text.split('/').try_for_each(|part| part_fault(part).map_or(Ok(()), |reason| Err(refused(reason)))).map(|()| text)
}

fn part_fault(part: &str) -> Option<&'static str> {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
    if part.is_empty() {
        Some("a part of it is empty")
    } else if !part.bytes().all(|b| b.is_ascii_alphanumeric() || OTHERS.contains(&b)) {
        Some("only ASCII letters, digits and ._-+=@ are")
    } else if !part.as_bytes()[0].is_ascii_alphanumeric() && part.as_bytes()[0] != b'_' {
        Some("a part of it begins with a mark")
    } else if part.ends_with('.') {
        Some("a part of it ends with a point")
    } else if DEVICES.contains(&stem.as_str()) {
        Some("Windows keeps it for a device")
    } else {
        None
    }
}

/// A file's own name as it may stand in a capsule: what is not allowed becomes `_`.
#[must_use]
pub fn plain_name(name: &str) -> String {
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || (c.is_ascii() && OTHERS.contains(&(c as u8))) { c } else { '_' };
    let text: String = name.chars().map(plain).collect();
    // The end matters more than the start: it says how the file is packed.
    let text = &text[text.len().saturating_sub(MAX_NAME_BYTES - 20)..];
    match part_fault(text) {
        None => text.to_owned(),
        Some(_) => format!("_{}", text.trim_end_matches('.')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass() {
        for name in ["config.yaml", "eval/frozen-2.jsonl.zst", "_x", "a/b/c/d", "R75_15_10", &"x".repeat(100)] {
            assert_eq!(check(name.as_bytes()), Ok(name));
        }
    }

    #[test]
    fn odd_names_are_refused_with_their_own_words() {
        let words = |name: &[u8]| check(name).expect_err("refused").to_string();
        for name in [&b"/etc/passwd"[..], b"C:/x", b"c:x", b"\\\\host\\x", b"\\x"] {
            assert!(words(name).contains("absolute path"), "{}", words(name));
        }
        for name in [&b"../x"[..], b"a/../../x", b"..", b"a\\..\\x"] {
            assert!(words(name).contains("`..`"), "{}", words(name));
        }
        for (name, part) in [
            (&b""[..], "empty"),
            (b"a//b", "empty"),
            (b"a/", "empty"),
            (b"./a", "begins with a mark"),
            (b".hidden", "begins with a mark"),
            (b"-rf", "begins with a mark"),
            (b"a b", "only ASCII letters"),
            (b"a\nb", "only ASCII letters"),
            (b"a\x1b[2Jb", "only ASCII letters"),
            (b"a\\b", "only ASCII letters"),
            (b"ab:c", "only ASCII letters"),
            ("ä".as_bytes(), "only ASCII letters"),
            (b"\xff", "not ASCII"),
            (b"a.", "ends with a point"),
            (b"NUL", "Windows"),
            (b"x/com1.txt", "Windows"),
            (b"a/b/c/d/e", "four parts"),
        ] {
            assert!(words(name).contains(part), "{name:?}: {}", words(name));
            assert!(!words(name).chars().any(char::is_control), "{name:?} is escaped");
        }
        assert!(words(&[b'x'; 101]).contains("100 bytes"));
        assert!(words(&[b'y'; 100_000]).len() < 400, "long names are cut");
    }

    #[test]
    fn made_plain_every_name_passes() {
        for name in ["my evals (2).jsonl.gz", "ä.jsonl", ".hidden", "NUL", "a.", "-rf", "…", "", &"é".repeat(300)] {
            let plain = plain_name(name);
            assert!(check(format!("bundles/{plain}").as_bytes()).is_ok(), "{name}: {plain}");
        }
        assert_eq!(plain_name("frozen.jsonl.zst"), "frozen.jsonl.zst");
        assert!(plain_name(&("x".repeat(300) + ".jsonl.gz")).ends_with("x.jsonl.gz"));
    }
}
