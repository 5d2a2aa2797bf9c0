//! Measured numbers as people read them in a dense table: few digits and a real minus sign. Probabilities and counts are written by
//! [`text`](crate::session::text).

/// A number with about three significant digits: `0.042`, `−12.3`, `4.1e−7`, `12345`.
pub fn short(value: f32) -> String {
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        s if !(1e-3..1e6).contains(&s) => format!("{value:.1e}"),
        s if s < 9.9995 => format!("{value:.3}"),
        s if s < 99.995 => format!("{value:.2}"),
        s if s < 999.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    text.replace('-', "−")
}

/// The same with a plus sign in front of positive numbers, for attributions and differences.
pub fn signed(value: f32) -> String {
    if value > 0.0 { format!("+{}", short(value)) } else { short(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_digits_at_every_size() {
        assert_eq!(short(0.0), "0");
        assert_eq!(short(-0.0421), "−0.042");
        assert_eq!(short(9.9996), "10.00");
        assert_eq!(short(123.45), "123.4");
        assert_eq!(short(-4.1e-7), "−4.1e−7");
        assert_eq!(short(f32::NEG_INFINITY), "−∞");
        assert_eq!(short(f32::NAN), "not a number");
        assert_eq!(signed(1.5), "+1.500");
        assert_eq!(signed(0.0), "0");
    }
}
