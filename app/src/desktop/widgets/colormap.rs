//! Colours for numbers, told apart by people with any kind of colour vision, on dark and on light ground.
//!
//! Both maps start at the ground's own colour, so that what is zero recedes and what is large stands out. The unsigned
//! map runs through blue and teal to yellow on dark ground, to navy on light ground: lightness alone orders it. The signed one runs to
//! blue (negative) and orange (positive), the pair that every common form of colour blindness keeps apart.

use std::sync::OnceLock;

use egui::{Color32, Rect, Response, Sense, TextStyle, Ui, Vec2, pos2, vec2};

use super::number;

/// Which kind of numbers is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Colormap {
    /// From nothing to much.
    Unsigned,
    /// From negative through zero to positive.
    Signed,
}

/// How numbers become colours: a map and the range it spans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The map.
    pub map: Colormap,
    /// The number at the map's low end.
    pub low: f32,
    /// The number at its high end.
    pub high: f32,
    /// Whether the ground is dark.
    pub dark: bool,
}

impl Scale {
    /// From `low` to `high`, unsigned.
    pub fn unsigned(low: f32, high: f32, dark: bool) -> Scale {
        Scale { map: Colormap::Unsigned, low, high, dark }
    }

    /// From `−limit` through 0 to `limit`.
    pub fn signed(limit: f32, dark: bool) -> Scale {
        let limit = limit.abs();
        Scale { map: Colormap::Signed, low: -limit, high: limit, dark }
    }

    /// The scale that fits `values`: signed where one of them is negative. Numbers that are not finite are left out.
    pub fn fitting(values: impl IntoIterator<Item = f32>, dark: bool) -> Scale {
        let (low, high) = values
            .into_iter()
            .filter(|value| value.is_finite())
            .fold((0.0f32, 0.0f32), |(low, high), value| (low.min(value), high.max(value)));
        if low < 0.0 { Scale::signed(high.max(-low), dark) } else { Scale::unsigned(0.0, high, dark) }
    }

    /// The colour of a number; numbers outside the range take the colour of the nearer end, those that are not numbers none.
    pub fn color(&self, value: f32) -> Color32 {
        if value.is_nan() {
            return Color32::TRANSPARENT;
        }
        let span = self.high - self.low;
        let t = if span > 0.0 { ((value - self.low) / span).clamp(0.0, 1.0) } else { self.middle() };
        self.at(t)
    }

    /// The colour at `t` in 0..=1 along the map.
    pub fn at(&self, t: f32) -> Color32 {
        table(self.map, self.dark)[(t.clamp(0.0, 1.0) * 255.0).round() as usize]
    }

    fn middle(&self) -> f32 {
        match self.map {
            Colormap::Unsigned => 0.0,
            Colormap::Signed => 0.5,
        }
    }
}

/// Black or white, whichever is read more easily on `ground`.
pub fn text_on(ground: Color32) -> Color32 {
    // Where both contrasts are equal: (1.05 / (L + 0.05)) = ((L + 0.05) / 0.05), WCAG 2.1.
    if luminance(ground) > 0.179 { Color32::from_gray(12) } else { Color32::from_gray(245) }
}

/// The colour of a positive (`true`) or negative part, as strong as the signed map gets.
pub fn sign_color(positive: bool, dark: bool) -> Color32 {
    table(Colormap::Signed, dark)[if positive { 225 } else { 30 }]
}

/// A small bar with the scale's two ends written beside it. Its tooltip tells what is coloured.
pub fn legend(ui: &mut Ui, scale: &Scale, what: &str) -> Response {
    let (low, high) = (end(scale.low), end(scale.high));
    let color = ui.visuals().weak_text_color();
    let font = TextStyle::Small.resolve(ui.style());
    let [left, right] = [&low, &high].map(|text| ui.painter().layout_no_wrap(text.clone(), font.clone(), color));
    let (bar, gap) = (vec2(64.0, 8.0), 5.0);
    let width = left.size().x + bar.x + right.size().x + 2.0 * gap;
    let (area, response) = ui.allocate_exact_size(vec2(width, ui.spacing().interact_size.y), Sense::hover());
    let ramp = Rect::from_min_size(pos2(area.left() + left.size().x + gap, area.center().y - bar.y / 2.0), bar);
    paint_ramp(ui, ramp, scale);
    let at = |x: f32, height: f32| pos2(x, area.center().y - height / 2.0);
    let (left_at, right_at) = (at(area.left(), left.size().y), at(ramp.right() + gap, right.size().y));
    ui.painter().galley(left_at, left, color);
    ui.painter().galley(right_at, right, color);
    let text = format!("Colour: {what}, from {low} to {high}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Image, true, &text));
    response.on_hover_text(text)
}

/// An end of the scale without digits that say nothing.
fn end(value: f32) -> String {
    let text = number::short(value);
    if text.contains('.') && !text.contains('e') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

fn paint_ramp(ui: &Ui, rect: Rect, scale: &Scale) {
    let steps = 32;
    let width = rect.width() / steps as f32;
    for step in 0..steps {
        let min = pos2(rect.left() + step as f32 * width, rect.top());
        let piece = Rect::from_min_size(min, Vec2::new(width + 0.5, rect.height()));
        ui.painter().rect_filled(piece, 0.0, scale.at(step as f32 / (steps - 1) as f32));
    }
    let stroke = ui.visuals().widgets.noninteractive.bg_stroke;
    ui.painter().rect_stroke(rect, 1.0, stroke, egui::StrokeKind::Outside);
}

type Table = [Color32; 256];

fn table(map: Colormap, dark: bool) -> &'static Table {
    static TABLES: [OnceLock<Table>; 4] = [const { OnceLock::new() }; 4];
    let index = usize::from(map == Colormap::Signed) * 2 + usize::from(dark);
    TABLES[index].get_or_init(|| {
        interpolate(match (map, dark) {
            (Colormap::Unsigned, true) => &[0x1b1e25, 0x1f3a5f, 0x226183, 0x2c8c8f, 0x5fb58a, 0xb5d66b, 0xfbe96c],
            (Colormap::Unsigned, false) => &[0xf4f5f7, 0xdcebd9, 0xaed8cb, 0x6fb7c2, 0x3b8bb4, 0x245b95, 0x152e63],
            (Colormap::Signed, true) => {
                &[0x8fc9ff, 0x4f96e0, 0x2a5c9c, 0x23364f, 0x1b1e25, 0x4c3320, 0x96561a, 0xdc8428, 0xffc27a]
            }
            (Colormap::Signed, false) => {
                &[0x12417c, 0x2f73b8, 0x7aaedd, 0xc6dcef, 0xf4f5f7, 0xf9dfbd, 0xf0ae62, 0xcf7315, 0x8c4500]
            }
        })
    })
}

/// Interpolates between evenly spaced anchors in OKLab (Ottosson 2020), where equal steps look equal.
fn interpolate(anchors: &[u32]) -> Table {
    let anchors: Vec<[f32; 3]> = anchors.iter().map(|&rgb| oklab(rgb)).collect();
    std::array::from_fn(|i| {
        let at = i as f32 / 255.0 * (anchors.len() - 1) as f32;
        let left = (at as usize).min(anchors.len() - 2);
        let t = at - left as f32;
        from_oklab(std::array::from_fn(|c| anchors[left][c] * (1.0 - t) + anchors[left + 1][c] * t))
    })
}

fn oklab(rgb: u32) -> [f32; 3] {
    let [r, g, b] = [rgb >> 16, rgb >> 8, rgb].map(|byte| linear((byte & 255) as u8));
    let l = (0.412_221_47 * r + 0.536_332_54 * g + 0.051_445_99 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_84 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

fn from_oklab([lightness, a, b]: [f32; 3]) -> Color32 {
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    let byte = |x: f32| {
        let x = x.clamp(0.0, 1.0);
        let gamma = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
        (gamma * 255.0).round() as u8
    };
    Color32::from_rgb(
        byte(4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s),
        byte(-1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s),
        byte(-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s),
    )
}

fn linear(byte: u8) -> f32 {
    let x = f32::from(byte) / 255.0;
    if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
}

fn luminance(color: Color32) -> f32 {
    0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(color: Color32) -> f32 {
        oklab(u32::from_be_bytes([0, color.r(), color.g(), color.b()]))[0]
    }

    /// Lightness alone orders the unsigned map, so it reads without any colour vision; its steps are even enough that
    /// no edge appears where the numbers have none.
    #[test]
    fn lightness_is_monotone() {
        for dark in [true, false] {
            let steps: Vec<f32> =
                table(Colormap::Unsigned, dark).windows(2).map(|w| lightness(w[1]) - lightness(w[0])).collect();
            let sign = if dark { 1.0 } else { -1.0 };
            assert!(steps.iter().all(|step| step * sign > -0.002), "dark {dark}");
            assert!(steps.iter().all(|step| step.abs() < 0.012), "dark {dark}");
            let span = table(Colormap::Unsigned, dark);
            assert!((lightness(span[255]) - lightness(span[0])).abs() > 0.6);
        }
    }

    /// How a dichromat sees a colour (Viénot 1999): red and green become one mixture, blue stays. As OKLab.
    fn seen(color: Color32, [red, green]: [f32; 2]) -> [f32; 3] {
        let mixed = red * linear(color.r()) + green * linear(color.g());
        let byte = |x: f32| u32::from((x.powf(1.0 / 2.2) * 255.0).round() as u8);
        oklab(byte(mixed) << 16 | byte(mixed) << 8 | u32::from(color.b()))
    }

    /// Both arms of the signed map are told apart by deuteranopes and protanopes, and stand out equally from the middle.
    #[test]
    fn signs_differ_for_the_colour_blind() {
        for dark in [true, false] {
            let arms = table(Colormap::Signed, dark);
            // One step in OKLab that is just noticed is about 0.02.
            for (distance, least) in [(40, 0.06), (80, 0.15), (120, 0.15)] {
                let (negative, positive) = (arms[127 - distance], arms[128 + distance]);
                assert!((lightness(negative) - lightness(positive)).abs() < 0.12, "{dark} {distance}");
                for view in [[0.292_75, 0.707_25], [0.112_38, 0.887_62]] {
                    let (a, b) = (seen(negative, view), seen(positive, view));
                    let apart = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
                    assert!(apart > least, "dark {dark}, {distance} steps from the middle: {apart}");
                }
            }
        }
    }

    #[test]
    fn numbers_find_their_colours() {
        let scale = Scale::signed(2.0, true);
        assert_eq!(scale.color(-9.0), scale.at(0.0));
        assert_eq!(scale.color(0.0), scale.at(0.5));
        assert_eq!(scale.color(f32::NAN), Color32::TRANSPARENT);
        assert_eq!(Scale::signed(0.0, true).color(0.0), scale.at(0.5));
        let fit = Scale::fitting([0.5, f32::INFINITY, -3.0, f32::NAN], false);
        assert_eq!((fit.map, fit.low, fit.high), (Colormap::Signed, -3.0, 3.0));
        assert_eq!(Scale::fitting([], false).color(1.0), Scale::unsigned(0.0, 1.0, false).at(0.0));
    }

    #[test]
    fn ends_are_short() {
        assert_eq!([1.0, 0.25, 0.0, 120.0, 1e-5].map(end), ["1", "0.25", "0", "120", "1.0e−5"]);
    }

    #[test]
    fn text_is_readable_everywhere() {
        for map in [Colormap::Unsigned, Colormap::Signed] {
            for dark in [true, false] {
                for &ground in table(map, dark) {
                    let (a, b) = (luminance(ground), luminance(text_on(ground)));
                    assert!((a.max(b) + 0.05) / (a.min(b) + 0.05) >= 4.2, "{ground:?}");
                }
            }
        }
    }
}
