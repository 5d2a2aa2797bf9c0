//! A set of pictures as it lies on disk.
//!
//! Opening one lists files and reads no picture, so that 100,000 are there in a moment. What depends on contents – the
//! split of each picture and the digest of the set – is computed when it is first asked for, by streaming every file
//! once on all cores ([`ImageSet::contents`]); reading pictures in batches tells the split of each in passing.

mod contents;
mod folder;
mod open;
mod read;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use contents::Contents;
pub use read::{Batches, Loaded, ReadReport};

use super::ImageError;

/// The table of a folder that has one: its pictures are those listed there.
pub const TABLE: &str = "images.csv";
/// Pictures of one set.
const MAX_IMAGES: usize = 1_000_000;

/// One picture of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// Its path within the set, with `/`; no two are the same.
    pub id: String,
    /// Its file.
    pub path: PathBuf,
    /// Its class, an index into [`ImageSet::classes`].
    pub label: Option<u32>,
    /// Its label map.
    pub mask: Option<PathBuf>,
    /// The size of its file in bytes, 0 if it is not there.
    pub bytes: u64,
}

/// Something about a set that its user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetNote {
    /// There is but one class, so that nothing can be told apart.
    OneClass(String),
    /// Pictures beside class folders, which have no label.
    Unlabelled(usize),
    /// Files that are no pictures by their names.
    OtherFiles(usize),
    /// Links to folders that were listed already.
    Loops(usize),
}

impl fmt::Display for SetNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetNote::OneClass(class) => {
                write!(f, "all pictures are of one class, `{class}`, so that nothing can be told apart")
            }
            SetNote::Unlabelled(n) => write!(f, "{n} pictures have no label"),
            SetNote::OtherFiles(n) => write!(f, "{n} files are left out, which are no pictures by their names"),
            SetNote::Loops(n) => write!(f, "{n} folders are left out, which are links to folders of this set"),
        }
    }
}

/// Pictures in a fixed order, with their classes.
///
/// ```
/// use golgi_data::context::RunContext;
/// use golgi_data::images::{ImageSet, Picture};
///
/// let folder = tempfile::tempdir()?;
/// for (class, value) in [("dark", 10), ("light", 240)] {
///     std::fs::create_dir(folder.path().join(class))?;
///     let picture = Picture::new(8, 8, vec![value; 192])?;
///     std::fs::write(folder.path().join(class).join("one.png"), picture.to_png()?)?;
/// }
/// let set = ImageSet::open(&folder.path().to_string_lossy())?;
/// assert_eq!(set.classes(), ["dark", "light"]);
/// assert_eq!(set.entries()[1].id, "light/one.png");
///
/// let ctx = RunContext::new(0);
/// let mut batches = set.read_batches(&[0, 1], 16, &ctx, |loaded| loaded.picture.pixel(0, 0));
/// let values: Vec<_> = batches.next().transpose()?.unwrap_or_default();
/// assert_eq!(values, [(0, Some([10; 3])), (1, Some([240; 3]))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ImageSet {
    name: String,
    root: PathBuf,
    entries: Vec<ImageEntry>,
    classes: Vec<String>,
    notes: Vec<SetNote>,
    contents: OnceLock<Contents>,
}

impl ImageSet {
    /// What it is called: `starter`, or the name of the file or folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The pictures: of a folder in the order of their names, level by level; of a table in its order.
    pub fn entries(&self) -> &[ImageEntry] {
        &self.entries
    }

    /// How many pictures.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: a set without pictures is not opened.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The names of the classes, sorted; numbers by their value.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What its user should know.
    pub fn notes(&self) -> &[SetNote] {
        &self.notes
    }

    /// The size of its files in bytes.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// The class of every picture, for methods that need it.
    ///
    /// # Errors
    /// [`ImageError::NoLabels`] if one has none.
    pub fn labels(&self) -> Result<Vec<u32>, ImageError> {
        let labels: Option<Vec<u32>> = self.entries.iter().map(|entry| entry.label).collect();
        labels.ok_or_else(|| ImageError::NoLabels { path: self.root.clone() })
    }
}

#[cfg(test)]
mod tests;
