//! The published JSON Schemas are those of the types. `CRUCIBLE_BLESS=1` writes them anew.

use crucible_core::capsule::{Metadata, Report as CapsuleReport};
use crucible_core::eval::{Item, Look, Scoreboard, StepScores};
use crucible_core::guardrails::eval_versions::EvalVersions;
use crucible_core::guardrails::{Finding, Report};
use crucible_core::mining::{MiningStats, Suspect};
use crucible_core::pools::{Manifest, PoolStats};
use crucible_core::report::Report as ReportDocument;
use crucible_core::stats::Comparison;
use crucible_core::sweep::{Analysis, SweepScoreboard, Trial};
use schemars::{Schema, schema_for};
use std::path::Path;

fn schemas() -> [(&'static str, Schema); 18] {
    [
        ("scoreboard", schema_for!(Scoreboard)),
        ("item", schema_for!(Item<'static>)),
        ("guardrail_finding", schema_for!(Finding)),
        ("guardrail_report", schema_for!(Report)),
        ("eval_versions", schema_for!(EvalVersions)),
        ("look", schema_for!(Look)),
        ("step_scores", schema_for!(StepScores)),
        ("comparison", schema_for!(Comparison)),
        ("mining_stats", schema_for!(MiningStats)),
        ("mining_suspect", schema_for!(Suspect)),
        ("pool_manifest", schema_for!(Manifest)),
        ("pool_stats", schema_for!(PoolStats)),
        ("pareto_analysis", schema_for!(Analysis)),
        ("sweep_scoreboard", schema_for!(SweepScoreboard)),
        ("sweep_trial", schema_for!(Trial)),
        ("capsule_metadata", schema_for!(Metadata)),
        ("capsule_report", schema_for!(CapsuleReport)),
        ("report", schema_for!(ReportDocument)),
    ]
}

#[test]
fn schemas_are_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
    let bless = std::env::var_os("CRUCIBLE_BLESS").is_some();
    for (name, schema) in schemas() {
        let path = folder.join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        if bless {
            std::fs::write(&path, &text).expect("docs/schemas can be written");
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "docs/schemas/{name}.schema.json is stale; run the test with CRUCIBLE_BLESS=1");
    }
}

#[test]
fn an_item_with_a_field_of_another_name_does_not_fit() {
    // A schema that lets anything pass would be fresh, too.
    let [_, (_, item), ..] = schemas();
    let required = item.as_value()["required"].as_array().expect("items have required fields");
    for field in ["bundle_id", "group", "margin", "rank", "pos_sim", "max_neg_sim", "winning_negative"] {
        assert!(required.iter().any(|r| r == field), "{field} is not required");
    }
}
