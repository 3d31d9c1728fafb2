//! Models from elsewhere in the commands that take `--checkpoint`, and a trained one for elsewhere.

use crate::eval::{bundles, events};
use crate::util::{Dir, finish, python_with};
use crucible_core::config::{Model, TokenizerKind};
use crucible_core::encoder::{Checkpoint, Corpus, StaticEncoder, Tokenizer};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/encoders").join(name)
}

/// Copies a fixture's folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("creates");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("is there").path();
        let target = to.join(path.file_name().expect("has one"));
        if path.is_dir() {
            copy(&path, &target)
        } else {
            std::fs::write(&target, std::fs::read(&path).expect("reads")).expect("writes")
        }
    }
}

/// Events, an eval set, and models in folders.
fn prepared() -> Dir {
    let dir = Dir::new();
    dir.file("events.jsonl", &events(0, 60).join("\n"));
    dir.file("set.jsonl", &bundles());
    for name in ["bert_mean", "bert_weighted_prompt", "model2vec"] {
        copy(&fixture(name), &dir.path().join(name));
    }
    dir
}

/// Rows of a `.npy` file of `f32`.
fn rows(dir: &Dir, name: &str, dim: usize) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(dir.path().join(name)).expect("is there");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let numbers: Vec<f32> = bytes[header..].as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    numbers.chunks(dim).map(<[f32]>::to_vec).collect()
}

fn board(dir: &Dir, name: &str) -> Value {
    serde_json::from_str(&dir.read(name)).expect("JSON")
}

#[test]
fn a_folder_is_evaluated_and_the_scoreboard_says_how_it_was_read() {
    let dir = prepared();
    let eval = |model: &str, output: &str, more: &[&str]| {
        let ran = ["eval", "--checkpoint", model, "--eval-set", "set.jsonl", "--output", output];
        dir.run(&[&ran[..], more].concat()).ok();
        board(&dir, output)
    };
    let bert = eval("bert_mean", "bert.json", &[]);
    assert_eq!(bert["overall"]["n"], 48);
    assert_eq!(bert["model_conditions"]["architecture"], "bert");
    assert_eq!(bert["model_conditions"]["loader"], "sentence_transformers");
    assert_eq!(bert["checkpoint"]["hash"].as_str().map(str::len), Some(64));
    assert_eq!(eval("./bert_mean/", "again.json", &[])["checkpoint"]["hash"], bert["checkpoint"]["hash"]);

    // Another reading of the same files is another model.
    let own = eval("model2vec", "own.json", &[]);
    let other = eval("model2vec", "other.json", &["--loader", "sentence_transformers"]);
    assert_eq!(own["model_conditions"]["loader"], "model2vec");
    assert_eq!(other["model_conditions"]["loader"], "sentence_transformers");
    assert_ne!(own["checkpoint"]["hash"], other["checkpoint"]["hash"]);
    assert_eq!(
        eval("model2vec", "same.json", &["--loader", "model2vec"])["checkpoint"]["hash"],
        own["checkpoint"]["hash"]
    );

    let default = eval("bert_weighted_prompt", "p.json", &[]);
    assert_eq!(default["model_conditions"]["prompt"], "the bank: ");
    let named = eval("bert_weighted_prompt", "q.json", &["--prompt-name", "query"]);
    assert_eq!(named["checkpoint"]["hash"], default["checkpoint"]["hash"]);
    let none = eval("bert_weighted_prompt", "n.json", &["--prompt-name", "none"]);
    assert_eq!(none["model_conditions"]["prompt"], Value::Null);
    assert_ne!(none["checkpoint"]["hash"], default["checkpoint"]["hash"]);
    let text = eval("bert_weighted_prompt", "t.json", &["--prompt", "money: "]);
    assert_eq!(text["model_conditions"]["prompt"], "money: ");

    // One weight more, and it is another model.
    let path = dir.path().join("bert_mean/model.safetensors");
    let mut bytes = std::fs::read(&path).expect("reads");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    assert_ne!(eval("bert_mean", "changed.json", &[])["checkpoint"]["hash"], bert["checkpoint"]["hash"]);
}

#[test]
fn folders_work_wherever_a_checkpoint_does() {
    let dir = prepared();
    for (model, dim) in [("bert_mean", 24), ("model2vec", 12)] {
        let json = dir
            .run(&["embed", "--checkpoint", model, "--events", "events.jsonl", "-o", "v.npy", "--json", "--force"])
            .json();
        assert_eq!((&json["rows"], &json["dim"]), (&60.into(), &dim.into()), "{model}");
        assert!(rows(&dir, "v.npy", dim).iter().all(|row| (row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5));
        let report = dir
            .run(&[
                "bundle",
                "--checkpoint",
                model,
                "--events",
                "events.jsonl",
                "--output",
                "b.jsonl",
                "--json",
                "--force",
            ])
            .json();
        assert_eq!(report["vectors"]["sha256"], json["checkpoint_hash"], "{model}");
        let by_file = ["bundle", "--embeddings", "v.npy", "--events", "events.jsonl", "--output", "f.jsonl", "--force"];
        dir.run(&by_file).ok();
        assert_eq!(dir.read("b.jsonl"), dir.read("f.jsonl"), "{model}");
        dir.run(&["mine", "--checkpoint", model, "--events", "events.jsonl", "--output", "m.jsonl", "--force"]).ok();
        dir.run(&["probe", "--checkpoint", model, "--train-events", "events.jsonl", "--test-events", "events.jsonl"])
            .ok();
    }
}

#[test]
fn a_gpu_gives_the_cpus_vectors() {
    let dir = prepared();
    let Some(gpu) = crate::gpu::adapter(&dir) else { return };
    for (model, dim) in [("bert_mean", 24), ("bert_weighted_prompt", 24), ("model2vec", 12)] {
        for (device, output) in [("cpu", "c.npy"), (gpu.as_str(), "g.npy")] {
            let embed = ["embed", "--checkpoint", model, "--events", "events.jsonl", "-o", output, "--device", device];
            dir.run(&[&embed[..], &["--force"]].concat()).ok();
        }
        for (c, g) in rows(&dir, "c.npy", dim).iter().zip(rows(&dir, "g.npy", dim)) {
            assert!(c.iter().zip(g).all(|(c, g)| (c - g).abs() < 1e-5), "{model}");
        }
    }
}

#[test]
fn what_is_no_model_is_refused_with_what_to_do() {
    let dir = prepared();
    let embed = |model: &str, more: &[&str]| {
        dir.run(
            &[&["embed", "--checkpoint", model, "--events", "events.jsonl", "-o", "v.npy", "--force"][..], more]
                .concat(),
        )
    };
    // A pickle, in its folder and by itself.
    let folder = dir.path().join("bert_mean");
    std::fs::rename(folder.join("model.safetensors"), folder.join("pytorch_model.bin")).expect("renames");
    for model in ["bert_mean", "bert_mean/pytorch_model.bin"] {
        let ran = embed(model, &[]);
        for part in ["is a pickle", "python -c", "S('bert_mean').save('bert_mean-safetensors')"] {
            assert!(ran.failed(2).contains(part), "{part}: {ran:?}");
        }
    }
    std::fs::create_dir(dir.path().join("empty")).expect("creates");
    assert!(embed("empty", &[]).failed(2).contains("without modules.json or config.json"));
    dir.file("mpnet/config.json", r#"{"model_type": "mpnet"}"#);
    assert!(embed("mpnet", &[]).failed(3).contains("\"mpnet\"; read are BERT models"));
    assert!(embed("model2vec/model.safetensors", &[]).failed(2).contains("name the folder"));
    assert!(embed("bert_weighted_prompt", &["--prompt-name", "passage"]).failed(3).contains("no prompt \"passage\""));
    assert!(embed("bert_weighted_prompt", &["--loader", "model2vec"]).failed(3).contains("model2vec does not run"));
    std::fs::write(dir.path().join("own.safetensors"), crate::eval::checkpoint(1)).expect("writes");
    assert!(embed("own.safetensors", &["--prompt", "x "]).failed(2).contains("--prompt is for folders"));
    assert!(!dir.path().join("v.npy").exists());
}

/// A model without a head of several layers, and texts of its words.
fn flat(dir: &Dir) -> Vec<String> {
    let texts = events(0, 100);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 200, &texts).expect("trains");
    let config = Model {
        embedding_dim: 16,
        hidden_dim: 16,
        vocab_size: 200,
        num_layers: 1,
        residual: true,
        span_window: 0,
        ..Model::default()
    };
    let mut encoder = StaticEncoder::init(&config, tokenizer.vocab_size(), &Corpus::default(), 1).expect("fits");
    encoder.layers[0].weight.iter_mut().zip(0..).for_each(|(w, i)| *w += 0.01 * (i % 7) as f32);
    let checkpoint = Checkpoint { encoder, tokenizer: Some(tokenizer), step: 0, seed: 1, version: "0".to_owned() };
    std::fs::write(dir.path().join("flat.safetensors"), checkpoint.to_bytes().expect("writes")).expect("writes");
    let word = |i: usize| ["bank by the river", "the bat", "night number 7 by the ball", "money"][i % 4];
    (0..40).map(|i| format!("{} {i}", word(i))).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "a library that is not there is skipped, and said so")]
fn an_exported_model_gives_the_same_vectors_in_python() {
    let dir = Dir::new();
    let texts = flat(&dir);
    let lines =
        texts.iter().enumerate().map(|(i, text)| format!(r#"{{"event_id":"{i}","sense":"s#1","text":"{text}"}}"#));
    dir.file("e.jsonl", &lines.collect::<Vec<_>>().join("\n"));
    dir.run(&["export", "static", "--checkpoint", "flat.safetensors", "--output", "out/model"]).ok();
    for (model, output) in [("flat.safetensors", "a.npy"), ("out/model", "b.npy")] {
        dir.run(&["embed", "--checkpoint", model, "--events", "e.jsonl", "-o", output]).ok();
    }
    let own = rows(&dir, "a.npy", 16);
    let apart = |rows: &[Vec<f32>]| {
        assert_eq!(rows.len(), own.len());
        own.iter().flatten().zip(rows.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max)
    };
    assert!(apart(&rows(&dir, "b.npy", 16)) <= 1e-6);

    let Some(python) = python_with("model2vec") else { return };
    dir.file("texts.json", &serde_json::to_string(&texts).expect("JSON"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/load_static.py");
    let mut command = std::process::Command::new(python);
    command.arg(script).args(["out/model", "texts.json", "python.json"]).current_dir(dir.path());
    let ran = command.output().expect("runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let found = board(&dir, "python.json");
    for library in ["sentence_transformers", "model2vec"] {
        let Ok(rows) = serde_json::from_value::<Vec<Vec<f32>>>(found[library].clone()) else {
            println!("skipped: {library} is not installed");
            continue;
        };
        println!("{library}: at most {:e} apart", apart(&rows));
        assert!(apart(&rows) <= 1e-6, "{library}");
    }
}

#[test]
fn what_a_folder_cannot_hold_is_not_exported() {
    let dir = Dir::new();
    std::fs::write(dir.path().join("m.safetensors"), crate::eval::checkpoint(1)).expect("writes");
    let export = ["export", "static", "--checkpoint", "m.safetensors", "--output", "model"];
    let ran = dir.run(&export);
    assert!(ran.failed(2).contains("head of 2 layers"), "{ran:?}");
    assert!(!dir.path().join("model").exists());
    flat(&dir);
    dir.file("taken/file", "x");
    let onto = ["export", "static", "--checkpoint", "flat.safetensors", "--output", "taken"];
    assert!(dir.run(&onto).failed(2).contains("is a folder that is not empty"));
}

#[test]
fn names_and_folders_of_the_hub_lead_to_the_model() {
    let dir = prepared();
    let snapshot = dir.path().join("hub/models--own--tiny/snapshots/0a1b");
    copy(&dir.path().join("bert_mean"), &snapshot);
    copy(&dir.path().join("bert_mean"), &dir.path().join("out/checkpoint-500"));
    let embed = |model: &str| {
        let args = ["embed", "--checkpoint", model, "--events", "events.jsonl", "-o", "v.npy", "--force"];
        finish(dir.command(&args).env("HF_HUB_CACHE", dir.path().join("hub")).env_remove("SENTENCE_TRANSFORMERS_HOME"))
    };
    embed("bert_mean").ok();
    let direct = rows(&dir, "v.npy", 24);
    for model in ["own/tiny", "hub/models--own--tiny"] {
        let ran = embed(model);
        ran.ok();
        assert!(ran.stderr.contains("0a1b"), "where it lies: {ran:?}");
        assert_eq!(rows(&dir, "v.npy", 24), direct, "{model}");
    }
    assert!(embed("own/other").failed(2).contains("hf download own/other"));
    assert!(embed("out").failed(2).contains("checkpoint-500"));
    assert!(embed("hub").failed(2).contains("models--own--tiny"));
    assert!(embed("gone/model.safetensors").failed(1).contains("gone/model.safetensors"));
}

#[test]
fn pointers_of_git_lfs_and_weights_alone_are_told() {
    let dir = prepared();
    let embed = |model: &str| dir.run(&["embed", "--checkpoint", model, "--events", "events.jsonl", "-o", "v.npy"]);
    assert!(embed("bert_mean/model.safetensors").failed(2).contains("name the folder: bert_mean"));
    dir.file("bert_mean/model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    for model in ["bert_mean", "bert_mean/model.safetensors"] {
        assert!(embed(model).failed(3).contains("git lfs pull"), "{model}");
    }
}

#[test]
fn what_a_folder_asks_for_and_does_not_get_is_said() {
    let dir = prepared();
    dir.file(
        "bert_mean/config_sentence_transformers.json",
        r#"{"similarity_fn_name": "manhattan", "truncate_dim": 8}"#,
    );
    let eval = ["eval", "--checkpoint", "bert_mean", "--eval-set", "set.jsonl", "--output", "b.json"];
    let ran = dir.run(&eval);
    ran.ok();
    assert!(ran.stderr.contains("manhattan"), "{ran:?}");
    let conditions = &board(&dir, "b.json")["model_conditions"];
    assert_eq!((&conditions["similarity_fn_name"], &conditions["dim"]), (&"manhattan".into(), &8.into()));
    std::fs::remove_file(dir.path().join("bert_mean/modules.json")).expect("removes");
    for command in [
        &["embed", "--checkpoint", "bert_mean", "--events", "events.jsonl", "-o", "v.npy"][..],
        &["bundle", "--checkpoint", "bert_mean", "--events", "events.jsonl", "--output", "x.jsonl"],
        &["mine", "--checkpoint", "bert_mean", "--events", "events.jsonl", "--output", "m.jsonl"],
    ] {
        let ran = dir.run(command);
        ran.ok();
        assert!(ran.stderr.contains("1_Pooling/config.json"), "{ran:?}");
    }
}

#[test]
fn tokenizers_that_make_the_library_fail_end_with_3() {
    let dir = prepared();
    let sound: Value = serde_json::from_str(&dir.read("bert_mean/tokenizer.json")).expect("JSON");
    let replace = serde_json::json!({"type": "Replace", "pattern": {"String": "e"}, "content": "e".repeat(100)});
    let with = |field: &str, value: Value| {
        let mut json = sound.clone();
        json[field] = value;
        json
    };
    for json in [
        with("pre_tokenizer", serde_json::json!({"type": "FixedLength", "length": 0})),
        with("normalizer", serde_json::json!({"type": "Precompiled", "precompiled_charsmap": "/////w=="})),
        with("normalizer", serde_json::json!({"type": "Sequence", "normalizers": vec![replace; 7]})),
    ] {
        dir.file("bert_mean/tokenizer.json", &json.to_string());
        let ran = dir.run(&["eval", "--checkpoint", "bert_mean", "--eval-set", "set.jsonl", "--output", "b.json"]);
        assert!(!ran.failed(3).contains("panicked"), "{ran:?}");
    }
}
