//! Writing a file so that it is either whole or not there.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its folder is not there.
    #[error("the folder of `{}` does not exist; create it, or name another place", .0.display())]
    NoFolder(PathBuf),
    /// There is a folder of that name.
    #[error("`{}` is a folder; name a file in it", .0.display())]
    IsFolder(PathBuf),
    /// The system refused.
    #[error("`{}` could not be written: {cause}{}", .path.display(), advice(.cause))]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space, or name a file on another disk"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "; name a file where you may write",
        _ => "",
    }
}

/// The place of a file to be written, checked before the work starts that fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFile {
    path: PathBuf,
    /// A device or pipe, which is written to as it is.
    special: bool,
}

impl OutFile {
    /// Checks that a file can be made at `path`: the folder is there and may be written to.
    ///
    /// # Errors
    /// [`FileError`], with what stands in the way. Nothing is created.
    pub fn new(path: &Path) -> Result<OutFile, FileError> {
        // A link is followed, so that the file it names is replaced and not the link.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let known = std::fs::metadata(&path).ok();
        if known.as_ref().is_some_and(std::fs::Metadata::is_dir) || path.file_name().is_none() {
            return Err(FileError::IsFolder(path));
        }
        let special = known.is_some_and(|known| !known.is_file());
        let out = OutFile { path, special };
        if !special {
            if !out.folder().is_dir() {
                return Err(FileError::NoFolder(out.path));
            }
            out.temporary().map_err(|cause| out.failed(cause))?;
        }
        Ok(out)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets `fill` write a file of the name it is given, and moves it into place when it is whole.
    ///
    /// # Errors
    /// What `fill` reports, or [`FileError`]; nothing is left behind.
    pub fn fill<E: From<FileError>>(&self, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
        let file = if self.special { NamedTempFile::new() } else { self.temporary() };
        let file = file.map_err(|cause| self.failed(cause))?;
        fill(file.path())?;
        self.finish(file).map_err(|cause| self.failed(cause).into())
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// [`FileError::Io`]; nothing is left behind.
    pub fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        let written = if self.special {
            File::options().write(true).open(&self.path).and_then(|mut file| file.write_all(bytes))
        } else {
            self.temporary().and_then(|mut file| file.write_all(bytes).and_then(|()| self.finish(file)))
        };
        written.map_err(|cause| self.failed(cause))
    }

    fn finish(&self, file: NamedTempFile) -> io::Result<()> {
        if self.special {
            // Opened anew: `fill` may have replaced the file of that name.
            let mut whole = File::open(file.path())?;
            return io::copy(&mut whole, &mut File::options().write(true).open(&self.path)?).map(|_| ());
        }
        let whole = File::open(file.path())?;
        whole.set_permissions(file.as_file().metadata()?.permissions())?;
        whole.sync_all()?;
        file.persist(&self.path).map(|_| ()).map_err(|error| error.error)
    }

    /// A file beside the wanted one, which vanishes unless it is moved into place.
    fn temporary(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".golgi-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What any new file gets; the user's mask is applied to it.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        builder.tempfile_in(self.folder())
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn failed(&self, cause: io::Error) -> FileError {
        FileError::Io { path: self.path.clone(), cause }
    }
}

/// Writes a file at once: it appears when it is whole.
///
/// # Errors
/// [`FileError`]; nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    OutFile::new(path)?.write(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_failed_filling_leaves_nothing_and_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"old").unwrap();
        let out = OutFile::new(&path).unwrap();
        let failed = out.fill(|part| {
            std::fs::write(part, b"half").unwrap();
            Err(FileError::IsFolder(PathBuf::from("x")))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(folder.path()), 1);
        out.fill::<FileError>(|part| {
            std::fs::write(part, b"new").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn impossible_places_are_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(OutFile::new(folder.path()), Err(FileError::IsFolder(_))));
        let missing = OutFile::new(&folder.path().join("no/such/a.json")).unwrap_err();
        assert!(missing.to_string().contains("does not exist"), "{missing}");
        assert_eq!(entries(folder.path()), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_reported_and_stays_a_device() {
        let full = Path::new("/dev/full");
        let error = write(full, b"x").unwrap_err().to_string();
        assert!(error.contains("free some space"), "{error}");
        let filled = OutFile::new(full).unwrap().fill::<FileError>(|part| {
            std::fs::write(part, b"x").unwrap();
            Ok(())
        });
        assert!(filled.is_err());
        assert!(!std::fs::metadata(full).unwrap().is_file());
    }
}
