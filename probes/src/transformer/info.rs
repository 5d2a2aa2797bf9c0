//! Sizes of a model and shapes of its sites.

use golgi_data::site::{BlockPoint, Site};
use serde::Serialize;

/// The sizes of a transformer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dims {
    /// Blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Query heads per layer.
    pub n_heads: usize,
    /// Key and value heads per layer.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Neurons per layer.
    pub d_mlp: usize,
    /// Tokens in the vocabulary.
    pub d_vocab: usize,
    /// The longest sequence.
    pub n_ctx: usize,
}

/// The axes of a site's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteAxes {
    /// `[batch, pos, d_model]`.
    Residual,
    /// `[batch, pos, 1]`.
    Scale,
    /// `[batch, pos, n_heads, d_head]`.
    Heads,
    /// `[batch, pos, n_kv_heads, d_head]`.
    KvHeads,
    /// `[batch, pos, n_heads, 1]`.
    HeadScale,
    /// `[batch, pos, n_kv_heads, 1]`.
    KvHeadScale,
    /// `[batch, n_heads, query, key]`.
    Pattern,
    /// `[batch, pos, n_heads, d_model]`.
    Result,
    /// `[batch, pos, d_mlp]`.
    Mlp,
    /// `[batch, pos, d_vocab]`.
    Logits,
}

/// A site of a model with the meaning of its axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSpec {
    /// Which site.
    pub site: Site,
    /// Its axes.
    pub axes: SiteAxes,
}

impl SiteSpec {
    pub(crate) fn new(site: Site, axes: SiteAxes) -> SiteSpec {
        SiteSpec { site, axes }
    }

    pub(crate) fn block(layer: u32, point: BlockPoint) -> SiteSpec {
        use BlockPoint as P;
        let axes = match point {
            P::Ln1Scale | P::Ln1PostScale | P::Ln2Scale | P::Ln2PostScale => SiteAxes::Scale,
            P::Q | P::RotQ | P::Z | P::QNormNormalized => SiteAxes::Heads,
            P::K | P::V | P::RotK | P::KNormNormalized => SiteAxes::KvHeads,
            P::QNormScale => SiteAxes::HeadScale,
            P::KNormScale => SiteAxes::KvHeadScale,
            P::AttnScores | P::Pattern => SiteAxes::Pattern,
            P::Result => SiteAxes::Result,
            P::MlpPre | P::MlpPreLinear | P::MlpPost => SiteAxes::Mlp,
            _ => SiteAxes::Residual,
        };
        SiteSpec::new(Site::block(layer, point), axes)
    }

    /// The shape for a batch of `batch` sequences of `pos` tokens.
    pub fn shape(&self, dims: &Dims, batch: usize, pos: usize) -> Vec<usize> {
        let Dims { d_model, n_heads, n_kv_heads, d_head, d_mlp, d_vocab, .. } = *dims;
        match self.axes {
            SiteAxes::Residual => vec![batch, pos, d_model],
            SiteAxes::Scale => vec![batch, pos, 1],
            SiteAxes::Heads => vec![batch, pos, n_heads, d_head],
            SiteAxes::KvHeads => vec![batch, pos, n_kv_heads, d_head],
            SiteAxes::HeadScale => vec![batch, pos, n_heads, 1],
            SiteAxes::KvHeadScale => vec![batch, pos, n_kv_heads, 1],
            SiteAxes::Pattern => vec![batch, n_heads, pos, pos],
            SiteAxes::Result => vec![batch, pos, n_heads, d_model],
            SiteAxes::Mlp => vec![batch, pos, d_mlp],
            SiteAxes::Logits => vec![batch, pos, d_vocab],
        }
    }

    /// The shape in words, such as `[batch, pos, 576]`.
    pub fn shape_text(&self, dims: &Dims) -> String {
        let mut parts: Vec<String> = self.shape(dims, 0, 0).iter().map(ToString::to_string).collect();
        parts[0] = "batch".into();
        if self.axes == SiteAxes::Pattern {
            parts[2] = "query".into();
            parts[3] = "key".into();
        } else {
            parts[1] = "pos".into();
        }
        format!("[{}]", parts.join(", "))
    }

    /// How many units the site has: heads at a site with heads, otherwise the size of the last axis.
    pub fn units(&self, dims: &Dims) -> usize {
        match self.axes {
            SiteAxes::Residual => dims.d_model,
            SiteAxes::Scale => 1,
            SiteAxes::Heads | SiteAxes::HeadScale | SiteAxes::Pattern | SiteAxes::Result => dims.n_heads,
            SiteAxes::KvHeads | SiteAxes::KvHeadScale => dims.n_kv_heads,
            SiteAxes::Mlp => dims.d_mlp,
            SiteAxes::Logits => dims.d_vocab,
        }
    }

    /// The axis of positions (of queries, for a pattern).
    pub fn pos_axis(&self) -> i64 {
        if self.axes == SiteAxes::Pattern { 2 } else { 1 }
    }

    /// The axis of heads, if there is one.
    pub fn head_axis(&self) -> Option<i64> {
        match self.axes {
            SiteAxes::Heads | SiteAxes::KvHeads | SiteAxes::HeadScale | SiteAxes::KvHeadScale | SiteAxes::Result => {
                Some(2)
            }
            SiteAxes::Pattern => Some(1),
            _ => None,
        }
    }

    /// What it is, in a few words, for tables and tooltips.
    pub fn description(&self) -> &'static str {
        use BlockPoint as P;
        match &self.site {
            Site::Embed => "token embedding, as added to the residual stream",
            Site::PosEmbed => "position embedding",
            Site::TokenTypeEmbed => "segment embedding",
            Site::EmbedNormScale => "scale of the embedding norm",
            Site::EmbedNormNormalized => "normalised embedding",
            Site::LnFinalScale => "scale of the final norm",
            Site::LnFinalNormalized => "what the unembedding reads",
            Site::Logits => "logits of the next token",
            Site::Module(_) => "module output",
            Site::Latents(_) => "latents of a dictionary",
            Site::Block { point, .. } => match point {
                P::ResidPre => "residual stream before the block",
                P::Ln1Scale => "scale of the norm before attention",
                P::Ln1Normalized => "what attention reads",
                P::Q => "queries, before any norm and rotation",
                P::K => "keys, before any norm and rotation",
                P::V => "values",
                P::QNormScale => "scale of the query norm",
                P::QNormNormalized => "normalised queries",
                P::KNormScale => "scale of the key norm",
                P::KNormNormalized => "normalised keys",
                P::RotQ => "rotated queries",
                P::RotK => "rotated keys",
                P::AttnScores => "attention scores, masked, before the softmax",
                P::Pattern => "attention probabilities",
                P::Z => "values mixed by the pattern, per head",
                P::Result => "what each head writes, before the output bias",
                P::Ln1PostScale => "scale of the norm behind attention",
                P::Ln1PostNormalized => "output of the norm behind attention",
                P::AttnOut => "contribution of attention to the residual stream",
                P::ResidMid => "residual stream between attention and MLP",
                P::Ln2Scale => "scale of the norm before the MLP",
                P::Ln2Normalized => "what the MLP reads",
                P::MlpPre => "neuron pre-activations",
                P::MlpPreLinear => "linear branch of the gated MLP",
                P::MlpPost => "neuron activations",
                P::Ln2PostScale => "scale of the norm behind the MLP",
                P::Ln2PostNormalized => "output of the norm behind the MLP",
                P::MlpOut => "contribution of the MLP to the residual stream",
                P::ResidPost => "residual stream behind the block",
            },
        }
    }
}
