//! Multi-head attention with grouped keys and values, every intermediate result a site.

use golgi_data::site::BlockPoint;
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::generate::LayerCache;
use crate::layers::norm::accumulating;
use crate::layers::{Linear, Norm, NormSites, RotaryTable};
use crate::pass::{Flow, Pass};

/// The sizes of an attention layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionShape {
    /// Query heads.
    pub n_heads: i64,
    /// Key and value heads; each serves `n_heads / n_kv_heads` query heads.
    pub n_kv_heads: i64,
    /// Width of a head.
    pub d_head: i64,
    /// Scores are multiplied by this.
    pub scale: f64,
    /// Scores become `cap · tanh(score / cap)` (Gemma 2).
    pub softcap: Option<f64>,
}

/// The norms of queries and keys (Qwen 3, Gemma 3), each over `d_head`.
#[derive(Debug)]
pub struct HeadNorms {
    /// Of the queries.
    pub q: Norm,
    /// Of the keys.
    pub k: Norm,
}

/// An attention layer.
#[derive(Debug)]
pub struct Attention {
    /// `[n_heads · d_head, d_model]`.
    pub q: Linear,
    /// `[n_kv_heads · d_head, d_model]`.
    pub k: Linear,
    /// `[n_kv_heads · d_head, d_model]`.
    pub v: Linear,
    /// `[d_model, n_heads · d_head]`.
    pub o: Linear,
    /// Norms of queries and keys.
    pub norms: Option<HeadNorms>,
    /// Sizes.
    pub shape: AttentionShape,
}

/// What a layer may look at.
pub(crate) struct AttendTo<'a> {
    /// Added to the scores: 0 or `-inf`, `[1 or batch, 1, query, key]`.
    pub mask: &'a Tensor,
    /// Rotations of this pass's positions.
    pub rotary: Option<&'a RotaryTable>,
    /// One fused kernel in place of scores and pattern, where neither is wanted. Not the default: it rounds otherwise.
    pub fused: bool,
}

impl Attention {
    /// What each head writes, `[…, n_heads, d_model]`, from `z` `[…, n_heads, d_head]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn head_results(&self, z: &Tensor) -> Result<Tensor> {
        let (heads, d_head) = (self.shape.n_heads, self.shape.d_head);
        let d_model = self.o.weight.size()[0];
        // [d_model, heads, d_head] -> [heads, d_head, d_model]
        let w_o = self.o.weight.f_view([d_model, heads, d_head])?.f_permute([1, 2, 0])?;
        Ok(z.f_unsqueeze(-2)?.f_matmul(&w_o)?.f_squeeze_dim(-2)?)
    }

    pub(crate) fn tapped(
        &self,
        pass: &mut Pass,
        layer: u32,
        x: &Tensor,
        to: &AttendTo,
        cache: Option<&mut LayerCache>,
    ) -> Flow<Tensor> {
        let AttentionShape { n_heads, n_kv_heads, d_head, .. } = self.shape;
        let (batch, pos) = (x.size()[0], x.size()[1]);
        let heads = |y: Tensor, n: i64| y.f_view([batch, pos, n, d_head]);

        let mut q = pass.block(layer, BlockPoint::Q, heads(self.q.forward(x)?, n_heads)?)?;
        let mut k = pass.block(layer, BlockPoint::K, heads(self.k.forward(x)?, n_kv_heads)?)?;
        let v = pass.block(layer, BlockPoint::V, heads(self.v.forward(x)?, n_kv_heads)?)?;
        if let Some(norms) = &self.norms {
            let sites = NormSites::Block(layer, BlockPoint::QNormScale, BlockPoint::QNormNormalized);
            q = norms.q.tapped(pass, &sites, &q)?;
            let sites = NormSites::Block(layer, BlockPoint::KNormScale, BlockPoint::KNormNormalized);
            k = norms.k.tapped(pass, &sites, &k)?;
        }
        if let Some(rotary) = to.rotary {
            q = pass.block(layer, BlockPoint::RotQ, rotary.rotate(&q)?)?;
            k = pass.block(layer, BlockPoint::RotK, rotary.rotate(&k)?)?;
        }
        let (k, v) = match cache {
            Some(cache) => cache.extend(k, v)?,
            None => (k, v),
        };

        let wants_weights =
            pass.wants_block(layer, BlockPoint::AttnScores) || pass.wants_block(layer, BlockPoint::Pattern);
        let z = if to.fused && !wants_weights && self.shape.softcap.is_none() {
            self.fused(&q, &k, &v, to.mask)?
        } else {
            self.explicit(pass, layer, &q, &k, &v, to.mask)?
        };
        let z = pass.block(layer, BlockPoint::Z, z)?;
        let flat = z.f_reshape([batch, pos, n_heads * d_head])?;
        if !pass.wants_block(layer, BlockPoint::Result) {
            return Ok(self.o.forward(&flat)?);
        }
        // Per-head results are computed only when asked for. The sum is written as the ordinary output plus the change
        // that the tap made, so that looking at the results does not alter a single bit of what follows; gradients flow
        // through the results alone.
        let result = self.head_results(&z)?;
        let before = result.f_detach()?;
        let result = pass.block(layer, BlockPoint::Result, result)?;
        let change = result.f_sub(&before)?.f_sum_dim_intlist(-2, false, None::<Kind>)?;
        Ok(self.o.forward(&flat)?.f_detach()?.f_add(&change)?)
    }

    /// Scores, pattern and mixed values as separate steps: `softmax(scale · q kᵀ + mask) v`.
    fn explicit(&self, pass: &mut Pass, layer: u32, q: &Tensor, k: &Tensor, v: &Tensor, mask: &Tensor) -> Flow<Tensor> {
        let AttentionShape { n_heads, n_kv_heads, d_head, scale, softcap } = self.shape;
        let (batch, queries, keys) = (q.size()[0], q.size()[1], k.size()[1]);
        let group = n_heads / n_kv_heads;
        // Query heads that share a key head are stacked along the query axis: one product per key head, no copies of
        // keys or values.
        let stack = [batch, n_kv_heads, group * queries, d_head];
        let q = q.f_view([batch, queries, n_kv_heads, group, d_head])?.f_permute([0, 2, 3, 1, 4])?.f_reshape(stack)?;
        let mut scores = q.f_matmul(&k.f_permute([0, 2, 3, 1])?)?.f_mul_scalar(scale)?;
        drop(q);
        if let Some(cap) = softcap {
            scores = scores.f_div_scalar(cap)?.f_tanh()?.f_mul_scalar(cap)?;
        }
        let scores = scores.f_view([batch, n_heads, queries, keys])?.f_add(mask)?;
        let scores = pass.block(layer, BlockPoint::AttnScores, scores)?;
        let pattern = scores.f_softmax(-1, accumulating(scores.kind()))?.f_to_kind(v.kind())?;
        drop(scores);
        let pattern = pass.block(layer, BlockPoint::Pattern, pattern)?;
        let z = pattern.f_reshape([batch, n_kv_heads, group * queries, keys])?.f_matmul(&v.f_permute([0, 2, 1, 3])?)?;
        let z = z.f_view([batch, n_kv_heads, group, queries, d_head])?.f_permute([0, 3, 1, 2, 4])?;
        Ok(z.f_reshape([batch, queries, n_heads, d_head])?)
    }

    fn fused(&self, q: &Tensor, k: &Tensor, v: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let swap = |x: &Tensor| x.f_transpose(1, 2);
        let grouped = self.shape.n_kv_heads != self.shape.n_heads;
        let mask = mask.f_to_kind(q.kind())?;
        let z = Tensor::f_scaled_dot_product_attention(
            &swap(q)?,
            &swap(k)?,
            &swap(v)?,
            Some(mask),
            0.0,
            false,
            self.shape.scale,
            grouped,
        )?;
        Ok(z.f_transpose(1, 2)?.f_contiguous()?)
    }
}
