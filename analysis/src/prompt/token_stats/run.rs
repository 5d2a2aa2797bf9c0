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
    let stat =
        |id: &u32| TokenStat { id: *id, text: model.piece(*id), loss: None, prob: None, rank: None, entropy: 0.0 };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Family, PROMPT, logits_by_hand, random, run};

    #[test]
    fn agrees_with_sums_written_out() {
        for family in Family::LINEAR {
            let model = random(family, 1);
            let stats = token_stats(&model, &run(&model, &PROMPT), 3).unwrap();
            let by_hand = logits_by_hand(&model, &PROMPT);
            assert_eq!((stats.tokens[0].loss, stats.tokens[0].rank), (None, None));
            let mut sum = 0.0;
            for (pos, logits) in by_hand.iter().enumerate() {
                let total: f64 = logits.iter().map(|l| l.exp()).sum();
                let entropy: f64 = logits.iter().map(|l| -(l.exp() / total) * (l.exp() / total).ln()).sum();
                assert!((f64::from(stats.tokens[pos].entropy) - entropy).abs() < 1e-5);
                let best = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
                assert_eq!((stats.next[pos][0].id as usize, stats.next[pos].len()), (best, 3));
                if let Some(next) = PROMPT.get(pos + 1) {
                    let own = logits[*next as usize];
                    let (loss, token) = (total.ln() - own, &stats.tokens[pos + 1]);
                    assert!((f64::from(token.loss.unwrap()) - loss).abs() < 1e-5);
                    assert!((token.prob.unwrap() - (-loss).exp() as f32).abs() < 1e-6);
                    assert_eq!(token.rank.unwrap() as usize, logits.iter().filter(|l| **l > own).count());
                    sum += loss;
                }
            }
            assert!((f64::from(stats.mean_loss.unwrap()) - sum / 8.0).abs() < 1e-5);
            assert_eq!(losses(&model, &run(&model, &PROMPT)).unwrap().len(), 8);
        }
    }

    #[test]
    fn a_single_token_has_no_loss_and_a_model_without_logits_is_refused() {
        let model = random(Family::Llama, 1);
        let stats = token_stats(&model, &run(&model, &[3]), 50).unwrap();
        assert_eq!((stats.mean_loss, stats.next[0].len()), (None, crate::testing::VOCAB));
        assert!(token_stats(&model, &run(&model, &[3]), 0).unwrap().next[0].is_empty());
        let bert = random(Family::Bert, 1);
        assert!(token_stats(&bert, &run(&bert, &PROMPT), 3).unwrap_err().to_string().contains("unembedding"));
    }
}
