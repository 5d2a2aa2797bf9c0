//! Harvest: runs a model over a corpus and stores what it computes at some sites.
//!
//! Contexts of one length go through the model together, so nothing is padded, and the pass ends behind the last wanted site.
//! A second thread writes while the model computes. What goes where is fixed by the [`StorePlan`] before the first pass; a
//! run that is interrupted at any instant goes on where it was and ends with the same bytes.
//!
//! ```no_run
//! use golgi_analysis::harvest::{HarvestParams, harvest};
//! use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus};
//! use golgi_data::{context::RunContext, models::Resolver, site::SitePattern};
//! use golgi_probes::{OpenOptions, open};
//!
//! let ctx = RunContext::new(0);
//! let smollm = open("smollm2", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let corpus = PackedCorpus::open_or_build(&Corpus::open("starter", &CorpusOptions::default())?, smollm.tokenizer()?, &ctx)?;
//! let params = HarvestParams::new(vec![SitePattern::new("blocks.15.hook_resid_post")?], 100_000);
//! let report = harvest(&smollm, &corpus, &params, "layer15".as_ref(), false, &ctx)?;
//! println!("{} rows in {:.0} s", report.rows, report.seconds);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod gather;
mod params;
mod run;
#[cfg(test)]
mod tests;

pub use error::HarvestError;
pub use params::{HarvestParams, expected_bos, plan};
pub use run::{Harvest, HarvestEstimate, HarvestReport, harvest};

#[doc(no_inline)]
pub use golgi_data::store::StorePlan;
