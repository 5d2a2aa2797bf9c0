//! Sufficient statistics of variance reduction.

use golgi_probes::{Device, Kind, Tensor};

use crate::distribution::floats;
use crate::error::Result;

/// No class.
pub(crate) const NONE: u32 = u32::MAX;

/// `VR` of a property that `n1` of `n` tokens have: from the sum over these, the sum and the sum of squares over all.
fn reduction(n: f64, n1: f64, sum1: f64, sum: f64, squares: f64) -> f64 {
    let variance = squares / n - (sum / n).powi(2);
    if n1 < 1.0 || n - n1 < 1.0 || variance <= 1e-12 * (squares / n) || variance <= 0.0 {
        return 0.0;
    }
    let share = n1 / n;
    let apart = sum1 / n1 - (sum - sum1) / (n - n1);
    (share * (1.0 - share) * apart * apart / variance).clamp(0.0, 1.0)
}

/// Counts and sums of the activations of some neurons: over all tokens, and over those of each class.
#[derive(Debug)]
pub(crate) struct Sums {
    tokens: f64,
    counts: Vec<f64>,
    /// `[classes, neurons]`, f32: sums over a few thousand tokens.
    by_class: Tensor,
    /// `[2, neurons]`, f64: sum and sum of squares.
    total: Tensor,
    read: Option<(Vec<f32>, Vec<f64>)>,
}

impl Sums {
    /// Of nothing yet.
    pub fn new(classes: usize, neurons: usize) -> Result<Sums> {
        Ok(Sums {
            tokens: 0.0,
            counts: vec![0.0; classes],
            by_class: Tensor::f_zeros([classes as i64, neurons as i64], (Kind::Float, Device::Cpu))?,
            total: Tensor::f_zeros([2, neurons as i64], (Kind::Double, Device::Cpu))?,
            read: None,
        })
    }

    /// Adds `[tokens, neurons]` activations with the classes of each token, [`NONE`] where there is none.
    pub fn add(&mut self, activations: &Tensor, rows: &[[u32; super::labels::KINDS]]) -> Result<()> {
        let (classes, tokens) = (self.counts.len(), rows.len());
        let mut hot = vec![0.0_f32; classes * tokens];
        for (token, row) in rows.iter().enumerate() {
            for class in row.iter().filter(|class| **class != NONE) {
                hot[*class as usize * tokens + token] = 1.0;
                self.counts[*class as usize] += 1.0;
            }
        }
        let hot = Tensor::f_from_slice(&hot)?.f_view([classes as i64, tokens as i64])?;
        let activations = activations.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
        self.by_class = self.by_class.f_add(&hot.f_matmul(&activations)?)?;
        let sums = [
            activations.f_sum_dim_intlist(0, false, Kind::Double)?,
            activations.f_to_kind(Kind::Double)?.f_square()?.f_sum_dim_intlist(0, false, Kind::Double)?,
        ];
        self.total = self.total.f_add(&Tensor::f_stack(&sums, 0)?)?;
        self.tokens += tokens as f64;
        Ok(())
    }

    /// Makes [`Sums::reduction`] readable.
    pub fn finish(&mut self) -> Result<()> {
        self.read = Some((floats(&self.by_class)?, Vec::<f64>::try_from(self.total.f_view([-1])?)?));
        Ok(())
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// How many neurons.
    pub fn neurons(&self) -> usize {
        self.total.size()[1] as usize
    }

    /// `VR` of a class for a neuron; 0 before [`Sums::finish`].
    pub fn reduction(&self, class: usize, neuron: usize) -> f64 {
        let Some((by_class, total)) = &self.read else { return 0.0 };
        let (n, sum1) = (self.neurons(), f64::from(by_class[class * self.neurons() + neuron]));
        reduction(self.tokens, self.counts[class], sum1, total[neuron], total[n + neuron])
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn variance(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn reduction_equals_its_definition() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let values: Vec<(f64, bool)> = (0..500)
            .map(|_| {
                let yes = rng.random_bool(0.2);
                (rng.random::<f64>() + if yes { 0.7 } else { 0.0 }, yes)
            })
            .collect();
        let of = |want: Option<bool>| -> Vec<f64> {
            values.iter().filter(|(_, yes)| want.is_none_or(|want| want == *yes)).map(|(v, _)| *v).collect()
        };
        let (all, yes, no) = (of(None), of(Some(true)), of(Some(false)));
        let share = yes.len() as f64 / all.len() as f64;
        let expected = 1.0 - ((1.0 - share) * variance(&no) + share * variance(&yes)) / variance(&all);
        let (n, n1) = (all.len() as f64, yes.len() as f64);
        let found = reduction(n, n1, yes.iter().sum(), all.iter().sum(), all.iter().map(|v| v * v).sum());
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        // Nobody, everybody, and a constant.
        assert_eq!(reduction(10.0, 0.0, 0.0, 5.0, 5.0), 0.0);
        assert_eq!(reduction(10.0, 10.0, 5.0, 5.0, 5.0), 0.0);
        assert_eq!(reduction(10.0, 3.0, 0.9, 3.0, 0.9), 0.0);
    }

    #[test]
    fn streamed_sums_equal_those_of_one_pass() {
        let values = Weights::values();
        let rows: Vec<[u32; super::super::labels::KINDS]> =
            (0..40).map(|at| std::array::from_fn(|kind| if kind == 0 { at % 3 } else { NONE })).collect();
        let (mut whole, mut parts) = (Sums::new(3, 4).unwrap(), Sums::new(3, 4).unwrap());
        whole.add(&values, &rows).unwrap();
        for at in [0_usize, 16, 32] {
            let len = 16.min(40 - at);
            parts.add(&values.narrow(0, at as i64, len as i64), &rows[at..at + len]).unwrap();
        }
        whole.finish().unwrap();
        parts.finish().unwrap();
        for (class, neuron) in [(0, 0), (1, 2), (2, 3)] {
            assert!((whole.reduction(class, neuron) - parts.reduction(class, neuron)).abs() < 1e-6);
        }
        assert!(whole.reduction(0, 0) > 0.0);
    }

    struct Weights;

    impl Weights {
        fn values() -> Tensor {
            crate::testing::Weights::new(3).tensor(&[40, 4], 1.0)
        }
    }
}
