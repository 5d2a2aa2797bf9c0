//! The grid itself: only the maps that can be seen are drawn.

use std::sync::Arc;

use egui::{Align2, Color32, CursorIcon, Rect, ScrollArea, Sense, TextStyle, Ui, Vec2, pos2, vec2};
use golgi_analysis::channels::ChannelMaps;
use golgi_data::unit::Unit;

use super::order::{Listing, Order};
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::colormap::Scale;
use crate::desktop::widgets::highlight::{Light, outline};
use crate::desktop::widgets::picture::WHOLE;
use crate::desktop::widgets::texture::{Content, Grid, texture};
use crate::desktop::widgets::{accessible, number, scroll};
use crate::session::selection::Selection;

const GAP: f32 = 5.0;
/// Height of the line below a map.
const CAPTION: f32 = 15.0;
/// The longest side of a map's texture, in pixels.
const TEXTURE_SIDE: usize = 128;

/// Draws the listed channels in the room that is left. `common` is the range of all maps, where they share one.
pub fn ui(
    ctx: &PanelContext<'_>,
    ui: &mut Ui,
    maps: &Arc<ChannelMaps>,
    listing: &Listing,
    order: Order,
    common: Option<(f32, f32)>,
    side: f32,
) {
    let room = (ui.available_width() - 12.0).max(side);
    let cols = (((room + GAP) / (side + GAP)).floor() as usize).max(1);
    let side = ((room + GAP) / cols as f32 - GAP).min(side * 1.5);
    let tile = vec2(side + GAP, side + CAPTION + GAP);
    let rows = listing.channels.len().div_ceil(cols);
    let selected = ctx.selection.unit.as_ref().filter(|unit| unit.site == maps.site).map(|unit| unit.index as usize);
    let hovered = ctx.hover.unit.as_ref().filter(|unit| unit.site == maps.site).map(|unit| unit.index as usize);

    let mut area = ScrollArea::vertical().id_salt("channels").auto_shrink(false);
    let offset_id = ui.scope_id().with("offset");
    if let Some(channel) = newly_selected(ui, selected)
        && let Some(at) = listing.channels.iter().position(|other| *other == channel)
    {
        let offset: f32 = ui.data(|data| data.get_temp(offset_id)).unwrap_or(0.0);
        let (height, top) = (f64::from(tile.y), (at / cols) as f64 * f64::from(tile.y));
        let offset = scroll::reveal(f64::from(offset), top, height, f64::from(ui.available_height()));
        area = area.vertical_scroll_offset(offset as f32);
    }
    ui.spacing_mut().item_spacing.y = 0.0;
    let shown = area.show_rows(ui, tile.y, rows, |ui, range| {
        let (_, place) = ui.allocate_space(vec2(cols as f32 * tile.x, range.len() as f32 * tile.y));
        for (line, row) in range.enumerate() {
            let channels = listing.channels.iter().skip(row * cols).take(cols);
            for (col, channel) in channels.enumerate() {
                let min = pos2(place.left() + col as f32 * tile.x + 1.0, place.top() + line as f32 * tile.y + 1.0);
                let light = Light::of(selected == Some(*channel), hovered == Some(*channel));
                let rect = Rect::from_min_size(min, Vec2::splat(side));
                map_ui(ctx, ui, maps, *channel, rect, order, common, light);
            }
        }
    });
    ui.data_mut(|data| data.insert_temp(offset_id, shown.state.clamped_offset().y));
}

/// The selected channel, in the one frame in which it became selected.
fn newly_selected(ui: &Ui, selected: Option<usize>) -> Option<usize> {
    let id = ui.scope_id().with("selected channel");
    let before: Option<usize> = ui.data(|data| data.get_temp(id)).flatten();
    ui.data_mut(|data| data.insert_temp(id, selected));
    if before == selected { None } else { selected }
}

#[expect(clippy::too_many_arguments, reason = "what one map needs of the frame")]
fn map_ui(
    ctx: &PanelContext<'_>,
    ui: &Ui,
    maps: &Arc<ChannelMaps>,
    channel: usize,
    rect: Rect,
    order: Order,
    common: Option<(f32, f32)>,
    light: Light,
) {
    let id = ui.scope_id().with(("channel", channel));
    let response = ui.interact(rect, id, Sense::CLICK).on_hover_cursor(CursorIcon::PointingHand);
    let unit = || Unit::new(maps.site.clone(), channel as u32);
    if response.hovered() {
        ctx.set_hover(Selection::of_unit(&unit()));
    }
    let mut clicked = response.clicked();
    let dark = ui.visuals().dark_mode;
    let scale = match common {
        Some((low, high)) => Scale::fitting([low, high], dark),
        None => Scale::fitting(maps.map(channel).iter().copied(), dark),
    };
    ui.painter().rect_filled(rect, 2.0, scale.color(0.0));
    let content = Content::of(maps, ("channel", channel));
    let grid = || Grid { rows: maps.rows, cols: maps.columns, values: maps.map(channel) };
    if let Some(picture) = texture(ui.ctx(), &content, &scale, TEXTURE_SIDE, grid) {
        ui.painter().image(picture.id(), rect, WHOLE, Color32::WHITE);
    }
    let spot = ctx.hover.spot.or(ctx.selection.spot).filter(|_| maps.rows * maps.columns > 1);
    if let Some(spot) = spot {
        // The same position in every map.
        let at = |pixel: u32| (pixel as f32 + 0.5) / maps.side.max(1) as f32;
        let centre = pos2(rect.left() + at(spot.x) * rect.width(), rect.top() + at(spot.y) * rect.height());
        ui.painter().circle_stroke(centre, 3.0, (2.0, Color32::from_black_alpha(170)));
        ui.painter().circle_stroke(centre, 3.0, (1.0, Color32::WHITE));
    }
    outline(ui.painter(), rect.expand(1.0), 2.0, light, ui.visuals());
    let cell = ctx.selection.spot.map(|spot| maps.cell(spot.x, spot.y));
    let value = order.value(maps, channel, cell).or(maps.strengths.get(channel).map(|strength| strength.max));
    let value = value.map_or_else(String::new, number::short);
    let font = TextStyle::Small.resolve(ui.style());
    let color = if light == Light::Selected { ctx.palette.accent } else { ctx.palette.text_weak };
    let (left, right) = (rect.left_bottom() + vec2(1.0, 2.0), rect.right_bottom() + vec2(-1.0, 2.0));
    let wide = rect.width() >= 56.0;
    if wide {
        ui.painter().text(left, Align2::LEFT_TOP, channel.to_string(), font.clone(), color);
        ui.painter().text(right, Align2::RIGHT_TOP, &value, font, ctx.palette.text);
    } else {
        ui.painter().text(rect.center_bottom() + vec2(0.0, 2.0), Align2::CENTER_TOP, channel.to_string(), font, color);
    }
    if accessible::listening(ui) {
        let selected = light == Light::Selected;
        clicked |= accessible::part(ui, id.with("name"), rect, selected, &format!("channel {channel}, {value}"));
    }
    if clicked {
        ctx.select(Selection::of_unit(&unit()));
    }
    response.on_hover_ui(|ui| tooltip(ui, maps, channel, cell));
}

fn tooltip(ui: &mut Ui, maps: &ChannelMaps, channel: usize, cell: Option<(usize, usize)>) {
    let Some(strength) = maps.strengths.get(channel) else { return };
    ui.strong(format!("{}:{channel}", maps.site));
    egui::Grid::new("channel").num_columns(2).min_row_height(0.0).spacing([12.0, 2.0]).show(ui, |ui| {
        let (row, column) = strength.at;
        let here = cell.and_then(|cell| maps.value(channel, cell)).map(|value| ("here", number::short(value)));
        let largest = format!("{} at row {row}, column {column}", number::short(strength.max));
        for (name, value) in [("maximum", largest), ("mean", number::short(strength.mean))].into_iter().chain(here) {
            ui.weak(name);
            ui.label(value);
            ui.end_row();
        }
    });
}
