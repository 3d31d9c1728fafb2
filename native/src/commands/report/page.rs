//! The page around a report: template, styles, scripts and data in one file that needs no network and lets nothing in.
//!
//! The data is JSON, packed and in base64: no text of an event can end the block it stands in. The content security policy
//! names the page's own scripts and styles by their hashes, and allows nothing else.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::web_assets;
use crucible_core::report::Report;
use ct_codecs::{Base64, Encoder};
use sha2::{Digest, Sha256};
use std::io::Write as _;

/// Where parts go. Each stands once.
const TEMPLATE: &str = include_str!("../../../../web/report/template.html");
const STYLES: [&str; 3] = [
    include_str!("../../../../web/shared/theme.css"),
    include_str!("../../../../web/shared/parts.css"),
    include_str!("../../../../web/report/report.css"),
];
/// Parts of d3, with their licence.
const LIBRARY: &str = include_str!("../../../../web/vendor/d3.min.js");
/// What starts an evaluator.
const EVALUATOR: &str = include_str!("../../../../web/shared/evaluator.js");
/// Scripts that the evaluator's page uses, too: modules there, plain scripts here.
const SHARED: [&str; 5] = [
    include_str!("../../../../web/shared/text.js"),
    include_str!("../../../../web/shared/dom.js"),
    include_str!("../../../../web/shared/table.js"),
    include_str!("../../../../web/shared/chart.js"),
    include_str!("../../../../web/shared/files.js"),
];
/// The page's own scripts, in order: each uses what stands before it.
const SCRIPTS: [&str; 12] = [
    include_str!("../../../../web/report/data.js"),
    include_str!("../../../../web/report/words.js"),
    include_str!("../../../../web/report/state.js"),
    include_str!("../../../../web/report/items.js"),
    include_str!("../../../../web/report/drop.js"),
    include_str!("../../../../web/report/margins.js"),
    include_str!("../../../../web/report/condition.js"),
    include_str!("../../../../web/report/pareto.js"),
    include_str!("../../../../web/report/steps.js"),
    include_str!("../../../../web/report/dilution.js"),
    include_str!("../../../../web/report/summary.js"),
    include_str!("../../../../web/report/main.js"),
];

/// The whole page. The same report is the same bytes.
///
/// # Errors
/// A report that has no JSON form.
pub(super) fn html(report: &Report, evaluator: bool) -> CliResult<String> {
    let evaluator = evaluator.then(engine).flatten();
    let style = STYLES.join("\n");
    let engine = evaluator.unwrap_or_default();
    let client = if engine.is_empty() { None } else { Some(EVALUATOR) };
    let shared: String = client.into_iter().chain(SHARED).map(plain).collect();
    let script = format!("(() => {{\n\"use strict\";\n{shared}{}\n}})();\n", SCRIPTS.join("\n"));
    // A module may be compiled, in a worker that is made of a text of this page; still nothing comes from elsewhere.
    let module = if engine.is_empty() { ("", "") } else { (" 'wasm-unsafe-eval'", " worker-src blob:;") };
    let policy = format!(
        "default-src 'none'; script-src {} {}{};{} style-src {}; img-src data: blob:; base-uri 'none'; form-action 'none'",
        source(LIBRARY),
        source(&script),
        module.0,
        module.1,
        source(&style)
    );
    let data = packed(report)?;
    let title = escaped(&report.title);
    let parts = [
        ("{{policy}}", policy.as_str()),
        ("{{title}}", &title),
        ("{{style}}", &style),
        ("{{engine}}", &engine),
        ("{{library}}", LIBRARY),
        ("{{script}}", &script),
        ("{{data}}", &data),
    ];
    Ok(filled(TEMPLATE, &parts))
}

/// The evaluator: an element with the module and its worker. None in a program that was built without the page.
fn engine() -> Option<String> {
    let engine = web_assets::engine()?;
    Some(format!("<script type=\"application/json\" id=\"engine\">{engine}</script>\n"))
}

/// A module as a part of one plain script: without its imports, and without its exports in the last line.
fn plain(module: &str) -> String {
    let outside = |line: &&str| !line.starts_with("import ") && !line.starts_with("export ");
    module.lines().filter(outside).flat_map(|line| [line, "\n"]).collect()
}

/// Puts parts into their places; what a part holds is not looked at again.
fn filled(template: &str, parts: &[(&str, &str)]) -> String {
    let mut page = String::with_capacity(template.len() + parts.iter().map(|p| p.1.len()).sum::<usize>());
    let mut rest = template;
    while let Some((at, (mark, part))) =
        parts.iter().filter_map(|part| Some((rest.find(part.0)?, part))).min_by_key(|(at, _)| *at)
    {
        page += &rest[..at];
        page += part;
        rest = &rest[at + mark.len()..];
    }
    page + rest
}

/// A script or style as the policy names it.
fn source(text: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(text)))
}

fn packed(report: &Report) -> CliResult<String> {
    let failed = |e: String| CliError::new(Exit::Error, format!("the report has no JSON form: {e}"));
    // No time inside: the same report is the same bytes.
    let mut packer = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::new(6));
    serde_json::to_writer(&mut packer, report).map_err(|e| failed(e.to_string()))?;
    packer.flush().map_err(|e| failed(e.to_string()))?;
    Ok(base64(&packer.finish().map_err(|e| failed(e.to_string()))?))
}

fn base64(bytes: &[u8]) -> String {
    // Fails for lengths alone that no memory holds.
    Base64::encode_to_string(bytes).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_put_in_once_and_not_looked_at_again() {
        assert_eq!(filled("a{{x}}b{{y}}c", &[("{{x}}", "{{y}}"), ("{{y}}", "2")]), "a{{y}}b2c");
        assert_eq!(filled("{{y}}", &[("{{y}}", "")]), "");
    }

    #[test]
    fn every_place_of_the_template_is_filled_once() {
        for mark in ["{{policy}}", "{{style}}", "{{engine}}", "{{library}}", "{{script}}", "{{data}}"] {
            assert_eq!(TEMPLATE.matches(mark).count(), 1, "{mark}");
        }
        assert!(TEMPLATE.contains("{{title}}"));
    }

    #[test]
    fn no_script_or_style_ends_its_own_block() {
        for script in SCRIPTS.iter().chain(&SHARED).chain([&LIBRARY, &EVALUATOR]) {
            let lower = script.to_lowercase();
            assert!(!lower.contains("</script") && !lower.contains("<!--"), "{}", &script[..60]);
        }
        assert!(STYLES.iter().all(|s| !s.to_lowercase().contains("</style")));
    }

    #[test]
    fn modules_become_parts_of_one_script() {
        assert_eq!(plain("import { a } from \"./a.js\";\nconst b = a;\nexport { b };\n"), "const b = a;\n");
        for module in SHARED.iter().chain([&EVALUATOR]) {
            let outside = |line: &&str| line.starts_with("import ") || line.starts_with("export ");
            assert!(
                module.lines().filter(outside).all(|line| line.ends_with(';')),
                "an import or export of several lines"
            );
            assert!(
                module.trim_end().lines().next_back().is_some_and(|line| line.starts_with("export {")),
                "exports last"
            );
        }
    }

    #[test]
    fn a_source_is_named_as_the_policy_wants_it() {
        // openssl dgst -sha256 -binary | base64 of "alert(1)"
        assert_eq!(source("alert(1)"), "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='");
        assert_eq!(escaped("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }
}
