//! The sweep: dimensions per feature, and the dimensionality of each.

use egui::{Color32, Ui};
use egui_plot::{HLine, HoverPosition, Line, LineStyle, Plot, PlotPoints, Points};
use golgi_analysis::superposition::{NAMED, Stage, Sweep, census};

use super::caption;
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::number;

/// The height of a chart.
const HEIGHT: f32 = 240.0;

/// log₁₀ of 1 / (1 − S).
fn sparsity(stage: &Stage) -> f64 {
    -f64::from(stage.density).log10()
}

fn chart(name: &str) -> Plot<'static> {
    Plot::new(("toy sweep", name.to_owned()))
        .height(HEIGHT)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .include_y(0.0)
        .include_y(1.05)
        .show_grid([false, true])
        .x_axis_label("1 / (1 − S)")
        .x_axis_formatter(|mark, _| number::short(10f32.powf(mark.value as f32)))
}

fn level(name: String, y: f64, color: Color32) -> HLine {
    HLine::new(name, y).color(color).style(LineStyle::dashed_loose()).width(1.0)
}

pub(super) fn ui(ui: &mut Ui, ctx: &PanelContext<'_>, found: &Sweep) {
    let palette = ctx.palette;
    caption(ui, ctx, "Dimensions per feature, D* = m / ‖W‖²");
    let plot = chart("D*").label_formatter(|at| match at {
        HoverPosition::NearDataPoint { position, .. } => Some(format!("D* {:.3}", position.y)),
        HoverPosition::Elsewhere { .. } => None,
    });
    let points: Vec<[f64; 2]> =
        found.stages.iter().map(|stage| [sparsity(stage), stage.dimensions_per_feature]).collect();
    plot.show(ui, |plot| {
        for y in [1.0, 0.5] {
            plot.hline(level(number::short(y as f32), y, palette.line_strong));
        }
        plot.line(Line::new("D*", PlotPoints::from(points)).color(palette.accent).width(1.8));
    });
    caption(ui, ctx, "Dimensionality of each feature");
    // What each point is, in the order of the points.
    let mut names: Vec<String> = Vec::new();
    let mut points: Vec<[f64; 2]> = Vec::new();
    for stage in &found.stages {
        for (feature, share) in stage.dimensionality.iter().enumerate() {
            let polytope = stage.polytopes.iter().find(|one| one.features.contains(&feature));
            let name = polytope.map_or_else(|| "not represented".to_owned(), |one| one.name());
            names.push(format!("feature {feature}: {name}\nD {share:.3} at density {}", number::short(stage.density)));
            points.push([sparsity(stage), f64::from(*share)]);
        }
    }
    let plot = chart("D").label_formatter(move |at| match at {
        HoverPosition::NearDataPoint { plot_name: "features", index, .. } => names.get(*index).cloned(),
        HoverPosition::NearDataPoint { plot_name, .. } => Some((*plot_name).to_owned()),
        HoverPosition::Elsewhere { .. } => None,
    });
    plot.show(ui, |plot| {
        for (name, vertices, dimensions) in NAMED {
            let y = dimensions as f64 / vertices as f64;
            plot.hline(level(format!("{name}: {dimensions}/{vertices}"), y, palette.line_strong));
        }
        plot.points(Points::new("features", PlotPoints::from(points)).radius(2.2).color(palette.accent));
    });
    caption(ui, ctx, "Densities");
    for stage in &found.stages {
        let kinds: Vec<String> =
            census(&stage.polytopes).iter().take(4).map(|(name, count)| format!("{count} × {name}")).collect();
        ui.label(format!(
            "density {}: {} represented, D* {:.3}, median D {:.3}; {}",
            number::short(stage.density),
            stage.represented,
            stage.dimensions_per_feature,
            stage.median(),
            kinds.join(", ")
        ));
    }
}
