use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::*;

/// The bytes of a safetensors file with one tensor `w` of one number.
fn weights() -> Vec<u8> {
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend(1f32.to_le_bytes());
    file
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

/// A resolver with an empty home and an empty cache, at a hub that does not exist.
fn resolver(home: &TempDir) -> Resolver {
    let hub = Hub {
        cache: home.path().join("hub"),
        endpoint: "http://127.0.0.1:9".to_owned(),
        token: None,
        offline: false,
        pause: Duration::from_millis(1),
    };
    Resolver { home: home.path().to_owned(), offline: false, allow_download: false, hub }
}

fn resolve(spec: &Path) -> Result<ModelFiles, ResolveError> {
    let home = tempfile::tempdir().unwrap();
    resolver(&home).resolve(spec.to_str().unwrap(), &RunContext::new(0))
}

const VOCAB: (&str, &[u8]) = ("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\n");
const CONFIG: (&str, &[u8]) = ("config.json", br#"{"model_type":"bert"}"#);
const README: (&str, &[u8]) = ("README.md", b"---\nlanguage: en\nlicense: 'mit'\n---\nlicense: no\n");

#[test]
fn a_hub_folder() {
    let bytes = weights();
    let folder = folder(&[("model.safetensors", &bytes), CONFIG, VOCAB, README]);
    let model = resolve(folder.path()).unwrap();
    assert_eq!(model.config, json!({"model_type": "bert"}));
    assert_eq!(model.weights.read_f32("w").unwrap(), [1.0]);
    assert_eq!(model.tokenizer.unwrap().encode("cat").unwrap(), [2, 5, 3]);
    assert_eq!((model.licence.as_deref(), model.revision), (Some("mit"), None));
    assert_eq!(
        (model.path.as_path(), Some(model.name.as_str())),
        (folder.path(), folder.path().file_name().unwrap().to_str())
    );
    // A file in the folder is opened with what lies beside it.
    let file = resolve(&folder.path().join("model.safetensors")).unwrap();
    assert_eq!((file.name.as_str(), file.config, file.tokenizer.is_some()), ("model", model.config, true));
}

#[test]
fn a_lone_file_has_neither_configuration_nor_tokenizer() {
    let bytes = weights();
    let folder = folder(&[("net.safetensors", &bytes)]);
    let model = resolve(&folder.path().join("net.safetensors")).unwrap();
    assert_eq!((model.name.as_str(), model.config), ("net", Value::Null));
    assert!(model.tokenizer.is_none() && model.licence.is_none());
}

#[test]
fn shards_are_opened_through_their_index() {
    let bytes = weights();
    let index = br#"{"weight_map":{"w":"model-00001-of-00001.safetensors"}}"#;
    let files: [(&str, &[u8]); 2] =
        [("model-00001-of-00001.safetensors", &bytes), ("model.safetensors.index.json", index)];
    assert_eq!(resolve(folder(&files).path()).unwrap().weights.read_f32("w").unwrap(), [1.0]);
}

#[test]
fn folders_that_hold_no_single_model() {
    let none = resolve(folder(&[CONFIG]).path()).unwrap_err().to_string();
    assert!(none.contains("holds no weights") && none.contains("model.safetensors"), "{none}");
    let several = resolve(folder(&[("b.gguf", b""), ("a.gguf", b"")]).path()).unwrap_err().to_string();
    assert!(several.contains("(a.gguf, b.gguf)"), "{several}");
}

#[test]
fn damaged_files_are_named() {
    let bytes = weights();
    let config = folder(&[("model.safetensors", &bytes), ("config.json", b"[1]")]);
    assert!(matches!(resolve(config.path()), Err(ResolveError::Config { .. })));
    let tokenizer = folder(&[("model.safetensors", &bytes), ("tokenizer.json", b"{")]);
    assert!(resolve(tokenizer.path()).unwrap_err().to_string().contains("tokenizer.json"));
    let empty = resolve(folder(&[("model.safetensors", b"")]).path()).unwrap_err();
    assert!(matches!(empty, ResolveError::Weights(_)), "{empty}");
}

#[test]
fn a_tokenizer_that_cannot_be_read_is_left_out_with_a_warning() {
    let bytes = weights();
    let folder = folder(&[("model.safetensors", &bytes), ("tokenizer.model", b"x")]);
    let (home, ctx) = (tempfile::tempdir().unwrap(), RunContext::new(0));
    let model = resolver(&home).resolve(folder.path().to_str().unwrap(), &ctx).unwrap();
    assert!(model.tokenizer.is_none() && ctx.warnings()[0].contains("tokenizer.model"));
}

#[test]
fn names_that_mean_nothing_get_a_hint() {
    for (spec, expected) in [
        ("smolm2", "did you mean smollm2?"),
        ("MiniLM", "did you mean minilm?"),
        ("gemma-270m", "did you mean gemma3-270m?"),
        ("openai-community/gpt2", "write hf://openai-community/gpt2"),
        ("/no/such/file.gguf", "check the path"),
    ] {
        let error = resolve(Path::new(spec)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(spec), "{error}");
    }
}

#[test]
fn models_that_are_not_installed_say_how() {
    let error = resolve(Path::new("smollm2")).unwrap_err().to_string();
    assert_eq!(error, "smollm2 is not installed; install it with `golgi models fetch smollm2`");
    // Terms are never accepted on the user's behalf.
    let home = tempfile::tempdir().unwrap();
    let eager = Resolver { allow_download: true, ..resolver(&home) };
    let error = eager.resolve("gemma3-270m", &RunContext::new(0)).unwrap_err().to_string();
    assert!(error.contains("`golgi models fetch gemma3-270m`") && error.contains("Gemma Terms"), "{error}");
    let offline = Resolver { offline: true, ..eager };
    assert!(matches!(offline.resolve("smollm2", &RunContext::new(0)), Err(ResolveError::NotInstalled { .. })));
}

/// Puts a model into a hub's cache as another program would.
fn cached(home: &TempDir, files: &[(&str, &[u8])]) -> PathBuf {
    let repo = home.path().join("hub/models--org--repo");
    let snapshot = repo.join("snapshots/abcdef123");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), "abcdef123").unwrap();
    for (name, bytes) in files {
        fs::write(snapshot.join(name), bytes).unwrap();
    }
    snapshot
}

#[test]
fn a_model_in_the_hubs_cache_is_used_as_it_is() {
    let (home, bytes) = (tempfile::tempdir().unwrap(), weights());
    let snapshot = cached(&home, &[("model.safetensors", &bytes), CONFIG]);
    let offline = Resolver { offline: true, ..resolver(&home) };
    let model = offline.resolve("hf://org/repo", &RunContext::new(0)).unwrap();
    assert_eq!((model.name.as_str(), model.revision.as_deref()), ("org/repo", Some("abcdef123")));
    assert_eq!(model.path, snapshot);
    let by_folder = offline.resolve(home.path().join("hub/models--org--repo").to_str().unwrap(), &RunContext::new(0));
    assert_eq!(by_folder.unwrap().path, snapshot);
    let one = offline.resolve("hf://org/repo/model.safetensors@abcdef123", &RunContext::new(0)).unwrap();
    assert_eq!(one.path, snapshot.join("model.safetensors"));
}

#[test]
fn a_model_that_is_not_whole_in_the_cache_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    cached(&home, &[("model.safetensors.index.json", br#"{"weight_map":{"w":"m-1.safetensors"}}"#), CONFIG]);
    let ctx = RunContext::new(0);
    let plain = resolver(&home).resolve("hf://org/repo", &ctx).unwrap_err();
    assert!(matches!(plain, ResolveError::NotCached { .. }), "{plain}");
    let offline = Resolver { offline: true, ..resolver(&home) }.resolve("hf://org/repo", &ctx).unwrap_err();
    assert!(matches!(offline, ResolveError::Hub(HubError::Offline { .. })), "{offline}");
    // Where a download is allowed it is tried; this hub does not exist.
    let eager = Resolver { allow_download: true, ..resolver(&home) }.resolve("hf://org/repo", &ctx).unwrap_err();
    assert!(matches!(eager, ResolveError::Hub(HubError::Transfer { .. })), "{eager}");
    assert!(matches!(resolve(Path::new("hf://..")), Err(ResolveError::Hub(HubError::Address { .. }))));
}

/// The real models, which set-up installs before it runs tests.
#[test]
fn the_catalogues_models_open() {
    let resolver = Resolver { offline: true, ..Resolver::default() };
    let open = |name: &str| resolver.resolve(name, &RunContext::new(0)).unwrap();

    let smollm2 = open("smollm2");
    assert_eq!((&smollm2.config["model_type"], &smollm2.config["num_hidden_layers"]), (&json!("llama"), &json!(30)));
    assert_eq!((smollm2.licence.as_deref(), smollm2.name.as_str()), (Some("Apache-2.0"), "smollm2"));
    assert_eq!(smollm2.weights.parameters(), 134_515_008);
    assert!(smollm2.tokenizer.unwrap().has_chat_template());

    let minilm = open("minilm");
    assert_eq!((&minilm.config["model_type"], minilm.tokenizer.is_some()), (&json!("bert"), true));

    let efficientnet = open("efficientnet-lite0");
    assert_eq!((efficientnet.config, efficientnet.tokenizer.is_none()), (Value::Null, true));
    assert!(efficientnet.weights.names().any(|name| name == "_conv_stem.weight"));
}
