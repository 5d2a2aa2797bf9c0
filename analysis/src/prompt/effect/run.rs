//! Computing it.

use golgi_probes::OpenModel;

use super::{Effect, EffectRow};
use crate::distribution::Distributions;
use crate::error::{AnalysisError, Result};
use crate::prompt::token_stats::{following, mean};
use crate::prompt::{Candidate, PromptRun};

/// Compares two runs of the same prompt, `before` without and `after` with interventions (or any two): the `top` most probable
/// tokens of both at `position`, and the divergence everywhere.
///
/// # Errors
/// If the runs have different tokens, the position does not exist, or the model predicts no tokens.
pub fn effect(model: &OpenModel, before: &PromptRun, after: &PromptRun, position: usize, top: usize) -> Result<Effect> {
    if before.tokens() != after.tokens() {
        let (before, after) = (before.tokens().len(), after.tokens().len());
        return Err(AnalysisError::DifferentPrompts { before, after });
    }
    let position = before.position(position as i64)?;
    let mut kl_by_position = Vec::with_capacity(before.tokens().len());
    let mut losses = (Vec::new(), Vec::new());
    let mut rows = Vec::new();
    for at in before.chunks(model) {
        let was = Distributions::new(before.logits(model, at.clone())?)?;
        let is = Distributions::new(after.logits(model, at.clone())?)?;
        kl_by_position.extend(was.kl(&is)?);
        let next = following(before.tokens(), at.clone());
        losses.0.extend(was.log_prob_of(&next)?.into_iter().map(|p| -p));
        losses.1.extend(is.log_prob_of(&next)?.into_iter().map(|p| -p));
        if at.contains(&position) {
            rows = compare(model, &was, &is, position - at.start, top)?;
        }
    }
    // Nothing follows the last position; a model that sees both directions predicts no token from earlier ones.
    let predicted = if model.model.causal { before.tokens().len() - 1 } else { 0 };
    Ok(Effect {
        position,
        rows,
        kl: kl_by_position[position],
        kl_by_position,
        loss_before: mean(&losses.0[..predicted]),
        loss_after: mean(&losses.1[..predicted]),
    })
}

fn compare(model: &OpenModel, was: &Distributions, is: &Distributions, row: usize, top: usize) -> Result<Vec<EffectRow>> {
    let at = |all: &Distributions| Distributions::new(all.logits.f_narrow(0, row as i64, 1)?);
    let (was, is) = (at(was)?, at(is)?);
    let listed = |of: &Distributions| -> Result<Vec<Candidate>> { Ok(of.top(model, top)?.into_iter().flatten().collect()) };
    let mut ids: Vec<u32> = Vec::new();
    for candidate in listed(&was)?.into_iter().chain(listed(&is)?) {
        if !ids.contains(&candidate.id) {
            ids.push(candidate.id);
        }
    }
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let logit = |of: &Distributions| Ok::<_, AnalysisError>(of.logits.f_double_value(&[0, i64::from(id)])? as f32);
        rows.push(EffectRow {
            id,
            text: model.piece(id),
            before: was.log_prob_of(&[id])?[0].exp(),
            after: is.log_prob_of(&[id])?[0].exp(),
            logit_before: logit(&was)?,
            logit_after: logit(&is)?,
        });
    }
    rows.sort_by(|a, b| b.before.total_cmp(&a.before).then(a.id.cmp(&b.id)));
    Ok(rows)
}
