//! Archives with changed bytes: each is read or refused.

use super::*;
use crucible_core::capsule::{CheckpointRecord, FORMAT, FORMAT_VERSION, FileKind, FileRecord};
use crucible_core::rng::Stream;

struct Sink;

impl Receiver for Sink {
    fn file(&mut self, _: &str) -> CliResult<Box<dyn Write + '_>> {
        Ok(Box::new(std::io::sink()))
    }
}

const FILES: [(&str, &[u8]); 3] =
    [("checkpoint_final.safetensors", b"weights"), ("config.yaml", b"{}"), ("train.log", b"a line\n")];

fn metadata() -> Metadata {
    let record = |(path, bytes): &(&str, &[u8])| FileRecord {
        path: (*path).to_owned(),
        kind: FileKind::of(path).unwrap_or(FileKind::Log),
        size: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
    };
    Metadata {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        crucible_version: "0.1.0".to_owned(),
        trial: None,
        device: None,
        git: None,
        packed_at: None,
        checkpoint: CheckpointRecord {
            sha256: hex(&Sha256::digest(b"weights")),
            seed: 42,
            step: 60,
            crucible_version: "0.1.0".to_owned(),
        },
        bundles: None,
        evals: Vec::new(),
        files: FILES.iter().map(record).collect(),
    }
}

fn tar_of(list: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in std::iter::once((METADATA, list)).chain(FILES) {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).expect("appends");
    }
    builder.into_inner().expect("ends")
}

/// Makes the sums of tar's heads right again, so that what a head says is looked at.
fn summed(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fn change(bytes: &mut [u8], stream: &mut Stream) {
    for _ in 0..=stream.below(4) {
        let at = stream.below(bytes.len());
        bytes[at] = match stream.below(3) {
            0 => stream.bits() as u8,
            1 => b'0' + stream.below(10) as u8,
            _ => b"\0/.\"{}[]-7"[stream.below(10)],
        };
    }
}

/// `CRUCIBLE_MUTATIONS` says how many.
#[test]
fn no_mutated_archive_ends_the_program() {
    let count = std::env::var("CRUCIBLE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let text = serde_json::to_vec(&metadata()).expect("plain data");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c.tar.zst");
    let stop = Stop::listen().expect("listens");
    let (mut read_whole, mut refused) = (0, 0);
    for number in 0..count {
        let mut stream = Stream::new(2, "mutated archives", number);
        let mut list = text.clone();
        let what = stream.below(4);
        if what == 1 {
            change(&mut list, &mut stream);
        }
        let mut tar = tar_of(&list);
        if what == 2 {
            change(&mut tar, &mut stream);
            summed(&mut tar);
        }
        let mut packed = zstd::encode_all(tar.as_slice(), 1).expect("packs");
        if what == 3 {
            change(&mut packed, &mut stream);
        }
        std::fs::write(&path, packed).expect("writes");
        let _ = read_metadata(&path, File::open(&path).expect("opens"));
        match read(&path, File::open(&path).expect("opens"), Limits::default(), &mut Sink, &stop) {
            Ok(_) => read_whole += 1,
            Err(error) => {
                assert!(error.exit == Exit::Data || error.exit == Exit::Error, "{error}");
                refused += 1;
            }
        }
    }
    assert!(read_whole > 0 && refused > 0, "{read_whole} read, {refused} refused");
}
