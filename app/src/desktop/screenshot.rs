//! Pictures of panels: the window's own pixels, cut to the panel, written as PNG on a thread of its own.

use std::path::{Path, PathBuf};

use egui::{ColorImage, Context, Rect, ScreenshotCallback, ViewportCommand};

use crate::session::command::{Command, CommandSender};
use crate::session::notice::Notice;

/// A picture that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The panel lies outside the window.
    #[error("the panel is not on the screen; make it visible and try again")]
    Outside,
    /// The encoder failed.
    #[error("the picture could not be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The disk refused.
    #[error("{path} could not be written: {cause}; choose another folder")]
    Write {
        /// Where to.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
}

/// Asks for a picture of `rect`, in points. The answer is a notice.
pub fn request(ctx: &Context, rect: Rect, path: PathBuf, commands: CommandSender) {
    let scale = ctx.pixels_per_point();
    let repaint = ctx.clone();
    let save = move |image: std::sync::Arc<ColorImage>| {
        let work = move || {
            let notice = match save(&image, rect, scale, &path) {
                Ok((width, height)) => Notice::info(format!("Saved {} ({width} × {height} pixels).", path.display())),
                Err(error) => Notice::error("The picture could not be saved.", &error),
            };
            commands.send(Command::Notify(notice));
            repaint.request_repaint();
        };
        // Without a thread the picture is lost, and nothing else.
        let _ = std::thread::Builder::new().name("picture".into()).spawn(work);
    };
    ctx.send_viewport_cmd(ViewportCommand::Screenshot(ScreenshotCallback::new(save)));
}

/// Cuts `rect` (in points) out of the window's pixels and writes it. Returns width and height in pixels.
fn save(window: &ColorImage, rect: Rect, scale: f32, path: &Path) -> Result<(usize, usize), PictureError> {
    let pixels = |value: f32, most: usize| ((value * scale).round().max(0.0) as usize).min(most);
    let (left, right) = (pixels(rect.left(), window.width()), pixels(rect.right(), window.width()));
    let (top, bottom) = (pixels(rect.top(), window.height()), pixels(rect.bottom(), window.height()));
    let (width, height) = (right.saturating_sub(left), bottom.saturating_sub(top));
    if width == 0 || height == 0 {
        return Err(PictureError::Outside);
    }
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in top..bottom {
        for color in &window.pixels[y * window.width() + left..y * window.width() + right] {
            rgb.extend_from_slice(&[color.r(), color.g(), color.b()]);
        }
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::write_buffer_with_format(
        &mut bytes,
        &rgb,
        width as u32,
        height as u32,
        image::ExtendedColorType::Rgb8,
        image::ImageFormat::Png,
    )?;
    crate::session::recent::write_whole(path, bytes.get_ref())
        .map_err(|cause| PictureError::Write { path: path.display().to_string(), cause })?;
    Ok((width, height))
}

#[cfg(test)]
mod tests {
    use egui::{Color32, pos2};

    use super::*;

    #[test]
    fn a_panel_is_cut_out_at_the_screens_scale() {
        let mut window = ColorImage::filled([40, 30], Color32::BLACK);
        window.pixels[10 * 40 + 20] = Color32::RED;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panel.png");
        let rect = Rect::from_min_max(pos2(10.0, 5.0), pos2(20.0, 15.0));
        assert_eq!(save(&window, rect, 2.0, &path).unwrap(), (20, 20));
        let read = image::open(&path).unwrap().into_rgb8();
        assert_eq!((read.dimensions(), read.get_pixel(0, 0).0), ((20, 20), [255, 0, 0]));
        let outside = Rect::from_min_max(pos2(90.0, 5.0), pos2(99.0, 15.0));
        assert!(matches!(save(&window, outside, 2.0, &path), Err(PictureError::Outside)));
    }
}
