//! `golgi harvest`: activations of a whole corpus to an activation store.

use std::path::PathBuf;

use golgi_analysis::harvest::{Harvest, HarvestError, HarvestEstimate, HarvestParams, HarvestReport};
use golgi_data::context::bytes_text;
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus};
use golgi_data::store::StoreDtype;
use golgi_probes::OpenModel;
use serde_json::json;

use super::args::Precision;
use super::corpora::split;
use super::exit::Exit;
use super::work::Work;
use super::{capture, suggest};

/// Arguments of `golgi harvest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "--dtype float16 stores 16 bits per number, half the size; the model computes in float32 all the same."
)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: String,
    /// starter, a file (.txt, .jsonl, .parquet, .csv) or a folder; see `golgi corpora`
    #[arg(long, value_name = "CORPUS")]
    corpus: String,
    /// Which sites, as globs: 'blocks.*.hook_resid_post' is the residual stream behind every block
    #[arg(long, value_name = "GLOB", num_args = 1.., required = true)]
    sites: Vec<String>,
    /// How many tokens of the corpus
    #[arg(long, value_name = "N")]
    tokens: u64,
    /// The folder of the store
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with an interrupted harvest, make damaged shards again
    #[arg(long)]
    resume: bool,
    /// Tokens that the model sees at once
    #[arg(long, value_name = "N", default_value_t = 128)]
    context: usize,
    /// Only documents of this part of the corpus: explore, tune, confirm
    #[arg(long, value_name = "SPLIT", value_parser = split)]
    split: Option<golgi_data::corpus::Split>,
    /// Put � in place of bytes that are no UTF-8
    #[arg(long)]
    lossy: bool,
    /// About how large a shard is, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 64.0, hide = true)]
    shard: f64,
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    let sites = capture::patterns(&args.sites)?;
    let corpus = Corpus::open(&args.corpus, &CorpusOptions { lossy: args.lossy, ..CorpusOptions::default() })?;
    let model = work.open(&args.model)?;
    let watch = work.watch();
    let corpus = PackedCorpus::open_or_build(&corpus, model.tokenizer()?, &work.ctx)?;
    let params = HarvestParams {
        context: args.context,
        split: args.split,
        dtype: if work.global.dtype == Some(Precision::F16) { StoreDtype::F16 } else { StoreDtype::F32 },
        shard_bytes: (args.shard * 1e6).max(1.0) as u64,
        fused_attention: work.global.fused_attention,
        ..HarvestParams::new(sites, args.tokens)
    };
    let named = |error| match error {
        HarvestError::Probe(error) => suggest::with_sites(error, &model.model),
        other => other.into(),
    };
    work.ctx.stage("estimating", 0);
    let harvest = Harvest::begin(&model, &corpus, &params, &args.out, args.resume, &work.ctx).map_err(named)?;
    let expected = harvest.estimate()?;
    drop(watch);
    if !work.out.json {
        work.out.remark(&estimate_text(&expected));
    }
    let watch = work.watch();
    let report = harvest.run()?;
    drop(watch);
    summary(work, &model, &args, &expected, &report)?;
    Ok(Exit::Success)
}

fn estimate_text(estimate: &HarvestEstimate) -> String {
    format!(
        "{} tokens in {} contexts: about {} on disk, {} to go",
        estimate.tokens,
        estimate.contexts,
        bytes_text(estimate.bytes),
        time_text(estimate.seconds)
    )
}

/// `45 s`, `3 min`, `2.5 h`.
fn time_text(seconds: f64) -> String {
    match seconds {
        s if s < 0.95 => "less than a second".to_owned(),
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 5970.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

fn summary(
    work: &Work,
    model: &OpenModel,
    args: &Args,
    estimate: &HarvestEstimate,
    report: &HarvestReport,
) -> anyhow::Result<()> {
    if work.out.json {
        let document = json!({
            "model": model.spec,
            "model_digest": model.digest()?,
            "out": args.out,
            "estimate": estimate,
            "report": report,
            "warnings": work.ctx.warnings(),
        });
        return Ok(work.out.document("harvest", document)?);
    }
    for file in &report.damaged {
        work.out.line(&format!("{file} was damaged and has been made again"))?;
    }
    if report.written == 0 {
        return Ok(work.out.line(&format!("{} is complete already", args.out.display()))?);
    }
    let speed = report.computed as f64 / report.seconds.max(1e-9);
    Ok(work.out.line(&format!(
        "{} tokens written to {} in {} shards ({}), {speed:.0} tokens/s",
        report.tokens,
        args.out.display(),
        report.shards,
        bytes_text(report.bytes)
    ))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_for_people() {
        let texts: Vec<String> = [0.2, 45.0, 200.0, 9000.0].map(time_text).to_vec();
        assert_eq!(texts, ["less than a second", "45 s", "3 min", "2.5 h"]);
    }
}
