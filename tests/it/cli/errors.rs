//! Bad input: a sentence, exit status 2, nothing half-written.

use std::path::Path;

use super::{Golgi, reference};

#[test]
fn unknown_models() {
    let golgi = Golgi::new();
    let near = golgi.fails(&["inspect", "smolm2"]);
    assert!(near.contains("smollm2"), "{near}");
    let far = golgi.fails(&["prompt", "no/such/folder", "--text", "a"]);
    assert!(far.contains("no/such/folder"), "{far}");
    let missing = golgi.fails(&["inspect", "smollm2", "--offline"]);
    assert!(missing.contains("golgi models fetch smollm2"), "{missing}");
    let hub = golgi.fails(&["inspect", "hf://org/name", "--offline"]);
    assert!(hub.contains("org/name"), "{hub}");
}

#[test]
fn unknown_sites_come_with_what_may_have_been_meant() {
    let golgi = Golgi::new();
    let model = reference("gpt2");
    let capture =
        |site: &str| golgi.fails(&["capture", &model, "--tokens", "1", "--sites", site, "--out", "a.safetensors"]);
    assert!(capture("blocks.1.mlp.hook_psot").contains("`blocks.1.mlp.hook_post`"));
    assert!(capture("blocks.*.mlp.hook_pos").contains("`blocks.*.mlp.hook_post`"));
    assert!(capture("blocks.9.mlp.hook_post").contains("2 layers"));
    assert!(capture("blocks.[").contains("pattern"));
    assert!(capture("nothing_like_it").contains("golgi inspect"));
    assert!(golgi.files().is_empty());
}

#[test]
fn unknown_units() {
    let golgi = Golgi::new();
    let model = reference("gpt2");
    let report = |unit: &str| golgi.fails(&["report", &model, unit, "--tokens", "1", "--out", "a.html"]);
    assert!(report("L1N128").contains("128 units"));
    assert!(report("L7N1").contains("2 layers"));
    assert!(report("L0H4").contains("4 units"));
    assert!(report("neuron").contains("L5N123"));
    assert!(golgi.files().is_empty());
}

#[test]
fn texts_and_tokens_that_do_not_fit() {
    let golgi = Golgi::new();
    let model = golgi.worded("gpt2");
    let long = "cat ".repeat(65);
    let error = golgi.fails(&["prompt", &model, "--text", &long]);
    assert!(error.contains("65 tokens") && error.contains("64"), "{error}");
    assert!(golgi.fails(&["prompt", &model, "--text", ""]).contains("no tokens"));
    assert!(golgi.fails(&["prompt", &model, "--tokens", "96"]).contains("96"));
    assert!(golgi.fails(&["prompt", &reference("gpt2"), "--text", "cat"]).contains("tokenizer"));
    assert!(golgi.fails(&["prompt", &model, "--text", "cat", "--target", "cat dog"]).contains("2 tokens"));
    assert!(golgi.fails(&["prompt", &model, "--text", "cat", "--position", "5"]).contains("position 5"));
}

#[test]
fn wrong_usage() {
    let golgi = Golgi::new();
    for args in [
        &["nonsense"][..],
        &["prompt"],
        &["prompt", "m", "--tokens", "-1"],
        &["prompt", "m", "--tokens", "99999999999"],
        &["capture", "m", "--text", "a", "--out", "x"],
        &["models", "--device", "gpu"],
        &["models", "--dtype", "int4"],
        &["capture", "m", "--text", "a", "--sites", "*", "--out", "x", "--budget", "lots"],
    ] {
        let done = golgi.run(args);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{args:?}");
        assert!(done.err.starts_with("error: "), "{args:?}: {}", done.err);
    }
}

#[test]
fn malformed_interventions() {
    let golgi = Golgi::new();
    let model = reference("gpt2");
    let prompt = |change: &str| golgi.fails(&["prompt", &model, "--tokens", "1,2", "--intervene", change]);
    assert!(prompt("L0H1=explode").contains("explode"));
    assert!(prompt("L0H9=zero").contains("4 heads"));
    assert!(prompt("{").contains("cannot be read"));
    std::fs::write(golgi.path("bad.toml"), "[[interventions]\nsite = 3").unwrap();
    let error = prompt("bad.toml");
    assert!(error.contains("bad.toml") && error.contains("line 1"), "{error}");
    assert!(prompt("missing.toml").contains("missing.toml"));
}

#[test]
fn damaged_model_files() {
    let golgi = Golgi::new();
    let whole = std::fs::read(format!("{}/model.safetensors", reference("gpt2"))).unwrap();
    std::fs::write(golgi.path("short.safetensors"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(golgi.path("empty.safetensors"), "").unwrap();
    let mut lying = whole.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(golgi.path("lying.safetensors"), lying).unwrap();
    for name in ["short.safetensors", "empty.safetensors", "lying.safetensors"] {
        let error = golgi.fails(&["inspect", name]);
        assert!(error.contains(name), "{error}");
    }
    std::fs::write(golgi.path("model.safetensors"), whole).unwrap();
    std::fs::write(golgi.path("config.json"), "{ \"model_type\": ").unwrap();
    assert!(golgi.fails(&["inspect", "model.safetensors"]).contains("config.json"));
}

#[test]
fn too_small_a_budget() {
    let golgi = Golgi::new();
    let error = golgi.fails(&[
        "capture",
        &reference("gpt2"),
        "--tokens",
        "1,2",
        "--sites",
        "*",
        "--out",
        "a.safetensors",
        "--budget",
        "1MB",
    ]);
    assert!(error.contains("1.0 MB") && error.contains("help: "), "{error}");
    assert!(golgi.files().is_empty());
}

#[test]
fn places_where_nothing_can_be_written() {
    let golgi = Golgi::new();
    std::fs::create_dir(golgi.path("folder.html")).unwrap();
    let model = reference("gpt2");
    let capture = |out: &str| golgi.fails(&["capture", &model, "--tokens", "1", "--sites", "*", "--out", out]);
    let report = |out: &str| golgi.fails(&["report", &model, "L0N0", "--tokens", "1", "--out", out]);
    for error in [capture("missing/a.safetensors"), report("missing/a.html")] {
        assert!(error.contains("missing") && error.contains("does not exist"), "{error}");
    }
    assert!(report("folder.html").contains("folder"));
    assert!(report("a.pdf").contains(".html"));
    assert_eq!(golgi.files(), ["folder.html"]);
}

/// Writing to this device fails as it does on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    use std::os::unix::fs::FileTypeExt;
    let golgi = Golgi::new();
    let model = reference("gpt2");
    std::os::unix::fs::symlink("/dev/full", golgi.path("full.html")).unwrap();
    for error in [
        golgi.fails(&["capture", &model, "--tokens", "1", "--sites", "*", "--out", "/dev/full", "--quiet"]),
        golgi.fails(&["report", &model, "L0N0", "--tokens", "1", "--out", "full.html"]),
    ] {
        assert!(error.contains("No space left") && error.contains("help: "), "{error}");
    }
    assert!(std::fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    assert_eq!(golgi.files(), ["full.html"]);
    // Standard output too.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = golgi.command(&["models"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("No space left"));
}

/// A real file system that is too small, where the machine lets the test mount one.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_while_writing() {
    let golgi = Golgi::new();
    let small = golgi.path("small");
    std::fs::create_dir(&small).unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&small).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        eprintln!("no file system can be mounted here, so only /dev/full stands in for a full disk");
        return;
    }
    let tokens = vec!["1"; 60].join(",");
    let args =
        ["capture", &reference("gpt2"), "--tokens", &tokens, "--sites", "*", "--out", "small/a.safetensors", "--quiet"];
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| golgi.fails(&args)));
    let left = std::fs::read_dir(&small).unwrap().count();
    std::process::Command::new("umount").arg(&small).status().unwrap();
    let error = done.unwrap();
    assert!(error.contains("small/a.safetensors") && error.contains("No space left"), "{error}");
    assert_eq!(left, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_place() {
    // Even the administrator cannot make files here.
    let golgi = Golgi::new();
    let error = golgi.fails(&["report", &reference("gpt2"), "L0N0", "--tokens", "1", "--out", "/proc/a.html"]);
    assert!(error.contains("/proc/a.html"), "{error}");
    assert!(!Path::new("/proc/a.html").exists());
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let golgi = Golgi::new();
    let mut child = golgi.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}
