//! What can be wrong with a corpus.

use std::path::{Path, PathBuf};

use crate::context::Cancelled;
use crate::tokenizer::TokenizerError;

/// A failure to find, read or tokenise a corpus.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// Nothing is there.
    #[error(
        "there is no corpus `{spec}`; give a file (.txt, .md, .jsonl, .parquet, .csv), a folder, or `starter` for the corpus \
         that comes with Golgi"
    )]
    NotFound {
        /// What was asked for.
        spec: String,
    },
    /// The starter corpus was not made.
    #[error(
        "the starter corpus is not in {}; run `cargo xtask setup`, which assembles it from Debian packages, or name a corpus \
         of your own",
        folder.display()
    )]
    NoStarter {
        /// Where it should be.
        folder: PathBuf,
    },
    /// There is no text in it.
    #[error("the corpus `{name}` holds no text{detail}; give a file or folder with some")]
    Empty {
        /// The corpus.
        name: String,
        /// What was seen instead, or nothing.
        detail: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        /// What was tried, such as "read".
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Bytes that are no UTF-8.
    #[error(
        "{} is not UTF-8: byte {offset} fits no character; save the file as UTF-8, or read it with the option `lossy`, which \
         puts � in place of such bytes",
        path.display()
    )]
    Utf8 {
        /// Which file.
        path: PathBuf,
        /// The first such byte, counted from 0; in a CSV file the beginning of its record.
        offset: u64,
    },
    /// A record that cannot be understood.
    #[error("{}, {place}: {cause}; mend or remove it", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// Such as "line 3".
        place: String,
        /// What is wrong.
        cause: String,
    },
    /// A file without a column for the text.
    #[error("{} has no column `text` (it has {found}); rename the column that holds the text", path.display())]
    NoText {
        /// Which file.
        path: PathBuf,
        /// The columns it has.
        found: String,
    },
    /// A file that is not what its name says.
    #[error("{} cannot be read as {kind}: {cause}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Such as "Parquet".
        kind: &'static str,
        /// What is wrong.
        cause: String,
    },
    /// A document, record or folder above the limit.
    #[error("{}, {place}: larger than the limit of {limit}; split it up", path.display())]
    TooLarge {
        /// Which file or folder.
        path: PathBuf,
        /// Such as "line 3".
        place: String,
        /// The limit with its unit.
        limit: String,
    },
    /// The tokenizer failed.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Somebody asked the work to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The next step where the system's words leave it open.
fn advice(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; free some space, or set GOLGI_HOME to a folder on another disk"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "; make it accessible, or set GOLGI_HOME to a folder of your own"
        }
        _ => "",
    }
}

/// For `map_err`.
pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> CorpusError + 'a {
    move |cause| CorpusError::Io { action, path: path.to_path_buf(), cause }
}
