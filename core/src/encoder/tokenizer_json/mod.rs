//! A look through a `tokenizer.json` before the `tokenizers` library gets it.
//!
//! Such files come from strangers, and the library trusts them: some make it panic, some make a text of ten words fill the
//! memory, some make it search for hours. What is refused here is refused with a reason, natively and in a browser. What
//! depends on the text is bounded where texts are encoded.

mod charsmap;
mod model;
mod parts;
mod pattern;

use memchr::memchr2_iter;
use serde_json::{Map, Value};

/// More bytes are no tokenizer: those with 260,000 pieces have 35 MB.
const MAX_BYTES: usize = 64 << 20;
/// Values in it, at most: each takes several times its bytes in memory.
const MAX_VALUES: usize = 8 << 20;
/// Added tokens, at most.
const MAX_ADDED: usize = 1 << 18;
/// Bytes of one of them.
const MAX_ADDED_BYTES: usize = 4096;
/// Bytes of all of them: the library builds a table of states, each many times larger than its byte.
const MAX_ADDED_TOTAL: usize = 4 << 20;

type Checked<T> = Result<T, String>;

/// Reads a `tokenizer.json` and refuses what the library does not bear. Padding is dropped, and overlapping parts of long
/// texts too: nothing here uses them.
///
/// # Errors
/// It is no JSON, or asks for something that is out of bounds: what, and why.
pub(super) fn checked(bytes: &[u8]) -> Checked<Value> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("it has {} bytes; at most {MAX_BYTES} are read", bytes.len()));
    }
    let values = memchr2_iter(b',', b':', bytes).count() + memchr2_iter(b'[', b'{', bytes).count();
    if values > MAX_VALUES {
        return Err(format!("it has more than {MAX_VALUES} values"));
    }
    let mut json: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let Value::Object(fields) = &mut json else { return Err("it is no JSON object".to_owned()) };
    fields.insert("padding".to_owned(), Value::Null);
    truncation(fields)?;
    added_tokens(fields)?;
    parts::check(fields)?;
    let model = fields.get("model").and_then(Value::as_object).ok_or("it has no `model`")?;
    model::check(model)?;
    Ok(json)
}

/// The library panics on a `stride` that is not below the length, and cuts a text into ever more parts.
fn truncation(fields: &mut Map<String, Value>) -> Checked<()> {
    match fields.get_mut("truncation") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(cut)) => {
            cut.insert("stride".to_owned(), Value::from(0));
            let most = cut.get("max_length").and_then(Value::as_u64);
            match most {
                Some(1..=0xffff_ffff) => Ok(()),
                _ => Err("truncation.max_length is no number from 1 to 4294967295".to_owned()),
            }
        }
        Some(_) => Err("truncation is no object".to_owned()),
    }
}

fn added_tokens(fields: &Map<String, Value>) -> Checked<()> {
    let Some(tokens) = fields.get("added_tokens").and_then(Value::as_array) else { return Ok(()) };
    if tokens.len() > MAX_ADDED {
        return Err(format!("it has {} added tokens; at most {MAX_ADDED} are read", tokens.len()));
    }
    let mut total = 0;
    for (number, token) in tokens.iter().enumerate() {
        let content = token.get("content").and_then(Value::as_str).unwrap_or_default();
        at_most(MAX_ADDED_BYTES, content, || format!("added_tokens[{number}].content"))?;
        total += content.len();
    }
    match total > MAX_ADDED_TOTAL {
        true => Err(format!("its added tokens have {total} bytes; at most {MAX_ADDED_TOTAL} are read")),
        false => Ok(()),
    }
}

/// Refuses a text of more bytes than `limit`.
fn at_most(limit: usize, text: &str, name: impl Fn() -> String) -> Checked<()> {
    match text.len() > limit {
        true => Err(format!("{} has {} bytes; at most {limit} are read", name(), text.len())),
        false => Ok(()),
    }
}

/// [`at_most`] for a field that may be missing.
fn short(fields: &Map<String, Value>, field: &str, limit: usize) -> Checked<()> {
    at_most(limit, fields.get(field).and_then(Value::as_str).unwrap_or_default(), || field.to_owned())
}

#[cfg(test)]
mod tests;
