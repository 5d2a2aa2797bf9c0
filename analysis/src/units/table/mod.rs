//! Every neuron of the model at one position: how active it is, and what it adds to a logit.
//!
//! `attribution = activation × (w_out · u)`, where `w_out` is the neuron's column of the down projection and `u` the target's
//! row of the unembedding behind the frozen final norm (see [`prompt::attribution`](crate::prompt::attribution)). Norms are
//! Euclidean lengths of the read vector (a row of the gate, in a gated MLP) and of `w_out`.
//!
//! Pitfalls: only direct effects count. A neuron with a long write vector and a small activation may matter as much as the
//! reverse, so sort by attribution, not by activation. In gated MLPs an activation's sign is free.

mod norms;
mod params;
mod report;
mod run;

pub(crate) use norms::NeuronNorms;
pub use params::Params;
pub use report::{NeuronTable, report};
pub use run::neuron_table;
