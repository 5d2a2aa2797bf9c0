//! What can go wrong with training and judging dictionaries.

use std::io;
use std::path::PathBuf;

use golgi_data::context::Cancelled;
use golgi_data::dictionary::DictionaryError;
use golgi_data::store::StoreError;
use golgi_probes::ProbeError;

/// Training or evaluation that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum SaeError {
    /// Settings that contradict each other or the data; found before any work.
    #[error("{0}")]
    Settings(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The dictionary.
    #[error(transparent)]
    Dictionary(#[from] DictionaryError),
    /// The model.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The tensor library.
    #[error("the tensor library failed: {0}")]
    Tensor(#[from] tch::TchError),
    /// A file of a run.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A checkpoint that does not fit.
    #[error("the run in {} cannot go on: {why}", path.display())]
    Resume {
        /// The run's folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Numbers stopped being numbers.
    #[error(
        "training diverged: {what} is {value} in step {step}; lower the learning rate, or look for infinite activations in the store"
    )]
    Diverged {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: f64,
        /// In which step.
        step: u64,
    },
    /// Somebody asked for it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl SaeError {
    /// Whether the work ended only because somebody asked for it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, SaeError::Cancelled(_) | SaeError::Probe(ProbeError::Cancelled(_)))
    }
}
