//! The geometry of concepts in a dictionary: crystals, lobes and the galaxy (Li et al. 2024).
//!
//! [`cloud`](cloud()) measures the decoder directions as a point cloud; [`lobes`](lobes()) compares which latents are active together with
//! which point the same way; [`crystals`](crystals()) asks whether pairs in the same relation differ by the same vector. Each comes with its
//! nulls. [`geometry`] runs them for a dictionary of a model.
//!
//! ```
//! use golgi_analysis::geometry::{CloudParams, cloud};
//! use golgi_data::context::RunContext;
//!
//! // 200 points in 3 dimensions, one of them three times as wide as the others.
//! let points: Vec<f32> = (0..600).map(|i| (i as f32 * 1.7).sin() * if i % 3 == 0 { 3.0 } else { 1.0 }).collect();
//! let found = cloud(&points, 3, &CloudParams::default(), &RunContext::new(0))?;
//! assert!(found.eigenvalues[0] > 5.0 * found.eigenvalues[1]);
//! # Ok::<(), golgi_analysis::AnalysisError>(())
//! ```

mod agreement;
mod classify;
mod cloud;
mod crystals;
mod lobes;
mod matrix;
mod pairs;
mod report;
mod run;
mod spectral;

pub use agreement::adjusted_mutual_information;
pub use classify::balanced_accuracy;
pub use cloud::{Cloud, CloudParams, cloud, gaussian_entropy, neighbour_entropy, spectrum_slope};
pub use crystals::{CrystalParams, Crystals, Pairs, closure, crystals, silhouette};
pub use lobes::{Affinity, LobeLevel, LobeParams, Lobes, Presence, angular_affinities, lobes};
pub use pairs::{Member, PairError, PairList};
pub use run::{Geometry, GeometryParams, geometry, presence};
pub use spectral::{Embedding, embed};

use crate::Result;

/// The name of the analysis in messages and reports.
const NAME: &str = "geometry";

/// Rows on their first two principal components.
fn plane(rows: &[f32], d: usize) -> Result<Vec<[f32; 2]>> {
    let found = matrix::eigen(&matrix::covariance(rows, d)?, d)?;
    let k = d.min(2);
    let scores = matrix::project(rows, &found.vectors[..k * d], d)?;
    Ok(scores.chunks(k).map(|row| [row[0], row.get(1).copied().unwrap_or(0.0)]).collect())
}
