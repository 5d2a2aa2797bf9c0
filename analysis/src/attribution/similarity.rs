//! How alike two maps are.

use serde::Serialize;

/// Side of the windows of the structural similarity, in pixels.
const WINDOW: usize = 7;
/// Side of the cells of the oriented gradients, in pixels.
const CELL: usize = 16;
/// Directions that these tell apart.
const DIRECTIONS: usize = 9;

/// Four measures, each 1 for equal maps and about 0 for unrelated ones (Adebayo et al., arXiv 1810.03292).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Similarity {
    /// Rank correlation of the values.
    pub spearman: f64,
    /// Rank correlation of the absolute values.
    pub spearman_abs: f64,
    /// Mean structural similarity of the maps, each scaled to 0..1.
    pub ssim: f64,
    /// Correlation of histograms of oriented gradients.
    pub hog: f64,
}

impl Similarity {
    /// Of two maps of `height` × `width`.
    pub fn of(one: &[f32], other: &[f32], (height, width): (usize, usize)) -> Similarity {
        let magnitudes = |map: &[f32]| map.iter().map(|value| value.abs()).collect::<Vec<f32>>();
        let (scaled, against) = (scaled(one), scaled(other));
        Similarity {
            spearman: spearman(one, other),
            spearman_abs: spearman(&magnitudes(one), &magnitudes(other)),
            ssim: ssim(&scaled, &against, height, width),
            hog: pearson(&hog(&scaled, height, width), &hog(&against, height, width)),
        }
    }
}

/// Pearson's correlation; 0 where one side does not vary.
pub(super) fn pearson(one: &[f64], other: &[f64]) -> f64 {
    let n = one.len().min(other.len()).max(1) as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (a, b) = (mean(one), mean(other));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in one.iter().zip(other) {
        ab += (x - a) * (y - b);
        aa += (x - a) * (x - a);
        bb += (y - b) * (y - b);
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let ties = order[first..].iter().take_while(|at| values[**at] == values[order[first]]).count().max(1);
        let rank = first as f64 + (ties - 1) as f64 / 2.0;
        order[first..first + ties].iter().for_each(|at| ranks[*at] = rank);
        first += ties;
    }
    ranks
}

/// Spearman's rank correlation; 0 where one side does not vary.
pub fn spearman(one: &[f32], other: &[f32]) -> f64 {
    pearson(&ranks(one), &ranks(other))
}

/// From the smallest to the largest value: 0 to 1.
fn scaled(map: &[f32]) -> Vec<f64> {
    let low = map.iter().copied().fold(f32::INFINITY, f32::min);
    let span = map.iter().copied().fold(f32::NEG_INFINITY, f32::max) - low;
    map.iter().map(|value| if span > 0.0 { f64::from((value - low) / span) } else { 0.0 }).collect()
}

/// Sums over every window, from sums over rectangles that begin at the corner.
fn windows(values: impl Fn(usize) -> f64, height: usize, width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; (height + 1) * (width + 1)];
    for y in 0..height {
        let mut row = 0.0;
        for x in 0..width {
            row += values(y * width + x);
            sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
        }
    }
    let at = |y: usize, x: usize| sums[y * (width + 1) + x];
    let mut found = Vec::new();
    for y in 0..=height - WINDOW {
        for x in 0..=width - WINDOW {
            found.push(at(y + WINDOW, x + WINDOW) - at(y, x + WINDOW) - at(y + WINDOW, x) + at(y, x));
        }
    }
    found
}

/// Mean structural similarity (Wang et al. 2004) over windows of 7 × 7, with sample variances, C₁ = 0.01² and C₂ = 0.03².
fn ssim(one: &[f64], other: &[f64], height: usize, width: usize) -> f64 {
    if height < WINDOW || width < WINDOW {
        return 0.0;
    }
    let (c1, c2, n) = (0.01 * 0.01, 0.03 * 0.03, (WINDOW * WINDOW) as f64);
    let sums = |values: &dyn Fn(usize) -> f64| windows(values, height, width);
    let (a, b) = (sums(&|i| one[i]), sums(&|i| other[i]));
    let (aa, bb, ab) = (sums(&|i| one[i] * one[i]), sums(&|i| other[i] * other[i]), sums(&|i| one[i] * other[i]));
    let total: f64 = (0..a.len())
        .map(|i| {
            let (mean_a, mean_b) = (a[i] / n, b[i] / n);
            let spread = |product: f64, one: f64, other: f64| (product - n * one * other) / (n - 1.0);
            let (va, vb) = (spread(aa[i], mean_a, mean_a), spread(bb[i], mean_b, mean_b));
            let cov = spread(ab[i], mean_a, mean_b);
            (2.0 * mean_a * mean_b + c1) * (2.0 * cov + c2)
                / ((mean_a * mean_a + mean_b * mean_b + c1) * (va + vb + c2))
        })
        .sum();
    total / a.len() as f64
}

/// In cells of 16 × 16 pixels the strength of the gradients, by direction.
fn hog(map: &[f64], height: usize, width: usize) -> Vec<f64> {
    let (rows, columns) = (height.div_ceil(CELL), width.div_ceil(CELL));
    let mut cells = vec![0.0; rows * columns * DIRECTIONS];
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let down = map[(y + 1) * width + x] - map[(y - 1) * width + x];
            let right = map[y * width + x + 1] - map[y * width + x - 1];
            let angle = down.atan2(right).rem_euclid(std::f64::consts::PI) / std::f64::consts::PI;
            let direction = ((angle * DIRECTIONS as f64) as usize).min(DIRECTIONS - 1);
            cells[((y / CELL) * columns + x / CELL) * DIRECTIONS + direction] += down.hypot(right);
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_ignore_what_keeps_the_order_and_share_ties() {
        assert_eq!(ranks(&[3.0, 1.0, 1.0, 7.0]), [2.0, 0.5, 0.5, 3.0]);
        let (x, y) = ([1.0f32, 2.0, 3.0, 4.0, 5.0], [1.0f32, 8.0, 27.0, 64.0, 125.0]);
        assert!((spearman(&x, &y) - 1.0).abs() < 1e-12);
        assert!((spearman(&x, &y.map(|v| -v)) + 1.0).abs() < 1e-12);
        // By hand: ranks 0 1 2 3 4 and 1 0 2 4 3; 1 − 6 · Σd² / (n (n² − 1)) = 1 − 6 · 4 / 120.
        assert!((spearman(&x, &[2.0, 1.0, 3.0, 5.0, 4.0]) - 0.8).abs() < 1e-12);
        assert_eq!(spearman(&x, &[1.0; 5]), 0.0);
    }

    #[test]
    fn equal_maps_are_alike_and_unrelated_ones_are_not() {
        let (height, width) = (48, 32);
        let map = |f: &dyn Fn(f32, f32) -> f32| -> Vec<f32> {
            (0..height * width).map(|i| f((i % width) as f32, (i / width) as f32)).collect()
        };
        let stripes = map(&|x, _| (x / 3.0).sin());
        let noise = map(&|x, y| (x * 12.9898 + y * 78.233).sin() * 43758.547 % 1.0);
        let same = Similarity::of(&stripes, &stripes, (height, width));
        for value in [same.spearman, same.spearman_abs, same.ssim, same.hog] {
            assert!((value - 1.0).abs() < 1e-9, "{same:?}");
        }
        let apart = Similarity::of(&stripes, &noise, (height, width));
        assert!(apart.spearman.abs() < 0.1 && apart.ssim < 0.1 && apart.hog < 0.5, "{apart:?}");
        // A map and its negative: of the four only the signed ones tell.
        let negative: Vec<f32> = stripes.iter().map(|v| -v).collect();
        let turned = Similarity::of(&stripes, &negative, (height, width));
        assert!(turned.spearman < -0.99 && turned.spearman_abs > 0.99 && turned.hog > 0.99, "{turned:?}");
    }
}
