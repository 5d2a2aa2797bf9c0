//! Parquet files: written whole or not at all, read whole, by column, or by row.

use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;
use tempfile::NamedTempFile;

use super::TableError;

/// A table with more rows than this is taken for damaged.
const MAX_ROWS: i64 = 200_000_000;
/// What is decoded at once.
const BATCH_ROWS: usize = 65_536;

/// Writes a table piece by piece; the file appears under its name when [`finish`](TableWriter::finish) is called, whole.
pub struct TableWriter {
    path: PathBuf,
    writer: ArrowWriter<NamedTempFile>,
}

impl TableWriter {
    /// Begins a table with the columns of `schema`; `group` rows can later be read alone.
    ///
    /// # Errors
    /// If the folder of `path` cannot be written to.
    pub fn create(path: &Path, schema: SchemaRef, group: usize) -> Result<TableWriter, TableError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".golgi-")
            .suffix(".part")
            .permissions(default_permissions())
            .tempfile_in(folder)
            .map_err(|error| failed(path, &error))?;
        // The writer's name is fixed, so that the same table gives the same bytes with every release of the library.
        let properties = WriterProperties::builder()
            .set_created_by("golgi".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(group.max(1)))
            .build();
        let writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(|error| failed(path, &error))?;
        Ok(TableWriter { path: path.to_owned(), writer })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// If they have other columns, or the disk is full.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<(), TableError> {
        self.writer.write(rows).map_err(|error| failed(&self.path, &error))
    }

    /// Writes what is left and puts the file in its place.
    ///
    /// # Errors
    /// If the disk is full or the file cannot be put in its place; what was there before is then left alone.
    pub fn finish(self) -> Result<(), TableError> {
        let TableWriter { path, writer } = self;
        let file = writer.into_inner().map_err(|error| failed(&path, &error))?;
        file.as_file().sync_all().map_err(|error| failed(&path, &error))?;
        file.persist(&path).map_err(|error| failed(&path, &error.error))?;
        Ok(())
    }
}

#[cfg(unix)]
fn default_permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    // What the user's mask leaves of it, as for any new file.
    std::fs::Permissions::from_mode(0o666)
}

#[cfg(not(unix))]
fn default_permissions() -> std::fs::Permissions {
    std::fs::metadata(".").map(|meta| meta.permissions()).expect("the current folder exists")
}

/// Writes `table` to `path`, whole or not at all.
///
/// # Errors
/// As [`TableWriter`].
pub fn write_parquet(path: &Path, table: &RecordBatch, group: usize) -> Result<(), TableError> {
    let mut writer = TableWriter::create(path, table.schema(), group)?;
    writer.write(table)?;
    writer.finish()
}

/// Reads a table, all columns or those of `columns` in the table's own order.
///
/// # Errors
/// If the file is missing, damaged, or has not these columns.
pub fn read_parquet(path: &Path, columns: Option<&[&str]>) -> Result<RecordBatch, TableError> {
    guarded(path, || {
        let builder = project(path, open(path)?, columns)?;
        collect(path, builder)
    })
}

/// How many rows the table at `path` has.
///
/// # Errors
/// If the file is missing or damaged.
pub fn row_count(path: &Path) -> Result<u64, TableError> {
    guarded(path, || Ok(open(path)?.metadata().file_metadata().num_rows() as u64))
}

/// Reads the rows `rows`; only the row groups that hold them are touched. Rows past the end are left out.
///
/// # Errors
/// As [`read_parquet`].
pub fn read_rows(path: &Path, columns: Option<&[&str]>, rows: Range<u64>) -> Result<RecordBatch, TableError> {
    guarded(path, || {
        let builder = open(path)?;
        let (mut groups, mut start, mut skipped, mut held) = (Vec::new(), 0u64, 0u64, 0u64);
        for (index, group) in builder.metadata().row_groups().iter().enumerate() {
            let end = start + group.num_rows() as u64;
            if end <= rows.start {
                skipped = end;
            } else if start < rows.end {
                groups.push(index);
                held += group.num_rows() as u64;
            }
            start = end;
        }
        let first = (rows.start - skipped.min(rows.start)).min(held) as usize;
        let wanted = rows.end.saturating_sub(rows.start).min(held - first as u64) as usize;
        let selection = RowSelection::from(vec![RowSelector::skip(first), RowSelector::select(wanted)]);
        let builder = project(path, builder, columns)?.with_row_groups(groups);
        collect(path, builder.with_row_selection(selection))
    })
}

/// Reads the rows `rows`, ascending and each once; only the row groups that hold them are touched.
///
/// # Errors
/// As [`read_parquet`], and if there is no such row.
pub fn read_row_list(path: &Path, columns: Option<&[&str]>, rows: &[u64]) -> Result<RecordBatch, TableError> {
    guarded(path, || {
        let builder = open(path)?;
        let (mut groups, mut selectors, mut start) = (Vec::new(), Vec::new(), 0u64);
        for (index, group) in builder.metadata().row_groups().iter().enumerate() {
            let end = start + group.num_rows() as u64;
            let inside = &rows[rows.partition_point(|row| *row < start)..rows.partition_point(|row| *row < end)];
            if !inside.is_empty() {
                groups.push(index);
                let mut at = start;
                for row in inside {
                    selectors.push(RowSelector::skip((row - at) as usize));
                    selectors.push(RowSelector::select(1));
                    at = row + 1;
                }
                selectors.push(RowSelector::skip((end - at) as usize));
            }
            start = end;
        }
        let builder = project(path, builder, columns)?.with_row_groups(groups);
        let table = collect(path, builder.with_row_selection(RowSelection::from(selectors)))?;
        if table.num_rows() != rows.len() {
            return Err(damaged(path, format!("{} rows were wanted, it has {}", rows.len(), table.num_rows())));
        }
        Ok(table)
    })
}

/// Reads the rows whose `key`, a column of `u32` by which the table is sorted, is `value`; other row groups are not
/// touched.
///
/// # Errors
/// As [`read_parquet`], and if there is no such column.
pub fn read_where(path: &Path, columns: Option<&[&str]>, key: &str, value: u32) -> Result<RecordBatch, TableError> {
    guarded(path, || {
        let builder = open(path)?;
        let index = builder.schema().index_of(key).map_err(|error| damaged(path, error))?;
        let may_hold = |statistics: Option<&Statistics>| match statistics {
            Some(Statistics::Int32(range)) => match (range.min_opt(), range.max_opt()) {
                (Some(low), Some(high)) => (*low as u32..=*high as u32).contains(&value),
                _ => true,
            },
            _ => true,
        };
        // Columns before `key` may be lists, whose leaf has the same index as long as they are not structs.
        let groups = builder.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| may_hold(group.column(index).statistics())).map(|(i, _)| i).collect();
        let with_key: Option<Vec<&str>> =
            columns.map(|names| names.iter().copied().chain((!names.contains(&key)).then_some(key)).collect());
        let table = collect(path, project(path, builder, with_key.as_deref())?.with_row_groups(groups))?;
        let keys: &UInt32Array = super::u32s(&table, key)?;
        let first = keys.values().partition_point(|k| *k < value);
        let last = keys.values().partition_point(|k| *k <= value);
        Ok(table.slice(first, last - first))
    })
}

type Builder = ParquetRecordBatchReaderBuilder<File>;

fn open(path: &Path) -> Result<Builder, TableError> {
    let read = |cause: String| TableError::Read { path: path.to_owned(), cause };
    let file = File::open(path).map_err(|error| read(error.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, error))?;
    let rows = builder.metadata().file_metadata().num_rows();
    if !(0..=MAX_ROWS).contains(&rows) {
        return Err(damaged(path, format!("it claims {rows} rows")));
    }
    Ok(builder)
}

fn project(path: &Path, builder: Builder, columns: Option<&[&str]>) -> Result<Builder, TableError> {
    let Some(columns) = columns else { return Ok(builder) };
    let schema = builder.schema().clone();
    let roots = columns
        .iter()
        .map(|name| {
            schema.index_of(name).map_err(|_| {
                let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                damaged(path, format!("it has no column `{name}`, only {}", known.join(", ")))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    Ok(builder.with_projection(mask))
}

fn collect(path: &Path, builder: Builder) -> Result<RecordBatch, TableError> {
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| damaged(path, error))?;
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| damaged(path, error))?;
    concat_batches(&schema, &batches).map_err(|error| damaged(path, error))
}

/// A damaged file is an error, also where the library that decodes it would panic.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, TableError>) -> Result<T, TableError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(damaged(path, "it cannot be decoded")))
}

fn damaged(path: &Path, cause: impl ToString) -> TableError {
    TableError::Damaged { path: path.to_owned(), cause: cause.to_string() }
}

fn failed(path: &Path, cause: &dyn std::error::Error) -> TableError {
    TableError::Write { path: path.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, u32s};
    use super::*;

    fn numbers(folder: &Path) -> PathBuf {
        let path = folder.join("numbers.parquet");
        let keys: Vec<u32> = (0..1000).map(|row| row / 3).collect();
        let values: Vec<f32> = (0..1000).map(|row| row as f32).collect();
        let lists: Vec<Vec<f32>> = (0..1000).map(|row| vec![row as f32; row % 4]).collect();
        let table = Columns::new().u32("key", keys).f32("value", values).f32_lists("list", &lists).build().unwrap();
        write_parquet(&path, &table, 64).unwrap();
        path
    }

    #[test]
    fn rows_and_keys_are_read_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = numbers(folder.path());
        assert_eq!(row_count(&path).unwrap(), 1000);
        for range in [0..10, 60..70, 640..641, 990..2000, 1500..1600] {
            let rows = read_rows(&path, Some(&["value"]), range.clone()).unwrap();
            let values: Vec<f32> = super::super::f32s(&rows, "value").unwrap().values().to_vec();
            let expected: Vec<f32> = range.filter(|row| *row < 1000).map(|row| row as f32).collect();
            assert_eq!(values, expected);
        }
        let rows = read_row_list(&path, Some(&["value"]), &[0, 5, 63, 64, 500, 999]).unwrap();
        assert_eq!(super::super::f32s(&rows, "value").unwrap().values().to_vec(), [0., 5., 63., 64., 500., 999.]);
        assert!(read_row_list(&path, None, &[5, 1000]).is_err());
        for key in [0u32, 21, 22, 333, 400] {
            let rows = read_where(&path, Some(&["value"]), "key", key).unwrap();
            assert!(u32s(&rows, "key").unwrap().values().iter().all(|k| *k == key));
            assert_eq!(rows.num_rows(), (0..1000).filter(|row| row / 3 == key).count());
        }
    }

    #[test]
    fn equal_tables_are_equal_files() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(std::fs::read(numbers(one.path())).unwrap(), std::fs::read(numbers(two.path())).unwrap());
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = numbers(folder.path());
        let whole = std::fs::read(&path).unwrap();
        let broken = folder.path().join("broken.parquet");
        for cut in [0, 3, 10, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&broken, &whole[..cut]).unwrap();
            assert!(read_parquet(&broken, None).is_err(), "cut at {cut}");
        }
        for at in (0..whole.len()).step_by(whole.len() / 200 + 1) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&broken, bytes).unwrap();
            // Either it is found out or the data differ; what must not happen is a crash.
            let _ = read_parquet(&broken, None);
            let _ = read_where(&broken, None, "key", 5);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let table = Columns::new().f32("a", vec![1.0]).build().unwrap();
        let error = write_parquet(&folder.path().join("missing/table.parquet"), &table, 10).unwrap_err();
        assert!(error.to_string().contains("missing/table.parquet cannot be written"), "{error}");
    }
}
