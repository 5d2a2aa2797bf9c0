//! The neurons panel.

use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Key, OutputCommand};
use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::unit::Unit;

use super::stage::{computed, is_lit, neurons, opened, settle, stage};

#[test]
fn every_state_has_its_sentence() {
    let mut harness = stage(Document::default(), &["neurons"]);
    harness.get_by_label("No neurons listed yet");
    let mut document = opened();
    document.results.neurons.begin();
    harness.state_mut().session.document = document;
    settle(&mut harness);
    harness.get_by_label("Computing the neuron table");
    harness.state_mut().session.document.results.neurons = Loadable::Failed(Notice::failure("No memory"));
    settle(&mut harness);
    harness.get_by_label("No memory");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::NeuronTable)]));
}

#[test]
fn a_row_and_the_units_page_light_each_other() {
    let mut harness = stage(computed(), &["neurons", "unit"]);
    harness.get_by_label_contains("L1N39 activation").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.unit, Some(Unit::neuron(1, 39)));
    harness.get_by_label("Previous unit").click();
    settle(&mut harness);
    let row = "L1N38 activation 1.025, attribution +0.975";
    assert!(is_lit(&harness, row));
}

#[test]
fn a_selection_from_elsewhere_is_scrolled_to() {
    let mut harness = stage(computed(), &["neurons"]);
    assert!(harness.query_by_label_contains("L0N0 activation").is_none(), "the last of eighty rows");
    harness.state_mut().session.selection = Selection::of_unit(&Unit::neuron(0, 0));
    settle(&mut harness);
    harness.get_by_label_contains("L0N0 activation");
}

#[test]
fn headings_sort_and_keys_move() {
    let mut harness = stage(computed(), &["neurons"]);
    harness.get_by_label_contains("L1N39 activation").click();
    settle(&mut harness);
    harness.get_by_label("Activation").click();
    settle(&mut harness);
    harness.get_by_label("Activation, sorted, largest first");
    for (key, row) in [(Key::Home, 0), (Key::ArrowDown, 1), (Key::End, 79), (Key::ArrowUp, 78)] {
        // A click on the heading took nothing away: the table still has the keyboard.
        harness.key_press(key);
        settle(&mut harness);
        assert_eq!(harness.state().session.selection.unit, Some(Unit::neuron(row / 40, row % 40)), "{key:?}");
    }
}

#[test]
fn the_filter_takes_addresses_and_says_what_it_takes() {
    let mut harness = stage(computed(), &["neurons"]);
    harness.get_by_label("Filter by address").focus();
    harness.step();
    harness.get_by_label("Filter by address").type_text("L0");
    settle(&mut harness);
    harness.get_by_label_contains("40 of 80 neurons");
    harness.get_by_label("Filter by address").type_text("N7");
    settle(&mut harness);
    harness.get_by_label_contains("1 of 80 neurons");
    harness.get_by_label("Filter by address").type_text("!");
    settle(&mut harness);
    harness.get_by_label_contains("not an address");
    harness.get_by_label("Clear").click();
    settle(&mut harness);
    harness.get_by_label("80 neurons");
}

#[test]
fn address_and_rows_are_copied() {
    let mut harness = stage(computed(), &["neurons"]);
    harness.get_by_label_contains("L1N39 activation").click();
    settle(&mut harness);
    let copied = |harness: &egui_kittest::Harness<'_, super::stage::Stage>| {
        harness.output().platform_output.commands.iter().find_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    };
    harness.get_by_label_contains("CSV").click();
    harness.step();
    let mut text = copied(&harness);
    for _ in 0..3 {
        if text.is_none() {
            harness.step();
            text = copied(&harness);
        }
    }
    let text = text.expect("the rows were copied");
    assert_eq!(text.lines().count(), 81);
    assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("blocks.1.mlp.hook_post:39,1,39,")), "{text}");
}

/// A million neurons: sorted on a thread of their own, and a frame draws only what is seen.
#[test]
fn a_million_rows_do_not_hold_a_frame_up() {
    let mut document = opened();
    document.results.neurons = Loadable::Ready(Arc::new(neurons(500_000)));
    let mut harness = stage(document, &["neurons"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while harness.query_by_label_contains("L1N499999 activation").is_none() {
        assert!(Instant::now() < deadline, "never sorted");
        std::thread::sleep(Duration::from_millis(5));
        harness.step();
    }
    harness.state_mut().session.selection = Selection::of_unit(&Unit::neuron(0, 123_456));
    settle(&mut harness);
    harness.get_by_label_contains("L0N123456 activation");
    let started = Instant::now();
    harness.run_steps(10);
    assert!(started.elapsed() < Duration::from_secs(1), "ten frames took {:?}", started.elapsed());
}
