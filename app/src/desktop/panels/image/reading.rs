//! What the network says of the picture: its classes, and the channels that fire at the selected position.

use egui::{Align, CursorIcon, Label, Layout, Response, RichText, ScrollArea, Sense, TextStyle, Ui, vec2};
use golgi_data::unit::Unit;

use crate::desktop::panels::PanelContext;
use crate::desktop::theme::busy::busy;
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
const BAR: f32 = 64.0;
/// Width of the number beside a bar, with the gaps, in points.
const VALUE: f32 = 68.0;

/// Draws both lists in the room that is left.
pub fn ui(ctx: &PanelContext<'_>, ui: &mut Ui, seen: &Seen, stale: bool) {
    ScrollArea::vertical().id_salt("reading").auto_shrink(false).show(ui, |ui| {
        classes(ui, seen);
        ui.add_space(8.0);
        channels(ctx, ui, stale);
    });
}

fn classes(ui: &mut Ui, seen: &Seen) {
    ui.strong("Classes").on_hover_text("Softmax of the logits over all classes");
    ui.spacing_mut().item_spacing.y = 2.0;
    for class in seen.classes.iter().take(CLASSES) {
        let (name, probability) = (text::visible(&class.name), class.probability as f32);
        let about = format!("{name}, class {}: logit {}", class.index, number::short(class.logit));
        row(ui, Label::new(name), probability, false, &text::percent(probability)).on_hover_text(about);
    }
}

/// A name of a fixed width, cut where it is longer, with a bar beside it. Returns the name's response.
fn row(ui: &mut Ui, name: Label, share: f32, signed: bool, value: &str) -> Response {
    // A row of text is lower than one of buttons.
    ui.spacing_mut().interact_size.y = 0.0;
    ui.horizontal(|ui| {
        let height = ui.text_style_height(&TextStyle::Body);
        let room = vec2((ui.available_width() - BAR - VALUE).max(40.0), height);
        let name = ui.allocate_ui_with_layout(room, Layout::left_to_right(Align::Center), |ui| {
            ui.set_width(room.x);
            ui.add(name.truncate())
        });
        bar::bar(ui, BAR, share, signed, value);
        name.inner
    })
    .inner
}

fn channels(ctx: &PanelContext<'_>, ui: &mut Ui, stale: bool) {
    let state = &ctx.session.vision;
    if let Some(notice) = state.maps.failure() {
        ui.colored_label(ui.visuals().error_fg_color, text::visible(&notice.sentence));
        for cause in &notice.causes {
            ui.weak(text::visible(cause));
        }
        if ui.button("Compute the channels again").clicked() {
            ctx.send(Command::Retry(ResultKind::ChannelMaps));
        }
        return;
    }
    let Some(maps) = state.maps.get().filter(|_| !stale) else {
        busy(ui);
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
    for (channel, value) in found {
        let unit = Unit::new(maps.site.clone(), channel as u32);
        let selected = ctx.selection.unit.as_ref() == Some(&unit);
        let color = if selected { ctx.palette.accent } else { ctx.palette.text };
        let name = Label::new(RichText::new(format!("channel {channel}")).color(color)).sense(Sense::click());
        let share = if most > 0.0 { value / most } else { 0.0 };
        let response = row(ui, name, share, signed, &number::short(value));
        let response = response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(unit.to_string());
        if response.hovered() {
            ctx.set_hover(Selection::of_unit(&unit));
        }
        if response.clicked() {
            ctx.select(Selection::of_unit(&unit));
        }
    }
}
