//! Signs that something is going on, and how often they move.
//!
//! Frames are not free: without a graphics card they are painted by the processor, which the model needs. So what moves by
//! itself moves at a pace that leaves most of the time to the work, at most ten times a second.

use std::time::Duration;

use egui::{Context, Id, ProgressBar, Response, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, vec2};

use super::Palette;

/// The shortest time between two frames that nobody asked for.
const QUICKEST: Duration = Duration::from_millis(100);
/// The longest.
const SLOWEST: Duration = Duration::from_millis(1500);
/// How many times longer than a frame the pause behind it is.
const PAUSE: f32 = 5.0;
/// Steps of a full turn.
const STEPS: f64 = 12.0;

fn key() -> Id {
    Id::unique("pace of frames")
}

/// Notes how long the last frame took.
pub fn note_frame(ctx: &Context, secs: f32) {
    let pace = Duration::try_from_secs_f32(secs * PAUSE).unwrap_or(QUICKEST).clamp(QUICKEST, SLOWEST);
    ctx.data_mut(|data| data.insert_temp(key(), pace));
}

/// How long to wait before the next frame of something that moves by itself.
pub fn pace(ctx: &Context) -> Duration {
    ctx.data(|data| data.get_temp(key())).unwrap_or(QUICKEST)
}

/// A turning arc: something is under way, and nobody knows how far it is.
pub fn busy(ui: &mut Ui) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(18.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, "Working"));
    if ui.is_rect_visible(rect) {
        ui.ctx().request_repaint_after(pace(ui.ctx()));
        let turn = (ui.input(|input| input.time) * STEPS).floor() / STEPS;
        let point = |part: f64| {
            let angle = (turn + part) * std::f64::consts::TAU;
            rect.center() + 7.0 * vec2(angle.cos() as f32, angle.sin() as f32)
        };
        let points = (0..=16).map(|step| point(0.7 * f64::from(step) / 16.0)).collect();
        ui.painter().add(Shape::line(points, Stroke::new(2.0, Palette::of(ui.visuals()).accent)));
    }
    response
}

/// A bar of a job, in Golgi's colour; empty where nobody knows how far it is.
pub fn progress_bar(palette: &Palette, fraction: Option<f32>) -> ProgressBar {
    ProgressBar::new(fraction.unwrap_or(0.0)).fill(palette.accent_fill).desired_height(6.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_frames_come_less_often() {
        let ctx = Context::default();
        assert_eq!(pace(&ctx), QUICKEST);
        note_frame(&ctx, 0.002);
        assert_eq!(pace(&ctx), QUICKEST);
        note_frame(&ctx, 0.1);
        assert_eq!(pace(&ctx), Duration::from_millis(500));
        note_frame(&ctx, 9.0);
        assert_eq!(pace(&ctx), SLOWEST);
        note_frame(&ctx, f32::NAN);
        assert_eq!(pace(&ctx), QUICKEST);
    }
}
