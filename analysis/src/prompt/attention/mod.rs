//! Attention patterns, and what each head does on this prompt.
//!
//! With `A[q, k]` the weight that query position `q` gives to key position `k`:
//! - previous token: mean over `q ≥ 1` of `A[q, q−1]`;
//! - duplicate token: mean over queries whose token occurred before of the mass on those occurrences;
//! - induction: mean over queries whose token occurred before, with something between, of the mass on the positions just behind
//!   those occurrences (and before the query);
//! - first and current position, and the entropy of a query's weights.
//!
//! Mass is summed over *all* earlier matches. Source: Olsson et al., arXiv 2209.11895.
//!
//! Pitfalls: many heads rest on the first position, which dilutes every other score. A text with few repetitions gives
//! duplicate and induction scores few queries to rest on; [`circuits::repeats`](crate::circuits::repeats) measures them on random
//! tokens, with a baseline. A head that attends to the right place need not write anything useful from there.

mod params;
mod report;
mod run;

pub use params::Params;
pub(crate) use report::score_table;
pub use report::{AttentionMaps, HeadScore, report};
pub use run::attention_maps;
pub(crate) use run::{head_scores, layer_patterns, matches};
