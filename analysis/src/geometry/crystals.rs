//! Crystals: whether pairs in the same relation (man and woman, king and queen) differ by the same vector, and what hides it.
//!
//! Differences share directions that have nothing to do with the relation, such as the length of a word. Linear discriminant analysis finds
//! directions in which relations differ most beside how much pairs of one relation scatter. With few pairs in many dimensions it always
//! finds some, so everything here is judged on pairs that it was not fitted to, and beside shuffled relations.

use golgi_data::context::RunContext;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::matrix::{covariance, eigen, mean, project, random, squared_distance, z_score};
use crate::Result;

/// The variance that is added to each direction's scatter, as a share of their mean.
const SHRINKAGE: f64 = 0.1;

/// Things in pairs, by relation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs {
    /// Names of the relations.
    pub relations: Vec<String>,
    /// Of each pair: its relation, and the names of its two members.
    pub members: Vec<(usize, String, String)>,
    /// `e(b) − e(a)` of each pair, `[n, d]`.
    pub differences: Vec<f32>,
    /// d.
    pub d: usize,
}

/// What is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrystalParams {
    /// Discriminant directions, at most; one less than there are relations where that is fewer.
    pub components: usize,
    /// The largest number of distractor directions that is removed.
    pub distractors: usize,
    /// Shuffled relations to compare with.
    pub permutations: usize,
    /// Random halves of the pairs over which results are averaged.
    pub splits: usize,
}

impl Default for CrystalParams {
    fn default() -> CrystalParams {
        CrystalParams { components: 8, distractors: 16, permutations: 30, splits: 5 }
    }
}

/// What was found. Means over random halves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crystals {
    /// Relations and their numbers of pairs.
    pub relations: Vec<(String, usize)>,
    /// Silhouette of all differences by relation, as they are.
    pub raw: f64,
    /// Silhouette of held-out differences, as they are.
    pub held_out_raw: f64,
    /// Silhouette of the fitted pairs behind LDA: flattering by construction.
    pub fitted: f64,
    /// Silhouette of held-out pairs behind LDA.
    pub held_out: f64,
    /// The same with relations shuffled before everything.
    pub shuffled: Vec<f64>,
    /// Share of held-out pairs whose nearest relation mean behind LDA is their own.
    pub accuracy: f64,
    /// The same with shuffled relations.
    pub accuracy_shuffled: Vec<f64>,
    /// By number of distractor directions removed: how well parallelograms close, see [`closure`].
    pub closure: Vec<(usize, f64)>,
    /// Differences on the first two discriminants, fitted to all pairs.
    pub map: Vec<[f32; 2]>,
    /// The relation of each.
    pub labels: Vec<usize>,
    /// What each is.
    pub names: Vec<String>,
}

impl Crystals {
    /// The held-out silhouette in standard deviations above shuffled relations.
    pub fn z(&self) -> Option<f64> {
        z_score(self.held_out, &self.shuffled)
    }
}

/// The mean over points of `(b − a) / max(a, b)`, with a the mean distance to others of the same label and b the least mean distance to those
/// of another label (Rousseeuw 1987). Points that are alone in their label count 0. −1 to 1; 0 for labels that mean nothing.
pub fn silhouette(rows: &[f32], d: usize, labels: &[usize]) -> f64 {
    let count = labels.iter().max().map_or(0, |most| most + 1);
    let points: Vec<&[f32]> = rows.chunks(d).collect();
    let mut sum = 0.0;
    for (at, point) in points.iter().enumerate() {
        let (mut total, mut members) = (vec![0f64; count], vec![0usize; count]);
        for (other, label) in labels.iter().enumerate().filter(|(other, _)| *other != at) {
            total[*label] += squared_distance(point, points[other]).sqrt();
            members[*label] += 1;
        }
        let own = labels[at];
        let mean = |label: usize| total[label] / members[label] as f64;
        let others = (0..count).filter(|label| *label != own && members[*label] > 0).map(mean);
        let nearest = others.fold(f64::INFINITY, f64::min);
        if members[own] > 0 && nearest.is_finite() {
            let inside = mean(own);
            sum += (nearest - inside) / inside.max(nearest).max(f64::MIN_POSITIVE);
        }
    }
    sum / points.len().max(1) as f64
}

/// How well parallelograms close: the mean of `‖v_i − v_j‖²` over pairs of differences of one relation, by that over pairs of different
/// relations. 0 for perfect parallelograms, 1 where relations mean nothing.
pub fn closure(rows: &[f32], d: usize, labels: &[usize]) -> f64 {
    let points: Vec<&[f32]> = rows.chunks(d).collect();
    let (mut same, mut different) = ((0.0, 0usize), (0.0, 0usize));
    for i in 0..points.len() {
        for j in i + 1..points.len() {
            let to = if labels[i] == labels[j] { &mut same } else { &mut different };
            *to = (to.0 + squared_distance(points[i], points[j]), to.1 + 1);
        }
    }
    let mean = |(sum, count): (f64, usize)| sum / count.max(1) as f64;
    if mean(different) > 0.0 { mean(same) / mean(different) } else { 1.0 }
}

/// Rows without the mean of their relation.
fn within(rows: &[f32], d: usize, labels: &[usize]) -> Vec<f32> {
    let mut out = rows.to_vec();
    for label in 0..labels.iter().max().map_or(0, |most| most + 1) {
        let own = of_label(rows, d, labels, label);
        let centre = mean(&own, d);
        for (row, other) in out.chunks_mut(d).zip(labels) {
            if *other == label {
                row.iter_mut().zip(&centre).for_each(|(value, centre)| *value -= *centre as f32);
            }
        }
    }
    out
}

fn of_label(rows: &[f32], d: usize, labels: &[usize], label: usize) -> Vec<f32> {
    rows.chunks(d).zip(labels).filter(|(_, other)| **other == label).flat_map(|(row, _)| row).copied().collect()
}

/// Linear discriminant directions `[k, d]`: the eigenvectors of the scatter of relation means, in coordinates in which the scatter within
/// relations is white. Everything happens in the span of the rows; to each variance of the scatter within, 10 % of their mean are added.
fn discriminants(rows: &[f32], d: usize, labels: &[usize], components: usize) -> Result<Vec<f64>> {
    // The span: principal components of all rows.
    let all = eigen(&covariance(rows, d)?, d)?;
    let floor = 1e-7 * all.values.first().copied().unwrap_or(0.0);
    let r = all.values.iter().take(rows.len() / d).filter(|value| **value > floor).count();
    if r == 0 {
        return Ok(Vec::new());
    }
    let span = &all.vectors[..r * d];
    let scores = project(rows, span, d)?;
    let scatter = eigen(&covariance(&within(&scores, r, labels), r)?, r)?;
    let added = SHRINKAGE * scatter.values.iter().sum::<f64>() / r as f64;
    // Whitening: each eigenvector of the scatter by its standard deviation.
    let mut whitening = scatter.vectors;
    for (vector, value) in whitening.chunks_mut(r).zip(&scatter.values) {
        let deviation = (value.max(0.0) + added).sqrt().max(f64::MIN_POSITIVE);
        vector.iter_mut().for_each(|value| *value /= deviation);
    }
    let white = project(&scores, &whitening, r)?;
    let relations = labels.iter().max().map_or(0, |most| most + 1);
    let means: Vec<f32> = (0..relations)
        .flat_map(|label| mean(&of_label(&white, r, labels, label), r))
        .map(|value| value as f32)
        .collect();
    let between = eigen(&covariance(&means, r)?, r)?;
    let k = components.min(relations.saturating_sub(1)).min(r);
    // Back to the coordinates of the rows: direction = vector · whitening · span.
    let chain = |vector: &[f64]| {
        let mut inner = vec![0f64; r];
        for (weight, row) in vector.iter().zip(whitening.chunks(r)) {
            inner.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
        }
        let mut outer = vec![0f64; d];
        for (weight, row) in inner.iter().zip(span.chunks(d)) {
            outer.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
        }
        outer
    };
    Ok(between.vectors.chunks(r).take(k).flat_map(chain).collect())
}

/// Rows without their part along orthonormal `directions`.
fn without(rows: &[f32], directions: &[f64], d: usize) -> Result<Vec<f32>> {
    let scores = project(rows, directions, d)?;
    let k = directions.len() / d;
    let mut out = rows.to_vec();
    for (row, scores) in out.chunks_mut(d).zip(scores.chunks(k.max(1))) {
        for (score, direction) in scores.iter().zip(directions.chunks(d)) {
            row.iter_mut().zip(direction).for_each(|(value, part)| *value -= score * *part as f32);
        }
    }
    Ok(out)
}

/// Pairs to fit to and pairs to judge on: half of each relation, at least one on either side.
fn halves(labels: &[usize], seed: u64, split: u64) -> (Vec<usize>, Vec<usize>) {
    let (mut fit, mut judge) = (Vec::new(), Vec::new());
    let mut generator = random(seed, 300 + split);
    for label in 0..labels.iter().max().map_or(0, |most| most + 1) {
        let mut own: Vec<usize> = (0..labels.len()).filter(|at| labels[*at] == label).collect();
        own.shuffle(&mut generator);
        let (a, b) = own.split_at(own.len().div_ceil(2));
        fit.extend(a);
        judge.extend(b);
    }
    (fit, judge)
}

fn take(rows: &[f32], d: usize, which: &[usize]) -> Vec<f32> {
    which.iter().flat_map(|at| &rows[at * d..(at + 1) * d]).copied().collect()
}

/// Silhouettes of fitted and held-out pairs behind LDA, and the share of held-out pairs nearest to the mean of their own relation.
fn judged(rows: &[f32], d: usize, labels: &[usize], components: usize, seed: u64, split: u64) -> Result<[f64; 3]> {
    let (fit, judge) = halves(labels, seed, split);
    let of = |which: &[usize]| which.iter().map(|at| labels[*at]).collect::<Vec<usize>>();
    let (fit_labels, judge_labels) = (of(&fit), of(&judge));
    let fit_rows = take(rows, d, &fit);
    let directions = discriminants(&fit_rows, d, &fit_labels, components)?;
    let k = directions.len() / d;
    if k == 0 {
        return Ok([0.0; 3]);
    }
    let (fitted, held) = (project(&fit_rows, &directions, d)?, project(&take(rows, d, &judge), &directions, d)?);
    let relations = labels.iter().max().map_or(0, |most| most + 1);
    let mean_of = |label| mean(&of_label(&fitted, k, &fit_labels, label), k).into_iter().map(|v| v as f32).collect();
    let means: Vec<Vec<f32>> = (0..relations).map(mean_of).collect();
    let nearest = |row: &[f32]| {
        let far = means.iter().map(|mean| squared_distance(row, mean)).enumerate();
        far.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(label, _)| label)
    };
    let right = held.chunks(k).zip(&judge_labels).filter(|(row, label)| nearest(row) == Some(**label)).count();
    let accuracy = right as f64 / judge_labels.len().max(1) as f64;
    Ok([silhouette(&fitted, k, &fit_labels), silhouette(&held, k, &judge_labels), accuracy])
}

/// The rows in an orthonormal basis of their span, where that is narrower: distances and angles stay as they are.
fn in_their_span(rows: &[f32], d: usize) -> Result<(Vec<f32>, usize)> {
    let n = rows.len() / d;
    if d <= n {
        return Ok((rows.to_vec(), d));
    }
    let double: Vec<f64> = rows.iter().map(|value| f64::from(*value)).collect();
    let points: Vec<&[f64]> = double.chunks(d).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let gram: Vec<f64> = points.iter().flat_map(|a| points.iter().map(|b| dot(a, b))).collect();
    let found = eigen(&gram, n)?;
    let coordinate = |at: usize, j: usize| (found.vectors[j * n + at] * found.values[j].max(0.0).sqrt()) as f32;
    Ok(((0..n).flat_map(|at| (0..n).map(move |j| (at, j))).map(|(at, j)| coordinate(at, j)).collect(), n))
}

/// Looks for crystals among pairs. Every relation needs at least two pairs, and there must be two relations.
///
/// # Errors
/// If the tensor library fails, or the work is cancelled.
pub fn crystals(pairs: &Pairs, params: &CrystalParams, ctx: &RunContext) -> Result<Crystals> {
    let (rows, d) = in_their_span(&pairs.differences, pairs.d)?;
    let rows = &rows;
    let labels: Vec<usize> = pairs.members.iter().map(|(relation, ..)| *relation).collect();
    let splits = params.splits.max(1) as u64;
    ctx.stage("looking for crystals", splits + params.permutations as u64);
    let mut sums = [0f64; 4];
    let mut closures = vec![0f64; params.distractors + 1];
    for split in 0..splits {
        ctx.check()?;
        let (fit, judge) = halves(&labels, ctx.seed(), split);
        let judge_labels: Vec<usize> = judge.iter().map(|at| labels[*at]).collect();
        let fit_labels: Vec<usize> = fit.iter().map(|at| labels[*at]).collect();
        let held = take(rows, d, &judge);
        let [fitted, held_out, accuracy] = judged(rows, d, &labels, params.components, ctx.seed(), split)?;
        for (sum, value) in sums.iter_mut().zip([fitted, held_out, accuracy, silhouette(&held, d, &judge_labels)]) {
            *sum += value / splits as f64;
        }
        // Distractors: along what do pairs of one relation differ most, in the other half?
        let scatter = eigen(&covariance(&within(&take(rows, d, &fit), d, &fit_labels), d)?, d)?;
        for (count, sum) in closures.iter_mut().enumerate() {
            let cleaned = without(&held, &scatter.vectors[..count.min(d) * d], d)?;
            *sum += closure(&cleaned, d, &judge_labels) / splits as f64;
        }
        ctx.advance(1);
    }
    let (mut shuffled, mut accuracy_shuffled) = (Vec::new(), Vec::new());
    for number in 0..params.permutations {
        ctx.check()?;
        let mut mixed = labels.clone();
        mixed.shuffle(&mut random(ctx.seed(), 700 + number as u64));
        let [_, held_out, accuracy] = judged(rows, d, &mixed, params.components, ctx.seed(), number as u64)?;
        shuffled.push(held_out);
        accuracy_shuffled.push(accuracy);
        ctx.advance(1);
    }
    let directions = discriminants(rows, d, &labels, 2)?;
    let scores = project(rows, &directions, d)?;
    let k = directions.len() / d;
    let count = |label: usize| labels.iter().filter(|other| **other == label).count();
    Ok(Crystals {
        relations: pairs.relations.iter().enumerate().map(|(label, name)| (name.clone(), count(label))).collect(),
        raw: silhouette(rows, d, &labels),
        fitted: sums[0],
        held_out: sums[1],
        accuracy: sums[2],
        held_out_raw: sums[3],
        shuffled,
        accuracy_shuffled,
        closure: closures.into_iter().enumerate().collect(),
        map: scores.chunks(k.max(1)).map(|row| [row[0], row.get(1).copied().unwrap_or(0.0)]).collect(),
        labels,
        names: pairs.members.iter().map(|(_, a, b)| format!("{a} → {b}")).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::matrix::gaussian_rows;
    use super::*;

    /// 6 relations of 12 pairs in 40 dimensions. `shared`: the length of a relation's own vector. Two distractors, with a standard deviation
    /// of 4 each, hide it.
    fn planted(shared: f32) -> Pairs {
        let (relations, each, d) = (6, 12, 40);
        let own = super::super::matrix::unit_rows(&gaussian_rows(relations, d, 1, 0), d);
        let distractors = super::super::matrix::unit_rows(&gaussian_rows(2, d, 2, 0), d);
        let amounts = gaussian_rows(relations * each, 2, 3, 0);
        let mut differences = gaussian_rows(relations * each, d, 4, 0);
        for (at, row) in differences.chunks_mut(d).enumerate() {
            for (i, value) in row.iter_mut().enumerate() {
                *value = 0.15 * *value + shared * own[at / each * d + i];
                *value += 4.0 * (amounts[2 * at] * distractors[i] + amounts[2 * at + 1] * distractors[d + i]);
            }
        }
        Pairs {
            relations: (0..relations).map(|at| format!("relation {at}")).collect(),
            members: (0..relations * each).map(|at| (at / each, format!("a{at}"), format!("b{at}"))).collect(),
            differences,
            d,
        }
    }

    #[test]
    fn relations_appear_when_distractors_are_gone() {
        let found = crystals(&planted(2.0), &CrystalParams::default(), &RunContext::new(1)).unwrap();
        assert!(found.raw < 0.1 && found.held_out_raw < 0.15, "{} {}", found.raw, found.held_out_raw);
        assert!(found.held_out > 0.5 && found.accuracy > 0.95, "{} {}", found.held_out, found.accuracy);
        assert!(found.z().unwrap() > 10.0, "{:?}", found.z());
        // Parallelograms close once the two distractors are removed, and not before.
        let at = |count: usize| found.closure[count].1;
        assert!(at(0) > 0.8 && at(2) < 0.3, "{:?}", found.closure);
        assert!((at(3) - at(2)).abs() < 0.1);
        assert_eq!((found.map.len(), found.relations[0].1, found.names[0].as_str()), (72, 12, "a0 → b0"));
    }

    #[test]
    fn pairs_without_a_relation_look_good_only_to_those_who_fitted_them() {
        let found = crystals(&planted(0.0), &CrystalParams::default(), &RunContext::new(1)).unwrap();
        assert!(found.fitted > 0.1, "{}", found.fitted);
        assert!(found.held_out < 0.05 && found.z().unwrap().abs() < 3.0, "{} {:?}", found.held_out, found.z());
        assert!(found.accuracy < 0.35, "{}", found.accuracy);
        assert!(found.closure.iter().all(|(_, closure)| *closure > 0.9), "{:?}", found.closure);
    }

    #[test]
    fn distances_stay_in_the_span() {
        let rows = gaussian_rows(5, 30, 6, 0);
        let (narrow, n) = in_their_span(&rows, 30).unwrap();
        assert_eq!((n, narrow.len()), (5, 25));
        for (a, b) in [(0, 1), (2, 4), (3, 0)] {
            let wide = squared_distance(&rows[a * 30..][..30], &rows[b * 30..][..30]);
            assert!((squared_distance(&narrow[a * 5..][..5], &narrow[b * 5..][..5]) - wide).abs() < 1e-3);
        }
    }

    #[test]
    fn silhouettes_and_closures_by_hand() {
        // Two labels on a line: 0, 1 and 10, 12.
        let rows = [0.0, 1.0, 10.0, 12.0];
        let s = [(11.0 - 1.0) / 11.0, (10.0 - 1.0) / 10.0, (9.5 - 2.0) / 9.5, (11.5 - 2.0) / 11.5];
        assert!((silhouette(&rows, 1, &[0, 0, 1, 1]) - s.iter().sum::<f64>() / 4.0).abs() < 1e-6);
        assert!(silhouette(&rows, 1, &[0, 1, 0, 1]) < 0.0);
        assert_eq!(silhouette(&rows, 1, &[0, 1, 2, 3]), 0.0);
        // (1 + 4) / 2 by (100 + 144 + 81 + 121) / 4.
        assert!((closure(&rows, 1, &[0, 0, 1, 1]) - 2.5 / 111.5).abs() < 1e-9);
    }
}
