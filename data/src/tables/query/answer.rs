//! From SQLite's values, whose type may change from row to row, to columns.

use rusqlite::types::Value;

use arrow_array::RecordBatch;

use super::super::{Columns, TableError};

/// An answer with more values is refused.
const MAX_VALUES: usize = 10_000_000;

/// The rows so far, by column.
pub(super) struct Answer {
    names: Vec<String>,
    columns: Vec<Vec<Value>>,
    values: usize,
}

impl Answer {
    pub fn new(names: Vec<String>) -> Answer {
        let columns = names.iter().map(|_| Vec::new()).collect();
        Answer { names, columns, values: 0 }
    }

    pub fn width(&self) -> usize {
        self.names.len()
    }

    pub fn push(&mut self, column: usize, value: Value) -> Result<(), TableError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(TableError::Query(format!("its answer has more than {MAX_VALUES} values; add a LIMIT")));
        }
        self.columns[column].push(value);
        Ok(())
    }

    /// The table: a column of whole numbers becomes `i64`; of numbers `f32` if each of them is one, else `f64`; anything else text.
    pub fn table(self) -> Result<RecordBatch, TableError> {
        let mut table = Columns::new();
        let mut used: Vec<String> = Vec::new();
        for (name, values) in self.names.into_iter().zip(self.columns) {
            // Two columns of one name could not be told apart.
            let copies = used.iter().filter(|other| **other == name).count();
            used.push(name.clone());
            let name = if copies > 0 { format!("{name}:{copies}") } else { name };
            table = column(table, &name, values);
        }
        table.build()
    }
}

fn column(table: Columns, name: &str, values: Vec<Value>) -> Columns {
    if values.iter().all(|value| matches!(value, Value::Integer(_) | Value::Null)) {
        return table.i64(name, values.iter().map(integer).collect::<Vec<_>>());
    }
    if values.iter().all(|value| matches!(value, Value::Integer(_) | Value::Real(_) | Value::Null)) {
        let numbers: Vec<Option<f64>> = values.iter().map(real).collect();
        let single = numbers.iter().flatten().all(|x| f64::from(*x as f32) == *x);
        return match single {
            true => table.f32(name, numbers.iter().map(|x| x.map(|x| x as f32)).collect::<Vec<_>>()),
            false => table.f64(name, numbers),
        };
    }
    table.text(name, values.into_iter().map(text).collect::<Vec<_>>())
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(*value),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Null | Value::Blob(_) => None,
        Value::Integer(value) => Some(value.to_string()),
        Value::Real(value) => Some(value.to_string()),
        Value::Text(text) => Some(text),
    }
}
