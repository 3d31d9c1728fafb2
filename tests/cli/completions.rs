//! `crucible completions` and `crucible man`.

use crate::util::Dir;

#[test]
fn every_shell_has_a_script() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(dir.run(&["completions", shell]).ok().contains("exposure"), "{shell}");
    }
    dir.run(&["completions", "tcsh"]).failed(2);
}

#[test]
fn every_command_has_a_page() {
    let dir = Dir::new();
    assert!(dir.run(&["man"]).ok().contains(".TH crucible 1"));
    dir.run(&["man", "--output-dir", "man"]).ok();
    for name in ["crucible.1", "crucible-config.1", "crucible-config-show.1", "crucible-init.1"] {
        assert!(dir.read(&format!("man/{name}")).contains(".TH"), "{name}");
    }
}
