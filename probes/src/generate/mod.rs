//! Generation, token by token, with a key-value cache and a tap at every step.

mod cache;
mod sampler;

use golgi_data::context::RunContext;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

pub use cache::{KvCache, LayerCache};
pub use sampler::Sampling;

use crate::batch::Batch;
use crate::error::{ProbeError, Result};
use crate::tap::Tap;
use crate::transformer::{ForwardOptions, Transformer};

/// How to generate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerateOptions {
    /// At most this many new tokens.
    pub max_tokens: usize,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// Tokens that end the text; they are not part of the result.
    pub stop: Vec<u32>,
    /// Candidates recorded at each step.
    pub top: usize,
    /// One fused attention kernel where nobody looks at scores and pattern.
    pub fused_attention: bool,
}

impl Default for GenerateOptions {
    fn default() -> GenerateOptions {
        GenerateOptions {
            max_tokens: 40,
            sampling: Sampling::default(),
            stop: Vec::new(),
            top: 5,
            fused_attention: false,
        }
    }
}

/// One generated token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What was chosen.
    pub token: u32,
    /// Its natural log-probability under the model, before temperature and truncation.
    pub log_prob: f32,
    /// The most probable tokens with their probabilities.
    pub top: Vec<(u32, f32)>,
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// A stop token was chosen.
    StopToken,
    /// The wanted number of tokens is there.
    MaxTokens,
    /// The context is full.
    Context,
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generation {
    /// The new tokens.
    pub steps: Vec<Step>,
    /// Why it ended.
    pub stop: Stop,
}

impl Generation {
    /// The new token ids.
    pub fn tokens(&self) -> Vec<u32> {
        self.steps.iter().map(|step| step.token).collect()
    }
}

/// Continues `prompt`. Each step is one pass through the model with `tap`: the first over the whole prompt, the others over
/// one token each. `each` sees every step as it is made.
///
/// # Errors
/// If the prompt is empty or longer than the context, the model has no logits, the tap fails or the work is cancelled.
pub fn generate(
    model: &Transformer,
    prompt: &[u32],
    options: &GenerateOptions,
    tap: &mut dyn Tap,
    ctx: &RunContext,
    each: &mut dyn FnMut(&Step),
) -> Result<Generation> {
    let mut sampler = options.sampling.sampler(ctx.seed())?;
    let mut cache = KvCache::new(model.blocks.len());
    let mut batch = Batch::single(prompt)?;
    let mut generation = Generation { steps: Vec::new(), stop: Stop::MaxTokens };
    ctx.stage("generating", options.max_tokens as u64);
    while generation.steps.len() < options.max_tokens {
        ctx.check()?;
        if cache.len() as usize + batch.shape().1 as usize > model.dims.n_ctx && !cache.is_empty() {
            generation.stop = Stop::Context;
            break;
        }
        let pass = ForwardOptions {
            logits: true,
            last_only: true,
            fused_attention: options.fused_attention,
            cache: Some(&mut cache),
            prompt_len: Some(prompt.len() as i64),
        };
        let logits = model.forward(&batch, tap, pass)?;
        let logits = logits.ok_or_else(|| ProbeError::NoLogits(format!("this {} model", model.family)))?;
        let step = choose(&logits, &mut sampler, options.top)?;
        ctx.advance(1);
        if options.stop.contains(&step.token) {
            generation.stop = Stop::StopToken;
            break;
        }
        batch = Batch::single(&[step.token])?;
        each(&step);
        generation.steps.push(step);
    }
    Ok(generation)
}

fn choose(logits: &Tensor, sampler: &mut sampler::Sampler, top: usize) -> Result<Step> {
    let log_probs = logits.f_detach()?.f_view([-1])?.f_log_softmax(-1, Kind::Float)?.f_to_device(tch::Device::Cpu)?;
    let log_probs = Vec::<f32>::try_from(&log_probs)?;
    if log_probs.iter().any(|p| p.is_nan()) {
        return Err(ProbeError::Trace("the model's logits are not numbers; an intervention may be too strong".into()));
    }
    let token = sampler.choose(&log_probs);
    let ranked = sampler::largest(&log_probs, top);
    let top = ranked.into_iter().map(|index| (index as u32, log_probs[index].exp())).collect();
    Ok(Step { token: token as u32, log_prob: log_probs[token], top })
}
