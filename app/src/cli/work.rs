//! What a command works with: the flags, the output, a context, and how to get at models and texts.

use golgi_data::context::RunContext;
use golgi_data::models::ResolveError;
use golgi_probes::vision::OpenVision;
use golgi_probes::{OpenModel, ProbeError};

use super::args::{Global, OptionalInput};
use super::error::failure;
use super::interrupt;
use super::output::Output;
use super::progress::Watcher;

/// One run of a command.
#[derive(Debug)]
pub struct Work {
    /// Flags of every command.
    pub global: Global,
    /// Standard output.
    pub out: Output,
    /// Progress, cancellation, seed, warnings.
    pub ctx: RunContext,
}

impl Work {
    /// A fresh run; from now on Ctrl-C cancels it.
    pub fn new(global: Global, out: Output) -> Work {
        let ctx = RunContext::new(global.seed());
        interrupt::cancels(&ctx);
        Work { global, out, ctx }
    }

    /// Shows progress until the value is dropped.
    pub fn watch(&self) -> Watcher {
        Watcher::start(&self.ctx, !self.out.quiet)
    }

    /// Opens a model.
    ///
    /// # Errors
    /// If it cannot be found, read or understood.
    pub fn open(&self, spec: &str) -> anyhow::Result<OpenModel> {
        let _watch = self.watch();
        golgi_probes::open(spec, &self.global.resolver(), &self.global.open_options(), &self.ctx).map_err(|error| {
            match error {
                ProbeError::Resolve(error) => advised(error),
                other => other.into(),
            }
        })
    }

    /// Opens a network for images.
    ///
    /// # Errors
    /// If it cannot be found, read or understood.
    pub fn open_vision(&self, spec: &str) -> anyhow::Result<OpenVision> {
        let _watch = self.watch();
        let files = self.global.resolver().resolve(spec, &self.ctx).map_err(advised)?;
        Ok(OpenVision::from_files(files, &self.global.open_options(), &self.ctx)?)
    }

    /// The tokens that were asked for, checked against the model.
    ///
    /// # Errors
    /// If there are none, too many, or some that the model does not know.
    pub fn tokens(&self, model: &OpenModel, input: &OptionalInput) -> anyhow::Result<Vec<u32>> {
        match (&input.text, &input.tokens) {
            (Some(text), _) => Ok(model.encode(text)?),
            (None, Some(tokens)) => {
                model.check_length(tokens)?;
                let d_vocab = model.model.dims.d_vocab;
                match tokens.iter().find(|token| **token as usize >= d_vocab) {
                    Some(token) => Err(ProbeError::UnknownToken { token: i64::from(*token), d_vocab }.into()),
                    None => Ok(tokens.clone()),
                }
            }
            (None, None) => Err(failure("there is nothing to run the model on; give --text or --tokens")),
        }
    }
}

/// Adds how this program is told to download.
pub fn advised(error: ResolveError) -> anyhow::Error {
    match error {
        ResolveError::NotCached { repo } => failure(format!(
            "{repo} is not on this machine, or not whole; run the command again with --download to fetch it"
        )),
        other => other.into(),
    }
}
