//! Small pictures to show many at once, made once and kept on disk.
//!
//! A thumbnail lies in `thumbnails/<2 digits>/<30 digits>.thumb` under Golgi's folder; the name is the BLAKE3 of the
//! picture's path, its size, the time it was written and the side. So neither the picture nor any other has to be read to find it:
//! a look-up is one small file, whether there are ten thumbnails or 100,000. The file is a JPEG behind the BLAKE3 of its
//! bytes; one that is damaged is made again. Files appear under a temporary name first.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::error::io;
use super::resample::{resample, taps};
use super::{ImageError, ImageSet, Interpolation, Picture};
use crate::models::home;

/// The largest side of a thumbnail, in pixels.
const MAX_SIDE: u32 = 512;
/// Of the JPEG.
const QUALITY: u8 = 88;
const HASH: usize = blake3::OUT_LEN;

impl Picture {
    /// The whole picture, scaled down so that no side has more than `side` pixels; one that is smaller stays as it is.
    ///
    /// # Errors
    /// If `side` is 0.
    pub fn thumbnail(&self, side: u32) -> Result<Picture, ImageError> {
        let longest = self.width().max(self.height());
        if longest <= side {
            return Picture::new(self.width(), self.height(), self.rgb().to_vec());
        }
        let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longest)).max(1) as u32;
        if side == 0 {
            return Err(ImageError::Setting {
                setting: "the side of a thumbnail",
                value: "0".to_owned(),
                rule: format!("1 to {MAX_SIDE} pixels"),
            });
        }
        let (width, height) = (scaled(self.width()), scaled(self.height()));
        let axis = |input: u32, output: u32| {
            let (input, output) = (input as usize, output as usize);
            taps((input, output), 0..output, Interpolation::Bilinear, true)
        };
        let (columns, rows) = (axis(self.width(), width), axis(self.height(), height));
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        resample(self, &columns, &rows, |_, _, values| rgb.extend(values.map(|value| value.round() as u8)));
        Picture::new(width, height, rgb)
    }
}

impl ImageSet {
    /// A thumbnail whose longer side has at most `side` pixels (up to 512): from the cache, or made and put there. To be
    /// called from any number of threads.
    ///
    /// # Errors
    /// As [`ImageSet::load`], and if `side` is 0. A cache that cannot be written does no harm.
    pub fn thumbnail(&self, index: usize, side: u32) -> Result<Picture, ImageError> {
        self.thumbnail_in(&home(), index, side)
    }

    /// As [`ImageSet::thumbnail`], cached under another home.
    ///
    /// # Errors
    /// As [`ImageSet::thumbnail`].
    pub fn thumbnail_in(&self, home: &Path, index: usize, side: u32) -> Result<Picture, ImageError> {
        let side = side.min(MAX_SIDE);
        let place = self.entries().get(index).and_then(|entry| place(home, &entry.path, side));
        if let Some(found) = place.as_deref().and_then(find) {
            return Ok(found);
        }
        let small = self.load(index)?.picture.thumbnail(side)?;
        if let Some(place) = place {
            // Without it the thumbnail is made again next time.
            let _ = keep(&place, &small);
        }
        Ok(small)
    }
}

/// Where the thumbnail of a file belongs; `None` where there is no file.
fn place(home: &Path, path: &Path, side: u32) -> Option<PathBuf> {
    let meta = fs::metadata(path).ok()?;
    let written = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let absolute = std::path::absolute(path).ok()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&meta.len().to_le_bytes()).update(&written.as_nanos().to_le_bytes()).update(&side.to_le_bytes());
    hasher.update(absolute.as_os_str().as_encoded_bytes());
    let name = hasher.finalize().to_hex();
    Some(home.join("thumbnails").join(&name[..2]).join(format!("{}.thumb", &name[2..32])))
}

/// The thumbnail in a file, if it is whole.
fn find(path: &Path) -> Option<Picture> {
    let bytes = fs::read(path).ok()?;
    let (hash, jpeg) = bytes.split_at_checked(HASH)?;
    (blake3::hash(jpeg).as_bytes() == hash).then(|| Picture::decode(jpeg, "the thumbnail").ok()).flatten()
}

fn keep(path: &Path, picture: &Picture) -> Result<(), ImageError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(io("create", folder))?;
    let jpeg = picture.to_jpeg(QUALITY)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io("write", path))?;
    let written = file.write_all(blake3::hash(&jpeg).as_bytes()).and_then(|()| file.write_all(&jpeg));
    written.map_err(io("write", path))?;
    file.persist(path).map_err(|error| io("write", path)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(side: u32) -> Picture {
        let pixels = (0..side).flat_map(|y| (0..side * 2).map(move |x| (x, y)));
        let rgb = pixels.flat_map(|(x, y)| [x as u8, y as u8, 60]).collect();
        Picture::new(side * 2, side, rgb).unwrap()
    }

    #[test]
    fn thumbnails_keep_their_proportions() {
        let small = planted(100).thumbnail(50).unwrap();
        assert_eq!((small.width(), small.height()), (50, 25));
        let middle = small.pixel(25, 12).unwrap();
        assert!(middle[0].abs_diff(102) <= 1 && middle[1].abs_diff(50) <= 1 && middle[2] == 60, "{middle:?}");
        assert_eq!(planted(10).thumbnail(50).unwrap(), planted(10));
        let line = Picture::new(1000, 1, vec![9; 3000]).unwrap().thumbnail(10).unwrap();
        assert_eq!((line.width(), line.height()), (10, 1));
        assert!(planted(10).thumbnail(0).is_err());
    }

    #[test]
    fn a_thumbnail_is_kept_checked_and_made_again() {
        let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("a.png");
        fs::write(&path, planted(100).to_png().unwrap()).unwrap();
        let set = ImageSet::open_in(home.path(), &path.to_string_lossy()).unwrap();
        let thumbnail = || set.thumbnail_in(home.path(), 0, 40).unwrap();
        let made = thumbnail();
        let file = place(home.path(), &path, 40).unwrap();
        let kept = fs::read(&file).unwrap();
        let near = |other: &Picture| made.rgb().iter().zip(other.rgb()).all(|(a, b)| a.abs_diff(*b) < 24);
        assert!(near(&thumbnail()));
        for damaged in [&kept[..20], &kept[..kept.len() - 1], b"".as_slice()] {
            fs::write(&file, damaged).unwrap();
            assert_eq!(thumbnail(), made);
            assert_eq!(fs::read(&file).unwrap(), kept);
        }
        // Another content has another thumbnail.
        fs::write(&path, Picture::new(80, 80, vec![200; 19_200]).unwrap().to_png().unwrap()).unwrap();
        assert!(thumbnail().rgb().iter().all(|value| *value > 195));
        assert_ne!(place(home.path(), &path, 40).unwrap(), file);
        assert!(set.thumbnail_in(home.path(), 1, 40).is_err() && set.thumbnail_in(home.path(), 0, 0).is_err());
    }
}
