//! The part of Python's pickle machine that builds data: protocols 2 to 5, without the text opcodes of protocol 0.
//!
//! Opcodes as in CPython's `Lib/pickle.py`; what `REDUCE` may do is in [`super::globals`].

use std::collections::HashMap;

use super::globals::Global;
use super::values::{Id, Storage, Tensor, Value, Values};
use crate::weights::error::FormatError;

/// The most instructions a pickle may have. A state dict takes about sixty per tensor.
const MAX_OPCODES: usize = 8_000_000;

/// What ran, where it stopped, and the object it left.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) values: Values<'a>,
    pub(super) root: Id,
    /// The first byte behind the pickle.
    pub(super) end: usize,
}

/// Runs the pickle that begins at `start`.
pub(super) fn run(bytes: &[u8], start: usize) -> Result<Outcome<'_>, FormatError> {
    let mut machine = Machine {
        bytes,
        start,
        at: start,
        values: Values::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        memoized: 0,
        copies_left: bytes.len() - start,
    };
    for _ in 0..MAX_OPCODES {
        if let Some(root) = machine.step()? {
            return Ok(Outcome { values: machine.values, root, end: machine.at });
        }
    }
    let limit = MAX_OPCODES as u64;
    Err(FormatError::Limit { part: "the number of instructions in the pickle".into(), actual: limit + 1, limit })
}

struct Machine<'a> {
    bytes: &'a [u8],
    start: usize,
    at: usize,
    values: Values<'a>,
    stack: Vec<Id>,
    /// Heights of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    memoized: u32,
    /// Values that may still be copied. One instruction can name a long tuple again and again; honest files do not.
    copies_left: usize,
}

impl<'a> Machine<'a> {
    /// Carries out one instruction. Returns the result at the end.
    fn step(&mut self) -> Result<Option<Id>, FormatError> {
        let [opcode] = self.take()?;
        match opcode {
            // PROTO, FRAME: nothing to do.
            0x80 => _ = self.take::<1>()?,
            0x95 => _ = self.take::<8>()?,
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => _ = self.pop()?,
            b'1' => _ = self.pop_mark()?,
            b'2' => {
                let top = self.pop()?;
                self.stack.extend([top, top]);
            }
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => {
                let value = i32::from_le_bytes(self.take()?);
                self.push(Value::Int(value.into()))?;
            }
            b'K' => {
                let [value] = self.take()?;
                self.push(Value::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.take()?);
                self.push(Value::Int(value.into()))?;
            }
            0x8a => {
                let [length] = self.take()?;
                self.long(length.into())?;
            }
            0x8b => {
                let length = u32::from_le_bytes(self.take()?);
                self.long(length.into())?;
            }
            b'G' => {
                self.take::<8>()?;
                self.push(Value::Opaque)?;
            }
            // Text in UTF-8 (X, 0x8c, 0x8d), bytes (B, C, 0x8e, 0x96) and the strings of Python 2 (T, U).
            0x8c | b'C' | b'U' => {
                let [length] = self.take()?;
                self.string(length.into(), opcode)?;
            }
            b'X' | b'B' | b'T' => {
                let length = u32::from_le_bytes(self.take()?);
                self.string(length.into(), opcode)?;
            }
            0x8d | 0x8e | 0x96 => {
                let length = u64::from_le_bytes(self.take()?);
                self.string(length, opcode)?;
            }
            b']' | 0x8f => self.push(Value::List(Vec::new()))?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(Value::List(items))?;
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items))?;
            }
            0x85..=0x87 => {
                let length = usize::from(opcode - 0x84);
                let items = self.pop_many(length)?;
                self.push(Value::Tuple(items))?;
            }
            b'd' => {
                let items = self.pop_mark()?;
                let pairs = self.pairs(&items)?;
                self.push(Value::Dict(pairs))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set_items(&items)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Global::find(module, name)?))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (self.values.text(module), self.values.text(name)) else {
                    return Err(self.malformed("a global without a name"));
                };
                self.push(Value::Global(Global::find(module, name)?))?;
            }
            // REDUCE and NEWOBJ: call with arguments; NEWOBJ_EX has keyword arguments on top.
            b'R' | 0x81 => self.reduce()?,
            0x92 => {
                self.pop()?;
                self.reduce()?;
            }
            b'b' => self.build()?,
            b'Q' => self.persistent()?,
            b'h' => {
                let [index] = self.take()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.take()?);
                self.recall(index)?;
            }
            b'q' => {
                let [index] = self.take()?;
                self.memorise(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.take()?);
                self.memorise(index)?;
            }
            0x94 => self.memorise(self.memoized)?,
            other => return Err(self.malformed(&format!("instruction {other:#04x} is not part of a state dict"))),
        }
        Ok(None)
    }

    fn malformed(&self, cause: &str) -> FormatError {
        FormatError::Pickle { at: self.at - self.start, cause: cause.to_owned() }
    }

    fn slice(&mut self, length: u64) -> Result<&'a [u8], FormatError> {
        let left = &self.bytes[self.at..];
        let slice = usize::try_from(length).ok().and_then(|length| left.get(..length));
        let (part, actual) = ("an instruction of the pickle", left.len() as u64);
        let slice = slice.ok_or_else(|| FormatError::Truncated { part: part.into(), expected: length, actual })?;
        self.at += slice.len();
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N as u64)?);
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a str, FormatError> {
        let length = self.bytes[self.at..].iter().take(4096).position(|byte| *byte == b'\n');
        let length = length.ok_or_else(|| self.malformed("a name without an end"))?;
        let line = self.slice(length as u64)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| self.malformed("a name that is not text"))
    }

    /// Pays for copying `count` values.
    fn charge(&mut self, count: usize) -> Result<(), FormatError> {
        let left = self.copies_left.checked_sub(count);
        self.copies_left = left.ok_or_else(|| self.malformed("the same values are used far too often"))?;
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), FormatError> {
        let id = self.values.add(value).ok_or_else(|| self.malformed("too many values"))?;
        self.stack.push(id);
        Ok(())
    }

    /// The lowest height to which values may be popped: that of the last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, FormatError> {
        if self.stack.len() <= self.floor() {
            return Err(self.malformed("a value is missing"));
        }
        self.stack.pop().ok_or_else(|| self.malformed("a value is missing"))
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, FormatError> {
        if self.stack.len() < self.floor() + count {
            return Err(self.malformed("a value is missing"));
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, FormatError> {
        let height = self.marks.pop().ok_or_else(|| self.malformed("a mark is missing"))?;
        Ok(self.stack.split_off(height))
    }

    fn top(&self) -> Result<Id, FormatError> {
        self.stack.last().copied().ok_or_else(|| self.malformed("a value is missing"))
    }

    /// A little-endian signed integer of any length; larger ones than anybody needs lose their value.
    fn long(&mut self, length: u64) -> Result<(), FormatError> {
        let bytes = self.slice(length)?;
        let value = if bytes.len() > 16 {
            Value::Opaque
        } else {
            let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
            let mut all = [if negative { 0xff } else { 0 }; 16];
            all[..bytes.len()].copy_from_slice(bytes);
            Value::Int(i128::from_le_bytes(all))
        };
        self.push(value)
    }

    fn string(&mut self, length: u64, opcode: u8) -> Result<(), FormatError> {
        let bytes = self.slice(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push(Value::Text(text)),
            Err(_) if matches!(opcode, b'X' | 0x8c | 0x8d) => Err(self.malformed("text that is not UTF-8")),
            Err(_) => self.push(Value::Opaque),
        }
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, FormatError> {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(self.malformed("a key without a value"));
        }
        Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), FormatError> {
        let list = self.top()?;
        match self.values.get_mut(list) {
            Value::List(list) => list.extend_from_slice(items),
            Value::Opaque => {}
            _ => return Err(self.malformed("an element for something that is not a list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), FormatError> {
        let (pairs, dict) = (self.pairs(items)?, self.top()?);
        match self.values.get_mut(dict) {
            Value::Dict(entries) => entries.extend(pairs),
            Value::Opaque => {}
            _ => return Err(self.malformed("an entry for something that is not a dictionary")),
        }
        Ok(())
    }

    fn memorise(&mut self, index: u32) -> Result<(), FormatError> {
        self.memo.insert(index, self.top()?);
        self.memoized = self.memoized.saturating_add(1);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), FormatError> {
        let id = self.memo.get(&index).copied().ok_or_else(|| self.malformed("a memo that was never written"))?;
        self.stack.push(id);
        Ok(())
    }

    /// State for an object. Attributes of dictionaries and tensors are of no use here.
    fn build(&mut self) -> Result<(), FormatError> {
        self.pop()?;
        let object = self.top()?;
        match self.values.get(object) {
            Value::Dict(_) | Value::List(_) | Value::Tensor(_) | Value::Opaque => Ok(()),
            _ => Err(self.malformed("a state for something that has none")),
        }
    }

    fn reduce(&mut self) -> Result<(), FormatError> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Value::Global(global) = *self.values.get(callee) else {
            return Err(self.malformed("a call of something that is not a function"));
        };
        let id = self.call(global, arguments)?;
        self.stack.push(id);
        Ok(())
    }

    fn call(&mut self, mut global: Global, mut arguments: Id) -> Result<Id, FormatError> {
        if global == Global::RebuildFromType {
            // One level: the function inside must be another one.
            let inner = self.values.sequence(arguments).and_then(|items| Some((*items.first()?, *items.get(2)?)));
            let (function, inner) = inner.ok_or_else(|| self.malformed("a tensor without arguments"))?;
            match *self.values.get(function) {
                Value::Global(inner) => global = inner,
                _ => return Err(self.malformed("a call of something that is not a function")),
            }
            arguments = inner;
        }
        let malformed = self.malformed("a call with arguments that do not fit");
        let items = self.values.sequence(arguments).ok_or(malformed)?;
        let value = match global {
            Global::RebuildTensor | Global::RebuildTyped => {
                let tensor = self.tensor(global, items)?;
                self.charge(tensor.shape.len())?;
                Value::Tensor(Box::new(tensor))
            }
            Global::RebuildParameter => {
                let first = items.first().copied();
                let tensor = first.filter(|first| matches!(self.values.get(*first), Value::Tensor(_)));
                return tensor.ok_or_else(|| self.malformed("a parameter without a tensor"));
            }
            Global::Dict => {
                // `OrderedDict([[key, value], …])` is how old versions of Python wrote it.
                let given = items.iter().find_map(|item| match self.values.get(*item) {
                    Value::List(pairs) => Some(pairs.as_slice()),
                    _ => None,
                });
                let pair = |item: &Id| match self.values.sequence(*item) {
                    Some(&[key, value]) => Some((key, value)),
                    _ => None,
                };
                let pairs: Vec<(Id, Id)> = given.unwrap_or_default().iter().filter_map(pair).collect();
                self.charge(pairs.len())?;
                Value::Dict(pairs)
            }
            Global::List => {
                let inner = items.first().and_then(|first| self.values.sequence(*first));
                let inner = inner.unwrap_or_default().to_vec();
                self.charge(inner.len())?;
                Value::List(inner)
            }
            Global::Inert | Global::Storage(_) | Global::Type(_) => Value::Opaque,
            Global::RebuildFromType => return Err(self.malformed("a tensor inside itself")),
        };
        self.values.add(value).ok_or_else(|| self.malformed("too many values"))
    }

    fn tensor(&self, global: Global, items: &[Id]) -> Result<Tensor, FormatError> {
        let malformed = || self.malformed("a tensor with arguments that do not fit");
        let &[storage, offset, shape, strides, ..] = items else {
            return Err(malformed());
        };
        let Value::Storage(kind) = self.values.get(storage) else {
            return Err(malformed());
        };
        let given = match (global, items.get(6).map(|id| self.values.get(*id))) {
            (Global::RebuildTyped, Some(Value::Global(Global::Type(stored)))) => Some(*stored),
            (Global::RebuildTyped, _) => return Err(malformed()),
            _ => kind.stored,
        };
        let stored = given.ok_or_else(|| self.malformed("a tensor over a storage of no type"))?;
        let sizes = |id| self.values.sizes(id).ok_or_else(malformed);
        let (shape, strides) = (sizes(shape)?, sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(malformed());
        }
        let offset = self.values.size(offset).ok_or_else(malformed)?;
        Ok(Tensor { storage, stored, offset, shape, strides })
    }

    /// `("storage", class, key, device, elements)`, in the legacy layout with `view` behind.
    fn persistent(&mut self) -> Result<(), FormatError> {
        let id = self.pop()?;
        let malformed = || self.malformed("a storage that is not described as PyTorch does");
        let Some(&[tag, class, key, _, elements, ref view @ ..]) = self.values.sequence(id) else {
            return Err(malformed());
        };
        let Value::Global(Global::Storage(stored)) = *self.values.get(class) else {
            return Err(malformed());
        };
        if self.values.text(tag) != Some("storage") {
            return Err(malformed());
        }
        if view.iter().any(|view| !matches!(self.values.get(*view), Value::None)) {
            return Err(
                self.malformed("a view of a storage, as PyTorch wrote before version 0.4; save the model again")
            );
        }
        let key = self.values.text(key).ok_or_else(malformed)?;
        let elements = self.values.size(elements).ok_or_else(malformed)?;
        self.push(Value::Storage(Box::new(Storage { key, stored, elements })))
    }
}
