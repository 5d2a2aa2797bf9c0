//! Prediction, suppression and partition neurons (Gurnee et al., arXiv 2401.12181).
//!
//! Of the cosines of `w_out` with the rows of the unembedding (see [`super::weights`]): a neuron with high kurtosis and positive
//! skewness predicts a few tokens, with negative skewness it suppresses them; one with ordinary kurtosis and high variance
//! parts the vocabulary in two. With a gated MLP, whose activations have both signs, the skewness counts with the sign of the mean
//! activation ("adapted").
//!
//! Calibration: the published cut, kurtosis above 10, is for GPT2-medium, where a neuron that writes exactly one row of a random
//! unembedding has 22.9. The kurtosis of such a neuron is `(3/d² + 1/V) / (1/d + 1/V)²`, 9.5 at SmolLM2's size. The cut is put
//! as far between 3, a Gaussian's, and the median kurtosis of the model's own rows as 10 lies between 3 and 22.9; the 99.9 %
//! quantile of the null may raise it. Variance counts as high above the null's 99.9 % quantile and above the outer Tukey fence
//! (`Q3 + 3 (Q3 − Q1)`) of the model's neurons.
//!
//! Null: written vectors with their entries in random order. One half of them sets the thresholds, the other half is counted.

use super::outcome::{Finding, Null, Outcome};
use super::statistics::{halves, quantile, upper_fence};
use super::weights::{Profile, planted_kurtosis};
use crate::report::{Fact, number};

/// The published cut, and the kurtosis of one row at GPT2-medium's size.
const PUBLISHED: f64 = 10.0;

/// A neuron as this finder sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Its id.
    pub unit: u32,
    /// How it lies in the vocabulary.
    pub profile: Profile,
    /// 1, or −1 where its activations are mostly negative.
    pub sign: f64,
}

/// What the thresholds rest on.
#[derive(Debug)]
pub(crate) struct Calibration<'a> {
    /// Tokens of the vocabulary.
    pub vocabulary: f64,
    /// Width of the stream.
    pub width: f64,
    /// Profiles of rows of the unembedding.
    pub planted: &'a [Profile],
    /// Profiles of shuffled written vectors.
    pub null: &'a [Profile],
}

/// The thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cuts {
    /// Of the kurtosis.
    pub kurtosis: f64,
    /// Of the variance of the cosines.
    pub variance: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Prediction,
    Suppression,
    Partition,
}

const CLASSES: [(Class, &str); 3] =
    [(Class::Prediction, "prediction"), (Class::Suppression, "suppression"), (Class::Partition, "partition")];

impl Cuts {
    fn class(&self, profile: &Profile, sign: f64) -> Option<Class> {
        if profile.cosines.kurtosis > self.kurtosis {
            let skew = profile.cosines.skewness * sign;
            return if skew > 0.0 {
                Some(Class::Prediction)
            } else if skew < 0.0 {
                Some(Class::Suppression)
            } else {
                None
            };
        }
        (profile.cosines.variance > self.variance).then_some(Class::Partition)
    }
}

fn cuts(neurons: &[Candidate], calibration: &Calibration, half: &[Profile]) -> Cuts {
    let of = |profiles: &[Profile], value: fn(&Profile) -> f64| profiles.iter().map(value).collect::<Vec<_>>();
    let kurtoses = of(calibration.planted, |p| p.cosines.kurtosis);
    let planted =
        quantile(&kurtoses, 0.5).unwrap_or_else(|| planted_kurtosis(calibration.vocabulary, calibration.width));
    let published = planted_kurtosis(50_257.0, 1024.0);
    let scaled = 3.0 + (PUBLISHED - 3.0) / (published - 3.0) * (planted - 3.0);
    let null = |value| quantile(&of(half, value), 0.999).unwrap_or(0.0);
    let spread: Vec<f64> = neurons.iter().map(|neuron| neuron.profile.cosines.variance).collect();
    Cuts {
        kurtosis: scaled.max(null(|p| p.cosines.kurtosis)),
        variance: upper_fence(&spread, 3.0).unwrap_or(0.0).max(null(|p| p.cosines.variance)),
    }
}

/// The three families among `neurons`.
pub(crate) fn find(neurons: &[Candidate], calibration: &Calibration) -> Vec<Outcome> {
    let (first, second) = halves(calibration.null);
    let cuts = cuts(neurons, calibration, &first);
    let mut outcomes = Vec::with_capacity(3);
    for (class, family) in CLASSES {
        let mut outcome = Outcome::new(family, neurons.len());
        let members = neurons.iter().filter(|neuron| cuts.class(&neuron.profile, neuron.sign) == Some(class));
        outcome.findings = members.map(|neuron| describe(neuron, class, family, cuts)).collect();
        let passed = second.iter().filter(|profile| cuts.class(profile, 1.0) == Some(class)).count();
        let about = "written vectors with their entries in random order".to_owned();
        outcome.null = Some(Null { about, tested: second.len(), passed });
        outcomes.push(outcome);
    }
    let formula = planted_kurtosis(calibration.vocabulary, calibration.width);
    let kurtoses: Vec<f64> = calibration.planted.iter().map(|p| p.cosines.kurtosis).collect();
    let facts = &mut outcomes[0].facts;
    let by = "as far between 3 and the kurtosis of the model's own rows as 10 is at GPT2-medium's size, or the null's 99.9 %";
    facts.push(Fact::new("prediction: kurtosis above", number(cuts.kurtosis as f32)).by(by));
    if let Some(median) = quantile(&kurtoses, 0.5) {
        let by = "median over rows of the unembedding taken as written vectors";
        facts.push(Fact::new("prediction: kurtosis of a single row", number(median as f32)).by(by));
    }
    let by = "(3/d² + 1/V) / (1/d + 1/V)², random rows";
    facts.push(Fact::new("prediction: the same by formula", number(formula as f32)).by(by));
    let by =
        "the larger of the null's 99.9 % quantile and Q3 + 3 (Q3 − Q1) over the neurons; kurtosis not above its cut";
    outcomes[2].facts.push(Fact::new("partition: variance of cosines above", number(cuts.variance as f32)).by(by));
    outcomes
}

fn describe(neuron: &Candidate, class: Class, family: &'static str, cuts: Cuts) -> Finding {
    let moments = neuron.profile.cosines;
    let partition = class == Class::Partition;
    let (score, threshold) =
        if partition { (moments.variance, cuts.variance) } else { (moments.kurtosis, cuts.kurtosis) };
    let turned = if neuron.sign < 0.0 { ", activations mostly negative" } else { "" };
    Finding {
        unit: neuron.unit,
        family,
        kind: String::new(),
        score: score as f32,
        threshold: threshold as f32,
        evidence: format!(
            "cosines with the unembedding: kurtosis {:.1}, skewness {:.2}, variance {:.2e}{turned}",
            moments.kurtosis, moments.skewness, moments.variance
        ),
    }
}

#[cfg(test)]
mod tests {
    use golgi_data::context::RunContext;
    use golgi_probes::transformer::Head;
    use golgi_probes::{Kind, OpenModel, Tensor};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::super::planted::large_vocabulary;
    use super::super::weights::{Vocabulary, shuffled, writes};
    use super::*;

    /// Profiles of all neurons of a model, with the calibration of 64 rows and 400 shuffled vectors.
    fn outcomes(model: &OpenModel) -> Vec<Outcome> {
        let vocabulary = Vocabulary::new(model).unwrap().unwrap();
        let ctx = RunContext::new(0);
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let d_mlp = model.model.dims.d_mlp;
        let chosen: Vec<(usize, usize)> = (0..400).map(|at| (at % 2, (at / 2) % d_mlp)).collect();
        let mut directions = vec![writes(model, 0).unwrap(), writes(model, 1).unwrap()];
        directions.push(shuffled(model, &chosen, &mut rng).unwrap());
        directions.push(vocabulary.rows(&(0..64).collect::<Vec<_>>()).unwrap().tr());
        let profiles = vocabulary.profiles(&directions, &ctx).unwrap();
        let real = profiles[0].iter().chain(&profiles[1]).enumerate();
        let neurons: Vec<Candidate> =
            real.map(|(unit, profile)| Candidate { unit: unit as u32, profile: *profile, sign: 1.0 }).collect();
        let (vocabulary, width) = (vocabulary.size() as f64, model.model.dims.d_model as f64);
        find(&neurons, &Calibration { vocabulary, width, planted: &profiles[3], null: &profiles[2] })
    }

    #[test]
    fn planted_rows_predict_and_their_opposites_suppress() {
        let model = large_vocabulary(3);
        let d_mlp = model.model.dims.d_mlp as u32;
        let Head::Lm { unembed, .. } = &model.model.head else { panic!("no head") };
        let column = |layer: usize, index: i64| model.model.blocks[layer].mlp.down.weight.select(1, index);
        let mean = unembed.weight.mean_dim(0, false, Kind::Float);
        let row = |token: i64| unembed.weight.get(token) - &mean;
        column(0, 2).copy_(&(row(7) * 3.0));
        column(1, 5).copy_(&(row(100) * -0.5));
        // The first dimension parts the planted vocabulary in two halves.
        let axis = Tensor::zeros([model.model.dims.d_model as i64], (Kind::Float, golgi_probes::Device::Cpu));
        let _ = axis.get(0).fill_(1.0);
        column(1, 6).copy_(&axis);
        let found = outcomes(&model);
        let members = |at: usize| found[at].findings.iter().map(|f| f.unit).collect::<Vec<_>>();
        assert_eq!(members(0), [2]);
        assert_eq!(members(1), [d_mlp + 5]);
        assert_eq!(members(2), [d_mlp + 6]);
        for outcome in &found {
            let null = outcome.null.as_ref().unwrap();
            assert!(null.tested == 200 && null.passed <= 1, "{null:?}");
        }
    }

    #[test]
    fn nothing_is_found_among_random_vectors() {
        let found = outcomes(&large_vocabulary(4));
        assert!(found.iter().all(|outcome| outcome.findings.is_empty()), "{found:?}");
        assert!(found.iter().all(|outcome| outcome.significant() == Some(false)));
    }

    #[test]
    fn negative_activations_turn_prediction_round() {
        let cosines = super::super::statistics::Moments { variance: 1.0, skewness: 2.0, kurtosis: 9.0 };
        let profile = Profile { cosines, ..Profile::default() };
        let cuts = Cuts { kurtosis: 5.0, variance: 0.5 };
        assert_eq!(cuts.class(&profile, 1.0), Some(Class::Prediction));
        assert_eq!(cuts.class(&profile, -1.0), Some(Class::Suppression));
        let flat = Cuts { kurtosis: 10.0, ..cuts };
        assert_eq!(flat.class(&profile, 1.0), Some(Class::Partition));
        assert_eq!(Cuts { variance: 2.0, ..flat }.class(&profile, 1.0), None);
    }
}
