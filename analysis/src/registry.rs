//! Every analysis, by name: what a command line lists and a script calls.
//!
//! A new method gets its line in [`ANALYSES`]; nothing else has to know it.

use golgi_data::context::RunContext;
use golgi_probes::OpenModel;
use golgi_probes::intervention::{Intervention, Traces};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::circuits::{ioi, repeats};
use crate::error::{AnalysisError, Result};
use crate::prompt::{Needs, PromptInput, PromptRun, attention, attribution, effect, logit_lens, token_stats};
use crate::provenance::provenance;
use crate::report::{Provenance, Report};
use crate::units::{page, table};

/// What an analysis works on.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The prompt; not used by analyses that make their own.
    pub tokens: Vec<u32>,
    /// What is changed on the way.
    pub interventions: Vec<Intervention>,
    /// Stored traces that interventions refer to.
    pub traces: &'a Traces,
    /// One fused attention kernel where no pattern is needed.
    pub fused_attention: bool,
    /// The most memory that a capture may take.
    pub budget_bytes: Option<u64>,
}

/// A registered analysis.
#[derive(Debug)]
pub struct Analysis {
    /// Its name in scripts and on the command line.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it tells, in a sentence.
    pub about: &'static str,
    /// Its parameters, at their defaults.
    pub params: fn() -> Value,
    /// Whether it works on the tokens of [`Inputs`].
    pub needs_text: bool,
    /// Runs it. Parameters that are left out have their defaults.
    ///
    /// # Errors
    /// If parameters are unknown or impossible, or the analysis cannot be computed.
    pub run: fn(&OpenModel, &Inputs, &Value, &RunContext) -> Result<Report>,
}

/// Every analysis.
pub const ANALYSES: &[Analysis] = &[
    Analysis {
        name: "token_stats",
        title: "Token statistics",
        about: "Loss, probability and rank of each token, and what the model expects next.",
        params: defaults::<token_stats::Params>,
        needs_text: true,
        run: |model, inputs, params, ctx| {
            let params: token_stats::Params = parse("token_stats", params)?;
            let (run, from) = prompt(model, inputs, Needs::default(), ctx)?;
            Ok(token_stats::report(&token_stats::token_stats(model, &run, params.top)?, from))
        },
    },
    Analysis {
        name: "logit_lens",
        title: "Logit lens",
        about: "What the model would predict at every depth if the layers ahead did nothing.",
        params: defaults::<logit_lens::Params>,
        needs_text: true,
        run: |model, inputs, params, ctx| {
            let params: logit_lens::Params = parse("logit_lens", params)?;
            let (run, from) = prompt(model, inputs, Needs { lens: true, ..Needs::default() }, ctx)?;
            Ok(logit_lens::report(&logit_lens::logit_lens(model, &run, params.top, ctx)?, from))
        },
    },
    Analysis {
        name: "attribution",
        title: "Direct logit attribution",
        about: "A logit as a sum over embedding, heads, biases, MLPs and neurons.",
        params: defaults::<attribution::Params>,
        needs_text: true,
        run: |model, inputs, params, ctx| {
            let params: attribution::Params = parse("attribution", params)?;
            let (run, from) = prompt(model, inputs, Needs { heads: true, neurons: true, ..Needs::default() }, ctx)?;
            Ok(attribution::report(&attribution::attribution(model, &run, &params)?, from))
        },
    },
    Analysis {
        name: "attention",
        title: "Attention",
        about: "Attention patterns, and how much each head looks at previous, equal and following tokens.",
        params: defaults::<attention::Params>,
        needs_text: true,
        run: |model, inputs, params, ctx| {
            let params: attention::Params = parse("attention", params)?;
            let (run, from) = prompt(model, inputs, Needs { patterns: true, ..Needs::default() }, ctx)?;
            Ok(attention::report(&attention::attention_maps(model, &run)?, &params.heads, from))
        },
    },
    Analysis {
        name: "effect",
        title: "Effect of the interventions",
        about: "The next-token distribution with and without the interventions.",
        params: defaults::<effect::Params>,
        needs_text: true,
        run: |model, inputs, params, ctx| {
            let params: effect::Params = parse("effect", params)?;
            let (after, from) = prompt(model, inputs, Needs::default(), ctx)?;
            let plain = PromptInput { interventions: Vec::new(), ..after.input().clone() };
            let before = PromptRun::new(model, &plain, inputs.traces, Needs::default(), inputs.budget_bytes, ctx)?;
            let position = after.position(params.position.unwrap_or(-1))?;
            let found = effect::effect(model, &before, &after, position, params.top)?;
            Ok(effect::report(&found, &after.pieces(model), from))
        },
    },
    Analysis {
        name: "neuron_table",
        title: "Neurons",
        about: "Every neuron at one position: activation, direct attribution and norms.",
        params: defaults::<table::Params>,
        needs_text: true,
        run: |model, inputs, params, ctx| {
            let params: table::Params = parse("neuron_table", params)?;
            let (run, from) = prompt(model, inputs, Needs { neurons: true, ..Needs::default() }, ctx)?;
            let position = run.position(params.position.unwrap_or(-1))?;
            let found = table::neuron_table(model, &run, position, params.target)?;
            Ok(table::report(&found, params.top, from))
        },
    },
    Analysis {
        name: "unit_page",
        title: "A unit's page",
        about: "What a neuron, head or residual dimension reads and writes, and what it does on a text.",
        params: defaults::<page::Params>,
        needs_text: true,
        run: |model, inputs, params, ctx| {
            let params: page::Params = parse("unit_page", params)?;
            let (run, from) = prompt(model, inputs, Needs::default(), ctx)?;
            Ok(page::report(&page::unit_page(model, &run, &params.unit, params.top)?, from))
        },
    },
    Analysis {
        name: "ioi",
        title: "Indirect object identification",
        about: "Whether the model knows who is given the drink, over generated prompts.",
        params: defaults::<ioi::Params>,
        needs_text: false,
        run: |model, inputs, params, ctx| {
            let params: ioi::Params = parse("ioi", params)?;
            let found = ioi::run_with(model, &params, &inputs.interventions, inputs.traces, ctx)?;
            let tokens = found.tokens;
            Ok(ioi::report(&found, Provenance { tokens, ..generated(model, inputs, ctx)? }))
        },
    },
    Analysis {
        name: "repeats",
        title: "Repeated random tokens",
        about: "Induction, previous-token and duplicate-token heads, and what the repeat owes to them.",
        params: defaults::<repeats::Params>,
        needs_text: false,
        run: |model, inputs, params, ctx| {
            let params: repeats::Params = parse("repeats", params)?;
            let found = repeats::run_with(model, &params, &inputs.interventions, inputs.traces, ctx)?;
            let tokens = found.tokens();
            Ok(repeats::report(&found, Provenance { tokens, ..generated(model, inputs, ctx)? }))
        },
    },
];

/// The analysis called `name`.
///
/// # Errors
/// [`AnalysisError::Unknown`], with the names that exist.
pub fn find(name: &str) -> Result<&'static Analysis> {
    ANALYSES.iter().find(|analysis| analysis.name == name).ok_or_else(|| AnalysisError::Unknown {
        name: name.chars().take(100).collect(),
        known: ANALYSES.iter().map(|analysis| analysis.name).collect::<Vec<_>>().join(", "),
    })
}

fn defaults<P: Default + Serialize>() -> Value {
    serde_json::to_value(P::default()).expect("parameters are plain data with texts as keys")
}

/// Reads parameters; null counts as none given.
fn parse<P: Default + Serialize + DeserializeOwned>(analysis: &'static str, params: &Value) -> Result<P> {
    if params.is_null() {
        return Ok(P::default());
    }
    P::deserialize(params).map_err(|error| {
        let known = defaults::<P>();
        let names = known.as_object().into_iter().flat_map(|fields| fields.keys());
        AnalysisError::Params {
            analysis,
            // The names that serde appends stand at the end of our sentence already.
            cause: error.to_string().split(", expected").next().unwrap_or_default().to_owned(),
            known: names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        }
    })
}

fn prompt(model: &OpenModel, inputs: &Inputs, needs: Needs, ctx: &RunContext) -> Result<(PromptRun, Provenance)> {
    let input = PromptInput {
        tokens: inputs.tokens.clone(),
        interventions: inputs.interventions.clone(),
        fused_attention: inputs.fused_attention,
    };
    let run = PromptRun::new(model, &input, inputs.traces, needs, inputs.budget_bytes, ctx)?;
    let provenance = provenance(model, &input, ctx.seed())?;
    Ok((run, provenance))
}

/// Where a result on generated prompts comes from. These always run with explicit attention.
fn generated(model: &OpenModel, inputs: &Inputs, ctx: &RunContext) -> Result<Provenance> {
    let interventions = inputs.interventions.clone();
    provenance(model, &PromptInput { interventions, ..PromptInput::default() }, ctx.seed())
}
