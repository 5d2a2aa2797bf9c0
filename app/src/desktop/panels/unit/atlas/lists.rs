//! Tokens, neighbours and triggers.

use egui::{Button, Grid, RichText, Ui};
use golgi_data::atlas::{Neighbour, Page, TokenValue};

use super::heading;
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::{bar, number};
use crate::session::selection::Selection;
use crate::session::text::{grouped, percent, shortened, token_label, visible};

/// How many tokens of a list are shown.
const TOKENS: usize = 10;
/// How many neighbours.
const NEIGHBOURS: usize = 8;

/// The vocabulary tokens at which it is strong, and those whose logits it moves.
pub fn tokens_ui(ui: &mut Ui, page: &Page) {
    let lists = [
        ("Strongest at", "Vocabulary tokens by its mean activation there", &page.top_tokens, false),
        ("Promotes", "Tokens whose logits it raises when positive", &page.promoted, true),
        ("Suppresses", "Tokens whose logits it lowers when positive", &page.suppressed, true),
    ];
    let lists: Vec<_> = lists.into_iter().filter(|(_, _, tokens, _)| !tokens.is_empty()).collect();
    if lists.is_empty() {
        return;
    }
    let columns = if ui.available_width() > 420.0 { lists.len() } else { 1 };
    for row in lists.chunks(columns) {
        ui.columns(columns, |columns| {
            for (column, (title, about, tokens, signed)) in columns.iter_mut().zip(row) {
                heading(column, title, about);
                column.push_id(title, |ui| list(ui, tokens, *signed));
            }
        });
    }
}

fn list(ui: &mut Ui, tokens: &[TokenValue], signed: bool) {
    let most = tokens.iter().map(|token| token.value.abs()).filter(|v| v.is_finite()).fold(0.0, f32::max);
    let width = (ui.available_width() * 0.22).clamp(20.0, 90.0);
    let longest = ((ui.available_width() - width - 62.0) / 7.5).clamp(4.0, 24.0) as usize;
    Grid::new("tokens").num_columns(2).min_row_height(0.0).spacing([6.0, 2.0]).show(ui, |ui| {
        for token in tokens.iter().take(TOKENS) {
            let label = token_label(&token.text);
            let count =
                token.count.map_or_else(String::new, |count| format!(", {} occurrences", grouped(u64::from(count))));
            ui.label(shortened(&label, longest)).on_hover_text(format!("{label}, token {}{count}", token.token));
            let share = if most > 0.0 { token.value / most } else { 0.0 };
            let text = if signed { number::signed(token.value) } else { number::short(token.value) };
            bar::bar(ui, width, share, signed, &text);
            ui.end_row();
        }
    });
}

/// Units near it. A click selects.
pub fn neighbours_ui(ctx: &PanelContext<'_>, ui: &mut Ui, page: &Page) {
    let lists = [
        ("Nearest by weights", "Cosine of the output vectors", &page.nearest_by_weights),
        ("Nearest by activation", "Correlation of the activations over the same tokens", &page.nearest_by_correlation),
    ];
    let lists: Vec<_> = lists.into_iter().filter(|(_, _, units)| !units.is_empty()).collect();
    if lists.is_empty() {
        return;
    }
    ui.columns(lists.len(), |columns| {
        for (column, (title, about, units)) in columns.iter_mut().zip(lists) {
            heading(column, title, about);
            column.push_id(title, |ui| neighbours(ctx, ui, units));
        }
    });
}

fn neighbours(ctx: &PanelContext<'_>, ui: &mut Ui, units: &[Neighbour]) {
    Grid::new("neighbours").num_columns(2).min_row_height(0.0).spacing([8.0, 1.0]).show(ui, |ui| {
        for neighbour in units.iter().take(NEIGHBOURS) {
            let name =
                ctx.session.atlas.get().map_or_else(|| neighbour.unit.short(), |open| open.units.short(neighbour.id));
            let color = ctx.palette.accent;
            let link = ui.add(Button::new(RichText::new(&name).color(color)).frame_when_inactive(false).small());
            if link.hovered() {
                ctx.set_hover(Selection::of_unit(&neighbour.unit));
            }
            if link.on_hover_text(format!("Opens the page of {}", neighbour.unit)).clicked() {
                ctx.select(Selection::of_unit(&neighbour.unit));
            }
            bar::bar(ui, 70.0, neighbour.value, true, &number::signed(neighbour.value));
            ui.end_row();
        }
    });
}

/// What makes it fire.
pub fn triggers_ui(ui: &mut Ui, page: &Page) {
    if page.triggers.is_empty() {
        return;
    }
    heading(
        ui,
        "Fires behind",
        "Tokens and n-grams that end where it is active: how many of their occurrences it fires at",
    );
    Grid::new("triggers").num_columns(3).min_row_height(0.0).spacing([10.0, 2.0]).show(ui, |ui| {
        for trigger in page.triggers.iter().take(TOKENS) {
            ui.label(shortened(&visible(&trigger.text), 36)).on_hover_text(format!("{} tokens", trigger.n));
            let share = trigger.fired as f32 / trigger.occurs.max(1) as f32;
            bar::bar(ui, 74.0, share, false, &percent(share));
            let error = if trigger.error > 0 {
                format!(" (up to {} more)", grouped(u64::from(trigger.error)))
            } else {
                String::new()
            };
            ui.weak(format!("{} of {}{error}", grouped(u64::from(trigger.fired)), grouped(u64::from(trigger.occurs))));
            ui.end_row();
        }
    });
}
