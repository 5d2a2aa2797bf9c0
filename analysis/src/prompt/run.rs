//! One prompt through the model, with what the analyses of it read.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use golgi_data::context::RunContext;
use golgi_data::site::{BlockPoint, Site, SitePattern};
use golgi_probes::intervention::{Edit, Edits, Intervention, Traces};
use golgi_probes::transformer::Layout;
use golgi_probes::{
    Batch, Device, ForwardOptions, Kind, OpenModel, ProbeError, Stack, Tap, Tensor, Trace, Transformer, preflight,
};

use crate::distribution::Distributions;
use crate::error::{AnalysisError, Result};
use crate::units::table::NeuronNorms;

/// What runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PromptInput {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// What is changed on the way; empty for the model as it is.
    pub interventions: Vec<Intervention>,
    /// One fused attention kernel in layers whose pattern is not captured.
    pub fused_attention: bool,
}

/// What to capture in the first pass. Whatever an analysis misses later it captures in a further pass by itself, so this
/// only decides about speed and memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Attention patterns: [`attention`](super::attention).
    pub patterns: bool,
    /// Neuron activations: [`attribution`](super::attribution), [`table`](crate::units::table).
    pub neurons: bool,
    /// What heads mix: [`attribution`](super::attribution).
    pub heads: bool,
    /// The residual stream behind every block: [`logit_lens`](super::logit_lens).
    pub lens: bool,
}

impl Needs {
    /// Everything, in one pass.
    pub fn all() -> Needs {
        Needs { patterns: true, neurons: true, heads: true, lens: true }
    }
}

/// The captured activations of one prompt. It may move between threads, but lives beside its model.
#[derive(Debug)]
pub struct PromptRun {
    input: PromptInput,
    /// Only the traces that the interventions read.
    traces: Traces,
    budget_bytes: Option<u64>,
    /// Whether an intervention acts behind the last residual stream, where logits cannot be recomputed from.
    tail_changed: bool,
    held: RefCell<BTreeMap<Site, Tensor>>,
    /// All logits, `[pos, d_vocab]`, where they are few enough to keep.
    logits: OnceCell<Tensor>,
    choices: OnceCell<Vec<u32>>,
    norms: OnceCell<NeuronNorms>,
}

/// The tap that keeps an exact set of sites, in main memory.
struct Keep<'a> {
    wanted: HashSet<&'a Site>,
    kept: BTreeMap<Site, Tensor>,
}

impl Tap for Keep<'_> {
    fn wants(&self, site: &Site) -> bool {
        self.wanted.contains(site)
    }

    fn visit(&mut self, site: &Site, activation: Tensor) -> Result<Tensor, ProbeError> {
        self.kept.insert(site.clone(), activation.f_detach()?.f_to_device(Device::Cpu)?);
        Ok(activation)
    }
}

/// How many numbers of logits are held at once, in f32: 64 MB.
const LOGITS_AT_ONCE: usize = 1 << 24;

impl PromptRun {
    /// Runs the model over the prompt, with its interventions, as far as `needs` asks for.
    ///
    /// # Errors
    /// If the tokens do not fit the model, an intervention cannot be applied, the capture would exceed `budget_bytes`, or the
    /// work is cancelled.
    pub fn new(
        model: &OpenModel,
        input: &PromptInput,
        traces: &Traces,
        needs: Needs,
        budget_bytes: Option<u64>,
        ctx: &RunContext,
    ) -> Result<PromptRun> {
        model.check_length(&input.tokens)?;
        ctx.stage("running the prompt", 1);
        ctx.check()?;
        let active = input.interventions.iter().filter(|intervention| intervention.enabled);
        let used: HashSet<&String> = active.clone().filter_map(|intervention| trace_of(&intervention.edit)).collect();
        let copies = traces.iter().filter(|(name, _)| used.contains(name));
        let tail = [Site::LnFinalScale, Site::LnFinalNormalized, Site::Logits];
        let run = PromptRun {
            traces: copies.map(|(name, trace)| (name.clone(), share(trace))).collect(),
            budget_bytes,
            tail_changed: active.clone().any(|change| tail.iter().any(|site| change.site.matches(site))),
            input: input.clone(),
            held: RefCell::default(),
            logits: OnceCell::new(),
            choices: OnceCell::new(),
            norms: OnceCell::new(),
        };
        run.need(model, &first_sites(&model.model, needs, run.tail_changed))?;
        ctx.advance(1);
        Ok(run)
    }

    /// The prompt.
    pub fn tokens(&self) -> &[u32] {
        &self.input.tokens
    }

    /// What ran.
    pub fn input(&self) -> &PromptInput {
        &self.input
    }

    /// Whether an intervention was in force.
    pub(crate) fn is_changed(&self) -> bool {
        self.input.interventions.iter().any(|intervention| intervention.enabled)
    }

    /// Whether one of them acts behind the last residual stream.
    pub(crate) fn tail_changed(&self) -> bool {
        self.tail_changed
    }

    /// The tokens, for display.
    pub(crate) fn pieces(&self, model: &OpenModel) -> Vec<String> {
        self.tokens().iter().map(|id| model.piece(*id)).collect()
    }

    /// The position that `position` means: from the end if negative.
    pub(crate) fn position(&self, position: i64) -> Result<usize> {
        let len = self.tokens().len();
        let counted = if position < 0 { position + len as i64 } else { position };
        usize::try_from(counted).ok().filter(|p| *p < len).ok_or(AnalysisError::Position { position, len })
    }

    /// Captures those of `sites` that are missing, in one pass that stops behind the last of them. Sites that the model
    /// does not have are left out.
    pub(crate) fn need(&self, model: &OpenModel, sites: &[Site]) -> Result<()> {
        let network = &model.model;
        let missing: HashSet<&Site> = {
            let held = self.held.borrow();
            sites.iter().filter(|site| !held.contains_key(site)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let exists: Vec<Site> = network.sites().into_iter().map(|spec| spec.site).collect();
        let wanted: HashSet<&Site> = exists.iter().filter(|site| missing.contains(site)).collect();
        let logits = wanted.contains(&Site::Logits);
        preflight(
            network,
            &patterns(&wanted, network.blocks.len()),
            (1, self.tokens().len()),
            logits,
            self.budget_bytes,
        )?;
        let mut keep = Keep { wanted, kept: BTreeMap::new() };
        let mut edits = Edits::new(network, &self.input.interventions, &self.traces)?;
        let options = ForwardOptions { fused_attention: self.input.fused_attention, ..ForwardOptions::default() };
        let batch = Batch::single(self.tokens())?;
        network.forward(&batch, &mut Stack::new().with(&mut edits).with(&mut keep), options)?;
        self.held.borrow_mut().append(&mut keep.kept);
        Ok(())
    }

    /// The activation at `site` as captured, `[1, pos, …]`, in main memory; captured now if it is missing.
    pub(crate) fn captured(&self, model: &OpenModel, site: &Site) -> Result<Tensor> {
        self.need(model, std::slice::from_ref(site))?;
        match self.held.borrow().get(site) {
            Some(tensor) => Ok(tensor.shallow_clone()),
            // The model has no such site; this says so, with what might have been meant.
            None => Err(match model.model.site(site) {
                Err(error) => error,
                Ok(_) => ProbeError::Trace(format!("it holds nothing of `{site}`")),
            }
            .into()),
        }
    }

    /// The activation at `site` without its batch axis, in f32.
    pub(crate) fn activation(&self, model: &OpenModel, site: &Site) -> Result<Tensor> {
        Ok(self.captured(model, site)?.f_squeeze_dim(0)?.f_to_kind(Kind::Float)?)
    }

    /// The pieces of `0..positions` whose logits fit into memory at once.
    pub(crate) fn chunks(&self, model: &OpenModel) -> impl Iterator<Item = Range<usize>> + use<> {
        let (len, step) = (self.tokens().len(), rows_at_once(&model.model));
        (0..len).step_by(step).map(move |start| start..(start + step).min(len))
    }

    /// Logits of the positions `at`, `[positions, d_vocab]`, f32, in main memory. Kept for the next who asks, if all of them
    /// fit at once.
    pub(crate) fn logits(&self, model: &OpenModel, at: Range<usize>) -> Result<Tensor> {
        let len = self.tokens().len();
        if len > rows_at_once(&model.model) {
            return self.fresh_logits(model, at);
        }
        let whole = match self.logits.get() {
            Some(whole) => whole,
            None => {
                let whole = self.fresh_logits(model, 0..len)?;
                self.logits.get_or_init(|| whole)
            }
        };
        Ok(whole.f_narrow(0, at.start as i64, at.len() as i64)?)
    }

    fn fresh_logits(&self, model: &OpenModel, at: Range<usize>) -> Result<Tensor> {
        let (start, n) = (at.start as i64, at.len() as i64);
        if self.tail_changed {
            let logits = self.captured(model, &Site::Logits)?;
            return Ok(logits.f_select(0, 0)?.f_narrow(0, start, n)?.f_to_kind(Kind::Float)?);
        }
        lens(&model.model, &self.captured(model, &last_resid(&model.model)?)?.f_narrow(1, start, n)?)
    }

    /// The model's first choice at each position, found once; `None` if it predicts nothing.
    pub(crate) fn first_choices(&self, model: &OpenModel) -> Result<Option<&[u32]>> {
        if !model.model.has_logits() {
            return Ok(None);
        }
        if let Some(choices) = self.choices.get() {
            return Ok(Some(choices));
        }
        let mut ids = Vec::with_capacity(self.tokens().len());
        for at in self.chunks(model) {
            let top = Distributions::new(self.logits(model, at)?)?.top(model, 1)?;
            ids.extend(top.into_iter().flatten().map(|best| best.id));
        }
        Ok(Some(self.choices.get_or_init(|| ids)))
    }

    /// Norms of every neuron's vectors, computed once.
    pub(crate) fn norms(&self, model: &OpenModel) -> Result<&NeuronNorms> {
        if let Some(norms) = self.norms.get() {
            return Ok(norms);
        }
        let norms = NeuronNorms::of(&model.model)?;
        Ok(self.norms.get_or_init(|| norms))
    }
}

/// How many rows of logits are held at once.
pub(crate) fn rows_at_once(model: &Transformer) -> usize {
    (LOGITS_AT_ONCE / model.dims.d_vocab.max(1)).max(1)
}

/// Logits of any residual stream `[1, rows, d_model]`: `[rows, d_vocab]`, f32, in main memory.
pub(crate) fn lens(model: &Transformer, resid: &Tensor) -> Result<Tensor> {
    let logits = model.unembed(&resid.f_to_device(model.device)?)?;
    Ok(logits.f_select(0, 0)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?)
}

/// The residual stream that the unembedding reads.
pub(crate) fn last_resid(model: &Transformer) -> Result<Site> {
    match model.blocks.len() {
        0 => Err(ProbeError::Config("it has no layers".into()).into()),
        n => Ok(Site::block(n as u32 - 1, BlockPoint::ResidPost)),
    }
}

fn first_sites(model: &Transformer, needs: Needs, tail_changed: bool) -> Vec<Site> {
    use BlockPoint as P;
    let mut points = Vec::new();
    if needs.patterns {
        points.push(P::Pattern);
    }
    let sandwich = model.blocks.iter().any(|block| matches!(block.layout, Layout::Sandwich { .. }));
    if needs.heads {
        points.push(P::Z);
        points.extend(sandwich.then_some(P::Ln1PostScale));
    }
    if needs.neurons {
        points.extend([P::MlpPost, P::MlpOut]);
        points.extend(sandwich.then_some(P::Ln2PostScale));
    }
    if needs.lens {
        points.push(P::ResidPost);
    }
    let n_layers = model.blocks.len() as u32;
    let mut sites: Vec<Site> =
        points.into_iter().flat_map(|point| (0..n_layers).map(move |layer| Site::block(layer, point))).collect();
    if needs.lens {
        sites.push(Site::block(0, P::ResidPre));
    }
    if needs.heads || needs.neurons {
        sites.extend([Site::Embed, Site::PosEmbed, Site::LnFinalScale]);
    }
    sites.extend(last_resid(model).ok());
    if tail_changed {
        sites.push(Site::Logits);
    }
    sites
}

/// Patterns for the same sites, as few as possible, since each is compared with every site of the model.
fn patterns(wanted: &HashSet<&Site>, n_layers: usize) -> Vec<SitePattern> {
    let mut by_point: BTreeMap<Option<BlockPoint>, Vec<&Site>> = BTreeMap::new();
    wanted.iter().for_each(|site| by_point.entry(site.point()).or_default().push(site));
    let several = |(point, sites): (Option<BlockPoint>, Vec<&Site>)| {
        let every = point.filter(|_| sites.len() == n_layers).map(|point| format!("blocks.*.{}", point.name()));
        match every.and_then(|text| SitePattern::new(&text).ok()) {
            Some(pattern) => vec![pattern],
            None => sites.into_iter().map(SitePattern::from).collect(),
        }
    };
    by_point.into_iter().flat_map(several).collect()
}

fn trace_of(edit: &Edit) -> Option<&String> {
    match edit {
        Edit::Mean { trace } => trace.as_ref(),
        Edit::Patch { trace } => Some(trace),
        _ => None,
    }
}

/// The same trace again; its tensors are shared.
fn share(trace: &Trace) -> Trace {
    let sites = trace.sites.iter().map(|(site, tensor)| (site.clone(), tensor.shallow_clone()));
    Trace { sites: sites.collect(), tokens: trace.tokens.clone() }
}

#[cfg(test)]
mod tests {
    use golgi_data::unit::Unit;
    use golgi_probes::Capture;
    use golgi_probes::intervention::Positions;

    use super::*;
    use crate::testing::{Family, PROMPT, random, run, run_with};

    fn trace(model: &OpenModel, tokens: &[u32]) -> Trace {
        let mut capture = Capture::new(vec![SitePattern::new("*").unwrap()]);
        let batch = Batch::single(tokens).unwrap();
        model.model.forward(&batch, &mut capture, ForwardOptions::default()).unwrap();
        capture.into_trace(vec![tokens.to_vec()]).unwrap()
    }

    fn input(interventions: Vec<Intervention>) -> PromptInput {
        PromptInput { tokens: PROMPT.to_vec(), interventions, fused_attention: false }
    }

    #[test]
    fn it_moves_between_threads() {
        fn sent<T: Send>() {}
        sent::<PromptRun>();
    }

    #[test]
    fn what_is_captured_late_equals_what_is_captured_at_once() {
        for family in Family::LINEAR.into_iter().chain([Family::PostNorm, Family::Bert]) {
            let model = random(family, 9);
            let whole = trace(&model, &PROMPT);
            let late = run_with(&model, &PROMPT, Vec::new(), Needs::default());
            for (site, expected) in &whole.sites {
                assert_eq!(&late.captured(&model, site).unwrap(), expected, "{family:?} {site}");
            }
        }
    }

    #[test]
    fn late_captures_see_the_changed_model() {
        let model = random(Family::Llama, 9);
        let zero = vec![Intervention::of_unit(&Unit::head(1, 0), Edit::Zero)];
        let run = run_with(&model, &PROMPT, zero, Needs::default());
        let z = run.activation(&model, &Site::block(1, BlockPoint::Z)).unwrap();
        assert_eq!(z.select(1, 0).abs().max().double_value(&[]), 0.0);
        assert!(z.select(1, 1).abs().max().double_value(&[]) > 0.0);
    }

    #[test]
    fn traces_are_kept_for_late_captures() {
        let model = random(Family::Llama, 9);
        let other: Vec<u32> = PROMPT.iter().rev().copied().collect();
        let traces = Traces::from([("other".to_owned(), trace(&model, &other))]);
        let site = Site::block(1, BlockPoint::ResidPost);
        let patch = Intervention::new(&site, Edit::Patch { trace: "other".into() }).at(Positions::These(vec![3]));
        let run =
            PromptRun::new(&model, &input(vec![patch]), &traces, Needs::default(), None, &RunContext::new(0)).unwrap();
        drop(traces);
        let patched = run.activation(&model, &site).unwrap();
        let expected = trace(&model, &other).get(&site).unwrap().select(0, 0);
        assert_eq!(patched.select(0, 3), expected.select(0, 3));
        assert_ne!(patched.select(0, 4), expected.select(0, 4));
    }

    #[test]
    fn a_budget_is_kept_and_cancelling_works() {
        let model = random(Family::Llama, 9);
        let ctx = RunContext::new(0);
        let error =
            PromptRun::new(&model, &input(Vec::new()), &Traces::new(), Needs::all(), Some(1000), &ctx).unwrap_err();
        assert!(matches!(error, AnalysisError::Probe(ProbeError::Budget { .. })), "{error}");
        ctx.cancel();
        let error = PromptRun::new(&model, &input(Vec::new()), &Traces::new(), Needs::all(), None, &ctx).unwrap_err();
        assert!(error.is_cancelled());
    }

    #[test]
    fn odd_prompts_and_sites_are_refused() {
        let model = random(Family::Llama, 9);
        let refuse = |tokens: Vec<u32>| {
            let input = PromptInput { tokens, ..PromptInput::default() };
            PromptRun::new(&model, &input, &Traces::new(), Needs::default(), None, &RunContext::new(0)).unwrap_err()
        };
        assert!(refuse(Vec::new()).to_string().contains("no tokens"));
        assert!(refuse(vec![99]).to_string().contains("99"));
        assert!(refuse(vec![1; 33]).to_string().contains("32"));
        let run = run(&model, &PROMPT);
        let error = run.captured(&model, &Site::block(7, BlockPoint::Z)).unwrap_err().to_string();
        assert!(error.contains("3 layers"), "{error}");
        assert_eq!((run.position(-1).unwrap(), run.position(0).unwrap()), (8, 0));
        assert!(run.position(i64::MIN).is_err() && run.position(i64::MAX).is_err());
    }

    #[test]
    fn logits_do_not_depend_on_where_they_are_cut() {
        let model = random(Family::Gemma, 9);
        let run = run(&model, &PROMPT);
        let whole = run.logits(&model, 0..9).unwrap();
        for pos in 0..9 {
            let one = run.logits(&model, pos..pos + 1).unwrap();
            assert!(one.select(0, 0).allclose(&whole.select(0, pos as i64), 1e-6, 1e-6, false));
        }
    }
}
