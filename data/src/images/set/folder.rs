//! The pictures of a folder and of the folders in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::MAX_IMAGES;
use super::open::Found;
use crate::images::ImageError;
use crate::images::error::io;

/// Folders within folders; a deeper one is a mistake or a trap.
const DEPTH: usize = 64;
/// Files of any kind that are looked at.
const MAX_FILES: usize = 4 * MAX_IMAGES;
/// What names of pictures end in.
const ENDINGS: [&str; 10] = ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "tif", "tiff"];

/// What a folder holds.
#[derive(Default)]
pub(super) struct Listing {
    pub found: Vec<Found>,
    /// Files that are no pictures by their names.
    pub others: usize,
    /// Folders that were seen before.
    pub loops: usize,
    seen: BTreeSet<PathBuf>,
}

impl Listing {
    /// Lists a folder: on each level the entries in the order of their names. The class of a picture is the folder at the
    /// top that it lies in.
    pub fn of(root: &Path) -> Result<Listing, ImageError> {
        let mut listing = Listing::default();
        listing.collect(root, root, "", 0)?;
        Ok(listing)
    }

    fn collect(&mut self, root: &Path, folder: &Path, prefix: &str, depth: usize) -> Result<(), ImageError> {
        let too_many = |limit: String| ImageError::TooMany { path: root.to_path_buf(), limit };
        if depth > DEPTH {
            return Err(too_many(format!("{DEPTH} levels of folders")));
        }
        // Links are followed, but no folder is listed twice.
        if !self.seen.insert(fs::canonicalize(folder).map_err(io("list", folder))?) {
            self.loops += 1;
            return Ok(());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(io("list", folder))? {
            names.push(entry.map_err(io("list", folder))?.file_name());
            if names.len() + self.found.len() + self.others > MAX_FILES {
                return Err(too_many(format!("{MAX_FILES} files")));
            }
        }
        names.sort();
        for name in names {
            let path = folder.join(&name);
            let name = name.to_string_lossy();
            // A link that leads nowhere is no file.
            let Some(meta) = fs::metadata(&path).ok().filter(|_| !name.starts_with('.')) else { continue };
            let id = format!("{prefix}{name}");
            if meta.is_dir() {
                self.collect(root, &path, &format!("{id}/"), depth + 1)?;
            } else if meta.is_file() && is_picture(&path) {
                let class = id.split_once('/').map(|(class, _)| class.to_owned());
                self.found.push(Found { id, path, class, mask: None, bytes: meta.len() });
                if self.found.len() > MAX_IMAGES {
                    return Err(too_many(format!("{MAX_IMAGES} pictures")));
                }
            } else {
                self.others += 1;
            }
        }
        Ok(())
    }
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}
