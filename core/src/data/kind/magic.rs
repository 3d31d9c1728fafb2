//! Files that are known by bytes at their start.

use super::Kind;
use memchr::memmem;

/// First bytes of a file, and what it is.
const MAGIC: [(&[u8], Kind); 28] = [
    (b"version https://git-lfs.github.com/spec/", Kind::LfsPointer),
    (b"\x93NUMPY", Kind::Npy),
    (b"PAR1", Kind::Parquet),
    (b"ARROW1", Kind::Arrow),
    (b"FEA1", Kind::Arrow),
    (b"SQLite format 3\0", Kind::Sqlite),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Spreadsheet),
    (b"\x1f\x8b", Kind::Gzip),
    (b"\x28\xb5\x2f\xfd", Kind::Zstd),
    (b"BZh", Kind::OtherPacked),
    (b"\xfd7zXZ\0", Kind::OtherPacked),
    (b"7z\xbc\xaf\x27\x1c", Kind::OtherPacked),
    (b"%PDF-", Kind::Pdf),
    (b"GGUF", Kind::Gguf),
    (b"\x89HDF", Kind::Hdf5),
    (b"\x80\x02", Kind::Pickle),
    (b"\x80\x03", Kind::Pickle),
    (b"\x80\x04", Kind::Pickle),
    (b"\x80\x05", Kind::Pickle),
    (b"\x89PNG", Kind::Picture),
    (b"\xff\xd8\xff", Kind::Picture),
    (b"GIF8", Kind::Picture),
    (b"PK\x05\x06", Kind::Zip),
    (b"\xff\xfe", Kind::Utf16),
    (b"\xfe\xff", Kind::Utf16),
    (b"\0\0\xfe\xff", Kind::Utf16),
    (b"II*\0", Kind::Picture),
    (b"MM\0*", Kind::Picture),
];

pub(super) fn kind(head: &[u8]) -> Option<Kind> {
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    match () {
        () if head.starts_with(b"PK\x03\x04") => Some(zip(head)),
        () if is_safetensors(head) => Some(safetensors(head)),
        () if head.get(257..262) == Some(b"ustar") => Some(tar(head)),
        () if is_utf16(head) => Some(Kind::Utf16),
        () => None,
    }
}

/// By the name of the first file in it.
fn zip(head: &[u8]) -> Kind {
    let length = head.get(26..28).map_or(0, |bytes| usize::from(bytes[0]) | usize::from(bytes[1]) << 8);
    let name = head.get(30..).map_or(&[][..], |rest| &rest[..length.min(rest.len())]);
    match () {
        () if name.ends_with(b".npy") => Kind::Npz,
        () if name.ends_with(b"/data.pkl") || name.ends_with(b"/.format_version") => Kind::Pickle,
        () if name == b"[Content_Types].xml" || name.starts_with(b"xl/") || name == b"mimetype" => Kind::Spreadsheet,
        () => Kind::Zip,
    }
}

/// A capsule begins with its own description.
fn tar(head: &[u8]) -> Kind {
    if head.starts_with(b"metadata.json\0") { Kind::Capsule } else { Kind::Tar }
}

/// The length of a JSON object, then the object.
fn is_safetensors(head: &[u8]) -> bool {
    // Lengths over 4 GiB are none; so a text whose ninth character is a brace is not mistaken.
    head.get(8) == Some(&b'{') && head[4..8] == [0; 4]
}

/// By what is in the description of its tensors.
fn safetensors(head: &[u8]) -> Kind {
    let has = |text: &[u8]| memmem::find(head, text).is_some();
    match () {
        () if has(b"\"__metadata__\"") && has(b"\"crucible\":") => Kind::Checkpoint,
        () if has(b".lora_") || has(b"lora_A") || has(b"lora_embedding_") => Kind::Adapter,
        () => Kind::Safetensors,
    }
}

/// Text in UTF-16 without its mark: every other byte is zero, as far as it is Latin.
fn is_utf16(head: &[u8]) -> bool {
    let pairs = head.as_chunks::<2>().0;
    let pairs = &pairs[..pairs.len().min(64)];
    let all = |zero: usize| pairs.len() >= 2 && pairs.iter().all(|pair| pair[zero] == 0 && pair[1 - zero] != 0);
    all(0) || all(1)
}
