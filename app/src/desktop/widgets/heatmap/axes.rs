//! Names along the two sides of a grid: truncated where they are long, upright or turned as there is room, thinned out where
//! there is none.

use std::f32::consts::FRAC_PI_2;
use std::ops::Range;
use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align2, Color32, FontId, Galley, Painter, Rect, Ui, Visuals, epaint::TextShape, pos2, vec2};

use super::view::View;
use crate::desktop::theme::Palette;
use crate::desktop::widgets::highlight::{Light, veil};

/// The longest name along a side, in points.
const LONGEST: f32 = 84.0;
/// Names of columns lie flat from this column width on.
const FLAT: f32 = 34.0;

/// One line of text, cut with `…` at `width`.
pub fn one_line(painter: &Painter, text: &str, font: &FontId, color: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::single_section(text.to_owned(), TextFormat::simple(font.clone(), color));
    job.wrap = TextWrapping::truncate_at_width(width.max(1.0));
    painter.layout_job(job)
}

/// The room that the names of rows need.
pub fn row_room(ui: &Ui, names: &[String], font: &FontId) -> f32 {
    longest(ui.painter(), names, font).map_or(0.0, |longest| longest + 8.0)
}

/// The room that the names of columns need, with columns `width` wide.
pub fn col_room(ui: &Ui, names: &[String], font: &FontId, width: f32) -> f32 {
    match longest(ui.painter(), names, font) {
        None => 0.0,
        Some(_) if width >= FLAT => font.size + 8.0,
        Some(longest) => longest + 8.0,
    }
}

fn longest(painter: &Painter, names: &[String], font: &FontId) -> Option<f32> {
    // A sample: what is longer than its longest is cut.
    let step = names.len().div_ceil(200).max(1);
    let widths =
        names.iter().step_by(step).map(|name| one_line(painter, name, font, Color32::PLACEHOLDER, LONGEST).size().x);
    widths.reduce(f32::max)
}

/// Paints the names of the visible rows into `area`, to the left of the grid.
pub fn rows(
    painter: &Painter,
    area: Rect,
    view: &View,
    names: &[String],
    font: &FontId,
    visuals: &Visuals,
    light: &dyn Fn(usize) -> Light,
) {
    let step = (font.size / view.cell.y).ceil().max(1.0) as usize;
    for (row, lit) in lit_last(view.visible_rows(), light) {
        let Some(name) = names.get(row) else { continue };
        if row % step != 0 && lit == Light::None {
            continue;
        }
        let cell = view.cell_rect(row, 0);
        let galley = one_line(painter, name, font, Color32::PLACEHOLDER, area.width() - 6.0);
        let middle = if step == 1 {
            cell.center().y
        } else {
            cell.center().y.min(area.bottom()).max(area.top() + font.size / 2.0)
        };
        let at = Align2::RIGHT_CENTER.anchor_size(pos2(area.right() - 4.0, middle), galley.size());
        back(painter, at.expand2(vec2(2.0, 0.0)), lit, visuals);
        painter.galley(at.min, galley, color(lit, visuals));
    }
}

/// Paints the names of the visible columns into `area`, above the grid.
pub fn cols(
    painter: &Painter,
    area: Rect,
    view: &View,
    names: &[String],
    font: &FontId,
    visuals: &Visuals,
    light: &dyn Fn(usize) -> Light,
) {
    let flat = view.cell.x >= FLAT;
    let step = if flat { 1 } else { (font.size / view.cell.x).ceil().max(1.0) as usize };
    for (col, lit) in lit_last(view.visible_cols(), light) {
        let Some(name) = names.get(col) else { continue };
        if col % step != 0 && lit == Light::None {
            continue;
        }
        let middle = view.cell_rect(0, col).center().x;
        if flat {
            let galley = one_line(painter, name, font, Color32::PLACEHOLDER, view.cell.x - 4.0);
            let at = Align2::CENTER_BOTTOM.anchor_size(pos2(middle, area.bottom() - 3.0), galley.size());
            back(painter, at.expand2(vec2(2.0, 1.0)), lit, visuals);
            painter.galley(at.min, galley, color(lit, visuals));
        } else {
            let galley = one_line(painter, name, font, Color32::PLACEHOLDER, area.height() - 6.0);
            let size = galley.size();
            let at =
                Rect::from_min_size(pos2(middle - size.y / 2.0, area.bottom() - 4.0 - size.x), vec2(size.y, size.x));
            back(painter, at.expand2(vec2(0.0, 2.0)), lit, visuals);
            // Turned to the left around its own corner, the text runs upwards.
            painter.add(TextShape::new(at.left_bottom(), galley, color(lit, visuals)).with_angle(-FRAC_PI_2));
        }
    }
}

/// The indices with their light, those that are lit behind the others: their names lie on top.
fn lit_last(range: Range<usize>, light: &dyn Fn(usize) -> Light) -> impl Iterator<Item = (usize, Light)> {
    let (dark, lit): (Vec<_>, Vec<_>) =
        range.map(|index| (index, light(index))).partition(|(_, light)| *light == Light::None);
    dark.into_iter().chain(lit)
}

fn back(painter: &Painter, rect: Rect, light: Light, visuals: &Visuals) {
    if light != Light::None {
        painter.rect_filled(rect, 2.0, visuals.panel_fill);
    }
    if let Some(veil) = veil(visuals, light) {
        painter.rect_filled(rect, 2.0, veil);
    }
}

fn color(light: Light, visuals: &Visuals) -> Color32 {
    match light {
        Light::None => visuals.weak_text_color(),
        Light::Hovered => visuals.strong_text_color(),
        Light::Selected => Palette::of(visuals).accent,
    }
}
