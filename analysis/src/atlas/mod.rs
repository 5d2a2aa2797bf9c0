//! Building an atlas: everything that can be known of every unit of a model from one pass over a corpus and from its weights.
//!
//! Activations are never stored. While the model runs, each batch is worked into running statistics of every MLP neuron
//! (`mlp.hook_post`), attention head (the length of its `hook_z`) and dimension of the residual stream (`hook_resid_post`), and of every
//! latent of the sparse dictionaries that a [`Subject`] brings along, whose memory depends on the model and the options, not on the corpus. The state is written to a checkpoint now and then; a build
//! that was stopped goes on from there and ends with the same tables, byte for byte.
//!
//! ```no_run
//! use golgi_analysis::atlas::{BuildOptions, build, estimate};
//! use golgi_data::context::{RunContext, bytes_text};
//! use golgi_data::corpus::{PackedCorpus, PackedDocument, Split};
//! use golgi_data::models::Resolver;
//! use golgi_probes::{OpenOptions, open};
//!
//! let ctx = RunContext::new(0);
//! let smollm = open("smollm2", &Resolver::default(), &OpenOptions::default(), &ctx)?;
//! let document = PackedDocument { id: "a".into(), start: 0, len: 0, language: 0, genre: 0, split: Split::Explore };
//! let text = smollm.tokenizer()?.encode_raw("A longer text.")?;
//! let corpus = PackedCorpus::in_memory("mine", vec![(document, text)], vec!["en".into()], vec!["prose".into()]);
//! let options = BuildOptions { tokens: 100_000, ..BuildOptions::default() };
//! let before = estimate(&smollm, &corpus, &options, &ctx)?;
//! println!("{} of memory, {:.0} s", bytes_text(before.memory_bytes), before.seconds);
//! let manifest = build(&smollm, &corpus, &options, std::path::Path::new("atlas"), &ctx)?;
//! println!("{} tokens", manifest.tokens);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The inner loops run over the lanes of several rows at once; an index says that best, and vectorises.
#![allow(clippy::needless_range_loop)]

mod aftermath;
mod batch;
mod block;
mod channel;
mod checkpoint;
mod collector;
mod error;
mod estimate;
mod examples;
mod folder;
mod lanes;
mod moments;
mod neighbours;
mod options;
mod pace;
mod plan;
mod profiles;
mod ranking;
mod recipe;
mod run;
mod sample;
mod sketch;
mod subject;
mod tables;
#[cfg(test)]
mod tests;
mod triggers;
mod units;
mod vocabulary;
mod weights;

pub use error::BuildError;
pub use estimate::{BuildEstimate, estimate};
pub use folder::{check, check_writable};
pub use options::BuildOptions;
pub use run::build;
pub use subject::Subject;
pub(crate) use units::columns;
