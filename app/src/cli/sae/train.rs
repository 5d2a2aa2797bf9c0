//! `golgi sae train`: from flags or from a script.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use golgi_analysis::harvest::{Harvest, HarvestError};
use golgi_analysis::sae::{DEFAULT_BUFFER, DictionarySpec, ModelRows, TrainScript};
use golgi_data::context::bytes_text;
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus, Split};
use golgi_data::dictionary::Architecture;
use golgi_data::store::Store;
use golgi_sae::DEFAULT_K;
use golgi_sae::train::{Job, Live, RunOptions, RunReport, run as train};
use serde_json::{Map, Value, json};

use crate::cli::analyse::assignment;
use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::style::Style;
use crate::cli::suggest;
use crate::cli::table::{Cell, Table};
use crate::cli::work::Work;
use crate::report::number;

/// The folder of the activations inside the run's folder.
const ACTIVATIONS: &str = "activations";
/// The largest script, in bytes.
const MAX_SCRIPT: u64 = 1 << 20;

/// Arguments of `golgi sae train`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A script is a TOML file:\n\n  model = \"smollm2\"\n  corpus = \"starter\"\n  tokens = 200000\n\n  \
    [[dictionaries]]\n  name = \"top\"\n  sites = [\"blocks.15.hook_resid_post\"]\n  architecture = { kind = \"top_k\", k = 32 }\n  \
    latents = 4608\n  steps = 1000\n\nEvery other name in [[dictionaries]] is a setting and replaces its published value."
)]
pub struct Args {
    /// A model (a name from `golgi models`, a folder, a file, hf://org/repo), or a training script (.toml)
    what: String,
    /// starter, a file (.txt, .jsonl, .parquet, .csv) or a folder; see `golgi corpora`
    #[arg(long, value_name = "CORPUS")]
    corpus: Option<String>,
    /// The site to be taken apart, such as blocks.15.hook_resid_post; several sites make a crosscoder
    #[arg(long, value_name = "SITE", num_args = 1..)]
    site: Vec<String>,
    /// Train a transcoder, which predicts this site from the other
    #[arg(long, value_name = "SITE", num_args = 1..)]
    predict: Vec<String>,
    /// Give a transcoder a dense path around its latents
    #[arg(long, requires = "predict")]
    skip: bool,
    /// Train a cross-layer transcoder: each site has latents of its own, which write to its predicted site and to all later ones
    #[arg(long, requires = "predict", conflicts_with = "skip")]
    cross_layer: bool,
    /// One dictionary of each of these is trained in one pass
    #[arg(long, value_enum, num_args = 1.., default_values_t = [Kind::TopK])]
    architecture: Vec<Kind>,
    /// How many latents; 8 for each dimension of the site by default
    #[arg(long, value_name = "N")]
    latents: Option<u32>,
    /// How many latents are active (TopK family), or aimed at (JumpReLU)
    #[arg(long, value_name = "K", default_value_t = DEFAULT_K)]
    k: u32,
    /// How many tokens of the corpus are harvested
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    tokens: u64,
    /// How many steps
    #[arg(long, value_name = "N", default_value_t = 1000)]
    steps: u64,
    /// Any other setting, such as rate=4e-4; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    settings: Vec<(String, Value)>,
    /// Train on this activation store in place of harvesting
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Train on the running model: no activations are stored, and each epoch computes them again
    #[arg(long, conflicts_with = "store")]
    on_the_fly: bool,
    /// How many batches are mixed in memory, on the fly
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUFFER)]
    buffer: usize,
    /// The folder of the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with an interrupted run
    #[arg(long)]
    resume: bool,
}

/// An architecture as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Kind {
    /// ReLU with an L1 penalty.
    Standard,
    /// A gate decides, a magnitude counts.
    Gated,
    /// The k largest of each token.
    TopK,
    /// The k·n largest of a batch of n tokens.
    BatchTopK,
    /// A threshold for each latent, aiming at k active.
    JumpRelu,
    /// BatchTopK whose prefixes reconstruct by themselves.
    Matryoshka,
}

impl Kind {
    fn architecture(self, k: u32, latents: u32) -> Architecture {
        match self {
            Kind::Standard => Architecture::Standard,
            Kind::Gated => Architecture::Gated,
            Kind::TopK => Architecture::TopK { k },
            Kind::BatchTopK => Architecture::BatchTopK { k },
            Kind::JumpRelu => Architecture::JumpRelu,
            Kind::Matryoshka => {
                let mut prefixes: Vec<u32> = [16, 8, 4, 2, 1].map(|part| latents / part).to_vec();
                prefixes.retain(|prefix| *prefix > 0);
                prefixes.dedup();
                Architecture::Matryoshka { k, prefixes }
            }
        }
    }
}

fn script(work: &Work, args: &Args) -> anyhow::Result<TrainScript> {
    let path = Path::new(&args.what);
    if path.extension().is_some_and(|extension| extension == "toml") {
        if !args.site.is_empty() || args.corpus.is_some() {
            return Err(failure("a script says which sites and which corpus; leave --site and --corpus away"));
        }
        let size = std::fs::metadata(path).map_err(|e| failure(format!("cannot read {}: {e}", path.display())))?.len();
        if size > MAX_SCRIPT {
            return Err(failure(format!("{} has {}; a script has at most 1 MB", path.display(), bytes_text(size))));
        }
        let text =
            std::fs::read_to_string(path).map_err(|e| failure(format!("cannot read {}: {e}", path.display())))?;
        let mut script: TrainScript =
            toml::from_str(&text).map_err(|error| failure(format!("{}: {error}", path.display())))?;
        script.on_the_fly |= args.on_the_fly;
        if args.buffer != DEFAULT_BUFFER {
            script.buffer = args.buffer;
        }
        return Ok(script);
    }
    let missing = |flag: &str| failure(format!("{flag} is missing; `golgi sae train --help` shows an example"));
    let site = args.site.first().ok_or_else(|| missing("--site"))?;
    let corpus = match (&args.corpus, &args.store) {
        (Some(corpus), _) => corpus.clone(),
        (None, Some(store)) => Store::manifest_of(store)?.origin.corpus,
        (None, None) => return Err(missing("--corpus")),
    };
    let latents = match (args.latents, &args.store) {
        (Some(latents), _) => latents,
        (None, Some(store)) => {
            let manifest = Store::manifest_of(store)?;
            8 * manifest.sites[manifest.site(site)?].width
        }
        (None, None) => {
            let model = work.open(&args.what)?;
            let site = site.parse().map_err(|error| failure(format!("{error}")))?;
            let spec = model.model.site(&site).map_err(|error| suggest::with_sites(error, &model.model))?;
            8 * spec.shape(&model.model.dims, 1, 1).iter().product::<usize>() as u32
        }
    };
    // As many for each layer.
    let latents = if args.cross_layer && args.latents.is_none() { latents * args.site.len() as u32 } else { latents };
    let mut settings: Map<String, Value> = args.settings.iter().cloned().collect();
    let dictionaries = args.architecture.iter().map(|kind| {
        let architecture = kind.architecture(args.k, latents);
        if *kind == Kind::JumpRelu {
            settings.entry("target_l0").or_insert_with(|| args.k.into());
        }
        DictionarySpec {
            name: architecture.name().to_owned(),
            sites: args.site.clone(),
            predicts: args.predict.clone(),
            skip: args.skip,
            cross_layer: args.cross_layer,
            architecture,
            latents,
            steps: args.steps,
            settings: settings.clone(),
        }
    });
    let dictionaries = dictionaries.collect();
    Ok(TrainScript {
        model: args.what.clone(),
        corpus,
        tokens: args.tokens,
        context: 128,
        on_the_fly: args.on_the_fly,
        buffer: args.buffer,
        split: Some(Split::Explore),
        dictionaries,
    })
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let script = script(work, args)?;
    // Impossible settings are refused before any work; those that need the width, when it is known.
    let jobs = script.jobs(work.global.seed())?;
    jobs.iter().try_for_each(Job::check)?;
    if !args.resume && args.out.join(golgi_sae::train::RUN).exists() {
        return Err(failure(format!(
            "there is a run in {} already; go on with --resume, or choose another folder",
            args.out.display()
        )));
    }
    let store = match &args.store {
        _ if script.on_the_fly => {
            let report = on_the_fly(work, args, &script, jobs)?;
            summary(work, args, &script, &report)?;
            return Ok(Exit::Success);
        }
        Some(store) => store.clone(),
        None => {
            let store = args.out.join(ACTIVATIONS);
            harvest(work, &script, &store)?;
            store
        }
    };
    let store = Store::open(&store)?;
    let watch = work.watch();
    let report = train(&store, jobs, RunOptions::default(), &args.out, args.resume, &work.ctx)?;
    drop(watch);
    summary(work, args, &script, &report)?;
    Ok(Exit::Success)
}

/// Trains on the running model.
fn on_the_fly(work: &Work, args: &Args, script: &TrainScript, jobs: Vec<Job>) -> anyhow::Result<RunReport> {
    let corpus = Corpus::open(&script.corpus, &CorpusOptions::default())?;
    let model = work.open(&script.model)?;
    let params = script.harvest()?;
    let _watch = work.watch();
    let corpus = PackedCorpus::open_or_build(&corpus, model.tokenizer()?, &work.ctx)?;
    let rows = ModelRows::new(&model, &corpus, &params, &work.ctx).map_err(|error| match error {
        HarvestError::Probe(error) => suggest::with_sites(error, &model.model),
        other => other.into(),
    })?;
    let batch = jobs.first().map_or(0, |job| job.settings.batch);
    let live = Live::new(&rows, batch, script.buffer, work.global.seed())?;
    Ok(train(&live, jobs, RunOptions::default(), &args.out, args.resume, &work.ctx)?)
}

/// Harvests what the dictionaries need, or goes on with it.
fn harvest(work: &Work, script: &TrainScript, out: &Path) -> anyhow::Result<()> {
    let corpus = Corpus::open(&script.corpus, &CorpusOptions::default())?;
    let model = work.open(&script.model)?;
    let params = script.harvest()?;
    let watch = work.watch();
    let corpus = PackedCorpus::open_or_build(&corpus, model.tokenizer()?, &work.ctx)?;
    let harvest = Harvest::begin(&model, &corpus, &params, out, true, &work.ctx).map_err(|error| match error {
        HarvestError::Probe(error) => suggest::with_sites(error, &model.model),
        other => other.into(),
    })?;
    let expected = harvest.estimate()?;
    drop(watch);
    if expected.todo > 0 && !work.out.json {
        work.out.remark(&format!(
            "activations of {} tokens: {} on disk, about {:.0} s",
            expected.tokens,
            bytes_text(expected.bytes),
            expected.seconds
        ));
    }
    let _watch = work.watch();
    harvest.run()?;
    Ok(())
}

fn summary(work: &Work, args: &Args, script: &TrainScript, report: &RunReport) -> anyhow::Result<()> {
    if work.out.json {
        let document = json!({
            "script": script,
            "out": args.out,
            "report": report,
            "warnings": work.ctx.warnings(),
        });
        return Ok(work.out.document("sae.train", document)?);
    }
    let mut table = Table::new()
        .left("dictionary")
        .right("step")
        .right("loss")
        .right("L0")
        .right("explained")
        .right("dead")
        .flexible("folder");
    for (name, folder, record) in &report.dictionaries {
        let folder = Cell::new(folder.display().to_string(), Style::Dim);
        let Some(record) = record else {
            table.row([name.clone().into(), "0".into(), "".into(), "".into(), "".into(), "".into(), folder]);
            continue;
        };
        let last = &record.report;
        table.row([
            name.clone().into(),
            last.step.to_string().into(),
            number(last.loss.total).into(),
            number(last.l0).into(),
            format!("{:.1} %", last.explained * 100.0).into(),
            format!("{:.1} %", last.dead * 100.0).into(),
            folder,
        ]);
    }
    work.out.table(&table)?;
    let speed = report.steps as f64 / report.seconds.max(1e-9);
    let state = if report.stopped { "stopped; `--resume` goes on" } else { "done" };
    Ok(work.out.line(&format!("{state}: {} steps, {speed:.1} steps/s, over {} rows", report.steps, report.rows))?)
}
