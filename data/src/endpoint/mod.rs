//! An endpoint with the interface of OpenAI's chat completions, which the user names. Nothing is asked without one.
//!
//! ```no_run
//! use golgi_data::context::RunContext;
//! use golgi_data::endpoint::{Endpoint, EndpointOptions, Question};
//!
//! let options = EndpointOptions { url: "http://localhost:8080/v1".into(), model: "qwen".into(), ..EndpointOptions::default() };
//! let endpoint = Endpoint::new(&options)?;
//! let question = Question { system: "Answer in one word.", user: "What is 2 + 2?", max_tokens: 10, seed: 0 };
//! println!("{}", endpoint.ask(&question, &RunContext::new(0))?.text);
//! # Ok::<(), golgi_data::endpoint::EndpointError>(())
//! ```
//!
//! The answer comes from a stranger: its length is bounded before it is read, its time is limited, a redirection is not followed
//! (the key must not go elsewhere), and its text is only ever text.

use std::io::Read;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::{Agent, Proxy};

use crate::context::{Cancelled, RunContext};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;
/// The longest wait that a server may ask for.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Characters of a server's complaint that are passed on.
const MAX_COMPLAINT: usize = 200;

/// Which endpoint, and how patient to be.
#[derive(Debug, Clone)]
pub struct EndpointOptions {
    /// Its address, such as `http://localhost:8080/v1`; `/chat/completions` is added where it is missing.
    pub url: String,
    /// The name of the model there.
    pub model: String,
    /// The environment variable that holds the key, if one is needed.
    pub key_variable: Option<String>,
    /// Nothing may be asked.
    pub offline: bool,
    /// How long one answer may take in all.
    pub timeout: Duration,
    /// How often a question is asked that could not be answered for a passing reason.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles each time.
    pub pause: Duration,
}

impl Default for EndpointOptions {
    fn default() -> EndpointOptions {
        EndpointOptions {
            url: String::new(),
            model: String::new(),
            key_variable: None,
            offline: false,
            timeout: Duration::from_secs(120),
            attempts: 4,
            pause: Duration::from_secs(1),
        }
    }
}

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Nothing may be asked.
    #[error(
        "the endpoint {url} is not asked in offline mode; run the command without --offline, or use another explainer"
    )]
    Offline {
        /// Its address.
        url: String,
    },
    /// Not an address.
    #[error("`{url}` is no address of an endpoint; write something like http://localhost:8080/v1")]
    Address {
        /// What was given.
        url: String,
    },
    /// A key would go over the wire in the clear.
    #[error("the key is not sent to {url}, because the connection is not encrypted; use an address with https://")]
    Clear {
        /// The address.
        url: String,
    },
    /// The variable with the key is not set, or holds what cannot be a key.
    #[error("the environment variable {variable} holds no key: {cause}; set it, or name another one")]
    Key {
        /// The variable.
        variable: String,
        /// Why.
        cause: &'static str,
    },
    /// The server has refused the question.
    #[error(
        "the endpoint refuses the question with status {status}{complaint}; check its address, the model's name and the key"
    )]
    Refused {
        /// The status.
        status: u16,
        /// What it says, in brackets with a space before, or nothing.
        complaint: String,
    },
    /// Every attempt failed.
    #[error(
        "the endpoint did not answer in {attempts} attempts: {cause}; see whether it is running, then go on with --resume"
    )]
    Failed {
        /// How often it was asked.
        attempts: u32,
        /// What went wrong the last time.
        cause: String,
    },
    /// The answer is not what it should be.
    #[error("the endpoint's answer cannot be used: {cause}; see whether it speaks OpenAI's chat completions")]
    Answer {
        /// Why not.
        cause: String,
    },
    /// Somebody asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the model is told about its task; may be empty.
    pub system: &'a str,
    /// The question.
    pub user: &'a str,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
    /// Seed, for servers that have one.
    pub seed: u64,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The text, as it came.
    pub text: String,
    /// Tokens read, as the server counts them; 0 where it does not say.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
}

/// An endpoint that may be asked.
#[derive(Debug)]
pub struct Endpoint {
    url: String,
    model: String,
    key: Option<String>,
    attempts: u32,
    pause: Duration,
    agent: Agent,
}

/// A question that was not answered: worth another try after some time, or not.
enum Failure {
    Passing { cause: String, wait: Option<Duration> },
    Final(EndpointError),
}

impl Endpoint {
    /// Checks address and key. Nothing is sent.
    ///
    /// # Errors
    /// [`EndpointError::Offline`], [`EndpointError::Address`], [`EndpointError::Key`], [`EndpointError::Clear`].
    pub fn new(options: &EndpointOptions) -> Result<Endpoint, EndpointError> {
        let url = options.url.trim().trim_end_matches('/');
        if options.offline {
            return Err(EndpointError::Offline { url: url.to_owned() });
        }
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
        let strange = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        if host.is_empty() || host.starts_with(['/', ':']) || host.contains(strange) {
            return Err(EndpointError::Address { url: url.chars().take(MAX_COMPLAINT).collect() });
        }
        let local = is_local(host);
        let key = options.key_variable.as_deref().map(key_in).transpose()?;
        if key.is_some() && !local && !url.starts_with("https://") {
            return Err(EndpointError::Clear { url: url.to_owned() });
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(15).min(options.timeout)))
            .timeout_global(Some(options.timeout))
            .user_agent(concat!("golgi/", env!("CARGO_PKG_VERSION")))
            .proxy(if local { None } else { Proxy::try_from_env() })
            .build()
            .new_agent();
        let url = if url.ends_with("/chat/completions") { url.to_owned() } else { format!("{url}/chat/completions") };
        let attempts = options.attempts.max(1);
        Ok(Endpoint { url, model: options.model.clone(), key, attempts, pause: options.pause, agent })
    }

    /// The name of the model there.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Asks, at temperature 0, and waits for the answer. What fails for a passing reason (no connection, too slow, statuses 408,
    /// 429 and 5xx) is asked again.
    ///
    /// # Errors
    /// Every variant but those of [`Endpoint::new`].
    pub fn ask(&self, question: &Question, ctx: &RunContext) -> Result<Reply, EndpointError> {
        let mut messages = Vec::new();
        if !question.system.is_empty() {
            messages.push(json!({ "role": "system", "content": question.system }));
        }
        messages.push(json!({ "role": "user", "content": question.user }));
        let body = json!({
            "model": self.model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": question.max_tokens,
            "seed": question.seed,
            "stream": false,
        });
        let body = body.to_string();
        let mut attempt = 1;
        loop {
            ctx.check()?;
            match self.once(&body) {
                Ok(reply) => return Ok(reply),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { cause, .. }) if attempt >= self.attempts => {
                    return Err(EndpointError::Failed { attempts: attempt, cause: self.redacted(&cause) });
                }
                Err(Failure::Passing { wait, .. }) => {
                    let own = self.pause * 2u32.saturating_pow(attempt - 1);
                    sleep(wait.unwrap_or(own).min(MAX_WAIT), ctx)?;
                }
            }
            attempt += 1;
        }
    }

    fn once(&self, body: &str) -> Result<Reply, Failure> {
        let passing = |cause: String| Failure::Passing { cause, wait: None };
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let response = request.send(body).map_err(|error| passing(error.to_string()))?;
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut bytes = Vec::new();
        let reader = response.into_body().into_reader();
        let read = reader.take(MAX_ANSWER + 1).read_to_end(&mut bytes);
        match status {
            200 => {}
            408 | 429 | 500.. => {
                return Err(Failure::Passing {
                    cause: format!("status {status}"),
                    wait: wait.map(Duration::from_secs),
                });
            }
            status => {
                let complaint = self.complaint(&bytes);
                return Err(Failure::Final(EndpointError::Refused { status, complaint }));
            }
        }
        read.map_err(|error| passing(error.to_string()))?;
        if bytes.len() as u64 > MAX_ANSWER {
            let cause = format!("it is longer than {MAX_ANSWER} bytes");
            return Err(Failure::Final(EndpointError::Answer { cause }));
        }
        reply(&bytes).map_err(|cause| Failure::Final(EndpointError::Answer { cause }))
    }

    /// What a server says of a refusal, short, on one line and without the key.
    fn complaint(&self, bytes: &[u8]) -> String {
        let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let text = answer["error"]["message"].as_str().or_else(|| answer["error"].as_str()).unwrap_or_default();
        let text: String = self.redacted(text).split_whitespace().collect::<Vec<_>>().join(" ");
        let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_COMPLAINT).collect();
        if text.is_empty() { text } else { format!(" ({text})") }
    }

    fn redacted(&self, text: &str) -> String {
        match &self.key {
            Some(key) => text.replace(key.as_str(), "…"),
            None => text.to_owned(),
        }
    }
}

fn key_in(variable: &str) -> Result<String, EndpointError> {
    let wrong = |cause| EndpointError::Key { variable: variable.to_owned(), cause };
    let key = std::env::var(variable).map_err(|_| wrong("it is not set, or no text"))?;
    let key = key.trim();
    match key {
        "" => Err(wrong("it is empty")),
        key if !key.chars().all(|c| c.is_ascii_graphic()) => Err(wrong("a key has no spaces or strange characters")),
        key => Ok(key.to_owned()),
    }
}

/// Reads what a server that speaks the protocol answers.
fn reply(bytes: &[u8]) -> Result<Reply, String> {
    let answer: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON ({error})"))?;
    let message = &answer["choices"][0]["message"]["content"];
    let text = message.as_str().ok_or("it holds no text at choices[0].message.content")?.to_owned();
    let tokens = |name: &str| answer["usage"][name].as_u64().unwrap_or(0);
    Ok(Reply { text, tokens_in: tokens("prompt_tokens"), tokens_out: tokens("completion_tokens") })
}

fn is_local(host: &str) -> bool {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| host.strip_prefix(local).is_some_and(ends))
}

fn sleep(time: Duration, ctx: &RunContext) -> Result<(), Cancelled> {
    let mut left = time;
    while !left.is_zero() {
        ctx.check()?;
        let step = left.min(Duration::from_millis(50));
        std::thread::sleep(step);
        left -= step;
    }
    ctx.check()
}

#[cfg(test)]
mod tests;
