//! The logit lens: what the model would predict if it stopped after each layer.
//!
//! Depth × token, each cell the token that the final norm and the unembedding read off the residual stream there
//! (nostalgebraist 2020).

use std::sync::Arc;

use egui::{Ui, vec2};
use egui_plot::{Legend, Line, Plot, PlotPoints};
use golgi_analysis::prompt::logit_lens::{LensCell, LogitLens};

use super::{About, Panel, PanelContext};
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::{Palette, icons};
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::heatmap::{CellSize, Heatmap, HeatmapResponse};
use crate::desktop::widgets::highlight::Light;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::desktop::widgets::texture::{Content, Grid};
use crate::desktop::widgets::{bar, number};
use crate::report::{count, percent};
use crate::session::command::Command;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;

/// Height of the chart, in points.
const CHART: f32 = 150.0;

/// What colours the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Measure {
    #[default]
    Probability,
    Rank,
    Kl,
    Entropy,
}

impl Measure {
    const ALL: [Measure; 4] = [Measure::Probability, Measure::Rank, Measure::Kl, Measure::Entropy];

    fn name(self) -> &'static str {
        match self {
            Measure::Probability => "Probability",
            Measure::Rank => "Rank",
            Measure::Kl => "KL",
            Measure::Entropy => "Entropy",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Measure::Probability => "Probability of the cell's own first choice",
            Measure::Rank => "log₁₀(1 + rank) of the final prediction at this depth; 0: already the first choice",
            Measure::Kl => "KL(final distribution ‖ distribution at this depth), nats; 0: nothing changes any more",
            Measure::Entropy => "Entropy of the distribution at this depth, nats",
        }
    }

    fn of(self, cell: &LensCell) -> f32 {
        match self {
            Measure::Probability => cell.top.first().map_or(f32::NAN, |first| first.prob),
            Measure::Rank => (cell.rank_of_final as f32 + 1.0).log10(),
            Measure::Kl => cell.kl_to_final,
            Measure::Entropy => cell.entropy,
        }
    }
}

/// The numbers of one result and measure, and the names of both sides: kept as long as they are shown.
struct Prepared {
    lens: Arc<LogitLens>,
    measure: Measure,
    values: Vec<f32>,
    rows: Vec<String>,
    cols: Vec<String>,
}

impl Prepared {
    fn new(lens: &Arc<LogitLens>, measure: Measure) -> Prepared {
        Prepared {
            lens: Arc::clone(lens),
            measure,
            values: lens.cells.iter().map(|cell| measure.of(cell)).collect(),
            rows: lens.depths.iter().map(|depth| text::visible(depth)).collect(),
            cols: lens.tokens.iter().map(|token| text::token_label(token)).collect(),
        }
    }

    fn scale(&self, dark: bool) -> Scale {
        match self.measure {
            Measure::Probability => Scale::unsigned(0.0, 1.0, dark),
            _ => Scale::unsigned(0.0, self.values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max), dark),
        }
    }
}

/// The panel.
pub struct LensPanel {
    measure: Measure,
    chart: bool,
    prepared: Option<Prepared>,
}

impl Default for LensPanel {
    fn default() -> LensPanel {
        LensPanel { measure: Measure::Probability, chart: true, prepared: None }
    }
}

impl Panel for LensPanel {
    fn id(&self) -> &'static str {
        "lens"
    }

    fn title(&self) -> &'static str {
        "Logit lens"
    }

    fn icon(&self) -> &'static str {
        icons::STACK
    }

    fn help(&self) -> &'static str {
        "What the model would predict after each layer: the residual stream, read through the final norm and the unembedding. \
         Rows are depths, from the embedding down to the last layer; columns are tokens. Rest the pointer on a cell for its most probable \
         tokens, click to select token and layer. Ctrl and the wheel zoom, a double click shows everything again."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::LogitLens]
    }

    fn about(&self) -> About {
        About::Text
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let step = placeholder::next_step(ctx.document(), "every layer's prediction appears here, token by token.");
        match placeholder::shown(ui, &ctx.results().lens, "the logit lens", "No predictions by depth yet", &step) {
            Shown::Value { value, stale } => self.loaded(ctx, ui, value, stale),
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::LogitLens));
                }
            }
        }
    }
}

impl LensPanel {
    fn loaded(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, lens: &Arc<LogitLens>, stale: bool) {
        if self.prepared.as_ref().is_none_or(|p| !Arc::ptr_eq(&p.lens, lens) || p.measure != self.measure) {
            self.prepared = Some(Prepared::new(lens, self.measure));
        }
        let Some(prepared) = &self.prepared else { return };
        let scale = prepared.scale(ui.visuals().dark_mode);
        ui.horizontal_wrapped(|ui| {
            for measure in Measure::ALL {
                ui.selectable_value(&mut self.measure, measure, measure.name()).on_hover_text(measure.about());
            }
            legend(ui, &scale, self.measure.about());
            ui.toggle_value(&mut self.chart, "Chart").on_hover_text("The selected token's prediction through depth");
            if stale {
                busy(ui);
                ui.weak("The newer text is being computed.");
            }
        });
        if stale {
            ui.multiply_opacity(0.6);
        }
        let token = ctx.token_among(lens.tokens.len());
        let room = ui.available_size();
        let chart = token.filter(|_| self.chart && room.y > 2.0 * CHART);
        let height = if chart.is_some() { room.y - CHART - 8.0 } else { room.y };
        let response = grid(ctx, ui, prepared, scale, vec2(room.x, height));
        follow(ctx, lens, &response);
        if let Some(cell) = response.hovered.and_then(|place| place.as_cell())
            && let Some(found) = lens.cell(cell.0, cell.1)
        {
            response.response.on_hover_ui_at_pointer(|ui| popup(ui, lens, cell, found));
        }
        if let Some(token) = chart {
            through_depth(ui, lens, self.measure, token, ctx.selection.layer);
        }
    }
}

/// The layer behind which a depth is read; none for the embedding.
fn layer_of(lens: &LogitLens, depth: usize) -> Option<u32> {
    lens.depths.get(depth)?.parse().ok()
}

fn depth_of(lens: &LogitLens, layer: Option<u32>) -> Option<usize> {
    let layer = layer?.to_string();
    lens.depths.iter().position(|depth| *depth == layer)
}

fn grid(ctx: &PanelContext<'_>, ui: &mut Ui, prepared: &Prepared, scale: Scale, size: egui::Vec2) -> HeatmapResponse {
    let lens = &*prepared.lens;
    let token = ctx.token_among(lens.tokens.len());
    let selected_depth = depth_of(lens, ctx.selection.layer);
    let hovered_depth = depth_of(lens, ctx.hover.layer);
    let heatmap = Heatmap {
        name: "Logit lens, depth by token",
        content: Content::of(&prepared.lens, prepared.measure),
        grid: Grid { rows: lens.depths.len(), cols: lens.tokens.len(), values: &prepared.values },
        scale,
        row_names: &prepared.rows,
        col_names: &prepared.cols,
        cell: CellSize::Fixed(vec2(62.0, 19.0)),
        text: &|row, col| {
            lens.cell(row, col)
                .and_then(|cell| cell.top.first())
                .map_or_else(String::new, |first| text::token_label(&first.text))
        },
        describe: &|row, col| describe(lens, row, col),
        row_light: &|row| Light::of(selected_depth == Some(row), hovered_depth == Some(row)),
        col_light: &|col| Light::of(token == Some(col), ctx.hover.token == Some(col)),
        selected: selected_depth.zip(token),
    };
    heatmap.show(ui, "lens", size)
}

fn describe(lens: &LogitLens, row: usize, col: usize) -> String {
    let depth = lens.depths.get(row).map_or("", String::as_str);
    let first = lens.cell(row, col).and_then(|cell| cell.top.first());
    let prediction =
        first.map_or_else(String::new, |first| format!(": {} {}", text::token_label(&first.text), percent(first.prob)));
    format!("depth {depth}, token {col}{prediction}")
}

/// Hands on what the pointer did.
fn follow(ctx: &PanelContext<'_>, lens: &LogitLens, response: &HeatmapResponse) {
    let selection = |place: crate::desktop::widgets::heatmap::Place| Selection {
        token: place.col,
        layer: place.row.and_then(|row| layer_of(lens, row)),
        ..Selection::default()
    };
    if let Some(place) = response.hovered {
        ctx.set_hover(selection(place));
    }
    if let Some(place) = response.clicked {
        ctx.select(selection(place));
    }
}

fn popup(ui: &mut Ui, lens: &LogitLens, (row, col): (usize, usize), cell: &LensCell) {
    ui.set_max_width(280.0);
    let depth = lens.depths.get(row).map_or("", String::as_str);
    let token = lens.tokens.get(col).map_or_else(String::new, |token| text::shortened(&text::token_label(token), 24));
    let place = if layer_of(lens, row).is_some() { format!("after layer {depth}") } else { text::visible(depth) };
    ui.strong(format!("{token}  {place}"));
    egui::Grid::new("lens popup").num_columns(2).min_row_height(0.0).spacing(vec2(10.0, 2.0)).show(ui, |ui| {
        for candidate in cell.top.iter().take(10) {
            ui.label(text::shortened(&text::token_label(&candidate.text), 24));
            bar::bar(ui, 90.0, candidate.prob, false, &percent(candidate.prob));
            ui.end_row();
        }
    });
    ui.weak(format!(
        "rank of the final prediction {}, KL to final {}, entropy {}",
        count(u64::from(cell.rank_of_final)),
        number::short(cell.kl_to_final),
        number::short(cell.entropy)
    ));
    if let Some(prob) = cell.prob_of_next {
        ui.weak(format!("the token that follows: {}", percent(prob)));
    }
}

/// The measure at one token through depth, as a line.
fn through_depth(ui: &mut Ui, lens: &LogitLens, measure: Measure, token: usize, layer: Option<u32>) {
    let palette = Palette::of(ui.visuals());
    let series = |value: &dyn Fn(&LensCell) -> Option<f32>| -> Vec<[f64; 2]> {
        let cells = (0..lens.depths.len()).filter_map(|depth| Some((depth, lens.cell(depth, token)?)));
        let points = cells.filter_map(|(depth, cell)| Some([depth as f64, f64::from(value(cell)?)]));
        points.filter(|point| point[1].is_finite()).collect()
    };
    let mut lines = vec![(measure.name(), series(&|cell| Some(measure.of(cell))), palette.accent)];
    if measure == Measure::Probability {
        lines[0].0 = "first choice";
        lines.push(("token that follows", series(&|cell| cell.prob_of_next), palette.changed));
    }
    lines.retain(|(_, points, _)| !points.is_empty());
    let names: Vec<String> = lens.depths.clone();
    let names_again = names.clone();
    let marked = depth_of(lens, layer);
    let mut plot = Plot::new("lens through depth")
        .height(CHART)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .include_y(0.0)
        .show_grid([false, true])
        .x_axis_formatter(move |mark, _| depth_name(&names, mark.value))
        .label_formatter(move |at| match at {
            egui_plot::HoverPosition::NearDataPoint { plot_name, position, .. } => {
                let depth = depth_name(&names_again, position.x);
                Some(format!("{plot_name}\ndepth {depth}: {}", number::short(position.y as f32)))
            }
            egui_plot::HoverPosition::Elsewhere { .. } => None,
        });
    if measure == Measure::Probability {
        plot = plot.include_y(1.0);
    }
    if lines.len() > 1 {
        plot = plot.legend(Legend::default().position(egui_plot::Corner::RightBottom));
    }
    plot.show(ui, |plot_ui| {
        if let Some(depth) = marked {
            plot_ui.vline(egui_plot::VLine::new("", depth as f64).color(palette.accent.gamma_multiply(0.5)));
        }
        for (name, points, color) in lines {
            plot_ui.line(Line::new(name, PlotPoints::from(points)).color(color).width(1.8));
        }
    });
}

fn depth_name(names: &[String], at: f64) -> String {
    let whole = at.round();
    if (at - whole).abs() > 1e-6 || whole < 0.0 {
        return String::new();
    }
    names.get(whole as usize).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use golgi_analysis::prompt::Candidate;

    use super::*;

    fn cell(prob: f32) -> LensCell {
        let top = vec![Candidate { id: 0, text: " a".to_owned(), prob, logit: 0.0 }];
        LensCell { top, entropy: 2.0, kl_to_final: 0.5, rank_of_final: 99, prob_of_next: None }
    }

    fn lens() -> LogitLens {
        let depths = ["embed", "0", "1"].map(str::to_owned).to_vec();
        LogitLens { depths, tokens: vec!["x".to_owned()], cells: vec![cell(0.1), cell(0.2), cell(0.3)] }
    }

    #[test]
    fn depths_and_layers_belong_together() {
        let lens = lens();
        assert_eq!([layer_of(&lens, 0), layer_of(&lens, 2), layer_of(&lens, 9)], [None, Some(1), None]);
        assert_eq!((depth_of(&lens, Some(1)), depth_of(&lens, Some(7)), depth_of(&lens, None)), (Some(2), None, None));
        assert_eq!(describe(&lens, 1, 0), "depth 0, token 0: ·a 20.0 %");
    }

    #[test]
    fn each_measure_reads_its_number() {
        let values = Measure::ALL.map(|measure| measure.of(&cell(0.25)));
        assert_eq!(values, [0.25, 2.0, 0.5, 2.0]);
        assert!(Measure::Probability.of(&LensCell { top: Vec::new(), ..cell(0.0) }).is_nan());
        let prepared = Prepared::new(&Arc::new(lens()), Measure::Kl);
        assert_eq!(prepared.scale(true).high, 0.5);
    }

    #[test]
    fn only_whole_depths_have_names() {
        let names = ["embed".to_owned(), "0".to_owned()];
        assert_eq!(
            [0.0, 1.0, 0.5, 2.0, -1.0].map(|at| depth_name(&names, at)),
            ["embed", "0", "", "", ""].map(str::to_owned)
        );
    }
}
