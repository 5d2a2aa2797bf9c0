//! What the unit's page tells from the atlas.

use egui_kittest::kittest::Queryable;
use golgi::session::atlas::Trial;
use golgi::session::command::Command;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi::session::selection::Selection;
use golgi_data::atlas::testing::Fixture;
use golgi_data::unit::Unit;

use super::super::stage::{computed, is_lit, opened, settle, stage};
use super::{detector, on_stage, state};

#[test]
fn every_state_has_its_sentence() {
    let mut harness = on_stage(&["unit"]);
    harness.state_mut().session.selection = Selection::default();
    harness.state_mut().session.atlas.page = Loadable::Empty;
    settle(&mut harness);
    harness.get_by_label_contains("Click a row in Atlas");
    harness.state_mut().session.selection = Selection::of_unit(&detector());
    harness.state_mut().session.atlas.page.begin();
    settle(&mut harness);
    harness.get_by_label("Reading the unit's page");
    harness.state_mut().session.atlas.page = Loadable::Failed(Notice::failure("The disk is gone."));
    settle(&mut harness);
    harness.get_by_label("The disk is gone.");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::AtlasPage)]));
}

#[test]
fn the_page_tells_families_statistics_and_examples() {
    let harness = on_stage(&["unit"]);
    let page = std::sync::Arc::clone(harness.state().session.atlas.page.get().unwrap());
    assert!(harness.query_all_by_label_contains("token detector").next().is_some());
    harness.get_by_label("Strongest at");
    harness.get_by_label("Promotes");
    harness.get_by_label("Histogram of the activation");
    harness.get_by_label("Statistics");
    harness.get_by_label("By language");
    harness.get_by_label("Nearest by weights");
    let strongest = &page.examples[0];
    let number = format!("Context of {}", golgi::desktop::widgets::number::short(strongest.value));
    assert!(harness.query_all_by_label(&number).next().is_some());
    harness.get_by_label_contains("Open the atlas's model");
}

#[test]
fn the_page_tells_what_the_unit_is_said_to_do() {
    let mut harness = on_stage(&["unit"]);
    let mut page = golgi_data::atlas::Page::clone(harness.state().session.atlas.page.get().unwrap());
    let line = "{\"id\":0,\"unit\":\"x\",\"by\":\"me\",\"text\":\"rivers\\u202e\",\"scores\":{\"detection\":{\"score\":0.9,\"null\":0.5}}}";
    page.explanations.push(serde_json::from_str(line).unwrap());
    harness.state_mut().session.atlas.page = Loadable::ready(page);
    settle(&mut harness);
    harness.get_by_label_contains("rivers");
    harness.get_by_label("detection 0.90 (0.50)");
    assert!(harness.query_all_by_label_contains("\u{202e}").next().is_none());
}

#[test]
fn a_neighbour_is_one_click_away() {
    let mut harness = on_stage(&["unit"]);
    let page = std::sync::Arc::clone(harness.state().session.atlas.page.get().unwrap());
    let nearest = &page.nearest_by_weights[0];
    let name = harness.state().session.atlas.get().unwrap().units.short(nearest.id);
    let link = harness.query_all_by_role_and_label(egui::Role::Button, &name).next().expect("a link");
    // It lies below what can be seen.
    link.click_accesskit();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.unit, Some(nearest.unit.clone()));
}

#[test]
fn prompt_and_corpus_are_two_views_where_both_are_open() {
    let mut harness = stage(computed(), &["unit"]);
    harness.state_mut().session.atlas = state(&Fixture::default(), &detector());
    harness.state_mut().session.selection = Selection::of_unit(&Unit::neuron(1, 2));
    settle(&mut harness);
    harness.get_by_label("In this prompt").click();
    settle(&mut harness);
    harness.get_by_label_contains("write norm");
    harness.get_by_label("Over the corpus").click();
    settle(&mut harness);
    harness.get_by_label("Statistics");
}

#[test]
fn a_text_of_ones_own_is_painted() {
    let mut harness = stage(opened(), &["unit"]);
    harness.state_mut().session.atlas = state(&Fixture::default(), &detector());
    harness.state_mut().session.selection = Selection::of_unit(&detector());
    settle(&mut harness);
    harness.get_by_label("Text to try").focus();
    harness.step();
    harness.get_by_label("Text to try").type_text("a cat");
    settle(&mut harness);
    harness.key_press(egui::Key::Enter);
    settle(&mut harness);
    assert!(matches!(&harness.state().sent[..], [Command::TryText(text)] if text == "a cat"));
    let tokens = vec!["a".to_owned(), " cat".to_owned()];
    let trial = Trial { unit: detector(), text: "a cat".into(), tokens, values: vec![0.0, 7.25] };
    harness.state_mut().session.atlas.trial = Loadable::ready(trial);
    settle(&mut harness);
    harness.get_by_label("token 1 ·cat, 7.250");
}

#[test]
fn an_example_and_the_document_are_one_place() {
    let mut harness = on_stage(&["unit", "corpus"]);
    let page = std::sync::Arc::clone(harness.state().session.atlas.page.get().unwrap());
    let example = &page.examples[0];
    let read = format!("Read on at {}", golgi::desktop::widgets::number::short(example.value));
    harness.query_all_by_label(&read).next().expect("the strongest example").click();
    settle(&mut harness);
    let place = harness.state().session.selection.place.expect("a place");
    assert_eq!((place.context, place.position), (example.context, example.position));
    assert!(harness.state().sent.iter().any(|command| matches!(command, Command::ShowPanel("corpus"))));
    let corpus = std::sync::Arc::clone(harness.state().session.atlas.corpus.get().unwrap());
    let reading = harness.state().session.atlas.reading.expect("a document");
    assert_eq!(Some(reading.document), corpus.document_of(example.context));
}

#[test]
fn hostile_texts_are_shown_not_obeyed() {
    let mut harness = stage(golgi::session::document::Document::default(), &["unit", "corpus", "atlas"]);
    let fixture = Fixture { hostile: true, ..Fixture::default() };
    harness.state_mut().session.atlas = state(&fixture, &detector());
    harness.state_mut().session.selection = Selection::of_unit(&detector());
    settle(&mut harness);
    assert!(harness.query_all_by_label_contains("\u{202e}").next().is_none());
    assert!(harness.query_all_by_label_contains("\u{1b}").next().is_none());
    assert!(!is_lit(&harness, "SQL"));
}
