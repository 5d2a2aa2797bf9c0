//! The panel of training runs.

use std::time::Instant;

use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::runs::{Course, Run};
use golgi_sae::rules::Loss;
use golgi_sae::train::{DENSITY_BINS, Record, RunFile, StepReport};

use super::stage::{settle, stage};

fn run(steps: u64) -> Run {
    let record = |step: u64| {
        let total = 1.0 / step as f64;
        let loss = Loss { total, reconstruction: total, sparsity: 0.0, auxiliary: 0.0 };
        let explained = 1.0 - total;
        let report = StepReport { step, loss, l0: 32.0, explained, dead: 0.125, rate: 1e-3, gradient: 1.0 };
        let density = (0..=DENSITY_BINS as u32).map(|bin| bin * step as u32).collect();
        Record { report, density }
    };
    let course = |name: &str, architecture| Course {
        name: name.to_owned(),
        steps: 100,
        latents: 4608,
        architecture,
        history: (1..=steps / 10).map(|index| record(10 * index)).collect(),
    };
    let file = serde_json::json!({ "schema": "golgi.sae.run/1", "jobs": [], "model": "smollm2", "model_digest": "", "corpus": "starter",
        "options": { "log_every": 10, "records_per_checkpoint": 10 }, "store_digest": "", "rows": 200_000 });
    let file: RunFile = serde_json::from_value(file).unwrap();
    Run { file, courses: vec![course("first", "top_k"), course("second", "jump_relu")] }
}

#[test]
fn empty_says_how_to_begin() {
    let mut harness = stage(Document::default(), &["runs"]);
    harness.get_by_label("No training run is open");
    harness.get_by_label("Open a run…").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::AskForRun]));
}

#[test]
fn a_run_is_followed_compared_and_closed() {
    let mut harness = stage(Document::default(), &["runs"]);
    let runs = &mut harness.state_mut().session.runs;
    runs.open("/tmp/some run".into());
    harness.run_steps(2);
    harness.get_by_label("Reading…");
    let followed = |harness: &mut egui_kittest::Harness<'_, super::stage::Stage>, run: Run| {
        let runs = &mut harness.state_mut().session.runs;
        runs.get_mut("/tmp/some run".as_ref()).unwrap().take(run, Instant::now());
    };
    followed(&mut harness, run(0));
    harness.run_steps(2);
    harness.get_by_label_contains("Nothing has been recorded yet");
    followed(&mut harness, run(50));
    harness.run_steps(2);
    assert_eq!(harness.get_all_by_label("step 50 of 100").count(), 2);
    harness.get_by_label_contains("up to step 50");
    harness.get_by_label("explained variance");
    // The second dictionary's latents.
    harness.get_all_by_label("second").last().unwrap().click();
    settle(&mut harness);
    // One that is hidden leaves the charts.
    harness.get_all_by_label("first").next().unwrap().click();
    settle(&mut harness);
    assert_eq!(harness.get_all_by_label("first").count(), 1);
    harness.get_by_label("Close /tmp/some run").click();
    settle(&mut harness);
    assert!(harness.state().session.runs.list().is_empty());
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut harness = stage(Document::default(), &["runs"]);
    let runs = &mut harness.state_mut().session.runs;
    runs.open("/nowhere".into());
    runs.get_mut("/nowhere".as_ref()).unwrap().run = Loadable::Failed(Notice::failure("The run could not be read."));
    harness.run_steps(2);
    harness.get_by_label("The run could not be read.");
}
