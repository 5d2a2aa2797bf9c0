//! A table of which only the visible rows are drawn: a million rows cost as much as thirty.
//!
//! The table owns no data: it asks for each visible cell to be painted. It keeps its own scroll position in f64, since egui's f32
//! positions get coarser than a row behind some hundred thousand rows.

use egui::accesskit::Role;
use egui::{
    Align2, Color32, CursorIcon, FontId, Id, Painter, Rect, Response, Sense, TextStyle, Ui, Vec2, Visuals, WidgetInfo,
    pos2,
};

use super::heatmap::one_line;
use super::highlight::{Light, outline, veil};
use super::{accessible, bar, scroll};

/// A column's heading and form.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// The heading.
    pub name: &'a str,
    /// What the numbers are; the heading's tooltip.
    pub about: &'a str,
    /// The least width in points. What room is left is shared in proportion.
    pub width: f32,
    /// Whether cells hold numbers, which stand at the right.
    pub numeric: bool,
    /// Whether rows can be sorted by it.
    pub sortable: bool,
}

/// By which column rows are sorted, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// Index of the column.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
}

impl Sort {
    /// What a click on the heading of `column` leads to: numbers largest first, texts from A on; a second click turns it around.
    pub fn clicked(self, column: usize, numeric: bool) -> Sort {
        let descending = if self.column == column { !self.descending } else { numeric };
        Sort { column, descending }
    }
}

/// What the user did to the table this frame.
pub struct TableResponse {
    /// The row under the pointer.
    pub hovered: Option<usize>,
    /// The row that was clicked, or reached with the keys.
    pub chosen: Option<usize>,
    /// The order that was asked for.
    pub sorted: Option<Sort>,
    /// The table as a whole.
    pub response: Response,
}

/// One cell, to be painted.
pub struct Cell<'a> {
    /// Clipped to the cell.
    pub painter: &'a Painter,
    /// The cell without its padding.
    pub rect: Rect,
    /// The row, as displayed from the top.
    pub row: usize,
    /// The column.
    pub col: usize,
    /// Text and other colours.
    pub visuals: &'a Visuals,
    /// The font of the table.
    pub font: &'a FontId,
}

impl Cell<'_> {
    /// Text at the left, cut where it is too long.
    pub fn text(&self, text: &str) {
        let galley = one_line(self.painter, text, self.font, Color32::PLACEHOLDER, self.rect.width());
        let at = Align2::LEFT_CENTER.anchor_size(self.rect.left_center(), galley.size());
        self.painter.galley(at.min, galley, self.visuals.text_color());
    }

    /// A number at the right.
    pub fn number(&self, text: &str) {
        let galley = self.painter.layout_no_wrap(text.to_owned(), self.font.clone(), Color32::PLACEHOLDER);
        let at = Align2::RIGHT_CENTER.anchor_size(self.rect.right_center(), galley.size());
        self.painter.galley(at.min, galley, self.visuals.text_color());
    }

    /// A number at the right with a bar of its size to the left, where there is room.
    pub fn bar(&self, fraction: f32, signed: bool, text: &str) {
        self.number(text);
        let room = self.rect.width() - 58.0;
        if room >= 16.0 {
            let middle = pos2(self.rect.left() + room / 2.0, self.rect.center().y);
            let rect = Rect::from_center_size(middle, Vec2::new(room, 8.0));
            match signed {
                true => bar::paint_signed(self.painter, rect, fraction, self.visuals),
                false => bar::paint(self.painter, rect, fraction, self.visuals),
            }
        }
    }
}

/// A table to be drawn.
pub struct VirtualTable<'a> {
    /// What it is called, for screen readers.
    pub name: &'a str,
    /// Its columns.
    pub columns: &'a [Column<'a>],
    /// How many of the first columns stay where they are when the others are scrolled.
    pub pinned: usize,
    /// How many rows it has.
    pub rows: usize,
    /// The selected row.
    pub selected: Option<usize>,
    /// A row to be lit because it is hovered elsewhere.
    pub hovered: Option<usize>,
    /// A row to be scrolled to now.
    pub reveal: Option<usize>,
    /// The order in force.
    pub sort: Option<Sort>,
    /// How a row is read out.
    pub describe: &'a dyn Fn(usize) -> String,
}

#[derive(Debug, Clone, Copy, Default)]
struct Offset {
    x: f64,
    y: f64,
}

impl VirtualTable<'_> {
    /// Draws it, `size` big; `paint` is asked for each visible cell.
    pub fn show(
        &self,
        ui: &mut Ui,
        id: impl std::hash::Hash + std::fmt::Debug,
        size: Vec2,
        paint: &mut dyn FnMut(&Cell<'_>),
    ) -> TableResponse {
        let id = ui.make_persistent_id(("table", id));
        let (_, area) = ui.allocate_space(size.max(Vec2::new(60.0, 60.0)));
        let font = TextStyle::Body.resolve(ui.style());
        let row_height = (ui.text_style_height(&TextStyle::Body) + 4.0).ceil();
        let header = Rect::from_min_max(area.min, pos2(area.right(), area.top() + row_height + 4.0));
        let body = Rect::from_min_max(pos2(area.left(), header.bottom()), area.max - Vec2::splat(scroll::BAR));
        let response = ui.interact(Rect::from_min_max(body.min, area.max), id, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Grid, true, format!("{}, {} rows", self.name, self.rows)));

        let mut offset: Offset = ui.data(|data| data.get_temp(id)).unwrap_or_default();
        let row_height = f64::from(row_height);
        let content = self.rows as f64 * row_height;
        let viewport = f64::from(body.height()).max(1.0);
        let widths = widths(self.columns, body.width());
        let total = f64::from(widths.iter().sum::<f32>());
        let furthest = (total - f64::from(body.width()), content - viewport);
        scroll::wheel(ui, area, (&mut offset.x, furthest.0), (&mut offset.y, furthest.1));
        let page = (viewport / row_height).floor().max(1.0) as usize;
        let mut chosen = None;
        for step in accessible::moves(ui, &response) {
            chosen = accessible::step_in_list(chosen.or(self.selected), step, self.rows, page).or(chosen);
        }
        if let Some(row) = chosen.or(self.reveal) {
            offset.y = scroll::reveal(offset.y, row as f64 * row_height, row_height, viewport);
        }
        let beside = Rect::from_x_y_ranges(body.right()..=area.right(), body.y_range());
        scroll::bar(ui, id.with("y"), beside, scroll::Axis::Vertical, &mut offset.y, viewport, content);
        let below = Rect::from_x_y_ranges(body.x_range(), body.bottom()..=area.bottom());
        scroll::bar(ui, id.with("x"), below, scroll::Axis::Horizontal, &mut offset.x, f64::from(body.width()), total);

        let row_at = |y: f32| {
            let row = (f64::from(y - body.top()) + offset.y) / row_height;
            (body.y_range().contains(y) && row >= 0.0 && row < self.rows as f64).then_some(row as usize)
        };
        let inside = |pos: &egui::Pos2| body.contains(*pos);
        let pointed = response.hover_pos().filter(inside).and_then(|pos| row_at(pos.y));
        if response.clicked() {
            response.request_focus();
            chosen = response.interact_pointer_pos().filter(inside).and_then(|pos| row_at(pos.y)).or(chosen);
        }

        let places = places(&widths, self.pinned, offset.x as f32);
        let sorted = self.headings(ui, id, header, &places);
        if sorted.is_some() {
            response.request_focus();
        }
        let painter = ui.painter_at(body);
        let first = (offset.y / row_height) as usize;
        let end = (((offset.y + viewport) / row_height).ceil() as usize).min(self.rows);
        let named = accessible::listening(ui);
        for row in first..end {
            let top = body.top() + (row as f64 * row_height - offset.y) as f32;
            let line = Rect::from_x_y_ranges(body.x_range(), top..=top + row_height as f32);
            self.row(&painter, ui.visuals(), &font, (row, line), &places, pointed, paint);
            if named
                && accessible::part(
                    ui,
                    id.with(("row", row)),
                    line.intersect(body),
                    self.selected == Some(row),
                    &(self.describe)(row),
                )
            {
                chosen = Some(row);
            }
        }
        if response.has_focus() {
            outline(ui.painter(), area, 2.0, Light::Hovered, ui.visuals());
        }
        ui.data_mut(|data| data.insert_temp(id, offset));
        TableResponse { hovered: pointed, chosen, sorted, response }
    }

    #[allow(clippy::too_many_arguments, reason = "what one row needs of the frame")]
    fn row(
        &self,
        painter: &Painter,
        visuals: &Visuals,
        font: &FontId,
        (row, line): (usize, Rect),
        places: &[Span],
        pointed: Option<usize>,
        paint: &mut dyn FnMut(&Cell<'_>),
    ) {
        if row % 2 == 1 {
            painter.rect_filled(line, 0.0, visuals.faint_bg_color);
        }
        let light = Light::of(self.selected == Some(row), pointed == Some(row) || self.hovered == Some(row));
        if let Some(veil) = veil(visuals, light) {
            painter.rect_filled(line, 0.0, veil);
        }
        for (col, place) in places.iter().enumerate() {
            let cell = place.rect(line);
            let clip = place.clip(line).intersect(painter.clip_rect());
            if clip.is_positive() {
                let painter = painter.with_clip_rect(clip);
                let rect = cell.shrink2(Vec2::new(6.0, 0.0));
                paint(&Cell { painter: &painter, rect, row, col, visuals, font });
            }
        }
        if light == Light::Selected {
            outline(painter, line, 0.0, light, visuals);
        }
    }

    fn headings(&self, ui: &Ui, id: Id, area: Rect, places: &[Span]) -> Option<Sort> {
        let painter = ui.painter_at(area);
        let visuals = ui.visuals();
        let font = TextStyle::Small.resolve(ui.style());
        painter.hline(area.x_range(), area.bottom() - 1.0, visuals.widgets.noninteractive.bg_stroke);
        let mut sorted = None;
        for (index, (column, place)) in self.columns.iter().zip(places).enumerate() {
            let (cell, clip) = (place.rect(area), place.clip(area).intersect(area));
            if !clip.is_positive() {
                continue;
            }
            let painter = painter.with_clip_rect(clip.intersect(painter.clip_rect()));
            let order = self.sort.filter(|sort| sort.column == index);
            let sense = if column.sortable { Sense::click() } else { Sense::hover() };
            let mut response = ui.interact(clip, id.with(("heading", index)), sense);
            let state = match order {
                Some(Sort { descending: true, .. }) => ", sorted, largest first",
                Some(_) => ", sorted, smallest first",
                None => "",
            };
            response.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, true, format!("{}{state}", column.name)));
            if column.sortable {
                response = response.on_hover_cursor(CursorIcon::PointingHand);
                if response.clicked() {
                    let now = self.sort.unwrap_or(Sort { column: usize::MAX, descending: false });
                    sorted = Some(now.clicked(index, column.numeric));
                }
            }
            let color = if order.is_some() || response.hovered() {
                visuals.strong_text_color()
            } else {
                visuals.weak_text_color()
            };
            let arrow = match order {
                Some(Sort { descending: true, .. }) => " ⏷",
                Some(_) => " ⏶",
                None => "",
            };
            let rect = cell.shrink2(Vec2::new(6.0, 0.0));
            let galley = one_line(&painter, &format!("{}{arrow}", column.name), &font, color, rect.width());
            let anchor = if column.numeric { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
            let from = if column.numeric { rect.right_center() } else { rect.left_center() };
            painter.galley(anchor.anchor_size(from, galley.size()).min, galley, color);
            if !column.about.is_empty() {
                response.on_hover_text(column.about);
            }
        }
        sorted
    }
}

/// Where a column stands, in points from the table's left edge, and the part of it that can be seen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    left: f32,
    right: f32,
    /// Nothing of it is seen left of here: pinned columns lie over it.
    from: f32,
}

impl Span {
    fn rect(self, line: Rect) -> Rect {
        Rect::from_x_y_ranges(line.left() + self.left..=line.left() + self.right, line.y_range())
    }

    fn clip(self, line: Rect) -> Rect {
        let left = self.left.max(self.from);
        Rect::from_x_y_ranges(line.left() + left..=line.left() + self.right.max(left), line.y_range())
    }
}

/// Where the columns stand: the first `pinned` ones at rest, the others moved to the left by `scrolled`.
fn places(widths: &[f32], pinned: usize, scrolled: f32) -> Vec<Span> {
    let rest: f32 = widths.iter().take(pinned).sum();
    let mut x = 0.0;
    let place = |(index, width): (usize, &f32)| {
        let (left, from) = if index < pinned { (x, 0.0) } else { (x - scrolled, rest) };
        x += width;
        Span { left, right: left + width, from }
    };
    widths.iter().enumerate().map(place).collect()
}

/// The widths of the columns: at least their own, and what room is left in proportion.
fn widths(columns: &[Column<'_>], room: f32) -> Vec<f32> {
    let least: f32 = columns.iter().map(|column| column.width).sum();
    let factor = (room / least.max(1.0)).max(1.0);
    columns.iter().map(|column| column.width * factor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(width: f32) -> Column<'static> {
        Column { name: "x", about: "", width, numeric: true, sortable: true }
    }

    #[test]
    fn columns_share_what_room_is_left() {
        assert_eq!(widths(&[column(50.0), column(100.0)], 300.0), [100.0, 200.0]);
        assert_eq!(widths(&[column(50.0), column(100.0)], 90.0), [50.0, 100.0]);
        assert!(widths(&[], 90.0).is_empty());
    }

    #[test]
    fn pinned_columns_stay_and_cover_the_others() {
        let spans = places(&[50.0, 100.0, 80.0], 1, 60.0);
        assert_eq!(spans[0], Span { left: 0.0, right: 50.0, from: 0.0 });
        assert_eq!((spans[1].left, spans[1].right, spans[2].left), (-10.0, 90.0, 90.0));
        let line = Rect::from_min_size(pos2(7.0, 0.0), Vec2::new(200.0, 20.0));
        assert_eq!(spans[1].clip(line).x_range(), egui::Rangef::new(57.0, 97.0));
        let gone = places(&[50.0, 100.0, 80.0], 1, 160.0)[1];
        assert!(!gone.clip(line).is_positive());
    }

    #[test]
    fn a_second_click_turns_the_order_around() {
        let sort = Sort { column: 0, descending: false }.clicked(2, true);
        assert_eq!(sort, Sort { column: 2, descending: true });
        assert_eq!(sort.clicked(2, true), Sort { column: 2, descending: false });
        assert_eq!(sort.clicked(1, false), Sort { column: 1, descending: false });
    }
}
