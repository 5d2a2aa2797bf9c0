//! What can go wrong while an atlas is built.

use std::path::PathBuf;

use golgi_data::tables::TableError;

/// Every failure of a build that is not the model's.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Nothing to run on.
    #[error(
        "the corpus `{corpus}` has no context with more than one token in the chosen split; choose another corpus or split"
    )]
    NoTokens {
        /// The corpus.
        corpus: String,
    },
    /// A corpus that was tokenised for another model.
    #[error(
        "the corpus holds token {token}, but the model's vocabulary has {d_vocab}; tokenise the corpus with this model's tokenizer"
    )]
    UnknownToken {
        /// The id.
        token: u32,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// An option with an impossible value.
    #[error("`{name}` is {found}, but {expected}")]
    Option {
        /// The option.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A dictionary whose latents cannot be units here.
    #[error("the dictionary `{source_name}` has no place in this atlas: {why}")]
    Dictionary {
        /// Where it lies.
        source_name: String,
        /// Why.
        why: String,
    },
    /// Neither neurons nor heads nor anything else.
    #[error("nothing is left to describe; ask for neurons, heads, residual dimensions or a dictionary's latents")]
    NoUnits,
    /// The folder holds another atlas.
    #[error(
        "{folder} holds an atlas that was begun from another model, corpus or set of options ({what}); choose another folder, or delete it to start anew"
    )]
    Different {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        what: String,
    },
    /// A checkpoint that cannot be read.
    #[error("the checkpoint {path} is damaged: {cause}; delete it to start anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A folder that cannot be used.
    #[error("no atlas can be written to {}: {cause}; name a folder where you may write", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Another process builds there.
    #[error("{} is being written to by another build; wait for it or stop it", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// A file that cannot be written.
    #[error(
        "{path} cannot be written: {cause}; what was done before is kept, so make room and go on by the same command and --resume"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Infinite or undefined activations.
    #[error("the activations at `{site}` are not numbers; the model's weights may be damaged")]
    NotFinite {
        /// Where.
        site: String,
    },
    /// A table cannot be made.
    #[error(transparent)]
    Table(TableError),
}

impl From<TableError> for BuildError {
    fn from(error: TableError) -> BuildError {
        match error {
            // The state is saved before tables are written.
            TableError::Write { path, cause } => BuildError::Write { path, cause },
            other => BuildError::Table(other),
        }
    }
}
