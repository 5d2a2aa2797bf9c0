//! Lists a repository and downloads files of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, Proxy};

use super::address::is_inside;
use super::error::io_error;
use super::layout::{self, is_digest, link, repo_folder};
use super::select::{AROUND, Choice, choose_weights};
use super::{Address, Hub, HubError, Snapshot};
use crate::context::RunContext;

/// Transfers that break off are continued this often while they make no headway.
const ATTEMPTS: u32 = 4;
/// Redirects followed for one file.
const MAX_REDIRECTS: u32 = 5;
/// The longest listing or index accepted, in bytes.
const MAX_JSON: u64 = 64 << 20;
const CHUNK: usize = 256 << 10;

/// A file as the hub lists it.
#[derive(Debug, Clone)]
struct Listed {
    name: String,
    /// Its size in bytes.
    size: Option<u64>,
    /// The name of its content in the cache: its SHA-256, or its git digest if it is small.
    blob: Option<String>,
}

/// A request that failed: worth another try, or not.
enum Failure {
    Passing(String),
    Final(HubError),
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Failure {
        Failure::Final(error)
    }
}

struct Remote<'a> {
    hub: &'a Hub,
    repo: &'a str,
    agent: Agent,
    ctx: &'a RunContext,
}

/// Downloads what is missing and returns the whole snapshot.
pub(super) fn fetch(hub: &Hub, address: &Address, ctx: &RunContext) -> Result<Snapshot, HubError> {
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        // Redirects are followed by hand: the token must not go along.
        .max_redirects(0)
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .user_agent(concat!("golgi/", env!("CARGO_PKG_VERSION")))
        // A hub on this machine is not behind a proxy.
        .proxy(if is_local(&hub.endpoint) { None } else { Proxy::try_from_env() })
        .build()
        .new_agent();
    let remote = Remote { hub, repo: &address.repo, agent, ctx };
    ctx.stage(&format!("asking for {}", address.repo), 0);
    let (commit, files) = remote.list(address.revision())?;
    let folder = repo_folder(&hub.cache, &address.repo);
    let names = remote.wanted(address, &folder, &commit, &files)?;
    let wanted: Vec<&Listed> = files.iter().filter(|file| names.contains(&file.name)).collect();
    ctx.stage(&format!("downloading {}", address.repo), wanted.iter().filter_map(|file| file.size).sum());
    for file in wanted {
        remote.bring(&folder, &commit, file)?;
    }
    // Last, so that a revision never stands at an incomplete snapshot.
    layout::write_reference(&folder, address.revision(), &commit)?;
    Ok(Snapshot { path: folder.join("snapshots").join(&commit), revision: commit })
}

impl Remote<'_> {
    /// The commit of a revision, and all files at it.
    fn list(&self, revision: &str) -> Result<(String, Vec<Listed>), HubError> {
        let what = format!("{} at revision {revision}", self.repo);
        let url =
            format!("{}/api/models/{}/revision/{}?blobs=true", self.hub.endpoint, self.repo, encode(revision, ""));
        let wrong = |cause: &str| HubError::Answer { what: what.clone(), cause: cause.to_owned() };
        let bytes = self.retried(&what, || {
            let mut bytes = Vec::new();
            let response = self.get(&url, &what, 0)?;
            let reader = response.into_body().into_reader();
            reader.take(MAX_JSON).read_to_end(&mut bytes).map_err(|e| Failure::Passing(e.to_string()))?;
            Ok(bytes)
        })?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|e| wrong(&e.to_string()))?;
        let commit = answer["sha"].as_str().filter(|sha| is_digest(sha)).ok_or_else(|| wrong("it names no commit"))?;
        let listed = answer["siblings"].as_array().ok_or_else(|| wrong("it lists no files"))?;
        let mut files = Vec::with_capacity(listed.len());
        for entry in listed {
            let name = entry["rfilename"].as_str().ok_or_else(|| wrong("a file has no name"))?;
            if !is_inside(name) {
                return Err(HubError::UnsafeName { name: name.to_owned() });
            }
            let blob = entry["lfs"]["sha256"].as_str().or_else(|| entry["blobId"].as_str());
            let blob = blob.filter(|blob| is_digest(blob)).map(str::to_owned);
            files.push(Listed { name: name.to_owned(), size: entry["size"].as_u64(), blob });
        }
        Ok((commit.to_owned(), files))
    }

    /// The names of the files that are needed.
    fn wanted(
        &self,
        address: &Address,
        folder: &Path,
        commit: &str,
        files: &[Listed],
    ) -> Result<BTreeSet<String>, HubError> {
        let repo = address.repo.clone();
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let find = |name: &str| {
            let missing = || HubError::NotFound { what: format!("`{name}` in {repo}") };
            files.iter().find(|file| file.name == name).ok_or_else(missing)
        };
        let mut wanted: BTreeSet<String> = AROUND.iter().map(|name| (*name).to_owned()).collect();
        let choice = match &address.file {
            Some(file) => Choice::One(file.clone()),
            None => choose_weights(&names),
        };
        match choice {
            Choice::One(name) => _ = wanted.insert(find(&name)?.name.clone()),
            Choice::Index(name) => {
                self.bring(folder, commit, find(&name)?)?;
                let path = folder.join("snapshots").join(commit).join(&name);
                let size = path.metadata().map_err(io_error("read", &path))?.len();
                let wrong = |cause: String| HubError::Answer { what: name.clone(), cause };
                if size > MAX_JSON {
                    return Err(wrong(format!("it has {size} bytes")));
                }
                let bytes = fs::read(&path).map_err(io_error("read", &path))?;
                let index: Value = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
                let map = index["weight_map"].as_object().ok_or_else(|| wrong("it lists no shards".to_owned()))?;
                for shard in map.values().filter_map(Value::as_str).collect::<BTreeSet<_>>() {
                    wanted.insert(find(shard)?.name.clone());
                }
                wanted.insert(name);
            }
            Choice::Several(mut several) => {
                let first = several.remove(0);
                return Err(HubError::Several { repo, first, others: several.join(", ") });
            }
            Choice::Nothing => return Err(HubError::NoWeights { repo }),
        }
        Ok(wanted)
    }

    /// Downloads one file, unless its content is there, and links it.
    fn bring(&self, folder: &Path, commit: &str, file: &Listed) -> Result<(), HubError> {
        if folder.join("snapshots").join(commit).join(&file.name).exists() {
            self.ctx.advance(file.size.unwrap_or(0));
            return Ok(());
        }
        let url = format!("{}/{}/resolve/{commit}/{}", self.hub.endpoint, self.repo, encode(&file.name, "/"));
        let file = if file.blob.is_some() { file.clone() } else { self.describe(&url, file)? };
        let no_digest = || HubError::Answer { what: file.name.clone(), cause: "it names no digest".to_owned() };
        let blob = file.blob.as_deref().ok_or_else(no_digest)?;
        let blobs = folder.join("blobs");
        fs::create_dir_all(&blobs).map_err(io_error("create", &blobs))?;
        let whole = blobs.join(blob);
        if !whole.exists() {
            let part = blobs.join(format!("{blob}.part"));
            let mut out = layout::open_part(&part, self.ctx)?;
            // Whoever held the lock may have finished; what is open then is the whole file under its old name.
            if !whole.exists() {
                self.transfer(&url, &file, &mut out, &part)?;
                self.check(&file, blob, &part)?;
                fs::rename(&part, &whole).map_err(io_error("rename", &part))?;
            } else {
                self.ctx.advance(file.size.unwrap_or(0));
            }
        } else {
            self.ctx.advance(file.size.unwrap_or(0));
        }
        link(folder, commit, &file.name, blob)
    }

    /// Size and digest of a file from the headers, for hubs whose listings lack them.
    fn describe(&self, url: &str, file: &Listed) -> Result<Listed, HubError> {
        let response = self.retried(&file.name, || {
            let response = self.authorised(self.agent.head(url)).call().map_err(passing)?;
            if response.status().is_redirection() { Ok(response) } else { self.judged(response, &file.name) }
        })?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let etag = header("x-linked-etag")
            .or_else(|| header("etag"))
            .map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
        let size = header("x-linked-size").or_else(|| header("content-length")).and_then(|size| size.parse().ok());
        // A redirect's own length says nothing about the file.
        let size = size.filter(|_| !response.status().is_redirection() || header("x-linked-size").is_some());
        Ok(Listed { name: file.name.clone(), size: file.size.or(size), blob: etag.filter(|tag| is_digest(tag)) })
    }

    /// Fills the partial file, going on where it ends.
    fn transfer(&self, url: &str, file: &Listed, out: &mut File, part: &Path) -> Result<(), HubError> {
        let length = |out: &File| out.metadata().map(|m| m.len()).map_err(io_error("read", part));
        self.ctx.advance(length(out)?);
        let mut attempt = 0;
        loop {
            let before = length(out)?;
            if file.size == Some(before) {
                return Ok(());
            }
            if file.size.is_some_and(|size| before > size) {
                out.set_len(0).map_err(io_error("write", part))?;
                continue;
            }
            let failure = match self.stream(url, file, out, part, before) {
                // Without a promised size, the end of the answer is the end of the file.
                Ok(()) if file.size.is_none() => return Ok(()),
                Ok(()) => "the connection closed early".to_owned(),
                Err(Failure::Passing(cause)) => cause,
                Err(Failure::Final(error)) => return Err(error),
            };
            let now = length(out)?;
            if file.size == Some(now) {
                return Ok(());
            }
            attempt = if now > before { 1 } else { attempt + 1 };
            if attempt >= ATTEMPTS {
                return Err(HubError::Transfer { what: file.name.clone(), cause: failure });
            }
            self.wait(attempt)?;
        }
    }

    /// One connection: appends what comes.
    fn stream(&self, url: &str, file: &Listed, out: &mut File, part: &Path, from: u64) -> Result<(), Failure> {
        let response = self.get(url, &file.name, from)?;
        let restart = match response.status().as_u16() {
            206 => {
                let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
                let start = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
                start != Some(from)
            }
            // The server starts from the beginning, or has nothing after what is there.
            _ => from > 0,
        };
        if restart {
            out.set_len(0).map_err(io_error("write", part))?;
            if response.status() != 200 {
                return Err(Failure::Passing("the server does not go on where the file ends".to_owned()));
            }
        }
        let mut room = file.size.map_or(u64::MAX, |size| if restart { size } else { size - from });
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            self.ctx.check().map_err(HubError::from)?;
            let count = reader.read(&mut buffer).map_err(|e| Failure::Passing(e.to_string()))?;
            if count == 0 {
                return Ok(());
            }
            if count as u64 > room {
                drop(fs::remove_file(part));
                return Err(Failure::Final(HubError::Content {
                    file: file.name.clone(),
                    expected: format!("{} bytes", file.size.unwrap_or(0)),
                    actual: "more".to_owned(),
                }));
            }
            room -= count as u64;
            out.write_all(&buffer[..count]).map_err(io_error("write", part))?;
            self.ctx.advance(count as u64);
        }
    }

    /// Compares a whole partial file with what was promised, and deletes it if it is something else.
    fn check(&self, file: &Listed, blob: &str, part: &Path) -> Result<(), HubError> {
        if blob.len() != 64 {
            // A git digest (SHA-1) of a small file: its size was compared.
            return Ok(());
        }
        let io = |e: golgi_fetch::FetchError| HubError::Io {
            action: "read",
            path: part.to_owned(),
            cause: std::io::Error::other(e.to_string()),
        };
        let actual = golgi_fetch::sha256_file(part).map_err(io)?;
        if actual == blob {
            return Ok(());
        }
        fs::remove_file(part).map_err(io_error("delete", part))?;
        let (expected, actual) = (format!("SHA-256 {blob}"), format!("SHA-256 {actual}"));
        Err(HubError::Content { file: file.name.clone(), expected, actual })
    }

    /// Asks for `url`, following redirects. The answer has status 200, 206 or 416.
    fn get(&self, url: &str, what: &str, from: u64) -> Result<Response<Body>, Failure> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(&url);
            if self.is_ours(&url) {
                request = self.authorised(request);
            }
            // Compression would make nonsense of positions.
            request = request.header("accept-encoding", "identity");
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(passing)?;
            if !response.status().is_redirection() {
                return self.judged(response, what);
            }
            let target = response.headers().get("location").and_then(|location| location.to_str().ok());
            let wrong = || HubError::Answer { what: what.to_owned(), cause: "a redirect to nowhere".to_owned() };
            url = self.redirected(&url, target.unwrap_or_default()).ok_or_else(wrong)?;
        }
        let cause = format!("more than {MAX_REDIRECTS} redirects");
        Err(Failure::Final(HubError::Answer { what: what.to_owned(), cause }))
    }

    /// Turns a refusal into an error.
    fn judged(&self, response: Response<Body>, what: &str) -> Result<Response<Body>, Failure> {
        match response.status().as_u16() {
            200 | 206 | 416 => Ok(response),
            status @ (401 | 403) => {
                let page = format!("{}/{}", self.hub.endpoint, self.repo);
                Err(Failure::Final(HubError::Refused { repo: self.repo.to_owned(), status, page }))
            }
            404 => Err(Failure::Final(HubError::NotFound { what: what.to_owned() })),
            status @ (408 | 429 | 500..) => Err(Failure::Passing(format!("status {status}"))),
            status => {
                let cause = format!("status {status}");
                Err(Failure::Final(HubError::Transfer { what: what.to_owned(), cause }))
            }
        }
    }

    fn authorised<S>(&self, request: ureq::RequestBuilder<S>) -> ureq::RequestBuilder<S> {
        match &self.hub.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Whether an address is under the endpoint, the only place the token goes to.
    fn is_ours(&self, url: &str) -> bool {
        origin(url) == origin(&self.hub.endpoint)
    }

    /// The address a redirect leads to: under the same host, or another one that is no less private.
    fn redirected(&self, from: &str, location: &str) -> Option<String> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Some(format!("{}{location}", origin(from)?));
        }
        let private = location.starts_with("https://");
        let as_before = location.starts_with("http://") && from.starts_with("http://");
        (private || as_before).then(|| location.to_owned())
    }

    /// Tries again, after a pause, what may work another time.
    fn retried<T>(&self, what: &str, mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, HubError> {
        let mut attempt = 1;
        loop {
            match work() {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(cause)) if attempt >= ATTEMPTS => {
                    return Err(HubError::Transfer { what: what.to_owned(), cause });
                }
                Err(Failure::Passing(_)) => self.wait(attempt)?,
            }
            attempt += 1;
        }
    }

    /// Waits before a retry: longer each time, and not when somebody has asked to stop.
    fn wait(&self, attempt: u32) -> Result<(), HubError> {
        let step = Duration::from_millis(50).min(self.hub.pause);
        let mut left = self.hub.pause * 2u32.pow(attempt.saturating_sub(1));
        while !left.is_zero() {
            self.ctx.check()?;
            std::thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
        Ok(self.ctx.check()?)
    }
}

fn passing(error: ureq::Error) -> Failure {
    Failure::Passing(error.to_string())
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    Some(&url[..end])
}

fn is_local(url: &str) -> bool {
    let host = origin(url).and_then(|origin| origin.split("://").nth(1)).unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|local| host.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
}

/// Percent-encodes all but letters, digits, `-._~` and the characters of `also`.
fn encode(text: &str, also: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
