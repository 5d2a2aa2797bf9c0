//! Reads little-endian values off a slice, never past its end.

use std::borrow::Cow;
use std::ops::Range;

use crate::weights::error::FormatError;

/// A position in a file.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    /// Steps over `length` bytes; returns where they are.
    pub(crate) fn skip(&mut self, length: u64, part: &str) -> Result<Range<usize>, FormatError> {
        if length > self.left() {
            return Err(FormatError::Truncated { part: part.to_owned(), expected: length, actual: self.left() });
        }
        let start = self.at;
        self.at += length as usize;
        Ok(start..self.at)
    }

    pub(crate) fn take<const N: usize>(&mut self, part: &str) -> Result<[u8; N], FormatError> {
        let range = self.skip(N as u64, part)?;
        let mut taken = [0; N];
        taken.copy_from_slice(&self.bytes[range]);
        Ok(taken)
    }

    pub(crate) fn u32(&mut self, part: &str) -> Result<u32, FormatError> {
        self.take(part).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, part: &str) -> Result<u64, FormatError> {
        self.take(part).map(u64::from_le_bytes)
    }

    /// A number of things that take at least `least` bytes each, so that it can be trusted with an allocation.
    pub(crate) fn count(&mut self, part: &str, limit: u64, least: u64) -> Result<usize, FormatError> {
        let count = self.u64(part)?;
        if count > limit {
            return Err(FormatError::Limit { part: part.to_owned(), actual: count, limit });
        }
        let expected = count * least;
        if expected > self.left() {
            return Err(FormatError::Truncated { part: part.to_owned(), expected, actual: self.left() });
        }
        Ok(count as usize)
    }

    /// A string with its length before it. Bytes that are not UTF-8 become replacement characters.
    pub(crate) fn string(&mut self, part: &str) -> Result<Cow<'a, str>, FormatError> {
        let length = self.u64(part)?;
        let range = self.skip(length, part)?;
        Ok(String::from_utf8_lossy(&self.bytes[range]))
    }
}
