//! The model `x' = ReLU(WᵀWx + b)`, its loss and its gradient.

use golgi_sae::kernels::vector;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::task::{Inputs, Task};
use crate::gaussian::gaussian;

/// Rows shorter than this are not worth the choice of a processor's widest vectors.
const SHORT: usize = 32;

/// Weights and biases of a toy model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Toy {
    /// n.
    pub features: usize,
    /// m.
    pub hidden: usize,
    /// W, `[m, n]`: column i is W_i, what feature i writes into the hidden dimensions. Behind it b, `[n]`.
    pub parameters: Vec<f32>,
}

/// Memory of one pass.
#[derive(Debug, Default)]
pub struct Scratch {
    hidden: Vec<f32>,
    pull: Vec<f32>,
    output: Vec<f32>,
}

/// `to += factor · from`.
fn add_scaled(to: &mut [f32], factor: f32, from: &[f32]) {
    if to.len() < SHORT {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
    } else {
        vector::add_scaled(to, factor, from);
    }
}

/// `a · b`.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    if a.len() < SHORT { a.iter().zip(b).map(|(a, b)| a * b).sum() } else { vector::dot(a, b) }
}

impl Toy {
    /// Weights from N(0, 2 / (n + m)) (Xavier), biases 0.
    pub fn random(features: usize, hidden: usize, random: &mut ChaCha8Rng) -> Toy {
        let deviation = (2.0 / (features + hidden) as f32).sqrt();
        let mut parameters: Vec<f32> = (0..features * hidden).map(|_| deviation * gaussian(random)).collect();
        parameters.resize(features * (hidden + 1), 0.0);
        Toy { features, hidden, parameters }
    }

    /// A model whose feature i writes `columns[i]`, with biases 0.
    pub fn of_columns(columns: &[Vec<f32>]) -> Toy {
        let (features, hidden) = (columns.len(), columns.first().map_or(0, Vec::len));
        let mut parameters = vec![0.0; features * (hidden + 1)];
        for (feature, column) in columns.iter().enumerate() {
            for (dimension, value) in column.iter().enumerate() {
                parameters[dimension * features + feature] = *value;
            }
        }
        Toy { features, hidden, parameters }
    }

    /// W_i, `[m]`.
    pub fn column(&self, feature: usize) -> Vec<f32> {
        (0..self.hidden).map(|dimension| self.parameters[dimension * self.features + feature]).collect()
    }

    /// b, `[n]`.
    pub fn bias(&self) -> &[f32] {
        &self.parameters[self.hidden * self.features..]
    }

    /// WᵀW, `[n, n]`.
    pub fn gram(&self) -> Vec<f32> {
        let columns: Vec<Vec<f32>> = (0..self.features).map(|feature| self.column(feature)).collect();
        columns.iter().flat_map(|a| columns.iter().map(move |b| dot(a, b))).collect()
    }

    /// The output for one input, left in `scratch.output`; `relu`: whether negative outputs are cut.
    fn forward(&self, features: &[u32], values: &[f32], relu: bool, scratch: &mut Scratch) {
        let n = self.features;
        scratch.hidden.clear();
        scratch.output.clear();
        scratch.output.extend_from_slice(self.bias());
        for row in self.parameters.chunks_exact(n).take(self.hidden) {
            let hidden = features.iter().zip(values).map(|(feature, value)| row[*feature as usize] * value).sum();
            scratch.hidden.push(hidden);
            add_scaled(&mut scratch.output, hidden, row);
        }
        if relu {
            scratch.output.iter_mut().for_each(|value| *value = value.max(0.0));
        }
    }

    /// The mean over `inputs` of `L = Σ_i I_i (x_i − x'_i)²` with `x' = ReLU(WᵀWx + b)`; to `gradient`, where given, is added
    /// what it changes by with each parameter.
    pub fn loss(&self, task: &Task, inputs: &Inputs, mut gradient: Option<&mut [f32]>, scratch: &mut Scratch) -> f64 {
        let (n, m) = (self.features, self.hidden);
        let mut total = 0f64;
        for (row, weight) in inputs.weights.iter().enumerate() {
            let (features, values) = inputs.rows.row(row);
            self.forward(features, values, task.relu, scratch);
            // From here on `output` holds ∂L/∂(WᵀWx + b).
            scratch.pull.clear();
            scratch.pull.extend_from_slice(&scratch.output);
            for (feature, value) in features.iter().zip(values) {
                scratch.pull[*feature as usize] -= value;
            }
            let mut loss = 0f32;
            for ((error, output), importance) in scratch.pull.iter_mut().zip(&scratch.output).zip(&task.importance) {
                loss += importance * *error * *error;
                let open = !task.relu || *output > 0.0;
                *error = if open { 2.0 * weight * importance * *error } else { 0.0 };
            }
            total += f64::from(*weight) * f64::from(loss);
            let Some(gradient) = gradient.as_deref_mut() else { continue };
            let (to_weights, to_bias) = gradient.split_at_mut(m * n);
            add_scaled(to_bias, 1.0, &scratch.pull);
            let weights = self.parameters.chunks_exact(n);
            for ((to, weights), hidden) in to_weights.chunks_exact_mut(n).zip(weights).zip(&scratch.hidden) {
                add_scaled(to, *hidden, &scratch.pull);
                let back = dot(&scratch.pull, weights);
                for (feature, value) in features.iter().zip(values) {
                    to[*feature as usize] += back * value;
                }
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::super::task::random;
    use super::*;

    #[test]
    fn the_output_is_that_of_the_formula() {
        let toy = Toy { features: 2, hidden: 1, parameters: vec![2.0, -0.5, 0.1, 0.2] };
        let mut scratch = Scratch::default();
        toy.forward(&[0, 1], &[0.5, 1.0], true, &mut scratch);
        // h = 1 − 0.5; Wᵀh + b = (1.1, −0.05).
        assert_eq!(scratch.output, [1.1, 0.0]);
        toy.forward(&[0, 1], &[0.5, 1.0], false, &mut scratch);
        assert!((scratch.output[1] + 0.05).abs() < 1e-6);
        assert_eq!(toy.gram(), [4.0, -1.0, -1.0, 0.25]);
        assert_eq!(Toy::of_columns(&[vec![2.0], vec![-0.5]]).gram(), toy.gram());
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        for (n, m) in [(5, 2), (40, 3)] {
            for relu in [true, false] {
                let importance = (0..n).map(|i| 0.9f32.powi(i)).collect();
                let task = Task { hidden: m, importance, density: vec![0.4; n as usize], relu };
                let mut generator = random(5, n as u64);
                let mut toy = Toy::random(n as usize, m, &mut generator);
                toy.parameters.iter_mut().for_each(|value| *value += 0.05);
                let inputs = Inputs::draw(&task, 50, &mut generator);
                let mut gradient = vec![0.0; toy.parameters.len()];
                let mut scratch = Scratch::default();
                toy.loss(&task, &inputs, Some(&mut gradient), &mut scratch);
                for at in (0..gradient.len()).step_by(3) {
                    let mut shifted = |by: f32| {
                        let mut other = toy.clone();
                        other.parameters[at] += by;
                        other.loss(&task, &inputs, None, &mut scratch)
                    };
                    let slope = (shifted(2e-3) - shifted(-2e-3)) / 4e-3;
                    assert!((slope - f64::from(gradient[at])).abs() < 2e-3 * slope.abs().max(1.0), "{n} {relu} {at}");
                }
            }
        }
    }
}
