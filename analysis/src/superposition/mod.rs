//! Toy models of superposition: how more features than dimensions are kept, and in which figures (Elhage et al. 2022).
//!
//! [`solve`](solve()) trains one task from several starts and looks at the best; [`phase`](phase()) maps the fate of an extra feature over
//! density and importance; [`sweep`](sweep()) follows the dimensionality of features while inputs become sparser. No model file is needed.
//!
//! ```
//! use golgi_analysis::superposition::{SolveParams, Training, solve};
//! use golgi_data::context::RunContext;
//!
//! let training = Training { steps: 1000, rate: 1e-2, ..Training::default() };
//! let params = SolveParams { features: 2, hidden: 1, density: 0.1, starts: 4, training, ..SolveParams::default() };
//! let solved = solve(&params, &RunContext::new(0))?;
//! // Two features in one dimension, one up and one down.
//! assert_eq!(solved.polytopes[0].name(), "digon");
//! assert!((solved.features[0].dimensionality - 0.5).abs() < 0.02);
//! # Ok::<(), golgi_analysis::AnalysisError>(())
//! ```

mod measures;
mod model;
mod phase;
mod polytopes;
mod report;
mod solve;
mod sweep;
mod task;
mod train;

pub use measures::{Feature, REPRESENTED, dimensions_per_feature, features, represented};
pub use model::{Scratch, Toy};
pub use phase::{Cell, Fate, Phase, PhaseParams, closed_forms, phase};
pub use polytopes::{NAMED, Polytope, census, polytopes};
pub use solve::{SolveParams, Solved, solve};
pub use sweep::{Stage, Sweep, SweepParams, sweep};
pub use task::{Inputs, Task};
pub use train::{Trained, Training};

use crate::AnalysisError;

/// The name of the analysis in messages and reports.
const NAME: &str = "superposition";

/// A parameter that cannot be.
fn refused(name: &'static str, found: impl ToString, expected: impl Into<String>) -> AnalysisError {
    AnalysisError::Param { analysis: NAME, name, found: found.to_string(), expected: expected.into() }
}

/// Refuses sizes that no toy model has.
fn check_sizes(features: usize, hidden: usize, starts: usize) -> crate::Result<()> {
    match (features, hidden, starts) {
        (1..=2000, _, _) if hidden == 0 || hidden > 500 => {
            Err(refused("hidden", hidden, "there may be 1 to 500 dimensions"))
        }
        (1..=2000, _, 1..=1000) => Ok(()),
        (1..=2000, _, _) => Err(refused("starts", starts, "there may be 1 to 1000 starts")),
        _ => Err(refused("features", features, "there may be 1 to 2000 features")),
    }
}

/// Refuses what is no probability above 0.
fn check_density(name: &'static str, density: f32) -> crate::Result<()> {
    match density.is_finite() && density > 0.0 && density <= 1.0 {
        true => Ok(()),
        false => Err(refused(name, density, "a density lies above 0 and at most at 1")),
    }
}
