//! Direct logit attribution: one logit as a sum over everything that writes into the residual stream.
//!
//! The last residual stream is `embed + pos_embed + Σ heads + Σ biases + Σ MLPs`. With the scale σ of the final norm frozen at
//! its value in this run, `logit(t) = (W_U[t] ⊙ gain) · C(x) / σ + constant`, where `C` takes the mean out (layer norm only),
//! so each part has its own share. With a foil the reader is `W_U[t] − W_U[foil]`. A neuron's share is `activation ×
//! (write vector · reader)`. In Gemma the norms behind attention and MLP are frozen likewise. Soft caps come after the sum:
//! what is explained is the logit before the cap. Source: Elhage et al., "A Mathematical Framework for Transformer Circuits" (2021);
//! Wang et al., arXiv 2211.00593.
//!
//! Pitfalls: only *direct* effects are counted, a head that feeds a later head gets nothing for it. A frozen scale hides that a
//! part may act by growing the stream. A logit alone, without a foil, contains what shifts all logits alike.
//!
//! Control: the parts must add up to the model's own logit; the report states the error.

mod params;
mod report;
mod run;

pub use params::Params;
pub use report::{Attribution, report};
pub use run::attribution;
pub(crate) use run::neurons;
