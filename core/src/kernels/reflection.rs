//! Reads what the host must know out of the WGSL, with the parser that `wgpu` itself uses, and keeps `interfaces.rs` and
//! the Rust uniforms equal to it. Tests only: browsers carry no parser.

use super::{Access, KERNELS};
use std::fmt::Write as _;
use wgpu::naga;

const HEADER: &str = "\
//! What the host must know of each WGSL file.
//!
//! Written from `shaders/` by `CRUCIBLE_BLESS=1 cargo test -p crucible-core --lib kernels`; not to be edited.
";

/// Parses and validates; the message names the file and the place.
fn parse(name: &str, source: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string_with_path(source, &format!("shaders/{name}.wgsl"))));
    naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}", e.emit_to_string_with_path(source, &format!("shaders/{name}.wgsl"))));
    module
}

/// The module of one kernel in `interfaces.rs`.
fn render(name: &str, module: &naga::Module) -> String {
    let [entry] = module.entry_points.as_slice() else { panic!("{name}: expected one entry point") };
    assert_eq!(entry.name, "main", "{name}: the entry point's name");
    let mut text =
        format!("\n/// `shaders/{name}.wgsl`.\npub mod {name} {{\n    use crate::kernels::{{Access, Interface}};\n\n");
    for (_, constant) in module.constants.iter() {
        let Some(constant_name) = &constant.name else { continue };
        let naga::Expression::Literal(literal) = module.global_expressions[constant.init] else { continue };
        let (kind, value) = match literal {
            naga::Literal::U32(v) => ("u32", v.to_string()),
            naga::Literal::I32(v) => ("i32", v.to_string()),
            naga::Literal::F32(v) => ("f32", format!("{v:?}")),
            _ => continue,
        };
        writeln!(text, "    /// The constant of that name.\n    pub const {constant_name}: {kind} = {value};")
            .expect("a string can be written");
    }
    let [x, y, z] = entry.workgroup_size;
    writeln!(text, "    /// Workgroup size and bindings.\n    pub static INTERFACE: Interface = Interface {{")
        .expect("a string can be written");
    writeln!(text, "        workgroup_size: [{x}, {y}, {z}],\n        bindings: &[").expect("a string can be written");
    for line in bindings(name, module) {
        writeln!(text, "            {line},").expect("a string can be written");
    }
    text.push_str("        ],\n    };\n}\n");
    text
}

/// Rust expressions of type [`Access`], in order of binding.
fn bindings(name: &str, module: &naga::Module) -> Vec<String> {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).expect("a valid module has a layout");
    let mut found: Vec<(u32, String)> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let place = variable.binding.as_ref()?;
            assert_eq!(place.group, 0, "{name}: kernels use bind group 0 only");
            Some((place.binding, access(name, module, &layouter, variable)))
        })
        .collect();
    found.sort();
    let numbers: Vec<u32> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(
        numbers,
        (0..found.len() as u32).collect::<Vec<_>>(),
        "{name}: bindings are numbered from 0 without gaps"
    );
    found.into_iter().map(|(_, access)| access).collect()
}

fn access(
    name: &str,
    module: &naga::Module,
    layouter: &naga::proc::Layouter,
    variable: &naga::GlobalVariable,
) -> String {
    match variable.space {
        naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => {
            "Access::ReadWrite".to_owned()
        }
        naga::AddressSpace::Storage { .. } => "Access::Read".to_owned(),
        naga::AddressSpace::Uniform => {
            let naga::TypeInner::Struct { members, .. } = &module.types[variable.ty].inner else {
                panic!("{name}: a uniform is a struct");
            };
            let fields: Vec<String> = members
                .iter()
                .map(|member| format!("(\"{}\", {})", member.name.as_deref().unwrap_or(""), member.offset))
                .collect();
            let size = layouter[variable.ty].size;
            format!("Access::Uniform {{ size: {size}, fields: &[{}] }}", fields.join(", "))
        }
        other => panic!("{name}: a binding in {other:?} is not handled"),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that keeps a file of the sources fresh")]
fn interfaces_are_those_of_the_wgsl() {
    let mut expected = HEADER.to_owned();
    for kernel in KERNELS {
        let module = parse(kernel.name, kernel.source);
        expected.push_str(&render(kernel.name, &module));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernels/interfaces.rs");
    if std::env::var_os("CRUCIBLE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, &expected).expect("interfaces.rs can be written");
        return;
    }
    let command = "CRUCIBLE_BLESS=1 cargo test -p crucible-core --lib kernels";
    let got = std::fs::read_to_string(path).expect("interfaces.rs can be read").replace("\r\n", "\n");
    // As the formatter may have laid it out.
    let plain = |text: &str| text.split_whitespace().collect::<String>().replace(",]", "]").replace(",}", "}");
    assert_eq!(plain(&got), plain(&expected), "interfaces.rs is not what the WGSL says; run `{command}`");
}

#[test]
fn uniforms_have_the_layout_of_the_wgsl() {
    for kernel in KERNELS {
        let Some(Access::Uniform { size, fields }) = kernel.interface.bindings.first() else {
            panic!("{}: binding 0 is the uniform", kernel.name);
        };
        assert_eq!(kernel.uniform.size as u64, *size, "{}: bytes of the uniform, in Rust and in WGSL", kernel.name);
        assert_eq!(kernel.uniform.fields, *fields, "{}: fields and offsets, in Rust and in WGSL", kernel.name);
        let buffers = kernel.interface.bindings.len() - 1;
        assert!(buffers <= 8, "{}: {buffers} storage buffers; WebGPU promises 8", kernel.name);
        let invocations: u32 = kernel.interface.workgroup_size.iter().product();
        assert!(invocations <= 256, "{}: {invocations} invocations; WebGPU promises 256", kernel.name);
    }
}
