//! The device of a command: what `--device` and `device.type` name, opened.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crucible_core::backend::BackendError;
use crucible_core::backend::gpu::{AdapterChoice, GpuBackend, GpuDevice};
use crucible_core::backend::top_k::{Keys, Search, top_k};
use crucible_core::config::Precision;
use crucible_core::data::BundleSet;
use crucible_core::embeddings::{Embeddings, UnitRows};
use crucible_core::encoder::{Corpus, Done, Encoder};
use crucible_core::eval::{self, Score};
use crucible_core::neighbours::Screen;
use std::cell::RefCell;

/// What a device's name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Cpu,
    /// A real GPU if there is one.
    Auto,
    Gpu(AdapterChoice),
}

/// The name was checked where it came in; what is no name means `auto`.
fn wanted(kind: &str) -> Wanted {
    match kind.split_once(':') {
        None if kind == "cpu" => Wanted::Cpu,
        None if matches!(kind, "gpu" | "cuda") => Wanted::Gpu(AdapterChoice::Best),
        Some((_, number)) => number.parse().map_or(Wanted::Auto, |n| Wanted::Gpu(AdapterChoice::Number(n))),
        _ => Wanted::Auto,
    }
}

/// Opens what `kind` names; nothing for the CPU, which `auto` takes where there is no real GPU.
///
/// # Errors
/// Exit status 4: no such device, or it does not open.
pub fn open(kind: &str) -> CliResult<Option<GpuBackend>> {
    open_for(kind, Precision::F32)
}

/// [`open`], to make similarities in `precision`; where that is not possible, the backend's warnings say so.
///
/// # Errors
/// As it.
pub fn open_for(kind: &str, precision: Precision) -> CliResult<Option<GpuBackend>> {
    let (choice, needed) = match wanted(kind) {
        Wanted::Cpu => return Ok(None),
        Wanted::Auto => (AdapterChoice::Best, false),
        Wanted::Gpu(choice) => (choice, true),
    };
    let opened = pollster::block_on(async { GpuBackend::new(GpuDevice::open_for(choice, precision).await?).await });
    match opened {
        Ok(backend) => Ok(Some(backend)),
        Err(BackendError::NoDevice { .. }) if !needed => Ok(None),
        Err(e) => Err(failed(&e)),
    }
}

/// Exit status 4, with what to do.
#[must_use]
pub fn failed(error: &BackendError) -> CliError {
    let advice = match error {
        BackendError::NoDevice { .. } => "use --device cpu, or one that `crucible devices` lists",
        BackendError::TooLarge { .. } => {
            "use smaller batches, a smaller vocabulary or fewer dimensions, or --device cpu"
        }
        BackendError::OutOfMemory { .. } => {
            "use smaller batches, free memory of the device, or use --device cpu; a training that was saved goes on with \
             --resume"
        }
        _ => "a training that was saved goes on with --resume; --device cpu needs no driver",
    };
    CliError::new(Exit::Device, error.to_string()).advise(advice)
}

/// The name of what `open` gave.
#[must_use]
pub fn name(backend: Option<&GpuBackend>) -> String {
    backend.map_or_else(|| "cpu".to_owned(), |b| b.device().name().to_owned())
}

/// Embeds on a GPU where one was asked for by name. `auto` stays on the CPU: a static model's time goes to tokenising, and
/// the same vectors on every machine are worth more.
///
/// # Errors
/// Exit status 4: no such device, or it failed.
pub fn embed(kind: Option<&str>, encoder: &impl Encoder, corpus: &Corpus) -> CliResult<(Embeddings, String)> {
    let backend = asked_for(kind)?;
    Ok((embed_with(backend.as_ref(), encoder, corpus)?, name(backend.as_ref())))
}

/// The GPU that was asked for by name; none for `auto`.
///
/// # Errors
/// Exit status 4: no such device, or it does not open.
pub fn asked_for(kind: Option<&str>) -> CliResult<Option<GpuBackend>> {
    open(kind.filter(|k| wanted(k) != Wanted::Auto).unwrap_or("cpu"))
}

/// The texts' vectors, on what [`asked_for`] gave.
///
/// # Errors
/// Exit status 4: the device failed.
pub fn embed_with(backend: Option<&GpuBackend>, encoder: &impl Encoder, corpus: &Corpus) -> CliResult<Embeddings> {
    embed_telling(backend, encoder, corpus, &|_| {})
}

/// [`embed_with`]; `done` hears how many more texts are embedded, where that takes long.
///
/// # Errors
/// As it.
pub fn embed_telling(
    backend: Option<&GpuBackend>,
    encoder: &impl Encoder,
    corpus: &Corpus,
    done: Done<'_>,
) -> CliResult<Embeddings> {
    match backend {
        None => Ok(encoder.embed_telling(corpus, done)),
        Some(backend) => pollster::block_on(encoder.embed_on(backend, corpus, done)).map_err(|e| failed(&e)),
    }
}

/// The scores of a set's bundles, on what [`asked_for`] gave.
///
/// # Errors
/// Exit status 4: the device failed.
pub fn score(backend: Option<&GpuBackend>, set: &BundleSet, embeddings: &Embeddings) -> CliResult<Vec<Score>> {
    match backend {
        None => Ok(eval::score(set, embeddings)),
        Some(backend) => pollster::block_on(eval::score_on(backend, set, embeddings)).map_err(|e| failed(&e)),
    }
}

/// A GPU that looks for neighbours among unit vectors in memory.
pub struct GpuScreen<'a> {
    backend: GpuBackend,
    rows: &'a [f32],
    dim: usize,
    failed: RefCell<Option<BackendError>>,
}

impl<'a> GpuScreen<'a> {
    /// The GPU that was asked for by name, for these rows; none for `auto`, and for rows that are not in memory.
    ///
    /// # Errors
    /// Exit status 4: no such device, or it does not open.
    pub fn asked_for(kind: Option<&str>, rows: Option<&'a dyn UnitRows>) -> CliResult<Option<Self>> {
        let Some((rows, dim)) = rows.and_then(|rows| Some((rows.whole()?, rows.dim()))) else { return Ok(None) };
        let screen = |backend| Self { backend, rows, dim, failed: RefCell::default() };
        Ok(asked_for(kind)?.map(screen))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        name(Some(&self.backend))
    }

    /// What it failed with, if it did; the CPU did its work then.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failed.borrow().as_ref().map(ToString::to_string)
    }
}

impl Screen for GpuScreen<'_> {
    fn most(&self) -> usize {
        crucible_core::kernels::top_k::MOST as usize
    }

    fn nearest(&self, queries: &[u32], group: &[u32], k: usize) -> Option<Vec<Vec<(u32, f32)>>> {
        if self.failed.borrow().is_some() {
            return None;
        }
        let row = |item: &u32| &self.rows[*item as usize * self.dim..][..self.dim];
        let gathered: Vec<f32> = queries.iter().flat_map(row).copied().collect();
        let own: Vec<u32> = queries.iter().map(|q| group[*q as usize]).collect();
        let keys = Keys { same: None, apart: Some((&own, group)) };
        let search = Search { queries: &gathered, base: self.rows, dim: self.dim, k, keys };
        match pollster::block_on(top_k(&self.backend, search)) {
            Ok(found) => Some((0..queries.len()).map(|query| found.of(query).collect()).collect()),
            Err(error) => {
                *self.failed.borrow_mut() = Some(error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_say() {
        assert_eq!(wanted("cpu"), Wanted::Cpu);
        assert_eq!(wanted("auto"), Wanted::Auto);
        for name in ["gpu", "cuda"] {
            assert_eq!(wanted(name), Wanted::Gpu(AdapterChoice::Best));
            assert_eq!(wanted(&format!("{name}:3")), Wanted::Gpu(AdapterChoice::Number(3)));
        }
    }

    #[test]
    fn the_cpu_needs_no_opening() {
        assert!(open("cpu").expect("opens").is_none());
    }

    #[test]
    fn a_number_that_no_adapter_has_is_a_device_error() {
        let error = open("gpu:60000").err().expect("no machine has as many");
        assert_eq!(error.exit, Exit::Device);
        assert!(error.message.contains("adapter number 60000"), "{}", error.message);
    }
}
