//! Products with codes: decoder forward, its gradient, and the encoder's.
//!
//! Above [`DENSE`] the matrix product of the tensor library is faster than touching single rows, and is used instead.

use golgi_data::dictionary::Codes;
use rayon::prelude::*;

use super::ByLatent;
use super::matmul::{add_transposed_times, times, times_transposed};
use super::vector::{add_scaled, dot};
use crate::SaeError;

/// The share of active latents from which the dense product is faster (measured at d = 576, m = 4,608; see the benchmark).
const DENSE: f64 = 0.12;
/// Latents that one thread takes at once.
const GRAIN: usize = 16;

fn is_dense(codes: &Codes, latents: usize) -> bool {
    codes.active() as f64 > DENSE * (codes.len() * latents) as f64
}

/// Codes with all their zeros, `[n, m]`; `values` stand in the place of the codes' own.
fn scattered(codes: &Codes, values: &[f32], latents: usize) -> Vec<f32> {
    let mut dense = vec![0f32; codes.len() * latents];
    dense.par_chunks_mut(latents).enumerate().for_each(|(row, dense)| {
        for place in codes.starts[row]..codes.starts[row + 1] {
            dense[codes.latents[place] as usize] = values[place];
        }
    });
    dense
}

/// `f · W_dec + bias` into `out`, `[n, d]`; `decoder` is `[m, d]`.
///
/// # Errors
/// If the tensor library fails.
pub fn decode(out: &mut [f32], codes: &Codes, decoder: &[f32], bias: Option<&[f32]>, d: usize) -> Result<(), SaeError> {
    let latents = decoder.len() / d;
    if is_dense(codes, latents) {
        times(out, &scattered(codes, &codes.values, latents), decoder, latents)?;
        if let Some(bias) = bias {
            out.par_chunks_mut(d).for_each(|row| add_scaled(row, 1.0, bias));
        }
        return Ok(());
    }
    out.par_chunks_mut(d).enumerate().for_each(|(row, out)| {
        match bias {
            Some(bias) => out.copy_from_slice(bias),
            None => out.fill(0.0),
        }
        let (latents, values) = codes.row(row);
        for (latent, value) in latents.iter().zip(values) {
            let at = *latent as usize * d;
            add_scaled(out, *value, &decoder[at..at + d]);
        }
    });
    Ok(())
}

/// `⟨g_t, d_i⟩` for every active latent i of every row t, in the order of the codes: how the loss changes with each
/// activation, when `g` `[n, d]` is how it changes with the reconstruction.
///
/// # Errors
/// If the tensor library fails.
pub fn pull(codes: &Codes, g: &[f32], decoder: &[f32], d: usize) -> Result<Vec<f32>, SaeError> {
    let latents = decoder.len() / d;
    let mut pulled = vec![0f32; codes.active()];
    let rows = rows_of(codes, &mut pulled);
    if is_dense(codes, latents) {
        let mut all = vec![0f32; codes.len() * latents];
        times_transposed(&mut all, g, decoder, d)?;
        rows.into_par_iter().zip(all.par_chunks(latents)).for_each(|((active, out), all)| {
            out.iter_mut().zip(active).for_each(|(out, latent)| *out = all[*latent as usize]);
        });
    } else {
        rows.into_par_iter().zip(g.par_chunks(d)).for_each(|((active, out), g)| {
            for (out, latent) in out.iter_mut().zip(active) {
                let at = *latent as usize * d;
                *out = dot(g, &decoder[at..at + d]);
            }
        });
    }
    Ok(pulled)
}

/// The latents of each row beside the part of `values` that belongs to it.
fn rows_of<'a>(codes: &'a Codes, mut values: &'a mut [f32]) -> Vec<(&'a [u32], &'a mut [f32])> {
    let mut rows = Vec::with_capacity(codes.len());
    for row in 0..codes.len() {
        let active = codes.row(row).0;
        let (head, tail) = values.split_at_mut(active.len());
        rows.push((active, head));
        values = tail;
    }
    rows
}

/// `gradient_i += Σ_t f_ti · g_t`, `[m, d]`: the decoder's gradient.
///
/// # Errors
/// If the tensor library fails.
pub fn add_decoder_gradient(
    gradient: &mut [f32],
    codes: &Codes,
    by_latent: &ByLatent,
    g: &[f32],
    d: usize,
) -> Result<(), SaeError> {
    add_outer(gradient, codes, by_latent, &codes.values, g, d)
}

/// `gradient_i += Σ_t dz_ti · x_t`, `[m, d]`, and `bias_i += Σ_t dz_ti`: the encoder's gradient. `dz` goes with the codes' places.
///
/// # Errors
/// If the tensor library fails.
pub fn add_encoder_gradient(
    gradient: &mut [f32],
    bias: &mut [f32],
    codes: &Codes,
    by_latent: &ByLatent,
    dz: &[f32],
    x: &[f32],
    d: usize,
) -> Result<(), SaeError> {
    bias.par_iter_mut().enumerate().with_min_len(GRAIN).for_each(|(latent, bias)| {
        *bias += by_latent.of(latent).map(|(_, place)| dz[place]).sum::<f32>();
    });
    add_outer(gradient, codes, by_latent, dz, x, d)
}

fn add_outer(
    gradient: &mut [f32],
    codes: &Codes,
    by_latent: &ByLatent,
    values: &[f32],
    rows: &[f32],
    d: usize,
) -> Result<(), SaeError> {
    let latents = gradient.len() / d;
    if is_dense(codes, latents) {
        return add_transposed_times(gradient, &scattered(codes, values, latents), rows, codes.len());
    }
    gradient.par_chunks_mut(d).enumerate().with_min_len(GRAIN).for_each(|(latent, gradient)| {
        for (row, place) in by_latent.of(latent) {
            add_scaled(gradient, values[place], &rows[row * d..(row + 1) * d]);
        }
    });
    Ok(())
}
