//! What a toy model is asked to do, and the inputs that it sees.

use golgi_data::dictionary::Codes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Inputs `x` with `x_i = 0` with probability `S_i = 1 − density_i` and `x_i ~ U(0, 1)` otherwise, to be brought through `hidden`
/// dimensions: the loss is `Σ_i I_i (x_i − x'_i)²`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// m, the number of hidden dimensions.
    pub hidden: usize,
    /// I_i, for each feature.
    pub importance: Vec<f32>,
    /// 1 − S_i, for each feature.
    pub density: Vec<f32>,
    /// Whether the output passes a ReLU; without one the model is linear.
    pub relu: bool,
}

impl Task {
    /// `features` features of one importance (1) and one density.
    pub fn uniform(features: usize, hidden: usize, density: f32) -> Task {
        Task { hidden, importance: vec![1.0; features], density: vec![density; features], relu: true }
    }

    /// n, the number of features.
    pub fn features(&self) -> usize {
        self.importance.len()
    }
}

/// Inputs with their weights in the mean.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// One row each; features ascend within a row.
    pub rows: Codes,
    /// Probability of each row; they sum to 1.
    pub weights: Vec<f32>,
}

impl Inputs {
    /// `count` inputs drawn at random.
    pub fn draw(task: &Task, count: usize, random: &mut ChaCha8Rng) -> Inputs {
        let mut inputs = Inputs::default();
        inputs.redraw(task, count, random);
        inputs
    }

    /// The same in memory that is there already.
    pub fn redraw(&mut self, task: &Task, count: usize, random: &mut ChaCha8Rng) {
        let highest = task.density.iter().copied().fold(0f32, f32::max);
        self.rows.clear();
        self.weights.clear();
        self.weights.resize(count, 1.0 / count as f32);
        // Gaps between active features are geometric: rows cost what is active in them.
        let log_off = f64::from(1.0 - highest).ln();
        for _ in 0..count {
            let mut at = 0usize;
            loop {
                if highest < 1.0 {
                    let gap = (1.0 - random.random::<f64>()).ln() / log_off;
                    at = at.saturating_add(if gap < 1e9 { gap as usize } else { usize::MAX });
                }
                if at >= task.features() {
                    break;
                }
                if task.density[at] >= highest || random.random::<f32>() * highest < task.density[at] {
                    self.rows.latents.push(at as u32);
                    self.rows.values.push(random.random());
                }
                at += 1;
            }
            self.rows.starts.push(self.rows.latents.len());
        }
    }

    /// The whole distribution, for few features: each set of active features with its probability, and within it the midpoints of
    /// a grid over `(0, 1)^k` with at most `points` of them. Means over it are exact but for the grid.
    pub fn exact(task: &Task, points: usize) -> Inputs {
        let n = task.features();
        let mut inputs = Inputs::default();
        for set in 0u32..1 << n {
            let active: Vec<u32> = (0..n as u32).filter(|i| set >> i & 1 == 1).collect();
            let probability: f64 = (0..n)
                .map(|i| {
                    let density = f64::from(task.density[i]);
                    if set >> i & 1 == 1 { density } else { 1.0 - density }
                })
                .product();
            let k = active.len() as u32;
            let side = ((points as f64).powf(1.0 / f64::from(k.max(1))).round() as usize).max(2);
            let count = side.pow(k);
            for index in 0..count {
                let mut rest = index;
                inputs.rows.push(active.iter().map(|feature| {
                    let step = rest % side;
                    rest /= side;
                    (*feature, (step as f32 + 0.5) / side as f32)
                }));
                inputs.weights.push((probability / count as f64) as f32);
            }
        }
        inputs
    }
}

/// A generator for stream `stream` of `seed`.
pub(super) fn random(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean of `f` over inputs.
    fn mean(inputs: &Inputs, f: impl Fn(&[u32], &[f32]) -> f64) -> f64 {
        let rows = 0..inputs.rows.len();
        rows.map(|row| f64::from(inputs.weights[row]) * f(inputs.rows.row(row).0, inputs.rows.row(row).1)).sum()
    }

    fn value(of: u32, features: &[u32], values: &[f32]) -> f64 {
        features.iter().position(|feature| *feature == of).map_or(0.0, |at| f64::from(values[at]))
    }

    #[test]
    fn inputs_have_the_moments_of_their_definition() {
        let task = Task { hidden: 1, importance: vec![1.0; 3], density: vec![0.5, 0.2, 1.0], relu: true };
        let drawn = Inputs::draw(&task, 40_000, &mut random(3, 0));
        let exact = Inputs::exact(&task, 400);
        for (inputs, within) in [(&drawn, 0.008), (&exact, 0.002)] {
            for (feature, density) in task.density.iter().enumerate() {
                let density = f64::from(*density);
                let first = mean(inputs, |features, values| value(feature as u32, features, values));
                let second = mean(inputs, |features, values| value(feature as u32, features, values).powi(2));
                assert!((first - density / 2.0).abs() < within, "{feature}: {first}");
                assert!((second - density / 3.0).abs() < within, "{feature}: {second}");
            }
            // Features are independent.
            let both = mean(inputs, |features, values| value(0, features, values) * value(1, features, values));
            assert!((both - 0.25 * 0.1).abs() < within, "{both}");
        }
        // The empty set counts too: what biases put out without any input is an error.
        assert_eq!(exact.rows.row(0).0.len(), 0);
        let total: f64 = exact.weights.iter().map(|weight| f64::from(*weight)).sum();
        assert!((total - 1.0).abs() < 1e-5);
    }
}
