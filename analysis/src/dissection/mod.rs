//! Naming units by what they cover: network dissection (Bau et al., arXiv 1704.05796) and, beside it, the label-set form of MILAN (Hernandez et al., arXiv
//! 2201.11114).
//!
//! Where a unit is above its 99.5th percentile it says yes. Of all concepts that pictures are labelled with, pixel by pixel, the one whose pixels agree best
//! with that names the unit, if they agree at all. The null is the same with every label map shifted by half a picture.
//!
//! ```no_run
//! use golgi_analysis::dissection::{DissectionSettings, dissect};
//! use golgi_data::{context::RunContext, images::ImageSet, models::Resolver};
//! use golgi_probes::{OpenOptions, vision};
//!
//! let ctx = RunContext::new(0);
//! let open = vision::open("efficientnet-lite0", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let set = ImageSet::open("scenes/images.csv")?;
//! let found = dissect(&open, &"_blocks.5.add".parse()?, &set, &DissectionSettings::default(), &ctx)?;
//! println!("{} of {} units have a name", found.interpretable(), found.units.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod concepts;
mod overlap;
mod report;
mod run;
#[cfg(test)]
mod tests;

pub use concepts::Concept;
pub use report::report;
pub use run::{Dissection, DissectionSettings, Named, dissect};
