//! Targeted probe perturbation (SAEBench): whether few latents can be taken out so that one concept is lost and the others stay.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::logistic::LogisticProbe;
use super::pooled::Pooled;
use super::probing::{ProbeTask, mean_difference, of_texts};
use crate::SaeError;
use crate::kernels::vector::{add_scaled, dot};

/// How many latents are taken out.
pub const REMOVED: [usize; 7] = [2, 5, 10, 20, 50, 100, 500];

/// What taking N latents out does to probes, on average over concepts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Perturbation {
    /// Whose latents.
    pub name: String,
    /// N.
    pub removed: usize,
    /// By how much the probe of the concept meant loses accuracy.
    pub own: f64,
    /// By how much the others do, on average.
    pub others: f64,
    /// `own − others`: 0 where nothing is targeted, at most ½.
    pub score: f64,
}

/// Targeted probe perturbation. A probe of mean rows, `texts` `[…, d]`, is fitted for each concept. For each concept the N latents with the
/// largest `(E[f_i | class] − E[f_i | not]) · (d_i · w)`, above 0 (w: the concept's probe), are taken out of the test texts of every
/// concept, `x − Σ f_i d_i`, what the dictionary does not explain staying as it is.
///
/// # Errors
/// If the tensor library fails.
pub fn perturbations(
    tasks: &[ProbeTask],
    texts: &[f32],
    d: usize,
    codings: &[&Pooled],
) -> Result<Vec<Perturbation>, SaeError> {
    if tasks.len() < 2 {
        return Ok(Vec::new());
    }
    let fit = |task: &ProbeTask| {
        let (rows, labels) = of_texts(texts, d, &task.train);
        LogisticProbe::fit(&rows, d, &labels)
    };
    let probes = tasks.iter().map(fit).collect::<Result<Vec<_>, _>>()?;
    let before: Vec<f64> = tasks
        .iter()
        .zip(&probes)
        .map(|(task, probe)| {
            let (rows, labels) = of_texts(texts, d, &task.test);
            probe.accuracy(&rows, &labels)
        })
        .collect();
    let mut found = Vec::new();
    for pooled in codings {
        let ranked: Vec<Vec<usize>> =
            tasks.iter().zip(&probes).map(|(task, probe)| ranking(pooled, task, probe)).collect();
        for removed in REMOVED.into_iter().filter(|removed| *removed <= pooled.latents) {
            let (mut own, mut others) = (0f64, 0f64);
            for (meant, latents) in ranked.iter().enumerate() {
                let latents = &latents[..removed.min(latents.len())];
                let drops: Vec<f64> = (0..tasks.len())
                    .into_par_iter()
                    .map(|task| before[task] - accuracy_without(&tasks[task], &probes[task], texts, d, pooled, latents))
                    .collect();
                let rest: f64 = drops.iter().enumerate().filter(|(task, _)| *task != meant).map(|one| one.1).sum();
                own += drops[meant] / tasks.len() as f64;
                others += rest / ((tasks.len() - 1) * tasks.len()) as f64;
            }
            found.push(Perturbation { name: pooled.name.clone(), removed, own, others, score: own - others });
        }
    }
    Ok(found)
}

/// Latents by what they contribute to a probe, those that contribute nothing left out.
fn ranking(pooled: &Pooled, task: &ProbeTask, probe: &LogisticProbe) -> Vec<usize> {
    let difference = mean_difference(pooled, &task.train);
    let effects: Vec<f32> = difference
        .iter()
        .enumerate()
        .map(|(latent, difference)| difference * dot(pooled.direction(latent), &probe.weights))
        .collect();
    let mut order: Vec<usize> = (0..effects.len()).filter(|latent| effects[*latent] > 0.0).collect();
    order.sort_by(|a, b| effects[*b].total_cmp(&effects[*a]).then(a.cmp(b)));
    order
}

fn accuracy_without(
    task: &ProbeTask,
    probe: &LogisticProbe,
    texts: &[f32],
    d: usize,
    pooled: &Pooled,
    latents: &[usize],
) -> f64 {
    let (mut rows, labels) = of_texts(texts, d, &task.test);
    for (row, (text, _)) in rows.chunks_mut(d).zip(&task.test) {
        for latent in latents {
            let active = pooled.at(*text, *latent);
            if active != 0.0 {
                add_scaled(row, -active, pooled.direction(*latent));
            }
        }
    }
    probe.accuracy(&rows, &labels)
}

#[cfg(test)]
mod tests {
    use super::super::testing::concepts;
    use super::*;

    /// In the true dictionary each concept is one latent: without it, it is gone, and the others do not notice.
    #[test]
    fn the_true_dictionary_takes_out_one_concept_and_leaves_the_others() {
        let planted = concepts(64, 5);
        let codings = planted.codings();
        let all: Vec<&Pooled> = codings.iter().collect();
        let found = perturbations(&planted.tasks(), &planted.texts, planted.d, &all).unwrap();
        let of = |name: &str, removed: usize| {
            let found = found.iter().find(|one| one.name == name && one.removed == removed);
            found.unwrap_or_else(|| panic!("{name} {removed}"))
        };
        let truth = of("dictionary", 2);
        assert!(truth.own > 0.3 && truth.others < 0.1 && truth.score > 0.25, "{truth:?}");
        for other in ["coordinates", "PCA", "random directions"] {
            assert!(of(other, 2).score < 0.6 * truth.score, "{:?} against {truth:?}", of(other, 2));
        }
        // There are 32 latents, so there is no row for 50.
        assert!(!found.iter().any(|one| one.name == "dictionary" && one.removed >= 50));
        // One concept alone has no others.
        assert_eq!(perturbations(&planted.tasks()[..1], &planted.texts, planted.d, &all).unwrap(), []);
    }
}
