//! One more pass over some contexts of the atlas: what needs activations token by token and cannot be read from its tables.
//!
//! Memory: the activations of one batch, and per neuron one number per property, position and half; nothing grows with the tokens.

use std::collections::{BTreeMap, HashMap};

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site};
use golgi_probes::{Batch, Capture, Device, ForwardOptions, Kind, OpenModel, Tensor};
use rand::Rng;

use super::dead::FirstFirings;
use super::explained::{Best, Labels, Side, Sums, best};
use super::input::{Context, Input};
use super::positional::{Shifted, information};
use crate::direct::plain;
use crate::distribution::{floats, integers};
use crate::error::Result;

/// How often each context is turned round.
const ROUNDS: usize = 3;
/// Activations that are held at once: 256 MB.
const HELD: usize = 1 << 26;

/// What the pass brought, neurons in the order of the atlas.
#[derive(Debug)]
pub(crate) struct Passed {
    /// When each neuron fired first.
    pub first: FirstFirings,
    /// Positional information of shifted activations.
    pub shifted: Shifted,
    /// The best explanation of each neuron.
    pub explained: Vec<Option<Best>>,
    /// The same with exchanged labels.
    pub null: Vec<Option<Best>>,
    /// Tokens run.
    pub tokens: usize,
}

/// Sums of one layer.
struct Layer {
    /// By side, then real and exchanged.
    sums: [[Sums; 2]; 2],
    /// Firings at each shifted position, `[positions, neurons]`, once per round.
    shifted: Vec<Tensor>,
    /// Tokens seen before the first firing, that one included; 0: never.
    first: Tensor,
    /// `[neurons]`.
    threshold: Tensor,
}

/// Runs the model over `contexts` of `input`, whose properties are `labels`.
pub(crate) fn run(
    model: &OpenModel,
    input: &Input,
    contexts: &[Context],
    labels: &Labels,
    rng: &mut impl Rng,
    ctx: &RunContext,
) -> Result<Passed> {
    let (n_layers, d_mlp) = (model.model.dims.n_layers, model.model.dims.d_mlp);
    let start = input.first_position();
    let mut by_len: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, context) in contexts.iter().enumerate().filter(|(_, context)| context.tokens.len() > start) {
        by_len.entry(context.tokens.len()).or_default().push(at);
    }
    // Positions are shifted within contexts of one length, the one that most contexts have.
    let common = by_len.iter().max_by_key(|(_, list)| list.len()).map_or(start + 1, |(len, _)| *len);
    let mut layers = (0..n_layers)
        .map(|layer| Layer::new(input, labels, layer, d_mlp, (common - start) as i64))
        .collect::<Result<Vec<_>>>()?;
    let sites: Vec<Site> = (0..n_layers as u32).map(|layer| Site::block(layer, BlockPoint::MlpPost)).collect();
    let run: usize = by_len.values().flatten().map(|at| contexts[*at].tokens.len()).sum();
    ctx.stage("running the model once more", run as u64);
    let (mut seen, mut shifted_contexts) = (0_usize, 0);
    for (len, list) in by_len {
        for group in list.chunks((HELD / (len * n_layers * d_mlp).max(1)).max(1)) {
            ctx.check()?;
            let sequences: Vec<Vec<u32>> = group.iter().map(|at| contexts[*at].tokens.clone()).collect();
            let mut capture = Capture::sites(&sites);
            model.model.forward(&Batch::padded(&sequences, 0)?, &mut capture, ForwardOptions::default())?;
            let mut trace = capture.into_trace(Vec::new())?;
            let rounds = if len == common { ROUNDS } else { 0 };
            let turns = (0..rounds).map(|_| turn(group.len(), len, start, rng)).collect::<Result<Vec<_>>>()?;
            for (site, layer) in sites.iter().zip(&mut layers) {
                if let Some(post) = trace.sites.remove(site) {
                    layer.add(&post, input, (group, labels), seen as u64, &turns)?;
                }
            }
            shifted_contexts += if len == common { group.len() as u64 } else { 0 };
            seen += group.len() * (len - input.skip_first.min(len));
            ctx.advance((group.len() * len) as u64);
        }
    }
    collect(layers, input, seen, shifted_contexts, run)
}

fn collect(layers: Vec<Layer>, input: &Input, seen: usize, contexts: u64, run: usize) -> Result<Passed> {
    let mut passed = Passed {
        first: FirstFirings { tokens: seen as u64, first: Vec::new() },
        shifted: Shifted { information: Vec::new(), contexts },
        explained: Vec::new(),
        null: Vec::new(),
        tokens: run,
    };
    for mut layer in layers {
        passed.first.first.extend(integers(&layer.first)?.into_iter().map(|n| (n > 0).then_some(n as u64)));
        for sums in layer.sums.iter_mut().flatten() {
            sums.finish()?;
        }
        let [[select, null_select], [report, null_report]] = &layer.sums;
        passed.explained.extend(best(select, report));
        passed.null.extend(best(null_select, null_report));
        for round in layer.shifted.iter().filter(|_| contexts > 0) {
            let (positions, neurons) = (round.size()[0] as usize, round.size()[1] as usize);
            let counts = floats(round)?;
            for neuron in 0..neurons {
                let rates: Vec<f64> =
                    (0..positions).map(|p| f64::from(counts[p * neurons + neuron]) / contexts as f64).collect();
                // As coarse as the profiles of the atlas.
                let means = rates.chunks(input.positions_per_bin).map(|bin| bin.iter().sum::<f64>() / bin.len() as f64);
                passed.shifted.information.push(information(&means.collect::<Vec<_>>()));
            }
        }
    }
    Ok(passed)
}

impl Layer {
    fn new(input: &Input, labels: &Labels, layer: usize, d_mlp: usize, positions: i64) -> Result<Layer> {
        let sums = || Sums::new(labels.classes().len(), d_mlp);
        let thresholds: HashMap<u32, f32> =
            input.neurons.iter().filter(|n| n.layer == layer).map(|n| (n.index, n.threshold)).collect();
        let threshold: Vec<f32> =
            (0..d_mlp as u32).map(|index| thresholds.get(&index).copied().unwrap_or(f32::INFINITY)).collect();
        Ok(Layer {
            sums: [[sums()?, sums()?], [sums()?, sums()?]],
            shifted: (0..ROUNDS)
                .map(|_| Tensor::f_zeros([positions, d_mlp as i64], (Kind::Float, Device::Cpu)))
                .collect::<Result<_, _>>()?,
            first: Tensor::f_zeros([d_mlp as i64], (Kind::Int64, Device::Cpu))?,
            threshold: Tensor::f_from_slice(&threshold)?,
        })
    }

    /// Adds the activations `[contexts, positions, neurons]` of a batch; `seen` tokens came before it.
    fn add(
        &mut self,
        post: &Tensor,
        input: &Input,
        (group, labels): (&[usize], &Labels),
        seen: u64,
        turns: &[Tensor],
    ) -> Result<()> {
        let size = post.size();
        let skip = (input.skip_first as i64).min(size[1]);
        let counted = plain(post)?.f_narrow(1, skip, size[1] - skip)?;
        for side in [Side::Select, Side::Report] {
            let rows: Vec<i64> =
                (0..group.len() as i64).filter(|row| labels.side(group[*row as usize]) == Some(side)).collect();
            if rows.is_empty() {
                continue;
            }
            let mine = counted.f_index_select(0, &Tensor::f_from_slice(&rows)?)?.f_reshape([-1, size[2]])?;
            let chosen: Vec<usize> = rows.iter().map(|row| group[*row as usize]).collect();
            for (exchanged, sums) in [false, true].into_iter().zip(&mut self.sums[side as usize]) {
                sums.add(&mine, &labels.rows(&chosen, exchanged))?;
            }
        }
        let magnitude = if input.gated { counted.f_abs()? } else { counted };
        let active = magnitude.f_gt_tensor(&self.threshold)?;
        self.wake(&active.f_reshape([-1, size[2]])?, seen)?;
        if !turns.is_empty() {
            let start = input.first_position() as i64 - skip;
            let from = active.f_narrow(1, start, active.size()[1] - start)?;
            let positions = from.size()[1];
            let flat = from.f_reshape([-1, size[2]])?;
            for (turn, sum) in turns.iter().zip(&mut self.shifted) {
                let turned = flat.f_index_select(0, turn)?.f_view([size[0], positions, size[2]])?;
                *sum = sum.f_add(&turned.f_sum_dim_intlist(0, false, Kind::Float)?)?;
            }
        }
        Ok(())
    }

    /// Notes first firings; `active` is `[tokens, neurons]`.
    fn wake(&mut self, active: &Tensor, seen: u64) -> Result<()> {
        let tokens = active.size()[0];
        // The earliest row has the highest mark.
        let marks = Tensor::f_arange_start_step(tokens, 0, -1, (Kind::Int64, Device::Cpu))?.f_unsqueeze(1)?;
        let highest = active.f_to_kind(Kind::Int64)?.f_mul(&marks)?.f_amax([0_i64], false)?;
        let here = highest.f_neg()?.f_add_scalar(tokens + 1 + seen as i64)?;
        let asleep = self.first.f_eq(0)?.f_logical_and(&highest.f_gt(0)?)?;
        self.first = here.f_where_self(&asleep, &self.first)?;
        Ok(())
    }
}

/// For each counted token of a batch, the row of the token that comes to its place when every context is turned round by a random
/// number of positions.
fn turn(contexts: usize, len: usize, start: usize, rng: &mut impl Rng) -> Result<Tensor> {
    let positions = len - start;
    let mut rows = Vec::with_capacity(contexts * positions);
    for context in 0..contexts {
        let by = rng.random_range(0..positions);
        rows.extend((0..positions).map(|p| (context * positions + (p + by) % positions) as i64));
    }
    Ok(Tensor::f_from_slice(&rows)?)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::input::Neuron;
    use super::super::planted::random_contexts;
    use super::*;
    use crate::testing::{Family, random};

    fn input(model: &OpenModel, threshold: f32, gated: bool) -> Input {
        let (layers, d_mlp) = (model.model.dims.n_layers, model.model.dims.d_mlp);
        let neuron = |unit: usize| Neuron {
            unit: unit as u32,
            layer: unit / d_mlp,
            index: (unit % d_mlp) as u32,
            tokens: 0,
            firings: 0,
            threshold,
            mean_active: 0.0,
            extremes: (0.0, 0.0),
        };
        Input {
            neurons: (0..layers * d_mlp).map(neuron).collect(),
            skip_first: 1,
            positions_per_bin: 1,
            gated,
            ..Input::default()
        }
    }

    /// Activations by hand: `[neuron][(context, position)]`, counted positions only, in the order of the pass.
    fn by_hand(model: &OpenModel, contexts: &[Context]) -> Vec<Vec<f32>> {
        let d_mlp = model.model.dims.d_mlp;
        let mut found = vec![Vec::new(); model.model.dims.n_layers * d_mlp];
        for context in contexts {
            for layer in 0..model.model.dims.n_layers {
                let site = Site::block(layer as u32, BlockPoint::MlpPost);
                let mut capture = Capture::sites([&site]);
                let batch = Batch::single(&context.tokens).unwrap();
                model.model.forward(&batch, &mut capture, ForwardOptions::default()).unwrap();
                let trace = capture.into_trace(Vec::new()).unwrap();
                let values = floats(trace.get(&site).unwrap()).unwrap();
                for row in values.chunks(d_mlp).skip(1) {
                    row.iter().enumerate().for_each(|(index, value)| found[layer * d_mlp + index].push(*value));
                }
            }
        }
        found
    }

    #[test]
    fn first_firings_and_sums_are_those_of_the_activations() {
        for (family, gated) in [(Family::Gpt2, false), (Family::Llama, true)] {
            let model = random(family, 6);
            let mut contexts = random_contexts(&model, 9, 8);
            contexts.extend(random_contexts(&model, 2, 5));
            contexts.iter_mut().zip(0..).for_each(|(context, document)| context.document = document);
            let (mut input, mut rng) = (input(&model, 0.3, gated), ChaCha8Rng::seed_from_u64(1));
            // Two positions share an entry of the profile in one of them.
            input.positions_per_bin = if gated { 2 } else { 1 };
            let labels = Labels::new(&contexts, 1, 20, |token| token.to_string(), &mut rng);
            let passed = run(&model, &input, &contexts, &labels, &mut rng, &RunContext::new(0)).unwrap();
            assert_eq!(passed.first.tokens, 9 * 7 + 2 * 4);
            assert_eq!((passed.tokens, passed.shifted.contexts), (9 * 8 + 2 * 5, 9));
            // Shorter contexts come first.
            contexts.sort_by_key(|context| context.tokens.len());
            let truth = by_hand(&model, &contexts);
            let active = |x: f32| if gated { x.abs() > 0.3 } else { x > 0.3 };
            let first: Vec<Option<u64>> =
                truth.iter().map(|values| values.iter().position(|x| active(*x)).map(|at| at as u64 + 1)).collect();
            assert_eq!(passed.first.first, first);
            assert_eq!(passed.explained.len(), truth.len());
            assert!(passed.explained.iter().flatten().all(|best| best.chosen > 0.0 && best.held <= 1.0));
            // However activations are turned round, a neuron fires as often: silent ones carry no information.
            assert_eq!(passed.shifted.information.len(), ROUNDS * truth.len());
            let per_layer = model.model.dims.d_mlp;
            for (neuron, values) in truth.iter().enumerate().filter(|(_, values)| values.iter().all(|x| !active(*x))) {
                assert!(!values.is_empty());
                for round in 0..ROUNDS {
                    let at = (neuron / per_layer * ROUNDS + round) * per_layer + neuron % per_layer;
                    assert_eq!(passed.shifted.information[at], 0.0);
                }
            }
        }
    }

    #[test]
    fn turning_keeps_contexts_apart() {
        let rows = integers(&turn(3, 11, 1, &mut ChaCha8Rng::seed_from_u64(1)).unwrap()).unwrap();
        for (context, rows) in rows.chunks(10).enumerate() {
            let mut sorted = rows.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (context as i64 * 10..(context as i64 + 1) * 10).collect::<Vec<_>>());
            assert!(rows.windows(2).filter(|pair| pair[1] != pair[0] + 1).count() <= 1);
        }
    }
}
