//! GGUF: dequantised values against gguf-py, whole families against the hub's tensors, headers that lie.

use golgi_data::weights::{GgufValue, StoredType, Weights, hub_config};

use super::{assert_same, fixture, open, refusal};

#[test]
fn every_block_type_decodes_as_gguf_py_does() {
    let weights = open("quantised.gguf");
    assert_same(&weights, &open("quantised.expected.safetensors"));
    for name in weights.names() {
        assert_eq!(weights.info(name).unwrap().stored.to_string(), name);
    }
}

#[test]
fn metadata_has_its_types() {
    let weights = open("quantised.gguf");
    let metadata = weights.gguf().unwrap();
    assert_eq!(metadata.string("general.architecture"), Some("golgi-test"));
    assert_eq!(metadata.string("test.string"), Some("naïve"));
    assert_eq!(metadata.u64("test.u32"), Some(7));
    assert_eq!(metadata.u64("test.i32"), None);
    assert_eq!(metadata.get("test.i32"), Some(&GgufValue::Signed(-7)));
    assert_eq!(metadata.f64("test.f32"), Some(f64::from(0.1f32)));
    assert_eq!(metadata.bool("test.bool"), Some(true));
    assert_eq!(metadata.strings("test.strings").unwrap(), ["a", "bc", ""]);
    assert_eq!(metadata.i32s("test.i32s").unwrap(), [1, -2, 3]);
    assert_eq!(metadata.f32s("test.f32s").unwrap(), [0.5, -1.5]);
    assert_eq!(metadata.f32s("test.strings"), None);
    assert_eq!(metadata.len_of("test.strings"), Some(3));
    assert_eq!(metadata.keys().filter(|key| key.starts_with("test.")).count(), 8);
    let message = hub_config(metadata, &weights).unwrap_err().to_string();
    assert!(message.contains("`golgi-test` is not supported; supported are llama"), "{message}");
}

#[test]
fn every_family_comes_back_as_the_hub_has_it() {
    for family in ["llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "gpt2", "gpt_neox", "bert"] {
        let weights = open(&format!("family.{family}.gguf"));
        let expected = open(&format!("family.{family}.safetensors"));
        let names: Vec<&str> = weights.names().filter(|name| *name != "rope_freqs.weight").collect();
        assert_eq!(names, expected.names().collect::<Vec<_>>(), "{family}");
        for name in names {
            assert_eq!(weights.info(name).unwrap().shape, expected.info(name).unwrap().shape, "{family} {name}");
            let (found, wanted) = (weights.read_f32(name).unwrap(), expected.read_f32(name).unwrap());
            // Adding one and taking it away again rounds; everything else is moved, not computed.
            let tolerance = if family.starts_with("gemma") { 2e-7 } else { 0.0 };
            let worst = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(worst <= tolerance, "{family} {name}: {worst}");
        }
    }
}

#[test]
fn configurations_use_the_names_of_their_family() {
    let config = |family: &str| {
        let weights = open(&format!("family.{family}.gguf"));
        hub_config(weights.gguf().unwrap(), &weights).unwrap()
    };
    let llama = config("llama");
    assert_eq!(llama["model_type"], "llama");
    assert_eq!(llama["architectures"][0], "LlamaForCausalLM");
    assert_eq!(llama["hidden_size"], 8);
    assert_eq!(llama["num_key_value_heads"], 1);
    assert_eq!(llama["head_dim"], 4);
    assert_eq!(llama["vocab_size"], 12);
    assert_eq!(llama["rope_theta"], 500000.0);
    assert_eq!(llama["rms_norm_eps"], 1e-6);
    assert_eq!(llama["rope_freqs"], true);
    assert_eq!(llama["attention_bias"], true);
    assert_eq!(llama["tie_word_embeddings"], false);
    assert_eq!(config("qwen2")["tie_word_embeddings"], true);
    let gemma2 = config("gemma2");
    assert_eq!(gemma2["attn_logit_softcapping"], 50.0);
    assert_eq!(gemma2["layer_types"][0], "sliding_attention");
    assert_eq!(gemma2["sliding_window"], 8);
    let gemma3 = config("gemma3");
    assert_eq!(gemma3["model_type"], "gemma3_text");
    assert_eq!(gemma3["rope_theta"], 1e6);
    assert_eq!(gemma3["rope_local_base_freq"], 1e4);
    assert_eq!(gemma3["sliding_window_pattern"], 6);
    assert_eq!(gemma3["query_pre_attn_scalar"], 4);
    assert_eq!(gemma3["hidden_activation"], "gelu_pytorch_tanh");
    let gpt2 = config("gpt2");
    assert_eq!((&gpt2["n_embd"], &gpt2["n_inner"], &gpt2["n_positions"]), (&8.into(), &16.into(), &16.into()));
    let neox = config("gpt_neox");
    assert_eq!(neox["rotary_pct"], 0.5);
    assert_eq!(neox["use_parallel_residual"], true);
    let bert = config("bert");
    assert_eq!(bert["type_vocab_size"], 2);
    assert_eq!(bert["layer_norm_eps"], 1e-5);
    assert_eq!(config("phi3")["partial_rotary_factor"], 1.0);
    assert_eq!(config("qwen3")["model_type"], "qwen3");
}

/// A GGUF with one metadata entry and the tensor `w`.
struct Small {
    version: u32,
    entry: Vec<u8>,
    shape: Vec<u64>,
    kind: u32,
    offset: u64,
    data: usize,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl Small {
    fn new() -> Small {
        let entry = [text("general.alignment"), 4u32.to_le_bytes().to_vec(), 64u32.to_le_bytes().to_vec()].concat();
        Small { version: 3, entry, shape: vec![2, 3], kind: 0, offset: 0, data: 24 }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(&self.entry);
        file.extend(text("w"));
        file.extend((self.shape.len() as u32).to_le_bytes());
        file.extend(self.shape.iter().flat_map(|n| n.to_le_bytes()));
        file.extend(self.kind.to_le_bytes());
        file.extend(self.offset.to_le_bytes());
        file.resize(file.len().next_multiple_of(64), 0);
        file.extend((0..self.data).map(|i| if i % 4 == 3 { 0x3f } else { 0 }));
        file
    }
}

#[test]
fn alignment_and_version_2_are_honoured() {
    for version in [2, 3] {
        let weights = Weights::from_bytes(Small { version, ..Small::new() }.bytes(), "x").unwrap();
        assert_eq!(weights.info("w").unwrap().shape, [3, 2]);
        assert_eq!(weights.info("w").unwrap().stored, StoredType::F32);
        assert_eq!(weights.read_f32("w").unwrap(), [0.5; 6]);
    }
}

#[test]
fn lies_are_named() {
    let key =
        |kind: u32, value: &[u8]| [text("general.alignment"), kind.to_le_bytes().to_vec(), value.to_vec()].concat();
    let part = [text("split.count"), 4u32.to_le_bytes().to_vec(), 3u32.to_le_bytes().to_vec()].concat();
    let array = [&9u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
    for (file, wanted) in [
        (Small { version: 1, ..Small::new() }, "version 1 of GGUF; supported are 2 and 3"),
        (Small { version: 3u32.swap_bytes(), ..Small::new() }, "version 3 (big endian)"),
        (
            Small { kind: 10, ..Small::new() },
            "tensor `w` is stored as Q2_K (type 10), which is not supported; supported are F32",
        ),
        (Small { kind: 999, ..Small::new() }, "GGML type 999"),
        (Small { shape: vec![u64::MAX, 2], ..Small::new() }, "absurd shape"),
        (Small { shape: vec![1; 5], ..Small::new() }, "the number of dimensions of `w` is 5, above the limit of 4"),
        (
            Small { shape: vec![1 << 40], ..Small::new() },
            "tensor `w` should take 4398046511104 bytes, but only 24 are left",
        ),
        (Small { shape: vec![33], kind: 2, ..Small::new() }, "rows of 33 elements in `w` do not fill blocks of Q4_0"),
        (Small { offset: 1, ..Small::new() }, "not aligned to 64 bytes"),
        (Small { offset: u64::MAX - 63, ..Small::new() }, "ends too early"),
        (Small { data: 23, ..Small::new() }, "tensor `w` should take 24 bytes, but only 23 are left"),
        (Small { entry: key(4, &3u32.to_le_bytes()), ..Small::new() }, "alignment of 3 bytes"),
        (Small { entry: key(77, &[]), ..Small::new() }, "77 is not a type"),
        (Small { entry: key(8, &u64::MAX.to_le_bytes()), ..Small::new() }, "ends too early"),
        (Small { entry: key(9, &array), ..Small::new() }, "a metadata array is 18446744073709551615, above the limit"),
        (Small { entry: part, ..Small::new() }, "part 1 of 3 of a GGUF model"),
    ] {
        let message = refusal(&file.bytes());
        assert!(message.contains(wanted), "{message} should say: {wanted}");
    }
    let mut counts = Small::new().bytes();
    counts[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(refusal(&counts).contains("the number of tensors is 18446744073709551615, above the limit"));
}

#[test]
fn heads_that_do_not_divide_the_rows_are_refused() {
    let mut bytes = std::fs::read(fixture("family.llama.gguf")).unwrap();
    let key = b"llama.attention.head_count";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&3u32.to_le_bytes());
    let message = refusal(&bytes);
    assert!(message.contains("do not divide into the heads"), "{message}");
}

#[test]
fn overlapping_tensors_are_named() {
    let mut bytes = std::fs::read(fixture("quantised.gguf")).unwrap();
    // The directory entry of F16 ends with its type (1) and its offset; the offset becomes that of F32.
    let name = [&3u64.to_le_bytes()[..], b"F16"].concat();
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 4 + 16 + 4;
    bytes[at..at + 8].fill(0);
    let message = refusal(&bytes);
    assert!(message.contains("tensors `F16` and `F32` overlap"), "{message}");
}
