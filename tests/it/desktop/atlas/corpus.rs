//! The documents.

use egui_kittest::kittest::Queryable;
use golgi::session::atlas::corpus::{Painted, peaks};
use golgi::session::command::Command;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;

use super::super::stage::{is_lit, settle};
use super::{detector, on_stage};

#[test]
fn loading_and_failure_have_their_sentences() {
    let mut harness = on_stage(&["corpus"]);
    harness.state_mut().session.atlas.corpus = Loadable::Empty;
    harness.state_mut().session.atlas.corpus.begin();
    settle(&mut harness);
    harness.get_by_label("Reading the documents");
    harness.state_mut().session.atlas.corpus = Loadable::Failed(Notice::failure("Damaged."));
    settle(&mut harness);
    harness.get_by_label("Damaged.");
    harness.get_by_label("Try again").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::Retry(ResultKind::Corpus)]));
}

#[test]
fn the_arrows_go_from_peak_to_peak() {
    let mut harness = on_stage(&["corpus"]);
    let page = std::sync::Arc::clone(harness.state().session.atlas.page.get().unwrap());
    let peaks = peaks(&page);
    assert!(peaks.len() > 2);
    harness.get_by_label("Strongest peak (])").click();
    settle(&mut harness);
    let place = |harness: &egui_kittest::Harness<'_, super::Stage>| {
        harness.state().session.selection.place.map(|place| (place.context, place.position))
    };
    assert_eq!(place(&harness), Some((peaks[0].context, peaks[0].position)));
    harness.get_by_label("Next weaker peak (])").click();
    settle(&mut harness);
    assert_eq!(place(&harness), Some((peaks[1].context, peaks[1].position)));
    harness.key_press(egui::Key::OpenBracket);
    settle(&mut harness);
    assert_eq!(place(&harness), Some((peaks[0].context, peaks[0].position)));
    let document = harness.state().session.atlas.reading.map(|reading| reading.document);
    let corpus = harness.state().session.atlas.corpus.get().unwrap();
    assert_eq!(document, corpus.document_of(peaks[0].context));
}

#[test]
fn documents_are_filtered_searched_and_opened() {
    let mut harness = on_stage(&["corpus"]);
    let corpus = std::sync::Arc::clone(harness.state().session.atlas.corpus.get().unwrap());
    let all = corpus.documents.len();
    harness.get_by_label(&format!("{all} documents"));
    let german = corpus.find(Some("de"), None, "");
    harness.get_by_label("Filter by language").click();
    settle(&mut harness);
    harness.get_by_role_and_label(egui::Role::Button, &format!("de  ({})", german.len())).click();
    settle(&mut harness);
    harness.get_by_label(&format!("{} of {all} documents", german.len()));
    let name = format!("document {}", corpus.documents[german[0] as usize].id);
    harness.get_by_label(&name).click();
    settle(&mut harness);
    assert_eq!(harness.state().session.atlas.reading.map(|reading| reading.document), Some(german[0]));
    assert!(is_lit(&harness, &name));
}

#[test]
fn whole_texts_are_painted_where_the_model_ran() {
    let mut harness = on_stage(&["corpus"]);
    harness.get_by_label("stored examples only");
    let reading = harness.state().session.atlas.reading.unwrap();
    let corpus = std::sync::Arc::clone(harness.state().session.atlas.corpus.get().unwrap());
    let context = corpus.part(reading)[0];
    let values: Vec<f32> = (0..corpus.pieces(context).len()).map(|at| at as f32).collect();
    let painted = Painted { unit: detector(), contexts: vec![(context, values)] };
    harness.state_mut().session.atlas.painted = Loadable::ready(painted);
    settle(&mut harness);
    let label = |token: usize| {
        use egui_kittest::kittest::NodeT;
        let start = format!("token {token} ");
        let nodes = harness.query_all_by_label_contains(&start);
        nodes.filter_map(|node| node.accesskit_node().label()).next().unwrap()
    };
    assert!(label(3).ends_with(", 3.000"), "{}", label(3));
    let name = label(3);
    harness.get_by_label(&name).click();
    settle(&mut harness);
    let place = harness.state().session.selection.place.expect("a place");
    assert_eq!((place.context, place.position), (context, 3));
}
