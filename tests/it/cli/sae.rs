//! `golgi sae import`, `export` and `info`.

use serde_json::Value;

use super::Golgi;

fn library(name: &str) -> String {
    format!("{}/../assets/reference/dictionaries/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_dictionary_is_imported_described_and_exported() {
    let golgi = Golgi::new();
    let from = library("sae_lens/topk_by_norm");
    let document = golgi.json("golgi.sae.import/1", &["sae", "import", &from, "--out", "sae"]);
    let one = &document["dictionaries"][0];
    assert_eq!((&document["format"], &one["latents"], &one["folder"]), (&"sae_lens".into(), &16.into(), &"sae".into()));
    assert!(one["conversions"][0].as_str().unwrap().contains("folded into the encoder"), "{one}");
    let text = golgi.ok(&["sae", "import", &from, "--out", "again"]).out;
    assert!(text.contains("read as sae_lens") && text.contains("TopK, k = 3") && text.contains("folded"), "{text}");
    for file in ["dictionary.json", "weights.safetensors"] {
        let [a, b] = ["sae", "again"].map(|folder| std::fs::read(golgi.path(folder).join(file)).unwrap());
        assert_eq!(a, b);
    }

    let info = golgi.json("golgi.sae.info/1", &["sae", "info", "sae"]);
    assert_eq!((&info["parameters"], &info["thresholds"]), (&214.into(), &Value::Null));
    assert!((info["decoder_lengths"]["mean"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    let text = golgi.ok(&["sae", "info", "sae"]).out;
    for part in ["blocks.3.hook_resid_post (6)", "of length 1", "gpt2-small", "sae_lens", "Converted"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    for format in ["sae_lens", "sparsify"] {
        let document = golgi.json("golgi.sae.export/1", &["sae", "export", "sae", "--format", format, "--out", format]);
        assert!(document["bytes"].as_u64().unwrap() > 800, "{document}");
        let back = format!("back-{format}");
        golgi.ok(&["sae", "import", format, "--out", &back]);
        let [a, b] = ["sae", &back].map(|folder| std::fs::read(golgi.path(folder).join("dictionary.json")).unwrap());
        assert_eq!(a, b, "{format}");
    }
}

#[test]
fn a_set_becomes_a_folder_for_each_layer() {
    let golgi = Golgi::new();
    let set = library("circuit_tracer/cross_layer");
    let document = golgi.json("golgi.sae.import/1", &["sae", "import", &set, "--out", "set"]);
    assert_eq!(document["dictionaries"].as_array().unwrap().len(), 3);
    let info = golgi.ok(&["sae", "info", "set/layer_1"]).out;
    assert!(info.contains("cross-layer transcoder, JumpReLU") && info.contains("blocks.2.hook_mlp_out"), "{info}");
    assert!(
        golgi
            .fails(&["sae", "export", "set/layer_1", "--format", "sae_lens", "--out", "x"])
            .contains("writes 2, where")
    );
    golgi.ok(&["sae", "export", "set/layer_2", "--format", "sae_lens", "--out", "last"]);
    assert!(!golgi.path("x").exists());
}

#[test]
fn a_scale_is_folded_when_asked() {
    let golgi = Golgi::new();
    golgi.ok(&["sae", "import", &library("llama_scope/Llama3_1-8B-Base-L15R-8x"), "--out", "sae"]);
    let export = ["sae", "export", "sae", "--format", "sae_lens", "--out", "lens"];
    assert!(golgi.fails(&export).contains("--fold"));
    let document = golgi.json("golgi.sae.export/1", &[&export[..], &["--fold"]].concat());
    assert!(document["conversions"][0].as_str().unwrap().contains("was folded into the weights"), "{document}");
    assert!(golgi.ok(&["sae", "info", "sae"]).out.contains("by a factor of 1.44"));
}

#[test]
fn what_cannot_be_exchanged_is_explained_and_nothing_is_left() {
    let golgi = Golgi::new();
    let standard = library("sae_lens/standard");
    let import = |path: &str, more: &[&str]| golgi.fails(&[&["sae", "import", path, "--out", "x"], more].concat());
    assert!(import("nowhere", &[]).contains("cannot read"));
    assert!(import(&library("sparsify/run"), &[]).contains("`layers.3` looks like sparsify"));
    assert!(import(&standard, &["--site", "blocks.3.hook_rezid"]).contains("is not a site name"));
    assert!(import(&standard, &["--format", "sparsify"]).contains("error"));
    let usage = golgi.run(&["sae", "import", &standard, "--out", "x", "--format", "saelens"]);
    assert!(usage.code == 2 && usage.err.contains("dictionary_learning"), "{}", usage.err);
    assert!(golgi.fails(&["sae", "info", "nowhere"]).contains("dictionary.json"));
    assert!(!golgi.path("x").exists());
    // A set whose last layer is damaged leaves none.
    std::fs::create_dir(golgi.path("set")).unwrap();
    for file in ["config.yaml", "layer_0.safetensors"] {
        std::fs::copy(format!("{}/{file}", library("circuit_tracer/per_layer")), golgi.path("set").join(file)).unwrap();
    }
    std::fs::write(golgi.path("set").join("layer_1.safetensors"), "nothing").unwrap();
    assert!(import("set", &[]).contains("layer_1.safetensors"));
    assert!(!golgi.path("x").exists());
    golgi.ok(&["sae", "import", &standard, "--out", "taken"]);
    let error = golgi.fails(&["sae", "import", &standard, "--out", "taken"]);
    assert!(error.contains("taken is not empty"), "{error}");
}
