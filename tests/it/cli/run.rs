//! `golgi run`.

use super::{Golgi, reference};

fn script(golgi: &Golgi, expectation: &str) {
    let text = format!(
        r#"
schema = "golgi.script/1"
title = "A tiny experiment"
model = "{}"
seed = 3

[[inputs]]
name = "a"
tokens = [5, 6, 7]

[[interventions]]
site = "blocks.0.attn.hook_z"
heads = [1]
edit = "zero"

[[captures]]
input = "a"
sites = ["hook_embed"]
file = "sub/embed.safetensors"

[[analyses]]
name = "token_stats"
input = "a"

[[outputs]]
file = "sub/stats.html"

[[expectations]]
analysis = "token_stats"
fact = "perplexity"
{expectation}
"#,
        reference("gpt2")
    );
    std::fs::write(golgi.path("s.toml"), text).unwrap();
}

#[test]
fn a_script_that_is_right_ends_with_0() {
    let golgi = Golgi::new();
    script(&golgi, "above = 1.0");
    let text = golgi.ok(&["run", "s.toml"]).out;
    assert!(text.contains("perplexity") && text.contains("met"), "{text}");
    assert!(golgi.path("sub/embed.safetensors").is_file());
    assert!(std::fs::read_to_string(golgi.path("sub/stats.html")).unwrap().contains("</html>"));
    let document = golgi.json("golgi.run/1", &["run", "s.toml"]);
    assert_eq!((&document["met"], &document["results"][0]["report"]["provenance"]["seed"]), (&true.into(), &3.into()));
}

#[test]
fn an_expectation_that_is_not_met_ends_with_1() {
    let golgi = Golgi::new();
    script(&golgi, "below = 1.0");
    let done = golgi.run(&["run", "s.toml"]);
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.out.contains("NOT MET"), "{}", done.out);
    assert_eq!(done.err, "");
}

#[test]
fn a_dry_run_checks_and_writes_nothing() {
    let golgi = Golgi::new();
    script(&golgi, "below = 1.0");
    let text = golgi.ok(&["run", "s.toml", "--dry-run"]).out;
    assert!(text.contains("Nothing was run") && text.contains("sub/embed.safetensors"), "{text}");
    let document = golgi.json("golgi.run/1", &["run", "s.toml", "--dry-run"]);
    assert!(document["plan"].as_array().unwrap().len() >= 4);
    assert_eq!(golgi.files(), ["s.toml"]);
    let error = golgi.fails(&["run", "s.toml", "--dry-run", "--set", "interventions.0.heads=[9]"]);
    assert!(error.contains("4 heads"), "{error}");
}

#[test]
fn settings_and_flags_replace_what_the_script_says() {
    let golgi = Golgi::new();
    script(&golgi, "above = 1.0");
    let seed = |args: &[&str]| golgi.json("golgi.run/1", args)["results"][0]["report"]["provenance"]["seed"].clone();
    assert_eq!(seed(&["run", "s.toml", "--set", "seed=5"]), 5);
    assert_eq!(seed(&["run", "s.toml", "--seed", "8"]), 8);
}

#[test]
fn scripts_that_make_no_sense_are_refused() {
    let golgi = Golgi::new();
    std::fs::write(golgi.path("bad.toml"), "schema = ").unwrap();
    assert!(golgi.fails(&["run", "bad.toml"]).contains("line 1"));
    assert!(golgi.fails(&["run", "missing.toml"]).contains("missing.toml"));
    script(&golgi, "above = 1.0");
    let unknown = ["--set", "analyses.0.id=token_stats", "--set", "analyses.0.name=nothing"];
    assert!(golgi.fails(&[&["run", "s.toml"][..], &unknown].concat()).contains("`nothing`"));
    assert!(golgi.fails(&["run", "s.toml", "--set", "outputs.0.file=../x.html"]).contains("`..`"));
    assert!(golgi.fails(&["run", "s.toml", "--set", "outputs.0.file=x.pdf"]).contains(".html"));
    assert!(golgi.fails(&["run", "s.toml", "--out-dir", "nowhere"]).contains("nowhere"));
    assert_eq!(golgi.files(), ["bad.toml", "s.toml"]);
}
