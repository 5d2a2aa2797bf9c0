//! JSON Lines: one object per line with `text`, and perhaps `id`, `language` or `lang`, and `genre`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;
use serde_json::Value;

use super::{DOCUMENT_BYTES, Documents, Source, label};
use crate::corpus::error::io;
use crate::corpus::{CorpusError, Document};

/// A line holds the text, in which each byte may be spelled with six, and more.
const LINE_BYTES: usize = 4 * DOCUMENT_BYTES;

#[derive(Deserialize)]
struct Line {
    text: String,
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    lang: Option<String>,
    #[serde(default)]
    genre: Option<String>,
}

pub(super) fn read(source: &Source, lossy: bool) -> Result<Documents<'_>, CorpusError> {
    let file = File::open(&source.path).map_err(io("open", &source.path))?;
    let mut reader = BufReader::new(file);
    let (mut offset, mut number, mut ended) = (0u64, 0u64, false);
    Ok(Box::new(std::iter::from_fn(move || {
        while !ended {
            number += 1;
            let mut line = Vec::new();
            let read = (&mut reader).take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut line);
            let begin = offset;
            offset += line.len() as u64;
            let next = match read {
                Err(cause) => Some(Err(io("read", &source.path)(cause))),
                Ok(0) => None,
                Ok(_) if line.len() > LINE_BYTES => Some(Err(source.too_large(format!("line {number}")))),
                Ok(_) if line.trim_ascii().is_empty() => continue,
                Ok(_) => Some(document(source, line, begin, number, lossy)),
            };
            ended = !matches!(next, Some(Ok(_)));
            return next;
        }
        None
    })))
}

fn document(source: &Source, line: Vec<u8>, offset: u64, number: u64, lossy: bool) -> Result<Document, CorpusError> {
    let text = source.text(line, offset, lossy)?;
    let place = || format!("line {number}");
    let parsed: Line =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| CorpusError::Record {
            path: source.path.clone(),
            place: place(),
            cause: error.to_string().chars().take(200).collect(),
        })?;
    if parsed.text.len() > DOCUMENT_BYTES {
        return Err(source.too_large(place()));
    }
    let id = match parsed.id {
        Some(Value::String(id)) if !id.is_empty() => id,
        Some(Value::Number(id)) => id.to_string(),
        _ => format!("{}:{number}", source.label),
    };
    let language = label(parsed.language).or(label(parsed.lang));
    Ok(Document { id, text: parsed.text, language, genre: label(parsed.genre) })
}
