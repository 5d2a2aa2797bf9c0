//! Measuring.

use std::collections::BTreeMap;

use golgi_data::context::RunContext;
use golgi_data::unit::Unit;
use golgi_probes::intervention::{Edit, Intervention, Traces};
use golgi_probes::{Kind, OpenModel, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Params;
use super::report::{Ablation, RandomDraw, Repeats};
use super::sequences::{Sequence, Source};
use crate::distribution::floats;
use crate::error::{AnalysisError, Result};
use crate::prompt::attention::{HeadScore, head_scores, layer_patterns, matches};
use crate::prompt::token_stats::losses;
use crate::prompt::{Needs, PromptInput, PromptRun};

/// Measures the model as it is.
///
/// # Errors
/// As [`run_with`].
pub fn run(model: &OpenModel, params: &Params, ctx: &RunContext) -> Result<Repeats> {
    run_with(model, params, &[], &Traces::new(), ctx)
}

/// Measures the model with `interventions` in force throughout.
///
/// # Errors
/// If the model does not predict next tokens, a head does not exist, the sequences do not fit the model, an intervention
/// cannot be applied, or the work is cancelled.
pub fn run_with(
    model: &OpenModel,
    params: &Params,
    interventions: &[Intervention],
    traces: &Traces,
    ctx: &RunContext,
) -> Result<Repeats> {
    params.check(model)?;
    if !model.model.causal || !model.model.has_logits() {
        let cause = "it does not predict next tokens".to_owned();
        return Err(AnalysisError::Unsuitable { analysis: "repeats", model: model.name.clone(), cause });
    }
    let source = Source::new(model, params)?;
    let mut rng = ChaCha8Rng::seed_from_u64(ctx.seed());
    let bench = Bench { model, interventions, traces, ctx };

    let sequences: Vec<Sequence> = (0..params.sequences).map(|_| source.draw(&mut rng)).collect();
    ctx.stage("scoring heads", sequences.len() as u64);
    let mut tally = Tally::default();
    for sequence in &sequences {
        let run = bench.run(sequence, &[], Needs { patterns: true, ..Needs::default() })?;
        tally.add(model, sequence, &run)?;
        ctx.advance(1);
    }
    let (scores, baseline, (loss_first, loss_repeat)) = tally.means();

    let heads = if params.heads.is_empty() { highest(&scores, params.ablate_top) } else { params.heads.clone() };
    let ablation = if heads.is_empty() {
        None
    } else {
        let fresh: Vec<Sequence> = (0..params.sequences).map(|_| source.draw(&mut rng)).collect();
        Some(bench.ablate(heads, &fresh, params, &mut rng)?)
    };
    Ok(Repeats {
        periods: sequences.iter().map(|sequence| sequence.period).collect(),
        bos: sequences.iter().any(|sequence| sequence.start == 1),
        loss_first,
        loss_repeat,
        scores,
        baseline,
        ablation,
    })
}

struct Bench<'a> {
    model: &'a OpenModel,
    interventions: &'a [Intervention],
    traces: &'a Traces,
    ctx: &'a RunContext,
}

impl Bench<'_> {
    /// One sequence, with `zeroed` heads behind the standing interventions.
    fn run(&self, sequence: &Sequence, zeroed: &[Unit], needs: Needs) -> Result<PromptRun> {
        self.ctx.check()?;
        let zero = zeroed.iter().map(|unit| Intervention::of_unit(unit, Edit::Zero));
        let input = PromptInput {
            tokens: sequence.tokens.clone(),
            interventions: self.interventions.iter().cloned().chain(zero).collect(),
            fused_attention: false,
        };
        // A context of its own: the stage of the whole experiment is not to be overwritten.
        PromptRun::new(self.model, &input, self.traces, needs, None, &RunContext::new(self.ctx.seed()))
    }

    /// Mean losses over `sequences`, first half and repeat.
    fn losses(&self, sequences: &[Sequence], zeroed: &[Unit]) -> Result<(f32, f32)> {
        let (mut first, mut repeat) = (0.0, 0.0);
        for sequence in sequences {
            let run = self.run(sequence, zeroed, Needs::default())?;
            let halves = sequence.split(&losses(self.model, &run)?);
            (first, repeat) = (first + halves.0, repeat + halves.1);
            self.ctx.advance(1);
        }
        let n = sequences.len() as f64;
        Ok(((first / n) as f32, (repeat / n) as f32))
    }

    fn ablate(&self, heads: Vec<Unit>, fresh: &[Sequence], params: &Params, rng: &mut ChaCha8Rng) -> Result<Ablation> {
        self.ctx.stage("ablating heads", (fresh.len() * (2 + params.draws)) as u64);
        let (intact_first, intact_repeat) = self.losses(fresh, &[])?;
        let (loss_first, loss_repeat) = self.losses(fresh, &heads)?;
        let mut random = Vec::with_capacity(params.draws);
        for _ in 0..params.draws {
            let heads = alike(&heads, self.model.model.dims.n_heads as u32, rng);
            let (loss_first, loss_repeat) = self.losses(fresh, &heads)?;
            random.push(RandomDraw { heads, loss_first, loss_repeat });
        }
        Ok(Ablation { heads, intact_first, intact_repeat, loss_first, loss_repeat, random })
    }
}

/// As many random heads per layer as `heads` has there: others, as far as the layer has enough.
fn alike(heads: &[Unit], n_heads: u32, rng: &mut ChaCha8Rng) -> Vec<Unit> {
    let mut by_layer: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    heads.iter().for_each(|unit| by_layer.entry(unit.site.layer().unwrap_or(0)).or_default().push(unit.index));
    let mut drawn = Vec::with_capacity(heads.len());
    for (layer, chosen) in by_layer {
        let (mut taken, mut others): (Vec<u32>, Vec<u32>) = (0..n_heads).partition(|head| chosen.contains(head));
        others.shuffle(rng);
        taken.shuffle(rng);
        drawn.extend(others.into_iter().chain(taken).take(chosen.len()).map(|head| Unit::head(layer, head)));
    }
    drawn
}

fn highest(scores: &[HeadScore], n: usize) -> Vec<Unit> {
    let mut order: Vec<&HeadScore> = scores.iter().collect();
    order.sort_by(|a, b| b.induction.total_cmp(&a.induction));
    order.into_iter().take(n).map(|score| Unit::head(score.layer, score.head)).collect()
}

/// Sums over sequences.
#[derive(Default)]
struct Tally {
    scores: Vec<HeadScore>,
    baseline: Vec<f32>,
    losses: (f64, f64),
    n: usize,
}

impl Tally {
    fn add(&mut self, model: &OpenModel, sequence: &Sequence, run: &PromptRun) -> Result<()> {
        let halves = sequence.split(&losses(model, run)?);
        self.losses = (self.losses.0 + halves.0, self.losses.1 + halves.1);
        self.n += 1;
        let matches = matches(&sequence.tokens)?;
        let (mut scores, mut baseline) = (Vec::new(), Vec::new());
        for (layer, pattern) in layer_patterns(model, run)?.iter().enumerate() {
            scores.extend(head_scores(layer as u32, pattern, &matches)?);
            baseline.extend(by_chance(pattern, &matches.induction, sequence)?);
        }
        if self.scores.is_empty() {
            (self.scores, self.baseline) = (scores, baseline);
            return Ok(());
        }
        for (sum, new) in self.scores.iter_mut().zip(scores) {
            sum.previous += new.previous;
            sum.duplicate += new.duplicate;
            sum.induction += new.induction;
            sum.first += new.first;
            sum.current += new.current;
            sum.entropy += new.entropy;
        }
        self.baseline.iter_mut().zip(baseline).for_each(|(sum, new)| *sum += new);
        Ok(())
    }

    fn means(self) -> (Vec<HeadScore>, Vec<f32>, (f32, f32)) {
        let n = self.n.max(1) as f32;
        let mean = |s: HeadScore| HeadScore {
            previous: s.previous / n,
            duplicate: s.duplicate / n,
            induction: s.induction / n,
            first: s.first / n,
            current: s.current / n,
            entropy: s.entropy / n,
            ..s
        };
        let losses = ((self.losses.0 / f64::from(n)) as f32, (self.losses.1 / f64::from(n)) as f32);
        (self.scores.into_iter().map(mean).collect(), self.baseline.into_iter().map(|b| b / n).collect(), losses)
    }
}

/// The mass that each head `[n_heads, query, key]` gives to an average position, over the queries of the repeat: positions before
/// the query, without the first one and without the match.
fn by_chance(pattern: &Tensor, matching: &Tensor, sequence: &Sequence) -> Result<Vec<f32>> {
    let n = sequence.tokens.len() as i64;
    let others = matching.f_neg()?.f_add_scalar(1.0)?.f_tril(-1)?;
    // The first position collects what a head has no use for.
    let first = Tensor::f_arange(n, (Kind::Int64, others.device()))?.f_eq(0)?;
    let others = others.f_masked_fill(&first, 0.0)?;
    let repeat = (sequence.start + sequence.period) as i64;
    let rows = |x: &Tensor, axis: i64| x.f_narrow(axis, repeat, n - repeat);
    let counts = rows(&others, 0)?.f_sum_dim_intlist(-1, false, None::<Kind>)?.f_clamp_min(1.0)?;
    let mass = rows(&pattern.f_mul(&others)?, 1)?.f_sum_dim_intlist(-1, false, None::<Kind>)?;
    floats(&mass.f_div(&counts)?.f_mean_dim(-1, false, None::<Kind>)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Family, random, wired};

    #[test]
    fn random_heads_come_from_the_same_layers() {
        let heads = [Unit::head(3, 1), Unit::head(3, 2), Unit::head(5, 0)];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..20 {
            let drawn = alike(&heads, 9, &mut rng);
            assert_eq!(drawn.iter().map(|unit| unit.site.layer().unwrap()).collect::<Vec<_>>(), [3, 3, 5]);
            assert!(drawn.iter().all(|unit| !heads.contains(unit)));
        }
        // A layer with too few others gives what it has.
        assert_eq!(alike(&heads, 3, &mut rng).len(), 3);
    }

    #[test]
    fn chance_leaves_out_match_first_and_self() {
        // Tokens a b c a b c; the last query's match is position 3. Uniform attention but for the match.
        let sequence = Sequence { tokens: vec![1, 2, 3, 1, 2, 3], start: 0, period: 3 };
        let rows: Vec<f32> =
            (0..6).flat_map(|q| (0..6).map(move |k| if k <= q { 1.0 / (q + 1) as f32 } else { 0.0 })).collect();
        let pattern = Tensor::from_slice(&rows).view([1, 6, 6]);
        let found = by_chance(&pattern, &matches(&sequence.tokens).unwrap().induction, &sequence).unwrap();
        let expected = (1.0 / 4.0 + 1.0 / 5.0 + 1.0 / 6.0) / 3.0;
        assert!((found[0] - expected).abs() < 1e-6, "{found:?}");
    }

    fn planted() -> Params {
        Params { sequences: 6, min_tokens: 8, max_tokens: 16, ablate_top: 1, draws: 3, ..Params::default() }
    }

    #[test]
    fn the_planted_heads_are_found_and_carry_the_repeat() {
        let model = wired();
        let found = run(&model, &planted(), &RunContext::new(5)).unwrap();
        let (induction, previous) = (found.best_induction().unwrap(), found.best_previous().unwrap());
        assert_eq!((induction.layer, induction.head), (1, 0));
        assert_eq!((previous.layer, previous.head), (0, 1));
        // The first token's previous-token head rests on itself, which costs one query of each sequence half its mass.
        assert!(induction.induction > 0.9 && previous.previous > 0.99, "{induction:?} {previous:?}");
        assert!(found.baseline.iter().all(|chance| *chance < 0.2), "{:?}", found.baseline);
        assert!(found.loss_repeat < found.loss_first - 1.0, "{found:?}");
        assert!(found.periods.iter().any(|period| *period != found.periods[0]));

        let ablation = found.ablation.unwrap();
        assert_eq!(ablation.heads, [Unit::head(1, 0)]);
        assert!(ablation.loss_repeat > ablation.intact_repeat + 1.0);
        for draw in &ablation.random {
            // The other head of the layer writes nothing.
            assert_eq!(draw.heads, [Unit::head(1, 1)]);
            assert_eq!((draw.loss_first, draw.loss_repeat), (ablation.intact_first, ablation.intact_repeat));
        }
    }

    #[test]
    fn the_seed_decides_and_interventions_count() {
        let model = wired();
        let params = Params { ablate_top: 0, ..planted() };
        let at = |seed| run(&model, &params, &RunContext::new(seed)).unwrap();
        assert_eq!(at(1), at(1));
        assert_ne!(at(1).loss_first, at(2).loss_first);
        let zero = [Intervention::of_unit(&Unit::head(0, 1), Edit::Zero)];
        let without = run_with(&model, &params, &zero, &Traces::new(), &RunContext::new(1)).unwrap();
        assert!(without.best_induction().unwrap().induction < 0.5, "no induction without the previous-token head");
        assert!(without.loss_repeat > at(1).loss_repeat + 1.0);
    }

    #[test]
    fn named_heads_are_ablated() {
        let model = wired();
        let params = Params { heads: vec![Unit::head(0, 1)], draws: 1, ..planted() };
        let ablation = run(&model, &params, &RunContext::new(5)).unwrap().ablation.unwrap();
        assert_eq!(ablation.heads, [Unit::head(0, 1)]);
        assert!(ablation.loss_repeat > ablation.intact_repeat + 1.0);
    }

    #[test]
    fn impossible_settings_are_refused() {
        let model = wired();
        let refused = |params: Params| run(&model, &params, &RunContext::new(0)).unwrap_err().to_string();
        assert!(refused(Params { sequences: 0, ..planted() }).contains("`sequences`"));
        assert!(refused(Params { min_tokens: 2, ..planted() }).contains("`min_tokens`"));
        assert!(refused(Params { min_tokens: 17, ..planted() }).contains("`min_tokens`"));
        // 20 tokens twice, and BOS, are one more than the context.
        assert!(refused(Params { max_tokens: 20, ..planted() }).contains("at most 19"));
        assert!(refused(Params { heads: vec![Unit::head(0, 2)], ..planted() }).contains("L18H6"));
        assert!(refused(Params { heads: vec![Unit::neuron(0, 0)], ..planted() }).contains("L18H6"));
        assert!(refused(Params { bos: super::super::Bos::Yes, ..planted() }).contains("BOS"));
        assert!(refused(Params { ablate_top: 5, ..planted() }).contains("4 heads"));
        let bert = random(Family::Bert, 1);
        assert!(matches!(
            run(&bert, &planted(), &RunContext::new(0)),
            Err(AnalysisError::Param { .. } | AnalysisError::Unsuitable { .. })
        ));
        let ctx = RunContext::new(0);
        ctx.cancel();
        assert!(run(&model, &planted(), &ctx).unwrap_err().is_cancelled());
    }
}
