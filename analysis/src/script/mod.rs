//! Running probe scripts: traces, captures and analyses in order, then the expectations.
//!
//! Rendering the results into files is the caller's work: this crate writes captures only.

mod expect;
mod run;

pub use expect::Verdict;
pub use run::{Outcome, Plan, Step, plan, run};
