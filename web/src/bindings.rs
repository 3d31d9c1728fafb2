//! What JavaScript sees: one object that holds what was dropped. Results are plain objects; what fails is thrown as a
//! `Failure`.

use crate::failure::Failure;
use crate::session::{self, Wish};
use crate::upload::{self, Slot};
use crate::{self_check, view};
use crucible_core::backend::Backend as _;
use crucible_core::backend::gpu::GpuBackend;
use crucible_core::data::{Pool, Tier};
use js_sys::{Array, Float64Array, Object, Reflect, Uint8Array, Uint32Array};
use serde::Serialize;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsCast as _, JsValue, wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("../worker/messages.d.ts");

/// Bundles a step on the CPU: a tenth of a second or so.
const STEP_CPU: usize = 128;
/// And on a GPU, where a step costs the way there and back.
const STEP_GPU: usize = 1024;

#[wasm_bindgen]
unsafe extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn say(text: &str);
}

/// Numbers become numbers and absent values `null`, as in JSON.
fn to_js(value: &impl Serialize) -> JsValue {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .unwrap_or_else(|e| JsValue::from_str(&e.to_string()))
}

fn thrown(failure: Failure) -> JsValue {
    to_js(&failure)
}

/// The program's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// What a visitor has dropped, and the results.
#[wasm_bindgen]
#[derive(Default)]
pub struct Session {
    inner: session::Session,
    gpu: RefCell<Option<Rc<GpuBackend>>>,
}

#[wasm_bindgen]
impl Session {
    /// With nothing in it.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        std::panic::set_hook(Box::new(|panic| say(&panic.to_string())));
        Self::default()
    }

    /// Compares the GPU's arithmetic with the CPU's; the GPU is used from then on only if they agree.
    #[wasm_bindgen(unchecked_return_type = "SelfCheck")]
    pub async fn self_check(&self) -> JsValue {
        let (outcome, gpu) = self_check::self_check().await;
        *self.gpu.borrow_mut() = gpu.map(Rc::new);
        to_js(&outcome)
    }

    /// Refuses a file by its size, before it is read.
    ///
    /// # Errors
    /// Throws a `Failure`.
    pub fn check_size(&self, name: &str, bytes: f64) -> Result<(), JsValue> {
        upload::check_size(name, bytes as u64).map_err(thrown)
    }

    /// Takes a file.
    ///
    /// # Errors
    /// Throws a `Failure`.
    #[wasm_bindgen(unchecked_return_type = "Loaded")]
    pub fn load(&self, name: &str, bytes: Vec<u8>, slot: &str) -> Result<JsValue, JsValue> {
        self.inner.load(name, &bytes, Slot::named(slot)).map(|loaded| to_js(&loaded)).map_err(thrown)
    }

    /// Lets go of a checkpoint, an eval set, a baseline or its items.
    pub fn forget(&self, id: u32) {
        self.inner.forget(id);
    }

    /// Evaluates; `go_on` gets the number of bundles done and returns a promise of whether to go on. Null when it said no.
    ///
    /// # Errors
    /// Throws a `Failure`.
    #[wasm_bindgen(unchecked_return_type = "Evaluated | null")]
    pub async fn evaluate(
        &self,
        set: u32,
        on_gpu: bool,
        allow_mismatch: bool,
        timestamp: String,
        go_on: js_sys::Function,
    ) -> Result<JsValue, JsValue> {
        let gpu = self.gpu.borrow().clone().filter(|_| on_gpu);
        let (device, step) = match &gpu {
            Some(gpu) => (gpu.name().to_owned(), STEP_GPU),
            None => ("cpu".to_owned(), STEP_CPU),
        };
        let wish = Wish { backend: gpu.as_deref(), device, step, allow_mismatch, timestamp };
        let asked = async |done: usize| {
            let Ok(answer) = go_on.call1(&JsValue::NULL, &JsValue::from_f64(done as f64)) else { return false };
            match answer.dyn_into::<js_sys::Promise>() {
                Ok(promise) => JsFuture::from(promise).await.is_ok_and(|answer| answer.is_truthy()),
                Err(answer) => answer.is_truthy(),
            }
        };
        let evaluated = self.inner.evaluate(set, wish, asked).await.map_err(thrown)?;
        Ok(evaluated.map_or(JsValue::NULL, |evaluated| to_js(&evaluated)))
    }

    /// The scoreboard's file.
    ///
    /// # Errors
    /// Throws a `Failure`.
    pub fn scoreboard(&self, set: u32) -> Result<Vec<u8>, JsValue> {
        let text = self.inner.outcome(set).and_then(|outcome| outcome.scoreboard_text());
        text.map(String::into_bytes).map_err(thrown)
    }

    /// The items' file.
    ///
    /// # Errors
    /// Throws a `Failure`.
    pub fn items(&self, set: u32) -> Result<Vec<u8>, JsValue> {
        self.inner.outcome(set).and_then(|outcome| outcome.items_text()).map_err(thrown)
    }

    /// All items by column.
    ///
    /// # Errors
    /// Throws a `Failure`.
    #[wasm_bindgen(unchecked_return_type = "Columns")]
    pub fn columns(&self, set: u32) -> Result<JsValue, JsValue> {
        let outcome = self.inner.outcome(set).map_err(thrown)?;
        let items = crucible_core::eval::items(&outcome.set.set, &outcome.scores);
        let texts = |of: &dyn Fn(&crucible_core::eval::Item<'_>) -> String| -> JsValue {
            items.iter().map(|item| JsValue::from_str(&of(item))).collect::<Array>().into()
        };
        let floats = |of: fn(&crucible_core::eval::Item<'_>) -> f64| -> JsValue {
            Float64Array::from(items.iter().map(of).collect::<Vec<_>>().as_slice()).into()
        };
        let bytes = |numbers: Vec<u8>| -> JsValue { Uint8Array::from(numbers.as_slice()).into() };
        let ranks: Vec<u32> = items.iter().map(|item| item.rank).collect();
        let tier = |tier: Option<Tier>| tier.map_or(Tier::ALL.len(), Tier::index) as u8;
        let pool = |pool: Option<Pool>| pool.map_or(Pool::ALL.len(), Pool::index) as u8;
        let columns = Object::new();
        let set = |name: &str, value: JsValue| Reflect::set(&columns, &JsValue::from_str(name), &value).map(drop);
        set("bundle_id", texts(&|item| item.bundle_id.clone().into_owned()))?;
        set("group", texts(&|item| item.group.clone().into_owned()))?;
        set("winning_negative", texts(&|item| item.winning_negative.clone().into_owned()))?;
        set("tier", bytes(items.iter().map(|item| tier(item.tier)).collect()))?;
        set("pool", bytes(items.iter().map(|item| pool(item.pool)).collect()))?;
        set("margin", floats(|item| item.margin))?;
        set("pos_sim", floats(|item| item.pos_sim))?;
        set("max_neg_sim", floats(|item| item.max_neg_sim))?;
        set("rank", Uint32Array::from(ranks.as_slice()).into())?;
        set("was", bytes(view::before(&outcome, &items)))?;
        Ok(columns.into())
    }

    /// The texts of one bundle.
    ///
    /// # Errors
    /// Throws a `Failure`.
    #[wasm_bindgen(unchecked_return_type = "Texts")]
    pub fn texts(&self, set: u32, index: usize) -> Result<JsValue, JsValue> {
        let outcome = self.inner.outcome(set).map_err(thrown)?;
        view::texts(&outcome, index).map(|texts| to_js(&texts)).map_err(thrown)
    }
}
