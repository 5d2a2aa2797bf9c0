//! Computing it, one depth and one piece of the prompt at a time.

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site};
use golgi_probes::OpenModel;

use super::{LensCell, LogitLens};
use crate::distribution::Distributions;
use crate::error::Result;
use crate::prompt::{PromptRun, lens};

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
    ctx.stage("logit lens", (sites.len() * run.chunks(model).count()) as u64);
    let mut rows: Vec<Vec<LensCell>> = sites.iter().map(|_| Vec::with_capacity(n_pos)).collect();
    for at in run.chunks(model) {
        let actual = Distributions::new(run.logits(model, at.clone())?)?;
        let decided: Vec<u32> = actual.top(model, 1)?.iter().filter_map(|top| top.first()).map(|best| best.id).collect();
        let ids = run.tokens();
        let following: Vec<u32> = at.clone().map(|pos| *ids.get(pos + 1).unwrap_or(&ids[pos])).collect();
        for (site, row) in sites.iter().zip(&mut rows) {
            ctx.check()?;
            let here = Distributions::new(lens(network, &run.captured(model, site)?, at.clone())?)?;
            let (kl, ranks, next) = (actual.kl(&here)?, here.rank_of(&decided)?, here.log_prob_of(&following)?);
            for (i, (top, pos)) in here.top(model, top)?.into_iter().zip(at.clone()).enumerate() {
                row.push(LensCell {
                    top,
                    entropy: here.entropy[i],
                    kl_to_final: kl[i],
                    rank_of_final: ranks[i],
                    prob_of_next: (network.causal && pos + 1 < n_pos).then(|| next[i].exp()),
                });
            }
            ctx.advance(1);
        }
    }
    let depths = std::iter::once("embed".to_owned()).chain((0..n_layers).map(|layer| layer.to_string()));
    Ok(LogitLens { depths: depths.collect(), tokens: run.pieces(model), cells: rows.into_iter().flatten().collect() })
}
