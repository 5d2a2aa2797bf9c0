//! The folder of a build: whether it can be used, whose it is, and what an interrupted run has left in it.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use golgi_data::atlas::provisional_folder;
use golgi_data::corpus::PackedCorpus;

use super::recipe::Recipe;
use super::subject::Subject;
use super::{BuildError, BuildOptions, checkpoint};
use crate::error::Result;

/// The right to write into a folder. It falls when the process dies.
pub(super) struct Claim {
    _lock: File,
}

/// Refuses, before anything is computed, what [`build`](super::build) would refuse because of the folder `out`: one that cannot be
/// written to, holds another atlas, or is being written to. Nothing is created.
///
/// # Errors
/// As [`build`](super::build).
pub fn check<'a>(
    subject: impl Into<Subject<'a>>,
    corpus: &PackedCorpus,
    options: &BuildOptions,
    out: &Path,
) -> Result<()> {
    let subject = &subject.into();
    options.check(subject.model.model.dims.n_ctx)?;
    check_writable(out)?;
    if out.is_dir() {
        Recipe::new(subject, corpus, options)?.compare(out)?;
        lock(out)?;
    }
    Ok(())
}

/// Refuses a folder in which no file can be made; one that does not exist is judged by the nearest that does.
pub fn check_writable(out: &Path) -> std::result::Result<(), BuildError> {
    let failed = |cause: std::io::Error| BuildError::Folder { path: out.to_owned(), cause };
    let absolute = std::path::absolute(out).map_err(failed)?;
    // A link that leads nowhere counts as there: no folder can be made in its place.
    let there = |folder: &&Path| folder.symlink_metadata().is_ok();
    let folder = absolute.ancestors().find(there).unwrap_or(Path::new("/"));
    tempfile::Builder::new().prefix(".golgi-").suffix(".part").tempfile_in(folder).map(|_| ()).map_err(failed)
}

/// Takes `out` for the build that `recipe` describes, alone, and removes what a run that was killed has left half-written.
pub(super) fn claim(out: &Path, recipe: &Recipe) -> Result<Claim, BuildError> {
    fs::create_dir_all(out).map_err(|cause| BuildError::Folder { path: out.to_owned(), cause })?;
    let claim = Claim { _lock: lock(out)? };
    recipe.claim(out)?;
    for folder in [out, &provisional_folder(out)] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().ends_with(".part") {
                // What cannot be removed does no harm.
                fs::remove_file(entry.path()).ok();
            }
        }
    }
    Ok(claim)
}

/// Removes what only an unfinished atlas needs.
pub(super) fn tidy(out: &Path) {
    fs::remove_file(checkpoint::path(out)).ok();
    fs::remove_dir_all(provisional_folder(out)).ok();
}

fn lock(out: &Path) -> Result<File, BuildError> {
    let folder = File::open(out).map_err(|cause| BuildError::Folder { path: out.to_owned(), cause })?;
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => Err(BuildError::Busy { folder: out.to_owned() }),
        // A file system without locks: two builds at once would waste work.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_cannot_be_are_refused_and_nothing_is_made() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("file"), "x").unwrap();
        assert!(check_writable(&base.path().join("a/b/c")).is_ok());
        for name in ["file", "file/deeper"] {
            let error = check_writable(&base.path().join(name)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("; name"), "{error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", base.path().join("link")).unwrap();
            assert!(check_writable(&base.path().join("link/deeper")).is_err());
            fs::remove_file(base.path().join("link")).unwrap();
        }
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_one_builds_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let held = lock(base.path()).unwrap();
        assert!(matches!(lock(base.path()), Err(BuildError::Busy { .. })));
        drop(held);
        assert!(lock(base.path()).is_ok());
    }
}
