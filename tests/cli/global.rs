//! Flags of every command, and exit statuses.

use crate::util::{Dir, finish};
use std::process::Stdio;

#[test]
fn version_and_help_go_to_the_standard_output() {
    let dir = Dir::new();
    assert_eq!(dir.run(&["--version"]).ok(), format!("crucible {}\n", env!("CARGO_PKG_VERSION")));
    let help = dir.run(&["--help"]);
    for part in ["config", "init", "--device", "--training.steps", "Exit status"] {
        assert!(help.ok().contains(part), "{part}");
    }
}

#[test]
fn usage_errors_end_with_2() {
    let dir = Dir::new();
    for args in [
        &[][..],
        &["nonsense"],
        &["config"],
        &["config", "show", "--nonsense"],
        &["config", "show", "--threads", "0"],
        &["config", "show", "--threads", "5000"],
        &["config", "show", "--device", "toaster"],
        &["config", "show", "-v", "--quiet"],
    ] {
        let ran = dir.run(args);
        assert!(!ran.failed(2).is_empty(), "{args:?}");
    }
    assert!(dir.run(&["confg"]).failed(2).contains("config"), "the nearest command is named");
}

#[test]
fn dotted_flags_set_keys() {
    let dir = Dir::new();
    for args in [&["--training.steps", "20000"][..], &["--training.steps=20000"]] {
        let shown = dir.run(&[&["config", "show"], args].concat());
        assert!(shown.ok().contains("steps: 20000  # flag --training.steps\n"), "{shown:?}");
    }
    let before = dir.run(&["--training.batch-size", "8", "config", "show", "--json"]).json();
    assert_eq!(before["config"]["training"]["batch_size"], 8);
    assert_eq!(before["origins"]["training.batch_size"]["flag"], "--training.batch_size");
}

#[test]
fn dotted_flags_are_refused_where_they_do_nothing() {
    let dir = Dir::new();
    let ran = dir.run(&["completions", "bash", "--training.steps", "5"]);
    assert!(ran.failed(2).contains("`--training.steps` sets a key of the configuration"), "{ran:?}");
    assert!(dir.run(&["config", "show", "--training.steps"]).failed(2).contains("needs a value"));
}

#[test]
fn the_device_comes_from_environment_or_flag() {
    let dir = Dir::new();
    dir.file("crucible.yaml", "device: {type: gpu}\n");
    let show = |env: Option<&str>, args: &[&str]| {
        let mut command = dir.command(&[&["config", "show"], args].concat());
        if let Some(value) = env {
            command.env("CRUCIBLE_DEVICE", value);
        }
        finish(&mut command)
    };
    assert!(show(None, &[]).ok().contains("type: gpu  # crucible.yaml:1"));
    assert!(show(Some("cpu"), &[]).ok().contains("type: cpu  # environment CRUCIBLE_DEVICE"));
    assert!(show(Some("cpu"), &["--device", "auto"]).ok().contains("type: auto  # flag --device"));
    assert!(show(Some(""), &[]).ok().contains("type: gpu"));
    let bad = show(Some("toaster"), &[]);
    assert!(bad.failed(2).contains("environment CRUCIBLE_DEVICE: `device.type`: `toaster` is no device"), "{bad:?}");
}

#[test]
fn devices_are_named_in_few_ways() {
    let dir = Dir::new();
    for device in ["auto", "cpu", "gpu", "gpu:0", "gpu:12", "cuda", "cuda:1"] {
        let shown = dir.run(&["config", "show", "--json", "--device", device]).json();
        assert_eq!(shown["config"]["device"]["type"], device);
    }
    for device in ["", "GPU", "gpu:", "gpu:-1", "gpu:+1", "gpu:x", "gpu:0:1", "gpu:70000", "cpu:0", "auto:1"] {
        let ran = dir.run(&["config", "show", "--device", device]);
        let message = ran.failed(2);
        assert!(message.contains("expected auto, cpu, gpu or gpu:N"), "{device}: {message}");
        assert!(message.contains("`crucible devices` lists them"), "{device}: {message}");
    }
}

#[test]
fn the_configuration_comes_from_flag_environment_or_folder() {
    let dir = Dir::new();
    dir.file("crucible.yaml", "training: {steps: 1}\n");
    dir.file("b.yaml", "training: {steps: 2}\n");
    dir.file("c.yaml", "training: {steps: 3}\n");
    let steps = |env: Option<&str>, args: &[&str]| {
        let mut command = dir.command(&[&["config", "show", "--json"], args].concat());
        if let Some(value) = env {
            command.env("CRUCIBLE_CONFIG", value);
        }
        finish(&mut command).json()["config"]["training"]["steps"].as_u64()
    };
    assert_eq!(steps(None, &[]), Some(1));
    assert_eq!(steps(Some("b.yaml"), &[]), Some(2));
    assert_eq!(steps(Some("b.yaml"), &["--config", "c.yaml"]), Some(3));
}

#[test]
fn nothing_is_coloured_outside_a_terminal() {
    let dir = Dir::new();
    for value in ["", "1"] {
        let ran = finish(dir.command(&["config", "validate", "--training.steps", "x"]).env("NO_COLOR", value));
        assert!(!ran.failed(2).contains('\u{1b}'), "{ran:?}");
        assert!(ran.stderr.starts_with("error: flag --training.steps: "), "{ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_success() {
    let dir = Dir::new();
    let mut child =
        dir.command(&["config", "schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_the_standard_output_is_an_error() {
    let dir = Dir::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("opens");
    let ran = finish(dir.command(&["config", "schema"]).stdout(full));
    assert!(ran.failed(1).contains("cannot write to the standard output: no space left"), "{ran:?}");
}
