//! Whether what a script expects is so.

use golgi_probes::script::Expectation;
use serde::Serialize;
use serde_json::Value;

use crate::report::Report;

/// An expectation and how it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What was expected, in words.
    pub expected: String,
    /// What was found.
    pub found: Value,
    /// Whether it holds. A fact that is not there does not.
    pub holds: bool,
}

/// Judges one expectation against the results.
pub(super) fn judge(expectation: &Expectation, results: &[(String, Report)]) -> Verdict {
    let fact = |id: &str, label: &str| {
        let report = results.iter().find(|(name, _)| name == id).map(|(_, report)| report);
        report.and_then(|report| report.fact(label)).cloned()
    };
    let Expectation { analysis, fact: label, above, below, equals, above_fact } = expectation;
    let found = fact(analysis, label);
    let number = found.as_ref().and_then(Value::as_f64);
    let mut words = Vec::new();
    let mut holds = found.is_some();
    // Written so that a missing or non-numeric fact fails, and so does NaN.
    if let Some(bound) = above {
        words.push(format!("above {bound}"));
        holds &= number.is_some_and(|number| number > *bound);
    }
    if let Some(bound) = below {
        words.push(format!("below {bound}"));
        holds &= number.is_some_and(|number| number < *bound);
    }
    if let Some(value) = equals {
        words.push(format!("equal to {value}"));
        let equal_numbers = number.zip(value.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= f64::EPSILON * a.abs());
        holds &= found.as_ref() == Some(value) || equal_numbers;
    }
    if let Some(other) = above_fact {
        let bound = fact(&other.analysis, &other.fact);
        let bound_text = bound.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        words.push(format!("above `{}` of `{}` ({bound_text})", other.fact, other.analysis));
        let bound = bound.as_ref().and_then(Value::as_f64);
        holds &= number.zip(bound).is_some_and(|(number, bound)| number > bound);
    }
    Verdict {
        expected: format!("`{label}` of `{analysis}` {}", words.join(" and ")),
        found: found.unwrap_or(Value::Null),
        holds,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::{Fact, Provenance};

    fn results() -> Vec<(String, Report)> {
        let mut report = Report::new("a", "A", Provenance::default());
        report.summary = vec![Fact::new("x", 2.0), Fact::new("name", "Mary")];
        let mut other = report.clone();
        other.summary = vec![Fact::new("x", 3.0)];
        vec![("a".into(), report), ("b".into(), other)]
    }

    fn holds(extra: Value) -> bool {
        let mut all = json!({"analysis": "a", "fact": "x"});
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        judge(&serde_json::from_value(all).unwrap(), &results()).holds
    }

    #[test]
    fn bounds_and_equality() {
        assert!(holds(json!({"above": 1.0, "below": 3.0})));
        assert!(!holds(json!({"above": 2.0})));
        assert!(!holds(json!({"below": 2.0})));
        assert!(holds(json!({"equals": 2})));
        assert!(holds(json!({"fact": "name", "equals": "Mary"})));
        assert!(!holds(json!({"fact": "name", "above": 1.0})));
        assert!(!holds(json!({"fact": "missing", "above": 1.0})));
        assert!(!holds(json!({"above_fact": {"analysis": "b", "fact": "x"}})));
        assert!(holds(json!({"analysis": "b", "above_fact": {"analysis": "a", "fact": "x"}})));
    }
}
