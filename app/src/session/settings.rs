//! What the user has set, kept between runs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::command::ThemeChoice;
use super::recent::{StoreError, read_json, write_json};

/// Settings. A damaged or missing file means the defaults.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Dark or light.
    pub theme: ThemeChoice,
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Settings {
    /// Reads them.
    pub fn load(path: Option<PathBuf>) -> Settings {
        let read: Settings = path.as_deref().and_then(read_json).unwrap_or_default();
        Settings { path, ..read }
    }

    /// Writes them, if they have a place.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn store(&self) -> Result<(), StoreError> {
        self.path.as_deref().map_or(Ok(()), |path| write_json(path, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_and_damage_is_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let mut settings = Settings::load(Some(path.clone()));
        settings.theme = ThemeChoice::Light;
        settings.store().unwrap();
        assert_eq!(Settings::load(Some(path.clone())).theme, ThemeChoice::Light);
        std::fs::write(&path, "{ \"theme\": 3").unwrap();
        assert_eq!(Settings::load(Some(path)).theme, ThemeChoice::System);
    }
}
