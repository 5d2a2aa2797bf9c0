//! The science of Golgi: one folder per method, each with its parameters, its run and its report.
//!
//! A method computes a typed result (plain data, no tensors), which a panel draws and a script checks; the same result turns
//! into a [`report::Report`], which the command line prints and exports. [`registry::ANALYSES`] lists every method: a line
//! there gives it a subcommand, a script entry and a generic view.

pub mod circuits;
pub mod error;
pub mod prompt;
pub mod registry;
pub mod report;
pub mod units;

pub use error::{AnalysisError, Result};
pub use report::{Provenance, Report};
