//! One model: its features in the plane, WᵀW, and each feature's numbers.

use std::sync::Arc;

use egui::{Ui, vec2};
use egui_plot::{HoverPosition, Line, Plot, PlotPoints, Points};
use golgi_analysis::superposition::{Solved, census, represented};

use super::caption;
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::colormap::Scale;
use crate::desktop::widgets::heatmap::{CellSize, Heatmap, Place};
use crate::desktop::widgets::highlight::Light;
use crate::desktop::widgets::number;
use crate::desktop::widgets::texture::{Content, Grid};

/// The biggest figure, in points.
const SIDE: f32 = 320.0;
/// Rows of the list of features.
const LISTED: usize = 60;

pub(super) fn ui(ui: &mut Ui, ctx: &PanelContext<'_>, found: &Arc<Solved>) {
    let n = found.task.features();
    let kinds: Vec<String> = census(&found.polytopes).iter().map(|(name, count)| format!("{count} × {name}")).collect();
    ui.label(format!(
        "{} of {n} features in {} dimensions: {}",
        represented(&found.features),
        found.task.hidden,
        kinds.join(", ")
    ));
    ui.weak(format!(
        "loss {}; without superposition {}; of the linear model {}; {} of {} starts as good",
        number::short(found.best.loss as f32),
        number::short(found.without_superposition as f32),
        number::short(found.linear.loss as f32),
        found.as_good(),
        found.losses.len()
    ));
    let side = ui.available_width().min(SIDE);
    if found.task.hidden == 2 {
        caption(ui, ctx, "The features in their two dimensions");
        plane(ui, ctx, found, side);
    }
    caption(ui, ctx, "WᵀW");
    let gram = found.best.toy.gram();
    let names: Vec<String> = (0..n).map(|feature| feature.to_string()).collect();
    let sentence = |row: usize, col: usize| {
        let value = gram.get(row * n + col).copied().unwrap_or(0.0);
        format!("feature {col} puts out {value:+.3} at feature {row}")
    };
    let limit = gram.iter().fold(0f32, |most, value| most.max(value.abs()));
    let map = Heatmap {
        name: "WᵀW",
        content: Content::of(found, "gram"),
        grid: Grid { rows: n, cols: n, values: &gram },
        scale: Scale::signed(limit, ctx.palette.dark),
        row_names: &names,
        col_names: &names,
        cell: CellSize::Fit(44.0),
        text: &|row, col| gram.get(row * n + col).map(|value| format!("{value:+.2}")).unwrap_or_default(),
        describe: &sentence,
        row_light: &|_| Light::None,
        col_light: &|_| Light::None,
        selected: None,
    };
    let answer = map.show(ui, "gram", vec2(side, side));
    if let Some((row, col)) = answer.hovered.and_then(Place::as_cell) {
        answer.response.on_hover_text_at_pointer(sentence(row, col));
    }
    caption(ui, ctx, "Features");
    for (feature, one) in found.features.iter().enumerate().take(LISTED) {
        ui.label(format!(
            "{feature}: norm {:.2}, interference {:.2}, D {:.3}, bias {:+.2}",
            one.norm, one.interference, one.dimensionality, one.bias
        ));
    }
    if n > LISTED {
        ui.weak(format!("… and {} more", n - LISTED));
    }
}

/// The columns of W as arrows from the middle.
fn plane(ui: &mut Ui, ctx: &PanelContext<'_>, found: &Solved, side: f32) {
    let columns: Vec<[f64; 2]> = (0..found.task.features())
        .map(|feature| {
            let column = found.best.toy.column(feature);
            [f64::from(column[0]), f64::from(column[1])]
        })
        .collect();
    let features = found.features.clone();
    let plot = Plot::new("toy plane")
        .width(side)
        .height(side)
        .data_aspect(1.0)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .label_formatter(move |at| match at {
            HoverPosition::NearDataPoint { plot_name: "features", index, .. } => {
                let one = features.get(*index)?;
                Some(format!("feature {index}\nnorm {:.3}\nD {:.3}", one.norm, one.dimensionality))
            }
            _ => None,
        });
    plot.show(ui, |plot| {
        for column in &columns {
            let line = Line::new("direction", PlotPoints::from(vec![[0.0, 0.0], *column]));
            plot.line(line.color(ctx.palette.line_strong).width(1.5));
        }
        plot.points(Points::new("features", PlotPoints::from(columns)).radius(4.0).color(ctx.palette.accent));
    });
}
