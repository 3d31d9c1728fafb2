//! What a file is, by its content, and whether the page can use it.

use crate::failure::Failure;
use serde_json::Value;

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

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Safetensors.
    Checkpoint,
    /// Bundles, as JSON Lines.
    Bundles,
    /// Events, as JSON Lines.
    Events,
    /// A scoreboard.
    Scoreboard,
    /// Items beside a scoreboard, as JSON Lines.
    Items,
    /// A model of another program.
    OtherModel,
    /// HTML or XML.
    WebPage,
    /// JSON of another kind.
    OtherJson,
    /// Text.
    Text,
    /// Nothing that is known.
    Unknown,
}

impl Kind {
    fn is(self) -> &'static str {
        match self {
            Self::Checkpoint => "a checkpoint",
            Self::Bundles => "an eval set (bundles)",
            Self::Events => "a file of events",
            Self::Scoreboard => "a scoreboard",
            Self::Items => "a file of items",
            Self::OtherModel => "a model of another program",
            Self::WebPage => "a web page (HTML or XML)",
            Self::OtherJson => "JSON of another kind",
            Self::Text => "text",
            Self::Unknown => "none of the kinds that are known here",
        }
    }

    fn is_usable(self) -> bool {
        matches!(self, Self::Checkpoint | Self::Bundles | Self::Scoreboard | Self::Items)
    }
}

/// Bytes at the front that are looked at.
const HEAD: usize = 1 << 16;
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

/// What `bytes` (unpacked) are.
#[must_use]
pub fn kind(name: &str, bytes: &[u8]) -> Kind {
    let name = name.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let head = &bytes[..bytes.len().min(HEAD)];
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    // Zip archives (PyTorch, .npz), pickles, NumPy, GGUF, HDF5.
    let magic: [&[u8]; 5] = [b"PK\x03\x04", b"\x80\x02", b"\x93NUMPY", b"GGUF", b"\x89HDF"];
    if head.get(8) == Some(&b'{') && !is_text(&head[..8]) {
        return Kind::Checkpoint;
    }
    if magic.iter().any(|magic| head.starts_with(magic)) {
        return Kind::OtherModel;
    }
    if !is_text(start) {
        return match () {
            () if ends(&[".safetensors"]) => Kind::Checkpoint,
            () if ends(&[".pt", ".pth", ".bin", ".ckpt", ".pkl", ".onnx"]) => Kind::OtherModel,
            () => Kind::Unknown,
        };
    }
    if start.starts_with(b"<") {
        return Kind::WebPage;
    }
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match serde_json::from_slice::<Value>(first).or_else(|_| serde_json::from_slice(bytes)) {
        Ok(value) => kind_of_json(&value),
        Err(_) if ends(&[".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst"]) || start.starts_with(b"{") => Kind::Bundles,
        Err(_) => Kind::Text,
    }
}

fn kind_of_json(value: &Value) -> Kind {
    let has = |key: &str| value.get(key).is_some();
    match () {
        () if has("eval_header") => Kind::Scoreboard,
        () if has("margin") && has("winning_negative") => Kind::Items,
        () if has("event_id") && !has("anchor") => Kind::Events,
        () if has("anchor") || has("negatives") || has("bundle_id") || has("anchor_text") || has("_header") => {
            Kind::Bundles
        }
        () => Kind::OtherJson,
    }
}

/// Text as far as it was looked at: no control characters but those of lines.
fn is_text(head: &[u8]) -> bool {
    head.iter().take(512).all(|byte| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// Refuses a file of a kind that the page can't use.
///
/// # Errors
/// It can't.
pub fn check_kind(name: &str, kind: Kind, slot: Slot) -> Result<(), Failure> {
    if kind.is_usable() {
        return Ok(());
    }
    let what = format!("It is {}; expected here: {}.", kind.is(), slot.wants());
    let advice = match kind {
        Kind::Events => "An eval set holds bundles: `crucible bundle --events FILE` makes them of events.",
        Kind::OtherModel => "What is read here is what `crucible train` writes: checkpoint_final.safetensors.",
        Kind::WebPage => "Were the link and the download right? Often a sign-in page is saved in place of the file.",
        _ => "Check that this is the file you meant.",
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
    fn files_are_known_by_their_content() {
        let cases: [(&str, &[u8], Kind); 16] = [
            ("m.safetensors", b"\x10\0\0\0\0\0\0\0{\"a\":{}}", Kind::Checkpoint),
            ("renamed.jsonl", b"\x10\0\0\0\0\0\0\0{\"a\":{}}", Kind::Checkpoint),
            ("m.safetensors", b"\x10\0\0\0", Kind::Checkpoint),
            ("m.safetensors", b"<!doctype html><html>", Kind::WebPage),
            ("m.safetensors", b"\n  <?xml version='1.0'?>", Kind::WebPage),
            ("model.bin", b"PK\x03\x04....", Kind::OtherModel),
            ("v.npy", b"\x93NUMPY\x01\0", Kind::OtherModel),
            ("e.jsonl", b"{\"bundle_id\":\"1\",\"anchor\":{}}\n{", Kind::Bundles),
            ("e.jsonl", b"{\"_header\":true}\n{\"anchor_text\":\"x\"}\n", Kind::Bundles),
            ("e.jsonl", b"not json at all\n", Kind::Bundles),
            ("e.txt", b"{\"bundle_id\":", Kind::Bundles),
            ("e.jsonl", b"{\"event_id\":\"1\",\"sense\":\"a\",\"text\":\"t\"}\n", Kind::Events),
            ("f.json", b"{\n  \"eval_header\": {},\n  \"checkpoint\": {}\n}\n", Kind::Scoreboard),
            ("i.jsonl", b"{\"bundle_id\":\"1\",\"margin\":0.1,\"winning_negative\":\"x\"}\n", Kind::Items),
            ("c.json", b"{\"verdict\":\"PASS\"}", Kind::OtherJson),
            ("notes.txt", b"hello", Kind::Text),
        ];
        for (name, bytes, wanted) in cases {
            assert_eq!(kind(name, bytes), wanted, "{name}: {:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn the_place_is_a_hint_and_the_kind_decides() {
        let failure = check_kind("e.jsonl", Kind::Events, Slot::EvalSet).expect_err("events");
        assert!(failure.title.contains("no eval set") && failure.what.contains("a file of events"), "{failure:?}");
        for slot in [Slot::Any, Slot::Checkpoint, Slot::EvalSet, Slot::Baseline] {
            for kind in [Kind::Checkpoint, Kind::Bundles, Kind::Scoreboard, Kind::Items] {
                assert_eq!(check_kind("x", kind, slot), Ok(()));
            }
            for kind in [Kind::Events, Kind::OtherModel, Kind::WebPage, Kind::OtherJson, Kind::Text, Kind::Unknown] {
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
