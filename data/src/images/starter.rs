//! What the starter images are made of, as their `SOURCES.json` says.

use std::fs;
use std::path::{Path, PathBuf};

use golgi_fetch::starter::{SOURCES, images};
use serde::{Deserialize, Serialize};

use super::ImageError;
use super::error::io;

/// A package that starter images were taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StarterImages {
    /// Such as `wheel`.
    pub kind: String,
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// The licence of what was taken from it.
    pub licence: String,
    /// How many pictures it gave.
    pub images: u64,
}

#[derive(Deserialize)]
struct Sources {
    parts: Vec<StarterImages>,
}

/// Where the starter images lie under `home`.
pub fn starter_folder(home: &Path) -> PathBuf {
    images::folder(home)
}

/// The starter images under `home`: their number and digest, and their sources.
///
/// # Errors
/// [`ImageError::NoStarter`] if they were not made or are not whole.
pub fn starter_parts(home: &Path) -> Result<(images::Summary, Vec<StarterImages>), ImageError> {
    let folder = starter_folder(home);
    let Some(summary) = images::installed(home) else { return Err(ImageError::NoStarter { folder }) };
    let path = folder.join(SOURCES);
    let text = fs::read_to_string(&path).map_err(io("read", &path))?;
    // What cannot be understood was not written by the set-up.
    let sources: Sources = serde_json::from_str(&text).map_err(|_| ImageError::NoStarter { folder })?;
    Ok((summary, sources.parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::ImageSet;

    #[test]
    fn starter_images_are_opened_where_they_are_whole() {
        let home = tempfile::tempdir().unwrap();
        let folder = starter_folder(home.path());
        fs::create_dir_all(folder.join("a")).unwrap();
        fs::write(folder.join("a/one.png"), "12345").unwrap();
        fs::write(folder.join("images.csv"), "path,label,licence\na/one.png,a,\"CC0, mine\"\n").unwrap();
        assert!(starter_parts(home.path()).unwrap_err().to_string().contains("cargo xtask setup"));
        let part = r#"{"kind": "wheel", "package": "w", "version": "1", "licence": "CC0", "images": 1}"#;
        let head = "{\n\"sha256\": \"ab\",\n\"images\": \"1\",\n\"classes\": \"1\",\n\"bytes\": \"5\",\n\"parts\": [";
        fs::write(folder.join(SOURCES), format!("{head}{part}]}}")).unwrap();
        let (summary, parts) = starter_parts(home.path()).unwrap();
        assert_eq!((summary.images, parts[0].package.as_str(), parts[0].images), (1, "w", 1));
        let set = ImageSet::open_in(home.path(), "starter").unwrap();
        assert_eq!((set.name(), set.classes()), ("starter", ["a".to_owned()].as_slice()));
    }
}
