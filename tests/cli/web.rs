//! The page in the program.

use crucible_cli::web_assets;
use std::io::Read as _;

/// Bytes that the module may have before it is packed: a page that is sent around holds it.
const MOST_BYTES: usize = 2_500_000;

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn the_module_is_small() {
    if let Err(missing) = web_assets::required() {
        let required = std::env::var("CRUCIBLE_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
        assert!(!required, "CRUCIBLE_REQUIRE_BROWSER is set, and {missing}");
        println!("skipped: {missing}");
        return;
    }
    let engine: serde_json::Value = serde_json::from_str(web_assets::engine().expect("is there")).expect("JSON");
    let packed = decoded(engine["wasm"].as_str().expect("text"));
    let mut module = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut module).expect("unpacks");
    assert!(module.starts_with(b"\0asm") && engine["bytes"] == module.len(), "{} bytes", module.len());
    assert!(module.len() <= MOST_BYTES, "the module has {} bytes; at most {MOST_BYTES} may be", module.len());
}

fn decoded(text: &str) -> Vec<u8> {
    use ct_codecs::{Base64, Decoder as _};
    Base64::decode_to_vec(text, None).expect("is base64")
}
