//! Chat templates: Jinja programs that come with a model and turn a conversation into the text it was trained on.
//!
//! The template comes from a stranger. It sees the messages and the names of the special tokens and nothing else: no
//! files, no other templates. Its steps, the text it writes and its own length are limited.

use std::io::{self, Write};
use std::time::SystemTime;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::TokenizerError;
use super::strftime::strftime;

/// Steps a template may take. A long conversation takes some ten thousand.
const FUEL: u64 = 5_000_000;
/// The longest template, in bytes. Real ones have up to 20 kB.
const MAX_TEMPLATE: usize = 1 << 20;
/// The longest text a template may write, in bytes.
const MAX_OUTPUT: usize = 64 << 20;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks: `system`, `user` or `assistant` for most models.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// A chat template and the special tokens it may name.
pub(super) struct ChatTemplate {
    pub(super) source: String,
    /// Names as templates know them (`bos_token`) with the tokens' texts.
    pub(super) tokens: Vec<(String, String)>,
}

impl ChatTemplate {
    /// Renders the template as the reference does: blocks take the line break after them and the space before them
    /// away; `raise_exception`, `strftime_now`, `tojson` and Python's methods of strings, lists and dictionaries work.
    pub(super) fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
        now: SystemTime,
    ) -> Result<String, TokenizerError> {
        if self.source.len() > MAX_TEMPLATE {
            let cause = format!("it has {} bytes, above the limit of {MAX_TEMPLATE}", self.source.len());
            return Err(TokenizerError::Chat { cause });
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(fault)?;
        environment.set_syntax(syntax);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", move |format: String| strftime(&format, now));

        let source = without_generation_tags(&self.source);
        let message =
            |m: &ChatMessage| Value::from_pairs([("role", Value::from(&m.role)), ("content", Value::from(&m.content))]);
        let mut context: Vec<(&str, Value)> =
            self.tokens.iter().map(|(name, text)| (name.as_str(), Value::from(text))).collect();
        context.push(("messages", messages.iter().map(message).collect()));
        context.push(("add_generation_prompt", Value::from(add_generation_prompt)));
        context.push(("tools", Value::from(())));
        context.push(("documents", Value::from(())));

        let mut out = Bounded { bytes: Vec::new() };
        let template = environment.template_from_str(&source).map_err(fault)?;
        template.render_captured_to(Value::from_pairs(context), &mut out).map_err(fault)?;
        String::from_utf8(out.bytes).map_err(|e| TokenizerError::Chat { cause: e.to_string() })
    }
}

/// The message of a rendering error, with its cause and line.
fn fault(error: Error) -> TokenizerError {
    let what = match error.kind() {
        ErrorKind::OutOfFuel => format!("it does not come to an end within {FUEL} steps"),
        _ => error.detail().map_or_else(|| error.to_string(), str::to_owned),
    };
    let cause = match error.line() {
        Some(line) => format!("{what} (line {line})"),
        None => what,
    };
    TokenizerError::Chat { cause }
}

/// `{% generation %}` marks what the assistant said, for training; it writes nothing. The engine does not know it.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(end) = rest[start..].find("%}").map(|end| start + end) else { break };
        let (before, inside) = (&rest[..start], &rest[start..end]);
        out.push_str(before);
        match inside.trim_matches(['{', '%', '-', '+', ' ']) {
            "generation" => out.push_str(&inside.replace("generation", " if true ")),
            "endgeneration" => out.push_str(&inside.replace("endgeneration", " endif ")),
            _ => out.push_str(inside),
        }
        rest = &rest[end..];
    }
    out + rest
}

/// The engine's own filter, less its escapes for HTML, which templates for models do not want.
fn tojson(value: &Value, indent: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    // Options of Python's function that change nothing here.
    let _: Option<bool> = options.get("ensure_ascii")?;
    let plain = Kwargs::from_iter(options.get::<Option<Value>>("indent")?.map(|indent| ("indent", indent)));
    options.assert_all_used()?;
    let text = minijinja::filters::tojson(value, indent, plain)?.to_string();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escapes = [("\\u003c", '<'), ("\\u003e", '>'), ("\\u0026", '&'), ("\\u0027", '\'')];
        let found = escapes.iter().find(|(escape, _)| rest[at..].starts_with(escape));
        rest = match found {
            Some((escape, character)) => {
                out.push(*character);
                &rest[at + escape.len()..]
            }
            None => {
                // A backslash and what it escapes, always ASCII in JSON.
                let end = (at + 2).min(rest.len());
                out.push_str(&rest[at..end]);
                &rest[end..]
            }
        };
    }
    Ok(Value::from(out + rest))
}

/// Refuses to grow beyond [`MAX_OUTPUT`].
struct Bounded {
    bytes: Vec<u8>,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("it writes more than {MAX_OUTPUT} bytes")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
