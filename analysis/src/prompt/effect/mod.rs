//! What interventions change: the next-token distribution with and without them.
//!
//! `KL(before ‖ after) = Σ p_before (ln p_before − ln p_after)` in nats, at every position; both distributions' most probable tokens
//! side by side; mean loss before and after.
//!
//! Pitfalls: a large divergence says that something broke, not what; compare with an intervention of equal size at random
//! units. Without any enabled intervention every number is exactly 0, which is the control.

mod params;
mod report;
mod run;

pub use params::Params;
pub use report::{Effect, EffectRow, report};
pub use run::effect;
