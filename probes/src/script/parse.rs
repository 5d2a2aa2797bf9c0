//! Reading a script, with settings from the command line, and checking that its parts refer to each other.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use super::{SCHEMA, Script};
use crate::error::{ProbeError, Result};

/// Longest script that is read, in bytes. Scripts are written by people; a larger file is a mistake.
const MAX_BYTES: usize = 4 << 20;

fn refuse(cause: impl Into<String>) -> ProbeError {
    ProbeError::Script(cause.into())
}

impl Script {
    /// Reads a script. Each of `settings` is a `key=value` that replaces what the text says: the key is a path such as
    /// `seed`, `inputs.0.text` or `analyses.token_stats.params.top` (a list entry by number, or by its id or name), the value is
    /// TOML, or a plain text.
    ///
    /// # Errors
    /// [`ProbeError::Script`] naming the line, the field, or the name that refers to nothing.
    pub fn parse(text: &str, settings: &[String]) -> Result<Script> {
        if text.len() > MAX_BYTES {
            return Err(refuse(format!("it has {} bytes; scripts have at most {MAX_BYTES}", text.len())));
        }
        let mut document: toml::Table = text.parse().map_err(|error: toml::de::Error| refuse(readable(&error)))?;
        for setting in settings {
            apply(&mut document, setting)?;
        }
        let schema = document.get("schema").and_then(toml::Value::as_str).unwrap_or("(none)");
        if schema != SCHEMA {
            return Err(refuse(format!("its schema is `{schema}`, this program reads `{SCHEMA}`")));
        }
        // Errors of the first form carry line and column; a changed document has none to show.
        let script: Script = if settings.is_empty() {
            toml::from_str(text).map_err(|error| refuse(readable(&error)))?
        } else {
            document.try_into().map_err(|error: toml::de::Error| refuse(readable(&error)))?
        };
        script.check()?;
        Ok(script)
    }

    /// Reads a script file.
    ///
    /// # Errors
    /// If it cannot be read, and as [`Script::parse`].
    pub fn load(path: &Path, settings: &[String]) -> Result<Script> {
        let failed = |error: std::io::Error| ProbeError::File {
            path: path.display().to_string(),
            action: "read",
            cause: error.to_string(),
        };
        Script::parse(&std::fs::read_to_string(path).map_err(failed)?, settings)
    }

    /// The script as TOML.
    ///
    /// # Errors
    /// [`ProbeError::Script`] if a value has no TOML form.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|error| refuse(error.to_string()))
    }

    fn check(&self) -> Result<()> {
        let mut inputs = BTreeSet::new();
        for input in &self.inputs {
            if !inputs.insert(input.name.as_str()) {
                return Err(refuse(format!("two inputs are called `{}`", input.name)));
            }
            if input.text.is_some() == input.tokens.is_some() {
                return Err(refuse(format!("the input `{}` needs either a `text` or `tokens`", input.name)));
            }
        }
        let known = |what: &str, name: &str| {
            if inputs.contains(name) {
                Ok(())
            } else {
                Err(refuse(format!("{what} names the input `{name}`, which is not there")))
            }
        };
        let mut traces = BTreeSet::new();
        for trace in &self.traces {
            known(&format!("the trace `{}`", trace.name), &trace.input)?;
            if !traces.insert(&trace.name) {
                return Err(refuse(format!("two traces are called `{}`", trace.name)));
            }
        }
        for capture in &self.captures {
            known(&format!("the capture into `{}`", capture.file), &capture.input)?;
            check_file(&capture.file)?;
        }
        let mut ids = BTreeSet::new();
        for call in &self.analyses {
            if let Some(input) = &call.input {
                known(&format!("the analysis `{}`", call.id()), input)?;
            }
            if !ids.insert(call.id()) {
                return Err(refuse(format!("two analyses are called `{}`; give one an `id`", call.id())));
            }
        }
        let result = |what: &str, id: &str| {
            if ids.contains(id) {
                Ok(())
            } else {
                Err(refuse(format!("{what} names the analysis `{id}`, which is not there")))
            }
        };
        for output in &self.outputs {
            check_file(&output.file)?;
            output.analyses.iter().try_for_each(|id| result(&format!("the output `{}`", output.file), id))?;
        }
        for expectation in &self.expectations {
            let what = format!("the expectation of `{}`", expectation.fact);
            result(&what, &expectation.analysis)?;
            if let Some(other) = &expectation.above_fact {
                result(&what, &other.analysis)?;
            }
            let (above, below, equals) = (expectation.above, expectation.below, &expectation.equals);
            if above.is_none() && below.is_none() && equals.is_none() && expectation.above_fact.is_none() {
                return Err(refuse(format!("{what} has no `above`, `below`, `equals` or `above_fact`")));
            }
        }
        Ok(())
    }
}

/// Files of a script lie below the output folder: a script from a stranger must not write elsewhere.
fn check_file(file: &str) -> Result<()> {
    let path = Path::new(file);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if file.is_empty() || !plain {
        return Err(refuse(format!("`{file}` is no file below the output folder; give a relative path without `..`")));
    }
    Ok(())
}

/// The parser's words on one line, with the place.
fn readable(error: &toml::de::Error) -> String {
    error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn apply(document: &mut toml::Table, setting: &str) -> Result<()> {
    let (path, value) = setting
        .split_once('=')
        .ok_or_else(|| refuse(format!("the setting `{setting}` is not of the form key=value")))?;
    let value = format!("value = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let keys: Vec<&str> = path.trim().split('.').collect();
    let Some((last, parents)) = keys.split_last() else {
        return Err(refuse(format!("the setting `{setting}` names nothing")));
    };
    let missing = |key: &str| refuse(format!("the setting `{path}` names `{key}`, which the script does not have"));
    let mut root = toml::Value::Table(std::mem::take(document));
    let mut here = &mut root;
    for key in parents {
        here = child(here, key).ok_or_else(|| missing(key))?;
    }
    match here {
        toml::Value::Table(table) => {
            table.insert((*last).to_owned(), value);
        }
        list => *child(list, last).ok_or_else(|| missing(last))? = value,
    }
    if let toml::Value::Table(table) = root {
        *document = table;
    }
    Ok(())
}

fn child<'a>(value: &'a mut toml::Value, key: &str) -> Option<&'a mut toml::Value> {
    match value {
        toml::Value::Table(table) => {
            // Parameters of an analysis may be absent until they are set.
            if key == "params" && !table.contains_key(key) {
                table.insert(key.to_owned(), toml::Value::Table(toml::Table::new()));
            }
            table.get_mut(key)
        }
        toml::Value::Array(list) => {
            let called = |entry: &toml::Value| {
                ["id", "name"].iter().any(|field| entry.get(field).and_then(toml::Value::as_str) == Some(key))
            };
            let index = key.parse().ok().or_else(|| list.iter().position(called))?;
            list.get_mut(index)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCRIPT: &str = r#"
        schema = "golgi.script/1"
        model = "smollm2"
        seed = 1
        [[inputs]]
        name = "a"
        text = "one"
        [[analyses]]
        name = "token_stats"
        input = "a"
    "#;

    fn refused(text: &str, settings: &[&str]) -> String {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        Script::parse(text, &settings).unwrap_err().to_string()
    }

    #[test]
    fn settings_replace_values_by_path() {
        let settings = ["seed=7", "inputs.a.text=two words", "analyses.token_stats.params.top=3"];
        let script = Script::parse(SCRIPT, &settings.map(String::from)).unwrap();
        assert_eq!((script.seed, script.inputs[0].text.as_deref()), (7, Some("two words")));
        assert_eq!(script.analyses[0].params["top"], 3);
    }

    #[test]
    fn refusals_name_the_place() {
        assert!(refused("schema = ", &[]).contains("line 1"));
        assert!(refused("schema = \"golgi.script/9\"\nmodel = \"x\"", &[]).contains("golgi.script/1"));
        assert!(refused(SCRIPT, &["inputs.b.text=x"]).contains("`b`"));
        assert!(refused(SCRIPT, &["seed"]).contains("key=value"));
        assert!(refused(&SCRIPT.replace("input = \"a\"", "input = \"z\""), &[]).contains("`z`"));
        assert!(refused(&SCRIPT.replace("seed", "sede"), &[]).contains("sede"));
        let outside = format!("{SCRIPT}\n[[outputs]]\nfile = \"../x.html\"");
        assert!(refused(&outside, &[]).contains("`..`"));
        let absolute = format!("{SCRIPT}\n[[captures]]\ninput = \"a\"\nsites = [\"*\"]\nfile = \"/etc/x\"");
        assert!(refused(&absolute, &[]).contains("relative"));
        let empty = format!("{SCRIPT}\n[[expectations]]\nanalysis = \"token_stats\"\nfact = \"x\"");
        assert!(refused(&empty, &[]).contains("above"));
    }

    #[test]
    fn writing_and_reading_are_inverse() {
        let text = format!(
            "{SCRIPT}\n[[interventions]]\nsite = \"blocks.1.*\"\nedit = \"scale\"\nfactor = 0.5\npositions = [-1]"
        );
        let script = Script::parse(&text, &[]).unwrap();
        assert_eq!(Script::parse(&script.to_toml().unwrap(), &[]).unwrap(), script);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(cut in 0usize..300, extra in "\\PC{0,20}", setting in "\\PC{0,20}") {
            let cut = SCRIPT.floor_char_boundary(cut.min(SCRIPT.len()));
            let text = format!("{}{extra}{}", &SCRIPT[..cut], &SCRIPT[cut..]);
            let _ = Script::parse(&text, &[]);
            let _ = Script::parse(SCRIPT, &[setting]);
        }
    }
}
