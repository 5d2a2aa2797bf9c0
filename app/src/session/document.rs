//! What is open: plain data that panels draw. No tensor, no thread, no window.

use std::borrow::Cow;

use golgi_data::images::Preprocess;
use golgi_data::site::Site;
use golgi_data::unit::Unit;
use golgi_probes::Dims;
use golgi_probes::intervention::Intervention;

use super::loadable::Loadable;
use super::results::Results;
use super::selection::Selection;

/// A site of the open model, for display.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteInfo {
    /// The site; its text is the canonical name.
    pub site: Site,
    /// Its shape in words, such as `[batch, pos, 576]`.
    pub shape: String,
    /// What it is, in a few words.
    pub about: Cow<'static, str>,
    /// The module path that the hub's implementation uses for it, where there is one.
    pub alias: Option<String>,
    /// How many units it has.
    pub units: usize,
    /// Whether it has a head axis.
    pub has_heads: bool,
    /// Whether its last axis is the residual stream's.
    pub is_residual: bool,
}

/// Parameters of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockParameters {
    /// Of attention.
    pub attn: u64,
    /// Of the MLP.
    pub mlp: u64,
    /// Of the norms.
    pub norms: u64,
}

impl BlockParameters {
    /// All of them.
    pub fn total(self) -> u64 {
        self.attn + self.mlp + self.norms
    }
}

/// The open model, as plain data.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// A short name. It may come from a file: show it through [`visible`](super::text::visible).
    pub name: String,
    /// What opens it again.
    pub spec: String,
    /// The family, such as `llama`.
    pub family: String,
    /// Sizes.
    pub dims: Dims,
    /// Sites in the order of a forward pass.
    pub sites: Vec<SiteInfo>,
    /// Parameters of the embeddings.
    pub embedding_parameters: u64,
    /// Parameters of each block.
    pub block_parameters: Vec<BlockParameters>,
    /// Parameters of final norm and unembedding.
    pub head_parameters: u64,
    /// `cpu`, `cuda:0`, `mps`.
    pub device: String,
    /// `float32`, `bfloat16`.
    pub dtype: String,
    /// Its licence, where known.
    pub licence: Option<String>,
    /// Whether text can be tokenised.
    pub has_tokenizer: bool,
    /// Whether it predicts tokens.
    pub has_logits: bool,
    /// Whether a position sees only itself and earlier ones.
    pub causal: bool,
    /// Bytes of its files.
    pub bytes_on_disk: u64,
    /// What is known of a convolutional network beyond that; `None` for a language model.
    pub vision: Option<VisionInfo>,
}

/// A convolutional network, as plain data.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionInfo {
    /// What it expects of a picture.
    pub preprocess: Preprocess,
    /// How many classes it tells apart.
    pub classes: usize,
    /// For each site, rows and columns of its maps for an input of the expected size; 1 × 1 for a vector.
    pub maps: Vec<(usize, usize)>,
}

impl VisionInfo {
    /// The side of the input, in pixels.
    pub fn side(&self) -> u32 {
        self.preprocess.input_size() as u32
    }
}

impl ModelInfo {
    /// All parameters.
    pub fn parameters(&self) -> u64 {
        let blocks: u64 = self.block_parameters.iter().map(|block| block.total()).sum();
        self.embedding_parameters + blocks + self.head_parameters
    }

    /// The site with this name.
    pub fn site(&self, site: &Site) -> Option<&SiteInfo> {
        self.sites.iter().find(|info| info.site == *site)
    }

    /// The site of a convolutional network that panels look at: the selected one, that of the selected unit, else the last one of maps.
    pub fn chosen_site<'a>(&'a self, selection: &Selection) -> Option<&'a Site> {
        let vision = self.vision.as_ref()?;
        let chosen = selection.site.as_ref().or(selection.unit.as_ref().map(|unit| &unit.site));
        let last = || vision.maps.iter().rposition(|(rows, columns)| rows * columns > 1);
        let found = chosen.and_then(|site| self.site(site)).or_else(|| self.sites.get(last()?));
        found.or(self.sites.last()).map(|info| &info.site)
    }

    /// Whether the model has this unit.
    pub fn has_unit(&self, unit: &Unit) -> bool {
        self.site(&unit.site).is_some_and(|site| (unit.index as usize) < site.units)
    }
}

/// Text that the model continues the prompt with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Generated {
    /// The new tokens with their probabilities, as far as they are made.
    pub tokens: Vec<(String, f32)>,
    /// The text they decode to.
    pub text: String,
    /// Whether more tokens are on their way.
    pub running: bool,
}

/// What is open, and what is known about it.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// The model.
    pub model: Loadable<ModelInfo>,
    /// The text to be looked at.
    pub prompt: String,
    /// Changes, in their order.
    pub interventions: Vec<Intervention>,
    /// Panels show the model as it is, although there are interventions.
    pub show_original: bool,
    /// What is computed from model, prompt and interventions.
    pub results: Results,
    /// The continuation, if one was asked for.
    pub generated: Option<Generated>,
}

impl Document {
    /// The open model.
    pub fn model(&self) -> Option<&ModelInfo> {
        self.model.get().map(|model| &**model)
    }

    /// How many interventions are switched on.
    pub fn active_interventions(&self) -> usize {
        self.interventions.iter().filter(|intervention| intervention.enabled).count()
    }

    /// The tokens of the prompt, for display; empty until they are known.
    pub fn tokens(&self) -> Vec<&str> {
        self.results.stats.shown().map_or_else(Vec::new, |stats| stats.tokens.iter().map(|t| t.text.as_str()).collect())
    }
}
