//! Pictures as textures: read and made small off the window's thread, kept as long as they are drawn.

use std::any::Any;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use egui::{
    Color32, ColorImage, Context, Painter, Rect, Stroke, StrokeKind, TextureHandle, TextureOptions, pos2, vec2,
};
use golgi_data::images::Picture;

/// Pictures that are being read at a time; others wait until they are drawn again.
const AT_ONCE: usize = 6;
/// Beyond so many, those that are not drawn any more are dropped.
const KEPT: usize = 400;
/// After how many frames without being drawn a picture may be dropped.
const IDLE_FRAMES: u64 = 240;

/// The whole of a texture.
pub const WHOLE: Rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));

/// A picture as egui has it.
pub fn color_image(picture: &Picture) -> ColorImage {
    let pixels = picture.rgb().chunks_exact(3).map(|rgb| Color32::from_rgb(rgb[0], rgb[1], rgb[2])).collect();
    ColorImage::new([picture.width() as usize, picture.height() as usize], pixels)
}

/// A picture of a result as a texture, made when the result changes.
#[derive(Default)]
pub struct Shown(Option<(Arc<dyn Any + Send + Sync>, TextureHandle)>);

impl Shown {
    /// The texture of the picture that `holder` holds. `smooth` pixels run into each other when the picture is drawn large.
    pub fn texture<T: Any + Send + Sync>(
        &mut self,
        ctx: &Context,
        holder: &Arc<T>,
        picture: &Picture,
        smooth: bool,
    ) -> TextureHandle {
        let same = |of: &Arc<dyn Any + Send + Sync>| Arc::as_ptr(of).cast::<()>() == Arc::as_ptr(holder).cast::<()>();
        match &self.0 {
            Some((of, texture)) if same(of) => texture.clone(),
            _ => {
                let options = if smooth { TextureOptions::LINEAR } else { TextureOptions::NEAREST };
                let texture = ctx.load_texture("picture", color_image(picture), options);
                // The result is kept as long as its texture, so that no other can come to lie at its address.
                self.0 = Some((Arc::<T>::clone(holder), texture.clone()));
                texture
            }
        }
    }
}

enum State {
    Coming,
    There(TextureHandle),
    Bad(String),
}

struct Entry {
    state: State,
    drawn: u64,
}

/// What there is of a picture.
pub enum Thumbnail {
    /// It is being read.
    Coming,
    /// Here it is.
    There(TextureHandle),
    /// It could not be read; this says why.
    Bad(String),
}

/// Many small pictures, found by a key.
pub struct Thumbnails<K> {
    entries: HashMap<K, Entry>,
    sender: Sender<(K, Result<ColorImage, String>)>,
    arriving: Receiver<(K, Result<ColorImage, String>)>,
    coming: usize,
}

impl<K> Default for Thumbnails<K> {
    fn default() -> Thumbnails<K> {
        let (sender, arriving) = unbounded();
        Thumbnails { entries: HashMap::new(), sender, arriving, coming: 0 }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Thumbnails<K> {
    /// Takes in what was read. Called once a frame, before anything is drawn.
    pub fn update(&mut self, ctx: &Context) {
        let now = ctx.cumulative_frame_nr();
        for (key, read) in self.arriving.try_iter() {
            self.coming = self.coming.saturating_sub(1);
            let state = match read {
                Ok(image) => State::There(ctx.load_texture("thumbnail", image, TextureOptions::LINEAR)),
                Err(text) => State::Bad(text),
            };
            self.entries.insert(key, Entry { state, drawn: now });
        }
        if self.entries.len() > KEPT {
            self.entries.retain(|_, entry| matches!(entry.state, State::Coming) || now <= entry.drawn + IDLE_FRAMES);
        }
    }

    /// The picture of `key`; `read` is called on another thread where it is not there.
    pub fn get(
        &mut self,
        ctx: &Context,
        key: K,
        read: impl FnOnce() -> Result<Picture, String> + Send + 'static,
    ) -> Thumbnail {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.drawn = ctx.cumulative_frame_nr();
            return match &entry.state {
                State::Coming => Thumbnail::Coming,
                State::There(texture) => Thumbnail::There(texture.clone()),
                State::Bad(text) => Thumbnail::Bad(text.clone()),
            };
        }
        if self.coming < AT_ONCE {
            self.coming += 1;
            self.entries.insert(key.clone(), Entry { state: State::Coming, drawn: ctx.cumulative_frame_nr() });
            let (sender, repaint) = (self.sender.clone(), ctx.clone());
            rayon::spawn(move || {
                // The panel may be gone.
                let _ = sender.send((key, read().map(|picture| color_image(&picture))));
                repaint.request_repaint();
            });
        }
        Thumbnail::Coming
    }
}

/// The largest rectangle of these proportions in the middle of `room`.
pub fn fitted(size: [usize; 2], room: Rect) -> Rect {
    let (width, height) = (size[0].max(1) as f32, size[1].max(1) as f32);
    let scale = (room.width() / width).min(room.height() / height);
    Rect::from_center_size(room.center(), vec2(width * scale, height * scale))
}

/// Outlines part of a picture: light within dark, to be seen on any.
pub fn frame(painter: &Painter, rect: Rect, color: Color32) {
    painter.rect_stroke(rect, 0.0, Stroke::new(3.0, Color32::from_black_alpha(170)), StrokeKind::Middle);
    painter.rect_stroke(rect, 0.0, Stroke::new(1.5, color), StrokeKind::Middle);
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn one() -> Result<Picture, String> {
        Picture::new(2, 1, vec![255, 0, 0, 0, 0, 255]).map_err(|error| error.to_string())
    }

    #[test]
    fn pictures_are_read_once_and_bad_ones_say_why() {
        let ctx = Context::default();
        let mut thumbnails: Thumbnails<u8> = Thumbnails::default();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            thumbnails.update(&ctx);
            let good = thumbnails.get(&ctx, 1, one);
            let bad = thumbnails.get(&ctx, 2, || Err("is no picture".to_owned()));
            if let (Thumbnail::There(texture), Thumbnail::Bad(text)) = (good, bad) {
                assert_eq!((texture.size(), text.as_str()), ([2, 1], "is no picture"));
                break;
            }
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        let again = thumbnails.get(&ctx, 1, || Err("asked twice".to_owned()));
        assert!(matches!(again, Thumbnail::There(_)));
    }

    #[test]
    fn only_a_few_are_read_at_a_time() {
        let (ctx, mut thumbnails) = (Context::default(), Thumbnails::<u32>::default());
        for key in 0..100 {
            assert!(matches!(thumbnails.get(&ctx, key, one), Thumbnail::Coming));
        }
        assert_eq!(thumbnails.coming, AT_ONCE);
    }

    #[test]
    fn pictures_keep_their_proportions() {
        let room = Rect::from_min_size(pos2(0.0, 0.0), vec2(100.0, 100.0));
        assert_eq!(fitted([200, 100], room), Rect::from_min_size(pos2(0.0, 25.0), vec2(100.0, 50.0)));
    }
}
