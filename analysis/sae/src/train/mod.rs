//! Training: steps of one dictionary, runs over a store, checkpoints.

mod begin;
mod checkpoint;
mod live;
#[cfg(test)]
mod live_tests;
mod pass;
mod resample;
#[cfg(test)]
mod resume_tests;
mod run;
mod running;
mod scale;
mod source;
mod stored;
#[cfg(test)]
mod tests;
mod trainer;
#[cfg(test)]
mod wiring_tests;

pub use live::{Live, Producer};
pub use pass::{Pass, pass};
pub use run::{DENSITY_BINS, HISTORY, Job, RUN, Record, RunFile, RunOptions, RunReport, run};
pub use scale::Scale;
pub use source::{Batches, Origin, Source};
pub use stored::{StoreRows, parts, usable_rows};
pub use trainer::{StepReport, Trainer};
