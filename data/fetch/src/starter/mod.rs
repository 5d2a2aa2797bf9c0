//! The starter corpus: a few megabytes of labelled text in many languages, assembled from ordinary Debian packages.
//!
//! The packages are downloaded with `apt-get download`, which needs neither a Debian source entry of ours nor root, are
//! unpacked into a temporary folder and never installed. Mark-up is taken off, every document gets a language and a genre,
//! and the result lies in [`folder`] as [`DOCUMENTS`] with [`SOURCES`] (where each part comes from, under which licence,
//! and the digest of the whole) and the packages' own copyright files.
//!
//! ```no_run
//! let home = std::path::Path::new("/home/me/.cache/golgi");
//! let summary = golgi_fetch::starter::ensure(home, &mut |step| eprintln!("{step}"))?;
//! println!("{} documents, {} bytes", summary.documents, summary.bytes);
//! # Ok::<(), golgi_fetch::starter::StarterError>(())
//! ```

mod apt;
mod assemble;
mod clean;
pub mod images;
mod parts;
mod roff;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use parts::{PARTS, Part};

/// The corpus itself: one document per line, as JSON.
pub const DOCUMENTS: &str = "documents.jsonl";
/// Where each part comes from, as JSON.
pub const SOURCES: &str = "SOURCES.json";

/// Below this the corpus is not worth its name, in bytes of text.
const LEAST_BYTES: u64 = 3_000_000;
/// Natural languages.
const LEAST_LANGUAGES: usize = 8;

/// Why the starter corpus could not be assembled.
#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    /// No apt on this machine.
    #[error(
        "what Golgi starts with is assembled from Debian packages with apt-get, apt-cache, dpkg-deb and gzip, and {missing} is \
         not on this machine; copy {} from a Debian or Ubuntu machine where `cargo xtask setup` was run, or use data of your \
         own",
        folder.display()
    )]
    NoApt {
        /// The first program that is not there.
        missing: &'static str,
        /// Where it belongs.
        folder: PathBuf,
    },
    /// A program failed.
    #[error(
        "`{program}` failed while what Golgi starts with was assembled ({cause}); mend that and run the command again"
    )]
    Program {
        /// What was run.
        program: String,
        /// Its last words.
        cause: String,
    },
    /// The packages that this system has do not suffice.
    #[error(
        "the packages found here give {bytes} bytes of text in {languages} languages, and the starter corpus needs \
         {LEAST_BYTES} in {LEAST_LANGUAGES} (not found: {missing}); run `apt-get update` as root and then the command again, \
         or use a corpus of your own"
    )]
    TooLittle {
        /// What there is.
        bytes: u64,
        /// How many languages it is in.
        languages: usize,
        /// Packages without a candidate.
        missing: String,
    },
    /// A Python package could not be fetched or unpacked.
    #[error(transparent)]
    Fetch(#[from] crate::FetchError),
    /// A file could not be read or written.
    #[error("cannot {action} {} ({cause}); mend that and run the command again", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
}

fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> StarterError + 'a {
    move |cause| StarterError::Io { action, path: path.to_path_buf(), cause }
}

/// What was assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many documents.
    pub documents: usize,
    /// Bytes of text.
    pub bytes: u64,
    /// SHA-256 of [`DOCUMENTS`], in hexadecimal.
    pub sha256: String,
}

/// One text of the corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Document {
    id: String,
    text: String,
}

/// Where the starter corpus lies under `home`.
pub fn folder(home: &Path) -> PathBuf {
    home.join("corpora").join("starter")
}

/// What is there, if it is whole: the recorded digest holds.
pub fn installed(home: &Path) -> Option<Summary> {
    let folder = folder(home);
    let sources = fs::read_to_string(folder.join(SOURCES)).ok()?;
    let documents = fs::read(folder.join(DOCUMENTS)).ok()?;
    let sha256 = format!("{:x}", Sha256::digest(&documents));
    let recorded = |name: &str| write::recorded(&sources, name);
    if recorded("sha256")? != sha256 {
        return None;
    }
    Some(Summary { documents: recorded("documents")?.parse().ok()?, bytes: recorded("bytes")?.parse().ok()?, sha256 })
}

/// Sees to it that the starter corpus is there. `say` is told what is being done. The same packages always give the same
/// bytes; nothing is done where a whole corpus is already there.
///
/// # Errors
/// If it has to be made and cannot: no apt, packages missing, a full disk.
pub fn ensure(home: &Path, say: &mut dyn FnMut(&str)) -> Result<Summary, StarterError> {
    if let Some(summary) = installed(home) {
        return Ok(summary);
    }
    apt::check_programs(&folder(home))?;
    make_once(&home.join("corpora"), &|| installed(home), |work| assemble::assemble(work, say))
}

/// Lets `make` fill `work/starter`, which becomes `parent/starter`; a second program waits and finds it made.
fn make_once<T>(
    parent: &Path,
    installed: &dyn Fn() -> Option<T>,
    make: impl FnOnce(&Path) -> Result<T, StarterError>,
) -> Result<T, StarterError> {
    fs::create_dir_all(parent).map_err(io("create", parent))?;
    let lock_path = parent.join("starter.lock");
    let lock = fs::File::create(&lock_path).map_err(io("create", &lock_path))?;
    // On a file system without locks two of these do the same work twice; the rename decides.
    let _ = lock.lock();
    if let Some(found) = installed() {
        return Ok(found);
    }
    let work = parent.join(".starter.new");
    remove(&work)?;
    let made = make(&work).and_then(|made| {
        let target = parent.join("starter");
        remove(&target)?;
        fs::rename(work.join("starter"), &target).map_err(io("create", &target))?;
        Ok(made)
    });
    // What stays behind is removed by the next run.
    let _ = fs::remove_dir_all(&work);
    made
}

fn remove(folder: &Path) -> Result<(), StarterError> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(io("delete", folder)(cause)),
        _ => Ok(()),
    }
}
