//! A text as flowing tokens, one colour per token: the form in which loss, probability or a unit's activation is read.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use egui::{Color32, CursorIcon, FontId, Id, Rect, Response, Sense, TextStyle, Ui, Vec2, pos2, vec2};

use super::accessible::{self, Move};
use super::colormap::{Scale, text_on};
use super::highlight::{Light, outline};
use super::number;
use crate::session::text;

/// The longest piece of a token that is drawn, in characters. The tooltip has the whole.
const MAX_CHARS: usize = 48;
const PADDING: Vec2 = vec2(3.0, 1.0);
const GAP: f32 = 1.0;

/// What the user did to the strip this frame.
pub struct TokenStripResponse {
    /// The token under the pointer.
    pub hovered: Option<usize>,
    /// The token that was clicked, or reached with the arrow keys.
    pub clicked: Option<usize>,
    /// The strip as a whole, to hang tooltips and menus on.
    pub response: Response,
}

/// Draws `tokens` as one flow over the width that is left; a line break follows each token that holds one.
///
/// `values[i]` colours token `i`; `None`, or a missing entry, leaves it plain. Only tokens inside the clip rectangle are drawn and
/// positions are kept between frames, so put long texts into a scroll area. Left and right move the selection once the strip has the keyboard.
pub fn token_strip<S: AsRef<str>>(
    ui: &mut Ui,
    id: impl Hash + std::fmt::Debug,
    tokens: &[S],
    values: &[Option<f32>],
    scale: &Scale,
    selected: Option<usize>,
    hovered: Option<usize>,
) -> TokenStripResponse {
    let id = ui.make_persistent_id(("token strip", id));
    let font = TextStyle::Body.resolve(ui.style());
    let width = ui.available_width().max(40.0);
    let flow = cached_flow(ui, id, tokens, &font, width);
    let (_, area) = ui.allocate_space(vec2(width, flow.height));
    let response = ui.interact(area, id, Sense::click()).on_hover_cursor(CursorIcon::PointingHand);
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::accesskit::Role::ListBox, true, format!("{} tokens", tokens.len()))
    });

    let at = |pointer: Option<egui::Pos2>| pointer.and_then(|pos| flow.at(pos - area.min.to_vec2()));
    let pointed = at(response.hover_pos());
    let mut clicked = if response.clicked() { at(response.interact_pointer_pos()) } else { None };
    if clicked.is_some() {
        response.request_focus();
    }
    for step in accessible::moves(ui, &response) {
        clicked = flow.step(clicked.or(selected), step).or(clicked);
        if let Some(rect) = clicked.and_then(|i| flow.rects.get(i)) {
            ui.scroll_to_rect(rect.translate(area.min.to_vec2()), None);
        }
    }

    follow_selection(ui, id, &flow, area, selected);
    let name_parts = accessible::listening(ui);
    let painter = ui.painter_at(ui.clip_rect().intersect(area.expand(2.0)));
    let visuals = ui.visuals();
    let visible = ui.clip_rect().translate(-area.min.to_vec2());
    for i in flow.rows_between(visible.top(), visible.bottom()) {
        let rect = flow.rects[i].translate(area.min.to_vec2());
        let value = values.get(i).copied().flatten();
        let fill = value.map(|value| scale.color(value)).filter(|fill| *fill != Color32::TRANSPARENT);
        if let Some(fill) = fill {
            painter.rect_filled(rect, 2.0, fill);
        }
        let color = fill.map_or(visuals.text_color(), text_on);
        let galley = painter.layout_no_wrap(flow.texts[i].clone(), font.clone(), Color32::PLACEHOLDER);
        painter.with_clip_rect(rect.intersect(painter.clip_rect())).galley(rect.min + PADDING, galley, color);
        outline(&painter, rect, 2.0, Light::of(selected == Some(i), hovered == Some(i) || pointed == Some(i)), visuals);
        if name_parts {
            let value = value.map(|value| format!(", {}", number::short(value))).unwrap_or_default();
            let label = format!("token {i} {}{value}", flow.texts[i]);
            if accessible::part(ui, id.with(("token", i)), rect, selected == Some(i), &label) {
                clicked = Some(i);
            }
        }
    }
    if response.has_focus() {
        outline(&painter, area, 2.0, Light::Hovered, visuals);
    }
    TokenStripResponse { hovered: pointed, clicked, response }
}

/// A token that was selected elsewhere is scrolled into view, once.
fn follow_selection(ui: &Ui, id: Id, flow: &Flow, area: Rect, selected: Option<usize>) {
    let id = id.with("selected");
    let before: Option<usize> = ui.data(|data| data.get_temp(id)).flatten();
    if before == selected {
        return;
    }
    ui.data_mut(|data| data.insert_temp(id, selected));
    if let Some(rect) = selected.and_then(|i| flow.rects.get(i)) {
        ui.scroll_to_rect(rect.translate(area.min.to_vec2()), None);
    }
}

/// Where every token stands, relative to the strip's corner.
#[derive(Default)]
struct Flow {
    key: u64,
    texts: Vec<String>,
    rects: Vec<Rect>,
    /// The first token of each row.
    starts: Vec<usize>,
    row_height: f32,
    height: f32,
}

impl Flow {
    /// Flows pieces of the given widths; `breaks[i]` ends the row behind piece `i`.
    fn new(widths: &[f32], breaks: &[bool], width: f32, row_height: f32) -> Flow {
        let mut flow = Flow { row_height, ..Flow::default() };
        let (mut x, mut y) = (0.0, 0.0);
        let mut fresh = true;
        for (&wide, &ends) in widths.iter().zip(breaks) {
            let wide = wide.min(width);
            if !fresh && x + wide > width {
                (x, y, fresh) = (0.0, y + row_height + GAP, true);
            }
            if fresh {
                flow.starts.push(flow.rects.len());
            }
            flow.rects.push(Rect::from_min_size(pos2(x, y), vec2(wide, row_height)));
            (x, fresh) = (x + wide + GAP, false);
            if ends {
                (x, y, fresh) = (0.0, y + row_height + GAP, true);
            }
        }
        flow.height = flow.rects.last().map_or(row_height, |rect| rect.bottom());
        flow
    }

    fn row_of(&self, y: f32) -> usize {
        (y.max(0.0) / (self.row_height + GAP)) as usize
    }

    fn row(&self, row: usize) -> std::ops::Range<usize> {
        let end = self.rects.len();
        self.starts.get(row).copied().unwrap_or(end)..self.starts.get(row + 1).copied().unwrap_or(end)
    }

    fn rows_between(&self, top: f32, bottom: f32) -> std::ops::Range<usize> {
        if bottom < 0.0 {
            return 0..0;
        }
        self.row(self.row_of(top)).start..self.row(self.row_of(bottom)).end
    }

    fn at(&self, pos: egui::Pos2) -> Option<usize> {
        self.row(self.row_of(pos.y)).find(|&i| self.rects[i].expand(GAP / 2.0).contains(pos))
    }

    /// Where a key leads: left and right by token, up and down to the nearest token of the next row.
    fn step(&self, from: Option<usize>, step: Move) -> Option<usize> {
        let down = match step {
            Move::Up | Move::PageUp => false,
            Move::Down | Move::PageDown => true,
            _ => return accessible::step_in_list(from, step, self.rects.len(), 1),
        };
        let Some(rect) = from.and_then(|i| self.rects.get(i)) else {
            return accessible::step_in_list(from, step, self.rects.len(), 1);
        };
        let row = self.row_of(rect.center().y);
        let target = if down { row + 1 } else { row.checked_sub(1)? };
        let distance = |i: &usize| (self.rects[*i].center().x - rect.center().x).abs();
        self.row(target).min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }
}

fn cached_flow<S: AsRef<str>>(ui: &Ui, id: Id, tokens: &[S], font: &FontId, width: f32) -> Arc<Flow> {
    let mut hasher = DefaultHasher::new();
    for token in tokens {
        token.as_ref().hash(&mut hasher);
    }
    (tokens.len(), width.to_bits(), ui.pixels_per_point().to_bits(), font).hash(&mut hasher);
    let key = hasher.finish();
    if let Some(flow) = ui.data(|data| data.get_temp::<Arc<Flow>>(id))
        && flow.key == key
    {
        return flow;
    }
    let texts: Vec<String> =
        tokens.iter().map(|t| text::shortened(&text::token_label(t.as_ref()), MAX_CHARS)).collect();
    let breaks: Vec<bool> = tokens.iter().map(|t| t.as_ref().contains('\n')).collect();
    let painter = ui.painter();
    let widths: Vec<f32> = texts
        .iter()
        .map(|text| painter.layout_no_wrap(text.clone(), font.clone(), Color32::PLACEHOLDER).size().x + 2.0 * PADDING.x)
        .collect();
    let row_height = ui.text_style_height(&TextStyle::Body) + 2.0 * PADDING.y;
    let flow = Arc::new(Flow { key, texts, ..Flow::new(&widths, &breaks, width, row_height) });
    ui.data_mut(|data| data.insert_temp(id, Arc::clone(&flow)));
    flow
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_and_breaks() {
        let flow = Flow::new(&[30.0, 30.0, 50.0, 300.0, 10.0], &[false, false, true, false, false], 100.0, 20.0);
        assert_eq!(flow.starts, [0, 2, 3, 4]);
        assert_eq!(flow.rects[1].left(), 31.0);
        assert_eq!(flow.rects[3].width(), 100.0, "wider than the strip: cut");
        assert_eq!(flow.height, 83.0);
        assert_eq!(Flow::new(&[], &[], 100.0, 20.0).height, 20.0);
    }

    #[test]
    fn pointer_finds_tokens_and_rows() {
        let flow = Flow::new(&[30.0; 6], &[false; 6], 100.0, 20.0);
        assert_eq!(flow.at(pos2(35.0, 25.0)), Some(4));
        assert_eq!(flow.at(pos2(99.0, 5.0)), None);
        assert_eq!(flow.at(pos2(5.0, 500.0)), None);
        assert_eq!(flow.rows_between(-50.0, 5.0), 0..3);
        assert_eq!(flow.rows_between(22.0, 900.0), 3..6);
        assert_eq!(flow.rows_between(-50.0, -10.0), 0..0);
    }

    #[test]
    fn keys_move_by_token_and_row() {
        let flow = Flow::new(&[30.0; 6], &[false; 6], 100.0, 20.0);
        assert_eq!(flow.step(Some(1), Move::Down), Some(4));
        assert_eq!(flow.step(Some(5), Move::Down), None);
        assert_eq!(flow.step(Some(5), Move::Up), Some(2));
        assert_eq!(flow.step(Some(0), Move::Up), None);
        assert_eq!(flow.step(Some(2), Move::Right), Some(3));
        assert_eq!(flow.step(None, Move::Right), Some(0));
    }
}
