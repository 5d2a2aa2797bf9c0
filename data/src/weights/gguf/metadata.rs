//! The key/value part of a GGUF file.

use std::collections::BTreeMap;
use std::ops::Range;

use super::reader::Reader;
use crate::weights::error::FormatError;
use crate::weights::source::Buffer;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum GgufValue {
    /// Any unsigned integer.
    Unsigned(u64),
    /// Any signed integer.
    Signed(i64),
    /// Either float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    String(String),
    /// An array of this many elements; [`GgufMetadata::strings`] and its like read it.
    Array(usize),
}

/// The type of a value, as the file numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    fn read(reader: &mut Reader) -> Result<Kind, FormatError> {
        use Kind::*;
        const ALL: [Kind; 13] = [U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64];
        let number = reader.u32("the type of a metadata value")?;
        let kind = ALL.get(number as usize).copied();
        kind.ok_or_else(|| FormatError::Header(format!("{number} is not a type of metadata value")))
    }

    /// Bytes per value; `None` where it varies.
    fn size(self) -> Option<u64> {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => Some(1),
            Kind::U16 | Kind::I16 => Some(2),
            Kind::U32 | Kind::I32 | Kind::F32 => Some(4),
            Kind::U64 | Kind::I64 | Kind::F64 => Some(8),
            Kind::String | Kind::Array => None,
        }
    }

    fn read_value(self, reader: &mut Reader) -> Result<GgufValue, FormatError> {
        let part = "a metadata value";
        Ok(match self {
            Kind::U8 => GgufValue::Unsigned(u64::from(u8::from_le_bytes(reader.take(part)?))),
            Kind::U16 => GgufValue::Unsigned(u64::from(u16::from_le_bytes(reader.take(part)?))),
            Kind::U32 => GgufValue::Unsigned(u64::from(reader.u32(part)?)),
            Kind::U64 => GgufValue::Unsigned(reader.u64(part)?),
            Kind::I8 => GgufValue::Signed(i64::from(i8::from_le_bytes(reader.take(part)?))),
            Kind::I16 => GgufValue::Signed(i64::from(i16::from_le_bytes(reader.take(part)?))),
            Kind::I32 => GgufValue::Signed(i64::from(i32::from_le_bytes(reader.take(part)?))),
            Kind::I64 => GgufValue::Signed(i64::from_le_bytes(reader.take(part)?)),
            Kind::F32 => GgufValue::Float(f64::from(f32::from_le_bytes(reader.take(part)?))),
            Kind::F64 => GgufValue::Float(f64::from_le_bytes(reader.take(part)?)),
            Kind::Bool => GgufValue::Bool(reader.take::<1>(part)? != [0]),
            Kind::String => GgufValue::String(reader.string(part)?.into_owned()),
            Kind::Array => return Err(FormatError::Header("an array of arrays in the metadata".into())),
        })
    }
}

/// An array that stays in the file until it is asked for: its elements begin at `range.start`.
#[derive(Debug, Clone)]
struct Array {
    kind: Kind,
    length: usize,
    range: Range<usize>,
}

impl Array {
    /// Steps over an array after checks that all of it is there.
    fn read(reader: &mut Reader) -> Result<Array, FormatError> {
        let part = "a metadata array";
        let kind = Kind::read(reader)?;
        // A string takes at least its length field.
        let length = reader.count(part, u64::MAX >> 4, kind.size().unwrap_or(8))?;
        let start = reader.position();
        match (kind, kind.size()) {
            (_, Some(size)) => _ = reader.skip(length as u64 * size, part)?,
            (Kind::String, None) => {
                for _ in 0..length {
                    let bytes = reader.u64(part)?;
                    reader.skip(bytes, part)?;
                }
            }
            _ => return Err(FormatError::Header("an array of arrays in the metadata".into())),
        }
        Ok(Array { kind, length, range: start..reader.position() })
    }
}

/// The metadata of a GGUF file: what the model is, its sizes, its tokenizer.
///
/// Single values are read at once; long arrays such as the vocabulary stay in the file until they are asked for.
#[derive(Clone)]
pub struct GgufMetadata {
    values: BTreeMap<String, GgufValue>,
    arrays: BTreeMap<String, Array>,
    buffer: Buffer,
}

impl std::fmt::Debug for GgufMetadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(&self.values).finish()
    }
}

impl GgufMetadata {
    pub(crate) fn read(reader: &mut Reader, buffer: &Buffer, entries: usize) -> Result<GgufMetadata, FormatError> {
        let (mut values, mut arrays) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..entries {
            let key = reader.string("a metadata key")?.into_owned();
            let value = match Kind::read(reader)? {
                Kind::Array => {
                    let array = Array::read(reader)?;
                    let length = array.length;
                    arrays.insert(key.clone(), array);
                    GgufValue::Array(length)
                }
                kind => kind.read_value(reader)?,
            };
            if values.insert(key.clone(), value).is_some() {
                return Err(FormatError::Header(format!("the metadata has `{key}` twice")));
            }
        }
        Ok(GgufMetadata { values, arrays, buffer: buffer.clone() })
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&GgufValue> {
        self.values.get(key)
    }

    /// The value of `key`, if it is a string.
    pub fn string(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            GgufValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of `key`, if it is an integer and not negative.
    pub fn u64(&self, key: &str) -> Option<u64> {
        match self.get(key)? {
            GgufValue::Unsigned(value) => Some(*value),
            GgufValue::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The value of `key`, if it is a number.
    pub fn f64(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            GgufValue::Float(value) => Some(*value),
            GgufValue::Unsigned(value) => Some(*value as f64),
            GgufValue::Signed(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The value of `key`, if it is a truth value.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            GgufValue::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of `key`, if it is an array of strings.
    pub fn strings(&self, key: &str) -> Option<Vec<String>> {
        self.elements(key, |value| match value {
            GgufValue::String(text) => Some(text),
            _ => None,
        })
    }

    /// The elements of `key`, if it is an array of floats.
    pub fn f32s(&self, key: &str) -> Option<Vec<f32>> {
        self.elements(key, |value| match value {
            GgufValue::Float(value) => Some(value as f32),
            _ => None,
        })
    }

    /// The elements of `key`, if it is an array of integers that fit.
    pub fn i32s(&self, key: &str) -> Option<Vec<i32>> {
        self.elements(key, |value| match value {
            GgufValue::Unsigned(value) => i32::try_from(value).ok(),
            GgufValue::Signed(value) => i32::try_from(value).ok(),
            _ => None,
        })
    }

    /// The elements of `key`, if it is an array of truth values.
    pub fn bools(&self, key: &str) -> Option<Vec<bool>> {
        self.elements(key, |value| match value {
            GgufValue::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// The number of elements of `key`, if it is an array.
    pub fn len_of(&self, key: &str) -> Option<usize> {
        match self.get(key)? {
            GgufValue::Array(length) => Some(*length),
            _ => None,
        }
    }

    fn elements<T>(&self, key: &str, convert: impl Fn(GgufValue) -> Option<T>) -> Option<Vec<T>> {
        let array = self.arrays.get(key)?;
        let mut reader = Reader::new(&self.buffer.bytes()[..array.range.end], array.range.start);
        let mut elements = Vec::with_capacity(array.length);
        for _ in 0..array.length {
            elements.push(convert(array.kind.read_value(&mut reader).ok()?)?);
        }
        Some(elements)
    }
}
