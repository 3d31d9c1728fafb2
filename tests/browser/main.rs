//! The page in a real browser: a model that the command trained is evaluated there and by the command, and the two are
//! compared; files that are broken, texts that would run, requests that would leave.
//!
//! `crucible serve` serves the page, headless Chromium shows it. Where Chromium, chromedriver or the page itself is missing
//! the tests print that they were skipped; with `CRUCIBLE_REQUIRE_BROWSER=1` that is a failure. `CRUCIBLE_AXE` names the
//! file of axe-core (`axe.min.js`) that the page's accessibility is checked with. With `CRUCIBLE_SCREENSHOTS=DIR` pictures
//! of the page are left there (`pictures.rs`).

mod accessibility;
mod broken;
mod driver;
mod files;
mod fixture;
mod page;
mod pictures;
mod privacy;
mod report;
mod report_layout;
mod same;
mod serve;

use crucible_cli::web_assets;
use driver::Programs;

/// What the tests need, or nothing: then it was said why.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn programs() -> Option<Programs> {
    let page = || web_assets::required().map_err(|e| e.message);
    let missing = match Programs::find().and_then(|programs| page().map(|()| programs)) {
        Ok(programs) => return Some(programs),
        Err(missing) => missing,
    };
    assert!(!is_required(), "CRUCIBLE_REQUIRE_BROWSER is set, and {missing}");
    println!("skipped: {missing}");
    None
}

fn is_required() -> bool {
    std::env::var("CRUCIBLE_REQUIRE_BROWSER").is_ok_and(|value| value == "1")
}
