//! From the object that a pickle left to tensors with names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::machine::Outcome;
use super::values::{Id, Storage, Tensor, Value, Values};
use crate::weights::error::FormatError;
use crate::weights::source::{Block, Data, Entry, Layout};
use crate::weights::{StoredType, TensorInfo};

/// How deep dictionaries may be nested.
const MAX_DEPTH: usize = 16;
/// How many values are looked at while searching for tensors.
const MAX_VISITS: usize = 4_000_000;
/// Names may not take more than this multiple of the file's size: shared dictionaries have many paths to one tensor.
const MAX_NAMES: usize = 16;
/// A view may repeat elements (`expand`), but not beyond this multiple of the file's size.
const MAX_EXPANSION: usize = 16;

/// Where training scripts put the model's own tensors, if these are not the whole file. In order of preference.
const WRAPPERS: [&str; 6] = ["state_dict", "model_state_dict", "model", "net", "module", "params"];

/// The bytes of a storage, or why it has none.
pub(super) type FindStorage<'f> = dyn FnMut(&Storage, usize) -> Result<(Data, usize), FormatError> + 'f;

/// Names every tensor in the object by its path of keys. Of a training checkpoint, only the model's part is taken; the
/// prefix `module.`, which data-parallel training leaves on every name, is dropped.
///
/// `find` gets a storage and the bytes per element of its first tensor, and returns where its bytes begin. `file` is
/// the file's size.
pub(super) fn tensors(
    outcome: &Outcome,
    file: usize,
    find: &mut FindStorage,
) -> Result<BTreeMap<String, Entry>, FormatError> {
    let values = &outcome.values;
    let root = unwrap(values, outcome.root);
    let mut walk = Walk { values, found: BTreeMap::new(), visits: 0, name_bytes: 0, file };
    walk.visit(root, String::new(), 0)?;
    let mut found = walk.found;
    if !found.is_empty() && found.keys().all(|name| name.starts_with("module.")) {
        found = found.into_iter().map(|(name, tensor)| (name["module.".len()..].to_owned(), tensor)).collect();
    }
    let mut storages: HashMap<Id, (Data, usize)> = HashMap::new();
    let mut entries = BTreeMap::new();
    for (name, tensor) in found {
        let Value::Storage(storage) = values.get(tensor.storage) else {
            return Err(FormatError::Header(format!("tensor `{name}` has no storage")));
        };
        let (data, start) = match storages.get(&tensor.storage) {
            Some(found) => found.clone(),
            None => {
                let size = storage.stored.map_or(1, StoredType::block_bytes);
                let found = find(storage, size)?;
                storages.insert(tensor.storage, found.clone());
                found
            }
        };
        let entry = entry(&name, tensor, storage, data, start, file)?;
        entries.insert(name, entry);
    }
    Ok(entries)
}

/// The part of a checkpoint that holds the model.
fn unwrap(values: &Values, root: Id) -> Id {
    let Value::Dict(entries) = values.get(root) else { return root };
    if entries.iter().any(|(_, value)| matches!(values.get(*value), Value::Tensor(_))) {
        return root;
    }
    let under = |wrapper: &str| {
        let mut matching = entries.iter().filter(|(key, _)| values.text(*key) == Some(wrapper));
        matching.next_back().map(|(_, value)| *value).filter(|value| matches!(values.get(*value), Value::Dict(_)))
    };
    WRAPPERS.iter().find_map(|wrapper| under(wrapper)).unwrap_or(root)
}

struct Walk<'v, 'a> {
    values: &'v Values<'a>,
    found: BTreeMap<String, &'v Tensor>,
    visits: usize,
    name_bytes: usize,
    file: usize,
}

impl Walk<'_, '_> {
    fn visit(&mut self, id: Id, path: String, depth: usize) -> Result<(), FormatError> {
        let limit = |part: &str, limit: usize| {
            let (actual, limit) = (limit as u64 + 1, limit as u64);
            FormatError::Limit { part: part.into(), actual, limit }
        };
        self.visits += 1;
        if self.visits > MAX_VISITS {
            return Err(limit("the number of values", MAX_VISITS));
        }
        self.name_bytes = self.name_bytes.saturating_add(path.len());
        let most = self.file.saturating_mul(MAX_NAMES);
        if self.name_bytes > most {
            return Err(limit("the length of all names", most));
        }
        if depth > MAX_DEPTH {
            return Err(limit("the depth of nested dictionaries", MAX_DEPTH));
        }
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match self.values.get(id) {
            Value::Tensor(tensor) => {
                let name = if path.is_empty() { "tensor".to_owned() } else { path };
                self.found.insert(name, tensor);
            }
            Value::Dict(entries) => {
                for (key, value) in entries {
                    let key = match self.values.get(*key) {
                        Value::Text(text) => join(text),
                        Value::Int(number) => join(&number.to_string()),
                        _ => continue,
                    };
                    // Scalars and the like need no visit, and no name.
                    if self.may_hold_tensors(*value) {
                        self.visit(*value, key, depth + 1)?;
                    }
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                for (index, item) in items.iter().enumerate() {
                    if self.may_hold_tensors(*item) {
                        self.visit(*item, join(&index.to_string()), depth + 1)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn may_hold_tensors(&self, id: Id) -> bool {
        matches!(self.values.get(id), Value::Tensor(_) | Value::Dict(_) | Value::List(_) | Value::Tuple(_))
    }
}

/// Checks a tensor against its storage, whose bytes begin at `start` of `data`.
fn entry(
    name: &str,
    tensor: &Tensor,
    storage: &Storage,
    data: Data,
    start: usize,
    file: usize,
) -> Result<Entry, FormatError> {
    let size = tensor.stored.block_bytes();
    let shape_of = |shape: &[usize]| shape.iter().map(|n| *n as u64).collect();
    let absurd = || FormatError::Shape { name: name.to_owned(), shape: shape_of(&tensor.shape) };
    let elements = tensor.shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n)).ok_or_else(absurd)?;
    if elements > file.saturating_mul(MAX_EXPANSION) {
        return Err(absurd());
    }
    let storage_bytes = storage.elements.checked_mul(storage.stored.map_or(1, StoredType::block_bytes));
    let storage_bytes = storage_bytes.ok_or_else(absurd)?;
    let info = TensorInfo { shape: tensor.shape.clone(), stored: tensor.stored };
    if elements == 0 {
        return Ok(Entry { info, block: Block { data, range: start..start }, layout: Layout::Contiguous });
    }
    let steps = tensor.shape.iter().zip(&tensor.strides);
    let last = steps.clone().try_fold(tensor.offset, |at, (n, stride)| at.checked_add((n - 1).checked_mul(*stride)?));
    let end = last.and_then(|last| last.checked_add(1)?.checked_mul(size)).ok_or_else(absurd)?;
    if end > storage_bytes {
        let shape = tensor.shape.clone();
        let (expected, actual) = (end as u64, storage_bytes as u64);
        return Err(FormatError::Size { name: name.to_owned(), shape, expected, actual });
    }
    if contiguous(&tensor.shape, &tensor.strides) {
        let start = start + tensor.offset * size;
        let block = Block { data, range: start..start + elements * size };
        return Ok(Entry { info, block, layout: Layout::Contiguous });
    }
    let layout = Layout::Strided { offset: tensor.offset, strides: tensor.strides.clone() };
    Ok(Entry { info, block: Block { data, range: start..start + storage_bytes }, layout })
}

/// Whether elements follow each other in row-major order. Axes of length one may have any stride.
fn contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    shape.iter().zip(strides).rev().all(|(n, stride)| {
        let fits = *n == 1 || *stride == expected;
        expected = expected.saturating_mul(*n);
        fits
    })
}

/// Storage bytes in the file as they are.
pub(super) fn plain(buffer: &crate::weights::source::Buffer, start: usize) -> (Data, usize) {
    (Data::Plain(buffer.clone()), start)
}

/// Storage bytes in a deflated entry of an archive.
pub(super) fn deflated(deflated: crate::weights::source::Deflated) -> (Data, usize) {
    (Data::Deflated(Arc::new(deflated)), 0)
}
