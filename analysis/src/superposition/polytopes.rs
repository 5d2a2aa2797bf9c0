//! Which features share dimensions, and what figure they form there.
//!
//! In a good solution sets of features fill spaces that are orthogonal to each other (tegum products); within its space a set is a
//! polytope. Sets are the connected components of the graph of features whose directions are not orthogonal.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::measures::{Feature, REPRESENTED};
use super::model::Toy;
use crate::Result;

/// Directions with an absolute cosine above this are not orthogonal.
const CONNECTED: f32 = 0.12;
/// Eigenvalues of a set's Gram matrix below this share of the largest are no dimension of it.
const FLAT: f64 = 0.03;

/// The polytopes of the published figure: name, vertices, dimensions.
pub const NAMED: [(&str, usize, usize); 6] = [
    ("dedicated", 1, 1),
    ("tetrahedron", 4, 3),
    ("triangle", 3, 2),
    ("digon", 2, 1),
    ("pentagon", 5, 2),
    ("square antiprism", 8, 3),
];

/// Features that share dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Polytope {
    /// The features, ascending.
    pub features: Vec<usize>,
    /// How many dimensions they span.
    pub dimensions: usize,
    /// Mean of their D_i.
    pub dimensionality: f32,
    /// Standard deviation of their D_i: 0 for a uniform polytope.
    pub spread: f32,
}

impl Polytope {
    /// Its name: that of the published figure, or `k in r`.
    pub fn name(&self) -> String {
        let (k, r) = (self.features.len(), self.dimensions);
        match NAMED.iter().find(|(_, vertices, dimensions)| (*vertices, *dimensions) == (k, r)) {
            Some((name, ..)) => (*name).to_owned(),
            None => format!("{k} in {r}"),
        }
    }
}

/// The sets of represented features (‖W_i‖ ≥ 0.5) whose directions are connected by `|Ŵ_i·Ŵ_j| > 0.12`, largest D first. The
/// dimensions of a set are the eigenvalues of the Gram matrix of its directions above 3 % of the largest.
///
/// # Errors
/// If the tensor library fails.
pub fn polytopes(toy: &Toy, measured: &[Feature]) -> Result<Vec<Polytope>> {
    let (n, gram) = (toy.features, toy.gram());
    let cosine = |a: usize, b: usize| gram[a * n + b] / (measured[a].norm * measured[b].norm);
    let mut free: Vec<usize> = (0..n).filter(|feature| measured[*feature].norm >= REPRESENTED).collect();
    let mut found = Vec::new();
    while let Some(first) = free.pop() {
        let mut set = vec![first];
        let mut at = 0;
        while at < set.len() {
            let from = set[at];
            let (near, far) = free.iter().partition(|other| cosine(from, **other).abs() > CONNECTED);
            free = far;
            set.extend::<Vec<usize>>(near);
            at += 1;
        }
        set.sort_unstable();
        let mut cosines: Vec<f64> = Vec::with_capacity(set.len() * set.len());
        for a in &set {
            cosines.extend(set.iter().map(|b| f64::from(cosine(*a, *b))));
        }
        let size = set.len() as i64;
        let (values, _) = Tensor::f_from_slice(&cosines)?.f_view([size, size])?.f_linalg_eigh("L")?;
        let values = Vec::<f64>::try_from(values)?;
        let highest = values.last().copied().unwrap_or(0.0);
        let dimensions = values.iter().filter(|value| **value > FLAT * highest).count();
        let shares: Vec<f32> = set.iter().map(|feature| measured[*feature].dimensionality).collect();
        let mean = shares.iter().sum::<f32>() / shares.len() as f32;
        let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f32>() / shares.len() as f32;
        found.push(Polytope { features: set, dimensions, dimensionality: mean, spread: variance.sqrt() });
    }
    found.sort_by(|a, b| b.dimensionality.total_cmp(&a.dimensionality).then(a.features.cmp(&b.features)));
    Ok(found)
}

/// Names with their numbers, most frequent first.
pub fn census(polytopes: &[Polytope]) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for polytope in polytopes {
        let name = polytope.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::measures::features;
    use super::*;

    /// Unit vectors to the vertices of a named polytope.
    pub fn vertices(name: &str) -> Vec<Vec<f32>> {
        let ring = |k: usize, phase: f32| -> Vec<(f32, f32)> {
            let angle = |i: usize| (i as f32 + phase) * std::f32::consts::TAU / k as f32;
            (0..k).map(|i| (angle(i).cos(), angle(i).sin())).collect()
        };
        match name {
            "digon" => vec![vec![1.0], vec![-1.0]],
            "triangle" => ring(3, 0.0).into_iter().map(|(x, y)| vec![x, y]).collect(),
            "pentagon" => ring(5, 0.0).into_iter().map(|(x, y)| vec![x, y]).collect(),
            "tetrahedron" => [[1.0f32, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
                .iter()
                .map(|row| row.iter().map(|value| value / 3f32.sqrt()).collect())
                .collect(),
            // Two squares, one turned by 45°, at heights ±√(1/3): then Σ v vᵀ = (8/3)·1.
            "square antiprism" => {
                let (height, radius) = ((1.0f32 / 3.0).sqrt(), (2.0f32 / 3.0).sqrt());
                let square = |phase: f32, height: f32| -> Vec<Vec<f32>> {
                    ring(4, phase).into_iter().map(|(x, y)| vec![radius * x, radius * y, height]).collect()
                };
                [square(0.0, height), square(0.5, -height)].concat()
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn planted_polytopes_are_found_in_orthogonal_spaces() {
        let planted = ["digon", "triangle", "tetrahedron", "pentagon", "square antiprism", "digon"];
        let dimensions: usize = planted.iter().map(|name| vertices(name)[0].len()).sum();
        let mut columns: Vec<Vec<f32>> = Vec::new();
        let mut offset = 0;
        for name in planted {
            for vertex in vertices(name) {
                let mut column = vec![0.0; dimensions + 1];
                column[offset..offset + vertex.len()].copy_from_slice(&vertex);
                columns.push(column);
            }
            offset += vertices(name)[0].len();
        }
        // One with a dimension of its own, one that is not represented.
        let mut own = vec![0.0; dimensions + 1];
        own[dimensions] = 1.0;
        columns.push(own);
        columns.push(vec![0.01; dimensions + 1]);
        let toy = Toy::of_columns(&columns);
        let measured = features(&toy);
        let found = polytopes(&toy, &measured).unwrap();
        let names: Vec<String> = found.iter().map(Polytope::name).collect();
        assert_eq!(
            names,
            ["dedicated", "tetrahedron", "triangle", "digon", "digon", "pentagon", "square antiprism"],
            "{found:?}"
        );
        for (polytope, expected) in found.iter().zip([1.0, 0.75, 2.0 / 3.0, 0.5, 0.5, 0.4, 0.375]) {
            assert!((polytope.dimensionality - expected).abs() < 1e-3 && polytope.spread < 1e-3, "{polytope:?}");
        }
        assert_eq!(census(&found)[0], ("digon".to_owned(), 2));
        // Six vertices in three dimensions have no name of their own.
        let octahedron: Vec<Vec<f32>> = (0..6)
            .map(|i| (0..3).map(|d| if d == (i + 1) % 3 { 1.0 } else { 0.3 * (i / 3) as f32 }).collect())
            .collect();
        let toy = Toy::of_columns(&octahedron);
        assert_eq!(polytopes(&toy, &features(&toy)).unwrap()[0].name(), "6 in 3");
    }
}
