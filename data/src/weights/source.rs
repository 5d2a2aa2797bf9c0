//! Where the bytes of a tensor come from and how they are laid out there.

use std::io::{Cursor, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::error::{FormatError, WeightsError};
use super::stored::{decode, decode_integers, decode_parallel};
use super::{StoredType, TensorInfo};

/// The bytes of a whole file: mapped, or in memory. Shared by the tensors in it.
#[derive(Clone)]
pub(crate) struct Buffer(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Buffer {
    /// Maps `path` into memory.
    pub(crate) fn map(path: &Path) -> Result<Buffer, WeightsError> {
        let io = |cause| WeightsError::Io { path: path.to_owned(), cause };
        let file = std::fs::File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        let fault = if metadata.is_dir() {
            Some(FormatError::NotWeights {
                found: "a folder".into(),
                advice: "give one of the files in it, such as `model.safetensors`".into(),
            })
        } else if metadata.len() == 0 {
            Some(FormatError::Empty)
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(WeightsError::File { path: path.to_owned(), fault });
        }
        // SAFETY: the map is only read. Another program that cuts the file short meanwhile would end this one with a
        // bus error, as with every memory-mapped file; nothing here can prevent that short of copying whole models.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
        Ok(Buffer(Arc::new(map)))
    }

    /// Bytes that are in memory already.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> Buffer {
        Buffer(Arc::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref().as_ref()
    }
}

/// A deflated entry of a ZIP archive, inflated when it is first read.
pub(crate) struct Deflated {
    buffer: Buffer,
    entry: usize,
    size: usize,
    inflated: OnceLock<Vec<u8>>,
}

impl Deflated {
    /// Entry number `entry` of the archive in `buffer`, `size` bytes when inflated. The caller has bounded `size`.
    pub(crate) fn new(buffer: Buffer, entry: usize, size: usize) -> Deflated {
        Deflated { buffer, entry, size, inflated: OnceLock::new() }
    }

    pub(crate) fn bytes(&self) -> Result<&[u8], FormatError> {
        if self.inflated.get().is_none() {
            let zip = |e: zip::result::ZipError| FormatError::Zip(e.to_string());
            let mut archive = zip::ZipArchive::new(Cursor::new(self.buffer.bytes())).map_err(zip)?;
            let mut inflated = Vec::new();
            let entry = archive.by_index(self.entry).map_err(zip)?;
            let read = entry.take(self.size as u64 + 1).read_to_end(&mut inflated);
            read.map_err(|e| FormatError::Zip(e.to_string()))?;
            if inflated.len() != self.size {
                let actual = inflated.len() as u64;
                return Err(FormatError::Truncated { part: "a storage".into(), expected: self.size as u64, actual });
            }
            // Another thread may have been faster; both inflated the same bytes.
            let _ = self.inflated.set(inflated);
        }
        self.inflated.get().map(Vec::as_slice).ok_or_else(|| FormatError::Zip("an entry was not inflated".into()))
    }
}

/// Where the bytes are.
#[derive(Clone)]
pub(crate) enum Data {
    /// In the file as they are.
    Plain(Buffer),
    /// Compressed.
    Deflated(Arc<Deflated>),
}

/// A range of bytes: a tensor's, or those of the storage that it is a view of.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) data: Data,
    pub(crate) range: Range<usize>,
}

impl Block {
    pub(crate) fn plain(buffer: &Buffer, range: Range<usize>) -> Block {
        Block { data: Data::Plain(buffer.clone()), range }
    }

    fn bytes(&self) -> Result<&[u8], FormatError> {
        let all = match &self.data {
            Data::Plain(buffer) => buffer.bytes(),
            Data::Deflated(deflated) => deflated.bytes()?,
        };
        let available = all.len().saturating_sub(self.range.start) as u64;
        let (part, expected) = ("a tensor".to_owned(), self.range.len() as u64);
        all.get(self.range.clone()).ok_or(FormatError::Truncated { part, expected, actual: available })
    }
}

/// In which order a converter to GGUF left the rows of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// Each head's two halves were interleaved for rotary embeddings on neighbouring pairs.
    Interleaved { heads: usize },
    /// Query, key and value rows of each head were sorted into all queries, all keys, all values.
    SplitQkv { heads: usize },
}

impl RowOrder {
    /// The multiple of which a number of rows must be.
    pub(crate) fn divisor(self) -> usize {
        match self {
            RowOrder::Interleaved { heads } => heads.saturating_mul(2),
            RowOrder::SplitQkv { heads } => heads.saturating_mul(3),
        }
    }

    /// The row of the file that holds the hub's row `row` of `rows`.
    fn stored_row(self, row: usize, rows: usize) -> usize {
        match self {
            RowOrder::Interleaved { heads } => {
                let size = rows / heads;
                let (head, within) = (row / size, row % size);
                head * size + within % (size / 2) * 2 + within / (size / 2)
            }
            RowOrder::SplitQkv { heads } => {
                let size = rows / heads / 3;
                let (head, part, within) = (row / (size * 3), row / size % 3, row % size);
                (part * heads + head) * size + within
            }
        }
    }
}

/// How the elements lie in their bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Layout {
    /// Row by row, nothing else between.
    Contiguous,
    /// Contiguous, with the rows in another order.
    Rows(RowOrder),
    /// Contiguous, with the axes of the matrix swapped.
    Transposed,
    /// Contiguous, with one added to every element; reading takes it away again.
    OneAdded,
    /// A view of a storage: element `i, j, …` is number `offset + i * strides[0] + j * strides[1] + …` of it.
    Strided { offset: usize, strides: Vec<usize> },
}

/// A tensor of a file: what it is, and how to get at it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) info: TensorInfo,
    pub(crate) block: Block,
    pub(crate) layout: Layout,
}

impl Entry {
    /// Decodes all elements. `out` has exactly as many as the tensor.
    pub(crate) fn read_f32(&self, out: &mut [f32]) -> Result<(), FormatError> {
        let bytes = self.block.bytes()?;
        let stored = self.info.stored;
        if out.is_empty() {
            return Ok(());
        }
        match &self.layout {
            Layout::Contiguous => decode_parallel(stored, bytes, out),
            Layout::OneAdded => {
                decode_parallel(stored, bytes, out);
                out.iter_mut().for_each(|value| *value -= 1.0);
            }
            Layout::Rows(order) => {
                let rows = self.info.shape[0];
                let row_bytes = bytes.len() / rows;
                let read_row = |(row, out): (usize, &mut [f32])| {
                    let start = order.stored_row(row, rows) * row_bytes;
                    decode(stored, &bytes[start..start + row_bytes], out);
                };
                out.par_chunks_mut(out.len() / rows).with_min_len(16).enumerate().for_each(read_row);
            }
            Layout::Transposed => {
                let (rows, columns) = (self.info.shape[0], self.info.shape[1]);
                let mut stored_order = vec![0f32; out.len()];
                decode_parallel(stored, bytes, &mut stored_order);
                out.par_chunks_mut(columns).with_min_len(16).enumerate().for_each(|(row, out)| {
                    out.iter_mut().zip(stored_order[row..].iter().step_by(rows)).for_each(|(out, value)| *out = *value);
                });
            }
            Layout::Strided { offset, strides } => {
                let gathered = gather(bytes, stored, &self.info.shape, *offset, strides);
                decode_parallel(stored, &gathered, out);
            }
        }
        Ok(())
    }

    /// Decodes all elements of a tensor of integers; `None` if it holds none.
    pub(crate) fn read_i64(&self) -> Result<Option<Vec<i64>>, FormatError> {
        if !self.info.stored.is_integer() {
            return Ok(None);
        }
        let bytes = self.block.bytes()?;
        let mut out = vec![0i64; self.info.elements()];
        let decoded = match &self.layout {
            Layout::Strided { offset, strides } => {
                let gathered = gather(bytes, self.info.stored, &self.info.shape, *offset, strides);
                decode_integers(self.info.stored, &gathered, &mut out)
            }
            _ => decode_integers(self.info.stored, bytes, &mut out),
        };
        Ok(decoded.map(|()| out))
    }
}

/// The elements of a view one after the other. Whoever made the layout has checked that it stays inside `bytes`.
fn gather(bytes: &[u8], stored: StoredType, shape: &[usize], offset: usize, strides: &[usize]) -> Vec<u8> {
    let size = stored.block_bytes();
    let elements: usize = shape.iter().product();
    let mut gathered = Vec::with_capacity(elements * size);
    let mut index = vec![0usize; shape.len()];
    let mut at = offset;
    for _ in 0..elements {
        gathered.extend_from_slice(&bytes[at * size..(at + 1) * size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotary_rows_go_back() {
        // Two heads of four rows: the converter stores h0: 0 2 1 3 for hub rows 0 1 2 3 read as pairs (0,2), (1,3).
        let order = RowOrder::Interleaved { heads: 2 };
        let rows: Vec<usize> = (0..8).map(|row| order.stored_row(row, 8)).collect();
        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    #[test]
    fn split_heads_are_joined() {
        // Two heads of one row: hub q0 k0 v0 q1 k1 v1, stored q0 q1 k0 k1 v0 v1.
        let order = RowOrder::SplitQkv { heads: 2 };
        let rows: Vec<usize> = (0..6).map(|row| order.stored_row(row, 6)).collect();
        assert_eq!(rows, [0, 2, 4, 1, 3, 5]);
    }

    #[test]
    fn views_are_gathered() {
        let bytes = [0, 1, 2, 3, 4, 5];
        assert_eq!(gather(&bytes, StoredType::U8, &[3, 2], 0, &[1, 3]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(gather(&bytes, StoredType::U8, &[2, 3], 1, &[0, 2]), [1, 3, 5, 1, 3, 5]);
        assert_eq!(gather(&bytes, StoredType::U8, &[], 4, &[]), [4]);
    }
}
