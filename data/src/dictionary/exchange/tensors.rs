//! Tensors of other libraries' files: of exactly the expected shape, and none that is not understood.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ExchangeError;
use crate::weights::{StoredType, Weights};

/// A file of tensors.
pub(super) struct Tensors {
    path: PathBuf,
    weights: Weights,
}

impl Tensors {
    pub(super) fn open(path: &Path) -> Result<Tensors, ExchangeError> {
        Ok(Tensors { path: path.to_owned(), weights: Weights::open(path)? })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.weights.info(name).is_some()
    }

    /// The first of `names` that is there.
    pub(super) fn first<'n>(&self, names: &[&'n str]) -> Result<&'n str, ExchangeError> {
        let found = names.iter().find(|name| self.has(name));
        found.copied().ok_or_else(|| {
            let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" nor ");
            self.wrong(format!("it has no {names}; it holds {}", self.list()))
        })
    }

    pub(super) fn shape(&self, name: &str) -> Result<&[usize], ExchangeError> {
        self.first(&[name])?;
        Ok(self.weights.info(name).map(|info| info.shape.as_slice()).unwrap_or_default())
    }

    /// The two sides of a matrix.
    pub(super) fn matrix(&self, name: &str) -> Result<[usize; 2], ExchangeError> {
        let shape = self.shape(name)?;
        <[usize; 2]>::try_from(shape)
            .map_err(|_| self.wrong(format!("`{name}` has the shape {shape:?}, expected is a matrix")))
    }

    /// A tensor of this shape.
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ExchangeError> {
        let actual = self.shape(name)?;
        if actual != shape {
            return Err(self.wrong(format!("`{name}` has the shape {actual:?}, expected is {shape:?}")));
        }
        Ok(self.weights.read_f32(name)?)
    }

    /// The transpose of a tensor that is stored as `[rows, columns]`.
    pub(super) fn read_transposed(&self, name: &str, [rows, columns]: [usize; 2]) -> Result<Vec<f32>, ExchangeError> {
        Ok(transpose(&self.read(name, &[rows, columns])?, rows, columns))
    }

    /// The single number in a tensor.
    pub(super) fn scalar(&self, name: &str) -> Result<f32, ExchangeError> {
        let shape = self.shape(name)?;
        if shape.iter().product::<usize>() != 1 {
            return Err(self.wrong(format!("`{name}` has the shape {shape:?}, expected is a single number")));
        }
        Ok(self.weights.read_f32(name)?[0])
    }

    /// Whole numbers.
    pub(super) fn integers(&self, name: &str) -> Result<Vec<i64>, ExchangeError> {
        self.first(&[name])?;
        Ok(self.weights.read_i64(name)?)
    }

    /// Refuses tensors beyond the `known` ones: they may change what is computed.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ExchangeError> {
        match self.weights.names().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let what = format!("its tensor `{name}` is not known to Golgi and may change what it computes");
                Err(ExchangeError::Unsupported { path: self.path.clone(), what })
            }
        }
    }

    /// A sentence about the precision, if reading rounded anything.
    pub(super) fn rounded(&self) -> Option<String> {
        let doubles = self.weights.names().any(|name| {
            self.weights.info(name).is_some_and(|info| info.stored == StoredType::F64 && !info.shape.is_empty())
        });
        doubles.then(|| "Its weights are stored as float64 and were rounded to float32.".to_owned())
    }

    pub(super) fn wrong(&self, what: String) -> ExchangeError {
        ExchangeError::File { path: self.path.clone(), what }
    }

    fn list(&self) -> String {
        let names: Vec<String> = self.weights.names().take(12).map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }
}

/// `[rows, columns]` as `[columns, rows]`.
pub(super) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    debug_assert_eq!(values.len(), rows * columns);
    let mut out = vec![0f32; values.len()];
    if rows > 0 {
        out.par_chunks_mut(rows).enumerate().for_each(|(column, out)| {
            out.iter_mut().enumerate().for_each(|(row, out)| *out = values[row * columns + column]);
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        assert_eq!(transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert!(transpose(&[], 0, 3).is_empty());
    }
}
