//! SQL over tables in memory, answered by SQLite. The tables are not copied: SQLite reads the columns it needs where they lie.
//!
//! Polars' SQL was tried first: it added 137 crates and about 20 minutes of two cores to the first build, more than
//! all the rest of Golgi's dependencies.

mod answer;
mod functions;
mod virtual_table;

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, Authorization};
use rusqlite::types::{Value, ValueRef};

use super::TableError;
use answer::Answer;

/// A longer query is refused.
pub const MAX_QUERY_BYTES: usize = 100_000;
/// A query that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Instructions of SQLite's machine between two looks at the clock.
const LOOK_EVERY: i32 = 100_000;

/// Answers `query` over `tables`, given with their names.
///
/// Every table has a hidden column `rowid`, counted from 0. Columns of lists are not visible. Beyond SQLite's own there are
/// the functions `sqrt`, `ln`, `log10`, `exp`, `pow` and the aggregates `median` and `stddev`. Nothing can be written and no file opened.
///
/// # Errors
/// [`TableError::Query`] with what SQLite says, or if the answer takes more than a minute or ten million values.
pub fn sql(tables: &[(&str, &RecordBatch)], query: &str) -> Result<RecordBatch, TableError> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(TableError::Query(format!("it has {} bytes, more than {MAX_QUERY_BYTES}", query.len())));
    }
    let mut connection = Connection::open_in_memory().map_err(refused)?;
    functions::register(&connection).map_err(refused)?;
    for (name, table) in tables {
        virtual_table::register(&connection, name, table).map_err(refused)?;
    }
    connection
        .authorizer(Some(|context: rusqlite::hooks::AuthContext<'_>| match context.action {
            AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } | AuthAction::Recursive => {
                Authorization::Allow
            }
            _ => Authorization::Deny,
        }))
        .map_err(refused)?;
    let end = Instant::now() + PATIENCE;
    connection.progress_handler(LOOK_EVERY, Some(move || Instant::now() > end)).map_err(refused)?;
    let answer = run(&mut connection, query);
    answer.map_err(|error| match error {
        _ if Instant::now() > end => TableError::Query(format!(
            "it took longer than {} s; join on `unit` or `rowid`, or narrow it down",
            PATIENCE.as_secs()
        )),
        error => error,
    })
}

fn run(connection: &mut Connection, query: &str) -> Result<RecordBatch, TableError> {
    let mut statement = connection.prepare(query).map_err(refused)?;
    if statement.column_count() == 0 {
        return Err(TableError::Query("it asks for nothing; begin with SELECT".to_owned()));
    }
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut answer = Answer::new(names);
    let mut rows = statement.query([]).map_err(refused)?;
    while let Some(row) = rows.next().map_err(refused)? {
        for column in 0..answer.width() {
            let value = match row.get_ref(column).map_err(refused)? {
                ValueRef::Blob(bytes) => Value::Text(format!("{} bytes", bytes.len())),
                other => Value::try_from(other).map_err(refused)?,
            };
            answer.push(column, value)?;
        }
    }
    answer.table()
}

fn refused(error: impl std::fmt::Display) -> TableError {
    let text = error.to_string();
    let text = if text.contains("not authorized") { "a query may only read the tables".to_owned() } else { text };
    TableError::Query(text.chars().take(600).collect())
}

#[cfg(test)]
mod tests;
