//! `golgi sae geometry`, on a dictionary with planted groups.

use std::fs;

use golgi_data::dictionary::{Architecture, Config, Dictionary, Part};
use serde_json::Value;

use super::Golgi;

/// The width of the tiny models.
fn width(golgi: &Golgi) -> usize {
    let document = golgi.json("golgi.inspect/1", &["inspect", "gpt2"]);
    document["network"]["dims"]["d_model"].as_u64().unwrap() as usize
}

fn noise(at: usize) -> f32 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 40) as f32 / 16_777_216.0 - 0.5) * 2.0
}

/// A model, a corpus, and a dictionary whose latents read and write random directions.
fn ready() -> Golgi {
    let golgi = Golgi::new();
    golgi.worded("gpt2");
    let words = ["the", "cat", "sat", "on", "a", "mat", "and", "w20", "w30", "dog", "ran"];
    let text = |i: usize| (0..40).map(|k| words[(i * 7 + k * k + i * k) % words.len()]).collect::<Vec<_>>().join(" ");
    let line = |i: usize| format!("{{\"text\": \"{} w{}\"}}\n", text(i), 40 + i % 50);
    fs::write(golgi.path("corpus.jsonl"), (0..120).map(line).collect::<String>()).unwrap();
    let (d, m) = (width(&golgi), 60);
    let part = Part { site: "blocks.1.hook_resid_post".into(), width: d as u32 };
    let mut config = Config::autoencoder(Architecture::TopK { k: 3 }, part, m as u32);
    config.model = Some("gpt2".into());
    config.corpus = Some("corpus.jsonl".into());
    let directions: Vec<f32> = (0..m * d).map(noise).collect();
    let dictionary = Dictionary {
        encoder: directions.clone(),
        encoder_bias: vec![0.0; m],
        decoder: directions,
        decoder_bias: vec![0.0; d],
        ..Dictionary::empty(config)
    };
    fs::create_dir(golgi.path("sae")).unwrap();
    dictionary.write(&golgi.path("sae")).unwrap();
    golgi
}

#[test]
fn everything_is_measured_beside_its_null() {
    let golgi = ready();
    let line = "sae geometry sae --tokens 3000 --block 16 --clusters 2,4 --random-sets 3 --out a.html";
    let line: Vec<&str> = line.split(' ').collect();
    let document = golgi.json("golgi.sae.geometry/1", &line);
    let found = &document["geometry"];
    assert!(found["cloud"]["slope"].is_number() && found["cloud"]["negentropy"].is_number(), "{}", found["cloud"]);
    let levels = found["lobes"]["levels"].as_array().unwrap();
    assert_eq!((levels.len(), levels[0]["random"].as_array().unwrap().len()), (2, 3));
    // A random dictionary has no lobes to speak of.
    assert!(levels[1]["agreement"].as_f64().unwrap() < 0.5);
    assert_eq!(found["crystals"]["relations"].as_array().unwrap().len(), 8);
    assert!(found["crystals"]["held_out"].as_f64().unwrap() < 0.5);
    let page = fs::read_to_string(golgi.path("a.html")).unwrap();
    assert!(page.contains("<circle") && page.contains("Spectrum of the decoder directions"));
    assert_eq!(golgi.json("golgi.sae.geometry/1", &line)["geometry"], *found);
    let text = golgi.ok(&line).out;
    for part in ["slope of Gaussian clouds", "lobes by number of clusters", "How well parallelograms close", "rank"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn latents_need_no_model() {
    let golgi = ready();
    let row = |relation: &str, a: usize, b: usize| format!("{relation}\t#{a}\t#{b}\n");
    let list: String = (0..8).map(|i| row(if i % 2 == 0 { "even" } else { "odd" }, i, i + 20)).collect();
    fs::write(golgi.path("pairs.tsv"), list).unwrap();
    let document =
        golgi.json("golgi.sae.geometry/1", &["sae", "geometry", "sae", "--no-model", "--pairs", "pairs.tsv"]);
    let found = &document["geometry"];
    assert_eq!((&found["lobes"], found["crystals"]["names"][1].as_str()), (&Value::Null, Some("#1 → #21")));
    let alone = golgi.json("golgi.sae.geometry/1", &["sae", "geometry", "sae", "--no-model"]);
    assert_eq!((&alone["geometry"]["crystals"], &alone["geometry"]["cloud"]), (&Value::Null, &found["cloud"]));
}

#[test]
fn what_cannot_be_measured_is_explained() {
    let golgi = ready();
    let fails = |more: &[&str]| golgi.fails(&[&["sae", "geometry", "sae"], more].concat());
    fs::write(golgi.path("words.tsv"), "a\tone\ttwo\na\tx\ty\nb\tx\ty\nb\tone\ttwo\n").unwrap();
    fs::write(golgi.path("bad.tsv"), "a\tone\n").unwrap();
    fs::write(golgi.path("far.tsv"), "a\t#1\t#2\na\t#3\t#99\nb\t#1\t#3\nb\t#2\t#4\n").unwrap();
    assert!(fails(&["--no-model", "--pairs", "words.tsv"]).contains("Leave --no-model away"));
    assert!(fails(&["--pairs", "bad.tsv"]).contains("divided by tabs"));
    assert!(fails(&["--no-model", "--pairs", "far.tsv"]).contains("there is no latent #99"));
    assert!(fails(&["--pairs", "nowhere.tsv"]).contains("cannot read nowhere.tsv"));
    assert!(fails(&["--clusters", "1"]).contains("2 to 4096 clusters"));
    assert!(fails(&["--out", "a.pdf"]).contains(".html"));
    assert!(golgi.fails(&["sae", "geometry", "nowhere"]).contains("dictionary.json"));
}
