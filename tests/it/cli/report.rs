//! `golgi report`.

use serde_json::Value;

use super::{Golgi, json, reference};

#[test]
fn pages_are_written_in_every_format() {
    let golgi = Golgi::new();
    let model = golgi.worded("llama");
    let base = ["report", &model, "L1N7", "L0H2", "blocks.0.hook_resid_post:3", "--text", "the cat sat on", "--out"];
    for name in ["a.html", "a.md", "a.json"] {
        let done = golgi.ok(&[&base[..], &[name]].concat());
        assert!(done.out.contains("3 pages") && done.out.contains(name), "{}", done.out);
    }
    let read = |name: &str| std::fs::read_to_string(golgi.path(name)).unwrap();
    for word in ["<!doctype html>", "blocks.1.mlp.hook_post:7", "attention head", "cat", "Provenance", "</html>"] {
        assert!(read("a.html").contains(word), "{word}");
    }
    assert!(read("a.md").contains("## L1N7"));
    let document: Value = serde_json::from_str(&read("a.json")).unwrap();
    json::check("golgi.document/1", &document);
    let page = &document["sections"][0]["unit"];
    assert_eq!(page["activations"].as_array().unwrap().len(), 4);
    assert!(page["ends"].as_array().unwrap().len() >= 2);
    assert_eq!(document["provenance"]["model_digest"].as_str().unwrap().len(), 64);
    assert_eq!(golgi.files(), ["a.html", "a.json", "a.md", "llama"]);
}

#[test]
fn the_document_on_standard_output_is_the_one_in_the_file() {
    let golgi = Golgi::new();
    let args = ["report", &reference("gpt2"), "L1N7", "l1n7", "--tokens", "1,2,3", "--out", "a.json"];
    let document = golgi.json("golgi.pages/1", &args);
    assert_eq!(document["units"], serde_json::json!(["blocks.1.mlp.hook_post:7"]));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(golgi.path("a.json")).unwrap()).unwrap();
    assert_eq!(document["document"], file);
}

#[test]
fn a_text_full_of_markup_stays_text() {
    let golgi = Golgi::new();
    let model = golgi.worded("gpt2");
    golgi.ok(&["report", &model, "L1N7", "--text", "<script>alert(1)</script> \" cat", "--out", "a.html"]);
    let html = std::fs::read_to_string(golgi.path("a.html")).unwrap();
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn an_analysis_can_be_written_too() {
    let golgi = Golgi::new();
    golgi.ok(&["analyse", "logit_lens", &reference("gpt2"), "--tokens", "1,2,3", "--out", "lens.json"]);
    let document: Value = serde_json::from_str(&std::fs::read_to_string(golgi.path("lens.json")).unwrap()).unwrap();
    json::check("golgi.report/1", &document);
}
