//! How well the model predicts each token of a prompt, and what it expects next.
//!
//! From the logits at position `i`: loss of token `i + 1` is `−ln softmax(logits_i)[token]` in nats; its rank counts the tokens
//! with a larger logit; entropy is `−Σ p ln p`.
//!
//! Pitfalls: the first token is predicted by nothing, so it has no loss, and in models that expect a BOS token which the text
//! lacks, the first losses say little. A model that sees both directions (BERT) already sees the token at `i`, so it gets
//! neither losses nor ranks; its `next` is what it would put at `i` itself.

mod params;
mod report;
mod run;

pub use params::Params;
pub use report::{TokenStat, TokenStats, report};
pub use run::token_stats;
pub(crate) use run::{following, losses, mean};
