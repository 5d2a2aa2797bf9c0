//! The layout of `torch.save` since version 1.6: a ZIP archive with `data.pkl` and one entry per storage.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use super::machine::run;
use super::state::{deflated, plain, tensors};
use super::values::Storage;
use crate::weights::error::FormatError;
use crate::weights::source::{Buffer, Deflated, Entry};

/// The longest `data.pkl` accepted, in bytes; it holds names and shapes only.
const MAX_PICKLE: u64 = 256 << 20;
/// Deflate shrinks by no more than this.
const MAX_DEFLATE: u64 = 1032;

/// An entry of the archive.
struct Part {
    index: usize,
    start: u64,
    compressed: u64,
    size: u64,
    method: CompressionMethod,
}

/// Reads the pickle and finds the storages beside it.
pub(crate) fn parse_zip(buffer: &Buffer) -> Result<BTreeMap<String, Entry>, FormatError> {
    let bytes = buffer.bytes();
    let damaged = |e: zip::result::ZipError| FormatError::Zip(e.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let mut parts = HashMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let start = entry.data_start().ok_or_else(|| FormatError::Zip("an entry without data".into()))?;
        let name = entry.name().map_err(damaged)?.into_owned();
        let (compressed, size, method) = (entry.compressed_size(), entry.size(), entry.compression());
        parts.insert(name, Part { index, start, compressed, size, method });
    }
    let pickle_name =
        parts.keys().filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl")).min_by_key(|n| n.len());
    let Some(pickle_name) = pickle_name else {
        return Err(FormatError::NotWeights {
            found: "a ZIP archive without `data.pkl`".into(),
            advice: "if a model is inside, unpack it and give the file itself".into(),
        });
    };
    let folder = pickle_name.strip_suffix("data.pkl").unwrap_or_default();
    if let Some(order) = parts.get(&format!("{folder}byteorder"))
        && let Ok(order) = read(&mut archive, order, bytes, 64)
        && order.trim_ascii() == b"big"
    {
        let found = "big-endian".to_owned();
        return Err(FormatError::Version { format: "the PyTorch layout", found, supported: "little-endian" });
    }
    let pickle = read(&mut archive, &parts[pickle_name], bytes, MAX_PICKLE)?;
    let object = run(&pickle, 0)?;
    tensors(&object, bytes.len(), &mut |storage: &Storage, size: usize| {
        let key = storage.key;
        let missing = || FormatError::Header(format!("storage `{key}` is not in the archive"));
        let part = parts.get(&format!("{folder}data/{key}")).ok_or_else(missing)?;
        let expected = (storage.elements as u64).saturating_mul(size as u64);
        if part.size < expected {
            return Err(FormatError::Truncated { part: format!("storage `{key}`"), expected, actual: part.size });
        }
        check(part, bytes.len() as u64)?;
        match part.method {
            CompressionMethod::Stored => Ok(plain(buffer, part.start as usize)),
            _ => Ok(deflated(Deflated::new(buffer.clone(), part.index, part.size as usize))),
        }
    })
}

/// Whether an entry lies in the file, and is as large as it can honestly be.
fn check(part: &Part, file: u64) -> Result<(), FormatError> {
    let actual = file.saturating_sub(part.start);
    let expected = part.compressed;
    if expected > actual {
        return Err(FormatError::Truncated { part: "an entry of the archive".into(), expected, actual });
    }
    let limit = match part.method {
        CompressionMethod::Stored => part.compressed,
        CompressionMethod::Deflated => part.compressed.saturating_mul(MAX_DEFLATE),
        other => return Err(FormatError::Zip(format!("an entry is compressed with {other}"))),
    };
    if part.size > limit {
        return Err(FormatError::Limit {
            part: "the size of an entry of the archive".into(),
            actual: part.size,
            limit,
        });
    }
    Ok(())
}

/// The contents of a small entry.
fn read(archive: &mut ZipArchive<Cursor<&[u8]>>, part: &Part, file: &[u8], limit: u64) -> Result<Vec<u8>, FormatError> {
    if part.size > limit {
        return Err(FormatError::Limit {
            part: "the size of an entry of the archive".into(),
            actual: part.size,
            limit,
        });
    }
    check(part, file.len() as u64)?;
    let entry = archive.by_index(part.index).map_err(|e| FormatError::Zip(e.to_string()))?;
    let mut contents = Vec::new();
    entry.take(limit).read_to_end(&mut contents).map_err(|e| FormatError::Zip(e.to_string()))?;
    Ok(contents)
}
