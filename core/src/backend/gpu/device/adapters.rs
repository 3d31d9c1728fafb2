//! What is known of an adapter, and which one `auto` takes.

use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

/// An adapter, as `wgpu` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdapterDescription {
    /// N of `gpu:N`: its place in the list. Browsers have no list: 0.
    pub number: usize,
    /// The driver's name of it; browsers leave it empty.
    pub name: String,
    /// Vulkan, Metal, …
    pub api: String,
    /// What it is. Browsers don't tell.
    pub kind: AdapterKind,
    /// The driver's name; some don't tell.
    pub driver: String,
    /// The driver's version, in its own words.
    pub driver_version: String,
    /// How much it takes at once.
    pub limits: AdapterLimits,
    /// What faster kernels can build on.
    pub features: AdapterFeatures,
    /// What it lacks for our kernels, in words; an adapter that lacks something can't be opened.
    pub lacks: Vec<String>,
}

/// What an adapter is. The strongest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU that a virtual machine is lent.
    Virtual,
    /// Unknown.
    Other,
    /// It computes on the CPU.
    Software,
}

/// How much an adapter takes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdapterLimits {
    /// Bytes of a buffer that a kernel can see: the largest tensor.
    pub max_storage_buffer_binding_bytes: u64,
    /// Bytes of the largest buffer.
    pub max_buffer_bytes: u64,
    /// Workgroups in one dimension of a dispatch.
    pub max_workgroups_per_dimension: u32,
    /// Invocations (threads) in one workgroup.
    pub max_invocations_per_workgroup: u32,
    /// Bytes that the invocations of a workgroup share.
    pub max_workgroup_storage_bytes: u32,
}

/// What faster kernels can build on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdapterFeatures {
    /// Subgroup operations, with the subgroups' sizes; none where the adapter doesn't offer them.
    pub subgroups: Option<SubgroupSizes>,
    /// 16-bit floats in shaders.
    pub shader_f16: bool,
    /// Matrix products by a whole subgroup (tensor cores and the like), experimental in `wgpu`; empty: not offered.
    pub cooperative_matrices: Vec<CooperativeMatrix>,
}

/// How many invocations a subgroup has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SubgroupSizes {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

/// A product of tiles that an adapter computes at once: `c: [m, n] += a: [m, k] · b: [k, n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CooperativeMatrix {
    /// Rows of `a` and `c`.
    pub m: u32,
    /// Columns of `b` and `c`.
    pub n: u32,
    /// Columns of `a`, rows of `b`.
    pub k: u32,
    /// Type of the numbers in `a` and `b`.
    pub input: &'static str,
    /// Type of the numbers in `c`.
    pub output: &'static str,
}

impl AdapterDescription {
    /// Of the adapter at place `number`, with what it lacks of `needed`.
    pub(super) fn new(number: usize, adapter: &wgpu::Adapter, needed: &wgpu::Limits) -> Self {
        let (info, offered, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        let mut lacks = Vec::new();
        needed.check_limits_with_fail_fn(&offered, false, |limit, needed, has| {
            lacks.push(format!("{limit} is {has}, the kernels need {needed}"));
        });
        let matrices = match features.contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            true => adapter.cooperative_matrix_properties(),
            false => Vec::new(),
        };
        Self {
            number,
            name: info.name,
            api: api(info.backend).to_owned(),
            kind: info.device_type.into(),
            driver: info.driver,
            driver_version: info.driver_info,
            limits: AdapterLimits {
                max_storage_buffer_binding_bytes: offered.max_storage_buffer_binding_size,
                max_buffer_bytes: offered.max_buffer_size,
                max_workgroups_per_dimension: offered.max_compute_workgroups_per_dimension,
                max_invocations_per_workgroup: offered.max_compute_invocations_per_workgroup,
                max_workgroup_storage_bytes: offered.max_compute_workgroup_storage_size,
            },
            features: AdapterFeatures {
                subgroups: features
                    .contains(wgpu::Features::SUBGROUP)
                    .then_some(SubgroupSizes { min: info.subgroup_min_size, max: info.subgroup_max_size }),
                shader_f16: features.contains(wgpu::Features::SHADER_F16),
                cooperative_matrices: matrices.iter().map(CooperativeMatrix::from).collect(),
            },
            lacks,
        }
    }

    /// Whether it computes on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.kind == AdapterKind::Software
    }
}

impl fmt::Display for AdapterDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "unnamed adapter" } else { &self.name };
        write!(f, "{name} ({}{})", self.api, if self.is_software() { ", software" } else { "" })
    }
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Other => "other",
            Self::Software => "software",
        })
    }
}

impl From<wgpu::DeviceType> for AdapterKind {
    fn from(kind: wgpu::DeviceType) -> Self {
        match kind {
            wgpu::DeviceType::DiscreteGpu => Self::Discrete,
            wgpu::DeviceType::IntegratedGpu => Self::Integrated,
            wgpu::DeviceType::VirtualGpu => Self::Virtual,
            wgpu::DeviceType::Other => Self::Other,
            wgpu::DeviceType::Cpu => Self::Software,
        }
    }
}

impl fmt::Display for CooperativeMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{} {} to {}", self.m, self.n, self.k, self.input, self.output)
    }
}

impl From<&wgpu::CooperativeMatrixProperties> for CooperativeMatrix {
    fn from(of: &wgpu::CooperativeMatrixProperties) -> Self {
        let (input, output) = (scalar(of.ab_type), scalar(of.cr_type));
        Self { m: of.m_size, n: of.n_size, k: of.k_size, input, output }
    }
}

fn scalar(kind: wgpu::CooperativeScalarType) -> &'static str {
    match kind {
        wgpu::CooperativeScalarType::F32 => "f32",
        wgpu::CooperativeScalarType::F16 => "f16",
        wgpu::CooperativeScalarType::I32 => "i32",
        wgpu::CooperativeScalarType::U32 => "u32",
    }
}

/// As its makers write it.
fn api(backend: wgpu::Backend) -> &'static str {
    match backend {
        wgpu::Backend::Vulkan => "Vulkan",
        wgpu::Backend::Metal => "Metal",
        wgpu::Backend::Dx12 => "DirectX 12",
        wgpu::Backend::Gl => "OpenGL",
        wgpu::Backend::BrowserWebGpu => "WebGPU",
        wgpu::Backend::Noop => "none",
    }
}

/// What `auto` takes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auto<'a> {
    /// The adapter; none: the CPU.
    pub adapter: Option<&'a AdapterDescription>,
    /// Why, as what may follow a colon.
    pub reason: String,
}

impl fmt::Display for Auto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.adapter {
            Some(adapter) => write!(f, "gpu:{}, {adapter}: {}", adapter.number, self.reason),
            None => write!(f, "the CPU: {}", self.reason),
        }
    }
}

/// What `auto` takes of `adapters`: the strongest kind of GPU, the first of its kind, if it can run the kernels. Never a
/// software adapter: the CPU's own code is faster.
#[must_use]
pub fn auto(adapters: &[AdapterDescription]) -> Auto<'_> {
    let real: Vec<&AdapterDescription> = adapters.iter().filter(|adapter| !adapter.is_software()).collect();
    let usable: Vec<&AdapterDescription> = real.iter().copied().filter(|adapter| adapter.lacks.is_empty()).collect();
    // The first of equals.
    let adapter = usable.iter().copied().min_by_key(|adapter| adapter.kind);
    let reason = match adapter {
        Some(taken) => {
            let alike = usable.iter().filter(|adapter| adapter.kind == taken.kind).count();
            match (alike, usable.len(), real.len()) {
                (_, 1, 1) => "the only GPU".to_owned(),
                (_, 1, _) => "the only GPU that can run the kernels".to_owned(),
                // "the only other GPU" would say something else.
                (1, _, _) => format!("the only GPU of kind `{}`, the strongest here", taken.kind),
                (n, _, _) => format!("the first of {n} GPUs of kind `{}`", taken.kind),
            }
        }
        None => match (real.as_slice(), adapters) {
            (_, []) => "no GPU was found".to_owned(),
            ([first, ..], _) => {
                let lacks = first.lacks.first().map_or("", String::as_str);
                format!("gpu:{} can't run the kernels ({lacks})", first.number)
            }
            ([], [only]) => format!("gpu:{} is a software adapter, which is taken only when asked for", only.number),
            ([], _) => "there are software adapters only, which are taken only when asked for".to_owned(),
        },
    };
    Auto { adapter, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AdapterKind::{Discrete, Integrated, Other, Software, Virtual};

    fn list(kinds: &[AdapterKind]) -> Vec<AdapterDescription> {
        let adapter = |(number, kind): (usize, &AdapterKind)| AdapterDescription {
            number,
            name: format!("card {number}"),
            api: "Vulkan".to_owned(),
            kind: *kind,
            driver: String::new(),
            driver_version: String::new(),
            limits: AdapterLimits::default(),
            features: AdapterFeatures::default(),
            lacks: Vec::new(),
        };
        kinds.iter().enumerate().map(adapter).collect()
    }

    fn said(kinds: &[AdapterKind]) -> String {
        auto(&list(kinds)).to_string()
    }

    #[test]
    fn without_a_gpu_auto_takes_the_cpu() {
        assert_eq!(said(&[]), "the CPU: no GPU was found");
        let asked = "which is taken only when asked for";
        assert_eq!(said(&[Software]), format!("the CPU: gpu:0 is a software adapter, {asked}"));
        assert!(said(&[Software, Software]).starts_with("the CPU: there are software adapters only"));
    }

    #[test]
    fn auto_takes_the_strongest_gpu_and_says_why() {
        for kind in [Discrete, Integrated, Virtual, Other] {
            assert_eq!(said(&[kind]), "gpu:0, card 0 (Vulkan): the only GPU");
            assert_eq!(said(&[kind, Software]), said(&[kind]), "software adapters are not counted");
        }
        let strongest = said(&[Discrete, Integrated, Software]);
        assert_eq!(strongest, "gpu:0, card 0 (Vulkan): the only GPU of kind `discrete`, the strongest here");
        let first = said(&[Discrete, Discrete, Integrated]);
        assert_eq!(first, "gpu:0, card 0 (Vulkan): the first of 2 GPUs of kind `discrete`");
    }

    #[test]
    fn the_order_of_the_list_decides_among_equals_only() {
        assert_eq!(auto(&list(&[Software, Integrated, Discrete, Discrete])).adapter.map(|a| a.number), Some(2));
    }

    #[test]
    fn auto_passes_over_what_can_not_run_the_kernels() {
        let mut adapters = list(&[Discrete, Integrated]);
        adapters[0].lacks.push("max_x is 1, the kernels need 2".to_owned());
        let said = auto(&adapters).to_string();
        assert_eq!(said, "gpu:1, card 1 (Vulkan): the only GPU that can run the kernels");
        let said = auto(&adapters[..1]).to_string();
        assert_eq!(said, "the CPU: gpu:0 can't run the kernels (max_x is 1, the kernels need 2)");
    }
}
