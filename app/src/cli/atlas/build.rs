//! `golgi atlas build`: everything about every unit of a model over a corpus, in one folder.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use golgi_analysis::atlas::{BuildEstimate, BuildOptions, Subject, build, check, check_writable, estimate};
use golgi_data::atlas::{Manifest, is_atlas};
use golgi_data::context::bytes_text;
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus, Split};
use golgi_data::dictionary::Dictionary;
use serde_json::json;

use crate::cli::args::Budget;
use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::style::Paint;
use crate::cli::table::Table;
use crate::cli::work::Work;
use crate::report::{count, spaced};

/// Arguments of `golgi atlas build`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ctrl-C pauses a build: its state is saved, and the same command with --resume goes on from there. The result \
    is the same, byte for byte. While it runs, `golgi atlas info DIR` and `golgi atlas query DIR SQL` answer from what is known so far."
)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: String,
    /// A file of text (.txt, .md, .jsonl, .parquet, .csv), a folder, or `starter`
    #[arg(long, value_name = "CORPUS")]
    corpus: String,
    /// The folder of the atlas
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Tokens of the corpus to run
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    tokens: u64,
    /// The part of the corpus: explore is 60 % of the documents, tune and confirm 20 % each
    #[arg(long, value_enum, default_value_t = Part::Explore, value_name = "SPLIT")]
    split: Part,
    /// Tokens per context
    #[arg(long, value_name = "N", default_value_t = 128)]
    context_len: usize,
    /// Tokens run through the model at once
    #[arg(long, value_name = "N", default_value_t = BuildOptions::default().batch_tokens)]
    batch_tokens: usize,
    /// Go on with an unfinished build in DIR
    #[arg(long)]
    resume: bool,
    /// Put � in place of bytes that are no UTF-8, instead of refusing the corpus
    #[arg(long)]
    lossy: bool,
    /// A sparse dictionary of a site of the model, whose latents become units of the atlas; may be given several times
    #[arg(long, value_name = "DICTIONARY")]
    sae: Vec<PathBuf>,
    /// Leave out MLP neurons
    #[arg(long)]
    no_neurons: bool,
    /// Leave out attention heads
    #[arg(long)]
    no_heads: bool,
    /// Leave out dimensions of the residual stream
    #[arg(long)]
    no_residual: bool,
    /// Print the estimate and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    budget: Budget,
    /// Save the state after every N batches
    #[arg(long, value_name = "N", hide = true)]
    checkpoint_batches: Option<u64>,
    /// Write what is known so far after every N batches
    #[arg(long, value_name = "N", hide = true)]
    snapshot_batches: Option<u64>,
}

/// A split, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// 60 % of the documents.
    Explore,
    /// 20 %.
    Tune,
    /// The other 20 %.
    Confirm,
    /// Every document.
    All,
}

impl Part {
    fn split(self) -> Option<Split> {
        match self {
            Part::Explore => Some(Split::Explore),
            Part::Tune => Some(Split::Tune),
            Part::Confirm => Some(Split::Confirm),
            Part::All => None,
        }
    }
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    check_folder(args)?;
    let corpus = Corpus::open(&args.corpus, &CorpusOptions { lossy: args.lossy, ..CorpusOptions::default() })?;
    let model = work.open(&args.model)?;
    let options = BuildOptions {
        context_len: args.context_len,
        tokens: args.tokens,
        split: args.split.split(),
        batch_tokens: args.batch_tokens,
        seed: work.global.seed(),
        neurons: !args.no_neurons,
        heads: !args.no_heads,
        residual: !args.no_residual,
        checkpoint_batches: args.checkpoint_batches,
        snapshot_batches: args.snapshot_batches,
        ..BuildOptions::default()
    };
    let mut subject = Subject::from(&model);
    for path in &args.sae {
        let dictionary = Dictionary::read(path)?;
        if let Some(digest) = &dictionary.config.model_digest
            && *digest != model.digest()?
        {
            let path = path.display();
            work.ctx.warn(format!("{path} was made with other weights of this model; its latents may say little"));
        }
        subject = subject.with(dictionary, &path.display().to_string())?;
    }
    let watch = work.watch();
    let packed = PackedCorpus::open_or_build(&corpus, model.tokenizer()?, &work.ctx)?;
    check(subject.clone(), &packed, &options, &args.out)?;
    let expected = estimate(subject.clone(), &packed, &options, &work.ctx)?;
    drop(watch);
    if let Some(budget) = args.budget.budget
        && expected.memory_bytes > budget
    {
        return Err(failure(format!(
            "the build needs about {} of memory, more than the {} allowed; run fewer tokens at once with --batch-tokens, or leave \
             units out with --no-residual, --no-heads and --no-neurons",
            bytes_text(expected.memory_bytes),
            bytes_text(budget)
        )));
    }
    if args.dry_run {
        match work.out.json {
            true => document(work, args, &expected, None)?,
            false => work.out.text(&forecast(&expected))?,
        }
        return Ok(Exit::Success);
    }
    forecast(&expected).lines().for_each(|line| work.out.remark(line));
    let watch = work.watch();
    let start = std::time::Instant::now();
    let manifest = build(subject, &packed, &options, &args.out, &work.ctx).map_err(|error| match work.ctx.check() {
        // Cancelling is pausing.
        Err(_) => failure(format!(
            "the build was stopped; the same command with --resume goes on from what is saved in {}",
            args.out.display()
        )),
        Ok(()) => error.into(),
    })?;
    drop(watch);
    if work.out.json {
        return document(work, args, &expected, Some(&manifest)).map(|()| Exit::Success);
    }
    work.out.line(&format!(
        "{} units over {} tokens, in {:.0} s: {} ({})",
        count(manifest.units().into()),
        count(manifest.tokens),
        start.elapsed().as_secs_f64(),
        args.out.display(),
        bytes_text(folder_bytes(&args.out))
    ))?;
    let dir = args.out.display();
    work.out.line(&format!(
        "Try `golgi atlas info {dir}`, `golgi atlas query {dir} \"SELECT …\"`, `golgi find families {dir}`."
    ))?;
    Ok(Exit::Success)
}

/// Refuses a folder that cannot be written to, and to go on with, or to mix into, what is in it already, unless that is asked for.
fn check_folder(args: &Args) -> anyhow::Result<()> {
    check_writable(&args.out)?;
    let dir = args.out.display();
    let Ok(mut entries) = std::fs::read_dir(&args.out) else {
        return match args.out.exists() {
            true => Err(failure(format!("`{dir}` is not a folder that can be read; name another one"))),
            false => Ok(()),
        };
    };
    let known = is_atlas(&args.out);
    if !known && entries.next().is_some() {
        return Err(failure(format!("`{dir}` holds other files; name a new folder for the atlas")));
    }
    if known && !args.resume && !Manifest::read(&args.out).is_ok_and(|manifest| manifest.complete) {
        return Err(failure(format!("`{dir}` holds an unfinished build; go on with it with --resume, or delete it")));
    }
    Ok(())
}

/// The estimate, line by line.
fn forecast(expected: &BuildEstimate) -> String {
    let mut table = Table::new().left("").left("");
    let mut row = |label: &str, value: String| table.row([label.into(), value.into()]);
    row("units", spaced(expected.units));
    row("tokens", spaced(expected.tokens));
    row("memory", format!("about {}", bytes_text(expected.memory_bytes)));
    let disk = format!(
        "about {}; while it runs {} more",
        bytes_text(expected.disk_bytes),
        bytes_text(2 * expected.checkpoint_bytes + expected.disk_bytes)
    );
    row("disk", disk);
    let time = format!(
        "about {}: {} to run the model, {} for tables, weights and neighbours",
        duration(expected.seconds),
        duration(expected.pass_seconds),
        duration(expected.after_seconds)
    );
    row("time", time);
    table.render(Paint::Never, None)
}

/// `40 s`, `12 min`, `3 h 5 min`.
pub(in crate::cli) fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match seconds {
        s if s < 90.0 => format!("{:.0} s", s.max(1.0)),
        s if s < 5400.0 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

fn document(work: &Work, args: &Args, expected: &BuildEstimate, manifest: Option<&Manifest>) -> anyhow::Result<()> {
    let fields = json!({
        "out": args.out,
        "estimate": expected,
        "manifest": manifest,
        "bytes": folder_bytes(&args.out),
        "warnings": work.ctx.warnings(),
    });
    Ok(work.out.document("atlas.build", fields)?)
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(|meta| meta.is_file()).map(|meta| meta.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        assert_eq!([0.2, 40.0, 720.0, 11_100.0].map(duration), ["1 s", "40 s", "12 min", "3 h 5 min"]);
    }
}
