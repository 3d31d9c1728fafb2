//! The suite on a GPU or a software adapter, and proof that it notices wrong kernels.

use crate::{kernels, similarity};
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

#[test]
fn gpu_kernels_equal_their_twins() {
    on_device(|device| async {
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        kernels::suite(&backend).await.unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn gpu_kernels_with_a_planted_fault_fail_the_suite() {
    let faults = [
        ("activation", "a dropped unit kept", "kept(at));", "true);"),
        ("activation_backward", "a flipped sign", "1.0 - t * t", "1.0 + t * t"),
        ("adamw", "the clipping left out", "g[cell] * factor[0]", "g[cell]"),
        ("adamw_rows", "the wrong row", "rows[row] * sizes.dim", "row * sizes.dim"),
        ("add", "the last one left out", "at < sizes.n", "at + 1u < sizes.n"),
        ("bucket_sum", "a missing barrier", "parts[index] = value;\n    workgroupBarrier();", "parts[index] = value;"),
        ("clip", "a flipped comparison", "norm > sizes.bound", "norm < sizes.bound"),
        ("column_sum", "the first row left out", "row = 0u", "row = 1u"),
        ("info_nce", "a candidate of the anchor's sense that counts", "j != anchor && (alike ||", "j != anchor && ("),
        (
            "normalise",
            "a missing barrier",
            "parts[index] += parts[index + half]; }\n        workgroupBarrier();",
            "parts[index] += parts[index + half]; }",
        ),
        ("normalise_backward", "a flipped sign", "- along", "+ along"),
        ("pool", "the last token left out", "i < starts[text + 1u]", "i + 1u < starts[text + 1u]"),
        ("pool_backward", "the token for its text", "text_of[token] * sizes.dim", "token % 6u * sizes.dim"),
        ("pool_weights", "not divided by the sum", " / sum", ""),
        ("pool_weights_backward", "the mean not taken off", "(d_weights[i] - mean)", "d_weights[i]"),
        ("pool_weights_dots", "every second number", "k += LANES", "k += 2u * LANES"),
        ("product", "tiles one row apart", "sizes.column_tiles * TILE;", "sizes.column_tiles * (TILE - 1u);"),
        (
            "product",
            "a missing barrier",
            "// The slices are complete before anyone reads them.\n        workgroupBarrier();",
            "",
        ),
        ("square_sum", "a block one too long", "(block + 1u) * BLOCK", "(block + 1u) * BLOCK + 1u"),
        ("triplet", "a flipped sign", "sizes.margin - positive", "sizes.margin + positive"),
    ];
    for (name, what, old, new) in faults {
        on_device(|device| async {
            let plant = |kernel: &Kernel| {
                if kernel.name != name {
                    return Cow::Borrowed(kernel.source);
                }
                assert!(kernel.source.contains(old), "{name} no longer has {old:?}: choose another fault to plant");
                Cow::Owned(kernel.source.replace(old, new))
            };
            let backend =
                GpuBackend::with_sources(device, plant).await.unwrap_or_else(|e| panic!("{name}, {what}: {e}"));
            assert!(kernels::one(&backend, name).await.is_err(), "the suite passed {name} with {what}");
        });
    }
    let planted: std::collections::BTreeSet<&str> = faults.iter().map(|f| f.0).collect();
    for kernel in crucible_core::kernels::KERNELS.iter().filter(|k| k.name != "similarity") {
        assert!(planted.contains(kernel.name), "{}: no fault is planted", kernel.name);
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
