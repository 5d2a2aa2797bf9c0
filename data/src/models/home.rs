//! The folder under which everything that Golgi downloads lies.

use std::path::PathBuf;

/// `$GOLGI_HOME`, or else the platform's cache folder + `/golgi`, or else `.golgi` in the current folder.
///
/// Models lie under `models/<name>/`, downloads that are not unpacked yet under `downloads/`.
pub fn home() -> PathBuf {
    home_from(std::env::var_os("GOLGI_HOME").map(PathBuf::from), dirs::cache_dir())
}

fn home_from(chosen: Option<PathBuf>, cache: Option<PathBuf>) -> PathBuf {
    chosen
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or_else(|| cache.map_or_else(|| PathBuf::from(".golgi"), |cache| cache.join("golgi")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_choice_comes_first() {
        let cache = || Some(PathBuf::from("/cache"));
        assert_eq!(home_from(Some("/own".into()), cache()), PathBuf::from("/own"));
        assert_eq!(home_from(Some("".into()), cache()), PathBuf::from("/cache/golgi"));
        assert_eq!(home_from(None, cache()), PathBuf::from("/cache/golgi"));
        assert_eq!(home_from(None, None), PathBuf::from(".golgi"));
    }
}
