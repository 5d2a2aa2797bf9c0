//! `golgi harvest` and `golgi corpora`: whole runs, runs that are killed, and runs that must fail.

use std::fs;
use std::time::Instant;

use golgi_data::store::{Store, StoreDtype};

use super::Golgi;
use super::broken_off::{Random, files};

pub(super) fn corpus(golgi: &Golgi) {
    let words = ["the", "cat", "sat", "on", "a", "mat", "and", "w20", "w30", "dog", "ran"];
    let text = |i: usize| (0..60).map(|k| words[(i * 7 + k * k) % words.len()]).collect::<Vec<_>>().join(" ");
    let line = |i: usize| format!("{{\"text\": \"{}\", \"language\": \"en\", \"genre\": \"test\"}}\n", text(i));
    fs::write(golgi.path("corpus.jsonl"), (0..320).map(line).collect::<String>()).unwrap();
}

pub(super) fn ready() -> Golgi {
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

#[test]
fn a_harvest_that_is_killed_at_any_instant_ends_with_the_same_bytes() {
    let golgi = ready();
    let start = Instant::now();
    golgi.ok(&line("whole"));
    let whole = start.elapsed();
    let expected = files(&golgi.path("whole"));
    let shards = expected.keys().filter(|name| name.starts_with("shards/")).count();
    assert!(shards > 10, "{shards}");
    let args = [line("killed"), vec!["--resume"]].concat();
    // A run that has nothing to do: what every run spends before it goes on.
    let start = Instant::now();
    golgi.ok(&[line("whole"), vec!["--resume"]].concat());
    let startup = start.elapsed();
    let shard = whole.saturating_sub(startup).div_f64(shards as f64);
    let folder = golgi.path("killed");
    let (mut random, mut killed, mut interrupted) = (Random::new(), 0, 0);
    for instant in 0..20 {
        let there = || fs::read_dir(folder.join("shards")).map_or(0, Iterator::count);
        // Every fourth kill comes at any instant of the run's beginning, the others while shards are written.
        let (enough, pause) = match instant % 4 {
            0 => (0, startup.mul_f64(random.next())),
            further => (there() + further, shard.mul_f64(random.next())),
        };
        killed += usize::from(golgi.kill(&args, || there() >= enough, pause));
        match Store::manifest_of(&folder) {
            Ok(manifest) if manifest.is_complete() => fs::remove_dir_all(&folder).unwrap(),
            manifest => interrupted += usize::from(manifest.is_ok()),
        }
    }
    golgi.ok(&args);
    assert!(killed >= 15, "only {killed} of 20 runs were still going on when they were to be killed");
    assert!(interrupted >= 10, "only {interrupted} of 20 kills came while the store was incomplete");
    let mut found = files(&golgi.path("killed"));
    found.retain(|name, _| !name.ends_with(".part"));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
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
