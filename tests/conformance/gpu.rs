//! The suite on a GPU or a software adapter, and proof that it notices wrong kernels.

use crate::{gradients, kernels, similarity, top_k};
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

    fn max_len(&self) -> usize {
        self.0.max_len()
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

/// Kernels that see so little of a buffer that almost every shape is cut, in rows, columns or both.
#[test]
fn gpu_similarity_in_parts() {
    on_device_for(Precision::F32, |device| async {
        let backend = GpuBackend::new(device.with_max_len(3000)).await.unwrap_or_else(|e| panic!("{e}"));
        similarity::in_parts(&backend).await.unwrap_or_else(|e| panic!("{e}"));
    });
}

/// What WebGPU promises to bind, which is also all that some adapters do.
const PROMISED: usize = (128 << 20) / size_of::<f32>();

#[test]
fn gpu_similarity_past_the_binding_limit() {
    on_device_for(Precision::F32, |device| async {
        let backend = GpuBackend::new(device.with_max_len(PROMISED)).await.unwrap_or_else(|e| panic!("{e}"));
        similarity::past_the_binding_limit(&backend).await.unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn gpu_top_k() {
    on_device_for(Precision::F32, |device| async {
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        top_k::suite(&backend).await.unwrap_or_else(|e| panic!("{e}"));
    });
}

/// Chunks of queries and shards of the base.
#[test]
fn gpu_top_k_in_parts() {
    use crucible_core::kernels::top_k::GROUP_SCRATCH;
    on_device_for(Precision::F32, |device| async {
        let backend = GpuBackend::new(device.with_max_len(GROUP_SCRATCH)).await.unwrap_or_else(|e| panic!("{e}"));
        top_k::in_parts(&backend).await.unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn gpu_gradients() {
    on_device_for(Precision::F32, |device| async {
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        gradients::suite(&backend).await.unwrap_or_else(|e| panic!("{e}"));
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

/// WGSL in which kernel `name` has `new` for `old`.
fn plant<'a>(name: &'a str, old: &'a str, new: &'a str) -> impl Fn(&Kernel) -> Cow<'static, str> + 'a {
    move |kernel| {
        if kernel.name != name {
            return Cow::Borrowed(kernel.source);
        }
        assert!(kernel.source.contains(old), "{name} no longer has {old:?}: choose another fault to plant");
        Cow::Owned(kernel.source.replace(old, new))
    }
}

#[test]
fn gpu_gradients_with_a_planted_fault_fail_the_suite() {
    for (name, what, old, new) in [
        ("info_nce", "a flipped sign", "d -= factor", "d += factor"),
        ("triplet", "a flipped sign", "sizes.margin - positive", "sizes.margin + positive"),
        ("normalise_backward", "a flipped sign", "- along", "+ along"),
        ("activation_backward", "a flipped sign", "1.0 - t * t", "1.0 + t * t"),
        ("pool_backward", "the token for its text", "text_of[token] * sizes.dim", "token % 2u * sizes.dim"),
        ("pool_weights_backward", "the mean not taken off", "(d_weights[i] - mean)", "d_weights[i]"),
    ] {
        on_device(|device| async {
            let backend = GpuBackend::with_sources(device, plant(name, old, new)).await;
            let backend = backend.unwrap_or_else(|e| panic!("{name}, {what}: {e}"));
            assert!(gradients::suite(&backend).await.is_err(), "the suite passed {name} with {what}");
        });
    }
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
        ("attention", "another text's keys", "starts[text + 1u]", "min(starts[text + 1u] + 1u, sizes.tokens)"),
        ("attention", "sums that are not scaled down", "near *= kept;", ""),
        ("attention", "the far half of a head left out", "if index + LANES < sizes.size { far +=", "if false { far +="),
        ("attention", "scores that are not scaled", " * sizes.scale;", ";"),
        ("attention", "the next head's values", "2u * width + head;", "2u * width + (head + sizes.size) % width;"),
        (
            "attention",
            "a missing barrier",
            "// The query is complete before anyone reads it.\n    workgroupBarrier();",
            "",
        ),
        ("bucket_sum", "a missing barrier", "parts[index] = value;\n    workgroupBarrier();", "parts[index] = value;"),
        ("clip", "a flipped comparison", "norm > sizes.bound", "norm < sizes.bound"),
        ("column_sum", "the first row left out", "row = 0u", "row = 1u"),
        ("danger", "a flipped sign", "largest - positive, sound", "positive - largest, sound"),
        ("danger", "a missing barrier", "parts[index] = value;\n    workgroupBarrier();", "parts[index] = value;"),
        ("danger", "ties won by the last", "if cosine > largest {", "if cosine >= largest {"),
        ("danger", "a tie that counts", "if cosine > positive {", "if cosine >= positive {"),
        ("danger", "zero vectors that tie", "return bits > 0u && bits < 0x7f800000u;", "return true;"),
        ("danger", "only the first line of groups", "group.y * groups.x + group.x", "group.x"),
        (
            "gelu",
            "the form with tanh",
            "0.5 * x * (1.0 + erf_of_root_half(x))",
            "0.5 * x * (1.0 + tanh(0.7978846 * (x + 0.044715 * x * x * x)))",
        ),
        ("gelu", "a flipped sign", "(1.0 + erf", "(1.0 - erf"),
        ("gelu", "the bias left out", "values[at] + bias[at % sizes.width]", "values[at]"),
        ("info_nce", "a candidate of the anchor's sense that counts", "j != anchor && (alike ||", "j != anchor && ("),
        ("layer_norm", "the mean left in", "- mean) * factor", ") * factor"),
        (
            "layer_norm",
            "the wrong divisor",
            "/ f32(sizes.width) + sizes.epsilon",
            "/ f32(sizes.width - 1u) + sizes.epsilon",
        ),
        ("layer_norm", "nothing added to the variance", " + sizes.epsilon", ""),
        (
            "layer_norm",
            "a missing barrier",
            "parts[index] += parts[index + half]; }\n        workgroupBarrier();",
            "parts[index] += parts[index + half]; }",
        ),
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
        ("product", "rows of the output side by side", "row * sizes.out_row", "row * sizes.m"),
        ("top_k", "a flipped sign", "s00 += a.x * b;", "s00 -= a.x * b;"),
        ("top_k", "tiles one row apart", "first_row += TILE)", "first_row += TILE - 1u)"),
        (
            "top_k",
            "a missing barrier",
            "// The slices are complete before anyone reads them.\n            workgroupBarrier();",
            "",
        ),
        (
            "top_k",
            "a missing barrier in the sort",
            "// A round is over before the next one compares what it moved.\n            workgroupBarrier();",
            "",
        ),
        (
            "top_k",
            "ties won by later rows",
            "sorted_places[a] < sorted_places[b]",
            "sorted_places[a] > sorted_places[b]",
        ),
        ("top_k", "lists that are never cut", "if slot >= ROOM - TILE {", "if slot > ROOM {"),
        ("top_k", "a threshold one too high", "sorted_keys[sizes.k - 1u]);", "sorted_keys[sizes.k - 2u]);"),
        ("top_k", "carried results left out", "if sizes.carry == 1u {", "if sizes.carry == 2u {"),
        ("top_k", "keys that are not looked at", "if sizes.modes == 0u {", "if sizes.modes < 4u {"),
        ("top_k", "infinite products found", "!finite ||", ""),
        (
            "top_k",
            "the last query's results left out",
            "first_query + own < sizes.queries {\n            sort",
            "first_query + own + 1u < sizes.queries {\n            sort",
        ),
        ("to_f16", "numbers beyond the last column", "column < sizes.columns", "column <= sizes.columns"),
        ("triplet", "a flipped sign", "sizes.margin - positive", "sizes.margin + positive"),
    ];
    for (name, what, old, new) in faults {
        on_device(|device| async {
            let backend = GpuBackend::with_only(device, |kernel| kernel.name == name, plant(name, old, new)).await;
            let backend = backend.unwrap_or_else(|e| panic!("{name}, {what}: {e}"));
            if backend.offers(name) {
                assert!(kernels::one(&backend, name).await.is_err(), "the suite passed {name} with {what}");
            } else {
                println!("skipped: {name}, {what}: not offered");
            }
        });
    }
    let faulty: std::collections::BTreeSet<&str> = faults.iter().map(|f| f.0).collect();
    for kernel in crucible_core::kernels::KERNELS.iter().filter(|k| k.name != "similarity") {
        assert!(faulty.contains(kernel.name), "{}: no fault is planted", kernel.name);
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
        let (limit, max_len) = (device.max_allocation_bytes(), device.max_len());
        let backend = GpuBackend::new(device.with_max_len(1000)).await.unwrap_or_else(|e| panic!("{e}"));
        assert!(max_len >= PROMISED, "{max_len}");
        let len = usize::try_from(limit / 4 + 1).expect("limits fit the address space");
        assert!(matches!(backend.zeros(len), Err(BackendError::TooLarge { .. })), "{len} numbers were accepted");
        // Held, but more than a kernel sees.
        let (long, short) = (backend.zeros(1001).expect("room"), backend.zeros(1000).expect("room"));
        let run = |n, a, b| backend.run(crucible_core::kernels::add::Sizes { n }, &[a, b]);
        let error = run(1001, &long, &short).expect_err("is more than the kernel sees");
        assert!(matches!(error, BackendError::TooLarge { operation: "add", got: 4004, limit: 4000, .. }), "{error}");
        // A row of an input can't be cut.
        let shape = SimilarityShape { n: 1, m: 1, d: 1001 };
        let error = backend.similarity(&long, &long, &mut backend.zeros(1).expect("room"), shape);
        assert!(matches!(error, Err(BackendError::TooLarge { operation: "similarity", .. })), "{error:?}");
        backend.download(&short).await.expect("the device is as it was");
    });
}

/// Whatever is asked of a device that is gone is an error, again and again, and nothing panics.
#[test]
fn gpu_that_is_lost_gives_no_data() {
    on_device(|device| async {
        let destroy = device.destroyer();
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        let before = backend.upload(&[1.0, 2.0]).expect("uploads");
        let other = backend.upload(&[3.0, 4.0]).expect("uploads");
        backend.run(crucible_core::kernels::add::Sizes { n: 2 }, &[&other, &before]).expect("runs");
        assert_eq!(backend.download(&before).await, Ok(vec![4.0, 6.0]));
        backend.run(crucible_core::kernels::add::Sizes { n: 2 }, &[&other, &before]).expect("is recorded");
        destroy();
        for _ in 0..2 {
            let got = backend.download(&before).await;
            assert!(matches!(got, Err(BackendError::Lost { .. })), "{got:?}");
            for after in [backend.upload(&[5.0]), backend.zeros(3)] {
                let got = backend.download(&after.expect("is only recorded")).await;
                assert!(matches!(got, Err(BackendError::Lost { .. })), "{got:?}");
            }
        }
    });
}

/// A device that refuses memory says so, and its buffers hold nothing.
#[test]
fn gpu_without_memory_gives_no_data() {
    on_device(|device| async {
        let exhaust = device.exhauster();
        let backend = GpuBackend::new(device).await.unwrap_or_else(|e| panic!("{e}"));
        let fits = backend.upload(&[1.0]).expect("uploads");
        assert_eq!(backend.download(&fits).await, Ok(vec![1.0]));
        exhaust();
        for make in [|b: &GpuBackend| b.upload(&[1.0]), |b: &GpuBackend| b.zeros(2)] {
            let got = backend.download(&make(&backend).expect("is only asked for")).await;
            assert!(matches!(got, Err(BackendError::OutOfMemory { .. })), "{got:?}");
        }
        // The device is still there.
        assert_eq!(backend.download(&fits).await, Ok(vec![1.0]));
    });
}
