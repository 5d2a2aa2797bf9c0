//! The state of a dictionary in training on disk: one file, so that it is either the old or the new one.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use golgi_data::weights::Weights;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::{Deserialize, Serialize};

use super::trainer::{State, Trainer};
use crate::SaeError;

/// What a checkpoint says beside its arrays.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Everything that the trainer remembers.
    pub(super) state: State,
    /// Where the rows go on.
    pub(super) place: (u64, u64),
    /// Of everything that decides what comes out; another run's checkpoint is refused.
    pub(super) digest: String,
    /// The steps since the last record, bit by bit: JSON's decimal numbers do not always come back as they were.
    pub(super) since: Vec<[u64; 10]>,
    /// In how many of their rows each latent was active.
    pub(super) fired: Vec<u32>,
}

/// The key of the header in the file's metadata.
const KEY: &str = "golgi";

/// Writes weights, moments and state.
///
/// # Errors
/// If the file cannot be written; the one before stays.
pub(super) fn write(path: &Path, trainer: &Trainer, header: &Header) -> Result<(), SaeError> {
    let io = |source| SaeError::Io { action: "write", path: path.to_owned(), source };
    let header = serde_json::to_string(header).map_err(|error| io(io::Error::other(error)))?;
    let sets = [("weights", &trainer.parameters), ("mean", &trainer.mean), ("square", &trainer.square)];
    let bytes: Vec<(String, Vec<u8>)> = sets
        .iter()
        .flat_map(|(set, arrays)| arrays.arrays().map(|(name, values)| (format!("{set}.{name}"), values)))
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| (name, values.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views: Result<Vec<(&str, TensorView<'_>)>, _> = bytes
        .iter()
        .map(|(name, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?)))
        .collect::<Result<_, safetensors::SafeTensorError>>();
    let wrong = |error: safetensors::SafeTensorError| io(io::Error::other(error.to_string()));
    let metadata = HashMap::from([(KEY.to_owned(), header)]);
    let file = serialize(views.map_err(wrong)?, Some(metadata)).map_err(wrong)?;
    super::run::write_whole(path, &file)
}

/// Reads weights, moments and state into a trainer of the same settings, and returns what else it says.
///
/// # Errors
/// If the checkpoint is damaged or of another run.
pub(super) fn read(path: &Path, trainer: &mut Trainer, digest: &str) -> Result<Header, SaeError> {
    let damaged = |why: String| SaeError::Resume { path: path.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|source| SaeError::Io { action: "read", path: path.to_owned(), source })?;
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
        .map_err(|error| damaged(format!("its checkpoint is damaged ({error}); begin anew in another folder")))?;
    let header = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
    let header: Header = header
        .ok_or_else(|| "it is no checkpoint of a dictionary".to_owned())
        .and_then(|text| serde_json::from_str(text).map_err(|error| error.to_string()))
        .map_err(|why| damaged(format!("its checkpoint is not readable: {why}")))?;
    if header.digest != digest {
        return Err(damaged(
            "its checkpoint was made with other settings or other activations; use those, or another folder".to_owned(),
        ));
    }
    let weights = Weights::from_bytes(bytes, "checkpoint.safetensors")
        .map_err(|error| damaged(format!("its checkpoint is damaged: {error}")))?;
    let sets = [("weights", &mut trainer.parameters), ("mean", &mut trainer.mean), ("square", &mut trainer.square)];
    for (set, arrays) in sets {
        for (name, values) in arrays.arrays_mut() {
            if values.is_empty() {
                continue;
            }
            let name = format!("{set}.{name}");
            let read = weights.read_f32(&name).map_err(|error| damaged(error.to_string()))?;
            if read.len() != values.len() {
                return Err(damaged(format!("`{name}` has {} numbers, expected {}", read.len(), values.len())));
            }
            *values = read;
        }
    }
    if header.state.silent.len() != trainer.state.silent.len() || header.fired.len() != trainer.state.silent.len() {
        return Err(damaged("its checkpoint counts other latents".to_owned()));
    }
    trainer.state = header.state.clone();
    Ok(header)
}
