//! What the weights say about neurons, and about the latents of dictionaries.
//!
//! Reading vectors have the gain of the norm before the MLP folded in, and its mean taken out where the norm does that; the
//! bias has that norm's bias folded in. Writing vectors have their mean taken out where a layer norm reads the stream (a
//! norm behind the MLP folded in first). Products with the unembedding have the gain of the final norm folded in and its scale
//! left out. A latent reads with its encoder's row and writes with its decoder's, as they are.

use golgi_data::atlas::UnitKind;
use golgi_probes::layers::NormKind;
use golgi_probes::transformer::Layout;
use golgi_probes::{Kind, OpenModel, Tensor};
use rayon::prelude::*;

use super::moments::Shape;
use super::ranking::{largest, smallest};
use super::subject::Latents;
use super::units::numbers;
use crate::direct::{fold, obstacle, plain};
use crate::distribution::floats;
use crate::error::Result;
use crate::units::page::vocabulary::{before_mlp, behind, writer};

/// Tokens listed at each end.
pub(super) const ENDS: usize = 10;
/// Neurons whose products with the unembedding are worked out at once.
const AT_ONCE: i64 = 128;

/// A token and a logit.
pub(super) type Logit = (u32, f32);

/// The neurons of one layer, or the latents of one dictionary: units that read along one direction and write along one.
#[derive(Debug, Default)]
pub(super) struct Vectors {
    /// Norm of the reading vector (of the linear branch, in a gated MLP).
    pub norm_in: Vec<f32>,
    /// Norm of the gate's reading vector; empty without a gate.
    pub norm_gate: Vec<f32>,
    pub norm_out: Vec<f32>,
    pub cos_in_out: Vec<f32>,
    /// Empty without a gate.
    pub cos_gate_out: Vec<f32>,
    /// Empty without a bias.
    pub bias_in: Vec<f32>,
    /// Moments of the products with the unembedding; empty where no linear path leads to the logits.
    pub vocabulary: Vec<Shape>,
    /// The tokens that it promotes and suppresses, as far from the mean of its logits; empty likewise.
    pub ends: Vec<[Vec<Logit>; 2]>,
}

/// Whether such units read and write along one direction each. Of those, n-grams at which they fire are looked for too.
pub(super) fn has_vectors(kind: UnitKind) -> bool {
    matches!(kind, UnitKind::Neuron | UnitKind::Latent)
}

fn norms(rows: &Tensor) -> Result<Vec<f32>> {
    floats(&rows.f_norm_scalaropt_dim(2.0, -1, false)?)
}

/// Cosines of rows; 0 where one has no direction.
fn cosines(a: &Tensor, b: &Tensor) -> Result<Vec<f32>> {
    let products = floats(&a.f_mul(b)?.f_sum_dim_intlist(-1, false, None::<Kind>)?)?;
    let lengths = norms(a)?.into_iter().zip(norms(b)?).map(|(a, b)| a * b);
    Ok(products.into_iter().zip(lengths).map(|(p, length)| if length > 0.0 { p / length } else { 0.0 }).collect())
}

/// What the neurons of `layer` write, `[neurons, d_model]`, with any norm behind the MLP folded in.
pub(super) fn written(model: &OpenModel, layer: usize) -> Result<Tensor> {
    let block = &model.model.blocks[layer];
    let rows = plain(&block.mlp.down.weight)?.f_tr()?.f_contiguous()?;
    match &block.layout {
        Layout::Sandwich { ln2_post, .. } => behind(ln2_post, &rows),
        _ => Ok(rows),
    }
}

/// The same with the mean taken out where the stream is read by layer norms.
pub(super) fn writing_vectors(model: &OpenModel, layer: usize) -> Result<Tensor> {
    centred(model, written(model, layer)?)
}

/// Rows without their means, where layer norms read the stream that they are written to.
pub(super) fn centred(model: &OpenModel, rows: Tensor) -> Result<Tensor> {
    match model.model.final_norm().map(|norm| norm.kind) {
        Some(NormKind::Layer) => Ok(rows.f_sub(&rows.f_mean_dim(-1, true, None::<Kind>)?)?),
        _ => Ok(rows),
    }
}

/// Products with the unembedding that are worked out to see how long they take.
const PROBED: f64 = 2e9;

/// How long the products of `vectors` units with the unembedding will take, by some neurons of the last layer.
pub(super) fn expected_seconds(model: &OpenModel, vectors: f64) -> Result<f64> {
    let dims = &model.model.dims;
    let rows = (PROBED / (dims.d_vocab * dims.d_model).max(1) as f64).clamp(8.0, AT_ONCE as f64) as i64;
    let write = written(model, model.model.blocks.len() - 1)?;
    let rows = rows.min(write.size()[0]);
    let some = write.f_narrow(0, 0, rows)?;
    let mut seconds = f64::INFINITY;
    // The first round is slower.
    for _ in 0..2 {
        let start = std::time::Instant::now();
        Vectors::default().project(model, &some)?;
        seconds = start.elapsed().as_secs_f64().min(seconds);
    }
    Ok(seconds * vectors / rows.max(1) as f64)
}

impl Vectors {
    /// Works out the neurons of `layer`.
    pub fn of_neurons(model: &OpenModel, layer: usize) -> Result<Vectors> {
        let block = &model.model.blocks[layer];
        let norm = before_mlp(block);
        let folded = |weight: &Tensor| -> Result<Tensor> {
            let weight = plain(weight)?;
            norm.map_or(Ok(weight.shallow_clone()), |norm| fold(norm, &weight))
        };
        let write = writing_vectors(model, layer)?;
        let pre = folded(&block.mlp.pre.weight)?;
        let mut found = Vectors { norm_out: norms(&write)?, ..Vectors::default() };
        match &block.mlp.pre_linear {
            Some(linear) => {
                let linear = folded(&linear.weight)?;
                (found.norm_in, found.cos_in_out) = (norms(&linear)?, cosines(&linear, &write)?);
                (found.norm_gate, found.cos_gate_out) = (norms(&pre)?, cosines(&pre, &write)?);
            }
            None => (found.norm_in, found.cos_in_out) = (norms(&pre)?, cosines(&pre, &write)?),
        }
        if let Some(bias) = &block.mlp.pre.bias {
            let mut bias = plain(bias)?;
            if let Some(before) = norm.and_then(|norm| norm.bias.as_ref()) {
                bias = bias.f_add(&plain(&block.mlp.pre.weight)?.f_mv(&plain(before)?)?)?;
            }
            found.bias_in = floats(&bias)?;
        }
        found.project(model, &written(model, layer)?)?;
        Ok(found)
    }

    /// Works out the latents of a dictionary.
    pub fn of_latents(model: &OpenModel, latents: &Latents) -> Result<Vectors> {
        let dictionary = latents.coder.dictionary();
        let config = &dictionary.config;
        let rows = |values: &[f32], width: usize| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_view([i64::from(config.latents), width as i64])?)
        };
        let (read, write) = (rows(&dictionary.encoder, config.d_in())?, rows(&dictionary.decoder, config.d_out())?);
        let mut found = Vectors {
            norm_in: norms(&read)?,
            norm_out: norms(&write)?,
            bias_in: dictionary.encoder_bias.clone(),
            ..Vectors::default()
        };
        if config.is_autoencoder() {
            found.cos_in_out = cosines(&read, &write)?;
        }
        if let Some(written) = latents.written(model)? {
            found.project(model, &written)?;
        }
        Ok(found)
    }

    /// Moments and ends of the products with the unembedding.
    fn project(&mut self, model: &OpenModel, write: &Tensor) -> Result<()> {
        if obstacle(model).is_some() {
            return Ok(());
        }
        let Some((table, vectors)) = writer(model, write)? else { return Ok(()) };
        let table = plain(table)?.f_tr()?;
        let count = vectors.size()[0];
        for first in (0..count).step_by(AT_ONCE as usize) {
            let logits = vectors.f_narrow(0, first, AT_ONCE.min(count - first))?.f_matmul(&table)?.f_contiguous()?;
            let width = logits.size()[1] as usize;
            let rows: Vec<(Shape, [Vec<Logit>; 2])> = numbers(&logits).par_chunks_exact(width).map(describe).collect();
            for (shape, ends) in rows {
                self.vocabulary.push(shape);
                self.ends.push(ends);
            }
        }
        Ok(())
    }
}

fn describe(logits: &[f32]) -> (Shape, [Vec<Logit>; 2]) {
    let n = logits.len() as f64;
    let mean = logits.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let mut sums = [0.0; 3];
    for x in logits {
        let d = f64::from(*x) - mean;
        let square = d * d;
        sums[0] += square;
        sums[1] += square * d;
        sums[2] += square * square;
    }
    let mut ends = [largest(logits.iter().copied(), ENDS), smallest(logits.iter().copied(), ENDS)];
    ends.iter_mut().flatten().for_each(|(_, logit)| *logit = (f64::from(*logit) - mean) as f32);
    (Shape::from_sums(n, mean, sums), ends)
}
