use super::*;

/// A safetensors file with this description of its tensors.
fn safetensors(json: &str) -> Vec<u8> {
    [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 16]].concat()
}

fn zip(name: &str) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(26, 0);
    bytes.extend([name.len() as u8, 0, 0, 0]);
    bytes.extend(name.as_bytes());
    bytes
}

fn tar(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(257, 0);
    bytes.extend(b"ustar\x0000");
    bytes.resize(512, 0);
    bytes
}

#[test]
fn own_files_are_known() {
    let cases: [(&str, Kind); 12] = [
        ("{\"bundle_id\":\"1\",\"anchor\":{}}\n{", Kind::Bundles),
        ("{\"_header\":true}\n{\"anchor_text\":\"x\"}\n", Kind::Bundles),
        ("\u{feff}\n {\"anchor_text\":\"x\"}", Kind::Bundles),
        ("{\"bundle_id\":", Kind::Bundles),
        ("not JSON\n{\"bundle_id\":\"1\",\"anchor\":{}}\n", Kind::Bundles),
        ("{\"event_id\":\"1\",\"sense\":\"a\",\"text\":\"t\"}\n", Kind::Events),
        ("{\"sense\":\"a\",\"text\":\"t\"}\n", Kind::Events),
        ("{\n  \"eval_header\": {},\n  \"checkpoint\": {}\n}\n", Kind::Scoreboard),
        ("{\"bundle_id\":\"1\",\"margin\":0.1,\"winning_negative\":\"x\"}\n", Kind::Items),
        ("\"a\"\n\"b\"\n", Kind::Ids),
        ("{\"verdict\":\"PASS\"}\n", Kind::JsonLines),
        (" \n\t\n", Kind::Empty),
    ];
    for (text, wanted) in cases {
        assert_eq!(of(text.as_bytes()), wanted, "{text:?}");
    }
    let own = safetensors(r#"{"__metadata__":{"crucible":"{}"},"a":{}}"#);
    assert_eq!(of(&own), Kind::Checkpoint);
    assert_eq!(of(&tar("metadata.json")), Kind::Capsule);
    assert_eq!(of(b""), Kind::Empty);
}

#[test]
fn what_others_write_is_known() {
    let cases: [(&str, Kind); 22] = [
        ("{\"text\":\"t\",\"Label\":3}\n", Kind::LabelledRows),
        ("{\"utterance\":\"t\",\"intent\":\"x\"}\n", Kind::LabelledRows),
        ("{\"anchor\":\"a\",\"positive\":\"b\",\"negative\":\"c\"}\n", Kind::Triplets),
        ("{\"query\":\"a\",\"pos\":[\"b\"],\"neg\":[\"c\"]}\n", Kind::Triplets),
        ("{\"_id\":\"d1\",\"title\":\"\",\"text\":\"t\"}\n", Kind::BeirTexts),
        ("text,label\nhow much,price\n", Kind::Csv),
        ("text;label\r\nhow much, please;price\r\n", Kind::Csv),
        ("text,label\n\"one\ntwo\",price\n", Kind::Csv),
        ("text\tlabel\nhow much\tprice\n", Kind::Tsv),
        ("q1 Q0 d3 1 14.5 bm25\n", Kind::TrecRun),
        ("q1 0 d3 1\n", Kind::Qrels),
        ("query-id\tcorpus-id\tscore\nq1\td3\t1\n", Kind::Qrels),
        ("[{\"text\":\"t\"},\n{\"text\":\"u\"}]", Kind::JsonArray),
        ("[\n  {\"text\": \"cut sho", Kind::JsonArray),
        ("[section]\nname = 1\n", Kind::Text),
        ("{\n  \"verdict\": \"PASS\"\n}\n", Kind::JsonDocument),
        ("{\n  \"bundle_id\": \"1\",\n", Kind::JsonDocument),
        ("{\n  \"architectures\": [\"BertModel\"]\n}\n", Kind::ModelConfig),
        ("{\n  \"peft_type\": \"LORA\"\n}\n", Kind::Adapter),
        ("<!DOCTYPE html>\n<html>", Kind::Html),
        ("\n  <?xml version='1.0'?><a/>", Kind::Xml),
        ("training:\n  steps: 10\n", Kind::Text),
    ];
    for (text, wanted) in cases {
        assert_eq!(of(text.as_bytes()), wanted, "{text:?}");
    }
}

#[test]
fn binary_files_are_known() {
    let utf16: Vec<u8> = "{\"event_id\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(Vec<u8>, Kind)> = vec![
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".to_vec(), Kind::LfsPointer),
        ([b"\xff\xfe", &utf16[..]].concat(), Kind::Utf16),
        (utf16, Kind::Utf16),
        ("ab".encode_utf16().flat_map(u16::to_be_bytes).collect(), Kind::Utf16),
        (safetensors(r#"{"base.layer.0.lora_A.weight":{}}"#), Kind::Adapter),
        (safetensors(r#"{"embeddings.word":{}}"#), Kind::Safetensors),
        (b"\x93NUMPY\x01\0".to_vec(), Kind::Npy),
        (zip("a.npy"), Kind::Npz),
        (zip("archive/data.pkl"), Kind::Pickle),
        (zip("[Content_Types].xml"), Kind::Spreadsheet),
        (zip("data/train.csv"), Kind::Zip),
        (b"PK\x03\x04".to_vec(), Kind::Zip),
        (b"\x80\x04\x95".to_vec(), Kind::Pickle),
        (b"PAR1\x15\0".to_vec(), Kind::Parquet),
        (b"SQLite format 3\0".to_vec(), Kind::Sqlite),
        (b"\x1f\x8b\x08".to_vec(), Kind::Gzip),
        (b"\x28\xb5\x2f\xfd".to_vec(), Kind::Zstd),
        (b"%PDF-1.7".to_vec(), Kind::Pdf),
        (b"GGUF\x03".to_vec(), Kind::Gguf),
        (tar("data/a.jsonl"), Kind::Tar),
        (b"\x7fELF\x02\x01\x01\0".to_vec(), Kind::Binary),
    ];
    for (bytes, wanted) in cases {
        assert_eq!(of(&bytes), wanted, "{:?}", String::from_utf8_lossy(&bytes));
    }
}

/// Whatever the bytes, an answer comes; and it is the same however long the line goes on.
#[test]
fn any_head_has_a_kind() {
    let long = format!("{{\"event_id\":\"1\",\"text\":\"{}", "é".repeat(HEAD_BYTES));
    assert_eq!(of(long.as_bytes()), Kind::Events);
    let negatives = "{\"event_id\":\"n\"},".repeat(HEAD_BYTES / 8);
    assert_eq!(of(format!("{{\"anchor\":{{\"a\":1}},\"negatives\":[{negatives}").as_bytes()), Kind::Bundles);
    assert_eq!(of(format!("{{\"anchor\":{}", "[".repeat(HEAD_BYTES)).as_bytes()), Kind::JsonLines);
    for text in ["{\"bundle_id\":\"1\",\"anchor\":{\"text\":\"t\"}}\n", "a,b\nc,d\n", "q Q0 d 1 2 n\n", "[1,2]"] {
        for end in 0..text.len() {
            let _ = of(&text.as_bytes()[..end]);
        }
    }
    for byte in 0..=255 {
        let _ = of(&[byte; 300]);
    }
}

#[test]
fn a_refusal_names_the_kind_and_the_command() {
    let events = b"{\"event_id\":\"1\",\"sense\":\"a\",\"text\":\"t\"}\n";
    let said = refusal(events, Wanted::Bundles, "e.jsonl").expect("they are no bundles");
    assert!(said.starts_with("is a file of events, and bundles (JSON Lines) are wanted here; "), "{said}");
    assert!(said.contains("`crucible bundle --events e.jsonl --output"), "{said}");
    assert_eq!(refusal(events, Wanted::Events, "e"), None);
    assert_eq!(refusal(events, Wanted::Ids, "e"), None, "ids are read from events, too");
    assert!(refusal(b"text,label\na,b\n", Wanted::Events, "e").expect("a table").contains("import labelled"));
    assert!(refusal(b"text only\n", Wanted::Bundles, "e").expect("text").starts_with("is text, and "));
    assert!(refusal(events, Wanted::Checkpoint, "e").expect("events").contains("a checkpoint (checkpoint_final"));
    // Their readers name the lines.
    for own in ["", "\n", "{\"a\":1}\n", "damaged\n{\"bundle_id\":\"1\"}\n", "{\"bundle_id\":\n"] {
        assert_eq!(refusal(own.as_bytes(), Wanted::Bundles, "b"), None, "{own:?}");
    }
}
