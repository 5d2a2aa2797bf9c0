//! The transformer that every family builds: named parts, and a forward pass that visits every site.

mod block;
mod estimate;
mod forward;
mod info;

use golgi_data::site::{BlockPoint, Site};
use tch::{Device, Kind, Tensor};

pub use block::{Block, Layout};
pub use estimate::MemoryEstimate;
pub use forward::ForwardOptions;
pub use info::{Dims, SiteAxes, SiteSpec};

use crate::layers::{Linear, Mlp, Norm, Rotary};

/// Learned position embeddings.
#[derive(Debug)]
pub struct PositionEmbedding {
    /// `[n_ctx + offset, d_model]`.
    pub weight: Tensor,
    /// Row of the first position: OPT keeps two unused rows.
    pub offset: i64,
}

/// The head of a masked language model: `norm(act(dense(x)))` before the unembedding (BERT).
#[derive(Debug)]
pub struct MlmHead {
    /// `[d_model, d_model]`.
    pub dense: Linear,
    /// The nonlinearity.
    pub activation: crate::layers::Activation,
    /// The norm that the unembedding reads: `ln_final` of such a model.
    pub norm: Norm,
}

/// What stands behind the last block.
#[derive(Debug)]
pub enum Head {
    /// Nothing: the last residual stream is the output (BERT without a head).
    None,
    /// A norm, whose output is read by something else than an unembedding (CLIP's text tower).
    Norm(Norm),
    /// `unembed(ln_final(x))`, the norm being absent in post-norm models.
    Lm {
        /// The final norm.
        norm: Option<Norm>,
        /// From `d_model` to the width of the embeddings, where these differ (OPT-350M).
        project_out: Option<Linear>,
        /// `[d_vocab, d_model]`, with a bias in a few families.
        unembed: Linear,
        /// Logits become `cap · tanh(logit / cap)` (Gemma 2).
        softcap: Option<f64>,
    },
    /// A masked language model's head.
    Mlm {
        /// The transform.
        head: Box<MlmHead>,
        /// `[d_vocab, d_model]`.
        unembed: Linear,
    },
}

/// The input side of the residual stream.
#[derive(Debug)]
pub struct Embedding {
    /// `[d_vocab, d_embed]`.
    pub tokens: Tensor,
    /// Embeddings are multiplied by this (Gemma: √d_model).
    pub scale: Option<f64>,
    /// From the width of the embeddings to `d_model` (OPT-350M).
    pub project_in: Option<Linear>,
    /// Learned positions.
    pub positions: Option<PositionEmbedding>,
    /// `[types, d_model]` (BERT); type 0 is used.
    pub token_types: Option<Tensor>,
    /// The norm of the sum (BERT).
    pub norm: Option<Norm>,
}

/// A transformer with named sites.
#[derive(Debug)]
pub struct Transformer {
    /// The family's name, as registered.
    pub family: &'static str,
    /// Sizes.
    pub dims: Dims,
    /// The input side.
    pub embedding: Embedding,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// The output side.
    pub head: Head,
    /// Rotations; each block says which it uses.
    pub rotaries: Vec<Rotary>,
    /// Whether a position sees only itself and earlier ones.
    pub causal: bool,
    /// Element type of weights and activations.
    pub kind: Kind,
    /// Where the model lives.
    pub device: Device,
}

impl Transformer {
    /// The MLP of `layer`.
    pub fn mlp(&self, layer: u32) -> &Mlp {
        &self.blocks[layer as usize].mlp
    }

    /// The norm behind the last block, if there is one.
    pub fn final_norm(&self) -> Option<&Norm> {
        match &self.head {
            Head::None => None,
            Head::Norm(norm) => Some(norm),
            Head::Lm { norm, .. } => norm.as_ref(),
            Head::Mlm { head, .. } => Some(&head.norm),
        }
    }

    /// The unembedding `[d_vocab, d_model]`, if the model predicts tokens. Where the embeddings have another width, the
    /// projection is folded in.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn unembedding(&self) -> crate::Result<Option<Tensor>> {
        Ok(match &self.head {
            Head::None | Head::Norm(_) => None,
            Head::Lm { project_out: Some(project), unembed, .. } => Some(unembed.weight.f_matmul(&project.weight)?),
            Head::Lm { unembed, .. } | Head::Mlm { unembed, .. } => Some(unembed.weight.shallow_clone()),
        })
    }

    /// Whether the model predicts tokens.
    pub fn has_logits(&self) -> bool {
        !matches!(self.head, Head::None | Head::Norm(_))
    }

    /// The sites of this model in the order in which a pass visits them.
    pub fn sites(&self) -> Vec<SiteSpec> {
        let mut sites = vec![SiteSpec::new(Site::Embed, SiteAxes::Residual)];
        let embedding = &self.embedding;
        if embedding.positions.is_some() {
            sites.push(SiteSpec::new(Site::PosEmbed, SiteAxes::Residual));
        }
        if embedding.token_types.is_some() {
            sites.push(SiteSpec::new(Site::TokenTypeEmbed, SiteAxes::Residual));
        }
        if embedding.norm.is_some() {
            sites.push(SiteSpec::new(Site::EmbedNormScale, SiteAxes::Scale));
            sites.push(SiteSpec::new(Site::EmbedNormNormalized, SiteAxes::Residual));
        }
        for (layer, block) in self.blocks.iter().enumerate() {
            let points = block.points(self.rotaries.len());
            sites.extend(points.into_iter().map(|point| SiteSpec::block(layer as u32, point)));
        }
        if self.final_norm().is_some() {
            sites.push(SiteSpec::new(Site::LnFinalScale, SiteAxes::Scale));
            sites.push(SiteSpec::new(Site::LnFinalNormalized, SiteAxes::Residual));
        }
        if self.has_logits() {
            sites.push(SiteSpec::new(Site::Logits, SiteAxes::Logits));
        }
        sites
    }

    /// The site `site` of this model.
    ///
    /// # Errors
    /// [`ProbeError::UnknownSite`](crate::ProbeError::UnknownSite), with what might have been meant.
    pub fn site(&self, site: &Site) -> crate::Result<SiteSpec> {
        self.sites().into_iter().find(|spec| spec.site == *site).ok_or_else(|| {
            let hint = match site {
                Site::Block { layer, .. } if *layer as usize >= self.blocks.len() => {
                    format!(": it has {} layers, counted from 0", self.blocks.len())
                }
                Site::Block { point: BlockPoint::ResidMid, .. } => {
                    ": attention and MLP of this family run side by side".to_owned()
                }
                Site::Block { point: BlockPoint::MlpPreLinear, .. } => ": its MLP has no gate".to_owned(),
                _ => String::new(),
            };
            crate::ProbeError::UnknownSite { site: site.to_string(), hint }
        })
    }

    /// Every parameter tensor with the number of its elements, grouped as in [`Transformer::parameter_counts`].
    pub fn parameters(&self) -> u64 {
        let counts = self.parameter_counts();
        counts.embedding + counts.blocks.iter().map(|(attn, mlp, norms)| attn + mlp + norms).sum::<u64>() + counts.head
    }

    /// How many parameters each part has; tied weights count once, with the embedding.
    pub fn parameter_counts(&self) -> ParameterCounts {
        let numel = |tensor: &Tensor| tensor.numel() as u64;
        let linear = |l: &Linear| numel(&l.weight) + l.bias.as_ref().map_or(0, numel);
        let norm = |n: &Norm| numel(&n.gain) + n.bias.as_ref().map_or(0, numel);
        let e = &self.embedding;
        let embedding = numel(&e.tokens)
            + e.project_in.as_ref().map_or(0, linear)
            + e.positions.as_ref().map_or(0, |p| numel(&p.weight))
            + e.token_types.as_ref().map_or(0, numel)
            + e.norm.as_ref().map_or(0, norm);
        let blocks = self
            .blocks
            .iter()
            .map(|block| {
                let a = &block.attn;
                let head_norms = a.norms.as_ref().map_or(0, |n| norm(&n.q) + norm(&n.k));
                let m = &block.mlp;
                (
                    linear(&a.q) + linear(&a.k) + linear(&a.v) + linear(&a.o) + head_norms,
                    linear(&m.pre) + m.pre_linear.as_ref().map_or(0, linear) + linear(&m.down),
                    block.norms().map(norm).sum(),
                )
            })
            .collect();
        // A tied unembedding shares its memory with the embedding.
        let unembed = |u: &Linear| {
            let bias = u.bias.as_ref().map_or(0, numel);
            if u.weight.data_ptr() == e.tokens.data_ptr() { bias } else { numel(&u.weight) + bias }
        };
        let head = match &self.head {
            Head::None => 0,
            Head::Norm(n) => norm(n),
            Head::Lm { norm: n, project_out, unembed: u, .. } => {
                n.as_ref().map_or(0, norm) + project_out.as_ref().map_or(0, linear) + unembed(u)
            }
            Head::Mlm { head, unembed: u } => linear(&head.dense) + norm(&head.norm) + unembed(u),
        };
        ParameterCounts { embedding, blocks, head }
    }
}

/// Numbers of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterCounts {
    /// Token, position and segment embeddings.
    pub embedding: u64,
    /// Attention, MLP and norms of each block.
    pub blocks: Vec<(u64, u64, u64)>,
    /// Final norm and unembedding.
    pub head: u64,
}
