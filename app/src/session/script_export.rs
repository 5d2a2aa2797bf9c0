//! The session as a probe script: what is on the screen, as a file that the command line runs again.

use std::path::Path;

use golgi_probes::script::{AnalysisCall, Input, Output, SCHEMA, Script};
use serde_json::{Value, json};

use super::document::Document;
use super::notice::Notice;
use super::selection::Selection;

/// The name of the prompt in the script.
const INPUT: &str = "prompt";

/// Why a session cannot be saved as a script.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No model.
    #[error("no model is open; open one and run a text")]
    NoModel,
    /// No text.
    #[error("there is no text; type one into the Prompt panel")]
    NoText,
    /// Scripts run texts.
    #[error(
        "a script runs a language model; `golgi classify` and `golgi vis` repeat what is done with a convolutional network"
    )]
    Vision,
    /// The script has no TOML form.
    #[error(transparent)]
    Script(#[from] golgi_probes::ProbeError),
    /// The disk refused.
    #[error("{path} could not be written: {cause}; choose another folder")]
    Write {
        /// Where to.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
}

/// The script of a session: model, text, interventions, and the analyses of what is selected.
///
/// # Errors
/// If there is no model or no text.
pub fn script(document: &Document, selection: &Selection) -> Result<Script, ExportError> {
    let model = document.model().ok_or(ExportError::NoModel)?;
    if model.vision.is_some() {
        return Err(ExportError::Vision);
    }
    if document.prompt.is_empty() {
        return Err(ExportError::NoText);
    }
    let call = |name: &str, params: Value| AnalysisCall {
        name: name.to_owned(),
        id: String::new(),
        input: Some(INPUT.to_owned()),
        params,
        clean: false,
    };
    let position = || selection.token.map_or(json!({}), |pos| json!({ "position": pos }));
    let mut analyses = vec![call("token_stats", json!({}))];
    if model.has_logits {
        analyses.push(call("logit_lens", json!({})));
        analyses.push(call("attribution", position()));
    }
    if document.active_interventions() > 0 && model.has_logits {
        analyses.push(call("effect", position()));
    }
    analyses.push(call("neuron_table", position()));
    if let Some(unit) = &selection.unit {
        analyses.push(call("unit_page", json!({ "unit": unit.to_string() })));
    }
    Ok(Script {
        schema: SCHEMA.to_owned(),
        title: format!("Session with {}", model.name),
        about: String::new(),
        model: model.spec.clone(),
        // Both were made from these types, so both parse; a device that is not here falls back to the processor.
        device: model.device.parse().unwrap_or_default(),
        dtype: model.dtype.parse().unwrap_or_default(),
        fused_attention: false,
        seed: 0,
        budget_bytes: None,
        inputs: vec![Input { name: INPUT.to_owned(), text: Some(document.prompt.clone()), tokens: None }],
        traces: Vec::new(),
        interventions: document.interventions.clone(),
        captures: Vec::new(),
        analyses,
        outputs: vec![Output { analyses: Vec::new(), file: "session.html".to_owned() }],
        expectations: Vec::new(),
    })
}

/// Writes the session's script. Says how it went.
pub(super) fn save(document: &Document, selection: &Selection, path: &Path) -> Notice {
    match write(document, selection, path) {
        Ok(()) => Notice::info(format!("Saved {}.", path.display()))
            .with_next_step(format!("Run it again with: golgi run {}", path.display())),
        Err(error) => Notice::error("The session could not be saved as a probe script.", &error),
    }
}

fn write(document: &Document, selection: &Selection, path: &Path) -> Result<(), ExportError> {
    let text = script(document, selection)?.to_toml()?;
    super::recent::write_whole(path, text.as_bytes())
        .map_err(|cause| ExportError::Write { path: path.display().to_string(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_model_or_text_there_is_no_script() {
        let error = script(&Document::default(), &Selection::default()).unwrap_err();
        assert!(matches!(error, ExportError::NoModel));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        let notice = save(&Document::default(), &Selection::default(), &path);
        assert_eq!(notice.next_step.as_deref(), Some("Open one and run a text"));
        assert!(!path.exists());
    }
}
