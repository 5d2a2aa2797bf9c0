//! An atlas on disk: what is known of every unit of a model over a corpus, in Parquet tables that are read by row.
//!
//! | file | a row is |
//! |---|---|
//! | `atlas.json` | the [`Manifest`] |
//! | `units.parquet` | a unit; its row number is its id |
//! | `profiles.parquet` | the same unit's profiles over positions, languages and genres, and its histogram |
//! | `examples.parquet` | a place in the corpus where a unit is active |
//! | `tokens.parquet` | a vocabulary token at which a unit is strong or weak |
//! | `logits.parquet` | a vocabulary token that a unit promotes or suppresses |
//! | `neighbours.parquet` | a unit near another, by weights or by correlation |
//! | `triggers.parquet` | an n-gram that makes a unit fire |
//! | `contexts.parquet` | a context of the corpus, with its tokens |
//! | `families.parquet` | a unit's membership in a family |
//! | `explanations.jsonl` | what somebody says that a unit does, with scores |
//!
//! While an atlas is being built there is no `atlas.json` yet. What is known so far then lies in the folder `provisional` within, with
//! its own manifest and the tables that are quick to write; [`Atlas::open`] takes it where there is nothing better.

mod bins;
mod explanations;
mod manifest;
mod page;
mod reader;
#[doc(hidden)]
pub mod testing;

use std::path::PathBuf;

pub use bins::Bins;
pub use explanations::{EXPLANATIONS, Explanation, ExplanationWriter, explanations, explanations_file};
pub use manifest::{
    ATLAS_SCHEMA, AtlasDictionary, Band, LabelCount, Manifest, Provisional, Tracked, UnitGroup, UnitKind,
};
pub use page::{Bar, Example, Family, LabelValue, Neighbour, Page, PositionValue, Statistic, TokenValue, Trigger};
pub use reader::{Atlas, atlases, is_atlas, provisional_folder};

use crate::tables::TableError;

/// The tables that queries may use, by name.
pub const TABLES: [&str; 9] =
    ["units", "profiles", "examples", "tokens", "logits", "neighbours", "triggers", "contexts", "families"];

/// Why an atlas cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AtlasError {
    /// The folder holds none, or one that cannot be read.
    #[error(
        "{folder} is no atlas that can be read: {cause}; build one with `golgi atlas build MODEL --corpus starter --out DIR`"
    )]
    NoAtlas {
        /// The folder.
        folder: PathBuf,
        /// Why.
        cause: String,
    },
    /// A build that has not written any table yet.
    #[error(
        "{folder} holds a build that has no tables yet; wait some minutes if it is running, or go on with it by the same command and \
         --resume"
    )]
    Begun {
        /// The folder.
        folder: PathBuf,
    },
    /// The model of the atlas has no such unit.
    #[error("the atlas of {model} knows no unit `{unit}`")]
    NoUnit {
        /// What was asked for.
        unit: String,
        /// The model.
        model: String,
    },
    /// The explanations cannot be read or written.
    #[error("{path} cannot be used: {cause}; mend the file, or move it away")]
    Explanations {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A table is missing, damaged or unlike what it should be.
    #[error(transparent)]
    Table(#[from] TableError),
}
