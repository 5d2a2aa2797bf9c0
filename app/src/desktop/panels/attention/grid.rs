//! All heads as thumbnails.

use std::sync::Arc;

use egui::{Align2, Color32, CursorIcon, Rect, ScrollArea, Sense, TextStyle, Ui, Vec2, pos2, vec2};
use golgi_analysis::prompt::attention::{AttentionMaps, HeadScore};

use super::order::{self, Order};
use super::pattern::{Options, prepare};
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::accessible;
use crate::desktop::widgets::colormap::Scale;
use crate::desktop::widgets::highlight::{Light, outline};
use crate::desktop::widgets::number;
use crate::desktop::widgets::scroll;
use crate::desktop::widgets::texture::{Content, Grid, texture};
use crate::session::selection::Selection;

/// Sides of a thumbnail, in points.
const SMALLEST: f32 = 28.0;
const BIGGEST: f32 = 76.0;
const GAP: f32 = 4.0;
/// The longest side of a thumbnail's texture, in pixels.
const TEXTURE_SIDE: usize = 128;

/// Draws the heads of `list` in the room that is left: a row per layer in that order, flowing in any other.
pub fn thumbnails(
    ctx: &PanelContext<'_>,
    ui: &mut Ui,
    maps: &Arc<AttentionMaps>,
    list: &[(usize, usize)],
    order: Order,
    options: Options,
) {
    let by_layer = order == Order::Layer;
    let margin = if by_layer { 30.0 } else { 0.0 };
    let room = (ui.available_width() - margin - 12.0).max(SMALLEST);
    let (cols, side) = columns(room, maps.n_heads, by_layer);
    let caption = if by_layer { 0.0 } else { 14.0 };
    let rows = list.len().div_ceil(cols);
    let tile = vec2(side + GAP, side + GAP + caption);
    let selected = list.iter().position(|&(layer, head)| ctx.selection.is_head(layer as u32, head as u32));

    let mut area = ScrollArea::both().id_salt("heads").auto_shrink(false);
    let offset_id = ui.scope_id().with("offset");
    if let Some(row) = newly_selected(ui, selected).map(|index| index / cols) {
        let offset: f32 = ui.data(|data| data.get_temp(offset_id)).unwrap_or(0.0);
        let (height, top) = (f64::from(tile.y), row as f64 * f64::from(tile.y));
        let offset = scroll::reveal(f64::from(offset), top, height, f64::from(ui.available_height()));
        area = area.vertical_scroll_offset(offset as f32);
    }
    ui.spacing_mut().item_spacing.y = 0.0;
    let shown = area.show_rows(ui, tile.y, rows, |ui, range| {
        let size = vec2(margin + cols as f32 * tile.x, range.len() as f32 * tile.y);
        let (_, place) = ui.allocate_space(size);
        for (line, row) in range.enumerate() {
            let top = place.top() + line as f32 * tile.y;
            let items = list.iter().enumerate().skip(row * cols).take(cols);
            for (col, (index, &(layer, head))) in items.enumerate() {
                let min = pos2(place.left() + margin + col as f32 * tile.x, top);
                let rect = Rect::from_min_size(min, Vec2::splat(side));
                if col == 0 && by_layer {
                    layer_name(
                        ctx,
                        ui,
                        Rect::from_min_max(pos2(place.left(), top), pos2(min.x - 4.0, top + side)),
                        layer,
                    );
                }
                thumbnail(ctx, ui, maps, (layer, head), rect, order, options, selected == Some(index));
            }
        }
    });
    ui.data_mut(|data| data.insert_temp(offset_id, shown.state.clamped_offset().y));
}

/// How many thumbnails lie side by side, and how big they are.
fn columns(room: f32, n_heads: usize, by_layer: bool) -> (usize, f32) {
    if by_layer {
        let cols = n_heads.max(1);
        return (cols, (room / cols as f32 - GAP).clamp(SMALLEST, BIGGEST));
    }
    let cols = ((room / (56.0 + GAP)).floor() as usize).max(1);
    (cols, (room / cols as f32 - GAP).clamp(SMALLEST, BIGGEST))
}

/// The selected head, in the one frame in which it became selected.
fn newly_selected(ui: &Ui, selected: Option<usize>) -> Option<usize> {
    let id = ui.scope_id().with("selected head");
    let before: Option<usize> = ui.data(|data| data.get_temp(id)).flatten();
    ui.data_mut(|data| data.insert_temp(id, selected));
    if before == selected { None } else { selected }
}

fn layer_name(ctx: &PanelContext<'_>, ui: &Ui, rect: Rect, layer: usize) {
    let lit = Light::of(ctx.selection.layer == Some(layer as u32), ctx.hover.layer == Some(layer as u32));
    let color = match lit {
        Light::None => ctx.palette.text_weak,
        Light::Hovered => ctx.palette.text_strong,
        Light::Selected => ctx.palette.accent,
    };
    ui.painter().text(
        rect.right_center(),
        Align2::RIGHT_CENTER,
        format!("L{layer}"),
        TextStyle::Small.resolve(ui.style()),
        color,
    );
    let response = ui.interact(rect, ui.scope_id().with(("layer", layer)), Sense::CLICK);
    if response.hovered() {
        ctx.set_hover(Selection::of_layer(layer as u32));
    }
    if response.clicked() {
        ctx.select(Selection::of_layer(layer as u32));
    }
}

#[allow(clippy::too_many_arguments, reason = "what one thumbnail needs of the frame")]
fn thumbnail(
    ctx: &PanelContext<'_>,
    ui: &Ui,
    maps: &Arc<AttentionMaps>,
    (layer, head): (usize, usize),
    rect: Rect,
    order: Order,
    options: Options,
    selected: bool,
) {
    let id = ui.scope_id().with(("head", layer, head));
    let response = ui.interact(rect, id, Sense::CLICK).on_hover_cursor(CursorIcon::PointingHand);
    let selection = || Selection::of_head(layer as u32, head as u32);
    if response.hovered() {
        ctx.set_hover(selection());
    }
    let mut clicked = response.clicked();
    let pos = maps.tokens.len();
    let scale = Scale::unsigned(0.0, 1.0, ui.visuals().dark_mode);
    let content = Content::of(maps, (layer, head, options));
    let mut shares = Vec::new();
    let buffer = &mut shares;
    let picture = texture(ui.ctx(), &content, &scale, TEXTURE_SIDE, move || {
        *buffer = prepare(maps.pattern(layer, head), pos, options);
        Grid { rows: pos, cols: pos, values: buffer }
    });
    ui.painter().rect_filled(rect, 2.0, scale.at(0.0));
    if let Some(picture) = picture {
        ui.painter().image(picture.id(), rect, Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0)), Color32::WHITE);
    }
    let hovered = response.hovered() || ctx.hover.is_head(layer as u32, head as u32);
    outline(ui.painter(), rect.expand(1.0), 2.0, Light::of(selected, hovered), ui.visuals());
    let score = order::score(maps, layer, head);
    if let Some(value) = score.and_then(|score| order.score(score)) {
        let color = if selected { ctx.palette.accent } else { ctx.palette.text_weak };
        let font = TextStyle::Small.resolve(ui.style());
        ui.painter().text(
            rect.center_bottom() + vec2(0.0, 1.0),
            Align2::CENTER_TOP,
            format!("{layer}.{head}  {value:.2}"),
            font,
            color,
        );
    }
    if accessible::listening(ui) {
        clicked |= accessible::part(ui, id.with("name"), rect, selected, &format!("head L{layer}H{head}"));
    }
    if clicked {
        ctx.select(selection());
    }
    response.on_hover_ui(|ui| {
        ui.strong(format!("L{layer}H{head}"));
        if let Some(score) = score {
            scores(ui, score);
        }
    });
}

/// A head's scores as a small table.
fn scores(ui: &mut Ui, score: &HeadScore) {
    egui::Grid::new("head scores").num_columns(2).min_row_height(0.0).spacing(vec2(12.0, 2.0)).show(ui, |ui| {
        for order in Order::ALL {
            if let Some(value) = order.score(score) {
                ui.weak(order.name());
                ui.label(number::short(value));
                ui.end_row();
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_fill_the_room_within_limits() {
        assert_eq!(columns(288.0, 9, true), (9, 28.0));
        assert_eq!(columns(2000.0, 9, true), (9, BIGGEST));
        assert_eq!(columns(100.0, 32, true), (32, SMALLEST), "too many: the grid scrolls");
        let (cols, side) = columns(310.0, 9, false);
        assert_eq!(cols, 5);
        assert!((side - 58.0).abs() < 1e-3);
    }
}
