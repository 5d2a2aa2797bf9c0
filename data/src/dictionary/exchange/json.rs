//! Configurations in JSON: bounded, and read field by field with errors that name the field.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::ExchangeError;

/// The longest configuration that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The contents of a small text file.
pub(super) fn text(path: &Path) -> Result<String, ExchangeError> {
    let io = |source| ExchangeError::Io { action: "read", path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > MAX_BYTES {
        let what = format!("it has {size} bytes; of a configuration at most {MAX_BYTES} are read");
        return Err(ExchangeError::File { path: path.to_owned(), what });
    }
    std::fs::read_to_string(path).map_err(io)
}

/// An object of a configuration.
pub(super) struct Json {
    path: PathBuf,
    /// Where in the file: empty, or `trainer.`.
    prefix: String,
    fields: Map<String, Value>,
}

impl Json {
    /// Reads a file that holds one object.
    pub(super) fn open(path: &Path) -> Result<Json, ExchangeError> {
        let wrong = |what: String| ExchangeError::File { path: path.to_owned(), what };
        match serde_json::from_str(&text(path)?) {
            Ok(Value::Object(fields)) => Ok(Json::new(path, fields)),
            Ok(_) => Err(wrong("it holds no JSON object".into())),
            Err(error) => Err(wrong(format!("it is no JSON: {error}"))),
        }
    }

    pub(super) fn new(path: &Path, fields: Map<String, Value>) -> Json {
        Json { path: path.to_owned(), prefix: String::new(), fields }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole object.
    pub(super) fn value(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// A field that is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    /// A fault of this file.
    pub(super) fn wrong(&self, what: impl Into<String>) -> ExchangeError {
        ExchangeError::File { path: self.path.clone(), what: what.into() }
    }

    /// Something in this file that no dictionary of Golgi says.
    pub(super) fn unsupported(&self, what: impl Into<String>) -> ExchangeError {
        ExchangeError::Unsupported { path: self.path.clone(), what: what.into() }
    }

    /// A field that must be there.
    pub(super) fn need<T>(&self, key: &str, found: Option<T>) -> Result<T, ExchangeError> {
        found.ok_or_else(|| self.wrong(format!("`{}{key}` is missing", self.prefix)))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, ExchangeError> {
        self.typed(key, "a text", Value::as_str)
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ExchangeError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(super) fn float(&self, key: &str) -> Result<Option<f64>, ExchangeError> {
        self.typed(key, "a number", Value::as_f64)
    }

    /// A whole number above 0 that a dimension or a count can be; `10.0` is one too.
    pub(super) fn count(&self, key: &str) -> Result<Option<usize>, ExchangeError> {
        self.typed(key, "a whole number above 0", count)
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Json>, ExchangeError> {
        let fields = self.typed(key, "an object", |value| value.as_object().cloned())?;
        let prefix = format!("{}{key}.", self.prefix);
        Ok(fields.map(|fields| Json { path: self.path.clone(), prefix, fields }))
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        of: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ExchangeError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wrong = || {
            let actual: String = value.to_string().chars().take(60).collect();
            self.wrong(format!("`{}{key}` is {actual}, expected is {expected}", self.prefix))
        };
        of(value).map(Some).ok_or_else(wrong)
    }
}

fn count(value: &Value) -> Option<usize> {
    let float = value.as_f64()?;
    // 2^53: beyond it, numbers of JSON are not whole any more.
    (float >= 1.0 && float.fract() == 0.0 && float <= 9e15).then_some(float as usize)
}
