//! The layout of `torch.save` before version 1.6: five pickles (a magic number, a protocol number, the machine, the
//! object, the keys of the storages), then each storage as a count and raw elements.

use std::collections::{BTreeMap, HashMap};

use super::machine::{Outcome, run};
use super::state::{plain, tensors};
use super::values::{Storage, Value};
use crate::weights::StoredType;
use crate::weights::error::FormatError;
use crate::weights::source::{Buffer, Entry};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const PROTOCOL: i128 = 1001;

/// Reads the pickles and finds the storages behind them.
pub(crate) fn parse_legacy(buffer: &Buffer) -> Result<BTreeMap<String, Entry>, FormatError> {
    let bytes = buffer.bytes();
    let magic = run(bytes, 0)?;
    if !matches!(magic.values.get(magic.root), Value::Int(MAGIC)) {
        return Err(FormatError::NotWeights {
            found: "a Python pickle that PyTorch did not write".into(),
            advice: "convert it to safetensors".into(),
        });
    }
    let protocol = run(bytes, magic.end)?;
    match protocol.values.get(protocol.root) {
        Value::Int(PROTOCOL) => {}
        _ => {
            let found = "another one".to_owned();
            return Err(FormatError::Version { format: "the legacy PyTorch layout", found, supported: "1001" });
        }
    }
    let machine = run(bytes, protocol.end)?;
    if little_endian(&machine) == Some(false) {
        let found = "big-endian".to_owned();
        return Err(FormatError::Version { format: "the legacy PyTorch layout", found, supported: "little-endian" });
    }
    let object = run(bytes, machine.end)?;
    let keys = run(bytes, object.end)?;
    let types = storage_types(&object);
    let starts = storage_starts(&keys, &types, bytes)?;
    tensors(&object, bytes.len(), &mut |storage: &Storage, _| match starts.get(storage.key) {
        Some(&(start, elements)) if elements == storage.elements => Ok(plain(buffer, start)),
        Some(&(_, elements)) => Err(FormatError::Header(format!(
            "storage `{}` should have {} elements, but has {elements}",
            storage.key, storage.elements
        ))),
        None => Err(FormatError::Header(format!("storage `{}` is not in the file", storage.key))),
    })
}

fn little_endian(machine: &Outcome) -> Option<bool> {
    let Value::Dict(entries) = machine.values.get(machine.root) else { return None };
    let (_, value) = entries.iter().find(|(key, _)| machine.values.text(*key) == Some("little_endian"))?;
    match machine.values.get(*value) {
        Value::Bool(little) => Some(*little),
        _ => None,
    }
}

/// The element type of each storage that the object mentions.
fn storage_types<'a>(object: &Outcome<'a>) -> HashMap<&'a str, Option<StoredType>> {
    object.values.storages().map(|storage| (storage.key, storage.stored)).collect()
}

/// Where the elements of each storage begin, and how many there are. All lie in the file.
fn storage_starts<'a>(
    keys: &Outcome<'a>,
    types: &HashMap<&str, Option<StoredType>>,
    bytes: &[u8],
) -> Result<HashMap<&'a str, (usize, usize)>, FormatError> {
    let malformed = || FormatError::Header("the list of storages is not one".into());
    let mut starts = HashMap::new();
    let mut at = keys.end;
    for key in keys.values.sequence(keys.root).ok_or_else(malformed)? {
        let key = keys.values.text(*key).ok_or_else(malformed)?;
        let stored = types.get(key).ok_or_else(|| FormatError::Header(format!("nothing uses storage `{key}`")))?;
        let left = &bytes[at..];
        let part = || format!("storage `{key}`");
        let Some((count, rest)) = left.split_first_chunk::<8>() else {
            return Err(FormatError::Truncated { part: part(), expected: 8, actual: left.len() as u64 });
        };
        let count = u64::from_le_bytes(*count);
        let size = stored.map_or(1, StoredType::block_bytes) as u64;
        let expected = count.saturating_mul(size);
        if expected > rest.len() as u64 {
            return Err(FormatError::Truncated { part: part(), expected, actual: rest.len() as u64 });
        }
        starts.insert(key, (at + 8, count as usize));
        at += 8 + expected as usize;
    }
    Ok(starts)
}
