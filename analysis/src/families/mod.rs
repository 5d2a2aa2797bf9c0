//! Families of neurons, after the studies of OPT (Voita et al., arXiv 2309.04827) and of GPT-2 and Pythia (Gurnee et al.,
//! arXiv 2401.12181).
//!
//! | family | what its members do | from |
//! |---|---|---|
//! | dead | never fire | atlas |
//! | token, bigram, trigram detector | fire at a few n-grams, and always there | atlas |
//! | suppressing detector | lower the logits of their own triggers | atlas, weights |
//! | positional | fire at certain positions | atlas |
//! | prediction, suppression, partition | raise or lower few logits, or part the vocabulary | weights |
//! | entropy | write where no logit reads, and act through the final norm | weights, clamping |
//! | attention | make a later head rest on the first token, or not | weights, path ablation |
//! | explained | follow token, letter, previous token, position, language or genre | one more pass |
//!
//! Each finder has a file with its formula, how its threshold is calibrated for the model at hand, and its null: things that cannot
//! belong to the family go through the same rule, and the report says how many of them pass. Thresholds that come from a null are
//! set on one half of it and counted on the other. A family with no more members than the null's 95 % interval allows is reported
//! as not significant; where an experiment follows, it decides.
//!
//! Gated MLPs have no exact zeros and activations of both signs; what counts as active is then said in the atlas's manifest, and
//! the families concerned are labelled "adapted".
//!
//! ```no_run
//! use golgi_analysis::families::{Params, find};
//! use golgi_data::{atlas::Atlas, context::RunContext, models::Resolver};
//! use golgi_probes::{OpenOptions, open};
//!
//! let ctx = RunContext::new(0);
//! let atlas = Atlas::open("smollm2-atlas".as_ref())?;
//! let smollm = open("smollm2", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let report = find(&atlas, Some(&smollm), &Params::default(), &ctx)?;
//! println!("{:?}", report.fact("positional"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attention;
mod dead;
mod detectors;
mod entropy;
mod explained;
mod find;
mod input;
mod outcome;
mod params;
mod pass;
#[cfg(test)]
pub(crate) mod planted;
mod positional;
mod statistics;
mod store;
mod suppressing;
mod tail;
mod vocabulary;
mod weights;

pub use find::find;
pub use outcome::{Experiment, Finding, Null, Outcome};
pub use params::Params;
