//! Units near each other: by the direction they write in, and by how their activations go together.

use golgi_data::context::RunContext;
use golgi_probes::{OpenModel, Tensor};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::ranking::largest;
use super::units::{Units, numbers};
use super::weights::writing_vectors;
use crate::error::Result;

/// Rows of the matrix of products that are worked out at once.
pub(super) const ROWS: usize = 256;
/// Units whose largest correlation with shuffled tokens makes up the null.
const NULL_UNITS: usize = 512;

/// For each row of `vectors`, scaled to length 1, the `k` others with the largest positive product.
pub(super) struct Nearest {
    /// `[n, d]`; rows without a direction are 0.
    rows: Tensor,
    count: usize,
}

impl Nearest {
    pub fn new(vectors: &Tensor) -> Result<Nearest> {
        let lengths = vectors.f_norm_scalaropt_dim(2.0, -1, true)?;
        // Rows whose length is rounding error or nothing become 0: 0 / 1e-30.
        let rows = vectors.f_div(&lengths.f_clamp_min(1e-30)?)?;
        Ok(Nearest { count: rows.size()[0] as usize, rows })
    }

    fn products(&self, rows: &Tensor) -> Result<Tensor> {
        Ok(rows.f_matmul(&self.rows.f_tr()?)?.f_contiguous()?)
    }

    /// The neighbours of the rows from `first`, at most [`ROWS`] of them.
    pub fn of(&self, first: usize, k: usize) -> Result<Vec<Vec<(u32, f32)>>> {
        let n = ROWS.min(self.count - first);
        let products = self.products(&self.rows.f_narrow(0, first as i64, n as i64)?)?;
        let rows = numbers(&products).par_chunks_exact(self.count).enumerate();
        let found = rows.map(|(row, values)| {
            let own = first + row;
            // A product that is not positive says nothing; NaN is left out of the ranking.
            let values = values.iter().enumerate().map(|(i, x)| if i == own || *x <= 0.0 { f32::NAN } else { *x });
            largest(values, k)
        });
        Ok(found.collect())
    }

    /// The 99th percentile of the largest product of a row with any other, when the entries of that row are shuffled.
    pub fn null(&self, seed: u64) -> Result<Option<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let width = self.rows.size()[1] as usize;
        let mut peaks = Vec::new();
        let wanted = NULL_UNITS.min(self.count);
        while peaks.len() < wanted {
            let chosen: Vec<usize> =
                (0..ROWS.min(wanted - peaks.len())).map(|_| rng.random_range(0..self.count)).collect();
            let mut shuffled = Vec::with_capacity(chosen.len() * width);
            for row in &chosen {
                let first = shuffled.len();
                shuffled.extend_from_slice(&numbers(&self.rows)[row * width..][..width]);
                shuffled[first..].shuffle(&mut rng);
            }
            let shuffled = Tensor::f_from_slice(&shuffled)?.f_view([chosen.len() as i64, width as i64])?;
            let products = self.products(&shuffled)?;
            let rows = numbers(&products).par_chunks_exact(self.count).zip(&chosen);
            let found: Vec<f32> = rows
                .map(|(values, own)| {
                    let others = values.iter().enumerate().filter(|(i, _)| i != own);
                    others.fold(0.0f32, |peak, (_, x)| peak.max(*x))
                })
                .collect();
            peaks.extend(found);
        }
        peaks.sort_by(f32::total_cmp);
        Ok(peaks.get((peaks.len() * 99 / 100).min(peaks.len().saturating_sub(1))).copied())
    }
}

/// The sampled activations of all units, centred, `[units, slots]`. Units that do not vary become 0.
pub(super) fn sampled(units: &Units, slots: usize) -> Result<Tensor> {
    let mut values: Vec<f32> = Vec::new();
    for group in &units.groups {
        for block in &group.blocks {
            for lane in 0..block.used {
                let first = values.len();
                values.extend(block.sample.of(lane));
                let own = &mut values[first..];
                let mean = own.iter().map(|x| f64::from(*x)).sum::<f64>() / slots as f64;
                let constant = own.iter().all(|x| *x == own[0]);
                own.iter_mut().for_each(|x| *x = if constant { 0.0 } else { (f64::from(*x) - mean) as f32 });
            }
        }
    }
    Ok(Tensor::f_from_slice(&values)?.f_view([-1, slots as i64])?)
}

/// The writing vectors of all neurons, `[neurons, d_model]`.
pub(super) fn writing(model: &OpenModel) -> Result<Tensor> {
    let layers = (0..model.model.blocks.len()).map(|layer| writing_vectors(model, layer));
    Ok(Tensor::f_cat(&layers.collect::<Result<Vec<_>>>()?, 0)?)
}

/// Calls `each` with the neighbours of every row, piece by piece.
pub(super) fn each(
    nearest: &Nearest,
    k: usize,
    ctx: &RunContext,
    mut each: impl FnMut(usize, Vec<Vec<(u32, f32)>>) -> Result<()>,
) -> Result<()> {
    for first in (0..nearest.count).step_by(ROWS) {
        ctx.check()?;
        let found = nearest.of(first, k)?;
        ctx.advance(found.len() as u64);
        each(first, found)?;
    }
    Ok(())
}
