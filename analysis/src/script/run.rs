//! The steps of a script, before and while they run.

use std::path::Path;

use golgi_data::context::{RunContext, bytes_text};
use golgi_probes::intervention::{Edits, Intervention, Traces};
use golgi_probes::script::{Input, Script};
use golgi_probes::{Batch, Capture, ForwardOptions, OpenModel, ProbeError, Stack, Trace, preflight};
use serde::Serialize;

use super::expect::{Verdict, judge};
use crate::error::Result;
use crate::registry::{Inputs, find};
use crate::report::Report;

/// What a script came to.
#[derive(Debug)]
pub struct Outcome {
    /// Results by id, in the script's order.
    pub reports: Vec<(String, Report)>,
    /// Files of captures that were written.
    pub files: Vec<String>,
    /// One verdict per expectation.
    pub verdicts: Vec<Verdict>,
}

impl Outcome {
    /// Whether all that was expected holds.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.holds)
    }
}

/// One step of a script, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What is done.
    pub what: String,
    /// Estimated memory at its widest, bytes, where that can be said.
    pub memory_bytes: Option<u64>,
}

/// What a script would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// Checks a script against its model and lists what it would do, without doing it.
///
/// # Errors
/// If an input cannot be tokenised, a site, unit, intervention or analysis does not exist, or a capture exceeds the budget.
pub fn plan(model: &OpenModel, script: &Script) -> Result<Plan> {
    let mut steps = Vec::new();
    let memory = |sites: &[_], input: &str, logits: bool| -> Result<u64> {
        let tokens = tokens_of(model, script, input)?;
        Ok(preflight(&model.model, sites, (1, tokens.len()), logits, script.budget_bytes)?.total())
    };
    let mut promised = Traces::new();
    for trace in &script.traces {
        let memory_bytes = Some(memory(&trace.sites, &trace.input, false)?);
        steps.push(Step { what: format!("store the trace `{}` of input `{}`", trace.name, trace.input), memory_bytes });
        let mut empty = Trace::default();
        let named = model.model.sites().into_iter().filter(|spec| trace.sites.iter().any(|p| p.matches(&spec.site)));
        empty.sites.extend(named.map(|spec| (spec.site, golgi_probes::Tensor::from_slice(&[0.0f32]))));
        promised.insert(trace.name.clone(), empty);
    }
    Edits::new(&model.model, &script.interventions, &promised)?;
    let active = script.interventions.iter().filter(|intervention| intervention.enabled).count();
    for capture in &script.captures {
        let memory_bytes = Some(memory(&capture.sites, &capture.input, false)?);
        let with = if capture.clean { 0 } else { active };
        let what = format!("capture input `{}` with {with} interventions into `{}`", capture.input, capture.file);
        steps.push(Step { what, memory_bytes });
    }
    for call in &script.analyses {
        let analysis = find(&call.name)?;
        let on = match &call.input {
            Some(input) => format!(" on input `{input}` ({} tokens)", tokens_of(model, script, input)?.len()),
            None => String::new(),
        };
        let with = if call.clean { 0 } else { active };
        steps.push(Step { what: format!("{}{on} with {with} interventions", analysis.title), memory_bytes: None });
    }
    for output in &script.outputs {
        steps.push(Step { what: format!("write `{}`", output.file), memory_bytes: None });
    }
    for expectation in &script.expectations {
        let what = format!("check `{}` of `{}`", expectation.fact, expectation.analysis);
        steps.push(Step { what, memory_bytes: None });
    }
    Ok(Plan { steps })
}

/// Runs a script on its model. Captures are written below `folder`.
///
/// # Errors
/// At the first step that fails. An expectation that does not hold is no error: see [`Outcome::holds`].
pub fn run(model: &OpenModel, script: &Script, folder: &Path, ctx: &RunContext) -> Result<Outcome> {
    plan(model, script)?;
    let mut traces = Traces::new();
    for trace in &script.traces {
        ctx.check()?;
        let tokens = tokens_of(model, script, &trace.input)?;
        let mut capture = Capture::new(trace.sites.clone());
        let options = ForwardOptions { fused_attention: script.fused_attention, ..ForwardOptions::default() };
        model.model.forward(&Batch::single(&tokens)?, &mut capture, options)?;
        traces.insert(trace.name.clone(), capture.into_trace(vec![tokens])?);
    }
    let mut files = Vec::new();
    for capture in &script.captures {
        ctx.check()?;
        let tokens = tokens_of(model, script, &capture.input)?;
        let changes: &[Intervention] = if capture.clean { &[] } else { &script.interventions };
        let mut edits = Edits::new(&model.model, changes, &traces)?;
        let mut tap = Capture::new(capture.sites.clone());
        let options = ForwardOptions { fused_attention: script.fused_attention, ..ForwardOptions::default() };
        model.model.forward(&Batch::single(&tokens)?, &mut Stack::new().with(&mut edits).with(&mut tap), options)?;
        let path = folder.join(&capture.file);
        make_parent(&path)?;
        tap.into_trace(vec![tokens])?.save(&path)?;
        files.push(capture.file.clone());
    }
    let mut reports: Vec<(String, Report)> = Vec::new();
    for call in &script.analyses {
        ctx.check()?;
        let inputs = Inputs {
            tokens: call.input.as_ref().map(|input| tokens_of(model, script, input)).transpose()?.unwrap_or_default(),
            interventions: if call.clean { Vec::new() } else { script.interventions.clone() },
            traces: &traces,
            fused_attention: script.fused_attention,
            budget_bytes: script.budget_bytes,
        };
        let report = (find(&call.name)?.run)(model, &inputs, &call.params, ctx)?;
        reports.push((call.id().to_owned(), report));
    }
    let verdicts = script.expectations.iter().map(|expectation| judge(expectation, &reports)).collect();
    Ok(Outcome { reports, files, verdicts })
}

fn make_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let failed = |error: std::io::Error| ProbeError::File {
        path: parent.display().to_string(),
        action: "written",
        cause: error.to_string(),
    };
    Ok(std::fs::create_dir_all(parent).map_err(failed)?)
}

/// The tokens of an input. Names were checked when the script was read.
fn tokens_of(model: &OpenModel, script: &Script, name: &str) -> Result<Vec<u32>> {
    let input = script.inputs.iter().find(|input| input.name == name);
    let tokens = match input {
        Some(Input { text: Some(text), .. }) => model.encode(text)?,
        Some(Input { tokens: Some(tokens), .. }) => tokens.clone(),
        _ => return Err(ProbeError::Script(format!("there is no input `{name}`")).into()),
    };
    model.check_length(&tokens)?;
    Ok(tokens)
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.memory_bytes {
            Some(bytes) => write!(f, "{} (about {})", self.what, bytes_text(bytes)),
            None => f.write_str(&self.what),
        }
    }
}
