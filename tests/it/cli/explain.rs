//! `golgi explain`: the describer, scores, resuming, a model that runs here, and what is refused.

use golgi_data::atlas::testing::Fixture;
use serde_json::Value;

use super::{Golgi, WORDS};

/// A planted atlas in the folder `atlas`.
pub fn with_atlas() -> Golgi {
    let golgi = Golgi::new();
    std::fs::create_dir(golgi.path("atlas")).unwrap();
    Fixture { contexts: 120, examples: 32, ..Fixture::default() }.write(&golgi.path("atlas")).unwrap();
    golgi
}

fn lines(golgi: &Golgi) -> Vec<Value> {
    let text = std::fs::read_to_string(golgi.path("atlas/explanations.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn units_are_explained_scored_and_shown() {
    let golgi = with_atlas();
    let sql = "SELECT unit FROM families WHERE family = 'token detector' ORDER BY unit";
    let explain = ["explain", "atlas", "--query", sql, "--limit", "6"];
    let plan = golgi.json("golgi.explain/1", &[&explain[..], &["--dry-run"]].concat());
    assert_eq!(
        (&plan["outcome"], &plan["estimate"]["calls"], &plan["units"][1]),
        (&Value::Null, &0.into(), &"L0N6".into())
    );
    assert!(!golgi.path("atlas/explanations.jsonl").exists());
    let done = golgi.ok(&explain);
    assert!(done.err.contains("time") && done.out.contains("Fires on “"), "{}{}", done.err, done.out);
    assert!(done.out.contains("6 explanations in atlas") && done.out.contains("--limit"), "{}", done.out);
    let first = lines(&golgi);
    assert_eq!(first.len(), 6);
    assert!(first.iter().all(|one| one["scores"]["detection"]["score"].as_f64().unwrap() > 0.8), "{first:?}");
    let again = golgi.json("golgi.explain/1", &[&explain[..], &["--resume"]].concat());
    assert_eq!(again["outcome"]["resumed"], 6);
    // Other units come behind; the same ones are replaced.
    golgi.ok(&["explain", "atlas", "--units", "L0N1,L0N3", "--score", "detection"]);
    golgi.ok(&explain);
    assert_eq!(lines(&golgi).len(), 8);
    golgi.ok(&["report", "--atlas", "atlas", "--units", "L0N0", "--out", "unit.md"]);
    let page = std::fs::read_to_string(golgi.path("unit.md")).unwrap();
    assert!(page.contains("describer: **Fires on"), "{page}");
}

#[test]
fn what_cannot_be_explained_is_refused_before_work_starts() {
    let golgi = with_atlas();
    let fails = |rest: &[&str]| golgi.fails(&[&["explain", "atlas"], rest].concat());
    assert!(fails(&[]).contains("--units"));
    assert!(fails(&["--units", "L9N0"]).contains("L9N0"));
    assert!(fails(&["--query", "SELECT unit FROM units WHERE layer > 9"]).contains("no unit"));
    assert!(fails(&["--units", "L0N0", "--by", "endpoint"]).contains("--endpoint"));
    assert!(fails(&["--units", "L0N0", "--by", "local:no-such-model"]).contains("no-such-model"));
    assert!(fails(&["--units", "L0N0", "--contexts", "10"]).contains("planted"));
    let named = ["--units", "L0N0", "--endpoint", "http://localhost:1/v1", "--endpoint-model", "m"];
    assert!(fails(&named).contains("--by endpoint"));
    let offline = fails(&[&named[..], &["--by", "endpoint", "--offline"]].concat());
    assert!(offline.contains("offline"), "{offline}");
    let keyless = fails(&[&named[..], &["--by", "endpoint", "--endpoint-key", "GOLGI_NO_SUCH_VARIABLE"]].concat());
    assert!(keyless.contains("GOLGI_NO_SUCH_VARIABLE"), "{keyless}");
    assert!(golgi.fails(&["explain", "search", "atlas", "rivers"]).contains("no explanations yet"));
    assert!(golgi.fails(&["explain", "elsewhere", "--units", "L0N0"]).contains("no atlas"));
    std::fs::write(golgi.path("atlas/explanations.jsonl"), "{}\n").unwrap();
    assert!(fails(&["--units", "L0N0"]).contains("line 1"));
}

/// An atlas of a tiny model with a tokenizer, over text made of its words.
fn with_model() -> (Golgi, String) {
    let golgi = Golgi::new();
    let model = golgi.worded("llama");
    let words: Vec<&str> = WORDS.split(' ').skip(1).collect();
    std::fs::create_dir(golgi.path("corpus")).unwrap();
    for document in 0..20 {
        let text: Vec<&str> = (0..120).map(|at| words[(at * (document + 3) + at / 7) % words.len()]).collect();
        std::fs::write(golgi.path(&format!("corpus/{document}.txt")), text.join(" ")).unwrap();
    }
    let build =
        ["atlas", "build", &model, "--corpus", "corpus", "--tokens", "1200", "--context-len", "24", "--split", "all"];
    golgi.ok(&[&build[..], &["--out", "atlas"]].concat());
    (golgi, model)
}

#[test]
fn the_atlas_s_own_model_gives_more_contexts_and_takes_interventions() {
    let (golgi, model) = with_model();
    let units = "L0N0,L0N1,L1N2,L0H1,blocks.0.hook_resid_post:3";
    let all =
        ["explain", "atlas", "--units", units, "--score", "detection,simulation,intervention", "--contexts", "30"];
    let document = golgi.json("golgi.explain/1", &all);
    let records = document["outcome"]["records"].as_array().unwrap();
    assert_eq!(records.len(), 5);
    assert!(document["estimate"]["model_tokens"].as_u64().unwrap() > 30 * 20);
    assert!(
        records.iter().any(|one| one["scores"]["intervention"]["pairs"].as_f64().unwrap_or(0.0) > 0.0),
        "{records:?}"
    );
    assert!(records[0]["evidence"].as_str().unwrap().contains("more contexts"), "{}", records[0]);
    // Weights that the atlas was not made with are refused.
    let other = golgi.worded("gpt2");
    assert!(golgi.fails(&[&all[..], &["--model", &other, "--quiet"]].concat()).contains("weights"));
    // A model that runs here reads and writes; this one's context is too short for the task, which is said and not a crash.
    let by = format!("local:{model}");
    let short = golgi.fails(&["explain", "atlas", "--units", "L0N0,L0N1", "--by", &by, "--quiet"]);
    assert!(short.contains("context"), "{short}");
    // The tiny model of this kind cannot embed.
    let causal = golgi.fails(&["explain", "search", "atlas", "cats", "--embedder", &model]);
    assert!(causal.contains("minilm"), "{causal}");
    let bert = golgi.worded("bert");
    let found = golgi.json("golgi.explain.search/1", &["explain", "search", "atlas", "the cat", "--embedder", &bert]);
    assert_eq!((found["hits"].as_array().unwrap().len(), &found["explanations"]), (5, &5.into()));
    let embedded = ["explain", "atlas", "--units", "L0N0,L0N1", "--score", "embedding", "--embedder", &bert];
    let embedded = golgi.json("golgi.explain/1", &embedded);
    assert!(embedded["outcome"]["records"][0]["scores"]["embedding"].is_object());
}
