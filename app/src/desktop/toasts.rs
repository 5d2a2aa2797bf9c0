//! Notices that float over the window for a while. They stay in Jobs and notices when they are gone here.

use egui::{Align2, Area, Button, Color32, Frame, Id, Margin, Order, RichText, Stroke, Ui, vec2};

use super::theme::{Palette, icons};
use crate::session::command::{Command, CommandSender};
use crate::session::notice::{Notice, Severity};
use crate::session::notices::{Listed, Notices};
use crate::session::text;

const WIDTH: f32 = 360.0;
/// How many float at once, the newest.
const MOST: usize = 4;

/// The icon and colour of a severity.
pub fn look(severity: Severity, palette: &Palette) -> (&'static str, Color32) {
    match severity {
        Severity::Info => (icons::INFO, palette.text_weak),
        Severity::Warning => (icons::WARNING, palette.warning),
        Severity::Error => (icons::WARNING_CIRCLE, palette.error),
    }
}

/// Draws the notices that float.
pub fn ui(ui: &Ui, palette: &Palette, notices: &Notices, commands: &CommandSender) {
    let floating: Vec<&Listed> = notices.list().iter().rev().filter(|l| l.floats_for().is_some()).take(MOST).collect();
    let Some(soonest) = floating.iter().filter_map(|listed| listed.floats_for()).min() else { return };
    ui.ctx().request_repaint_after(soonest);
    let area =
        Area::new(Id::unique("notices")).order(Order::Foreground).anchor(Align2::RIGHT_BOTTOM, vec2(-14.0, -40.0));
    area.show(ui.ctx(), |ui| {
        // The newest is nearest to the corner.
        for listed in floating.into_iter().rev() {
            card_ui(ui, palette, listed, commands);
        }
    });
}

fn card_ui(ui: &mut Ui, palette: &Palette, listed: &Listed, commands: &CommandSender) {
    let (icon, color) = look(listed.notice.severity, palette);
    let frame = Frame::popup(ui.style()).fill(palette.raised).stroke(Stroke::new(1.0, color.gamma_multiply(0.6)));
    frame.inner_margin(Margin::symmetric(12, 10)).show(ui, |ui| {
        ui.set_width(WIDTH);
        ui.horizontal_top(|ui| {
            ui.label(RichText::new(icon).size(17.0).color(color));
            ui.vertical(|ui| {
                ui.set_width(WIDTH - 64.0);
                body_ui(ui, palette, &listed.notice);
            });
            let close = Button::new(RichText::new(icons::X).size(12.0)).frame_when_inactive(false);
            if ui.add(close).accessible_name("Dismiss").clicked() {
                commands.send(Command::DismissNotice(listed.id));
            }
        });
    });
}

/// A notice's sentence, nearest cause and next step.
pub fn body_ui(ui: &mut Ui, palette: &Palette, notice: &Notice) {
    ui.label(RichText::new(text::visible(&notice.sentence)).color(palette.text_strong));
    for cause in &notice.causes {
        ui.label(RichText::new(text::visible(cause)).color(palette.text_weak));
    }
    if let Some(step) = &notice.next_step {
        ui.label(RichText::new(text::visible(step)).color(palette.text));
    }
}
