use super::*;
use crate::parquet_file::{Column, Values, write_to};
use crucible_core::embeddings::VectorFile;
use crucible_core::rng::Stream;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::PathBuf;
use std::sync::Arc;

/// What one column of one row group holds.
enum Held<'a> {
    Floats(&'a [f32], &'a [i16], &'a [i16]),
    Doubles(&'a [f64], &'a [i16], &'a [i16]),
    Ints(&'a [i32], &'a [i16], &'a [i16]),
    Texts(&'a [&'a [u8]], &'a [i16]),
}

/// A file as others write it: nulls where they may be, any type.
fn table(schema: &str, groups: &[&[Held<'_>]]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message rows {{ {schema} }}")).expect("a schema"));
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::default())).expect("opens");
    for group in groups {
        let mut part = writer.next_row_group().expect("a group");
        for held in *group {
            let mut column = part.next_column().expect("is written").expect("is there");
            let written = match held {
                Held::Floats(x, d, r) => column.typed::<FloatType>().write_batch(x, Some(d), Some(r)),
                Held::Doubles(x, d, r) => column.typed::<DoubleType>().write_batch(x, Some(d), Some(r)),
                Held::Ints(x, d, r) => column.typed::<Int32Type>().write_batch(x, Some(d), Some(r)),
                Held::Texts(x, d) => {
                    let x: Vec<ByteArray> = x.iter().map(|x| ByteArray::from(x.to_vec())).collect();
                    column.typed::<ByteArrayType>().write_batch(&x, Some(d), None)
                }
            };
            written.expect("is written");
            column.close().expect("closes");
        }
        part.close().expect("closes");
    }
    writer.into_inner().expect("a Vec takes everything")
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, bytes).expect("writes");
    (dir, path)
}

fn read(bytes: &[u8]) -> (usize, Vec<f32>) {
    let (_dir, path) = file(bytes);
    let bytes = vectors(&path, usize::MAX).unwrap_or_else(|e| panic!("{}", e.message));
    let file = VectorFile::new(bytes).expect("a .npy file");
    let mut all = vec![0.0; file.len() * file.dim()];
    all.chunks_mut(file.dim()).enumerate().for_each(|(row, out)| file.raw(row, out));
    (file.dim(), all)
}

fn refused(bytes: &[u8]) -> String {
    let (_dir, path) = file(bytes);
    vectors(&path, usize::MAX).expect_err("is refused").message
}

fn ids_of(bytes: &[u8]) -> Result<Vec<String>, String> {
    let (_dir, path) = file(bytes);
    ids(&path).map_err(|e| e.message)
}

/// As pyarrow writes lists.
const LISTS: &str = "optional group embedding (LIST) { repeated group list { optional float element; } }";

#[test]
fn what_was_written_comes_back_beyond_a_page_and_a_group() {
    let mut stream = Stream::new(1, "vectors", 0);
    for (rows, dim) in [(1, 1), (3, 5), (ROWS + 1, 3), (70_000, 2)] {
        let numbers: Vec<f32> = (0..rows * dim).map(|_| stream.symmetric(9.0)).collect();
        let names: Vec<String> = (0..rows).map(|row| format!("e\"\n{row}")).collect();
        let columns = [
            Column { name: IDS.to_owned(), values: Values::Texts(names.iter().map(|n| Some(n.as_str())).collect()) },
            Column { name: VECTORS.to_owned(), values: Values::Vectors { dim, rows: &numbers } },
        ];
        let bytes = write_to(Vec::new(), &columns).expect("a Vec takes everything");
        assert_eq!(read(&bytes), (dim, numbers), "{rows} of {dim}");
        assert!(ids_of(&bytes).expect("reads") == names, "{rows} of {dim}");
    }
}

#[test]
fn lists_of_others_are_read() {
    let rows = [1.0f32, 2.0, 3.0, 4.0];
    let as_lists = Held::Floats(&rows, &[3; 4], &[0, 1, 0, 1]);
    assert_eq!(read(&table(LISTS, &[&[as_lists]])), (2, rows.to_vec()));
    let rows = [0.1f64, -2.0];
    let as_doubles = Held::Doubles(&rows, &[1; 2], &[0, 1]);
    let legacy = "repeated double embedding;";
    let again = Held::Doubles(&rows, &[1; 2], &[0, 1]);
    assert_eq!(read(&table(legacy, &[&[as_doubles], &[again]])), (2, vec![0.1, -2.0, 0.1, -2.0]));
    let names: [&[u8]; 2] = ["a".as_bytes(), "é".as_bytes()];
    assert_eq!(
        ids_of(&table("optional binary event_id;", &[&[Held::Texts(&names, &[1, 1])]])),
        Ok(vec!["a".to_owned(), "é".to_owned()])
    );
}

#[test]
fn rows_that_are_no_vectors_are_named_all_at_once() {
    // [1, 2], none, [], [3, null], [4], [5, 6]; the last one in another group.
    let first = Held::Floats(&[1.0, 2.0, 3.0, 4.0], &[3, 3, 0, 1, 3, 2, 3], &[0, 1, 0, 0, 0, 1, 0]);
    let second = Held::Floats(&[5.0, 6.0], &[3, 3], &[0, 1]);
    let message = refused(&table(LISTS, &[&[first], &[second]]));
    for part in [
        "4 faults",
        "row 2: `embedding`: there is no vector",
        "row 3: `embedding`: there is no vector",
        "row 4: `embedding`: a number is missing (null)",
        "row 5: `embedding`: 1 numbers, and the first vector has 2",
    ] {
        assert!(message.contains(part), "{part:?} is not said: {message}");
    }
    // A first row with a fault says nothing of the others; what holds no number where one should be is missing, too.
    let numbers = [1.0, 1.0, 2.0, 3.0, 4.0];
    let first = Held::Floats(&numbers, &[3, 2, 3, 3, 3, 3], &[0, 1, 0, 1, 0, 1]);
    let message = refused(&table(LISTS, &[&[first]]));
    assert!(message.contains("x.parquet: row 1: `embedding`: a number is missing (null)"), "{message}");
    let deep =
        "optional group embedding (LIST) { repeated group list { optional group element { optional float x; } } }";
    let message = refused(&table(deep, &[&[Held::Floats(&numbers[..4], &[4, 2, 4, 4, 4], &[0, 1, 1, 0, 1])]]));
    assert!(message.contains("x.parquet: row 1: `embedding`: a number is missing (null)"), "{message}");
}

#[test]
fn other_columns_are_refused_by_name() {
    let ints = Held::Ints(&[1], &[3], &[0]);
    let message = refused(&table(&LISTS.replace("float", "int32"), &[&[ints]]));
    assert!(message.contains("its column `embedding` holds INT32; read are lists of FLOAT or DOUBLE"), "{message}");
    let message = refused(&table("optional binary event_id;", &[&[Held::Texts(&[b"a"], &[1])]]));
    assert!(message.contains("it has no column `embedding`; it has event_id"), "{message}");
    let message = refused(&table("optional float embedding;", &[]));
    assert!(message.contains("its column `embedding` holds no lists"), "{message}");
    assert!(refused(&table(LISTS, &[])).contains("it holds no rows"));
    for (texts, levels, part) in [
        (&[&b"a"[..]][..], &[1, 0][..], "row 2: `event_id`: there is no id"),
        (&[b"\xff"], &[1], "row 1: `event_id`: the id is not UTF-8"),
        (&[b"a", b"b", b"a"], &[1, 1, 1], "row 3: the id \"a\" was already used"),
        (&[b" "], &[1], "row 1: the id is empty"),
    ] {
        let message = ids_of(&table("optional binary event_id;", &[&[Held::Texts(texts, levels)]]));
        let message = message.expect_err("is refused");
        assert!(message.contains(part), "{part:?} is not said: {message}");
    }
    let message = ids_of(&table("repeated float event_id;", &[])).expect_err("is refused");
    assert!(message.contains("its column `event_id` holds no texts"), "{message}");
}

#[test]
fn damaged_and_large_files_end_in_a_message() {
    let numbers: Vec<f32> = (0..600).map(|i| i as f32).collect();
    let columns = [Column { name: VECTORS.to_owned(), values: Values::Vectors { dim: 6, rows: &numbers } }];
    let bytes = write_to(Vec::new(), &columns).expect("a Vec takes everything");
    let (_dir, path) = file(&bytes);
    let message = vectors(&path, 2399).expect_err("is refused").message;
    assert!(message.contains("take more than 2.3 KiB of memory"), "{message}");
    assert!(vectors(&path, 2400).is_ok());
    // Missing values are counted as well, and one text in many rows.
    let (_dir, path) = file(&table(LISTS, &[&[Held::Floats(&[], &[0; 700], &[0; 700])]]));
    assert!(vectors(&path, 2400).expect_err("is refused").message.contains("take more than"));
    let (texts_in_rows, levels) = (vec![&b"the same"[..]; 1000], vec![1; 1000]);
    let (_dir, path) = file(&table("optional binary event_id;", &[&[Held::Texts(&texts_in_rows, &levels)]]));
    let refused = texts(File::open(&path).expect("opens"), 5000);
    assert!(matches!(refused, Err(Refused::File(message)) if message.contains("its ids take more than")));
    let mut stream = Stream::new(2, "damage", 0);
    for _ in 0..3000 {
        let mut bytes = bytes.clone();
        for _ in 0..1 + stream.below(3) {
            let at = stream.below(bytes.len());
            bytes[at] ^= 1 << stream.below(8) as u8;
        }
        bytes.truncate(bytes.len() - stream.below(2) * stream.below(200));
        let (_dir, path) = file(&bytes);
        // Numbers may differ; what is read is whole.
        if let Ok(read) = vectors(&path, 1 << 20) {
            assert!(VectorFile::new(read).is_ok());
        }
    }
}
