//! Files of models from strangers: thousands of small changes to sound ones. Whatever comes of them, it is a value or an
//! error: no panic, no abort, no text that grows without bounds.
//!
//! `CRUCIBLE_MUTATIONS` says how many changes each test makes.

use crate::encoders::{Files, events, fixtures, folder};
use crucible_core::config::{Model, TokenizerKind};
use crucible_core::encoder::{Checkpoint, Corpus, Encoder, FolderModel, Options, StaticEncoder, Tokenizer};
use crucible_core::parallel;
use crucible_core::rng::Stream;
use serde_json::{Value, json};

/// Where nobody says otherwise.
const FEW: usize = 300;

fn count() -> usize {
    std::env::var("CRUCIBLE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(FEW)
}

const TEXTS: [&str; 6] = [
    "",
    "The bank of the river, 銀行 é ☃ eee aaa.",
    "[CLS] <s> [SEP]  x  <mask> </s>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    "\u{301}\u{0}\u{fdfa}\u{1d160}\t\r\n 12345 'll A1 b2",
    "ﷺﷺﷺﷺ ééé İİ ßß",
];

/// Words that mean something in some part of a `tokenizer.json`.
const WORDS: [&str; 40] = [
    "BertNormalizer",
    "Bert",
    "NFC",
    "NFKD",
    "NFKC",
    "Lowercase",
    "Strip",
    "StripAccents",
    "Replace",
    "Prepend",
    "Precompiled",
    "Sequence",
    "ByteLevel",
    "Nmt",
    "Metaspace",
    "Whitespace",
    "WhitespaceSplit",
    "Split",
    "Digits",
    "Punctuation",
    "FixedLength",
    "UnicodeScripts",
    "BertPreTokenizer",
    "TemplateProcessing",
    "RobertaProcessing",
    "BertProcessing",
    "BPE",
    "WordPiece",
    "WordLevel",
    "Unigram",
    "A",
    "B",
    "[SEP]",
    "##",
    "e",
    " ",
    "(a+)+\\1",
    "\\s+(?!\\S)",
    "Isolated",
    "MergedWithNext",
];

fn unigram() -> Value {
    let pieces: Vec<Value> = ["<unk>", "▁", "a", "b", "e", "▁the", "▁ba", "nk", "r", "i", "v"]
        .iter()
        .zip(0..)
        .map(|(piece, i)| json!([piece, -f64::from(i)]))
        .collect();
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 3},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"},
        "added_tokens": [token("<mask>", 11, true), token("<s>", 12, false)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap()},
            {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            {"type": "Replace", "pattern": {"String": "e"}, "content": "ee"},
            {"type": "Strip", "strip_left": true, "strip_right": false},
        ]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "post_processor": template(),
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": false},
    })
}

fn wordlevel() -> Value {
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [token("<s>", 6, true), token(" x ", 7, false)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": "a"}, {"type": "Nmt"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Whitespace"},
            {"type": "Digits", "individual_digits": true},
            {"type": "Punctuation", "behavior": "Isolated"},
            {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|a+"}, "behavior": "MergedWithNext", "invert": false},
            {"type": "FixedLength", "length": 5},
            {"type": "UnicodeScripts"},
        ]},
        "post_processor": {"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}, template(),
        ]},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "the": 2, "bank": 3, "of": 4, "[SEP]": 5}, "unk_token": "[UNK]"},
    })
}

fn bpe() -> Value {
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [token("<mask>", 8, true)],
        "normalizer": {"type": "ByteLevel"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "post_processor": {"type": "RobertaProcessing", "sep": ["a", 0], "cls": ["b", 1], "trim_offsets": true, "add_prefix_space": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": "a", "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>",
                  "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                  "vocab": {"a": 0, "b": 1, "##b": 2, "ab": 3, "##a": 4, "aa": 5, "<0x00>": 6, "e": 7},
                  "merges": [["a", "##b"], ["a", "##a"]]},
    })
}

fn token(content: &str, id: u32, normalized: bool) -> Value {
    json!({"id": id, "content": content, "single_word": normalized, "lstrip": true, "rstrip": !normalized, "normalized": normalized, "special": !normalized})
}

fn template() -> Value {
    let special = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
    let text = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let token = |id: &str, n: u32| json!({"id": id, "ids": [n], "tokens": [id]});
    json!({"type": "TemplateProcessing", "single": [special("[CLS]"), text("A"), special("[SEP]")],
           "pair": [text("A"), special("[SEP]"), text("B")],
           "special_tokens": {"[CLS]": token("[CLS]", 1), "[SEP]": token("[SEP]", 2)}})
}

/// Rewrites "A" to "b".
fn charsmap() -> String {
    use ct_codecs::{Base64, Encoder};
    let mut trie = vec![0u32; 512];
    trie[0] = 256 << 10;
    trie[256 ^ 65] = 65 | 1 << 8 | (256 ^ 65 ^ 1) << 10;
    let units = trie.iter().flat_map(|unit| unit.to_le_bytes());
    let bytes: Vec<u8> = 2048u32.to_le_bytes().into_iter().chain(units).chain(*b"b\0").collect();
    Base64::encode_to_string(bytes).expect("text")
}

/// Some value in a document; those near its top are met more often.
fn anywhere<'a>(value: &'a mut Value, stream: &mut Stream) -> &'a mut Value {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    if children == 0 || stream.below(6) == 0 {
        return value;
    }
    let child = stream.below(children);
    match value {
        Value::Array(items) => anywhere(&mut items[child], stream),
        Value::Object(fields) => anywhere(fields.values_mut().nth(child).expect("counted"), stream),
        leaf => leaf,
    }
}

fn number(stream: &mut Stream) -> Value {
    let small = [json!(0), json!(-1), json!(1), json!(7), json!(1.5), json!(1e300), json!(255), json!(65_537)];
    let large = [1u64 << 31, (1 << 31) - 1, 1 << 32, 1 << 60, 1 << 63, u64::MAX, 300_000_000, 4_194_304];
    match stream.below(2) {
        0 => small[stream.below(small.len())].clone(),
        _ => json!(large[stream.below(large.len())]),
    }
}

fn text(stream: &mut Stream) -> String {
    let word = WORDS[stream.below(WORDS.len())];
    match stream.below(4) {
        0 => String::new(),
        1 => {
            let most = 1 << stream.below(13);
            word.repeat(1 + stream.below(most))
        }
        _ => word.to_owned(),
    }
}

/// The value as the only part of sequences in sequences.
fn wrapped(value: &Value, depth: usize) -> Value {
    (0..depth).fold(
        value.clone(),
        |inner, _| json!({"type": "Sequence", "normalizers": [inner], "pretokenizers": [inner], "processors": [inner]}),
    )
}

fn change(place: &mut Value, other: Value, stream: &mut Stream) {
    match (stream.below(8), &mut *place) {
        (0, _) => *place = number(stream),
        (1, _) => *place = Value::String(text(stream)),
        (2, Value::Array(items)) if !items.is_empty() => drop(items.remove(stream.below(items.len()))),
        (2, Value::Object(fields)) if !fields.is_empty() => {
            let key = fields.keys().nth(stream.below(fields.len())).cloned();
            fields.remove(&key.unwrap_or_default());
        }
        (3, Value::Array(items)) if !items.is_empty() => {
            let item = items[stream.below(items.len())].clone();
            items.extend(std::iter::repeat_n(item, stream.below(100)));
        }
        (3, Value::Object(fields)) => drop(fields.insert(text(stream), other)),
        (4, _) => *place = [json!(null), json!([]), json!({}), json!(true)][stream.below(4)].clone(),
        (5, _) => *place = wrapped(place, 1 + stream.below(5)),
        (6, Value::String(text)) => *text = text.repeat(stream.below(100)),
        _ => *place = other,
    }
}

/// A few changes.
fn mutated(document: &Value, stream: &mut Stream) -> Value {
    let mut document = document.clone();
    for _ in 0..1 + stream.below(3) {
        let other = anywhere(&mut document.clone(), stream).clone();
        change(anywhere(&mut document, stream), other, stream);
    }
    document
}

/// Some bytes changed, one time in five.
fn flipped(mut bytes: Vec<u8>, stream: &mut Stream) -> Vec<u8> {
    if stream.below(5) == 0 && !bytes.is_empty() {
        for _ in 0..1 + stream.below(4) {
            let at = stream.below(bytes.len());
            bytes[at] ^= 1 << stream.below(8);
        }
    }
    bytes
}

/// How many of so many changes gave a value.
fn tried(purpose: &str, one: impl Fn(usize, &mut Stream) -> bool + Sync) -> usize {
    let done = parallel::map(count(), |n| one(n, &mut Stream::new(20, purpose, n as u64)));
    done.into_iter().filter(|sound| *sound).count()
}

/// Whether the file gives a tokenizer; what it makes of texts is bounded.
fn tokenises(json: &str) -> bool {
    let Ok(tokenizer) = Tokenizer::from_json(json) else { return false };
    for text in TEXTS {
        if let Ok(tokens) = tokenizer.encode(text) {
            let most = 64 * (32 * text.len() + 512);
            assert!(tokens.ids.len() <= most, "{} tokens of {text:?}: {json:.2000}", tokens.ids.len());
        }
    }
    let again = tokenizer.to_json().map_or(0, |again| again.len());
    assert!(again < 100 * json.len() + 100_000, "{again} bytes: {json:.2000}");
    true
}

fn embeds(files: &Files) -> bool {
    let named = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let Ok(model) = FolderModel::from_files(named, &Options::default()) else { return false };
    match model.embed_events(&events(TEXTS)) {
        Ok(vectors) => assert_eq!((vectors.len(), vectors.dim), (TEXTS.len(), model.dim())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    true
}

#[test]
fn tokenizers_from_strangers_do_no_harm() {
    let folder = folder(&fixtures().join("bert_mean"));
    let wordpiece: Value = serde_json::from_slice(&folder["tokenizer.json"]).expect("JSON");
    let seeds = [wordpiece, unigram(), wordlevel(), bpe()];
    for seed in &seeds {
        assert!(tokenises(&seed.to_string()), "the seeds are sound: {seed:.300}");
    }
    let sound = tried("tokenizers", |n, stream| {
        let json = mutated(&seeds[n % seeds.len()], stream).to_string();
        let bytes = flipped(json.into_bytes(), stream);
        let alone = tokenises(&String::from_utf8_lossy(&bytes));
        let mut folder = folder.clone();
        folder.insert("tokenizer.json".to_owned(), bytes);
        alone | embeds(&folder)
    });
    let all = count();
    assert!(sound > all / 20 && sound < all, "{sound} of {all} were still sound");
}

#[test]
fn settings_of_folders_from_strangers_do_no_harm() {
    let seeds = ["bert_cls_dense", "bert_weighted_prompt", "bert_max_mean", "model2vec_quantised", "static_new"];
    let seeds = seeds.map(|name| folder(&fixtures().join(name)));
    assert!(seeds.iter().all(embeds), "the seeds are sound");
    let sound = tried("folders", |n, stream| {
        let mut files = seeds[n % seeds.len()].clone();
        let names: Vec<String> = files.keys().cloned().collect();
        for _ in 0..1 + stream.below(2) {
            let name = &names[stream.below(names.len())];
            let bytes = match serde_json::from_slice(&files[name]) {
                Ok(json) => mutated(&json, stream).to_string().into_bytes(),
                Err(_) => files[name].clone(),
            };
            files.insert(name.clone(), flipped(bytes, stream));
        }
        if stream.below(10) == 0 {
            files.remove(&names[stream.below(names.len())]);
        }
        embeds(&files)
    });
    let all = count();
    assert!(sound > all / 20 && sound < all, "{sound} of {all} were still sound");
}

/// A safetensors file of that header.
fn file(header: &Value, data: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn checkpoints_from_strangers_do_no_harm() {
    let tokenizer = Tokenizer::train(TokenizerKind::Wordpiece, 100, &TEXTS).expect("trains");
    let config = Model { embedding_dim: 8, hidden_dim: 8, num_layers: 1, span_window: 3, ..Model::default() };
    let encoder = StaticEncoder::init(&config, tokenizer.vocab_size(), &Corpus::default(), 1).expect("fits");
    let checkpoint = Checkpoint { encoder, tokenizer: Some(tokenizer), step: 1, seed: 1, version: "1".to_owned() };
    let bytes = checkpoint.to_bytes().expect("writes");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    let data = &bytes[8 + length..];
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let document: Value = serde_json::from_str(&text(&header["__metadata__"]["crucible"])).expect("JSON");
    let tokenizer: Value = serde_json::from_str(&text(&document["tokenizer"])).expect("JSON");
    let reads = |bytes: &[u8]| match Checkpoint::from_bytes(bytes) {
        Ok(checkpoint) => {
            let _ = checkpoint.embed_events(&events(TEXTS));
            true
        }
        Err(error) => error.to_string().is_empty(),
    };
    assert!(reads(&file(&header, data)), "the seed is sound");
    let sound = tried("checkpoints", |n, stream| {
        let (mut header, mut document) = (header.clone(), document.clone());
        match n % 4 {
            0 => header = mutated(&header, stream),
            1 => document["tokenizer"] = Value::String(mutated(&tokenizer, stream).to_string()),
            2 => document = mutated(&document, stream),
            _ => {}
        }
        if n % 4 != 0 {
            header["__metadata__"]["crucible"] = Value::String(document.to_string());
        }
        let mut bytes = file(&header, data);
        if n % 4 == 3 {
            for _ in 0..1 + stream.below(8) {
                let at = stream.below(bytes.len().min(8 + 2 * length));
                bytes[at] ^= 1 << stream.below(8);
            }
        }
        reads(&flipped(bytes, stream))
    });
    let all = count();
    assert!(sound > all / 50 && sound < all, "{sound} of {all} were still sound");
}
