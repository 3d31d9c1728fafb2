//! The suite on a GPU or a software adapter, and proof that it notices wrong kernels.

use crate::similarity;
use crucible_core::backend::gpu::{AdapterChoice, GpuBackend, GpuDevice};
use crucible_core::backend::{Backend as _, BackendError};
use crucible_core::kernels::Kernel;
use std::borrow::Cow;

/// A device, or none where there is none and none is required.
#[expect(clippy::disallowed_methods, reason = "whether a GPU is required is said by the environment")]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
async fn device() -> Option<GpuDevice> {
    let found = match GpuDevice::open(AdapterChoice::Best).await {
        Err(BackendError::NoDevice { .. }) => GpuDevice::open(AdapterChoice::Software).await,
        other => other,
    };
    match found {
        Ok(device) => {
            println!("on {}", device.name());
            Some(device)
        }
        Err(BackendError::NoDevice { found, .. }) => {
            let required = std::env::var("CRUCIBLE_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "CRUCIBLE_REQUIRE_GPU is set, and there is no adapter; found: {found}");
            println!("skipped: no adapter, not even a software one; found: {found}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

/// Runs `test` on a new device.
fn on_device<F: Future<Output = ()>>(test: impl FnOnce(GpuDevice) -> F) {
    pollster::block_on(async {
        if let Some(device) = device().await {
            test(device).await;
        }
    });
}

/// The WGSL of `similarity` with `old` replaced by `new`.
fn edited(kernel: &Kernel, old: &str, new: &str) -> Cow<'static, str> {
    if kernel.name != "similarity" {
        return Cow::Borrowed(kernel.source);
    }
    assert!(kernel.source.contains(old), "the WGSL no longer has {old:?}: choose another fault to plant");
    Cow::Owned(kernel.source.replace(old, new))
}

#[test]
fn gpu_similarity() {
    on_device(|device| async {
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        similarity::suite(&backend).await.unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn gpu_similarity_with_a_planted_fault_fails_the_suite() {
    let faults = [
        ("a flipped sign", "sum0 += ", "sum0 -= "),
        ("the ragged last slice left out", "depth < sizes.d;", "depth + DEPTH <= sizes.d;"),
        ("tiles one row apart", "sizes.column_tiles * TILE;", "sizes.column_tiles * (TILE - 1u);"),
        ("the last column not written", "column + 3u < sizes.m", "column + 4u < sizes.m"),
        ("only the first line of groups", "group.y * groups.x + group.x", "group.x"),
        ("nothing written", "if row >= sizes.n {", "if row < sizes.n {"),
    ];
    for (what, old, new) in faults {
        on_device(|device| async {
            let backend = GpuBackend::with_sources(device, |kernel| edited(kernel, old, new)).await;
            let backend = backend.unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(similarity::suite(&backend).await.is_err(), "the suite passed a kernel with {what}");
        });
    }
}

/// What the driver refuses is an error with the kernel's name, not an empty result.
#[test]
fn gpu_refuses_a_broken_kernel_and_another_interface() {
    let broken = [
        ("@compute @workgroup_size(16, 16, 1)", "@compute @workgroup_size(16, 16, 1) nonsense"),
        ("fn main(", "fn other("),
        ("var<storage, read> a:", "var<storage, read_write> a:"),
        ("column_tiles: u32,", "column_tiles: vec4<u32>,"),
    ];
    for (old, new) in broken {
        on_device(|device| async {
            let built = GpuBackend::with_sources(device, |kernel| edited(kernel, old, new)).await;
            let Err(BackendError::Device { operation, .. }) = built else { panic!("{new:?} was accepted") };
            assert!(operation.contains("similarity"), "{operation}");
        });
    }
}

#[test]
fn gpu_refuses_what_is_too_large() {
    on_device(|device| async {
        let limit = device.max_buffer_bytes();
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        let len = usize::try_from(limit / 4 + 1).expect("limits fit the address space");
        assert!(matches!(backend.zeros(len), Err(BackendError::TooLarge { .. })), "{len} numbers were accepted");
    });
}
