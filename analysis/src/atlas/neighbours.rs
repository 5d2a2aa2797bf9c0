//! Units near each other: by the direction they write in, and by how their activations go together.

use std::time::Duration;

use golgi_data::context::RunContext;
use golgi_probes::{Device, Kind, Tensor};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::BuildOptions;
use super::ranking::Best;
use super::subject::Subject;
use super::units::{Units, numbers};
use super::weights::{centred, writing_vectors};
use crate::error::Result;

/// Rows of the matrix of products that are worked out at once.
pub(super) const ROWS: usize = 512;
/// Columns whose lists one thread brings up to date at a time.
const COLUMNS: usize = 4096;
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

    /// Products of `rows` with the rows from `first`.
    fn products(&self, rows: &Tensor, first: usize) -> Result<Tensor> {
        let others = self.rows.f_narrow(0, first as i64, (self.count - first) as i64)?;
        Ok(rows.f_matmul(&others.f_tr()?)?.f_contiguous()?)
    }

    /// The neighbours of every row: those with positive products, at most `k`. Every product is worked out once and serves
    /// both of its rows. What comes behind this stage is expected to take `after`.
    pub fn all(&self, k: usize, stage: &str, after: Duration, ctx: &RunContext) -> Result<Vec<Vec<(u32, f32)>>> {
        let n = self.count;
        if k == 0 {
            return Ok(vec![Vec::new(); n]);
        }
        let mut best = vec![Best::default(); n];
        // What a product must exceed to enter a list.
        let mut bars = vec![0.0f32; n];
        ctx.stage_from(stage, 0, (n * (n + ROWS) / 2) as u64, after);
        for first in (0..n).step_by(ROWS) {
            ctx.check()?;
            let rows = ROWS.min(n - first);
            let width = n - first;
            let products = self.products(&self.rows.f_narrow(0, first as i64, rows as i64)?, first)?;
            let values = numbers(&products);
            let (own, rest) = best[first..].split_at_mut(rows);
            let (own_bars, rest_bars) = bars[first..].split_at_mut(rows);
            let lines = values.par_chunks_exact(width).enumerate();
            lines.zip(own.par_iter_mut().zip(own_bars)).for_each(|((row, line), (best, bar))| {
                for (column, value) in line.iter().enumerate() {
                    if *value > *bar && column != row {
                        best.offer((first + column) as u32, *value, k);
                        *bar = best.bar(k, 0.0);
                    }
                }
            });
            let parts = rest.par_chunks_mut(COLUMNS).zip(rest_bars.par_chunks_mut(COLUMNS)).enumerate();
            parts.for_each(|(part, (best, bars))| {
                for (row, line) in values.chunks_exact(width).enumerate() {
                    let line = &line[rows + part * COLUMNS..][..bars.len()];
                    offer_line(line, (first + row) as u32, best, bars, k);
                }
            });
            ctx.advance((rows * width) as u64);
        }
        Ok(best.into_iter().map(|best| best.kept).collect())
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
            let products = self.products(&shuffled, 0)?;
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

/// Offers `line[i]`, a product with row `other`, to the list `best[i]`.
fn offer_line(line: &[f32], other: u32, best: &mut [Best], bars: &mut [f32], k: usize) {
    const AT_ONCE: usize = 32;
    let lists = best.chunks_mut(AT_ONCE).zip(bars.chunks_mut(AT_ONCE));
    for (values, (best, bars)) in line.chunks(AT_ONCE).zip(lists) {
        // Hardly any product enters a list; this test is made for many at once.
        let any = values.iter().zip(bars.iter()).fold(false, |any, (value, bar)| any | (value > bar));
        if !any {
            continue;
        }
        for ((value, best), bar) in values.iter().zip(best).zip(bars) {
            if *value > *bar {
                best.offer(other, *value, k);
                *bar = best.bar(k, 0.0);
            }
        }
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

/// What all neurons and latents write into the residual stream, `[units, d_model]`, in the order of their ids, with the mean taken out
/// where layer norms read the stream. Latents that write elsewhere are 0.
pub(super) fn writing(subject: &Subject, options: &BuildOptions) -> Result<Tensor> {
    let model = subject.model;
    let mut rows = vec![Tensor::f_zeros([0, model.model.dims.d_model as i64], (Kind::Float, Device::Cpu))?];
    if options.neurons {
        for layer in 0..model.model.blocks.len() {
            rows.push(writing_vectors(model, layer)?);
        }
    }
    for latents in &subject.dictionaries {
        let count = i64::from(latents.coder.dictionary().config.latents);
        rows.push(match latents.written(model)? {
            Some(written) => centred(model, written)?,
            None => Tensor::f_zeros([count, model.model.dims.d_model as i64], (Kind::Float, Device::Cpu))?,
        });
    }
    Ok(Tensor::f_cat(&rows, 0)?)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn neighbours_equal_a_full_search() {
        // More rows than fit into one piece, some of them without direction, some equal.
        let (n, d, k) = (ROWS + 70, 6, 3);
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut rows: Vec<Vec<f32>> = (0..n).map(|_| (0..d).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
        rows[5] = vec![0.0; d];
        rows[ROWS + 9] = rows[4].clone();
        let vectors = Tensor::f_from_slice(&rows.concat()).unwrap().view([n as i64, d as i64]);
        let found = Nearest::new(&vectors).unwrap().all(k, "searching", Duration::ZERO, &RunContext::new(0)).unwrap();
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        for (own, list) in found.iter().enumerate() {
            let mut all: Vec<f32> = (0..n)
                .filter(|other| *other != own && own != 5 && *other != 5)
                .map(|other| {
                    let product: f32 = rows[own].iter().zip(&rows[other]).map(|(a, b)| a * b).sum();
                    product / length(&rows[own]) / length(&rows[other])
                })
                .filter(|x| *x > 0.0)
                .collect();
            all.sort_by(|a, b| b.total_cmp(a));
            assert_eq!(list.len(), k.min(all.len()));
            assert!(list.iter().zip(&all).all(|((_, found), truth)| (found - truth).abs() < 1e-5));
        }
        assert_eq!(found[4][0].0 as usize, ROWS + 9);
        assert_eq!(found[ROWS + 9][0].0, 4);
        assert!(
            Nearest::new(&vectors)
                .unwrap()
                .all(0, "", Duration::ZERO, &RunContext::new(0))
                .unwrap()
                .iter()
                .all(Vec::is_empty)
        );
    }
}
