//! Asks pip where the file of a package lies, without downloading it.
//!
//! `pip install --dry-run --report` would be the official way, but up to pip 26 it downloads the whole wheel first
//! (half a gigabyte for the tensor library). All versions print the links they consider when asked to be verbose,
//! before the download begins: this reads those and stops pip there.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::download::Tools;
use crate::{FetchError, Package, Platform};

/// A file pip would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Address: https, http or file.
    pub url: String,
    /// The digest the index states, where it states one.
    pub sha256: Option<String>,
}

/// What a search came to.
#[derive(Debug)]
pub(crate) enum Found {
    /// Files to choose from, best first: those of local folders, then those of the index.
    Links(Vec<Link>),
    /// A pip that does not print links as expected has downloaded the file itself.
    Wheel(PathBuf),
}

/// Kills and reaps a child when dropped, so that no way out leaves one running.
pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the child is already gone, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command that installs pip, for the machine this runs on.
pub fn pip_command() -> String {
    pip_command_for(std::env::consts::OS, &|program| {
        std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
    })
}

fn pip_command_for(os: &str, has: &dyn Fn(&str) -> bool) -> String {
    let managers = [
        ("apt-get", "sudo apt-get install -y python3-pip"),
        ("dnf", "sudo dnf install -y python3-pip"),
        ("zypper", "sudo zypper install -y python3-pip"),
        ("pacman", "sudo pacman -S --noconfirm python-pip"),
        ("apk", "sudo apk add py3-pip"),
    ];
    let found = if os == "macos" {
        if has("brew") { Some("brew install python3") } else { Some("xcode-select --install") }
    } else {
        managers.iter().find(|(program, _)| has(program)).map(|(_, command)| *command)
    };
    found.unwrap_or("python3 -m ensurepip --user").to_owned()
}

/// The first of the usual Pythons that has pip.
pub(crate) fn python(tools: &Tools, package: &Package) -> Result<String, FetchError> {
    let works = |python: &&String| {
        let mut import = Command::new(python);
        import.args(["-c", "import pip"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    };
    tools
        .pythons
        .iter()
        .find(works)
        .cloned()
        .ok_or_else(|| FetchError::NoPip { package: label(package), command: pip_command() })
}

/// `name version`, for messages.
pub(crate) fn label(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

/// pip with the settings that a user's own configuration must not change.
fn pip(tools: &Tools, python: &str) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip"]).stdin(Stdio::null()).env_remove("PIP_QUIET").env_remove("PIP_VERBOSE");
    for (name, value) in [
        ("NO_COLOR", "1"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONIOENCODING", "utf-8"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_REQUIRE_VIRTUALENV", "0"),
        ("PIP_REQUIRE_HASHES", "0"),
    ] {
        command.env(name, value);
    }
    command.envs(tools.env.iter().map(|(name, value)| (*name, value)));
    command
}

/// `pip download` of one package into a folder.
pub(crate) fn pip_download(tools: &Tools, python: &str, package: &Package, folder: &Path) -> Command {
    let mut command = pip(tools, python);
    command.args(["download", "-vv", "--no-deps", "--no-cache-dir", "--progress-bar", "off", "--only-binary=:all:"]);
    command.args(["--python-version", "3.11"]);
    if let Platform::Tags(tags) = package.platform {
        command.args(["--implementation", "cp", "--abi", "cp311"]);
        for tag in tags {
            command.args(["--platform", tag]);
        }
    }
    // A pip that is stopped leaves its temporary files; here they go with the folder.
    command.env("TMPDIR", folder);
    command.arg("--dest").arg(folder).arg(format!("{}=={}", package.name, package.version));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The last lines of a child's error output, collected on a thread so that a full pipe cannot block the child.
pub(crate) fn collect_errors(child: &mut Child) -> std::thread::JoinHandle<String> {
    let stderr = child.stderr.take();
    std::thread::spawn(move || {
        let mut lines = VecDeque::new();
        for line in stderr.into_iter().flat_map(|s| BufReader::new(s).split(b'\n').map_while(Result::ok)) {
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if !line.is_empty() {
                lines.push_back(line.strip_prefix("ERROR: ").unwrap_or(&line).to_owned());
            }
            if lines.len() > 2 {
                lines.pop_front();
            }
        }
        lines.make_contiguous().join(" ")
    })
}

/// Asks pip for the files it would choose from.
pub(crate) fn search(
    tools: &Tools,
    python: &str,
    package: &Package,
    scratch: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Found, FetchError> {
    let not_found = |cause: String| FetchError::NotFound { package: label(package), cause };
    let child = pip_download(tools, python, package, scratch).spawn().map_err(|e| not_found(e.to_string()))?;
    let mut child = Running(child);
    let errors = collect_errors(&mut child.0);
    let (sender, lines) = channel();
    let stdout = child.0.stdout.take();
    std::thread::spawn(move || {
        // An index page has some thousands of links; the bound keeps a runaway program from filling memory.
        for line in stdout.into_iter().flat_map(|s| BufReader::new(s.take(64 << 20)).split(b'\n').map_while(Result::ok))
        {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    let mut found = Vec::new();
    loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                found.extend(parse_link(&line, package));
                if !found.is_empty() && ends_search(&line) {
                    break;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if progress(0, 0).is_break() {
            return Err(FetchError::Cancelled);
        }
    }
    if found.is_empty() {
        let status = child.0.wait().map_err(|e| not_found(e.to_string()))?;
        return match wheel_in(scratch).filter(|_| status.success()) {
            Some(wheel) => Ok(Found::Wheel(wheel)),
            None => Err(not_found(errors.join().unwrap_or_default())),
        };
    }
    drop(child);
    found.retain(|link| link.sha256.as_deref().is_none_or(|stated| stated == package.sha256));
    found.sort_by_key(|link| !link.url.starts_with("file:"));
    if found.is_empty() {
        return Err(not_found("the index states another digest than the pinned one".to_owned()));
    }
    Ok(Found::Links(found))
}

/// The wheel pip has put into a folder.
pub(crate) fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

/// Whether pip has listed its links and goes on to the download.
fn ends_search(line: &str) -> bool {
    let line = line.trim_start();
    ["Given no hashes", "Collecting ", "Downloading ", "Using cached ", "Processing "]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Reads `Found link URL[#sha256=…] (from PAGE) (requires-python:…), version: V`.
fn parse_link(line: &str, package: &Package) -> Option<Link> {
    let (link, rest) = line.trim().strip_prefix("Found link ")?.split_once(" (from ")?;
    if rest.rsplit_once("version: ")?.1.trim() != package.version {
        return None;
    }
    let (url, fragment) = link.split_once('#').unwrap_or((link, ""));
    let known = ["https://", "http://", "file://"].iter().any(|scheme| url.starts_with(scheme));
    if !known || !url.ends_with(".whl") {
        return None;
    }
    let sha256 = fragment.split('&').find_map(|field| field.strip_prefix("sha256=")).map(str::to_owned);
    Some(Link { url: url.to_owned(), sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TORCH: Package = Package { name: "torch", version: "2.11.0", sha256: "7aa2", platform: Platform::Any };

    #[test]
    fn links_of_old_and_new_pips_are_read() {
        // pip 22.3 states the digest, pip 23.2 and later do not; local folders have no page.
        let old = "  Found link https://a.example/torch-2.11.0-cp311.whl#sha256=7aa2 (from https://b.example/torch/) \
                   (requires-python:>=3.10), version: 2.11.0";
        let new = "  Found link https://a.example/torch-2.11.0-cp311.whl (from https://b.example/torch/) \
                   (requires-python:>=3.10), version: 2.11.0";
        let local =
            "Found link file:///opt/my%20wheels/torch-2.11.0-cp311.whl (from file:///opt/my%20wheels), version: 2.11.0";
        let url = "https://a.example/torch-2.11.0-cp311.whl".to_owned();
        assert_eq!(parse_link(old, &TORCH), Some(Link { url: url.clone(), sha256: Some("7aa2".into()) }));
        assert_eq!(parse_link(new, &TORCH), Some(Link { url, sha256: None }));
        let url = "file:///opt/my%20wheels/torch-2.11.0-cp311.whl".to_owned();
        assert_eq!(parse_link(local, &TORCH), Some(Link { url, sha256: None }));
    }

    #[test]
    fn other_versions_other_schemes_and_source_archives_are_passed_over() {
        for line in [
            "Found link https://a.example/torch-2.11.0-cp311.whl (from https://b.example/), version: 2.11.0.post1",
            "Found link ftp://a.example/torch-2.11.0-cp311.whl (from https://b.example/), version: 2.11.0",
            "Found link https://a.example/torch-2.11.0.tar.gz (from https://b.example/), version: 2.11.0",
            "Skipping link: none of the wheel's tags: https://a.example/torch-2.11.0-cp311.whl (from x), version: 2.11.0",
            "Found link",
            "",
        ] {
            assert_eq!(parse_link(line, &TORCH), None, "{line}");
        }
    }

    #[test]
    fn the_search_ends_before_the_download() {
        assert!(ends_search("Given no hashes to check 1 links for project 'torch': discarding no candidates"));
        assert!(ends_search("  Downloading torch-2.11.0-cp311.whl (530.6 MB)"));
        assert!(!ends_search("  Skipping link: not a file: https://a.example/Collecting"));
    }

    #[test]
    fn each_kind_of_machine_is_told_its_own_command() {
        let only = |wanted: &'static str| move |program: &str| program == wanted;
        assert_eq!(pip_command_for("linux", &only("apt-get")), "sudo apt-get install -y python3-pip");
        assert_eq!(pip_command_for("linux", &only("dnf")), "sudo dnf install -y python3-pip");
        assert_eq!(pip_command_for("linux", &only("none")), "python3 -m ensurepip --user");
        assert_eq!(pip_command_for("macos", &only("brew")), "brew install python3");
        assert_eq!(pip_command_for("macos", &only("none")), "xcode-select --install");
    }
}
