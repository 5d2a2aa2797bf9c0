//! `golgi explain` with an endpoint: a server in a thread of the test, also one that lies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::explain::with_atlas;

/// Answers every question by what `answer` makes of its text; returns its address and what was asked.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
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
            let body: Value = serde_json::from_slice(&body).unwrap();
            let messages = body["messages"].as_array().unwrap();
            let text: Vec<&str> = messages.iter().map(|one| one["content"].as_str().unwrap()).collect();
            log.lock().unwrap().push(head);
            answer(&text.join("\n"), &mut stream);
        }
    });
    (url, seen)
}

fn send(stream: &mut TcpStream, text: &str) {
    let body = json!({ "choices": [{ "message": { "content": text } }], "usage": { "prompt_tokens": 10, "completion_tokens": 2 } });
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    // The program may have hung up.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

#[test]
fn an_endpoint_explains_and_judges() {
    let golgi = with_atlas();
    let (url, seen) = serve(|text, stream| {
        let passages = text.matches("\nPassage ").count();
        if text.contains("[EXPLANATION]") {
            send(stream, "Hm.\n[EXPLANATION]: words about rivers\u{1b}[31m");
        } else if text.contains("whole numbers") {
            let n = text.split("list of ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            send(stream, &format!("{:?}", (0..n.parse().unwrap()).map(|at| at % 3).collect::<Vec<u32>>()));
        } else {
            send(stream, &format!("{:?}", vec![1; passages]));
        }
    });
    let args = [
        "explain",
        "atlas",
        "--units",
        "L0N0,L0N6",
        "--by",
        "endpoint",
        "--endpoint",
        &url,
        "--endpoint-model",
        "tiny",
    ];
    let args = [&args[..], &["--passages", "6", "--endpoint-key", "GOLGI_TEST_KEY", "--json"]].concat();
    let output = golgi.command(&args).env("GOLGI_TEST_KEY", "sesame").output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{err}");
    assert!(
        err.contains("questions to language models") && !err.contains("sesame") && !out.contains("sesame"),
        "{err}"
    );
    let document: Value = serde_json::from_str(&out).unwrap();
    super::json::check("golgi.explain/1", &document);
    let record = &document["outcome"]["records"][0];
    assert_eq!((&record["by"], &record["text"]), (&"endpoint:tiny".into(), &"words about rivers[31m".into()));
    assert_eq!(record["scores"]["detection"]["answered"], 1.0);
    // Yes to everything is chance.
    assert_eq!(record["scores"]["detection"]["score"], 0.5);
    let asked = document["outcome"]["calls"].as_u64().unwrap();
    assert_eq!(seen.lock().unwrap().len() as u64, asked);
    assert!(seen.lock().unwrap().iter().all(|head| head.to_lowercase().contains("authorization: bearer sesame")));
    let estimated = document["estimate"]["calls"].as_u64().unwrap();
    assert!(asked <= 2 * estimated && estimated <= 2 * asked, "{asked} of {estimated}");
}

#[test]
fn an_endpoint_that_lies_does_no_harm() {
    let golgi = with_atlas();
    let args = |url: &str| {
        let words =
            ["explain", "atlas", "--units", "L0N0", "--by", "endpoint", "--endpoint", url, "--endpoint-model", "m"];
        [&words[..], &["--passages", "2", "--endpoint-timeout", "1"]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |url: &str| golgi.run(&args(url).iter().map(String::as_str).collect::<Vec<_>>());
    // Malformed lists: recorded as unanswered, and said so.
    let (url, _) = serve(|_, stream| send(stream, &format!("\u{202e}{}[1, 2, 3", "y".repeat(10_000))));
    let done = run(&url);
    assert!(done.code == 0 && done.err.contains("did not answer"), "{}", done.err);
    assert!(!done.out.contains('\u{202e}'), "{}", done.out);
    // Endless.
    let (url, _) = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'['; 1 << 16]).is_ok() {}
    });
    let done = run(&url);
    assert!(done.code == 2 && done.err.contains("longer than"), "{}", done.err);
    // No JSON.
    let (url, _) = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello");
    });
    let done = run(&url);
    assert!(done.code == 2 && done.err.contains("no JSON"), "{}", done.err);
}
