//! Lobes: whether latents that are active in the same texts also point in similar directions.
//!
//! Latents are clustered twice, by co-occurrence and by the angles of their decoder rows, and the two clusterings compared, beside what
//! shuffled labels and random directions give.

use golgi_data::context::RunContext;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::agreement::Agreement;
use super::classify::balanced_accuracy;
use super::matrix::{gaussian_rows, random, unit_rows, z_score};
use super::spectral::embed;
use crate::Result;

/// How alike two latents are by the blocks in which they are active. With n₁₁ blocks of both, n₁₀ and n₀₁ of one, n₀₀ of neither:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affinity {
    /// `φ + 1` with `φ = (n₁₁n₀₀ − n₁₀n₀₁) / √(n₁.·n₀.·n.₁·n.₀)`, 0 where that is undefined.
    #[default]
    Phi,
    /// `n₁₁ / (n₁₁ + n₁₀ + n₀₁)`.
    Jaccard,
    /// `2n₁₁ / (2n₁₁ + n₁₀ + n₀₁)`.
    Dice,
    /// `(n₁₁ + n₀₀) / n`.
    SimpleMatching,
    /// `n₁₁ / min(n₁., n.₁)`.
    Overlap,
}

impl Affinity {
    /// From the blocks of both, of either one, and of all.
    pub fn of(self, both: u32, a: u32, b: u32, blocks: u32) -> f32 {
        let [n11, a, b, n] = [both, a, b, blocks].map(f64::from);
        let (n10, n01) = (a - n11, b - n11);
        let n00 = n - n11 - n10 - n01;
        let share = |above: f64, below: f64| if below > 0.0 { above / below } else { 0.0 };
        (match self {
            Affinity::Phi => 1.0 + share(n11 * n00 - n10 * n01, (a * (n - a) * b * (n - b)).sqrt()),
            Affinity::Jaccard => share(n11, n11 + n10 + n01),
            Affinity::Dice => share(2.0 * n11, 2.0 * n11 + n10 + n01),
            Affinity::SimpleMatching => share(n11 + n00, n),
            Affinity::Overlap => share(n11, a.min(b)),
        }) as f32
    }
}

/// Which latents are active in which blocks of text: one set of bits for each latent.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    bits: Vec<u64>,
    words: usize,
    blocks: usize,
}

impl Presence {
    /// Nothing active yet, in no block.
    pub fn new(latents: usize, blocks: usize) -> Presence {
        let words = blocks.div_ceil(64);
        Presence { bits: vec![0; latents * words], words, blocks }
    }

    /// Notes that a latent is active in a block.
    pub fn set(&mut self, latent: usize, block: usize) {
        self.bits[latent * self.words + block / 64] |= 1 << (block % 64);
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    fn of(&self, latent: usize) -> &[u64] {
        &self.bits[latent * self.words..(latent + 1) * self.words]
    }

    /// In how many blocks a latent is active.
    pub fn count(&self, latent: usize) -> u32 {
        self.of(latent).iter().map(|word| word.count_ones()).sum()
    }

    /// In how many blocks both are.
    pub fn both(&self, a: usize, b: usize) -> u32 {
        self.of(a).iter().zip(self.of(b)).map(|(a, b)| (a & b).count_ones()).sum()
    }

    /// Affinities of the chosen latents, `[n, n]`.
    pub fn affinities(&self, chosen: &[usize], affinity: Affinity) -> Vec<f32> {
        let n = chosen.len();
        let counts: Vec<u32> = chosen.iter().map(|latent| self.count(*latent)).collect();
        let mut all = vec![0f32; n * n];
        all.par_chunks_mut(n.max(1)).enumerate().for_each(|(i, row)| {
            for (j, place) in row.iter_mut().enumerate() {
                *place = affinity.of(self.both(chosen[i], chosen[j]), counts[i], counts[j], self.blocks as u32);
            }
        });
        all
    }
}

/// What is clustered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LobeParams {
    /// Tokens of the corpus.
    pub tokens: u64,
    /// Tokens of a block.
    pub block: usize,
    /// A latent is active in a block where its activation exceeds this at any token; 1 in the published work on Gemma Scope.
    pub threshold: f32,
    /// How co-occurrence is measured.
    pub affinity: Affinity,
    /// Numbers of clusters.
    pub clusters: Vec<usize>,
    /// Latents that are clustered, at most; those active in fewer than `least` blocks or in all have no place in a lobe.
    pub latents: usize,
    /// See `latents`.
    pub least: u32,
    /// Shuffled labels to compare with.
    pub permutations: usize,
    /// Sets of random directions to compare with.
    pub random_sets: usize,
}

impl Default for LobeParams {
    fn default() -> LobeParams {
        LobeParams {
            tokens: 50_000,
            block: 256,
            threshold: 0.0,
            affinity: Affinity::Phi,
            clusters: vec![2, 4, 8, 16, 32],
            latents: 2048,
            least: 5,
            permutations: 100,
            random_sets: 10,
        }
    }
}

/// One number of clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LobeLevel {
    /// How many clusters.
    pub k: usize,
    /// Adjusted mutual information of the two clusterings.
    pub agreement: f64,
    /// The same with shuffled labels.
    pub shuffled: Vec<f64>,
    /// The same with random directions in the decoder's place.
    pub random: Vec<f64>,
    /// Balanced accuracy of a logistic regression from decoder row to lobe, on a fifth of the latents that it was not fitted to; `None` with
    /// too few latents.
    pub accuracy: Option<f64>,
    /// The same with shuffled lobes.
    pub accuracy_shuffled: Option<f64>,
    /// The lobe of each latent, by co-occurrence.
    pub lobes: Vec<u32>,
}

impl LobeLevel {
    /// The agreement in standard deviations above shuffled labels.
    pub fn z_shuffled(&self) -> Option<f64> {
        z_score(self.agreement, &self.shuffled)
    }

    /// The agreement in standard deviations above random directions.
    pub fn z_random(&self) -> Option<f64> {
        z_score(self.agreement, &self.random)
    }
}

/// The lobes of a dictionary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lobes {
    /// Blocks of text.
    pub blocks: usize,
    /// The latents that were clustered.
    pub latents: Vec<usize>,
    /// In how many blocks each is active.
    pub counts: Vec<u32>,
    /// By number of clusters.
    pub levels: Vec<LobeLevel>,
    /// The decoder rows of the latents on their first two principal components.
    pub map: Vec<[f32; 2]>,
}

/// `1 − arccos(cos) / π` of all pairs of rows: 1 for equal directions, 1/2 for orthogonal ones, 0 for opposite ones.
pub fn angular_affinities(rows: &[f32], d: usize) -> Result<Vec<f32>> {
    let unit = unit_rows(rows, d);
    let n = unit.len() / d;
    let mut cosines = vec![0f32; n * n];
    golgi_sae::kernels::matmul::times_transposed(&mut cosines, &unit, &unit, d)?;
    cosines.par_iter_mut().for_each(|cosine| *cosine = 1.0 - cosine.clamp(-1.0, 1.0).acos() / std::f32::consts::PI);
    Ok(cosines)
}

/// Clusters the latents whose presence is known, with decoder rows `[m, d]`. `None` if fewer than 10 of them have a place in a lobe.
///
/// # Errors
/// If the tensor library fails, or the work is cancelled.
pub fn lobes(
    presence: &Presence,
    decoder: &[f32],
    d: usize,
    params: &LobeParams,
    ctx: &RunContext,
) -> Result<Option<Lobes>> {
    let least = params.least.max(1);
    let fits = |latent: &usize| (least..presence.blocks() as u32).contains(&presence.count(*latent));
    let mut chosen: Vec<usize> = (0..decoder.len() / d).filter(fits).collect();
    if chosen.len() > params.latents {
        chosen.shuffle(&mut random(ctx.seed(), 21));
        chosen.truncate(params.latents);
        chosen.sort_unstable();
    }
    let n = chosen.len();
    if n < 10 {
        return Ok(None);
    }
    let rows: Vec<f32> = chosen.iter().flat_map(|latent| &decoder[latent * d..(latent + 1) * d]).copied().collect();
    let clusters: Vec<usize> = params.clusters.iter().copied().filter(|k| *k >= 2 && *k < n).collect();
    let most = clusters.iter().copied().max().unwrap_or(0);
    ctx.stage("clustering latents", 2 + params.random_sets as u64 + clusters.len() as u64);
    let together = embed(&presence.affinities(&chosen, params.affinity), n, most, ctx.seed())?;
    ctx.advance(1);
    let aligned = embed(&angular_affinities(&rows, d)?, n, most, ctx.seed())?;
    ctx.advance(1);
    let mut sets = Vec::new();
    for set in 0..params.random_sets {
        ctx.check()?;
        let directions = gaussian_rows(n, d, ctx.seed(), 1000 + set as u64);
        sets.push(embed(&angular_affinities(&directions, d)?, n, most, ctx.seed())?);
        ctx.advance(1);
    }
    let mut levels = Vec::new();
    for k in clusters {
        ctx.check()?;
        let (lobes, by_angle) = (together.clusters(k, ctx.seed()), aligned.clusters(k, ctx.seed()));
        let agreement = Agreement::new(&lobes, &by_angle);
        let shuffle = |number: usize| {
            let mut shuffled = by_angle.clone();
            shuffled.shuffle(&mut random(ctx.seed(), 5000 + number as u64));
            shuffled
        };
        let shuffled = (0..params.permutations).into_par_iter().map(|number| agreement.of(&lobes, &shuffle(number)));
        let shuffled = shuffled.collect();
        let random_labels = sets.iter().map(|set| set.clusters(k, ctx.seed()));
        let random_agreements =
            random_labels.map(|labels| Agreement::new(&lobes, &labels).of(&lobes, &labels)).collect();
        let mut mixed = lobes.clone();
        mixed.shuffle(&mut random(ctx.seed(), 31));
        levels.push(LobeLevel {
            k,
            agreement: agreement.of(&lobes, &by_angle),
            shuffled,
            random: random_agreements,
            accuracy: balanced_accuracy(&rows, d, &lobes, ctx.seed())?,
            accuracy_shuffled: balanced_accuracy(&rows, d, &mixed, ctx.seed())?,
            lobes,
        });
        ctx.advance(1);
    }
    let counts = chosen.iter().map(|latent| presence.count(*latent)).collect();
    Ok(Some(Lobes { blocks: presence.blocks(), counts, levels, map: super::plane(&rows, d)?, latents: chosen }))
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    /// 120 latents in 4 groups that are active in the same blocks; `shared`: how much of a group's direction is in its decoder rows.
    fn planted(shared: f32) -> (Presence, Vec<f32>, usize) {
        let (latents, d, blocks) = (120, 32, 500);
        let mut generator = random(8, 0);
        let mut presence = Presence::new(latents, blocks);
        for block in 0..blocks {
            let topic = generator.random_range(0..4);
            for latent in 0..latents {
                let rate = if latent % 4 == topic { 0.35 } else { 0.05 };
                if generator.random_bool(rate) {
                    presence.set(latent, block);
                }
            }
        }
        let groups = unit_rows(&gaussian_rows(4, d, 9, 0), d);
        let own = unit_rows(&gaussian_rows(latents, d, 10, 0), d);
        let row = |latent: usize| {
            let (own, group) = (&own[latent * d..(latent + 1) * d], &groups[latent % 4 * d..][..d]);
            own.iter().zip(group).map(|(own, group)| own + shared * group).collect::<Vec<f32>>()
        };
        (presence, (0..latents).flat_map(row).collect(), d)
    }

    #[test]
    fn groups_with_a_common_direction_are_lobes_and_others_are_not() {
        let params = LobeParams { clusters: vec![4], ..LobeParams::default() };
        let found = |shared| {
            let (presence, decoder, d) = planted(shared);
            let found = lobes(&presence, &decoder, d, &params, &RunContext::new(3)).unwrap().unwrap();
            assert_eq!((found.latents.len(), found.blocks, found.map.len()), (120, 500, 120));
            found.levels.into_iter().next().unwrap()
        };
        let together = found(1.5);
        assert!(together.agreement > 0.8, "{}", together.agreement);
        assert!(together.z_shuffled().unwrap() > 20.0 && together.z_random().unwrap() > 10.0);
        assert!(together.accuracy.unwrap() > 0.9, "{:?}", together.accuracy);
        assert!(together.accuracy_shuffled.unwrap() < 0.5, "{:?}", together.accuracy_shuffled);
        // Each planted group is a lobe.
        let groups: Vec<u32> = (0..120).map(|latent| latent % 4).collect();
        assert!(super::super::adjusted_mutual_information(&together.lobes, &groups) > 0.95);
        let apart = found(0.0);
        assert!(apart.agreement < 0.1 && apart.z_shuffled().unwrap().abs() < 3.0, "{:?}", apart.z_shuffled());
        assert!(apart.z_random().unwrap().abs() < 3.0, "{:?}", apart.z_random());
        assert!(apart.accuracy.unwrap() < 0.55, "{:?}", apart.accuracy);
    }

    #[test]
    fn affinities_are_those_of_their_formulas() {
        // n₁₁ = 3, n₁₀ = 1, n₀₁ = 2, n₀₀ = 4.
        let of = |affinity: Affinity| affinity.of(3, 4, 5, 10);
        assert!((of(Affinity::Phi) - 1.0 - (12.0 - 2.0) / (4f32 * 6.0 * 5.0 * 5.0).sqrt()).abs() < 1e-6);
        assert_eq!((of(Affinity::Jaccard), of(Affinity::Dice)), (0.5, 6.0 / 9.0));
        assert_eq!((of(Affinity::SimpleMatching), of(Affinity::Overlap)), (0.7, 0.75));
        // One that is always active correlates with nothing.
        assert_eq!(Affinity::Phi.of(4, 4, 10, 10), 1.0);
        assert_eq!(Affinity::Overlap.of(0, 0, 5, 10), 0.0);
        let mut presence = Presence::new(2, 130);
        for block in [0, 64, 129] {
            presence.set(0, block);
        }
        presence.set(1, 129);
        assert_eq!((presence.count(0), presence.both(0, 1)), (3, 1));
        assert_eq!(presence.affinities(&[0, 1], Affinity::Jaccard), [1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0]);
        let angles = angular_affinities(&[1.0, 0.0, 0.0, 2.0, -3.0, 0.0], 2).unwrap();
        assert!((angles[1] - 0.5).abs() < 1e-6 && angles[2].abs() < 1e-3 && (angles[0] - 1.0).abs() < 1e-3);
    }

    #[test]
    fn latents_without_a_place_are_left_out() {
        let (mut presence, decoder, d) = planted(0.0);
        for block in 0..500 {
            presence.set(0, block);
        }
        let params = LobeParams { clusters: vec![2, 500], permutations: 3, random_sets: 0, ..LobeParams::default() };
        let found = lobes(&presence, &decoder, d, &params, &RunContext::new(3)).unwrap().unwrap();
        assert!(!found.latents.contains(&0) && found.levels.len() == 1);
        assert_eq!(found.levels[0].z_random(), None);
        let few = LobeParams { least: 490, ..params };
        assert!(lobes(&presence, &decoder, d, &few, &RunContext::new(3)).unwrap().is_none());
    }
}
