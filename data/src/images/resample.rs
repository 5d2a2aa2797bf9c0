//! Resampling along one axis, with the arithmetic of PyTorch's `interpolate`.
//!
//! Output i of n, from an input of m values, has its centre at c = (i + ½)·m/n. Without antialiasing it is interpolated
//! between the 2 (bilinear) or 4 (bicubic, a = −¾) inputs around c − ½. With antialiasing it is the mean of the inputs
//! within the support of the filter stretched by max(m/n, 1): a triangle, or the cubic with a = −½. Positions are
//! computed in 32 bits as PyTorch does, because their rounding shows in the weights.

use serde::{Deserialize, Serialize};

use super::Picture;

/// The filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Straight lines between neighbours.
    Bilinear,
    /// Cubic convolution.
    Bicubic,
}

/// The inputs that make one output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taps {
    /// The first of them.
    pub start: usize,
    /// Their weights, which add up to 1.
    pub weights: Vec<f32>,
}

/// One axis: `input` values become `output`, of which those in `range` are wanted. `input` and `output` are at least 1.
pub(super) fn taps(
    (input, output): (usize, usize),
    range: std::ops::Range<usize>,
    interpolation: Interpolation,
    antialias: bool,
) -> Vec<Taps> {
    let scale = input as f32 / output as f32;
    let tap = |i: usize| match (antialias, interpolation) {
        (true, _) => averaged(i, input, scale, interpolation),
        (false, Interpolation::Bilinear) => {
            let position = (scale * (i as f32 + 0.5) - 0.5).max(0.0);
            // The cast cuts off, and what is beyond the end is moved there.
            let start = (position as usize).min(input - 1);
            let weight = (position - start as f32).clamp(0.0, 1.0);
            let weights = if start + 1 < input { vec![1.0 - weight, weight] } else { vec![1.0] };
            Taps { start, weights }
        }
        (false, Interpolation::Bicubic) => {
            let position = scale * (i as f32 + 0.5) - 0.5;
            let first = position.floor();
            let offset = position - first;
            let at = |k: isize| (first as isize).saturating_add(k).clamp(0, input as isize - 1) as usize;
            let start = at(-1);
            let mut weights = vec![0.0; at(2) - start + 1];
            for k in -1..=2 {
                weights[at(k) - start] += cubic(offset - k as f32, -0.75);
            }
            Taps { start, weights }
        }
    };
    range.map(tap).collect()
}

/// Resamples a picture along both axes; `put` is given x, y and the three channels (0..=255, not rounded) of every pixel that
/// `columns` and `rows` make. Memory is taken for one row of the picture.
pub(super) fn resample(
    picture: &Picture,
    columns: &[Taps],
    rows: &[Taps],
    mut put: impl FnMut(usize, usize, [f32; 3]),
) {
    let first = columns.iter().map(|tap| tap.start).min().unwrap_or(0);
    let end = columns.iter().map(|tap| tap.start + tap.weights.len()).max().unwrap_or(0);
    let stride = picture.width() as usize * 3;
    let mut row = vec![0.0f32; (end - first) * 3];
    for (y, tap) in rows.iter().enumerate() {
        row.fill(0.0);
        for (weight, values) in tap.weights.iter().zip(picture.rgb()[tap.start * stride..].chunks_exact(stride)) {
            let pairs = row.iter_mut().zip(&values[first * 3..end * 3]);
            pairs.for_each(|(sum, value)| *sum += weight * f32::from(*value));
        }
        for (x, tap) in columns.iter().enumerate() {
            let mut sums = [0.0; 3];
            for (weight, pixel) in tap.weights.iter().zip(row[(tap.start - first) * 3..].chunks_exact(3)) {
                sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * value);
            }
            put(x, y, sums);
        }
    }
}

fn averaged(i: usize, input: usize, scale: f32, interpolation: Interpolation) -> Taps {
    let reach = match interpolation {
        Interpolation::Bilinear => 1.0,
        Interpolation::Bicubic => 2.0,
    };
    let stretch = scale.max(1.0);
    let support = reach * stretch;
    let centre = scale * (i as f32 + 0.5);
    // Casts of negative values give 0.
    let start = ((centre - support + 0.5) as usize).min(input - 1);
    let end = ((centre + support + 0.5) as usize).min(input).max(start + 1);
    let inverse = 1.0 / stretch;
    let filter = |x: f32| match interpolation {
        Interpolation::Bilinear => (1.0 - x.abs()).max(0.0),
        Interpolation::Bicubic => cubic(x, -0.5),
    };
    let mut weights: Vec<f32> = (start..end).map(|j| filter((j as f32 - centre + 0.5) * inverse)).collect();
    let total: f32 = weights.iter().sum();
    if total == 0.0 {
        return Taps { start, weights: vec![1.0] };
    }
    weights.iter_mut().for_each(|weight| *weight /= total);
    Taps { start, weights }
}

/// The convolution kernel of Keys, 1981.
fn cubic(x: f32, a: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_one_and_stay_inside() {
        for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
            for antialias in [false, true] {
                for (input, output) in [(1, 1), (1, 7), (7, 1), (2, 3), (640, 224), (30, 224), (65_535, 3)] {
                    for tap in taps((input, output), 0..output, interpolation, antialias) {
                        let total: f32 = tap.weights.iter().sum();
                        assert!((total - 1.0).abs() < 1e-3, "{interpolation:?} {antialias} {input} {output}: {total}");
                        assert!(tap.start + tap.weights.len() <= input);
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        for (i, tap) in taps((5, 5), 0..5, Interpolation::Bilinear, true).iter().enumerate() {
            let value: f32 = tap.weights.iter().enumerate().map(|(k, w)| w * (tap.start + k) as f32).sum();
            assert_eq!(value, i as f32);
        }
    }
}
