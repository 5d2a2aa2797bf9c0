//! Results as files: one self-contained HTML page, Markdown, or JSON.
//!
//! A [`Document`] is a heading, what the results rest on, and sections: results of analyses and pages of units. The command
//! line and the window make the same documents, so a report looks the same wherever it was asked for.
//!
//! ```
//! use golgi::report::{Document, Format};
//! use golgi_analysis::report::{Fact, Provenance, Report};
//!
//! let mut report = Report::new("demo", "A demonstration", Provenance::default());
//! report.summary.push(Fact::new("answer", 42));
//! let document = Document::of_report(report);
//! assert!(document.render(Format::Html).starts_with("<!doctype html>"));
//! assert!(document.render(Format::Markdown).contains("42"));
//! ```

mod atlas;
mod file;
mod html;
mod json;
mod markdown;
mod number;
mod scale;
mod scatter;
mod svg;
mod text;
mod visible;

use std::path::Path;

use golgi_analysis::report::{Provenance, Report};
use golgi_analysis::units::page::UnitPage;

pub use atlas::{UNITS_SCHEMA, UnitFormat, UnitReport, UnitReportError};
pub use file::{FileError, OutFile, write};
pub use number::{compact, count, number, percent, signed_number, spaced};
pub use scale::Scale;
pub(crate) use scatter::Scatter;
pub(crate) use text::{bar, cell as cell_text, is_numeric, sparkline};
pub use visible::{one_line, token};

/// What a file of results looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One page without any link to the outside.
    Html,
    /// For notes and repositories.
    Markdown,
    /// For programs; see [`SCHEMA`].
    Json,
}

/// Name and version of the JSON form of a document with several parts. A document of one analysis is written in that
/// analysis' own form, [`golgi_analysis::report::SCHEMA`].
pub const SCHEMA: &str = "golgi.document/1";

/// A file name whose ending says nothing about the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say what to write; end it in .html, .md or .json")]
pub struct UnknownFormat(pub String);

impl Format {
    /// The format that the ending of `path` asks for.
    ///
    /// # Errors
    /// [`UnknownFormat`] for any other ending.
    pub fn of(path: &Path) -> Result<Format, UnknownFormat> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("html" | "htm") => Ok(Format::Html),
            Some("md" | "markdown") => Ok(Format::Markdown),
            Some("json") => Ok(Format::Json),
            _ => Err(UnknownFormat(path.display().to_string())),
        }
    }
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    /// The result of an analysis.
    Report(Report),
    /// Everything about one unit.
    Unit(UnitPage),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The heading.
    pub title: String,
    /// The text that was looked at, for display; empty where there is none.
    pub text: String,
    /// What the results rest on.
    pub provenance: Provenance,
    /// The parts, in order.
    pub sections: Vec<Section>,
    /// Oddities that did not stop the work.
    pub warnings: Vec<String>,
}

impl Document {
    /// A document of one result.
    pub fn of_report(report: Report) -> Document {
        Document {
            title: report.title.clone(),
            text: String::new(),
            provenance: report.provenance.clone(),
            sections: vec![Section::Report(report)],
            warnings: Vec::new(),
        }
    }

    /// A document of several results, headed `title` (or as the first of them, where that is empty).
    pub fn of_reports(title: &str, mut reports: Vec<Report>) -> Document {
        if reports.len() == 1
            && let Some(only) = reports.pop()
        {
            return Document::of_report(only);
        }
        let first = reports.first();
        let title = if title.is_empty() { first.map_or("Results", |report| report.title.as_str()) } else { title };
        Document {
            title: title.to_owned(),
            text: String::new(),
            provenance: first.map(|report| report.provenance.clone()).unwrap_or_default(),
            sections: reports.into_iter().map(Section::Report).collect(),
            warnings: Vec::new(),
        }
    }

    /// A document of unit pages over one text.
    pub fn of_units(pages: Vec<UnitPage>, text: impl Into<String>, provenance: Provenance) -> Document {
        let title = match pages.as_slice() {
            [only] => format!("{} in {}", only.unit.short(), provenance.model),
            many => format!("{} units of {}", many.len(), provenance.model),
        };
        let sections = pages.into_iter().map(Section::Unit).collect();
        Document { title, text: text.into(), provenance, sections, warnings: Vec::new() }
    }

    /// The document as text.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Html => html::render(self),
            Format::Markdown => markdown::render(self),
            Format::Json => format!("{:#}\n", json::value(self)),
        }
    }

    /// The document in its JSON form.
    pub fn json(&self) -> serde_json::Value {
        json::value(self)
    }

    /// Writes the document to `path` in the format of its ending. The file appears when it is whole.
    ///
    /// # Errors
    /// If the ending is unknown or the file cannot be written; nothing is left behind.
    pub fn save(&self, path: &Path) -> Result<(), SaveError> {
        let format = Format::of(path)?;
        Ok(write(path, self.render(format).as_bytes())?)
    }
}

/// Why a document could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The ending is unknown.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

#[cfg(test)]
mod tests;
