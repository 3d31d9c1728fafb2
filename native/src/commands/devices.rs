//! `crucible devices`: what there is to compute on, and what `auto` takes.

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::{io, table};
use crucible_core::backend::cpu;
use crucible_core::backend::gpu::device::{self, AdapterDescription, SubgroupSizes};
use schemars::JsonSchema;
use serde::Serialize;

/// Columns of the longest name of a fact, and two more.
const FACT_WIDTH: usize = 14;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// What `crucible devices --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Devices {
    /// What `--device auto` takes.
    pub auto: Taken,
    /// The processor.
    pub cpu: Cpu,
    /// All adapters, the strongest kind first.
    pub adapters: Vec<AdapterDescription>,
}

/// What is taken, and why.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Taken {
    /// `cpu` or `gpu:N`, as `--device` takes it.
    pub device: String,
    /// Why, for people.
    pub reason: String,
}

/// The processor.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cpu {
    /// Threads that compute.
    pub threads: usize,
    /// The widest vectors that are used.
    pub instruction_set: String,
}

/// Lists them. No adapter at all is a result too.
///
/// # Errors
/// The output can't be written.
pub fn run(_args: &Args, ctx: &Context) -> CliResult<Exit> {
    let adapters = pollster::block_on(device::list());
    let auto = device::auto(&adapters);
    let sentence = format!("`auto` takes {auto}.");
    let device = auto.adapter.map_or_else(|| "cpu".to_owned(), |adapter| format!("gpu:{}", adapter.number));
    let auto = Taken { device, reason: auto.reason };
    let cpu = Cpu { threads: rayon::current_num_threads(), instruction_set: cpu::instruction_set() };
    let devices = Devices { auto, cpu, adapters };
    ctx.print(&devices, &text(&sentence, &devices))?;
    Ok(Exit::Success)
}

fn text(sentence: &str, devices: &Devices) -> String {
    let names: Vec<String> = devices.adapters.iter().map(|adapter| format!("gpu:{}", adapter.number)).collect();
    let indent = names.iter().map(String::len).max().unwrap_or(3) + 2;
    let Cpu { threads, instruction_set } = &devices.cpu;
    let unit = if *threads == 1 { "thread" } else { "threads" };
    let cpu = format!("{threads} {unit}, {instruction_set}");
    let mut text = table::wrapped("", 0, sentence) + "\n" + &table::wrapped("cpu", indent, &cpu);
    for (name, adapter) in names.iter().zip(&devices.adapters) {
        text += "\n";
        text += &table::wrapped(name, indent, if adapter.name.is_empty() { "unnamed" } else { &adapter.name });
        for (what, value) in facts(adapter) {
            text += &table::wrapped(&format!("{:indent$}{what}", ""), indent + FACT_WIDTH, &value);
        }
    }
    let advice = match devices.adapters.is_empty() {
        true => {
            "GPUs are reached through Vulkan, Metal or DirectX 12. One that is missing here lacks its driver, or the \
             container or virtual machine does not pass it on."
        }
        false => "`--device gpu:N` takes an adapter by its number.",
    };
    text + "\n" + &table::wrapped("", 0, advice)
}

/// What a person wants to know of an adapter.
fn facts(adapter: &AdapterDescription) -> Vec<(&'static str, String)> {
    let AdapterDescription { limits, features, .. } = adapter;
    // Beyond what a `usize` counts there is no memory either.
    let bytes = |bytes: u64| io::human_bytes(usize::try_from(bytes).unwrap_or(usize::MAX));
    let driver: Vec<&str> =
        [&adapter.driver, &adapter.driver_version].into_iter().map(String::as_str).filter(|s| !s.is_empty()).collect();
    let subgroups = match features.subgroups {
        None => "not offered".to_owned(),
        Some(SubgroupSizes { min, max }) if min == max => format!("{min} invocations"),
        Some(SubgroupSizes { min, max }) => format!("{min} to {max} invocations"),
    };
    let matrices: Vec<String> = features.cooperative_matrices.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        ("kind", format!("{}, through {}", adapter.kind, adapter.api)),
        ("driver", if driver.is_empty() { "unknown".to_owned() } else { driver.join(", ") }),
        (
            "buffers",
            format!(
                "{} in a kernel, {} at most",
                bytes(limits.max_storage_buffer_binding_bytes),
                bytes(limits.max_buffer_bytes)
            ),
        ),
        (
            "workgroups",
            format!(
                "{} invocations, {} shared; {} in a dimension",
                limits.max_invocations_per_workgroup,
                bytes(limits.max_workgroup_storage_bytes.into()),
                limits.max_workgroups_per_dimension
            ),
        ),
        ("subgroups", subgroups),
        ("f16", if features.shader_f16 { "yes" } else { "not offered" }.to_owned()),
        ("matrix units", if matrices.is_empty() { "not offered".to_owned() } else { matrices.join(", ") }),
    ];
    if !adapter.lacks.is_empty() {
        facts.push(("unusable", adapter.lacks.join("; ")));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crucible_core::backend::gpu::device::{AdapterFeatures, AdapterKind, AdapterLimits, CooperativeMatrix};

    fn card(number: usize) -> AdapterDescription {
        let matrix = |m, input| CooperativeMatrix { m, n: 16, k: 16, input, output: "f32" };
        AdapterDescription {
            number,
            name: "A card with a rather long name".to_owned(),
            api: "Vulkan".to_owned(),
            kind: AdapterKind::Discrete,
            driver: "maker".to_owned(),
            driver_version: "1.2.3".to_owned(),
            limits: AdapterLimits {
                max_storage_buffer_binding_bytes: 1 << 32,
                max_buffer_bytes: u64::MAX,
                max_workgroups_per_dimension: u32::MAX,
                max_invocations_per_workgroup: 1024,
                max_workgroup_storage_bytes: 48 << 10,
            },
            features: AdapterFeatures {
                subgroups: Some(SubgroupSizes { min: 8, max: 32 }),
                shader_f16: true,
                cooperative_matrices: vec![matrix(16, "f16"), matrix(8, "f16"), matrix(16, "i32"), matrix(8, "f32")],
            },
            lacks: vec!["max_storage_buffers_per_shader_stage is 4, the kernels need 8".to_owned()],
        }
    }

    #[test]
    fn text_fits_a_terminal_and_says_all() {
        let adapters: Vec<AdapterDescription> = (0..11).map(card).collect();
        let cpu = Cpu { threads: 1, instruction_set: "AVX2".to_owned() };
        let auto = device::auto(&adapters);
        let sentence = format!("`auto` takes {auto}.");
        let devices =
            Devices { auto: Taken { device: String::new(), reason: String::new() }, cpu, adapters: adapters.clone() };
        let text = text(&sentence, &devices);
        for part in [
            "`auto` takes the CPU: gpu:0 can't run the kernels\n(max_storage",
            "cpu     1 thread, AVX2\n",
            "gpu:0   A card with",
            "gpu:10  A card with",
            "        driver        maker, 1.2.3\n",
            "        buffers       4 GiB in a kernel, ",
            "  1024 invocations, 48 KiB shared; 4294967295 in a dimension\n",
            "        subgroups     8 to 32 invocations\n",
            "        matrix units  16x16x16 f16 to f32, ",
            "        unusable      max_storage",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        let long = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None);
    }
}
