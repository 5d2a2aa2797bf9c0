//! Computing them.

use golgi_data::site::{BlockPoint, Site};
use golgi_probes::{Kind, OpenModel, Tensor};

use super::{AttentionMaps, HeadScore};
use crate::distribution::floats;
use crate::error::Result;
use crate::prompt::PromptRun;

/// Every pattern and every head's scores.
///
/// # Errors
/// If the patterns do not fit into the memory budget.
pub fn attention_maps(model: &OpenModel, run: &PromptRun) -> Result<AttentionMaps> {
    let dims = &model.model.dims;
    let n = run.tokens().len();
    let mut patterns = Vec::with_capacity(dims.n_layers * dims.n_heads * n * n);
    let mut scores = Vec::with_capacity(dims.n_layers * dims.n_heads);
    let matches = matches(run.tokens())?;
    for (layer, pattern) in layer_patterns(model, run)?.iter().enumerate() {
        patterns.extend(floats(pattern)?);
        scores.extend(head_scores(layer as u32, pattern, &matches)?);
    }
    Ok(AttentionMaps {
        tokens: run.pieces(model),
        n_layers: dims.n_layers,
        n_heads: dims.n_heads,
        patterns,
        scores,
    })
}

/// The patterns of each layer, `[n_heads, query, key]`, f32.
pub(crate) fn layer_patterns(model: &OpenModel, run: &PromptRun) -> Result<Vec<Tensor>> {
    let sites: Vec<Site> =
        (0..model.model.blocks.len() as u32).map(|layer| Site::block(layer, BlockPoint::Pattern)).collect();
    run.need(model, &sites)?;
    sites.iter().map(|site| run.activation(model, site)).collect()
}

/// Which keys matter to which queries of a token sequence.
pub(crate) struct Matches {
    /// 1 at earlier occurrences of the query's token, `[query, key]`.
    duplicate: Tensor,
    /// 1 just behind these, and before the query.
    pub induction: Tensor,
    /// How many queries have any such key.
    queries: (usize, usize),
    n: usize,
}

/// Compares every token with every earlier one.
pub(crate) fn matches(tokens: &[u32]) -> Result<Matches> {
    let n = tokens.len();
    let mut duplicate = vec![0f32; n * n];
    let mut induction = vec![0f32; n * n];
    for query in 0..n {
        for key in (0..query).filter(|key| tokens[*key] == tokens[query]) {
            duplicate[query * n + key] = 1.0;
            if key + 1 < query {
                induction[query * n + key + 1] = 1.0;
            }
        }
    }
    let having = |mask: &[f32]| mask.chunks(n.max(1)).filter(|row| row.contains(&1.0)).count();
    let queries = (having(&duplicate), having(&induction));
    let square = |mask: &[f32]| -> Result<Tensor> { Ok(Tensor::f_from_slice(mask)?.f_view([n as i64, n as i64])?) };
    Ok(Matches { duplicate: square(&duplicate)?, induction: square(&induction)?, queries, n })
}

/// The scores of each head of one layer, from its patterns `[n_heads, query, key]`.
pub(crate) fn head_scores(layer: u32, pattern: &Tensor, matches: &Matches) -> Result<Vec<HeadScore>> {
    let n = matches.n;
    let over = |masked: Tensor, queries: usize| -> Result<Vec<f32>> {
        let sums = floats(&masked.f_sum_dim_intlist([1i64, 2].as_slice(), false, None::<Kind>)?)?;
        Ok(sums.into_iter().map(|sum| if queries == 0 { 0.0 } else { sum / queries as f32 }).collect())
    };
    let diagonal = |offset: i64| -> Result<Tensor> { Ok(pattern.f_diagonal(offset, 1, 2)?.f_unsqueeze(-1)?) };
    let later = pattern.f_narrow(1, 1, n as i64 - 1)?;
    let previous = over(diagonal(-1)?, n - 1)?;
    let first = over(later.f_narrow(2, 0, 1)?, n - 1)?;
    let current = over(diagonal(0)?, n)?;
    let duplicate = over(pattern.f_mul(&matches.duplicate)?, matches.queries.0)?;
    let induction = over(pattern.f_mul(&matches.induction)?, matches.queries.1)?;
    // −Σ a ln a, with 0 ln 0 = 0.
    let entropy = over(pattern.f_special_entr()?, n)?;
    let head = |h: usize| HeadScore {
        layer,
        head: h as u32,
        previous: previous[h],
        duplicate: duplicate[h],
        induction: induction[h],
        first: first[h],
        current: current[h],
        entropy: entropy[h],
    };
    Ok((0..previous.len()).map(head).collect())
}
