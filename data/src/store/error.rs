//! What can be wrong with a store.

use std::io;
use std::path::{Path, PathBuf};

/// A failure to write or read an activation store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store.
    #[error("{} is no activation store: it has no manifest.json; `golgi harvest` makes one", .0.display())]
    Missing(PathBuf),
    /// There is one where a new one was to be made.
    #[error("{} holds an activation store already; go on with it with --resume, or name another folder", .0.display())]
    Exists(PathBuf),
    /// Something else is in the folder.
    #[error("{} is not empty and holds no activation store; name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// Another process writes to it.
    #[error("{} is being written to by another process; wait for it or stop it", .0.display())]
    Busy(PathBuf),
    /// A file could not be read or written.
    #[error("cannot {action} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The manifest says something impossible.
    #[error("the manifest {} is unusable: {cause}; restore it or make the store again", path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The store was made of something else than what is given now.
    #[error(
        "the store in {} was made with another {what} ({found}; now it is {expected}); give the same one, or name another \
         folder",
        path.display()
    )]
    Changed {
        /// The store's folder.
        path: PathBuf,
        /// Such as "model".
        what: &'static str,
        /// What is given now.
        expected: String,
        /// What the store says.
        found: String,
    },
    /// Shards that are missing.
    #[error(
        "the store in {} is not complete: {missing} of {total} shards are missing; go on with `golgi harvest … --resume`",
        path.display()
    )]
    Incomplete {
        /// The store's folder.
        path: PathBuf,
        /// How many are missing.
        missing: usize,
        /// How many there should be.
        total: usize,
    },
    /// Files whose content is not what the manifest says.
    #[error(
        "in {} these files are damaged: {}; `golgi harvest … --resume` makes just them again",
        path.display(),
        files.join(", ")
    )]
    Damaged {
        /// The store's folder.
        path: PathBuf,
        /// The files.
        files: Vec<String>,
    },
    /// A shard made again differs from what it was.
    #[error(
        "{file} of {} came out differently than when it was first made, although model and corpus are the same: another \
         machine, device or number of threads rounds differently; make the store again in a new folder",
        path.display()
    )]
    Different {
        /// The store's folder.
        path: PathBuf,
        /// The shard.
        file: String,
    },
    /// Rows that do not fit the plan.
    #[error("shard {shard} was given {found} of {what} where its plan has {expected}")]
    Rows {
        /// Which shard.
        shard: usize,
        /// Which column.
        what: String,
        /// By the plan.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// A site that the store does not hold.
    #[error("the store holds nothing of `{site}`; it has {known}")]
    Site {
        /// What was asked for.
        site: String,
        /// Its sites.
        known: String,
    },
    /// A shard, document or token that is not there.
    #[error("there is no {what} {index}: the store has {count}")]
    Range {
        /// Such as "shard".
        what: &'static str,
        /// What was asked for.
        index: u64,
        /// How many there are.
        count: u64,
    },
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; what is written so far is kept: free some space and go on with --resume"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "; name a folder where you may write",
        _ => "",
    }
}

/// For `map_err`.
pub(super) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |cause| StoreError::Io { action, path: path.to_path_buf(), cause }
}
