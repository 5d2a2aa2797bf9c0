//! `golgi capture`: activations to a safetensors file.

use golgi_data::context::{RunContext, bytes_text};
use golgi_data::site::{Site, SitePattern};
use golgi_probes::intervention::{Edits, Traces};
use golgi_probes::{
    Batch, Capture, ForwardOptions, MemoryEstimate, OpenModel, PassInfo, ProbeError, Stack, Tap, Tensor, Trace,
    preflight,
};
use serde_json::{Value, json};

use super::args::{Budget, Changes, Input, Out};
use super::exit::Exit;
use super::work::Work;
use super::{change, suggest};
use crate::report::{FileError, OutFile};

/// Arguments of `golgi capture`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name from `golgi models`, a folder, a file, or hf://org/repo
    model: String,
    #[command(flatten)]
    pub input: Input,
    /// Which sites, as globs: '*' is every site, 'blocks.*.mlp.hook_post' the neurons of all layers
    #[arg(long, value_name = "GLOB", num_args = 1.., required = true)]
    pub sites: Vec<String>,
    /// Capture the logits too
    #[arg(long)]
    logits: bool,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    budget: Budget,
    #[command(flatten)]
    changes: Changes,
}

pub fn run(work: &Work, args: Args) -> anyhow::Result<Exit> {
    let out = OutFile::new(&args.out.out)?;
    let mut patterns = patterns(&args.sites)?;
    let changes = change::parse(&args.changes.interventions)?;
    let model = work.open(&args.model)?;
    let tokens = work.tokens(&model, &args.input.into())?;
    if args.logits {
        if !model.model.has_logits() {
            return Err(ProbeError::NoLogits(format!("`{}`", model.name)).into());
        }
        patterns.push(SitePattern::from(&Site::Logits));
    }
    let estimate = preflight(&model.model, &patterns, (1, tokens.len()), args.logits, args.budget.budget)
        .map_err(|error| suggest::with_sites(error, &model.model))?;
    if !work.out.json {
        work.out.remark(&estimate_text(&estimate));
    }
    let watch = work.watch();
    let traces = Traces::new();
    let mut edits = Edits::new(&model.model, &changes, &traces)?;
    let mut capture = Watched::new(Capture::new(patterns), &work.ctx, true);
    work.ctx.stage("capturing", capture.count(&model) as u64);
    let options = ForwardOptions { fused_attention: work.global.fused_attention, ..ForwardOptions::default() };
    model.model.forward(&Batch::single(&tokens)?, &mut Stack::new().with(&mut edits).with(&mut capture), options)?;
    let trace = capture.into_trace(vec![tokens])?;
    write(&work.ctx, &out, &trace)?;
    drop(watch);
    summary(work, &model, &trace, &out, &estimate)?;
    Ok(Exit::Success)
}

/// Reads globs over sites.
///
/// # Errors
/// If one is no glob.
pub fn patterns(sites: &[String]) -> anyhow::Result<Vec<SitePattern>> {
    Ok(sites.iter().map(|site| SitePattern::new(site)).collect::<Result<_, _>>()?)
}

/// Writes a trace; the file appears when it is whole.
///
/// # Errors
/// If it cannot be written, or the work was cancelled before.
pub fn write(ctx: &RunContext, out: &OutFile, trace: &Trace) -> anyhow::Result<()> {
    ctx.stage("writing", 0);
    ctx.check()?;
    out.fill(|path| trace.save(path).map_err(|error| SaveError::of(error, out)))?;
    Ok(())
}

/// A capture that could not be written.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Probe(ProbeError),
}

impl SaveError {
    /// The message names the file that was asked for, not the temporary one.
    fn of(error: ProbeError, out: &OutFile) -> SaveError {
        SaveError::Probe(match error {
            ProbeError::File { action, cause, .. } => {
                let full = cause.contains("No space left") || cause.contains("StorageFull");
                let advice = if full { "; free some space, or name a file on another disk" } else { "" };
                ProbeError::File { path: out.path().display().to_string(), action, cause: format!("{cause}{advice}") }
            }
            other => other,
        })
    }
}

fn estimate_text(estimate: &MemoryEstimate) -> String {
    format!(
        "needs about {} of memory: {} weights, {} captured, {} while computing",
        bytes_text(estimate.total()),
        bytes_text(estimate.weights),
        bytes_text(estimate.captured),
        bytes_text(estimate.working)
    )
}

fn summary(
    work: &Work,
    model: &OpenModel,
    trace: &Trace,
    out: &OutFile,
    estimate: &MemoryEstimate,
) -> anyhow::Result<()> {
    let bytes = std::fs::metadata(out.path()).map(|file| file.len()).unwrap_or(0);
    let tokens = trace.tokens.first().map_or(0, Vec::len);
    if work.out.json {
        let sites: Vec<Value> =
            trace.sites.iter().map(|(site, tensor)| json!({ "site": site, "shape": tensor.size() })).collect();
        let document = json!({
            "model": model.spec,
            "model_digest": model.digest()?,
            "dtype": model.dtype.to_string(),
            "out": out.path(),
            "bytes": bytes,
            "tokens": trace.tokens.first(),
            "sites": sites,
            "estimate": estimate,
            "warnings": work.ctx.warnings(),
        });
        work.out.document("capture", document)?;
    } else {
        let n = trace.sites.len();
        let sites = if n == 1 { "1 site".to_owned() } else { format!("{n} sites") };
        work.out.line(&format!(
            "{sites} × {tokens} tokens written to {} ({})",
            out.path().display(),
            bytes_text(bytes)
        ))?;
    }
    Ok(())
}

/// A capture that reports progress, can be cancelled at each site, and knows how many positions it has seen.
pub struct Watched {
    inner: Capture,
    ctx: RunContext,
    /// Whether each site is a step of the work.
    counts: bool,
    positions: usize,
}

impl Watched {
    /// A capture under watch; with `counts` each site is a step of the work.
    pub fn new(inner: Capture, ctx: &RunContext, counts: bool) -> Watched {
        Watched { inner, ctx: ctx.clone(), counts, positions: 0 }
    }

    /// How many sites of the model it wants.
    pub fn count(&self, model: &OpenModel) -> usize {
        model.model.sites().iter().filter(|spec| self.inner.wants(&spec.site)).count()
    }

    /// How many positions went through the model.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// What was captured.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn into_trace(self, tokens: Vec<Vec<u32>>) -> Result<Trace, ProbeError> {
        self.inner.into_trace(tokens)
    }
}

impl Tap for Watched {
    fn wants(&self, site: &Site) -> bool {
        self.inner.wants(site)
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor, ProbeError> {
        self.ctx.check()?;
        self.ctx.advance(u64::from(self.counts));
        self.inner.visit(site, activation)
    }

    fn begin(&mut self, pass: &PassInfo<'_>) -> Result<(), ProbeError> {
        self.positions += pass.pos as usize;
        self.inner.begin(pass)
    }
}
