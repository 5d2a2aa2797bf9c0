//! Feature visualisation: images that a unit of a convolutional network responds to most strongly, found by gradient ascent.
//!
//! An image is written as parameters that are easy to climb in ([`Parametrisation`]), shown to the network through small random transformations
//! ([`Jitter`]), and changed so that its unit rises (Olah et al., *Feature Visualization*, Distill 2017; Nguyen et al., arXiv 1904.08939). What comes out is
//! beside two things that it must beat or differ from: the unit's values on real pictures, and the same procedure on a twin of the network whose
//! weights are shuffled. An optimisation that does not raise its unit says so.
//!
//! ```no_run
//! use golgi_analysis::visualise::{Settings, Target, visualise};
//! use golgi_data::{context::RunContext, models::Resolver};
//! use golgi_probes::{OpenOptions, vision};
//!
//! let ctx = RunContext::new(0);
//! let open = vision::open("efficientnet-lite0", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let target = Target::units(&["_conv_head:12".parse()?])?;
//! for image in visualise(&open, &target, &Settings::default(), &ctx)? {
//!     println!("{} {}", image.value, image.verdict);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
mod jitter;
mod optimise;
mod picture;
mod report;
mod target;
#[cfg(test)]
mod tests;

pub use compare::{Real, percentile, real_values};
pub use jitter::Jitter;
pub(crate) use optimise::to_picture;
pub use optimise::{Optimised, Settings, Verdict, visualise, visualise_watched};
pub use picture::Parametrisation;
pub use report::{Visualised, joined, report};
pub(crate) use target::Ready;
pub use target::{Aim, Target};
