//! From packages to the corpus in its folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::parts::{Kind, PARTS, Part};
use super::{DOCUMENTS, Document, LEAST_BYTES, LEAST_LANGUAGES, SOURCES, StarterError, Summary, apt, io, write};

/// A part with what was made of it.
pub(super) struct Made {
    pub(super) part: &'static Part,
    pub(super) version: String,
    pub(super) documents: Vec<Document>,
}

/// The program that prints the Bible; its text is the package `bible-kjv-text`.
const BIBLE_READER: &str = "bible-kjv";
/// A page or module above this is a table or generated, in bytes.
const FILE_BYTES: u64 = 2 << 20;

/// Makes `work/starter`.
pub(super) fn assemble(work: &Path, say: &mut dyn FnMut(&str)) -> Result<Summary, StarterError> {
    let mut wanted: Vec<&str> = PARTS.iter().map(|part| part.package).collect();
    wanted.push(BIBLE_READER);
    let mut found = apt::candidates(&wanted)?;
    if found.len() < wanted.len() {
        say("Updating the lists of packages");
        // Only root can; what the lists hold may suffice all the same.
        if apt::update().is_ok() {
            found = apt::candidates(&wanted)?;
        }
    }
    let mut names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
    let is_found = |name: &str| found.iter().any(|(found, _)| found == name);
    // The package is a mere name for the current version's.
    let python = match PARTS.iter().find(|part| part.kind == Kind::Python && is_found(part.package)) {
        Some(part) => apt::dependency(part.package, "libpython3.", "-stdlib")?,
        None => None,
    };
    names.extend(python.clone());
    say(&format!("Downloading {} Debian packages (about 40 MB, not installed)", names.len()));
    let unpacked = work.join("packages");
    apt::download(&names, &unpacked)?;
    say("Assembling the starter corpus");
    let mut made = Vec::new();
    for part in PARTS {
        let Some((_, version)) = found.iter().find(|(name, _)| name == part.package) else { continue };
        let package = if part.kind == Kind::Python { python.as_deref().unwrap_or(part.package) } else { part.package };
        let documents = select(part, documents(part, &unpacked.join(package), &unpacked)?);
        if !documents.is_empty() {
            made.push(Made { part, version: version.clone(), documents });
        }
    }
    check(&made)?;
    let folder = work.join("starter");
    fs::create_dir_all(folder.join("licences")).map_err(io("create", &folder))?;
    for part in &made {
        let copyright =
            unpacked.join(part.part.package).join("usr/share/doc").join(part.part.package).join("copyright");
        let target = folder.join("licences").join(format!("{}.txt", part.part.package));
        // A link into another package leads nowhere here; `SOURCES` states the licence in any case.
        if copyright.is_file() {
            fs::copy(&copyright, &target).map_err(io("write", &target))?;
        }
    }
    let documents = write::documents(&made);
    let sha256 = format!("{:x}", Sha256::digest(documents.as_bytes()));
    let all = || made.iter().flat_map(|part| &part.documents);
    let bytes = all().map(|document| document.text.len() as u64).sum();
    let summary = Summary { documents: all().count(), bytes, sha256 };
    for (name, text) in [(DOCUMENTS, documents), (SOURCES, write::sources(&made, &summary))] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(io("write", &path))?;
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(io("write", &path))?;
    }
    Ok(summary)
}

fn check(made: &[Made]) -> Result<(), StarterError> {
    let bytes = made.iter().flat_map(|part| &part.documents).map(|document| document.text.len() as u64).sum();
    let natural = made.iter().filter(|part| part.part.is_natural());
    let languages = natural.map(|part| part.part.language).collect::<BTreeSet<_>>().len();
    if bytes >= LEAST_BYTES && languages >= LEAST_LANGUAGES {
        return Ok(());
    }
    let absent = PARTS.iter().filter(|part| !made.iter().any(|made| made.part == *part)).map(|part| part.package);
    let missing = absent.collect::<Vec<_>>().join(", ");
    Err(StarterError::TooLittle { bytes, languages, missing })
}

/// All documents of a part.
fn documents(part: &Part, package: &Path, unpacked: &Path) -> Result<Vec<Document>, StarterError> {
    let mut documents = Vec::new();
    let mut add = |name: &str, text: &str| documents.extend(part.documents(name, text));
    match part.kind {
        Kind::Bible => {
            let program = unpacked.join(BIBLE_READER).join("usr/bin/bible");
            let data = format!("{}/", package.join("usr/lib").display());
            let mut command = Command::new(program);
            command.args(["-l100000", "-p", &data, "gen1:1-rev22:21"]);
            // Where the program does not run, the other parts must do.
            if let Ok(text) = apt::output(&mut command) {
                add("kjv", &String::from_utf8_lossy(&text));
            }
        }
        Kind::Dictionary => {
            for file in apt::sorted(&package.join("usr/share/dictd"))? {
                if file.extension().is_some_and(|extension| extension == "dz") {
                    let text = apt::output(Command::new("gzip").args(["-dc", "-S", ".dz"]).arg(&file))?;
                    add("gcide", &String::from_utf8_lossy(&text));
                }
            }
        }
        Kind::Manual => {
            for file in files(&package.join("usr/share/man"), 3)? {
                // Simplified characters only, so that the language is one.
                if !file.components().any(|part| part.as_os_str() == "zh_TW") {
                    read(&file, &mut add)?;
                }
            }
        }
        Kind::Sayings(names) => {
            for file in files(&package.join("usr/share/games/fortunes"), 2)? {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let offensive = file.components().any(|part| part.as_os_str() == "off");
                if names.contains(&name.as_str()) && !offensive {
                    read(&file, &mut add)?;
                }
            }
        }
        Kind::Python => {
            for version in apt::sorted(&package.join("usr/lib"))? {
                for file in files(&version, 3)? {
                    if file.extension().is_some_and(|extension| extension == "py") {
                        read(&file, &mut add)?;
                    }
                }
            }
        }
    }
    Ok(documents)
}

/// Hands on a text file under the name of its last folders; one that is no UTF-8 is left out.
fn read(file: &Path, add: &mut dyn FnMut(&str, &str)) -> Result<(), StarterError> {
    let meta = fs::symlink_metadata(file).map_err(io("read", file))?;
    if !meta.is_file() || meta.len() > FILE_BYTES {
        return Ok(());
    }
    if let Ok(text) = String::from_utf8(fs::read(file).map_err(io("read", file))?) {
        let parts: Vec<_> = file.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect();
        let name: Vec<_> = parts.into_iter().rev().collect();
        add(&name.join("/"), &text);
    }
    Ok(())
}

/// All files under a folder, by name; links to folders are not followed.
pub(super) fn files(folder: &Path, depth: u32) -> Result<Vec<PathBuf>, StarterError> {
    let mut found = Vec::new();
    for entry in apt::sorted(folder)? {
        let meta = fs::symlink_metadata(&entry).map_err(io("read", &entry))?;
        if meta.is_dir() && depth > 0 {
            found.extend(files(&entry, depth - 1)?);
        } else if meta.is_file() {
            found.push(entry);
        }
    }
    Ok(found)
}

/// As many documents as are wanted, an even selection: those whose ids have the smallest digests. Texts that occur twice
/// are taken once.
fn select(part: &Part, documents: Vec<Document>) -> Vec<Document> {
    let mut hashed: Vec<(String, Document)> = documents
        .into_iter()
        .map(|document| (format!("{:x}", Sha256::digest(document.id.as_bytes())), document))
        .collect();
    hashed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let (mut bytes, mut seen) = (0, BTreeSet::new());
    let mut chosen: Vec<Document> = Vec::new();
    for (_, document) in hashed {
        if bytes >= part.bytes {
            break;
        }
        if seen.insert(Sha256::digest(document.text.as_bytes())) {
            bytes += document.text.len();
            chosen.push(document);
        }
    }
    chosen.sort_by(|a, b| a.id.cmp(&b.id));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_even_and_always_the_same() {
        let documents = || {
            let text = |i: usize| format!("{} {}", i / 2, "x".repeat(10_000));
            (0..400).map(|i| Document { id: format!("{i:03}"), text: text(i) }).collect::<Vec<_>>()
        };
        let part = PARTS.iter().find(|part| part.package == "manpages").unwrap();
        let chosen = select(part, documents());
        assert_eq!(chosen, select(part, documents().into_iter().rev().collect()));
        let texts: BTreeSet<_> = chosen.iter().map(|document| &document.text).collect();
        assert_eq!(texts.len(), chosen.len());
        assert_eq!(chosen.len(), 33);
        assert!(chosen[0].id.as_str() < "100" && chosen[32].id.as_str() > "300");
    }

    #[test]
    fn too_little_is_said() {
        let error = check(&[]).unwrap_err().to_string();
        assert!(error.contains("manpages-de") && error.contains("apt-get update"), "{error}");
    }
}
