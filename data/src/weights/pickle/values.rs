//! What a pickle builds. Values live in one list and refer to each other by number, so that no pickle, however deep or
//! circular, can make the program recurse.

use super::globals::Global;
use crate::weights::StoredType;

/// The number of a value.
pub(super) type Id = u32;

/// The most dimensions a tensor may have; PyTorch's own limit.
const MAX_DIMENSIONS: usize = 64;

/// A value of a pickle over the bytes `'a`.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i128),
    /// A number, a byte string or something else whose value nobody needs.
    Opaque,
    Text(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Box<Storage<'a>>),
    Tensor(Box<Tensor>),
}

/// A reference to the raw bytes of tensors.
#[derive(Debug, Clone)]
pub(super) struct Storage<'a> {
    /// Its key in the file.
    pub(super) key: &'a str,
    /// What it holds; `None` for untyped bytes.
    pub(super) stored: Option<StoredType>,
    /// The number of elements (bytes, if untyped).
    pub(super) elements: usize,
}

/// A view of a storage.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    /// The number of the storage's value.
    pub(super) storage: Id,
    pub(super) stored: StoredType,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    all: Vec<Value<'a>>,
}

impl<'a> Values<'a> {
    /// Adds a value; `None` when there are too many.
    pub(super) fn add(&mut self, value: Value<'a>) -> Option<Id> {
        let id = Id::try_from(self.all.len()).ok()?;
        self.all.push(value);
        Some(id)
    }

    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.all[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.all[id as usize]
    }

    /// The elements of a tuple or a list.
    pub(super) fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// A number that is not negative.
    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Value::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Every storage that was mentioned.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage<'a>> {
        self.all.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(&**storage),
            _ => None,
        })
    }

    /// A shape or a list of strides.
    pub(super) fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        let items = self.sequence(id)?;
        if items.len() > MAX_DIMENSIONS {
            return None;
        }
        items.iter().map(|item| self.size(*item)).collect()
    }
}
