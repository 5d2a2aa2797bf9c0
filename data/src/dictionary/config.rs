//! What a dictionary is: its architecture, its sites, and the conventions that its numbers follow.

use serde::{Deserialize, Serialize};

use super::DictionaryError;

/// The schema that this version writes and reads.
pub(super) const SCHEMA: &str = "golgi.dictionary/1";
/// The most latents of a dictionary.
const MAX_LATENTS: u32 = 1 << 24;
/// The widest site, and the widest row of all sites together.
const MAX_WIDTH: usize = 1 << 22;
/// The most sites of a crosscoder.
const MAX_PARTS: usize = 1024;

/// How pre-activations `z` become latents `f`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Architecture {
    /// `f = ReLU(z)`.
    Standard,
    /// `f = 1[z > 0] · ReLU(e^r ⊙ (x − b_dec)·W_enc + b_mag)`.
    Gated,
    /// The `k` largest of `ReLU(z)` in each row; of equal ones those with the lower index.
    TopK {
        /// How many latents may be active.
        k: u32,
    },
    /// Trained with the `k·B` largest of a batch; afterwards `f = z · 1[z > θ]`.
    BatchTopK {
        /// How many latents are active on average, in training.
        k: u32,
    },
    /// `f = z · 1[z > θ]`.
    JumpRelu,
    /// As BatchTopK; in training every prefix of latents has to reconstruct by itself.
    Matryoshka {
        /// As of BatchTopK.
        k: u32,
        /// The ends of the prefixes, ascending; the last is the number of latents.
        prefixes: Vec<u32>,
    },
}

impl Architecture {
    /// Its name in files and commands.
    pub fn name(&self) -> &'static str {
        match self {
            Architecture::Standard => "standard",
            Architecture::Gated => "gated",
            Architecture::TopK { .. } => "top_k",
            Architecture::BatchTopK { .. } => "batch_top_k",
            Architecture::JumpRelu => "jump_relu",
            Architecture::Matryoshka { .. } => "matryoshka",
        }
    }

    /// Whether latents are compared with a threshold after training.
    pub fn has_threshold(&self) -> bool {
        matches!(self, Architecture::BatchTopK { .. } | Architecture::JumpRelu | Architecture::Matryoshka { .. })
    }

    /// How many latents are kept, where that is fixed.
    pub fn k(&self) -> Option<u32> {
        match self {
            Architecture::TopK { k } | Architecture::BatchTopK { k } | Architecture::Matryoshka { k, .. } => Some(*k),
            _ => None,
        }
    }
}

/// A site that is read or written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its canonical name.
    pub site: String,
    /// Its width; heads and their dimensions are flattened.
    pub width: u32,
}

/// What is done to activations in front of the encoder, and undone behind the decoder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Normalisation {
    /// Nothing.
    #[default]
    None,
    /// `x' = x · input`, `y = y' / output`: one factor for all rows.
    Scale {
        /// The factor of inputs.
        input: f32,
        /// The factor of outputs.
        output: f32,
    },
    /// `x' = x · √d / ‖x‖`, undone with the same factor of the row (SAELens' `constant_norm_rescale`).
    RowNorm,
    /// `x' = (x − mean) / (std + 1e-5)` over the row's coordinates, `y = y' · std + mean`.
    LayerNorm,
}

/// What a dictionary is and where it belongs; `dictionary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `golgi.dictionary/1`.
    pub schema: String,
    /// How latents are made.
    pub architecture: Architecture,
    /// The sites that it reads, side by side.
    pub inputs: Vec<Part>,
    /// The sites that it writes, side by side; those of `inputs` for an autoencoder.
    pub outputs: Vec<Part>,
    /// m, the number of latents.
    pub latents: u32,
    /// Whether b_dec is subtracted from the input.
    pub subtract_decoder_bias: bool,
    /// What is done to activations first.
    #[serde(default)]
    pub normalisation: Normalisation,
    /// For each output site what training multiplied it by, where that was folded into the weights (dictionaries of several sites):
    /// norms of a decoder row's parts compare in these units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_scales: Vec<f32>,
    /// Whether it was made without the first position of each context (BOS), where activations are of another kind.
    #[serde(default)]
    pub skip_first: bool,
    /// Rows with a larger norm (attention sinks and other massive activations) were left out when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f32>,
    /// The model, as it was named.
    #[serde(default)]
    pub model: Option<String>,
    /// The digest of its weights.
    #[serde(default)]
    pub model_digest: Option<String>,
    /// The texts it was trained on.
    #[serde(default)]
    pub corpus: Option<String>,
    /// The length of contexts it was trained on, in tokens.
    #[serde(default)]
    pub context: Option<u32>,
    /// The form it was imported from.
    #[serde(default)]
    pub source: Option<String>,
    /// What the import changed, one sentence each.
    #[serde(default)]
    pub conversions: Vec<String>,
    /// How it was trained, and what its source says that has no field here.
    #[serde(default)]
    pub training: Option<serde_json::Value>,
}

/// The rows of which a dictionary has something to say. It leaves others as they are, and its numbers for them mean nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Domain {
    /// Without the first position of each context.
    pub skip_first: bool,
    /// Without rows of a larger norm.
    pub max_norm: Option<f32>,
}

impl Domain {
    /// Whether `row` belongs to it; `first` where it is the first of its context.
    pub fn covers(&self, first: bool, row: &[f32]) -> bool {
        let square = || row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
        !(first && self.skip_first) && self.max_norm.is_none_or(|bound| square() <= f64::from(bound).powi(2))
    }

    /// Puts the rows that it does not cover back into `changed`, as they are in `rows`: both `[sequences · positions, width]`.
    /// `begins`: whether position 0 is the first of each context, and not one behind others in a cache.
    pub fn keep_others(&self, changed: &mut [f32], rows: &[f32], width: usize, positions: usize, begins: bool) {
        for (index, (changed, row)) in changed.chunks_mut(width).zip(rows.chunks(width)).enumerate() {
            if !self.covers(begins && index % positions.max(1) == 0, row) {
                changed.copy_from_slice(row);
            }
        }
    }
}

impl Config {
    /// The rows of which it has something to say.
    pub fn domain(&self) -> Domain {
        Domain { skip_first: self.skip_first, max_norm: self.max_norm }
    }

    /// An autoencoder of one site that subtracts the decoder's bias first, of no named model.
    pub fn autoencoder(architecture: Architecture, site: Part, latents: u32) -> Config {
        Config {
            schema: SCHEMA.to_owned(),
            architecture,
            inputs: vec![site.clone()],
            outputs: vec![site],
            latents,
            subtract_decoder_bias: true,
            normalisation: Normalisation::None,
            output_scales: Vec::new(),
            skip_first: false,
            max_norm: None,
            model: None,
            model_digest: None,
            corpus: None,
            context: None,
            source: None,
            conversions: Vec::new(),
            training: None,
        }
    }

    /// The width of an input row.
    pub fn d_in(&self) -> usize {
        self.inputs.iter().map(|part| part.width as usize).sum()
    }

    /// The width of an output row.
    pub fn d_out(&self) -> usize {
        self.outputs.iter().map(|part| part.width as usize).sum()
    }

    /// Whether it reconstructs what it reads.
    pub fn is_autoencoder(&self) -> bool {
        self.inputs == self.outputs
    }

    /// Checks that such a dictionary is possible.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), DictionaryError> {
        let wrong = |what: String| Err(DictionaryError::Config { what });
        if self.schema != SCHEMA {
            return wrong(format!("its schema is `{}`, this version reads `{SCHEMA}`", self.schema));
        }
        if self.latents == 0 || self.latents > MAX_LATENTS {
            return wrong(format!("it has {} latents; 1 to {MAX_LATENTS} are possible", self.latents));
        }
        for (name, parts) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            let width = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.width as usize));
            let empty = parts.iter().any(|part| part.width == 0);
            if parts.is_empty() || parts.len() > MAX_PARTS || empty || width > MAX_WIDTH {
                return wrong(format!("its {name} have {} sites and {width} dimensions together", parts.len()));
            }
        }
        if self.subtract_decoder_bias && !self.is_autoencoder() {
            return wrong(
                "it subtracts the decoder's bias from its input, but reads and writes different sites".into(),
            );
        }
        if let Some(k) = self.architecture.k()
            && (k == 0 || k > self.latents)
        {
            return wrong(format!("k is {k}, but it has {} latents; choose k between 1 and that", self.latents));
        }
        if let Architecture::Matryoshka { prefixes, .. } = &self.architecture
            && (prefixes.first().is_none_or(|first| *first == 0)
                || prefixes.last() != Some(&self.latents)
                || !prefixes.is_sorted_by(|a, b| a < b))
        {
            return wrong(format!("its prefixes {prefixes:?} do not ascend from above 0 to {}", self.latents));
        }
        let usable = |factor: &f32| factor.is_normal() && *factor > 0.0;
        if !self.output_scales.is_empty()
            && (self.output_scales.len() != self.outputs.len() || !self.output_scales.iter().all(usable))
        {
            return wrong(format!("its scales of {} outputs are {:?}", self.outputs.len(), self.output_scales));
        }
        if let Normalisation::Scale { input, output } = self.normalisation
            && !(input.is_normal() && input > 0.0 && output.is_normal() && output > 0.0)
        {
            return wrong(format!("its scale is {input} and {output}; both must be positive"));
        }
        Ok(())
    }
}
