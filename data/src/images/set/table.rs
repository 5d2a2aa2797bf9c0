//! The pictures of a CSV file.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::MAX_IMAGES;
use super::open::Found;
use crate::images::ImageError;
use crate::images::csv_file::CsvFile;

/// Reads a table with the column `path` and perhaps `label` and `mask`; other columns are left alone. An empty label or mask
/// means none.
pub(super) fn read(path: &Path) -> Result<Vec<Found>, ImageError> {
    let mut table = CsvFile::open(path)?;
    let column = table.column("path")?;
    let (label, mask) = (table.optional("label"), table.optional("mask"));
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut found: Vec<Found> = Vec::new();
    let mut seen = HashSet::new();
    while let Some(record) = table.next()? {
        let id = record.get(column).map(str::trim).unwrap_or_default().replace('\\', "/");
        let filled = |column: Option<usize>| {
            let value = column.and_then(|column| record.get(column)).map(str::trim);
            value.filter(|value| !value.is_empty())
        };
        if id.is_empty() {
            return Err(table.wrong("the path is empty".to_owned()));
        }
        if !seen.insert(id.clone()) {
            return Err(table.wrong(format!("`{id}` is listed twice")));
        }
        let file = folder.join(&id);
        let bytes = fs::metadata(&file).map_or(0, |meta| meta.len());
        let (class, mask) = (filled(label).map(str::to_owned), filled(mask).map(|mask| folder.join(mask)));
        found.push(Found { id, path: file, class, mask, bytes });
        if found.len() > MAX_IMAGES {
            return Err(ImageError::TooMany { path: path.to_path_buf(), limit: format!("{MAX_IMAGES} pictures") });
        }
    }
    if found.is_empty() {
        let detail = " (it has no line but its head)".to_owned();
        return Err(ImageError::NoPictures { path: path.to_path_buf(), detail });
    }
    Ok(found)
}
