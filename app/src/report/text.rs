//! Figures and cells as plain text, for Markdown and terminals.

use serde_json::Value;

use super::number::number;
use super::scale::Scale;

/// A bar of `width` characters at full strength, in steps of an eighth.
pub(crate) fn bar(strength: f32, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let strength = if strength.is_finite() { strength.abs().min(1.0) } else { 0.0 };
    let eighths = (strength * (width * 8) as f32).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// One character per value, higher or darker where it is larger.
pub(crate) fn sparkline(values: impl IntoIterator<Item = Option<f32>>, scale: &Scale) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let step = |value: f32| STEPS[(scale.strength(value).abs() * 7.0).round() as usize];
    values.into_iter().map(|value| value.filter(|value| value.is_finite()).map_or(' ', step)).collect()
}

/// A cell of a table: numbers shortened, truth values in words, nothing for null.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(n) if n.is_i64() || n.is_u64() => n.to_string(),
        Value::Number(n) => number(n.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a column holds numbers and nothing else.
pub(crate) fn is_numeric(rows: &[Vec<Value>], column: usize) -> bool {
    let mut values = rows.iter().filter_map(|row| row.get(column)).filter(|value| !value.is_null()).peekable();
    values.peek().is_some() && values.all(Value::is_number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bars_and_sparklines() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(-0.5, 4), "██");
        assert_eq!(bar(0.0, 4), "");
        assert_eq!(bar(f32::NAN, 4), "");
        let scale = Scale::new([0.0, 1.0], false);
        assert_eq!(sparkline([Some(0.0), Some(1.0), None, Some(0.5)], &scale), "▁█ ▅");
    }

    #[test]
    fn cells() {
        assert_eq!(cell(&json!(0.123_456)), "0.1235");
        assert_eq!(cell(&json!(12)), "12");
        assert_eq!(cell(&json!(null)), "");
        assert_eq!(cell(&json!(true)), "yes");
        let rows = vec![vec![json!(1), json!("a"), json!(null)], vec![json!(null), json!(2), json!(null)]];
        assert_eq!([0, 1, 2].map(|column| is_numeric(&rows, column)), [true, false, false]);
    }
}
