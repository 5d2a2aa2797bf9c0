//! Explanations of units, in plain text beside an atlas: `explanations.jsonl`, one JSON object per line.
//!
//! A line is written whole, in one piece; what a program that was killed left of its last line is no line and is cut off by
//! the next one that writes. The file belongs to the user: it may be edited, merged and kept under version control.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AtlasError;

/// The file in the folder of an atlas.
pub const EXPLANATIONS: &str = "explanations.jsonl";
/// A longer line is refused.
const MAX_LINE: usize = 1 << 20;
/// A larger file is refused.
const MAX_BYTES: u64 = 4 << 30;

/// What somebody or something says that a unit does, and how well that stood up to tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The unit's id in the atlas.
    pub id: u32,
    /// Its short address.
    pub unit: String,
    /// Who explains: `describer`, `local:smollm2`, `endpoint:NAME`.
    pub by: String,
    /// The explanation.
    pub text: String,
    /// The same as a rule that predicts the activation at a token, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Value>,
    /// Who judged: `rule`, `local:smollm2`, `endpoint:NAME`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub judge: String,
    /// Scores by name, each with its parts; a part is null where it is not defined.
    #[serde(default)]
    pub scores: BTreeMap<String, BTreeMap<String, Option<f64>>>,
    /// What it rests on, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// Digest of everything that decides what the record holds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settings: String,
}

impl Explanation {
    /// The part `score` of the score `name`.
    pub fn score(&self, name: &str) -> Option<f64> {
        self.scores.get(name)?.get("score").copied().flatten()
    }
}

/// The file of the atlas in `folder`.
pub fn explanations_file(folder: &Path) -> PathBuf {
    folder.join(EXPLANATIONS)
}

/// All explanations of the atlas in `folder`, in the order of the file; none if there is no file.
///
/// # Errors
/// If the file cannot be read, is larger than it may be, or a whole line of it is no explanation.
pub fn explanations(folder: &Path) -> Result<Vec<Explanation>, AtlasError> {
    let mut found = Vec::new();
    each_line(folder, |number, line| {
        found.push(parse(folder, number, line)?);
        Ok(())
    })?;
    Ok(found)
}

/// Those of unit `id`.
///
/// # Errors
/// As [`explanations`]; lines about other units are not looked at closely.
pub(super) fn explanations_of(folder: &Path, id: u32) -> Result<Vec<Explanation>, AtlasError> {
    let prefix = format!("{{\"id\":{id},");
    let mut found = Vec::new();
    each_line(folder, |number, line| {
        // The program's own lines begin with the id; those of others are read whole.
        if line.starts_with("{\"id\":") && !line.starts_with(&prefix) {
            return Ok(());
        }
        let explanation = parse(folder, number, line)?;
        if explanation.id == id {
            found.push(explanation);
        }
        Ok(())
    })?;
    Ok(found)
}

fn failed(folder: &Path, cause: String) -> AtlasError {
    AtlasError::Explanations { path: explanations_file(folder), cause }
}

fn parse(folder: &Path, number: usize, line: &str) -> Result<Explanation, AtlasError> {
    serde_json::from_str(line).map_err(|error| failed(folder, format!("line {number}: {error}")))
}

/// Calls `each` with every line that ends, and its number from 1; empty lines are passed over. Returns the bytes of those lines.
fn each_line(folder: &Path, mut each: impl FnMut(usize, &str) -> Result<(), AtlasError>) -> Result<u64, AtlasError> {
    let path = explanations_file(folder);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(folder, error.to_string())),
    };
    let size = file.metadata().map_err(|error| failed(folder, error.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(failed(folder, format!("it has {size} bytes, more than {MAX_BYTES}")));
    }
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let (mut line, mut number, mut whole) = (Vec::new(), 0, 0u64);
    loop {
        line.clear();
        let limited = reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
        let read = limited.map_err(|error| failed(folder, error.to_string()))?;
        if read == 0 || (read <= MAX_LINE && line.last() != Some(&b'\n')) {
            return Ok(whole);
        }
        number += 1;
        if read > MAX_LINE {
            return Err(failed(folder, format!("line {number} is longer than {MAX_LINE} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|error| failed(folder, format!("line {number}: {error}")))?;
        if !text.trim().is_empty() {
            each(number, text.trim())?;
        }
        whole += read as u64;
    }
}

/// The file, open for further explanations.
#[derive(Debug)]
pub struct ExplanationWriter {
    folder: PathBuf,
    file: File,
}

impl ExplanationWriter {
    /// Opens the file of the atlas in `folder`, or begins it. Of what is there, the explanations stay that `keep` wants; if it
    /// wants all of them, the file is left as it is but for a last line that was never finished.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(folder: &Path, keep: impl Fn(&Explanation) -> bool) -> Result<ExplanationWriter, AtlasError> {
        let (mut kept, mut dropped) = (Vec::new(), false);
        let whole = each_line(folder, |number, line| {
            match keep(&parse(folder, number, line)?) {
                true => kept.push(line.to_owned()),
                false => dropped = true,
            }
            Ok(())
        })?;
        let path = explanations_file(folder);
        let io = |error: std::io::Error| failed(folder, error.to_string());
        if dropped {
            let mut fresh = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
            for line in &kept {
                writeln!(fresh, "{line}").map_err(io)?;
            }
            fresh.as_file().sync_all().map_err(io)?;
            fresh.persist(&path).map_err(|error| io(error.error))?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
        if !dropped {
            file.set_len(whole).map_err(io)?;
        }
        Ok(ExplanationWriter { folder: folder.to_owned(), file })
    }

    /// Adds a line, whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&mut self, explanation: &Explanation) -> Result<(), AtlasError> {
        let text = serde_json::to_string(explanation).map_err(|error| failed(&self.folder, error.to_string()))?;
        if text.len() >= MAX_LINE {
            return Err(failed(&self.folder, format!("the explanation of {} is too long", explanation.unit)));
        }
        let line = text + "\n";
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.folder, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(id: u32, text: &str) -> Explanation {
        let scores = [("score".to_owned(), Some(0.5)), ("hard".to_owned(), None)].into();
        Explanation {
            id,
            unit: format!("L0N{id}"),
            by: "describer".into(),
            text: text.into(),
            rule: None,
            judge: "rule".into(),
            scores: [("detection".to_owned(), scores)].into(),
            evidence: String::new(),
            settings: "s".into(),
        }
    }

    #[test]
    fn lines_are_added_whole_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(explanations(folder.path()).unwrap().is_empty());
        let all = [about(1, "a\n\"b\""), about(12, "c"), about(1, "d")];
        let mut writer = ExplanationWriter::open(folder.path(), |_| true).unwrap();
        all.iter().for_each(|one| writer.append(one).unwrap());
        assert_eq!(explanations(folder.path()).unwrap(), all);
        assert_eq!(explanations_of(folder.path(), 1).unwrap(), [all[0].clone(), all[2].clone()]);
        assert_eq!(all[0].score("detection"), Some(0.5));
        // A line that was never finished is no line, and the next one does not run into it.
        let path = explanations_file(folder.path());
        let whole = std::fs::read(&path).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"id\":3,\"unit\":\"L0").unwrap();
        assert_eq!(explanations(folder.path()).unwrap().len(), 3);
        let mut writer = ExplanationWriter::open(folder.path(), |_| true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        writer.append(&about(4, "e")).unwrap();
        assert_eq!(explanations(folder.path()).unwrap()[3].text, "e");
        // What is not kept goes, the rest stays in its order.
        ExplanationWriter::open(folder.path(), |one| one.id != 1).unwrap();
        let left: Vec<u32> = explanations(folder.path()).unwrap().iter().map(|one| one.id).collect();
        assert_eq!(left, [12, 4]);
    }

    #[test]
    fn lines_of_others_are_read_and_wrong_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = explanations_file(folder.path());
        std::fs::write(&path, "\n{\"unit\":\"L0N7\",\"by\":\"me\",\"text\":\"mine\",\"id\":7}\n").unwrap();
        assert_eq!(explanations_of(folder.path(), 7).unwrap()[0].text, "mine");
        for bad in ["{\"id\":1}\n".to_owned(), "\u{fffd}\n".to_owned(), format!("{}\n", "x".repeat(MAX_LINE + 5))] {
            std::fs::write(&path, format!("\n{bad}")).unwrap();
            let error = explanations(folder.path()).unwrap_err().to_string();
            assert!(error.contains("line 2"), "{error}");
        }
    }
}
