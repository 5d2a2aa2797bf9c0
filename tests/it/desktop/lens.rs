//! The logit lens panel.

use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;

use super::stage::{computed, is_lit, opened, settle, stage};

#[test]
fn empty_says_what_to_do_next() {
    let mut harness = stage(Document::default(), &["lens"]);
    harness.get_by_label_contains("Open a model");
    harness.state_mut().session.document = Document { prompt: String::new(), ..opened() };
    harness.step();
    harness.get_by_label_contains("Type a text into the Prompt panel");
}

#[test]
fn loading_shows_progress_and_keeps_the_old_result() {
    let mut document = opened();
    document.results.lens.begin();
    let harness = stage(document, &["lens"]);
    harness.get_by_label("Computing the logit lens");

    let mut document = computed();
    document.results.lens.begin();
    let harness = stage(document, &["lens"]);
    harness.get_by_label_contains("newer text is being computed");
    harness.get_by_label("depth 1, token 1: d2k0 75.0 %");
}

#[test]
fn failure_is_told_and_can_be_tried_again() {
    let mut document = opened();
    document.results.lens = Loadable::Failed(Notice::failure("The lens is broken"));
    let mut harness = stage(document, &["lens"]);
    harness.get_by_label("The lens is broken");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::LogitLens)]));
}

#[test]
fn a_cell_selects_token_and_layer_everywhere() {
    let mut harness = stage(computed(), &["lens", "attention"]);
    harness.state_mut().session.selection = Selection::of_head(1, 1);
    settle(&mut harness);
    harness.get_by_label("depth 1, token 1: d2k0 75.0 %").click();
    settle(&mut harness);
    let selection = &harness.state().session.selection;
    assert_eq!((selection.token, selection.layer), (Some(1), Some(1)));
    assert!(is_lit(&harness, "depth 1, token 1: d2k0 75.0 %"));
    // The attention strip now shows where token 1 looks, and outlines it.
    assert!(is_lit(&harness, "token 1 ·cat, 0"));
    harness.get_by_label("token 0 The, 1.000").click();
    settle(&mut harness);
    assert!(is_lit(&harness, "depth 1, token 0: d2k0 75.0 %"));
}

#[test]
fn the_embedding_row_selects_no_layer() {
    let mut harness = stage(computed(), &["lens"]);
    harness.state_mut().session.selection = Selection::of_layer(0);
    harness.step();
    harness.get_by_label("depth embed, token 3: d0k0 25.0 %").click();
    settle(&mut harness);
    let selection = &harness.state().session.selection;
    assert_eq!((selection.token, selection.layer), (Some(3), Some(0)));
}

#[test]
fn hover_travels_within_a_frame() {
    let mut harness = stage(computed(), &["lens"]);
    harness.get_by_label("depth 0, token 4: d1k0 50.0 %").hover();
    settle(&mut harness);
    let hover = &harness.state().session.hover;
    assert_eq!((hover.token, hover.layer), (Some(4), Some(0)));
    harness.remove_cursor();
    settle(&mut harness);
    assert!(harness.state().session.hover.is_empty());
}

#[test]
fn arrow_keys_move_the_selection() {
    let mut harness = stage(computed(), &["lens"]);
    harness.get_by_label("depth 0, token 1: d1k0 50.0 %").click();
    settle(&mut harness);
    for key in [egui::Key::ArrowDown, egui::Key::ArrowRight, egui::Key::ArrowRight] {
        harness.key_press(key);
        settle(&mut harness);
    }
    let selection = &harness.state().session.selection;
    assert_eq!((selection.token, selection.layer), (Some(3), Some(1)));
}

#[test]
fn measures_are_switched() {
    let mut harness = stage(computed(), &["lens"]);
    harness.get_by_label("Rank").click();
    harness.step();
    // Away from the button, whose tooltip says the same.
    harness.remove_cursor();
    settle(&mut harness);
    harness.get_by_label_contains("rank) of the final prediction");
}
