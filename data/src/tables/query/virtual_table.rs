//! A record batch as a table of SQLite.
//!
//! SQLite asks for rows one by one and for the columns it needs. Two questions are answered without going through all rows: which
//! row has this `rowid`, and, in a table sorted by a column `unit` of `u32`, which rows are about this unit.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::ops::Range;

use arrow_array::{Array, RecordBatch, UInt32Array, cast::AsArray, types};
use arrow_schema::DataType;
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor, sqlite3_vtab,
    sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Error, Result};

/// Every row is looked at.
const ALL: c_int = 0;
/// The row with the rowid that is the argument.
const BY_ROWID: c_int = 1;
/// The rows whose `unit` is the argument.
const BY_UNIT: c_int = 2;

/// Makes `table` known to `connection` as `name`.
pub(super) fn register(connection: &Connection, name: &str, table: &RecordBatch) -> Result<()> {
    const MODULE: Module<'_, Lying> = Module::eponymous_only_module();
    let name = CString::new(name).map_err(|error| Error::ModuleError(error.to_string()))?;
    connection.create_module(name.as_c_str(), &MODULE, Some(Source::new(table)))
}

/// What a table is made from.
struct Source {
    table: RecordBatch,
    /// The sorted column `unit`, if there is one.
    unit: Option<(usize, UInt32Array)>,
}

impl Source {
    fn new(table: &RecordBatch) -> Source {
        let schema = table.schema();
        let visible: Vec<usize> =
            (0..table.num_columns()).filter(|index| kind(schema.field(*index).data_type()).is_some()).collect();
        // The columns are there, so projecting cannot fail; what cannot be projected is shown whole.
        let table = table.project(&visible).unwrap_or_else(|_| table.clone());
        let unit = table.schema().index_of("unit").ok().and_then(|index| {
            let column = table.column(index).as_primitive_opt::<types::UInt32Type>()?;
            let sorted = column.null_count() == 0 && column.values().is_sorted();
            sorted.then(|| (index, column.clone()))
        });
        Source { table, unit }
    }
}

fn kind(data: &DataType) -> Option<&'static str> {
    Some(match data {
        DataType::Float32 | DataType::Float64 => "REAL",
        DataType::Int8 | DataType::Int32 | DataType::Int64 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            "INTEGER"
        }
        DataType::Boolean => "INTEGER",
        DataType::Utf8 => "TEXT",
        _ => return None,
    })
}

/// A table whose columns lie elsewhere.
#[repr(C)]
struct Lying {
    /// Must come first.
    base: sqlite3_vtab,
    table: RecordBatch,
    unit: Option<(usize, UInt32Array)>,
}

// SAFETY: the type is `repr(C)` and begins with SQLite's own part, as the trait asks.
unsafe impl<'vtab> VTab<'vtab> for Lying {
    type Aux = Source;
    type Cursor = Cursor<'vtab>;

    fn connect(
        db: &mut VTabConnection,
        source: Option<&Source>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Lying)> {
        let source = source.ok_or_else(|| Error::ModuleError("a table without columns".to_owned()))?;
        let columns: Vec<String> = source
            .table
            .schema()
            .fields()
            .iter()
            .map(|field| {
                format!("\"{}\" {}", field.name().replace('"', "\"\""), kind(field.data_type()).unwrap_or("TEXT"))
            })
            .collect();
        let declaration = format!("CREATE TABLE x({})", columns.join(", "));
        let declaration = CString::new(declaration).map_err(|error| Error::ModuleError(error.to_string()))?;
        db.config(VTabConfig::Innocuous)?;
        let table = Lying { base: sqlite3_vtab::default(), table: source.table.clone(), unit: source.unit.clone() };
        Ok((Cow::Owned(declaration), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let mut found: Option<(usize, c_int)> = None;
        for (number, constraint) in info.constraints().enumerate() {
            if !constraint.is_usable() || constraint.operator() != IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ {
                continue;
            }
            match constraint.column() {
                -1 => found = Some((number, BY_ROWID)),
                column if self.unit.as_ref().is_some_and(|(index, _)| *index as c_int == column) && found.is_none() => {
                    found = Some((number, BY_UNIT));
                }
                _ => {}
            }
        }
        let rows = self.table.num_rows() as i64;
        let Some((number, plan)) = found else {
            info.set_idx_num(ALL);
            info.set_estimated_cost(rows.max(1) as f64);
            info.set_estimated_rows(rows);
            return Ok(true);
        };
        // SQLite checks the condition again: comparing a number with a text is its business.
        info.constraint_usage(number).set_argv_index(1);
        info.set_idx_num(plan);
        info.set_estimated_cost(if plan == BY_ROWID { 1.0 } else { 20.0 });
        info.set_estimated_rows(if plan == BY_ROWID { 1 } else { 20 });
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<Cursor<'vtab>> {
        let rows = 0..self.table.num_rows();
        let (table, unit) = (self.table.clone(), self.unit.as_ref().map(|(_, column)| column.clone()));
        Ok(Cursor { base: sqlite3_vtab_cursor::default(), table, unit, rows, lifetime: PhantomData })
    }
}

#[repr(C)]
struct Cursor<'vtab> {
    /// Must come first.
    base: sqlite3_vtab_cursor,
    table: RecordBatch,
    unit: Option<UInt32Array>,
    /// What is still to come.
    rows: Range<usize>,
    lifetime: PhantomData<&'vtab Lying>,
}

// SAFETY: the type is `repr(C)` and begins with SQLite's own part, as the trait asks.
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(&mut self, plan: c_int, _text: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        let all = 0..self.table.num_rows();
        // An argument that is no whole number is compared by SQLite, row by row.
        let wanted = if plan == ALL { None } else { arguments.get::<Option<i64>>(0).unwrap_or_default() };
        self.rows = match (plan, wanted, &self.unit) {
            (BY_ROWID, Some(row), _) => {
                let row = usize::try_from(row).ok().filter(|row| all.contains(row));
                row.map_or(0..0, |row| row..row + 1)
            }
            (BY_UNIT, Some(unit), Some(column)) => match u32::try_from(unit) {
                Ok(unit) => {
                    let values = column.values();
                    values.partition_point(|other| *other < unit)..values.partition_point(|other| *other <= unit)
                }
                Err(_) => 0..0,
            },
            _ => all,
        };
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.rows.start += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.rows.is_empty()
    }

    fn column(&self, context: &mut Context, index: c_int) -> Result<()> {
        let row = self.rows.start;
        let Some(column) = usize::try_from(index).ok().and_then(|index| self.table.columns().get(index)) else {
            return context.set_result(rusqlite::types::Null);
        };
        if column.is_null(row) {
            return context.set_result(rusqlite::types::Null);
        }
        match column.data_type() {
            DataType::Float32 => context.set_result(f64::from(column.as_primitive::<types::Float32Type>().value(row))),
            DataType::Float64 => context.set_result(column.as_primitive::<types::Float64Type>().value(row)),
            DataType::Int8 => context.set_result(column.as_primitive::<types::Int8Type>().value(row)),
            DataType::Int32 => context.set_result(column.as_primitive::<types::Int32Type>().value(row)),
            DataType::Int64 => context.set_result(column.as_primitive::<types::Int64Type>().value(row)),
            DataType::UInt8 => context.set_result(column.as_primitive::<types::UInt8Type>().value(row)),
            DataType::UInt16 => context.set_result(column.as_primitive::<types::UInt16Type>().value(row)),
            DataType::UInt32 => context.set_result(column.as_primitive::<types::UInt32Type>().value(row)),
            DataType::Boolean => context.set_result(column.as_boolean().value(row)),
            DataType::Utf8 => context.set_result(column.as_string::<i32>().value(row)),
            _ => context.set_result(rusqlite::types::Null),
        }
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.rows.start as i64)
    }
}
