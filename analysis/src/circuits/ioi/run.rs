//! Measuring.

use std::collections::BTreeMap;

use golgi_data::context::RunContext;
use golgi_probes::intervention::{Edits, Intervention, Traces};
use golgi_probes::{Batch, ForwardOptions, OpenModel, ProbeError};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Params;
use super::prompts::{IoiPrompt, Order, prompts};
use super::report::{Ioi, Outcome, PromptOutcome};
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::{Family, logits_by_hand, random, reading};

    #[test]
    fn the_null_of_equal_differences_is_that_of_a_fair_coin() {
        // The mean of 100 signs has standard deviation 0.1, and 95 % of its magnitudes lie below 1.96 of these.
        let null = sign_flips(&[2.0; 100], 3);
        assert!((0.35..0.44).contains(&null), "{null}");
        assert_eq!(null, sign_flips(&[2.0; 100], 3));
    }

    #[test]
    fn differences_are_those_of_plain_passes_whatever_the_batch() {
        let model = reading(Family::Gpt2, 21);
        let params = |batch| Params { prompts: 40, batch };
        let found = run(&model, &params(7), &RunContext::new(3)).unwrap();
        assert_eq!((found.all.prompts, found.abba.prompts, found.baba.prompts), (40, 20, 20));
        let tokenizer = model.tokenizer().unwrap();
        for outcome in &found.prompts {
            let difference = |text: &str| {
                let logits = logits_by_hand(&model, &tokenizer.encode(text).unwrap()).pop().unwrap();
                let of = |name: &str| logits[tokenizer.token_to_id(&format!(" {name}")).unwrap() as usize];
                (of(&outcome.io) - of(&outcome.s)) as f32
            };
            assert!((outcome.difference - difference(&outcome.text)).abs() < 1e-4);
        }
        let mean = found.prompts.iter().map(|outcome| outcome.difference).sum::<f32>() / 40.0;
        assert!((mean - found.all.mean).abs() < 1e-5);
        let alone = run(&model, &params(1), &RunContext::new(3)).unwrap();
        assert!((alone.all.mean - found.all.mean).abs() < 1e-4 && alone.changed.is_none());
    }

    #[test]
    fn interventions_are_measured_beside_the_model_as_it_is() {
        use golgi_data::site::Site;
        use golgi_probes::intervention::{Edit, Positions};
        let model = reading(Family::Llama, 21);
        let params = Params { prompts: 20, batch: 8 };
        let with = |edit, positions| {
            let changes = [Intervention::new(&Site::Logits, edit).at(positions)];
            run_with(&model, &params, &changes, &Traces::new(), &RunContext::new(3)).unwrap()
        };
        let plain = run(&model, &params, &RunContext::new(3)).unwrap();
        let flat = with(Edit::Set { value: 1.0 }, Positions::Last);
        let changed = flat.changed.unwrap();
        assert_eq!((changed.mean, changed.accuracy, changed.standard_error), (0.0, 0.0, 0.0));
        assert_eq!((flat.all, flat.control), (plain.all.clone(), plain.control));
        let doubled = with(Edit::Scale { factor: 2.0 }, Positions::These(vec![-1])).changed.unwrap();
        assert!((doubled.mean - 2.0 * plain.all.mean).abs() < 1e-4);
        let elsewhere = with(Edit::Set { value: 1.0 }, Positions::These(vec![0])).changed.unwrap();
        assert_eq!(elsewhere, plain.all);
    }

    #[test]
    fn prompts_have_both_orders_known_names_and_a_third_subject() {
        let model = reading(Family::Llama, 21);
        let made = prompts(&model, 40, 9).unwrap();
        assert_eq!(made, prompts(&model, 40, 9).unwrap());
        assert_ne!(made, prompts(&model, 40, 10).unwrap());
        for prompt in &made {
            let (io, s) = (&prompt.io.0, &prompt.s.0);
            assert!(["Mary", "John", "Emma"].contains(&io.as_str()) && io != s);
            assert_eq!((prompt.text.matches(io).count(), prompt.text.matches(s).count()), (1, 2));
            assert_eq!((prompt.control.matches(io).count(), prompt.control.matches(s).count()), (1, 1));
            assert_eq!(prompt.text.find(io) < prompt.text.find(s), prompt.order == Order::Abba);
            assert!(!prompt.text.contains('{') && prompt.text.ends_with(" to"));
            assert_eq!(model.tokenizer().unwrap().token_to_id(&format!(" {io}")), Some(prompt.io.1));
        }
        // Twenty prompts are every frame in both orders.
        let filled: BTreeSet<(usize, bool)> = made[..20].iter().map(|p| (p.frame, p.order == Order::Abba)).collect();
        assert_eq!(filled, (0..10).flat_map(|frame| [(frame, false), (frame, true)]).collect());
    }

    #[test]
    fn models_that_cannot_are_refused() {
        let mute = random(Family::Llama, 21);
        let error = run(&mute, &Params::default(), &RunContext::new(0)).unwrap_err().to_string();
        assert!(error.contains("tokenizer"), "{error}");
        let bert = reading(Family::Bert, 21);
        assert!(matches!(run(&bert, &Params::default(), &RunContext::new(0)), Err(AnalysisError::Unsuitable { .. })));
        let model = reading(Family::Llama, 21);
        for params in [Params { prompts: 1, batch: 8 }, Params { prompts: 50, batch: 0 }] {
            assert!(matches!(run(&model, &params, &RunContext::new(0)), Err(AnalysisError::Param { .. })));
        }
        let ctx = RunContext::new(0);
        ctx.cancel();
        assert!(run(&model, &Params::default(), &ctx).unwrap_err().is_cancelled());
    }
}
