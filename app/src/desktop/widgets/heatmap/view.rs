//! Where the cells of a grid lie: base size, zoom and offset, without any painting.

use std::ops::Range;

use egui::{Pos2, Rect, Vec2, pos2, vec2};

use crate::desktop::widgets::scroll;

/// How big cells are before any zooming.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CellSize {
    /// As big as lets the whole grid be seen, square, at most this many points.
    Fit(f32),
    /// This size, or more where there is room to the right.
    Fixed(Vec2),
}

/// Zoom and offset, kept between frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Factor on the base size.
    pub zoom: f64,
    /// Points that are scrolled out to the left.
    pub x: f64,
    /// Points that are scrolled out at the top.
    pub y: f64,
}

impl Default for Camera {
    fn default() -> Camera {
        Camera { zoom: 1.0, x: 0.0, y: 0.0 }
    }
}

/// A grid seen through a rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// The rectangle.
    pub rect: Rect,
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub cols: usize,
    /// Size of a cell, zoomed.
    pub cell: Vec2,
    /// Zoom and offset.
    pub camera: Camera,
}

/// The biggest cell, in points, that zooming leads to.
const MAX_CELL: f64 = 160.0;

impl View {
    /// The grid in `rect`. The camera is kept inside the grid.
    pub fn new(rect: Rect, rows: usize, cols: usize, size: CellSize, camera: Camera) -> View {
        let base = match size {
            CellSize::Fit(most) => {
                let side = (rect.width() / cols.max(1) as f32).min(rect.height() / rows.max(1) as f32);
                Vec2::splat(side.min(most).max(0.01))
            }
            CellSize::Fixed(least) => vec2((rect.width() / cols.max(1) as f32).clamp(least.x, least.x * 1.6), least.y),
        };
        let most = (MAX_CELL / f64::from(base.max_elem())).max(1.0);
        let camera = Camera { zoom: camera.zoom.clamp(1.0, most), ..camera };
        let mut view = View { rect, rows, cols, cell: base * camera.zoom as f32, camera };
        view.clamp();
        view
    }

    /// Size of the whole grid in points.
    pub fn content(&self) -> (f64, f64) {
        (self.cols as f64 * f64::from(self.cell.x), self.rows as f64 * f64::from(self.cell.y))
    }

    /// How far the camera can go.
    pub fn furthest(&self) -> (f64, f64) {
        let (width, height) = self.content();
        ((width - f64::from(self.rect.width())).max(0.0), (height - f64::from(self.rect.height())).max(0.0))
    }

    /// Keeps the camera inside the grid.
    pub fn clamp(&mut self) {
        let (x, y) = self.furthest();
        self.camera.x = self.camera.x.clamp(0.0, x);
        self.camera.y = self.camera.y.clamp(0.0, y);
    }

    /// Zooms by `factor` such that what lies at `at` stays there.
    pub fn zoom(&mut self, factor: f64, at: Pos2) {
        let base = self.cell / self.camera.zoom as f32;
        let most = (MAX_CELL / f64::from(base.max_elem())).max(1.0);
        let zoom = (self.camera.zoom * factor).clamp(1.0, most);
        let factor = zoom / self.camera.zoom;
        let (dx, dy) = (f64::from(at.x - self.rect.left()), f64::from(at.y - self.rect.top()));
        self.camera = Camera { zoom, x: (self.camera.x + dx) * factor - dx, y: (self.camera.y + dy) * factor - dy };
        self.cell = base * zoom as f32;
        self.clamp();
    }

    /// Moves the camera as little as needed to see a cell.
    pub fn reveal(&mut self, row: usize, col: usize) {
        let (width, height) = (f64::from(self.cell.x), f64::from(self.cell.y));
        self.camera.x = scroll::reveal(self.camera.x, col as f64 * width, width, f64::from(self.rect.width()));
        self.camera.y = scroll::reveal(self.camera.y, row as f64 * height, height, f64::from(self.rect.height()));
        self.clamp();
    }

    /// The rectangle of the whole grid on the screen.
    pub fn grid_rect(&self) -> Rect {
        let (width, height) = self.content();
        Rect::from_min_size(self.origin(), vec2(width as f32, height as f32))
    }

    fn origin(&self) -> Pos2 {
        self.rect.min - vec2(self.camera.x as f32, self.camera.y as f32)
    }

    /// The rectangle of a cell on the screen.
    pub fn cell_rect(&self, row: usize, col: usize) -> Rect {
        Rect::from_min_size(self.origin() + vec2(col as f32 * self.cell.x, row as f32 * self.cell.y), self.cell)
    }

    /// The row at a height on the screen.
    pub fn row_at(&self, y: f32) -> Option<usize> {
        place(f64::from(y - self.rect.top()) + self.camera.y, self.cell.y, self.rows)
    }

    /// The column at an abscissa on the screen.
    pub fn col_at(&self, x: f32) -> Option<usize> {
        place(f64::from(x - self.rect.left()) + self.camera.x, self.cell.x, self.cols)
    }

    /// The rows of which something is seen.
    pub fn visible_rows(&self) -> Range<usize> {
        visible(self.camera.y, self.rect.height(), self.cell.y, self.rows)
    }

    /// The columns of which something is seen.
    pub fn visible_cols(&self) -> Range<usize> {
        visible(self.camera.x, self.rect.width(), self.cell.x, self.cols)
    }

    /// The part of the rectangle that the grid covers.
    pub fn covered(&self) -> Rect {
        let (width, height) = self.content();
        let corner = pos2(
            self.rect.left() + (width - self.camera.x).min(f64::from(self.rect.width())) as f32,
            self.rect.top() + (height - self.camera.y).min(f64::from(self.rect.height())) as f32,
        );
        Rect::from_min_max(self.rect.min, corner)
    }
}

fn place(at: f64, size: f32, count: usize) -> Option<usize> {
    let index = (at / f64::from(size)).floor();
    (index >= 0.0 && index < count as f64).then_some(index as usize)
}

fn visible(offset: f64, length: f32, size: f32, count: usize) -> Range<usize> {
    let first = (offset / f64::from(size)).floor().max(0.0) as usize;
    let end = ((offset + f64::from(length)) / f64::from(size)).ceil().max(0.0) as usize;
    first.min(count)..end.min(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(camera: Camera) -> View {
        let rect = Rect::from_min_size(pos2(50.0, 20.0), vec2(200.0, 100.0));
        View::new(rect, 30, 40, CellSize::Fixed(vec2(20.0, 10.0)), camera)
    }

    #[test]
    fn fitting_cells_are_square_and_not_huge() {
        let rect = Rect::from_min_size(Pos2::ZERO, vec2(200.0, 100.0));
        assert_eq!(View::new(rect, 10, 10, CellSize::Fit(28.0), Camera::default()).cell, vec2(10.0, 10.0));
        assert_eq!(View::new(rect, 2, 2, CellSize::Fit(28.0), Camera::default()).cell, vec2(28.0, 28.0));
        let empty = View::new(rect, 0, 0, CellSize::Fit(28.0), Camera::default());
        assert_eq!((empty.visible_rows(), empty.col_at(5.0)), (0..0, None));
    }

    #[test]
    fn the_camera_stays_inside() {
        let far = view(Camera { zoom: 1.0, x: 1e9, y: -5.0 });
        assert_eq!((far.camera.x, far.camera.y), (600.0, 0.0));
        assert_eq!(far.visible_cols(), 30..40);
        assert_eq!(far.visible_rows(), 0..10);
        assert_eq!(far.col_at(249.0), Some(39));
        assert_eq!(far.cell_rect(0, 39).right(), 250.0);
    }

    #[test]
    fn zooming_keeps_the_point_below_the_pointer() {
        let mut view = view(Camera { zoom: 1.0, x: 100.0, y: 50.0 });
        let at = pos2(155.0, 63.0);
        let before = (view.col_at(at.x), view.row_at(at.y));
        view.zoom(2.0, at);
        assert_eq!((view.col_at(at.x), view.row_at(at.y)), before);
        view.zoom(1e9, at);
        assert_eq!(view.cell.x, 160.0);
        view.zoom(1e-9, at);
        assert_eq!(view.cell, vec2(20.0, 10.0));
    }

    #[test]
    fn cells_are_revealed() {
        let mut view = view(Camera::default());
        view.reveal(12, 20);
        assert!(view.visible_rows().contains(&12) && view.visible_cols().contains(&20));
        assert_eq!(view.camera, Camera { zoom: 1.0, x: 220.0, y: 30.0 });
    }
}
