//! The phase diagram.

use std::sync::Arc;

use egui::{Ui, vec2};
use golgi_analysis::superposition::{Cell, Fate, Phase};

use super::caption;
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::colormap::Scale;
use crate::desktop::widgets::heatmap::{CellSize, Heatmap, Place};
use crate::desktop::widgets::highlight::Light;
use crate::desktop::widgets::number;
use crate::desktop::widgets::texture::{Content, Grid};

/// The biggest diagram, in points.
const SIDE: f32 = 420.0;

/// A sentence about a cell.
fn sentence(cell: &Cell) -> String {
    format!(
        "importance {}, density {}: {}, norm {:.2}, interference {:.2}, loss {} ({} by closed form: {})",
        number::short(cell.importance),
        number::short(cell.density),
        cell.fate.name(),
        cell.norm,
        cell.interference,
        number::short(cell.loss as f32),
        number::short(cell.bound() as f32),
        cell.expected().name(),
    )
}

/// Not represented recedes, dedicated is orange, superposed is blue.
fn value(fate: Fate) -> f32 {
    match fate {
        Fate::NotRepresented => 0.0,
        Fate::Dedicated => 1.0,
        Fate::Superposed => -1.0,
    }
}

pub(super) fn ui(ui: &mut Ui, ctx: &PanelContext<'_>, found: &Arc<Phase>, chosen: &mut Option<(usize, usize)>) {
    let (rows, cols) = (found.importances.len(), found.densities.len());
    // The most important on top.
    let at = |row: usize, col: usize| found.cells.get((rows - 1 - row) * cols + col);
    let values: Vec<f32> =
        (0..rows * cols).map(|i| at(i / cols, i % cols).map_or(f32::NAN, |cell| value(cell.fate))).collect();
    let row_names: Vec<String> = found.importances.iter().rev().map(|value| number::short(*value)).collect();
    let col_names: Vec<String> = found.densities.iter().map(|value| number::short(*value)).collect();
    caption(ui, ctx, "What becomes of the extra feature");
    ui.weak("Rows: its importance beside others of 1. Columns: density. Orange: a dimension of its own. Blue: in superposition. Blank: left out.");
    *chosen = chosen.filter(|(row, col)| *row < rows && *col < cols);
    let side = ui.available_width().min(SIDE);
    let map = Heatmap {
        name: "Phase diagram",
        content: Content::of(found, "fate"),
        grid: Grid { rows, cols, values: &values },
        scale: Scale::signed(1.4, ctx.palette.dark),
        row_names: &row_names,
        col_names: &col_names,
        cell: CellSize::Fit(40.0),
        text: &|_, _| String::new(),
        describe: &|row, col| at(row, col).map(sentence).unwrap_or_default(),
        row_light: &|_| Light::None,
        col_light: &|_| Light::None,
        selected: *chosen,
    };
    let answer = map.show(ui, "phase", vec2(side, side));
    if let Some(clicked) = answer.clicked.and_then(Place::as_cell) {
        *chosen = Some(clicked);
    }
    if let Some(cell) = answer.hovered.and_then(Place::as_cell).and_then(|(row, col)| at(row, col)) {
        answer.response.on_hover_text_at_pointer(sentence(cell));
    }
    match chosen.and_then(|(row, col)| at(row, col)) {
        Some(cell) => ui.label(sentence(cell)),
        None => ui.weak("Click a cell for its numbers."),
    };
    let counts = found.counts();
    let shares: Vec<String> = Fate::ALL.iter().zip(counts).map(|(fate, n)| format!("{} {n}", fate.name())).collect();
    let (all, clear) = found.agreement();
    ui.label(format!("Cells: {}.", shares.join(", ")));
    ui.label(format!(
        "The closed forms prefer what was found in {:.0} % of the cells, and in {:.0} % of those where they are clear.",
        all * 100.0,
        clear * 100.0
    ));
}
