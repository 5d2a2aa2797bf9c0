//! The charts of the panel.

use egui::{Color32, Ui, vec2};
use egui_plot::{Bar, BarChart, HoverPosition, Line, Plot, PlotPoints};
use golgi_sae::train::Record;

use super::Drawn;
use crate::desktop::theme::Palette;
use crate::desktop::widgets::number;

/// The height of a chart.
const HEIGHT: f32 = 130.0;
/// The narrowest chart; as many stand side by side as there is room for.
const WIDTH: f32 = 230.0;

/// A number of a record.
type Measure = fn(&Record) -> f64;

/// What is drawn by step: name and number.
const MEASURES: [(&str, Measure); 4] = [
    ("loss", |record| record.report.loss.total),
    ("L0: active latents", |record| record.report.l0),
    ("explained variance", |record| record.report.explained),
    ("share of dead latents", |record| record.report.dead),
];

/// Every measure of every dictionary, by step.
pub(super) fn courses(ui: &mut Ui, palette: &Palette, drawn: &[Drawn<'_>]) {
    let columns = ((ui.available_width() / WIDTH) as usize).clamp(1, MEASURES.len());
    let width = ui.available_width() / columns as f32 - 8.0;
    for row in MEASURES.chunks(columns) {
        ui.horizontal(|ui| {
            for (name, measure) in row {
                ui.allocate_ui(vec2(width, HEIGHT + 18.0), |ui| {
                    ui.vertical(|ui| {
                        ui.label(egui::RichText::new(*name).small().color(palette.text_weak));
                        lines(ui, name, *measure, drawn, width);
                    });
                });
            }
        });
    }
}

fn lines(ui: &mut Ui, name: &str, measure: Measure, drawn: &[Drawn<'_>], width: f32) {
    let plot = Plot::new(("run", name))
        .height(HEIGHT)
        .width(width)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_grid([false, true])
        .label_formatter(|at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\nstep {:.0}: {}", position.x, number::short(position.y as f32)))
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    // An untrained dictionary may explain less than nothing; what counts lies between 0 and 1.
    let plot =
        if name == "explained variance" { plot.default_y_bounds(0.0, 1.0).auto_bounds([true, false]) } else { plot };
    plot.show(ui, |plot| {
        for one in drawn {
            let points = one.course.history.iter().map(|record| [record.report.step as f64, measure(record)]);
            let points: Vec<[f64; 2]> = points.filter(|point| point[1].is_finite()).collect();
            if !points.is_empty() {
                plot.line(Line::new(one.name.clone(), PlotPoints::from(points)).color(one.color).width(1.8));
            }
        }
    });
}

/// How many latents are active in which share of tokens.
pub(super) fn density(ui: &mut Ui, palette: &Palette, record: &Record, color: Color32) {
    let never = palette.text_weak;
    let bars = record.density.iter().enumerate().map(|(bin, count)| {
        // Bin 0 are those that were never active; the others go from 10⁻⁶ up by quarter decades.
        let (place, color) = if bin == 0 { (-6.5, never) } else { (-6.0 + 0.25 * (bin as f64 - 1.0) + 0.125, color) };
        let name = match bin {
            0 => "never".to_owned(),
            bin => format!("from {}", number::short(10f32.powf(-6.0 + 0.25 * (bin as f32 - 1.0)))),
        };
        Bar::new(place, f64::from(*count)).width(0.23).name(name).fill(color)
    });
    let bars: Vec<Bar> = bars.collect();
    let plot = Plot::new("density")
        .height(HEIGHT)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .include_x(-6.7)
        .include_x(0.3)
        .show_grid([false, true])
        .x_axis_formatter(|mark, _| {
            let power = mark.value.round();
            if (mark.value - power).abs() > 1e-6 || !(-6.0..=0.0).contains(&power) {
                return String::new();
            }
            number::short(10f32.powf(power as f32))
        });
    plot.show(ui, |plot| plot.bar_chart(BarChart::new("latents", bars)));
}
