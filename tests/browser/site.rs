//! Builds the page: the module for wasm, its JavaScript side, the static files, in one folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";

/// The folder of the page.
///
/// # Errors
/// What is missing; a build that fails panics.
pub(crate) fn build() -> Result<PathBuf, String> {
    target_is_installed()?;
    let web = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A target folder and a profile of its own: the outer cargo may hold the lock of its own while it runs this.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder inside of target/").join("web-wasm");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    scrub(&mut cargo);
    let status = cargo
        .args(["build", "--locked", "--lib", "--profile", "wasm", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Ctarget-feature=+simd128")
        .current_dir(web)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the module did not build: {status}");

    let site = target.join("site");
    let _ = std::fs::remove_dir_all(&site);
    Bindgen::new()
        .input_path(target.join(TARGET).join("wasm/crucible_web.wasm"))
        .out_name("crucible")
        .web(true)
        .expect("the page is a module")
        // So that the page can start the module without naming its file.
        .omit_default_module_path(false)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&site)
        .expect("the module's JavaScript side is generated");
    for entry in std::fs::read_dir(web.join("static")).expect("web/static can be read") {
        let file = entry.expect("an entry of web/static").path();
        std::fs::copy(&file, site.join(file.file_name().expect("a file has a name"))).expect("a static file is copied");
    }
    Ok(site)
}

/// Asks for the folder of the target's standard library, and looks inside: the path is named for absent targets too.
fn target_is_installed() -> Result<(), String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let folder = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let entries = std::fs::read_dir(folder.trim()).into_iter().flatten().flatten();
    let found = entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"));
    if found { Ok(()) } else { Err(format!("the target {TARGET} is not installed (rustup target add {TARGET})")) }
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
        "TARGET",
        "HOST",
        "PROFILE",
        "OUT_DIR",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
        "MAKEFLAGS",
    ];
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if (text.starts_with("CARGO") && !KEEP.contains(&&*text)) || DROP.contains(&&*text) {
            command.env_remove(&name);
        }
    }
}
