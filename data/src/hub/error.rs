//! What can go wrong with the hub and its cache.

use std::io;
use std::path::PathBuf;

use crate::context::Cancelled;

/// A failure to find or to fetch a model of the hub.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Not an address.
    #[error("`{text}` is not an address of the hub; write hf://org/repo or hf://org/repo@revision")]
    Address {
        /// What was given.
        text: String,
    },
    /// Nothing may be downloaded.
    #[error(
        "{repo} is not in the hub's cache, and nothing is downloaded in offline mode; run it once without --offline"
    )]
    Offline {
        /// The repository.
        repo: String,
    },
    /// The hub does not know it.
    #[error("the hub has no {what}; check the name (a private model needs HF_TOKEN)")]
    NotFound {
        /// Repository and revision, or a file of it.
        what: String,
    },
    /// The hub wants to know who asks, or has refused who asked.
    #[error(
        "the hub refuses {repo} ({status}): it does not exist, or is private or gated; accept its terms on its page \
         ({page}), then set HF_TOKEN to an access token of your account"
    )]
    Refused {
        /// The repository.
        repo: String,
        /// The status of the answer.
        status: u16,
        /// Where its terms are.
        page: String,
    },
    /// The hub cannot be reached, or answers with an error.
    #[error(
        "the hub does not deliver {what} ({cause}); check the connection and run the command again, it goes on where \
         it stopped"
    )]
    Transfer {
        /// What was asked for.
        what: String,
        /// What happened.
        cause: String,
    },
    /// The hub's answer makes no sense.
    #[error("the hub's answer about {what} cannot be used: {cause}")]
    Answer {
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A file name that leads out of the folder.
    #[error("the hub lists a file `{name}`, whose name leads out of the model's folder; nothing was written")]
    UnsafeName {
        /// The name.
        name: String,
    },
    /// What was downloaded is not what was promised.
    #[error("`{file}` has {actual} where {expected} was promised; it was deleted, run the command again")]
    Content {
        /// The file.
        file: String,
        /// Size or digest that was promised.
        expected: String,
        /// What came.
        actual: String,
    },
    /// There is nothing to load.
    #[error("{repo} has no weights that can be read (looked for safetensors, PyTorch and GGUF files)")]
    NoWeights {
        /// The repository.
        repo: String,
    },
    /// There is more than one model.
    #[error("{repo} holds several models; name one, such as hf://{repo}/{first} (others: {others})")]
    Several {
        /// The repository.
        repo: String,
        /// The first one.
        first: String,
        /// The names of the others.
        others: String,
    },
    /// Somebody asked to stop. What was downloaded is kept.
    #[error("the download was stopped; run the command again, it goes on where it stopped")]
    Cancelled(#[from] Cancelled),
    /// A file could not be read or written.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// What was tried, such as "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        cause: io::Error,
    },
}

pub(super) fn io_error(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> HubError {
    let path = path.into();
    move |cause| HubError::Io { action, path, cause }
}
