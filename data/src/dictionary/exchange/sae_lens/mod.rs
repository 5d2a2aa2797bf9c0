//! SAELens (github.com/decoderesearch/SAELens): `cfg.json` and `sae_weights.safetensors`, of version 6 and of those before.

mod read;
mod write;

use std::path::Path;

use super::Format;

/// SAELens' folders.
pub(super) static FORMAT: Format = Format {
    name: "sae_lens",
    about: "SAELens",
    files: "cfg.json and sae_weights.safetensors",
    recognise,
    read: read::read,
    write: Some(write::write),
};

const CONFIG: &str = "cfg.json";
const WEIGHTS: &str = "sae_weights.safetensors";

/// Where Golgi keeps the whole configuration of SAELens: a field of `training`.
const KEPT: &str = "sae_lens";

/// Fields about the model and the site; before version 6 they stand among the others.
const METADATA: &[&str] = &[
    "model_name",
    "hook_name",
    "model_class_name",
    "hook_head_index",
    "model_from_pretrained_kwargs",
    "prepend_bos",
    "exclude_special_tokens",
    "neuronpedia_id",
    "context_size",
    "seqpos_slice",
    "dataset_path",
    "hook_name_out",
    "hook_head_index_out",
    "hf_hook_name",
    "hf_hook_name_out",
];

fn recognise(folder: &Path) -> bool {
    folder.join(CONFIG).is_file() && folder.join(WEIGHTS).is_file()
}

/// Whether this is a version of SAELens whose configurations have the form of 6.0.
fn is_modern(version: Option<&str>) -> bool {
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major >= 6)
}
