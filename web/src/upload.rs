//! What a file is, by its content, and whether the page can use it.

use crate::failure::{Failure, sentence};
use crucible_core::data::kind;
pub use crucible_core::data::kind::Kind;

/// Where a file was dropped: what its visitor takes it for. A file of another kind is taken all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Anywhere on the page: its content says where it belongs.
    Any,
    /// The checkpoint's place.
    Checkpoint,
    /// The eval sets' place.
    EvalSet,
    /// The baseline's place.
    Baseline,
}

impl Slot {
    /// By the name that the page uses; what is no name is [`Slot::Any`].
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "checkpoint" => Self::Checkpoint,
            "eval_set" => Self::EvalSet,
            "baseline" => Self::Baseline,
            _ => Self::Any,
        }
    }

    fn wants(self) -> &'static str {
        match self {
            Self::Any => "a checkpoint, an eval set or a baseline",
            Self::Checkpoint => "a checkpoint (checkpoint_final.safetensors)",
            Self::EvalSet => "an eval set (a .jsonl file of bundles)",
            Self::Baseline => "a scoreboard that `crucible eval` wrote, or its items",
        }
    }
}

/// What a kind is called on the page.
fn is(kind: Kind) -> &'static str {
    match kind {
        Kind::Bundles => "an eval set (bundles)",
        other => other.words(),
    }
}

fn is_usable(kind: Kind) -> bool {
    // Tensors of other programs are told apart by their reader.
    matches!(kind, Kind::Checkpoint | Kind::Safetensors | Kind::Bundles | Kind::Scoreboard | Kind::Items)
}

const MIB: u64 = 1 << 20;

/// Refuses a file by its size, before it is read: in the page's memory it stands twice.
///
/// # Errors
/// It is empty or too large.
pub fn check_size(name: &str, bytes: u64) -> Result<(), Failure> {
    let most = if name.to_ascii_lowercase().ends_with(".safetensors") { 1024 * MIB } else { 512 * MIB };
    if bytes == 0 {
        let advice = "Was it still being written? Copy it again.";
        return Err(Failure::new("empty", format!("{name} is empty"), "It holds no bytes.", advice));
    }
    if bytes > most {
        let what = format!("It has {} MiB; a page takes at most {}. Nothing of it was read.", bytes / MIB, most / MIB);
        let advice = "Use the command line, which has room for it: `crucible eval`.";
        return Err(Failure::new("too_large", format!("{name} is too large"), what, advice));
    }
    Ok(())
}

/// What `bytes` (unpacked) are: by their content, and by the name where that says nothing.
#[must_use]
pub fn kind(name: &str, bytes: &[u8]) -> Kind {
    let name = name.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    match kind::of(bytes) {
        Kind::Binary if ends(&[".safetensors"]) => Kind::Checkpoint,
        Kind::Binary | Kind::Zip if ends(&[".pt", ".pth", ".bin", ".ckpt", ".pkl"]) => Kind::Pickle,
        // Their reader names the lines that are damaged.
        Kind::Text if ends(&[".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst"]) => Kind::Bundles,
        other => other,
    }
}

/// Refuses a file of a kind that the page can't use.
///
/// # Errors
/// It can't.
pub fn check_kind(name: &str, kind: Kind, slot: Slot) -> Result<(), Failure> {
    if is_usable(kind) {
        return Ok(());
    }
    let what = format!("It is {}; expected here: {}.", is(kind), slot.wants());
    let advice = match kind {
        Kind::Events => "An eval set holds bundles: `crucible bundle --events FILE` makes them of events.".to_owned(),
        Kind::Pickle | Kind::Npy | Kind::Npz | Kind::Gguf | Kind::Hdf5 => {
            "What is read here is what `crucible train` writes: checkpoint_final.safetensors.".to_owned()
        }
        other => sentence(other.advice().unwrap_or("check that this is the file you meant")),
    };
    let title = match slot {
        Slot::Any => format!("{name} can't be used here"),
        Slot::Checkpoint => format!("{name} is no checkpoint"),
        Slot::EvalSet => format!("{name} is no eval set"),
        Slot::Baseline => format!("{name} is no baseline"),
    };
    Err(Failure::new("wrong_kind", title, what, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_decides_where_content_says_nothing() {
        let cases: [(&str, &[u8], Kind); 10] = [
            ("renamed.jsonl", b"\x10\0\0\0\0\0\0\0{\"a\":{}}", Kind::Safetensors),
            ("m.safetensors", b"\x10\0\0\0", Kind::Checkpoint),
            ("m.safetensors", b"<!doctype html><html>", Kind::Html),
            ("m.safetensors", b"version https://git-lfs.github.com/spec/v1\n", Kind::LfsPointer),
            ("model.bin", b"PK\x03\x04....", Kind::Pickle),
            ("v.npy", b"\x93NUMPY\x01\0", Kind::Npy),
            ("e.jsonl", b"not JSON at all\n", Kind::Bundles),
            ("e.txt", b"{\"bundle_id\":", Kind::Bundles),
            ("c.json", b"{\"verdict\":\"PASS\"}", Kind::JsonLines),
            ("notes.txt", b"hello", Kind::Text),
        ];
        for (name, bytes, wanted) in cases {
            assert_eq!(kind(name, bytes), wanted, "{name}: {:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn the_place_is_a_hint_and_the_kind_decides() {
        let failure = check_kind("e.jsonl", Kind::Events, Slot::EvalSet).expect_err("events");
        assert!(failure.title.contains("no eval set") && failure.what.contains("events"), "{failure:?}");
        let failure = check_kind("x", Kind::LfsPointer, Slot::Checkpoint).expect_err("a pointer");
        assert!(failure.what.contains("Git LFS") && failure.advice.contains("git lfs pull"), "{failure:?}");
        for slot in [Slot::Any, Slot::Checkpoint, Slot::EvalSet, Slot::Baseline] {
            for kind in [Kind::Checkpoint, Kind::Safetensors, Kind::Bundles, Kind::Scoreboard, Kind::Items] {
                assert_eq!(check_kind("x", kind, slot), Ok(()));
            }
            let refused =
                [Kind::Events, Kind::Adapter, Kind::Pickle, Kind::Html, Kind::JsonLines, Kind::Text, Kind::Binary];
            for kind in refused {
                assert!(check_kind("x", kind, slot).is_err(), "{kind:?} in {slot:?}");
            }
        }
    }

    #[test]
    fn sizes_are_refused_unread() {
        assert_eq!(check_size("m.safetensors", 3 << 30).expect_err("3 GiB").code, "too_large");
        assert_eq!(check_size("m.safetensors", 0).expect_err("nothing").code, "empty");
        assert_eq!(check_size("e.jsonl", 600 * MIB).expect_err("600 MiB").code, "too_large");
        assert_eq!(check_size("m.safetensors", 600 * MIB), Ok(()));
    }
}
