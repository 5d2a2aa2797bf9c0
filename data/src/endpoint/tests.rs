//! The protocol against a small server on this machine, also one that lies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::*;

/// What came, as text: head and body.
type Seen = Arc<Mutex<Vec<String>>>;

/// Answers every connection by `answer`, which is told how many there were before; it ends with the test's process.
fn serve(answer: impl Fn(usize, &mut TcpStream) + Send + 'static) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head += &line;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            log.lock().unwrap().push(head + "\r\n" + &String::from_utf8(body).unwrap());
            answer(number, &mut stream);
        }
    });
    (url, seen)
}

fn send(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    // The client may hang up early.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn said(text: &str) -> String {
    json!({ "choices": [{ "message": { "content": text } }], "usage": { "prompt_tokens": 7, "completion_tokens": 2 } })
        .to_string()
}

fn options(url: &str) -> EndpointOptions {
    let (timeout, pause) = (Duration::from_millis(600), Duration::from_millis(1));
    EndpointOptions { url: url.to_owned(), model: "m".to_owned(), timeout, pause, ..EndpointOptions::default() }
}

const QUESTION: Question = Question { system: "s", user: "u", max_tokens: 5, seed: 3 };

fn ask(url: &str) -> Result<Reply, EndpointError> {
    Endpoint::new(&options(url)).unwrap().ask(&QUESTION, &RunContext::new(0))
}

#[test]
fn a_question_is_asked_as_the_protocol_has_it() {
    let (url, seen) = serve(|_, stream| send(stream, 200, "", &said("four")));
    // Any variable that is set serves as a key here; its value is not looked at.
    let with_key = EndpointOptions { key_variable: Some("CARGO_PKG_NAME".into()), ..options(&format!("{url}/")) };
    let reply = Endpoint::new(&with_key).unwrap().ask(&QUESTION, &RunContext::new(0)).unwrap();
    assert_eq!(reply, Reply { text: "four".into(), tokens_in: 7, tokens_out: 2 });
    let seen = seen.lock().unwrap();
    let (head, body) = seen[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer golgi-data"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["model"], &body["max_tokens"], &body["temperature"]), (&json!("m"), &json!(5), &json!(0)));
    assert_eq!(body["messages"][1], json!({ "role": "user", "content": "u" }));
}

#[test]
fn passing_failures_are_tried_again_and_lasting_ones_are_not() {
    let (url, seen) = serve(|number, stream| match number {
        0 => send(stream, 429, "retry-after: 0\r\n", ""),
        1 => send(stream, 503, "", "busy"),
        _ => send(stream, 200, "", &said("late")),
    });
    assert_eq!(ask(&url).unwrap().text, "late");
    assert_eq!(seen.lock().unwrap().len(), 3);
    let (url, seen) = serve(|_, stream| send(stream, 500, "", ""));
    assert!(matches!(ask(&url), Err(EndpointError::Failed { attempts: 4, .. })));
    assert_eq!(seen.lock().unwrap().len(), 4);
    let (url, seen) =
        serve(|_, stream| send(stream, 401, "", r#"{"error":{"message":"no\u001b[31m key golgi-data"}}"#));
    let keyed = EndpointOptions { key_variable: Some("CARGO_PKG_NAME".into()), ..options(&url) };
    let error = Endpoint::new(&keyed).unwrap().ask(&QUESTION, &RunContext::new(0)).unwrap_err().to_string();
    assert!(error.contains("401") && error.contains("no[31m key …") && !error.contains('\u{1b}'), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_server_that_lies_does_no_harm() {
    // Longer than it may be: refused, and never held in memory.
    let (url, _) = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 9000000000\r\n\r\n");
        let chunk = vec![b' '; 1 << 16];
        while stream.write_all(&chunk).is_ok() {}
    });
    assert!(matches!(ask(&url), Err(EndpointError::Answer { cause }) if cause.contains("longer")));
    for body in ["", "nonsense", "[]", "{\"choices\":[]}", "{\"choices\":[{\"message\":{\"content\":5}}]}", "{\"a\":"] {
        let (url, _) = serve(move |_, stream| send(stream, 200, "", body));
        assert!(matches!(ask(&url), Err(EndpointError::Answer { .. })), "{body}");
    }
    // Deeper than any reader goes.
    let deep = "[".repeat(200_000);
    let (url, _) = serve(move |_, stream| send(stream, 200, "", &deep));
    assert!(matches!(ask(&url), Err(EndpointError::Answer { .. })));
    // A redirection is not followed, wherever it leads.
    let (other, asked) = serve(|_, stream| send(stream, 200, "", &said("stolen")));
    let (url, _) = serve(move |_, stream| send(stream, 307, &format!("location: {other}/chat/completions\r\n"), ""));
    assert!(matches!(ask(&url), Err(EndpointError::Refused { status: 307, .. })));
    assert!(asked.lock().unwrap().is_empty());
    // One byte now and then: the time for the whole counts.
    let (url, _) = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let (slow, began) = (EndpointOptions { attempts: 1, ..options(&url) }, Instant::now());
    let answer = Endpoint::new(&slow).unwrap().ask(&QUESTION, &RunContext::new(0));
    assert!(matches!(answer, Err(EndpointError::Failed { attempts: 1, .. })), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn what_cannot_or_must_not_be_asked_is_refused_before_a_connection() {
    let new = |options: EndpointOptions| Endpoint::new(&options);
    let (url, seen) = serve(|_, stream| send(stream, 200, "", &said("x")));
    let offline = EndpointOptions { offline: true, ..options(&url) };
    assert!(matches!(new(offline), Err(EndpointError::Offline { .. })));
    for bad in ["", "localhost:8080", "ftp://a", "http://", "http:///v1", "https://user@host/v1", "http://a b"] {
        assert!(matches!(new(options(bad)), Err(EndpointError::Address { .. })), "{bad}");
    }
    let unset = EndpointOptions { key_variable: Some("GOLGI_NO_SUCH_VARIABLE".into()), ..options(&url) };
    assert!(matches!(new(unset), Err(EndpointError::Key { .. })));
    let clear = EndpointOptions { key_variable: Some("CARGO_PKG_NAME".into()), ..options("http://example.org/v1") };
    assert!(matches!(new(clear), Err(EndpointError::Clear { .. })));
    let not_local =
        EndpointOptions { key_variable: Some("CARGO_PKG_NAME".into()), ..options("http://localhost.example.org") };
    assert!(matches!(new(not_local), Err(EndpointError::Clear { .. })));
    assert!(seen.lock().unwrap().is_empty());
    let stopped = RunContext::new(0);
    stopped.cancel();
    let asked = Endpoint::new(&options(&url)).unwrap().ask(&QUESTION, &stopped);
    assert!(matches!(asked, Err(EndpointError::Cancelled(_))) && seen.lock().unwrap().is_empty());
}
