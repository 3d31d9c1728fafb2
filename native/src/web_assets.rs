//! The page's files, from inside the program: the only place that holds them.
//!
//! `build.rs` makes them of `web/`. A program that was built without a wasm toolchain has none, and says so.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;

#[cfg(web_assets)]
const ASSETS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));
#[cfg(not(web_assets))]
const ASSETS: &[(&str, &[u8])] = &[];

/// The page itself.
pub const INDEX: &str = "index.html";
/// What `engine.js` has around its JSON document.
const AROUND: (&str, &str) = ("export default ", ";\n");

/// A file of the page, by its name in the page's one folder.
#[must_use]
pub fn asset(name: &str) -> Option<&'static [u8]> {
    ASSETS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

/// Names of all files of the page, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    ASSETS.iter().map(|(name, _)| *name)
}

/// The module and its worker as a JSON document without any `<`: `worker` is the text of a script that a worker is
/// started with, `wasm` the module (gzip, base64), `bytes` the module's size before both. A page that is one file puts it
/// into an element of type `application/json`.
#[must_use]
pub fn engine() -> Option<&'static str> {
    std::str::from_utf8(asset("engine.js")?).ok()?.strip_prefix(AROUND.0)?.strip_suffix(AROUND.1)
}

/// What the page may do, in the words of a Content-Security-Policy: those of the page itself.
#[must_use]
pub fn policy() -> Option<&'static str> {
    let page = std::str::from_utf8(asset(INDEX)?).ok()?;
    let (_, rest) = page.split_once("http-equiv=\"Content-Security-Policy\" content=\"")?;
    rest.split_once('"').map(|(policy, _)| policy)
}

/// What to send with a file, by the end of its name.
#[must_use]
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// That there is a page.
///
/// # Errors
/// The program was built without it.
pub fn required() -> CliResult<()> {
    if asset(INDEX).is_some() {
        return Ok(());
    }
    Err(CliError::new(Exit::Error, "this program was built without the page").advise(
        "install the wasm target (`rustup target add wasm32-unknown-unknown`) and build again without CRUCIBLE_SKIP_WEB; \
         cargo's warnings say what was missing",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_json_that_no_element_ends_in() {
        if required().is_err() {
            return;
        }
        let engine = engine().expect("is there, between what is around it");
        assert!(!engine.contains('<'), "an element could end inside of it");
        let engine: serde_json::Value = serde_json::from_str(engine).expect("JSON");
        for key in ["worker", "wasm"] {
            assert!(engine[key].as_str().is_some_and(|text| text.len() > 1000), "{key}");
        }
    }

    #[test]
    fn the_policy_names_no_place_to_connect_to() {
        if required().is_err() {
            return;
        }
        let policy = policy().expect("the page has one");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        for word in ["connect-src", "unsafe-inline", "'unsafe-eval'", "http:", "https:", "*"] {
            assert!(!policy.contains(word), "{word} is in {policy}");
        }
    }

    #[test]
    fn every_file_has_a_media_type() {
        for name in names() {
            assert_ne!(media_type(name), "application/octet-stream", "{name}");
        }
    }
}
