//! Scroll bars for widgets that place their own contents: positions are kept in f64, so the last of ten million rows is as steady
//! as the first.

use egui::{Id, Rect, Sense, Ui, pos2, vec2};

/// How much room a bar takes.
pub const BAR: f32 = 9.0;

/// Along which axis a bar runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Left to right.
    Horizontal,
    /// Top to bottom.
    Vertical,
}

/// Where the handle lies along a bar of `length` points: start and length. The handle is never shorter than 18 points.
fn handle(offset: f64, viewport: f64, content: f64, length: f64) -> (f64, f64) {
    let size = (viewport / content * length).max(18.0).min(length);
    let free = (content - viewport).max(f64::MIN_POSITIVE);
    ((offset / free).clamp(0.0, 1.0) * (length - size), size)
}

/// Draws a bar in `rect` and lets it be dragged. Nothing is drawn where everything fits. `offset` is kept in 0..=content − viewport.
pub fn bar(ui: &Ui, id: Id, rect: Rect, axis: Axis, offset: &mut f64, viewport: f64, content: f64) {
    let furthest = (content - viewport).max(0.0);
    *offset = offset.clamp(0.0, furthest);
    if furthest <= 0.5 {
        return;
    }
    let vertical = axis == Axis::Vertical;
    let length = f64::from(if vertical { rect.height() } else { rect.width() });
    let (_, size) = handle(*offset, viewport, content, length);
    let response = ui.interact(rect, id, Sense::CLICK | Sense::DRAG);
    let grab_id = id.with("grab");
    if let Some(pointer) = response.interact_pointer_pos() {
        let along = f64::from(if vertical { pointer.y - rect.top() } else { pointer.x - rect.left() });
        let (start, size) = handle(*offset, viewport, content, length);
        // A press on the handle keeps hold of the point that was pressed; a press beside it takes the handle there.
        let grab = if response.drag_started() || response.clicked() {
            let on_handle = (start..start + size).contains(&along);
            let grab = if on_handle { along - start } else { size / 2.0 };
            ui.data_mut(|data| data.insert_temp(grab_id, grab));
            grab
        } else {
            ui.data(|data| data.get_temp(grab_id)).unwrap_or(size / 2.0)
        };
        *offset = ((along - grab) / (length - size).max(1.0) * furthest).clamp(0.0, furthest);
    }
    let (start, _) = handle(*offset, viewport, content, length);
    let (start, size) = (start as f32, size as f32);
    let shape = if vertical {
        Rect::from_min_size(pos2(rect.left(), rect.top() + start), vec2(rect.width(), size)).shrink2(vec2(2.0, 0.0))
    } else {
        Rect::from_min_size(pos2(rect.left() + start, rect.top()), vec2(size, rect.height())).shrink2(vec2(0.0, 2.0))
    };
    let strength = if response.dragged() || response.hovered() { 0.5 } else { 0.25 };
    ui.painter().rect_filled(shape, 3.0, ui.visuals().text_color().gamma_multiply(strength));
}

/// Takes the wheel's movement, where the pointer is in `rect` and nothing lies above, and moves `x` and `y` by it as far as they go.
/// What could not be used is left to the widgets around.
pub fn wheel(ui: &Ui, rect: Rect, x: (&mut f64, f64), y: (&mut f64, f64)) {
    if !ui.rect_contains_pointer(rect) {
        return;
    }
    ui.input_mut(|input| {
        for (offset, furthest, delta) in
            [(x.0, x.1, &mut input.smooth_scroll_delta.x), (y.0, y.1, &mut input.smooth_scroll_delta.y)]
        {
            let moved = (*offset - f64::from(*delta)).clamp(0.0, furthest.max(0.0));
            if *delta != 0.0 && moved != *offset {
                *offset = moved;
                *delta = 0.0;
            }
        }
    });
}

/// The offset, nearest to `offset`, at which `from..from + size` lies inside the viewport.
pub fn reveal(offset: f64, from: f64, size: f64, viewport: f64) -> f64 {
    if from < offset || size > viewport { from } else { offset.max(from + size - viewport) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_stay_graspable() {
        assert_eq!(handle(0.0, 50.0, 100.0, 200.0), (0.0, 100.0));
        assert_eq!(handle(50.0, 50.0, 100.0, 200.0), (100.0, 100.0));
        let (start, size) = handle(2e7 - 400.0, 400.0, 2e7, 400.0);
        assert_eq!((start, size), (382.0, 18.0));
    }

    #[test]
    fn revealing_moves_as_little_as_possible() {
        assert_eq!(reveal(100.0, 120.0, 20.0, 50.0), 100.0);
        assert_eq!(reveal(100.0, 80.0, 20.0, 50.0), 80.0);
        assert_eq!(reveal(100.0, 140.0, 20.0, 50.0), 110.0);
        assert_eq!(reveal(2e7, 2e7 + 400.0, 20.0, 400.0), 2e7 + 20.0);
    }
}
