//! SQL over tables in memory, answered by polars. No table function is compiled in, so a query reads no file and opens
//! no connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, cast::AsArray, types};
use arrow_schema::DataType as Arrow;
use polars::prelude::{Column, DataFrame, DataType, IntoLazy, NamedFrom, Series};
use polars::sql::SQLContext;

use super::{Columns, TableError};

/// A longer query is refused.
pub const MAX_QUERY_BYTES: usize = 100_000;

/// Answers `query` over `tables`, given with their names. Columns of lists are not visible to queries.
///
/// # Errors
/// [`TableError::Query`] with what the parser or the engine says.
pub fn sql(tables: &[(&str, &RecordBatch)], query: &str) -> Result<RecordBatch, TableError> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(TableError::Query(format!("it has {} bytes, more than {MAX_QUERY_BYTES}", query.len())));
    }
    let answer = catch_unwind(AssertUnwindSafe(|| {
        let mut context = SQLContext::new();
        for (name, table) in tables {
            context.register(name, frame(table)?.lazy());
        }
        let frame = context.execute(query).and_then(|lazy| lazy.collect()).map_err(|error| refused(&error))?;
        batch(&frame)
    }));
    answer.unwrap_or_else(|_| Err(TableError::Query("the query engine failed; simplify the query".to_owned())))
}

fn refused(error: &dyn std::fmt::Display) -> TableError {
    // The engine appends its whole plan; the first lines say what is wrong.
    let text = error.to_string();
    let short = text.split("\n\nResolved plan").next().unwrap_or(&text).trim();
    TableError::Query(short.chars().take(600).collect())
}

fn frame(table: &RecordBatch) -> Result<DataFrame, TableError> {
    let schema = table.schema();
    let mut columns = Vec::new();
    for (field, array) in schema.fields().iter().zip(table.columns()) {
        let name = field.name().as_str().into();
        macro_rules! numbers {
            ($kind:ty) => {{
                let array = array.as_primitive::<$kind>();
                if array.null_count() == 0 {
                    Series::new(name, array.values().as_ref())
                } else {
                    Series::new(name, array.iter().collect::<Vec<_>>())
                }
            }};
        }
        let series = match field.data_type() {
            Arrow::Float32 => numbers!(types::Float32Type),
            Arrow::Float64 => numbers!(types::Float64Type),
            Arrow::Int8 => numbers!(types::Int8Type),
            Arrow::Int32 => numbers!(types::Int32Type),
            Arrow::Int64 => numbers!(types::Int64Type),
            Arrow::UInt8 => numbers!(types::UInt8Type),
            Arrow::UInt16 => numbers!(types::UInt16Type),
            Arrow::UInt32 => numbers!(types::UInt32Type),
            Arrow::Boolean => Series::new(name, array.as_boolean().iter().collect::<Vec<_>>()),
            Arrow::Utf8 => Series::new(name, array.as_string::<i32>().iter().collect::<Vec<_>>()),
            _ => continue,
        };
        columns.push(Column::from(series));
    }
    DataFrame::new(table.num_rows(), columns).map_err(|error| refused(&error))
}

fn batch(frame: &DataFrame) -> Result<RecordBatch, TableError> {
    let mut columns = Columns::new();
    for column in frame.columns() {
        let (name, series) = (column.name().as_str(), column.as_materialized_series());
        let cast = |kind: DataType| series.cast(&kind).map_err(|error| refused(&error));
        columns = match series.dtype() {
            DataType::Float32 => columns.f32(name, series.f32().map_err(|e| refused(&e))?.to_vec()),
            DataType::Float64 => columns.f64(name, series.f64().map_err(|e| refused(&e))?.to_vec()),
            DataType::Boolean => columns.bool(name, series.bool().map_err(|e| refused(&e))?.iter().collect::<Vec<_>>()),
            DataType::String => {
                let texts = series.str().map_err(|e| refused(&e))?;
                columns.text(name, texts.iter().collect::<Vec<Option<&str>>>())
            }
            kind if kind.is_integer() => {
                columns.i64(name, cast(DataType::Int64)?.i64().map_err(|e| refused(&e))?.to_vec())
            }
            // Dates, lists and whatever else a function makes are shown as text.
            _ => columns.text(name, series.iter().map(|value| Some(value.to_string())).collect::<Vec<_>>()),
        };
    }
    if frame.width() == 0 {
        return Ok(RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty())));
    }
    columns.build()
}

#[cfg(test)]
mod tests {
    use super::super::{TextColumn, f64s, i64s};
    use super::*;

    fn units() -> RecordBatch {
        let names: Vec<String> = (0..100).map(|index| format!("L{}N{}", index / 10, index % 10)).collect();
        Columns::new()
            .text("unit", names)
            .i32("layer", (0..100).map(|index| index / 10).collect::<Vec<i32>>())
            .f32("mean", (0..100).map(|index| (index != 7).then_some(index as f32)).collect::<Vec<_>>())
            .f32_lists("profile", &vec![vec![1.0]; 100])
            .build()
            .unwrap()
    }

    #[test]
    fn filters_groups_sorts_and_joins() {
        let units = units();
        let answer = sql(
            &[("units", &units), ("other", &units)],
            "SELECT u.layer, COUNT(*) AS n, AVG(u.mean) AS mean FROM units u JOIN other o ON u.unit = o.unit \
             WHERE u.unit LIKE 'L%' AND u.layer IN (0, 3) GROUP BY u.layer ORDER BY u.layer DESC",
        )
        .unwrap();
        assert_eq!(i64s(&answer, "layer").unwrap().values().to_vec(), [3, 0]);
        assert_eq!(i64s(&answer, "n").unwrap().values().to_vec(), [10, 10]);
        assert_eq!(f64s(&answer, "mean").unwrap().value(1), 38.0 / 9.0);
        let answer = sql(&[("units", &units)], "SELECT unit FROM units WHERE mean IS NULL").unwrap();
        assert_eq!(TextColumn::of(&answer, "unit").unwrap().get(0), Some("L0N7"));
    }

    #[test]
    fn a_bad_query_says_what_is_wrong() {
        let units = units();
        let ask = |query: &str| sql(&[("units", &units)], query).unwrap_err().to_string();
        assert!(ask("SELECT nothing FROM units").contains("nothing"));
        assert!(ask("SELEC unit").contains("cannot be answered"));
        assert!(ask("SELECT * FROM elsewhere").contains("elsewhere"));
        assert!(ask(&" ".repeat(MAX_QUERY_BYTES + 1)).contains("more than"));
    }

    #[test]
    fn no_file_is_read() {
        let units = units();
        for function in ["read_csv", "read_parquet", "read_ipc", "read_json"] {
            assert!(sql(&[("units", &units)], &format!("SELECT * FROM {function}('/etc/passwd')")).is_err());
        }
    }
}
