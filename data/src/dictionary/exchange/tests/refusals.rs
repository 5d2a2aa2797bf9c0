//! What cannot be read, and damaged files.

use super::round_trip::small;
use super::*;

/// Copies a reference folder, changes its configuration, and says what reading it says.
fn with_config(name: &str, file: &str, change: impl FnOnce(&mut Value)) -> String {
    let folder = copy(name);
    let path = folder.path().join(file);
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
    match read(folder.path(), &Options::default()) {
        Ok(all) => all[0].config.conversions.join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn configurations_that_cannot_be_are_explained() {
    let set = |key: &'static str, value: Value| move |cfg: &mut Value| cfg[key] = value;
    let meta = |key: &'static str, value: Value| move |cfg: &mut Value| cfg["metadata"][key] = value;
    let less = |key: &'static str| move |cfg: &mut Value| drop(cfg.as_object_mut().unwrap().remove(key));
    let lens =
        |name: &str, change: Box<dyn FnOnce(&mut Value)>| with_config(&format!("sae_lens/{name}"), "cfg.json", change);
    for (name, change, expected) in [
        (
            "standard",
            Box::new(set("architecture", json!("temporal"))) as Box<dyn FnOnce(&mut Value)>,
            "`temporal` is not known to Golgi; known are",
        ),
        ("standard", Box::new(set("d_in", json!("six"))), "`d_in` is \"six\", expected is a whole number above 0"),
        ("standard", Box::new(set("d_in", json!(-1))), "`d_in` is -1"),
        ("standard", Box::new(set("d_in", json!(7))), "`W_enc` has the shape [6, 16], expected is [7, 16]"),
        ("standard", Box::new(set("d_sae", json!(1u64 << 40))), "which no dictionary has"),
        ("standard", Box::new(set("d_sae", json!(20_000_000))), "20000000 latents"),
        ("standard", Box::new(less("d_sae")), "`d_sae` is missing"),
        ("standard", Box::new(set("architecture", json!("gated"))), "it has no `b_gate`"),
        ("standard", Box::new(set("architecture", json!("jumprelu"))), "it has no `threshold`"),
        (
            "standard",
            Box::new(set("normalize_activations", json!("covariance_whitening"))),
            "`covariance_whitening`, which is not known",
        ),
        (
            "standard",
            Box::new(set("normalize_activations", json!("expected_average_only_in"))),
            "the factor is not in the folder",
        ),
        (
            "standard",
            Box::new(meta("hook_name", json!("blocks.3.hook_rezid"))),
            "knows no site `blocks.3.hook_rezid`; say which site it is with --site",
        ),
        ("standard", Box::new(meta("hook_name", Value::Null)), "it says no `hook_name`"),
        ("standard", Box::new(meta("hook_head_index", json!(3))), "head 3 alone"),
        ("transcoder", Box::new(set("normalize_activations", json!("layer_norm"))), "its outputs are not"),
        ("transcoder", Box::new(set("apply_b_dec_to_input", json!(true))), "which SAELens' transcoders do not have"),
        ("transcoder", Box::new(less("d_out")), "`d_out` is missing"),
        ("topk", Box::new(set("k", json!(17))), "k is 17, but it has 16 latents"),
        ("topk", Box::new(less("k")), "`k` is missing"),
        (
            "v3_topk",
            Box::new(set("activation_fn_str", json!("tanh-relu"))),
            "`tanh-relu` of architecture `standard` is not known",
        ),
        (
            "v3_topk",
            Box::new(set("activation_fn_kwargs", json!({ "k": 3, "postact_fn": "Identity" }))),
            "the option `postact_fn`",
        ),
        ("v3_gated", Box::new(set("activation_fn_str", json!("topk"))), "`topk` of architecture `gated`"),
        (
            "v3_finetuned",
            Box::new(set("finetuning_scaling_factor", json!(false))),
            "`finetuning_scaling_factor` is not true",
        ),
        ("standard", Box::new(|cfg: &mut Value| *cfg = json!([1])), "it holds no JSON object"),
    ] {
        let said = lens(name, change);
        assert!(said.contains(expected), "{name}, {expected}: {said}");
    }
    let sparsify = |change: Box<dyn FnOnce(&mut Value)>| with_config("sparsify/run/layers.3", "cfg.json", change);
    // The folder's own name says the site, and a copy has another name.
    assert!(sparsify(Box::new(|_| {})).contains("--site"));
    for (change, expected) in [
        (Box::new(set("activation", json!("groupmax"))) as Box<dyn FnOnce(&mut Value)>, "`groupmax`"),
        (Box::new(set("signed", json!(true))), "can be negative"),
        (Box::new(less("k")), "`k` is missing"),
        (Box::new(set("num_latents", json!(0))), "--site"),
    ] {
        let said = sparsify(change);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    for (name, change, expected) in [
        (
            "standard",
            Box::new(|cfg: &mut Value| cfg["trainer"]["dict_class"] = json!("IdentityDict"))
                as Box<dyn FnOnce(&mut Value)>,
            "known are AutoEncoder",
        ),
        (
            "standard",
            Box::new(|cfg: &mut Value| cfg["trainer"]["dict_class"] = json!("JumpReluAutoEncoder")),
            "has `W_enc`",
        ),
        ("standard", Box::new(|cfg: &mut Value| cfg["trainer"]["dict_size"] = json!(17)), "`trainer.dict_size` is 17"),
        (
            "standard",
            Box::new(|cfg: &mut Value| cfg["trainer"]["dict_class"] = json!("GatedAutoEncoder")),
            "`bias` is not known",
        ),
        ("top_k", Box::new(|cfg: &mut Value| cfg["trainer"]["k"] = json!(4)), "the weights say 3"),
        ("top_k", Box::new(|cfg: &mut Value| cfg["trainer"]["submodule_name"] = json!("unembed")), "no clear site"),
        ("top_k", Box::new(|cfg: &mut Value| cfg["buffer"]["io"] = json!("in")), "no clear site"),
        (
            "top_k",
            Box::new(|cfg: &mut Value| drop(cfg.as_object_mut().unwrap().remove("trainer"))),
            "`trainer` is missing",
        ),
    ] {
        let said = with_config(&format!("dictionary_learning/{name}"), "config.json", change);
        assert!(said.contains(expected), "{name}, {expected}: {said}");
    }
}

#[test]
fn the_users_word_about_a_site_counts() {
    let folder = copy("sparsify/run/layers.3");
    let options = Options { site: Some("blocks.9.hook_resid_mid".into()), ..Options::default() };
    let config = read(folder.path(), &options).unwrap().remove(0).config;
    assert_eq!((config.inputs[0].site.as_str(), config.is_autoencoder()), ("blocks.9.hook_resid_mid", true));
    assert!(config.conversions[0].contains("given by hand"));
    let both = Options { target: Some("blocks.9.hook_mlp_out".into()), ..options };
    assert!(read(folder.path(), &both).unwrap_err().to_string().contains("leave --target out"));
    let config = read(&reference("sae_lens/transcoder"), &both).unwrap().remove(0).config;
    assert_eq!(
        (config.inputs[0].site.as_str(), config.outputs[0].site.as_str()),
        ("blocks.9.hook_resid_mid", "blocks.9.hook_mlp_out")
    );
    // A set takes the point alone.
    let point = Options { site: Some("hook_resid_mid".into()), ..Options::default() };
    let all = read(&reference("circuit_tracer/per_layer"), &point).unwrap();
    assert_eq!(all[1].config.inputs[0].site, "blocks.1.hook_resid_mid");
    // Golgi's own remarks give way too.
    let folder = tempfile::tempdir().unwrap();
    write(&small(Architecture::Standard, false, false), Format::find("sae_lens").unwrap(), folder.path()).unwrap();
    let config = read(folder.path(), &Options { site: Some("blocks.9.hook_resid_mid".into()), ..Options::default() });
    assert_eq!(config.unwrap()[0].config.inputs[0].site, "blocks.9.hook_resid_mid");
}

#[test]
fn remarks_that_contradict_are_left_aside() {
    let folder = tempfile::tempdir().unwrap();
    write(&small(Architecture::JumpRelu, false, false), Format::find("sae_lens").unwrap(), folder.path()).unwrap();
    let path = folder.path().join("cfg.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [("\"latents\": 8", "\"latents\": 9"), ("\"kind\": \"jump_relu\"", "\"kind\": \"gated\"")] {
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let config = one(folder.path()).config;
        assert_eq!((config.latents, &config.architecture), (8, &Architecture::JumpRelu));
        assert!(config.conversions.last().unwrap().contains("contradict"), "{:?}", config.conversions);
    }
}

#[test]
fn weights_that_cannot_be_are_explained() {
    let folder = copy("sae_lens/standard");
    let path = folder.path().join("sae_weights.safetensors");
    let good = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut bad = good.clone();
    bad[header + 4..header + 8].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bad).unwrap();
    assert!(refused(folder.path()).contains("NaN"), "{}", refused(folder.path()));
    std::fs::write(&path, &good[..good.len() - 9]).unwrap();
    assert!(refused(folder.path()).contains("sae_weights.safetensors"));
    let renamed = String::from_utf8_lossy(&good[8..header]).replace("W_dec", "W_odd");
    std::fs::write(&path, [&good[..8], renamed.as_bytes(), &good[header..]].concat()).unwrap();
    assert!(refused(folder.path()).contains("`W_odd` is not known to Golgi"), "{}", refused(folder.path()));
    std::fs::remove_file(&path).unwrap();
    assert!(read(folder.path(), &Options { format: Some(FORMATS[0]), ..Options::default() }).is_err());
    // A set that stops in the middle is one of fewer layers, and its cross-layer decoders do not fit any more.
    let folder = copy("circuit_tracer/cross_layer");
    std::fs::remove_file(folder.path().join("W_enc_2.safetensors")).unwrap();
    assert!(refused(folder.path()).contains("expected is [16, 2, 6]"), "{}", refused(folder.path()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_folders_are_an_error_or_a_usable_dictionary(
        which in 0usize..6,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        file in 0usize..2,
    ) {
        let (name, files) = [
            ("sae_lens/gated", ["cfg.json", "sae_weights.safetensors"]),
            ("sae_lens/v3_topk", ["cfg.json", "sae_weights.safetensors"]),
            ("sparsify/run/layers.3", ["cfg.json", "sae.safetensors"]),
            ("dictionary_learning/matryoshka", ["config.json", "ae.pt"]),
            ("gemma_scope/gemma-scope-2-1b-pt/transcoder/layer_7_width_16_l0_small_affine", ["config.json", "params.safetensors"]),
            ("circuit_tracer/per_layer", ["config.yaml", "layer_1.safetensors"]),
        ][which];
        let folder = copy(name);
        let path = folder.path().join(files[file]);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        let options = Options { site: (which == 2).then(|| "blocks.0.hook_resid_post".to_owned()), ..Options::default() };
        for dictionary in read(folder.path(), &options).unwrap_or_default() {
            prop_assert!(dictionary.check().is_ok());
        }
    }

    #[test]
    fn any_bytes_as_configuration_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = copy("sae_lens/standard");
        std::fs::write(folder.path().join("cfg.json"), bytes).unwrap();
        prop_assert!(read(folder.path(), &Options::default()).is_err());
    }
}
