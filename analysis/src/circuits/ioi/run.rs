//! Measuring.

use std::collections::BTreeMap;

use golgi_data::context::RunContext;
use golgi_probes::intervention::{Edits, Intervention, Traces};
use golgi_probes::{Batch, ForwardOptions, OpenModel, ProbeError};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::prompts::{IoiPrompt, Order, prompts};
use super::report::{Ioi, Outcome, PromptOutcome};
use super::Params;
use crate::error::{AnalysisError, Result};

/// How many random exchanges of the two names make the null.
const FLIPS: usize = 2000;

/// Measures the model as it is.
///
/// # Errors
/// As [`run_with`].
pub fn run(model: &OpenModel, params: &Params, ctx: &RunContext) -> Result<Ioi> {
    run_with(model, params, &[], &Traces::new(), ctx)
}

/// Measures the model as it is and, if there are any enabled `interventions`, with them, on the same prompts.
///
/// # Errors
/// If the model has no tokenizer or does not predict next tokens, an intervention cannot be applied, or the work is cancelled.
pub fn run_with(
    model: &OpenModel,
    params: &Params,
    interventions: &[Intervention],
    traces: &Traces,
    ctx: &RunContext,
) -> Result<Ioi> {
    params.check()?;
    if !model.model.causal || !model.model.has_logits() {
        let cause = "it does not predict next tokens".to_owned();
        return Err(AnalysisError::Unsuitable { analysis: "ioi", model: model.name.clone(), cause });
    }
    let prompts = prompts(model, params.prompts, ctx.seed())?;
    let tokens = prompts.iter().map(|prompt| Ok(model.encode(&prompt.text)?.len())).sum::<Result<usize>>()?;
    let changed = interventions.iter().any(|intervention| intervention.enabled);
    ctx.stage("indirect object identification", (prompts.len() * if changed { 3 } else { 2 }) as u64);
    let text = |prompt: &IoiPrompt| prompt.text.clone();
    let plain = differences(model, &prompts, text, params.batch, &[], traces, ctx)?;
    let control = differences(model, &prompts, |prompt| prompt.control.clone(), params.batch, &[], traces, ctx)?;
    let with = if changed {
        Some(differences(model, &prompts, text, params.batch, interventions, traces, ctx)?)
    } else {
        None
    };
    let of_order = |order: Order| -> Vec<f32> {
        let both = prompts.iter().zip(&plain);
        both.filter(|(prompt, _)| prompt.order == order).map(|(_, difference)| *difference).collect()
    };
    let outcome = |(i, prompt): (usize, &IoiPrompt)| PromptOutcome {
        text: prompt.text.clone(),
        io: prompt.io.0.clone(),
        s: prompt.s.0.clone(),
        order: prompt.order,
        difference: plain[i],
        control: control[i],
        changed: with.as_ref().map(|with| with[i]),
    };
    Ok(Ioi {
        all: Outcome::of(&plain),
        abba: Outcome::of(&of_order(Order::Abba)),
        baba: Outcome::of(&of_order(Order::Baba)),
        control: Outcome::of(&control),
        null_95: sign_flips(&plain, ctx.seed()),
        changed: with.as_deref().map(Outcome::of),
        tokens,
        prompts: prompts.iter().enumerate().map(outcome).collect(),
    })
}

/// `logit(IO) − logit(S)` behind each prompt. Prompts of equal length run together, so that nothing needs padding and "the
/// last position" of an intervention means the same in each.
fn differences(
    model: &OpenModel,
    prompts: &[IoiPrompt],
    text: impl Fn(&IoiPrompt) -> String,
    batch: usize,
    interventions: &[Intervention],
    traces: &Traces,
    ctx: &RunContext,
) -> Result<Vec<f32>> {
    let mut by_length: BTreeMap<usize, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
    for (index, prompt) in prompts.iter().enumerate() {
        let tokens = model.encode(&text(prompt))?;
        by_length.entry(tokens.len()).or_default().push((index, tokens));
    }
    let mut found = vec![0.0; prompts.len()];
    for group in by_length.values().flat_map(|group| group.chunks(batch)) {
        ctx.check()?;
        let rows: Vec<Vec<u32>> = group.iter().map(|(_, tokens)| tokens.clone()).collect();
        let mut edits = Edits::new(&model.model, interventions, traces)?;
        let options = ForwardOptions { logits: true, last_only: true, ..ForwardOptions::default() };
        let logits = model.model.forward(&Batch::padded(&rows, 0)?, &mut edits, options)?;
        let logits = logits.ok_or_else(|| ProbeError::NoLogits(model.name.clone()))?;
        for (row, (index, _)) in group.iter().enumerate() {
            let logit = |id: u32| logits.f_double_value(&[row as i64, 0, i64::from(id)]);
            let prompt = &prompts[*index];
            found[*index] = (logit(prompt.io.1)? - logit(prompt.s.1)?) as f32;
        }
        ctx.advance(group.len() as u64);
    }
    if found.iter().all(|difference| difference.is_finite()) { Ok(found) } else { Err(AnalysisError::NotFinite) }
}

/// The 95th percentile of `|mean|` when the sign of each difference is a coin toss.
fn sign_flips(differences: &[f32], seed: u64) -> f32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5f11);
    let mut tossed = || {
        let sum: f32 = differences.iter().map(|d| if rng.random::<bool>() { *d } else { -d }).sum();
        (sum / differences.len() as f32).abs()
    };
    let mut means: Vec<f32> = (0..FLIPS).map(|_| tossed()).collect();
    means.sort_by(f32::total_cmp);
    means[FLIPS * 95 / 100]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_of_equal_differences_is_that_of_a_fair_coin() {
        // The mean of 100 signs has standard deviation 0.1, and 95 % of its magnitudes lie below 1.96 of these.
        let null = sign_flips(&[2.0; 100], 3);
        assert!((0.35..0.44).contains(&null), "{null}");
        assert_eq!(null, sign_flips(&[2.0; 100], 3));
    }
}
