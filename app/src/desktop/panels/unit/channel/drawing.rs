//! Images made for a channel: a live preview while they are optimised, and a verdict.

use std::sync::Arc;

use egui::{Align, Align2, Button, Color32, ComboBox, Layout, Rect, Sense, TextStyle, Ui, Vec2, WidgetInfo, vec2};
use golgi_analysis::channels::BestPictures;
use golgi_analysis::visualise::{Aim, Optimised, Verdict, percentile};
use golgi_data::unit::Unit;

use crate::desktop::panels::PanelContext;
use crate::desktop::theme::{icons, progress_bar};
use crate::desktop::widgets::number;
use crate::desktop::widgets::picture::{self, WHOLE};
use crate::session::command::Command;
use crate::session::text;
use crate::session::vision::{DrawRequest, Drawing, Drawn};

/// Sides of the images to choose from, in pixels.
const SIZES: [u32; 4] = [64, 128, 192, 256];
/// Steps to choose from.
const STEPS: [u64; 4] = [64, 128, 256, 512];
/// The widest that an image is drawn, in points.
const WIDEST: f32 = 230.0;
/// The room that the numbers of an image take at its side, in points.
const NUMBERS: f32 = 150.0;

/// The settings, and the textures of what is shown.
pub struct DrawingView {
    opposite: bool,
    twin: bool,
    aim: Aim,
    size: u32,
    steps: u64,
    shown: [picture::Shown; 4],
}

impl Default for DrawingView {
    fn default() -> DrawingView {
        DrawingView {
            opposite: false,
            twin: false,
            aim: Aim::Channel,
            size: 128,
            steps: 256,
            shown: Default::default(),
        }
    }
}

impl DrawingView {
    /// Draws settings, preview and verdict.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, unit: &Unit, best: Option<&Arc<BestPictures>>) {
        ui.strong("Visualisation").on_hover_text(
            "An image that the channel responds to, found by climbing along the gradient from noise, through small random shifts, turns and scales",
        );
        let drawing = ctx.session.vision.drawing(unit);
        let running = drawing.filter(|drawing| matches!(drawing.state, Drawn::Running));
        ui.horizontal_wrapped(|ui| self.settings(ctx, ui, unit, running));
        let Some(drawing) = drawing else { return };
        if let Some(drawing) = running {
            ui.horizontal(|ui| {
                let share = drawing.step as f32 / drawing.request.all_steps().max(1) as f32;
                ui.add(progress_bar(ctx.palette, Some(share)).desired_width(120.0)).accessible_name("Steps");
                let waits = drawing.pictures.is_empty();
                let text = if waits {
                    "beginning…".to_owned()
                } else {
                    format!("step {} of {}", drawing.step, drawing.request.all_steps())
                };
                ui.weak(text);
            });
        }
        match &drawing.state {
            Drawn::Stopped => {
                ui.weak("Stopped before it was done.");
            }
            Drawn::Failed(notice) => {
                ui.colored_label(ctx.palette.error, text::visible(&notice.sentence));
                for cause in &notice.causes {
                    ui.weak(text::visible(cause));
                }
            }
            Drawn::Running | Drawn::Done(_) => {}
        }
        self.images(ctx, ui, drawing, best);
    }

    fn settings(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, unit: &Unit, running: Option<&Drawing>) {
        match running {
            Some(drawing) => {
                if ui.button(format!("{}  Stop", icons::STOP)).accessible_name("Stop visualising").clicked() {
                    ctx.send(Command::CancelJob(drawing.job));
                }
            }
            None => {
                let label = format!("{}  Visualise", icons::PAINT_BRUSH);
                let button = Button::new(label).fill(ctx.palette.accent_fill);
                let button = ui.scope(|ui| {
                    ui.visuals_mut().override_text_color = Some(ctx.palette.on_accent);
                    ui.add(button).accessible_name("Visualise")
                });
                if button.inner.clicked() {
                    let DrawingView { opposite, twin, aim, size, steps, .. } = *self;
                    ctx.send(Command::Visualise(DrawRequest { unit: unit.clone(), opposite, twin, aim, size, steps }));
                }
            }
        }
        let name = |aim| if aim == Aim::Channel { "whole channel" } else { "centre neuron" };
        let menu = ComboBox::from_id_salt("aim").selected_text(name(self.aim)).width(104.0).show_ui(ui, |ui| {
            ui.selectable_value(&mut self.aim, Aim::Channel, name(Aim::Channel))
                .on_hover_text("Raises the mean of its map");
            ui.selectable_value(&mut self.aim, Aim::Neuron, name(Aim::Neuron))
                .on_hover_text("Raises its value at the centre");
        });
        menu.response.accessible_name("What is raised");
        let menu = ComboBox::from_id_salt("size").selected_text(format!("{} px", self.size)).width(66.0);
        let menu = menu.show_ui(ui, |ui| {
            for size in SIZES {
                ui.selectable_value(&mut self.size, size, format!("{size} px"));
            }
        });
        menu.response.accessible_name("Side of the image");
        let menu = ComboBox::from_id_salt("steps").selected_text(format!("{} steps", self.steps)).width(82.0);
        let menu = menu.show_ui(ui, |ui| {
            for steps in STEPS {
                ui.selectable_value(&mut self.steps, steps, format!("{steps} steps"));
            }
        });
        menu.response.accessible_name("Steps of the ascent");
        ui.checkbox(&mut self.opposite, "opposite too").on_hover_text("Also finds an image that lowers the channel");
        ui.checkbox(&mut self.twin, "shuffled twin too").on_hover_text(
            "Also does the same with a network whose weights are shuffled: what the method draws where nothing was learned",
        );
    }

    fn images(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, drawing: &Drawing, best: Option<&Arc<BestPictures>>) {
        let done = match &drawing.state {
            Drawn::Done(found) => Some(found),
            _ => None,
        };
        let targets = if drawing.request.opposite { 2 } else { 1 };
        let beside = drawing.pictures.len().clamp(1, 2) as f32;
        let side = ((ui.available_width() - 8.0 * beside) / beside).clamp(60.0, WIDEST);
        // A single image leaves room for its numbers at its side.
        let room = ui.available_width();
        let (width, layout) = match drawing.pictures.len() {
            1 if room >= side + NUMBERS => (room - 8.0, Layout::left_to_right(Align::Min)),
            _ => (side, Layout::top_down(Align::Min)),
        };
        ui.horizontal_wrapped(|ui| {
            for (index, (picture, shown)) in drawing.pictures.iter().zip(&mut self.shown).enumerate() {
                let made = Made { index: index % targets, twin: index >= targets };
                let one = done.and_then(|done| {
                    let list = if made.twin { &done.twins } else { &done.images };
                    list.get(made.index)
                });
                ui.allocate_ui_with_layout(vec2(width, side), layout, |ui| {
                    ui.set_width(width);
                    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
                    let what = if made.index == 0 { "raises" } else { "lowers" };
                    let whose = if made.twin { " of the shuffled twin" } else { "" };
                    let label = format!("image that {what} {}{whose}", drawing.request.unit);
                    response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &label));
                    if let Some(verdict) = one.map(|one| one.verdict).filter(|verdict| *verdict != Verdict::Converged) {
                        refused(ctx, ui, rect, verdict);
                    } else {
                        let texture = shown.texture(ui.ctx(), &drawing.pictures, picture, true);
                        ui.painter().image(texture.id(), rect, WHOLE, Color32::WHITE);
                    }
                    let request = &drawing.request;
                    response.on_hover_text(format!(
                        "{label}: {} px, {} steps of Adam at 0.05, spectrum with decorrelated colours, seed 0",
                        request.size, request.steps
                    ));
                    if let Some(one) = one {
                        ui.vertical(|ui| verdict_ui(ctx, ui, drawing, made, one, best));
                    }
                });
            }
        });
    }
}

/// Which of the images of a drawing.
#[derive(Clone, Copy)]
struct Made {
    /// 0: what raises the unit; 1: what lowers it.
    index: usize,
    /// Whether it is of the network with shuffled weights.
    twin: bool,
}

/// An image that may not be believed is not shown.
fn refused(ctx: &PanelContext<'_>, ui: &Ui, rect: Rect, verdict: Verdict) {
    ui.painter().rect_filled(rect, 4.0, ctx.palette.sunken);
    let font = TextStyle::Body.resolve(ui.style());
    let galley = ui.painter().layout(verdict.to_string(), font, ctx.palette.text, rect.width() - 24.0);
    let at = Align2::CENTER_CENTER.align_size_within_rect(galley.size(), rect).min;
    ui.painter().galley(at, galley, ctx.palette.text);
}

fn verdict_ui(
    ctx: &PanelContext<'_>,
    ui: &mut Ui,
    drawing: &Drawing,
    made: Made,
    one: &Optimised,
    best: Option<&Arc<BestPictures>>,
) {
    let (channel, index) = (drawing.request.unit.index as usize, made.index);
    // What lowers a channel is found by raising its opposite.
    let sign = if index == 0 { 1.0 } else { -1.0 };
    let (value, start) = (sign * one.value, sign * one.start);
    let what = if drawing.request.aim == Aim::Channel { "mean" } else { "centre" };
    ui.label(format!("{what} {} from {}", number::short(value), number::short(start))).on_hover_text(format!(
        "{}: {}, on the image itself, without transformations",
        drawing.request.unit, one.verdict
    ));
    // The twin has other values on pictures.
    if let Some(best) = best.filter(|_| !made.twin) {
        let real = if drawing.request.aim == Aim::Channel { best.means(channel) } else { best.largest(channel) };
        let share = percentile(real, value);
        let line = if index == 0 { format!("above {share:.0} %") } else { format!("below {:.0} %", 100.0 - share) };
        let line = format!("{line} of {} pictures", real.len());
        ui.weak(line).on_hover_text("Its values on pictures of the shelf, beside which the image must stand");
    }
    if one.verdict == Verdict::Converged && !made.twin {
        let save = Button::new(format!("{}  PNG…", icons::FLOPPY_DISK)).small();
        let name = if index == 0 { "Save the image" } else { "Save the opposite image" };
        if ui.add(save.min_size(vec2(0.0, 20.0))).accessible_name(name).clicked() {
            ctx.send(Command::SaveDrawing { unit: drawing.request.unit.clone(), index, path: None });
        }
    }
}
