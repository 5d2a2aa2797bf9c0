//! `golgi prompt`: one prompt, from all sides.

mod print;

use golgi_analysis::prompt::attribution::{self, Attribution, attribution};
use golgi_analysis::prompt::effect::{self, Effect, effect};
use golgi_analysis::prompt::logit_lens::{self, LogitLens, logit_lens};
use golgi_analysis::prompt::token_stats::{self, TokenStats, token_stats};
use golgi_analysis::prompt::{Needs, PromptInput, PromptRun};
use golgi_analysis::report::{Fact, Provenance};
use golgi_analysis::{AnalysisError, provenance};
use golgi_probes::OpenModel;
use golgi_probes::intervention::Traces;
use serde_json::json;

use super::args::{Budget, Changes, Input};
use super::change;
use super::error::failure;
use super::exit::Exit;
use super::work::Work;
use crate::report::one_line;

/// Arguments of `golgi prompt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: String,
    #[command(flatten)]
    input: Input,
    /// How many candidates for the next token, and how many neurons, to list
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    top: u16,
    /// The position whose prediction is explained, from the end if negative; the last one by default
    #[arg(long, value_name = "POS", allow_negative_numbers = true)]
    position: Option<i64>,
    /// The token whose logit is explained: one token of text (mind the space: ' Mary'), or `#ID`
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    target: Option<String>,
    /// A token whose logit is subtracted, likewise
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    foil: Option<String>,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    budget: Budget,
}

/// What was found out.
struct Found {
    stats: TokenStats,
    lens: Option<LogitLens>,
    attribution: Option<Attribution>,
    effect: Option<Effect>,
    provenance: Provenance,
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    let interventions = change::parse(&args.changes.interventions)?;
    let model = work.open(&args.model)?;
    let target = args.target.as_deref().map(|text| token(&model, text)).transpose()?;
    let foil = args.foil.as_deref().map(|text| token(&model, text)).transpose()?;
    let tokens = work.tokens(&model, &args.input.into())?;
    let position = position(args.position, tokens.len())?;
    let top = usize::from(args.top);
    let input = PromptInput { tokens, interventions, fused_attention: work.global.fused_attention };

    let watch = work.watch();
    let needs = Needs { patterns: false, neurons: true, heads: true, lens: true };
    let traces = Traces::new();
    let pass =
        |input: &PromptInput, needs| PromptRun::new(&model, input, &traces, needs, args.budget.budget, &work.ctx);
    let run = pass(&input, needs)?;
    let stats = token_stats(&model, &run, top)?;
    let lens = optional(work, logit_lens(&model, &run, top.min(5), &work.ctx))?;
    let params = attribution::Params { position: Some(position as i64), target, foil, top_neurons: top };
    let attribution = optional(work, attribution(&model, &run, &params))?;
    let effect = if input.interventions.is_empty() {
        None
    } else {
        let before = pass(&PromptInput { interventions: Vec::new(), ..input.clone() }, Needs::default())?;
        Some(effect(&model, &before, &run, position, top)?)
    };
    work.ctx.stage("reading the weights' digest", 0);
    let found = Found { stats, lens, attribution, effect, provenance: provenance(&model, &input, work.global.seed())? };
    drop(watch);
    if work.out.json {
        document(work, &found)?;
    } else {
        print::found(&work.out, &found, position)?;
    }
    Ok(Exit::Success)
}

fn document(work: &Work, found: &Found) -> std::io::Result<()> {
    let fields = json!({
        "tokens": found.stats,
        "lens": found.lens,
        "attribution": found.attribution,
        "effect": found.effect,
        "controls": controls(found),
        "provenance": found.provenance,
        "warnings": work.ctx.warnings(),
    });
    work.out.document("prompt", fields)
}

/// What each part is compared with.
fn controls(found: &Found) -> Vec<Fact> {
    let p = || found.provenance.clone();
    let mut controls = token_stats::report(&found.stats, p()).controls;
    controls.extend(found.lens.iter().flat_map(|lens| logit_lens::report(lens, p()).controls));
    controls.extend(found.attribution.iter().flat_map(|found| attribution::report(found, p()).controls));
    let pieces: Vec<String> = found.stats.tokens.iter().map(|token| token.text.clone()).collect();
    controls.extend(found.effect.iter().flat_map(|found| effect::report(found, &pieces, p()).controls));
    controls
}

/// Leaves out, with a warning, what this kind of model does not have.
fn optional<T>(work: &Work, result: golgi_analysis::Result<T>) -> golgi_analysis::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ AnalysisError::Unsuitable { .. }) => {
            work.ctx.warn(error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn position(wanted: Option<i64>, len: usize) -> Result<usize, AnalysisError> {
    let position = wanted.unwrap_or(-1);
    let counted = if position < 0 { position.saturating_add(len as i64) } else { position };
    usize::try_from(counted).ok().filter(|at| *at < len).ok_or(AnalysisError::Position { position, len })
}

/// The one token that `text` is.
fn token(model: &OpenModel, text: &str) -> anyhow::Result<u32> {
    let d_vocab = model.model.dims.d_vocab;
    let id = match text.strip_prefix('#').and_then(|id| id.parse::<u32>().ok()) {
        Some(id) => id,
        None => {
            let ids = model.tokenizer()?.encode_raw(text)?;
            let [id] = ids.as_slice() else {
                let pieces: Vec<String> = ids.iter().map(|id| format!("`{}`", one_line(&model.piece(*id)))).collect();
                return Err(failure(format!(
                    "`{}` is {} tokens ({}), where one is needed; choose a shorter word, or begin it with a space",
                    one_line(text),
                    ids.len(),
                    pieces.join(" ")
                )));
            };
            *id
        }
    };
    if (id as usize) < d_vocab {
        return Ok(id);
    }
    Err(failure(format!("token {id} is outside the vocabulary of {d_vocab} tokens; name one below that")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_both_ends() {
        assert_eq!(position(None, 3).unwrap(), 2);
        assert_eq!(position(Some(-3), 3).unwrap(), 0);
        assert_eq!(position(Some(1), 3).unwrap(), 1);
        for wrong in [3, -4, i64::MIN, i64::MAX] {
            assert!(position(Some(wrong), 3).is_err(), "{wrong}");
        }
    }
}
