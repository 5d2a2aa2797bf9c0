//! A grid of numbers as colours, with names on its sides: logit lens, attention patterns, anything by row and column.
//!
//! The numbers become a texture once and are found again by their [`Content`]; a frame places the texture and writes the names and
//! cell texts that can be seen. The wheel scrolls, with Ctrl it zooms; dragging pans; a double click shows the whole again.

mod axes;
mod view;

use egui::accesskit::Role;
use egui::{
    Align2, Color32, CursorIcon, Id, Key, Modifiers, PointerButton, Pos2, Rect, Response, Sense, TextStyle, Ui, Vec2,
    WidgetInfo,
};

pub use axes::one_line;
pub use view::{Camera, CellSize, View};

use super::accessible::{self, Move};
use super::colormap::{Scale, text_on};
use super::highlight::{Light, outline, veil};
use super::scroll;
use super::texture::{Content, Grid, texture};

/// Cells are named for screen readers up to this many visible ones.
const MAX_NAMED_CELLS: usize = 4000;
/// The biggest side of a texture, in pixels. Bigger grids are drawn by their strongest cells until a later zoom needs no more.
const MAX_SIDE: usize = 4096;

/// The largest share of the area that names take on each side.
const NAMES: f32 = 0.3;

/// A place in a grid: a cell, or a whole row or column where the pointer is on its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The row.
    pub row: Option<usize>,
    /// The column.
    pub col: Option<usize>,
}

impl Place {
    /// A cell.
    pub fn cell(row: usize, col: usize) -> Place {
        Place { row: Some(row), col: Some(col) }
    }

    /// Row and column, where it is a cell.
    pub fn as_cell(self) -> Option<(usize, usize)> {
        self.row.zip(self.col)
    }
}

/// What the user did to the grid this frame.
pub struct HeatmapResponse {
    /// What the pointer is on.
    pub hovered: Option<Place>,
    /// What was clicked, or reached with the arrow keys.
    pub clicked: Option<Place>,
    /// The grid as a whole, to hang tooltips and menus on.
    pub response: Response,
}

/// A grid to be drawn.
pub struct Heatmap<'a> {
    /// What it is called, for screen readers.
    pub name: &'a str,
    /// Which numbers these are.
    pub content: Content,
    /// The numbers.
    pub grid: Grid<'a>,
    /// How they are coloured.
    pub scale: Scale,
    /// Names of the rows; none where this is empty.
    pub row_names: &'a [String],
    /// Names of the columns; none where this is empty.
    pub col_names: &'a [String],
    /// How big cells are before any zooming.
    pub cell: CellSize,
    /// The text in a cell, written where cells are big enough. An empty text leaves the cell plain.
    pub text: &'a dyn Fn(usize, usize) -> String,
    /// How a cell is read out.
    pub describe: &'a dyn Fn(usize, usize) -> String,
    /// How strongly a row is lit.
    pub row_light: &'a dyn Fn(usize) -> Light,
    /// How strongly a column is lit.
    pub col_light: &'a dyn Fn(usize) -> Light,
    /// The selected cell.
    pub selected: Option<(usize, usize)>,
}

impl Heatmap<'_> {
    /// Draws it, `size` big with its names.
    pub fn show(&self, ui: &mut Ui, id: impl std::hash::Hash + std::fmt::Debug, size: Vec2) -> HeatmapResponse {
        let id = ui.make_persistent_id(("heatmap", id));
        let (_, area) = ui.allocate_space(size.max(Vec2::splat(32.0)));
        let response = ui.interact(area, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::ListGrid, true, self.name));
        let mut view = self.view(ui, id, area);
        self.follow_selection(ui, id, &mut view);
        let mut clicked = self.navigate(ui, id, area, &mut view, &response);

        let pointed = response.hover_pos().and_then(|pos| place_at(&view, area, pos));
        if response.clicked() {
            response.request_focus();
            clicked = response.interact_pointer_pos().and_then(|pos| place_at(&view, area, pos));
        }
        self.paint(ui, area, &view, pointed);
        if response.has_focus() {
            outline(ui.painter(), area, 2.0, Light::Hovered, ui.visuals());
        }
        clicked = self.name_cells(ui, id, &view).or(clicked);
        ui.data_mut(|data| data.insert_temp(id, view.camera));
        HeatmapResponse { hovered: pointed, clicked, response }
    }

    /// The view as the last frame left it.
    fn view(&self, ui: &Ui, id: Id, area: Rect) -> View {
        let font = TextStyle::Small.resolve(ui.style());
        let camera: Camera = ui.data(|data| data.get_temp(id)).unwrap_or_default();
        let inner = |top: f32| {
            let mut rect = area;
            rect.min.x += axes::row_room(ui, self.row_names, &font).min(area.width() * NAMES);
            rect.min.y += top.min(area.height() * NAMES);
            // Room for the scroll bars, which lie beside the cells.
            rect.max -= Vec2::splat(scroll::BAR);
            rect
        };
        let new = |top| View::new(inner(top), self.grid.rows, self.grid.cols, self.cell, camera);
        // How wide columns are decides how their names lie, and so how much height is left.
        let flat = axes::col_room(ui, self.col_names, &font, f32::INFINITY);
        let width = new(flat).cell.x;
        new(axes::col_room(ui, self.col_names, &font, width))
    }

    /// A cell that has just been selected, here or elsewhere, is brought into view.
    fn follow_selection(&self, ui: &Ui, id: Id, view: &mut View) {
        let id = id.with("selected");
        let before: Option<(usize, usize)> = ui.data(|data| data.get_temp(id)).flatten();
        if self.selected != before {
            ui.data_mut(|data| data.insert_temp(id, self.selected));
            if let Some((row, col)) = self.selected.filter(|&(row, col)| row < self.grid.rows && col < self.grid.cols) {
                view.reveal(row, col);
            }
        }
    }

    /// Scrolls, zooms and pans; answers where the arrow keys lead.
    fn navigate(&self, ui: &Ui, id: Id, area: Rect, view: &mut View, response: &Response) -> Option<Place> {
        let mut reached = None;
        for step in accessible::moves(ui, response) {
            let (row, col) = reached.or(self.selected).unwrap_or((0, 0));
            let (rows, cols) = (self.grid.rows, self.grid.cols);
            let next = match step {
                Move::Left | Move::Right | Move::Home | Move::End => {
                    accessible::step_in_list(Some(col), step, cols, 1).map(|col| (row, col))
                }
                _ => accessible::step_in_list(Some(row), step, rows, view.visible_rows().len()).map(|row| (row, col)),
            };
            reached = next;
        }
        if let Some((row, col)) = reached {
            view.reveal(row, col);
        }
        if let Some(pos) = response.hover_pos() {
            let factor = ui.input(egui::InputState::zoom_delta);
            if factor != 1.0 {
                view.zoom(f64::from(factor), pos);
            }
        }
        if response.has_focus() {
            let keys = [(Key::Plus, 1.25), (Key::Equals, 1.25), (Key::Minus, 0.8), (Key::Num0, 1e-9)];
            for (key, factor) in keys {
                if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                    view.zoom(factor, view.rect.center());
                }
            }
        }
        if response.double_clicked() {
            view.zoom(1e-9, view.rect.center());
        }
        if response.dragged_by(PointerButton::Primary) && view.furthest() != (0.0, 0.0) {
            view.camera.x -= f64::from(response.drag_delta().x);
            view.camera.y -= f64::from(response.drag_delta().y);
            ui.set_cursor_icon(CursorIcon::Grabbing);
        }
        let (x, y) = view.furthest();
        scroll::wheel(ui, area, (&mut view.camera.x, x), (&mut view.camera.y, y));
        view.clamp();
        let (width, height) = view.content();
        let (rect, camera) = (view.rect, &mut view.camera);
        let below = Rect::from_x_y_ranges(rect.x_range(), rect.bottom()..=area.bottom());
        scroll::bar(ui, id.with("x"), below, scroll::Axis::Horizontal, &mut camera.x, f64::from(rect.width()), width);
        let beside = Rect::from_x_y_ranges(rect.right()..=area.right(), rect.y_range());
        scroll::bar(ui, id.with("y"), beside, scroll::Axis::Vertical, &mut camera.y, f64::from(rect.height()), height);
        reached.map(|(row, col)| Place::cell(row, col))
    }

    fn paint(&self, ui: &Ui, area: Rect, view: &View, pointed: Option<Place>) {
        let painter = ui.painter_at(area);
        let cells = painter.with_clip_rect(view.rect.intersect(painter.clip_rect()));
        let visuals = ui.visuals();
        if let Some(texture) = texture(ui.ctx(), &self.content, &self.scale, MAX_SIDE, || self.grid) {
            let whole = Rect::from_min_max(Pos2::ZERO, egui::pos2(1.0, 1.0));
            // Where blocks of cells share a pixel, the last block may be cut by the grid's end.
            let step = self.grid.rows.max(self.grid.cols).div_ceil(MAX_SIDE).max(1);
            let [width, height] = texture.size();
            let size = Vec2::new((width * step) as f32 * view.cell.x, (height * step) as f32 * view.cell.y);
            cells.with_clip_rect(view.covered().intersect(cells.clip_rect())).image(
                texture.id(),
                Rect::from_min_size(view.grid_rect().min, size),
                whole,
                Color32::WHITE,
            );
        } else if !self.grid.values.is_empty() {
            cells.text(
                view.rect.center(),
                Align2::CENTER_CENTER,
                "…",
                TextStyle::Body.resolve(ui.style()),
                visuals.weak_text_color(),
            );
        }
        self.lines(&cells, view, visuals.panel_fill);
        self.texts(ui, &cells, view);

        let row_light = |row| (self.row_light)(row).max(Light::of(false, pointed.is_some_and(|p| p.row == Some(row))));
        let col_light = |col| (self.col_light)(col).max(Light::of(false, pointed.is_some_and(|p| p.col == Some(col))));
        let covered = view.covered();
        for row in view.visible_rows() {
            let cell = view.cell_rect(row, 0);
            band(&cells, Rect::from_x_y_ranges(covered.x_range(), cell.y_range()), row_light(row), visuals);
        }
        for col in view.visible_cols() {
            let cell = view.cell_rect(0, col);
            band(&cells, Rect::from_x_y_ranges(cell.x_range(), covered.y_range()), col_light(col), visuals);
        }
        if let Some((row, col)) = pointed.and_then(Place::as_cell) {
            outline(&cells, view.cell_rect(row, col), 0.0, Light::Hovered, visuals);
        }
        if let Some((row, col)) = self.selected.filter(|&(row, col)| row < self.grid.rows && col < self.grid.cols) {
            outline(&cells, at_least(view.cell_rect(row, col), 6.0), 0.0, Light::Selected, visuals);
        }

        let font = TextStyle::Small.resolve(ui.style());
        let left = Rect::from_min_max(egui::pos2(area.left(), view.rect.top()), view.rect.left_bottom());
        let over = Rect::from_min_max(egui::pos2(view.rect.left(), area.top()), view.rect.right_top());
        axes::rows(
            &painter.with_clip_rect(left.intersect(painter.clip_rect())),
            left,
            view,
            self.row_names,
            &font,
            visuals,
            &row_light,
        );
        axes::cols(
            &painter.with_clip_rect(over.intersect(painter.clip_rect())),
            over,
            view,
            self.col_names,
            &font,
            visuals,
            &col_light,
        );
    }

    /// Thin gaps between big cells.
    fn lines(&self, painter: &egui::Painter, view: &View, ground: Color32) {
        if view.cell.min_elem() < 12.0 {
            return;
        }
        let covered = view.covered();
        for row in view.visible_rows() {
            painter.hline(covered.x_range(), view.cell_rect(row, 0).top(), (1.0, ground));
        }
        for col in view.visible_cols() {
            painter.vline(view.cell_rect(0, col).left(), covered.y_range(), (1.0, ground));
        }
    }

    fn texts(&self, ui: &Ui, painter: &egui::Painter, view: &View) {
        let font = TextStyle::Small.resolve(ui.style());
        if view.cell.y < font.size + 2.0 || view.cell.x < font.size * 2.2 {
            return;
        }
        for row in view.visible_rows() {
            for col in view.visible_cols() {
                let text = (self.text)(row, col);
                if text.is_empty() {
                    continue;
                }
                let ground = self.grid.get(row, col).map_or(ui.visuals().panel_fill, |value| self.scale.color(value));
                let cell = view.cell_rect(row, col);
                // Half a word at the edge tells nothing and runs into the names.
                if cell.intersect(view.rect).width() < 0.6 * cell.width() {
                    continue;
                }
                let galley = one_line(painter, &text, &font, Color32::PLACEHOLDER, cell.width() - 6.0);
                let at = Align2::CENTER_CENTER.anchor_size(cell.center(), galley.size());
                painter.galley(at.min, galley, text_on(ground));
            }
        }
    }

    fn name_cells(&self, ui: &Ui, id: Id, view: &View) -> Option<Place> {
        let (rows, cols) = (view.visible_rows(), view.visible_cols());
        if rows.len() * cols.len() > MAX_NAMED_CELLS || !accessible::listening(ui) {
            return None;
        }
        let mut pressed = None;
        for row in rows {
            for col in cols.clone() {
                let rect = view.cell_rect(row, col).intersect(view.rect);
                let selected = self.selected == Some((row, col));
                if accessible::part(ui, id.with(("cell", row, col)), rect, selected, &(self.describe)(row, col)) {
                    pressed = Some(Place::cell(row, col));
                }
            }
        }
        pressed
    }
}

fn place_at(view: &View, area: Rect, pos: Pos2) -> Option<Place> {
    let inside = view.rect;
    if !area.contains(pos) || pos.x > inside.right() || pos.y > inside.bottom() {
        return None;
    }
    let row = if pos.y >= inside.top() { Some(view.row_at(pos.y)?) } else { None };
    let col = if pos.x >= inside.left() { Some(view.col_at(pos.x)?) } else { None };
    (row.is_some() || col.is_some()).then_some(Place { row, col })
}

fn band(painter: &egui::Painter, rect: Rect, light: Light, visuals: &egui::Visuals) {
    if let Some(veil) = veil(visuals, light) {
        painter.rect_filled(rect, 0.0, veil);
    }
    if let (Light::Selected, Some(stroke)) = (light, light.stroke(visuals)) {
        painter.rect_stroke(rect, 0.0, (1.0, stroke.color.gamma_multiply(0.8)), egui::StrokeKind::Inside);
    }
}

fn at_least(rect: Rect, side: f32) -> Rect {
    Rect::from_center_size(rect.center(), rect.size().max(Vec2::splat(side)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_cells_rows_or_columns() {
        let area = Rect::from_min_size(Pos2::ZERO, Vec2::splat(100.0));
        let inner = Rect::from_min_max(egui::pos2(20.0, 20.0), egui::pos2(90.0, 90.0));
        let view = View::new(inner, 7, 7, CellSize::Fit(10.0), Camera::default());
        let at = |x, y| place_at(&view, area, egui::pos2(x, y));
        assert_eq!(at(25.0, 35.0), Some(Place::cell(1, 0)));
        assert_eq!(at(5.0, 35.0), Some(Place { row: Some(1), col: None }));
        assert_eq!(at(85.0, 5.0), Some(Place { row: None, col: Some(6) }));
        assert_eq!(at(5.0, 5.0), None);
        assert_eq!(at(95.0, 50.0), None, "the scroll bar");
    }
}
