//! The logit lens: what the model would predict if the layers ahead did nothing.
//!
//! At every depth `l` and position: `softmax(W_U · norm_final(resid_l))`, with the soft cap where the model has one. Source:
//! nostalgebraist, "interpreting GPT: the logit lens" (2020).
//!
//! Pitfalls: middle layers need not write in the basis that the unembedding reads; what looks undecided may only be written
//! elsewhere (a tuned lens corrects for that). Compare `kl_to_final`, not only the top token. Interventions at the final norm or
//! the logits change the model's own prediction but not the lens.

mod params;
mod report;
mod run;

pub use params::Params;
pub use report::{LensCell, LogitLens, report};
pub use run::logit_lens;
