//! Where things lie in the hub's cache folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::io_error;
use super::{Address, HubError, Snapshot};
use crate::context::RunContext;

/// The folder of a repository.
pub(super) fn repo_folder(cache: &Path, repo: &str) -> PathBuf {
    cache.join(format!("models--{}", repo.replace('/', "--")))
}

/// Whether a text can be a commit or a digest, and so a file name.
pub(super) fn is_digest(text: &str) -> bool {
    (6..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What the cache holds of a model.
pub(super) fn find(cache: &Path, address: &Address) -> Result<Option<Snapshot>, HubError> {
    let folder = repo_folder(cache, &address.repo);
    let reference = folder.join("refs").join(address.revision());
    let revision = match File::open(&reference) {
        Ok(file) => {
            let mut text = String::new();
            file.take(256).read_to_string(&mut text).map_err(io_error("read", &reference))?;
            text.trim().to_owned()
        }
        // A commit needs no reference.
        Err(e) if e.kind() == io::ErrorKind::NotFound => address.revision().to_owned(),
        Err(e) => return Err(io_error("read", &reference)(e)),
    };
    let path = folder.join("snapshots").join(&revision);
    Ok((is_digest(&revision) && path.is_dir()).then_some(Snapshot { path, revision }))
}

/// Notes which commit a revision stands at.
pub(super) fn write_reference(folder: &Path, revision: &str, commit: &str) -> Result<(), HubError> {
    if revision == commit {
        return Ok(());
    }
    let path = folder.join("refs").join(revision);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(io_error("create a file in", parent))?;
    io::Write::write_all(&mut file, commit.as_bytes()).map_err(io_error("write", &path))?;
    file.persist(&path).map_err(|e| io_error("write", &path)(e.error))?;
    Ok(())
}

/// Makes `snapshots/<commit>/<name>` show the content `blobs/<blob>`.
pub(super) fn link(folder: &Path, commit: &str, name: &str, blob: &str) -> Result<(), HubError> {
    let path = folder.join("snapshots").join(commit).join(name);
    if path.exists() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    if path.symlink_metadata().is_ok() {
        // A link whose content is gone.
        fs::remove_file(&path).map_err(io_error("replace", &path))?;
    }
    let up = "../".repeat(2 + name.matches('/').count());
    let target = PathBuf::from(format!("{up}blobs/{blob}"));
    make_link(&target, &path, &folder.join("blobs").join(blob)).map_err(io_error("link", &path))
}

#[cfg(unix)]
fn make_link(target: &Path, path: &Path, _content: &Path) -> io::Result<()> {
    match std::os::unix::fs::symlink(target, path) {
        // Somebody else was faster.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Links need rights that few users have, so the content lies in the snapshot itself, as the hub's own program does it.
#[cfg(not(unix))]
fn make_link(_target: &Path, path: &Path, content: &Path) -> io::Result<()> {
    fs::rename(content, path)
}

/// Opens a partial download and waits until nobody else writes it. The lock falls with the returned file.
pub(super) fn open_part(path: &Path, ctx: &RunContext) -> Result<File, HubError> {
    let open = || File::options().create(true).append(true).open(path).map_err(io_error("write", path));
    let file = open()?;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                ctx.check()?;
                std::thread::sleep(Duration::from_millis(100));
            }
            // A file system without locks.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => break,
            Err(TryLockError::Error(e)) => return Err(io_error("lock", path)(e)),
        }
    }
    Ok(file)
}
