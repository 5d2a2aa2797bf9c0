//! Where rows come from.

use golgi_data::dictionary::Part;
use golgi_data::store::Manifest as StoreManifest;
use serde::Serialize;

use super::run::Job;
use crate::SaeError;

/// What activations were computed of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The model, as named.
    pub model: String,
    /// Of its weights.
    pub model_digest: String,
    /// The corpus, as named.
    pub corpus: String,
    /// The length of contexts, in tokens.
    pub context: u32,
    /// Whether the first position of each context (BOS) is left out.
    pub skips_first: bool,
    /// Of everything that decides what rows come in which order.
    pub digest: String,
    /// Rows of an epoch.
    pub rows: u64,
}

impl Origin {
    /// What a store with this manifest, or the plan of one, is computed of. `order` is all that decides which rows come in which order.
    ///
    /// # Errors
    /// If `order` cannot be put into words.
    pub fn new(manifest: &StoreManifest, order: &impl Serialize, rows: u64) -> Result<Origin, SaeError> {
        let order = serde_json::to_vec(order).map_err(|error| SaeError::Settings(error.to_string()))?;
        Ok(Origin {
            model: manifest.origin.model.clone(),
            model_digest: manifest.origin.model_digest.clone(),
            corpus: manifest.origin.corpus.clone(),
            context: manifest.contexts.len as u32,
            skips_first: manifest.contexts.bos.is_some(),
            digest: blake3::hash(&order).to_hex().to_string(),
            rows,
        })
    }
}

/// Where rows come from.
pub trait Source {
    /// What they are computed of.
    ///
    /// # Errors
    /// If that cannot be put into words.
    fn origin(&self) -> Result<Origin, SaeError>;

    /// These sites with their widths.
    ///
    /// # Errors
    /// If there is no such site.
    fn parts(&self, sites: &[String]) -> Result<Vec<Part>, SaeError>;

    /// The rows of a dictionary.
    ///
    /// # Errors
    /// If there are fewer than one batch.
    fn batches<'a>(&'a self, job: &Job) -> Result<Box<dyn Batches + 'a>, SaeError>;
}

/// Batches of rows in an order that is the same every time.
pub trait Batches {
    /// The next batch: `[batch, d_in]`, and `[batch, d_out]` for a transcoder.
    ///
    /// # Errors
    /// If rows cannot be read or computed.
    fn next_into(&mut self, input: &mut Vec<f32>, output: &mut Vec<f32>) -> Result<(), SaeError>;

    /// The norm above which rows are left out.
    fn max_norm(&self) -> Option<f32>;

    /// Where [`Batches::go_to`] goes on.
    fn place(&self) -> (u64, u64);

    /// Goes to a place.
    ///
    /// # Errors
    /// If rows cannot be read or computed.
    fn go_to(&mut self, place: (u64, u64)) -> Result<(), SaeError>;
}

/// Refuses a source that has less than one batch.
pub(super) fn enough(rows: u64, batch: usize) -> Result<(), SaeError> {
    match rows < batch as u64 {
        true => Err(SaeError::Settings(format!(
            "there are {rows} rows, fewer than one batch of {batch}; take more tokens or choose a smaller batch"
        ))),
        false => Ok(()),
    }
}

/// The middle of some norms; where there are none, nothing can be said and every row is below it.
pub(super) fn median(mut norms: Vec<f32>) -> f32 {
    let middle = norms.len() / 2;
    match norms.is_empty() {
        true => f32::MAX,
        false => *norms.select_nth_unstable_by(middle, f32::total_cmp).1,
    }
}
