//! Logistic regression from a row to a label, judged on rows that it was not fitted to.

use rand::seq::SliceRandom;
use tch::{Kind, Tensor};

use super::matrix::{random, unit_rows};
use crate::Result;

/// One in five rows is held out.
const HELD_OUT: usize = 5;
/// Steps of the fit.
const STEPS: usize = 200;
/// The weight of `‖W‖²/2` in the mean loss; 1/n in scikit-learn's default.
fn penalty(n: usize) -> f64 {
    1.0 / n as f64
}

/// Fits `softmax(xW + b)` to four fifths of the rows `[n, d]`, drawn at random, and returns the balanced accuracy on the others: the mean over
/// labels of the share of their rows that are recognised. `None` with fewer than 20 rows.
///
/// The fit is Nesterov's accelerated gradient on the mean cross-entropy plus `‖W‖² / 2n`, rows of length √d.
///
/// # Errors
/// If the tensor library fails.
pub fn balanced_accuracy(rows: &[f32], d: usize, labels: &[u32], seed: u64) -> Result<Option<f64>> {
    let n = labels.len();
    if n < 4 * HELD_OUT {
        return Ok(None);
    }
    let mut order: Vec<i64> = (0..n as i64).collect();
    order.shuffle(&mut random(seed, 41));
    let classes = i64::from(labels.iter().copied().max().unwrap_or(0)) + 1;
    let scale = (d as f64).sqrt();
    let x = Tensor::f_from_slice(&unit_rows(rows, d))?.f_view([n as i64, d as i64])?.f_mul_scalar(scale)?;
    let wide: Vec<i64> = labels.iter().map(|label| i64::from(*label)).collect();
    let y = Tensor::f_from_slice(&wide)?;
    let (out, fit) = order.split_at(n / HELD_OUT);
    let (out, fit) = (Tensor::f_from_slice(out)?, Tensor::f_from_slice(fit)?);
    let (x_fit, y_fit) = (x.f_index_select(0, &fit)?, y.f_index_select(0, &fit)?);
    let count = y_fit.size()[0];
    let one_hot = Tensor::f_zeros([count, classes], (Kind::Float, tch::Device::Cpu))?;
    let one_hot = one_hot.f_scatter_value(1, &y_fit.f_unsqueeze(1)?, 1.0)?;
    let centre = x_fit.f_mean_dim(0, true, None::<Kind>)?;
    let x_fit = x_fit.f_sub(&centre)?;
    // The largest curvature of the mean loss is at most ‖X‖²/2n.
    let curvature = x_fit.f_transpose(0, 1)?.f_matmul(&x_fit)?.f_norm()?;
    let rate = 1.0 / (curvature.f_double_value(&[])? / (2.0 * count as f64) + penalty(count as usize) + 0.5);
    let zeros = |rows: i64| Tensor::f_zeros([rows, classes], (Kind::Float, tch::Device::Cpu));
    let (mut w, mut b, mut w_before, mut b_before) = (zeros(d as i64)?, zeros(1)?, zeros(d as i64)?, zeros(1)?);
    for step in 0..STEPS {
        let momentum = step as f64 / (step as f64 + 3.0);
        let ahead = |now: &Tensor, before: &Tensor| -> Result<Tensor> {
            Ok(now.f_add(&now.f_sub(before)?.f_mul_scalar(momentum)?)?)
        };
        let (w_ahead, b_ahead) = (ahead(&w, &w_before)?, ahead(&b, &b_before)?);
        let error = x_fit.f_matmul(&w_ahead)?.f_add(&b_ahead)?.f_softmax(1, Kind::Float)?.f_sub(&one_hot)?;
        let error = error.f_div_scalar(count as f64)?;
        let pull = x_fit.f_transpose(0, 1)?.f_matmul(&error)?.f_add(&w_ahead.f_mul_scalar(penalty(count as usize))?)?;
        (w_before, b_before) = (w, b);
        w = w_ahead.f_sub(&pull.f_mul_scalar(rate)?)?;
        b = b_ahead.f_sub(&error.f_sum_dim_intlist([0i64].as_slice(), true, None::<Kind>)?.f_mul_scalar(rate)?)?;
    }
    let x_out = x.f_index_select(0, &out)?.f_sub(&centre)?;
    let guessed = Vec::<i64>::try_from(x_out.f_matmul(&w)?.f_add(&b)?.f_argmax(1, false)?)?;
    let truth = Vec::<i64>::try_from(y.f_index_select(0, &out)?)?;
    let shares = (0..classes).filter_map(|class| {
        let own: Vec<bool> = truth.iter().zip(&guessed).filter(|(t, _)| **t == class).map(|(t, g)| t == g).collect();
        (!own.is_empty()).then(|| own.iter().filter(|right| **right).count() as f64 / own.len() as f64)
    });
    let shares: Vec<f64> = shares.collect();
    Ok(Some(shares.iter().sum::<f64>() / shares.len().max(1) as f64))
}

#[cfg(test)]
mod tests {
    use super::super::matrix::gaussian_rows;
    use super::*;

    #[test]
    fn what_can_be_told_apart_is_and_what_cannot_is_not() {
        let (n, d) = (300, 20);
        let mut rows = gaussian_rows(n, d, 1, 0);
        let labels: Vec<u32> = (0..n).map(|at| (at % 7 == 0) as u32 + (at % 3 == 0) as u32).collect();
        let chance = balanced_accuracy(&rows, d, &labels, 2).unwrap().unwrap();
        assert!((chance - 1.0 / 3.0).abs() < 0.17, "{chance}");
        for (row, label) in rows.chunks_mut(d).zip(&labels) {
            row[*label as usize] += 6.0;
        }
        // Rare labels count as much as frequent ones.
        assert!(balanced_accuracy(&rows, d, &labels, 2).unwrap().unwrap() > 0.9);
        assert_eq!(balanced_accuracy(&rows[..10 * d], d, &labels[..10], 2).unwrap(), None);
    }
}
