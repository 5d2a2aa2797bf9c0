//! Figures of a unit as an SVG file beside Markdown: its histogram, its activation along the context, and by language.
//! The file brings its colours, for light and dark.

use std::fmt::Write as _;

use golgi_data::atlas::{Bar, LabelValue, Manifest, Page, PositionValue};

use super::UnitReport;
use super::compact::short;
use crate::report::number::{number, percent};
use crate::report::visible::escape;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 178.0;
/// Width of one of the three panels and the space between them.
const PANEL: f64 = 276.0;
const GAP: f64 = 36.0;
/// Top and height of what is drawn in a panel.
const TOP: f64 = 30.0;
const TALL: f64 = 118.0;
/// Languages that are shown.
const MAX_LABELS: usize = 7;

/// What every figure begins with.
pub(super) fn open(width: f64, height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" width=\"{width}\" height=\"{height:.0}\" \
         font-family=\"system-ui,-apple-system,'Segoe UI','Noto Sans',sans-serif\" font-size=\"11\">\n<title>{}</title>\n<style>\
         .card{{fill:#fff}}.ink{{fill:#1d1c1a}}.soft{{fill:#6c675e}}.line{{stroke:#d8d3c8}}.p{{fill:#d96a08}}.n{{fill:#2663c4}}\
         .peak{{fill:none;stroke:#1d1c1a;stroke-width:1.4}}\
         @media (prefers-color-scheme:dark){{.card{{fill:#1b1d20}}.ink{{fill:#e9e6e0}}.soft{{fill:#9c978d}}.line{{stroke:#3a3e43}}\
         .p{{fill:#f0903c}}.n{{fill:#609cfa}}.peak{{stroke:#e9e6e0}}}}</style>\n\
         <rect class=\"card\" width=\"{width}\" height=\"{height:.0}\" rx=\"8\"/>\n",
        escape(title)
    )
}

pub(super) fn figure(report: &UnitReport, page: &Page) -> String {
    let mut out = open(WIDTH, HEIGHT, &format!("{}: activations, positions, languages", page.short));
    histogram(&mut out, left(0), &page.histogram);
    positions(&mut out, left(1), &page.positions, &report.manifest);
    labels(&mut out, left(2), &page.languages);
    out + "</svg>\n"
}

fn left(panel: usize) -> f64 {
    18.0 + panel as f64 * (PANEL + GAP)
}

fn heading(out: &mut String, x: f64, text: &str) {
    let _ = writeln!(out, "<text class=\"ink\" x=\"{x:.1}\" y=\"18\" font-weight=\"600\">{text}</text>");
}

fn label(out: &mut String, x: f64, anchor: &str, text: &str) {
    let y = TOP + TALL + 15.0;
    let text = text.replace('-', "−");
    let _ = writeln!(out, "<text class=\"soft\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
}

fn histogram(out: &mut String, x: f64, bars: &[Bar]) {
    heading(out, x, "Activations (logarithmic heights)");
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return };
    let most = bars.iter().map(|bar| f64::from(bar.count).ln_1p()).fold(1e-9, f64::max);
    let width = PANEL / bars.len() as f64;
    for (at, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.count > 0.0) {
        let tall = (f64::from(bar.count).ln_1p() / most * TALL).max(1.0);
        let class = if bar.low + bar.high < 0.0 { "n" } else { "p" };
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
            x + at as f64 * width,
            TOP + TALL - tall,
            (width - 0.8).max(0.4)
        );
    }
    axis(out, x, TOP + TALL);
    label(out, x, "start", &number(first.low.into()));
    label(out, x + PANEL, "end", &number(last.high.into()));
}

fn positions(out: &mut String, x: f64, values: &[PositionValue], manifest: &Manifest) {
    heading(out, x, "Mean by position");
    let skipped = manifest.skip_first.div_ceil(manifest.positions_per_bin.max(1)) as usize;
    // The positions that statistics leave out may be far larger; they do not set the scale.
    let scaled = values.get(skipped..).filter(|rest| !rest.is_empty()).unwrap_or(values);
    let finite = |mean: f32| if mean.is_finite() { f64::from(mean) } else { 0.0 };
    let high = scaled.iter().map(|one| finite(one.mean)).fold(0.0, f64::max);
    let low = scaled.iter().map(|one| finite(one.mean)).fold(0.0, f64::min);
    let unit = if high > low { TALL / (high - low) } else { 0.0 };
    let (zero, width) = (TOP + high * unit, PANEL / values.len().max(1) as f64);
    for (at, value) in values.iter().enumerate() {
        let mean = finite(value.mean).clamp(low, high);
        let tall = (mean.abs() * unit).max(0.6);
        let y = if mean < 0.0 { zero } else { zero - tall };
        let class = if at < skipped {
            "soft"
        } else if mean < 0.0 {
            "n"
        } else {
            "p"
        };
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{:.2}\" y=\"{y:.1}\" width=\"{:.2}\" height=\"{tall:.1}\"/>",
            x + at as f64 * width,
            width * 0.84
        );
    }
    axis(out, x, zero);
    label(out, x, "start", "0");
    if let Some(last) = values.last() {
        label(out, x + PANEL, "end", &(last.position + manifest.positions_per_bin - 1).to_string());
    }
}

fn labels(out: &mut String, x: f64, values: &[LabelValue]) {
    heading(out, x, "Mean and share active by language");
    let mut rows: Vec<&LabelValue> = values.iter().filter(|one| one.tokens > 0 && one.mean.is_finite()).collect();
    rows.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    rows.truncate(MAX_LABELS);
    let high = rows.iter().map(|one| f64::from(one.mean)).fold(0.0, f64::max);
    let low = rows.iter().map(|one| f64::from(one.mean)).fold(0.0, f64::min);
    let (start, room) = (x + 62.0, PANEL - 62.0 - 108.0);
    let unit = if high > low { room / (high - low) } else { 0.0 };
    let zero = start - low * unit;
    for (at, row) in rows.iter().enumerate() {
        let (mean, y) = (f64::from(row.mean), TOP + 4.0 + at as f64 * 17.0);
        let width = (mean.abs() * unit).max(0.6);
        let left = if mean < 0.0 { zero - width } else { zero };
        let name: String = short(&row.label).chars().take(9).collect();
        let _ = writeln!(
            out,
            "<text class=\"ink\" x=\"{x:.1}\" y=\"{:.1}\" style=\"unicode-bidi:isolate\">{}</text><rect class=\"{}\" x=\"{left:.1}\" \
             y=\"{y:.1}\" width=\"{width:.1}\" height=\"10\" rx=\"2\"/><text class=\"ink\" x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text><text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            y + 9.0,
            escape(&name),
            if mean < 0.0 { "n" } else { "p" },
            x + PANEL - 54.0,
            y + 9.0,
            number(mean).replace('-', "−"),
            x + PANEL,
            y + 9.0,
            escape(&percent(row.rate)),
        );
    }
}

fn axis(out: &mut String, x: f64, y: f64) {
    let _ = writeln!(out, "<path class=\"line\" d=\"M{x:.1} {y:.1}h{PANEL}\"/>");
}
