//! What is asked of an adapter beyond WebGPU's defaults, and what kernels that makes possible.

use super::adapters::{AdapterDescription, CooperativeMatrix};
use super::{GpuDevice, limits};
use crate::config::Precision;
use crate::kernels::{Need, similarity_coop};
use wgpu::Features;

/// Invocations of a subgroup for which `similarity_coop.wgsl` is written.
const COOPERATIVE_SUBGROUP: u32 = 32;
/// The team of `similarity_subgroup.wgsl`.
const TEAM: u32 = 8;

/// What to ask of `adapter`: only what it has, and what 16-bit paths need only where they may be taken.
pub(super) fn descriptor(
    adapter: &wgpu::Adapter,
    description: &AdapterDescription,
    precision: Precision,
) -> wgpu::DeviceDescriptor<'static> {
    let mut required_features = Features::TIMESTAMP_QUERY | Features::SUBGROUP;
    let mut required_limits = limits(adapter);
    let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
    if precision == Precision::F16 {
        required_features |= Features::SHADER_F16;
        if matrices_fit(description) {
            required_features |= Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
            experimental_features = experimental();
            required_limits.max_compute_workgroup_storage_size = similarity_coop::WORKGROUP_BYTES;
        }
    }
    wgpu::DeviceDescriptor {
        label: Some("crucible"),
        required_features: required_features & adapter.features(),
        required_limits,
        experimental_features,
        ..wgpu::DeviceDescriptor::default()
    }
}

/// Leave to use cooperative matrices.
#[expect(unsafe_code, reason = "wgpu asks for it before it allows experimental features")]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: the only one that is asked for are cooperative matrices, used by one kernel of ours, which keeps within its
    // buffers by itself and is compared with the portable one before its first use.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// Whether the matrix units and the subgroups are those of `similarity_coop.wgsl`.
fn matrices_fit(adapter: &AdapterDescription) -> bool {
    let wanted = CooperativeMatrix { m: 16, n: 16, k: 16, input: "f16", output: "f32" };
    let subgroup = COOPERATIVE_SUBGROUP;
    adapter.features.shader_f16
        && adapter.features.cooperative_matrices.contains(&wanted)
        && adapter.features.subgroups.is_some_and(|sizes| sizes.min == subgroup && sizes.max == subgroup)
        && adapter.limits.max_workgroup_storage_bytes >= similarity_coop::WORKGROUP_BYTES
}

/// Whether the teams of `similarity_subgroup.wgsl` fit into the subgroups.
fn teams_fit(adapter: &AdapterDescription) -> bool {
    adapter.features.subgroups.is_some_and(|sizes| sizes.min >= TEAM)
}

impl GpuDevice {
    /// Whether kernels that need `need` can run.
    pub(in crate::backend::gpu) fn offers(&self, need: Need) -> bool {
        let features = self.device.features();
        match need {
            Need::Nothing => true,
            Need::F16 => features.contains(Features::SHADER_F16),
            Need::Subgroups => features.contains(Features::SUBGROUP) && teams_fit(&self.description),
            Need::CooperativeMatrices => features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
        }
    }

    /// Whether handing numbers around within a subgroup is likely to cost less than workgroup memory. NVIDIA's and AMD's
    /// shuffles go through the same circuits as workgroup memory; subgroups of less than 32 are found where they are
    /// moves between registers (Intel), or where both are loops over memory (software).
    pub(in crate::backend::gpu) fn shuffles_are_cheap(&self) -> bool {
        self.description.features.subgroups.is_some_and(|sizes| sizes.min < 32)
    }
}

#[cfg(test)]
mod tests {
    use super::super::adapters::{AdapterFeatures, AdapterKind, AdapterLimits, SubgroupSizes};
    use super::*;

    fn card(change: impl FnOnce(&mut AdapterDescription)) -> AdapterDescription {
        let mut adapter = AdapterDescription {
            number: 0,
            name: "card".to_owned(),
            api: "Vulkan".to_owned(),
            kind: AdapterKind::Discrete,
            driver: String::new(),
            driver_version: String::new(),
            limits: AdapterLimits { max_workgroup_storage_bytes: 48 << 10, ..AdapterLimits::default() },
            features: AdapterFeatures {
                subgroups: Some(SubgroupSizes { min: 32, max: 32 }),
                shader_f16: true,
                cooperative_matrices: vec![
                    CooperativeMatrix { m: 16, n: 8, k: 16, input: "f16", output: "f32" },
                    CooperativeMatrix { m: 16, n: 16, k: 16, input: "f16", output: "f32" },
                ],
            },
            lacks: Vec::new(),
        };
        change(&mut adapter);
        adapter
    }

    #[test]
    fn matrix_units_are_used_only_as_the_kernel_is_written() {
        assert!(matrices_fit(&card(|_| ())));
        let refused: [fn(&mut AdapterDescription); 7] = [
            |a| a.features.cooperative_matrices.clear(),
            |a| a.features.cooperative_matrices.truncate(1),
            |a| a.features.cooperative_matrices[1].output = "f16",
            |a| a.features.shader_f16 = false,
            |a| a.features.subgroups = None,
            |a| a.features.subgroups = Some(SubgroupSizes { min: 32, max: 64 }),
            |a| a.limits.max_workgroup_storage_bytes = 16 << 10,
        ];
        for (number, change) in refused.into_iter().enumerate() {
            assert!(!matrices_fit(&card(change)), "change {number}");
        }
    }

    #[test]
    fn subgroups_must_hold_whole_teams() {
        assert!(teams_fit(&card(|a| a.features.subgroups = Some(SubgroupSizes { min: 8, max: 32 }))));
        assert!(!teams_fit(&card(|a| a.features.subgroups = Some(SubgroupSizes { min: 4, max: 32 }))));
        assert!(!teams_fit(&card(|a| a.features.subgroups = None)));
    }
}
