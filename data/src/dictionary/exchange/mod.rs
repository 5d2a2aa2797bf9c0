//! Dictionaries in the forms of other libraries: each is read into a [`Dictionary`], and some are written from one.
//!
//! A form is one file of this folder with the same roles (`recognise`, `read`, `write`) and one line in [`FORMATS`]. Whatever a
//! reader changes so that Golgi's formulas compute the same function stands as a sentence in [`Config::conversions`](super::Config::conversions). Which way a
//! matrix lies is taken from the documented layout of the form and checked against its configuration, never guessed.
//!
//! ```
//! use golgi_data::dictionary::exchange::{self, Format, Options};
//! use golgi_data::dictionary::{Architecture, Config, Dictionary, Part};
//!
//! let site = Part { site: "blocks.0.hook_resid_post".into(), width: 2 };
//! let dictionary = Dictionary {
//!     encoder: vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0],
//!     encoder_bias: vec![0.0; 3],
//!     decoder: vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0],
//!     decoder_bias: vec![0.0; 2],
//!     ..Dictionary::empty(Config::autoencoder(Architecture::TopK { k: 1 }, site, 3))
//! };
//! let folder = tempfile::tempdir()?;
//! exchange::write(&dictionary, Format::find("sae_lens")?, folder.path())?;
//! assert_eq!(exchange::detect(folder.path())?.name, "sae_lens");
//! let read = exchange::read(folder.path(), &Options::default())?;
//! assert_eq!(read[0].encoder, dictionary.encoder);
//! assert_eq!(read[0].config.source.as_deref(), Some("sae_lens"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod circuit_tracer;
mod convert;
mod dictionary_learning;
mod error;
mod files;
mod gemma_scope;
mod json;
mod llama_scope;
mod npz;
mod remarks;
mod sae_lens;
mod sites;
mod sparsify;
mod tensors;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use super::Dictionary;

pub use error::ExchangeError;

/// Every form, in the order in which they are listed.
pub static FORMATS: &[&Format] = &[
    &sae_lens::FORMAT,
    &sparsify::FORMAT,
    &dictionary_learning::FORMAT,
    &gemma_scope::FORMAT,
    &llama_scope::FORMAT,
    &circuit_tracer::FORMAT,
];

/// How many entries of a folder are looked at for a hint.
const MAX_ENTRIES: usize = 200;

type Sink<'a> = dyn FnMut(Dictionary) -> Result<(), ExchangeError> + 'a;

/// Writes a dictionary into a folder.
type Write = fn(&Dictionary, &Path) -> Result<(), ExchangeError>;

/// A form of dictionaries on disk.
pub struct Format {
    /// Its name in commands and files.
    pub name: &'static str,
    /// Whose it is.
    pub about: &'static str,
    /// What a folder of it holds.
    pub files: &'static str,
    recognise: fn(&Path) -> bool,
    read: fn(&Source<'_>, &mut Sink<'_>) -> Result<(), ExchangeError>,
    write: Option<Write>,
}

impl Format {
    /// The form of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(name: &str) -> Result<&'static Format, ExchangeError> {
        let known = || FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
        let found = FORMATS.iter().find(|format| format.name == name).copied();
        found.ok_or_else(|| ExchangeError::UnknownFormat { name: name.chars().take(60).collect(), known: known() })
    }

    /// Whether dictionaries can be written in it.
    pub fn writes(&self) -> bool {
        self.write.is_some()
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Format").field(&self.name).finish()
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Format) -> bool {
        self.name == other.name
    }
}

/// What a reader is told beyond the files.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// The form; found out by the files if `None`.
    pub format: Option<&'static Format>,
    /// The site that it reads, where the files do not say it in a way that Golgi understands. In a set with a dictionary
    /// for each layer it stands without the layer: `hook_resid_mid`.
    pub site: Option<String>,
    /// The site that a transcoder writes, in the same way.
    pub target: Option<String>,
}

/// A folder to read, and what is known of it.
struct Source<'a> {
    folder: PathBuf,
    options: &'a Options,
}

/// Finds out the form of what lies at `path`, a folder or one of the files in it, by the files that are there.
///
/// # Errors
/// If it is none of [`FORMATS`], or could be several.
pub fn detect(path: &Path) -> Result<&'static Format, ExchangeError> {
    let folder = folder(path)?;
    let matching: Vec<&'static Format> = FORMATS.iter().copied().filter(|format| (format.recognise)(&folder)).collect();
    match matching[..] {
        [format] => Ok(format),
        [] => Err(ExchangeError::Unrecognised { found: found(&folder), known: expected(), path: folder }),
        _ => {
            let names = matching.iter().map(|format| format.name).collect::<Vec<_>>().join(" or ");
            Err(ExchangeError::Ambiguous { path: folder, names })
        }
    }
}

/// Reads the dictionary at `path`, a folder or one of the files in it; of sets with a dictionary for each layer all of them.
///
/// # Errors
/// If it is of no known form, damaged, contradicts itself, or computes something that a [`Dictionary`] cannot say.
pub fn read(path: &Path, options: &Options) -> Result<Vec<Dictionary>, ExchangeError> {
    let mut all = Vec::new();
    read_each(path, options, &mut |dictionary| {
        all.push(dictionary);
        Ok(())
    })?;
    Ok(all)
}

/// As [`read`], but hands over one dictionary at a time: sets can be larger than memory.
///
/// # Errors
/// As [`read`], and what `each` returns.
pub fn read_each(
    path: &Path,
    options: &Options,
    each: &mut dyn FnMut(Dictionary) -> Result<(), ExchangeError>,
) -> Result<(), ExchangeError> {
    let format = match options.format {
        Some(format) => format,
        None => detect(path)?,
    };
    (format.read)(&Source { folder: folder(path)?, options }, each)
}

/// Writes a dictionary into a folder, which is made. Reading it again gives the same dictionary, bit for bit.
///
/// # Errors
/// If the form cannot say what the dictionary computes, or the folder cannot be written.
pub fn write(dictionary: &Dictionary, format: &Format, folder: &Path) -> Result<(), ExchangeError> {
    let Some(write) = format.write else {
        let known: Vec<&str> = FORMATS.iter().filter(|one| one.writes()).map(|one| one.name).collect();
        return Err(ExchangeError::ReadOnly { name: format.name, known: known.join(", ") });
    };
    dictionary.check()?;
    write(dictionary, folder)
}

/// Checks a dictionary that was read and hands it over.
fn finish(mut dictionary: Dictionary, format: &Format, each: &mut Sink<'_>) -> Result<(), ExchangeError> {
    if dictionary.config.source.is_none() {
        dictionary.config.source = Some(format.name.to_owned());
    }
    dictionary.check()?;
    each(dictionary)
}

/// The folder that `path` is or lies in, with its parents in it.
fn folder(path: &Path) -> Result<PathBuf, ExchangeError> {
    let io = |source| ExchangeError::Io { action: "read", path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(io)?;
    // Not canonical: in a cache of the hub, files are links, and the names above them say which dictionary it is.
    let path = std::path::absolute(path).map_err(io)?;
    Ok(if metadata.is_dir() { path } else { path.parent().map(Path::to_owned).unwrap_or_default() })
}

/// What is in a folder, as a hint.
fn found(folder: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(folder) else { return "nothing that can be read".to_owned() };
    let mut names: Vec<(String, PathBuf)> = entries
        .take(MAX_ENTRIES)
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    names.sort();
    let inside = names.iter().find_map(|(name, path)| {
        let format = FORMATS.iter().find(|format| path.is_dir() && (format.recognise)(path))?;
        Some(format!("; its folder `{name}` looks like {}", format.name))
    });
    let list: Vec<String> = names.iter().take(6).map(|(name, _)| format!("`{name}`")).collect();
    let more = if names.len() > 6 { ", …" } else { "" };
    let list = if list.is_empty() { "nothing".to_owned() } else { list.join(", ") };
    format!("{list}{more}{}", inside.unwrap_or_default())
}

fn expected() -> String {
    FORMATS.iter().map(|format| format!("{} ({})", format.name, format.files)).collect::<Vec<_>>().join(", ")
}
