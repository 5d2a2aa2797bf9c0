//! What a positional neuron's profile looks like.

use std::fmt;

/// How near to 0 or 1 a smoothed frequency must come to reach that extreme.
const NEAR: f64 = 0.05;
/// On-off changes that make an oscillation: on, off, on, off.
const CHANGES: usize = 3;

/// The shape of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Alternating intervals of on and off.
    Oscillatory,
    /// Silent at some positions and always firing at others.
    BothExtremes,
    /// Silent or always firing at some positions.
    OneExtreme,
    /// None of these.
    Other,
}

/// A shape, and whether its extremes are exactly 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The shape.
    pub shape: Shape,
    /// Whether the frequency itself, not only the smoothed one nearly, reaches the extremes.
    pub strong: bool,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match self.shape {
            Shape::Oscillatory => "oscillatory",
            Shape::BothExtremes => "both extremes",
            Shape::OneExtreme => "one extreme",
            Shape::Other => return f.write_str("other"),
        };
        write!(f, "{shape}, {}", if self.strong { "strong" } else { "weak" })
    }
}

/// A moving average over about a 32nd of the positions.
fn smooth(frequency: &[f64]) -> Vec<f64> {
    let reach = frequency.len() / 64;
    let around = |p: usize| {
        let window = &frequency[p.saturating_sub(reach)..(p + reach + 1).min(frequency.len())];
        window.iter().sum::<f64>() / window.len() as f64
    };
    (0..frequency.len()).map(around).collect()
}

/// How often the profile changes between its upper and its lower quarter.
fn changes(profile: &[f64], low: f64, high: f64) -> usize {
    let (lower, upper) = (low + 0.25 * (high - low), high - 0.25 * (high - low));
    let side = |value: &f64| (*value >= upper).then_some(true).or_else(|| (*value <= lower).then_some(false));
    let sides: Vec<bool> = profile.iter().filter_map(side).collect();
    sides.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// The kind of a profile: frequencies of firing by position.
pub(crate) fn kind(frequency: &[f64]) -> Kind {
    let range = |values: &[f64]| values.iter().fold((1.0_f64, 0.0_f64), |(l, h), value| (l.min(*value), h.max(*value)));
    let smoothed = smooth(frequency);
    let (low, high) = range(&smoothed);
    let (lowest, highest) = range(frequency);
    let (off, on) = (lowest == 0.0, highest == 1.0);
    let (silent, full) = (low <= NEAR, high >= 1.0 - NEAR);
    // An oscillation need not reach the extremes, but it swings over half of the range at least.
    if high - low >= 0.5 && changes(&smoothed, low, high) >= CHANGES {
        return Kind { shape: Shape::Oscillatory, strong: off && on };
    }
    match (silent, full) {
        (true, true) => Kind { shape: Shape::BothExtremes, strong: off && on },
        (true, false) => Kind { shape: Shape::OneExtreme, strong: off },
        (false, true) => Kind { shape: Shape::OneExtreme, strong: on },
        (false, false) => Kind { shape: Shape::Other, strong: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(profile: impl Fn(usize) -> f64) -> String {
        kind(&(0..128).map(profile).collect::<Vec<_>>()).to_string()
    }

    #[test]
    fn planted_shapes() {
        let wave = |p: usize| (p as f64 / 128.0 * 6.0 * std::f64::consts::TAU).sin();
        assert_eq!(name(|p| f64::from(wave(p) > 0.0)), "oscillatory, strong");
        assert_eq!(name(|p| 0.5 + 0.4 * wave(p)), "oscillatory, weak");
        assert_eq!(name(|p| f64::from(p < 50)), "both extremes, strong");
        assert_eq!(name(|p| if p < 50 { 0.99 } else { 0.01 }), "both extremes, weak");
        // One bump changes twice only.
        assert_eq!(name(|p| f64::from((40..80).contains(&p))), "both extremes, strong");
        assert_eq!(name(|p| if p < 64 { 0.0 } else { 0.4 }), "one extreme, strong");
        assert_eq!(name(|p| if p < 64 { 0.98 } else { 0.4 }), "one extreme, weak");
        assert_eq!(name(|p| if p < 64 { 0.8 } else { 0.2 }), "other");
        // A single silent position does not make an extreme of a noisy profile.
        assert_eq!(name(|p| if p == 64 { 0.0 } else { 0.8 - 0.005 * p as f64 }), "other");
    }
}
