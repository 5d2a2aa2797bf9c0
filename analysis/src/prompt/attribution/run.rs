//! Computing it.

use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_probes::transformer::Head;
use golgi_probes::{Kind, OpenModel, Tensor};

use super::{Attribution, Params};
use crate::direct::{Readers, check_token, plain, rows_at};
use crate::distribution::{Distributions, floats, integers};
use crate::error::{AnalysisError, Result};
use crate::prompt::{Candidate, PromptRun, last_resid};

const NAME: &str = "direct logit attribution";

/// Everything's share in the logit that `params` names.
///
/// # Errors
/// If the position or a token does not exist, or no linear path leads to the model's logits.
pub fn attribution(model: &OpenModel, run: &PromptRun, params: &Params) -> Result<Attribution> {
    let position = run.position(params.position.unwrap_or(-1))?;
    Readers::possible(NAME, model)?;
    run.need(model, &sites(model))?;
    let predicted = Distributions::new(run.logits(model, position..position + 1)?)?;
    let best = predicted.top(model, 1)?.into_iter().flatten().next().map_or(0, |best| best.id);
    let ids: Vec<u32> = std::iter::once(params.target.unwrap_or(best)).chain(params.foil).collect();
    let candidate = |id: u32| -> Result<Candidate> {
        check_token(model, id)?;
        let (prob, logit) =
            (predicted.log_prob_of(&[id])?[0].exp(), predicted.logits.f_double_value(&[0, i64::from(id)])?);
        Ok(Candidate { id, text: model.piece(id), prob, logit: logit as f32 })
    };
    let (target, foil) = (candidate(ids[0])?, params.foil.map(candidate).transpose()?);
    let readers = Readers::new(NAME, model, run, &vec![position; ids.len()], &ids)?.difference()?;
    let neurons = largest(&neurons(model, run, &readers, position)?, params.top_neurons, model.model.dims.d_mlp)?;
    let logits = uncapped(model, run, position, &predicted)?;
    let logit_of = |id: u32| Ok::<_, AnalysisError>(logits.f_double_value(&[0, i64::from(id)])?);
    let actual = match params.foil {
        Some(foil) => logit_of(ids[0])? - logit_of(foil)?,
        None => logit_of(ids[0])?,
    } as f32;
    let empty = Attribution {
        position,
        target,
        foil,
        embed: 0.0,
        pos_embed: 0.0,
        heads: Vec::new(),
        attn_bias: Vec::new(),
        mlps: Vec::new(),
        neurons,
        constant: floats(&readers.constant)?[0],
        interventions: 0.0,
        total: 0.0,
        actual,
    };
    let mut found = with_parts(empty, model, run, &readers)?;
    found.total = total(&found);
    if run.is_changed() {
        // What was written into the stream by hand is nobody's part: it is the rest.
        found.interventions = found.actual - found.total;
        found.total = found.actual;
    }
    Ok(found)
}

/// What is read, so that one pass captures all of it.
fn sites(model: &OpenModel) -> Vec<Site> {
    use BlockPoint as P;
    let points = [P::Z, P::Ln1PostScale, P::MlpPost, P::MlpOut, P::Ln2PostScale];
    let n_layers = model.model.blocks.len() as u32;
    let in_blocks = (0..n_layers).flat_map(|layer| points.map(|point| Site::block(layer, point)));
    let plain = [Site::Embed, Site::PosEmbed, Site::TokenTypeEmbed, Site::LnFinalScale];
    in_blocks.chain(plain).chain(last_resid(&model.model).ok()).collect()
}

fn with_parts(mut found: Attribution, model: &OpenModel, run: &PromptRun, readers: &Readers) -> Result<Attribution> {
    let (network, position) = (&model.model, found.position as i64);
    let u = readers.u.f_select(0, 0)?;
    let share = |site: &Site| -> Result<f32> {
        Ok(run.activation(model, site)?.f_select(0, position)?.f_dot(&u)?.f_double_value(&[])? as f32)
    };
    found.embed = share(&Site::Embed)?;
    if network.embedding.token_types.is_some() {
        found.embed += share(&Site::TokenTypeEmbed)?;
    }
    if network.embedding.positions.is_some() {
        found.pos_embed = share(&Site::PosEmbed)?;
    }
    for (layer, block) in network.blocks.iter().enumerate() {
        let (reader, of_norm) = readers.behind_attention(model, run, layer)?;
        let reader = reader.f_select(0, 0)?;
        let shape = &block.attn.shape;
        // [n_heads, d_head]: what each coordinate of z is worth.
        let worth = plain(&block.attn.o.weight)?.f_tr()?.f_mv(&reader)?.f_view([shape.n_heads, shape.d_head])?;
        let z = run.activation(model, &Site::block(layer as u32, BlockPoint::Z))?.f_select(0, position)?;
        found.heads.push(floats(&worth.f_mul(&z)?.f_sum_dim_intlist(-1, false, None::<Kind>)?)?);
        let of_output = match &block.attn.o.bias {
            Some(bias) => plain(bias)?.f_dot(&reader)?.f_double_value(&[])? as f32,
            None => 0.0,
        };
        found.attn_bias.push(of_output + of_norm.map(|bias| floats(&bias)).transpose()?.map_or(0.0, |bias| bias[0]));
        found.mlps.push(share(&Site::block(layer as u32, BlockPoint::MlpOut))?);
    }
    Ok(found)
}

/// Every neuron's share for the single row of `readers`, `[n_layers · d_mlp]`.
pub(crate) fn neurons(model: &OpenModel, run: &PromptRun, readers: &Readers, position: usize) -> Result<Tensor> {
    let mut shares = Vec::with_capacity(model.model.blocks.len());
    for (layer, block) in model.model.blocks.iter().enumerate() {
        let reader = readers.behind_mlp(model, run, layer)?.0.f_select(0, 0)?;
        let worth = plain(&block.mlp.down.weight)?.f_tr()?.f_mv(&reader)?;
        let acts = run.activation(model, &Site::block(layer as u32, BlockPoint::MlpPost))?;
        shares.push(worth.f_mul(&rows_at(&acts, &[position])?.f_select(0, 0)?)?);
    }
    Ok(Tensor::f_cat(&shares, 0)?)
}

fn largest(shares: &Tensor, n: usize, d_mlp: usize) -> Result<Vec<(Unit, f32)>> {
    let (_, order) = shares.f_abs()?.f_topk(n.min(shares.numel()) as i64, 0, true, true)?;
    let values = floats(&shares.f_index_select(0, &order)?)?;
    let unit = |index: i64| Unit::neuron(index as u32 / d_mlp as u32, index as u32 % d_mlp as u32);
    Ok(integers(&order)?.into_iter().map(unit).zip(values).collect())
}

/// The logits at `position` before any soft cap, `[1, d_vocab]`. Where an intervention acts behind the last residual stream,
/// the cap cannot be undone and stays in.
fn uncapped(model: &OpenModel, run: &PromptRun, position: usize, predicted: &Distributions) -> Result<Tensor> {
    let Head::Lm { norm, project_out, unembed, softcap: Some(_) } = &model.model.head else {
        return Ok(predicted.logits.shallow_clone());
    };
    if run.tail_changed() {
        return Ok(predicted.logits.shallow_clone());
    }
    let resid = run.captured(model, &last_resid(&model.model)?)?.f_select(0, 0)?;
    let mut read = rows_at(&resid, &[position])?.f_to_device(model.model.device)?;
    if let Some(norm) = norm {
        read = norm.forward(&read)?;
    }
    if let Some(project) = project_out {
        read = project.forward(&read)?;
    }
    plain(&unembed.forward(&read)?)
}

fn total(parts: &Attribution) -> f32 {
    let lists = parts.heads.iter().flatten().chain(&parts.attn_bias).chain(&parts.mlps);
    let single = [&parts.embed, &parts.pos_embed, &parts.constant];
    lists.chain(single).map(|part| f64::from(*part)).sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use golgi_probes::intervention::{Edit, Intervention};

    use super::*;
    use crate::prompt::Needs;
    use crate::testing::{Family, PROMPT, logits_by_hand, random, run, run_with};

    fn all(position: i64, target: Option<u32>, foil: Option<u32>) -> Params {
        Params { position: Some(position), target, foil, top_neurons: 1000 }
    }

    #[test]
    fn parts_add_up_to_the_models_own_logit() {
        for family in Family::LINEAR {
            let model = random(family, 3);
            let run = run(&model, &PROMPT);
            let by_hand = logits_by_hand(&model, &PROMPT);
            for (pos, logits) in by_hand.iter().enumerate() {
                // Gemma's soft cap comes behind the sum.
                let uncap = |logit: f64| if family == Family::Gemma { 8.0 * (logit / 8.0).atanh() } else { logit };
                let found = attribution(&model, &run, &all(pos as i64, Some(5), Some(11))).unwrap();
                assert!((found.total - found.actual).abs() < 1e-4, "{family:?} {} {}", found.total, found.actual);
                assert!((f64::from(found.actual) - (uncap(logits[5]) - uncap(logits[11]))).abs() < 1e-4, "{family:?}");
                let alone = attribution(&model, &run, &all(pos as i64, None, None)).unwrap();
                assert!((f64::from(alone.total) - uncap(logits[alone.target.id as usize])).abs() < 1e-4, "{family:?}");
                assert_eq!(alone.interventions, 0.0);
            }
        }
    }

    #[test]
    fn neurons_add_up_to_their_mlp() {
        // These two have no MLP biases.
        for family in [Family::Llama, Family::Gemma] {
            let model = random(family, 4);
            let found = attribution(&model, &run(&model, &PROMPT), &all(-2, Some(1), Some(2))).unwrap();
            assert_eq!((found.position, found.neurons.len()), (7, 27));
            for (layer, mlp) in found.mlps.iter().enumerate() {
                let own = found.neurons.iter().filter(|(unit, _)| unit.site.layer() == Some(layer as u32));
                assert!((own.map(|(_, share)| share).sum::<f32>() - mlp).abs() < 1e-4);
            }
            assert!(found.neurons.windows(2).all(|pair| pair[0].1.abs() >= pair[1].1.abs()));
        }
    }

    #[test]
    fn a_heads_share_is_what_the_logit_loses_in_the_last_layer() {
        // Without norms behind it and with a final scale that is not frozen, only the direction of change is certain; with
        // the scale held by an intervention, the change is exact.
        let model = random(Family::Llama, 5);
        let plain = run(&model, &PROMPT);
        let found = attribution(&model, &plain, &all(-1, Some(6), None)).unwrap();
        let scale = plain.activation(&model, &Site::LnFinalScale).unwrap().double_value(&[8, 0]);
        let hold = Intervention::new(&Site::LnFinalScale, Edit::Set { value: scale });
        let silence_mlp = Intervention::new(&Site::block(2, BlockPoint::MlpOut), Edit::Zero);
        let silence = Intervention::of_unit(&Unit::head(2, 1), Edit::Zero);
        let logit = |changes: Vec<Intervention>| {
            let run = run_with(&model, &PROMPT, changes, Needs::default());
            run.logits(&model, 8..9).unwrap().double_value(&[0, 6])
        };
        let lost = logit(vec![hold.clone(), silence_mlp.clone()]) - logit(vec![hold, silence_mlp, silence]);
        assert!((lost - f64::from(found.heads[2][1])).abs() < 1e-4, "{lost} {}", found.heads[2][1]);
    }

    #[test]
    fn interventions_are_the_rest() {
        let model = random(Family::Gpt2, 3);
        let shift = Intervention::new(&Site::block(1, BlockPoint::ResidPost), Edit::Set { value: 0.7 });
        let run = run_with(&model, &PROMPT, vec![shift], Needs::all());
        let found = attribution(&model, &run, &all(-1, Some(4), None)).unwrap();
        assert_eq!(found.total, found.actual);
        assert!(found.interventions.abs() > 1e-3);
        // Without interventions behind attention, silenced heads have no share.
        let zero = Intervention::of_unit(&Unit::head(1, 2), Edit::Zero);
        let silenced =
            attribution(&model, &run_with(&model, &PROMPT, vec![zero], Needs::all()), &all(-1, Some(4), None)).unwrap();
        assert_eq!(silenced.heads[1][2], 0.0);
        assert!(silenced.interventions.abs() < 1e-4);
    }

    #[test]
    fn what_cannot_be_explained_is_refused() {
        for family in [Family::PostNorm, Family::Bert] {
            let model = random(family, 1);
            let error = attribution(&model, &run(&model, &PROMPT), &Params::default()).unwrap_err();
            assert!(matches!(error, AnalysisError::Unsuitable { .. }), "{error}");
        }
        let model = random(Family::Llama, 1);
        let run = run(&model, &PROMPT);
        let position = attribution(&model, &run, &all(9, None, None)).unwrap_err().to_string();
        assert!(position.contains("0 to 8"), "{position}");
        assert!(attribution(&model, &run, &all(-10, None, None)).is_err());
        assert!(attribution(&model, &run, &all(0, Some(23), None)).unwrap_err().to_string().contains("23 tokens"));
        assert!(attribution(&model, &run, &all(0, None, Some(4000))).is_err());
    }
}
