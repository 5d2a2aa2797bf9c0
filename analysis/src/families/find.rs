//! The search: every finder on one atlas.

use std::collections::{HashMap, HashSet};

use golgi_data::atlas::Atlas;
use golgi_data::context::RunContext;
use golgi_probes::{OpenModel, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::detectors::Places;
use super::explained::Labels;
use super::input::{Context, Input, Neuron};
use super::outcome::Outcome;
use super::pass::Passed;
use super::weights::{Profile, Vocabulary, shuffled, writes};
use super::{Params, attention, dead, detectors, entropy, explained, pass, positional, store, suppressing, vocabulary};
use crate::error::{AnalysisError, Result};
use crate::report::{Fact, Report};

/// Rows of the unembedding taken as written vectors.
const PLANTED_ROWS: usize = 256;

/// Looks for every family in an atlas, writes `families.parquet` and `families.json` into it, and returns the latter. Without the
/// model, only the families that follow from the atlas alone are looked for.
///
/// # Errors
/// If the atlas cannot be read or written, the model is another than the atlas's, a parameter is impossible, or the work is
/// cancelled. The old families then stay.
pub fn find(atlas: &Atlas, model: Option<&OpenModel>, params: &Params, ctx: &RunContext) -> Result<Report> {
    params.check()?;
    if !atlas.manifest().complete {
        let cause = "the atlas is not finished; go on with its build by the same command and --resume, then look again";
        return Err(AnalysisError::Unsuitable {
            analysis: "families",
            model: atlas.manifest().model.clone(),
            cause: cause.to_owned(),
        });
    }
    store::check_writable(atlas)?;
    ctx.stage("reading the atlas", 0);
    let input = Input::read(atlas)?;
    if let Some(model) = model {
        same(atlas, model)?;
    }
    let mut search =
        Search { input: &input, params, ctx, rng: ChaCha8Rng::seed_from_u64(ctx.seed()), warnings: vec![] };
    let outcomes = search.run(model)?;
    let report = store::report(atlas, model, &input, &outcomes, search.warnings, ctx)?;
    store::write(atlas, &outcomes, &report)?;
    Ok(report)
}

/// Refuses a model that the atlas is not about.
fn same(atlas: &Atlas, model: &OpenModel) -> Result<()> {
    let manifest = atlas.manifest();
    let (digest, dims) = (model.digest()?, &model.model.dims);
    let neurons: u64 = manifest.groups.iter().filter(|g| g.kind.name() == "neuron").map(|g| u64::from(g.count)).sum();
    let cause = if digest != manifest.model_digest {
        format!(
            "the atlas is about {}, whose weights are other ones; give the model that it was built from, or build it again",
            manifest.model
        )
    } else if neurons != (dims.n_layers * dims.d_mlp) as u64 {
        format!("the atlas has {neurons} neurons, the model {}", dims.n_layers * dims.d_mlp)
    } else {
        return Ok(());
    };
    Err(AnalysisError::Unsuitable { analysis: "families", model: model.name.clone(), cause })
}

/// −1 where a gated neuron's activations are mostly negative.
fn sign(neuron: &Neuron, gated: bool) -> f64 {
    if gated && neuron.mean_active < 0.0 { -1.0 } else { 1.0 }
}

struct Search<'a> {
    input: &'a Input,
    params: &'a Params,
    ctx: &'a RunContext,
    rng: ChaCha8Rng,
    warnings: Vec<String>,
}

impl Search<'_> {
    fn run(&mut self, model: Option<&OpenModel>) -> Result<Vec<Outcome>> {
        let input = self.input;
        let contexts = self.contexts(self.params.tokens);
        let piece = |token: u32| input.piece(token).to_owned();
        // Classes are bounded so that their sums, of two halves, real and exchanged, stay below 512 MB.
        let most = self.params.properties.min(((1 << 25) / input.neurons.len().max(1)).max(16));
        let labels = Labels::new(&contexts, input.skip_first, most, piece, &mut self.rng);
        let passed = match model {
            Some(model) => Some(pass::run(model, input, &contexts, &labels, &mut self.rng, self.ctx)?),
            None => {
                self.warnings.push(
                    "without the model only dead, detector and positional neurons are looked for; name it to find the others"
                        .to_owned(),
                );
                None
            }
        };
        let mut outcomes = vec![self.dead(passed.as_ref())];
        let detecting = self.detectors();
        let detected: HashSet<u32> = detecting[0].findings.iter().map(|finding| finding.unit).collect();
        outcomes.extend(detecting);
        outcomes.push(self.positional(passed.as_ref()));
        let (Some(model), Some(passed)) = (model, passed) else { return Ok(outcomes) };
        match Vocabulary::new(model)? {
            Ok(vocabulary) => outcomes.extend(self.weights(model, &vocabulary, &detected)?),
            Err(cause) => self.warnings.push(format!(
                "suppressing, prediction, suppression, partition and entropy neurons are not looked for: {cause}"
            )),
        }
        if model.model.causal {
            outcomes.push(self.attention(model)?);
        } else {
            self.warnings.push("attention neurons are not looked for: every position sees every other".to_owned());
        }
        let units: Vec<u32> = input.neurons.iter().map(|neuron| neuron.unit).collect();
        let mut explained = explained::judge(&units, labels.classes(), &passed.explained, &passed.null);
        explained.facts.push(Fact::new("explained: tokens run through the model", passed.tokens));
        outcomes.push(explained);
        Ok(outcomes)
    }

    /// Whole contexts up to `tokens` tokens: half of them of the tune and half of the confirm split where the atlas has both, and
    /// otherwise any. From as many documents as possible: the first context of each, then the second ones.
    fn contexts(&self, tokens: usize) -> Vec<Context> {
        let mut seen: HashMap<u32, usize> = HashMap::new();
        let mut all: Vec<(usize, &Context)> = Vec::with_capacity(self.input.contexts.len());
        for context in &self.input.contexts {
            let rank = seen.entry(context.document).or_default();
            all.push((*rank, context));
            *rank += 1;
        }
        all.sort_by_key(|(rank, _)| *rank);
        let take = |wanted: &dyn Fn(&Context) -> bool, tokens: usize| {
            let mut left = tokens;
            let mine = all.iter().map(|(_, context)| *context).filter(|context| wanted(context));
            let take = mine.take_while(move |context| {
                let more = left > 0;
                left = left.saturating_sub(context.tokens.len());
                more
            });
            take.cloned().collect::<Vec<_>>()
        };
        let split = |name: &'static str| take(&move |context: &Context| context.split == name, tokens / 2);
        let (tune, confirm) = (split("tune"), split("confirm"));
        if tune.len() >= 4 && confirm.len() >= 4 {
            return tune.into_iter().chain(confirm).collect();
        }
        take(&|_| true, tokens)
    }

    fn dead(&self, passed: Option<&Passed>) -> Outcome {
        let candidates: Vec<dead::Candidate> = self
            .input
            .neurons
            .iter()
            .map(|n| dead::Candidate { unit: n.unit, layer: n.layer, tokens: n.tokens, firings: n.firings })
            .collect();
        dead::find(&candidates, passed.map(|passed| &passed.first))
    }

    fn detectors(&mut self) -> Vec<Outcome> {
        let none = [const { Vec::new() }; 3];
        let candidates: Vec<detectors::Candidate> = self
            .input
            .neurons
            .iter()
            .map(|neuron| {
                let [one, two, three] = self.input.triggers.get(&neuron.unit).unwrap_or(&none);
                detectors::Candidate { unit: neuron.unit, firings: neuron.firings, triggers: [one, two, three] }
            })
            .collect();
        self.ctx.stage("detectors", 0);
        let contexts = || self.input.contexts.iter().map(|context| context.tokens.as_slice());
        let places = [1, 2, 3].map(|n| Places::new(contexts(), n, self.input.skip_first));
        detectors::find(&candidates, &places, &mut self.rng)
    }

    fn positional(&mut self, passed: Option<&Passed>) -> Outcome {
        let (input, first) = (self.input, self.input.first_position());
        let (reach, bin) = (input.reach(), input.positions_per_bin);
        // An entry counts as often as its rarest position is reached.
        let reached: Vec<u32> = reach.chunks(bin).map(|bin| bin.iter().copied().min().unwrap_or(0)).collect();
        let from = first / bin;
        let to = reached.iter().position(|n| *n < positional::FEWEST_CONTEXTS).unwrap_or(reached.len());
        let range = from.min(to)..to;
        let candidates: Vec<positional::Candidate> = input
            .neurons
            .iter()
            .zip(&input.rates)
            .map(|(neuron, rates)| {
                let rates = rates.get(range.clone()).unwrap_or_default();
                positional::Candidate { unit: neuron.unit, frequency: rates.iter().map(|r| f64::from(*r)).collect() }
            })
            .collect();
        positional::find(&candidates, &reached[range], passed.map(|passed| &passed.shifted), &mut self.rng)
    }

    /// Families that follow from what neurons write.
    fn weights(&mut self, model: &OpenModel, words: &Vocabulary, detected: &HashSet<u32>) -> Result<Vec<Outcome>> {
        let dims = &model.model.dims;
        let all: Vec<(usize, usize)> = self.input.neurons.iter().map(|n| (n.layer, n.index as usize)).collect();
        let late = dims.n_layers.saturating_sub(self.params.late_layers);
        let picks = self.picks(&all);
        let late_picks = self.picks(&all.iter().filter(|(layer, _)| *layer >= late).copied().collect::<Vec<_>>());
        let mut directions = (0..dims.n_layers).map(|layer| writes(model, layer)).collect::<Result<Vec<Tensor>>>()?;
        directions.push(shuffled(model, &picks, &mut self.rng)?);
        directions.push(shuffled(model, &late_picks, &mut self.rng)?);
        let rows: Vec<u32> = super::statistics::draw(dims.d_vocab, PLANTED_ROWS, &mut self.rng)
            .into_iter()
            .map(|id| id as u32)
            .collect();
        directions.push(words.rows(&rows)?.f_tr()?);
        let profiles = words.profiles(&directions, self.ctx)?;
        let [null, late_null, planted] = [0, 1, 2].map(|at| profiles[dims.n_layers + at].as_slice());
        let profile = |neuron: &Neuron| profiles[neuron.layer][neuron.index as usize];
        let gated = self.input.gated;

        let mut outcomes = vec![self.suppressing(words, detected, &directions, &profile)?];
        let candidates: Vec<vocabulary::Candidate> = self
            .input
            .neurons
            .iter()
            .map(|n| vocabulary::Candidate { unit: n.unit, profile: profile(n), sign: sign(n, gated) })
            .collect();
        let calibration =
            vocabulary::Calibration { vocabulary: words.size() as f64, width: dims.d_model as f64, planted, null };
        outcomes.extend(vocabulary::find(&candidates, &calibration));
        outcomes.push(self.entropy(model, late, late_null, &profile)?);
        Ok(outcomes)
    }

    /// Neurons whose written vectors are shuffled, by layer.
    fn picks(&mut self, from: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let n = if from.is_empty() { 0 } else { self.params.impostors };
        let mut picks: Vec<(usize, usize)> = (0..n).map(|_| from[self.rng.random_range(0..from.len())]).collect();
        picks.sort_unstable();
        // In another order than by layer, so that both halves of the null hold all layers alike.
        let half = picks.len().div_ceil(2);
        (0..picks.len()).map(|at| picks[(at / 2) + if at % 2 == 0 { 0 } else { half }]).collect()
    }

    fn suppressing(
        &mut self,
        words: &Vocabulary,
        detected: &HashSet<u32>,
        directions: &[Tensor],
        profile: &dyn Fn(&Neuron) -> Profile,
    ) -> Result<Outcome> {
        let input = self.input;
        let mut candidates = Vec::new();
        for neuron in input.neurons.iter().filter(|neuron| detected.contains(&neuron.unit)) {
            let Some([triggers, ..]) = input.triggers.get(&neuron.unit) else { continue };
            let Some(detector) = detectors::detect(triggers, neuron.firings) else { continue };
            candidates.push(suppressing::Candidate {
                unit: neuron.unit,
                written: directions[neuron.layer].f_select(1, i64::from(neuron.index))?,
                spread: profile(neuron).logit_variance.sqrt(),
                sign: sign(neuron, input.gated),
                triggers: detector.reliable.iter().map(|at| &triggers[*at]).collect(),
            });
        }
        let counted = |context: &Context| context.tokens.iter().skip(input.skip_first).copied().collect::<Vec<_>>();
        let tokens: Vec<u32> = input.contexts.iter().flat_map(counted).collect();
        suppressing::find(&candidates, words, &tokens, &mut self.rng)
    }

    fn entropy(
        &mut self,
        model: &OpenModel,
        from: usize,
        null: &[Profile],
        profile: &dyn Fn(&Neuron) -> Profile,
    ) -> Result<Outcome> {
        let gated = self.input.gated;
        let late: Vec<entropy::Candidate> = self
            .input
            .neurons
            .iter()
            .filter(|neuron| neuron.layer >= from)
            .map(|neuron| entropy::Candidate {
                unit: neuron.unit,
                layer: neuron.layer,
                index: neuron.index,
                profile: profile(neuron),
                reach: match gated {
                    false => 6.0,
                    true if neuron.mean_active < 0.0 => f64::from(neuron.extremes.1),
                    true => f64::from(neuron.extremes.0.max(0.0)),
                },
            })
            .collect();
        let choice = entropy::choose(&late, null, &mut self.rng);
        let (mut chosen, mut controls) = (Vec::new(), Vec::new());
        let clamp = &choice.chosen[..choice.chosen.len().min(self.params.clamp)];
        if !clamp.is_empty() {
            let contexts = self.contexts(self.params.clamp_tokens);
            let mut bench = entropy::Bench::new(model, &contexts, from, self.input.skip_first.max(1), self.ctx)?;
            let runs = 7 * (clamp.len() + choice.controls.len());
            self.ctx.stage("clamping entropy neurons", runs as u64);
            for (list, results) in [(clamp, &mut chosen), (&choice.controls, &mut controls)] {
                for at in list {
                    results.push(bench.clamp(&late[*at], self.ctx)?);
                }
            }
        }
        Ok(entropy::judge(&late, &choice, &chosen, &controls))
    }

    fn attention(&mut self, model: &OpenModel) -> Result<Outcome> {
        let d_mlp = model.model.dims.d_mlp;
        let n_layers = model.model.dims.n_layers;
        let contexts = self.contexts(self.params.ablate_tokens);
        if n_layers < 2 || contexts.is_empty() {
            return Ok(Outcome::new("attention", 0));
        }
        let keys = attention::Keys::new(model, &contexts, self.ctx)?;
        let units = &self.input.neurons;
        let pairs = keys.pairs(model, |layer, index| units[layer * d_mlp + index as usize].unit)?;
        let early: Vec<(usize, usize)> =
            units.iter().filter(|n| n.layer + 1 < n_layers).map(|n| (n.layer, n.index as usize)).collect();
        let picks = self.picks(&early);
        let fakes = shuffled(model, &picks, &mut self.rng)?;
        let mut null = Vec::with_capacity(picks.len());
        for (at, (layer, _)) in picks.iter().enumerate() {
            null.extend(keys.best(&fakes.f_narrow(1, at as i64, 1)?, *layer)?);
        }
        let (threshold, rest) = attention::threshold(&null);
        let members = attention::members(&pairs, threshold);
        let tested: Vec<attention::Pair> = members.iter().take(self.params.ablate).copied().collect();
        let others: Vec<attention::Pair> = pairs.iter().filter(|pair| pair.score.abs() <= threshold).copied().collect();
        let controls: Vec<attention::Pair> =
            if tested.is_empty() { Vec::new() } else { self.random_pairs(model, &others) };
        let wanted: Vec<attention::Pair> = tested.iter().chain(&controls).copied().collect();
        let bench = attention::Bench::new(model, &contexts, &wanted, self.input.skip_first.max(1), self.ctx)?;
        self.ctx.stage("ablating paths", wanted.len() as u64);
        let mut ablated = Vec::with_capacity(wanted.len());
        for pair in &wanted {
            self.ctx.check()?;
            let threshold = units[pair.layer * d_mlp + pair.index as usize].threshold;
            ablated.push(bench.ablate(model, pair, threshold, self.input.gated)?);
            self.ctx.advance(1);
        }
        let of_controls = ablated.split_off(tested.len());
        let controls: Vec<_> = controls.into_iter().zip(of_controls).collect();
        Ok(attention::judge((pairs.len(), threshold, &rest), &members, &ablated, &controls))
    }

    /// Random neurons, each with a random later head.
    fn random_pairs(&mut self, model: &OpenModel, pairs: &[attention::Pair]) -> Vec<attention::Pair> {
        let (n_layers, n_heads) = (model.model.dims.n_layers, model.model.dims.n_heads);
        super::statistics::draw(pairs.len(), attention::CONTROLS, &mut self.rng)
            .into_iter()
            .map(|at| {
                let head_layer = self.rng.random_range(pairs[at].layer + 1..n_layers);
                let head = self.rng.random_range(0..n_heads);
                // The score belongs to another head.
                attention::Pair { head_layer, head, score: 0.0, ..pairs[at] }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
