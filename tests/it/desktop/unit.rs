//! The unit panel.

use egui::Key;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Intervention, Positions};

use super::stage::{Stage, computed, is_lit, opened, settle, stage};

fn on_page() -> Harness<'static, Stage> {
    let mut harness = stage(computed(), &["unit"]);
    harness.state_mut().session.selection = Selection::of_unit(&Unit::neuron(1, 2)).at_token(4);
    settle(&mut harness);
    harness
}

#[test]
fn every_state_has_its_sentence() {
    let mut harness = stage(Document::default(), &["unit"]);
    harness.get_by_label_contains("Open a model");
    harness.state_mut().session.document = opened();
    settle(&mut harness);
    harness.get_by_label_contains("Click a row in Neurons");
    harness.state_mut().session.document.results.unit.begin();
    settle(&mut harness);
    harness.get_by_label("Computing the unit's page");
    harness.state_mut().session.document.results.unit = Loadable::Failed(Notice::failure("No such unit"));
    settle(&mut harness);
    harness.get_by_label("No such unit");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::UnitPage)]));
}

#[test]
fn the_page_shows_weights_ends_and_the_prompt() {
    let harness = on_page();
    harness.get_by_label("L1N2");
    harness.get_by_label_contains("blocks.1.mlp.hook_post:2");
    harness.get_by_label_contains("write norm");
    harness.get_by_label("·purr");
    harness.get_by_label("+1.500");
    harness.get_by_label("−1.250");
    // Texts of strangers: an escape sequence is shown, not obeyed; so is a change of direction.
    harness.get_by_label("‹U+001B›[2J");
    assert_eq!(harness.query_all_by_label_contains("token 3 ‹U+202E›sat").count(), 2, "activation and attribution");
    harness.get_by_label("token 1 ·cat, 2.500");
    harness.get_by_label("Activation 1: 2.500");
    harness.get_by_label("token 1 ·cat, 0.750");
}

#[test]
fn tokens_of_the_page_are_the_tokens_of_the_lens() {
    let mut harness = stage(computed(), &["unit", "lens"]);
    harness.state_mut().session.selection = Selection::of_unit(&Unit::neuron(1, 2));
    settle(&mut harness);
    harness.get_by_label("token 1 ·cat, 2.500").click();
    settle(&mut harness);
    assert!(is_lit(&harness, "depth 1, token 1: d2k0 75.0 %"));
    harness.get_by_label("depth 1, token 4: d2k0 75.0 %").click();
    settle(&mut harness);
    assert!(is_lit(&harness, "token 4 ·down, 0.250") && is_lit(&harness, "Activation 4: 0.250"));
}

#[test]
fn zeroing_and_scaling_are_interventions() {
    let mut harness = on_page();
    harness.get_by_label_contains("Zero it").click();
    settle(&mut harness);
    harness.get_by_label("at the selected token only").click();
    settle(&mut harness);
    harness.get_by_label("Scale it").click();
    settle(&mut harness);
    let added: Vec<Intervention> = harness
        .state()
        .sent
        .iter()
        .filter_map(|command| match command {
            Command::AddIntervention(intervention) => Some(intervention.clone()),
            _ => None,
        })
        .collect();
    let unit = Unit::neuron(1, 2);
    let scaled = Intervention::of_unit(&unit, Edit::Scale { factor: 2.0 }).at(Positions::These(vec![4]));
    assert_eq!(added, [Intervention::of_unit(&unit, Edit::Zero), scaled]);
    assert_eq!(harness.state().session.document.interventions, added);
}

#[test]
fn addresses_are_checked_before_they_are_followed() {
    let mut harness = on_page();
    let go_to = |harness: &mut Harness<'_, Stage>, address: &str| {
        harness.get_by_label("Go to a unit").focus();
        harness.step();
        harness.key_press_modifiers(egui::Modifiers::COMMAND, Key::A);
        harness.get_by_label("Go to a unit").type_text(address);
        settle(harness);
        harness.key_press(Key::Enter);
        settle(harness);
    };
    for (address, answer) in
        [("cat", "is not the address of a unit"), ("L9N1", "has no site"), ("L1N40", "has 40 units")]
    {
        go_to(&mut harness, address);
        harness.get_by_label_contains(answer);
        assert_eq!(harness.state().session.selection.unit, Some(Unit::neuron(1, 2)));
    }
    go_to(&mut harness, "L0H1");
    assert_eq!(harness.state().session.selection.unit, Some(Unit::head(0, 1)));
    assert!(harness.query_by_label_contains("has 40 units").is_none());
}
