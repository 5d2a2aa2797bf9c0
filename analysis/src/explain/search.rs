//! Units by the meaning of their explanations.

use golgi_data::atlas::Explanation;
use serde::Serialize;

use super::embed::{Embedder, cosine};
use crate::error::Result;

/// An explanation that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// The cosine of its text and what was asked for.
    pub similarity: f32,
    /// The explanation.
    pub explanation: Explanation,
}

/// The `limit` explanations whose texts are nearest to `query`, the nearest first; equals in the order of the file.
///
/// # Errors
/// If the embedder fails.
pub fn search(explanations: Vec<Explanation>, query: &str, limit: usize, embedder: &mut Embedder) -> Result<Vec<Hit>> {
    let wanted = embedder.embed(&[query.to_owned()])?.remove(0);
    let texts: Vec<String> = explanations.iter().map(|one| one.text.clone()).collect();
    let vectors = embedder.embed(&texts)?;
    let hits = explanations.into_iter().zip(vectors);
    let mut hits: Vec<Hit> =
        hits.map(|(explanation, vector)| Hit { similarity: cosine(&wanted, &vector), explanation }).collect();
    hits.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    hits.truncate(limit);
    Ok(hits)
}
