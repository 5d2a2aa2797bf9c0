//! Numbers for people.

/// A number with four significant digits: `0.01235`, `3.142`, `12350`, `1.2e-7`.
///
/// ```
/// # use golgi::report::number;
/// assert_eq!(number(3.14159), "3.142");
/// assert_eq!(number(0.00001234), "1.234e-5");
/// assert_eq!(number(42.0), "42");
/// assert_eq!(number(f64::NAN), "not a number");
/// ```
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "-∞" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if value.fract() == 0.0 && size < 1e7 {
        return format!("{value}");
    }
    if !(1e-4..1e6).contains(&size) {
        return trim_exponent(&format!("{value:.3e}"));
    }
    let digits = (3 - size.log10().floor() as i32).clamp(0, 7) as usize;
    trim(&format!("{value:.digits$}"))
}

/// The same with a sign in front, for contributions and differences.
///
/// ```
/// # use golgi::report::signed_number;
/// assert_eq!(signed_number(0.5), "+0.5");
/// assert_eq!(signed_number(-0.5), "-0.5");
/// assert_eq!(signed_number(0.0), "0");
/// ```
pub fn signed_number(value: f64) -> String {
    if value > 0.0 { format!("+{}", number(value)) } else { number(value) }
}

/// A probability as a percentage that never claims certainty it does not have: `86.4 %`, `<0.1 %`, `>99.9 %`.
///
/// ```
/// # use golgi::report::percent;
/// assert_eq!(percent(0.8642), "86.4 %");
/// assert_eq!(percent(0.0000001), "<0.1 %");
/// assert_eq!(percent(0.99999), ">99.9 %");
/// assert_eq!(percent(1.0), "100 %");
/// ```
pub fn percent(p: f32) -> String {
    match p {
        p if p.is_nan() => "not a number".to_owned(),
        0.0 => "0 %".to_owned(),
        p if p < 0.001 => "<0.1 %".to_owned(),
        p if p >= 1.0 => "100 %".to_owned(),
        p if p >= 0.9995 => ">99.9 %".to_owned(),
        p => format!("{:.1} %", p * 100.0),
    }
}

/// A whole number with spaces between thousands: `134 515 008`.
///
/// ```
/// # use golgi::report::count;
/// assert_eq!(count(134_515_008), "134\u{202f}515\u{202f}008");
/// assert_eq!(count(7), "7");
/// ```
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// The same with ordinary spaces, for texts in which every other space is made visible.
pub fn spaced(n: u64) -> String {
    count(n).replace('\u{202f}', " ")
}

/// A large number in short: `135 M`, `1.5 B`, `980`.
///
/// ```
/// # use golgi::report::compact;
/// assert_eq!(compact(134_515_008), "134.5 M");
/// assert_eq!(compact(980), "980");
/// ```
pub fn compact(n: u64) -> String {
    let units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|(size, _)| n as f64 >= *size) {
        Some((size, unit)) => format!("{} {unit}", trim(&format!("{:.1}", n as f64 / size))),
        None => n.to_string(),
    }
}

fn trim(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

fn trim_exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim(mantissa)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_digits_at_every_size() {
        for (value, text) in [
            (0.1, "0.1"),
            (-1.0 / 3.0, "-0.3333"),
            (12.3456, "12.35"),
            (1234.56, "1235"),
            (123_456.7, "123457"),
            (0.000_123_4, "0.0001234"),
            (2.5e9, "2.5e9"),
            (f64::NEG_INFINITY, "-∞"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    proptest! {
        #[test]
        fn numbers_keep_their_value(value in -1e12f64..1e12) {
            let back: f64 = number(value).parse().unwrap();
            prop_assert!((back - value).abs() <= value.abs() * 5.1e-4, "{value} became {back}");
        }

        #[test]
        fn counts_keep_their_digits(n in any::<u64>()) {
            prop_assert_eq!(count(n).replace('\u{202f}', ""), n.to_string());
        }
    }
}
