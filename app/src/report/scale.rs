//! From a number to the strength of a colour.

/// A colour scale over the numbers of one figure. Signed scales are symmetric about zero, so that the same strength means the
/// same size on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The number at full strength.
    pub high: f64,
    /// The number at no strength: 0, or the smallest where all are far from 0.
    pub low: f64,
    /// Whether the sign means something.
    pub signed: bool,
}

impl Scale {
    /// The scale of these numbers; what is no number is left out.
    pub fn new(values: impl IntoIterator<Item = f32>, signed: bool) -> Scale {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(f64::from(value));
            high = high.max(f64::from(value));
        }
        if low > high {
            (low, high) = (0.0, 0.0);
        }
        if signed || low < 0.0 && high > 0.0 {
            Scale { high: high.abs().max(low.abs()), low: 0.0, signed: true }
        } else if low > 0.5 * high || high <= 0.0 && low < 0.0 {
            // Far from zero: the differences are what can be seen.
            Scale { high, low, signed: false }
        } else {
            Scale { high, low: low.min(0.0), signed: false }
        }
    }

    /// How strong `value` is, in -1..=1 (0..=1 on an unsigned scale).
    pub fn strength(&self, value: f32) -> f32 {
        let span = self.high - self.low;
        if !value.is_finite() || span <= 0.0 {
            return 0.0;
        }
        let at = (f64::from(value) - self.low) / span;
        at.clamp(if self.signed { -1.0 } else { 0.0 }, 1.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_decide_the_kind() {
        let signed = Scale::new([-1.0, 4.0], false);
        assert!(signed.signed);
        assert_eq!((signed.strength(4.0), signed.strength(-1.0), signed.strength(0.0)), (1.0, -0.25, 0.0));
        let plain = Scale::new([0.5, 2.0], false);
        assert_eq!((plain.signed, plain.strength(2.0), plain.strength(1.0)), (false, 1.0, 0.5));
        let far = Scale::new([9.0, 10.0], false);
        assert_eq!((far.strength(9.0), far.strength(10.0)), (0.0, 1.0));
    }

    #[test]
    fn odd_numbers_have_no_strength() {
        for scale in [Scale::new([], true), Scale::new([f32::NAN, f32::INFINITY], false), Scale::new([0.0], true)] {
            assert_eq!(scale.strength(0.0), 0.0);
            assert_eq!(scale.strength(f32::NAN), 0.0);
        }
    }
}
