//! What the interventions change: both next-token distributions side by side.

use egui::{Align2, RichText, Sense, TextStyle, Ui, vec2};
use golgi_analysis::prompt::effect::{Effect, EffectRow};

use super::super::PanelContext;
use crate::desktop::widgets::colormap::{Scale, legend, sign_color};
use crate::desktop::widgets::placeholder;
use crate::desktop::widgets::token_strip::token_strip;
use crate::desktop::widgets::{bar, number};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;

const ROW: f32 = 21.0;

/// Draws the effect.
pub(super) fn ui(ctx: &PanelContext<'_>, ui: &mut Ui) {
    if ctx.document().active_interventions() == 0 {
        ui.weak("Every intervention is switched off: the model runs as it is.");
        return;
    }
    match &ctx.results().effect {
        Loadable::Empty => {
            ui.weak("The effect appears once a text has been run.");
        }
        Loadable::Failed(notice) => {
            if placeholder::failed(ui, notice) {
                ctx.send(Command::Retry(ResultKind::Effect));
            }
        }
        Loadable::Loading { progress, previous: None } => placeholder::loading(ui, "Computing the effect", progress),
        Loadable::Ready(effect) | Loadable::Loading { previous: Some(effect), .. } => effect_ui(ctx, ui, effect),
    }
}

fn effect_ui(ctx: &PanelContext<'_>, ui: &mut Ui, effect: &Effect) {
    head_ui(ctx, ui, effect);
    ui.add_space(4.0);
    header_ui(ctx, ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    for row in &effect.rows {
        row_ui(ctx, ui, row);
    }
    ui.add_space(8.0);
    ui.spacing_mut().item_spacing.y = 4.0;
    let tokens = ctx.document().tokens();
    if tokens.len() == effect.kl_by_position.len() {
        let scale = Scale::unsigned(0.0, effect.kl_by_position.iter().copied().fold(1e-6, f32::max), ctx.palette.dark);
        let values: Vec<Option<f32>> = effect.kl_by_position.iter().map(|kl| Some(*kl)).collect();
        ui.horizontal(|ui| {
            ui.weak("KL at each token");
            legend(ui, &scale, "KL(before ‖ after) at each token, nats");
        });
        // An area of its own: bringing the selected token into view must not move the list above.
        let area = egui::ScrollArea::vertical().id_salt("effect tokens").max_height(110.0);
        let strip = area
            .show(ui, |ui| token_strip(ui, "effect", &tokens, &values, &scale, Some(effect.position), ctx.hover.token));
        let strip = strip.inner;
        if let Some(pos) = strip.hovered {
            ctx.set_hover(Selection::of_token(pos));
            let kl = effect.kl_by_position.get(pos).copied().unwrap_or(f32::NAN);
            strip.response.on_hover_text_at_pointer(format!("position {pos}: {} nats", number::short(kl)));
        }
        if let Some(pos) = strip.clicked {
            ctx.select(Selection::of_token(pos));
        }
    }
}

fn head_ui(ctx: &PanelContext<'_>, ui: &mut Ui, effect: &Effect) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let strong = |text: String| {
            RichText::new(text).text_style(TextStyle::Name("strong".into())).color(ctx.palette.text_strong)
        };
        ui.weak(format!("At position {}: KL", effect.position)).on_hover_text("KL(before ‖ after) = Σ p·ln(p/q), nats");
        ui.label(strong(format!("{} nats", number::short(effect.kl))));
        if let (Some(before), Some(after)) = (effect.loss_before, effect.loss_after) {
            ui.add_space(8.0);
            ui.weak("Mean loss");
            ui.label(strong(format!("{before:.3} → {after:.3}")));
            let delta = after - before;
            let color = if delta > 0.0 { ctx.palette.warning } else { ctx.palette.good };
            ui.label(RichText::new(number::signed(delta)).color(color));
        }
    });
}

/// Where the columns of a row stand: name, before, after, difference.
fn columns(rect: egui::Rect) -> [egui::Rect; 4] {
    let name = (rect.width() * 0.26).clamp(70.0, 130.0);
    let delta = 74.0;
    let each = ((rect.width() - name - delta) / 2.0).max(60.0);
    let mut left = rect.left();
    [name, each, each, delta].map(|width| {
        let column = egui::Rect::from_min_size(egui::pos2(left, rect.top()), vec2(width - 8.0, rect.height()));
        left += width;
        column
    })
}

fn header_ui(ctx: &PanelContext<'_>, ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 18.0), Sense::hover());
    let font = TextStyle::Small.resolve(ui.style());
    let [name, before, after, delta] = columns(rect);
    let painter = ui.painter();
    painter.text(name.left_center(), Align2::LEFT_CENTER, "Next token", font.clone(), ctx.palette.text_weak);
    painter.text(before.left_center(), Align2::LEFT_CENTER, "Original", font.clone(), ctx.palette.text_weak);
    painter.text(after.left_center(), Align2::LEFT_CENTER, "Changed", font.clone(), ctx.palette.changed);
    painter.text(delta.right_center(), Align2::RIGHT_CENTER, "Δ logit", font, ctx.palette.text_weak);
}

fn row_ui(ctx: &PanelContext<'_>, ui: &mut Ui, row: &EffectRow) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let label = text::token_label(&row.text);
    let (before, after) = (text::percent(row.before), text::percent(row.after));
    let name = format!("{label}: {before} before, {after} after");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Row, true, &name));
    if response.hovered() {
        ui.painter().rect_filled(rect, 4.0, ctx.palette.raised);
    }
    let [name, left, right, delta] = columns(rect);
    let small = TextStyle::Small.resolve(ui.style());
    let body = TextStyle::Body.resolve(ui.style());
    let clipped = ui.painter_at(name);
    clipped.text(name.left_center(), Align2::LEFT_CENTER, text::shortened(&label, 24), body, ctx.palette.text);
    for (column, prob, percent) in [(left, row.before, &before), (right, row.after, &after)] {
        let painter = ui.painter_at(column);
        let mid = column.center().y;
        let track = egui::Rect::from_min_max(
            egui::pos2(column.left(), mid - 4.0),
            egui::pos2(column.right() - 54.0, mid + 4.0),
        );
        if track.width() > 8.0 {
            bar::paint(&painter, track, prob, ui.visuals());
        }
        painter.text(column.right_center(), Align2::RIGHT_CENTER, percent, small.clone(), ctx.palette.text);
    }
    let change = row.logit_after - row.logit_before;
    let color = if change.abs() < 0.1 { ctx.palette.text_weak } else { sign_color(change > 0.0, ctx.palette.dark) };
    ui.painter().text(delta.right_center(), Align2::RIGHT_CENTER, number::signed(change), small, color);
}
