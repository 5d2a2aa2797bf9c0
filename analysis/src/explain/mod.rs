//! Automated interpretation: explanations of the units of an atlas, and how well they stand up to tests.
//!
//! Three sorts of explainers stand behind one trait, [`Explainer`]: the built-in statistical [`Describer`], which needs no network
//! and gives a [`Rule`] besides its sentence; and a language model, [`Told`], which runs here ([`Local`]) or at an endpoint that the
//! user names ([`Remote`]). A judge predicts from the explanation alone what the unit does: the rule itself ([`ByRule`]), or a language
//! model that reads the sentence ([`Reader`]).
//!
//! | score | question | by chance |
//! |---|---|---|
//! | detection | in which passages does the unit fire? | balanced accuracy 0.5 |
//! | fuzzing | at which tokens? | balanced accuracy 0.5 |
//! | simulation | how strongly? | correlation 0 |
//! | embedding | are these passages near the explanation? | area under the curve 0.5 |
//! | observational | is the predicted set of texts the true one? | F1 beside that of other explanations |
//! | intervention | does swapping the unit's activation swap what the model says? | rate of a random unit |
//!
//! Explainers see one half of the contexts, scores the other. Negatives are drawn at random, and beside them stand hard ones, which
//! come near: the same token without firing, a neighbour's firing, the same words. Every score has its null, which is the same
//! examination with explanations of other units.
//!
//! ```
//! use golgi_analysis::explain::{ByRule, Describer, Options, Parties, explain};
//! use golgi_data::atlas::{Atlas, testing::Fixture};
//! use golgi_data::context::RunContext;
//!
//! let folder = tempfile::tempdir()?;
//! Fixture::default().write(folder.path())?;
//! let atlas = Atlas::open(folder.path())?;
//! let (mut describer, mut rule) = (Describer, ByRule);
//! let mut parties = Parties { explainer: &mut describer, judge: &mut rule, embedder: None, model: None };
//! let outcome = explain(&atlas, &[0, 46], &Options::default(), &mut parties, false, &RunContext::new(0))?;
//! assert!(outcome.records[1].text.starts_with("Fires on “"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candidates;
mod chat;
mod cost;
mod describe;
mod embed;
mod exam;
mod explanation;
mod gather;
mod judge;
mod passage;
mod prompts;
mod rule;
mod run;
mod scores;
mod search;
mod statistics;
#[cfg(test)]
mod tests;
mod wording;

pub use chat::{Chat, Local, Remote, Usage};
pub use cost::{Estimate, Party, estimate};
pub use describe::{Describer, rule};
pub use embed::Embedder;
pub use exam::Exam;
pub use explanation::{Account, Explainer, Subject, Told};
pub use judge::{ByRule, Judge, Reader};
pub use passage::{Evidence, Passage};
pub use prompts::Prompt;
pub use rule::{Atom, Clause, Rule};
pub use run::{Options, Outcome, Parties, explain};
pub use scores::{Measures, Score};
pub use search::{Hit, search};
