//! The panels around an opened atlas.

mod corpus;
mod live;
mod map;
mod page;
mod table;

use std::sync::Arc;

use egui_kittest::Harness;
use golgi::session::atlas::corpus::Corpus;
use golgi::session::atlas::{AtlasState, OpenAtlas, Reading};
use golgi::session::document::Document;
use golgi::session::loadable::Loadable;
use golgi::session::selection::Selection;
use golgi_data::atlas::Atlas;
use golgi_data::atlas::testing::Fixture;
use golgi_data::unit::Unit;

use super::stage::{Stage, settle, stage};

/// 3 layers of 40 neurons, 4 heads and 16 dimensions.
pub const UNITS: usize = 3 * (40 + 4 + 16);

/// A small atlas, opened, with the page of `unit` and the documents.
pub fn state(fixture: &Fixture, unit: &Unit) -> AtlasState {
    let folder = tempfile::tempdir().unwrap();
    fixture.write(folder.path()).unwrap();
    let open = OpenAtlas::read(Atlas::open(folder.path()).unwrap()).unwrap();
    let page = open.atlas.page(open.units.id_of(unit).unwrap()).unwrap();
    let corpus = Corpus::read(&open.atlas).unwrap();
    let mut state = AtlasState::default();
    state.folder = Some(folder.path().to_owned());
    state.open = Loadable::ready(open);
    state.page = Loadable::ready(page);
    state.corpus = Loadable::ready(corpus);
    state.reading = Some(Reading::default());
    state
}

/// A token detector of the fixture.
pub fn detector() -> Unit {
    Unit::neuron(1, 6)
}

/// Panels around the small atlas, a token detector selected.
pub fn on_stage(panels: &[&str]) -> Harness<'static, Stage> {
    let mut harness = stage(Document::default(), panels);
    harness.state_mut().session.atlas = state(&Fixture::default(), &detector());
    harness.state_mut().session.selection = Selection::of_unit(&detector());
    settle(&mut harness);
    harness
}

/// The table of units on stage.
pub fn units(harness: &Harness<'_, Stage>) -> Arc<golgi::session::atlas::columns::UnitTable> {
    Arc::clone(&harness.state().session.atlas.get().unwrap().units)
}

/// The text that was copied within the next frames.
pub fn copied(harness: &mut Harness<'_, Stage>) -> Option<String> {
    for _ in 0..200 {
        harness.step();
        for command in &harness.output().platform_output.commands {
            if let egui::OutputCommand::CopyText(text) = command {
                return Some(text.clone());
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    None
}
