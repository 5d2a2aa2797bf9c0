//! The opened atlas: what is known of every unit of a model over a corpus, as plain data that panels draw.
//!
//! Reading happens on a thread of its own; see `backend`. What is here waits for nothing.

pub mod bits;
pub mod columns;
pub mod corpus;
pub mod filter;
pub mod known;
pub mod listing;
pub mod points;
pub mod sort;

use std::path::PathBuf;
use std::sync::Arc;

use golgi_data::atlas::{Atlas, Manifest, Page};
use golgi_data::tables::arrow::RecordBatch;
use golgi_data::unit::Unit;

use super::loadable::Loadable;
use super::selection::Place;
use columns::UnitTable;
use corpus::{Corpus, Painted};
use filter::UnitSet;

/// An atlas with its units in memory.
#[derive(Debug)]
pub struct OpenAtlas {
    /// Its folder and what it says of itself.
    pub atlas: Arc<Atlas>,
    /// Its units.
    pub units: Arc<UnitTable>,
}

impl OpenAtlas {
    /// Reads an atlas. It takes a moment.
    ///
    /// # Errors
    /// If the folder holds none or a table cannot be read.
    pub fn read(atlas: Atlas) -> Result<OpenAtlas, golgi_data::atlas::AtlasError> {
        let families = if atlas.has_families() { Some(atlas.table("families")?) } else { None };
        let units = UnitTable::new(atlas.manifest().groups.clone(), atlas.units()?, families.as_ref())?;
        let units = Arc::new(units);
        // A thread of its own and not one of the pool, whose threads must never wait for each other. Without it, the first who
        // sorts by a text waits.
        let table = Arc::clone(&units);
        drop(std::thread::Builder::new().name("rank texts".to_owned()).spawn(move || table.rank_texts()));
        Ok(OpenAtlas { atlas: Arc::new(atlas), units })
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.atlas.manifest()
    }
}

/// The answer to a query.
#[derive(Debug)]
pub struct Answer {
    /// The query.
    pub query: String,
    /// The answer.
    pub table: RecordBatch,
    /// The units that it names, where it has a column `unit`.
    pub units: Option<Arc<UnitSet>>,
}

/// A text of the user, run through the open model, with the activation of one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The unit.
    pub unit: Unit,
    /// The text.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<String>,
    /// The activation at each.
    pub values: Vec<f32>,
}

/// Which part of which document is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// The document: an index into [`Corpus::documents`].
    pub document: u32,
    /// The first context shown, as an index into the document's contexts.
    pub first: usize,
}

/// Everything about atlases.
#[derive(Debug, Default)]
pub struct AtlasState {
    /// The folder that is open or being opened.
    pub folder: Option<PathBuf>,
    /// The atlas.
    pub open: Loadable<OpenAtlas>,
    /// The page of the selected unit.
    pub page: Loadable<Page>,
    /// The documents; read when they are first wanted.
    pub corpus: Loadable<Corpus>,
    /// The answer to the last query.
    pub answer: Loadable<Answer>,
    /// Units chosen on the map or by a query.
    pub set: Option<Arc<UnitSet>>,
    /// What is being read.
    pub reading: Option<Reading>,
    /// The selected unit's activation over that document, computed by the open model.
    pub painted: Loadable<Painted>,
    /// The text that the user tries.
    pub trial_text: String,
    /// What came of it.
    pub trial: Loadable<Trial>,
    /// The place of the corpus that was last gone to.
    pub(super) followed: Option<Place>,
}

impl AtlasState {
    /// The open atlas.
    pub fn get(&self) -> Option<&Arc<OpenAtlas>> {
        self.open.shown()
    }

    /// Turns to the document of the selected place, once, when the documents are there; to the first one where none is selected.
    pub(super) fn follow(&mut self, place: Option<Place>) {
        let Some(corpus) = self.corpus.shown() else { return };
        if place != self.followed {
            self.followed = place;
            if let Some(reading) = place.and_then(|place| corpus.reading_at(place.context)) {
                self.reading = Some(reading);
            }
        }
        if self.reading.is_none() && !corpus.documents.is_empty() {
            self.reading = Some(Reading::default());
        }
    }

    /// The contexts that are being read, with the corpus.
    pub fn read_contexts(&self) -> Option<(&Arc<Corpus>, &[u32])> {
        let (corpus, reading) = (self.corpus.shown()?, self.reading?);
        Some((corpus, corpus.part(reading)))
    }

    /// The id of a unit in the open atlas.
    pub fn id_of(&self, unit: &Unit) -> Option<u32> {
        self.get()?.units.id_of(unit)
    }
}
