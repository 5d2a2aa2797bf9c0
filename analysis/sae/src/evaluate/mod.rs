//! Judging a dictionary: how well it reconstructs, how sparsely, what the model loses with it, each beside baselines that know
//! nothing of features.

mod baselines;
mod model;
mod quality;

pub use baselines::{Coding, Pca, RandomDirections, TopCoordinates};
pub use model::{SpliceLoss, splice_losses};
pub use quality::{Quality, quality};
