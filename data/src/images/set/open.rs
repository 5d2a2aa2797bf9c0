//! From a specification to a set.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::folder::Listing;
use super::{ImageEntry, ImageSet, SetNote, TABLE, table};
use crate::images::ImageError;
use crate::models::home;

/// A picture before its class has a number.
pub(super) struct Found {
    pub id: String,
    pub path: PathBuf,
    pub class: Option<String>,
    pub mask: Option<PathBuf>,
    pub bytes: u64,
}

impl ImageSet {
    /// Opens `spec`: `starter`; a picture; a CSV file with the column `path` and, if there are any, `label` and `mask`, all
    /// paths relative to it; a folder with a table `images.csv` of that form; a folder of pictures; or a folder of class
    /// folders, whose pictures are taken from all levels. Hidden files are left out, and no folder is listed twice, so that
    /// links in circles do no harm. A picture of a table that is not there is found when it is read.
    ///
    /// # Errors
    /// If there is nothing, no picture, more than 1,000,000, a folder that cannot be listed, or a table that cannot be
    /// understood.
    pub fn open(spec: &str) -> Result<ImageSet, ImageError> {
        ImageSet::open_in(&home(), spec)
    }

    /// As [`ImageSet::open`], with the starter images under another home.
    ///
    /// # Errors
    /// As [`ImageSet::open`].
    pub fn open_in(home: &Path, spec: &str) -> Result<ImageSet, ImageError> {
        if spec == "starter" {
            let folder = golgi_fetch::starter::images::folder(home);
            if golgi_fetch::starter::images::installed(home).is_none() {
                return Err(ImageError::NoStarter { folder });
            }
            return ImageSet::of(spec, &folder);
        }
        let path = PathBuf::from(spec);
        if spec.is_empty() || !path.exists() {
            return Err(ImageError::NotFound { spec: spec.to_owned() });
        }
        let name = path.file_name().map_or_else(|| spec.to_owned(), |name| name.to_string_lossy().into_owned());
        ImageSet::of(&name, &path)
    }

    fn of(name: &str, root: &Path) -> Result<ImageSet, ImageError> {
        let mut notes = Vec::new();
        let is_table = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        let found = if root.is_dir() {
            let inside = root.join(TABLE);
            if inside.is_file() { table::read(&inside)? } else { list(root, &mut notes)? }
        } else if is_table(root) {
            table::read(root)?
        } else {
            let bytes = fs::metadata(root).map_or(0, |meta| meta.len());
            vec![Found { id: name.to_owned(), path: root.to_path_buf(), class: None, mask: None, bytes }]
        };
        let classes = classes(&found);
        let unlabelled = found.iter().filter(|found| found.class.is_none()).count();
        if let [only] = classes.as_slice() {
            notes.push(SetNote::OneClass(only.clone()));
        }
        if unlabelled > 0 && !classes.is_empty() {
            notes.push(SetNote::Unlabelled(unlabelled));
        }
        let number = |class: &String| classes.binary_search_by(|other| order(other, class)).ok().map(|i| i as u32);
        let entries = found.into_iter().map(|Found { id, path, class, mask, bytes }| {
            let label = class.as_ref().and_then(number);
            ImageEntry { id, path, label, mask, bytes }
        });
        let entries = entries.collect();
        Ok(ImageSet {
            name: name.to_owned(),
            root: root.to_path_buf(),
            entries,
            classes,
            notes,
            contents: OnceLock::new(),
        })
    }
}

/// The pictures of a folder, with the folders at its top as classes.
fn list(root: &Path, notes: &mut Vec<SetNote>) -> Result<Vec<Found>, ImageError> {
    let listing = Listing::of(root)?;
    if listing.found.is_empty() {
        let detail = match listing.others {
            0 => String::new(),
            n => format!(" ({n} files of it are none by their names)"),
        };
        return Err(ImageError::NoPictures { path: root.to_path_buf(), detail });
    }
    if listing.others > 0 {
        notes.push(SetNote::OtherFiles(listing.others));
    }
    if listing.loops > 0 {
        notes.push(SetNote::Loops(listing.loops));
    }
    Ok(listing.found)
}

fn classes(found: &[Found]) -> Vec<String> {
    let mut classes: Vec<String> = found.iter().filter_map(|found| found.class.clone()).collect();
    classes.sort_by(|a, b| order(a, b));
    classes.dedup();
    classes
}

/// Numbers by value and before words, words by their letters.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    let key = |text: &str| (text.parse::<u64>().map_or((1, 0), |number| (0, number)), text.to_owned());
    key(a).cmp(&key(b))
}
