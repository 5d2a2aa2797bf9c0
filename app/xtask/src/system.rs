//! What the operating system must provide: installed on Debian-like systems when this runs as root, named elsewhere.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::host::{Host, Manager, find_program};

/// How to see that something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    /// A program on the search path.
    Program(&'static str),
    /// A Python that can run pip.
    Pip,
    /// A shared library the loader knows.
    Library(&'static str),
    /// A driver for the Vulkan loader.
    VulkanDriver,
    /// A font file whose name begins so.
    Font(&'static str),
}

/// When something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Nothing works without it.
    Building,
    /// Needed only while something is still to be downloaded.
    Fetching,
    /// The window and its tests; the command line works without it.
    Window,
}

/// One thing the system provides, and the packages it comes in.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    what: &'static str,
    probe: Probe,
    purpose: For,
    apt: &'static [&'static str],
    dnf: &'static str,
    pacman: &'static str,
    zypper: &'static str,
}

const fn window(
    what: &'static str,
    library: &'static str,
    apt: &'static [&'static str],
    dnf: &'static str,
    pacman: &'static str,
    zypper: &'static str,
) -> Need {
    Need { what, probe: Probe::Library(library), purpose: For::Window, apt, dnf, pacman, zypper }
}

/// Everything, found by reading which libraries the window system's crates load at run time (they link to none).
const NEEDS: &[Need] = &[
    Need {
        what: "a C++ compiler",
        probe: Probe::Program("c++"),
        purpose: For::Building,
        apt: &["g++"],
        dnf: "gcc-c++",
        pacman: "gcc",
        zypper: "gcc-c++",
    },
    Need {
        what: "pip for Python 3",
        probe: Probe::Pip,
        purpose: For::Fetching,
        apt: &["python3-pip"],
        dnf: "python3-pip",
        pacman: "python-pip",
        zypper: "python3-pip",
    },
    Need {
        what: "curl",
        probe: Probe::Program("curl"),
        purpose: For::Fetching,
        apt: &["curl", "ca-certificates"],
        dnf: "curl",
        pacman: "curl",
        zypper: "curl",
    },
    window("X11", "libX11.so.6", &["libx11-6"], "libX11", "libx11", "libX11-6"),
    window("X11 with XCB", "libX11-xcb.so.1", &["libx11-xcb1"], "libX11-xcb", "libx11", "libX11-xcb1"),
    window("X11 cursors", "libXcursor.so.1", &["libxcursor1"], "libXcursor", "libxcursor", "libXcursor1"),
    window("X11 input", "libXi.so.6", &["libxi6"], "libXi", "libxi", "libXi6"),
    window(
        "keyboard layouts",
        "libxkbcommon.so.0",
        &["libxkbcommon0"],
        "libxkbcommon",
        "libxkbcommon",
        "libxkbcommon0",
    ),
    window(
        "keyboard layouts for X11",
        "libxkbcommon-x11.so.0",
        &["libxkbcommon-x11-0"],
        "libxkbcommon-x11",
        "libxkbcommon-x11",
        "libxkbcommon-x11-0",
    ),
    window(
        "Wayland",
        "libwayland-client.so.0",
        &["libwayland-client0"],
        "libwayland-client",
        "wayland",
        "libwayland-client0",
    ),
    window("EGL", "libEGL.so.1", &["libegl1"], "libglvnd-egl", "libglvnd", "libglvnd"),
    window("Vulkan", "libvulkan.so.1", &["libvulkan1"], "vulkan-loader", "vulkan-icd-loader", "libvulkan1"),
    Need {
        what: "a Vulkan driver",
        probe: Probe::VulkanDriver,
        purpose: For::Window,
        apt: &["mesa-vulkan-drivers"],
        dnf: "mesa-vulkan-drivers",
        pacman: "vulkan-swrast",
        zypper: "libvulkan_lvp",
    },
    // egui draws outlines: colour emoji fonts are bitmaps to it, Symbola has the same signs as outlines.
    Need {
        what: "fonts of all scripts",
        probe: Probe::Font("NotoSansDevanagari"),
        purpose: For::Window,
        apt: &["fonts-noto-core"],
        dnf: "google-noto-sans-devanagari-fonts",
        pacman: "noto-fonts",
        zypper: "noto-sans-fonts",
    },
    Need {
        what: "Chinese, Japanese and Korean fonts",
        probe: Probe::Font("NotoSansCJK"),
        purpose: For::Window,
        apt: &["fonts-noto-cjk"],
        dnf: "google-noto-sans-cjk-fonts",
        pacman: "noto-fonts-cjk",
        zypper: "google-noto-sans-cjk-fonts",
    },
    Need {
        what: "symbols and emoji",
        probe: Probe::Font("Symbola"),
        purpose: For::Window,
        apt: &["fonts-symbola"],
        dnf: "gdouros-symbola-fonts",
        pacman: "ttf-symbola",
        zypper: "gdouros-symbola-fonts",
    },
];

/// Sees to it that the system provides what Golgi needs. `will_fetch` says whether anything is still to be downloaded.
///
/// # Errors
/// Something that building needs is missing and cannot be installed from here; the message holds the command.
pub fn ensure(host: &Host, will_fetch: bool) -> Result<()> {
    let missing = missing_on(host, will_fetch);
    if missing.is_empty() {
        return Ok(());
    }
    if host.manager == Manager::Apt && host.root {
        install(&apt_packages(&missing))?;
        return match missing_on(host, will_fetch).first() {
            None => Ok(()),
            Some(need) => {
                bail!("{} is still missing after its package was installed; see apt-get's lines above", need.what)
            }
        };
    }
    let advice = advice(host.manager, &missing);
    if missing.iter().all(|need| need.purpose == For::Window) {
        eprintln!("note: {advice}\nThe command line works without them; the window or some glyphs in it may not.");
        return Ok(());
    }
    bail!("{advice}")
}

fn missing_on(host: &Host, will_fetch: bool) -> Vec<&'static Need> {
    let installed = if host.manager == Manager::Apt { dpkg_installed() } else { Vec::new() };
    let libraries = if host.manager == Manager::Apt { String::new() } else { loader_cache() };
    missing(host, will_fetch, &|need| match (host.manager, need.probe) {
        (_, Probe::Program(name)) => find_program(name).is_some(),
        (_, Probe::Pip) => ["python3", "/usr/bin/python3", "python"].iter().any(|python| has_pip(python)),
        (Manager::Apt, _) => need.apt.iter().all(|package| installed.iter().any(|name| name == package)),
        (_, Probe::Library(name)) => libraries.lines().any(|line| line.split_whitespace().next() == Some(name)),
        (_, Probe::VulkanDriver) => {
            ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/run/opengl-driver/share/vulkan/icd.d"]
                .iter()
                .any(|folder| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()))
        }
        (_, Probe::Font(start)) => font_folders().iter().any(|folder| has_font(folder, start, 6)),
    })
}

/// The needs `sees` does not see, of those this machine has now.
fn missing(host: &Host, will_fetch: bool, sees: &dyn Fn(&Need) -> bool) -> Vec<&'static Need> {
    let matters = |need: &&Need| match need.purpose {
        For::Building => true,
        For::Fetching => will_fetch,
        // macOS brings its own window system, graphics and fonts.
        For::Window => host.os == "linux",
    };
    NEEDS.iter().filter(matters).filter(|need| !sees(need)).collect()
}

fn apt_packages(missing: &[&Need]) -> Vec<&'static str> {
    missing.iter().flat_map(|need| need.apt.iter().copied()).collect()
}

/// What is missing and the exact command that brings it.
fn advice(manager: Manager, missing: &[&Need]) -> String {
    let whats: Vec<_> = missing.iter().map(|need| need.what).collect();
    let named = |name: fn(&Need) -> &'static str| {
        let mut names: Vec<_> = missing.iter().map(|need| name(need)).collect();
        names.dedup();
        names.join(" ")
    };
    let command = match manager {
        Manager::Apt => format!("sudo apt-get install -y {}", apt_packages(missing).join(" ")),
        Manager::Dnf => format!("sudo dnf install -y {}", named(|need| need.dnf)),
        Manager::Pacman => format!("sudo pacman -S --needed --noconfirm {}", named(|need| need.pacman)),
        Manager::Zypper => format!("sudo zypper install -y {}", named(|need| need.zypper)),
        Manager::Mac if missing.iter().any(|need| need.probe == Probe::Pip) => golgi_fetch::pip_command(),
        Manager::Mac => "xcode-select --install".to_owned(),
        Manager::Unknown => {
            return format!(
                "missing here: {}; install them with this system's package manager and run the command again",
                whats.join(", ")
            );
        }
    };
    format!("missing here: {}; run this, then the command again:\n  {command}", whats.join(", "))
}

/// The packages dpkg has fully installed, of those that matter.
fn dpkg_installed() -> Vec<String> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"]);
    query.args(NEEDS.iter().flat_map(|need| need.apt));
    // It complains about each package it does not know, and its list is right all the same.
    let output = query.stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.map(|output| parse_dpkg(&String::from_utf8_lossy(&output.stdout))).unwrap_or_default()
}

fn parse_dpkg(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
}

/// Installs packages with apt-get.
///
/// # Errors
/// If apt-get fails; its own words are on the error stream.
pub fn install(packages: &[&str]) -> Result<()> {
    eprintln!("Installing system packages: {}", packages.join(" "));
    let lists = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    let mut fresh = !lists.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with("_Packages"));
    if fresh {
        apt_get(&["update"])?;
    }
    loop {
        let arguments = ["install", "--yes", "--no-install-recommends"];
        match apt_get(&[&arguments, packages].concat()) {
            Ok(()) => return Ok(()),
            // Old lists name package versions that are gone from the archive.
            Err(_) if !fresh => {
                apt_get(&["update"])?;
                fresh = true;
            }
            Err(error) => return Err(error),
        }
    }
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["--quiet", "--quiet", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]).args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(std::io::stderr());
    let status = command.status().context("cannot start apt-get")?;
    if !status.success() {
        bail!(
            "`apt-get {}` failed ({status}); its lines above say why, run the command again when that is mended",
            arguments.join(" ")
        );
    }
    Ok(())
}

fn has_pip(python: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import pip"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// `name (kind) => path` per line.
fn loader_cache() -> String {
    let programs = ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"];
    let output =
        programs.iter().find_map(|program| Command::new(program).arg("-p").stderr(Stdio::null()).output().ok());
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn font_folders() -> Vec<std::path::PathBuf> {
    let mut folders = vec!["/usr/share/fonts".into(), "/usr/local/share/fonts".into()];
    if let Some(home) = std::env::var_os("HOME") {
        folders.push(Path::new(&home).join(".local/share/fonts"));
        folders.push(Path::new(&home).join(".fonts"));
    }
    folders
}

fn has_font(folder: &Path, start: &str, depth: u32) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        let named =
            entry.file_name().to_string_lossy().replace('-', "").to_lowercase().starts_with(&start.to_lowercase());
        (named && path.is_file()) || (depth > 0 && path.is_dir() && has_font(&path, start, depth - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(os: &'static str, manager: Manager, root: bool) -> Host {
        Host { home: "/nowhere".into(), os, arch: "x86_64", manager, root, cuda: false, own_libtorch: None }
    }

    /// What dpkg-query says on a bare image with gcc and Python.
    const BARE: &str = "curl not-installed\ng++ installed\nlibx11-6 config-files\nlibxkbcommon0 installed\n";

    fn sees_by_dpkg(need: &Need) -> bool {
        let installed = parse_dpkg(BARE);
        need.apt.iter().all(|package| installed.iter().any(|name| name == package))
    }

    #[test]
    fn what_dpkg_does_not_have_whole_is_installed() {
        assert_eq!(parse_dpkg(BARE), ["g++", "libxkbcommon0"]);
        let missing = missing(&host("linux", Manager::Apt, true), true, &sees_by_dpkg);
        let packages = apt_packages(&missing);
        for wanted in ["curl", "ca-certificates", "python3-pip", "libx11-6", "mesa-vulkan-drivers", "fonts-noto-cjk"] {
            assert!(packages.contains(&wanted), "{wanted} in {packages:?}");
        }
        assert!(!packages.contains(&"g++") && !packages.contains(&"libxkbcommon0"));
    }

    #[test]
    fn nothing_is_asked_for_when_everything_is_there() {
        assert!(missing(&host("linux", Manager::Apt, true), true, &|_| true).is_empty());
    }

    #[test]
    fn downloading_tools_are_needed_only_for_downloads() {
        let without = missing(&host("linux", Manager::Apt, true), false, &|_| false);
        assert!(without.iter().all(|need| need.purpose != For::Fetching));
        assert!(without.iter().any(|need| need.what == "a C++ compiler"));
    }

    #[test]
    fn each_system_is_told_one_command_of_its_own() {
        let all: Vec<_> = NEEDS.iter().collect();
        let apt = advice(Manager::Apt, &all);
        assert!(apt.contains("\n  sudo apt-get install -y g++ python3-pip curl ca-certificates libx11-6 "), "{apt}");
        let dnf = advice(Manager::Dnf, &all);
        assert!(dnf.contains("\n  sudo dnf install -y gcc-c++ python3-pip curl libX11 "), "{dnf}");
        // Two needs of one package name it once.
        assert_eq!(advice(Manager::Pacman, &all).matches(" libx11 ").count(), 1);
        assert!(advice(Manager::Zypper, &all).contains("zypper install"));
        let unknown = advice(Manager::Unknown, &all);
        assert!(unknown.contains("a C++ compiler, pip for Python 3") && !unknown.contains("sudo"), "{unknown}");
    }

    #[test]
    fn a_mac_needs_no_window_packages() {
        let needs = missing(&host("macos", Manager::Mac, false), true, &|_| false);
        assert_eq!(needs.len(), 3);
        assert!(advice(Manager::Mac, &needs[..1]).contains("xcode-select --install"));
    }

    #[test]
    fn fonts_are_found_in_folders_below() {
        let folder = std::env::temp_dir().join(format!("golgi-xtask-fonts-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        fs::write(folder.join("a/b/NotoSansCJK-Regular.ttc"), "").unwrap();
        assert!(has_font(&folder, "NotoSansCJK", 6));
        assert!(!has_font(&folder, "Symbola", 6));
        assert!(!has_font(&folder, "NotoSansCJK", 1));
        fs::remove_dir_all(folder).unwrap();
    }
}
