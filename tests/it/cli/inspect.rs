//! `golgi inspect`.

use super::{Golgi, reference};

#[test]
fn a_network_is_described_site_by_site() {
    let golgi = Golgi::new();
    let text = golgi.ok(&["inspect", &reference("gpt2")]).out;
    for word in
        ["gpt2", "blocks.0.attn.hook_pattern", "[batch, 4, query, key]", "F32", "none; give token ids", "logits"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("blocks.1."), "{text}");
    assert!(golgi.ok(&["inspect", &reference("gpt2"), "--all"]).out.contains("blocks.1.mlp.hook_post"));
}

#[test]
fn the_document_holds_every_site_and_parameter() {
    let golgi = Golgi::new();
    let document = golgi.json("golgi.inspect/1", &["inspect", &reference("gemma2")]);
    let network = &document["network"];
    assert_eq!((&network["family"], &network["tokenizer"]), (&"gemma2".into(), &serde_json::Value::Null));
    let counts = &network["parameter_counts"];
    let of = |value: &serde_json::Value| value.as_u64().unwrap();
    let blocks = counts["blocks"].as_array().unwrap();
    let sum: u64 = blocks.iter().map(|block| of(&block["attention"]) + of(&block["mlp"]) + of(&block["norms"])).sum();
    assert_eq!(of(&network["parameters"]), sum + of(&counts["embedding"]) + of(&counts["head"]));
    let sites = network["sites"].as_array().unwrap();
    assert!(sites.iter().any(|site| site["site"] == "blocks.1.ln2_post.hook_normalized"));
    assert_eq!(document["tensors"], serde_json::Value::Null);
}

#[test]
fn weights_without_a_known_network_are_listed_with_the_reason() {
    let golgi = Golgi::new();
    std::fs::copy(format!("{}/model.safetensors", reference("gpt2")), golgi.path("lone.safetensors")).unwrap();
    let text = golgi.ok(&["inspect", "lone.safetensors"]).out;
    assert!(text.contains("wte.weight") && text.contains("[96, 32]") && text.contains("config.json"), "{text}");
    let document = golgi.json("golgi.inspect/1", &["inspect", "lone.safetensors"]);
    assert!(document["network"].is_null() && document["reason"].as_str().unwrap().contains("config.json"));
    assert!(document["tensors"].as_array().unwrap().len() > 10);
    std::fs::write(golgi.path("config.json"), r#"{ "model_type": "mamba" }"#).unwrap();
    assert!(golgi.ok(&["inspect", "lone.safetensors"]).out.contains("mamba"));
}

#[test]
fn a_tokenizer_is_described() {
    let golgi = Golgi::new();
    let model = golgi.worded("llama");
    let document = golgi.json("golgi.inspect/1", &["inspect", &model]);
    assert_eq!(document["network"]["tokenizer"]["entries"], 96);
}
