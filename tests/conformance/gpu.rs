//! The suite on a GPU or a software adapter, and proof that it notices wrong kernels.

use crate::{kernels, similarity};
use crucible_core::backend::gpu::{AdapterChoice, GpuBackend, GpuBuffer, GpuDevice, SimilarityPath};
use crucible_core::backend::{Backend, BackendError, SimilarityShape};
use crucible_core::config::Precision;
use crucible_core::kernels::{Kernel, kernel};
use std::borrow::Cow;

/// A backend that makes similarities by one path.
struct By<'a>(&'a GpuBackend, SimilarityPath);

impl Backend for By<'_> {
    type Buffer = GpuBuffer;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn upload(&self, values: &[f32]) -> Result<GpuBuffer, BackendError> {
        self.0.upload(values)
    }

    fn zeros(&self, len: usize) -> Result<GpuBuffer, BackendError> {
        self.0.zeros(len)
    }

    fn dispatch(
        &self,
        name: &'static str,
        uniform: &[u8],
        buffers: &[&GpuBuffer],
        groups: u64,
    ) -> Result<(), BackendError> {
        self.0.dispatch(name, uniform, buffers, groups)
    }

    fn len(&self, buffer: &GpuBuffer) -> usize {
        self.0.len(buffer)
    }

    async fn download(&self, buffer: &GpuBuffer) -> Result<Vec<f32>, BackendError> {
        self.0.download(buffer).await
    }

    fn similarity(
        &self,
        a: &GpuBuffer,
        b: &GpuBuffer,
        out: &mut GpuBuffer,
        shape: SimilarityShape,
    ) -> Result<(), BackendError> {
        self.0.similarity_by(self.1, a, b, out, shape)
    }
}

/// A device with all that its adapter offers; none where there is none and none is required.
#[expect(clippy::disallowed_methods, reason = "whether a GPU is required is said by the environment")]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
async fn device(precision: Precision) -> Option<GpuDevice> {
    let found = match GpuDevice::open_for(AdapterChoice::Best, precision).await {
        Err(BackendError::NoDevice { .. }) => GpuDevice::open_for(AdapterChoice::Software, precision).await,
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
    on_device_for(Precision::F16, test);
}

fn on_device_for<F: Future<Output = ()>>(precision: Precision, test: impl FnOnce(GpuDevice) -> F) {
    pollster::block_on(async {
        if let Some(device) = device(precision).await {
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
#[expect(clippy::print_stdout, reason = "a skipped path says so")]
fn gpu_similarity() {
    on_device(|device| async {
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        for path in SimilarityPath::ALL {
            let name = path.kernel();
            if !backend.offers(name) {
                let needs = kernel(name).expect("is in the table").needs;
                println!("skipped: {name}: {} does not offer {needs}", backend.name());
                continue;
            }
            let by = By(&backend, path);
            let result = match path.precision() {
                Precision::F32 => similarity::suite(&by).await,
                Precision::F16 => similarity::shapes(&by, similarity::F16_TOLERANCE, similarity::round_to_f16).await,
            };
            result.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    });
}

/// Where the adapter has the features, the paths are there: none of them is tested by being left out.
#[test]
fn gpu_paths_are_there_where_the_adapter_has_their_features() {
    on_device(|device| async {
        let features = device.description().features.clone();
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        let offers = |path: SimilarityPath| backend.offers(path.kernel());
        assert!(offers(SimilarityPath::Portable));
        assert_eq!(offers(SimilarityPath::F16), features.shader_f16, "{:?}", backend.warnings());
        let teams = features.subgroups.is_some_and(|sizes| sizes.min >= 8);
        assert_eq!(offers(SimilarityPath::Subgroups), teams, "{:?}", backend.warnings());
        let path = backend.similarity_path();
        assert_eq!(path.precision() == Precision::F16, features.shader_f16, "{path} was taken for f16");
        assert_eq!(backend.warnings().is_empty(), features.shader_f16, "{:?}", backend.warnings());
    });
    on_device_for(Precision::F32, |device| async {
        let small = device.description().features.subgroups.is_some_and(|sizes| sizes.min >= 8 && sizes.min < 32);
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        let expected = if small { SimilarityPath::Subgroups } else { SimilarityPath::Portable };
        assert_eq!(backend.similarity_path(), expected, "{:?}", backend.warnings());
        assert!(!backend.offers("similarity_f16"), "16 bits were not asked for");
        assert!(backend.warnings().is_empty(), "{:?}", backend.warnings());
    });
}

/// A path that is wrong on this device gives speed away, never numbers.
#[test]
fn gpu_a_wrong_path_is_left_out_with_a_warning() {
    let faults = [
        (Precision::F32, SimilarityPath::Subgroups, "sum7 += row7.w", "sum7 -= row7.w"),
        (Precision::F16, SimilarityPath::F16, "right7 += lower.w", "right7 -= lower.w"),
        // Refused by the driver.
        (Precision::F16, SimilarityPath::F16, "fn main(", "fn other("),
    ];
    for (precision, path, old, new) in faults {
        on_device_for(precision, |device| async {
            let plant = |kernel: &Kernel| {
                if kernel.name != path.kernel() {
                    return Cow::Borrowed(kernel.source);
                }
                assert!(kernel.source.contains(old), "{path} no longer has {old:?}: choose another fault to plant");
                Cow::Owned(kernel.source.replace(old, new))
            };
            let taken = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}")).similarity_path();
            if taken != path {
                return; // On this device it is not the one that is taken.
            }
            let device = self::device(precision).await.expect("was there before");
            let keep = |kernel: &Kernel| kernel.name.starts_with("similarity") || kernel.name == "to_f16";
            let backend = GpuBackend::with_only(device, keep, plant).await.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(backend.similarity_path(), SimilarityPath::Portable, "with {new:?}");
            let warnings = backend.warnings();
            assert!(warnings.iter().any(|warning| warning.contains(path.kernel())), "{warnings:?}");
            similarity::shapes(&backend, similarity::TOLERANCE, |x| x).await.unwrap_or_else(|e| panic!("{e}"));
        });
    }
}

#[test]
fn gpu_similarity_with_a_planted_fault_fails_the_suite() {
    let faults = [
        ("a flipped sign", "left0 += ", "left0 -= "),
        ("the ragged last slice left out", "depth < sizes.d;", "depth + DEPTH <= sizes.d;"),
        ("the last column of a four left out", "k + 2u < sizes.d { values.z = a[", "k + 3u < sizes.d { values.z = a["),
        ("tiles one row apart", "sizes.column_tiles * TILE;", "sizes.column_tiles * (TILE - 1u);"),
        ("the last column not written", "column + 3u < sizes.m", "column + 4u < sizes.m"),
        ("only the first line of groups", "group.y * groups.x + group.x", "group.x"),
        ("nothing written", "if row >= sizes.n {", "if row < sizes.n {"),
    ];
    for (what, old, new) in faults {
        on_device(|device| async {
            let keep = |kernel: &Kernel| kernel.name == "similarity";
            let backend = GpuBackend::with_only(device, keep, |kernel| edited(kernel, old, new)).await;
            let backend = backend.unwrap_or_else(|e| panic!("{what}: {e}"));
            let by = By(&backend, SimilarityPath::Portable);
            assert!(similarity::suite(&by).await.is_err(), "the suite passed a kernel with {what}");
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
#[expect(clippy::print_stdout, reason = "a skipped kernel says so")]
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
        ("peak_copy", "the last vector left out", "at < sizes.n", "at + 1u < sizes.n"),
        ("peak_fma", "a number left out", "(x6 + x7)", "(x6 + x6)"),
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
        ("similarity_coop", "a matrix twice", "rows0, right0, sum00", "rows0, right1, sum00"),
        ("similarity_f16", "a flipped sign", "right5 += ", "right5 -= "),
        (
            "similarity_f16",
            "a missing barrier",
            "// The slices are complete before anyone reads them.\n        workgroupBarrier();",
            "",
        ),
        ("similarity_f16", "tiles one row apart", "sizes.column_tiles * TILE;", "sizes.column_tiles * (TILE - 1u);"),
        ("similarity_f16", "the last slice left out", "depth < sizes.quads", "depth + DEPTH / 4u < sizes.quads"),
        ("similarity_subgroup", "a flipped sign", "sum3 += row3.y", "sum3 -= row3.y"),
        (
            "similarity_subgroup",
            "a missing barrier",
            "// The slice is complete before anyone reads it.\n        workgroupBarrier();",
            "",
        ),
        (
            "similarity_subgroup",
            "the wrong lane",
            "subgroupShuffle(own, leader + 5u)",
            "subgroupShuffle(own, leader + 4u)",
        ),
        (
            "similarity_subgroup",
            "tiles one row apart",
            "sizes.column_tiles * TILE_ROWS;",
            "sizes.column_tiles * (TILE_ROWS - 1u);",
        ),
        ("square_sum", "a block one too long", "(block + 1u) * BLOCK", "(block + 1u) * BLOCK + 1u"),
        ("to_f16", "numbers beyond the last column", "column < sizes.columns", "column <= sizes.columns"),
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
            let backend = GpuBackend::with_only(device, |kernel| kernel.name == name, plant).await;
            let backend = backend.unwrap_or_else(|e| panic!("{name}, {what}: {e}"));
            if backend.offers(name) {
                assert!(kernels::one(&backend, name).await.is_err(), "the suite passed {name} with {what}");
            } else {
                println!("skipped: {name}, {what}: not offered");
            }
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
            let keep = |kernel: &Kernel| kernel.name == "similarity";
            let built = GpuBackend::with_only(device, keep, |kernel| edited(kernel, old, new)).await;
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
