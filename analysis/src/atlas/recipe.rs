//! What a build was asked to do, written beside its results: a build goes on only with what it began with.

use std::path::Path;

use golgi_data::corpus::PackedCorpus;
use golgi_probes::OpenModel;
use serde_json::{Value, json};

use super::subject::Subject;
use super::{BuildError, BuildOptions};
use crate::error::Result;

const FILE: &str = "build.json";

/// Everything that determines the tables.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    fields: Value,
}

/// The token that the model expects at the start of every text, if its tokenizer puts one there.
pub(super) fn start_token(model: &OpenModel) -> Option<u32> {
    let tokenizer = model.tokenizer.as_ref()?;
    let (with, without) = (tokenizer.encode("a").ok()?, tokenizer.encode_raw("a").ok()?);
    let first = *with.first()?;
    (with.len() > without.len() && without.first() != Some(&first)).then_some(first)
}

impl Recipe {
    pub fn new(subject: &Subject, corpus: &PackedCorpus, options: &BuildOptions) -> Result<Recipe> {
        let model = subject.model;
        let mut options = serde_json::to_value(options).unwrap_or_default();
        if let Some(options) = options.as_object_mut() {
            options.retain(|name, _| !name.starts_with("checkpoint") && !name.starts_with("snapshot"));
        }
        let dims = serde_json::to_value(&model.model.dims).unwrap_or_default();
        let dictionaries: Vec<[&str; 2]> =
            subject.dictionaries.iter().map(|own| [own.about.site.as_str(), &own.about.digest]).collect();
        let fields = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": model.name,
            "model_digest": model.digest()?,
            "family": model.model.family,
            "dims": dims,
            "dtype": model.dtype.to_string(),
            "device": format!("{:?}", model.model.device),
            "corpus_digest": corpus.digest(),
            "tokenizer_digest": corpus.tokenizer_digest(),
            "dictionaries": dictionaries,
            "options": options,
        });
        Ok(Recipe { fields })
    }

    /// A hash of it.
    pub fn key(&self) -> [u8; 32] {
        *blake3::hash(self.fields.to_string().as_bytes()).as_bytes()
    }

    /// Compares it with what lies in `folder`, or puts it there.
    pub fn claim(&self, folder: &Path) -> Result<(), BuildError> {
        if self.compare(folder)? {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(&self.fields).unwrap_or_default();
        write_whole(folder, FILE, text.as_bytes())
    }

    /// Compares it with what lies in `folder`; returns whether anything does.
    pub fn compare(&self, folder: &Path) -> Result<bool, BuildError> {
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => match serde_json::from_str::<Value>(&text) {
                Ok(found) if found == self.fields => Ok(true),
                Ok(found) => Err(BuildError::Different {
                    folder: folder.to_owned(),
                    what: differences(&found, &self.fields).join(", "),
                }),
                Err(error) => Err(BuildError::Damaged { path, cause: error.to_string() }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(BuildError::Damaged { path, cause: error.to_string() }),
        }
    }
}

/// Writes a small file under another name first, then puts it in its place.
pub(super) fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), BuildError> {
    let (path, part) = (folder.join(name), folder.join(format!("{name}.part")));
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&part)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, &path)
    };
    write().map_err(|error| BuildError::Write { path: path.clone(), cause: error.to_string() })
}

/// Names of the fields in which the two differ.
fn differences(found: &Value, wanted: &Value) -> Vec<String> {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let mut names: Vec<&String> = found.keys().chain(wanted.keys()).collect();
            names.sort_unstable();
            names.dedup();
            let names = names.into_iter().filter(|name| found.get(*name) != wanted.get(*name));
            let null = Value::Null;
            names
                .flat_map(|name| {
                    let (a, b) = (found.get(name).unwrap_or(&null), wanted.get(name).unwrap_or(&null));
                    match (a, b) {
                        (Value::Object(_), Value::Object(_)) => differences(a, b),
                        _ => vec![format!("{name}: {a}, now {b}")],
                    }
                })
                .collect()
        }
        _ => vec!["its description".to_owned()],
    }
}
