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

fn compare(
    model: &OpenModel,
    was: &Distributions,
    is: &Distributions,
    row: usize,
    top: usize,
) -> Result<Vec<EffectRow>> {
    let at = |all: &Distributions| Distributions::new(all.logits.f_narrow(0, row as i64, 1)?);
    let (was, is) = (at(was)?, at(is)?);
    let listed =
        |of: &Distributions| -> Result<Vec<Candidate>> { Ok(of.top(model, top)?.into_iter().flatten().collect()) };
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

#[cfg(test)]
mod tests {
    use golgi_data::unit::Unit;
    use golgi_probes::intervention::{Edit, Intervention};

    use super::*;
    use crate::prompt::Needs;
    use crate::testing::{Family, PROMPT, random, run, run_with};

    #[test]
    fn nothing_changes_nothing() {
        for family in Family::LINEAR {
            let model = random(family, 8);
            let disabled = Intervention { enabled: false, ..Intervention::of_unit(&Unit::head(0, 1), Edit::Zero) };
            let after = run_with(&model, &PROMPT, vec![disabled], Needs::default());
            let found = effect(&model, &run(&model, &PROMPT), &after, 8, 5).unwrap();
            assert_eq!((found.kl, found.loss_before), (0.0, found.loss_after));
            assert!(found.kl_by_position.iter().all(|kl| *kl == 0.0));
            assert!(found.rows.iter().all(|row| row.before == row.after && row.logit_before == row.logit_after));
            assert_eq!(found.rows.len(), 5);
        }
    }

    #[test]
    fn a_change_is_measured_from_its_position_on() {
        use golgi_probes::intervention::Positions;
        let model = random(Family::Gpt2, 8);
        let silence = Intervention::of_unit(&Unit::head(1, 1), Edit::Zero).at(Positions::These(vec![4]));
        let (before, after) = (run(&model, &PROMPT), run_with(&model, &PROMPT, vec![silence], Needs::default()));
        let found = effect(&model, &before, &after, 4, 23).unwrap();
        assert!(found.kl_by_position[..4].iter().all(|kl| *kl == 0.0));
        assert!(found.kl_by_position[4..].iter().all(|kl| *kl > 0.0));
        let by_hand: f64 = found
            .rows
            .iter()
            .map(|row| (f64::from(row.before), f64::from(row.after)))
            .map(|(p, q)| p * (p.ln() - q.ln()))
            .sum();
        assert!((by_hand - f64::from(found.kl)).abs() < 1e-5);
        assert_eq!(found.kl, found.kl_by_position[4]);
        assert!(found.loss_before != found.loss_after);
    }

    #[test]
    fn runs_of_different_prompts_are_not_compared() {
        let model = random(Family::Llama, 8);
        let error = effect(&model, &run(&model, &PROMPT), &run(&model, &PROMPT[..5]), 0, 5).unwrap_err();
        assert!(error.to_string().contains("9 and 5"), "{error}");
        assert!(effect(&model, &run(&model, &PROMPT), &run(&model, &PROMPT), 9, 5).is_err());
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let model = random(Family::Llama, 8);
        let blow_up = Intervention::new(&golgi_data::site::Site::Logits, Edit::Scale { factor: 1e300 });
        let after = run_with(&model, &PROMPT, vec![blow_up], Needs::default());
        let error = effect(&model, &run(&model, &PROMPT), &after, 0, 5).unwrap_err();
        assert!(matches!(error, AnalysisError::NotFinite), "{error}");
    }
}
