//! The attention panel.

use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::unit::Unit;

use super::stage::{attention, computed, is_lit, opened, settle, stage};

#[test]
fn every_state_has_its_sentence() {
    let mut harness = stage(Document::default(), &["attention"]);
    harness.get_by_label("No attention patterns yet");
    let results = |harness: &mut egui_kittest::Harness<'_, super::stage::Stage>, attention| {
        harness.state_mut().session.document = opened();
        harness.state_mut().session.document.results.attention = attention;
        settle(harness);
    };
    results(&mut harness, Loadable::Loading { progress: Default::default(), previous: None });
    harness.get_by_label("Computing attention patterns");
    let mut none = attention();
    none.patterns.clear();
    results(&mut harness, Loadable::ready(none));
    harness.get_by_label_contains("switch fused attention off");
    results(&mut harness, Loadable::Failed(Notice::failure("Too long")));
    harness.get_by_label("Too long");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::AttentionMaps)]));
}

#[test]
fn a_thumbnail_opens_the_head_and_selects_its_unit() {
    let mut harness = stage(computed(), &["attention", "unit"]);
    harness.get_by_label("Click a head to see it large.");
    harness.get_by_label("head L1H1").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.unit, Some(Unit::head(1, 1)));
    assert!(is_lit(&harness, "head L1H1") && !is_lit(&harness, "head L0H1"));
    harness.get_by_label("Attention pattern, query by key");
    // The unit panel's header follows, and its way to the previous unit leads back.
    harness.get_by_label("Previous unit").click();
    settle(&mut harness);
    assert!(is_lit(&harness, "head L1H0"));
}

#[test]
fn query_view_and_key_view_answer_opposite_questions() {
    let mut harness = stage(computed(), &["attention"]);
    harness.state_mut().session.selection = Selection::of_head(1, 1).at_token(2);
    settle(&mut harness);
    harness.get_by_label("token 1 ·cat, 1.000");
    harness.get_by_label("Key view").click();
    settle(&mut harness);
    harness.remove_cursor();
    settle(&mut harness);
    harness.get_by_label("token 3 ‹U+202E›sat, 1.000");
}

#[test]
fn the_first_position_can_be_hidden() {
    let mut harness = stage(computed(), &["attention"]);
    harness.state_mut().session.selection = Selection::of_head(0, 0).at_token(2);
    settle(&mut harness);
    harness.get_by_label("token 0 The, 1.000");
    harness.get_by_label("Hide first position").click();
    settle(&mut harness);
    harness.get_by_label("token 0 The");
}

#[test]
fn a_cell_of_the_pattern_selects_its_query() {
    let mut harness = stage(computed(), &["attention"]);
    harness.state_mut().session.selection = Selection::of_head(1, 1);
    settle(&mut harness);
    harness.get_by_label("query 4 ·down, key 3 ‹U+202E›sat: 1.000").click();
    settle(&mut harness);
    let selection = &harness.state().session.selection;
    assert!(selection.is_head(1, 1) && selection.token == Some(4));
}

#[test]
fn a_selection_beyond_the_model_shows_the_grid() {
    let mut harness = stage(computed(), &["attention"]);
    harness.state_mut().session.selection = Selection::of_head(99, 99).at_token(99);
    settle(&mut harness);
    harness.get_by_label("Click a head to see it large.");
}
