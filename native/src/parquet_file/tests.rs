use super::*;
use crucible_core::data::MAX_LINE_BYTES;
use crucible_core::rng::Stream;
use parquet::file::metadata::KeyValue;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn column<'a>(name: &str, values: Values<'a>) -> Column<'a> {
    Column { name: name.to_owned(), values }
}

fn sample() -> Vec<u8> {
    let vectors: Vec<f32> = (0..12).map(|i| i as f32 / 3.0).collect();
    let columns = [
        column("id", Values::Texts(vec![Some("=a"), Some("b\r\n\"c\""), Some("é")])),
        column("tier", Values::Texts(vec![None, Some("x"), None])),
        column("margin", Values::Doubles(vec![0.1, -2.0, f64::MIN_POSITIVE])),
        column("rank", Values::Counts(vec![1, u32::MAX, 3])),
        column("zero", Values::Bools(vec![true, false, true])),
        column("vector", Values::Vectors { dim: 4, rows: &vectors }),
    ];
    write_to(Vec::new(), &columns).expect("a Vec takes everything")
}

fn of_bytes(bytes: &[u8], most: usize) -> Result<Vec<Row>, Refused> {
    let dir = folder();
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, bytes).expect("writes");
    quietly(|| rows::read(File::open(&path).expect("opens"), most))
}

fn found(bytes: &[u8]) -> Vec<Row> {
    match of_bytes(bytes, MAX_BYTES) {
        Ok(rows) => rows,
        Err(Refused::File(message) | Refused::Size(message) | Refused::Shape(message)) => panic!("{message}"),
        Err(Refused::Cell(row, column, message)) => panic!("{row} {column:?} {message}"),
    }
}

#[test]
fn columns_come_back_as_rows() {
    let rows = found(&sample());
    assert_eq!(rows.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        Value::Object(rows[1].values.clone()),
        serde_json::json!({"id": "b\r\n\"c\"", "tier": "x", "margin": -2.0, "rank": u32::MAX, "zero": false, "vector": [
            4f32 / 3.0, 5f32 / 3.0, 2.0, 7f32 / 3.0
        ]})
    );
    assert_eq!((&rows[0].values["tier"], &rows[2].values["margin"]), (&Value::Null, &Value::from(f64::MIN_POSITIVE)));
    assert_eq!(sample(), sample(), "the same bytes each time");
}

#[test]
fn rows_beyond_one_group_keep_their_order() {
    let n = GROUP_ROWS + 17;
    let numbers: Vec<u32> = (0..n as u32).collect();
    let bytes = write_to(Vec::new(), &[column("n", Values::Counts(numbers))]).expect("a Vec takes everything");
    let rows = found(&bytes);
    assert_eq!(rows.len(), n);
    assert!(rows.iter().all(|row| row.values["n"] == row.line - 1));
}

#[test]
fn items_come_back_bit_for_bit() {
    let dir = folder();
    let mut stream = Stream::new(7, "test", 0);
    let tiers = [None, Some(crucible_core::data::Tier::Adversarial), Some(crucible_core::data::Tier::Easy)];
    let items: Vec<Item<'_>> = (0..200)
        .map(|i| Item {
            bundle_id: format!("b{i}").into(),
            group: format!("g \"{i}\"").into(),
            group_kind: if i % 2 == 0 { GroupKind::Doc } else { GroupKind::Lemma },
            tier: tiers[i % 3],
            pool: (i % 3 == 1).then_some(crucible_core::data::Pool::Organic),
            margin: stream.unit() - 0.5,
            rank: 1 + stream.below(5) as u32,
            pos_sim: stream.unit(),
            max_neg_sim: stream.unit(),
            winning_negative: format!("n{i}").into(),
            zero_vector: i == 5,
        })
        .collect();
    let path = dir.path().join("x_items.parquet");
    write_items(&path, &items).expect("writes").commit().expect("writes");
    assert_eq!(super::items(&path).expect("reads"), items);
}

#[test]
fn damaged_files_are_refused_and_never_panic() {
    let bytes = sample();
    for length in 0..bytes.len() {
        assert!(matches!(of_bytes(&bytes[..length], MAX_BYTES), Err(Refused::File(_))), "cut to {length}");
    }
    let mut stream = Stream::new(1, "damage", 0);
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << stream.below(8);
        refused += usize::from(of_bytes(&damaged, MAX_BYTES).is_err());
    }
    assert!(refused > bytes.len() / 10, "only {refused} of {} are seen", bytes.len());
}

#[test]
fn what_unpacks_to_too_much_is_refused_by_row_and_column() {
    let long = "x".repeat(MAX_LINE_BYTES + 1);
    let bytes = write_to(Vec::new(), &[column("a", Values::Texts(vec![Some("b"), Some(&long)]))]).expect("writes");
    assert!(bytes.len() < long.len() / 10);
    let Err(Refused::Cell(row, column, message)) = of_bytes(&bytes, MAX_BYTES) else { panic!("refused") };
    assert_eq!((row, column.as_deref()), (2, Some("a")));
    assert!(message.contains("at most"), "{message}");
    // Many times the same text is one text in the file.
    let many = vec![Some(&long[..1000]); 10_000];
    let bytes =
        write_to(Vec::new(), &[super::Column { name: "a".into(), values: Values::Texts(many) }]).expect("writes");
    assert!(matches!(of_bytes(&bytes, 1 << 20), Err(Refused::Size(_))));
    assert_eq!(found(&bytes).len(), 10_000);
}

/// Writes `rows` rows of one group, each with a list of `list` times the number 1, and a note.
fn noted(rows: usize, list: usize, note: &str) -> Vec<u8> {
    let schema = "message rows { optional int64 label; required group x (LIST) { repeated group list { required int32 element; } } }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let notes = Some(vec![KeyValue::new("huggingface".to_owned(), note.to_owned())]);
    let properties = WriterProperties::builder().set_key_value_metadata(notes).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).expect("writes");
    let mut group = writer.next_row_group().expect("writes");
    let mut column = group.next_column().expect("writes").expect("a column");
    let levels = vec![1; rows];
    column.typed::<parquet::data_type::Int64Type>().write_batch(&vec![1; rows], Some(&levels), None).expect("writes");
    column.close().expect("writes");
    let mut column = group.next_column().expect("writes").expect("a column");
    let starts: Vec<i16> = (0..rows * list).map(|i| i16::from(i % list > 0)).collect();
    let (ones, levels) = (vec![1; rows * list], vec![1; rows * list]);
    column.typed::<Int32Type>().write_batch(&ones, Some(&levels), Some(&starts)).expect("writes");
    column.close().expect("writes");
    group.close().expect("writes");
    writer.into_inner().expect("writes")
}

#[test]
fn rows_come_one_by_one_and_lists_are_counted_first() {
    let dir = folder();
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, noted(3000, 2, "")).expect("writes");
    let mut seen = 0;
    each_row(&path, &mut |row| {
        seen += 1;
        assert_eq!((row.line, &row.values["x"]), (seen, &serde_json::json!([1, 1])));
    })
    .expect("reads");
    assert_eq!(seen, 3000);
    // Few bytes, one row.
    let bytes = noted(1, (1 << 20) + 1, "");
    assert!(bytes.len() < 100_000);
    assert!(matches!(of_bytes(&bytes, MAX_BYTES), Err(Refused::Size(message)) if message.contains("lists of more")));
}

#[test]
fn names_of_classes_are_read() {
    let dir = folder();
    let path = dir.path().join("x.parquet");
    let names = |note: &str| {
        std::fs::write(&path, noted(1, 1, note)).expect("writes");
        class_names(&path).expect("reads")
    };
    let note = r#"{"info": {"features": {"label": {"names": ["a", "b"], "_type": "ClassLabel"}, "x": {"feature":
        {"names": ["c"], "_type": "ClassLabel"}, "_type": "Sequence"}, "t": {"dtype": "string", "_type": "Value"},
        "odd": {"names": [1], "_type": "ClassLabel"}, "none": {"names": [], "_type": "ClassLabel"}}}}"#;
    assert_eq!(names(note), [("label".to_owned(), vec!["a".to_owned(), "b".to_owned()])].into());
    for note in ["", "{", "[]", "{\"info\": 3}", "{\"info\": {\"features\": []}}"] {
        assert!(names(note).is_empty(), "{note}");
    }
}
