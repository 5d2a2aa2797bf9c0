//! `golgi prompt` and `golgi analyse`.

use super::{Golgi, reference};

#[test]
fn a_prompt_is_seen_from_all_sides() {
    let golgi = Golgi::new();
    let model = golgi.worded("gpt2");
    let text = golgi.ok(&["prompt", &model, "--text", "the cat sat on"]).out;
    for word in [
        "4 tokens",
        "Tokens, mean loss",
        "Next token",
        "Logit lens",
        "Direct attribution",
        "L1H",
        "Neurons",
        "Compared with",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    for word in ["cat", "sat"] {
        assert!(text.lines().any(|line| line.contains(word)), "{word}: {text}");
    }
}

#[test]
fn the_parts_of_the_document_agree_with_each_other() {
    let golgi = Golgi::new();
    for family in ["gpt2", "llama", "gemma2", "gpt_neox", "opt"] {
        let document = golgi.json(
            "golgi.prompt/1",
            &["prompt", &reference(family), "--tokens", "5,6,7,8", "--target", "#3", "--foil", "#4"],
        );
        let number = |value: &serde_json::Value| value.as_f64().unwrap_or_else(|| panic!("{family}: {value}"));
        let (tokens, share) = (&document["tokens"], &document["attribution"]);
        let next = tokens["next"][3].as_array().unwrap();
        let best = &document["lens"]["cells"].as_array().unwrap().last().unwrap()["top"][0];
        assert_eq!(best["id"], next[0]["id"], "{family}");
        assert_eq!((&share["target"]["id"], &share["foil"]["id"]), (&3.into(), &4.into()), "{family}");
        assert!((number(&share["total"]) - number(&share["actual"])).abs() < 1e-3, "{family}: {share}");
        let losses: Vec<f64> =
            tokens["tokens"].as_array().unwrap().iter().filter_map(|token| token["loss"].as_f64()).collect();
        assert_eq!(losses.len(), 3, "{family}");
        assert!((number(&tokens["mean_loss"]) - losses.iter().sum::<f64>() / 3.0).abs() < 1e-4, "{family}");
        assert!(document["effect"].is_null());
    }
}

#[test]
fn interventions_are_compared_with_the_model_as_it_is() {
    let golgi = Golgi::new();
    let args = ["prompt", &reference("gpt2"), "--tokens", "5,6,7", "--intervene"];
    let changed = golgi.json("golgi.prompt/1", &[&args[..], &["L0H1=zero"]].concat());
    assert!(changed["effect"]["kl"].as_f64().unwrap() > 0.0);
    assert_eq!(changed["provenance"]["interventions"], serde_json::json!(["L0H1=zero"]));
    let nothing = golgi.json("golgi.prompt/1", &[&args[..], &["blocks.*.hook_mlp_out=scale:1"]].concat());
    assert_eq!(nothing["effect"]["kl"], 0.0);
    std::fs::write(golgi.path("c.toml"), "[[interventions]]\nsite = \"blocks.0.hook_attn_out\"\nedit = \"zero\"\n")
        .unwrap();
    let text = golgi.ok(&[&args[..], &["c.toml"]].concat()).out;
    assert!(text.contains("What the interventions change"), "{text}");
}

#[test]
fn every_analysis_runs_by_name() {
    let golgi = Golgi::new();
    let list = golgi.json("golgi.analyses/1", &["analyse"]);
    let analyses = list["analyses"].as_array().unwrap();
    assert!(analyses.len() >= 5);
    for analysis in analyses.iter().filter(|analysis| analysis["needs_text"] == true) {
        let name = analysis["name"].as_str().unwrap();
        let args = ["analyse", name, &reference("gpt2"), "--tokens", "5,6,5,6"];
        let document = golgi.json("golgi.analyse/1", &args);
        assert_eq!(
            (&document["report"]["schema"], &document["report"]["analysis"]),
            (&"golgi.report/1".into(), &name.into())
        );
        golgi.ok(&args);
    }
}

#[test]
fn parameters_are_set_and_checked() {
    let golgi = Golgi::new();
    let args = ["analyse", "token_stats", &reference("gpt2"), "--tokens", "5,6"];
    let document = golgi.json("golgi.analyse/1", &[&args[..], &["--param", "top=3"]].concat());
    assert_eq!(document["params"]["top"], 3);
    let error = golgi.fails(&[&args[..], &["--param", "tops=3"]].concat());
    assert!(error.contains("tops"), "{error}");
    let error = golgi.fails(&["analyse", "token_stat", &reference("gpt2")]);
    assert!(error.contains("token_stats"), "{error}");
    let error = golgi.fails(&["analyse", "token_stats", &reference("gpt2")]);
    assert!(error.contains("--text"), "{error}");
}
