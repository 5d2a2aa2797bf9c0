//! Masks: for every pixel of a picture the number of a class, and what the numbers mean.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::csv_file::CsvFile;
use super::decode::{MAX_PIXELS, MAX_SIDE};
use super::picture::read_file;
use super::{ImageError, Picture};

/// The table of what the numbers of label maps mean, beside the masks or in the set's folder.
pub const LABELS: &str = "labels.csv";

/// A class number for every pixel.
///
/// ```
/// use golgi_data::images::LabelMap;
///
/// let map = LabelMap::new(2, 2, vec![0, 1, 700, 1])?;
/// assert_eq!(LabelMap::decode(&map.to_png()?, "mask.png")?, map);
/// assert_eq!(map.counts(), [(0, 1), (1, 2), (700, 1)]);
/// # Ok::<(), golgi_data::images::ImageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    width: u32,
    height: u32,
    labels: Vec<u16>,
}

impl LabelMap {
    /// A map of `labels` `[height, width]`, row by row.
    ///
    /// # Errors
    /// If a side is 0 or above the limit, or the number of labels is not width · height.
    pub fn new(width: u32, height: u32, labels: Vec<u16>) -> Result<LabelMap, ImageError> {
        check("the mask", width, height)?;
        let expected = width as usize * height as usize;
        if labels.len() != expected || expected == 0 {
            let (width, height) = (width as usize, height as usize);
            let expected = expected.max(1);
            return Err(ImageError::Shape { what: "a mask", width, height, found: labels.len(), expected });
        }
        Ok(LabelMap { width, height, labels })
    }

    /// Reads a greyscale PNG of up to 16 bits, whose values are the numbers, or a palette PNG, whose indices are.
    ///
    /// # Errors
    /// If it cannot be read, is no PNG of this kind, is damaged, or above 64 megapixels.
    pub fn read(path: &Path) -> Result<LabelMap, ImageError> {
        LabelMap::decode(&read_file(path)?, &path.display().to_string())
    }

    /// As [`LabelMap::read`], from the bytes of a file that messages call `name`.
    ///
    /// # Errors
    /// As [`LabelMap::read`].
    pub fn decode(bytes: &[u8], name: &str) -> Result<LabelMap, ImageError> {
        let named = || name.to_owned();
        if bytes.is_empty() {
            return Err(ImageError::Empty { name: named() });
        }
        if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Err(ImageError::NotLabelMap { name: named(), cause: "it is no PNG file".to_owned() });
        }
        let damaged = |error: png::DecodingError| match error {
            png::DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                ImageError::Truncated { name: named(), format: "PNG" }
            }
            error => ImageError::Damaged { name: named(), cause: error.to_string() },
        };
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::IDENTITY);
        let mut reader = decoder.read_info().map_err(damaged)?;
        let (width, height) = (reader.info().width, reader.info().height);
        check(name, width, height)?;
        let (color, depth) = (reader.info().color_type, reader.info().bit_depth);
        if !matches!(color, png::ColorType::Grayscale | png::ColorType::Indexed) {
            let cause = format!("its pixels are {color:?}, so that there is not one number for each");
            return Err(ImageError::NotLabelMap { name: named(), cause });
        }
        // At most 2 bytes for each of 64 million pixels.
        let mut raw = vec![0; reader.output_buffer_size().unwrap_or(0)];
        let info = reader.next_frame(&mut raw).map_err(damaged)?;
        let rows = raw.chunks_exact(info.line_size.max(1)).take(height as usize);
        let labels = rows.flat_map(|row| unpack(row, depth).take(width as usize)).collect();
        LabelMap::new(width, height, labels)
    }

    /// The map as a greyscale PNG: of 8 bits where that is enough, else of 16.
    ///
    /// # Errors
    /// If the encoder fails, which means that memory ran out.
    pub fn to_png(&self) -> Result<Vec<u8>, ImageError> {
        let small: Option<Vec<u8>> = self.labels.iter().map(|label| u8::try_from(*label).ok()).collect();
        let (depth, bytes) = match small {
            Some(bytes) => (png::BitDepth::Eight, bytes),
            None => (png::BitDepth::Sixteen, self.labels.iter().flat_map(|label| label.to_be_bytes()).collect()),
        };
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(depth);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&bytes)?;
            writer.finish()
        });
        written.map_err(|error| ImageError::Damaged { name: "the mask".to_owned(), cause: error.to_string() })?;
        Ok(out)
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The numbers `[height, width]`, row by row.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Which numbers there are and on how many pixels, by number.
    pub fn counts(&self) -> Vec<(u16, usize)> {
        let mut counts = BTreeMap::new();
        self.labels.iter().for_each(|label| *counts.entry(*label).or_insert(0) += 1);
        counts.into_iter().collect()
    }

    /// Whether it belongs to a picture: they are of one size.
    ///
    /// # Errors
    /// [`ImageError::NotLabelMap`] naming both sizes.
    pub fn check_fits(&self, picture: &Picture, name: &str) -> Result<(), ImageError> {
        if (self.width, self.height) == (picture.width(), picture.height()) {
            return Ok(());
        }
        let cause = format!(
            "it is {} × {} pixels where its picture is {} × {}",
            self.width,
            self.height,
            picture.width(),
            picture.height()
        );
        Err(ImageError::NotLabelMap { name: name.to_owned(), cause })
    }
}

fn check(name: &str, width: u32, height: u32) -> Result<(), ImageError> {
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { name: name.to_owned(), width, height });
    }
    Ok(())
}

/// The values of a packed row, and what fills its last byte.
fn unpack(row: &[u8], depth: png::BitDepth) -> Box<dyn Iterator<Item = u16> + '_> {
    let bits = match depth {
        png::BitDepth::Sixteen => {
            return Box::new(row.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])));
        }
        png::BitDepth::Eight => 8,
        png::BitDepth::Four => 4,
        png::BitDepth::Two => 2,
        png::BitDepth::One => 1,
    };
    let mask = (1u16 << bits) - 1;
    let shifts = (0..8 / bits).rev().map(move |k| k * bits);
    Box::new(row.iter().flat_map(move |byte| shifts.clone().map(move |shift| u16::from(*byte) >> shift & mask)))
}

/// What one number of a label map means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskLabel {
    /// The number.
    pub value: u16,
    /// What it is called.
    pub name: String,
    /// Its concept in each of [`MaskLabels::categories`], if it has one there.
    pub concepts: Vec<Option<String>>,
}

/// What the numbers of label maps mean: a table with the columns `value` and `name`, and one more for each category of
/// concepts, such as `colour`. One number can so belong to several concepts at once.
///
/// ```
/// use golgi_data::images::{LabelMap, MaskLabels};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("labels.csv");
/// std::fs::write(&path, "value,name,colour\n0,ground,\n1,red square,red\n2,red circle,red\n")?;
/// let labels = MaskLabels::read(&path)?;
/// let map = LabelMap::new(3, 1, vec![0, 2, 1])?;
/// assert_eq!(labels.mask(&map, "colour", "red"), [false, true, true]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskLabels {
    /// Categories of concepts.
    pub categories: Vec<String>,
    /// The numbers, ascending.
    pub labels: Vec<MaskLabel>,
}

impl MaskLabels {
    /// The table that belongs to a mask: `labels.csv` in its folder or in the one above.
    pub fn beside(mask: &Path) -> Option<PathBuf> {
        mask.ancestors().skip(1).take(2).map(|folder| folder.join(LABELS)).find(|path| path.is_file())
    }

    /// Reads a table.
    ///
    /// # Errors
    /// If it cannot be read, a column is missing, or a line has no number of 0..=65535 or one that was there.
    pub fn read(path: &Path) -> Result<MaskLabels, ImageError> {
        let mut table = CsvFile::open(path)?;
        let (value, name) = (table.column("value")?, table.column("name")?);
        let others: Vec<usize> = (0..table.columns().len()).filter(|i| *i != value && *i != name).collect();
        let categories = others.iter().map(|i| table.columns()[*i].clone()).collect();
        let mut labels: BTreeMap<u16, MaskLabel> = BTreeMap::new();
        while let Some(record) = table.next()? {
            let cell = |i: usize| record.get(i).map(str::trim).unwrap_or_default();
            let Ok(number) = cell(value).parse() else {
                return Err(table.wrong(format!("`{}` is no number of 0 to 65535", cell(value))));
            };
            let concepts = others.iter().map(|i| Some(cell(*i).to_owned()).filter(|text| !text.is_empty())).collect();
            let label = MaskLabel { value: number, name: cell(name).to_owned(), concepts };
            if labels.insert(number, label).is_some() {
                return Err(table.wrong(format!("the number {number} is listed twice")));
            }
        }
        Ok(MaskLabels { categories, labels: labels.into_values().collect() })
    }

    /// The table as a CSV file.
    pub fn to_csv(&self) -> String {
        let quoted = |text: &str| match text.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let mut lines = vec![[vec!["value".to_owned(), "name".to_owned()], self.categories.clone()].concat()];
        lines.extend(self.labels.iter().map(|label| {
            let concepts = label.concepts.iter().map(|concept| concept.clone().unwrap_or_default());
            [label.value.to_string(), label.name.clone()].into_iter().chain(concepts).collect()
        }));
        let line = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n";
        lines.into_iter().map(line).collect()
    }

    /// What a number means.
    pub fn get(&self, value: u16) -> Option<&MaskLabel> {
        self.labels.binary_search_by_key(&value, |label| label.value).ok().map(|i| &self.labels[i])
    }

    /// The concepts of a category, sorted.
    pub fn concepts(&self, category: &str) -> Vec<String> {
        let Some(place) = self.categories.iter().position(|name| name == category) else { return Vec::new() };
        let mut concepts: Vec<String> =
            self.labels.iter().filter_map(|label| label.concepts.get(place)?.clone()).collect();
        concepts.sort();
        concepts.dedup();
        concepts
    }

    /// The pixels `[height, width]` of a concept.
    pub fn mask(&self, map: &LabelMap, category: &str, concept: &str) -> Vec<bool> {
        let place = self.categories.iter().position(|name| name == category);
        let is_it = |label: &MaskLabel| {
            place.and_then(|place| label.concepts.get(place)?.as_deref()).is_some_and(|name| name == concept)
        };
        let values: Vec<u16> = self.labels.iter().filter(|label| is_it(label)).map(|label| label.value).collect();
        map.labels.iter().map(|label| values.binary_search(label).is_ok()).collect()
    }
}
