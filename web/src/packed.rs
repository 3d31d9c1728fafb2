//! Files as they come: plain, gzip or zstd, told apart by their first bytes.

use crate::failure::Failure;
use std::borrow::Cow;
use std::io::{self, Read};

/// What a packed file may unpack to.
const MOST_BYTES: u64 = 1 << 30;

/// What `bytes` hold, unpacked.
///
/// # Errors
/// A damaged file, and one that unpacks to more than a page can hold.
pub fn unpacked<'a>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, Failure> {
    let read = match bytes {
        [0x1f, 0x8b, ..] => whole(flate2::bufread::MultiGzDecoder::new(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            ruzstd::decoding::StreamingDecoder::new(bytes).map_err(io::Error::other).and_then(whole)
        }
        _ => return Ok(Cow::Borrowed(bytes)),
    };
    let unpacked = read.map_err(|e| {
        let advice = "Is the file complete? Copy or pack it again.";
        Failure::new("packed", format!("{name} can't be unpacked"), format!("It is damaged: {e}."), advice)
    })?;
    if unpacked.len() as u64 > MOST_BYTES {
        let what = format!("It unpacks to more than the {} MiB that a page can hold.", MOST_BYTES >> 20);
        let advice = "Use the command line: `crucible eval` has no such limit.";
        return Err(Failure::new("too_large", format!("{name} is too large"), what, advice));
    }
    Ok(Cow::Owned(unpacked))
}

/// One byte more than is allowed at most.
fn whole(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn plain_and_packed_files_give_what_they_hold() {
        let text = "a line of text\n".repeat(5000);
        assert_eq!(unpacked("x", text.as_bytes()).expect("is plain"), text.as_bytes());
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).expect("a Vec takes everything");
        let packed = packer.finish().expect("a Vec takes everything");
        assert_eq!(unpacked("x.gz", &packed).expect("unpacks"), text.as_bytes());
        assert_eq!(unpacked("x.gz", &packed[..packed.len() / 2]).expect_err("half").code, "packed");
        let packed = ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(unpacked("x.zst", &packed).expect("unpacks"), text.as_bytes());
        assert_eq!(unpacked("x.zst", &packed[..packed.len() / 2]).expect_err("half").code, "packed");
        assert_eq!(unpacked("x.zst", &packed[..5]).expect_err("no header").code, "packed");
    }
}
