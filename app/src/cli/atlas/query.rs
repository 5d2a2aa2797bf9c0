//! `golgi atlas query`: SQL over an atlas' tables.

use std::path::PathBuf;

use golgi_data::atlas::TABLES;
use golgi_data::tables::arrow::RecordBatch;
use golgi_data::tables::{TextColumn, f32s, f64s, i64s};
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::style::Style;
use crate::cli::table::{Cell, Table};
use crate::cli::work::Work;
use crate::report::{cell_text, one_line};

/// Arguments of `golgi atlas query`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Tables: units (one row per unit), examples, tokens, logits, neighbours, triggers, contexts, families. \
    `golgi atlas info DIR` lists their columns. In tables other than units, `unit` is the row of units, counted from 0.\n\n\
    golgi atlas query DIR \"SELECT short, kurtosis, top_activating FROM units WHERE kind = 'neuron' ORDER BY kurtosis DESC\""
)]
pub struct Args {
    /// The folder of the atlas
    dir: PathBuf,
    /// The query
    #[arg(value_name = "SQL")]
    query: String,
    /// Print comma-separated values, all rows
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print at most so many rows; by default 50, with --csv and --json all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Rows that are printed for people.
const ROWS: usize = 50;

pub fn run(work: &Work, args: &Args) -> anyhow::Result<Exit> {
    let atlas = super::open(&args.dir)?;
    if let Some(provisional) = &atlas.manifest().provisional {
        work.out.remark(&super::so_far(provisional));
    }
    let answer = atlas.sql(&args.query).inspect_err(|_| {
        let lower = args.query.to_lowercase();
        let missing = TABLES.into_iter().filter(|name| lower.contains(name) && !atlas.path(name).is_file());
        let missing: Vec<&str> = missing.collect();
        if !missing.is_empty() {
            work.out.remark(&format!("This atlas has no table {}.", missing.join(", ")));
        }
    })?;
    let all = answer.num_rows();
    let everything = args.csv || work.out.json;
    let shown = args.limit.unwrap_or(if everything { all } else { ROWS }).min(all);
    let columns = columns(&answer, shown)?;
    if work.out.json {
        let rows: Vec<Vec<&Value>> =
            (0..shown).map(|row| columns.iter().map(|column| &column.values[row]).collect()).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        work.out
            .document("atlas.query", json!({ "query": args.query, "columns": names, "rows": rows, "found": all }))?;
    } else if args.csv {
        work.out.text(&csv(&columns, shown))?;
    } else {
        let mut table = Table::new();
        for column in &columns {
            let name = one_line(&column.name);
            table = if column.numeric { table.right(&name) } else { table.flexible(&name) };
        }
        for row in 0..shown {
            table.row(columns.iter().map(|column| match &column.values[row] {
                Value::Null => Cell::new("–", Style::Dim),
                Value::String(text) => one_line(text).into(),
                value => cell_text(value).into(),
            }));
        }
        work.out.table(&table)?;
        if shown < all {
            work.out.remark(&format!("{} of {all} rows; --limit N prints more, --csv all", shown));
        }
    }
    Ok(Exit::Success)
}

struct Column {
    name: String,
    numeric: bool,
    values: Vec<Value>,
}

/// The first `rows` rows; the engine gives whole numbers, real ones of two sizes, and texts.
fn columns(answer: &RecordBatch, rows: usize) -> anyhow::Result<Vec<Column>> {
    let real = |value: f64| serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number);
    let schema = answer.schema();
    let column = |name: &str| -> anyhow::Result<Column> {
        // A column of 32 bits is widened by way of its shortest decimal form, so that 0.1 stays 0.1.
        let (numeric, values): (bool, Vec<Value>) = if let Ok(array) = f32s(answer, name) {
            let widen = |value: f32| value.to_string().parse().map_or(Value::Null, real);
            (true, array.iter().take(rows).map(|value| value.map_or(Value::Null, widen)).collect())
        } else if let Ok(array) = f64s(answer, name) {
            (true, array.iter().take(rows).map(|value| value.map_or(Value::Null, real)).collect())
        } else if let Ok(array) = i64s(answer, name) {
            (true, array.iter().take(rows).map(|value| json!(value)).collect())
        } else {
            let texts = TextColumn::of(answer, name)?;
            (false, (0..rows).map(|row| json!(texts.get(row))).collect())
        };
        Ok(Column { name: name.to_owned(), numeric, values })
    };
    schema.fields().iter().map(|field| column(field.name())).collect()
}

/// As RFC 4180 has it, with lines that end as on Unix.
fn csv(columns: &[Column], rows: usize) -> String {
    let quoted = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let mut out = columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(",") + "\n";
    for row in 0..rows {
        let cells = columns.iter().map(|column| match &column.values[row] {
            Value::Null => String::new(),
            Value::String(text) => quoted(text),
            value => value.to_string(),
        });
        out += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use golgi_data::tables::Columns;

    use super::*;

    #[test]
    fn csv_quotes_what_must_be_quoted() {
        let answer = Columns::new()
            .text("a,b", vec![Some("x\"y\n"), None])
            .f32("n", vec![Some(0.1), Some(f32::NAN)])
            .i64("i", vec![1i64, -2])
            .build()
            .unwrap();
        let columns = columns(&answer, 2).unwrap();
        assert_eq!(csv(&columns, 2), "\"a,b\",n,i\n\"x\"\"y\n\",0.1,1\n,,-2\n");
    }
}
