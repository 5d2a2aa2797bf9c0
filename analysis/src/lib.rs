//! The science of Golgi: one folder per method, each with its parameters, its run and its report.
//!
//! A method computes a typed result (plain data, no tensors), which a panel draws and a script checks; the same result turns
//! into a [`report::Report`], which the command line prints and exports. [`registry::ANALYSES`] lists every method: a line
//! there gives it a subcommand, a script entry and a generic view.
//!
//! ```no_run
//! use golgi_analysis::prompt::{Needs, PromptInput, PromptRun, logit_lens::logit_lens};
//! use golgi_data::{context::RunContext, models::Resolver};
//! use golgi_probes::{OpenOptions, intervention::Traces, open};
//!
//! let ctx = RunContext::new(0);
//! let smollm = open("smollm2", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let input = PromptInput { tokens: smollm.encode("The capital of France is")?, ..PromptInput::default() };
//! let run = PromptRun::new(&smollm, &input, &Traces::new(), Needs::all(), None, &ctx)?;
//! let lens = logit_lens(&smollm, &run, 5, &ctx)?;
//! println!("{:?}", lens.cell(20, input.tokens.len() - 1));
//! # Ok::<(), golgi_analysis::AnalysisError>(())
//! ```

pub mod atlas;
pub mod attribution;
pub mod channels;
pub mod circuits;
mod direct;
pub mod dissection;
mod distribution;
pub mod error;
pub mod explain;
pub mod facets;
pub mod families;
mod gaussian;
pub mod geometry;
pub mod harvest;
pub mod prompt;
mod provenance;
pub mod registry;
pub mod report;
pub mod sae;
pub mod script;
pub mod superposition;
#[cfg(test)]
mod testing;
pub mod units;
pub mod visualise;

pub use error::{AnalysisError, Result, VisionError};
pub use provenance::provenance;
pub use report::{Provenance, Report};
