//! What is measured of a toy model: norms, interference, dimensionality.

use serde::{Deserialize, Serialize};

use super::model::Toy;

/// A feature of this norm or more counts as represented.
pub const REPRESENTED: f32 = 0.5;

/// The measures of one feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// ‖W_i‖.
    pub norm: f32,
    /// Σ_{j≠i} (Ŵ_i·W_j)²: how much of the other features stands in its direction.
    pub interference: f32,
    /// D_i = ‖W_i‖² / Σ_j (Ŵ_i·W_j)², the sum with j = i: the share of a dimension that is its own. 0 for a feature without
    /// direction.
    pub dimensionality: f32,
    /// b_i.
    pub bias: f32,
}

/// The measures of every feature: `‖W_i‖`, `Σ_{j≠i} (Ŵ_i·W_j)²` and `D_i = ‖W_i‖² / Σ_j (Ŵ_i·W_j)²`.
pub fn features(toy: &Toy) -> Vec<Feature> {
    let (n, gram) = (toy.features, toy.gram());
    let measure = |i: usize| {
        let own = f64::from(gram[i * n + i]);
        // (Ŵ_i·W_j)² = (W_i·W_j)² / ‖W_i‖².
        let all: f64 = gram[i * n..(i + 1) * n].iter().map(|dot| f64::from(*dot).powi(2)).sum();
        let (others, share) = if own > 1e-12 { ((all / own - own).max(0.0), own * own / all) } else { (0.0, 0.0) };
        Feature {
            norm: own.sqrt() as f32,
            interference: others as f32,
            dimensionality: share as f32,
            bias: toy.bias()[i],
        }
    };
    (0..n).map(measure).collect()
}

/// D* = m / ‖W‖²_F, the dimensions for each represented feature; infinite where nothing is represented.
pub fn dimensions_per_feature(toy: &Toy) -> f64 {
    let squares: f64 = toy.parameters[..toy.features * toy.hidden].iter().map(|value| f64::from(*value).powi(2)).sum();
    toy.hidden as f64 / squares
}

/// How many features have a norm of at least [`REPRESENTED`].
pub fn represented(features: &[Feature]) -> usize {
    features.iter().filter(|feature| feature.norm >= REPRESENTED).count()
}

#[cfg(test)]
mod tests {
    use super::super::polytopes::tests::vertices;
    use super::*;

    #[test]
    fn polytopes_have_their_dimensionality() {
        for (name, k, r) in
            [("digon", 2, 1), ("triangle", 3, 2), ("tetrahedron", 4, 3), ("pentagon", 5, 2), ("square antiprism", 8, 3)]
        {
            let toy = Toy::of_columns(&vertices(name));
            let expected = r as f32 / k as f32;
            let found = features(&toy);
            assert_eq!(found.len(), k, "{name}");
            for feature in &found {
                assert!((feature.dimensionality - expected).abs() < 1e-4, "{name}: {feature:?}");
                assert!((feature.norm - 1.0).abs() < 1e-5);
                // D = 1 / (1 + interference) at norm 1.
                assert!((1.0 / (1.0 + feature.interference) - expected).abs() < 1e-4);
            }
            assert!((dimensions_per_feature(&toy) - f64::from(expected)).abs() < 1e-5);
        }
    }

    #[test]
    fn features_without_direction_have_no_dimension() {
        let toy = Toy::of_columns(&[vec![1.0, 0.0], vec![0.0, 0.0]]);
        let found = features(&toy);
        assert_eq!((found[0].dimensionality, found[0].interference), (1.0, 0.0));
        assert_eq!((found[1].dimensionality, found[1].interference, represented(&found)), (0.0, 0.0, 1));
    }
}
