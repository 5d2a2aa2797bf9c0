//! What can be wrong with dictionaries of other libraries.

use std::io;
use std::path::PathBuf;

use crate::dictionary::DictionaryError;
use crate::weights::WeightsError;

/// A dictionary that cannot be read from or written to the form of another library.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No form has this name.
    #[error("there is no form of dictionaries called `{name}`; known are {known}")]
    UnknownFormat {
        /// What was asked for.
        name: String,
        /// The ones that are known.
        known: String,
    },
    /// Nothing is written in this form.
    #[error("dictionaries cannot be written as {name}; choose one of {known}")]
    ReadOnly {
        /// The form.
        name: &'static str,
        /// The ones that can be written.
        known: String,
    },
    /// The files are those of no known form.
    #[error("{} is no dictionary that Golgi can read: it holds {found}; expected are {known}", path.display())]
    Unrecognised {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        found: String,
        /// The forms and their files.
        known: String,
    },
    /// The files are those of several forms.
    #[error("{} could be {names}; say which with --format", path.display())]
    Ambiguous {
        /// The folder.
        path: PathBuf,
        /// The forms.
        names: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A configuration is damaged or contradicts itself or the weights.
    #[error("{}: {what}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It computes something that Golgi's dictionaries do not.
    #[error("{} cannot be read: {what}", path.display())]
    Unsupported {
        /// Which file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The site is not known to Golgi.
    #[error("{}: {what}; say which site it is with --site (and of a transcoder --target)", path.display())]
    Site {
        /// Which file.
        path: PathBuf,
        /// What it says.
        what: String,
    },
    /// The form has no place for something of the dictionary.
    #[error("the dictionary cannot be written as {name}: {why}")]
    Inexpressible {
        /// The form.
        name: &'static str,
        /// Why.
        why: String,
    },
    /// As for Golgi's own dictionaries.
    #[error(transparent)]
    Dictionary(#[from] DictionaryError),
    /// The weights are damaged.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}
