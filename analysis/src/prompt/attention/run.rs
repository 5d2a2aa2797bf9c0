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
    Ok(AttentionMaps { tokens: run.pieces(model), n_layers: dims.n_layers, n_heads: dims.n_heads, patterns, scores })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Family, PROMPT, random, run, wired};

    fn close(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn scores_of_a_small_matrix() {
        // Tokens a b a b: query 2 has duplicate 0 and induction target 1, query 3 has duplicate 1 and target 2.
        let pattern = [1.0, 0.0, 0.0, 0.0, 0.4, 0.6, 0.0, 0.0, 0.1, 0.7, 0.2, 0.0, 0.3, 0.2, 0.4, 0.1];
        let pattern = Tensor::from_slice(&pattern).to_kind(Kind::Float).view([1, 4, 4]);
        let score = head_scores(7, &pattern, &matches(&[5, 6, 5, 6]).unwrap()).unwrap()[0];
        assert_eq!((score.layer, score.head), (7, 0));
        close(score.previous, (0.4 + 0.7 + 0.4) / 3.0);
        close(score.duplicate, (0.1 + 0.2) / 2.0);
        close(score.induction, (0.7 + 0.4) / 2.0);
        close(score.first, (0.4 + 0.1 + 0.3) / 3.0);
        close(score.current, (1.0 + 0.6 + 0.2 + 0.1) / 4.0);
        let rows: [&[f32]; 3] = [&[0.4, 0.6], &[0.1, 0.7, 0.2], &[0.3, 0.2, 0.4, 0.1]];
        let entropy: f32 = rows.iter().flat_map(|row| row.iter()).map(|a| -a * a.ln()).sum();
        close(score.entropy, entropy / 4.0);
    }

    #[test]
    fn mass_on_several_matches_is_summed_and_the_query_itself_is_none() {
        // Tokens a a a: duplicates of query 2 are 0 and 1; just behind 0 lies 1, just behind 1 the query itself.
        let pattern = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 0.5, 0.5, 0.0, 0.2, 0.3, 0.5]).view([1, 3, 3]);
        let score = head_scores(0, &pattern, &matches(&[4, 4, 4]).unwrap()).unwrap()[0];
        close(score.duplicate, (0.5 + 0.5) / 2.0);
        close(score.induction, 0.3);
    }

    #[test]
    fn a_single_token_has_no_scores() {
        let model = random(Family::Llama, 1);
        let maps = attention_maps(&model, &run(&model, &[3])).unwrap();
        assert_eq!((maps.patterns.len(), maps.scores.len()), (12, 12));
        for score in &maps.scores {
            assert_eq!((score.previous, score.duplicate, score.induction, score.first), (0.0, 0.0, 0.0, 0.0));
            assert_eq!((score.current, score.entropy), (1.0, 0.0));
        }
    }

    #[test]
    fn planted_heads_are_found() {
        let model = wired();
        // The first token has no previous one; its head rests on itself, so it must not recur.
        let maps = attention_maps(&model, &run(&model, &[20, 3, 9, 14, 6, 3, 9, 14, 6])).unwrap();
        let score = |layer: usize, head: usize| maps.scores[layer * 2 + head];
        assert!(score(0, 1).previous > 0.999, "{:?}", score(0, 1));
        assert!(score(1, 0).induction > 0.999, "{:?}", score(1, 0));
        for (layer, head) in [(0, 0), (1, 1)] {
            assert!(score(layer, head).previous < 0.5 && score(layer, head).induction < 0.5);
        }
    }

    #[test]
    fn patterns_of_every_family_are_distributions() {
        for family in Family::LINEAR.into_iter().chain([Family::PostNorm, Family::Bert]) {
            let model = random(family, 6);
            let maps = attention_maps(&model, &run(&model, &PROMPT)).unwrap();
            assert_eq!(maps.pattern(2, 3).len(), 81);
            assert!(maps.pattern(3, 0).is_empty() && maps.pattern(0, 4).is_empty());
            for row in maps.patterns.chunks(9) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            }
            let sees_ahead = maps.patterns.chunks(81).any(|pattern| pattern[1] > 0.0);
            assert_eq!(sees_ahead, family == Family::Bert);
        }
    }
}
