//! Models from elsewhere against their own libraries: what `tests/reference/encoders.py` wrote.

use crucible_core::backend::cpu::CpuBackend;
use crucible_core::config::{Model, TokenizerKind};
use crucible_core::data::Event;
use crucible_core::embeddings::Embeddings;
use crucible_core::encoder::{
    Checkpoint, Corpus, Encoder, EncoderError, FolderModel, Loader, Options, Prompt, StaticEncoder, Tokenizer,
    export_static,
};
use crucible_core::rng::Stream;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/encoders")
}

/// A folder's files and those of the folders in it.
pub(crate) fn folder(path: &Path) -> Files {
    let mut files = Files::new();
    for entry in std::fs::read_dir(path).expect("a folder") {
        let path = entry.expect("is there").path();
        let name = path.file_name().expect("has one").to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(folder(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if FolderModel::wants(&name) {
            files.insert(name, std::fs::read(path).expect("reads"));
        }
    }
    files
}

fn read(files: &Files, options: &Options) -> Result<FolderModel, EncoderError> {
    FolderModel::from_files(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), options)
}

pub(crate) fn events<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Event> {
    let event = |(i, text): (usize, &str)| Event {
        event_id: i.to_string(),
        sense: "s#1".to_owned(),
        lemma: "s".to_owned(),
        text: text.to_owned(),
        // Spans are of no use here, and must do no harm.
        span: (!text.is_empty()).then_some((0, 1)),
        embedding: None,
        extra: Default::default(),
    };
    texts.into_iter().enumerate().map(event).collect()
}

fn expected() -> Value {
    let text = std::fs::read_to_string(fixtures().join("expected.json")).expect("is there");
    serde_json::from_str(&text).expect("JSON")
}

fn texts(expected: &Value) -> Vec<&str> {
    expected["texts"].as_array().expect("a list").iter().map(|text| text.as_str().expect("a text")).collect()
}

fn floats(rows: &Value) -> Vec<f32> {
    let rows = rows.as_array().expect("rows").iter().flat_map(|row| row.as_array().expect("a row"));
    rows.map(|x| x.as_f64().expect("a number") as f32).collect()
}

/// How far apart the most different numbers are.
#[track_caller]
fn apart(got: &[f32], want: &[f32]) -> f32 {
    assert_eq!(got.len(), want.len());
    assert!(got.iter().all(|x| x.is_finite()));
    got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// What the words in the fixture's keys ask for.
fn options(key: &str) -> Options {
    let prompt = match key {
        "prompt none" => Prompt::Named("none".to_owned()),
        "prompt text" => Prompt::Text("money: ".to_owned()),
        _ => Prompt::Default,
    };
    Options { loader: Loader::ALL.into_iter().find(|loader| loader.name() == key), prompt }
}

#[test]
fn small_folders_give_what_their_libraries_give() {
    let expected = expected();
    let events = events(texts(&expected));
    let mut compared = 0;
    for (name, readings) in expected["folders"].as_object().expect("folders") {
        let files = folder(&fixtures().join(name));
        for (key, rows) in readings.as_object().expect("readings") {
            let model = read(&files, &options(key)).unwrap_or_else(|e| panic!("{name}, {key}: {e}"));
            let got = model.embed_events(&events).expect("embeds");
            assert_eq!(got.dim, model.dim(), "{name}");
            // Its 16 bits are summed in 16 bits there.
            let bound = if name == "model2vec_short" { 1e-3 } else { 1e-6 };
            let apart = apart(&got.vectors, &floats(rows));
            assert!(apart <= bound, "{name}, {key}: {apart:e} apart");
            compared += 1;
        }
    }
    assert_eq!(compared, 19);
}

#[test]
fn the_library_that_wrote_a_static_folder_is_the_default_and_readings_differ() {
    let expected = expected();
    let events = events(texts(&expected));
    for (name, own) in [("model2vec", Loader::Model2Vec), ("static_old", Loader::SentenceTransformers)] {
        let files = folder(&fixtures().join(name));
        let of = |loader| read(&files, &Options { loader, ..Options::default() }).expect("reads");
        let vectors = |model: &FolderModel| model.embed_events(&events).expect("embeds").vectors;
        let loader = |model: &FolderModel| model.conditions().expect("has some")["loader"].clone();
        let default = of(None);
        assert_eq!(loader(&default), own.name());
        assert_eq!(vectors(&default), vectors(&of(Some(own))));
        let other = Loader::ALL.into_iter().find(|l| *l != own);
        assert_ne!(vectors(&default), vectors(&of(other)), "{name}: unknown tokens count, or not");
    }
}

#[test]
fn conditions_say_what_may_change_numbers() {
    let conditions = |name: &str, prompt| {
        let model = read(&folder(&fixtures().join(name)), &Options { prompt, ..Options::default() }).expect("reads");
        model.conditions().expect("has some")
    };
    let bert = conditions("bert_max_mean", Prompt::Default);
    for (name, want) in [
        ("loader", Value::from("sentence_transformers")),
        ("architecture", "bert".into()),
        ("pooling", "max+mean".into()),
        ("max_tokens", 32.into()),
        ("dim", 48.into()),
        ("dtype", "f32".into()),
        ("weights", "f16".into()),
        ("normalised", false.into()),
        ("prompt", Value::Null),
    ] {
        assert_eq!(bert[name], want, "{name}");
    }
    assert_eq!(conditions("bert_weighted_prompt", Prompt::Default)["prompt"], "the bank: ");
    assert_eq!(conditions("bert_mean", Prompt::Text("x ".to_owned()))["prompt"], "x ");
    assert_eq!(conditions("model2vec_short", Prompt::Default)["max_tokens"], 5);
}

/// The CPU's fast forms and the kernels' twins, one after another as a device would run them.
#[test]
fn kernels_in_a_row_give_the_same_vectors() {
    let expected = expected();
    let events = events(texts(&expected));
    for name in ["bert_mean", "bert_max_mean", "bert_cls_dense", "bert_weighted_prompt", "model2vec"] {
        let model = read(&folder(&fixtures().join(name)), &Options::default()).expect("reads");
        let corpus = model.tokenise(&events).expect("tokenises");
        let by_kernels = pollster::block_on(model.embed_on(&CpuBackend, &corpus, &|_| {})).expect("runs");
        let apart = apart(&by_kernels.vectors, &model.embed(&corpus).vectors);
        assert!(apart <= 2e-6, "{name}: {apart:e} apart");
    }
}

#[test]
fn a_transformer_tells_how_many_texts_are_done() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let expected = expected();
    let texts: Vec<&str> = texts(&expected).into_iter().cycle().take(100).collect();
    let model = read(&folder(&fixtures().join("bert_mean")), &Options::default()).expect("reads");
    let corpus = model.tokenise(&events(texts)).expect("tokenises");
    let (done, on_device) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = |count: &'static str, to: &AtomicUsize, more: usize| {
        assert!(more > 0, "{count}");
        to.fetch_add(more, Ordering::Relaxed);
    };
    let told = model.embed_telling(&corpus, &|more| counts("cpu", &done, more));
    assert!(told == model.embed(&corpus));
    pollster::block_on(model.embed_on(&CpuBackend, &corpus, &|more| counts("device", &on_device, more))).expect("runs");
    assert_eq!((done.into_inner(), on_device.into_inner()), (corpus.texts(), corpus.texts()));
}

/// Each text alone, in twos, fives and all together, on one thread and several.
#[track_caller]
fn same_bits_whatever_the_batch(model: &FolderModel, events: &[Event]) {
    let all = model.embed_events(events).expect("embeds");
    for batch in [1, 2, 5, 97] {
        let parts: Vec<f32> =
            events.chunks(batch).flat_map(|events| model.embed_events(events).expect("embeds").vectors).collect();
        assert!(parts == all.vectors, "in batches of {batch}");
    }
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        assert!(pool.install(|| model.embed_events(events)).expect("embeds") == all, "on {threads} threads");
    }
}

#[test]
fn vectors_are_the_same_bits_whatever_comes_with_them() {
    let expected = expected();
    // Enough for several blocks, with texts twice.
    let texts: Vec<String> =
        (0..60).flat_map(|i| texts(&expected).into_iter().map(move |t| format!("{t} {}", i % 40))).collect();
    let events = events(texts.iter().map(String::as_str));
    for name in ["bert_mean", "bert_max_mean", "bert_cls_dense", "static_old"] {
        same_bits_whatever_the_batch(
            &read(&folder(&fixtures().join(name)), &Options::default()).expect("reads"),
            &events,
        );
    }
}

/// One change to a sound folder, and what the refusal says.
#[test]
fn folders_that_cannot_be_read_say_which_file_and_why() {
    let sound = folder(&fixtures().join("bert_mean"));
    let cases: &[(&str, &str, &[&str])] = &[
        ("config.json", r#"{"model_type": "mpnet"}"#, &["config.json", "\"mpnet\"", "MiniLM"]),
        ("config.json", r#"{"model_type": "bert"}"#, &["config.json", "missing field"]),
        ("config.json", "{", &["config.json", "cannot be read"]),
        (
            "modules.json",
            r#"[{"path": "", "type": "sentence_transformers.models.CLIPModel"}]"#,
            &["modules.json", "CLIPModel"],
        ),
        ("modules.json", r#"[{"path": "", "type": "sentence_transformers.models.Transformer"}]"#, &["no Pooling"]),
        ("modules.json", "[]", &["no Pooling"]),
        ("1_Pooling/config.json", r#"{"pooling_mode": "most"}"#, &["1_Pooling/config.json", "\"most\""]),
        ("sentence_bert_config.json", r#"{"max_seq_length": 99}"#, &["max_seq_length is 99", "40 places"]),
        ("sentence_bert_config.json", r#"{"max_seq_length": 2}"#, &["at most 2 tokens", "beside 2"]),
        ("tokenizer.json", "{}", &["tokenizer.json"]),
        ("model.safetensors", "short", &["model.safetensors", "no safetensors file"]),
    ];
    for (file, content, parts) in cases {
        let mut files = sound.clone();
        files.insert((*file).to_owned(), content.as_bytes().to_vec());
        let said =
            read(&files, &Options::default()).err().unwrap_or_else(|| panic!("{file}: {content} is read")).to_string();
        for part in *parts {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
    }
    let edited = |old: &str, new: &str| {
        let mut files = sound.clone();
        let text = String::from_utf8(files["config.json"].clone()).expect("text");
        assert!(text.contains(old), "{old}");
        files.insert("config.json".to_owned(), text.replace(old, new).into_bytes());
        read(&files, &Options::default()).err().expect("is refused").to_string()
    };
    for (old, new, part) in [
        ("\"hidden_size\": 24", "\"hidden_size\": 99999", "hidden_size is 99999"),
        ("\"hidden_size\": 24", "\"hidden_size\": 48", "has shape"),
        ("\"num_attention_heads\": 3", "\"num_attention_heads\": 5", "5 heads"),
        ("\"num_attention_heads\": 3", "\"num_attention_heads\": 0", "num_attention_heads is 0"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"silu\"", "\"silu\""),
        ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "encoder.layer.2"),
        ("\"vocab_size\": 90", "\"vocab_size\": 4000000", "has shape"),
        ("\"is_decoder\": false", "\"is_decoder\": true", "is_decoder"),
    ] {
        assert!(edited(old, new).contains(part), "{:?} lacks {part:?}", edited(old, new));
    }
    for gone in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        let mut files = sound.clone();
        files.remove(gone);
        assert!(read(&files, &Options::default()).is_err(), "without {gone}");
    }
    let options = Options { prompt: Prompt::Named("passage".to_owned()), ..Options::default() };
    let said = read(&sound, &options).err().expect("there is none").to_string();
    assert!(said.contains("no prompt \"passage\""), "{said}");
}

#[test]
fn weights_that_are_a_pickle_only_are_refused() {
    for (name, weights) in [("bert_mean", "model.safetensors"), ("static_new", "0_StaticEmbedding/model.safetensors")] {
        let mut files = folder(&fixtures().join(name));
        files.remove(weights).expect("was there");
        files.insert(weights.replace("model.safetensors", "pytorch_model.bin"), Vec::new());
        let error = read(&files, &Options::default()).err().expect("is refused");
        assert!(matches!(&error, EncoderError::Pickle { file } if file.ends_with("pytorch_model.bin")), "{error}");
    }
}

#[test]
fn damaged_tensors_are_refused() {
    let sound = folder(&fixtures().join("static_old"));
    let whole = &sound["model.safetensors"];
    let with = |bytes: Vec<u8>| {
        let mut files = sound.clone();
        files.insert("model.safetensors".to_owned(), bytes);
        read(&files, &Options::default()).err().map(|e| e.to_string())
    };
    assert_eq!(with(whole.clone()), None);
    for cut in [0, 7, 8, 50, whole.len() / 2, whole.len() - 1] {
        assert!(with(whole[..cut].to_vec()).is_some(), "cut at {cut}");
    }
    let mut nan = whole.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(with(nan).is_some_and(|said| said.contains("NaN")), "NaN is read");
    // Fewer rows than the tokenizer has tokens.
    let header = String::from_utf8_lossy(&whole[8..80]).into_owned();
    assert!(header.contains("[90,12]"), "{header}");
    let half = String::from_utf8_lossy(&whole[8..8 + header_len(whole)]).replace("[90,12]", "[45,24]");
    let bytes = [&whole[..8], half.as_bytes(), &whole[8 + header_len(whole)..]].concat();
    assert!(with(bytes).is_some_and(|said| said.contains("of 45 tokens only")));
}

fn header_len(file: &[u8]) -> usize {
    u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize
}

/// A checkpoint none of whose parts is at its start, and events of its words.
fn trained(config: &Model) -> (Checkpoint, Vec<Event>) {
    let mut stream = Stream::new(3, "exported", 0);
    let mut text = |i: usize| (0..i % 30).map(|_| format!("w{}", stream.below(40))).collect::<Vec<_>>().join(" ");
    let texts: Vec<String> = (0..60).map(&mut text).collect();
    let events = events(texts.iter().map(String::as_str));
    let names: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 120, &names).expect("trains");
    let corpus = Corpus::build(&tokenizer, &events, config.span_window, config.max_tokens).expect("builds");
    let mut encoder = StaticEncoder::init(config, tokenizer.vocab_size(), &corpus, 5).expect("fits");
    for layer in &mut encoder.layers {
        layer.weight.iter_mut().chain(&mut layer.bias).for_each(|x| *x += stream.symmetric(0.3));
    }
    (Checkpoint { encoder, tokenizer: Some(tokenizer), step: 1, seed: 5, version: "0".to_owned() }, events)
}

fn flat() -> Model {
    Model {
        embedding_dim: 20,
        hidden_dim: 20,
        span_window: 0,
        num_layers: 0,
        max_tokens: 25,
        vocab_size: 120,
        ..Model::default()
    }
}

#[test]
fn exported_folders_give_the_checkpoints_vectors() {
    for config in [
        flat(),
        Model { num_layers: 1, residual: true, ..flat() },
        Model { num_layers: 1, residual: false, hidden_dim: 9, ..flat() },
        // Weights by distance that are all the same are none.
        Model { span_window: 3, ..flat() },
    ] {
        let (checkpoint, events) = trained(&config);
        let files: Files = export_static(&checkpoint, false).expect("has the form").into_iter().collect();
        let model = read(&files, &Options::default()).expect("reads");
        // Some are cut at 25 tokens, some have a token that is unknown.
        let mut events: Vec<Event> = events.into_iter().filter(|e| !e.text.is_empty()).collect();
        events.iter_mut().step_by(3).for_each(|e| e.text += " \u{2603}");
        let (got, want) =
            (model.embed_events(&events).expect("embeds"), checkpoint.embed_events(&events).expect("embeds"));
        assert!(apart(&got.vectors, &want.vectors) <= 1e-6, "{config:?}");
    }
}

#[test]
fn what_no_such_folder_gives_is_not_exported() {
    let refused = |config: &Model| {
        let (mut checkpoint, _) = trained(config);
        checkpoint.encoder.span_weights.iter_mut().step_by(2).for_each(|w| *w += 0.5);
        export_static(&checkpoint, false).err().map(|e| e.to_string())
    };
    let two = refused(&Model { num_layers: 2, ..flat() }).expect("is refused");
    assert!(two.contains("2 layers"), "{two}");
    let spans = refused(&Model { span_window: 3, ..flat() }).expect("is refused");
    assert!(spans.contains("model.span_window 3"), "{spans}");
    assert_eq!(refused(&flat()), None);

    // Left out, vectors are those of texts without a marked word.
    let (mut checkpoint, mut events) = trained(&Model { span_window: 3, ..flat() });
    checkpoint.encoder.span_weights.iter_mut().step_by(2).for_each(|w| *w += 0.5);
    events.iter_mut().for_each(|e| e.span = None);
    let files: Files = export_static(&checkpoint, true).expect("has the form").into_iter().collect();
    let got = read(&files, &Options::default()).expect("reads").embed_events(&events).expect("embeds");
    assert!(apart(&got.vectors, &checkpoint.embed_events(&events).expect("embeds").vectors) <= 1e-6);
}

/// all-MiniLM-L6-v2, where it is: `CRUCIBLE_MINILM_DIR` names its folder.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn minilm() -> Option<FolderModel> {
    let Some(path) = std::env::var_os("CRUCIBLE_MINILM_DIR") else {
        println!("skipped: CRUCIBLE_MINILM_DIR does not name the folder of all-MiniLM-L6-v2");
        return None;
    };
    Some(read(&folder(Path::new(&path)), &Options::default()).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

#[test]
#[expect(clippy::print_stdout, reason = "how near it is")]
fn minilm_gives_what_sentence_transformers_gives() {
    let Some(model) = minilm() else { return };
    let folder = fixtures().join("minilm");
    let texts: Vec<String> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("texts.json")).expect("is there")).expect("JSON");
    let bytes = std::fs::read(folder.join("vectors.i16")).expect("is there");
    let want: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)) / 32767.0).collect();
    assert_eq!((texts.len(), want.len()), (1000, 384_000));
    let events = events(texts.iter().map(String::as_str));
    let got = model.embed_events(&events).expect("embeds");
    let most = apart(&got.vectors, &want);
    let want = Embeddings::normalised(384, want);
    let cosine = |i: usize| got.row(i).iter().zip(want.row(i)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let least = (0..texts.len()).map(cosine).fold(f64::INFINITY, f64::min);
    println!("1000 texts: at most {most:.2e} apart, cosine at least {least:.8}");
    assert!(most <= 1e-4 && least >= 0.99999, "{most:e} apart, cosine {least}");
    // Unoptimised, it is slow: some of them, none and long ones too.
    let some: Vec<Event> = events.iter().step_by(40).cloned().collect();
    same_bits_whatever_the_batch(&model, &some);
}
