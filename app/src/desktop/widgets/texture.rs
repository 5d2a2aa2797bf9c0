//! Grids of numbers as textures: coloured once, kept as long as they are drawn.
//!
//! Entries are found by the address of the `Arc` that holds the numbers. The cache holds that `Arc` too, so no other
//! result can come to lie at the same address while the entry lives. What was not drawn for a while is dropped.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use egui::{Color32, ColorImage, Context, Id, TextureHandle, TextureOptions};

use super::colormap::Scale;

/// After how many frames without being drawn an entry is dropped.
const IDLE_FRAMES: u64 = 240;

/// What a texture shows: the result its numbers come from, and which part of it in which form.
#[derive(Clone)]
pub struct Content {
    holder: Arc<dyn Any + Send + Sync>,
    key: u64,
}

impl Content {
    /// The content `part` of the result that `holder` holds. `part` must tell apart everything drawn from it: head, depth, mask, measure.
    pub fn of<T: Any + Send + Sync>(holder: &Arc<T>, part: impl Hash) -> Content {
        let mut hasher = DefaultHasher::new();
        (Arc::as_ptr(holder) as usize).hash(&mut hasher);
        part.hash(&mut hasher);
        Content { holder: Arc::<T>::clone(holder), key: hasher.finish() }
    }

    fn with(&self, part: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.key, part).hash(&mut hasher);
        hasher.finish()
    }
}

/// A grid of numbers, row by row.
#[derive(Clone, Copy)]
pub struct Grid<'a> {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// `rows × cols` numbers; NaN where there is none.
    pub values: &'a [f32],
}

impl Grid<'_> {
    /// The number at a place, if there is one.
    pub fn get(&self, row: usize, col: usize) -> Option<f32> {
        if col >= self.cols || row >= self.rows {
            return None;
        }
        self.values.get(row * self.cols + col).copied().filter(|value| !value.is_nan())
    }

    /// The colours, at most `max_side` to a side: blocks of numbers become one pixel with the number furthest from zero, so that
    /// single strong cells stay visible.
    fn image(&self, scale: &Scale, max_side: usize) -> ColorImage {
        let step = self.rows.max(self.cols).div_ceil(max_side.max(1)).max(1);
        let (height, width) = (self.rows.div_ceil(step), self.cols.div_ceil(step));
        let mut pixels = Vec::with_capacity(height * width);
        for row in 0..height {
            for col in 0..width {
                let mut strongest = f32::NAN;
                for r in row * step..((row + 1) * step).min(self.rows) {
                    let from = r * self.cols + col * step;
                    let to = r * self.cols + ((col + 1) * step).min(self.cols);
                    for &value in self.values.get(from..to).unwrap_or_default() {
                        if strongest.is_nan() || value.abs() > strongest.abs() {
                            strongest = value;
                        }
                    }
                }
                pixels.push(if strongest.is_nan() { Color32::TRANSPARENT } else { scale.color(strongest) });
            }
        }
        ColorImage::new([width, height], pixels)
    }
}

struct Entry {
    texture: TextureHandle,
    drawn: u64,
    _holder: Arc<dyn Any + Send + Sync>,
}

#[derive(Default)]
struct Cache {
    entries: HashMap<u64, Entry>,
    swept: u64,
    /// Cells coloured in frame `frame`.
    frame: u64,
    coloured: usize,
}

type SharedCache = Arc<Mutex<Cache>>;

/// How many cells are coloured per frame before others have to wait for the next one.
const CELLS_PER_FRAME: usize = 1_000_000;

/// The texture of a grid, at most `max_side` pixels to a side. `grid` is asked only when the texture is not there yet; `None` when enough was
/// coloured in this frame, and the next is already asked for.
pub fn texture<'a>(
    ctx: &Context,
    content: &Content,
    scale: &Scale,
    max_side: usize,
    grid: impl FnOnce() -> Grid<'a>,
) -> Option<TextureHandle> {
    let shared: SharedCache =
        ctx.data_mut(|data| data.get_temp_mut_or_default::<SharedCache>(Id::unique("golgi textures")).clone());
    let mut cache = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let now = ctx.cumulative_frame_nr();
    if now > cache.swept + IDLE_FRAMES {
        cache.entries.retain(|_, entry| now <= entry.drawn + IDLE_FRAMES);
        cache.swept = now;
    }
    let max_side = max_side.min(ctx.input(|input| input.max_texture_side));
    let key = content.with((scale.map, scale.low.to_bits(), scale.high.to_bits(), scale.dark, max_side));
    if let Some(entry) = cache.entries.get_mut(&key) {
        entry.drawn = now;
        return Some(entry.texture.clone());
    }
    if cache.frame != now {
        (cache.frame, cache.coloured) = (now, 0);
    }
    if cache.coloured >= CELLS_PER_FRAME {
        ctx.request_repaint();
        return None;
    }
    let grid = grid();
    cache.coloured += grid.values.len();
    let image = grid.image(scale, max_side);
    if image.width() == 0 || image.height() == 0 {
        return None;
    }
    let texture = ctx.load_texture("grid", image, TextureOptions::NEAREST);
    cache.entries.insert(key, Entry { texture: texture.clone(), drawn: now, _holder: Arc::clone(&content.holder) });
    Some(texture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_grids_keep_their_strongest_cells() {
        let mut values = vec![0.0; 100 * 100];
        values[57 * 100 + 91] = 1.0;
        let scale = Scale::unsigned(0.0, 1.0, true);
        let image = Grid { rows: 100, cols: 100, values: &values }.image(&scale, 32);
        assert_eq!(image.size, [25, 25]);
        assert_eq!(image[(91 / 4, 57 / 4)], scale.at(1.0));
        assert_eq!(image.pixels.iter().filter(|pixel| **pixel != scale.at(0.0)).count(), 1);
    }

    #[test]
    fn missing_numbers_are_clear() {
        let grid = Grid { rows: 2, cols: 2, values: &[0.0, f32::NAN, 1.0] };
        let image = grid.image(&Scale::unsigned(0.0, 1.0, false), 64);
        assert_eq!(image.pixels[1], Color32::TRANSPARENT);
        assert_eq!(image.pixels[3], Color32::TRANSPARENT, "a short list of numbers is no panic");
        assert_eq!((grid.get(1, 0), grid.get(0, 1), grid.get(1, 1), grid.get(0, 2)), (Some(1.0), None, None, None));
    }

    #[test]
    fn each_content_is_coloured_once() {
        let ctx = Context::default();
        let numbers = Arc::new(vec![0.5f32; 4]);
        let scale = Scale::unsigned(0.0, 1.0, true);
        let mut asked = 0;
        for _ in 0..3 {
            texture(&ctx, &Content::of(&numbers, "a"), &scale, 64, || {
                asked += 1;
                Grid { rows: 2, cols: 2, values: &numbers }
            });
        }
        assert_eq!(asked, 1);
        let other =
            texture(&ctx, &Content::of(&numbers, "b"), &scale, 64, || Grid { rows: 2, cols: 2, values: &numbers });
        assert!(other.is_some());
    }
}
