//! Logistic probes: linear classifiers of two classes.

use tch::{Kind, Tensor};

use crate::SaeError;

/// `P(yes | x) = σ(w·x + b)`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticProbe {
    /// w, `[d]`.
    pub weights: Vec<f32>,
    /// b.
    pub bias: f32,
}

/// Steps of Newton's method; it is done after far fewer.
const STEPS: usize = 30;

impl LogisticProbe {
    /// Minimises `Σ_t ln(1 + e^{−y_t (w·x_t + b)}) + ½‖w‖²` (scikit-learn's default) over rows `[n, d]` whose columns were brought to mean
    /// 0 and standard deviation 1 first; w and b are those for the rows as they are.
    ///
    /// # Errors
    /// If there is only one class, or the tensor library fails.
    pub fn fit(rows: &[f32], d: usize, labels: &[bool]) -> Result<LogisticProbe, SaeError> {
        let n = labels.len();
        if n == 0 || rows.len() != n * d || labels.iter().all(|label| *label) || !labels.iter().any(|label| *label) {
            return Err(SaeError::Settings("a probe needs examples of both classes".to_owned()));
        }
        let columns = |row: &[f32], to: &mut [f64], of: &dyn Fn(f64, usize) -> f64| {
            to.iter_mut().zip(row).enumerate().for_each(|(column, (to, value))| *to += of(f64::from(*value), column));
        };
        let (mut mean, mut spread) = (vec![0f64; d], vec![0f64; d]);
        rows.chunks(d).for_each(|row| columns(row, &mut mean, &|value, _| value / n as f64));
        rows.chunks(d).for_each(|row| columns(row, &mut spread, &|value, at| (value - mean[at]).powi(2) / n as f64));
        spread.iter_mut().for_each(|one| *one = one.sqrt());
        // A column that never changes says nothing.
        let factors: Vec<f64> = spread.iter().map(|one| if *one > 1e-12 { 1.0 / one } else { 0.0 }).collect();
        let mut all = Vec::with_capacity(n * (d + 1));
        for row in rows.chunks(d) {
            all.extend(row.iter().enumerate().map(|(at, value)| (f64::from(*value) - mean[at]) * factors[at]));
            all.push(1.0);
        }
        let x = Tensor::f_from_slice(&all)?.f_view([n as i64, d as i64 + 1])?;
        let y: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        let w = newton(&x, &Tensor::f_from_slice(&y)?.f_view([-1, 1])?, d)?;
        let weights: Vec<f32> = w.iter().zip(&factors).map(|(w, factor)| (w * factor) as f32).collect();
        let offset: f64 = (0..d).map(|at| w[at] * factors[at] * mean[at]).sum();
        Ok(LogisticProbe { weights, bias: (w[d] - offset) as f32 })
    }

    /// `w·x + b`; the probe says yes above 0.
    pub fn score(&self, row: &[f32]) -> f64 {
        let product: f64 = row.iter().zip(&self.weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        product + f64::from(self.bias)
    }

    /// The share of rows `[n, d]` that it puts into their class.
    pub fn accuracy(&self, rows: &[f32], labels: &[bool]) -> f64 {
        let right = rows.chunks(self.weights.len().max(1)).zip(labels);
        let right = right.filter(|(row, label)| (self.score(row) > 0.0) == **label).count();
        right as f64 / labels.len().max(1) as f64
    }

    /// `2TP / (2TP + FP + FN)` on rows `[n, d]`.
    pub fn f1(&self, rows: &[f32], labels: &[bool]) -> f64 {
        let (mut hits, mut misses) = (0usize, 0usize);
        for (row, label) in rows.chunks(self.weights.len().max(1)).zip(labels) {
            match (self.score(row) > 0.0, *label) {
                (true, true) => hits += 1,
                (true, false) | (false, true) => misses += 1,
                (false, false) => {}
            }
        }
        if hits == 0 { 0.0 } else { 2.0 * hits as f64 / (2.0 * hits as f64 + misses as f64) }
    }
}

/// The minimum, by Newton's method with steps that are halved until they help. `x` ends with a column of ones, which no penalty holds.
fn newton(x: &Tensor, y: &Tensor, d: usize) -> Result<Vec<f64>, SaeError> {
    let mut ridge = vec![1f64; d];
    ridge.push(1e-8);
    let ridge = Tensor::f_from_slice(&ridge)?.f_view([-1, 1])?;
    let objective = |w: &Tensor| -> Result<f64, SaeError> {
        let z = x.f_matmul(w)?;
        let loss = z.f_softplus()?.f_sum(Kind::Double)? - (&z * y).f_sum(Kind::Double)?;
        let size = (&ridge * w.f_square()?).f_sum(Kind::Double)? * 0.5;
        Ok((loss + size).double_value(&[]))
    };
    let mut w = Tensor::f_zeros([d as i64 + 1, 1], (Kind::Double, x.device()))?;
    let mut now = objective(&w)?;
    for _ in 0..STEPS {
        let p = x.f_matmul(&w)?.f_sigmoid()?;
        let gradient = x.f_transpose(0, 1)?.f_matmul(&(&p - y))? + &ridge * &w;
        let curvature = &p * (1.0 - &p);
        let hessian = x.f_transpose(0, 1)?.f_matmul(&(x * curvature))? + ridge.f_flatten(0, -1)?.f_diag(0)?;
        let step = Tensor::f_linalg_solve(&hessian, &gradient, true)?;
        let mut factor = 1.0;
        let next = loop {
            let next = &w - &step * factor;
            let value = objective(&next)?;
            if value <= now || factor < 1e-4 {
                break (next, value);
            }
            factor *= 0.5;
        };
        let gained = now - next.1;
        if gained > 0.0 {
            (w, now) = next;
        }
        if gained <= 1e-9 * now.abs() {
            break;
        }
    }
    Ok(Vec::<f64>::try_from(w.f_flatten(0, -1)?)?)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::planted::gaussian;

    #[test]
    fn a_planted_direction_is_found() {
        let (n, d) = (3000, 6);
        let mut random = ChaCha8Rng::seed_from_u64(4);
        // Columns of different sizes and places.
        let mut rows: Vec<f32> = (0..n * d).map(|_| gaussian(&mut random)).collect();
        rows.chunks_mut(d).for_each(|row| (row[1], row[5]) = (row[1] * 100.0 + 7.0, 3.0));
        let logit = |row: &[f32]| 2.0 * f64::from(row[0]) - 0.03 * f64::from(row[1] - 7.0) + 0.5;
        let labels: Vec<bool> =
            rows.chunks(d).map(|row| random.random::<f64>() < 1.0 / (1.0 + (-logit(row)).exp())).collect();
        let probe = LogisticProbe::fit(&rows, d, &labels).unwrap();
        assert!((probe.weights[0] - 2.0).abs() < 0.25 && (probe.weights[1] + 0.03).abs() < 0.005, "{probe:?}");
        assert!(probe.weights[2].abs() < 0.15 && probe.weights[5] == 0.0, "{probe:?}");
        assert!((probe.score(&rows[..d]) - logit(&rows[..d])).abs() < 0.4);
        let best = rows.chunks(d).zip(&labels).filter(|(row, label)| (logit(row) > 0.0) == **label).count();
        assert!((probe.accuracy(&rows, &labels) - best as f64 / n as f64).abs() < 0.01);
    }

    #[test]
    fn classes_that_are_apart_are_told_apart_and_counted() {
        let rows: Vec<f32> = (0..40).map(|at| if at >= 30 { at as f32 + 60.0 } else { at as f32 }).collect();
        let labels: Vec<bool> = (0..40).map(|at| at >= 30).collect();
        let probe = LogisticProbe::fit(&rows, 1, &labels).unwrap();
        assert_eq!(probe.accuracy(&rows, &labels), 1.0);
        let all = LogisticProbe { weights: vec![0.0], bias: 1.0 };
        assert_eq!((all.accuracy(&rows, &labels), all.f1(&rows, &labels)), (0.25, 20.0 / 50.0));
        assert!(LogisticProbe::fit(&rows, 1, &[true; 40]).is_err());
    }
}
