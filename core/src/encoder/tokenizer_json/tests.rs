use super::*;
use crate::encoder::{EncoderError, Tokenizer};
use serde_json::json;

/// A tokenizer that is sound.
fn sound() -> Value {
    json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": null,
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "b": 2}, "unk_token": "[UNK]"},
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut json = sound();
    json[field] = value;
    json
}

fn read(json: &Value) -> Result<Tokenizer, EncoderError> {
    Tokenizer::from_json(&json.to_string())
}

fn reason(json: &Value) -> String {
    match read(json) {
        Err(EncoderError::TokenizerJson { reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("must be refused: {json:.300}"),
    }
}

fn bpe(vocab: Value, merges: Value, prefix: Value) -> Value {
    with("model", json!({"type": "BPE", "vocab": vocab, "merges": merges, "continuing_subword_prefix": prefix}))
}

/// A charsmap that rewrites "A" to `text`.
fn charsmap(text: &str) -> Vec<u8> {
    let mut trie = vec![0u32; 512];
    // The root looks at block 256; "A" there has a leaf in unit 1, whose value is 0.
    trie[0] = 256 << 10;
    trie[256 ^ 65] = 65 | 1 << 8 | (256 ^ 65 ^ 1) << 10;
    let units = trie.iter().flat_map(|unit| unit.to_le_bytes());
    (512u32 * 4).to_le_bytes().into_iter().chain(units).chain(text.bytes()).collect()
}

fn precompiled(map: &[u8]) -> Value {
    use ct_codecs::{Base64, Encoder};
    with(
        "normalizer",
        json!({"type": "Precompiled", "precompiled_charsmap": Base64::encode_to_string(map).expect("text")}),
    )
}

#[test]
fn sound_ones_pass() {
    assert_eq!(read(&sound()).expect("reads").encode("A b c").expect("encodes").ids, [1, 2, 0]);
    let small = bpe(json!({"a": 0, "b": 1, "ab": 2, "##b": 3}), json!([["a", "##b"], "a b"]), json!("##"));
    assert!(reason(&small).contains("second piece"), "\"b\" does not begin with the prefix");
    let small = bpe(json!({"a": 0, "b": 1, "ab": 2, "##b": 3}), json!([["a", "##b"]]), json!("##"));
    assert!(read(&small).is_ok());
    let rewriting = read(&precompiled(&charsmap("b\0"))).expect("reads");
    assert_eq!(rewriting.encode("A A").expect("encodes").ids, [2, 2]);
}

#[test]
fn what_the_library_panics_on_is_refused_first() {
    let template = |special: Value, single: Value| {
        with(
            "post_processor",
            json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": special}),
        )
    };
    let piece = |name: &str| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let text = json!({"Sequence": {"id": "A", "type_id": 0}});
    let token = json!({"[S]": {"id": "[S]", "ids": [1], "tokens": ["a"]}});
    let cases = [
        (with("pre_tokenizer", json!({"type": "FixedLength", "length": 0})), "length of 0"),
        (
            with("pre_tokenizer", json!({"type": "Sequence", "pretokenizers": [{"type": "FixedLength", "length": 0}]})),
            "length of 0",
        ),
        (template(json!({}), json!([piece("[S]"), text])), "[S]"),
        (template(token.clone(), json!([piece("[S]")])), "0 times"),
        (template(token.clone(), json!([text, text])), "2 times"),
        (template(token, json!([{"Sequence": {"id": "B", "type_id": 0}}])), "\"B\""),
        (
            template(json!({"[S]": {"id": "[S]", "ids": [1, 2], "tokens": ["a"]}}), json!([piece("[S]"), text])),
            "as many",
        ),
        (bpe(json!({"a": 0, "b": 1, "ab": 2}), json!([["a", "b"]]), json!("##")), "second piece"),
        (bpe(json!({"a": 0, "b": 1}), json!([["a", "b"]]), json!(null)), "not in the vocabulary"),
        (precompiled(&[]), "no length"),
        (precompiled(&[0xff; 5]), "cut off"),
        (precompiled(&[0, 0, 0]), "no length"),
        (precompiled(&[0; 4]), "empty trie"),
        (precompiled(&charsmap("b")[..4 + 4 * 300]), "cut off"),
        (precompiled(&[&4u32.to_le_bytes()[..], &[1, 2, 3, 4]].concat()), "leads out"),
        (precompiled(&charsmap("")), ""),
        (with("truncation", json!({"max_length": 0, "strategy": "LongestFirst", "stride": 0})), "max_length"),
    ];
    for (json, part) in cases {
        if !part.is_empty() {
            assert!(reason(&json).contains(part), "{part}: {}", reason(&json));
        }
    }
    // A leaf that points behind the texts.
    let mut beside = charsmap("b\0");
    beside[4 + 4..4 + 8].copy_from_slice(&3u32.to_le_bytes());
    assert!(reason(&precompiled(&beside)).contains("beside"));
    assert!(reason(&precompiled(&charsmap(&"b".repeat(41)))).contains("40 bytes"));
    assert!(reason(&bpe(json!({"é": 0, "b": 1, "bé": 2}), json!([["b", "é"]]), json!("x"))).contains("second piece"));
}

#[test]
fn texts_do_not_grow_out_of_bounds() {
    let hundred = json!({"type": "Replace", "pattern": {"String": "e"}, "content": "e".repeat(100)});
    let steps = |n: usize| with("normalizer", json!({"type": "Sequence", "normalizers": vec![hundred.clone(); n]}));
    let once = read(&steps(1)).expect("reads");
    assert_eq!(once.encode("e").expect("encodes").ids, [0], "a hundred letters are few");
    for n in [2, 7, 64] {
        let grown = read(&steps(n)).expect("reads");
        let Err(EncoderError::Tokenise { reason, .. }) = grown.encode("the bee").map(|t| t.ids.len()) else {
            panic!("{n} times")
        };
        assert!(reason.contains("more than 32 times as long"), "{reason}");
        // The next text has a budget of its own.
        assert_eq!(grown.encode("a b").expect("encodes").ids, [1, 2]);
    }
    assert!(reason(&steps(65)).contains("more than 64 parts"));
    // One step, on a long text.
    let long =
        read(&with("normalizer", json!({"type": "Replace", "pattern": {"Regex": ""}, "content": "x".repeat(4096)})));
    assert!(long.expect("reads").encode(&"y".repeat(100_000)).is_err());
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let twice = json!({"type": "Sequence", "pretokenizers": vec![bytes.clone(); 4]});
    assert!(reason(&with("pre_tokenizer", twice)).contains("lengthens"));
    assert!(read(&with("pre_tokenizer", bytes)).is_ok());
    // An added token that is normalized.
    let mut token = steps(7);
    token["added_tokens"] = json!([{"id": 3, "content": "eee", "single_word": false, "lstrip": false, "rstrip": false,
                                    "normalized": true, "special": false}]);
    assert!(reason(&token).contains("32 times"), "{}", reason(&token));
}

#[test]
fn sizes_are_bounded() {
    let mut deep = json!({"type": "Lowercase"});
    for _ in 0..10 {
        deep = json!({"type": "Sequence", "normalizers": [deep]});
    }
    assert!(reason(&with("normalizer", deep)).contains("8 deep"));
    assert!(!reason(&with("normalizer", json!({"lowercase": true}))).is_empty(), "a part without a type");
    let ids = |vocab: Value| with("model", json!({"type": "WordLevel", "vocab": vocab, "unk_token": "a"}));
    for id in [json!(300_000_000), json!(-1), json!(u32::MAX), json!(1.5), json!("1"), json!(66_000)] {
        assert!(reason(&ids(json!({"a": id}))).contains("has the id"), "{id}");
    }
    let pieces =
        |text: String| with("model", json!({"type": "Unigram", "vocab": [["<unk>", 0.0], [text, -1.0]], "unk_id": 0}));
    assert!(read(&pieces("x".repeat(256))).is_ok());
    assert!(reason(&pieces("x".repeat(257))).contains("257 bytes"));
    let words = |most: Value| {
        let vocab = json!({"[UNK]": 0, "a": 1});
        let model = json!({"type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]",
                           "continuing_subword_prefix": "##", "max_input_chars_per_word": most});
        with("model", model)
    };
    assert!(read(&words(json!(100))).is_ok());
    assert!(reason(&words(json!(1_000_000))).contains("max_input_chars_per_word"));
    let mut dropout = bpe(json!({"a": 0}), json!([]), json!(null));
    dropout["model"]["dropout"] = json!(0.1);
    assert!(reason(&dropout).contains("dropout"));
    let added = |content: String| {
        let token = json!({"id": 3, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                           "normalized": false, "special": true});
        with("added_tokens", json!([token]))
    };
    assert!(reason(&added("x".repeat(5000))).contains("5000 bytes"));
    let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
    assert!(checked(many.as_bytes()).is_err_and(|reason| reason.contains("values")));
    assert!(checked(&vec![b' '; MAX_BYTES + 1]).is_err_and(|reason| reason.contains("bytes")));
    let split = |regex: &str| {
        with(
            "pre_tokenizer",
            json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false}),
        )
    };
    assert!(reason(&split("(?=(a+)+b)|.")).contains("backtracking"));
    assert!(reason(&split("(")).len() > 3);
}

#[test]
fn panics_that_are_left_come_back_as_errors() {
    // The second token takes the blanks that the first one has taken.
    let token = |content: &str, id: u32| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": true, "rstrip": true, "normalized": false,
               "special": false})
    };
    let overlapping = with("added_tokens", json!([token("<", 3), token(" >", 4)]));
    let tokenizer = read(&overlapping).expect("reads");
    for text in ["<  >", "< > < >", " <   > ", ""] {
        // Whatever the library makes of it, it comes back.
        let _ = tokenizer.encode(text);
    }
    assert_eq!(tokenizer.encode("a b").expect("encodes").ids, [1, 2]);
}
