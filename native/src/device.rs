//! The device of a command: what `--device` and `device.type` name, opened.

use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crucible_core::backend::BackendError;
use crucible_core::backend::gpu::{AdapterChoice, GpuBackend, GpuDevice};
use crucible_core::config::Precision;
use crucible_core::embeddings::Embeddings;
use crucible_core::encoder::{Corpus, StaticEncoder};

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
        BackendError::TooLarge { .. } => "use smaller batches, or --device cpu",
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
pub fn embed(kind: Option<&str>, encoder: &StaticEncoder, corpus: &Corpus) -> CliResult<(Embeddings, String)> {
    let kind = kind.filter(|k| wanted(k) != Wanted::Auto).unwrap_or("cpu");
    match open(kind)? {
        None => Ok((encoder.embed(corpus), name(None))),
        Some(backend) => {
            let embeddings = pollster::block_on(encoder.embed_on(&backend, corpus)).map_err(|e| failed(&e))?;
            Ok((embeddings, name(Some(&backend))))
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
