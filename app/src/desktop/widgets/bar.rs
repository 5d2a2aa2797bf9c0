//! Small bars inside table cells and lists: a probability, or a part with a sign.

use egui::accesskit::Role;
use egui::{Align2, Painter, Rect, Response, Sense, TextStyle, Ui, Visuals, WidgetInfo, pos2, vec2};

use super::colormap::sign_color;

/// The part of `rect` that a bar fills: from the left for unsigned values, from the middle for signed ones.
///
/// `fraction` is in −1..=1 for signed bars, 0..=1 else; what lies outside is cut.
pub fn filled(rect: Rect, fraction: f32, signed: bool) -> Rect {
    let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(-1.0, 1.0) };
    let (from, to) = if signed {
        let middle = rect.center().x;
        (middle, middle + fraction * rect.width() / 2.0)
    } else {
        (rect.left(), rect.left() + fraction.max(0.0) * rect.width())
    };
    Rect::from_min_max(pos2(from.min(to), rect.top()), pos2(from.max(to), rect.bottom()))
}

/// Paints an unsigned bar with a faint track.
pub fn paint(painter: &Painter, rect: Rect, fraction: f32, visuals: &Visuals) {
    painter.rect_filled(rect, 1.0, visuals.text_color().gamma_multiply(0.07));
    let color = sign_color(false, visuals.dark_mode).gamma_multiply(0.85);
    painter.rect_filled(filled(rect, fraction, false), 1.0, color);
}

/// Paints a signed bar around a middle line: orange to the right, blue to the left.
pub fn paint_signed(painter: &Painter, rect: Rect, fraction: f32, visuals: &Visuals) {
    let middle = visuals.text_color().gamma_multiply(0.25);
    painter.vline(rect.center().x, rect.y_range(), (1.0, middle));
    painter.rect_filled(filled(rect, fraction, true), 1.0, sign_color(fraction >= 0.0, visuals.dark_mode));
}

/// A bar of `width` points with its number to the right.
pub fn bar(ui: &mut Ui, width: f32, fraction: f32, signed: bool, text: &str) -> Response {
    let font = TextStyle::Small.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font.clone(), ui.visuals().text_color());
    let height = ui.text_style_height(&TextStyle::Body);
    let (area, response) =
        ui.allocate_exact_size(vec2(width + 4.0 + galley.size().x.max(44.0), height), Sense::hover());
    let rect = Rect::from_center_size(pos2(area.left() + width / 2.0, area.center().y), vec2(width, 8.0));
    if signed {
        paint_signed(ui.painter(), rect, fraction, ui.visuals());
    } else {
        paint(ui.painter(), rect, fraction, ui.visuals());
    }
    ui.painter().text(area.right_center(), Align2::RIGHT_CENTER, text, font, ui.visuals().text_color());
    response.widget_info(|| WidgetInfo::labeled(Role::Meter, true, text));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_what_they_should() {
        let rect = Rect::from_min_max(pos2(10.0, 0.0), pos2(110.0, 8.0));
        assert_eq!(filled(rect, 0.25, false).x_range(), egui::Rangef::new(10.0, 35.0));
        assert_eq!(filled(rect, -0.5, true).x_range(), egui::Rangef::new(35.0, 60.0));
        assert_eq!(filled(rect, 7.0, true).x_range(), egui::Rangef::new(60.0, 110.0));
        assert_eq!(filled(rect, f32::NAN, false).width(), 0.0);
        assert_eq!(filled(rect, -1.0, false).width(), 0.0);
    }
}
