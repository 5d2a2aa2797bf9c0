//! One batch forwards and backwards: what is active, the loss, the gradients.

use rayon::prelude::*;

use crate::SaeError;
use crate::kernels::matmul::{block_times_transposed_plus, times_transposed_plus};
use crate::kernels::vector::add_scaled;
use crate::parameters::Parameters;
use crate::rules::{Chosen, Loss, Memory, Moment, Rule, Work};

/// Rows whose pre-activations are held at once: 512 × 4,608 numbers stay in the cache.
const TILE: usize = 512;

/// Buffers that are used again from batch to batch, and what the last one came to.
#[derive(Debug, Default)]
pub struct Pass {
    /// What was active.
    pub chosen: Chosen,
    /// Reconstructions, `[n, d_out]`, in the space of the (normalised) rows.
    pub reconstruction: Vec<f32>,
    seen: Vec<f32>,
    z: Vec<f32>,
}

/// Runs `rule` on a batch, `input` `[n, d_in]` and `target` `[n, d_out]`, both already normalised, and adds to `gradient`.
/// `subtracts`: b_dec is subtracted from the input.
///
/// # Errors
/// If the tensor library fails.
#[expect(clippy::too_many_arguments, reason = "all of them change from batch to batch")]
pub fn pass(
    rule: &dyn Rule,
    parameters: &Parameters,
    moment: &Moment<'_>,
    subtracts: bool,
    input: &[f32],
    target: &[f32],
    memory: &mut Memory,
    gradient: &mut Parameters,
    buffers: &mut Pass,
) -> Result<Loss, SaeError> {
    let m = parameters.encoder_bias.len();
    let d_in = parameters.encoder.len() / m;
    let blocks = moment.layout.blocks(m);
    let Pass { chosen, seen, z, .. } = buffers;
    seen.clear();
    seen.extend_from_slice(input);
    if subtracts {
        seen.par_chunks_mut(d_in).for_each(|row| add_scaled(row, -1.0, &parameters.decoder_bias));
    }
    chosen.clear();
    for rows in seen.chunks(TILE * d_in) {
        z.resize(rows.len() / d_in * m, 0.0);
        let (encoder, bias) = (&parameters.encoder, &parameters.encoder_bias);
        match blocks.as_slice() {
            [_] => times_transposed_plus(z, rows, encoder, bias, d_in)?,
            blocks => blocks.iter().try_for_each(|block| {
                block_times_transposed_plus(z, rows, encoder, bias, d_in, &block.latents, &block.reads)
            })?,
        }
        rule.choose(z, parameters, moment, chosen);
    }
    rule.settle(input.len() / d_in, memory, chosen);
    let projected = vec![0f32; m];
    let mut work = Work { parameters, seen, input, target, subtracts, gradient, reconstruction: Vec::new(), projected };
    let loss = rule.learn(&mut work, moment, chosen)?;
    work.add_input_bias();
    if !rule.sees_to_bias() {
        add_scaled(&mut work.gradient.encoder_bias, 1.0, &work.projected);
    }
    moment.layout.mask(work.gradient);
    let reconstruction = work.reconstruction;
    buffers.reconstruction = reconstruction;
    Ok(loss)
}
