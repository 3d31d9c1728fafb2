//! Builds the page's module for wasm and leaves it, with the page's files, where `src/web_assets.rs` takes it from.
//!
//! A native build never fails for want of the page: what is missing is a warning, and the program is built without it.
//! `CRUCIBLE_SKIP_WEB=1` leaves the page out without a word, for quick rounds of work on something else.

#[path = "build/wasm_target.rs"]
mod wasm_target;

use ct_codecs::{Base64, Encoder as _};
use std::env;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";
/// A profile of its own: with the profile and folder of the outer build, both would wait for one lock for ever.
const PROFILE: &str = "wasm";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(web_assets)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed=CRUCIBLE_SKIP_WEB");
    if env::var_os("CRUCIBLE_SKIP_WEB").is_some_and(|value| value == "1") {
        return;
    }
    match page() {
        Ok(()) => println!("cargo::rustc-cfg=web_assets"),
        Err(missing) => println!("cargo::warning=built without the page (`crucible serve`): {missing}"),
    }
}

/// Builds all of it into `OUT_DIR`.
fn page() -> Result<(), String> {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..");
    let web = root.join("web");
    if !web.join("Cargo.toml").is_file() {
        return Err("its sources, the folder web/, are not beside this crate".to_owned());
    }
    let sources = ["web/src", "web/static", "web/shared", "web/vendor", "web/worker", "web/Cargo.toml"];
    for path in sources.into_iter().chain(["core/src", "core/Cargo.toml", "shaders"]) {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    for path in ["Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let module = module(&web, &out)?;
    let bound = out.join("bound");
    Bindgen::new()
        .input_path(module)
        .out_name("crucible")
        // A worker that starts from text has no address to import from: all is one script.
        .no_modules(true)
        .and_then(|bindgen| {
            bindgen.typescript(false).remove_name_section(true).remove_producers_section(true).generate(&bound)
        })
        .map_err(|e| format!("the module's JavaScript side was not made: {e:#}"))?;
    engine(&bound, &web.join("worker"), &out.join("engine.js")).map_err(|e| format!("engine.js was not made: {e}"))?;
    assets(&web, &out).map_err(|e| format!("the page's files were not gathered: {e}"))
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"))
}

/// Compiles the module; the path of the file.
fn module(web: &Path, out: &Path) -> Result<PathBuf, String> {
    let mut cargo = toolchain()?;
    // Not in `OUT_DIR`: every profile and every tool has another one, and each would compile everything anew.
    let target = out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap_or(out).join("web-wasm");
    let output = cargo
        .args(["build", "--locked", "--lib", "-p", "crucible-web", "--profile", PROFILE, "--target", TARGET])
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Ctarget-feature=+simd128")
        .current_dir(web)
        .output()
        .map_err(|e| format!("cargo did not start: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).take(5).collect();
        return Err(format!("its module did not compile: {}", errors.join("; ")));
    }
    Ok(target.join(TARGET).join(PROFILE).join("crucible_web.wasm"))
}

/// A cargo that compiles for wasm: the one at hand if it has the target's standard library, else Debian's.
fn toolchain() -> Result<Command, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let library =
        printed(Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET])).map(PathBuf::from);
    if library.as_deref().is_some_and(wasm_target::is_installed) {
        let mut command = Command::new(cargo);
        scrub(&mut command);
        return Ok(command);
    }
    // Once it is installed, as the message says, the page is tried again.
    if let Some(path) = library.as_deref().and_then(wasm_target::watched) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    debian().ok_or_else(|| format!("the target {TARGET} is not installed (`rustup target add {TARGET}`)"))
}

/// Debian's rustc, which builds the standard library itself from `rust-web-src`.
fn debian() -> Option<Command> {
    let [rustc, cargo, linker] = ["rustc", "cargo", "wasm-ld"].map(|name| Path::new("/usr/bin").join(name));
    if !(rustc.is_file() && cargo.is_file() && linker.is_file()) {
        return None;
    }
    let root = printed(Command::new(&rustc).args(["--print", "sysroot"]))?;
    if !Path::new(&root).join("lib/rustlib/src/rust/library").is_dir() {
        return None;
    }
    let mut command = Command::new(cargo);
    scrub(&mut command);
    let mut path = OsString::from("/usr/bin:");
    path.push(env::var_os("PATH").unwrap_or_default());
    command
        .arg("-Zbuild-std=std,panic_abort")
        .env("PATH", path)
        .env("RUSTC", rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
        .env_remove("RUSTUP_TOOLCHAIN");
    Some(command)
}

fn printed(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Takes away what the outer cargo set for this crate: flags, wrappers and folders of another build.
fn scrub(command: &mut Command) {
    const KEEP: &[&str] = &["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_CAINFO", "CARGO_TERM_COLOR"];
    const DROP: &[&str] = &[
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_LINKER",
        "RUSTC_BOOTSTRAP",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "CLIPPY_CONF_DIR",
        "TARGET",
        "HOST",
        "PROFILE",
        "OUT_DIR",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
        "MAKEFLAGS",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if (text.starts_with("CARGO") && !KEEP.contains(&&*text)) || DROP.contains(&&*text) {
            command.env_remove(&name);
        }
    }
}

/// Writes `engine.js`: the worker's text and the module, packed, as one JSON document that is also a script.
fn engine(bound: &Path, worker: &Path, to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let glue = std::fs::read_to_string(bound.join("crucible.js"))?;
    let own = std::fs::read_to_string(worker.join("worker.js"))?;
    let module = std::fs::read(bound.join("crucible_bg.wasm"))?;
    let mut packer = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::best());
    packer.write_all(&module)?;
    let packed = Base64::encode_to_string(packer.finish()?)?;
    let document = serde_json::json!({ "worker": format!("{glue}\n{own}"), "wasm": packed, "bytes": module.len() });
    // So that no `</script>` in it ends an element that it is put into.
    let document = document.to_string().replace('<', "\\u003c");
    std::fs::write(to, format!("export default {document};\n"))?;
    Ok(())
}

/// Copies the page's files into one folder and lists them, as Rust.
fn assets(web: &Path, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut names = vec!["engine.js".to_owned(), "d3.min.js".to_owned()];
    std::fs::copy(web.join("vendor/d3.min.js"), out.join("d3.min.js"))?;
    for folder in [web.join("static"), web.join("shared")] {
        for entry in std::fs::read_dir(&folder)? {
            let name = entry?.file_name().into_string().map_err(|name| format!("{name:?} is no UTF-8"))?;
            std::fs::copy(folder.join(&name), out.join(&name))?;
            names.push(name);
        }
    }
    names.sort();
    let line = |name: &String| format!("    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))),\n");
    let list = format!("&[\n{}]\n", names.iter().map(line).collect::<String>());
    std::fs::write(out.join("assets.rs"), list)?;
    Ok(())
}
