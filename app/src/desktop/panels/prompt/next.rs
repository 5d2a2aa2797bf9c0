//! What the model expects behind one token.

use egui::{Align2, RichText, ScrollArea, Sense, TextStyle, Ui, vec2};
use golgi_analysis::prompt::token_stats::TokenStats;

use super::super::PanelContext;
use crate::desktop::widgets::bar;
use crate::session::text;

const ROW: f32 = 21.0;

/// Draws the candidates behind the token at `focus`, most probable first, with bars.
pub(super) fn table_ui(ctx: &PanelContext<'_>, ui: &mut Ui, stats: &TokenStats, focus: Option<usize>) {
    let Some(pos) = focus.filter(|pos| *pos < stats.tokens.len()) else { return };
    let token = text::shortened(&text::token_label(&stats.tokens[pos].text), 16);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.weak("Next after");
        ui.label(RichText::new(token).text_style(TextStyle::Name("strong".into())).color(ctx.palette.text_strong));
        ui.weak(format!("at {pos}"));
    });
    let Some(candidates) = stats.next.get(pos).filter(|candidates| !candidates.is_empty()) else {
        ui.weak("This model does not predict tokens.");
        return;
    };
    let follows = stats.tokens.get(pos + 1).map(|token| token.id);
    ScrollArea::vertical().id_salt("next tokens").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (rank, candidate) in candidates.iter().enumerate() {
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
            let label = text::token_label(&candidate.text);
            let percent = text::percent(candidate.prob);
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Row, true, format!("{label} {percent}")));
            if response.hovered() {
                ui.painter().rect_filled(rect, 4.0, ctx.palette.raised);
            }
            let is_next = follows == Some(candidate.id);
            let color = if is_next { ctx.palette.accent } else { ctx.palette.text };
            let painter = ui.painter_at(rect);
            let small = TextStyle::Small.resolve(ui.style());
            let body = TextStyle::Body.resolve(ui.style());
            let mid = rect.center().y;
            let at = |x: f32| egui::pos2(rect.left() + x, mid);
            painter.text(at(18.0), Align2::RIGHT_CENTER, rank.to_string(), small.clone(), ctx.palette.text_weak);
            let name = painter.with_clip_rect(egui::Rect::from_min_max(
                egui::pos2(rect.left() + 26.0, rect.top()),
                egui::pos2(rect.left() + 116.0, rect.bottom()),
            ));
            name.text(at(26.0), Align2::LEFT_CENTER, text::shortened(&label, 24), body, color);
            let track = egui::Rect::from_min_max(
                egui::pos2(rect.left() + 122.0, mid - 4.0),
                egui::pos2(rect.right() - 66.0, mid + 4.0),
            );
            if track.width() > 12.0 {
                bar::paint(&painter, track, candidate.prob, ui.visuals());
            }
            painter.text(rect.right_center() - vec2(10.0, 0.0), Align2::RIGHT_CENTER, percent, small, color);
            response.on_hover_ui(|ui| {
                ui.strong(label.as_str());
                ui.label(format!(
                    "id {}, logit {:.3}, probability {:.4}",
                    candidate.id, candidate.logit, candidate.prob
                ));
                if is_next {
                    ui.label("This is the token that follows in the text.");
                }
            });
        }
    });
}
