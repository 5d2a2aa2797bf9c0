//! GGUF, versions 2 and 3, little endian: metadata, tensor directory, quantised tensors.
//!
//! What comes out has hub names, hub shapes and hub values: [`hub`] undoes what the converter did. Format:
//! `docs/gguf.md` of ggml.

pub(crate) mod config;
pub(crate) mod dequant;
pub(crate) mod hub;
pub(crate) mod metadata;
mod reader;

use std::collections::BTreeMap;
use std::ops::Range;

use super::error::FormatError;
use super::source::{Block, Buffer, Entry};
use super::{StoredType, TensorInfo};
use metadata::GgufMetadata;
use reader::Reader;

/// Dimensions that GGML knows.
const MAX_DIMENSIONS: u64 = 4;
/// Metadata entries accepted; real files have a few dozen.
const MAX_ENTRIES: u64 = 1 << 16;
/// Tensors accepted; the largest models have some thousand.
const MAX_TENSORS: u64 = 1 << 20;
/// The largest `general.alignment` accepted, in bytes.
const MAX_ALIGNMENT: u64 = 1 << 20;

const SUPPORTED: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K";

/// A tensor as the directory of the file describes it, its shape in row-major order.
struct Stored {
    name: String,
    info: TensorInfo,
    offset: u64,
    bytes: usize,
}

/// Reads the header and the tensor directory.
pub(crate) fn parse(buffer: &Buffer) -> Result<(BTreeMap<String, Entry>, GgufMetadata), FormatError> {
    let mut reader = Reader::new(buffer.bytes(), 4);
    let version = reader.u32("the version")?;
    if !(2..=3).contains(&version) {
        let found = if version.swap_bytes() <= 3 {
            format!("{} (big endian)", version.swap_bytes())
        } else {
            version.to_string()
        };
        return Err(FormatError::Version { format: "GGUF", found, supported: "2 and 3, little endian" });
    }
    let tensors = reader.count("the number of tensors", MAX_TENSORS, 24)?;
    let entries = reader.count("the number of metadata entries", MAX_ENTRIES, 13)?;
    let metadata = GgufMetadata::read(&mut reader, buffer, entries)?;
    refuse_part(&metadata)?;
    let mut directory = Vec::with_capacity(tensors);
    for _ in 0..tensors {
        directory.push(read_tensor(&mut reader)?);
    }
    let alignment = metadata.u64("general.alignment").unwrap_or(32);
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        return Err(FormatError::Header(format!("the alignment of {alignment} bytes is not a sensible power of two")));
    }
    let start = (reader.position() as u64).next_multiple_of(alignment);
    let ranges = place(&mut directory, start, alignment, buffer.bytes().len() as u64)?;

    let family = hub::Family::of(&metadata);
    let mut named = BTreeMap::new();
    for (stored, range) in directory.into_iter().zip(ranges) {
        let (name, info, layout) = match &family {
            Some(family) => family.restore(stored.name, stored.info)?,
            None => (stored.name, stored.info, super::source::Layout::Contiguous),
        };
        let entry = Entry { info, block: Block::plain(buffer, range), layout };
        if named.insert(name.clone(), entry).is_some() {
            return Err(FormatError::Duplicate(name));
        }
    }
    Ok((named, metadata))
}

/// A model that was cut into several files has its tensors elsewhere.
fn refuse_part(metadata: &GgufMetadata) -> Result<(), FormatError> {
    let parts = metadata.u64("split.count").unwrap_or(0);
    if parts < 2 {
        return Ok(());
    }
    let number = metadata.u64("split.no").unwrap_or(0).saturating_add(1);
    Err(FormatError::NotWeights {
        found: format!("part {number} of {parts} of a GGUF model"),
        advice: "join the parts with `llama-gguf-split --merge` first".into(),
    })
}

fn read_tensor(reader: &mut Reader) -> Result<Stored, FormatError> {
    let name = reader.string("a tensor's name")?.into_owned();
    let dimensions = u64::from(reader.u32("a tensor's number of dimensions")?);
    if dimensions > MAX_DIMENSIONS {
        let part = format!("the number of dimensions of `{name}`");
        return Err(FormatError::Limit { part, actual: dimensions, limit: MAX_DIMENSIONS });
    }
    let mut shape = (0..dimensions).map(|_| reader.u64("a tensor's shape")).collect::<Result<Vec<u64>, _>>()?;
    shape.reverse();
    let kind = reader.u32("a tensor's type")?;
    let offset = reader.u64("a tensor's offset")?;
    let stored = stored_type(kind).ok_or_else(|| {
        let found = type_name(kind).map_or_else(|| format!("GGML type {kind}"), |name| format!("{name} (type {kind})"));
        FormatError::StoredType { name: name.clone(), found, supported: SUPPORTED }
    })?;
    let absurd = || FormatError::Shape { name: name.clone(), shape: shape.clone() };
    let elements = shape.iter().try_fold(1usize, |product, n| product.checked_mul(usize::try_from(*n).ok()?));
    let elements = elements.filter(|n| isize::try_from(n.saturating_mul(4)).is_ok()).ok_or_else(absurd)?;
    let row = shape.last().copied().unwrap_or(1);
    if row % stored.block_elements() as u64 != 0 {
        let cause = format!("rows of {row} elements in `{name}` do not fill blocks of {stored}");
        return Err(FormatError::Header(cause));
    }
    let bytes = stored.bytes_for(elements).ok_or_else(absurd)?;
    let shape = shape.into_iter().map(|n| n as usize).collect();
    Ok(Stored { name, info: TensorInfo { shape, stored }, offset, bytes })
}

/// Where each tensor lies in the file, after checks that it lies there wholly, aligned and alone. Sorts `directory`.
fn place(directory: &mut [Stored], start: u64, alignment: u64, file: u64) -> Result<Vec<Range<usize>>, FormatError> {
    directory.sort_by(|a, b| (a.offset, &a.name).cmp(&(b.offset, &b.name)));
    for tensor in &*directory {
        let (expected, name) = (tensor.bytes as u64, &tensor.name);
        if tensor.offset % alignment != 0 {
            let cause = format!("tensor `{name}` is not aligned to {alignment} bytes");
            return Err(FormatError::Header(cause));
        }
        let actual = file.saturating_sub(start.saturating_add(tensor.offset));
        if expected > actual {
            return Err(FormatError::Truncated { part: format!("tensor `{name}`"), expected, actual });
        }
    }
    for pair in directory.windows(2) {
        // Empty tensors share their offset with whoever comes next, without harm.
        if pair[0].offset + pair[0].bytes as u64 > pair[1].offset && pair[1].bytes > 0 {
            return Err(FormatError::Overlap { first: pair[0].name.clone(), second: pair[1].name.clone() });
        }
    }
    let range = |tensor: &Stored| {
        let start = (start + tensor.offset) as usize;
        if tensor.bytes == 0 { 0..0 } else { start..start + tensor.bytes }
    };
    Ok(directory.iter().map(range).collect())
}

fn stored_type(kind: u32) -> Option<StoredType> {
    Some(match kind {
        0 => StoredType::F32,
        1 => StoredType::F16,
        2 => StoredType::Q4_0,
        3 => StoredType::Q4_1,
        6 => StoredType::Q5_0,
        7 => StoredType::Q5_1,
        8 => StoredType::Q8_0,
        12 => StoredType::Q4K,
        13 => StoredType::Q5K,
        14 => StoredType::Q6K,
        30 => StoredType::BF16,
        _ => return None,
    })
}

/// The name of a type that exists, but is not decoded here.
fn type_name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        _ => return None,
    })
}
