//! What JavaScript sees. Results are plain objects; a refused file is thrown as an object with `source`, `faults`, `more`.

use crate::{check, self_check};
use serde::Serialize;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
export interface Count { name: string; count: number }
export interface BundleCounts { bundles: number; events: number; tiers: Count[]; pools: Count[] }
export interface EventCounts { events: number; senses: number; lemmas: number }
export interface LineFault { line: number | null; field: string | null; message: string }
export interface Refusal { source: string; faults: LineFault[]; more: number }
export type SelfCheck =
    | { state: "agrees"; device: string; largest: number }
    | { state: "differs"; device: string; largest: number | null }
    | { state: "no_gpu" | "failed"; message: string };
"#;

/// Numbers become numbers and absent values `null`, as in JSON.
fn to_js(value: &impl Serialize) -> JsValue {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .unwrap_or_else(|e| JsValue::from_str(&e.to_string()))
}

/// The program's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Counts of a file of bundles.
///
/// # Errors
/// Throws a `Refusal`.
#[wasm_bindgen(unchecked_return_type = "BundleCounts")]
pub fn check_bundles(bytes: &[u8], source: &str) -> Result<JsValue, JsValue> {
    check::bundles(bytes, source).map(|counts| to_js(&counts)).map_err(|refusal| to_js(&refusal))
}

/// Counts of a file of events.
///
/// # Errors
/// Throws a `Refusal`.
#[wasm_bindgen(unchecked_return_type = "EventCounts")]
pub fn check_events(bytes: &[u8], source: &str) -> Result<JsValue, JsValue> {
    check::events(bytes, source).map(|counts| to_js(&counts)).map_err(|refusal| to_js(&refusal))
}

/// Compares the GPU's arithmetic with the CPU's.
#[wasm_bindgen(unchecked_return_type = "SelfCheck")]
pub async fn self_check() -> JsValue {
    to_js(&self_check::self_check().await)
}
