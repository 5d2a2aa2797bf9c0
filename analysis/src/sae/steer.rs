//! Generation with a latent changed, beside generation without and with a control.

use golgi_data::context::RunContext;
use golgi_probes::generate::{GenerateOptions, Generation, generate};
use golgi_probes::{NoTap, OpenModel, Tap};
use golgi_sae::{Coder, LatentEdit, Replacement, Splice};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Result;

/// What a change of latents does to a generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steered {
    /// Which latents, and what is done to them.
    pub edits: Vec<(u32, LatentEdit)>,
    /// The continuation without a change.
    pub plain: String,
    /// With the change.
    pub steered: String,
    /// With the same change of other latents, drawn at random.
    pub control: String,
    /// Which these were.
    pub control_latents: Vec<u32>,
    /// How far the first next-token distribution moved: KL(plain ‖ steered), in nats.
    pub kl: f64,
    /// The same for the control.
    pub control_kl: f64,
}

/// Generates three times from the same prompt with the same seed. The reconstruction's error is kept: only what the edits
/// change is added.
///
/// # Errors
/// If the dictionary is no autoencoder of one site, a latent is out of range, the model fails or the work is cancelled.
pub fn steer(
    model: &OpenModel,
    coder: &Coder,
    edits: &[(u32, LatentEdit)],
    prompt: &[u32],
    options: &GenerateOptions,
    ctx: &RunContext,
) -> Result<Steered> {
    let mut random = ChaCha8Rng::seed_from_u64(ctx.seed());
    let others: Vec<u32> = (0..coder.dictionary().config.latents)
        .filter(|latent| edits.iter().all(|(chosen, _)| chosen != latent))
        .collect();
    let control: Vec<(u32, LatentEdit)> =
        edits.iter().filter_map(|(_, edit)| others.choose(&mut random).map(|latent| (*latent, *edit))).collect();
    let run = |tap: &mut dyn Tap| -> Result<Generation> {
        Ok(generate(&model.model, prompt, options, tap, ctx, &mut |_| {})?)
    };
    let mut changed = Splice::new(coder, Replacement::KeepError, edits.to_vec())?;
    let mut controlled = Splice::new(coder, Replacement::KeepError, control.clone())?;
    let first = |tap: &mut dyn Tap| -> Result<tch::Tensor> {
        let batch = golgi_probes::Batch::single(prompt)?;
        let logits = model.model.forward(&batch, tap, golgi_probes::ForwardOptions::logits())?;
        let logits =
            logits.ok_or_else(|| golgi_probes::ProbeError::NoLogits(format!("this {} model", model.model.family)))?;
        Ok(logits.f_select(0, 0)?.f_select(0, -1)?.f_log_softmax(-1, golgi_probes::Kind::Double)?)
    };
    let own = first(&mut NoTap)?;
    let kl = |other: &tch::Tensor| -> Result<f64> {
        let terms = own.f_exp()? * (&own - other);
        Ok(terms.f_sum(None::<golgi_probes::Kind>)?.f_double_value(&[])?)
    };
    let (moved, control_moved) = (kl(&first(&mut changed)?)?, kl(&first(&mut controlled)?)?);
    let text = |generation: &Generation| match &model.tokenizer {
        Some(tokenizer) => tokenizer.decode(&generation.tokens()),
        None => generation.tokens().iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    };
    Ok(Steered {
        edits: edits.to_vec(),
        plain: text(&run(&mut NoTap)?),
        steered: text(&run(&mut changed)?),
        control: text(&run(&mut controlled)?),
        control_latents: control.iter().map(|(latent, _)| *latent).collect(),
        kl: moved,
        control_kl: control_moved,
    })
}
