//! Denoising by total variation.

/// Sweeps at most.
const SWEEPS: usize = 100;
/// The mean change of a sweep below which it is the last, in units of the values.
const SETTLED: f64 = 1e-3;

/// Finds u with the least Σ|∇u| + weight/2 · Σ(u − f)² for one channel f, `[height · width]`, in place: a larger weight smooths less.
///
/// Split Bregman (Goldstein and Osher, *The split Bregman method for L1-regularized problems*, 2009), isotropic, with one sweep of
/// Gauss and Seidel for each update of the split gradients, λ = 2 · weight. Beyond the border the image continues as at it.
pub(super) fn denoise(values: &mut [f32], height: usize, width: usize, weight: f32) {
    let given = values.to_vec();
    let lambda = 2.0 * weight;
    // Split gradients d and Bregman's variables b, downwards and to the right.
    let zero = vec![0f32; values.len()];
    let (mut right, mut down, mut held_right, mut held_down) = (zero.clone(), zero.clone(), zero.clone(), zero);
    for _ in 0..SWEEPS {
        let mut change = 0.0f64;
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                let here = values[at];
                let mut sum = 0.0;
                let mut terms = 0.0;
                let mut add = |neighbour: f32, split: f32| {
                    sum += neighbour + split;
                    terms += 1.0;
                };
                if x + 1 < width {
                    add(values[at + 1], held_right[at] - right[at]);
                }
                if y + 1 < height {
                    add(values[at + width], held_down[at] - down[at]);
                }
                if x > 0 {
                    add(values[at - 1], right[at - 1] - held_right[at - 1]);
                }
                if y > 0 {
                    add(values[at - width], down[at - width] - held_down[at - width]);
                }
                let now = (lambda * sum + weight * given[at]) / (weight + lambda * terms);
                change += f64::from(now - here).powi(2);
                values[at] = now;
            }
        }
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                let to_right = if x + 1 < width { values[at + 1] - values[at] } else { 0.0 } + held_right[at];
                let to_down = if y + 1 < height { values[at + width] - values[at] } else { 0.0 } + held_down[at];
                let length = to_right.hypot(to_down);
                let shrunk = if length > 0.0 { (length - 1.0 / lambda).max(0.0) / length } else { 0.0 };
                (right[at], down[at]) = (shrunk * to_right, shrunk * to_down);
                (held_right[at], held_down[at]) = (to_right - right[at], to_down - down[at]);
            }
        }
        if (change / values.len() as f64).sqrt() < SETTLED {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is minimised.
    fn energy(u: &[f32], f: &[f32], height: usize, width: usize, weight: f32) -> f64 {
        let mut sum = 0.0;
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                let right = if x + 1 < width { u[at + 1] - u[at] } else { 0.0 };
                let down = if y + 1 < height { u[at + width] - u[at] } else { 0.0 };
                sum += f64::from(right.hypot(down)) + 0.5 * f64::from(weight) * f64::from(u[at] - f[at]).powi(2);
            }
        }
        sum
    }

    #[test]
    fn noise_goes_and_edges_stay() {
        let (height, width, weight) = (24, 30, 0.04);
        let clean: Vec<f32> = (0..height * width).map(|at| if at % width < 15 { 60.0 } else { 180.0 }).collect();
        let noise = |at: usize| ((at as f32 * 12.9898).sin() * 43758.547).fract() * 20.0;
        let noisy: Vec<f32> = clean.iter().enumerate().map(|(at, value)| value + noise(at)).collect();
        let mut found = noisy.clone();
        denoise(&mut found, height, width, weight);
        let error = |image: &[f32]| image.iter().zip(&clean).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        assert!(error(&found) < 0.25 * error(&noisy), "{} {}", error(&found), error(&noisy));
        let step = found[12 * width + 20] - found[12 * width + 9];
        assert!(step > 100.0, "{step}");
        // It is a minimum: no small change lowers the energy by much.
        let least = energy(&found, &noisy, height, width, weight);
        assert!(least < energy(&noisy, &noisy, height, width, weight) * 0.7);
        for (at, by) in [(35, 1.0), (200, -1.0), (406, 2.0)] {
            let mut other = found.clone();
            other[at] += by;
            assert!(energy(&other, &noisy, height, width, weight) > least - 0.01);
        }
        // Less smoothing keeps more.
        let mut kept = noisy.clone();
        denoise(&mut kept, height, width, 100.0);
        assert!(kept.iter().zip(&noisy).all(|(a, b)| (a - b).abs() < 1.0));
    }
}
