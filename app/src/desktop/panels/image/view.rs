//! The picture itself, with the heat map of the selected channel over it.

use std::sync::Arc;

use egui::{
    Color32, ColorImage, CursorIcon, Pos2, Rect, Response, Sense, Slider, TextureHandle, TextureOptions, Ui, UiBuilder,
    WidgetInfo, pos2, vec2,
};
use golgi_analysis::channels::ChannelMaps;
use golgi_probes::vision::Crop;

use crate::desktop::panels::PanelContext;
use crate::desktop::theme::busy::busy;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::number;
use crate::desktop::widgets::picture::{self, WHOLE};
use crate::session::selection::{Selection, Spot};
use crate::session::text;
use crate::session::vision::Seen;

/// Height of the line below the picture.
const LINE: f32 = 30.0;

/// How the picture is drawn.
pub struct View {
    picture: picture::Shown,
    over: Option<Heat>,
    heat: bool,
    opacity: f32,
}

impl Default for View {
    fn default() -> View {
        View { picture: picture::Shown::default(), over: None, heat: true, opacity: 0.75 }
    }
}

impl View {
    /// Draws picture and heat map in the room that is left, with a line for both below.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, seen: &Arc<Seen>, stale: bool) {
        // Those of an earlier picture do not belong over this one.
        let maps = ctx.session.vision.maps.get().filter(|_| !stale);
        let unit = ctx.selection.unit.as_ref();
        let heat =
            maps.zip(unit).filter(|(maps, unit)| maps.site == unit.site && (unit.index as usize) < maps.channels);
        let heat = heat.map(|(maps, unit)| (maps, unit.index as usize));
        let room = ui.available_rect_before_wrap();
        let (above, line) = room.split_top_bottom_at_y(room.bottom() - LINE);
        self.picture_ui(ctx, ui, above, seen, maps, heat, stale);
        let scale = heat.map(|(maps, channel)| scale_of(ui, maps, channel));
        ui.scope_builder(UiBuilder::new().max_rect(line), |ui| self.line(ctx, ui, seen, scale, stale));
    }

    fn line(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, seen: &Seen, scale: Option<Scale>, stale: bool) {
        ui.horizontal_centered(|ui| {
            if stale || ctx.session.vision.maps.is_loading() {
                busy(ui);
            }
            match (scale, &ctx.selection.unit) {
                (Some(scale), Some(unit)) => {
                    let toggle = ui.checkbox(&mut self.heat, "");
                    toggle.accessible_name("Heat map").on_hover_text("Lays the channel's activations over the picture");
                    let name = unit.to_string();
                    ui.label(text::shortened(&name, 30)).on_hover_text(name);
                    legend(ui, &scale, "activation");
                    ui.spacing_mut().slider_width = (ui.available_width() - 16.0).clamp(20.0, 90.0);
                    let slider = Slider::new(&mut self.opacity, 0.0..=1.0).show_value(false);
                    ui.add_enabled(self.heat, slider)
                        .accessible_name("Opacity")
                        .on_hover_text("Opacity of the heat map");
                }
                _ => {
                    let name = seen.path.file_name().unwrap_or_default().to_string_lossy();
                    let (width, height) = seen.size;
                    let side = seen.input.width();
                    let name = text::shortened(&text::visible(&name), 28);
                    let label = ui.weak(format!("{name}, {width} × {height}, seen as {side} × {side}"));
                    label.on_hover_ui(|ui| {
                        ui.label(text::visible(&seen.path.display().to_string()));
                        for remark in &seen.remarks {
                            ui.weak(remark);
                        }
                    });
                }
            }
        });
    }

    #[expect(clippy::too_many_arguments, reason = "what one frame of the picture needs")]
    fn picture_ui(
        &mut self,
        ctx: &PanelContext<'_>,
        ui: &mut Ui,
        room: Rect,
        seen: &Arc<Seen>,
        maps: Option<&Arc<ChannelMaps>>,
        heat: Option<(&Arc<ChannelMaps>, usize)>,
        stale: bool,
    ) {
        let side = seen.input.width();
        let rect = picture::fitted([side as usize, seen.input.height() as usize], room);
        let picture = self.picture.texture(ui.ctx(), seen, &seen.input, false);
        let tint = if stale { Color32::from_gray(150) } else { Color32::WHITE };
        ui.painter().image(picture.id(), rect, WHOLE, tint);
        if let Some((maps, channel)) = heat.filter(|_| self.heat) {
            let over = self.over.take().filter(|heat| heat.is_of(maps, channel, ui.visuals().dark_mode));
            let over = self.over.insert(over.unwrap_or_else(|| Heat::new(ui, maps, channel)));
            ui.painter().image(over.texture.id(), rect, WHOLE, Color32::WHITE.gamma_multiply(self.opacity));
        }
        let response = ui.interact(rect, ui.scope_id().with("picture"), Sense::click_and_drag());
        let response = response.on_hover_cursor(CursorIcon::Crosshair);
        let name = seen.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let about = format!("{} as the network sees it", text::visible(&name));
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &about));
        let pixel = |at: Pos2| {
            let along = |share: f32| ((share.clamp(0.0, 1.0) * side as f32) as u32).min(side.saturating_sub(1));
            Spot { x: along((at.x - rect.left()) / rect.width()), y: along((at.y - rect.top()) / rect.height()) }
        };
        if (response.clicked() || response.dragged())
            && let Some(at) = response.interact_pointer_pos()
        {
            let Spot { x, y } = pixel(at);
            ctx.select(Selection::of_spot(x, y));
        }
        if let Some(at) = response.hover_pos() {
            let spot = pixel(at);
            ctx.set_hover(Selection::of_spot(spot.x, spot.y));
            tooltip(response, seen, spot, maps, heat.map(|(_, channel)| channel));
        }
        if let Some(spot) = ctx.selection.spot {
            self.spot_ui(ctx, ui, rect, side, spot, maps);
        }
    }

    /// The selected pixel, its position in the maps, and what that sees.
    fn spot_ui(
        &self,
        ctx: &PanelContext<'_>,
        ui: &Ui,
        rect: Rect,
        side: u32,
        spot: Spot,
        maps: Option<&Arc<ChannelMaps>>,
    ) {
        let painter = ui.painter_at(rect.expand(2.0));
        if let Some(maps) = maps.filter(|maps| maps.rows * maps.columns > 1) {
            let cell = maps.cell(spot.x, spot.y);
            let size = vec2(rect.width() / maps.columns as f32, rect.height() / maps.rows as f32);
            let min = rect.min + vec2(cell.1 as f32 * size.x, cell.0 as f32 * size.y);
            if size.x >= 4.0 {
                picture::frame(&painter, Rect::from_min_size(min, size), Color32::WHITE);
            }
            picture::frame(&painter, crop_rect(maps.sees(cell), side, rect), ctx.palette.accent);
        }
        let at = |pixel: u32| (pixel as f32 + 0.5) / side.max(1) as f32;
        let centre = pos2(rect.left() + at(spot.x) * rect.width(), rect.top() + at(spot.y) * rect.height());
        painter.circle_filled(centre, 4.0, Color32::from_black_alpha(190));
        painter.circle_filled(centre, 2.5, Color32::WHITE);
    }
}

/// The map of a channel as colours to lie over the picture: the weaker, the clearer.
struct Heat {
    maps: Arc<ChannelMaps>,
    channel: usize,
    dark: bool,
    texture: TextureHandle,
}

impl Heat {
    fn new(ui: &Ui, maps: &Arc<ChannelMaps>, channel: usize) -> Heat {
        let scale = scale_of(ui, maps, channel);
        let pixels = maps.map(channel).iter().map(|value| shade(&scale, *value)).collect();
        let image = ColorImage::new([maps.columns, maps.rows], pixels);
        let texture = ui.ctx().load_texture("heat", image, TextureOptions::NEAREST);
        Heat { maps: Arc::clone(maps), channel, dark: scale.dark, texture }
    }

    fn is_of(&self, maps: &Arc<ChannelMaps>, channel: usize, dark: bool) -> bool {
        Arc::ptr_eq(&self.maps, maps) && self.channel == channel && self.dark == dark
    }
}

/// The colour of a value over a picture. What is 0 hides nothing; the root keeps weak activations visible.
fn shade(scale: &Scale, value: f32) -> Color32 {
    let most = scale.high.abs().max(scale.low.abs());
    let share = if most > 0.0 && value.is_finite() { (value.abs() / most).min(1.0) } else { 0.0 };
    scale.color(value).gamma_multiply(share.sqrt())
}

/// Where part of the input lies in a drawing of it.
pub fn crop_rect(crop: Crop, side: u32, rect: Rect) -> Rect {
    let at = |pixel: i64, from: f32, length: f32| from + pixel as f32 / side.max(1) as f32 * length;
    Rect::from_min_max(
        pos2(at(crop.left, rect.left(), rect.width()), at(crop.top, rect.top(), rect.height())),
        pos2(at(crop.right, rect.left(), rect.width()), at(crop.bottom, rect.top(), rect.height())),
    )
}

fn scale_of(ui: &Ui, maps: &ChannelMaps, channel: usize) -> Scale {
    Scale::fitting(maps.map(channel).iter().copied(), ui.visuals().dark_mode)
}

fn tooltip(response: Response, seen: &Seen, spot: Spot, maps: Option<&Arc<ChannelMaps>>, channel: Option<usize>) {
    response.on_hover_ui_at_pointer(|ui| {
        let [red, green, blue] = seen.input.pixel(spot.x, spot.y).unwrap_or_default();
        ui.label(format!("pixel {}, {}: red {red}, green {green}, blue {blue}", spot.x, spot.y));
        let Some(maps) = maps else { return };
        let cell = maps.cell(spot.x, spot.y);
        let place = format!("{} at row {}, column {}", maps.site, cell.0, cell.1);
        match channel.and_then(|channel| Some((channel, maps.value(channel, cell)?))) {
            Some((channel, value)) => ui.label(format!("channel {channel} of {place}: {}", number::short(value))),
            None => ui.weak(place),
        };
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_silent_hides_nothing() {
        let scale = Scale::unsigned(0.0, 4.0, true);
        assert_eq!(shade(&scale, 0.0), Color32::TRANSPARENT);
        assert_eq!(shade(&scale, 4.0), scale.at(1.0));
        assert_eq!(shade(&scale, f32::NAN), Color32::TRANSPARENT);
        let weak = shade(&Scale::signed(2.0, false), -0.5);
        assert!((120..=136).contains(&weak.a()), "{weak:?}");
    }

    #[test]
    fn crops_lie_where_they_belong() {
        let rect = Rect::from_min_size(pos2(100.0, 50.0), vec2(224.0, 448.0));
        let crop = Crop { top: 0, left: 56, bottom: 112, right: 224 };
        let expected = Rect::from_min_max(pos2(156.0, 50.0), pos2(324.0, 274.0));
        assert_eq!(crop_rect(crop, 224, rect), expected);
    }
}
