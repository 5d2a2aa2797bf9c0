//! Many points as one picture: each pixel adds up the dots that cover it, and knows which of them lies on top.

use egui::{Color32, ColorImage};

/// The part of the plane that is seen: left, right, bottom, top.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// The place at the left edge.
    pub left: f64,
    /// The place at the right edge.
    pub right: f64,
    /// The place at the lower edge.
    pub bottom: f64,
    /// The place at the upper edge.
    pub top: f64,
}

impl Window {
    /// A window around `[left, right, bottom, top]` with some room at each side.
    pub fn around(bounds: [f32; 4]) -> Window {
        let [left, right, bottom, top] = bounds.map(f64::from);
        let room = |low: f64, high: f64| if high > low { (high - low) * 0.04 } else { low.abs().max(1.0) * 0.5 };
        let (x, y) = (room(left, right), room(bottom, top));
        Window { left: left - x, right: right + x, bottom: bottom - y, top: top + y }
    }

    /// Its width.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Its height.
    pub fn height(&self) -> f64 {
        self.top - self.bottom
    }

    /// Makes everything `factor` times larger around a place given in parts of the window, from its upper left corner.
    pub fn zoom(&mut self, factor: f64, (x, y): (f64, f64)) {
        let (px, py) = (self.left + x * self.width(), self.top - y * self.height());
        let new = Window {
            left: px + (self.left - px) / factor,
            right: px + (self.right - px) / factor,
            bottom: py + (self.bottom - py) / factor,
            top: py + (self.top - py) / factor,
        };
        // Numbers have an end: no further than they can tell places apart.
        let fine = |low: f64, high: f64| high - low > 1e-6 * low.abs().max(high.abs()) && (high - low).abs() < 1e30;
        if fine(new.left, new.right) && fine(new.bottom, new.top) {
            *self = new;
        }
    }

    /// Moves it by parts of its size.
    pub fn pan(&mut self, x: f64, y: f64) {
        let (x, y) = (x * self.width(), y * self.height());
        *self = Window { left: self.left + x, right: self.right + x, bottom: self.bottom + y, top: self.top + y };
    }
}

/// What is drawn.
#[derive(Clone, Copy)]
pub struct Dots<'a> {
    /// Names of the points.
    pub ids: &'a [u32],
    /// Their places.
    pub x: &'a [f32],
    /// Their places upwards.
    pub y: &'a [f32],
    /// Indices into `colours`.
    pub codes: &'a [u8],
    /// 256 colours.
    pub colours: &'a [Color32; 256],
    /// Where there is one, points that are not in it recede.
    pub chosen: Option<&'a (dyn Fn(u32) -> bool + Sync)>,
}

/// A drawn picture.
pub struct Picture {
    /// The part of the plane that it shows.
    pub window: Window,
    /// Its pixels.
    pub image: ColorImage,
    /// How many points lie in it.
    pub visible: usize,
    /// The point on top at each pixel; `u32::MAX` for none.
    top: Vec<u32>,
}

const NOTHING: u32 = u32::MAX;

impl Picture {
    /// Draws `dots` at `width` × `height` pixels, of which `scale` make a point of the screen.
    pub fn draw(dots: &Dots<'_>, window: Window, [width, height]: [usize; 2], scale: f32) -> Picture {
        let pixels = width * height;
        let (mut sums, mut top) = (vec![[0f32; 4]; pixels], vec![NOTHING; pixels]);
        let (per_x, per_y) = (width as f64 / window.width(), height as f64 / window.height());
        let place = |index: usize| {
            let x = (f64::from(dots.x[index]) - window.left) * per_x;
            let y = (window.top - f64::from(dots.y[index])) * per_y;
            (x > -8.0 && y > -8.0 && x < width as f64 + 8.0 && y < height as f64 + 8.0).then_some((x as f32, y as f32))
        };
        let visible = (0..dots.ids.len()).filter(|index| place(*index).is_some()).count();
        let (radius, strength) = match visible {
            0..400 => (3.6, 1.6),
            400..4_000 => (2.6, 1.2),
            4_000..40_000 => (1.7, 0.8),
            40_000..200_000 => (1.1, 0.5),
            _ => (0.0, 0.45),
        };
        let radius = radius * scale;
        let mut paint = |chosen: Option<bool>| {
            for index in 0..dots.ids.len() {
                let id = dots.ids[index];
                if let (Some(chosen), Some(among)) = (chosen, dots.chosen)
                    && among(id) != chosen
                {
                    continue;
                }
                let Some((x, y)) = place(index) else { continue };
                let color = dots.colours[usize::from(dots.codes[index])];
                let weight = if chosen == Some(false) { strength * 0.12 } else { strength };
                let mut put = |px: i32, py: i32, cover: f32| {
                    if px < 0 || py < 0 || px >= width as i32 || py >= height as i32 {
                        return;
                    }
                    let at = py as usize * width + px as usize;
                    let cover = cover * weight;
                    let sum = &mut sums[at];
                    // What is chosen lies on top of what is not.
                    if chosen == Some(true) && sum[3] >= 0.0 {
                        *sum = [0.0, 0.0, 0.0, -1e-9];
                    }
                    let sign = if sum[3] < 0.0 { -1.0 } else { 1.0 };
                    sum[0] += cover * f32::from(color.r());
                    sum[1] += cover * f32::from(color.g());
                    sum[2] += cover * f32::from(color.b());
                    sum[3] += sign * cover;
                    top[at] = id;
                };
                if radius < 0.5 {
                    put(x as i32, y as i32, 1.0);
                    continue;
                }
                let reach = radius.ceil() as i32;
                let (cx, cy) = (x.floor() as i32, y.floor() as i32);
                for py in cy - reach..=cy + reach {
                    for px in cx - reach..=cx + reach {
                        let distance = ((px as f32 + 0.5 - x).powi(2) + (py as f32 + 0.5 - y).powi(2)).sqrt();
                        let cover = (radius + 0.5 - distance).clamp(0.0, 1.0);
                        if cover > 0.0 {
                            put(px, py, cover);
                        }
                    }
                }
            }
        };
        if dots.chosen.is_some() {
            paint(Some(false));
            paint(Some(true));
        } else {
            paint(None);
        }
        let color = |sum: &[f32; 4]| {
            let weight = sum[3].abs();
            if weight < 1e-6 {
                return Color32::TRANSPARENT;
            }
            let alpha = 1.0 - (-1.6 * weight).exp();
            let byte = |sum: f32| (sum / weight).round().clamp(0.0, 255.0) as u8;
            Color32::from_rgba_unmultiplied(byte(sum[0]), byte(sum[1]), byte(sum[2]), (alpha * 255.0).round() as u8)
        };
        let image = ColorImage::new([width, height], sums.iter().map(color).collect());
        Picture { window, image, visible, top }
    }

    /// The point nearest to a place given in parts of the picture, from its upper left corner, within `reach` pixels.
    pub fn pick(&self, (x, y): (f64, f64), reach: i32) -> Option<u32> {
        let [width, height] = self.image.size;
        let (px, py) = ((x * width as f64) as i32, (y * height as f64) as i32);
        let mut found: Option<(i32, u32)> = None;
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let (x, y) = (px + dx, py + dy);
                let distance = dx * dx + dy * dy;
                if x < 0 || y < 0 || x >= width as i32 || y >= height as i32 || distance > reach * reach {
                    continue;
                }
                let id = self.top[y as usize * width + x as usize];
                if id != NOTHING && found.is_none_or(|(nearest, _)| distance < nearest) {
                    found = Some((distance, id));
                }
            }
        }
        found.map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(chosen: Option<&(dyn Fn(u32) -> bool + Sync)>) -> Picture {
        let mut colours = [Color32::WHITE; 256];
        colours[1] = Color32::RED;
        let dots = Dots { ids: &[7, 9], x: &[0.0, 1.0], y: &[0.0, 1.0], codes: &[0, 1], colours: &colours, chosen };
        Picture::draw(&dots, Window { left: -1.0, right: 2.0, bottom: -1.0, top: 2.0 }, [90, 60], 1.0)
    }

    #[test]
    fn points_lie_where_they_should_and_can_be_picked() {
        let picture = draw(None);
        assert_eq!(picture.visible, 2);
        assert_eq!(picture.image[(60, 20)].to_srgba_unmultiplied()[..3], [255, 0, 0]);
        assert_eq!(picture.image[(45, 30)], Color32::TRANSPARENT);
        assert_eq!(picture.pick((1.0 / 3.0, 2.0 / 3.0), 4), Some(7));
        assert_eq!(picture.pick((2.0 / 3.0 + 0.05, 1.0 / 3.0), 6), Some(9));
        assert_eq!(picture.pick((0.05, 0.05), 4), None);
        assert_eq!(picture.pick((-3.0, 9.0), 4), None);
    }

    #[test]
    fn what_is_not_chosen_recedes() {
        let (all, some) = (draw(None), draw(Some(&|id| id == 9)));
        assert_eq!(all.image[(60, 20)], some.image[(60, 20)]);
        assert!(some.image[(30, 40)].a() < all.image[(30, 40)].a() / 2);
    }

    #[test]
    fn windows_zoom_around_the_pointer_and_have_an_end() {
        let mut window = Window { left: 0.0, right: 10.0, bottom: 0.0, top: 10.0 };
        window.zoom(2.0, (0.0, 1.0));
        assert_eq!(window, Window { left: 0.0, right: 5.0, bottom: 0.0, top: 5.0 });
        for _ in 0..2000 {
            window.zoom(2.0, (0.5, 0.5));
        }
        assert!(window.width() > 0.0 && window.left.is_finite());
        assert!(Window::around([3.0, 3.0, 0.0, 0.0]).width() > 0.0);
    }
}
