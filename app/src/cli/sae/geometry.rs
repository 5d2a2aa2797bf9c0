//! `golgi sae geometry`: crystals, lobes and the galaxy of a dictionary.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use golgi_analysis::geometry::{Affinity, GeometryParams, LobeParams, PairList, geometry};
use golgi_analysis::prompt::PromptInput;
use golgi_analysis::provenance;
use golgi_analysis::report::Provenance;
use golgi_data::context::bytes_text;
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus};
use golgi_data::dictionary::Dictionary;
use golgi_probes::OpenModel;
use golgi_sae::Coder;
use serde_json::json;

use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::show;
use crate::cli::work::Work;
use crate::report::{Document, Format, OutFile};

/// The largest list of pairs, in bytes.
const MAX_LIST: u64 = 1 << 20;

/// Arguments of `golgi sae geometry`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A list of pairs has one pair a line: relation, a and b, divided by tabs. Members are words, which the model reads, or latents such \
    as #12. Without --pairs, ten pairs each of eight relations between English words are used."
)]
pub struct Args {
    /// The folder of the dictionary
    #[arg(value_name = "DIR")]
    dictionary: PathBuf,
    /// The model, if it is not to be found under the name that the dictionary has for it
    #[arg(long, value_name = "MODEL", conflicts_with = "no_model")]
    model: Option<String>,
    /// The corpus of the lobes, if not the one of the training
    #[arg(long, value_name = "CORPUS", conflicts_with = "no_model")]
    corpus: Option<String>,
    /// Look only at decoder directions: no lobes, and crystals only of latents
    #[arg(long)]
    no_model: bool,
    /// A list of pairs by relation
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Tokens of the corpus
    #[arg(long, value_name = "N", default_value_t = LobeParams::default().tokens)]
    tokens: u64,
    /// Tokens of a block; latents of one lobe are active in the same blocks
    #[arg(long, value_name = "N", default_value_t = LobeParams::default().block)]
    block: usize,
    /// A latent counts as active above this; 1 in the published work on Gemma Scope
    #[arg(long, value_name = "VALUE", default_value_t = LobeParams::default().threshold)]
    threshold: f32,
    /// How co-occurrence is measured
    #[arg(long, value_enum, default_value_t = Measure::Phi)]
    affinity: Measure,
    /// Numbers of lobes
    #[arg(long, value_name = "K", value_delimiter = ',', default_values_t = LobeParams::default().clusters)]
    clusters: Vec<usize>,
    /// Latents that are clustered, at most
    #[arg(long, value_name = "N", default_value_t = LobeParams::default().latents)]
    latents: usize,
    /// Sets of random directions to compare with
    #[arg(long, value_name = "N", default_value_t = LobeParams::default().random_sets)]
    random_sets: usize,
    /// Write the report to a .html, .md or .json file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// An affinity as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Measure {
    /// φ + 1
    Phi,
    /// Blocks of both by blocks of either
    Jaccard,
    /// Twice the blocks of both by the sum of the blocks of each
    Dice,
    /// Blocks of both or of neither by all
    SimpleMatching,
    /// Blocks of both by those of the rarer one
    Overlap,
}

impl From<Measure> for Affinity {
    fn from(measure: Measure) -> Affinity {
        match measure {
            Measure::Phi => Affinity::Phi,
            Measure::Jaccard => Affinity::Jaccard,
            Measure::Dice => Affinity::Dice,
            Measure::SimpleMatching => Affinity::SimpleMatching,
            Measure::Overlap => Affinity::Overlap,
        }
    }
}

fn list(path: &Path) -> anyhow::Result<PairList> {
    let unreadable = |error: std::io::Error| failure(format!("cannot read {}: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_LIST {
        return Err(failure(format!("{} has {}; a list of pairs has at most 1 MB", path.display(), bytes_text(size))));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    PairList::parse(&text).map_err(|error| failure(format!("{}: {error}", path.display())))
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let out = match &args.out {
        Some(path) => Some((Format::of(path)?, OutFile::new(path)?)),
        None => None,
    };
    let mut params = GeometryParams::default();
    params.lobes.tokens = args.tokens;
    params.lobes.block = args.block;
    params.lobes.threshold = args.threshold;
    params.lobes.affinity = args.affinity.into();
    params.lobes.clusters.clone_from(&args.clusters);
    params.lobes.latents = args.latents;
    params.lobes.random_sets = args.random_sets;
    params.check()?;
    let dictionary = Dictionary::read(&args.dictionary)?;
    let pairs = match (&args.pairs, args.no_model) {
        (Some(path), _) => Some(list(path)?),
        (None, true) => None,
        (None, false) => Some(PairList::own()),
    };
    if args.no_model && pairs.as_ref().is_some_and(|list| !list.of_latents()) {
        return Err(failure("the pairs are words, which a model has to read; leave --no-model away"));
    }
    let (model, corpus) = if args.no_model { (None, None) } else { open(work, args, &dictionary)? };
    let coder = Coder::new(dictionary)?;
    let found = {
        let _watch = work.watch();
        geometry(&coder, model.as_ref(), corpus.as_ref(), pairs.as_ref(), &params, &work.ctx)?
    };
    let mut from = match &model {
        Some(model) => provenance(model, &PromptInput::default(), work.global.seed())?,
        None => Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: coder.dictionary().config.model.clone().unwrap_or_default(),
            seed: work.global.seed(),
            ..Provenance::default()
        },
    };
    from.tokens = found.lobes.as_ref().map_or(0, |_| args.tokens as usize);
    let mut report = found.report(&coder, from);
    report.warnings.extend(work.ctx.warnings());
    if let Some((format, out)) = &out {
        work.ctx.check()?;
        out.write(Document::of_report(report.clone()).render(*format).as_bytes())?;
    }
    if work.out.json {
        let file = out.as_ref().map(|(_, out)| out.path());
        work.out
            .document("sae.geometry", json!({ "params": params, "geometry": found, "report": report, "out": file }))?;
    } else {
        report.warnings.clear();
        show::report(&work.out, &report)?;
        if let Some((_, out)) = &out {
            work.out.line(&format!("\nWritten to {}", out.path().display()))?;
        }
    }
    Ok(Exit::Success)
}

/// The model of the dictionary, and the texts whose co-occurrences are counted.
fn open(
    work: &Work,
    args: &Args,
    dictionary: &Dictionary,
) -> anyhow::Result<(Option<OpenModel>, Option<PackedCorpus>)> {
    let name = super::model_of(args.model.as_deref(), &dictionary.config)?;
    let missing =
        || failure("the dictionary does not say which corpus it was trained on; give --corpus, or --no-model");
    let corpus = args.corpus.clone().or_else(|| dictionary.config.corpus.clone()).ok_or_else(missing)?;
    let corpus = Corpus::open(&corpus, &CorpusOptions::default())?;
    let model = work.open(&name)?;
    let _watch = work.watch();
    let corpus = PackedCorpus::open_or_build(&corpus, model.tokenizer()?, &work.ctx)?;
    Ok((Some(model), Some(corpus)))
}
