//! Statistics beside the other units of the layer, and the histogram.

use egui::accesskit::Role;
use egui::{Align2, CollapsingHeader, Grid, Rect, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};
use golgi_data::atlas::{Page, Statistic};

use super::{heading, title_ui};
use crate::desktop::panels::atlas::number_text;
use crate::desktop::widgets::colormap::sign_color;
use crate::desktop::widgets::{bar, number};
use crate::session::atlas::known;
use crate::session::text::{grouped, visible};

/// Those that are shown without being asked for.
const USUAL: [&str; 10] = [
    "max",
    "frac_active",
    "mean_active",
    "mean",
    "std",
    "skewness",
    "kurtosis",
    "position_mi",
    "norm_out",
    "cos_in_out",
];

/// The statistics.
pub fn ui(ui: &mut Ui, page: &Page) {
    heading(ui, "Statistics", "A bar is the share of the layer's units of the same kind whose value is smaller");
    let (usual, others): (Vec<&Statistic>, Vec<&Statistic>) =
        page.statistics.iter().partition(|statistic| USUAL.contains(&statistic.name.as_str()));
    grid(ui, "usual", &usual);
    CollapsingHeader::new(format!("{} more", others.len()))
        .id_salt("more statistics")
        .show(ui, |ui| grid(ui, "others", &others));
}

fn grid(ui: &mut Ui, name: &str, statistics: &[&Statistic]) {
    let two = ui.available_width() > 460.0;
    let width = if two { 64.0 } else { 110.0 };
    Grid::new(name).num_columns(if two { 6 } else { 3 }).spacing([10.0, 2.0]).min_row_height(0.0).show(ui, |ui| {
        for (index, statistic) in statistics.iter().enumerate() {
            let known = known::known(&statistic.name);
            ui.weak(visible(known::title(&statistic.name)))
                .on_hover_text(known.map_or("A column of this atlas only", |k| k.about));
            let value = statistic.value.map_or(f32::NAN, |value| value as f32);
            ui.label(number_text(&statistic.name, value));
            match statistic.percentile {
                Some(percentile) => {
                    let text = format!("{percentile:.0} %");
                    bar::bar(ui, width, percentile / 100.0, false, &text).on_hover_text("Percentile within the layer");
                }
                None => {
                    ui.label("");
                }
            }
            if !two || index % 2 == 1 {
                ui.end_row();
            }
        }
    });
}

/// How often which activation occurs.
pub fn histogram_ui(ui: &mut Ui, page: &Page, logarithmic: &mut bool) {
    if page.histogram.is_empty() {
        return;
    }
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        title_ui(ui, "Histogram of the activation", "");
        ui.checkbox(logarithmic, "logarithmic counts");
    });
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width().min(640.0), 84.0), Sense::hover());
    let total: f32 = page.histogram.iter().map(|bar| bar.count).sum();
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Figure, true, format!("Histogram of {} activations", grouped(total as u64)))
    });
    let plot = Rect::from_min_max(rect.min, rect.max - vec2(0.0, 14.0));
    let height = |count: f32| if *logarithmic { (1.0 + count).log10() } else { count };
    let most = page.histogram.iter().map(|bar| height(bar.count)).fold(0.0, f32::max).max(f32::MIN_POSITIVE);
    let width = plot.width() / page.histogram.len() as f32;
    let visuals = ui.visuals();
    let painter = ui.painter();
    painter.hline(plot.x_range(), plot.bottom(), visuals.widgets.noninteractive.bg_stroke);
    let pointed = response.hover_pos().map(|pos| ((pos.x - plot.left()) / width) as usize);
    for (index, bar) in page.histogram.iter().enumerate() {
        let left = plot.left() + index as f32 * width;
        let top = plot.bottom() - plot.height() * height(bar.count) / most;
        let color = sign_color(bar.high > 0.0, visuals.dark_mode);
        let color = if pointed == Some(index) { visuals.strong_text_color() } else { color };
        painter.rect_filled(
            Rect::from_min_max(pos2(left + 0.5, top), pos2(left + width - 0.5, plot.bottom())),
            0.0,
            color,
        );
    }
    let font = TextStyle::Small.resolve(ui.style());
    let (first, last) =
        (page.histogram.first().map_or(0.0, |bar| bar.low), page.histogram.last().map_or(0.0, |bar| bar.high));
    let weak = visuals.weak_text_color();
    painter.text(rect.left_bottom(), Align2::LEFT_BOTTOM, number::short(first), font.clone(), weak);
    painter.text(rect.right_bottom(), Align2::RIGHT_BOTTOM, number::short(last), font.clone(), weak);
    let zero = plot.left() + plot.width() * (-first / (last - first).max(f32::MIN_POSITIVE));
    if first < 0.0 && last > 0.0 && zero > rect.left() + 44.0 && zero < rect.right() - 44.0 {
        painter.text(pos2(zero, rect.bottom()), Align2::CENTER_BOTTOM, "0", font, weak);
    }
    if let Some(bar) = pointed.and_then(|index| page.histogram.get(index)) {
        let range = format!("{} to {}", number::short(bar.low), number::short(bar.high));
        let share = crate::session::text::percent(bar.count / total.max(1.0));
        response
            .on_hover_text_at_pointer(format!("{range}\n{} activations, {share}", grouped(bar.count.round() as u64)));
    }
}
