//! Columns by name and type.

use std::sync::Arc;

use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, UInt8Array, UInt16Array, UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};

use super::TableError;

/// Builds a table column by column.
#[derive(Debug, Default)]
pub struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident: $element:ty => $array:ty;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(self, name: &str, values: impl Into<$array>) -> Columns {
            let array: $array = values.into();
            self.push(name, Arc::new(array))
        })*
    };
}

impl Columns {
    /// No columns yet.
    pub fn new() -> Columns {
        Columns::default()
    }

    plain! {
        /// Adds a column of `f32`: a `Vec<f32>`, or a `Vec<Option<f32>>` where values may be missing.
        f32: f32 => Float32Array;
        /// Adds a column of `f64`.
        f64: f64 => Float64Array;
        /// Adds a column of `i8`.
        i8: i8 => Int8Array;
        /// Adds a column of `i32`.
        i32: i32 => Int32Array;
        /// Adds a column of `i64`.
        i64: i64 => Int64Array;
        /// Adds a column of `u8`.
        u8: u8 => UInt8Array;
        /// Adds a column of `u16`.
        u16: u16 => UInt16Array;
        /// Adds a column of `u32`.
        u32: u32 => UInt32Array;
        /// Adds a column of truth values.
        bool: bool => BooleanArray;
        /// Adds a column of texts: a `Vec<&str>`, `Vec<String>`, or a `Vec` of options where texts may be missing.
        text: &str => StringArray;
    }

    /// Adds a column of lists of `f32`, all `width` long, from their concatenation.
    #[must_use]
    pub fn f32_rows(self, name: &str, values: Vec<f32>, width: usize) -> Columns {
        let rows = values.len().checked_div(width).unwrap_or(0);
        self.list(name, DataType::Float32, Arc::new(Float32Array::from(values)), (0..=rows).map(|row| row * width))
    }

    /// Adds a column of lists of `u32`, all `width` long, from their concatenation.
    #[must_use]
    pub fn u32_rows(self, name: &str, values: Vec<u32>, width: usize) -> Columns {
        let rows = values.len().checked_div(width).unwrap_or(0);
        self.list(name, DataType::UInt32, Arc::new(UInt32Array::from(values)), (0..=rows).map(|row| row * width))
    }

    /// Adds a column of lists of `f32` of any lengths.
    #[must_use]
    pub fn f32_lists(self, name: &str, values: &[Vec<f32>]) -> Columns {
        let flat = Float32Array::from_iter_values(values.iter().flatten().copied());
        self.list(name, DataType::Float32, Arc::new(flat), ends(values.iter().map(Vec::len)))
    }

    /// Adds a column of lists of `u32` of any lengths.
    #[must_use]
    pub fn u32_lists(self, name: &str, values: &[Vec<u32>]) -> Columns {
        let flat = UInt32Array::from_iter_values(values.iter().flatten().copied());
        self.list(name, DataType::UInt32, Arc::new(flat), ends(values.iter().map(Vec::len)))
    }

    /// Adds a column of lists of texts of any lengths.
    #[must_use]
    pub fn text_lists(self, name: &str, values: &[Vec<String>]) -> Columns {
        let flat = StringArray::from_iter_values(values.iter().flatten());
        self.list(name, DataType::Utf8, Arc::new(flat), ends(values.iter().map(Vec::len)))
    }

    /// The table.
    ///
    /// # Errors
    /// If the columns differ in length.
    pub fn build(self) -> Result<RecordBatch, TableError> {
        RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)
            .map_err(|error| TableError::Ragged(error.to_string()))
    }

    fn list(self, name: &str, kind: DataType, values: ArrayRef, offsets: impl Iterator<Item = usize>) -> Columns {
        let offsets: Vec<i32> = offsets.map(|offset| offset as i32).collect();
        let field = Arc::new(Field::new("item", kind, true));
        let lists = ListArray::new(field, OffsetBuffer::new(ScalarBuffer::from(offsets)), values, None);
        self.push(name, Arc::new(lists))
    }

    fn push(mut self, name: &str, array: ArrayRef) -> Columns {
        // Every column is nullable, so that two tables with the same names have the same schema.
        self.fields.push(Field::new(name, array.data_type().clone(), true));
        self.arrays.push(array);
        self
    }
}

fn ends(lengths: impl Iterator<Item = usize>) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(lengths.scan(0, |end, length| {
        *end += length;
        Some(*end)
    }))
}

fn missing(table: &RecordBatch, name: &str, expected: &'static str) -> TableError {
    let known: Vec<String> =
        table.schema().fields().iter().map(|field| format!("{} ({})", field.name(), field.data_type())).collect();
    TableError::Column { name: name.to_owned(), expected, known: known.join(", ") }
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident => $array:ty, $expected:literal;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// If there is no such column of this type.
        pub fn $name<'a>(table: &'a RecordBatch, name: &str) -> Result<&'a $array, TableError> {
            table
                .column_by_name(name)
                .and_then(|column| column.as_any().downcast_ref())
                .ok_or_else(|| missing(table, name, $expected))
        })*
    };
}

typed! {
    /// The column `name` of 32-bit numbers.
    f32s => Float32Array, "float32";
    /// The column `name` of 64-bit numbers.
    f64s => Float64Array, "float64";
    /// The column `name` of 8-bit signed integers.
    i8s => Int8Array, "int8";
    /// The column `name` of 32-bit signed integers.
    i32s => Int32Array, "int32";
    /// The column `name` of 64-bit signed integers.
    i64s => Int64Array, "int64";
    /// The column `name` of bytes.
    u8s => UInt8Array, "uint8";
    /// The column `name` of 16-bit integers.
    u16s => UInt16Array, "uint16";
    /// The column `name` of 32-bit integers.
    u32s => UInt32Array, "uint32";
    /// The column `name` of truth values.
    bools => BooleanArray, "bool";
}

/// A column of texts.
#[derive(Debug, Clone, Copy)]
pub struct TextColumn<'a>(&'a StringArray);

impl<'a> TextColumn<'a> {
    /// The column `name`.
    ///
    /// # Errors
    /// If there is no such column of texts.
    pub fn of(table: &'a RecordBatch, name: &str) -> Result<TextColumn<'a>, TableError> {
        table
            .column_by_name(name)
            .and_then(|column| column.as_any().downcast_ref())
            .map(TextColumn)
            .ok_or_else(|| missing(table, name, "text"))
    }

    /// The text of row `row`; `None` where it is missing or there is no such row.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        (row < self.0.len() && self.0.is_valid(row)).then(|| self.0.value(row))
    }
}

/// A column of lists of numbers.
#[derive(Debug, Clone, Copy)]
pub struct FloatLists<'a>(&'a ListArray);

impl<'a> FloatLists<'a> {
    /// The column `name`, of lists of `f32` or `u32`.
    ///
    /// # Errors
    /// If there is no such column.
    pub fn of(table: &'a RecordBatch, name: &str) -> Result<FloatLists<'a>, TableError> {
        table
            .column_by_name(name)
            .and_then(|column| column.as_any().downcast_ref::<ListArray>())
            .filter(|lists| matches!(lists.value_type(), DataType::Float32 | DataType::UInt32))
            .map(FloatLists)
            .ok_or_else(|| missing(table, name, "lists of numbers"))
    }

    /// The numbers of row `row` as `f32`; empty where there are none.
    pub fn floats(&self, row: usize) -> Vec<f32> {
        self.numbers::<Float32Type>(row).unwrap_or_default()
    }

    /// The numbers of row `row` as `u32`; empty where there are none.
    pub fn integers(&self, row: usize) -> Vec<u32> {
        self.numbers::<UInt32Type>(row).unwrap_or_default()
    }

    fn numbers<T: arrow_array::ArrowPrimitiveType>(&self, row: usize) -> Option<Vec<T::Native>> {
        if row >= self.0.len() || self.0.is_null(row) {
            return None;
        }
        let list = self.0.value(row);
        Some(list.as_any().downcast_ref::<arrow_array::PrimitiveArray<T>>()?.values().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_type() {
        let table = Columns::new()
            .f32("mean", vec![Some(1.0), None])
            .u32_rows("bins", vec![1, 2, 3, 4], 2)
            .f32_lists("window", &[vec![], vec![0.5, 1.5]])
            .text("unit", vec!["a", "b"])
            .build()
            .unwrap();
        assert!(f32s(&table, "mean").unwrap().is_null(1));
        assert_eq!(FloatLists::of(&table, "bins").unwrap().integers(1), [3, 4]);
        assert_eq!(FloatLists::of(&table, "window").unwrap().floats(1), [0.5, 1.5]);
        assert!(FloatLists::of(&table, "window").unwrap().floats(9).is_empty());
        assert_eq!(TextColumn::of(&table, "unit").unwrap().get(1), Some("b"));
        let error = u32s(&table, "mean").unwrap_err().to_string();
        assert!(error.contains("no column `mean` of uint32") && error.contains("unit (Utf8)"), "{error}");
    }

    #[test]
    fn ragged_columns_are_refused() {
        let error = Columns::new().f32("a", vec![1.0]).f32("b", vec![1.0, 2.0]).build().unwrap_err();
        assert!(matches!(error, TableError::Ragged(_)), "{error}");
    }
}
