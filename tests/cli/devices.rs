//! `crucible devices`.
//!
//! Machines differ in what they have; what is said must agree with itself everywhere.

use crate::util::{Dir, Ran, finish};

/// The command where only APIs that this program was built without may be used: there are no adapters.
fn without_adapters(args: &[&str]) -> Ran {
    finish(Dir::new().command(args).env("WGPU_BACKEND", "gl"))
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn adapters_are_listed_and_auto_never_takes_a_software_one() {
    let dir = Dir::new();
    let json = dir.run(&["devices", "--json", "--threads", "3"]).json();
    assert_eq!(json["cpu"]["threads"], 3);
    let adapters = json["adapters"].as_array().expect("a list");
    if adapters.is_empty() {
        let required = std::env::var("CRUCIBLE_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "CRUCIBLE_REQUIRE_GPU is set, and there is no adapter");
        println!("skipped: no adapter, not even a software one");
    }
    for (number, adapter) in adapters.iter().enumerate() {
        assert_eq!(adapter["number"], number);
        for limit in ["max_storage_buffer_binding_bytes", "max_buffer_bytes", "max_workgroups_per_dimension"] {
            assert!(adapter["limits"][limit].as_u64().is_some_and(|limit| limit > 0), "{limit} of {adapter:#}");
        }
    }
    let usable = |adapter: &serde_json::Value| {
        adapter["kind"] != "software" && adapter["lacks"].as_array().is_some_and(Vec::is_empty)
    };
    // The list is sorted, strongest first.
    let expected = adapters.iter().position(usable).map_or("cpu".to_owned(), |number| format!("gpu:{number}"));
    assert_eq!(json["auto"]["device"], expected, "{json:#}");
    let reason = json["auto"]["reason"].as_str().expect("a text");
    if let [only] = adapters.as_slice()
        && only["kind"] == "software"
    {
        assert_eq!(reason, "gpu:0 is a software adapter, which is taken only when asked for");
    }

    let ran = dir.run(&["devices"]);
    let text = ran.ok();
    let said = if expected == "cpu" { "`auto` takes the CPU: " } else { &format!("`auto` takes {expected}, ") };
    assert!(text.starts_with(said), "{text}");
    // Lines are broken between words.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(text).contains(&words(reason)), "{reason} in {text}");
    for (number, adapter) in adapters.iter().enumerate() {
        let name = words(adapter["name"].as_str().expect("a text"));
        assert!(words(text).contains(&format!("gpu:{number} {name}")), "{name} in {text}");
    }
}

#[test]
fn no_adapter_is_a_result_too() {
    let json = without_adapters(&["devices", "--json"]).json();
    assert_eq!(json["adapters"], serde_json::json!([]));
    assert_eq!(json["auto"], serde_json::json!({"device": "cpu", "reason": "no GPU was found"}));
    let ran = without_adapters(&["devices"]);
    let text = ran.ok();
    assert!(text.starts_with("`auto` takes the CPU: no GPU was found.\n\ncpu  "), "{text}");
    assert!(text.contains("GPUs are reached through Vulkan"), "{text}");
}

#[test]
fn a_server_without_a_display_is_no_error() {
    let dir = Dir::new();
    let mut command = dir.command(&["devices"]);
    for name in
        ["XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "DISPLAY", "NODEVICE_SELECT", "DRI_PRIME", "MESA_VK_DEVICE_SELECT"]
    {
        command.env_remove(name);
    }
    let ran = finish(&mut command);
    ran.ok();
    assert!(!ran.stderr.contains("error:"), "{}", ran.stderr);
}
