//! Computing them.

use golgi_probes::OpenModel;

use super::{TokenStat, TokenStats};
use crate::distribution::Distributions;
use crate::error::Result;
use crate::prompt::PromptRun;

/// Loss, probability and rank of each token, entropy and the `top` most probable tokens at each position.
///
/// # Errors
/// If the model predicts no tokens, or its logits are not numbers.
pub fn token_stats(model: &OpenModel, run: &PromptRun, top: usize) -> Result<TokenStats> {
    let ids = run.tokens();
    let stat = |id: &u32| TokenStat { id: *id, text: model.piece(*id), loss: None, prob: None, rank: None, entropy: 0.0 };
    let mut tokens: Vec<TokenStat> = ids.iter().map(stat).collect();
    let mut next = Vec::with_capacity(ids.len());
    for at in run.chunks(model) {
        let predicted = Distributions::new(run.logits(model, at.clone())?)?;
        next.extend(predicted.top(model, top)?);
        for (pos, entropy) in at.clone().zip(&predicted.entropy) {
            tokens[pos].entropy = *entropy;
        }
        if !model.model.causal {
            continue;
        }
        let following = following(ids, at.clone());
        let (log_probs, ranks) = (predicted.log_prob_of(&following)?, predicted.rank_of(&following)?);
        for ((pos, log_prob), rank) in at.zip(log_probs).zip(ranks) {
            if let Some(token) = tokens.get_mut(pos + 1) {
                // `+ 0.0` turns the −0 of a certain token into 0.
                (token.loss, token.prob, token.rank) = (Some(-log_prob + 0.0), Some(log_prob.exp()), Some(rank));
            }
        }
    }
    let losses: Vec<f32> = tokens.iter().filter_map(|token| token.loss).collect();
    Ok(TokenStats { tokens, mean_loss: mean(&losses), next })
}

/// Loss of each token from the second on, nats: `[pos − 1]`.
pub(crate) fn losses(model: &OpenModel, run: &PromptRun) -> Result<Vec<f32>> {
    let mut losses = Vec::with_capacity(run.tokens().len());
    for at in run.chunks(model) {
        let predicted = Distributions::new(run.logits(model, at.clone())?)?;
        losses.extend(predicted.log_prob_of(&following(run.tokens(), at))?.into_iter().map(|p| -p + 0.0));
    }
    losses.pop();
    Ok(losses)
}

/// The token behind each position; behind the last one, that one again, whose result nobody uses.
pub(crate) fn following(ids: &[u32], at: std::ops::Range<usize>) -> Vec<u32> {
    at.map(|pos| ids[(pos + 1).min(ids.len() - 1)]).collect()
}

/// The mean, or `None` of nothing.
pub(crate) fn mean(values: &[f32]) -> Option<f32> {
    let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
    (!values.is_empty()).then(|| (sum / values.len() as f64) as f32)
}
