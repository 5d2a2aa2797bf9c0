//! The hub's protocol against a small server on this machine.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Stands for the git digest of a small file.
const GIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[derive(Debug, Clone)]
struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
}

#[derive(Default)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What `content-length` says, where it is not the truth.
    claimed: Option<usize>,
}

fn reply(status: u16, body: &[u8]) -> Reply {
    Reply { status, body: body.to_vec(), ..Reply::default() }
}

impl Reply {
    fn with(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Answers one request per connection and remembers them all.
struct Server {
    base: String,
    seen: Arc<Mutex<Vec<Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(answer: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::<Request>::new()));
        let log = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut stream) else { continue };
                if request.path == "/stop" {
                    return;
                }
                let same = log.lock().unwrap().iter().filter(|r| r.path == request.path).count();
                log.lock().unwrap().push(request.clone());
                let reply = answer(&request, same);
                let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
                let length = reply.claimed.unwrap_or(reply.body.len());
                head += &format!("content-length: {length}\r\n");
                reply.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
                // The client may hang up early.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"\r\n"));
                if request.method != "HEAD" {
                    let _ = stream.write_all(&reply.body);
                }
            }
        });
        Server { base, seen, thread: Some(thread) }
    }

    fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|request| request.path.clone()).collect()
    }

    fn header(&self, path: &str, name: &str) -> Vec<Option<String>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|r| r.path.ends_with(path)).map(|r| r.headers.get(name).cloned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let address = self.base.trim_start_matches("http://");
        if let Ok(mut stream) = TcpStream::connect(address) {
            let _ = stream.write_all(b"GET /stop HTTP/1.1\r\n\r\n");
        }
        // A failed assertion in the server's thread must fail the test, unless it fails already.
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream.take(16 << 10)).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let header =
        |line: String| Some((line.split_once(':')?.0.to_ascii_lowercase(), line.split_once(": ")?.1.to_owned()));
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(header).collect();
    Some(Request { method, path, headers })
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The listing of files with (name, size, digest, whether it is large).
fn listing(files: &[(&str, usize, &str, bool)]) -> Reply {
    let entry = |(name, size, digest, large): &(&str, usize, &str, bool)| match large {
        true => format!(r#"{{"rfilename":"{name}","size":{size},"blobId":"{GIT}","lfs":{{"sha256":"{digest}"}}}}"#),
        false => format!(r#"{{"rfilename":"{name}","size":{size},"blobId":"{digest}"}}"#),
    };
    let entries: Vec<String> = files.iter().map(entry).collect();
    reply(200, format!(r#"{{"sha":"{COMMIT}","siblings":[{}]}}"#, entries.join(",")).as_bytes())
}

fn hub(server: &Server, cache: &TempDir) -> Hub {
    Hub {
        cache: cache.path().to_owned(),
        endpoint: server.base.clone(),
        token: Some("secret".to_owned()),
        offline: false,
        pause: Duration::from_millis(1),
    }
}

fn address() -> Address {
    Address::parse("hf://org/repo").unwrap()
}

const CONFIG: &[u8] = br#"{"model_type":"gpt2"}"#;
const WEIGHTS: [u8; 1000] = [7; 1000];

/// A repository with a configuration and one file of weights; `weights` answers for the latter.
fn repository(weights: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Server {
    Server::start(move |request, same| match request.path.as_str() {
        path if path.starts_with("/api/models/org/repo/revision/main") => listing(&[
            ("config.json", CONFIG.len(), GIT, false),
            ("model.safetensors", WEIGHTS.len(), &sha256(&WEIGHTS), true),
            ("pytorch_model.bin", 5, &sha256(b"wrong"), true),
            ("onnx/model.onnx", 5, &sha256(b"wrong"), true),
        ]),
        path if path.ends_with("/config.json") => reply(200, CONFIG),
        path if path.ends_with("/model.safetensors") => weights(request, same),
        path => panic!("nobody needs {path}"),
    })
}

/// The bytes from a request's `Range` on.
fn ranged(request: &Request, bytes: &[u8]) -> Reply {
    match request.headers.get("range") {
        None => reply(200, bytes),
        Some(range) => {
            let from: usize = range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
            let all = bytes.len();
            reply(206, &bytes[from..]).with("content-range", &format!("bytes {from}-{}/{all}", all - 1))
        }
    }
}

fn parts(cache: &Path) -> Vec<String> {
    let blobs = cache.join("models--org--repo/blobs");
    let names = fs::read_dir(blobs).map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()));
    names.map(|names| names.filter(|name| name.ends_with(".part")).collect()).unwrap_or_default()
}

#[test]
fn a_model_lands_in_the_hubs_own_layout() {
    let (server, cache) = (repository(|request, _| ranged(request, &WEIGHTS)), tempfile::tempdir().unwrap());
    let (hub, ctx) = (hub(&server, &cache), RunContext::new(0));
    assert_eq!(hub.snapshot(&address()).unwrap(), None);
    let snapshot = hub.fetch(&address(), &ctx).unwrap();
    let repo = cache.path().join("models--org--repo");
    assert_eq!((snapshot.revision.as_str(), &snapshot.path), (COMMIT, &repo.join("snapshots").join(COMMIT)));
    assert_eq!(fs::read(snapshot.path.join("config.json")).unwrap(), CONFIG);
    assert_eq!(fs::read(snapshot.path.join("model.safetensors")).unwrap(), WEIGHTS);
    assert_eq!(fs::read_dir(&snapshot.path).unwrap().count(), 2);
    #[cfg(unix)]
    {
        let link = fs::read_link(snapshot.path.join("model.safetensors")).unwrap();
        assert_eq!(link, PathBuf::from(format!("../../blobs/{}", sha256(&WEIGHTS))));
        assert_eq!(
            fs::read_link(snapshot.path.join("config.json")).unwrap(),
            PathBuf::from(format!("../../blobs/{GIT}"))
        );
    }
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    assert_eq!(server.header("config.json", "authorization"), [Some("Bearer secret".to_owned())]);
    assert_eq!((ctx.progress().done, ctx.progress().total), (1021, 1021));
    assert!(parts(cache.path()).is_empty());

    // What is there is found, by branch and by commit, and not asked for again.
    assert_eq!(hub.snapshot(&address()).unwrap(), Some(snapshot.clone()));
    let by_commit = Address { revision: Some(COMMIT.to_owned()), ..address() };
    assert_eq!(hub.snapshot(&by_commit).unwrap(), Some(snapshot.clone()));
    let before = server.paths().len();
    assert_eq!(hub.fetch(&address(), &ctx).unwrap(), snapshot);
    assert_eq!(server.paths().len(), before + 1);
}

#[test]
fn a_connection_cut_half_way_is_resumed() {
    let server = repository(|request, same| match same {
        0 => Reply { claimed: Some(1000), ..reply(200, &WEIGHTS[..400]) },
        1 => Reply { claimed: Some(600), ..ranged(request, &WEIGHTS[..700]) },
        _ => ranged(request, &WEIGHTS),
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap();
    assert_eq!(fs::read(snapshot.path.join("model.safetensors")).unwrap(), WEIGHTS);
    let ranges = server.header("model.safetensors", "range");
    assert_eq!(ranges, [None, Some("bytes=400-".to_owned()), Some("bytes=700-".to_owned())]);
}

#[test]
fn a_later_run_resumes_too() {
    let cache = tempfile::tempdir().unwrap();
    {
        let server = repository(|_, same| match same {
            0 => Reply { claimed: Some(1000), ..reply(200, &WEIGHTS[..400]) },
            _ => reply(503, b""),
        });
        let error = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
        assert!(matches!(&error, HubError::Transfer { what, .. } if what == "model.safetensors"), "{error}");
        assert_eq!(parts(cache.path()), [format!("{}.part", sha256(&WEIGHTS))]);
        assert_eq!(hub(&server, &cache).snapshot(&address()).unwrap(), None);
    }
    let server = repository(|request, _| ranged(request, &WEIGHTS));
    hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap();
    assert_eq!(server.header("model.safetensors", "range"), [Some("bytes=400-".to_owned())]);
}

#[test]
fn a_server_that_cannot_resume_starts_again() {
    let server = repository(|_, same| match same {
        0 => Reply { claimed: Some(1000), ..reply(200, &WEIGHTS[..400]) },
        1 => reply(416, b""),
        2 => Reply { claimed: Some(1000), ..reply(200, &WEIGHTS[..400]) },
        _ => reply(200, &WEIGHTS),
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap();
    assert_eq!(fs::read(snapshot.path.join("model.safetensors")).unwrap(), WEIGHTS);
}

#[test]
fn wrong_content_is_refused() {
    type Answer = fn(&Request, usize) -> Reply;
    let cases: [(&str, Answer, &str); 3] = [
        ("other bytes", |_, _| reply(200, &[8; 1000]), "SHA-256"),
        ("more bytes", |_, _| reply(200, &[7; 1001]), "1000 bytes"),
        ("fewer bytes", |_, _| reply(200, &[7; 10]), "check the connection"),
    ];
    for (what, answer, expected) in cases {
        let (server, cache) = (repository(answer), tempfile::tempdir().unwrap());
        let error = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(parts(cache.path()).len() == usize::from(what == "fewer bytes"), "{what}");
        assert_eq!(hub(&server, &cache).snapshot(&address()).unwrap(), None, "{what}");
    }
}

#[test]
fn refusals_say_what_to_do() {
    for (status, expected) in
        [(404, "check the name"), (401, "HF_TOKEN"), (403, "accept its terms"), (400, "status 400")]
    {
        let server = Server::start(move |_, _| reply(status, b"{}"));
        let cache = tempfile::tempdir().unwrap();
        let error = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("org/repo"), "{error}");
        assert_eq!(server.paths().len(), 1);
        assert!(fs::read_dir(cache.path()).unwrap().next().is_none());
    }
}

#[test]
fn a_busy_hub_is_asked_again() {
    let server = Server::start(|request, same| match (request.path.starts_with("/api"), same) {
        (true, 0) => reply(429, b""),
        (true, _) => listing(&[("m.gguf", 3, &sha256(b"abc"), true)]),
        _ => reply(200, b"abc"),
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap();
    assert_eq!(fs::read(snapshot.path.join("m.gguf")).unwrap(), b"abc");
}

#[test]
fn redirects_are_followed_without_the_token() {
    let store = Server::start(|request, _| ranged(request, &WEIGHTS));
    let elsewhere = format!("{}/store/weights?sig=1", store.base);
    let server = repository(move |request, _| match request.path.starts_with("/org") {
        true => reply(302, b"").with("location", "/moved/model.safetensors"),
        false => reply(307, b"").with("location", &elsewhere),
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap();
    assert_eq!(fs::read(snapshot.path.join("model.safetensors")).unwrap(), WEIGHTS);
    assert_eq!(server.header("/moved/model.safetensors", "authorization"), [Some("Bearer secret".to_owned())]);
    assert_eq!(store.header("/store/weights?sig=1", "authorization"), [None]);
}

#[test]
fn redirects_to_nowhere_and_in_circles() {
    for location in ["file:///etc/passwd", "", "//other", "/org/repo/model.safetensors"] {
        let server = repository(move |_, _| reply(302, b"").with("location", location));
        let cache = tempfile::tempdir().unwrap();
        let error = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
        assert!(matches!(error, HubError::Answer { .. }), "{location}: {error}");
        assert!(server.paths().len() < 12);
    }
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    for name in ["../../evil.safetensors", "/etc/evil", "a/../../evil", "C:\\\\evil", "a//b", ""] {
        let server = Server::start(move |_, _| listing(&[(name, 1, GIT, false), ("model.safetensors", 1, GIT, false)]));
        let cache = tempfile::tempdir().unwrap();
        let error = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
        assert!(matches!(error, HubError::UnsafeName { .. }), "{name}: {error}");
        assert!(fs::read_dir(cache.path()).unwrap().next().is_none());
    }
    // So are digests and commits, which become names too.
    let commit = Server::start(|_, _| reply(200, br#"{"sha":"../../x","siblings":[]}"#));
    let cache = tempfile::tempdir().unwrap();
    let error = hub(&commit, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
    assert!(error.to_string().contains("no commit"), "{error}");
    let digest = Server::start(|request, _| match request.method.as_str() {
        "HEAD" => reply(200, b"").with("etag", "\"../x\""),
        _ => listing(&[("model.safetensors", 1, "../../../x", true)]),
    });
    let error = hub(&digest, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
    assert!(matches!(error, HubError::Answer { .. }), "{error}");
}

#[test]
fn offline_opens_no_socket() {
    let server = Server::start(|_, _| reply(200, b"{}"));
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub { offline: true, ..hub(&server, &cache) };
    assert_eq!(hub.snapshot(&address()).unwrap(), None);
    let error = hub.fetch(&address(), &RunContext::new(0)).unwrap_err();
    assert!(error.to_string().contains("--offline"), "{error}");
    assert!(server.paths().is_empty());
}

#[test]
fn shards_come_with_their_index() {
    const INDEX: &str = r#"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"}}"#;
    let files = || {
        [
            ("model.safetensors.index.json", INDEX.len(), GIT, false),
            ("m-1.safetensors", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", true),
            ("m-2.safetensors", 3, "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34", true),
            ("m-3.safetensors", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", true),
        ]
    };
    let server = Server::start(move |request, _| match request.path.rsplit('/').next().unwrap() {
        "m-1.safetensors" => reply(200, b"abc"),
        "m-2.safetensors" => reply(200, b"def"),
        "model.safetensors.index.json" => reply(200, INDEX.as_bytes()),
        _ => listing(&files()),
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap();
    assert_eq!(fs::read(snapshot.path.join("m-2.safetensors")).unwrap(), b"def");
    assert_eq!(fs::read_dir(&snapshot.path).unwrap().count(), 3);
}

#[test]
fn an_index_cannot_ask_for_what_is_not_listed() {
    const INDEX: &str = r#"{"weight_map":{"a":"../../../secret"}}"#;
    let server = Server::start(|request, _| match request.path.starts_with("/api") {
        true => listing(&[("model.safetensors.index.json", INDEX.len(), GIT, false)]),
        false => reply(200, INDEX.as_bytes()),
    });
    let cache = tempfile::tempdir().unwrap();
    let error = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
    assert!(matches!(&error, HubError::NotFound { what } if what.contains("secret")), "{error}");
}

#[test]
fn one_of_several_models_is_named() {
    let abc = sha256(b"abc");
    let server = Server::start(move |request, _| match request.path.starts_with("/api") {
        true => listing(&[("b c.gguf", 3, &abc, true), ("a.gguf", 3, &abc, true)]),
        false => reply(200, b"abc"),
    });
    let cache = tempfile::tempdir().unwrap();
    let hub = hub(&server, &cache);
    let error = hub.fetch(&address(), &RunContext::new(0)).unwrap_err();
    assert!(error.to_string().contains("hf://org/repo/a.gguf (others: b c.gguf)"), "{error}");
    let named = Address { file: Some("b c.gguf".to_owned()), ..address() };
    let snapshot = hub.fetch(&named, &RunContext::new(0)).unwrap();
    assert!(snapshot.path.join("b c.gguf").is_file() && !snapshot.path.join("a.gguf").exists());
    assert_eq!(server.paths().last().unwrap(), &format!("/org/repo/resolve/{COMMIT}/b%20c.gguf"));
    let missing = Address { file: Some("c.gguf".to_owned()), ..address() };
    assert!(matches!(hub.fetch(&missing, &RunContext::new(0)), Err(HubError::NotFound { .. })));
}

#[test]
fn a_repository_without_weights() {
    let server = Server::start(|_, _| listing(&[("config.json", 2, GIT, false), ("readme.txt", 2, GIT, false)]));
    let cache = tempfile::tempdir().unwrap();
    let error = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap_err();
    assert!(matches!(error, HubError::NoWeights { .. }), "{error}");
}

#[test]
fn listings_without_digests_ask_for_each_file() {
    let abc = sha256(b"abc");
    let server = Server::start(move |request, _| match (request.path.starts_with("/api"), request.method.as_str()) {
        (true, _) => {
            reply(200, format!(r#"{{"sha":"{COMMIT}","siblings":[{{"rfilename":"model.safetensors"}}]}}"#).as_bytes())
        }
        (false, "HEAD") => reply(302, b"")
            .with("location", "/x")
            .with("x-linked-etag", &format!("\"{abc}\""))
            .with("x-linked-size", "3"),
        _ => reply(200, b"abc"),
    });
    let cache = tempfile::tempdir().unwrap();
    let snapshot = hub(&server, &cache).fetch(&address(), &RunContext::new(0)).unwrap();
    assert_eq!(fs::read(snapshot.path.join("model.safetensors")).unwrap(), b"abc");
}

#[test]
fn a_download_can_be_cancelled() {
    let (server, cache) = (repository(|request, _| ranged(request, &WEIGHTS)), tempfile::tempdir().unwrap());
    let ctx = RunContext::new(0);
    ctx.cancel();
    let error = hub(&server, &cache).fetch(&address(), &ctx).unwrap_err();
    assert!(matches!(error, HubError::Cancelled(_)), "{error}");
    assert_eq!(hub(&server, &cache).snapshot(&address()).unwrap(), None);
}

#[test]
fn a_hub_that_is_not_there() {
    let cache = tempfile::tempdir().unwrap();
    let base = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hub = Hub {
        cache: cache.path().to_owned(),
        endpoint: format!("http://{base}"),
        token: None,
        offline: false,
        pause: Duration::from_millis(1),
    };
    let error = hub.fetch(&address(), &RunContext::new(0)).unwrap_err();
    assert!(matches!(error, HubError::Transfer { .. }), "{error}");
}

#[test]
fn damaged_references_lead_nowhere() {
    let cache = tempfile::tempdir().unwrap();
    let refs = cache.path().join("models--org--repo/refs");
    fs::create_dir_all(&refs).unwrap();
    fs::create_dir_all(cache.path().join("models--org--repo/snapshots")).unwrap();
    for text in ["", "../..", "/etc", COMMIT] {
        fs::write(refs.join("main"), text).unwrap();
        let hub = Hub { cache: cache.path().to_owned(), ..Hub::from_env() };
        assert_eq!(hub.snapshot(&address()).unwrap(), None, "{text}");
    }
}

#[test]
fn the_environment_counts() {
    let from = |pairs: &'static [(&str, &str)]| {
        let find = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Hub::from_variables(find, Some("/u".into()))
    };
    let plain = from(&[]);
    assert_eq!((plain.cache.as_path(), plain.offline), (Path::new("/u/.cache/huggingface/hub"), false));
    assert_eq!((plain.endpoint.as_str(), plain.token), ("https://huggingface.co", None));
    assert_eq!(from(&[("HF_HOME", "/h")]).cache, Path::new("/h/hub"));
    assert_eq!(from(&[("XDG_CACHE_HOME", "/x")]).cache, Path::new("/x/huggingface/hub"));
    let all = from(&[
        ("HF_HOME", "/h"),
        ("HF_HUB_CACHE", "/c"),
        ("HF_TOKEN", " t\n"),
        ("HF_HUB_OFFLINE", "TRUE"),
        ("HF_ENDPOINT", "https://mirror/"),
    ]);
    assert_eq!((all.cache.as_path(), all.offline), (Path::new("/c"), true));
    assert_eq!((all.endpoint.as_str(), all.token.as_deref()), ("https://mirror", Some("t")));
    assert!(!format!("{:?}", from(&[("HF_TOKEN", "hush")])).contains("hush"));
}
