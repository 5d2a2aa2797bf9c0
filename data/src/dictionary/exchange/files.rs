//! A folder of one file of weights and one of configuration, whole or not there.

use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::serialize_to_file;
use serde_json::Value;

use super::ExchangeError;
use crate::dictionary::native::{Floats, persist};

/// Writes both; the configuration last.
pub(super) fn write(
    folder: &Path,
    weights: (&str, Vec<(&str, Floats<'_>)>),
    config: (&str, &Value),
) -> Result<(), ExchangeError> {
    let io = |source| ExchangeError::Io { action: "write", path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    let file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    serialize_to_file(weights.1, None, file.path()).map_err(|error| io(io::Error::other(error.to_string())))?;
    persist(file, &folder.join(weights.0))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(format!("{:#}\n", config.1).as_bytes()).map_err(io)?;
    persist(file, &folder.join(config.0))?;
    Ok(())
}
