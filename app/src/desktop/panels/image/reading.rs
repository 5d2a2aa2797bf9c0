//! What the network says of the picture: its classes, and the channels that fire at the selected position.

use egui::{CursorIcon, Grid, Label, RichText, ScrollArea, Sense, Ui};
use golgi_data::unit::Unit;

use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::placeholder;
use crate::desktop::widgets::{bar, number};
use crate::session::command::Command;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;
use crate::session::vision::Seen;

/// Classes that are listed.
const CLASSES: usize = 6;
/// Channels that are listed.
const CHANNELS: usize = 24;
/// Width of a bar, in points.
const BAR: f32 = 70.0;

/// Draws both lists in the room that is left.
pub fn ui(ctx: &PanelContext<'_>, ui: &mut Ui, seen: &Seen) {
    ScrollArea::vertical().id_salt("reading").auto_shrink(false).show(ui, |ui| {
        classes(ui, seen);
        ui.add_space(8.0);
        channels(ctx, ui);
    });
}

fn classes(ui: &mut Ui, seen: &Seen) {
    ui.strong("Classes").on_hover_text("Softmax of the logits over all classes");
    Grid::new("classes").num_columns(2).min_row_height(0.0).spacing([8.0, 3.0]).show(ui, |ui| {
        for class in seen.classes.iter().take(CLASSES) {
            let (name, probability) = (text::visible(&class.name), class.probability as f32);
            let about = format!("{name}, class {}: logit {}", class.index, number::short(class.logit));
            ui.label(text::shortened(&name, 17)).on_hover_text(about);
            bar::bar(ui, BAR, probability, false, &text::percent(probability));
            ui.end_row();
        }
    });
}

fn channels(ctx: &PanelContext<'_>, ui: &mut Ui) {
    let state = &ctx.session.vision;
    if let Some(notice) = state.maps.failure() {
        ui.colored_label(ui.visuals().error_fg_color, text::visible(&notice.sentence));
        notice.causes.iter().for_each(|cause| drop(ui.weak(text::visible(cause))));
        if ui.button("Compute the channels again").clicked() {
            ctx.send(Command::Retry(ResultKind::ChannelMaps));
        }
        return;
    }
    let Some(maps) = state.maps.shown() else {
        if let crate::session::loadable::Loadable::Loading { progress, .. } = &state.maps {
            placeholder::loading(ui, "Computing the channels", progress);
        }
        return;
    };
    let whole = maps.rows * maps.columns == 1;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        ui.strong("Channels");
        ui.weak("of");
        ui.label(text::shortened(&maps.site.to_string(), 28)).on_hover_text(maps.site.to_string());
    });
    let cell = match ctx.selection.spot {
        Some(spot) => maps.cell(spot.x, spot.y),
        None if whole => (0, 0),
        None => {
            ui.weak("Click a position in the picture to see which of them fire there.");
            return;
        }
    };
    if whole {
        ui.weak("Their values are of the whole picture.");
    } else {
        let sees = maps.sees(cell);
        let text = format!("row {}, column {}, the strongest first", cell.0, cell.1);
        let (high, wide) = (sees.bottom - sees.top, sees.right - sees.left);
        ui.weak(text).on_hover_text(format!("The position sees {wide} × {high} pixels of the picture."));
    }
    let found = maps.strongest_at(cell, CHANNELS);
    let most = found.iter().map(|(_, value)| value.abs()).fold(0.0, f32::max);
    let signed = found.iter().any(|(_, value)| *value < 0.0);
    Grid::new("channels").num_columns(2).min_row_height(0.0).spacing([8.0, 2.0]).show(ui, |ui| {
        for (channel, value) in found {
            let unit = Unit::new(maps.site.clone(), channel as u32);
            let selected = ctx.selection.unit.as_ref() == Some(&unit);
            let color = if selected { ctx.palette.accent } else { ctx.palette.text };
            let name = Label::new(RichText::new(format!("channel {channel}")).color(color)).sense(Sense::click());
            let response = ui.add(name).on_hover_cursor(CursorIcon::PointingHand).on_hover_text(unit.to_string());
            if response.hovered() {
                ctx.set_hover(Selection::of_unit(&unit));
            }
            if response.clicked() {
                ctx.select(Selection::of_unit(&unit));
            }
            let share = if most > 0.0 { value / most } else { 0.0 };
            bar::bar(ui, BAR, share, signed, &number::short(value));
            ui.end_row();
        }
    });
}
