//! Safetensors: one file, or shards with an index.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};
use serde::Deserialize;

use super::error::{FormatError, WeightsError};
use super::source::{Block, Buffer, Entry, Layout};
use super::{StoredType, TensorInfo};

/// The longest header accepted, in bytes. The format's own limit.
const MAX_HEADER: u64 = 100_000_000;

const SUPPORTED: &str = "F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL";

/// Reads the header of a safetensors file.
pub(crate) fn parse(buffer: &Buffer) -> Result<BTreeMap<String, Entry>, FormatError> {
    let bytes = buffer.bytes();
    let file = bytes.len() as u64;
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(FormatError::Truncated { part: "the header's length".into(), expected: 8, actual: file });
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(FormatError::Limit { part: "the header's length".into(), actual: length, limit: MAX_HEADER });
    }
    let Some(header) = rest.get(..length as usize) else {
        return Err(FormatError::Truncated { part: "the header".into(), expected: length, actual: rest.len() as u64 });
    };
    let available = (rest.len() - header.len()) as u64;
    // `SafeTensors::read_metadata` would do the same and then add the end of the data to the header's length, which
    // overflows for a file that lies. Deserialising checks shapes, sizes, overlaps and gaps.
    let metadata: Metadata = serde_json::from_slice(header).map_err(|e| explain(&e.to_string(), header, available))?;
    let tensors = metadata.tensors();
    let end = tensors.values().map(|info| info.data_offsets.1 as u64).max().unwrap_or(0);
    if end != available {
        return Err(explain("the tensors do not fill the file", header, available));
    }
    let start = 8 + header.len();
    tensors
        .into_iter()
        .map(|(name, info)| {
            let stored = stored_type(info.dtype).ok_or_else(|| FormatError::StoredType {
                name: name.clone(),
                found: format!("{:?}", info.dtype),
                supported: SUPPORTED,
            })?;
            let range = start + info.data_offsets.0..start + info.data_offsets.1;
            let info = TensorInfo { shape: info.shape.clone(), stored };
            Ok((name, Entry { info, block: Block::plain(buffer, range), layout: Layout::Contiguous }))
        })
        .collect()
}

fn stored_type(dtype: Dtype) -> Option<StoredType> {
    Some(match dtype {
        Dtype::F64 => StoredType::F64,
        Dtype::F32 => StoredType::F32,
        Dtype::F16 => StoredType::F16,
        Dtype::BF16 => StoredType::BF16,
        Dtype::I64 => StoredType::I64,
        Dtype::I32 => StoredType::I32,
        Dtype::I16 => StoredType::I16,
        Dtype::I8 => StoredType::I8,
        Dtype::U8 => StoredType::U8,
        Dtype::BOOL => StoredType::Bool,
        _ => return None,
    })
}

/// What the header says of a tensor, read a second time only to say which tensor is at fault.
#[derive(Deserialize)]
struct Claim {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Puts the finding of the safetensors crate into a sentence that names the tensor at fault.
fn explain(cause: &str, header: &[u8], available: u64) -> FormatError {
    let Ok(mut all) = serde_json::from_slice::<HashMap<String, serde_json::Value>>(header) else {
        return FormatError::Header(cause.to_owned());
    };
    all.remove("__metadata__");
    let mut claims = Vec::new();
    for (name, value) in all {
        match Claim::deserialize(&value) {
            Ok(claim) => claims.push((name, claim)),
            Err(cause) => return FormatError::Header(format!("tensor `{name}`: {cause}")),
        }
    }
    claims.sort_by(|a, b| (a.1.data_offsets, &a.0).cmp(&(b.1.data_offsets, &b.0)));
    for (name, claim) in &claims {
        let elements = claim.shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
        let Some(bits) = elements.and_then(|n| n.checked_mul(claim.dtype.bitsize() as u64)) else {
            return FormatError::Shape { name: name.clone(), shape: claim.shape.clone() };
        };
        let (start, end) = claim.data_offsets;
        let shape = claim.shape.iter().map(|n| *n as usize).collect();
        match end.checked_sub(start) {
            Some(actual) if actual == bits / 8 => {}
            Some(actual) => return FormatError::Size { name: name.clone(), shape, expected: bits / 8, actual },
            None => return FormatError::Header(format!("tensor `{name}` ends before it starts")),
        }
    }
    if let Some((name, claim)) = claims.first()
        && claim.data_offsets.0 != 0
    {
        return FormatError::Header(format!("the first tensor, `{name}`, starts at byte {}", claim.data_offsets.0));
    }
    for pair in claims.windows(2) {
        if pair[0].1.data_offsets.1 != pair[1].1.data_offsets.0 {
            return FormatError::Overlap { first: pair[0].0.clone(), second: pair[1].0.clone() };
        }
    }
    match claims.last() {
        Some((_, last)) if last.data_offsets.1 > available => {
            FormatError::Truncated { part: "the tensors".into(), expected: last.data_offsets.1, actual: available }
        }
        Some((_, last)) if last.data_offsets.1 < available => FormatError::Header(format!(
            "the file is {} bytes longer than its tensors",
            available - last.data_offsets.1
        )),
        _ => FormatError::Header(cause.to_owned()),
    }
}

/// The index of a sharded model.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Which shard, by plain file name, holds which tensors.
pub(crate) fn parse_index(bytes: &[u8]) -> Result<BTreeMap<String, Vec<String>>, FormatError> {
    if bytes.len() as u64 > MAX_HEADER {
        let (part, actual) = ("the index's length".to_owned(), bytes.len() as u64);
        return Err(FormatError::Limit { part, actual, limit: MAX_HEADER });
    }
    let index: Index = serde_json::from_slice(bytes).map_err(|cause| {
        let advice = format!("as the index of a sharded model it should have a `weight_map` ({cause})");
        FormatError::NotWeights { found: "a JSON file".into(), advice }
    })?;
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, shard) in index.weight_map {
        let plain = !shard.is_empty() && !shard.contains(['/', '\\', ':', '\0']) && shard != "." && shard != "..";
        if !plain {
            return Err(FormatError::ShardName(shard));
        }
        shards.entry(shard).or_default().push(tensor);
    }
    if shards.is_empty() {
        return Err(FormatError::NoTensors);
    }
    Ok(shards)
}

/// Maps the shard `name` beside `index`.
pub(crate) fn open_shard(index: &Path, name: &str) -> Result<(std::path::PathBuf, Buffer), WeightsError> {
    let path = index.parent().unwrap_or(Path::new("")).join(name);
    if !path.exists() {
        let fault = FormatError::MissingShard(name.to_owned());
        return Err(WeightsError::File { path: index.to_owned(), fault });
    }
    let buffer = Buffer::map(&path)?;
    Ok((path, buffer))
}
