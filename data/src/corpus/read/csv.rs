//! CSV and TSV with a heading: columns `text`, and perhaps `id`, `language` or `lang`, and `genre`.

use std::fs::File;
use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use super::{DOCUMENT_BYTES, Documents, Source, label};
use crate::corpus::error::io as io_error;
use crate::corpus::{CorpusError, Document};

/// Stops a record that never ends, as after a quote that nobody closes.
struct Limited {
    file: File,
    left: usize,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let n = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(n);
        Ok(n)
    }
}

/// Where the columns are.
struct Columns {
    text: usize,
    id: Option<usize>,
    language: Option<usize>,
    genre: Option<usize>,
}

impl Columns {
    fn find(source: &Source, heading: &ByteRecord) -> Result<Columns, CorpusError> {
        let name = |field: &[u8]| String::from_utf8_lossy(field).trim_start_matches('\u{feff}').trim().to_lowercase();
        let names: Vec<String> = heading.iter().map(name).collect();
        let at = |name: &str| names.iter().position(|found| found == name);
        let Some(text) = at("text") else {
            let shown: Vec<String> = names.iter().take(10).map(|name| name.chars().take(40).collect()).collect();
            return Err(CorpusError::NoText { path: source.path.clone(), found: shown.join(", ") });
        };
        Ok(Columns { text, id: at("id"), language: at("language").or(at("lang")), genre: at("genre") })
    }
}

pub(super) fn read(source: &Source, delimiter: u8, lossy: bool) -> Result<Documents<'_>, CorpusError> {
    let file = File::open(&source.path).map_err(io_error("open", &source.path))?;
    let limited = Limited { file, left: 2 * DOCUMENT_BYTES };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(limited);
    let refused = |error: csv::Error, place: String| match error.into_kind() {
        csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => source.too_large(place),
        csv::ErrorKind::Io(cause) => io_error("read", &source.path)(cause),
        other => CorpusError::Record { path: source.path.clone(), place, cause: format!("{other:?}") },
    };
    let heading = reader.byte_headers().map_err(|error| refused(error, "the heading".to_owned()))?;
    let columns = Columns::find(source, heading)?;
    let (mut record, mut number, mut ended) = (ByteRecord::new(), 0u64, false);
    Ok(Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        number += 1;
        reader.get_mut().left = 2 * DOCUMENT_BYTES;
        let next = match reader.read_byte_record(&mut record) {
            Err(error) => Some(Err(refused(error, format!("record {number}")))),
            Ok(false) => None,
            Ok(true) => Some(document(source, &columns, &record, number, lossy)),
        };
        ended = !matches!(next, Some(Ok(_)));
        next
    })))
}

fn document(
    source: &Source,
    columns: &Columns,
    record: &ByteRecord,
    number: u64,
    lossy: bool,
) -> Result<Document, CorpusError> {
    let begin = record.position().map_or(0, csv::Position::byte);
    let field = |column: usize| {
        let bytes = record.get(column).unwrap_or_default().to_vec();
        // Quotes are taken off already, so only the record's beginning can be named.
        source.text(bytes, begin, lossy).map_err(|_| CorpusError::Utf8 { path: source.path.clone(), offset: begin })
    };
    if record.get(columns.text).is_none() {
        let cause = format!("it has {} fields, too few to reach the text", record.len());
        return Err(CorpusError::Record { path: source.path.clone(), place: format!("record {number}"), cause });
    }
    let text = field(columns.text)?;
    if text.len() > DOCUMENT_BYTES {
        return Err(source.too_large(format!("record {number}")));
    }
    let optional = |column: Option<usize>| column.map(field).transpose();
    let id = optional(columns.id)?.filter(|id| !id.is_empty());
    Ok(Document {
        id: id.unwrap_or_else(|| format!("{}:{number}", source.label)),
        text,
        language: label(optional(columns.language)?),
        genre: label(optional(columns.genre)?),
    })
}
