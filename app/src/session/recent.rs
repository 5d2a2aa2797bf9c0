//! Models that were opened before, kept as JSON in Golgi's folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How many are remembered.
const KEPT: usize = 12;
/// The longest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{path} could not be written: {cause}; check that the folder exists and has space")]
pub struct StoreError {
    /// Which.
    path: String,
    /// Why.
    cause: String,
}

/// A model that was opened before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecentModel {
    /// What opens it.
    pub spec: String,
    /// Its name.
    pub name: String,
    /// One line about it, such as `llama, 134.5 M parameters`.
    #[serde(default)]
    pub about: String,
    /// When it was opened last, seconds since 1970.
    #[serde(default)]
    pub opened_secs: u64,
}

impl RecentModel {
    /// How long ago it was opened, in words.
    pub fn ago(&self) -> String {
        let secs = now_secs().saturating_sub(self.opened_secs);
        match secs {
            0..120 => "just now".into(),
            120..7_200 => format!("{} minutes ago", secs / 60),
            7_200..172_800 => format!("{} hours ago", secs / 3_600),
            _ => format!("{} days ago", secs / 86_400),
        }
    }
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The recent models, the latest first.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    list: Vec<RecentModel>,
    path: Option<PathBuf>,
}

impl Recent {
    /// Reads the list; a damaged or missing file is an empty list, a damaged entry is left out.
    pub fn load(path: Option<PathBuf>) -> Recent {
        let values: Vec<serde_json::Value> = path.as_deref().and_then(read_json).unwrap_or_default();
        let mut list: Vec<RecentModel> = values.into_iter().filter_map(|v| serde_json::from_value(v).ok()).collect();
        list.retain(|model| !model.spec.is_empty());
        list.truncate(KEPT);
        Recent { list, path }
    }

    /// The models, the latest first.
    pub fn list(&self) -> &[RecentModel] {
        &self.list
    }

    /// Puts a model in front.
    pub fn add(&mut self, spec: &str, name: &str, about: String) {
        self.list.retain(|model| model.spec != spec);
        let (spec, name) = (spec.to_owned(), name.to_owned());
        self.list.insert(0, RecentModel { spec, name, about, opened_secs: now_secs() });
        self.list.truncate(KEPT);
    }

    /// Leaves one out.
    pub fn forget(&mut self, spec: &str) {
        self.list.retain(|model| model.spec != spec);
    }

    /// Writes the list, if it has a place.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn store(&self) -> Result<(), StoreError> {
        self.path.as_deref().map_or(Ok(()), |path| write_json(path, &self.list))
    }
}

/// Reads a small JSON file; `None` if it is missing, too long or damaged.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let file = std::fs::File::open(path).ok()?;
    if file.metadata().ok()?.len() > MAX_BYTES {
        return None;
    }
    serde_json::from_reader(std::io::BufReader::new(file)).ok()
}

/// Writes a file whole or not at all.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let refuse = |cause: String| StoreError { path: path.display().to_string(), cause };
    let text = serde_json::to_string_pretty(value).map_err(|error| refuse(error.to_string()))?;
    write_whole(path, text.as_bytes()).map_err(|error| refuse(error.to_string()))
}

/// Writes bytes under a temporary name beside `path` and renames it when it is whole. The disk is not waited for: small files are
/// written between frames.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = temporary().tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Files for the user are readable as the user's settings have it, unlike temporary ones.
fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_is_first_and_damage_is_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/recent.json");
        let mut recent = Recent::load(Some(path.clone()));
        for n in 0..20 {
            recent.add(&format!("model {n}"), "m", String::new());
        }
        recent.add("model 15", "m", String::new());
        recent.store().unwrap();
        let read = Recent::load(Some(path.clone()));
        assert_eq!((read.list().len(), read.list()[0].spec.as_str()), (KEPT, "model 15"));
        std::fs::write(&path, r#"[{"spec": 3}, {"spec": "a", "name": "b"}]"#).unwrap();
        assert_eq!(Recent::load(Some(path.clone())).list().len(), 1);
        std::fs::write(&path, "[{").unwrap();
        assert!(Recent::load(Some(path)).list().is_empty());
    }
}
