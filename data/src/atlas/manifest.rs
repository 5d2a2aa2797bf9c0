//! What an atlas says of itself: `atlas.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AtlasError, Bins};
use crate::unit::Unit;

/// Name and version of the layout of an atlas folder.
pub const ATLAS_SCHEMA: &str = "golgi.atlas/1";
/// A longer manifest is refused.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// More units than this are refused.
const MAX_UNITS: u64 = 50_000_000;

/// What sort of unit a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// An MLP neuron, read at `mlp.hook_post`.
    Neuron,
    /// A latent of a sparse dictionary.
    Latent,
    /// An attention head; its activation is the Euclidean norm of its `hook_z`.
    Head,
    /// A dimension of the residual stream after a block.
    Residual,
}

impl UnitKind {
    /// Every kind, in the order in which an atlas lists them.
    pub const ALL: [UnitKind; 4] = [UnitKind::Neuron, UnitKind::Latent, UnitKind::Head, UnitKind::Residual];

    /// The name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            UnitKind::Neuron => "neuron",
            UnitKind::Latent => "latent",
            UnitKind::Head => "head",
            UnitKind::Residual => "residual",
        }
    }
}

/// Units of one kind and layer: consecutive rows of `units.parquet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitGroup {
    /// What they are.
    pub kind: UnitKind,
    /// Their layer.
    pub layer: u32,
    /// The canonical name of their site.
    pub site: String,
    /// The id of the first.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// A dictionary whose latents are units of an atlas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtlasDictionary {
    /// The site that it reads.
    pub site: String,
    /// BLAKE3 of its numbers.
    pub digest: String,
    /// Where it lay.
    pub source: String,
    /// What it is, in words: architecture, latents.
    pub about: String,
}

/// A band of activation values between two quantiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// From this quantile,
    pub low: f64,
    /// to this one.
    pub high: f64,
}

/// The vocabulary tokens whose mean activations are known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tracked {
    /// How many tokens of the vocabulary: the most frequent of the run that fit into the budget.
    pub tokens: u32,
    /// The share of the run's tokens that they make up.
    pub coverage: f64,
    /// Tokens seen less often than this are left out of the lists.
    pub min_count: u32,
}

/// How much of the corpus has a label.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LabelCount {
    /// The language or genre.
    pub label: String,
    /// Tokens with this label.
    pub tokens: u64,
}

/// How far an unfinished build has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisional {
    /// Tokens run through the model so far, as in [`Manifest::tokens`].
    pub tokens: u64,
    /// Tokens that the build will run in the end.
    pub of: u64,
}

/// Everything one must know to trust an atlas and to make it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`ATLAS_SCHEMA`].
    pub schema: String,
    /// Version of the program that made it.
    pub version: String,
    /// The model, as named by the user.
    pub model: String,
    /// SHA-256 of its weight files; empty for one built in memory.
    pub model_digest: String,
    /// Its family.
    pub family: String,
    /// Digest of the tokenizer; empty without one.
    pub tokenizer_digest: String,
    /// `cpu`, `cuda:0`, `mps`.
    pub device: String,
    /// `float32` or `bfloat16`.
    pub dtype: String,
    /// `explicit` or `fused`.
    pub attention: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// The corpus, as named by the user.
    pub corpus: String,
    /// Digest of its documents.
    pub corpus_digest: String,
    /// `explore`, `tune`, `confirm`, or `all`.
    pub split: String,
    /// Tokens per context, at most.
    pub context_len: u32,
    /// Positions at the start of every context that are left out of all statistics but the position profile.
    pub skip_first: u32,
    /// Tokens run through the model, skipped positions included.
    pub tokens: u64,
    /// Contexts run.
    pub contexts: u64,
    /// Whether the run came to its end; an unfinished one can be resumed.
    pub complete: bool,
    /// Where a build that is under way, or was stopped, has shown what it knows so far: how far it had come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional: Option<Provisional>,
    /// The rows of `units.parquet`.
    pub groups: Vec<UnitGroup>,
    /// The dictionaries whose latents are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dictionaries: Vec<AtlasDictionary>,
    /// Whether the MLPs are gated.
    pub gated: bool,
    /// Name of the activation function.
    pub activation: String,
    /// In words, when a neuron, a head and a residual dimension count as active.
    pub active_rule: String,
    /// The bins of the histograms.
    pub bins: Bins,
    /// How many positions share one entry of the position profiles.
    pub positions_per_bin: u32,
    /// Languages, in the order of the profiles.
    pub languages: Vec<LabelCount>,
    /// Genres, in the order of the profiles.
    pub genres: Vec<LabelCount>,
    /// Which tokens' mean activations are known.
    pub tracked: Tracked,
    /// Bands of examples; band 0, the strongest overall, is not among them, the first here is band 1.
    pub bands: Vec<Band>,
    /// Token slots on which correlations rest; 0 if there are none.
    pub correlation_slots: u32,
    /// The 99th percentile of a unit's largest correlation with any other when tokens are shuffled: the null.
    pub correlation_null: Option<f32>,
    /// Oddities noticed while it was made.
    pub warnings: Vec<String>,
    /// BLAKE3 of each table.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads `atlas.json` in `folder`.
    ///
    /// # Errors
    /// If it is missing, longer than it may be, of another version, or contradicts itself.
    pub fn read(folder: &Path) -> Result<Manifest, AtlasError> {
        let path = folder.join("atlas.json");
        let read = |cause: String| AtlasError::NoAtlas { folder: folder.to_owned(), cause };
        let size = std::fs::metadata(&path).map_err(|error| read(error.to_string()))?.len();
        if size > MAX_MANIFEST_BYTES {
            return Err(read(format!("its manifest has {size} bytes, more than {MAX_MANIFEST_BYTES}")));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| read(error.to_string()))?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|error| read(error.to_string()))?;
        if manifest.schema != ATLAS_SCHEMA {
            return Err(read(format!("its layout is `{}`, this program reads `{ATLAS_SCHEMA}`", manifest.schema)));
        }
        let mut next = 0u64;
        for group in &manifest.groups {
            if u64::from(group.start) != next {
                return Err(read(format!("its group {} {} does not follow the one before", group.site, group.start)));
            }
            next += u64::from(group.count);
        }
        if next > MAX_UNITS || !manifest.bins.is_valid() || manifest.positions_per_bin == 0 {
            return Err(read("its numbers make no sense".to_owned()));
        }
        Ok(manifest)
    }

    /// How many units there are.
    pub fn units(&self) -> u32 {
        self.groups.last().map_or(0, |group| group.start + group.count)
    }

    /// The group of unit `id`.
    pub fn group_of(&self, id: u32) -> Option<&UnitGroup> {
        let after = self.groups.partition_point(|group| group.start <= id);
        let group = self.groups.get(after.checked_sub(1)?)?;
        (id - group.start < group.count).then_some(group)
    }

    /// The id of `unit`.
    pub fn id_of(&self, unit: &Unit) -> Option<u32> {
        let site = unit.site.to_string();
        let group = self.groups.iter().find(|group| group.site == site && unit.index < group.count)?;
        Some(group.start + unit.index)
    }

    /// The unit with this id.
    pub fn unit(&self, id: u32) -> Option<Unit> {
        let group = self.group_of(id)?;
        Some(Unit::new(group.site.parse().ok()?, id - group.start))
    }
}
