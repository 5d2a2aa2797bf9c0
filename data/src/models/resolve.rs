//! From what a user types to the files of a model.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{CatalogueEntry, InstallError, catalogue, home};
use crate::context::RunContext;
use crate::hub::{Address, Choice, Hub, HubError, choose_weights};
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::weights::{Weights, WeightsError, closest, hub_config};

/// The largest `config.json` accepted, in bytes.
const MAX_CONFIG: u64 = 16 << 20;
/// As much of a `README.md` as is searched for the licence, in bytes.
const MAX_README: u64 = 64 << 10;

/// A model's files, opened: headers are read, weights are not.
#[derive(Debug)]
pub struct ModelFiles {
    /// A short name: of the catalogue, of the repository, or of the file.
    pub name: String,
    /// What the user typed.
    pub spec: String,
    /// The file or folder the model is in.
    pub path: PathBuf,
    /// The configuration as the hub's `config.json` has it; `Null` where a lone file of weights has none.
    pub config: Value,
    /// What a model for images expects of them, as the hub's `preprocessor_config.json` has it; `Null` where there is none.
    pub preprocessor: Value,
    /// The weights.
    pub weights: Weights,
    /// The tokenizer, if there is one of a kind that can be read.
    pub tokenizer: Option<Tokenizer>,
    /// The licence, where the files say.
    pub licence: Option<String>,
    /// The commit on the hub, or the package's version.
    pub revision: Option<String>,
}

/// Why a model could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No catalogue name, no file, no folder.
    #[error(
        "there is no model `{spec}`: no file or folder of that name, and none in the catalogue{}",
        hint(spec, closest)
    )]
    Unknown {
        /// What was given.
        spec: String,
        /// Names of the catalogue that are close to it.
        closest: Vec<String>,
    },
    /// In the catalogue, not on disk.
    #[error("{name} is not installed; install it with `golgi models fetch {name}`{}", terms(.consent))]
    NotInstalled {
        /// Its name.
        name: &'static str,
        /// The licence to accept first, if there is one.
        consent: Option<&'static str>,
    },
    /// A folder without weights.
    #[error(
        "{} holds no weights (looked for model.safetensors, an index of shards, one .safetensors, pytorch_model.bin, \
         one .gguf, .pth, .pt or .bin)",
        folder.display()
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder with several models.
    #[error("{} holds several files of weights ({}); name one of them", folder.display(), names.join(", "))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// The files.
        names: Vec<String>,
    },
    /// A cached model lacks its weights, and nothing may be downloaded.
    #[error("the hub's cache does not hold {repo} whole; allow the download, or fetch it with another program")]
    NotCached {
        /// The repository.
        repo: String,
    },
    /// The configuration is damaged.
    #[error("{} is damaged ({cause}); download the model again", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {cause}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        #[source]
        cause: std::io::Error,
    },
    /// The catalogue's model could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The hub's model could not be found or fetched.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The weights could not be opened.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The tokenizer is damaged.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

fn hint(spec: &str, closest: &[String]) -> String {
    let names = || catalogue().iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    match closest {
        [] if spec.matches('/').count() == 1 && !spec.starts_with(['.', '/', '~']) => {
            format!("; for a model of the hub write hf://{spec}")
        }
        [] => format!(" ({}); check the path", names()),
        close => format!("; did you mean {}?", close.join(" or ")),
    }
}

fn terms(consent: &Option<&'static str>) -> String {
    consent.map_or(String::new(), |licence| format!(" (you are asked to accept the {licence})"))
}

/// Finds models.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// The folder with the catalogue's models.
    pub home: PathBuf,
    /// Whether no socket may be opened, whatever else is allowed.
    pub offline: bool,
    /// Whether a missing model may be downloaded.
    pub allow_download: bool,
    /// The hub's cache and address.
    pub hub: Hub,
}

impl Default for Resolver {
    /// As the environment says; downloads nothing.
    fn default() -> Resolver {
        Resolver { home: home(), offline: false, allow_download: false, hub: Hub::from_env() }
    }
}

/// What an opened model is called, where it came from.
#[derive(Default)]
struct Origin {
    name: Option<String>,
    licence: Option<String>,
    revision: Option<String>,
}

impl Resolver {
    /// Opens the model that `spec` names: a name of the catalogue, a hub folder, a single file of weights, or
    /// `hf://org/repo[/file][@revision]`.
    ///
    /// # Errors
    /// If there is no such model, it may not be or cannot be downloaded, or its files are damaged.
    pub fn resolve(&self, spec: &str, ctx: &RunContext) -> Result<ModelFiles, ResolveError> {
        let path = Path::new(spec);
        if spec.starts_with("hf://") {
            self.open_from_hub(spec, &Address::parse(spec)?, ctx)
        } else if let Some(entry) = catalogue().iter().find(|entry| entry.name == spec) {
            self.open_from_catalogue(entry, ctx)
        } else if let Some(address) = cached_repo(path) {
            let hub = Hub { cache: path.parent().unwrap_or(Path::new(".")).to_owned(), ..self.hub.clone() };
            Resolver { hub, allow_download: false, ..self.clone() }.open_from_hub(spec, &address, ctx)
        } else if path.exists() {
            open(spec, path, Origin::default(), ctx)
        } else {
            let close = closest(&spec.to_lowercase(), catalogue().iter().map(|entry| entry.name));
            Err(ResolveError::Unknown { spec: spec.to_owned(), closest: close })
        }
    }

    fn open_from_catalogue(&self, entry: &CatalogueEntry, ctx: &RunContext) -> Result<ModelFiles, ResolveError> {
        let path = if entry.is_installed(&self.home) {
            entry.path(&self.home)
        } else if self.allow_download && !self.offline && !entry.needs_consent {
            entry.fetch(&self.home, ctx)?
        } else {
            let consent = entry.needs_consent.then_some(entry.licence);
            return Err(ResolveError::NotInstalled { name: entry.name, consent });
        };
        let origin = Origin {
            name: Some(entry.name.to_owned()),
            licence: Some(entry.licence.to_owned()),
            revision: Some(entry.revision.to_owned()),
        };
        open(entry.name, &path, origin, ctx)
    }

    fn open_from_hub(&self, spec: &str, address: &Address, ctx: &RunContext) -> Result<ModelFiles, ResolveError> {
        let target = |folder: &Path| address.file.as_ref().map_or(folder.to_owned(), |file| folder.join(file));
        let whole = |folder: &Path| target(folder).is_file() || is_whole(folder);
        let cached = self.hub.snapshot(address)?.filter(|snapshot| whole(&snapshot.path));
        let snapshot = match cached {
            Some(snapshot) => snapshot,
            None if self.offline => return Err(HubError::Offline { repo: address.repo.clone() }.into()),
            None if self.allow_download => self.hub.fetch(address, ctx)?,
            None => return Err(ResolveError::NotCached { repo: address.repo.clone() }),
        };
        let origin = Origin { name: Some(address.repo.clone()), licence: None, revision: Some(snapshot.revision) };
        open(spec, &target(&snapshot.path), origin, ctx)
    }
}

/// The address of a folder `models--org--name` of a hub's cache.
fn cached_repo(path: &Path) -> Option<Address> {
    let name = path.file_name()?.to_str()?.strip_prefix("models--")?;
    path.join("snapshots").is_dir().then(|| Address::parse(&format!("hf://{}", name.replacen("--", "/", 1))).ok())?
}

/// Whether a snapshot has weights, and all shards that its index lists.
fn is_whole(folder: &Path) -> bool {
    let shards = |index: &Path| -> Option<bool> {
        let index: Value = serde_json::from_slice(&fs::read(index).ok()?).ok()?;
        let mut names = index["weight_map"].as_object()?.values();
        Some(names.all(|name| name.as_str().is_some_and(|name| folder.join(name).is_file())))
    };
    match file_names(folder).map(|names| choose_weights(&names)) {
        Ok(Choice::One(_) | Choice::Several(_)) => true,
        Ok(Choice::Index(name)) => shards(&folder.join(name)).unwrap_or(false),
        Ok(Choice::Nothing) | Err(_) => false,
    }
}

fn file_names(folder: &Path) -> Result<Vec<String>, ResolveError> {
    let io = |cause| ResolveError::Io { path: folder.to_owned(), cause };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        // Links of the hub's cache count as what they lead to.
        if entry.path().is_file() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

/// Opens what lies at `path`.
fn open(spec: &str, path: &Path, origin: Origin, ctx: &RunContext) -> Result<ModelFiles, ResolveError> {
    let is_folder = path.is_dir();
    let (folder, file) = if is_folder {
        let file = match choose_weights(&file_names(path)?) {
            Choice::One(name) | Choice::Index(name) => path.join(name),
            Choice::Several(names) => return Err(ResolveError::Several { folder: path.to_owned(), names }),
            Choice::Nothing => return Err(ResolveError::NoWeights { folder: path.to_owned() }),
        };
        (path.to_owned(), file)
    } else {
        // A bare file name lies in the current folder.
        (path.parent().map(Path::to_owned).unwrap_or_default(), path.to_owned())
    };
    ctx.stage("opening the model", 0);
    let weights = Weights::open(&file)?;
    // A GGUF describes itself; files beside it may belong to another model.
    let (config, preprocessor, tokenizer, licence) = match weights.gguf() {
        Some(meta) => {
            let licence = meta.string("general.license").map(str::to_owned);
            (hub_config(meta, &weights)?, Value::Null, Tokenizer::from_gguf(meta), licence)
        }
        None => {
            let [config, preprocessor] =
                ["config.json", "preprocessor_config.json"].map(|name| read_json(&folder, name));
            (config?, preprocessor?, Tokenizer::from_folder(&folder), licence_of(&folder))
        }
    };
    let tokenizer = match tokenizer {
        Ok(tokenizer) => Some(tokenizer),
        Err(error) if error.is_absent() => {
            if !matches!(error, TokenizerError::Missing { .. } | TokenizerError::NotInGguf) {
                ctx.warn(error.to_string());
            }
            None
        }
        Err(error) => return Err(error.into()),
    };
    for warning in tokenizer.iter().flat_map(Tokenizer::warnings) {
        ctx.warn(warning.clone());
    }
    let named = if is_folder { path.file_name() } else { path.file_stem() };
    let name = origin.name.or_else(|| named.map(|name| name.to_string_lossy().into_owned()));
    Ok(ModelFiles {
        name: name.unwrap_or_else(|| spec.to_owned()),
        spec: spec.to_owned(),
        path: path.to_owned(),
        config,
        preprocessor,
        weights,
        tokenizer,
        licence: origin.licence.or(licence),
        revision: origin.revision,
    })
}

/// A JSON object beside the weights, or `Null`.
fn read_json(folder: &Path, name: &str) -> Result<Value, ResolveError> {
    let path = folder.join(name);
    let bytes = match read_start(&path, MAX_CONFIG) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Null),
        Err(cause) => return Err(ResolveError::Io { path, cause }),
    };
    match serde_json::from_slice(&bytes) {
        Ok(config @ Value::Object(_)) => Ok(config),
        Ok(_) => Err(ResolveError::Config { path, cause: "it is not a JSON object".to_owned() }),
        Err(e) => Err(ResolveError::Config { path, cause: e.to_string() }),
    }
}

/// `license:` between the first two lines `---` of `README.md`, where the hub's models have it.
fn licence_of(folder: &Path) -> Option<String> {
    let bytes = read_start(&folder.join("README.md"), MAX_README).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    (lines.next()?.trim() == "---").then_some(())?;
    let mut header = lines.take_while(|line| line.trim() != "---");
    let value = header.find_map(|line| line.strip_prefix("license:"))?.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn read_start(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
