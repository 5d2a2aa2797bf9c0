//! Documents as one HTML page that needs nothing else: style and script are inside, and a policy forbids any request.

mod figures;
mod parts;
mod unit;

use super::markdown::provenance_rows;
use super::visible::escape;
use super::{Document, Section};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Golgi's mark: a stained neuron.
pub(super) const MARK: &str = r#"<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M16 30V18M16 12 9 5M16 12l8-8M12.5 14 4 12M19.500 14l8-2M16 24l-5 4M16 25l5 3M9 5 5 4M9 5 8.500 1.500M24 4l-.5-3M24 4l4-1"/><path class="soma" d="M16 9.500c2.400 2.700 4.600 5.600 4.600 7.800a4.600 4.600 0 0 1-9.200 0c0-2.200 2.200-5.100 4.600-7.800z"/></svg>"#;

pub(super) fn render(document: &Document) -> String {
    let many = document.sections.len() > 1;
    let mut body = String::new();
    for (index, section) in document.sections.iter().enumerate() {
        match section {
            Section::Report(report) => parts::report(&mut body, report, index, many),
            Section::Unit(page) => unit::section(&mut body, page, index),
        }
    }
    let text = match document.text.as_str() {
        "" => String::new(),
        text => format!(r#"<blockquote class="text" dir="auto">{}</blockquote>"#, escape(&super::token(text))),
    };
    let title = escape(&document.title);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="golgi {version}">
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
<header class="bar">{MARK}<span class="brand">Golgi</span><span class="crumb">{model}</span><button type="button" id="theme" aria-label="Switch between light and dark">◐</button></header>
<main{wide}>
{nav}<div class="page">
<h1>{title}</h1>
{text}{warnings}{body}{provenance}</div>
</main>
<div id="tip" role="status" hidden></div>
<script>
{SCRIPT}</script>
</body>
</html>
"#,
        version = escape(&document.provenance.version),
        model = escape(&document.provenance.model),
        wide = if many { r#" class="with-nav""# } else { "" },
        nav = if many { nav(document) } else { String::new() },
        warnings = parts::warnings(&document.warnings),
        provenance = provenance(document),
    )
}

fn nav(document: &Document) -> String {
    let entries = document.sections.iter().enumerate().map(|(index, section)| {
        let (name, kind) = match section {
            Section::Report(report) => (report.title.clone(), report.analysis.clone()),
            Section::Unit(page) => (page.unit.short(), unit::kind_name(page.kind).to_owned()),
        };
        format!(r##"<a href="#s{index}"><b>{}</b><small>{}</small></a>"##, escape(&name), escape(&kind))
    });
    format!("<nav aria-label=\"Contents\">{}</nav>\n", entries.collect::<String>())
}

fn provenance(document: &Document) -> String {
    let rows = provenance_rows(&document.provenance).into_iter().map(|(label, value)| {
        let class = if label.starts_with("weights") { r#" class="mono""# } else { "" };
        format!("<div><dt>{label}</dt><dd{class}>{}</dd></div>", escape(&value))
    });
    format!("<section class=\"provenance\"><h2>Provenance</h2><dl>{}</dl></section>\n", rows.collect::<String>())
}
