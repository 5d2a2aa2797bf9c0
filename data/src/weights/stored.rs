//! Element types as files store them, and their conversion to `f32`.

use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

use super::gguf::dequant;

/// How the elements of a tensor are stored: plain numbers, or blocks of quantised ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoredType {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// IEEE half precision.
    F16,
    /// Brain float: the upper half of an `f32`.
    BF16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// One byte, zero or not.
    Bool,
    /// 4 bits, blocks of 32 with a scale.
    Q4_0,
    /// 4 bits, blocks of 32 with a scale and a minimum.
    Q4_1,
    /// 5 bits, blocks of 32 with a scale.
    Q5_0,
    /// 5 bits, blocks of 32 with a scale and a minimum.
    Q5_1,
    /// 8 bits, blocks of 32 with a scale.
    Q8_0,
    /// 4 bits, blocks of 256 in 8 groups with 6-bit scales and minima.
    Q4K,
    /// 5 bits, blocks of 256 in 8 groups with 6-bit scales and minima.
    Q5K,
    /// 6 bits, blocks of 256 in 16 groups with 8-bit scales.
    Q6K,
}

impl StoredType {
    /// Elements per block: 1 for plain numbers.
    pub fn block_elements(self) -> usize {
        use StoredType::*;
        match self {
            F64 | F32 | F16 | BF16 | I64 | I32 | I16 | I8 | U8 | Bool => 1,
            Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0 => 32,
            Q4K | Q5K | Q6K => 256,
        }
    }

    /// Bytes per block.
    pub fn block_bytes(self) -> usize {
        use StoredType::*;
        match self {
            F64 | I64 => 8,
            F32 | I32 => 4,
            F16 | BF16 | I16 => 2,
            I8 | U8 | Bool => 1,
            Q4_0 => 18,
            Q4_1 => 20,
            Q5_0 => 22,
            Q5_1 => 24,
            Q8_0 => 34,
            Q4K => 144,
            Q5K => 176,
            Q6K => 210,
        }
    }

    /// Whether it holds integers or truth values.
    pub fn is_integer(self) -> bool {
        use StoredType::*;
        matches!(self, I64 | I32 | I16 | I8 | U8 | Bool)
    }

    /// The bytes of `elements` elements, if they fill whole blocks and the number fits.
    pub(crate) fn bytes_for(self, elements: usize) -> Option<usize> {
        (elements.is_multiple_of(self.block_elements())).then_some(())?;
        (elements / self.block_elements()).checked_mul(self.block_bytes())
    }
}

impl fmt::Display for StoredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            StoredType::Q4K => "Q4_K",
            StoredType::Q5K => "Q5_K",
            StoredType::Q6K => "Q6_K",
            other => return fmt::Debug::fmt(other, f),
        };
        f.pad(name)
    }
}

/// Elements that one task decodes: a multiple of every block size, and small enough to stay in the cache.
const TASK: usize = 1 << 15;

/// Decodes consecutive elements, in parallel when there are many. `bytes` must hold exactly `out.len()` elements.
pub(crate) fn decode_parallel(stored: StoredType, bytes: &[u8], out: &mut [f32]) {
    debug_assert_eq!(stored.bytes_for(out.len()), Some(bytes.len()));
    if out.len() <= TASK {
        return decode(stored, bytes, out);
    }
    let task_bytes = TASK / stored.block_elements() * stored.block_bytes();
    out.par_chunks_mut(TASK).zip(bytes.par_chunks(task_bytes)).for_each(|(out, bytes)| decode(stored, bytes, out));
}

/// Decodes consecutive elements. `bytes` must hold exactly `out.len()` elements.
pub(crate) fn decode(stored: StoredType, bytes: &[u8], out: &mut [f32]) {
    use StoredType::*;
    match stored {
        F32 => each(bytes, out, f32::from_le_bytes),
        F64 => each(bytes, out, |b| f64::from_le_bytes(b) as f32),
        F16 => halves(bytes, out, f16::from_bits),
        BF16 => each(bytes, out, |b| bf16::from_le_bytes(b).to_f32()),
        I64 => each(bytes, out, |b| i64::from_le_bytes(b) as f32),
        I32 => each(bytes, out, |b| i32::from_le_bytes(b) as f32),
        I16 => each(bytes, out, |b| f32::from(i16::from_le_bytes(b))),
        I8 => each(bytes, out, |b| f32::from(i8::from_le_bytes(b))),
        U8 => each(bytes, out, |[b]| f32::from(b)),
        Bool => each(bytes, out, |[b]| f32::from(b != 0)),
        Q4_0 => dequant::q4_0(bytes, out),
        Q4_1 => dequant::q4_1(bytes, out),
        Q5_0 => dequant::q5_0(bytes, out),
        Q5_1 => dequant::q5_1(bytes, out),
        Q8_0 => dequant::q8_0(bytes, out),
        Q4K => dequant::q4_k(bytes, out),
        Q5K => dequant::q5_k(bytes, out),
        Q6K => dequant::q6_k(bytes, out),
    }
}

/// Decodes integers; `None` for types that do not hold any.
pub(crate) fn decode_integers(stored: StoredType, bytes: &[u8], out: &mut [i64]) -> Option<()> {
    use StoredType::*;
    match stored {
        I64 => each(bytes, out, i64::from_le_bytes),
        I32 => each(bytes, out, |b| i64::from(i32::from_le_bytes(b))),
        I16 => each(bytes, out, |b| i64::from(i16::from_le_bytes(b))),
        I8 => each(bytes, out, |b| i64::from(i8::from_le_bytes(b))),
        U8 => each(bytes, out, |[b]| i64::from(b)),
        Bool => each(bytes, out, |[b]| i64::from(b != 0)),
        _ => return None,
    }
    Some(())
}

fn each<const N: usize, T>(bytes: &[u8], out: &mut [T], decode: impl Fn([u8; N]) -> T) {
    let (elements, _) = bytes.as_chunks::<N>();
    for (out, element) in out.iter_mut().zip(elements) {
        *out = decode(*element);
    }
}

/// Half floats go through a small aligned buffer, so that the conversion instructions of the processor serve them.
fn halves(bytes: &[u8], out: &mut [f32], from_bits: impl Fn(u16) -> f16) {
    const BATCH: usize = 256;
    let mut batch = [f16::ZERO; BATCH];
    for (out, bytes) in out.chunks_mut(BATCH).zip(bytes.chunks(BATCH * 2)) {
        let batch = &mut batch[..out.len()];
        each(bytes, batch, |b| from_bits(u16::from_le_bytes(b)));
        batch.convert_to_f32_slice(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_formats() {
        assert_eq!(StoredType::Q4K.to_string(), "Q4_K");
        assert_eq!(StoredType::BF16.to_string(), "BF16");
        assert_eq!(format!("{:>6}|", StoredType::Q6K), "  Q6_K|");
    }

    #[test]
    fn sizes_need_whole_blocks_and_fit() {
        assert_eq!(StoredType::Q4_1.bytes_for(64), Some(40));
        assert_eq!(StoredType::Q4_1.bytes_for(65), None);
        assert_eq!(StoredType::F64.bytes_for(usize::MAX), None);
    }

    #[test]
    fn floats_and_integers_decode() {
        let mut out = [0f32; 2];
        decode(StoredType::F16, &[0x00, 0x3c, 0x00, 0xc0], &mut out);
        assert_eq!(out, [1.0, -2.0]);
        decode(StoredType::BF16, &[0x80, 0x3f, 0x00, 0xc0], &mut out);
        assert_eq!(out, [1.0, -2.0]);
        decode(StoredType::I16, &[0xff, 0xff, 0x02, 0x00], &mut out);
        assert_eq!(out, [-1.0, 2.0]);
        let mut integers = [0i64; 2];
        assert_eq!(decode_integers(StoredType::Bool, &[0, 7], &mut integers), Some(()));
        assert_eq!(integers, [0, 1]);
        assert_eq!(decode_integers(StoredType::F32, &[0; 8], &mut integers), None);
    }

    #[test]
    fn parallel_equals_sequential_across_tasks() {
        let bytes: Vec<u8> = (0..(TASK * 2 + 64) / 32 * 34).map(|i| (i * 7 % 61) as u8).collect();
        let mut one = vec![0f32; TASK * 2 + 64];
        let mut many = one.clone();
        decode(StoredType::Q8_0, &bytes, &mut one);
        decode_parallel(StoredType::Q8_0, &bytes, &mut many);
        assert_eq!(one, many);
    }
}
