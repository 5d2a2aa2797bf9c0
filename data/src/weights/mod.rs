//! Files of weights: safetensors (one file or shards), GGUF, and PyTorch state dicts in both layouts.
//!
//! [`Weights`] hides the format: names, shapes and values are those that the model has on the hub, whatever the file.
//! Files are mapped, tensors are decoded when they are asked for, and nothing in a file is ever executed.
//!
//! ```
//! use golgi_data::weights::{StoredType, Weights};
//!
//! let header = br#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//! let mut file = (header.len() as u64).to_le_bytes().to_vec();
//! file.extend_from_slice(header);
//! file.extend([1f32, 2.0].iter().flat_map(|value| value.to_le_bytes()));
//!
//! let weights = Weights::from_bytes(file, "model.safetensors")?;
//! assert_eq!(weights.info("w").unwrap().stored, StoredType::F32);
//! assert_eq!(weights.read_f32("w")?, [1.0, 2.0]);
//! # Ok::<(), golgi_data::weights::WeightsError>(())
//! ```

mod error;
mod gguf;
mod pickle;
mod safetensors;
mod sniff;
mod source;
mod stored;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub(crate) use error::closest;
pub use error::{FormatError, WeightsError};
pub use gguf::config::hub_config;
pub use gguf::metadata::{GgufMetadata, GgufValue};
pub use stored::StoredType;

use sniff::{Format, sniff};
use source::{Buffer, Entry};

/// What a tensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its shape in row-major order, as on the hub.
    pub shape: Vec<usize>,
    /// How its elements are stored.
    pub stored: StoredType,
}

impl TensorInfo {
    /// The number of elements. Cannot overflow for a tensor of a file that was opened.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// An opened file of weights, or all shards of one model.
pub struct Weights {
    tensors: BTreeMap<String, Entry>,
    files: Vec<PathBuf>,
    buffers: Vec<Buffer>,
    gguf: Option<GgufMetadata>,
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weights").field("files", &self.files).field("tensors", &self.tensors.len()).finish()
    }
}

impl Weights {
    /// Opens a safetensors file, the index of a sharded model, a GGUF file or a PyTorch state dict; recognised by
    /// content. Reads headers only.
    ///
    /// # Errors
    /// If the file cannot be read, is none of these, or is damaged.
    pub fn open(path: &Path) -> Result<Weights, WeightsError> {
        let buffer = Buffer::map(path)?;
        let in_file = |fault| WeightsError::File { path: path.to_owned(), fault };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let format = sniff(buffer.bytes(), &name).map_err(in_file)?;
        if format == Format::ShardIndex {
            return Self::open_shards(path, &buffer);
        }
        let (tensors, gguf) = parse(&buffer, format).map_err(in_file)?;
        Ok(Weights { tensors, files: vec![path.to_owned()], buffers: vec![buffer], gguf })
    }

    /// As [`Weights::open`], from memory. `name` stands for the file name in messages and in [`Weights::files`].
    ///
    /// # Errors
    /// As [`Weights::open`]; an index of shards is refused, since there is no folder to look for them.
    pub fn from_bytes(bytes: Vec<u8>, name: &str) -> Result<Weights, WeightsError> {
        let in_file = |fault| WeightsError::File { path: name.into(), fault };
        let buffer = Buffer::from_vec(bytes);
        let format = sniff(buffer.bytes(), name).map_err(in_file)?;
        let (tensors, gguf) = parse(&buffer, format).map_err(in_file)?;
        Ok(Weights { tensors, files: vec![name.into()], buffers: vec![buffer], gguf })
    }

    fn open_shards(index: &Path, buffer: &Buffer) -> Result<Weights, WeightsError> {
        let in_index = |fault| WeightsError::File { path: index.to_owned(), fault };
        let shards = safetensors::parse_index(buffer.bytes()).map_err(in_index)?;
        let mut weights = Weights { tensors: BTreeMap::new(), files: Vec::new(), buffers: Vec::new(), gguf: None };
        for (shard, names) in shards {
            let (path, buffer) = safetensors::open_shard(index, &shard)?;
            let in_shard = |fault| WeightsError::File { path: path.clone(), fault };
            let format = sniff(buffer.bytes(), &shard).map_err(in_shard)?;
            let (mut tensors, _) = parse(&buffer, format).map_err(in_shard)?;
            for name in names {
                let missing = || in_index(FormatError::NotInShard { name: name.clone(), shard: shard.clone() });
                let entry = tensors.remove(&name).ok_or_else(missing)?;
                weights.tensors.insert(name, entry);
            }
            weights.files.push(path);
            weights.buffers.push(buffer);
        }
        Ok(weights)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// What the tensor `name` is, if there is one.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|entry| &entry.info)
    }

    /// Decodes a tensor, row-major, in parallel. `out` must have exactly its number of elements.
    ///
    /// # Errors
    /// If there is no such tensor, `out` has another length, or a compressed file turns out damaged.
    pub fn read_f32_into(&self, name: &str, out: &mut [f32]) -> Result<(), WeightsError> {
        let entry = self.entry(name)?;
        let expected = entry.info.elements();
        if out.len() != expected {
            return Err(WeightsError::Length { name: name.to_owned(), expected, actual: out.len() });
        }
        entry.read_f32(out).map_err(|fault| self.fault(fault))
    }

    /// As [`Weights::read_f32_into`], into a new vector.
    ///
    /// # Errors
    /// As [`Weights::read_f32_into`].
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let mut out = vec![0f32; self.entry(name)?.info.elements()];
        self.read_f32_into(name, &mut out)?;
        Ok(out)
    }

    /// Decodes a tensor of integers or truth values, row-major.
    ///
    /// # Errors
    /// If there is no such tensor, or it holds floats.
    pub fn read_i64(&self, name: &str) -> Result<Vec<i64>, WeightsError> {
        let entry = self.entry(name)?;
        let not_integers = || WeightsError::NotIntegers { name: name.to_owned(), actual: entry.info.stored };
        entry.read_i64().map_err(|fault| self.fault(fault))?.ok_or_else(not_integers)
    }

    /// The number of elements of all tensors that do not hold integers, such as position ids and batch counters.
    pub fn parameters(&self) -> u64 {
        let floats = self.tensors.values().filter(|entry| !entry.info.stored.is_integer());
        floats.fold(0, |sum, entry| sum.saturating_add(entry.info.elements() as u64))
    }

    /// The size of all files with tensors, in bytes.
    pub fn bytes_on_disk(&self) -> u64 {
        self.buffers.iter().map(|buffer| buffer.bytes().len() as u64).sum()
    }

    /// SHA-256, in hexadecimal, over the bytes of all files with tensors, in the order of their names.
    ///
    /// # Errors
    /// None today; reserved for sources that are not mapped.
    pub fn digest(&self) -> Result<String, WeightsError> {
        let mut hash = Sha256::new();
        for buffer in &self.buffers {
            hash.update(buffer.bytes());
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The metadata, if this came from a GGUF.
    pub fn gguf(&self) -> Option<&GgufMetadata> {
        self.gguf.as_ref()
    }

    /// The shape of a tensor.
    ///
    /// # Errors
    /// If there is none of that name; the message says which come close.
    pub fn shape(&self, name: &str) -> Result<&[usize], WeightsError> {
        Ok(&self.entry(name)?.info.shape)
    }

    /// The files with tensors, sorted by name: one, or the shards.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    fn entry(&self, name: &str) -> Result<&Entry, WeightsError> {
        self.tensors.get(name).ok_or_else(|| WeightsError::NoTensor {
            name: name.to_owned(),
            closest: error::closest(name, self.names()),
        })
    }

    fn fault(&self, fault: FormatError) -> WeightsError {
        WeightsError::File { path: self.files.first().cloned().unwrap_or_default(), fault }
    }
}

type Parsed = (BTreeMap<String, Entry>, Option<GgufMetadata>);

fn parse(buffer: &Buffer, format: Format) -> Result<Parsed, FormatError> {
    let (tensors, gguf) = match format {
        Format::Safetensors => (safetensors::parse(buffer)?, None),
        Format::Gguf => gguf::parse(buffer).map(|(tensors, metadata)| (tensors, Some(metadata)))?,
        Format::PickleZip => (pickle::parse_zip(buffer)?, None),
        Format::PickleLegacy => (pickle::parse_legacy(buffer)?, None),
        Format::ShardIndex => {
            return Err(FormatError::NotWeights {
                found: "a JSON file".into(),
                advice: "an index of shards must be opened from its folder and name weights".into(),
            });
        }
    };
    if tensors.is_empty() {
        return Err(FormatError::NoTensors);
    }
    Ok((tensors, gguf))
}
