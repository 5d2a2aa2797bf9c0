//! Tables on disk: Parquet files in and out as Arrow record batches, typed columns, and SQL over them.
//!
//! ```
//! use golgi_data::tables::{Columns, TextColumn, f32s, read_parquet, sql, write_parquet};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("units.parquet");
//! let units = Columns::new().text("unit", vec!["L0N0", "L0N1"]).f32("mean", vec![0.5, -2.0]).build()?;
//! write_parquet(&path, &units, 1024)?;
//!
//! let read = read_parquet(&path, Some(&["mean"]))?;
//! assert_eq!(f32s(&read, "mean")?.value(1), -2.0);
//!
//! let found = sql(&[("units", &units)], "SELECT unit FROM units WHERE mean > 0")?;
//! assert_eq!(TextColumn::of(&found, "unit")?.get(0), Some("L0N0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod columns;
mod parquet_file;
mod query;

use std::path::PathBuf;

pub use arrow_array as arrow;
pub use columns::{Columns, FloatLists, TextColumn, bools, f32s, f64s, i8s, i32s, i64s, u8s, u16s, u32s};
pub use parquet_file::{TableWriter, read_parquet, read_row_list, read_rows, read_where, row_count, write_parquet};
pub use query::{MAX_QUERY_BYTES, sql};

/// Why a table cannot be read, written or queried.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file cannot be opened or read.
    #[error("{path} cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A file cannot be written.
    #[error(
        "{path} cannot be written: {cause}; nothing was changed, so make room or choose another folder and try again"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged or no table of Golgi: {cause}; make it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A column is missing or of another type.
    #[error("the table has no column `{name}` of {expected}; it has {known}")]
    Column {
        /// The column.
        name: String,
        /// The type that was expected.
        expected: &'static str,
        /// The columns it has, with their types.
        known: String,
    },
    /// Columns of unequal length.
    #[error("the columns of a table differ in length: {0}")]
    Ragged(String),
    /// A query that cannot be answered.
    #[error("the query cannot be answered: {0}")]
    Query(String),
}
