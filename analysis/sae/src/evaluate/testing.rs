//! Texts whose concepts are known, for tests of what is asked of dictionaries.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::pooled::Pooled;
use super::probing::ProbeTask;
use super::{Pca, RandomDirections};
use crate::kernels::vector::add_scaled;
use crate::planted::{Planted, gaussian};

/// Texts of four concepts, each with a direction, and of none, among other things that are in all of them.
pub(super) struct Concepts {
    pub(super) d: usize,
    /// `[texts, d]`.
    pub(super) texts: Vec<f32>,
    classes: Vec<usize>,
    trains: Vec<bool>,
    /// The true dictionary: class directions first.
    truth: Pooled,
}

/// Texts in `d` dimensions.
pub(super) fn concepts(d: usize, seed: u64) -> Concepts {
    let (count, features) = (1200, 4 + 28);
    let directions = Planted::new(d, features, 1.0, seed).directions;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let classes: Vec<usize> = (0..count).map(|text| (text % 12).min(4)).collect();
    let mut activations = vec![0f32; count * features];
    let mut texts = vec![0f32; count * d];
    for (text, class) in classes.iter().enumerate() {
        let row = &mut activations[text * features..(text + 1) * features];
        let strength = random.random_range(1.0..2.0);
        if *class < 4 {
            row[*class] = strength;
        }
        row[4..].iter_mut().for_each(|value| {
            *value = if random.random_bool(0.2) { random.random_range(0.5..2.5) } else { 0.0 };
        });
        let to = &mut texts[text * d..(text + 1) * d];
        to.iter_mut().for_each(|value| *value = 0.02 * gaussian(&mut random));
        for (feature, value) in row.iter().enumerate() {
            add_scaled(to, *value, &directions[feature * d..(feature + 1) * d]);
        }
    }
    let trains = (0..count).map(|text| (text / 12usize).is_multiple_of(2)).collect();
    let truth = Pooled { name: "dictionary".to_owned(), latents: features, activations, directions };
    Concepts { d, texts, classes, trains, truth }
}

impl Concepts {
    /// Each concept against the rest.
    pub(super) fn tasks(&self) -> Vec<ProbeTask> {
        let names: Vec<String> = ["a", "b", "c", "d", "none"].map(str::to_owned).to_vec();
        let mut tasks = ProbeTask::all("concept", &names, &self.classes, &self.trains, 0);
        tasks.truncate(4);
        tasks
    }

    /// The truth, and what must be beaten by it.
    pub(super) fn codings(&self) -> Vec<Pooled> {
        let pca = Pca::fit(&self.texts, self.d, self.d).unwrap();
        let random = RandomDirections::fit(&self.texts, self.d, self.truth.latents, 7, 1).unwrap();
        let mut random_texts = Pooled::of_random(&random);
        random_texts.push_random(&random, &self.texts, &vec![1; self.classes.len()]).unwrap();
        vec![
            self.truth.clone(),
            Pooled::of_coordinates(&self.texts, pca.mean()),
            Pooled::of_components(&pca, &self.texts).unwrap(),
            random_texts,
        ]
    }
}
