//! Dense products, by the tensor library, on slices of ours without a copy.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::SaeError;

/// A matrix over memory of `rows · columns` numbers, row-major.
///
/// # Safety
/// The memory must outlive the tensor; where the tensor is written, nobody else may use the memory meanwhile.
unsafe fn over(memory: *const f32, rows: usize, columns: usize) -> Result<Tensor, SaeError> {
    let (size, strides) = ([rows as i64, columns as i64], [columns as i64, 1]);
    // SAFETY: as the caller promises.
    Ok(unsafe { Tensor::f_from_blob(memory.cast(), &size, &strides, Kind::Float, Device::Cpu)? })
}

/// A matrix that the tensor library reads.
fn read(values: &[f32], rows: usize, columns: usize) -> Result<Tensor, SaeError> {
    assert_eq!(values.len(), rows * columns);
    // SAFETY: the memory has that size, is only read, and outlives the tensor, which no function here lets out.
    unsafe { over(values.as_ptr(), rows, columns) }
}

/// A matrix that the tensor library writes.
fn write(values: &mut [f32], rows: usize, columns: usize) -> Result<Tensor, SaeError> {
    assert_eq!(values.len(), rows * columns);
    // SAFETY: as in `read`, and the exclusive borrow lasts as long as the function that holds the tensor.
    unsafe { over(values.as_mut_ptr(), rows, columns) }
}

/// `out = a · bᵀ` with `a` `[n, d]`, `b` `[m, d]`, `out` `[n, m]`.
///
/// # Errors
/// If the tensor library fails.
pub fn times_transposed(out: &mut [f32], a: &[f32], b: &[f32], d: usize) -> Result<(), SaeError> {
    let (n, m) = (a.len() / d, b.len() / d);
    let _ = read(a, n, d)?.f_matmul_out(&write(out, n, m)?, &read(b, m, d)?.f_transpose(0, 1)?)?;
    Ok(())
}

/// `out = a · b` with `a` `[n, m]`, `b` `[m, d]`, `out` `[n, d]`.
///
/// # Errors
/// If the tensor library fails.
pub fn times(out: &mut [f32], a: &[f32], b: &[f32], m: usize) -> Result<(), SaeError> {
    let (n, d) = (a.len() / m, b.len() / m);
    let _ = read(a, n, m)?.f_matmul_out(&write(out, n, d)?, &read(b, m, d)?)?;
    Ok(())
}

/// `out += aᵀ · b` with `a` `[n, m]`, `b` `[n, d]`, `out` `[m, d]`.
///
/// # Errors
/// If the tensor library fails.
pub fn add_transposed_times(out: &mut [f32], a: &[f32], b: &[f32], n: usize) -> Result<(), SaeError> {
    let (m, d) = (a.len() / n, b.len() / n);
    let _ = write(out, m, d)?.f_addmm_(&read(a, n, m)?.f_transpose(0, 1)?, &read(b, n, d)?)?;
    Ok(())
}

/// `out = a · bᵀ + bias` with `a` `[n, d]`, `b` `[m, d]`, `bias` `[m]`, `out` `[n, m]`.
///
/// # Errors
/// If the tensor library fails.
pub fn times_transposed_plus(out: &mut [f32], a: &[f32], b: &[f32], bias: &[f32], d: usize) -> Result<(), SaeError> {
    let (n, m) = (a.len() / d, b.len() / d);
    let product = read(b, m, d)?.f_transpose(0, 1)?;
    let _ = read(bias, 1, m)?.f_addmm_out(&write(out, n, m)?, &read(a, n, d)?, &product)?;
    Ok(())
}

/// As [`times_transposed_plus`] for one block of columns: `out[:, into] = a[:, reads] · b[into, reads]ᵀ + bias[into]` with `a`
/// `[n, d]`, `b` `[m, d]`, `out` `[n, m]`.
///
/// # Errors
/// If the tensor library fails.
pub fn block_times_transposed_plus(
    out: &mut [f32],
    a: &[f32],
    b: &[f32],
    bias: &[f32],
    d: usize,
    into: &Range<usize>,
    reads: &Range<usize>,
) -> Result<(), SaeError> {
    let (n, m) = (a.len() / d, b.len() / d);
    let (first, columns) = (reads.start as i64, reads.len() as i64);
    let (start, rows) = (into.start as i64, into.len() as i64);
    let weights = read(b, m, d)?.f_narrow(0, start, rows)?.f_narrow(1, first, columns)?.f_transpose(0, 1)?;
    let product = read(a, n, d)?.f_narrow(1, first, columns)?.f_matmul(&weights)?;
    let out = write(out, n, m)?.f_narrow(1, start, rows)?;
    let _ = read(bias, 1, m)?.f_narrow(1, start, rows)?.f_add_out(&out, &product)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_a_part_of_the_whole_product() {
        let numbers = |count: usize| (0..count).map(|at| (at as f32 * 0.7).sin()).collect::<Vec<f32>>();
        let (n, m, d) = (5, 6, 7);
        let (a, mut b, bias) = (numbers(n * d), numbers(m * d), numbers(m));
        let mut blocks = vec![9.0; n * m];
        for (into, reads) in [(0..2, 0..3), (2..6, 3..7)] {
            block_times_transposed_plus(&mut blocks, &a, &b, &bias, d, &into, &reads).unwrap();
        }
        for row in 0..m {
            let reads = if row < 2 { 0..3 } else { 3..7 };
            (0..d).filter(|column| !reads.contains(column)).for_each(|column| b[row * d + column] = 0.0);
        }
        let mut whole = vec![0.0; n * m];
        times_transposed_plus(&mut whole, &a, &b, &bias, d).unwrap();
        assert!(blocks.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-6), "{blocks:?} {whole:?}");
    }

    /// The same numbers at another address give the same bits; otherwise no run could be resumed exactly.
    #[test]
    fn results_do_not_depend_on_where_numbers_lie() {
        for (n, m, d) in [(200, 16, 6), (700, 60, 24), (1024, 128, 64), (37, 300, 576)] {
            let numbers = |count: usize, seed: usize| -> Vec<f32> {
                (0..count).map(|at| ((at * 7919 + seed * 104_729) % 9973) as f32 / 9973.0 - 0.5).collect()
            };
            let (a, b, c, bias) = (numbers(n * d, 1), numbers(m * d, 2), numbers(n * m, 3), numbers(m, 4));
            let at = |offset: usize, values: &[f32]| [vec![0.0; offset], values.to_vec()].concat();
            let mut all: Vec<Vec<Vec<f32>>> = Vec::new();
            for offset in 0..16 {
                let (a, b, c, bias) = (at(offset, &a), at(offset * 3, &b), at(offset * 5, &c), at(offset * 7, &bias));
                let (a, b, c, bias) = (&a[offset..], &b[offset * 3..], &c[offset * 5..], &bias[offset * 7..]);
                let mut outs = vec![
                    vec![0.0; offset + n * m],
                    vec![0.0; offset + n * d],
                    vec![0.5; offset + m * d],
                    vec![0.0; offset + n * m],
                ];
                times_transposed(&mut outs[0][offset..], a, b, d).unwrap();
                times(&mut outs[1][offset..], c, b, m).unwrap();
                add_transposed_times(&mut outs[2][offset..], c, a, n).unwrap();
                times_transposed_plus(&mut outs[3][offset..], a, b, bias, d).unwrap();
                all.push(outs.into_iter().map(|out| out[offset..].to_vec()).collect());
            }
            for (offset, outs) in all.iter().enumerate() {
                for (product, (out, first)) in outs.iter().zip(&all[0]).enumerate() {
                    let off = out.iter().zip(first).filter(|(one, other)| one.to_bits() != other.to_bits()).count();
                    assert_eq!(off, 0, "{n} x {m} x {d}, product {product}, offset {offset}");
                }
            }
        }
    }
}
