//! Normalizers, pre-tokenizers, post-processors and decoders.

use super::{Checked, at_most, charsmap, pattern, short};
use serde_json::{Map, Value};

/// Sequences inside sequences, at most: the library tries an unknown one in several ways at every level.
const MAX_DEPTH: usize = 8;
/// Parts of one kind.
const MAX_PARTS: usize = 64;
/// Bytes of a text that is looked for or put in.
const MAX_TEXT: usize = 4096;
/// Bytes of what is put before a text.
const MAX_PREFIX: usize = 256;
/// Pre-tokenizers that lengthen a text do it for each other's output: how many times longer, at most.
const MAX_GROWTH: u64 = 64;
/// Pieces of a template, and tokens of each.
const MAX_MARKS: usize = 64;

/// A part that holds no others.
struct Part<'a> {
    kind: &'a str,
    fields: &'a Map<String, Value>,
}

pub(super) fn check(fields: &Map<String, Value>) -> Checked<()> {
    let parts = |field: &str, list: &str| -> Checked<Vec<Part<'_>>> {
        let mut parts = Vec::new();
        flatten(fields.get(field).unwrap_or(&Value::Null), field, list, 0, &mut parts)?;
        Ok(parts)
    };
    parts("normalizer", "normalizers")?.iter().try_for_each(normalizer)?;
    let splitters = parts("pre_tokenizer", "pretokenizers")?;
    splitters.iter().try_for_each(pre_tokenizer)?;
    let growth = splitters.iter().fold(1u64, |product, part| product.saturating_mul(part.growth()));
    if growth > MAX_GROWTH {
        return Err("its pre_tokenizer lengthens texts again and again (ByteLevel, Metaspace)".to_owned());
    }
    parts("post_processor", "processors")?.iter().try_for_each(post_processor)?;
    parts("decoder", "decoders")?.iter().try_for_each(searched)
}

/// The parts of a sequence, in order; a part that is none is its own.
fn flatten<'a>(value: &'a Value, field: &str, list: &str, depth: usize, out: &mut Vec<Part<'a>>) -> Checked<()> {
    if value.is_null() {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(format!("its {field} holds sequences in sequences, more than {MAX_DEPTH} deep"));
    }
    let fields = value.as_object().ok_or_else(|| format!("a {field} is no object"))?;
    let kind = fields.get("type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| format!("a {field} has no `type`"))?;
    if kind == "Sequence" {
        let mut inner = fields.get(list).and_then(Value::as_array).into_iter().flatten();
        return inner.try_for_each(|part| flatten(part, field, list, depth + 1, out));
    }
    if out.len() == MAX_PARTS {
        return Err(format!("its {field} has more than {MAX_PARTS} parts"));
    }
    out.push(Part { kind, fields });
    Ok(())
}

impl Part<'_> {
    /// How many times longer it can make a text.
    fn growth(&self) -> u64 {
        match self.kind {
            // A byte becomes a character of up to two, and a word gets a space.
            "ByteLevel" => 4,
            // A space becomes a character of up to four bytes, and a word gets one.
            "Metaspace" => 8,
            _ => 1,
        }
    }
}

fn normalizer(part: &Part<'_>) -> Checked<()> {
    match part.kind {
        "Precompiled" => {
            let map = part.fields.get("precompiled_charsmap").and_then(Value::as_str);
            charsmap::check(map.ok_or("a Precompiled normalizer has no precompiled_charsmap")?)
        }
        "Prepend" => short(part.fields, "prepend", MAX_PREFIX),
        _ => {
            short(part.fields, "content", MAX_TEXT)?;
            searched(part)
        }
    }
}

fn pre_tokenizer(part: &Part<'_>) -> Checked<()> {
    if part.kind == "FixedLength" && part.fields.get("length").is_some_and(|length| length.as_u64() == Some(0)) {
        return Err("a FixedLength pre_tokenizer has a length of 0".to_owned());
    }
    searched(part)
}

/// What a part looks for: `{"String": …}` or `{"Regex": …}`.
fn searched(part: &Part<'_>) -> Checked<()> {
    let Some(Value::Object(sought)) = part.fields.get("pattern") else { return Ok(()) };
    short(sought, "String", MAX_TEXT)?;
    match sought.get("Regex").and_then(Value::as_str) {
        Some(regex) => pattern::check(regex).map_err(|reason| format!("the pattern of a {} {reason}", part.kind)),
        None => Ok(()),
    }
}

fn post_processor(part: &Part<'_>) -> Checked<()> {
    if part.kind != "TemplateProcessing" {
        return Ok(());
    }
    let pieces = |name: &str| {
        let pieces = part.fields.get(name).and_then(Value::as_array);
        let pieces = pieces.ok_or_else(|| format!("a template has no `{name}`"))?;
        match pieces.len() > MAX_MARKS {
            true => Err(format!("a template has {} pieces; at most {MAX_MARKS} are read", pieces.len())),
            false => Ok(pieces),
        }
    };
    pieces("pair")?;
    let mut texts = 0;
    for piece in pieces("single")? {
        match (&piece["Sequence"]["id"], &piece["SpecialToken"]["id"]) {
            (Value::String(text), Value::Null) if text == "A" => texts += 1,
            (Value::String(text), Value::Null) => {
                return Err(format!("a template for one text asks for text {text:?}"));
            }
            (_, Value::String(name)) => special_token(part.fields, name)?,
            _ => return Err("a template holds what is neither a Sequence nor a SpecialToken".to_owned()),
        }
    }
    match texts {
        1 => Ok(()),
        _ => Err(format!("a template for one text holds it {texts} times")),
    }
}

/// The library takes it for granted that every token of a template is there.
fn special_token(template: &Map<String, Value>, name: &str) -> Checked<()> {
    at_most(MAX_TEXT, name, || "a special token of a template".to_owned())?;
    let token = template.get("special_tokens").and_then(|tokens| tokens.get(name));
    let token = token.ok_or_else(|| format!("a template names the special token {name:?}, which it does not have"))?;
    let count = |field: &str| token[field].as_array().map(Vec::len);
    match (count("ids"), count("tokens")) {
        (Some(ids), Some(tokens)) if ids == tokens && ids <= MAX_MARKS => Ok(()),
        (Some(ids), Some(tokens)) if ids == tokens => {
            Err(format!("the special token {name:?} stands for {ids} tokens; at most {MAX_MARKS} are read"))
        }
        _ => Err(format!("the special token {name:?} has not as many `ids` as `tokens`")),
    }
}
