//! Round numbers along an axis.

use super::super::number;

/// A tick: where it stands along the axis, and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Its place.
    pub place: f64,
    /// What is written there.
    pub text: String,
}

/// About `wanted` ticks from `low` to `high`; of an axis in powers of ten where `log`.
pub fn ticks(low: f64, high: f64, wanted: usize, log: bool) -> Vec<Tick> {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return Vec::new();
    }
    let step = if log { log_step(span, wanted) } else { round_step(span / wanted.max(1) as f64) };
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    if last - first > 200 {
        return Vec::new();
    }
    let text = |place: f64| {
        if log {
            let whole = place.fract() == 0.0 && (-4.0..=5.0).contains(&place);
            let value = 10f64.powf(place);
            return match place {
                _ if !whole => number::short(value as f32),
                p if p < 0.0 => format!("{value:.*}", -p as usize),
                _ => format!("{value:.0}"),
            };
        }
        let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
        let size = place.abs().max(step);
        if !(1e-4..1e6).contains(&size) {
            number::short(place as f32)
        } else {
            format!("{place:.digits$}").replace('-', "−")
        }
    };
    (first..=last)
        .map(|index| {
            // Rounding would leave a tiny number beside 0.
            let place = if index == 0 { 0.0 } else { index as f64 * step };
            Tick { place, text: text(place) }
        })
        .collect()
}

/// Powers of ten as long as there are some, then finer.
fn log_step(span: f64, wanted: usize) -> f64 {
    let step = span / wanted.max(1) as f64;
    if span < 1.5 { round_step(step) } else { step.ceil().max(1.0) }
}

/// The least of 1, 2 and 5 times a power of ten that is no smaller.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * 0.999_999).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, log: bool) -> Vec<String> {
        ticks(low, high, 5, log).into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(texts(-0.3, 1.1, false), ["0.0", "0.5", "1.0"]);
        assert_eq!(texts(0.0, 100.0, false), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(texts(-0.02, 0.02, false), ["−0.02", "−0.01", "0.00", "0.01", "0.02"]);
        assert_eq!(texts(-3.2, 1.5, true), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(texts(0.0, 0.0, false), [""; 0]);
        assert_eq!(texts(0.0, f64::INFINITY, false), [""; 0]);
    }
}
