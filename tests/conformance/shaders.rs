//! Every WGSL file parses, is valid within WebGPU's defaults, and is in the table of kernels.

use crucible_core::kernels::{KERNELS, Need};
use std::path::{Path, PathBuf};
use wgpu::naga::valid::Capabilities;
use wgpu::naga::{front, valid};

/// What every WebGPU device has: conversions to 16-bit floats inside of words are to `naga` an extra.
const WEBGPU: Capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;

/// What the validator must allow for a kernel.
fn capabilities(needs: Need) -> Capabilities {
    WEBGPU
        | match needs {
            Need::Nothing => Capabilities::empty(),
            Need::F16 => Capabilities::SHADER_FLOAT16,
            Need::Subgroups => Capabilities::SUBGROUP,
            Need::CooperativeMatrices => {
                Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP | Capabilities::COOPERATIVE_MATRIX
            }
        }
}

fn validate(path: &Path, source: &str, capabilities: Capabilities) -> Result<(), String> {
    let name = path.display().to_string();
    let module = front::wgsl::parse_str(source).map_err(|e| e.emit_to_string_with_path(source, &name))?;
    let mut validator = valid::Validator::new(valid::ValidationFlags::all(), capabilities);
    validator.validate(&module).map_err(|e| e.emit_to_string_with_path(source, &name))?;
    Ok(())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "reads the files of the sources")]
fn all_shaders_are_valid_and_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("shaders/ can be read")
        .map(|entry| entry.expect("an entry of shaders/").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no WGSL files in {}", folder.display());
    let mut names = Vec::new();
    let mut faults = Vec::new();
    for path in &files {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8").to_owned();
        let source = std::fs::read_to_string(path).expect("a shader can be read");
        let needs = KERNELS.iter().find(|kernel| kernel.name == name).map_or(Need::Nothing, |kernel| kernel.needs);
        faults.extend(validate(path, &source, capabilities(needs)).err());
        match KERNELS.iter().find(|kernel| kernel.name == name) {
            None => faults.push(format!("{name}: not in the table of kernels")),
            Some(kernel) if kernel.source != source => {
                faults.push(format!("{name}: the table has another file's text"))
            }
            Some(_) => names.push(name),
        }
    }
    let without_file = KERNELS.iter().filter(|kernel| !names.iter().any(|name| name == kernel.name));
    faults.extend(without_file.map(|kernel| format!("{}: in the table, without a file", kernel.name)));
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_validator_refuses_what_it_should() {
    let validate = |source| validate(Path::new("case.wgsl"), source, capabilities(Need::Nothing));
    assert_eq!(validate("@compute @workgroup_size(1) fn main() {}"), Ok(()));
    assert!(validate("@compute @workgroup_size(1) fn main( {}").is_err(), "a syntax error");
    assert!(validate("fn f() -> u32 { return 1.0f; }").is_err(), "a type error");
    assert!(validate("var<workgroup> x: f16;").is_err(), "a feature outside of WebGPU's defaults");
}
