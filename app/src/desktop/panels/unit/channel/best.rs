//! The pictures of the shelf that excite a channel most, as the network sees them, with what the best position sees framed.

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Align2, Button, Color32, ComboBox, CursorIcon, Rect, Sense, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2};
use golgi_analysis::channels::{Best, BestPictures};
use golgi_data::images::Picture;
use golgi_data::unit::Unit;

use crate::desktop::panels::PanelContext;
use crate::desktop::panels::image::crop_rect;
use crate::desktop::theme::{icons, progress_bar};
use crate::desktop::widgets::highlight::{Light, outline};
use crate::desktop::widgets::number;
use crate::desktop::widgets::picture::{self, Thumbnail, Thumbnails, WHOLE};
use crate::session::command::Command;
use crate::session::document::VisionInfo;
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;
use crate::session::text;
use crate::session::vision::Shelf;

/// Numbers of pictures to choose from.
const LIMITS: [usize; 5] = [100, 200, 500, 2_000, 10_000];
/// The smallest frame that is seen, in points.
const LEAST: f32 = 9.0;
const GAP: f32 = 6.0;
const CAPTION: f32 = 15.0;

/// The grid's state.
#[derive(Default)]
pub struct BestGrid {
    thumbnails: Thumbnails<(PathBuf, u32)>,
}

impl BestGrid {
    /// Draws the pictures, or how far the search has come.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, unit: &Unit, best: Option<&Arc<BestPictures>>) {
        self.thumbnails.update(ui.ctx());
        let state = &ctx.session.vision;
        ui.horizontal_wrapped(|ui| {
            ui.strong("Best pictures").on_hover_text(
                "Those with the largest single activation of the channel. The frame is what its position can see.",
            );
            if let Some(shelf) = state.shelf.shown() {
                limit_ui(ctx, ui, shelf);
            }
            if let Some(best) = best.filter(|best| best.unread > 0) {
                ui.weak(format!("{} could not be read", best.unread));
            }
        });
        match (&state.best, state.shelf.shown()) {
            (Loadable::Loading { progress, .. }, Some(_)) => {
                ui.horizontal(|ui| {
                    let job = ctx.session.jobs.running().find(|job| job.title == ResultKind::BestPictures.title());
                    if let Some(job) = job
                        && ui
                            .add(Button::new(icons::X).small())
                            .accessible_name("Stop looking for the best pictures")
                            .clicked()
                    {
                        ctx.send(Command::CancelJob(job.id));
                    }
                    ui.add(progress_bar(ctx.palette, progress.fraction()).desired_width(120.0));
                    ui.weak(format!("{} of {} pictures", progress.done.min(progress.total), progress.total));
                });
            }
            (Loadable::Failed(notice), _) => {
                ui.label(text::visible(&notice.sentence));
                for cause in &notice.causes {
                    ui.weak(text::visible(cause));
                }
                if ui.button("Look for them again").clicked() {
                    ctx.send(Command::Retry(ResultKind::BestPictures));
                }
            }
            (_, None) => {
                ui.weak("They are looked for among the pictures of the shelf, which Image shows.");
            }
            _ => {}
        }
        let (Some(best), Some(shelf)) = (best, state.shelf.shown()) else { return };
        let model = ctx.document().model.shown();
        let Some(vision) = model.and_then(|model| model.vision.as_ref()) else { return };
        // A shelf of another set: its pictures are being shown to the network.
        if best.set != shelf.set.name() {
            return;
        }
        let cols = if ui.available_width() < 330.0 { 3 } else { ((ui.available_width() + GAP) / 106.0) as usize };
        let top = best.top(unit.index as usize, 2 * cols.max(1));
        let side = ((ui.available_width() - 4.0 + GAP) / cols.max(1) as f32 - GAP).clamp(40.0, 150.0);
        let rows = top.len().div_ceil(cols);
        let (_, place) = ui.allocate_space(vec2(ui.available_width(), rows as f32 * (side + CAPTION + GAP)));
        for (at, one) in top.iter().enumerate() {
            let (row, col) = ((at / cols) as f32, (at % cols) as f32);
            let min = place.min + vec2(col * (side + GAP) + 1.0, row * (side + CAPTION + GAP) + 1.0);
            self.tile(ctx, ui, shelf, vision, one, Rect::from_min_size(min, Vec2::splat(side)));
        }
    }

    fn tile(
        &mut self,
        ctx: &PanelContext<'_>,
        ui: &Ui,
        shelf: &Arc<Shelf>,
        vision: &VisionInfo,
        best: &Best,
        rect: Rect,
    ) {
        let Some(entry) = shelf.set.entries().get(best.picture) else { return };
        let response = ui.interact(rect, ui.scope_id().with(("best", best.picture)), Sense::click());
        let response = response.on_hover_cursor(CursorIcon::PointingHand);
        let value = number::short(best.value);
        let name = text::visible(&entry.id);
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, format!("{name}, {value}")));
        ui.painter().rect_filled(rect, 2.0, ctx.palette.sunken);
        let (preprocess, set, index) = (vision.preprocess, Arc::clone(shelf), best.picture);
        let read = move || -> Result<Picture, String> {
            let loaded = set.set.load(index).map_err(|error| error.to_string())?;
            let input = preprocess.apply(&loaded.picture);
            let seen = preprocess.denormalise(&input).and_then(|seen| seen.thumbnail(160));
            seen.map_err(|error| error.to_string())
        };
        match self.thumbnails.get(ui.ctx(), (entry.path.clone(), vision.side()), read) {
            Thumbnail::There(texture) => {
                ui.painter().image(texture.id(), rect, WHOLE, Color32::WHITE);
                let crop = crop_rect(best.sees, vision.side(), rect);
                // The field of an early site is but a few pixels: its frame goes around it.
                let around = ((LEAST - crop.width().max(crop.height())) / 2.0).max(0.0);
                let crop = crop.expand(around);
                if crop.width() < rect.width() - 1.0 || crop.height() < rect.height() - 1.0 {
                    picture::frame(&ui.painter_at(rect.expand(1.0)), crop.intersect(rect), ctx.palette.accent);
                }
            }
            Thumbnail::Coming => {}
            Thumbnail::Bad(why) => {
                let font = TextStyle::Heading.resolve(ui.style());
                ui.painter().text(rect.center(), Align2::CENTER_CENTER, icons::WARNING, font, ctx.palette.warning);
                response.clone().on_hover_text(text::visible(&why));
            }
        }
        let shown = ctx.session.vision.picture.as_ref() == Some(&entry.path);
        outline(ui.painter(), rect.expand(1.0), 2.0, Light::of(shown, response.hovered()), ui.visuals());
        let at = pos2(rect.left() + 1.0, rect.bottom() + 2.0);
        let font = TextStyle::Small.resolve(ui.style());
        ui.painter().text(at, Align2::LEFT_TOP, &value, font, ctx.palette.text);
        if response.clicked() {
            ctx.send(Command::OpenPicture(entry.path.clone()));
        }
        let class = entry.label.and_then(|label| shelf.set.classes().get(label as usize));
        let class = class.map_or(String::new(), |class| format!(", labelled {}", text::visible(class)));
        let (high, wide) = (best.sees.bottom - best.sees.top, best.sees.right - best.sees.left);
        let sees = format!("{value} at a position that sees {wide} × {high} pixels");
        response.on_hover_text(format!("{name}{class}\n{sees}\nClick to show it in Image"));
    }
}

/// How many pictures are shown to the network.
fn limit_ui(ctx: &PanelContext<'_>, ui: &mut Ui, shelf: &Shelf) {
    let (state, all) = (&ctx.session.vision, shelf.set.len());
    let shown = text::grouped(state.limit.min(all) as u64);
    ui.weak("of");
    let menu = ComboBox::from_id_salt("limit").selected_text(shown).width(62.0).show_ui(ui, |ui| {
        for limit in LIMITS.into_iter().filter(|limit| *limit < all).chain([all]) {
            let label = text::grouped(limit as u64);
            if ui.selectable_label(state.limit.min(all) == limit, label).clicked() {
                ctx.send(Command::LimitPictures(limit));
            }
        }
    });
    menu.response.accessible_name("Pictures to look through").on_hover_text("Spread evenly over the shelf");
    ui.weak(format!("of {}", text::shortened(&text::visible(shelf.set.name()), 20)));
}
