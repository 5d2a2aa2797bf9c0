//! The example probe scripts, run as a user runs them: they check their own expectations.

use std::path::Path;

use golgi_analysis::script::{plan, run};
use golgi_data::context::RunContext;
use golgi_probes::script::Script;

use crate::models::SMOLLM2;

fn passes(name: &'static str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/probes").join(name);
    let script = Script::load(&path, &[]).unwrap();
    assert_eq!(script.model, "smollm2");
    assert!(!script.expectations.is_empty(), "{name} expects nothing");
    SMOLLM2.run(move |model| {
        let planned = plan(model, &script).unwrap();
        assert!(planned.steps.len() >= script.analyses.len() + script.expectations.len());
        let folder = tempfile::tempdir().unwrap();
        let outcome = run(model, &script, folder.path(), &RunContext::new(script.seed)).unwrap();
        for verdict in &outcome.verdicts {
            assert!(verdict.holds, "{name}: expected {}, found {}", verdict.expected, verdict.found);
        }
        for file in &outcome.files {
            assert!(folder.path().join(file).metadata().unwrap().len() > 0);
        }
    });
}

#[test]
fn indirect_objects() {
    passes("indirect_objects.toml");
}

#[test]
fn induction_heads() {
    passes("induction_heads.toml");
}

#[test]
fn patching_a_name() {
    passes("patching_a_name.toml");
}
