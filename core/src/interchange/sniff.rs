//! Files that are no text at all, or text of another kind, told by their first bytes.

use crate::data::Faults;
use std::io::BufRead;

/// Bytes that are looked at for characters that no text has.
const LOOKED_AT: usize = 1 << 10;

/// Refuses what can't be rows or lines of text, in one sentence that names it.
///
/// # Errors
/// It is packed, UTF-16, a pointer of Git LFS, a web page, an archive, or otherwise no text; or can't be read.
pub(crate) fn check(reader: &mut dyn BufRead, source: &str) -> Result<(), Faults> {
    let head = reader.fill_buf().map_err(|e| Faults::of_file(source, format!("could not be read: {e}")))?;
    match what(head) {
        Some(message) => Err(Faults::of_file(source, message)),
        None => Ok(()),
    }
}

/// What a file is that begins like this, if it is no text.
fn what(head: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| head.starts_with(magic);
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let page = |start: &[u8]| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    Some(match () {
        () if begins(b"version https://git-lfs.github.com/spec/") => {
            "is a pointer of Git LFS, not the file itself: fetch that with `git lfs pull`"
        }
        () if begins(b"\xff\xfe") || begins(b"\xfe\xff") || is_wide(head) => {
            "is UTF-16 text; save it as UTF-8, such as with `iconv -f UTF-16 -t UTF-8 FILE > NEW`"
        }
        () if begins(b"PAR1") => "is a Parquet file: give it a name that ends with .parquet",
        () if begins(b"PK\x03\x04") => {
            "is a zip archive, or a spreadsheet (.xlsx): unpack it, or save the sheet as CSV in UTF-8"
        }
        () if begins(b"\xd0\xcf\x11\xe0") => "is a spreadsheet (.xls): save the sheet as CSV in UTF-8",
        () if begins(b"\x93NUMPY") => "is a NumPy array, not text",
        () if begins(b"ARROW1") => "is an Arrow file: save the table as Parquet, such as with `Dataset.to_parquet`",
        () if begins(b"BZh") || begins(b"\xfd7zXZ") => "is packed by bzip2 or xz: unpack it, or pack it as .gz or .zst",
        () if page(b"<!doctype") || page(b"<html") || page(b"<?xml") => {
            "is a web page (HTML or XML); was the download right? Often a sign-in page is saved in place of the file"
        }
        () if begins(b"\x1f\x8b") || begins(b"\x28\xb5\x2f\xfd") => "is packed twice (gzip or zstd): unpack it once",
        () if is_binary(head) => "is a binary file, not text",
        () => return None,
    })
}

/// Many control characters, or a length in 64 bits before JSON, as safetensors has it. A few may stand in any text.
fn is_binary(head: &[u8]) -> bool {
    let head = &head[..head.len().min(LOOKED_AT)];
    let controls = head.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26)).count();
    controls > 3 && controls * 10 > head.len() || head.get(8) == Some(&b'{') && head[..8].contains(&0)
}

/// UTF-16 without its mark: every other byte of plain text is 0.
fn is_wide(head: &[u8]) -> bool {
    let pairs = &head.as_chunks::<2>().0[..(head.len() / 2).min(64)];
    let zeros = |at: usize| pairs.iter().filter(|pair| pair[at] == 0 && pair[1 - at] != 0).count();
    pairs.len() > 3 && zeros(0).max(zeros(1)) * 4 > pairs.len() * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_named() {
        let wide: Vec<u8> = "text,label\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [b"\xff\xfe".to_vec(), wide.clone()].concat();
        for (head, part) in [
            (&b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"[..], "git lfs pull"),
            (&wide, "UTF-16"),
            (&marked, "UTF-16"),
            (b"PAR1\x15\x04", ".parquet"),
            (b"PK\x03\x04\x14\0", "zip archive"),
            (b"\x93NUMPY\x01\0", "NumPy"),
            (b"\n<!DOCTYPE html>", "web page"),
            (b"\x10\0\0\0\0\0\0\0{\"a\":{}}", "binary"),
        ] {
            let said = check(&mut &*head, "f").expect_err(part).to_string();
            assert!(said.starts_with("f: is ") && said.contains(part), "{said}");
        }
        for head in [
            "",
            "a,b\n1,2\n",
            "{\"a\": 1}\n",
            "\u{feff}a\tb\n",
            "<s>hello</s>,x\n",
            "a,b\nc,\u{0}\n",
            "q Q0 d 1 0.5 t\n",
            "é\u{7f}",
        ] {
            assert_eq!(check(&mut head.as_bytes(), "f"), Ok(()), "{head:?}");
        }
    }
}
