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
pub(crate) fn parse<P: Default + Serialize + DeserializeOwned>(analysis: &'static str, params: &Value) -> Result<P> {
    if params.is_null() {
        return Ok(P::default());
    }
    let refuse = |cause: &str| {
        let known = defaults::<P>();
        let names = known.as_object().into_iter().flat_map(|fields| fields.keys());
        let known = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        AnalysisError::Params { analysis, cause: cause.to_owned(), known }
    };
    // A list would be taken as fields in order.
    if !params.is_object() {
        return Err(refuse("they are no table of names and values"));
    }
    // The names that serde appends stand at the end of our sentence already.
    P::deserialize(params).map_err(|error| refuse(error.to_string().split(", expected").next().unwrap_or_default()))
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use golgi_data::unit::Unit;
    use golgi_probes::intervention::Edit;
    use serde_json::json;

    use super::*;
    use crate::testing::{Family, PROMPT, reading};

    /// Parameters that suit a model with a context of 32 tokens.
    fn small(name: &str) -> Value {
        match name {
            "repeats" => json!({ "sequences": 2, "min_tokens": 5, "max_tokens": 9, "ablate_top": 1, "draws": 1 }),
            "ioi" => json!({ "prompts": 4 }),
            "attention" => json!({ "heads": ["L1H2"] }),
            _ => Value::Null,
        }
    }

    #[test]
    fn every_analysis_reports_in_full() {
        let traces = Traces::new();
        let names: HashSet<&str> = ANALYSES.iter().map(|analysis| analysis.name).collect();
        assert_eq!(names.len(), ANALYSES.len());
        for family in Family::LINEAR {
            let model = reading(family, 31);
            for analysis in ANALYSES {
                let silence = Intervention::of_unit(&Unit::head(0, 1), Edit::Zero);
                let inputs = Inputs {
                    tokens: if analysis.needs_text { PROMPT.to_vec() } else { Vec::new() },
                    interventions: vec![silence],
                    traces: &traces,
                    fused_attention: false,
                    budget_bytes: None,
                };
                let report = (analysis.run)(&model, &inputs, &small(analysis.name), &RunContext::new(7)).unwrap();
                assert_eq!((report.schema.as_str(), report.analysis.as_str()), (crate::report::SCHEMA, analysis.name));
                assert!(!report.summary.is_empty() && !report.tables.is_empty(), "{}", analysis.name);
                assert!(!report.controls.is_empty() || analysis.name == "token_stats" || analysis.name == "unit_page");
                let from = &report.provenance;
                assert_eq!((from.seed, from.interventions.len(), from.device.as_str()), (7, 1, "cpu"));
                assert!(from.tokens > 0 && !from.version.is_empty());
                for table in &report.tables {
                    assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.name);
                }
                let tables: HashSet<&str> = report.tables.iter().map(|table| table.name.as_str()).collect();
                assert_eq!(tables.len(), report.tables.len());
                let text = serde_json::to_string(&report).unwrap();
                assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report, "{}", analysis.name);
            }
        }
    }

    #[test]
    fn defaults_are_accepted_and_others_are_named() {
        let model = reading(Family::Llama, 31);
        let traces = Traces::new();
        let inputs = Inputs {
            tokens: PROMPT.to_vec(),
            interventions: Vec::new(),
            traces: &traces,
            fused_attention: false,
            budget_bytes: None,
        };
        for analysis in ANALYSES.iter().filter(|analysis| analysis.needs_text) {
            (analysis.run)(&model, &inputs, &(analysis.params)(), &RunContext::new(0)).unwrap();
        }
        for analysis in ANALYSES {
            let error =
                (analysis.run)(&model, &inputs, &json!({ "tpo": 3 }), &RunContext::new(0)).unwrap_err().to_string();
            assert!(error.contains("`tpo`") && error.contains(analysis.name), "{error}");
            for name in (analysis.params)().as_object().unwrap().keys() {
                assert!(error.contains(&format!("`{name}`")), "{error}");
            }
            assert!(matches!(
                (analysis.run)(&model, &inputs, &json!([1]), &RunContext::new(0)),
                Err(AnalysisError::Params { .. })
            ));
        }
        let error = (find("token_stats").unwrap().run)(&model, &inputs, &json!({ "top": "many" }), &RunContext::new(0));
        assert!(error.unwrap_err().to_string().contains("many"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert_eq!(find("ioi").unwrap().title, "Indirect object identification");
        let error = find("lens").unwrap_err().to_string();
        assert!(error.contains("logit_lens") && error.contains("repeats"), "{error}");
    }
}
