//! The Model panel.

use egui_kittest::kittest::Queryable;
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::notice::Notice;
use golgi::session::selection::Selection;
use golgi_data::site::{BlockPoint, Site};

use super::given::everything;
use super::stage::{settle, stage};

#[test]
fn its_four_states() {
    let harness = stage(Document::default(), &["model"]);
    harness.get_by_label("No model is open");

    let mut document = Document::default();
    document.model.begin();
    stage(document, &["model"]).get_by_label("Computing the model");

    let document = Document { model: Loadable::Failed(Notice::failure("Truncated.")), ..Document::default() };
    stage(document, &["model"]).get_by_label("Truncated.");

    let harness = stage(everything(), &["model"]);
    harness.get_by_label("tiny");
    harness.get_by_label("Layer 1");
    harness.get_by_label_contains("1.5 M");
}

#[test]
fn a_layer_and_a_site_can_be_selected() {
    let mut harness = stage(everything(), &["model"]);
    harness.get_by_label("Layer 1").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection, Selection::of_layer(1));
    // The layer is open now.
    harness.run_steps(20);
    harness.get_by_label("blocks.1.hook_resid_post").click();
    settle(&mut harness);
    assert_eq!(harness.state().session.selection.site, Some(Site::block(1, BlockPoint::ResidPost)));
}

#[test]
fn the_filter_knows_both_names_and_says_when_nothing_matches() {
    let mut harness = stage(everything(), &["model"]);
    harness.get_by_label("Filter sites").focus();
    harness.run_steps(2);
    harness.get_by_label("Filter sites").type_text("q_proj");
    harness.run_steps(20);
    harness.get_by_label("blocks.0.attn.hook_q");
    assert!(harness.query_by_label("blocks.0.hook_resid_post").is_none());
    harness.get_by_label("Filter sites").type_text("zzz");
    harness.run_steps(4);
    harness.get_by_label_contains("No site matches");
    harness.get_by_label("Clear the filter").click();
    settle(&mut harness);
    harness.get_by_label("Layer 0");
}
