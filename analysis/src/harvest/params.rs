//! What is to be harvested, and the plan that follows from it.

use golgi_data::corpus::{ContextOptions, PackedCorpus, Split};
use golgi_data::site::{Site, SitePattern};
use golgi_data::store::{StoreDtype, StoreOrigin, StorePlan, StoreSite};
use golgi_probes::{OpenModel, SiteAxes, preflight};

use super::HarvestError;

/// What is to be harvested.
#[derive(Debug, Clone)]
pub struct HarvestParams {
    /// Which sites.
    pub sites: Vec<SitePattern>,
    /// How many tokens of the corpus, at most.
    pub tokens: u64,
    /// Tokens that the model sees at once, BOS included; at most its context is used.
    pub context: usize,
    /// Only documents of this split; `None`: all.
    pub split: Option<Split>,
    /// How activations are stored.
    pub dtype: StoreDtype,
    /// Tokens that go through the model together.
    pub batch_tokens: usize,
    /// The size of a shard, about.
    pub shard_bytes: u64,
    /// Fused attention: faster, rounds differently.
    pub fused_attention: bool,
}

impl HarvestParams {
    /// `tokens` tokens in contexts of 128, stored as f32 in shards of about 64 MB.
    pub fn new(sites: Vec<SitePattern>, tokens: u64) -> HarvestParams {
        HarvestParams {
            sites,
            tokens,
            context: 128,
            split: None,
            dtype: StoreDtype::F32,
            batch_tokens: 1024,
            shard_bytes: 64_000_000,
            fused_attention: false,
        }
    }
}

/// The token that the model's tokenizer puts in front of every text, if it does.
pub fn expected_bos(model: &OpenModel) -> Option<u32> {
    let tokenizer = model.tokenizer.as_ref()?;
    let (with, without) = (tokenizer.encode("a").ok()?, tokenizer.encode_raw("a").ok()?);
    tokenizer.bos().filter(|bos| with.first() == Some(bos) && without.first() != Some(bos))
}

/// Fixes sites, contexts and shards.
///
/// # Errors
/// If a pattern matches no site, a site has no fixed width, the corpus is not this model's, or it has no tokens.
pub fn plan(
    model: &OpenModel,
    corpus: &PackedCorpus,
    params: &HarvestParams,
    seed: u64,
) -> Result<(StorePlan, Vec<Site>), HarvestError> {
    let network = &model.model;
    let len = params.context.min(network.dims.n_ctx);
    if params.sites.is_empty() {
        return Err(HarvestError::NoSites);
    }
    // Each pattern must match something; memory is bounded by the batch, so there is no budget to check.
    preflight(network, &params.sites, (1, len), false, None)?;
    let tokenizer_digest = model.tokenizer.as_ref().map(|tokenizer| tokenizer.digest()).unwrap_or_default();
    if !corpus.tokenizer_digest().is_empty() && corpus.tokenizer_digest() != tokenizer_digest {
        let (corpus, model) = (corpus.name().to_owned(), model.name.clone());
        return Err(HarvestError::Tokenizer { corpus, model });
    }
    let (mut sites, mut columns) = (Vec::new(), Vec::new());
    for spec in network.sites() {
        if !params.sites.iter().any(|pattern| pattern.matches(&spec.site)) {
            continue;
        }
        if spec.axes == SiteAxes::Pattern {
            return Err(HarvestError::Pairs { site: spec.site.to_string() });
        }
        let width = spec.shape(&network.dims, 1, 1).iter().product::<usize>();
        columns.push(StoreSite { site: spec.site.to_string(), width: width as u32 });
        sites.push(spec.site);
    }
    let origin = StoreOrigin {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.spec.clone(),
        model_digest: model.digest()?,
        model_dtype: model.dtype.to_string(),
        tokenizer_digest,
        corpus: corpus.name().to_owned(),
        corpus_digest: corpus.digest().to_owned(),
        seed,
        attention: if params.fused_attention { "fused" } else { "explicit" }.to_owned(),
    };
    let options = ContextOptions { len, tokens: params.tokens, split: params.split, bos: expected_bos(model) };
    let (tokens, bytes) = (params.batch_tokens, params.shard_bytes);
    let plan = StorePlan::new(origin, columns, params.dtype, corpus, &options, tokens, bytes);
    if plan.contexts().is_empty() {
        let split = params.split.map_or_else(String::new, |split| format!(" in the split `{split}`"));
        return Err(HarvestError::NoTokens { corpus: corpus.name().to_owned(), split });
    }
    Ok((plan, sites))
}
