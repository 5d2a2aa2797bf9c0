//! The activation along the context, by language and by genre.

use egui::{Grid, Ui};
use golgi_data::atlas::{LabelValue, Page};

use super::heading;
use crate::desktop::widgets::bar_chart::bar_chart;
use crate::desktop::widgets::{bar, number};
use crate::session::text::{grouped, percent, visible};

/// Draws the profiles.
pub fn ui(ui: &mut Ui, page: &Page) {
    if page.positions.len() > 1 {
        heading(
            ui,
            "Mean activation by position",
            "The first position of every context is shown here and left out of everything else",
        );
        let means: Vec<f32> = page.positions.iter().map(|value| value.mean).collect();
        let chart = bar_chart(ui, "Mean activation at position", 64.0, &means, None, None);
        if let Some((index, value)) = chart.hovered.and_then(|index| Some((index, page.positions.get(index)?))) {
            let next = page.positions.get(index + 1).map_or(value.position, |next| next.position.saturating_sub(1));
            let range = if next > value.position {
                format!("positions {}–{next}", value.position)
            } else {
                format!("position {}", value.position)
            };
            let text = format!("{range}\nmean {}, active {}", number::short(value.mean), percent(value.rate));
            chart.response.on_hover_text_at_pointer(text);
        }
    }
    if page.languages.len() > 1 && page.genres.len() > 1 && ui.available_width() > 460.0 {
        ui.columns(2, |columns| {
            labels_ui(&mut columns[0], "By language", &page.languages);
            labels_ui(&mut columns[1], "By genre", &page.genres);
        });
    } else {
        labels_ui(ui, "By language", &page.languages);
        labels_ui(ui, "By genre", &page.genres);
    }
}

fn labels_ui(ui: &mut Ui, title: &str, labels: &[LabelValue]) {
    if labels.is_empty() {
        return;
    }
    heading(ui, title, "Mean activation, and the share of tokens at which it is active");
    let most = labels.iter().map(|label| label.mean.abs()).filter(|mean| mean.is_finite()).fold(0.0, f32::max);
    let mut sorted: Vec<&LabelValue> = labels.iter().collect();
    sorted.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    Grid::new(title).num_columns(3).spacing([10.0, 2.0]).min_row_height(0.0).show(ui, |ui| {
        for label in sorted {
            ui.label(visible(&label.label)).on_hover_text(format!("{} tokens", grouped(label.tokens)));
            let share = if most > 0.0 { label.mean / most } else { 0.0 };
            bar::bar(
                ui,
                74.0,
                share,
                label.mean < 0.0 || labels.iter().any(|l| l.mean < 0.0),
                &number::short(label.mean),
            );
            ui.weak(percent(label.rate)).on_hover_text("Share of tokens at which it is active");
            ui.end_row();
        }
    });
}
