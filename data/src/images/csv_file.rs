//! Reading CSV files with named columns.

use std::fs::File;
use std::io::{BufReader, Read, Take};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::ImageError;
use super::error::io;

/// The largest table, in bytes: a million lines of long paths.
const MAX_BYTES: u64 = 1 << 30;

/// A CSV file whose first line names its columns.
pub(super) struct CsvFile {
    path: PathBuf,
    reader: csv::Reader<BufReader<Take<File>>>,
    columns: Vec<String>,
    line: u64,
}

impl CsvFile {
    /// Opens one and reads its head.
    ///
    /// # Errors
    /// If it cannot be read or its first line is no list of names.
    pub fn open(path: &Path) -> Result<CsvFile, ImageError> {
        let file = File::open(path).map_err(io("read", path))?;
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(file.take(MAX_BYTES)));
        let head = reader.headers().map_err(|error| wrong(path, 1, error.to_string()))?;
        // Some programs begin a file with a mark of its encoding.
        let columns = head.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_lowercase()).collect();
        Ok(CsvFile { path: path.to_path_buf(), reader, columns, line: 1 })
    }

    /// The names of the columns, in small letters.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The position of a column that must be there.
    ///
    /// # Errors
    /// [`ImageError::NoColumn`].
    pub fn column(&self, name: &'static str) -> Result<usize, ImageError> {
        self.optional(name).ok_or_else(|| ImageError::NoColumn {
            path: self.path.clone(),
            column: name,
            found: self.columns.join(", "),
        })
    }

    /// The position of a column, if there is one.
    pub fn optional(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The next record.
    ///
    /// # Errors
    /// If it is no UTF-8 or cannot be read.
    pub fn next(&mut self) -> Result<Option<StringRecord>, ImageError> {
        let mut record = StringRecord::new();
        self.line = self.reader.position().line();
        match self.reader.read_record(&mut record) {
            Ok(more) => Ok(more.then_some(record)),
            Err(error) => Err(self.wrong(error.to_string())),
        }
    }

    /// That something is wrong with the record read last.
    pub fn wrong(&self, cause: String) -> ImageError {
        wrong(&self.path, self.line, cause)
    }
}

fn wrong(path: &Path, line: u64, cause: String) -> ImageError {
    ImageError::Table { path: path.to_path_buf(), place: format!("line {line}"), cause }
}
