//! `golgi sae eval`: the report card of a dictionary.

use std::path::PathBuf;

use golgi_analysis::sae::{EvaluateParams, evaluate};
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus};
use golgi_data::dictionary::Dictionary;
use golgi_sae::Coder;
use serde_json::json;

use crate::cli::error::failure;
use crate::cli::exit::Exit;
use crate::cli::show;
use crate::cli::work::Work;

/// Arguments of `golgi sae eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the dictionary
    #[arg(value_name = "DIR")]
    dictionary: PathBuf,
    /// The model, if it is not to be found under the name that the dictionary has for it
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The corpus, if not the one of the training; documents that were not trained on are used
    #[arg(long, value_name = "CORPUS")]
    corpus: Option<String>,
    /// Another dictionary of the same site, trained with another seed, to see what is stable
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Tokens whose activations are reconstructed
    #[arg(long, value_name = "N", default_value_t = EvaluateParams::default().tokens)]
    tokens: u64,
    /// Tokens on which the model's loss is measured with the dictionary in it
    #[arg(long, value_name = "N", default_value_t = EvaluateParams::default().splice_tokens)]
    splice_tokens: u64,
    /// Texts on which few latents have to tell language and genre; 0: none
    #[arg(long, value_name = "N", default_value_t = EvaluateParams::default().probe_texts)]
    probe_texts: usize,
    /// Words whose first letters latents have to tell; 0: none
    #[arg(long, value_name = "N", default_value_t = EvaluateParams::default().words)]
    words: usize,
}

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let dictionary = Dictionary::read(&args.dictionary)?;
    let other = args.against.as_deref().map(Dictionary::read).transpose()?.map(Coder::new).transpose()?;
    let model = super::model_of(args.model.as_deref(), &dictionary.config)?;
    let missing = || failure("the dictionary does not say which corpus it was trained on; give --corpus");
    let corpus = args.corpus.clone().or_else(|| dictionary.config.corpus.clone()).ok_or_else(missing)?;
    let corpus = Corpus::open(&corpus, &CorpusOptions::default())?;
    let model = work.open(&model)?;
    if let Some(digest) = &dictionary.config.model_digest
        && *digest != model.digest()?
    {
        work.ctx
            .warn("the dictionary was made with other weights of this model; what follows may say little".to_owned());
    }
    let coder = Coder::new(dictionary)?;
    let watch = work.watch();
    let corpus = PackedCorpus::open_or_build(&corpus, model.tokenizer()?, &work.ctx)?;
    let params = EvaluateParams {
        tokens: args.tokens,
        splice_tokens: args.splice_tokens,
        probe_texts: args.probe_texts,
        words: args.words,
        ..EvaluateParams::default()
    };
    let evaluation = evaluate(&model, &corpus, &coder, other.as_ref(), &params, &work.ctx)?;
    drop(watch);
    let mut report = evaluation.report(&model, &coder, &work.ctx)?;
    if work.out.json {
        report.warnings.extend(work.ctx.warnings());
        work.out.document("sae.eval", json!({ "params": params, "evaluation": evaluation, "report": report }))?;
    } else {
        show::report(&work.out, &report)?;
    }
    Ok(Exit::Success)
}
