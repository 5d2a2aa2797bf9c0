//! Many equally important features while inputs become sparser: dimensions per feature, and where the dimensionalities of features gather.

use golgi_data::context::RunContext;
use serde::{Deserialize, Serialize};

use super::measures::{REPRESENTED, dimensions_per_feature, features, represented};
use super::phase::logarithmic;
use super::polytopes::{Polytope, polytopes};
use super::task::Task;
use super::train::Training;
use super::{check_density, check_sizes, refused};
use crate::Result;

/// What is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepParams {
    /// n; the published figure has 400.
    pub features: usize,
    /// m; the published figure has 30.
    pub hidden: usize,
    /// How many densities, from 1 down.
    pub densities: usize,
    /// The lowest density.
    pub lowest: f32,
    /// Starts of each; the one of lowest loss is kept.
    pub starts: usize,
    /// How they are trained.
    pub training: Training,
}

impl Default for SweepParams {
    fn default() -> SweepParams {
        let training = Training { steps: 5000, rate: 2e-3, batch: 512, ..Training::default() };
        SweepParams { features: 60, hidden: 10, densities: 16, lowest: 0.1, starts: 1, training }
    }
}

/// One density.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// 1 − S.
    pub density: f32,
    /// The loss.
    pub loss: f64,
    /// D* = m / ‖W‖²_F: it stays at 1, and later at 1/2, over wide ranges of density.
    pub dimensions_per_feature: f64,
    /// D_i of each feature.
    pub dimensionality: Vec<f32>,
    /// ‖W_i‖ of each feature.
    pub norms: Vec<f32>,
    /// How many features are represented.
    pub represented: usize,
    /// What they form.
    pub polytopes: Vec<Polytope>,
}

impl Stage {
    /// The median D_i of the represented features; 0 where there is none.
    pub fn median(&self) -> f32 {
        let kept = self.dimensionality.iter().zip(&self.norms).filter(|(_, norm)| **norm >= REPRESENTED);
        let mut shares: Vec<f32> = kept.map(|(share, _)| *share).collect();
        shares.sort_by(f32::total_cmp);
        shares.get(shares.len() / 2).copied().unwrap_or(0.0)
    }

    /// Σ D_i: the dimensions in use.
    pub fn total(&self) -> f32 {
        self.dimensionality.iter().sum()
    }
}

/// All densities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// n.
    pub features: usize,
    /// m.
    pub hidden: usize,
    /// From dense to sparse.
    pub stages: Vec<Stage>,
}

/// Trains uniform tasks of falling density.
///
/// # Errors
/// If parameters are impossible, or the work is cancelled.
pub fn sweep(params: &SweepParams, ctx: &RunContext) -> Result<Sweep> {
    params.training.check()?;
    check_sizes(params.features, params.hidden, params.starts)?;
    check_density("lowest", params.lowest)?;
    if !(1..=100).contains(&params.densities) {
        return Err(refused("densities", params.densities, "there may be 1 to 100 densities"));
    }
    let densities = logarithmic(1.0, params.lowest.into(), params.densities);
    let tasks: Vec<Task> =
        densities.iter().map(|density| Task::uniform(params.features, params.hidden, *density)).collect();
    let trained = params.training.run(&tasks, params.starts, ctx)?;
    let mut stages = Vec::with_capacity(densities.len());
    for (density, best) in densities.iter().zip(trained.into_iter().filter_map(|fits| fits.into_iter().next())) {
        let measured = features(&best.toy);
        stages.push(Stage {
            density: *density,
            loss: best.loss,
            dimensions_per_feature: dimensions_per_feature(&best.toy),
            dimensionality: measured.iter().map(|feature| feature.dimensionality).collect(),
            norms: measured.iter().map(|feature| feature.norm).collect(),
            represented: represented(&measured),
            polytopes: polytopes(&best.toy, &measured)?,
        });
    }
    Ok(Sweep { features: params.features, hidden: params.hidden, stages })
}

#[cfg(test)]
mod tests {
    use super::super::polytopes::census;
    use super::*;

    /// D* stays at 1 while inputs are dense and at 1/2 over the middle, where features are antipodal pairs; then it falls.
    #[test]
    fn dimensions_per_feature_fall_in_steps() {
        let training = Training { steps: 2000, rate: 3e-3, batch: 256, ..Training::default() };
        let params =
            SweepParams { features: 40, hidden: 8, densities: 4, lowest: 0.027, training, ..SweepParams::default() };
        let found = sweep(&params, &RunContext::new(4)).unwrap();
        let [dense, pairs, sparse, sparser] = &found.stages[..] else { panic!("{found:?}") };
        assert_eq!((dense.density, (pairs.density * 10.0).round()), (1.0, 3.0));
        assert!((dense.dimensions_per_feature - 1.0).abs() < 0.05, "{}", dense.dimensions_per_feature);
        assert!((pairs.dimensions_per_feature - 0.5).abs() < 0.03, "{}", pairs.dimensions_per_feature);
        assert!((pairs.median() - 0.5).abs() < 0.01, "{}", pairs.median());
        assert_eq!(census(&pairs.polytopes)[0], ("digon".to_owned(), 8), "{:?}", census(&pairs.polytopes));
        assert!(sparse.dimensions_per_feature < 0.4 && sparser.dimensions_per_feature < sparse.dimensions_per_feature);
        assert!(sparse.represented > 16 && pairs.represented == 16);
        // The dimensions are all in use, at every density.
        for stage in &found.stages {
            assert!((stage.total() - 8.0).abs() < 0.2, "{}: {}", stage.density, stage.total());
        }
    }
}
