//! Examples of a unit as an SVG file beside Markdown: texts whose tokens are coloured by the activation, the peak outlined.
//!
//! Every token is a text of its own at its own place, as wide as a monospaced font draws it, so that neither the script's
//! direction nor its letters move its neighbours.

use std::fmt::Write as _;

use golgi_data::atlas::{Example, Page};
use unicode_width::UnicodeWidthStr;

use super::compact::{colour_scale, short};
use super::drawing::open;
use super::{UnitReport, band_name};
use crate::report::number::number;
use crate::report::visible::escape;

const WIDTH: f64 = 900.0;
/// Width of a column of text and height of a line.
const COLUMN: f64 = 7.25;
const LINE: f64 = 20.0;
/// Where the texts begin, behind their values.
const LEFT: f64 = 74.0;
/// Columns of text in a line.
const COLUMNS: usize = 111;
/// Examples of the strongest, and of each band.
const STRONGEST: u8 = 6;
const OF_BAND: u8 = 1;

/// The examples that are shown.
pub(super) fn chosen(page: &Page) -> impl Iterator<Item = &Example> {
    page.examples.iter().filter(|one| one.rank < if one.band == 0 { STRONGEST } else { OF_BAND })
}

pub(super) fn figure(report: &UnitReport, page: &Page) -> String {
    let examples: Vec<&Example> = chosen(page).collect();
    let scale = colour_scale(page);
    let mut body = String::new();
    let (mut y, mut band) = (8.0, None);
    for example in examples {
        if band != Some(example.band) {
            band = Some(example.band);
            let _ = writeln!(
                body,
                "<text class=\"soft\" x=\"18\" y=\"{:.1}\" font-weight=\"600\">{}</text>",
                y + 14.0,
                escape(&band_name(&report.manifest, example.band))
            );
            y += LINE + 2.0;
        }
        y += strip(&mut body, example, y, scale) + 5.0;
    }
    open(WIDTH, y + 8.0, &format!("{}: where it is active", page.short)) + &body + "</svg>\n"
}

/// Draws one example and returns its height.
fn strip(out: &mut String, example: &Example, top: f64, scale: f32) -> f64 {
    let _ = writeln!(
        out,
        "<text class=\"ink\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"600\">{}</text>\
         <g font-family=\"ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"12\">",
        LEFT - 12.0,
        top + 14.0,
        number(example.value.into()).replace('-', "−")
    );
    let (mut column, mut line) = (0usize, 0usize);
    for (at, (text, value)) in example.tokens.iter().zip(&example.values).enumerate() {
        let text = short(text);
        let columns = text.width().max(1);
        if column > 0 && column + columns > COLUMNS {
            (column, line) = (0, line + 1);
        }
        let (x, y, width) = (LEFT + column as f64 * COLUMN, top + line as f64 * LINE, columns as f64 * COLUMN);
        column += columns;
        let strength = if value.is_finite() && scale > 0.0 { (value / scale).clamp(-1.0, 1.0) } else { 0.0 };
        if strength.abs() > 0.012 {
            let _ = write!(
                out,
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"18\" rx=\"3\" fill-opacity=\"{:.2}\"/>",
                if strength < 0.0 { "n" } else { "p" },
                strength.abs() * 0.75
            );
        }
        if at == example.peak {
            let _ = write!(
                out,
                "<rect class=\"peak\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"18\" rx=\"3\"/>"
            );
        }
        if text.trim_matches(' ').is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "<text class=\"ink\" x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" \
             style=\"white-space:pre;unicode-bidi:isolate\">{}</text>",
            y + 13.5,
            escape(&text)
        );
    }
    *out += "</g>\n";
    (line + 1) as f64 * LINE
}
