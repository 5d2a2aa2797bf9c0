//! The JSON form of a document.

use serde_json::{Value, json};

use super::{Document, SCHEMA, Section};

/// One analysis alone keeps its own form; everything else is a list of parts.
pub(super) fn value(document: &Document) -> Value {
    if let [Section::Report(report)] = document.sections.as_slice() {
        return json!(report);
    }
    let parts = document.sections.iter().map(|section| match section {
        Section::Report(report) => json!({ "report": report }),
        Section::Unit(page) => json!({ "unit": page }),
    });
    json!({
        "schema": SCHEMA,
        "title": document.title,
        "text": document.text,
        "provenance": document.provenance,
        "sections": parts.collect::<Vec<_>>(),
        "warnings": document.warnings,
    })
}
