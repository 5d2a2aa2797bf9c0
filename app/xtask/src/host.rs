//! The machine this runs on and the folder everything is kept in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What set-up must know of a machine. Plain data, so that tests can describe machines that are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Everything that is downloaded lies here.
    pub home: PathBuf,
    /// `linux` or `macos` as the standard library names it.
    pub os: &'static str,
    /// `x86_64` or `aarch64` as the standard library names it.
    pub arch: &'static str,
    /// How packages are installed.
    pub manager: Manager,
    /// Whether this process may install them.
    pub root: bool,
    /// Whether the CUDA build of libtorch is wanted.
    pub cuda: bool,
    /// The user's own libtorch.
    pub own_libtorch: Option<PathBuf>,
}

/// Families of package managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Ubuntu and what derives from them.
    Apt,
    /// Fedora and what derives from it.
    Dnf,
    /// Arch and what derives from it.
    Pacman,
    /// openSUSE.
    Zypper,
    /// macOS, whose own tools serve.
    Mac,
    /// Anything else: packages are described, not named.
    Unknown,
}

impl Host {
    /// Looks at the machine and its variables.
    ///
    /// # Errors
    /// No folder to keep things in.
    pub fn detect() -> Result<Self> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let home = match variable("GOLGI_HOME") {
            Some(home) => PathBuf::from(home),
            None => default_home(env::consts::OS, &variable)
                .context("neither GOLGI_HOME nor HOME is set; set GOLGI_HOME to a folder for downloads")?,
        };
        // Tests run in other folders: a relative path would mean something else there.
        let home = std::path::absolute(&home).with_context(|| format!("cannot use the folder {}", home.display()))?;
        let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let graphics_card = Path::new("/dev/nvidia0").exists() || find_program("nvidia-smi").is_some();
        Ok(Self {
            home,
            os: env::consts::OS,
            arch: env::consts::ARCH,
            manager: manager(env::consts::OS, &os_release),
            root: fs::read_to_string("/proc/self/status").is_ok_and(|status| effective_uid(&status) == Some(0)),
            cuda: wants_cuda(env::var("GOLGI_CUDA").ok().as_deref(), graphics_card),
            own_libtorch: variable("LIBTORCH").map(PathBuf::from),
        })
    }

    /// Where downloads lie until they are unpacked.
    pub fn downloads(&self) -> PathBuf {
        self.home.join("downloads")
    }
}

/// The platform's cache folder + `/golgi`, as the application itself computes it.
fn default_home(os: &str, variable: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let user = variable("HOME").map(PathBuf::from);
    let cache = if os == "macos" {
        user?.join("Library/Caches")
    } else {
        match variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
            Some(cache) => cache,
            None => user?.join(".cache"),
        }
    };
    Some(cache.join("golgi"))
}

fn manager(os: &str, os_release: &str) -> Manager {
    if os == "macos" {
        return Manager::Mac;
    }
    let field = |name: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let names = format!("{} {}", field("ID"), field("ID_LIKE"));
    names
        .split_whitespace()
        .find_map(|name| match name {
            "debian" | "ubuntu" => Some(Manager::Apt),
            "fedora" | "rhel" => Some(Manager::Dnf),
            "arch" => Some(Manager::Pacman),
            "suse" | "opensuse" => Some(Manager::Zypper),
            _ => None,
        })
        .unwrap_or(Manager::Unknown)
}

/// The second number of the `Uid:` line.
fn effective_uid(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}

fn wants_cuda(variable: Option<&str>, graphics_card: bool) -> bool {
    match variable {
        Some("0") => false,
        None | Some("") => graphics_card,
        Some(_) => true,
    }
}

/// The first program of this name on the search path.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_recognised_by_themselves_or_their_parents() {
        let of = |text| manager("linux", text);
        assert_eq!(of("NAME=\"Debian GNU/Linux\"\nID=debian\n"), Manager::Apt);
        assert_eq!(of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Manager::Apt);
        assert_eq!(of("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"), Manager::Dnf);
        assert_eq!(of("ID=manjaro\nID_LIKE=arch\n"), Manager::Pacman);
        assert_eq!(of("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n"), Manager::Zypper);
        assert_eq!(of("ID=nixos\nVERSION_ID=debian\n"), Manager::Unknown);
        assert_eq!(of(""), Manager::Unknown);
        assert_eq!(manager("macos", ""), Manager::Mac);
    }

    #[test]
    fn the_home_follows_the_platform() {
        let linux = |xdg: Option<&'static str>| {
            default_home("linux", &move |name| match name {
                "HOME" => Some("/home/me".into()),
                "XDG_CACHE_HOME" => xdg.map(Into::into),
                _ => None,
            })
        };
        assert_eq!(linux(None), Some("/home/me/.cache/golgi".into()));
        assert_eq!(linux(Some("/big disk")), Some("/big disk/golgi".into()));
        assert_eq!(linux(Some("relative")), Some("/home/me/.cache/golgi".into()));
        let mac = default_home("macos", &|name| (name == "HOME").then(|| "/Users/me".into()));
        assert_eq!(mac, Some("/Users/me/Library/Caches/golgi".into()));
        assert_eq!(default_home("linux", &|_| None), None);
    }

    #[test]
    fn the_effective_user_counts() {
        assert_eq!(effective_uid("Name:\tx\nUid:\t1000\t0\t0\t0\n"), Some(0));
        assert_eq!(effective_uid("Uid:\t0\t1000\t0\t0\n"), Some(1000));
        assert_eq!(effective_uid(""), None);
    }

    #[test]
    fn the_variable_overrules_the_hardware() {
        assert!(wants_cuda(None, true) && !wants_cuda(None, false));
        assert!(!wants_cuda(Some("0"), true) && wants_cuda(Some("1"), false) && !wants_cuda(Some(""), false));
    }
}
