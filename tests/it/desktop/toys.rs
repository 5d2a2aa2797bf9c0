//! The panel of toy models.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::toys::ToyRequest;
use golgi_analysis::superposition::{PhaseParams, SolveParams, SweepParams, Training, phase, solve, sweep};
use golgi_data::context::{Progress, RunContext};

use super::stage::{Stage, settle, stage};

fn quick() -> Training {
    Training { steps: 200, rate: 2e-2, batch: 32, ..Training::default() }
}

/// The panel with something of each kind.
fn trained() -> Harness<'static, Stage> {
    let mut harness = stage(Document::default(), &["toys"]);
    let ctx = RunContext::new(1);
    let toys = &mut harness.state_mut().session.toys;
    let diagram = PhaseParams { cells: 4, fits: 6, training: quick(), ..PhaseParams::default() };
    toys.phase = Loadable::ready(phase(&diagram, &ctx).unwrap());
    let swept = SweepParams { features: 8, hidden: 2, densities: 3, training: quick(), ..SweepParams::default() };
    toys.sweep = Loadable::ready(sweep(&swept, &ctx).unwrap());
    let solved = SolveParams { starts: 2, training: quick(), ..SolveParams::default() };
    toys.solved = Loadable::ready(solve(&solved, &ctx).unwrap());
    harness.run_steps(3);
    harness
}

#[test]
fn empty_says_how_to_begin() {
    let mut harness = stage(Document::default(), &["toys"]);
    harness.get_by_label("Nothing trained yet");
    assert!(harness.query_by_label("Stop").is_none());
    harness.get_by_label("Train").click();
    settle(&mut harness);
    let asked = matches!(&harness.state().sent[..], [Command::TrainToys(ToyRequest::Phase(params))] if *params == PhaseParams::default());
    assert!(asked, "{:?}", harness.state().sent);
    harness.get_by_label("Training…");
}

#[test]
fn training_shows_its_progress_and_can_be_stopped() {
    let mut harness = stage(Document::default(), &["toys"]);
    harness.get_by_label("One model").click();
    settle(&mut harness);
    let progress = Progress { stage: "training toy models".into(), done: 300, total: 1200, ..Progress::default() };
    harness.state_mut().session.toys.solved = Loadable::Loading { progress, previous: None };
    harness.run_steps(2);
    harness.get_by_label("training toy models 300 of 1200");
    harness.get_by_label("Stop").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent.last(), Some(Command::StopToys)));
}

#[test]
fn the_phase_diagram_tells_of_each_cell() {
    let mut harness = trained();
    harness.get_by_label_contains("Cells: not represented");
    harness.get_by_label("Click a cell for its numbers.");
    harness.get_by_label_contains("importance 0.100, density 1.000: not represented").click();
    settle(&mut harness);
    assert!(harness.query_by_label("Click a cell for its numbers.").is_none());
    assert!(harness.get_all_by_label_contains("importance 0.100, density 1.000: not represented").count() >= 2);
}

#[test]
fn the_sweep_and_one_model_are_drawn() {
    let mut harness = trained();
    harness.get_by_label("Sweep").click();
    settle(&mut harness);
    harness.get_by_label_contains("density 1.000: ");
    harness.get_by_label("One model").click();
    settle(&mut harness);
    harness.get_by_label_contains("of 5 features in 2 dimensions");
    harness.get_by_label_contains("4: norm");
}

#[test]
fn what_failed_says_why_and_is_tried_again() {
    let mut harness = stage(Document::default(), &["toys"]);
    harness.state_mut().session.toys.phase = Loadable::Failed(Notice::failure("The toy models were not trained."));
    harness.run_steps(2);
    harness.get_by_label("The toy models were not trained.");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::TrainToys(ToyRequest::Phase(_))]));
}
