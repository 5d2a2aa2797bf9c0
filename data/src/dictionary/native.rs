//! Golgi's own form of a dictionary on disk.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize_to_file};

use super::config::SCHEMA;
use super::{Config, Dictionary, DictionaryError, Magnitude};
use crate::weights::Weights;

/// Name of the configuration in a dictionary's folder.
pub const CONFIG: &str = "dictionary.json";
/// Name of the weights in a dictionary's folder.
pub const WEIGHTS: &str = "weights.safetensors";
/// The longest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 64 << 20;

impl Dictionary {
    /// Reads a dictionary in Golgi's own form.
    ///
    /// # Errors
    /// If there is none, its files are damaged, or they contradict each other.
    pub fn read(folder: &Path) -> Result<Dictionary, DictionaryError> {
        let config = read_config(folder)?;
        let weights = Weights::open(&folder.join(WEIGHTS))?;
        let (m, d_in, d_out) = (config.latents as usize, config.d_in(), config.d_out());
        let read = |name: &str, shape: &[usize]| tensor(&weights, name, shape);
        let optional = |name: &str, shape: &[usize]| weights.info(name).map(|_| read(name, shape)).transpose();
        let magnitude = match (optional("r_mag", &[m])?, optional("b_mag", &[m])?) {
            (Some(log_scale), Some(bias)) => Some(Magnitude { log_scale, bias }),
            _ => None,
        };
        let dictionary = Dictionary {
            encoder: read("encoder", &[m, d_in])?,
            encoder_bias: read("encoder_bias", &[m])?,
            decoder: read("decoder", &[m, d_out])?,
            decoder_bias: read("decoder_bias", &[d_out])?,
            threshold: optional("threshold", &[m])?,
            magnitude,
            skip: optional("skip", &[d_out, d_in])?,
            config,
        };
        dictionary.check()?;
        Ok(dictionary)
    }

    /// Writes the dictionary into a folder, which is made. Files appear under their names only when they are whole, the
    /// configuration last.
    ///
    /// # Errors
    /// If the dictionary is not usable, or the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), DictionaryError> {
        self.check()?;
        let io = |source| DictionaryError::Io { action: "write", path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let (m, d_in, d_out) = (self.config.latents as usize, self.config.d_in(), self.config.d_out());
        let mut tensors = vec![
            ("encoder", Floats::new(&self.encoder, &[m, d_in])),
            ("encoder_bias", Floats::new(&self.encoder_bias, &[m])),
            ("decoder", Floats::new(&self.decoder, &[m, d_out])),
            ("decoder_bias", Floats::new(&self.decoder_bias, &[d_out])),
        ];
        tensors.extend(self.threshold.iter().map(|values| ("threshold", Floats::new(values, &[m]))));
        tensors.extend(
            self.magnitude.iter().flat_map(|one| {
                [("r_mag", Floats::new(&one.log_scale, &[m])), ("b_mag", Floats::new(&one.bias, &[m]))]
            }),
        );
        tensors.extend(self.skip.iter().map(|values| ("skip", Floats::new(values, &[d_out, d_in]))));
        let file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        serialize_to_file(tensors, None, file.path()).map_err(|error| io(io::Error::other(error.to_string())))?;
        persist(file, &folder.join(WEIGHTS))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        let text = serde_json::to_string_pretty(&self.config).map_err(|error| io(io::Error::other(error)))?;
        file.write_all(text.as_bytes()).map_err(io)?;
        persist(file, &folder.join(CONFIG))
    }
}

/// Reads the configuration alone.
pub(super) fn read_config(folder: &Path) -> Result<Config, DictionaryError> {
    let path = folder.join(CONFIG);
    let io = |source| DictionaryError::Io { action: "read", path: path.clone(), source };
    let size = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DictionaryError::NoDictionary { path: folder.to_owned(), file: CONFIG });
        }
        Err(error) => return Err(io(error)),
    };
    if size > MAX_CONFIG {
        let why = format!("it has {size} bytes; at most {MAX_CONFIG} are read");
        return Err(DictionaryError::Json { path, why });
    }
    let text = fs::read_to_string(&path).map_err(io)?;
    let config: Config = serde_json::from_str(&text).map_err(|error| {
        let other = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|value| {
            let schema = value.get("schema")?.as_str()?.chars().take(60).collect::<String>();
            (schema != SCHEMA).then(|| format!("its schema is `{schema}`, this version reads `{SCHEMA}`"))
        });
        DictionaryError::Json { path: path.clone(), why: other.unwrap_or_else(|| error.to_string()) }
    })?;
    config.check()?;
    Ok(config)
}

/// A tensor of exactly this shape.
pub(super) fn tensor(weights: &Weights, name: &str, shape: &[usize]) -> Result<Vec<f32>, DictionaryError> {
    if let Some(info) = weights.info(name)
        && info.shape != shape
    {
        let (expected, actual) = (shape.to_vec(), info.shape.clone());
        return Err(DictionaryError::Shape { name: name.to_owned(), expected, actual });
    }
    Ok(weights.read_f32(name)?)
}

pub(super) fn persist(file: tempfile::NamedTempFile, path: &Path) -> Result<(), DictionaryError> {
    let io = |source| DictionaryError::Io { action: "write", path: path.to_owned(), source };
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// A tensor of f32 for the writer.
pub(super) struct Floats<'a> {
    values: &'a [f32],
    shape: Vec<usize>,
}

impl<'a> Floats<'a> {
    pub(super) fn new(values: &'a [f32], shape: &[usize]) -> Floats<'a> {
        Floats { values, shape: shape.to_vec() }
    }
}

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.values.len() * 4
    }
}
