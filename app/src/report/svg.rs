//! Figures as inline SVG. Colours are classes, so that the page's theme decides them.

use std::fmt::Write as _;

use super::number::number;
use super::scale::Scale;
use super::visible::{escape, token};

/// Width of a figure in its own units; the page scales it down where there is less room.
const WIDTH: f64 = 900.0;

/// A grid of coloured cells without texts. `values` has `rows.len() × columns.len()` entries, row by row.
pub(super) fn heatmap(rows: &[String], columns: &[String], values: &[Option<f32>], scale: &Scale) -> String {
    let (n_rows, n_columns) = (rows.len(), columns.len());
    let names = rows.iter().map(|name| name.chars().count().min(12)).max().unwrap_or(0);
    let left = 10.0 + names as f64 * 6.4;
    let cell = ((WIDTH - left) / n_columns.max(1) as f64).clamp(3.0, 26.0);
    let height = if n_rows * 26 > 900 { cell.min(900.0 / n_rows as f64).max(4.0) } else { cell.clamp(12.0, 22.0) };
    let gap = if cell.min(height) > 8.0 { 1.0 } else { 0.0 };
    let (width, bottom) = (left + cell * n_columns as f64 + 2.0, height * n_rows as f64);
    let mut out = format!(
        r#"<svg class="heat" viewBox="0 0 {width:.1} {:.1}" style="max-width:{width:.0}px" role="img">"#,
        bottom + 22.0
    );
    for (row, name) in rows.iter().enumerate() {
        let y = row as f64 * height;
        if row.is_multiple_of(every(n_rows, height, 11.0)) {
            let short: String = token(name).chars().take(12).collect();
            let _ = write!(
                out,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                left - 6.0,
                y + height / 2.0 + 3.5,
                escape(&short)
            );
        }
        for (column, head) in columns.iter().enumerate() {
            let Some(value) = values.get(row * n_columns + column).copied().flatten() else { continue };
            let strength = scale.strength(value);
            let _ = write!(
                out,
                r#"<rect x="{:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" class="{}" fill-opacity="{:.3}" data-t="{} · {}: {}"/>"#,
                left + column as f64 * cell,
                cell - gap,
                height - gap,
                sign_class(strength),
                strength.abs(),
                escape(&token(name)),
                escape(&token(head)),
                number(value.into()),
            );
        }
    }
    let longest = columns.iter().map(|name| name.chars().count()).max().unwrap_or(1).min(8);
    let step = every(n_columns, cell, 7.0 * longest as f64 + 4.0);
    for (column, head) in columns.iter().enumerate().filter(|(column, _)| column.is_multiple_of(step)) {
        let short: String = token(head).chars().take(8).collect();
        let x = left + (column as f64 + 0.5) * cell;
        let _ =
            write!(out, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#, bottom + 14.0, escape(&short));
    }
    out + "</svg>"
}

/// Upright bars along the positions of a text, up and down from a line at zero.
pub(super) fn profile(names: &[String], values: &[f32], scale: &Scale) -> String {
    let (height, n) = (96.0, values.len().max(1) as f64);
    let finite = || values.iter().copied().filter(|value| value.is_finite()).map(f64::from);
    let (high, low) = (finite().fold(0.0, f64::max), finite().fold(0.0, f64::min));
    let unit = if high > low { height / (high - low) } else { 0.0 };
    let (zero, step) = (high * unit, (WIDTH / n).min(40.0));
    let width = step * n;
    let mut out = format!(
        r#"<svg class="profile" viewBox="0 -2 {width:.1} {:.1}" style="max-width:{width:.0}px" role="img"><path class="axis" d="M0 {zero:.1}H{width:.1}"/>"#,
        height + 4.0
    );
    for (at, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let size = (f64::from(value.abs()) * unit).max(0.6);
        let y = if *value >= 0.0 { zero - size } else { zero };
        let name = names.get(at).map(|name| escape(&token(name))).unwrap_or_default();
        let _ = write!(
            out,
            r#"<rect x="{:.1}" y="{y:.1}" width="{:.1}" height="{size:.1}" class="{}" data-t="{at} · {name}: {}"/>"#,
            at as f64 * step + step * 0.12,
            step * 0.76,
            sign_class(scale.strength(*value)),
            number((*value).into()),
        );
    }
    out + "</svg>"
}

pub(super) fn sign_class(strength: f32) -> &'static str {
    if strength < 0.0 { "n" } else { "p" }
}

/// Every how many-th of `n` names there is room for, when each has `room` and needs `needed`.
fn every(n: usize, room: f64, needed: f64) -> usize {
    ((needed / room).ceil() as usize).clamp(1, n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_carry_names_and_values_as_text() {
        let scale = Scale::new([-1.0, 2.0], true);
        let svg = heatmap(&["<r>".into()], &["a\"".into(), "b".into()], &[Some(-1.0), Some(2.0)], &scale);
        assert!(svg.contains(r#"class="n" fill-opacity="0.500" data-t="&lt;r&gt; · a&quot;: -1""#), "{svg}");
        assert!(!svg.contains("<r>"));
        assert_eq!(svg.matches("<rect").count(), 2);
    }

    #[test]
    fn missing_values_leave_holes_and_nothing_divides_by_zero() {
        let scale = Scale::new([], false);
        let svg = heatmap(&["r".into()], &["a".into()], &[None], &scale);
        assert_eq!(svg.matches("<rect").count(), 0);
        for svg in
            [heatmap(&[], &[], &[], &scale), profile(&[], &[], &scale), profile(&["x".into()], &[f32::NAN], &scale)]
        {
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn bars_grow_from_zero() {
        let svg = profile(&["a".into(), "b".into()], &[1.0, -1.0], &Scale::new([1.0, -1.0], true));
        assert!(svg.contains(r#"y="0.0" width="30.4" height="48.0" class="p""#), "{svg}");
        assert!(svg.contains(r#"y="48.0" width="30.4" height="48.0" class="n""#), "{svg}");
    }
}
