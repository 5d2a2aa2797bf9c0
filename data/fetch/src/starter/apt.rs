//! The programs of a Debian-like system: which packages there are, their files, unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{StarterError, io};

const PROGRAMS: [&str; 4] = ["apt-get", "apt-cache", "dpkg-deb", "gzip"];

/// # Errors
/// [`StarterError::NoApt`] naming the first program that is not on the search path.
pub(super) fn check_programs(target: &Path) -> Result<(), StarterError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    match PROGRAMS.into_iter().find(|name| !there(name)) {
        None => Ok(()),
        Some(missing) => Err(StarterError::NoApt { missing, folder: target.to_path_buf() }),
    }
}

/// Runs a program and returns what it printed.
pub(super) fn output(command: &mut Command) -> Result<Vec<u8>, StarterError> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |cause: String| StarterError::Program { program: program.clone(), cause };
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    let output = command.output().map_err(|cause| failed(cause.to_string()))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = errors.lines().rev().find(|line| !line.trim().is_empty()).map(|line| line.chars().take(300).collect());
    Err(failed(said.unwrap_or_else(|| output.status.to_string())))
}

/// Those of `packages` that can be downloaded now, with their versions.
pub(super) fn candidates(packages: &[&str]) -> Result<Vec<(String, String)>, StarterError> {
    let text = output(Command::new("apt-cache").arg("policy").args(packages))?;
    Ok(parse_policy(&String::from_utf8_lossy(&text)))
}

fn parse_policy(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut package = "";
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            package = name;
        } else if let Some(version) = line.trim().strip_prefix("Candidate:").map(str::trim)
            && version != "(none)"
        {
            found.push((package.to_owned(), version.to_owned()));
        }
    }
    found
}

/// The package that `package` depends on whose name begins with `start` and ends with `end`.
pub(super) fn dependency(package: &str, start: &str, end: &str) -> Result<Option<String>, StarterError> {
    let text = output(Command::new("apt-cache").arg("depends").arg(package))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends:").map(str::trim));
    Ok(names.filter(|name| name.starts_with(start) && name.ends_with(end)).max().map(str::to_owned))
}

/// Brings fresh lists of packages; only root can.
pub(super) fn update() -> Result<(), StarterError> {
    output(Command::new("apt-get").args(["--quiet", "update"])).map(drop)
}

/// Downloads packages into `folder` without installing anything, and unpacks each into `folder/NAME`.
pub(super) fn download(packages: &[String], folder: &Path) -> Result<(), StarterError> {
    fs::create_dir_all(folder).map_err(io("create", folder))?;
    let mut command = Command::new("apt-get");
    // As root apt would hand the download to a user who cannot write here.
    command.args(["--quiet", "-o", "APT::Sandbox::User=root", "download"]).args(packages).current_dir(folder);
    output(&mut command)?;
    for entry in sorted(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((package, _)) = name.strip_suffix(".deb").and_then(|name| name.split_once('_')) else { continue };
        let target = folder.join(package);
        output(Command::new("dpkg-deb").arg("--extract").arg(&entry).arg(&target))?;
        fs::remove_file(&entry).map_err(io("delete", &entry))?;
        // The programs would stop at a file that they cannot write.
        output(Command::new("chmod").args(["-R", "u+rwX"]).arg(&target))?;
        unzip(&target)?;
    }
    Ok(())
}

/// Unpacks every `.gz` under a folder. A link to one is left as it is: gzip does not follow it.
fn unzip(folder: &Path) -> Result<(), StarterError> {
    let mut command = Command::new("gzip");
    command.args(["--decompress", "--recursive", "--force", "--quiet"]).arg(folder);
    // Its status says only that there was also something that is not compressed.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(drop)
        .map_err(|cause| StarterError::Program { program: "gzip".to_owned(), cause: cause.to_string() })
}

/// What a folder holds, by name; nothing where there is no folder.
pub(super) fn sorted(folder: &Path) -> Result<Vec<PathBuf>, StarterError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(io("list", folder))? {
        entries.push(entry.map_err(io("list", folder))?.path());
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_without_a_candidate_are_not_there() {
        let text = "manpages-de:\n  Installed: (none)\n  Candidate: 4.18.1-1\n  Version table:\n     4.18.1-1 500\nnone:\n  \
                    Installed: (none)\n  Candidate: (none)\n";
        assert_eq!(parse_policy(text), [("manpages-de".to_owned(), "4.18.1-1".to_owned())]);
    }
}
