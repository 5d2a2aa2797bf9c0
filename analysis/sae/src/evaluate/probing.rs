//! k-sparse probing (Gurnee et al. 2023; SAEBench): how well few latents tell what a text is.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::logistic::LogisticProbe;
use super::pooled::Pooled;
use crate::SaeError;

/// How many latents probes are given.
pub const SPARSITIES: [usize; 4] = [1, 2, 5, 16];
/// The fewest texts of a class on each side of the split.
const LEAST: usize = 10;

/// One class against the others: as many texts of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTask {
    /// Such as `language de`.
    pub name: String,
    /// Texts that probes are fitted to, and whether they are of the class.
    pub train: Vec<(usize, bool)>,
    /// Texts that probes are judged on.
    pub test: Vec<(usize, bool)>,
}

impl ProbeTask {
    /// A task for each class that has enough texts, and enough others beside them, on both sides of the split. `classes[t]` is an
    /// index into `names` or something beyond them, `trains[t]` whether probes are fitted to text t. Of the more frequent side as many
    /// are drawn as the other has.
    pub fn all(kind: &str, names: &[String], classes: &[usize], trains: &[bool], seed: u64) -> Vec<ProbeTask> {
        let task = |(class, name): (usize, &String)| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(class as u64);
            let mut side = |train: bool| -> Option<Vec<(usize, bool)>> {
                let texts = (0..classes.len()).filter(|text| trains[*text] == train && classes[*text] < names.len());
                let (mut yes, mut no): (Vec<usize>, Vec<usize>) = texts.partition(|text| classes[*text] == class);
                let each = yes.len().min(no.len());
                yes.shuffle(&mut random);
                no.shuffle(&mut random);
                let all = yes.into_iter().take(each).map(|text| (text, true));
                let mut all: Vec<_> = all.chain(no.into_iter().take(each).map(|text| (text, false))).collect();
                all.sort_unstable();
                (each >= LEAST).then_some(all)
            };
            let (train, test) = (side(true)?, side(false)?);
            Some(ProbeTask { name: format!("{kind} {name}"), train, test })
        };
        names.iter().enumerate().filter_map(task).collect()
    }
}

/// What probes of a task came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeScore {
    /// The task.
    pub task: String,
    /// Texts that probes were judged on, half of them of the class.
    pub texts: usize,
    /// For each coding its name and the accuracy with k latents, for [`SPARSITIES`]; ½ is chance.
    pub accuracy: Vec<(String, Vec<f64>)>,
    /// The accuracy of a probe of whole rows.
    pub dense: f64,
}

/// The mean difference between texts of the class and others, `E[f_i | class] − E[f_i | not]`, for each latent.
pub fn mean_difference(pooled: &Pooled, texts: &[(usize, bool)]) -> Vec<f32> {
    let count = |class: bool| texts.iter().filter(|one| one.1 == class).count().max(1) as f32;
    let (yes, no) = (1.0 / count(true), -1.0 / count(false));
    let mut difference = vec![0f32; pooled.latents];
    for (text, class) in texts {
        let weight = if *class { yes } else { no };
        let row = &pooled.activations[text * pooled.latents..(text + 1) * pooled.latents];
        difference.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
    }
    difference
}

/// The k latents of the largest mean difference, either way; of equal ones the first.
pub(super) fn most_different(difference: &[f32], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..difference.len()).collect();
    order.sort_by(|a, b| difference[*b].abs().total_cmp(&difference[*a].abs()).then(a.cmp(b)));
    order.truncate(k);
    order
}

/// Rows of `[texts, width]` for some texts, and their classes.
pub(super) fn of_texts(rows: &[f32], width: usize, texts: &[(usize, bool)]) -> (Vec<f32>, Vec<bool>) {
    let chosen = texts.iter().flat_map(|(text, _)| &rows[text * width..(text + 1) * width]).copied().collect();
    (chosen, texts.iter().map(|one| one.1).collect())
}

/// Some columns of `[texts, width]` for some texts, and their classes.
pub(super) fn of_latents(pooled: &Pooled, latents: &[usize], texts: &[(usize, bool)]) -> (Vec<f32>, Vec<bool>) {
    let chosen = texts.iter().flat_map(|(text, _)| latents.iter().map(|latent| pooled.at(*text, *latent)));
    (chosen.collect(), texts.iter().map(|one| one.1).collect())
}

/// For each coding, logistic probes of the k latents that differ most between the classes, chosen and fitted on the training texts,
/// judged on the others; beside them a probe of whole mean rows, `texts` `[…, d]`.
///
/// # Errors
/// If the tensor library fails.
pub fn sparse_probes(
    tasks: &[ProbeTask],
    texts: &[f32],
    d: usize,
    codings: &[&Pooled],
) -> Result<Vec<ProbeScore>, SaeError> {
    let accuracy = |task: &ProbeTask, pooled: &Pooled| -> Result<(String, Vec<f64>), SaeError> {
        let difference = mean_difference(pooled, &task.train);
        let scores = SPARSITIES.iter().map(|k| -> Result<f64, SaeError> {
            let latents = most_different(&difference, *k);
            let (train, labels) = of_latents(pooled, &latents, &task.train);
            let probe = LogisticProbe::fit(&train, latents.len(), &labels)?;
            let (test, labels) = of_latents(pooled, &latents, &task.test);
            Ok(probe.accuracy(&test, &labels))
        });
        Ok((pooled.name.clone(), scores.collect::<Result<_, _>>()?))
    };
    let score = |task: &ProbeTask| -> Result<ProbeScore, SaeError> {
        let (train, labels) = of_texts(texts, d, &task.train);
        let probe = LogisticProbe::fit(&train, d, &labels)?;
        let (test, labels) = of_texts(texts, d, &task.test);
        Ok(ProbeScore {
            task: task.name.clone(),
            texts: task.test.len(),
            accuracy: codings.iter().map(|pooled| accuracy(task, pooled)).collect::<Result<_, _>>()?,
            dense: probe.accuracy(&test, &labels),
        })
    };
    tasks.iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::concepts;
    use super::*;

    #[test]
    fn tasks_are_balanced_and_do_not_mix_sides() {
        let names: Vec<String> = ["a", "b", "rare"].map(str::to_owned).to_vec();
        // Class 2 is too rare, 9 is none.
        let classes: Vec<usize> = (0..200).map(|text| [0, 0, 0, 1, 9][text % 5]).chain([2; 12]).collect();
        let trains: Vec<bool> = (0..212).map(|text| text % 3 > 0).collect();
        let tasks = ProbeTask::all("language", &names, &classes, &trains, 1);
        assert_eq!(tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["language a", "language b"]);
        for (class, task) in tasks.iter().enumerate() {
            for (side, texts) in [(true, &task.train), (false, &task.test)] {
                assert!(texts.iter().all(|(text, yes)| trains[*text] == side && (classes[*text] == class) == *yes));
                assert!(texts.iter().all(|(text, _)| classes[*text] != 9));
                assert_eq!(texts.iter().filter(|one| one.1).count() * 2, texts.len());
            }
        }
        assert_eq!(tasks, ProbeTask::all("language", &names, &classes, &trains, 1));
    }

    /// Each concept is one latent of the dictionary, but spread over all coordinates.
    #[test]
    fn one_latent_tells_a_concept_that_coordinates_do_not() {
        let planted = concepts(64, 3);
        let codings = planted.codings();
        let scores =
            sparse_probes(&planted.tasks(), &planted.texts, planted.d, &codings.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(scores.len(), 4);
        for score in &scores {
            let [dictionary, coordinates, components, random] = &score.accuracy[..] else { panic!("{score:?}") };
            assert_eq!(dictionary.0, "dictionary");
            assert!(dictionary.1[0] > 0.97 && score.dense > 0.85, "{score:?}");
            for other in [coordinates, components, random] {
                assert!(other.1[0] < dictionary.1[0] - 0.05, "{score:?}");
                assert!(other.1[3] >= other.1[0] - 0.05, "{score:?}");
            }
        }
    }
}
