//! Points in a plane, as SVG and as text.

use std::fmt::Write as _;

use golgi_analysis::report::{Level, Series};

use super::number::number;
use super::visible::{escape, token};

/// Colours that the page's style has for kinds of points.
pub(crate) const COLORS: usize = 6;
/// Marks of kinds of points, in text.
const MARKS: [char; COLORS] = ['●', '○', '▲', '△', '■', '□'];

/// What is drawn, with its axes.
pub(crate) struct Scatter<'a> {
    x: &'a str,
    y: &'a str,
    log_x: bool,
    square: bool,
    series: &'a [Series],
    levels: &'a [Level],
    across: Range,
    up: Range,
}

/// The numbers that an axis shows.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Range {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        match (low.is_finite() && high.is_finite(), high - low) {
            (false, _) => Range { low: 0.0, high: 1.0 },
            (true, span) if span <= 1e-9 * high.abs().max(1e-9) => {
                let room = if high == 0.0 { 1.0 } else { 0.5 * high.abs() };
                Range { low: low - room, high: high + room }
            }
            (true, span) => Range { low: low - 0.04 * span, high: high + 0.04 * span },
        }
    }

    /// Where a value lies, in 0..=1 within the range.
    fn at(self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// About `count` round numbers within.
    fn ticks(self, count: usize) -> Vec<f64> {
        let raw = (self.high - self.low) / count as f64;
        let power = 10f64.powf(raw.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= raw).unwrap_or(10.0 * power);
        let first = (self.low / step).ceil() as i64;
        (first..).map(|i| i as f64 * step).take_while(|tick| *tick <= self.high).take(4 * count).collect()
    }
}

impl<'a> Scatter<'a> {
    pub(crate) fn new(
        (x, y): (&'a str, &'a str),
        (log_x, square): (bool, bool),
        series: &'a [Series],
        levels: &'a [Level],
    ) -> Scatter<'a> {
        let none = Range { low: 0.0, high: 1.0 };
        let mut scatter = Scatter { x, y, log_x, square, series, levels, across: none, up: none };
        let all: Vec<(f64, f64)> =
            series.iter().flat_map(|one| one.points.iter()).filter_map(|p| scatter.placed(p)).collect();
        let marks = levels.iter().map(|level| f64::from(level.y)).filter(|y| y.is_finite());
        scatter.across = Range::of(all.iter().map(|point| point.0));
        scatter.up = Range::of(all.iter().map(|point| point.1).chain(marks));
        if square {
            let far = all.iter().fold(0f64, |far, (x, y)| far.max(x.abs()).max(y.abs()));
            let far = if far > 0.0 { 1.08 * far } else { 1.0 };
            (scatter.across, scatter.up) = (Range { low: -far, high: far }, Range { low: -far, high: far });
        }
        scatter
    }

    /// The point in the numbers of the axes; `None` if it cannot be drawn.
    fn placed(&self, point: &[f32; 2]) -> Option<(f64, f64)> {
        let (x, y) = (f64::from(point[0]), f64::from(point[1]));
        let x = if self.log_x { if x > 0.0 { x.log10() } else { f64::NAN } } else { x };
        (x.is_finite() && y.is_finite()).then_some((x, y))
    }

    /// Round numbers of the horizontal axis: where and what.
    fn ticks_across(&self) -> Vec<(f64, String)> {
        if !self.log_x {
            return self.across.ticks(6).into_iter().map(|tick| (tick, number(tick))).collect();
        }
        let powers = (self.across.low.floor() as i32)..=(self.across.high.ceil() as i32);
        let all = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(power)));
        let inside = all.filter(|tick| (0.0..=1.0).contains(&self.across.at(tick.log10())));
        inside.map(|tick| (tick.log10(), number(tick))).collect()
    }

    fn hover(&self, one: &Series, at: usize) -> String {
        let [x, y] = one.points[at];
        let name = one.labels.get(at).unwrap_or(&one.name);
        let colon = if name.is_empty() { "" } else { ": " };
        format!("{}{colon}{} {}, {} {}", token(name), token(self.x), number(x.into()), token(self.y), number(y.into()))
    }

    /// The picture. Names and values stand in the hover text.
    pub(crate) fn svg(&self) -> String {
        let (left, top, bottom) = (56.0, 8.0, 40.0);
        let right = if self.levels.is_empty() { 16.0 } else { 132.0 };
        let (wide, high) = if self.square { (380.0, 380.0) } else { (560.0, 300.0) };
        let (width, height) = (left + wide + right, top + high + bottom);
        let x_at = |x: f64| left + self.across.at(x) * wide;
        let y_at = |y: f64| top + (1.0 - self.up.at(y)) * high;
        let mut out = format!(
            r#"<svg class="scatter" viewBox="0 0 {width:.0} {height:.0}" style="max-width:{width:.0}px" role="img"><path class="axis" d="M{left} {top}V{:.1}H{:.1}"/>"#,
            top + high,
            left + wide
        );
        for tick in self.up.ticks(6) {
            let y = y_at(tick);
            let _ = write!(
                out,
                r#"<path class="rule" d="M{left} {y:.1}H{:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                left + wide,
                left - 6.0,
                y + 3.5,
                number(tick)
            );
        }
        for (tick, name) in self.ticks_across() {
            let x = x_at(tick);
            let y = top + high;
            let _ = write!(
                out,
                r#"<path class="axis" d="M{x:.1} {y:.1}v4"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{name}</text>"#,
                y + 16.0
            );
        }
        let _ = write!(
            out,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text><text transform="translate(12 {:.1})rotate(-90)" text-anchor="middle">{}</text>"#,
            left + wide / 2.0,
            height - 6.0,
            escape(&token(self.x)),
            top + high / 2.0,
            escape(&token(self.y))
        );
        let mut last = f64::INFINITY;
        let mut levels: Vec<&Level> = self.levels.iter().filter(|level| level.y.is_finite()).collect();
        levels.sort_by(|a, b| a.y.total_cmp(&b.y));
        for level in levels {
            let y = y_at(level.y.into());
            // Names that would lie on each other move apart.
            let text = (y + 3.5).min(last - 11.0);
            last = text;
            let _ = write!(
                out,
                r#"<path class="level" d="M{left} {y:.1}H{:.1}"/><text x="{:.1}" y="{text:.1}">{}</text>"#,
                left + wide,
                left + wide + 6.0,
                escape(&token(&level.name))
            );
        }
        for (kind, one) in self.series.iter().enumerate() {
            let class = kind % COLORS;
            let placed: Vec<(usize, (f64, f64))> =
                one.points.iter().enumerate().filter_map(|(at, point)| Some((at, self.placed(point)?))).collect();
            if one.joined && placed.len() > 1 {
                let path = placed.iter().map(|(_, (x, y))| format!("{:.1} {:.1}", x_at(*x), y_at(*y)));
                let path = path.collect::<Vec<_>>().join("L");
                let _ = write!(out, r#"<path class="line c{class}" d="M{path}"/>"#);
            }
            let radius = if placed.len() > 300 { 2.2 } else { 3.6 };
            for (at, (x, y)) in placed {
                let (x, y, hover) = (x_at(x), y_at(y), escape(&self.hover(one, at)));
                let _ =
                    write!(out, r#"<circle class="c{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}" data-t="{hover}"/>"#);
            }
        }
        out + "</svg>"
    }

    /// The picture in characters, `width` columns and `height` lines without the axes. Nothing in it breaks a line.
    pub(crate) fn text(&self, width: usize, height: usize) -> Vec<String> {
        let cell = |at: f64, count: usize| ((at * count as f64) as usize).min(count - 1);
        let mut grid = vec![vec![' '; width]; height];
        let mut names: Vec<String> = vec![String::new(); height];
        for level in self.levels.iter().filter(|level| level.y.is_finite()) {
            let row = height - 1 - cell(self.up.at(level.y.into()), height);
            grid[row].fill('┄');
            if !names[row].is_empty() {
                names[row] += "; ";
            }
            names[row] += &token(&level.name);
        }
        for (kind, one) in self.series.iter().enumerate() {
            for (x, y) in one.points.iter().filter_map(|point| self.placed(point)) {
                grid[height - 1 - cell(self.up.at(y), height)][cell(self.across.at(x), width)] = MARKS[kind % COLORS];
            }
        }
        let mut heads = vec![String::new(); height];
        for tick in self.up.ticks(5) {
            heads[height - 1 - cell(self.up.at(tick), height)] = number(tick);
        }
        let margin = heads.iter().map(|head| head.chars().count()).max().unwrap_or(0);
        let mut lines = vec![format!("{} ↑", token(self.y))];
        for ((row, head), name) in grid.into_iter().zip(heads).zip(names) {
            let line: String = row.into_iter().collect();
            let axis = if head.is_empty() { '│' } else { '┤' };
            lines.push(format!("{head:>margin$} {axis}{line} {name}").trim_end().to_owned());
        }
        let mut foot = vec![' '; width];
        let mut next = 0;
        for (tick, name) in self.ticks_across() {
            let start = cell(self.across.at(tick), width);
            if start >= next && start + name.chars().count() <= width {
                next = start + name.chars().count() + 1;
                foot[start..].iter_mut().zip(name.chars()).for_each(|(place, c)| *place = c);
            }
        }
        lines.push(format!("{} └{}→ {}", " ".repeat(margin), "─".repeat(width), token(self.x)));
        lines.push(format!("{}  {}", " ".repeat(margin), foot.into_iter().collect::<String>()).trim_end().to_owned());
        if self.series.len() > 1 {
            let names = self
                .series
                .iter()
                .enumerate()
                .map(|(kind, one)| format!("{} {}", MARKS[kind % COLORS], token(&one.name)));
            lines.push(format!("{}  {}", " ".repeat(margin), names.collect::<Vec<_>>().join("   ")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[[f32; 2]]) -> Series {
        Series { name: "<a>".into(), points: points.to_vec(), labels: vec![], joined: true }
    }

    #[test]
    fn points_lie_where_they_belong() {
        let all = [series(&[[1.0, 0.0], [10.0, 0.5], [100.0, 1.0]])];
        let levels = [Level { name: "half".into(), y: 0.5 }, Level { name: "nearly".into(), y: 0.505 }];
        let scatter = Scatter::new(("x", "y"), (true, false), &all, &levels);
        let svg = scatter.svg();
        // The middle of a logarithmic axis from 1 to 100 is 10: 56 + 560 / 2, and 8 + 300 / 2.
        assert!(svg.contains(r#"cx="336.0" cy="158.0""#), "{svg}");
        assert!(svg.contains("data-t=\"&lt;a&gt;: x 10, y 0.5\"") && !svg.contains("<a>"), "{svg}");
        assert_eq!((svg.matches("<circle").count(), svg.matches("class=\"level\"").count()), (3, 2));
        let text = scatter.text(41, 11);
        let row = |line: &str| line.chars().position(|c| c == '●');
        let middle = text.iter().find(|line| line.contains("half")).unwrap();
        assert!(middle.contains('┄') && middle.contains("half; nearly"), "{middle}");
        let places: Vec<usize> = text.iter().filter_map(|line| row(line)).collect();
        assert_eq!(places.len(), 3);
        assert_eq!(places[1] - places[2], places[0] - places[1]);
        assert!(text.last().unwrap().contains("10"), "{text:?}");
    }

    #[test]
    fn nothing_to_draw_is_no_trouble() {
        for (log_x, square) in [(true, false), (false, true), (false, false)] {
            for points in
                [&[][..], &[[f32::NAN, 1.0]], &[[0.0, 0.0]], &[[-1.0, f32::INFINITY]], &[[3.0, 3.0], [3.0, 3.0]]]
            {
                let all = [series(points)];
                let scatter = Scatter::new(("x", "y"), (log_x, square), &all, &[]);
                let text = format!("{}{}", scatter.svg(), scatter.text(20, 5).join("\n"));
                assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            }
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Range { low: -0.04, high: 1.04 }.ticks(6), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        let ticks = Range { low: 1e-7, high: 3e-7 }.ticks(5);
        assert!(ticks.len() >= 3 && ticks.iter().all(|tick| (1e-7..=3e-7).contains(tick)), "{ticks:?}");
    }
}
