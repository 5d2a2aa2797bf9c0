//! The quantised block types of GGML, decoded to `f32`.
//!
//! Layouts and formulas follow `ggml-common.h` and `ggml-quants.c` of llama.cpp (MIT); tests compare with its Python
//! package, bit for bit. Every function takes whole blocks and fills `out` as far as both reach.

use half::f16;

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Calls `decode` for each block of `B` bytes and `N` elements.
fn blocks<const B: usize, const N: usize>(bytes: &[u8], out: &mut [f32], decode: impl Fn(&[u8; B], &mut [f32; N])) {
    let (bytes, _) = bytes.as_chunks::<B>();
    let (out, _) = out.as_chunks_mut::<N>();
    for (block, out) in bytes.iter().zip(out) {
        decode(block, out);
    }
}

/// `d: f16`, 16 bytes of nibbles: elements 0–15 in the low ones, 16–31 in the high ones. `d * (q - 8)`.
pub(crate) fn q4_0(bytes: &[u8], out: &mut [f32]) {
    blocks::<18, 32>(bytes, out, |block, out| {
        let d = half(block, 0);
        let (low, high) = out.split_at_mut(16);
        for (q, (low, high)) in block[2..].iter().zip(low.iter_mut().zip(high)) {
            *low = d * f32::from((q & 15) as i8 - 8);
            *high = d * f32::from((q >> 4) as i8 - 8);
        }
    });
}

/// `d: f16, m: f16`, nibbles as in [`q4_0`]. `d * q + m`.
pub(crate) fn q4_1(bytes: &[u8], out: &mut [f32]) {
    blocks::<20, 32>(bytes, out, |block, out| {
        let (d, m) = (half(block, 0), half(block, 2));
        let (low, high) = out.split_at_mut(16);
        for (q, (low, high)) in block[4..].iter().zip(low.iter_mut().zip(high)) {
            *low = d * f32::from(q & 15) + m;
            *high = d * f32::from(q >> 4) + m;
        }
    });
}

/// The 5-bit numbers of a block: nibbles, and bit `i` of `high_bits` on top of number `i`.
fn fives(high_bits: &[u8], nibbles: &[u8]) -> [u8; 32] {
    let high_bits = u32::from_le_bytes([high_bits[0], high_bits[1], high_bits[2], high_bits[3]]);
    std::array::from_fn(|i| {
        let nibble = if i < 16 { nibbles[i] & 15 } else { nibbles[i - 16] >> 4 };
        nibble | (((high_bits >> i) & 1) as u8) << 4
    })
}

/// `d: f16`, 4 bytes of fifth bits, nibbles as in [`q4_0`]. `d * (q - 16)`.
pub(crate) fn q5_0(bytes: &[u8], out: &mut [f32]) {
    blocks::<22, 32>(bytes, out, |block, out| {
        let d = half(block, 0);
        for (out, q) in out.iter_mut().zip(fives(&block[2..6], &block[6..])) {
            *out = d * f32::from(q as i8 - 16);
        }
    });
}

/// `d: f16, m: f16`, 4 bytes of fifth bits, nibbles as in [`q4_0`]. `d * q + m`.
pub(crate) fn q5_1(bytes: &[u8], out: &mut [f32]) {
    blocks::<24, 32>(bytes, out, |block, out| {
        let (d, m) = (half(block, 0), half(block, 2));
        for (out, q) in out.iter_mut().zip(fives(&block[4..8], &block[8..])) {
            *out = d * f32::from(q) + m;
        }
    });
}

/// `d: f16`, 32 signed bytes. `d * q`.
pub(crate) fn q8_0(bytes: &[u8], out: &mut [f32]) {
    blocks::<34, 32>(bytes, out, |block, out| {
        let d = half(block, 0);
        for (out, q) in out.iter_mut().zip(&block[2..]) {
            *out = d * f32::from(*q as i8);
        }
    });
}

/// The 6-bit scale and minimum of group `j` of 8, packed into 12 bytes: four groups have theirs in the low six bits of
/// bytes `j` and `j + 4`; those of the other four are nibbles of bytes 8–11 under the two bits left over above.
fn scale_and_minimum(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, minimum) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        ((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4, (packed[j + 4] >> 4) | (packed[j] >> 6) << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

/// `d: f16, dmin: f16`, 12 bytes of scales and minima, 128 bytes of nibbles: each run of 32 bytes has group `2i` in its
/// low nibbles, group `2i + 1` in its high ones. `d * scale * q - dmin * minimum`.
pub(crate) fn q4_k(bytes: &[u8], out: &mut [f32]) {
    blocks::<144, 256>(bytes, out, |block, out| {
        let (d, d_min) = (half(block, 0), half(block, 2));
        for (group, out) in out.chunks_exact_mut(32).enumerate() {
            let (scale, minimum) = scale_and_minimum(&block[4..16], group);
            let (d, m) = (d * scale, d_min * minimum);
            let shift = group % 2 * 4;
            let nibbles = &block[16 + group / 2 * 32..][..32];
            for (out, q) in out.iter_mut().zip(nibbles) {
                *out = d * f32::from((q >> shift) & 15) - m;
            }
        }
    });
}

/// As [`q4_k`], with 32 bytes of fifth bits before the nibbles: bit `g` of byte `i` belongs to element `i` of group `g`.
pub(crate) fn q5_k(bytes: &[u8], out: &mut [f32]) {
    blocks::<176, 256>(bytes, out, |block, out| {
        let (d, d_min) = (half(block, 0), half(block, 2));
        let high_bits = &block[16..48];
        for (group, out) in out.chunks_exact_mut(32).enumerate() {
            let (scale, minimum) = scale_and_minimum(&block[4..16], group);
            let (d, m) = (d * scale, d_min * minimum);
            let shift = group % 2 * 4;
            let nibbles = &block[48 + group / 2 * 32..][..32];
            for (out, (q, high)) in out.iter_mut().zip(nibbles.iter().zip(high_bits)) {
                *out = d * f32::from((q >> shift) & 15 | ((high >> group) & 1) << 4) - m;
            }
        }
    });
}

/// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, `d: f16`. Each half of the block has four runs
/// of 32: runs 0 and 1 in the low nibbles of its 64 bytes, 2 and 3 in the high ones. `d * scale * (q - 32)`.
pub(crate) fn q6_k(bytes: &[u8], out: &mut [f32]) {
    blocks::<210, 256>(bytes, out, |block, out| {
        let d = half(block, 208);
        for (run, out) in out.chunks_exact_mut(32).enumerate() {
            let (part, quarter) = (run / 4, run % 4);
            let low = &block[part * 64 + quarter % 2 * 32..][..32];
            let low_shift = quarter / 2 * 4;
            let high = &block[128 + part * 32..][..32];
            for (i, (out, (low, high))) in out.iter_mut().zip(low.iter().zip(high)).enumerate() {
                let scale = d * f32::from(block[192 + run * 2 + i / 16] as i8);
                let q = (low >> low_shift) & 15 | ((high >> (quarter * 2)) & 3) << 4;
                *out = scale * f32::from(q as i8 - 32);
            }
        }
    });
}
