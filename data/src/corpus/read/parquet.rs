//! Parquet: columns `text`, and perhaps `id`, `language` or `lang`, and `genre`; others are not read.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{DOCUMENT_BYTES, Documents, Source, label};
use crate::corpus::error::io;
use crate::corpus::{CorpusError, Document};

/// Rows decoded at once.
const ROWS: usize = 256;
const COLUMNS: [&str; 5] = ["text", "id", "language", "lang", "genre"];

pub(super) fn read(source: &Source, lossy: bool) -> Result<Documents<'_>, CorpusError> {
    let file = File::open(&source.path).map_err(io("open", &source.path))?;
    let reader = guarded(source, || open(file))?;
    let reader = reader.map_err(|names| CorpusError::NoText { path: source.path.clone(), found: names.join(", ") })?;
    let batches = Batches { source, reader, ended: false };
    let mut number = 0;
    Ok(Box::new(batches.flat_map(move |batch| {
        let documents = match batch.and_then(|batch| documents(source, &batch, number, lossy)) {
            Ok((documents, rows)) => {
                number += rows;
                documents
            }
            Err(error) => vec![Err(error)],
        };
        documents.into_iter()
    })))
}

/// Runs the library on a stranger's file: it panics on some damaged ones.
fn guarded<T>(source: &Source, work: impl FnOnce() -> Result<T, String>) -> Result<T, CorpusError> {
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("it is damaged".to_owned()));
    result.map_err(|cause| CorpusError::Format { path: source.path.clone(), kind: "Parquet", cause })
}

/// The inner error: the columns of a file without `text`.
fn open(file: File) -> Result<Result<ParquetRecordBatchReader, Vec<String>>, String> {
    // Without its Arrow schema a file has plain strings where that says dictionary or view.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|error| error.to_string())?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    if !names.iter().any(|name| name == "text") {
        return Ok(Err(names.into_iter().take(20).collect()));
    }
    let wanted = COLUMNS.into_iter().filter(|column| names.iter().any(|name| name == column));
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
    builder.with_projection(mask).with_batch_size(ROWS).build().map(Ok).map_err(|error| error.to_string())
}

struct Batches<'a> {
    source: &'a Source,
    reader: ParquetRecordBatchReader,
    ended: bool,
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = || self.reader.next().transpose().map_err(|error| error.to_string());
        let next = guarded(self.source, read).transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

type Rows = (Vec<Result<Document, CorpusError>>, u64);

fn documents(source: &Source, batch: &RecordBatch, before: u64, lossy: bool) -> Result<Rows, CorpusError> {
    let column = |name: &str| batch.column_by_name(name);
    let string = |name: &str, row: usize| match column(name) {
        Some(column) => value(source, column, row, lossy, name),
        None => Ok(None),
    };
    let mut made = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let number = before + row as u64 + 1;
        let Some(text) = string("text", row)? else { continue };
        if text.len() > DOCUMENT_BYTES {
            return Err(source.too_large(format!("row {number}")));
        }
        let id = string("id", row)?.filter(|id| !id.is_empty());
        made.push(Ok(Document {
            id: id.unwrap_or_else(|| format!("{}:{number}", source.label)),
            text,
            language: label(string("language", row)?).or(label(string("lang", row)?)),
            genre: label(string("genre", row)?),
        }));
    }
    Ok((made, batch.num_rows() as u64))
}

/// The value of a column as text; `None` where it is null.
fn value(
    source: &Source,
    column: &ArrayRef,
    row: usize,
    lossy: bool,
    name: &str,
) -> Result<Option<String>, CorpusError> {
    if column.is_null(row) {
        return Ok(None);
    }
    let bytes = match column.data_type() {
        DataType::Utf8 => return Ok(Some(column.as_string::<i32>().value(row).to_owned())),
        DataType::LargeUtf8 => return Ok(Some(column.as_string::<i64>().value(row).to_owned())),
        DataType::Int32 => return Ok(Some(column.as_primitive::<Int32Type>().value(row).to_string())),
        DataType::Int64 => return Ok(Some(column.as_primitive::<Int64Type>().value(row).to_string())),
        DataType::Binary => column.as_binary::<i32>().value(row).to_vec(),
        DataType::LargeBinary => column.as_binary::<i64>().value(row).to_vec(),
        other => {
            let cause = format!("the column `{name}` holds {other}, not text");
            return Err(CorpusError::Format { path: source.path.clone(), kind: "Parquet", cause });
        }
    };
    source.text(bytes, 0, lossy).map(Some)
}
