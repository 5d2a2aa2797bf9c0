//! Repeated random tokens: induction, previous-token and duplicate-token heads, and what the repeat owes to them.
//!
//! Each sequence is (BOS and) `n` different random tokens, then the same `n` again. Nothing but copying from the first half can
//! predict the second. Scores of each head as in [`prompt::attention`](crate::prompt::attention), averaged over sequences; loss
//! in nats over the first half and over the repeat (its first token apart, which nothing announces). Source: Olsson et al.,
//! arXiv 2209.11895.
//!
//! Ablation: loss with chosen heads' `z` set to 0, beside the loss with as many random heads of the same layers. Heads that are
//! not named are chosen by induction score, on other sequences than those that the loss is measured on.
//!
//! Controls: the length `n` is drawn anew for each sequence, since at a fixed one a head that looks back by a fixed distance
//! passes for an induction head; the *baseline* of a head is the mass it gives to an average position that is neither the match,
//! nor the first, nor the query's own.
//!
//! Pitfalls: models that expect BOS behave oddly without it, see [`Bos`]. Zeroing heads moves the model off its usual
//! activations; some of the harm is that.

mod params;
mod report;
mod run;
mod sequences;

pub use params::{Bos, Params};
pub use report::{Ablation, RandomDraw, Repeats, report};
pub use run::{run, run_with};
