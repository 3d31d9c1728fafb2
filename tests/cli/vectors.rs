//! Where vectors of events come from: a model, the events themselves, a file with ids; and what is said of bad ones.

use crate::eval::{checkpoint, events};
use crate::util::Dir;
use serde_json::Value;

const BUNDLE: [&str; 3] = ["bundle", "--events", "e.jsonl"];

/// Events, a model, its vectors in all formats.
fn prepared() -> Dir {
    let dir = Dir::new();
    std::fs::write(dir.path().join("m.safetensors"), checkpoint(1)).expect("writes");
    dir.file("e.jsonl", &events(0, 60).join("\n"));
    for output in ["v.npy", "w.safetensors", "p.parquet"] {
        dir.run(&["embed", "--checkpoint", "m.safetensors", "--events", "e.jsonl", "--output", output]).ok();
    }
    dir
}

fn bundle(dir: &Dir, output: &str, more: &[&str]) -> Value {
    dir.run(&[&BUNDLE[..], &["--json", "--force", "--output", output], more].concat()).json()
}

/// The numbers of `v.npy` after its header.
fn numbers(dir: &Dir) -> Vec<f32> {
    let bytes = std::fs::read(dir.path().join("v.npy")).expect("is there");
    bytes[128..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn put(dir: &Dir, numbers: &[f32]) {
    let bytes = std::fs::read(dir.path().join("v.npy")).expect("is there");
    let data: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(dir.path().join("v.npy"), [&bytes[..128], &data].concat()).expect("writes");
}

/// `bundle --embeddings v.npy` ends with 3, says all of `parts`, and writes nothing.
#[track_caller]
fn refused(dir: &Dir, more: &[&str], parts: &[&str]) {
    let ran = dir.run(&[&BUNDLE[..], &["--output", "new/b.jsonl"], more].concat());
    for part in parts {
        assert!(ran.failed(3).contains(part), "{part:?} is not said: {ran:#?}");
    }
    assert!(!dir.path().join("new").exists());
}

#[test]
fn a_model_its_written_vectors_and_the_events_own_give_the_same_bundles() {
    let dir = prepared();
    let report = bundle(&dir, "by_model.jsonl", &["--checkpoint", "m.safetensors"]);
    assert_eq!((&report["vectors"]["kind"], &report["vectors"]["dim"]), (&"checkpoint".into(), &16.into()));
    assert_eq!(report["bundles"], 60);
    let wanted = dir.read("by_model.jsonl");
    for file in ["v.npy", "w.safetensors", "p.parquet"] {
        let report = bundle(&dir, "by_file.jsonl", &["--embeddings", file]);
        assert_eq!((&report["vectors"]["kind"], &report["vectors"]["path"]), (&"file".into(), &file.into()));
        assert_eq!(report["vectors"]["sha256"].as_str().map(str::len), Some(64));
        assert!(dir.read("by_file.jsonl") == wanted, "{file}");
    }
    // The ids of another file, and the events in another order than the vectors.
    let mut lines: Vec<String> = dir.read("e.jsonl").lines().map(str::to_owned).collect();
    lines.rotate_left(7);
    dir.file("rotated.jsonl", &lines.join("\n"));
    let rotated = ["bundle", "--events", "rotated.jsonl", "--output"];
    dir.run(&[&rotated[..], &["r1.jsonl", "--embeddings", "v.npy", "--embedding-ids", "e.jsonl"]].concat()).ok();
    dir.run(&[&rotated[..], &["r2.jsonl", "--checkpoint", "m.safetensors"]].concat()).ok();
    assert!(dir.read("r1.jsonl") == dir.read("r2.jsonl") && dir.read("r1.jsonl") != wanted);

    // Own embeddings: the same numbers in the events.
    let rows = numbers(&dir);
    let own = dir.read("e.jsonl");
    let own: Vec<String> = own
        .lines()
        .zip(rows.chunks(16))
        .map(|(line, row)| line.replacen('{', &format!("{{\"embedding\":{row:?},"), 1))
        .collect();
    dir.file("own.jsonl", &own.join("\n"));
    let args = ["bundle", "--events", "own.jsonl", "--output", "by_own.jsonl", "--use-embeddings", "--json"];
    assert_eq!(dir.run(&args).json()["vectors"]["kind"], "own_embeddings");
    let stripped = |name: &str| -> Vec<Value> {
        let read = |line: &str| {
            let mut bundle: Value = serde_json::from_str(line).expect("JSON");
            let negatives = bundle["negatives"].as_array_mut().expect("a list");
            negatives.iter_mut().for_each(|n| drop(n.as_object_mut().expect("an event").remove("embedding")));
            for role in ["anchor", "positive"] {
                bundle[role].as_object_mut().expect("an event").remove("embedding");
            }
            bundle
        };
        dir.read(name).lines().map(read).collect()
    };
    assert_eq!(stripped("by_own.jsonl"), stripped("by_model.jsonl"));

    // And words rank otherwise.
    assert_eq!(bundle(&dir, "by_words.jsonl", &[])["vectors"]["kind"], "lexical");
    assert!(dir.read("by_words.jsonl") != wanted);
    let said = dir.run(&[&BUNDLE[..], &["--output", "b.jsonl", "--embeddings", "v.npy", "--force"]].concat());
    assert!(said.ok().contains("ranked by the vectors in v.npy (16 numbers)"), "{said:?}");
}

#[test]
fn vectors_that_are_of_no_use_are_named_all_at_once() {
    let dir = prepared();
    let sound = numbers(&dir);
    let mut bad = sound.clone();
    bad[3 * 16 + 2] = f32::NAN;
    bad[5 * 16] = f32::NEG_INFINITY;
    bad[7 * 16..8 * 16].fill(0.0);
    put(&dir, &bad);
    let file = ["--embeddings", "v.npy"];
    let said = ["event \"e3\" (row 3): number 3 of its vector is NaN or infinite", "\"e5\" (row 5): number 1"];
    refused(&dir, &file, &[said[0], said[1], "\"e7\" (row 7): its vector is zero", "v.npy: 3 faults", "help: embed"]);
    // Rows of events that nobody asks for don't matter.
    let some: Vec<String> =
        events(0, 60).into_iter().enumerate().filter(|(i, _)| ![3, 5, 7].contains(i)).map(|e| e.1).collect();
    dir.file("e.jsonl", &some.join("\n"));
    dir.run(&[&BUNDLE[..], &["--output", "b.jsonl", "--embeddings", "v.npy"]].concat()).ok();

    put(&dir, &sound[..sound.len() - 1]);
    refused(&dir, &file, &["v.npy: its header names 60 vectors of 16 numbers, 3840 bytes, but 3836 bytes follow it"]);
    dir.file("v.npy", "");
    refused(&dir, &file, &["v.npy: is empty"]);
    dir.file("v.npy", &events(0, 9).join("\n"));
    refused(&dir, &file, &["v.npy: is a file of events, and vectors (.npy, .safetensors or .parquet) are wanted here"]);
    let model = ["--embeddings", "m.safetensors", "--embedding-ids", "e.jsonl"];
    refused(&dir, &model, &["m.safetensors: is a checkpoint, and vectors", "crucible eval --checkpoint m.safetensors"]);
}

#[test]
fn ids_that_do_not_fit_are_named() {
    let dir = prepared();
    let file = ["--embeddings", "v.npy"];
    let ids = dir.read("v_ids.jsonl");
    dir.file("v_ids.jsonl", &ids.replacen("\"e4\"", "\"e5\"", 1));
    refused(&dir, &file, &["v_ids.jsonl: line 6: the id \"e5\" was already used on line 5"]);
    dir.file("v_ids.jsonl", &ids.replacen("\"e4\"", "\"x4\"", 1).replacen("\"e9\"", "\"x9\"", 1));
    refused(
        &dir,
        &file,
        &["e.jsonl: 2 faults", "event \"e4\" has no vector in v.npy", "\"e9\" has", "help: embed these"],
    );
    dir.file("v_ids.jsonl", ids.split_once('\n').expect("lines").1);
    refused(&dir, &file, &["v.npy has 60 vectors, but v_ids.jsonl has 59 ids", "of one run?"]);
    std::fs::remove_file(dir.path().join("v_ids.jsonl")).expect("is there");
    refused(&dir, &file, &["no file v_ids.jsonl says whose vectors these are", "--embedding-ids"]);
}

#[test]
fn own_vectors_that_are_missing_or_zero_are_named() {
    let dir = prepared();
    let mut lines = events(0, 60);
    for (i, line) in lines.iter_mut().enumerate().filter(|(i, _)| *i != 8) {
        *line = line.replacen('{', if i == 4 { "{\"embedding\":[0,0]," } else { "{\"embedding\":[0,2]," }, 1);
    }
    dir.file("e.jsonl", &lines.join("\n"));
    let said = ["e.jsonl: 2 faults", "event \"e8\" has no `embedding`", "event \"e4\": its vector is zero"];
    refused(&dir, &["--own-embeddings"], &said);
}

#[test]
fn one_source_of_vectors_at_a_time_and_none_is_overwritten() {
    let dir = prepared();
    for flags in [
        &["--checkpoint", "m.safetensors", "--embeddings", "v.npy"][..],
        &["--use-embeddings", "--embeddings", "v.npy"],
        &["--embedding-ids", "v_ids.jsonl"],
    ] {
        dir.run(&[&BUNDLE[..], &["--output", "b.jsonl"], flags].concat()).failed(2);
    }
    let over = |output| dir.run(&[&BUNDLE[..], &["--embeddings", "v.npy", "--output", output]].concat());
    assert!(over("v.npy").failed(2).contains("would overwrite --embeddings"));
    assert!(over("v_ids.jsonl").failed(2).contains("would overwrite its file of ids"));
    assert!(over("e.jsonl").failed(2).contains("would overwrite --events"));
}

#[test]
fn vectors_in_a_parquet_file_are_named_by_its_own_column() {
    let dir = prepared();
    let wanted = || {
        bundle(&dir, "npy.jsonl", &["--embeddings", "v.npy"]);
        dir.read("npy.jsonl")
    };
    // Other ids may still be named; those of the file are taken where they are asked for.
    std::fs::rename(dir.path().join("v_ids.jsonl"), dir.path().join("ids.jsonl")).expect("moves");
    bundle(&dir, "a.jsonl", &["--embeddings", "p.parquet", "--embedding-ids", "ids.jsonl"]);
    bundle(&dir, "b.jsonl", &["--embeddings", "v.npy", "--embedding-ids", "p.parquet"]);
    std::fs::rename(dir.path().join("ids.jsonl"), dir.path().join("v_ids.jsonl")).expect("moves");
    let wanted = wanted();
    assert!(dir.read("a.jsonl") == wanted && dir.read("b.jsonl") == wanted);
    // A table of another kind, a part of a file, text.
    dir.run(&["eval", "--checkpoint", "v.npy", "--eval-set", "npy.jsonl", "-o", "s.json", "--items", "i.parquet"]).ok();
    refused(
        &dir,
        &["--embeddings", "i.parquet"],
        &["i.parquet: it has no column `embedding`; it has bundle_id, group"],
    );
    let bytes = std::fs::read(dir.path().join("p.parquet")).expect("is there");
    std::fs::write(dir.path().join("cut.parquet"), &bytes[..bytes.len() - 9]).expect("writes");
    refused(&dir, &["--embeddings", "cut.parquet"], &["cut.parquet can't be read as Parquet", "Copy it again"]);
    dir.file("text.parquet", "no table");
    refused(&dir, &["--embeddings", "text.parquet"], &["text.parquet can't be read as Parquet"]);
    // What says nothing here is refused, not ignored.
    let mine = ["mine", "--events", "e.jsonl", "--embeddings", "p.parquet", "--map-embeddings", "-o", "m.jsonl"];
    let ran = dir.run(&mine);
    assert!(ran.failed(2).contains("--map-embeddings: p.parquet has to be unpacked"), "{ran:?}");
}
