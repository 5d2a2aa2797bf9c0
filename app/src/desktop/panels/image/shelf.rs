//! A strip of small pictures to choose from.

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Align2, Color32, CursorIcon, Rect, ScrollArea, Sense, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2};

use crate::desktop::panels::PanelContext;
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::highlight::{Light, outline};
use crate::desktop::widgets::picture::{Thumbnail, Thumbnails, WHOLE};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::text;
use crate::session::vision::Shelf;

/// Sides of a picture, in points.
pub const LARGE: f32 = 66.0;
pub const SMALL: f32 = 42.0;
/// Height of the strip beyond its pictures: the line above, the scroll bar below.
pub const AROUND: f32 = 42.0;
const GAP: f32 = 4.0;
/// The longest side of a thumbnail, in pixels.
const PIXELS: u32 = 128;

/// The strip.
#[derive(Default)]
pub struct ShelfStrip {
    thumbnails: Thumbnails<PathBuf>,
    filter: String,
    /// For which shelf and filter, and which pictures pass.
    passing: Option<(Arc<Shelf>, String, Vec<usize>)>,
}

impl ShelfStrip {
    /// Draws the strip, pictures `side` points a side.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, side: f32) {
        self.thumbnails.update(ui.ctx());
        let state = &ctx.session.vision;
        ui.horizontal(|ui| {
            let shelf = state.shelf.shown();
            ui.strong("Shelf").on_hover_text("Pictures to choose from, and to find the best ones for a channel among");
            match (shelf, &state.shelf) {
                (Some(shelf), _) => {
                    let name = text::shortened(&text::visible(shelf.set.name()), 20);
                    let pictures = text::grouped(shelf.set.len() as u64);
                    ui.weak(format!("{name}, {pictures} pictures")).on_hover_ui(|ui| {
                        ui.label(text::visible(&shelf.set.path().display().to_string()));
                        for note in shelf.set.notes() {
                            ui.weak(note.to_string());
                        }
                    });
                }
                (None, Loadable::Failed(notice)) => {
                    let sentence = notice.causes.first().unwrap_or(&notice.sentence);
                    ui.label(text::visible(&text::shortened(sentence, 60))).on_hover_text(text::visible(sentence));
                }
                (None, _) => drop(busy(ui)),
            }
            let folder =
                ui.button(format!("{}  Folder…", icons::FOLDER_OPEN)).accessible_name("Choose a folder of pictures");
            if folder.on_hover_text("Puts the pictures of a folder on the shelf").clicked() {
                ctx.send(Command::AskForPictures);
            }
            if state.shelf_spec != "starter" && ui.button("Starter pictures").clicked() {
                ctx.send(Command::OpenPictures("starter".to_owned()));
            }
            if shelf.is_some() {
                let field =
                    egui::TextEdit::singleline(&mut self.filter).hint_text("Filter by name").desired_width(120.0);
                ui.add(field).accessible_name("Filter pictures by name");
            }
        });
        let Some(shelf) = state.shelf.shown() else { return };
        let current = self.passing.as_ref().is_some_and(|(of, by, _)| Arc::ptr_eq(of, shelf) && *by == self.filter);
        if !current {
            let wanted = self.filter.trim().to_lowercase();
            let passes = |index: &usize| shelf.set.entries()[*index].id.to_lowercase().contains(&wanted);
            let passing = (0..shelf.set.len()).filter(passes).collect();
            self.passing = Some((Arc::clone(shelf), self.filter.clone(), passing));
        }
        let Some((_, _, passing)) = &self.passing else { return };
        if passing.is_empty() {
            ui.weak("No picture has such a name.");
            return;
        }
        strip(&mut self.thumbnails, ctx, ui, shelf, passing, side);
    }
}

fn strip(
    thumbnails: &mut Thumbnails<PathBuf>,
    ctx: &PanelContext<'_>,
    ui: &mut Ui,
    shelf: &Arc<Shelf>,
    passing: &[usize],
    side: f32,
) {
    let step = side + GAP;
    // The wheel moves the strip, although it turns the other way.
    ui.style_mut().always_scroll_the_only_direction = true;
    // Rows of scroll areas are vertical only: the visible part of the strip is found by hand.
    ScrollArea::horizontal().id_salt("shelf").auto_shrink(false).show_viewport(ui, |ui, view| {
        let (_, whole) = ui.allocate_space(vec2(passing.len() as f32 * step, side));
        let first = (view.left() / step).max(0.0) as usize;
        let last = ((view.right() / step).ceil().max(0.0) as usize).min(passing.len());
        for (at, index) in passing.iter().enumerate().take(last).skip(first) {
            let min = pos2(whole.left() + at as f32 * step, whole.top());
            tile(thumbnails, ctx, ui, shelf, *index, Rect::from_min_size(min, Vec2::splat(side)));
        }
    });
}

fn tile(
    thumbnails: &mut Thumbnails<PathBuf>,
    ctx: &PanelContext<'_>,
    ui: &Ui,
    shelf: &Arc<Shelf>,
    index: usize,
    rect: Rect,
) {
    let Some(entry) = shelf.set.entries().get(index) else { return };
    let response = ui.interact(rect, ui.scope_id().with(("picture", index)), Sense::click());
    let response = response.on_hover_cursor(CursorIcon::PointingHand);
    let selected = ctx.session.vision.picture.as_ref() == Some(&entry.path);
    let name = text::visible(&entry.id);
    response.widget_info(|| WidgetInfo::selected(egui::Role::ListBoxOption, true, selected, &name));
    if response.clicked() {
        ctx.send(Command::OpenPicture(entry.path.clone()));
    }
    ui.painter().rect_filled(rect, 2.0, ctx.palette.sunken);
    let set = Arc::clone(shelf);
    let read = move || set.set.thumbnail_in(&set.home, index, PIXELS).map_err(|error| error.to_string());
    let mut about = name.clone();
    match thumbnails.get(ui.ctx(), entry.path.clone(), read) {
        Thumbnail::There(texture) => {
            // The square in the middle, as a network would see it.
            let [width, height] = texture.size().map(|side| side as f32);
            let cut = |side: f32| (1.0 - width.min(height) / side) / 2.0;
            let part = WHOLE.shrink2(vec2(cut(width), cut(height)));
            ui.painter().image(texture.id(), rect, part, Color32::WHITE);
        }
        Thumbnail::Coming => {}
        Thumbnail::Bad(why) => {
            let font = TextStyle::Heading.resolve(ui.style());
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, icons::WARNING, font, ctx.palette.warning);
            about = text::visible(&why);
        }
    }
    outline(ui.painter(), rect.expand(1.0), 2.0, Light::of(selected, response.hovered()), ui.visuals());
    let class = entry.label.and_then(|label| shelf.set.classes().get(label as usize));
    let class = class.map_or(String::new(), |class| format!("\nlabelled {}", text::visible(class)));
    response.on_hover_text(format!("{about}{class}"));
}
