//! Probe scripts: an experiment as a TOML file.
//!
//! A script names a model, its inputs, stored traces, interventions, captures and analyses, the files to write and what is
//! expected of the results. The command line runs it, the window saves a session as one.
//!
//! ```
//! let script = golgi_probes::script::Script::parse(r#"
//!     schema = "golgi.script/1"
//!     model = "smollm2"
//!
//!     [[inputs]]
//!     name = "ioi"
//!     text = "When Mary and John went to the store, John gave a drink to"
//!
//!     [[interventions]]
//!     site = "blocks.18.attn.hook_z"
//!     heads = [6]
//!     edit = "zero"
//!
//!     [[analyses]]
//!     name = "token_stats"
//!     input = "ioi"
//!
//!     [[expectations]]
//!     analysis = "token_stats"
//!     fact = "mean loss (nats per token)"
//!     below = 5.0
//! "#, &[])?;
//! assert_eq!(script.inputs[0].name, "ioi");
//! # Ok::<(), golgi_probes::ProbeError>(())
//! ```

mod parse;

use golgi_data::site::SitePattern;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::device::DeviceChoice;
use crate::intervention::Intervention;
use crate::open::DType;

/// Name and version of the script format.
pub const SCHEMA: &str = "golgi.script/1";

/// A whole script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// A heading.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What is asked, and why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The model: a catalogue name, a path or `hf://org/repo`.
    pub model: String,
    /// Where it runs.
    #[serde(default)]
    pub device: DeviceChoice,
    /// What it computes in.
    #[serde(default)]
    pub dtype: DType,
    /// One fused attention kernel where nobody looks at scores and pattern.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fused_attention: bool,
    /// The seed of every random choice.
    #[serde(default)]
    pub seed: u64,
    /// Memory budget in bytes; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_bytes: Option<u64>,
    /// The texts.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// Runs of the unchanged model that are kept for patching and means.
    #[serde(default)]
    pub traces: Vec<StoredTrace>,
    /// Changes, in order. They hold for every capture, analysis and generation that does not say `clean = true`.
    #[serde(default)]
    pub interventions: Vec<Intervention>,
    /// Activations to write to files.
    #[serde(default)]
    pub captures: Vec<CaptureTo>,
    /// Methods to run.
    #[serde(default)]
    pub analyses: Vec<AnalysisCall>,
    /// Files to write from the results.
    #[serde(default)]
    pub outputs: Vec<Output>,
    /// What must hold.
    #[serde(default)]
    pub expectations: Vec<Expectation>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// A text, or tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The text; exactly one of `text` and `tokens` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The token ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<u32>>,
}

/// A run that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredTrace {
    /// Its name, for `patch` and `mean`.
    pub name: String,
    /// Which input.
    pub input: String,
    /// Which sites.
    pub sites: Vec<SitePattern>,
}

/// Activations written to a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureTo {
    /// Which input.
    pub input: String,
    /// Which sites.
    pub sites: Vec<SitePattern>,
    /// The file, relative to the output folder.
    pub file: String,
    /// Without the interventions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clean: bool,
}

/// A method to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalysisCall {
    /// Its registered name.
    pub name: String,
    /// A name for this result; the method's own where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Which input, for methods that read a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The method's parameters; defaults for what is absent.
    #[serde(default = "empty_object", skip_serializing_if = "is_empty_object")]
    pub params: Value,
    /// Without the interventions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub clean: bool,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

impl AnalysisCall {
    /// The name of this result.
    pub fn id(&self) -> &str {
        if self.id.is_empty() { &self.name } else { &self.id }
    }
}

/// A result written to a file, whose ending chooses the form: `.html`, `.md` or `.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Which results, by id; all of them when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analyses: Vec<String>,
    /// The file, relative to the output folder.
    pub file: String,
}

/// A condition on one fact of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Which result, by id.
    pub analysis: String,
    /// The fact's label, in its summary or controls.
    pub fact: String,
    /// The fact must be larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// The fact must be smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// The fact must be equal: text, truth value or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
    /// The fact must be larger than this fact of another result (`id: fact`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_fact: Option<FactName>,
}

/// A fact of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactName {
    /// Which result, by id.
    pub analysis: String,
    /// The fact's label.
    pub fact: String,
}
