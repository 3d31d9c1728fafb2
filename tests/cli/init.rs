//! `crucible init`.

use crate::util::Dir;

#[test]
fn every_template_is_valid_and_says_how_to_go_on() {
    for template in ["basic", "production", "sweep"] {
        let dir = Dir::new();
        let ran = dir.run(&["init", "new", "--template", template]);
        assert!(ran.ok().contains("Next: cd new && crucible config validate"), "{ran:?}");
        for name in [".gitignore", "README.md"] {
            assert!(!dir.read(&format!("new/{name}")).is_empty());
        }
        assert_eq!(ran.ok().lines().count(), 3, "{ran:?}");
        let valid = dir.run(&["--config", "new/crucible.yaml", "config", "validate"]);
        assert!(valid.ok().contains("Not there yet: new/data/events.jsonl, new/data/bundles.jsonl"), "{valid:?}");
        assert_eq!(valid.stderr, "", "{template}: no warnings");
        let json = dir.run(&["--config", "new/crucible.yaml", "config", "show", "--json"]).json();
        assert_eq!(json["config"]["data"]["events"], "new/data/events.jsonl", "{template}");
    }
}

#[test]
fn a_folder_with_files_is_left_alone() {
    let dir = Dir::new();
    dir.file("old/crucible.yaml", "mine");
    assert!(dir.run(&["init", "old"]).failed(2).contains("old is not empty"));
    assert_eq!(dir.read("old/crucible.yaml"), "mine");
    dir.run(&["init", "old", "--force"]).ok();
    assert_ne!(dir.read("old/crucible.yaml"), "mine");
    dir.file("file", "x");
    dir.run(&["init", "file"]).failed(1);
    std::fs::create_dir(dir.path().join("empty")).expect("creates");
    assert_eq!(dir.run(&["init", "empty", "--json"]).json()["template"], "basic");
}
