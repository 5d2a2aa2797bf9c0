//! Computing it, one depth and one piece of the prompt at a time.

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site};
use golgi_probes::{OpenModel, Tensor};

use super::{LensCell, LogitLens};
use crate::distribution::Distributions;
use crate::error::Result;
use crate::prompt::token_stats::following;
use crate::prompt::{PromptRun, lens, rows_at_once};

/// The lens at every depth and position, with the `top` most probable tokens of each cell.
///
/// # Errors
/// If the model predicts no tokens, its logits are not numbers, or the work is cancelled.
pub fn logit_lens(model: &OpenModel, run: &PromptRun, top: usize, ctx: &RunContext) -> Result<LogitLens> {
    let network = &model.model;
    let (n_layers, n_pos) = (network.blocks.len(), run.tokens().len());
    let mut sites = vec![Site::block(0, BlockPoint::ResidPre)];
    sites.extend((0..n_layers as u32).map(|layer| Site::block(layer, BlockPoint::ResidPost)));
    run.need(model, &sites)?;
    // Behind the last block stands the model's own prediction, unless an intervention acts behind it.
    let own = if run.tail_changed() { sites.len() } else { sites.len() - 1 };
    ctx.stage("logit lens", (sites.len() * run.chunks(model).count()) as u64);
    let mut rows: Vec<Vec<LensCell>> = sites.iter().map(|_| Vec::with_capacity(n_pos)).collect();
    for at in run.chunks(model) {
        let actual = Distributions::new(run.logits(model, at.clone())?)?;
        let decided: Vec<u32> =
            actual.top(model, 1)?.iter().filter_map(|top| top.first()).map(|best| best.id).collect();
        let following = following(run.tokens(), at.clone());
        let cells = |here: &Distributions| -> Result<Vec<LensCell>> {
            let (kl, ranks, next) = (actual.kl(here)?, here.rank_of(&decided)?, here.log_prob_of(&following)?);
            let tops = here.top(model, top)?.into_iter().enumerate();
            Ok(tops
                .map(|(i, top)| LensCell {
                    top,
                    entropy: here.entropy[i],
                    kl_to_final: kl[i],
                    rank_of_final: ranks[i],
                    prob_of_next: (network.causal && at.start + i + 1 < n_pos).then(|| next[i].exp()),
                })
                .collect())
        };
        // Several depths go through the unembedding together, as many as fit at once: it is read once for all of them.
        let (start, n) = (at.start as i64, at.len() as i64);
        let together = (rows_at_once(network) / at.len()).max(1);
        for (group, sites) in sites[..own].chunks(together).enumerate() {
            ctx.check()?;
            let resid = |site: &Site| Ok(run.captured(model, site)?.f_narrow(1, start, n)?);
            let stacked = Tensor::f_cat(&sites.iter().map(resid).collect::<Result<Vec<_>>>()?, 1)?;
            let logits = lens(network, &stacked)?;
            for i in 0..sites.len() {
                let here = Distributions::new(logits.f_narrow(0, i as i64 * n, n)?)?;
                rows[group * together + i].extend(cells(&here)?);
                ctx.advance(1);
            }
        }
        if own < sites.len() {
            rows[own].extend(cells(&actual)?);
            ctx.advance(1);
        }
    }
    let depths = std::iter::once("embed".to_owned()).chain((0..n_layers).map(|layer| layer.to_string()));
    Ok(LogitLens { depths: depths.collect(), tokens: run.pieces(model), cells: rows.into_iter().flatten().collect() })
}

#[cfg(test)]
mod tests {
    use golgi_probes::intervention::{Edit, Intervention};

    use super::*;
    use crate::prompt::Needs;
    use crate::testing::{Family, PROMPT, logits_by_hand, random, run, run_with};

    #[test]
    fn the_last_depth_is_the_model_itself() {
        for family in Family::LINEAR.into_iter().chain([Family::PostNorm]) {
            let model = random(family, 2);
            let lens = logit_lens(&model, &run(&model, &PROMPT), 4, &RunContext::new(0)).unwrap();
            assert_eq!(
                (lens.depths.as_slice(), lens.cells.len()),
                (["embed", "0", "1", "2"].map(String::from).as_slice(), 36)
            );
            for (pos, logits) in logits_by_hand(&model, &PROMPT).iter().enumerate() {
                let cell = lens.cell(3, pos).unwrap();
                assert_eq!((cell.kl_to_final, cell.rank_of_final), (0.0, 0));
                let total: f64 = logits.iter().map(|l| l.exp()).sum();
                for best in &cell.top {
                    assert!((f64::from(best.prob) - logits[best.id as usize].exp() / total).abs() < 1e-6);
                }
                assert_eq!(cell.prob_of_next.is_none(), pos == 8);
            }
            assert!(lens.cells.iter().all(|cell| cell.kl_to_final >= 0.0 && cell.entropy >= 0.0));
            assert!(lens.cell(0, 4).unwrap().kl_to_final > 1e-3);
        }
    }

    #[test]
    fn the_first_depth_is_the_embedding() {
        let model = random(Family::Llama, 2);
        let lens = logit_lens(&model, &run(&model, &PROMPT), 23, &RunContext::new(0)).unwrap();
        let row = model.model.embedding.tokens.get(i64::from(PROMPT[4])).view([1, 1, -1]);
        let logits = Vec::<f32>::try_from(model.model.unembed(&row).unwrap().view(-1)).unwrap();
        for candidate in &lens.cell(0, 4).unwrap().top {
            assert!((candidate.logit - logits[candidate.id as usize]).abs() < 1e-5);
        }
    }

    #[test]
    fn a_change_behind_the_last_block_shows_as_divergence() {
        let model = random(Family::Llama, 2);
        let scale = vec![Intervention::new(&Site::Logits, Edit::Scale { factor: 0.5 })];
        let run = run_with(&model, &PROMPT, scale, Needs::all());
        let lens = logit_lens(&model, &run, 1, &RunContext::new(0)).unwrap();
        assert!((0..9).all(|pos| lens.cell(3, pos).unwrap().kl_to_final > 1e-4));
    }

    #[test]
    fn it_can_be_cancelled_and_needs_logits() {
        let (model, bert) = (random(Family::Llama, 2), random(Family::Bert, 2));
        let ctx = RunContext::new(0);
        assert!(logit_lens(&bert, &run(&bert, &PROMPT), 1, &ctx).is_err());
        let done = run(&model, &PROMPT);
        ctx.cancel();
        assert!(logit_lens(&model, &done, 1, &ctx).unwrap_err().is_cancelled());
    }
}
