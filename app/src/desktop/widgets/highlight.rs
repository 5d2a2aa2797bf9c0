//! How selected and hovered things look, the same in every panel: a firm outline for what is selected, a thin one for what the pointer is on.

use egui::{Color32, Painter, Rect, Stroke, StrokeKind, Visuals};

use crate::desktop::theme::Palette;

/// How strongly something is lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Light {
    /// Not at all.
    None,
    /// The pointer is on it, here or in another panel.
    Hovered,
    /// It is selected.
    Selected,
}

impl Light {
    /// The light of something that may be selected, hovered or both.
    pub fn of(selected: bool, hovered: bool) -> Light {
        match (selected, hovered) {
            (true, _) => Light::Selected,
            (false, true) => Light::Hovered,
            _ => Light::None,
        }
    }

    /// The outline, if any.
    pub fn stroke(self, visuals: &Visuals) -> Option<Stroke> {
        match self {
            Light::None => None,
            Light::Hovered => Some(Stroke::new(1.0, visuals.text_color())),
            Light::Selected => Some(Stroke::new(2.0, Palette::of(visuals).accent)),
        }
    }
}

/// A veil of the accent colour, for whole rows and columns.
pub fn veil(visuals: &Visuals, light: Light) -> Option<Color32> {
    match light {
        Light::None => None,
        Light::Hovered => Some(visuals.text_color().gamma_multiply(0.08)),
        Light::Selected => Some(Palette::of(visuals).accent.gamma_multiply(0.16)),
    }
}

/// Outlines `rect`. A dark or light rim around the outline keeps it visible on any colour.
pub fn outline(painter: &Painter, rect: Rect, rounding: f32, light: Light, visuals: &Visuals) {
    let Some(stroke) = light.stroke(visuals) else { return };
    if light == Light::Selected {
        let rim = Stroke::new(1.0, visuals.extreme_bg_color);
        painter.rect_stroke(rect.shrink(stroke.width), rounding, rim, StrokeKind::Inside);
    }
    painter.rect_stroke(rect, rounding, stroke, StrokeKind::Inside);
}
