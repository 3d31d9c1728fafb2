//! Headers of `.npy` files (numpy.lib.format): magic, version, length, and a Python dictionary in text.
//!
//! Read are versions 1 to 3, two-dimensional, in C order, of little-endian `f2`, `f4` or `f8`. The header is read
//! strictly: three keys, each once, nothing besides.

use super::file::{Element, Layout, VectorFileError};

/// The first bytes of every `.npy` file.
pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that is read; the program that writes most of them needs 118 bytes.
const MAX_HEADER: usize = 64 << 10;

/// The header for `[rows, dim]` of `f32`, version 1.0. Spaces fill it up to a multiple of 64 bytes.
#[must_use]
pub fn npy_header(rows: usize, dim: usize) -> Vec<u8> {
    const START: usize = 10;
    let mut dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    let fill = 63 - (START + dictionary.len()) % 64;
    dictionary.extend(std::iter::repeat_n(' ', fill));
    dictionary.push('\n');
    let mut header = [MAGIC, &b"\x01\x00"[..]].concat();
    // Two numbers take 40 digits at most: far below the format's 64 KiB.
    header.extend((dictionary.len() as u16).to_le_bytes());
    header.extend(dictionary.into_bytes());
    header
}

/// Reads a header; `bytes` is the whole file.
pub(super) fn layout(bytes: &[u8]) -> Result<Layout, VectorFileError> {
    let damaged = |what: &str| VectorFileError::Header { format: ".npy", what: what.to_owned() };
    let short = || damaged("the file ends inside it");
    let (start, length) = match bytes.get(6..8).ok_or_else(short)? {
        [1, _] => (10, bytes.get(8..10).ok_or_else(short)?.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b))),
        [2 | 3, _] => (12, bytes.get(8..12).ok_or_else(short)?.iter().rev().fold(0, |n, b| n << 8 | usize::from(*b))),
        [major, minor] => return Err(damaged(&format!("version {major}.{minor} is not known"))),
        _ => return Err(short()),
    };
    if length > MAX_HEADER {
        return Err(damaged(&format!("it says to be {length} bytes long; at most {MAX_HEADER} are read")));
    }
    let text = bytes.get(start..start + length).ok_or_else(short)?;
    let text = std::str::from_utf8(text).map_err(|_| damaged("it is not text"))?;
    let (descr, fortran, shape) = dictionary(text).map_err(|what| damaged(&what))?;
    let element = match descr {
        "<f2" => Element::F16,
        "<f4" => Element::F32,
        "<f8" => Element::F64,
        other => return Err(VectorFileError::Element { found: other.chars().take(40).collect() }),
    };
    if fortran {
        return Err(VectorFileError::FortranOrder);
    }
    let [rows, dim] = shape[..] else { return Err(VectorFileError::Dimensions { found: shape.len() }) };
    Ok(Layout { offset: start + length, rows, dim, element })
}

/// The three values, or what is wrong.
fn dictionary(text: &str) -> Result<(&str, bool, Vec<usize>), String> {
    let mut rest = Scanner { text, at: 0 };
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    rest.expect('{')?;
    while !rest.skip('}') {
        let key = rest.quoted()?;
        rest.expect(':')?;
        let again = match key {
            "descr" => descr.replace(rest.quoted()?).is_some(),
            "fortran_order" => fortran.replace(rest.truth()?).is_some(),
            "shape" => shape.replace(rest.tuple()?).is_some(),
            _ => return Err(format!("the key \"{}\" is not known", key.chars().take(40).collect::<String>())),
        };
        if again {
            return Err(format!("the key \"{key}\" stands there twice"));
        }
        if !rest.skip(',') {
            rest.expect('}')?;
            break;
        }
    }
    if !rest.text[rest.at..].trim().is_empty() {
        return Err("there is text after the dictionary".to_owned());
    }
    match (descr, fortran, shape) {
        (Some(descr), Some(fortran), Some(shape)) => Ok((descr, fortran, shape)),
        (None, ..) => Err("`descr` is missing".to_owned()),
        (_, None, _) => Err("`fortran_order` is missing".to_owned()),
        _ => Err("`shape` is missing".to_owned()),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// What is left, without white space before it.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.skip(wanted) { Ok(()) } else { Err(format!("expected `{wanted}` at its byte {}", self.at + 1)) }
    }

    fn quoted(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or_else(|| format!("expected a quoted text at its byte {}", self.at + 1))?;
        let end = rest[1..].find(quote).ok_or("a quote is not closed")?;
        self.at += end + 2;
        Ok(&rest[1..=end])
    }

    fn truth(&mut self) -> Result<bool, String> {
        let rest = self.rest();
        for (word, value) in [("True", true), ("False", false)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(format!("expected True or False at its byte {}", self.at + 1))
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut numbers = Vec::new();
        while !self.skip(')') {
            let rest = self.rest();
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number = rest[..digits].parse();
            numbers.push(number.map_err(|_| format!("expected a whole number at its byte {}", self.at + 1))?);
            self.at += digits;
            if !self.skip(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dictionary: &str) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((dictionary.len() as u16).to_le_bytes());
        bytes.extend(dictionary.bytes());
        bytes
    }

    #[test]
    fn headers_are_as_numpy_writes_them() {
        for (rows, dim) in [(0, 1), (3, 256), (usize::MAX, usize::MAX), (12_345_678, 8)] {
            let header = npy_header(rows, dim);
            assert_eq!(header.len() % 64, 0, "{rows} {dim}");
            assert_eq!(&header[..8], b"\x93NUMPY\x01\x00");
            let length = u16::from_le_bytes([header[8], header[9]]);
            assert_eq!(usize::from(length) + 10, header.len());
            let dictionary = std::str::from_utf8(&header[10..]).expect("is text");
            let wanted = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
            assert_eq!(dictionary.trim_end_matches('\n').trim_end_matches(' '), wanted);
            assert!(dictionary.ends_with('\n'));
            let read = layout(&header).expect("reads");
            assert_eq!(read, Layout { offset: header.len(), rows, dim, element: Element::F32 });
        }
        assert_eq!(npy_header(3, 4).len(), 128);
    }

    #[test]
    fn other_spellings_of_the_dictionary() {
        for text in [
            "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }   \n",
            "{\"shape\":(2,3,),'fortran_order':False,'descr':'<f2'}",
        ] {
            let read = layout(&file(text)).expect("reads");
            assert_eq!((read.rows, read.dim, read.element), (2, 3, Element::F16));
        }
        let mut second = b"\x93NUMPY\x02\x00".to_vec();
        let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)}\n";
        second.extend((text.len() as u32).to_le_bytes());
        second.extend(text.bytes());
        assert_eq!(layout(&second).expect("reads").offset, 12 + text.len());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("", "expected `{`"),
            ("{'descr': '<f4', 'fortran_order': False}", "`shape` is missing"),
            ("{'fortran_order': False, 'shape': (1, 2)}", "`descr` is missing"),
            ("{'descr': '<f4', 'shape': (1, 2)}", "`fortran_order` is missing"),
            ("{'descr': '<f4', 'descr': '<f4'}", "twice"),
            ("{'descr': '<f4', 'x': 1}", "\"x\" is not known"),
            ("{'descr': '<f4', 'fortran_order': 0}", "True or False"),
            ("{'descr': '<f4', 'shape': (-1, 2)}", "whole number"),
            ("{'descr': '<f4', 'shape': (99999999999999999999, 2)}", "whole number"),
            ("{'descr': '<f4", "not closed"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)} x", "after the dictionary"),
            ("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2)}", "`>f4`"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2)}", "`|O`"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", "column by column"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", "1 dimension"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}", "3 dimension"),
            ("{é", "quoted text"),
        ] {
            let error = layout(&file(text)).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        let whole = file("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}");
        for length in 6..whole.len() {
            assert!(layout(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(layout(b"\x93NUMPY\x09\x00\x00\x00").expect_err("new").to_string().contains("version 9.0"));
        assert!(layout(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").expect_err("long").to_string().contains("at most"));
    }
}
