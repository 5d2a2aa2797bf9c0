//! The picture as a convolutional network sees it: its classes, the selected channel as a heat map over it, and what fires at a position.

mod reading;
mod shelf;
mod view;

use std::path::PathBuf;

use egui::{Align, Button, Key, Layout, TextEdit, Ui, UiBuilder, vec2};

use self::shelf::ShelfStrip;
use self::view::View;
pub use self::view::crop_rect;
use super::{About, Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;

/// From this width on, what the network says stands beside the picture.
const BESIDE: f32 = 460.0;
/// The width of what stands beside it, in points.
const READING: f32 = 250.0;
/// Below this height the shelf is left out.
const WITH_SHELF: f32 = 250.0;
/// From this height on its pictures are large.
const WITH_LARGE_SHELF: f32 = 390.0;

/// The panel.
#[derive(Default)]
pub struct ImagePanel {
    path: String,
    view: View,
    shelf: ShelfStrip,
}

impl Panel for ImagePanel {
    fn id(&self) -> &'static str {
        "image"
    }

    fn title(&self) -> &'static str {
        "Image"
    }

    fn icon(&self) -> &'static str {
        icons::IMAGE
    }

    fn help(&self) -> &'static str {
        "The picture as the network gets it, cropped and resized, with the most probable classes. Drop a picture anywhere, choose a file, or click one of the shelf below. \
         With a channel selected, its activations lie over the picture. Click a position to see which channels of the chosen site fire there; \
         the frame around it is what the position can see."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::Picture, ResultKind::ChannelMaps]
    }

    fn about(&self) -> About {
        About::Pictures
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        if ctx.document().model.shown().is_none() {
            let step = match ctx.document().model {
                Loadable::Loading { .. } => "The model is being opened. This panel fills by itself.",
                _ => "Open a convolutional network from the start screen (Ctrl+N), such as EfficientNet-Lite0.",
            };
            placeholder::empty(ui, "No network is open", step);
            return;
        }
        self.choose(ctx, ui);
        let room = ui.available_rect_before_wrap();
        let tile = if room.height() > WITH_LARGE_SHELF { shelf::LARGE } else { shelf::SMALL };
        let strip = if room.height() > WITH_SHELF { tile + shelf::AROUND } else { 0.0 };
        let (main, bottom) = room.split_top_bottom_at_y(room.bottom() - strip);
        ui.scope_builder(UiBuilder::new().max_rect(main.shrink2(vec2(0.0, 2.0))), |ui| self.main(ctx, ui));
        if strip > 0.0 {
            ui.scope_builder(UiBuilder::new().max_rect(bottom), |ui| self.shelf.ui(ctx, ui, tile));
        }
    }
}

impl ImagePanel {
    /// The ways to another picture.
    fn choose(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        ui.horizontal(|ui| {
            if ui.button(format!("{}  Choose…", icons::IMAGE)).accessible_name("Choose a picture").clicked() {
                ctx.send(Command::AskForPicture);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let usable = !self.path.trim().is_empty();
                let show = ui.add_enabled(usable, Button::new("Show")).accessible_name("Show the picture").clicked();
                let field = TextEdit::singleline(&mut self.path).hint_text("Path of a picture");
                let field = ui.add(field.desired_width(ui.available_width())).accessible_name("Path of a picture");
                let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
                if usable && (show || entered) {
                    ctx.send(Command::OpenPicture(PathBuf::from(self.path.trim())));
                }
            });
        });
    }

    fn main(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let state = &ctx.session.vision;
        let empty = "Drop a picture on the window, choose a file above, or click one of the shelf below.";
        match placeholder::shown(ui, &state.seen, "the classes", "No picture yet", empty) {
            Shown::Value { value, stale } => {
                let room = ui.available_rect_before_wrap();
                if room.width() < BESIDE {
                    let (top, bottom) = room.split_top_bottom_at_fraction(0.62);
                    ui.scope_builder(UiBuilder::new().max_rect(top), |ui| self.view.ui(ctx, ui, value, stale));
                    ui.scope_builder(UiBuilder::new().max_rect(bottom), |ui| reading::ui(ctx, ui, value, stale));
                } else {
                    let (left, right) = room.split_left_right_at_x(room.right() - READING);
                    ui.scope_builder(UiBuilder::new().max_rect(left), |ui| self.view.ui(ctx, ui, value, stale));
                    let right = right.with_min_x(right.left() + 12.0);
                    ui.scope_builder(UiBuilder::new().max_rect(right), |ui| reading::ui(ctx, ui, value, stale));
                }
            }
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::Picture));
                }
            }
        }
    }
}
