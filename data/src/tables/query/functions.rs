//! What statistics need and SQLite lacks.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{Connection, Result};

const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC);

/// Adds the functions to `connection`. Where a result is no number it is missing.
pub(super) fn register(connection: &Connection) -> Result<()> {
    type Plain = fn(f64) -> f64;
    let plain: [(&str, Plain); 4] = [("sqrt", f64::sqrt), ("ln", f64::ln), ("log10", f64::log10), ("exp", f64::exp)];
    for (name, function) in plain {
        connection
            .create_scalar_function(name, 1, PURE, move |context| Ok(context.get::<Option<f64>>(0)?.map(function)))?;
    }
    connection.create_scalar_function("pow", 2, PURE, |context| {
        let (base, exponent) = (context.get::<Option<f64>>(0)?, context.get::<Option<f64>>(1)?);
        Ok(base.zip(exponent).map(|(base, exponent)| base.powf(exponent)))
    })?;
    connection.create_aggregate_function("median", 1, PURE, Median)?;
    connection.create_aggregate_function("stddev", 1, PURE, Deviation)
}

struct Median;

impl Aggregate<Vec<f64>, Option<f64>> for Median {
    fn init(&self, _: &mut Context<'_>) -> Result<Vec<f64>> {
        Ok(Vec::new())
    }

    fn step(&self, context: &mut Context<'_>, values: &mut Vec<f64>) -> Result<()> {
        values.extend(context.get::<Option<f64>>(0)?);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, values: Option<Vec<f64>>) -> Result<Option<f64>> {
        let mut values = values.unwrap_or_default();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        Ok(match values.len() {
            0 => None,
            n if n % 2 == 1 => Some(values[middle]),
            _ => Some((values[middle - 1] + values[middle]) / 2.0),
        })
    }
}

/// The sample standard deviation by Welford's recurrence.
struct Deviation;

impl Aggregate<(f64, f64, f64), Option<f64>> for Deviation {
    fn init(&self, _: &mut Context<'_>) -> Result<(f64, f64, f64)> {
        Ok((0.0, 0.0, 0.0))
    }

    fn step(&self, context: &mut Context<'_>, (n, mean, m2): &mut (f64, f64, f64)) -> Result<()> {
        if let Some(x) = context.get::<Option<f64>>(0)? {
            *n += 1.0;
            let d = x - *mean;
            *mean += d / *n;
            *m2 += d * (x - *mean);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<(f64, f64, f64)>) -> Result<Option<f64>> {
        Ok(state.filter(|(n, ..)| *n > 1.0).map(|(n, _, m2)| (m2 / (n - 1.0)).sqrt()))
    }
}
