//! The words of a folder's settings are obeyed or refused, and what is neither is said.

use crate::encoders::{Files, events, fixtures, folder};
use crucible_core::encoder::{Encoder, FolderModel, Loader, Options};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};

const TEXTS: [&str; 5] = ["The bank of the River.", "", "money", "the bat flew by night and by day", "THE BANK"];
const MODEL: &str = "config_sentence_transformers.json";

fn read_as(files: &Files, loader: Option<Loader>) -> Result<FolderModel, String> {
    let named = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    FolderModel::from_files(named, &Options { loader, ..Options::default() }).map_err(|e| e.to_string())
}

fn read(files: &Files) -> Result<FolderModel, String> {
    read_as(files, None)
}

fn fixture(name: &str) -> Files {
    folder(&fixtures().join(name))
}

fn put(files: &mut Files, name: &str, json: &Value) {
    files.insert(name.to_owned(), json.to_string().into_bytes());
}

/// The fixture with a file put in.
fn with(name: &str, file: &str, json: &Value) -> Files {
    let mut files = fixture(name);
    put(&mut files, file, json);
    files
}

/// The fixture with fields of a JSON file set.
fn set(name: &str, file: &str, fields: &Value) -> Files {
    let mut files = fixture(name);
    let mut json: Value = files.get(file).map_or(json!({}), |bytes| serde_json::from_slice(bytes).expect("JSON"));
    for (key, value) in fields.as_object().expect("fields") {
        json[key] = value.clone();
    }
    put(&mut files, file, &json);
    files
}

fn vectors(model: &FolderModel) -> Vec<Vec<f32>> {
    let embedded = model.embed_events(&events(TEXTS)).expect("embeds");
    assert_eq!(embedded.dim, model.dim());
    embedded.vectors.chunks(embedded.dim).map(<[f32]>::to_vec).collect()
}

#[track_caller]
fn close(got: &[Vec<f32>], want: &[Vec<f32>]) {
    for (got, want) in got.iter().zip(want) {
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?} and {want:?}");
    }
}

/// The first numbers, with unit length.
fn cut(rows: &[Vec<f32>], dim: usize) -> Vec<Vec<f32>> {
    let row = |row: &Vec<f32>| {
        let norm = row[..dim].iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-30);
        row[..dim].iter().map(|x| x / norm).collect()
    };
    rows.iter().map(row).collect()
}

#[test]
fn sound_folders_need_no_word() {
    for entry in std::fs::read_dir(fixtures()).expect("a folder") {
        let path = entry.expect("is there").path();
        if path.is_dir() && path.join("tokenizer.json").exists() {
            let model = read(&folder(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert_eq!(model.notes(), [""; 0], "{}", path.display());
        }
    }
}

#[test]
fn truncate_dim_cuts_vectors() {
    for name in ["bert_mean", "bert_max_mean", "bert_cls_dense", "static_old", "static_new"] {
        let whole = read(&fixture(name)).expect("reads");
        let short = read(&set(name, MODEL, &json!({"truncate_dim": 7}))).expect("reads");
        assert_eq!(short.dim(), 7, "{name}");
        close(&vectors(&short), &cut(&vectors(&whole), 7));
        assert_eq!(short.conditions().expect("has some")["truncate_dim"], 7);
        assert!(!whole.conditions().expect("has some").contains_key("truncate_dim"));
        let none = read(&set(name, MODEL, &json!({"truncate_dim": 4000}))).expect("reads");
        assert_eq!(vectors(&none), vectors(&whole), "{name}");
        let null = read(&set(name, MODEL, &json!({"truncate_dim": null}))).expect("reads");
        assert_eq!(vectors(&null), vectors(&whole), "{name}");
    }
    for wrong in [json!(0), json!(-1), json!("8"), json!(1.5), json!([8])] {
        let said = read(&set("bert_mean", MODEL, &json!({"truncate_dim": wrong}))).err().expect("is refused");
        assert!(said.contains(MODEL), "{said}");
    }
    // model2vec does not read the word.
    let other =
        read_as(&set("static_old", MODEL, &json!({"truncate_dim": 7})), Some(Loader::Model2Vec)).expect("reads");
    assert_eq!(other.dim(), 12);
    assert!(other.notes()[0].contains("truncate_dim"), "{:?}", other.notes());
}

#[test]
fn the_similarity_that_a_folder_asks_for_is_recorded_and_said() {
    let of = |name: &str, fields: Value| read(&set(name, MODEL, &fields)).expect("reads");
    for function in ["dot", "euclidean", "manhattan"] {
        // Without Normalize at the end.
        let model = of("bert_max_mean", json!({"similarity_fn_name": function}));
        assert_eq!(model.conditions().expect("has some")["similarity_fn_name"], function);
        assert!(model.notes()[0].contains(function) && model.notes()[0].contains("cosines"), "{:?}", model.notes());
    }
    // Of vectors of length 1 the first two order as cosines do.
    let unit = fixture("bert_mean")
        .into_iter()
        .any(|(name, bytes)| name == "modules.json" && String::from_utf8_lossy(&bytes).contains("Normalize"));
    let notes = |fields: Value| of("bert_mean", fields).notes().len();
    assert_eq!(notes(json!({"similarity_fn_name": "dot"})), usize::from(!unit));
    assert_eq!(notes(json!({"similarity_fn_name": "manhattan"})), 1);
    assert_eq!(notes(json!({"similarity_fn_name": "dot", "truncate_dim": 5})), 1, "cut vectors have other lengths");
    let cosine = of("bert_max_mean", json!({"similarity_fn_name": "cosine"}));
    assert!(cosine.notes().is_empty() && !cosine.conditions().expect("has some").contains_key("similarity_fn_name"));
    assert!(of("bert_mean", json!({"similarity_fn_name": "maxsim"})).notes()[0].contains("maxsim"));
}

#[test]
fn pooling_is_read_without_a_list_of_modules() {
    let listed = vectors(&read(&fixture("bert_last")).expect("reads"));
    let mut files = fixture("bert_last");
    files.remove("modules.json").expect("was there");
    let alone = read(&files).expect("reads");
    close(&vectors(&alone), &listed);
    assert_eq!(alone.conditions().expect("has some")["pooling"], "lasttoken");
    assert!(alone.notes()[0].contains("1_Pooling/config.json"), "{:?}", alone.notes());

    let pooling = files.remove("1_Pooling/config.json").expect("was there");
    let bare = read(&files).expect("reads");
    assert_eq!(bare.conditions().expect("has some")["pooling"], "mean");
    assert!(bare.notes()[0].contains("mean") && bare.notes()[0].contains("modules.json"), "{:?}", bare.notes());
    files.insert("1_Pooling/config.json".to_owned(), pooling.clone());
    files.insert("2_Pooling/config.json".to_owned(), pooling);
    assert!(read(&files).is_err_and(|said| said.contains("2_Pooling")));

    let mut dense = fixture("bert_cls_dense");
    dense.remove("modules.json").expect("was there");
    assert!(read(&dense).is_err_and(|said| said.contains("2_Dense") && said.contains("modules.json")));
}

#[test]
fn words_that_change_vectors_are_obeyed_or_refused() {
    let map = json!({"AutoModel": "modeling.Own"});
    let module = |kind: &str| json!([{"idx": 0, "name": "0", "path": "", "type": kind}]);
    let cases = [
        (set("bert_mean", "config.json", &json!({"auto_map": map})), "auto_map"),
        (set("bert_mean", "tokenizer_config.json", &json!({"auto_map": map})), "auto_map"),
        (with("bert_mean", "modules.json", &module("custom_st.Transformer")), "custom_st.Transformer"),
        (with("bert_mean", "modules.json", &module("Transformer")), "\"Transformer\""),
        (
            with("bert_mean", "adapter_config.json", &json!({"peft_type": "LORA"})),
            "adapter_config.json is of an adapter",
        ),
        (set("bert_mean", "config.json", &json!({"quantization_config": {"bits": 4}})), "quantization_config"),
        (set("bert_mean", "config.json", &json!({"pruned_heads": {"0": [1]}})), "pruned_heads"),
        (set("bert_mean", "config.json", &json!({"add_cross_attention": true})), "add_cross_attention"),
        (set("bert_mean", MODEL, &json!({"model_type": "SparseEncoder"})), "SparseEncoder"),
        (set("bert_mean", "1_Pooling/config.json", &json!({"pooling_mode_median": true})), "pooling_mode_median"),
        (set("bert_mean", "1_Pooling/config.json", &json!({"include_prompt": "no"})), "include_prompt"),
        (set("bert_mean", "1_Pooling/config.json", &json!({"pooling_mode": []})), "pooling mode"),
        (set("bert_mean", "1_Pooling/config.json", &json!({"word_embedding_dimension": 99})), "99 numbers"),
        (set("bert_cls_dense", "2_Dense/config.json", &json!({"activation_function": "own.Tanh"})), "own.Tanh"),
        (
            set("bert_cls_dense", "2_Dense/config.json", &json!({"module_input_name": "token_embeddings"})),
            "token_embeddings",
        ),
        (set("bert_mean", "sentence_bert_config.json", &json!({"transformer_task": "fill-mask"})), "fill-mask"),
        (
            set("bert_mean", "sentence_bert_config.json", &json!({"processing_kwargs": {"text": {"padding": 1}}})),
            "processing_kwargs",
        ),
        (
            set("bert_mean", "sentence_bert_config.json", &json!({"model_args": {"trust_remote_code": true}})),
            "trust_remote_code",
        ),
        (
            set("bert_mean", "sentence_bert_config.json", &json!({"modality_config": {"text": {"method": "own"}}})),
            "last hidden state",
        ),
    ];
    for (files, part) in cases {
        let said = read(&files).err().unwrap_or_else(|| panic!("{part}: it is read"));
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    let unknown = read(&set("bert_mean", "config.json", &json!({"use_rotary": true}))).expect("reads");
    assert!(unknown.notes()[0].contains("config.json: use_rotary"), "{:?}", unknown.notes());
    let prompts = read(&set("bert_mean", MODEL, &json!({"prompts": {"query": "q: ", "document": ""}}))).expect("reads");
    assert!(prompts.notes()[0].contains("(query)"), "{:?}", prompts.notes());
}

#[test]
fn tokenizer_config_decides_on_case_and_side_as_in_transformers() {
    let rows = |files: &Files| vectors(&read(files).expect("reads"));
    let tokenizer: Value = serde_json::from_slice(&fixture("bert_mean")["tokenizer.json"]).expect("JSON");
    assert_eq!(
        (&tokenizer["normalizer"]["type"], &tokenizer["normalizer"]["lowercase"]),
        (&json!("BertNormalizer"), &json!(true))
    );
    let lower = rows(&fixture("bert_mean"));
    let config = json!({"tokenizer_class": "BertTokenizerFast", "do_lower_case": false});
    let mut cased = set("bert_mean", "tokenizer_config.json", &config);
    let model = read(&cased).expect("reads");
    assert!(model.notes()[0].contains("do_lower_case = false"), "{:?}", model.notes());
    assert_ne!(vectors(&model), lower);
    let mut own = tokenizer.clone();
    own["normalizer"]["lowercase"] = json!(false);
    put(&mut cased, "tokenizer.json", &own);
    assert!(read(&cased).expect("reads").notes().is_empty());
    assert_eq!(rows(&cased), vectors(&model));
    // Another class has no such words.
    let other = json!({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": false});
    assert_eq!(rows(&set("bert_mean", "tokenizer_config.json", &other)), lower);

    let side = |side: &str| {
        let mut files = set("bert_mean", "tokenizer_config.json", &json!({"truncation_side": side}));
        put(&mut files, "sentence_bert_config.json", &json!({"max_seq_length": 5}));
        rows(&files)
    };
    assert_ne!(side("left"), side("right"));
}

#[test]
fn pointers_of_git_lfs_are_told() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 90\n".to_vec();
    for file in ["model.safetensors", "tokenizer.json", "config.json", "modules.json", "1_Pooling/config.json"] {
        let mut files = fixture("bert_mean");
        files.insert(file.to_owned(), pointer.clone());
        let said = read(&files).err().expect("is refused");
        assert!(said.contains(file) && said.contains("git lfs pull"), "{said}");
    }
}

#[test]
fn a_mapping_of_more_tokens_than_there_are_is_refused() {
    let mut files = fixture("model2vec_quantised");
    let whole = files["model.safetensors"].clone();
    let tensors = SafeTensors::deserialize(&whole).expect("reads");
    let zeros = vec![0u8; 8 * 50_000];
    let mapping = TensorView::new(Dtype::I64, vec![50_000], &zeros).expect("fits");
    let others = tensors.iter().filter(|(name, _)| *name == "embeddings");
    let all: Vec<(&str, TensorView<'_>)> = others.chain([("mapping", mapping)]).collect();
    files.insert("model.safetensors".to_owned(), safetensors::serialize(all, None).expect("writes"));
    let said = read(&files).err().expect("is refused");
    assert!(said.contains("rows of 50000 tokens"), "{said}");
}
