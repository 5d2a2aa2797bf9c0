//! Readers of single files, one per format. Each holds one document, or one bounded piece of a file, at a time.

mod csv;
mod jsonl;
mod parquet;
mod text;

use std::path::{Path, PathBuf};

use super::{CorpusError, Document};

/// The largest text of one document, in bytes.
pub(super) const DOCUMENT_BYTES: usize = 16 << 20;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Jsonl,
    Parquet,
    Csv { delimiter: u8 },
}

impl Kind {
    /// By the extension.
    pub(super) fn of(path: &Path) -> Kind {
        match path.extension().map(|extension| extension.to_ascii_lowercase()).as_ref().and_then(|e| e.to_str()) {
            Some("jsonl" | "ndjson") => Kind::Jsonl,
            Some("parquet") => Kind::Parquet,
            Some("csv") => Kind::Csv { delimiter: b',' },
            Some("tsv") => Kind::Csv { delimiter: b'\t' },
            _ => Kind::Text,
        }
    }
}

/// One file of a corpus.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    /// Its name within the corpus, from which ids are made.
    pub(super) label: String,
}

/// Documents of one file.
pub(super) type Documents<'a> = Box<dyn Iterator<Item = Result<Document, CorpusError>> + 'a>;

impl Source {
    /// Its documents; a file that cannot be opened is one error.
    pub(super) fn read(&self, lossy: bool) -> Documents<'_> {
        let opened = match self.kind {
            Kind::Text => text::read(self, lossy),
            Kind::Jsonl => jsonl::read(self, lossy),
            Kind::Parquet => parquet::read(self, lossy),
            Kind::Csv { delimiter } => csv::read(self, delimiter, lossy),
        };
        match opened {
            Ok(documents) => documents,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    /// The text of bytes that lie at `offset` of the file.
    fn text(&self, bytes: Vec<u8>, offset: u64, lossy: bool) -> Result<String, CorpusError> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) if lossy => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            Err(error) => Err(CorpusError::Utf8 {
                path: self.path.clone(),
                offset: offset + error.utf8_error().valid_up_to() as u64,
            }),
        }
    }

    fn too_large(&self, place: String) -> CorpusError {
        CorpusError::TooLarge { path: self.path.clone(), place, limit: format!("{} MiB", DOCUMENT_BYTES >> 20) }
    }
}

/// A label that says something.
fn label(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().chars().take(100).collect::<String>()).filter(|text| !text.is_empty())
}
