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
    if log && span >= 0.7 {
        return powers(low, high, wanted);
    }
    let step = round_step(span / wanted.max(1) as f64);
    let text = |place: f64| {
        if log {
            return number::short(10f64.powf(place) as f32);
        }
        let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
        let size = place.abs().max(step);
        if !(1e-4..1e6).contains(&size) {
            number::short(place as f32)
        } else {
            format!("{place:.digits$}").replace('-', "−")
        }
    };
    // Rounding would leave a tiny number beside 0.
    let place = |index: i64| if index == 0 { 0.0 } else { index as f64 * step };
    whole(low / step, high / step).map(|index| Tick { place: place(index), text: text(place(index)) }).collect()
}

/// The whole numbers from `low` to `high`; none where they are too many to be ticks.
fn whole(low: f64, high: f64) -> impl Iterator<Item = i64> {
    let (first, last) = (low.ceil() as i64, high.floor() as i64);
    let last = if last.saturating_sub(first) > 200 { first - 1 } else { last };
    first..=last
}

/// Powers of ten; where there is room, their double and fivefold too.
fn powers(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let step = ((high - low) / wanted.max(1) as f64).ceil().max(1.0);
    let factors: &[f64] =
        if step == 1.0 && 3.0 * (high - low) <= wanted as f64 * 1.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let all =
        whole((low / step).floor(), high / step).flat_map(|index| factors.iter().map(move |factor| (index, *factor)));
    let tick = |(index, factor): (i64, f64)| {
        let power = index as f64 * step;
        let value = factor * 10f64.powf(power);
        let text = match power {
            p if !(-4.0..=5.0).contains(&p) => number::short(value as f32),
            p if p < 0.0 => format!("{value:.*}", -p as usize),
            _ => format!("{value:.0}"),
        };
        Tick { place: power + factor.log10(), text }
    };
    all.map(tick).filter(|tick| (low..=high).contains(&tick.place)).collect()
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
        assert_eq!(texts(0.69, 2.4, true), ["5", "10", "20", "50", "100", "200"]);
        assert_eq!(texts(1.0, 1.3, true), ["10.00", "12.59", "15.85", "19.95"]);
        assert_eq!(texts(0.0, 0.0, false), [""; 0]);
        assert_eq!(texts(0.0, f64::INFINITY, false), [""; 0]);
    }
}
