//! Indirect object identification: "When Mary and John went to the store, John gave a drink to" → " Mary".
//!
//! Over generated prompts, half of them `ABBA` (indirect object named first) and half `BABA`: the logit difference
//! `logit(IO) − logit(S)` at the last token, its mean and standard error, and the share of prompts in which it is positive.
//! Names, places and objects are drawn at random; only names that are a single token behind a space are used. Source: Wang et
//! al., arXiv 2211.00593 (GPT-2 small: mean difference 3.56, accuracy 99.3 %).
//!
//! Controls: the same frames with a third name as subject (`ABC`), where nothing says which of the two is meant, so that the
//! difference is near 0; and the mean that random exchanges of IO and S would give (a sign-flip null).
//!
//! Pitfalls: a mean hides frames that fail, so every prompt is listed. A model may prefer the name mentioned first or last; hence
//! both orders, reported apart.

mod params;
mod prompts;
mod report;
mod run;

pub use params::Params;
pub use prompts::{IoiPrompt, Order, prompts};
pub use report::{Ioi, Outcome, PromptOutcome, report};
pub use run::{run, run_with};
