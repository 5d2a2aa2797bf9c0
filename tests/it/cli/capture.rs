//! `golgi capture`.

use golgi_data::weights::{StoredType, Weights};

use super::{Golgi, reference};

/// Agreement asked for in f32: largest absolute difference.
const TOLERANCE: f32 = 5e-5;

fn first_row(weights: &Weights, name: &str) -> Vec<f32> {
    let all = weights.read_f32(name).unwrap();
    let rows = weights.info(name).unwrap().shape[0];
    all[..all.len() / rows].to_vec()
}

fn tokens(family: &str) -> String {
    let expected = Weights::open(format!("{}/expected.safetensors", reference(family)).as_ref()).unwrap();
    let row = expected.info("tokens").unwrap().shape[1];
    let ids = expected.read_i64("tokens").unwrap();
    ids[..row].iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn captures_agree_with_the_reference() {
    for family in ["gpt2", "llama", "gemma2", "bert"] {
        let golgi = Golgi::new();
        golgi.ok(&[
            "capture",
            &reference(family),
            "--tokens",
            &tokens(family),
            "--sites",
            "*",
            "--out",
            "a.safetensors",
        ]);
        let found = Weights::open(&golgi.path("a.safetensors")).unwrap();
        let expected = Weights::open(format!("{}/expected.safetensors", reference(family)).as_ref()).unwrap();
        let mut compared = 0;
        for name in expected.names().filter(|name| *name != "tokens") {
            let (found, expected) = (found.read_f32(name).unwrap(), first_row(&expected, name));
            assert_eq!(found.len(), expected.len(), "{family} {name}");
            // Masked scores are infinite in both.
            let off =
                found.iter().zip(&expected).filter(|(a, b)| a != b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < TOLERANCE, "{family} {name}: {off}");
            compared += 1;
        }
        assert!(compared > 10, "{family}: {compared}");
    }
}

#[test]
fn the_file_holds_just_what_was_asked_for() {
    let golgi = Golgi::new();
    let model = reference("gpt2");
    golgi.ok(&[
        "capture",
        &model,
        "--tokens",
        "1,2,3",
        "--sites",
        "blocks.1.mlp.hook_post",
        "hook_embed",
        "--out",
        "a.safetensors",
    ]);
    let file = Weights::open(&golgi.path("a.safetensors")).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["blocks.1.mlp.hook_post", "hook_embed", "tokens"]);
    let ids = file.info("tokens").unwrap();
    assert_eq!((ids.stored, ids.shape.as_slice()), (StoredType::I64, [1, 3].as_slice()));
    assert_eq!(file.read_i64("tokens").unwrap(), [1, 2, 3]);
    golgi.ok(&["capture", &model, "--tokens", "1,2,3", "--sites", "hook_embed", "--logits", "--out", "a.safetensors"]);
    let file = Weights::open(&golgi.path("a.safetensors")).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["hook_embed", "logits", "tokens"]);
    assert_eq!(file.info("logits").unwrap().shape, [1, 3, 96]);
    assert_eq!(golgi.files(), ["a.safetensors"]);
}

#[test]
fn the_document_lists_what_was_written() {
    let golgi = Golgi::new();
    let args = ["capture", &reference("gpt2"), "--tokens", "1,2", "--sites", "*hook_pattern", "--out", "a.safetensors"];
    let document = golgi.json("golgi.capture/1", &args);
    assert_eq!(document["sites"][1]["shape"], serde_json::json!([1, 4, 2, 2]));
    assert_eq!(document["bytes"].as_u64().unwrap(), std::fs::metadata(golgi.path("a.safetensors")).unwrap().len());
    let plain = golgi.ok(&args);
    assert!(plain.out.contains("2 sites") && plain.err.contains("needs about"), "{}{}", plain.out, plain.err);
    assert_eq!(golgi.ok(&[&args[..], &["--quiet"]].concat()).err, "");
}

#[test]
fn interventions_change_what_is_captured() {
    let golgi = Golgi::new();
    let base = [
        "capture",
        &reference("gpt2"),
        "--tokens",
        "1,2",
        "--sites",
        "blocks.1.mlp.hook_post",
        "--out",
        "a.safetensors",
    ];
    golgi.ok(&[&base[..], &["--intervene", "L1N7=set:2.5@last"]].concat());
    let file = Weights::open(&golgi.path("a.safetensors")).unwrap();
    let values = file.read_f32("blocks.1.mlp.hook_post").unwrap();
    assert_eq!(values[128 + 7], 2.5);
    assert_ne!(values[7], 2.5);
}

#[test]
fn bfloat16_is_stored_as_such() {
    let golgi = Golgi::new();
    let model = reference("llama");
    golgi.ok(&[
        "capture",
        &model,
        "--tokens",
        "1,2",
        "--sites",
        "hook_embed",
        "--out",
        "a.safetensors",
        "--dtype",
        "bfloat16",
    ]);
    assert_eq!(
        Weights::open(&golgi.path("a.safetensors")).unwrap().info("hook_embed").unwrap().stored,
        StoredType::BF16
    );
}

#[cfg(unix)]
#[test]
fn the_file_gets_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let golgi = Golgi::new();
    std::fs::write(golgi.path("ordinary"), "").unwrap();
    golgi.ok(&["capture", &reference("gpt2"), "--tokens", "1", "--sites", "hook_embed", "--out", "a.safetensors"]);
    let mode = |name| std::fs::metadata(golgi.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("a.safetensors"), mode("ordinary"));
}
