//! Files of other programs, damaged at random: every importer ends in rows or in faults that name the file.

use crucible_core::data::Faults;
use crucible_core::interchange::{LabelColumns, Labelling, Labels, RowFormat};
use crucible_core::interchange::{read_judgements, read_rows, stream_texts, triplets};
use crucible_core::retrieval::{read_predictions, read_qrels};
use crucible_core::rng::Stream;
use std::collections::BTreeMap;

type Importer = fn(&[u8]) -> Result<(), Faults>;

const SOURCE: &str = "theirs.txt";
const TRIES: u64 = 2000;

fn rows(bytes: &[u8], format: RowFormat) -> Result<Vec<crucible_core::interchange::Row>, Faults> {
    read_rows(&mut &*bytes, format, SOURCE)
}

fn labelled(bytes: &[u8], format: RowFormat) -> Result<(), Faults> {
    let rows = rows(bytes, format)?;
    // The command takes no file without rows further.
    let Some(first) = rows.first() else { return Ok(()) };
    let labels = Labels::choose(first, &LabelColumns::default(), BTreeMap::new());
    let mut labelling = Labelling::new(labels.map_err(|message| Faults::of_file(SOURCE, message))?, SOURCE);
    rows.iter().for_each(|row| drop(labelling.event(row)));
    labelling.finish().map(drop)
}

fn of_rows(bytes: &[u8], format: RowFormat) -> Result<(), Faults> {
    triplets(&rows(bytes, format)?, SOURCE).map(drop)
}

/// Each importer with a file that it takes.
fn importers() -> [(&'static str, &'static str, Importer); 14] {
    [
        ("labelled CSV", "id,text,label\n1,\"the, bank\",bank#1\n2,a bench,bank#2\n", |b| labelled(b, RowFormat::Csv)),
        ("labelled TSV", "text\tlabel\nthe bank\tx\na \"bench\"\ty\n", |b| labelled(b, RowFormat::Tsv)),
        ("labelled lines", "{\"text\": \"a\", \"label\": 3}\n{\"text\": \"b\", \"label\": \"y\"}\n", |b| {
            labelled(b, RowFormat::JsonLines)
        }),
        ("a JSON array", "[{\"text\": \"a, [\", \"label\": 3},\n {\"text\": \"b\", \"label\": \"y\"}]\n", |b| {
            labelled(b, RowFormat::JsonLines)
        }),
        ("JSON by columns", "{\"text\": [\"a\", \"b\"],\n \"label\": [\"x\", \"y\"]}\n", |b| {
            labelled(b, RowFormat::JsonLines)
        }),
        ("triplets in CSV", "anchor,positive,negative_1,negative_2\na,p,m,n\n\"b\",q,,o\n", |b| {
            of_rows(b, RowFormat::Csv)
        }),
        ("labelled lists", "{\"query\": \"a\", \"documents\": [\"m\", \"p\", \"n\"], \"labels\": [0, 1, 0]}\n", |b| {
            of_rows(b, RowFormat::JsonLines)
        }),
        (
            "FlagEmbedding",
            "{\"query\": \"a\", \"pos\": [\"p\"], \"neg\": [\"m\", \"n\"], \"pos_scores\": [1]}\n",
            |b| of_rows(b, RowFormat::JsonLines),
        ),
        (
            "Tevatron",
            "{\"query_id\": \"1\", \"query\": \"a\", \"positive_passages\": [{\"docid\": \"1\", \"text\": \"p\"}], \
             \"negative_passages\": [{\"title\": \"\", \"text\": \"n\"}]}\n",
            |b| of_rows(b, RowFormat::JsonLines),
        ),
        ("BEIR's texts", "{\"_id\": \"1\", \"title\": \"t\", \"text\": \"x\"}\n{\"_id\": 2, \"text\": \"y\"}\n", |b| {
            stream_texts(&mut &*b, SOURCE, &mut |_| ())
        }),
        ("BEIR's judgements", "query-id\tcorpus-id\tscore\nq\ta\t2\nq\tb\t0\n", |b| {
            read_judgements(&mut &*b, SOURCE)?;
            read_qrels(&mut &*b, SOURCE).map(drop)
        }),
        (
            "sentence-transformers' predictions",
            "{\"query_id\": \"q\", \"results\": [{\"corpus_id\": \"a\", \"score\": 0.5}]}\n{\"query_id\": 7, \"results\": []}\n",
            |b| read_predictions(&mut &*b, SOURCE, None).map(drop),
        ),
        ("mteb's predictions", "{\"meta\": {\"n\": 1}, \"test\": {\"q\": {\"a\": 0.5, \"b\": 0.9}}}", |b| {
            read_predictions(&mut &*b, SOURCE, None).map(drop)
        }),
        ("a TREC run", "q Q0 a 1 0.5 t\nq Q0 b 2 0.9 t\nr Q0 a 1 1e-3 t\n", |b| {
            read_predictions(&mut &*b, SOURCE, None).map(drop)
        }),
    ]
}

/// Bytes that readers stumble over.
const PIECES: [&[u8]; 14] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b",",
    b"\t",
    b"\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"1e999",
    b"-9223372036854775809",
    b"null",
    b"\\ud800",
];

/// `sound` with one to four changes.
fn damaged(sound: &[u8], stream: &mut Stream) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for _ in 0..=stream.below(4) {
        let at = stream.below(bytes.len() + 1);
        let end = (at + 1 + stream.below(8)).min(bytes.len());
        match stream.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << stream.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => drop(bytes.splice(at..at, PIECES[stream.below(PIECES.len())].iter().copied())),
        }
    }
    bytes
}

#[test]
fn importers_end_in_rows_or_faults() {
    for (number, (name, sound, import)) in importers().into_iter().enumerate() {
        assert_eq!(import(sound.as_bytes()), Ok(()), "{name}");
        let mut refused = 0;
        for index in 0..TRIES {
            let mut stream = Stream::new(number as u64, "damaged", index);
            let bytes = damaged(sound.as_bytes(), &mut stream);
            if let Err(faults) = import(&bytes) {
                refused += 1;
                let said = faults.to_string();
                assert!(said.contains(SOURCE), "{name}: {said} of {}", bytes.escape_ascii());
            }
        }
        // Else the changes are no damage, or nothing looks at them.
        assert!((TRIES / 10..TRIES).contains(&refused), "{name}: {refused} of {TRIES} were refused");
    }
}
