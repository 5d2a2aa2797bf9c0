//! The Interventions panel.

use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Intervention};

use super::given::{ablation, changed, everything};
use super::stage::{settle, stage};

#[test]
fn its_states() {
    stage(Document::default(), &["interventions"]).get_by_label("Open a model to change it.");
    stage(everything(), &["interventions"]).get_by_label("The model runs as it is");

    let mut document = changed();
    document.results.effect = Loadable::Empty;
    document.results.effect.begin();
    stage(document, &["interventions"]).get_by_label("Computing the effect");

    let mut document = changed();
    document.results.effect = Loadable::Failed(Notice::failure("The logits are not numbers."));
    let mut harness = stage(document, &["interventions"]);
    harness.get_by_label("The logits are not numbers.");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::Effect)]));

    let harness = stage(changed(), &["interventions"]);
    harness.get_by_label("0.750 nats");
    harness.get_by_label("2.500 → 3.000");
    harness.get_by_label("·down: 50.0 % before, 10.0 % after");
}

#[test]
fn what_is_selected_in_another_panel_is_changed() {
    let mut harness = stage(everything(), &["attention", "interventions"]);
    harness.state().session.commands().select(Selection::of_head(1, 1));
    settle(&mut harness);
    harness.get_by_label("Add intervention").click();
    settle(&mut harness);
    let list = &harness.state().session.document.interventions;
    assert_eq!(list.len(), 1);
    assert_eq!((&list[0].edit, list[0].scope.heads.clone()), (&Edit::Zero, Some(vec![1])));
    harness.get_by_label("zero L1H1");
}

#[test]
fn an_address_is_checked_before_it_is_added() {
    let mut harness = stage(everything(), &["interventions"]);
    harness.get_by_label("What to change").focus();
    harness.run_steps(2);
    harness.get_by_label("What to change").type_text("L7N1");
    harness.run_steps(3);
    harness.get_by_label("This model has no L7N1.");
    harness.get_by_label("Add intervention").click();
    settle(&mut harness);
    assert!(harness.state().session.document.interventions.is_empty());
}

#[test]
fn interventions_are_switched_moved_and_removed() {
    let mut document = changed();
    document.interventions.push(Intervention::of_unit(&Unit::neuron(0, 3), Edit::Scale { factor: 2.0 }));
    let mut harness = stage(document, &["interventions"]);
    harness.get_by_label("Apply zero L1H1").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.document.active_interventions(), 1);
    harness.get_by_label("Move scale L0N3 up").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.document.interventions[1], Intervention { enabled: false, ..ablation() });
    harness.get_by_label("Remove zero L1H1").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.document.interventions.len(), 1);
    harness.state().session.commands().send(Command::Undo);
    settle(&mut harness);
    assert_eq!(harness.state().session.document.interventions.len(), 2);
}

#[test]
fn kind_and_positions_are_edited() {
    let mut document = changed();
    document.interventions[0].edit = Edit::Scale { factor: 2.0 };
    let mut harness = stage(document, &["interventions"]);
    harness.get_by_label("What is done").click();
    harness.run_steps(3);
    harness.get_by_label("Clamp to").click();
    settle(&mut harness);
    let edited = harness.state().session.document.interventions[0].clone();
    assert_eq!(edited.edit, Edit::Clamp { min: Some(-1.0), max: Some(1.0) });
    assert_eq!(edited.label, "clamp L1H1");
    harness.get_by_label("Positions").click();
    harness.run_steps(3);
    harness.get_by_label("at the last token").click();
    settle(&mut harness);
    let positions = &harness.state().session.document.interventions[0].scope.positions;
    assert_eq!(*positions, golgi_probes::intervention::Positions::Last);
}

#[test]
fn the_effect_is_linked_to_the_prompt() {
    let mut harness = stage(changed(), &["interventions", "prompt"]);
    harness.get_by_label("token 1 ·cat, 0.100").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.token, Some(1));
    harness.get_by_label("at 1");
}
