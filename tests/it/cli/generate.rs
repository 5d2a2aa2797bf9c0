//! `golgi generate`.

use golgi_data::weights::Weights;

use super::{Golgi, reference};

#[test]
fn greedy_text_is_the_same_each_time_and_continues_the_prompt() {
    let golgi = Golgi::new();
    let model = golgi.worded("gpt2");
    let args = ["generate", &model, "--text", "the cat", "--max-tokens", "5"];
    let first = golgi.ok(&args);
    assert!(first.out.starts_with("the cat ") && first.out.ends_with('\n'), "{}", first.out);
    let document = golgi.json("golgi.generate/1", &args);
    assert_eq!(format!("the cat{}\n", document["text"].as_str().unwrap()), first.out);
    assert_eq!(first.out, golgi.ok(&args).out);
}

#[test]
fn sampling_depends_on_the_seed_alone() {
    let golgi = Golgi::new();
    let model = reference("llama");
    let ids = |seed: &str| {
        let args =
            ["generate", &model, "--tokens", "1,2,3", "--max-tokens", "20", "--temperature", "3", "--seed", seed];
        golgi.json("golgi.generate/1", &args)["steps"].clone()
    };
    assert_eq!(ids("1"), ids("1"));
    assert_ne!(ids("1"), ids("2"));
}

#[test]
fn captured_steps_are_joined() {
    let golgi = Golgi::new();
    let model = reference("gpt2");
    let args = [
        "generate",
        &model,
        "--tokens",
        "1,2,3",
        "--max-tokens",
        "4",
        "--capture",
        "hook_embed",
        "*hook_pattern",
        "--out",
        "g.safetensors",
    ];
    let document = golgi.json("golgi.generate/1", &args);
    let chosen: Vec<i64> =
        document["steps"].as_array().unwrap().iter().map(|step| step["id"].as_i64().unwrap()).collect();
    let file = Weights::open(&golgi.path("g.safetensors")).unwrap();
    // The last token was chosen, but did not go through the model.
    assert_eq!(file.read_i64("tokens").unwrap(), [&[1, 2, 3], &chosen[..3]].concat());
    assert_eq!(file.info("hook_embed").unwrap().shape, [1, 6, 32]);
    assert_eq!(file.info("blocks.0.attn.hook_pattern").unwrap().shape, [1, 4, 6, 6]);
}

#[test]
fn generation_ends_where_the_context_does() {
    let golgi = Golgi::new();
    let tokens = vec!["1"; 60].join(",");
    let document = golgi
        .json("golgi.generate/1", &["generate", &reference("gpt2"), "--tokens", &tokens, "--max-tokens", "999999999"]);
    assert_eq!(document["stop"], "context");
    // The context holds 64 tokens; the one after them is still predicted.
    assert_eq!(document["steps"].as_array().unwrap().len(), 5);
}

#[test]
fn what_cannot_be_generated_is_refused() {
    let golgi = Golgi::new();
    let model = golgi.worded("gpt2");
    let start = ["generate", &model, "--text", "cat"];
    assert!(golgi.fails(&[&start[..], &["--temperature", "-1"]].concat()).contains("temperature"));
    assert!(golgi.fails(&[&start[..], &["--temperature", "1", "--top-p", "2"]].concat()).contains("top-p"));
    assert!(golgi.fails(&["generate", &model, "--chat", "cat"]).contains("chat template"));
}
