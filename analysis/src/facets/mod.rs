//! Multifaceted feature visualisation (Nguyen, Yosinski and Clune, arXiv 1602.03616): the several kinds of picture that drive one unit, each with an
//! image of its own.
//!
//! The pictures that excite a unit most are described by codes, a later layer's values; principal components, t-SNE and k-means find kinds among them; from
//! the mean of each kind's most typical pictures the unit is raised. Whether there are kinds at all is asked too: the same is done over several seeds and
//! numbers of kinds, and with codes whose columns are shuffled.
//!
//! ```no_run
//! use golgi_analysis::facets::{FacetSettings, facets};
//! use golgi_data::{context::RunContext, images::ImageSet, models::Resolver};
//! use golgi_probes::{OpenOptions, vision};
//!
//! let ctx = RunContext::new(0);
//! let open = vision::open("efficientnet-lite0", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let set = ImageSet::open("starter")?;
//! for found in facets(&open, &["_conv_head:12".parse()?], &set, &FacetSettings::default(), &ctx)? {
//!     println!("{} {:?}", found.unit, found.facets.iter().map(|facet| facet.percentile).collect::<Vec<_>>());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ascend;
mod cluster;
mod gather;
mod report;
mod run;
mod schedule;
#[cfg(test)]
mod tests;
mod tv;

pub use cluster::{adjusted_rand, purity};
pub use report::append;
pub use run::{Facet, FacetSettings, Facets, Stability, facets};
pub use schedule::Schedule;
