//! Judging a dictionary: how well it reconstructs, how sparsely, what the model loses with it, whether few latents tell what a text is, each
//! beside baselines that know nothing of features.

mod absorption;
mod baselines;
mod logistic;
mod model;
mod perturbation;
mod pooled;
mod probing;
mod quality;
mod sites;
mod stability;
#[cfg(test)]
mod testing;

pub use absorption::{Absorption, LetterAbsorption, Words, absorption};
pub use baselines::{Coding, Pca, RandomDirections, TopCoordinates};
pub use logistic::LogisticProbe;
pub use model::{SpliceLoss, splice_losses};
pub use perturbation::{Perturbation, REMOVED, perturbations};
pub use pooled::{Pooled, mean_rows};
pub use probing::{ProbeScore, ProbeTask, SPARSITIES, sparse_probes};
pub use quality::{Quality, quality};
pub use sites::{explained_by_site, part_shares};
pub use stability::{SAME, Stability, stability};
