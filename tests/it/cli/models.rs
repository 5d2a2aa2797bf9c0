//! `--version`, `--help`, `golgi models`.

use super::Golgi;

#[test]
fn the_version_names_the_tensor_library() {
    let done = Golgi::new().ok(&["--version"]);
    assert!(done.out.starts_with("golgi "), "{}", done.out);
    assert!(done.out.contains("libtorch 2."), "{}", done.out);
    assert_eq!(done.err, "");
}

#[test]
fn help_lists_every_command() {
    let done = Golgi::new().ok(&["--help"]);
    for command in ["models", "inspect", "capture", "prompt", "generate", "report", "run", "analyse", "schema"] {
        assert!(done.out.contains(&format!("\n  {command} ")), "{command}: {}", done.out);
    }
}

#[test]
fn the_catalogue_says_what_is_installed() {
    let golgi = Golgi::new();
    let text = golgi.ok(&["models"]).out;
    for word in ["smollm2", "gemma3-270m", "minilm", "Apache-2.0", "MB"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let document = golgi.json("golgi.models/1", &["models"]);
    let models = document["models"].as_array().unwrap();
    assert!(models.iter().all(|model| model["installed"] == false && model["bytes"].as_u64().unwrap() > 1_000_000));
}

#[test]
fn fetching_asks_for_consent_and_obeys_offline() {
    let golgi = Golgi::new();
    let terms = golgi.fails(&["models", "fetch", "gemma3-270m"]);
    assert!(terms.contains("Gemma Terms of Use") && terms.contains("--accept-licence"), "{terms}");
    let offline = golgi.fails(&["models", "fetch", "smollm2", "--offline"]);
    assert!(offline.contains("--offline"), "{offline}");
    let unknown = golgi.fails(&["models", "fetch", "smolm"]);
    assert!(unknown.contains("smollm2"), "{unknown}");
    assert!(!golgi.path("home").join("models").exists());
}
