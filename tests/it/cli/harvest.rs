//! `golgi harvest` and `golgi corpora`: whole runs, runs that are killed, and runs that must fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use golgi_data::store::{Store, StoreDtype};

use super::Golgi;

fn corpus(golgi: &Golgi) {
    let words = ["the", "cat", "sat", "on", "a", "mat", "and", "w20", "w30", "dog", "ran"];
    let text = |i: usize| (0..60).map(|k| words[(i * 7 + k * k) % words.len()]).collect::<Vec<_>>().join(" ");
    let line = |i: usize| format!("{{\"text\": \"{}\", \"language\": \"en\", \"genre\": \"test\"}}\n", text(i));
    fs::write(golgi.path("corpus.jsonl"), (0..320).map(line).collect::<String>()).unwrap();
}

fn ready() -> Golgi {
    let golgi = Golgi::new();
    golgi.worded("gpt2");
    corpus(&golgi);
    golgi
}

fn line(out: &str) -> Vec<&str> {
    let line = "harvest gpt2 --corpus corpus.jsonl --sites blocks.*.hook_resid_post blocks.0.mlp.hook_post --tokens 12000 \
                --context 24 --shard 0.05 --out";
    line.split_whitespace().chain([out]).collect()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(path).unwrap());
        }
    }
    found
}

#[test]
fn a_harvest_that_is_killed_at_any_instant_ends_with_the_same_bytes() {
    let golgi = ready();
    // The first run tokenises the corpus; the second one's time is that of the others.
    golgi.ok(&line("first"));
    let start = Instant::now();
    golgi.ok(&line("whole"));
    let usual = start.elapsed();
    let expected = files(&golgi.path("whole"));
    assert_eq!(files(&golgi.path("first")), expected);
    assert!(expected.keys().filter(|name| name.ends_with(".arrow")).count() > 10);
    let shards = expected.keys().filter(|name| name.starts_with("shards/")).count();
    let (mut random, mut interrupted) = (Random(88_172_645_463_325_252), 0);
    for instant in 0..10 {
        let out = format!("killed{instant}");
        let args = [line(&out), vec!["--resume"]].concat();
        let run = || golgi.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut kill = |mut child: Child| {
            // SIGKILL; it may have ended already.
            child.kill().unwrap();
            child.wait().unwrap();
            let manifest = Store::manifest_of(&golgi.path(&out));
            interrupted += usize::from(manifest.is_ok_and(|manifest| !manifest.is_complete()));
        };
        // First at any instant at all, then, in the run that resumes, while shards are written.
        let child = run();
        std::thread::sleep(usual.mul_f64(random.next()));
        kill(child);
        let mut child = run();
        let enough = (random.next() * shards as f64) as usize;
        let there = || fs::read_dir(golgi.path(&out).join("shards")).map_or(0, Iterator::count);
        while there() < enough && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        kill(child);
        golgi.ok(&args);
        let mut found = files(&golgi.path(&out));
        found.retain(|name, _| !name.ends_with(".part"));
        assert_eq!(found, expected, "killed {instant}");
    }
    assert!(interrupted >= 5, "only {interrupted} of 20 kills came while a store was incomplete");
}

/// Numbers in 0..1, the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn damaged_shards_are_named_and_made_again() {
    let golgi = ready();
    golgi.ok(&line("store"));
    let expected = files(&golgi.path("store"));
    fs::write(golgi.path("store/shards/00002.arrow"), "damaged").unwrap();
    fs::remove_file(golgi.path("store/shards/00004.arrow")).unwrap();
    let done = golgi.ok(&[line("store"), vec!["--resume"]].concat());
    assert!(done.out.contains("shards/00002.arrow was damaged and has been made again"), "{}", done.out);
    assert!(done.out.contains("shards/00004.arrow") && !done.out.contains("shards/00003.arrow"), "{}", done.out);
    assert_eq!(files(&golgi.path("store")), expected);
    let document = golgi.json("golgi.harvest/1", &[line("store"), vec!["--resume"]].concat());
    assert_eq!(document["report"]["written"], 0);
    assert_eq!(document["report"]["rows"], document["estimate"]["rows"]);
}

#[test]
fn half_precision_is_stored_and_nothing_else_takes_it() {
    let golgi = ready();
    golgi.ok(&[line("store"), vec!["--dtype", "f16"]].concat());
    let store = Store::open(&golgi.path("store")).unwrap();
    assert_eq!(store.manifest().dtype, StoreDtype::F16);
    assert_eq!(store.manifest().origin.model_dtype, "float32");
    let message = golgi.fails(&["--dtype", "f16", "inspect", "gpt2"]);
    assert!(message.contains("Float16 is for what `golgi harvest` stores"), "{message}");
}

#[test]
fn bad_input_is_refused_and_nothing_is_lost() {
    let golgi = ready();
    let with = |from: &str, to: &str| -> String {
        let args: Vec<String> =
            line("store").iter().map(|arg| if *arg == from { to.to_owned() } else { (*arg).to_owned() }).collect();
        golgi.fails(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    fs::write(golgi.path("bad.txt"), b"good text\nbad \xff byte").unwrap();
    fs::write(golgi.path("empty.txt"), "").unwrap();
    let message = with("corpus.jsonl", "bad.txt");
    assert!(message.contains("bad.txt") && message.contains("byte 14") && message.contains("lossy"), "{message}");
    assert!(with("corpus.jsonl", "empty.txt").contains("holds no text"));
    assert!(with("corpus.jsonl", "absent.txt").contains("there is no corpus `absent.txt`"));
    assert!(with("corpus.jsonl", "starter").contains("cargo xtask setup"));
    assert!(with("blocks.0.mlp.hook_post", "blocks.0.mlp.hook_pots").contains("hook_post"));
    assert!(with("blocks.0.mlp.hook_post", "blocks.0.attn.hook_pattern").contains("pair of positions"));
    assert!(with("store", "corpus.jsonl").contains("corpus.jsonl"));
    assert!(!golgi.path("store").exists());
    golgi.ok(&line("store"));
    let expected = files(&golgi.path("store"));
    assert!(with("", "").contains("--resume"));
    // The model changes: one byte of its weights.
    let weights = golgi.path("gpt2/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let message = golgi.fails(&[line("store"), vec!["--resume"]].concat());
    assert!(message.contains("was made with another model"), "{message}");
    assert_eq!(files(&golgi.path("store")), expected);
}

#[test]
fn a_corpus_is_described() {
    let golgi = ready();
    let document = golgi.json("golgi.corpora.describe/1", &["corpora", "corpus.jsonl"]);
    assert_eq!(document["documents"], 320);
    assert_eq!(document["languages"]["en"]["documents"], 320);
    let splits = document["splits"].as_object().unwrap();
    assert_eq!(splits.values().map(|split| split["documents"].as_u64().unwrap()).sum::<u64>(), 320);
    let done = golgi.ok(&["corpora", "corpus.jsonl"]);
    assert!(done.out.contains("320 documents") && done.out.contains("explore"), "{}", done.out);
    assert!(golgi.fails(&["corpora"]).contains("cargo xtask setup"));
}
