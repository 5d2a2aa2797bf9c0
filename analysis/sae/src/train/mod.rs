//! Training: steps of one dictionary, runs over a store, checkpoints.

mod begin;
mod checkpoint;
mod pass;
#[cfg(test)]
mod resume_tests;
mod run;
mod source;
#[cfg(test)]
mod tests;
mod trainer;

pub use pass::{Pass, pass};
pub use run::{DENSITY_BINS, HISTORY, Job, RUN, Record, RunFile, RunOptions, RunReport, run};
pub use source::{StoreRows, parts, usable_rows};
pub use trainer::{StepReport, Trainer};
