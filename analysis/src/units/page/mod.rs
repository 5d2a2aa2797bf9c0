//! A unit's page: what it reads and writes in terms of tokens, and what it does on a text.
//!
//! - **Neuron** (`mlp.hook_post`). Reads: `E · C(w ⊙ g)`, with `w` its row of the gate or the linear branch, `g` the gain of the norm
//!   before the MLP, `C` taking the mean out (layer norm only) and `E` the raw embedding rows, as stored. Writes: `W_U · (g_f ⊙
//!   C(w_out))` minus its mean over the vocabulary, with `g_f` the gain of the final norm; scales are left out, they depend on
//!   the text.
//! - **Head** (`attn.hook_z`, `attn.hook_result`). Through its OV map `M = E W_V W_O W_U`, `[d_vocab, d_vocab]`, with gains folded in:
//!   the tokens it promotes when it attends to them (`M`'s diagonal, against the mean logit), and the copying score
//!   `Σ Re λ / Σ |λ|` over the eigenvalues of `M`, which are those of the small `d_head × d_head` product `W_V E W_U W_O`
//!   (Elhage et al., 2021). The mean embedding and the mean unembedding are taken out first: where the two agree, as with
//!   tied weights, they alone make the score large (in SmolLM2 most heads then score above 0.9 even with every token's
//!   unembedding exchanged for another's). The score with them, as published, stands beside it; the exchange is the null.
//! - **Residual dimension**. Its columns of embedding and unembedding.
//! - Any **other** unit: its activations.
//!
//! Over the text: activations, and the direct attribution ([`prompt::attribution`](crate::prompt::attribution)) to the model's own
//! first choice at every position.
//!
//! Pitfalls: deep neurons do not read raw embeddings, so their read lists say little. Rotary positions and what earlier layers
//! wrote are not in `M`.

mod head;
mod neuron;
mod params;
mod report;
mod run;
pub(crate) mod vocabulary;

pub use params::Params;
pub use report::{Measure, ScoredToken, TokenEnds, UnitKind, UnitPage, report};
pub use run::unit_page;
