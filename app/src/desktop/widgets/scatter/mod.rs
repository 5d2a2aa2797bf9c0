//! A map of many points: drawn into a picture off the window's thread, so that a million of them pan and zoom like a hundred.
//!
//! While a picture for a new window is being drawn, the old one is shown moved and stretched to fit.

pub mod picture;
pub mod ticks;

use std::sync::Arc;

use egui::accesskit::Role;
use egui::{
    Align2, Color32, CursorIcon, Key, Modifiers, PointerButton, Pos2, Rect, Response, Sense, Shape, Stroke, TextStyle,
    TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::accessible::{self, Move};
use super::heatmap::one_line;
use super::highlight::{Light, outline};
use crate::desktop::task::Task;
use picture::{Picture, Window};
use ticks::ticks;

/// How far from a point the pointer may be, in points of the screen.
const REACH: f32 = 7.0;
/// Fewer points than this are drawn at once.
const DRAWN_AT_ONCE: usize = 20_000;

/// What dragging does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tool {
    /// Moves the map.
    #[default]
    Pan,
    /// Chooses what lies in a rectangle.
    Rectangle,
    /// Chooses what lies in a loop.
    Lasso,
}

/// What a picture shows: which points, which part of the plane, at how many pixels.
type Drawn = (u64, Window, [usize; 2]);

/// The drawn picture and the window.
#[derive(Default)]
pub struct Scatter {
    window: Option<Window>,
    /// What the picture shows: changes whenever the points, their colours or the choice do.
    drawn: Option<Drawn>,
    picture: Option<(Arc<Picture>, TextureHandle)>,
    coming: Task<(Drawn, Picture)>,
    /// The loop being drawn.
    path: Vec<Pos2>,
}

/// An axis.
#[derive(Debug, Clone, Copy)]
pub struct AxisLook<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it runs in powers of ten.
    pub log: bool,
}

/// What the user did this frame.
pub struct ScatterResponse {
    /// The point under the pointer.
    pub hovered: Option<u32>,
    /// The point that was clicked.
    pub clicked: Option<u32>,
    /// The loop or rectangle that was drawn, as places along both axes.
    pub chosen: Option<Vec<(f32, f32)>>,
    /// The map as a whole.
    pub response: Response,
}

/// A map to be drawn.
pub struct Look<'a> {
    /// What it is called, for screen readers.
    pub name: &'a str,
    /// To the right.
    pub x: AxisLook<'a>,
    /// Upwards.
    pub y: AxisLook<'a>,
    /// The least and greatest places.
    pub bounds: Option<[f32; 4]>,
    /// How many points there are.
    pub points: usize,
    /// What dragging does.
    pub tool: Tool,
    /// Changes whenever the picture would be another one at the same window.
    pub version: u64,
    /// The selected point: its place and name.
    pub selected: Option<((f32, f32), &'a str)>,
    /// The point hovered elsewhere.
    pub hovered: Option<(f32, f32)>,
}

/// Where places lie on the screen.
#[derive(Clone, Copy)]
struct Frame {
    rect: Rect,
    window: Window,
}

impl Frame {
    fn screen(&self, x: f64, y: f64) -> Pos2 {
        let part = ((x - self.window.left) / self.window.width(), (self.window.top - y) / self.window.height());
        pos2(
            (f64::from(self.rect.left()) + part.0 * f64::from(self.rect.width())) as f32,
            (f64::from(self.rect.top()) + part.1 * f64::from(self.rect.height())) as f32,
        )
    }

    /// A place on the screen in parts of the window.
    fn part(&self, pos: Pos2) -> (f64, f64) {
        let at = pos - self.rect.min;
        (f64::from(at.x / self.rect.width()), f64::from(at.y / self.rect.height()))
    }

    fn place(&self, pos: Pos2) -> (f32, f32) {
        let (x, y) = self.part(pos);
        ((self.window.left + x * self.window.width()) as f32, (self.window.top - y * self.window.height()) as f32)
    }
}

impl Scatter {
    /// Shows everything again.
    pub fn fit(&mut self) {
        self.window = None;
    }

    /// Draws the map, `size` big. `draw` makes a picture; it is called on another thread where the points are many.
    pub fn show<D>(
        &mut self,
        ui: &mut Ui,
        id: impl std::hash::Hash + std::fmt::Debug,
        size: Vec2,
        look: &Look<'_>,
        draw: impl FnOnce() -> D,
    ) -> ScatterResponse
    where
        D: FnOnce(Window, [usize; 2], f32) -> Picture + Send + 'static,
    {
        let id = ui.make_persistent_id(("scatter", id));
        let (_, area) = ui.allocate_space(size.max(Vec2::splat(80.0)));
        let font = TextStyle::Small.resolve(ui.style());
        let rect = Rect::from_min_max(area.min + vec2(58.0, 6.0), area.max - vec2(8.0, 36.0));
        let response = ui.interact(rect, id, Sense::click_and_drag());
        response
            .widget_info(|| WidgetInfo::labeled(Role::Figure, true, format!("{}, {} points", look.name, look.points)));
        let window = self.window.unwrap_or_else(|| Window::around(look.bounds.unwrap_or([0.0, 1.0, 0.0, 1.0])));
        let mut frame = Frame { rect, window };
        self.navigate(ui, &mut frame, &response, look);
        let chosen = self.choose(ui, &frame, &response, look.tool);
        self.update(ui, &frame, look, draw);
        self.paint(ui, area, &frame, look, &font);

        let pick = |pos: Pos2| {
            let (picture, _) = self.picture.as_ref().filter(|_| rect.contains(pos))?;
            let shown = Frame { rect: self.shown_rect(&frame), window: picture.window };
            picture.pick(shown.part(pos), (REACH * ui.pixels_per_point()) as i32)
        };
        let hovered = response.hover_pos().filter(|_| self.path.is_empty()).and_then(pick);
        let mut clicked = None;
        if response.clicked() {
            response.request_focus();
            clicked = response.interact_pointer_pos().and_then(pick);
        }
        if response.has_focus() {
            outline(ui.painter(), rect, 2.0, Light::Hovered, ui.visuals());
        }
        ScatterResponse { hovered, clicked, chosen, response }
    }

    fn navigate(&mut self, ui: &Ui, frame: &mut Frame, response: &Response, look: &Look<'_>) {
        let before = frame.window;
        if let Some(pos) = response.hover_pos() {
            let (zoom, scroll) = ui.input_mut(|input| {
                let scroll = std::mem::take(&mut input.smooth_scroll_delta.y);
                (input.zoom_delta(), scroll)
            });
            let factor = f64::from(zoom) * f64::from(scroll / 240.0).exp();
            if factor != 1.0 {
                frame.window.zoom(factor, frame.part(pos));
            }
        }
        let panning = look.tool == Tool::Pan && !ui.input(|input| input.modifiers.shift);
        if panning && response.dragged_by(PointerButton::Primary) || response.dragged_by(PointerButton::Middle) {
            let moved = response.drag_delta();
            frame.window.pan(
                f64::from(-moved.x / frame.rect.width().max(1.0)),
                f64::from(moved.y / frame.rect.height().max(1.0)),
            );
            ui.set_cursor_icon(CursorIcon::Grabbing);
        }
        if response.has_focus() {
            for step in accessible::moves(ui, response) {
                let (x, y) = match step {
                    Move::Left => (-0.1, 0.0),
                    Move::Right => (0.1, 0.0),
                    Move::Up => (0.0, 0.1),
                    Move::Down => (0.0, -0.1),
                    _ => continue,
                };
                frame.window.pan(x, y);
            }
            for (key, factor) in [(Key::Plus, 1.4), (Key::Equals, 1.4), (Key::Minus, 1.0 / 1.4)] {
                if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                    frame.window.zoom(factor, (0.5, 0.5));
                }
            }
            if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Num0)) {
                self.window = None;
                return;
            }
        }
        if response.double_clicked() {
            self.window = None;
            return;
        }
        if frame.window != before {
            self.window = Some(frame.window);
        }
    }

    /// The loop or rectangle under way; it is complete when the button is let go.
    fn choose(&mut self, ui: &Ui, frame: &Frame, response: &Response, tool: Tool) -> Option<Vec<(f32, f32)>> {
        let shift = ui.input(|input| input.modifiers.shift);
        if response.drag_started_by(PointerButton::Primary) && (tool != Tool::Pan || shift) {
            self.path = ui.input(|input| input.pointer.press_origin()).into_iter().collect();
        }
        let pos = response.interact_pointer_pos().map(|pos| pos.clamp(frame.rect.min, frame.rect.max));
        if let (Some(first), Some(pos)) = (self.path.first().copied(), pos)
            && response.dragged()
        {
            if tool == Tool::Rectangle {
                self.path = vec![first, pos2(pos.x, first.y), pos, pos2(first.x, pos.y)];
            } else if self.path.last().is_none_or(|last| last.distance(pos) > 3.0) {
                self.path.push(pos);
            }
        }
        if !response.drag_stopped() || self.path.is_empty() {
            return None;
        }
        let path = std::mem::take(&mut self.path);
        (path.len() >= 3).then(|| path.into_iter().map(|pos| frame.place(pos)).collect())
    }

    /// Sees to it that the picture of this window is there, or is being drawn.
    fn update<D>(&mut self, ui: &Ui, frame: &Frame, look: &Look<'_>, draw: impl FnOnce() -> D)
    where
        D: FnOnce(Window, [usize; 2], f32) -> Picture + Send + 'static,
    {
        if let Some((of, picture)) = self.coming.poll() {
            self.take(ui, of, picture);
        }
        let scale = ui.pixels_per_point();
        let pixels = |length: f32| ((length * scale).round() as usize).clamp(1, 4096);
        let wanted = (look.version, frame.window, [pixels(frame.rect.width()), pixels(frame.rect.height())]);
        if self.drawn == Some(wanted) || self.coming.is_running() {
            return;
        }
        let work = draw();
        if look.points <= DRAWN_AT_ONCE {
            self.take(ui, wanted, work(wanted.1, wanted.2, scale));
        } else {
            self.coming.start(ui.ctx(), "draw points", move || (wanted, work(wanted.1, wanted.2, scale)));
        }
    }

    fn take(&mut self, ui: &Ui, of: Drawn, mut picture: Picture) {
        let image = std::mem::take(&mut picture.image);
        picture.image.size = image.size;
        match &mut self.picture {
            Some((old, texture)) => {
                texture.set(image, TextureOptions::LINEAR);
                *old = Arc::new(picture);
            }
            None => {
                let texture = ui.ctx().load_texture("points", image, TextureOptions::LINEAR);
                self.picture = Some((Arc::new(picture), texture));
            }
        }
        self.drawn = Some(of);
    }

    /// Where the drawn picture lies in the present window.
    fn shown_rect(&self, frame: &Frame) -> Rect {
        let shown = self.picture.as_ref().map_or(frame.window, |(picture, _)| picture.window);
        Rect::from_min_max(frame.screen(shown.left, shown.top), frame.screen(shown.right, shown.bottom))
    }

    fn paint(&self, ui: &Ui, area: Rect, frame: &Frame, look: &Look<'_>, font: &egui::FontId) {
        let visuals = ui.visuals();
        let painter = ui.painter_at(area);
        let rect = frame.rect;
        painter.rect_filled(rect, 2.0, visuals.extreme_bg_color);
        let inner = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
        let line = Stroke::new(1.0, visuals.text_color().gamma_multiply(0.09));
        let weak = visuals.weak_text_color();
        let window = frame.window;
        for tick in ticks(window.left, window.right, (rect.width() / 90.0) as usize, look.x.log) {
            let x = frame.screen(tick.place, window.top).x;
            inner.vline(x, rect.y_range(), line);
            painter.text(pos2(x, rect.bottom() + 3.0), Align2::CENTER_TOP, tick.text, font.clone(), weak);
        }
        for tick in ticks(window.bottom, window.top, (rect.height() / 50.0) as usize, look.y.log) {
            let y = frame.screen(window.left, tick.place).y;
            inner.hline(rect.x_range(), y, line);
            painter.text(pos2(rect.left() - 5.0, y), Align2::RIGHT_CENTER, tick.text, font.clone(), weak);
        }
        let name = |axis: AxisLook<'_>| if axis.log { format!("{} (log)", axis.name) } else { axis.name.to_owned() };
        let galley = one_line(&painter, &name(look.x), font, visuals.text_color(), rect.width());
        painter.galley(
            pos2(rect.center().x - galley.size().x / 2.0, area.bottom() - galley.size().y),
            galley,
            visuals.text_color(),
        );
        let galley = one_line(&painter, &name(look.y), font, visuals.text_color(), rect.height());
        let at = pos2(area.left(), rect.center().y + galley.size().x / 2.0);
        let turned =
            egui::epaint::TextShape::new(at, galley, visuals.text_color()).with_angle(-std::f32::consts::FRAC_PI_2);
        painter.add(Shape::Text(turned));

        if let Some((_, texture)) = &self.picture {
            let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            inner.image(texture.id(), self.shown_rect(frame), whole, Color32::WHITE);
        }
        let ring = |(x, y): (f32, f32), radius: f32, stroke: Stroke| {
            let at = frame.screen(f64::from(x), f64::from(y));
            inner.circle_stroke(at, radius, Stroke::new(stroke.width + 2.0, visuals.extreme_bg_color));
            inner.circle_stroke(at, radius, stroke);
            at
        };
        if let Some(place) = look.hovered {
            ring(place, 6.0, Stroke::new(1.5, visuals.strong_text_color()));
        }
        if let Some((place, name)) = look.selected {
            let at = ring(place, 7.0, Stroke::new(2.0, visuals.selection.stroke.color));
            let galley = inner.layout_no_wrap(name.to_owned(), font.clone(), visuals.strong_text_color());
            let left =
                if at.x + 14.0 + galley.size().x > rect.right() { at.x - 12.0 - galley.size().x } else { at.x + 12.0 };
            let ground =
                Rect::from_min_size(pos2(left, at.y - galley.size().y / 2.0), galley.size()).expand2(vec2(3.0, 1.0));
            inner.rect_filled(ground, 2.0, visuals.extreme_bg_color.gamma_multiply(0.85));
            inner.galley(pos2(left, at.y - galley.size().y / 2.0), galley, visuals.strong_text_color());
        }
        if self.path.len() > 1 {
            let accent = visuals.selection.stroke.color;
            inner.add(Shape::closed_line(self.path.clone(), Stroke::new(1.5, accent)));
        }
        painter.rect_stroke(rect, 2.0, visuals.widgets.noninteractive.bg_stroke, egui::StrokeKind::Outside);
    }
}

/// A number that changes with what it is made of, for [`Look::version`].
pub fn version(parts: impl std::hash::Hash) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}
