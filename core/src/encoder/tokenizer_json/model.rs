//! The model: vocabulary, merges, and how long words may be.

use super::{Checked, at_most, short};
use serde_json::{Map, Value};

/// Pieces, and ids: an id stands for a row of a table.
const MAX_PIECES: usize = 1 << 22;
/// Ids without a piece beside those with one.
const MAX_HOLES: usize = 1 << 16;
/// Bytes of a piece of a Unigram model: the library keeps a tree of them, a node a byte, and tries all that begin alike.
const MAX_UNIGRAM_PIECE: usize = 256;
/// Bytes of all of them.
const MAX_UNIGRAM_TOTAL: usize = 6 << 20;
/// Characters of a word that WordPiece takes apart: the work grows with their cube.
const MAX_WORD: u64 = 1000;
/// Bytes of what marks the continuation or the end of a word, and of the unknown token.
const MAX_MARK: usize = 64;
const MAX_UNKNOWN: usize = 4096;

pub(super) fn check(model: &Map<String, Value>) -> Checked<()> {
    for field in ["continuing_subword_prefix", "end_of_word_suffix"] {
        short(model, field, MAX_MARK)?;
    }
    short(model, "unk_token", MAX_UNKNOWN)?;
    if model.get("max_input_chars_per_word").and_then(Value::as_u64).is_some_and(|most| most > MAX_WORD) {
        return Err(format!("max_input_chars_per_word is larger than {MAX_WORD}"));
    }
    if model.get("dropout").and_then(Value::as_f64).is_some_and(|p| p != 0.0) {
        return Err("its BPE has `dropout`: the same text would get other tokens each time; set it to null".to_owned());
    }
    match model.get("vocab") {
        Some(Value::Object(vocab)) => ids(vocab)?,
        Some(Value::Array(pieces)) => unigram(pieces)?,
        // The library says what is missing.
        _ => {}
    }
    match (model.get("merges"), model.get("vocab")) {
        (Some(Value::Array(merges)), Some(Value::Object(vocab))) => {
            let prefix = model.get("continuing_subword_prefix").and_then(Value::as_str).unwrap_or_default();
            check_merges(merges, vocab, prefix)
        }
        _ => Ok(()),
    }
}

fn ids(vocab: &Map<String, Value>) -> Checked<()> {
    if vocab.len() > MAX_PIECES {
        return Err(format!("its vocabulary has {} pieces; at most {MAX_PIECES} are read", vocab.len()));
    }
    let most = 8 * vocab.len() + MAX_HOLES;
    for (piece, id) in vocab {
        if id.as_u64().is_none_or(|id| id >= most.min(MAX_PIECES) as u64) {
            let reason = format!("piece {:?} has the id {id}", piece.chars().take(40).collect::<String>());
            return Err(format!(
                "{reason}; expected a number below {} for {} pieces",
                most.min(MAX_PIECES),
                vocab.len()
            ));
        }
    }
    Ok(())
}

fn unigram(pieces: &[Value]) -> Checked<()> {
    if pieces.len() > MAX_PIECES {
        return Err(format!("its vocabulary has {} pieces; at most {MAX_PIECES} are read", pieces.len()));
    }
    let mut total = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let text = piece.get(0).and_then(Value::as_str).unwrap_or_default();
        at_most(MAX_UNIGRAM_PIECE, text, || format!("piece {number} of the vocabulary"))?;
        total += text.len();
    }
    match total > MAX_UNIGRAM_TOTAL {
        true => Err(format!("its pieces have {total} bytes; at most {MAX_UNIGRAM_TOTAL} are read")),
        false => Ok(()),
    }
}

/// The library joins both halves of a merge in a buffer as long as the longest piece, and cuts the prefix off the second
/// half without a look at it.
fn check_merges(merges: &[Value], vocab: &Map<String, Value>, prefix: &str) -> Checked<()> {
    let longest = vocab.keys().map(String::len).max().unwrap_or(0);
    for (number, merge) in merges.iter().enumerate() {
        let (first, second) = match merge {
            Value::String(both) => match both.split_once(' ') {
                Some(halves) => halves,
                // A head line, or what the library itself refuses.
                None => continue,
            },
            pair => match (pair.get(0).and_then(Value::as_str), pair.get(1).and_then(Value::as_str)) {
                (Some(first), Some(second)) => (first, second),
                _ => return Err(format!("merge {number} is no pair of pieces")),
            },
        };
        let known = vocab.contains_key(first) && vocab.contains_key(second);
        let Some(tail) = second.strip_prefix(prefix) else {
            if !known {
                continue;
            }
            return Err(format!("merge {number}: its second piece does not begin with {prefix:?}, which marks those"));
        };
        if known && first.len() + tail.len() > longest {
            return Err(format!("merge {number} gives a piece that is not in the vocabulary"));
        }
    }
    Ok(())
}
