//! What a head's query has to be like for the head to look at the first token.

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site};
use golgi_probes::transformer::Layout;
use golgi_probes::{Batch, Capture, ForwardOptions, Kind, OpenModel, Tap, Tensor};

use super::super::input::Context;
use super::super::weights::writes;
use super::Pair;
use crate::direct::{fold, plain};
use crate::distribution::floats;
use crate::error::Result;

/// Positions over which turned keys are averaged, at most.
const POSITIONS: usize = 128;

/// For each layer, what a written vector is multiplied with: `[d_model, n_heads]`.
pub(crate) struct Keys {
    readers: Vec<Tensor>,
}

impl Keys {
    /// Measures the key of the first token on `contexts`.
    pub fn new(model: &OpenModel, contexts: &[Context], ctx: &RunContext) -> Result<Keys> {
        let network = &model.model;
        let n_layers = network.blocks.len();
        let point = match (network.rotaries.is_empty(), network.blocks[0].attn.norms.is_some()) {
            (false, _) => BlockPoint::RotK,
            (true, true) => BlockPoint::KNormNormalized,
            (true, false) => BlockPoint::K,
        };
        let sites: Vec<Site> = (0..n_layers as u32).map(|layer| Site::block(layer, point)).collect();
        let mut sums: Vec<Option<Tensor>> = (0..n_layers).map(|_| None).collect();
        ctx.stage("keys of the first token", contexts.len() as u64);
        let mut n = 0.0;
        for context in contexts.iter().filter(|context| !context.tokens.is_empty()) {
            ctx.check()?;
            // The first position sees only itself.
            let mut capture = Capture::sites(&sites);
            network.forward(&Batch::single(&context.tokens[..1])?, &mut capture, ForwardOptions::default())?;
            let trace = capture.into_trace(Vec::new())?;
            for (site, sum) in sites.iter().zip(&mut sums) {
                let key = plain(&trace.get(site)?.f_select(0, 0)?.f_select(0, 0)?)?;
                *sum = Some(match sum.take() {
                    Some(sum) => sum.f_add(&key)?,
                    None => key,
                });
            }
            n += 1.0;
            ctx.advance(1);
        }
        let longest = contexts.iter().map(|context| context.tokens.len()).max().unwrap_or(1);
        let turns = turns(model, longest.clamp(2, POSITIONS).min(network.dims.n_ctx))?;
        let mut readers = Vec::with_capacity(n_layers);
        for (layer, sum) in sums.into_iter().enumerate() {
            let Some(sum) = sum else { continue };
            readers.push(reader(model, layer, &sum.f_div_scalar(n)?, turns.get(network.blocks[layer].rotary))?);
        }
        Ok(Keys { readers })
    }

    /// The largest `|h|` of each column of `written` `[d_model, n]` over the heads behind `layer`.
    pub fn best(&self, written: &Tensor, layer: usize) -> Result<Vec<f64>> {
        Ok(self.scores(written, layer)?.into_iter().map(|(_, _, score)| score.abs()).collect())
    }

    /// For each column, the head behind `layer` with the largest `|h|`, and `h`.
    fn scores(&self, written: &Tensor, layer: usize) -> Result<Vec<(usize, usize, f64)>> {
        let lengths = written.f_square()?.f_sum_dim_intlist(0, true, None::<Kind>)?.f_sqrt()?.f_clamp_min(1e-20)?;
        let unit = written.f_div(&lengths)?;
        let mut best = vec![(0, 0, 0.0); written.size()[1] as usize];
        for (head_layer, reader) in self.readers.iter().enumerate().skip(layer + 1) {
            let n_heads = reader.size()[1] as usize;
            let scores = floats(&unit.f_tr()?.f_matmul(reader)?)?;
            for (best, row) in best.iter_mut().zip(scores.chunks(n_heads)) {
                for (head, score) in row.iter().enumerate() {
                    if f64::from(score.abs()) > f64::abs(best.2) {
                        *best = (head_layer, head, f64::from(*score));
                    }
                }
            }
        }
        Ok(best)
    }

    /// Every neuron with a later head, paired with the head that it turns most. `unit` tells a neuron's id.
    pub fn pairs(&self, model: &OpenModel, unit: impl Fn(usize, u32) -> u32) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        for layer in 0..self.readers.len().saturating_sub(1) {
            for (index, (head_layer, head, score)) in
                self.scores(&writes(model, layer)?, layer)?.into_iter().enumerate()
            {
                let index = index as u32;
                pairs.push(Pair { unit: unit(layer, index), layer, index, head_layer, head, score });
            }
        }
        Ok(pairs)
    }
}

/// `fold(W_Qᵀ k) · scale`, `[d_model, n_heads]`, from the mean keys `[n_kv_heads, d_head]` of a layer and the mean turn.
fn reader(model: &OpenModel, layer: usize, keys: &Tensor, turn: Option<&Tensor>) -> Result<Tensor> {
    let block = &model.model.blocks[layer];
    let shape = block.attn.shape;
    let group = shape.n_heads / shape.n_kv_heads;
    let mut keys = keys.f_repeat_interleave_self_int(group, 0, None)?;
    if let Some(turn) = turn {
        keys = keys.f_matmul(turn)?;
    }
    if let Some(norms) = &block.attn.norms {
        keys = keys.f_mul(&plain(&norms.q.gain)?)?;
    }
    let width = model.model.dims.d_model as i64;
    let queries = plain(&block.attn.q.weight)?.f_view([shape.n_heads, shape.d_head, width])?;
    let read = keys.f_unsqueeze(1)?.f_matmul(&queries)?.f_squeeze_dim(1)?.f_mul_scalar(shape.scale)?;
    let read = match block.layout {
        Layout::PostNorm => read,
        _ => fold(&block.ln1, &read)?,
    };
    Ok(read.f_tr()?)
}

/// Puts the unit vectors of a head in place of all queries and keeps what rotation makes of them.
struct Turner {
    point: BlockPoint,
    layer: u32,
    turned: Option<Tensor>,
}

impl Tap for Turner {
    fn wants(&self, site: &Site) -> bool {
        *site == Site::block(self.layer, self.point) || *site == Site::block(self.layer, BlockPoint::RotQ)
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> golgi_probes::Result<Tensor> {
        if site.point() == Some(BlockPoint::RotQ) {
            self.turned = Some(activation.f_select(2, 0)?);
            return Ok(activation);
        }
        let d_head = activation.size()[3];
        let unit = Tensor::f_eye(d_head, (activation.kind(), activation.device()))?;
        Ok(unit.f_view([d_head, 1, 1, d_head])?.f_expand_as(&activation)?.f_contiguous()?)
    }
}

/// For each rotation of the model, the mean over positions 1… of what a key at position 0 is to a query there, before that is
/// turned: a matrix `[d_head, d_head]` to multiply keys with from the right.
fn turns(model: &OpenModel, positions: usize) -> Result<Vec<Tensor>> {
    let network = &model.model;
    let d_head = network.dims.d_head;
    let mut found = Vec::with_capacity(network.rotaries.len());
    for rotary in 0..network.rotaries.len() {
        let layer = network.blocks.iter().position(|block| block.rotary == rotary).unwrap_or(0);
        let normed = network.blocks[layer].attn.norms.is_some();
        let point = if normed { BlockPoint::QNormNormalized } else { BlockPoint::Q };
        let mut turner = Turner { point, layer: layer as u32, turned: None };
        let batch = Batch::padded(&vec![vec![0; positions]; d_head], 0)?;
        network.forward(&batch, &mut turner, ForwardOptions::default())?;
        // Row b: what becomes of unit vector b, that is column b of the rotation.
        if let Some(turned) = turner.turned {
            let mean = plain(&turned)?.f_narrow(1, 1, positions as i64 - 1)?.f_mean_dim(1, false, None::<Kind>)?;
            found.push(mean.f_tr()?.f_contiguous()?);
        }
    }
    Ok(found)
}
