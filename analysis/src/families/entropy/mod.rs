//! Entropy neurons (Gurnee et al., arXiv 2401.12181): late neurons that write much, but nothing that the vocabulary reads. They act
//! through the final norm, whose scale they raise.
//!
//! Choice, from weights: in the last layers, length of `w_out` in the top tenth there, and `Var(W_U w_out) / ‖w_out‖²` below the 0.1 %
//! quantile of vectors with shuffled entries. Test, of those with the lowest, from activations ([`clamp`]): the activation is
//! clamped to 0…6 at every token, and the mean entropy of the prediction must change from one end to the other by more than with any of 20
//! random neurons of the same layers outside the top tenth of lengths and the bottom tenth of variances.
//!
//! Gated MLPs ("adapted"): their activations have another size and both signs; the clamp goes from 0 to the neuron's own 99.9 %
//! quantile, or to its smallest activation where most of its activity is negative.

mod clamp;

pub(crate) use clamp::{Bench, Clamped, Point};

use rand::Rng;

use super::outcome::{Experiment, Finding, Null, Outcome};
use super::statistics::{draw, halves, quantile};
use super::weights::Profile;
use crate::report::{Fact, Table, number};

const FAMILY: &str = "entropy";
/// Random neurons to compare with.
pub(crate) const CONTROLS: usize = 20;

/// A late neuron as this finder sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Its id.
    pub unit: u32,
    /// Its layer.
    pub layer: usize,
    /// Its index there.
    pub index: u32,
    /// How it lies in the vocabulary.
    pub profile: Profile,
    /// The upper end of the clamp; its sign is that of most activations.
    pub reach: f64,
}

impl Candidate {
    fn ratio(&self) -> f64 {
        self.profile.logit_variance / self.profile.length.powi(2).max(1e-30)
    }
}

/// What was chosen from the weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    /// Indices of all that pass, lowest variance first.
    pub chosen: Vec<usize>,
    /// Indices of the controls.
    pub controls: Vec<usize>,
    /// The cut of `Var(W_U w_out) / ‖w_out‖²`.
    pub ratio: f64,
    /// The cut of the length.
    pub length: f64,
    /// Of shuffled vectors that had no part in the cut: how many, and how many pass.
    pub null: (usize, usize),
}

/// Chooses among the `late` neurons. `null` are profiles of their written vectors, shuffled.
pub(crate) fn choose(late: &[Candidate], null: &[Profile], rng: &mut impl Rng) -> Choice {
    let ratio_of = |profile: &Profile| profile.logit_variance / profile.length.powi(2).max(1e-30);
    let (first, second) = halves(null);
    let ratio = quantile(&first.iter().map(ratio_of).collect::<Vec<_>>(), 0.001).unwrap_or(0.0);
    let lengths: Vec<f64> = late.iter().map(|neuron| neuron.profile.length).collect();
    let length = quantile(&lengths, 0.9).unwrap_or(f64::INFINITY);
    let variances: Vec<f64> = late.iter().map(|neuron| neuron.profile.logit_variance).collect();
    let low = quantile(&variances, 0.1).unwrap_or(0.0);
    let mut chosen: Vec<usize> =
        (0..late.len()).filter(|at| late[*at].profile.length >= length && late[*at].ratio() < ratio).collect();
    chosen.sort_by(|a, b| late[*a].ratio().total_cmp(&late[*b].ratio()));
    let ordinary: Vec<usize> = (0..late.len())
        .filter(|at| late[*at].profile.length < length && late[*at].profile.logit_variance > low)
        .collect();
    let controls = draw(ordinary.len(), CONTROLS, rng).into_iter().map(|at| ordinary[at]).collect();
    let passed = second.iter().filter(|profile| profile.length >= length && ratio_of(profile) < ratio).count();
    Choice { chosen, controls, ratio, length, null: (second.len(), passed) }
}

/// Choice and test together: who was chosen, and what clamping did to the first of them, `clamped`, and to the controls.
pub(crate) fn judge(late: &[Candidate], choice: &Choice, clamped: &[Clamped], controls: &[Clamped]) -> Outcome {
    let mut outcome = Outcome::new(FAMILY, late.len());
    let bar = controls.iter().map(|control| control.entropy_change().abs()).fold(0.0, f64::max);
    let mut confirmed = 0;
    for (rank, at) in choice.chosen.iter().enumerate() {
        let neuron = &late[*at];
        let (kind, said) = match clamped.get(rank) {
            Some(clamped) if !controls.is_empty() => {
                let change = clamped.entropy_change();
                confirmed += usize::from(change.abs() > bar);
                let kind = match change > 0.0 {
                    _ if change.abs() <= bar => "not significant when clamped",
                    true => "raises entropy",
                    false => "lowers entropy",
                };
                let said = format!(
                    "clamped to {:.1}: entropy {change:+.4} nats (controls at most {bar:.4}), norm scale {:+.3}, loss {:+.4}",
                    neuron.reach,
                    clamped.change(|point| point.scale),
                    clamped.change(|point| point.loss)
                );
                (kind, said)
            }
            _ => ("not clamped", "not clamped".to_owned()),
        };
        outcome.findings.push(Finding {
            unit: neuron.unit,
            family: FAMILY,
            kind: kind.to_owned(),
            score: neuron.ratio() as f32,
            threshold: choice.ratio as f32,
            evidence: format!("‖w_out‖ {:.2}; {said}", neuron.profile.length),
        });
    }
    let about = "written vectors with their entries in random order".to_owned();
    outcome.null = Some(Null { about, tested: choice.null.0, passed: choice.null.1 });
    let by = "0.1 % quantile of Var(W_U w_out)/‖w_out‖² of shuffled vectors; and a length in the top tenth";
    outcome.facts.push(Fact::new("entropy: variance below", number(choice.ratio as f32)).by(by));
    outcome.experiment = Some(Experiment { chosen: clamped.len(), confirmed, controls: controls.len() });
    let by =
        format!("of {} clamped: changes the entropy by more than each of {} controls", clamped.len(), controls.len());
    outcome.facts.push(Fact::new("entropy: confirmed by clamping", confirmed).by(by));
    outcome.controls.push(Fact::new("entropy: largest change of a control", number(bar as f32)).by("nats"));
    outcome.tables.push(table(late, choice, clamped, controls));
    outcome
}

fn table(late: &[Candidate], choice: &Choice, chosen: &[Clamped], controls: &[Clamped]) -> Table {
    let columns =
        ["unit", "role", "activation", "norm scale", "entropy (nats)", "1/(rank+1)", "loss (nats)"].map(String::from);
    let both = choice.chosen.iter().zip(chosen).map(|pair| (pair, "chosen"));
    let both = both.chain(choice.controls.iter().zip(controls).map(|pair| (pair, "control")));
    let row = |at: usize, role: &str, point: &Point| {
        let name = golgi_data::unit::Unit::neuron(late[at].layer as u32, late[at].index).short();
        let numbers = [point.value, point.scale, point.entropy, point.reciprocal_rank, point.loss];
        [name.into(), role.into()].into_iter().chain(numbers.map(|x| number(x as f32))).collect::<Vec<_>>()
    };
    let rows = both.flat_map(|((at, clamped), role)| clamped.points.iter().map(move |point| row(*at, role, point)));
    Table { name: "clamping".into(), columns: columns.to_vec(), rows: rows.collect() }
}

#[cfg(test)]
mod tests {
    use golgi_data::context::RunContext;
    use golgi_probes::{Kind, OpenModel};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::planted::{blind_axes, random_contexts};
    use super::super::weights::{Vocabulary, shuffled, writes};
    use super::*;

    fn run(model: &OpenModel) -> Outcome {
        let vocabulary = Vocabulary::new(model).unwrap().unwrap();
        let (ctx, mut rng) = (RunContext::new(0), ChaCha8Rng::seed_from_u64(1));
        let (n_layers, d_mlp) = (model.model.dims.n_layers, model.model.dims.d_mlp);
        let picks: Vec<(usize, usize)> = (0..400).map(|at| (at % n_layers, (at / 2) % d_mlp)).collect();
        let mut directions: Vec<_> = (0..n_layers).map(|layer| writes(model, layer).unwrap()).collect();
        directions.push(shuffled(model, &picks, &mut rng).unwrap());
        let profiles = vocabulary.profiles(&directions, &ctx).unwrap();
        let late: Vec<Candidate> = (0..n_layers * d_mlp)
            .map(|unit| {
                let (layer, index) = (unit / d_mlp, unit % d_mlp);
                let profile = profiles[layer][index];
                Candidate { unit: unit as u32, layer, index: index as u32, profile, reach: 6.0 }
            })
            .collect();
        let choice = choose(&late, &profiles[n_layers], &mut rng);
        let contexts = random_contexts(model, 12, 10);
        let mut bench = Bench::new(model, &contexts, 0, 1, &ctx).unwrap();
        let mut clamp =
            |list: &[usize]| -> Vec<Clamped> { list.iter().map(|at| bench.clamp(&late[*at], &ctx).unwrap()).collect() };
        let (chosen, controls) = (clamp(&choice.chosen), clamp(&choice.controls));
        judge(&late, &choice, &chosen, &controls)
    }

    #[test]
    fn a_vector_that_no_logit_reads_raises_the_entropy() {
        // Unembedding rows leave the last dimensions alone; the planted neuron of the last layer writes only there.
        let model = blind_axes(1);
        let d = model.model.dims.d_model as i64;
        let column = model.model.blocks[1].mlp.down.weight.select(1, 3);
        let _ = column.shallow_clone().fill_(0.0);
        let _ = column.narrow(0, d - 8, 8).fill_(2.0);
        let found = run(&model);
        assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
        let finding = &found.findings[0];
        assert_eq!(finding.unit as usize, model.model.dims.d_mlp + 3);
        assert_eq!(finding.kind, "raises entropy");
        assert!(finding.score < 1e-6 && finding.score < finding.threshold);
        // Clamping it higher makes the norm's scale and the entropy rise at every step.
        let clamping = found.tables.iter().find(|table| table.name == "clamping").unwrap();
        let mine: Vec<(f64, f64)> =
            clamping.rows[..7].iter().map(|row| (row[3].as_f64().unwrap(), row[4].as_f64().unwrap())).collect();
        assert!(mine.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{mine:?}");
        assert_eq!(found.null.map(|null| null.passed), Some(0));
    }

    #[test]
    fn an_ordinary_model_has_none() {
        assert!(run(&blind_axes(2)).findings.is_empty());
    }

    #[test]
    fn a_long_vector_that_logits_read_is_not_chosen() {
        let model = blind_axes(3);
        let column = model.model.blocks[1].mlp.down.weight.select(1, 3);
        let longer = (&column * 10.0).to_kind(Kind::Float);
        column.shallow_clone().copy_(&longer);
        assert!(run(&model).findings.is_empty());
    }
}
