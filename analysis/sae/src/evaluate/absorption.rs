//! Absorption (Chanin et al. 2024; SAEBench): a latent that stands for words with a first letter is silent where another latent, made for
//! a single word, says the same.

use serde::{Deserialize, Serialize};

use super::logistic::LogisticProbe;
use super::pooled::Pooled;
use super::probing::{mean_difference, most_different, of_latents, of_texts};
use crate::SaeError;
use crate::kernels::vector::{dot, norm};

/// By how much F1 must rise for a latent to belong to the letter's latents.
const GAIN: f64 = 0.03;
/// The most latents that share a letter.
const MOST: usize = 10;
/// Letters whose probe is worse are left out.
const LEAST_F1: f64 = 0.6;
/// The fewest words of a letter, to fit and to judge on.
const LEAST_WORDS: usize = 5;
/// The cosine with the probe from which a latent may absorb, and the share of the probe's projection that it must supply.
const FULL: (f32, f32) = (0.025, 0.4);
/// The cosine from which latents count in the fractional form, and how many do.
const FRACTIONAL: (f32, usize) = (0.1, 3);

/// Absorption of one letter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LetterAbsorption {
    /// The letter.
    pub letter: char,
    /// F1 of the probe of whole rows.
    pub f1: f64,
    /// The latents that stand for the letter: the one that tells it best, and others as long as each raises F1 by 0.03.
    pub latents: Vec<u32>,
    /// F1 of a probe of those latents.
    pub sparse_f1: f64,
    /// Words of the letter that the probe knows.
    pub words: usize,
    /// Of these, those at which all of the letter's latents are silent and one other supplies at least 0.4 of the probe's projection.
    pub absorbed: usize,
    /// The mean over words of `A/(A + M)`, A what up to three other latents of cosine ≥ 0.1 with the probe supply to its projection, M what
    /// the letter's latents do.
    pub fraction: f64,
}

/// Absorption over letters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Absorption {
    /// Whose latents.
    pub name: String,
    /// The letters whose probe has an F1 above 0.6.
    pub letters: Vec<LetterAbsorption>,
    /// The share of known words that are absorbed, the mean over letters.
    pub absorbed: f64,
    /// The mean of the letters' fractions.
    pub fraction: f64,
}

/// Words as rows, `[words, d]`, with their first letters, half of them to fit probes to.
#[derive(Debug, Clone)]
pub struct Words {
    /// `[words, d]`.
    pub rows: Vec<f32>,
    /// d.
    pub d: usize,
    /// The first letter of each.
    pub letters: Vec<char>,
    /// Whether probes are fitted to it.
    pub trains: Vec<bool>,
}

impl Words {
    /// Words of the letter and as they come all others, to fit to or to judge on.
    fn side(&self, letter: char, train: bool) -> Vec<(usize, bool)> {
        let words = (0..self.letters.len()).filter(|word| self.trains[*word] == train);
        words.map(|word| (word, self.letters[word] == letter)).collect()
    }
}

/// Measures absorption of first letters. Projections are those of `x − μ` on the probe's weights, μ the mean over the words that probes are
/// fitted to.
///
/// # Errors
/// If the tensor library fails.
pub fn absorption(words: &Words, pooled: &Pooled) -> Result<Absorption, SaeError> {
    let mut mean = vec![0f64; words.d];
    let fitted: Vec<usize> = (0..words.letters.len()).filter(|word| words.trains[*word]).collect();
    for word in &fitted {
        let row = &words.rows[word * words.d..(word + 1) * words.d];
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / fitted.len() as f64);
    }
    let mut letters: Vec<char> = words.letters.clone();
    letters.sort_unstable();
    letters.dedup();
    let mut found = Vec::new();
    for letter in letters {
        found.extend(of_letter(words, pooled, letter, &mean)?);
    }
    let n = found.len().max(1) as f64;
    let share = |one: &LetterAbsorption| one.absorbed as f64 / one.words.max(1) as f64;
    Ok(Absorption {
        name: pooled.name.clone(),
        absorbed: found.iter().map(share).sum::<f64>() / n,
        fraction: found.iter().map(|one| one.fraction).sum::<f64>() / n,
        letters: found,
    })
}

fn of_letter(words: &Words, pooled: &Pooled, letter: char, mean: &[f64]) -> Result<Option<LetterAbsorption>, SaeError> {
    let (train, test) = (words.side(letter, true), words.side(letter, false));
    let enough = |side: &[(usize, bool)]| side.iter().filter(|one| one.1).count() >= LEAST_WORDS;
    if !enough(&train) || !enough(&test) || train.iter().all(|one| one.1) {
        return Ok(None);
    }
    let (rows, labels) = of_texts(&words.rows, words.d, &train);
    let probe = LogisticProbe::fit(&rows, words.d, &labels)?;
    let (rows, labels) = of_texts(&words.rows, words.d, &test);
    let f1 = probe.f1(&rows, &labels);
    if f1 <= LEAST_F1 {
        return Ok(None);
    }
    let (latents, sparse_f1) = letters_latents(pooled, &train, &test)?;
    let length = norm(&probe.weights).max(f32::MIN_POSITIVE);
    let others: Vec<(usize, f32, f32)> = (0..pooled.latents)
        .filter(|latent| !latents.contains(latent))
        .map(|latent| {
            let (direction, along) = (pooled.direction(latent), dot(pooled.direction(latent), &probe.weights));
            (latent, along, along / (norm(direction).max(f32::MIN_POSITIVE) * length))
        })
        .filter(|one| one.2 >= FULL.0)
        .collect();
    let (mut known, mut absorbed, mut fraction) = (0, 0, 0f64);
    for (word, _) in test.iter().filter(|one| one.1) {
        let row = &words.rows[word * words.d..(word + 1) * words.d];
        if probe.score(row) <= 0.0 {
            continue;
        }
        known += 1;
        let centred = row.iter().zip(mean).zip(&probe.weights);
        let whole: f64 = centred.map(|((value, mean), weight)| (f64::from(*value) - mean) * f64::from(*weight)).sum();
        let main: f32 = latents
            .iter()
            .map(|latent| pooled.at(*word, *latent) * dot(pooled.direction(*latent), &probe.weights))
            .sum();
        let silent = latents.iter().all(|latent| pooled.at(*word, *latent) == 0.0);
        let mut supplied: Vec<(f32, f32)> =
            others.iter().map(|(latent, along, cosine)| (pooled.at(*word, *latent) * along, *cosine)).collect();
        supplied.retain(|one| one.0 > 0.0);
        supplied.sort_by(|a, b| b.0.total_cmp(&a.0));
        if silent && supplied.first().is_some_and(|one| f64::from(one.0) >= f64::from(FULL.1) * whole) {
            absorbed += 1;
        }
        let rest: f32 = supplied.iter().filter(|one| one.1 >= FRACTIONAL.0).take(FRACTIONAL.1).map(|one| one.0).sum();
        if rest > 0.0 {
            fraction += f64::from(rest / (rest + main.max(0.0)));
        }
    }
    let fraction = fraction / f64::from(known.max(1));
    let latents = latents.into_iter().map(|latent| latent as u32).collect();
    let words = known as usize;
    Ok(Some(LetterAbsorption { letter, f1, latents, sparse_f1, words, absorbed, fraction }))
}

/// The latents that stand for a letter, and F1 of their probe.
fn letters_latents(
    pooled: &Pooled,
    train: &[(usize, bool)],
    test: &[(usize, bool)],
) -> Result<(Vec<usize>, f64), SaeError> {
    // A latent that is more active for other letters does not stand for this one.
    let difference: Vec<f32> = mean_difference(pooled, train).into_iter().map(|one| one.max(0.0)).collect();
    let ranked = most_different(&difference, MOST.min(pooled.latents));
    let (mut chosen, mut best) = (1, None);
    for k in 1..=ranked.len() {
        let (rows, labels) = of_latents(pooled, &ranked[..k], train);
        let probe = LogisticProbe::fit(&rows, k, &labels)?;
        let (rows, labels) = of_latents(pooled, &ranked[..k], test);
        let f1 = probe.f1(&rows, &labels);
        match best {
            Some(before) if f1 - before < GAIN => break,
            _ => (chosen, best) = (k, Some(f1)),
        }
    }
    Ok((ranked[..chosen].to_vec(), best.unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::kernels::vector::add_scaled;
    use crate::planted::{Planted, gaussian};

    const D: usize = 64;
    const WORDS: usize = 1600;
    /// Groups of words, 40 of each letter, each too small for its latent to become one of the letter's.
    const GROUPS: usize = 160;
    const LATENTS: usize = 4 + 2 * GROUPS;

    /// Words of four letters; each has its letter's direction and one of its own group. Where `absorbs` says so, the letter's latent is silent
    /// and a latent of the group writes the letter too.
    fn planted(absorbs: impl Fn(usize) -> bool) -> (Words, Pooled) {
        let mut random = ChaCha8Rng::seed_from_u64(8);
        let directions = Planted::new(D, 4 + GROUPS, 1.0, 2).directions;
        let (mut rows, mut activations) = (vec![0f32; WORDS * D], vec![0f32; WORDS * LATENTS]);
        for word in 0..WORDS {
            let (letter, group) = (word % 4, word % GROUPS);
            let strength = random.random_range(1.0..1.5);
            let row = &mut rows[word * D..(word + 1) * D];
            row.iter_mut().for_each(|value| *value = 0.05 * gaussian(&mut random));
            add_scaled(row, strength, &directions[letter * D..(letter + 1) * D]);
            add_scaled(row, 0.4, &directions[(4 + group) * D..(5 + group) * D]);
            let active = &mut activations[word * LATENTS..(word + 1) * LATENTS];
            if absorbs(group) {
                active[4 + GROUPS + group] = strength;
            } else {
                active[letter] = strength;
                active[4 + group] = 0.4;
            }
        }
        // Behind letters and groups the latents that write both.
        let mut all = directions.clone();
        for group in 0..GROUPS {
            let mut both = directions[group % 4 * D..][..D].to_vec();
            add_scaled(&mut both, 0.3, &directions[(4 + group) * D..(5 + group) * D]);
            all.extend(both);
        }
        let letters = (0..WORDS).map(|word| ['a', 'b', 'c', 'd'][word % 4]).collect();
        let trains = (0..WORDS).map(|word| (word / GROUPS).is_multiple_of(2)).collect();
        let pooled = Pooled { name: "planted".into(), latents: LATENTS, activations, directions: all };
        (Words { rows, d: D, letters, trains }, pooled)
    }

    #[test]
    fn absorbed_words_are_counted() {
        // Four of the forty groups of each letter.
        let (words, pooled) = planted(|group| group < 16);
        let found = absorption(&words, &pooled).unwrap();
        assert_eq!(found.letters.len(), 4);
        for (index, letter) in found.letters.iter().enumerate() {
            assert_eq!(letter.latents, [index as u32], "{letter:?}");
            assert!(letter.f1 > 0.95 && letter.words >= 180, "{letter:?}");
        }
        assert!((found.absorbed - 0.1).abs() < 0.02, "{found:?}");
        assert!((found.fraction - 0.1).abs() < 0.06, "{found:?}");
    }

    #[test]
    fn where_nothing_is_absorbed_nothing_is_counted() {
        let (words, pooled) = planted(|_| false);
        let found = absorption(&words, &pooled).unwrap();
        assert_eq!((found.letters.len(), found.absorbed), (4, 0.0));
        assert!(found.fraction < 0.05, "{found:?}");
        // Words whose letters are not to be told leave no letter.
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let noise = (0..WORDS).map(|_| ['w', 'x', 'y', 'z'][random.random_range(0..4)]).collect();
        let found = absorption(&Words { letters: noise, ..words }, &pooled).unwrap();
        assert_eq!(found.letters, []);
    }
}
