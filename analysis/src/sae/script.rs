//! What is to be trained, as a table of names and values: the form of training scripts.
//!
//! ```
//! use golgi_analysis::sae::TrainScript;
//!
//! let script = serde_json::json!({
//!     "model": "smollm2", "corpus": "starter", "tokens": 200000,
//!     "dictionaries": [{
//!         "name": "top", "sites": ["blocks.15.hook_resid_post"], "architecture": { "kind": "top_k", "k": 32 },
//!         "latents": 4608, "steps": 1000, "rate": 4e-4,
//!     }],
//! });
//! let script: TrainScript = serde_json::from_value(script)?;
//! let jobs = script.jobs(0)?;
//! assert_eq!(jobs[0].settings.rate, 4e-4);
//! assert_eq!(jobs[0].settings.adam.beta2, 0.999);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;

use golgi_data::corpus::Split;
use golgi_data::dictionary::Architecture;
use golgi_data::site::SitePattern;
use golgi_sae::train::Job;
use golgi_sae::{SaeError, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::harvest::HarvestParams;

/// Dictionaries to be trained on what a model computes over a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainScript {
    /// The model.
    pub model: String,
    /// The corpus.
    pub corpus: String,
    /// How many tokens of it are harvested.
    pub tokens: u64,
    /// Tokens that the model sees at once.
    #[serde(default = "default_context")]
    pub context: usize,
    /// Train on the running model: its activations go through a buffer in memory, and no store is written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_the_fly: bool,
    /// How many batches that buffer mixes.
    #[serde(default = "default_buffer")]
    pub buffer: usize,
    /// Only documents of this part; the default leaves the others for judging.
    #[serde(default = "default_split")]
    pub split: Option<Split>,
    /// The dictionaries, trained in one pass over the activations.
    pub dictionaries: Vec<DictionarySpec>,
}

fn default_context() -> usize {
    128
}

/// Batches in the buffer of a running model, unless the script says otherwise.
pub const DEFAULT_BUFFER: usize = 16;

fn default_buffer() -> usize {
    DEFAULT_BUFFER
}

fn default_split() -> Option<Split> {
    Some(Split::Explore)
}

/// One dictionary. Every other name is a field of [`Settings`] and replaces the published value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DictionarySpec {
    /// Its name.
    pub name: String,
    /// The sites that it reads; several for a crosscoder.
    pub sites: Vec<String>,
    /// The sites that it predicts, for a transcoder; none for an autoencoder or a crosscoder.
    #[serde(default)]
    pub predicts: Vec<String>,
    /// Whether a transcoder has a dense path around its latents.
    #[serde(default)]
    pub skip: bool,
    /// A cross-layer transcoder: of as many groups of latents as sites, group l reads site l and writes predicted sites l and later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cross_layer: bool,
    /// Its architecture.
    pub architecture: Architecture,
    /// How many latents.
    pub latents: u32,
    /// How many steps.
    pub steps: u64,
    /// Settings that are not the published ones.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

impl DictionarySpec {
    /// The dictionary as a job of a run.
    ///
    /// # Errors
    /// If a name is unknown or a value is not of its kind.
    pub fn job(&self, seed: u64) -> Result<Job, SaeError> {
        let mut settings = Settings::published(self.architecture.clone(), self.latents, self.steps);
        settings.seed = seed;
        if self.cross_layer {
            settings = settings.of_cross_layer();
        } else if self.predicts.is_empty() && self.sites.len() > 1 {
            settings = settings.of_crosscoder();
        }
        let mut all = serde_json::to_value(settings).map_err(|error| SaeError::Settings(error.to_string()))?;
        let Value::Object(fields) = &mut all else {
            return Err(SaeError::Settings("settings are no table".to_owned()));
        };
        for (name, value) in &self.settings {
            if !fields.contains_key(name) {
                let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                let (name, known) = (name.chars().take(60).collect::<String>(), known.join(", "));
                return Err(SaeError::Settings(format!("`{name}` is no setting of a dictionary; known are {known}")));
            }
            fields.insert(name.clone(), value.clone());
        }
        let settings = serde_json::from_value(all)
            .map_err(|error| SaeError::Settings(format!("a setting of `{}` cannot be used: {error}", self.name)))?;
        let (name, inputs, outputs) = (self.name.clone(), self.sites.clone(), self.predicts.clone());
        let (skips, cross_layer) = (self.skip, self.cross_layer);
        Ok(Job { name, settings, inputs, outputs, skips, cross_layer })
    }
}

impl TrainScript {
    /// The jobs of the run. Each seed is `seed` plus the dictionary's number.
    ///
    /// # Errors
    /// If a setting is unknown or not of its kind.
    pub fn jobs(&self, seed: u64) -> Result<Vec<Job>, SaeError> {
        self.dictionaries.iter().zip(seed..).map(|(spec, seed)| spec.job(seed)).collect()
    }

    /// What has to be harvested first: every site once.
    ///
    /// # Errors
    /// If a site is no site's name.
    pub fn harvest(&self) -> Result<HarvestParams, SaeError> {
        let all = self.dictionaries.iter().flat_map(|spec| spec.sites.iter().chain(&spec.predicts));
        let sites: BTreeSet<&String> = all.collect();
        let patterns: Result<Vec<SitePattern>, _> = sites.into_iter().map(|site| SitePattern::new(site)).collect();
        let patterns = patterns.map_err(|error| SaeError::Settings(error.to_string()))?;
        let (context, split) = (self.context, self.split);
        Ok(HarvestParams { context, split, ..HarvestParams::new(patterns, self.tokens) })
    }
}

#[cfg(test)]
mod tests {
    use golgi_sae::DecoderNorm;
    use serde_json::json;

    use super::*;

    fn script(extra: Value) -> TrainScript {
        let mut dictionary = json!({ "name": "a", "sites": ["blocks.0.hook_resid_post"], "latents": 64, "steps": 5,
            "architecture": { "kind": "jump_relu" } });
        let fields = dictionary.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        serde_json::from_value(json!({ "model": "m", "corpus": "c", "tokens": 9, "dictionaries": [dictionary] }))
            .unwrap()
    }

    #[test]
    fn unknown_and_impossible_settings_are_named() {
        let error = |extra| script(extra).jobs(0).unwrap_err().to_string();
        assert!(error(json!({ "learning_rate": 1 })).contains("`learning_rate` is no setting"));
        assert!(error(json!({ "learning_rate": 1 })).contains("rate"));
        assert!(error(json!({ "rate": "fast" })).contains("a setting of `a` cannot be used"));
        assert!(script(json!({ "bandwidth": 0.01 })).jobs(3).is_ok_and(|jobs| jobs[0].settings.seed == 3));
        let spec = |extra| script(extra).jobs(0).unwrap().remove(0);
        let crosscoder = spec(json!({ "sites": ["blocks.0.hook_resid_post", "blocks.1.hook_resid_post"] }));
        assert!(crosscoder.settings.unit_coordinates && crosscoder.settings.decoder_norm == DecoderNorm::Free);
        let cross_layer = spec(json!({ "predicts": ["blocks.0.hook_mlp_out"], "cross_layer": true, "sparsity": 0.5 }));
        assert!(
            cross_layer.cross_layer && cross_layer.settings.sparsity == 0.5 && cross_layer.settings.threshold == 0.03
        );
        let unknown = json!({ "model": "m", "corpus": "c", "tokens": 9, "dictionaries": [], "sparkle": 1 });
        assert!(serde_json::from_value::<TrainScript>(unknown).is_err());
    }
}
