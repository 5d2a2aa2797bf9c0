//! One bar per token: how a unit behaves along a text, with the same selection and hover as the token strip above it.

use egui::accesskit::Role;
use egui::{Align2, CursorIcon, Rect, Response, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::accessible;
use super::colormap::sign_color;
use super::highlight::{Light, outline, veil};
use super::number;

/// What the user did to the chart this frame.
pub struct BarChartResponse {
    /// The bar under the pointer.
    pub hovered: Option<usize>,
    /// The bar that was clicked, or reached with the arrow keys.
    pub clicked: Option<usize>,
    /// The chart as a whole.
    pub response: Response,
}

/// Draws `values` as bars from zero over the width that is left, `height` high. Numbers that are not finite leave a gap.
pub fn bar_chart(
    ui: &mut Ui,
    name: &str,
    height: f32,
    values: &[f32],
    selected: Option<usize>,
    hovered: Option<usize>,
) -> BarChartResponse {
    let id = ui.make_persistent_id(("bar chart", name));
    let (_, area) = ui.allocate_space(vec2(ui.available_width().max(40.0), height));
    let response = ui.interact(area, id, Sense::click()).on_hover_cursor(CursorIcon::PointingHand);
    response.widget_info(|| WidgetInfo::labeled(Role::Figure, true, format!("{name}, {} bars", values.len())));
    let range = Range::of(values);
    let font = TextStyle::Small.resolve(ui.style());
    let visuals = ui.visuals();
    let painter = ui.painter_at(area);

    let (top, bottom) = (number::short(range.high), number::short(range.low));
    let label_width = [&top, &bottom]
        .map(|text| painter.layout_no_wrap(text.clone(), font.clone(), visuals.weak_text_color()).size().x)
        .into_iter()
        .fold(0.0, f32::max);
    let plot = Rect::from_min_max(pos2(area.left() + label_width + 6.0, area.top() + 4.0), area.max - vec2(2.0, 4.0));
    painter.text(
        pos2(plot.left() - 5.0, plot.top()),
        Align2::RIGHT_CENTER,
        top,
        font.clone(),
        visuals.weak_text_color(),
    );
    painter.text(pos2(plot.left() - 5.0, plot.bottom()), Align2::RIGHT_CENTER, bottom, font, visuals.weak_text_color());
    let zero = plot.bottom() - range.share(0.0) * plot.height();
    painter.hline(plot.x_range(), zero, (1.0, visuals.text_color().gamma_multiply(0.3)));

    // Many bars need a width, few of them a limit.
    let slot = (plot.width() / values.len().max(1) as f32).min(28.0);
    let slot_rect = |i: usize| {
        let left = plot.left() + i as f32 * slot;
        Rect::from_x_y_ranges(left..=left + slot, plot.y_range())
    };
    let at = |pos: egui::Pos2| {
        let i = (pos.x - plot.left()) / slot;
        (i >= 0.0 && i < values.len() as f32).then_some(i as usize)
    };
    let pointed = response.hover_pos().and_then(at);
    let mut clicked = None;
    if response.clicked() {
        response.request_focus();
        clicked = response.interact_pointer_pos().and_then(at);
    }
    for step in accessible::moves(ui, &response) {
        clicked = accessible::step_in_list(clicked.or(selected), step, values.len(), 10).or(clicked);
    }
    let named = accessible::listening(ui) && values.len() <= 2000;
    for (i, &value) in values.iter().enumerate() {
        let slot = slot_rect(i);
        let light = Light::of(selected == Some(i), hovered == Some(i) || pointed == Some(i));
        if let Some(veil) = veil(visuals, light) {
            painter.rect_filled(slot, 0.0, veil);
        }
        if value.is_finite() {
            let end = plot.bottom() - range.share(value) * plot.height();
            let gap = if slot.width() > 4.0 { 1.0 } else { 0.0 };
            let bar = Rect::from_x_y_ranges(slot.left() + gap..=slot.right() - gap, zero.min(end)..=zero.max(end));
            painter.rect_filled(bar, 0.0, sign_color(value >= 0.0, visuals.dark_mode));
        }
        if named
            && accessible::part(
                ui,
                id.with(("bar", i)),
                slot,
                light == Light::Selected,
                &format!("{name} {i}: {}", number::short(value)),
            )
        {
            clicked = Some(i);
        }
    }
    if let Some(i) = selected.filter(|i| *i < values.len()) {
        outline(&painter, slot_rect(i), 0.0, Light::Selected, visuals);
    }
    if response.has_focus() {
        outline(&painter, area, 2.0, Light::Hovered, visuals);
    }
    BarChartResponse { hovered: pointed, clicked, response }
}

/// The numbers that the chart spans; zero is always among them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    low: f32,
    high: f32,
}

impl Range {
    fn of(values: &[f32]) -> Range {
        let finite = values.iter().filter(|value| value.is_finite());
        finite.fold(Range { low: 0.0, high: 0.0 }, |range, &value| Range {
            low: range.low.min(value),
            high: range.high.max(value),
        })
    }

    /// How far up a number lies, in 0..=1.
    fn share(self, value: f32) -> f32 {
        let span = self.high - self.low;
        if span > 0.0 { ((value - self.low) / span).clamp(0.0, 1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_always_seen() {
        let range = Range::of(&[2.0, 3.0, f32::NAN]);
        assert_eq!((range.low, range.high), (0.0, 3.0));
        assert_eq!(range.share(0.0), 0.0);
        let range = Range::of(&[-1.0, f32::INFINITY, 3.0]);
        assert_eq!(range.share(0.0), 0.25);
        assert_eq!(Range::of(&[]).share(5.0), 0.0);
    }
}
