//! The program's mark: a stained cell with its branches.

use egui::{Color32, IconData, Painter, Pos2, Rect, Stroke, pos2};

/// Branches as lines through points in the unit square; each with its width.
const BRANCHES: &[(&[(f32, f32)], f32)] = &[
    (&[(0.50, 0.56), (0.50, 0.34), (0.40, 0.20), (0.40, 0.06)], 0.075),
    (&[(0.50, 0.36), (0.62, 0.22), (0.60, 0.07)], 0.060),
    (&[(0.44, 0.25), (0.29, 0.19), (0.22, 0.08)], 0.045),
    (&[(0.58, 0.27), (0.74, 0.21), (0.81, 0.09)], 0.045),
    (&[(0.46, 0.60), (0.28, 0.52), (0.12, 0.54)], 0.060),
    (&[(0.28, 0.52), (0.17, 0.40), (0.07, 0.38)], 0.040),
    (&[(0.54, 0.60), (0.72, 0.52), (0.88, 0.54)], 0.060),
    (&[(0.72, 0.52), (0.83, 0.40), (0.93, 0.38)], 0.040),
    (&[(0.50, 0.62), (0.50, 0.80), (0.47, 0.95)], 0.055),
];
const BODY: (f32, f32, f32) = (0.50, 0.60, 0.135);

/// Paints the mark into `rect`.
pub fn paint(painter: &Painter, rect: Rect, color: Color32) {
    let at = |(x, y): (f32, f32)| -> Pos2 { rect.min + egui::vec2(x * rect.width(), y * rect.height()) };
    for (points, width) in BRANCHES {
        let stroke = Stroke::new(width * rect.width(), color);
        painter.line(points.iter().map(|point| at(*point)).collect(), stroke);
    }
    painter.circle_filled(at((BODY.0, BODY.1)), BODY.2 * rect.width(), color);
}

/// The mark as the window's icon.
pub fn window_icon() -> IconData {
    const SIZE: u32 = 128;
    let color = [0xd6, 0x3b, 0x8f];
    let mut rgba = Vec::with_capacity((SIZE * SIZE * 4) as usize);
    for y in 0..SIZE {
        for x in 0..SIZE {
            // One point in the middle of each pixel; the edge fades over one pixel.
            let point = pos2((x as f32 + 0.5) / SIZE as f32, (y as f32 + 0.5) / SIZE as f32);
            let inside = (-distance(point) * SIZE as f32 + 0.5).clamp(0.0, 1.0);
            rgba.extend_from_slice(&[color[0], color[1], color[2], (inside * 255.0) as u8]);
        }
    }
    IconData { rgba, width: SIZE, height: SIZE }
}

/// Signed distance to the mark's edge; negative inside.
fn distance(point: Pos2) -> f32 {
    let body = point.distance(pos2(BODY.0, BODY.1)) - BODY.2;
    let lines = BRANCHES
        .iter()
        .flat_map(|(points, width)| points.windows(2).map(move |pair| segment(point, pair[0], pair[1]) - width / 2.0));
    lines.fold(body, f32::min)
}

fn segment(point: Pos2, a: (f32, f32), b: (f32, f32)) -> f32 {
    let (a, b) = (pos2(a.0, a.1), pos2(b.0, b.1));
    let along = ((point - a).dot(b - a) / (b - a).length_sq()).clamp(0.0, 1.0);
    point.distance(a + (b - a) * along)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icon_has_a_body_and_a_clear_corner() {
        let icon = window_icon();
        let alpha = |x: u32, y: u32| icon.rgba[((y * icon.width + x) * 4 + 3) as usize];
        assert_eq!(icon.rgba.len(), (icon.width * icon.height * 4) as usize);
        assert_eq!((alpha(64, 77), alpha(0, 127)), (255, 0));
    }
}
