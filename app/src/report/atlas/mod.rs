//! Reports on units of an atlas: what is known of each over a whole corpus, as one HTML page, Markdown with figures beside it,
//! JSON, or Neuronpedia's feature JSON.
//!
//! ```
//! use golgi::report::{UnitFormat, UnitReport};
//! use golgi_data::atlas::{Atlas, testing::Fixture};
//! use golgi_data::context::RunContext;
//!
//! let folder = tempfile::tempdir()?;
//! Fixture::default().write(folder.path())?;
//! let report = UnitReport::new(&Atlas::open(folder.path())?, &[0, 46], &RunContext::new(0))?;
//! assert!(report.render(UnitFormat::Html).starts_with("<!doctype html>"));
//! report.save(&folder.path().join("units.md"), UnitFormat::Markdown)?;
//! assert!(folder.path().join("units.assets/L1N6.svg").is_file());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compact;
mod drawing;
mod html;
mod markdown;
mod measures;
mod neuronpedia;
mod strips;

use std::path::{Path, PathBuf};

use golgi_data::atlas::{Atlas, AtlasError, Manifest, Page};
use golgi_data::context::{Cancelled, RunContext};
use serde_json::{Value, json};

use super::file::{FileError, write};
use super::number::spaced;
use super::{Format, UnknownFormat};

/// Name and version of the JSON form.
pub const UNITS_SCHEMA: &str = "golgi.units/1";

/// What a report on units looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitFormat {
    /// One page without any link to the outside.
    Html,
    /// Markdown; its figures lie in a folder beside it.
    Markdown,
    /// [`UNITS_SCHEMA`].
    Json,
    /// A list of features as Neuronpedia's interface gives them.
    Neuronpedia,
}

impl UnitFormat {
    /// The format that is called `name`, or else the one that the ending of `path` asks for.
    ///
    /// # Errors
    /// [`UnknownFormat`] where neither says it.
    pub fn of(name: Option<&str>, path: &Path) -> Result<UnitFormat, UnknownFormat> {
        Ok(match name {
            Some("neuronpedia") => UnitFormat::Neuronpedia,
            Some("html") => UnitFormat::Html,
            Some("md" | "markdown") => UnitFormat::Markdown,
            Some("json") => UnitFormat::Json,
            Some(other) => return Err(UnknownFormat(other.to_owned())),
            None => match Format::of(path)? {
                Format::Html => UnitFormat::Html,
                Format::Markdown => UnitFormat::Markdown,
                Format::Json => UnitFormat::Json,
            },
        })
    }
}

/// The pages of some units of one atlas.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitReport {
    /// The heading.
    pub title: String,
    /// How the units were chosen, where by a query.
    pub query: Option<String>,
    /// What the atlas says of itself.
    pub manifest: Manifest,
    /// The units, in the order asked for.
    pub pages: Vec<Page>,
    /// Oddities of the report itself.
    pub warnings: Vec<String>,
}

/// Why a report could not be made or saved.
#[derive(Debug, thiserror::Error)]
pub enum UnitReportError {
    /// The atlas cannot be read.
    #[error(transparent)]
    Atlas(#[from] AtlasError),
    /// Somebody asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl UnitReport {
    /// Reads the pages of the units with these ids.
    ///
    /// # Errors
    /// If the atlas has no such unit or cannot be read, or the work was cancelled.
    pub fn new(atlas: &Atlas, ids: &[u32], ctx: &RunContext) -> Result<UnitReport, UnitReportError> {
        ctx.stage("reading pages", ids.len() as u64);
        let mut pages = Vec::with_capacity(ids.len());
        for id in ids {
            ctx.check()?;
            pages.push(atlas.page(*id)?);
            ctx.advance(1);
        }
        let manifest = atlas.manifest().clone();
        let title = match pages.as_slice() {
            [only] => format!("{} of {}", only.short, manifest.model),
            many => format!("{} units of {}", many.len(), manifest.model),
        };
        let mut warnings = manifest.warnings.clone();
        if !manifest.complete {
            warnings
                .insert(0, "The atlas is not finished; its numbers are those of the tokens seen so far.".to_owned());
        }
        if !atlas.has_families() {
            warnings
                .push("Families have not been looked for; `golgi find families` on the atlas does that.".to_owned());
        }
        Ok(UnitReport { title, query: None, manifest, pages, warnings })
    }

    /// The report as the text of one file. Markdown refers to figures, see [`save`](UnitReport::save).
    pub fn render(&self, format: UnitFormat) -> String {
        match format {
            UnitFormat::Html => html::render(self),
            UnitFormat::Markdown => markdown::render(self, "figures"),
            UnitFormat::Json => format!("{:#}\n", self.json()),
            UnitFormat::Neuronpedia => format!("{:#}\n", neuronpedia::value(self)),
        }
    }

    /// The JSON form, [`UNITS_SCHEMA`].
    pub fn json(&self) -> Value {
        json!({
            "schema": UNITS_SCHEMA,
            "title": self.title,
            "query": self.query,
            "manifest": self.manifest,
            "units": self.pages,
            "warnings": self.warnings,
        })
    }

    /// Writes the report to `path`; it appears when it is whole. The figures of Markdown go to a folder beside it, called as
    /// the file with `.assets` in place of its ending. Returns that folder, if any.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, path: &Path, format: UnitFormat) -> Result<Option<PathBuf>, UnitReportError> {
        if format != UnitFormat::Markdown {
            write(path, self.render(format).as_bytes())?;
            return Ok(None);
        }
        let folder = path.with_extension("assets");
        std::fs::create_dir_all(&folder).map_err(|cause| FileError::Io { path: folder.clone(), cause })?;
        for page in &self.pages {
            write(&folder.join(markdown::figure_name(page)), drawing::figure(self, page).as_bytes())?;
            if !page.examples.is_empty() {
                write(&folder.join(markdown::strips_name(page)), strips::figure(self, page).as_bytes())?;
            }
        }
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        write(path, markdown::render(self, &name).as_bytes())?;
        Ok(Some(folder))
    }
}

/// What the numbers rest on, in a sentence.
fn subtitle(manifest: &Manifest) -> String {
    let split = if manifest.split == "all" { String::new() } else { format!(", split {}", manifest.split) };
    format!(
        "Statistics over {} tokens of {}{split}, in contexts of {} tokens",
        spaced(manifest.tokens),
        manifest.corpus,
        manifest.context_len
    )
}

/// What an atlas rests on, label by label.
fn provenance(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let m = manifest;
    let labels = |labels: &[golgi_data::atlas::LabelCount]| {
        labels.iter().map(|one| format!("{} {}", one.label, spaced(one.tokens))).collect::<Vec<_>>().join(", ")
    };
    let mut rows = vec![
        ("model", m.model.clone()),
        ("weights (SHA-256)", m.model_digest.clone()),
        ("family", m.family.clone()),
        ("activation function", format!("{}{}", m.activation, if m.gated { ", gated" } else { "" })),
        ("counts as active", m.active_rule.clone()),
        ("corpus", m.corpus.clone()),
        ("corpus digest", m.corpus_digest.clone()),
        ("split", m.split.clone()),
        ("tokens", format!("{} in {} contexts of at most {}", spaced(m.tokens), spaced(m.contexts), m.context_len)),
        ("left out of statistics", format!("the first {} positions of every context", m.skip_first)),
        ("languages (tokens)", labels(&m.languages)),
        ("genres (tokens)", labels(&m.genres)),
        ("error of quantiles", format!("at most {:.1} %", 100.0 * m.bins.relative_error())),
        ("tokenizer digest", m.tokenizer_digest.clone()),
        ("device", format!("{}, {}, {} attention", m.device, m.dtype, m.attention)),
        ("seed", m.seed.to_string()),
        ("golgi", m.version.clone()),
    ];
    if m.tracked.tokens > 0 {
        let tracked = format!("{} ({:.1} % of the run)", spaced(m.tracked.tokens.into()), 100.0 * m.tracked.coverage);
        rows.push(("tokens with means", tracked));
    }
    if let Some(null) = m.correlation_null {
        rows.push(("correlation of shuffled tokens", format!("{null:.3} (99th percentile of the largest)")));
    }
    rows.retain(|(_, value)| !value.is_empty());
    rows
}

/// `MLP neuron`, `latent of a dictionary`, `attention head`, `residual dimension`.
fn kind_name(page: &Page) -> &'static str {
    match page.kind {
        "neuron" => "MLP neuron",
        "latent" => "latent of a dictionary",
        "head" => "attention head",
        _ => "residual dimension",
    }
}

/// What a band of examples is called.
fn band_name(manifest: &Manifest, band: i8) -> String {
    let Some(band) = usize::try_from(band).ok().and_then(|band| band.checked_sub(1)) else {
        return "Strongest".to_owned();
    };
    match manifest.bands.get(band) {
        Some(one) => format!("{}–{} %", super::number(100.0 * one.low), super::number(100.0 * one.high)),
        None => format!("Band {}", band + 1),
    }
}

#[cfg(test)]
mod tests;
