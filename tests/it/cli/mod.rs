//! The command line from the outside: the program is run, its output and exit status are looked at.

mod atlas_build;
mod atlas_reports;
mod broken_off;
mod capture;
mod errors;
mod explain;
mod explain_endpoint;
mod generate;
mod harvest;
mod inspect;
mod json;
mod models;
mod prompt;
mod report;
mod run;
mod sae;
mod sae_geometry;
mod sae_train;
mod superposition;
mod vision;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The program, built with the same profile as this test. Cargo builds no programs for the tests of another package, so it is
/// asked to; where the program is fresh this takes no time. `GOLGI_BIN` names another one to look at.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("GOLGI_BIN") {
            return program.into();
        }
        let test = std::env::current_exe().unwrap();
        // <target>/<profile>/deps/<test>
        let profile = test.ancestors().nth(2).unwrap();
        let name = match profile.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let mut cargo = Command::new(env!("CARGO"));
        // What Cargo tells of this test would make the build scripts that look at it run again.
        for (variable, _) in std::env::vars_os() {
            let about_this_test = variable.to_string_lossy();
            if about_this_test.starts_with("CARGO_PKG_") || about_this_test.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(variable);
            }
        }
        let built = cargo
            .args(["build", "--quiet", "--workspace", "--bin", "golgi", "--profile", name, "--target-dir"])
            .arg(profile.parent().unwrap())
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .status();
        assert!(built.unwrap().success(), "the program could not be built");
        profile.join(format!("golgi{}", std::env::consts::EXE_SUFFIX))
    })
}

/// What a run left behind.
struct Done {
    code: i32,
    out: String,
    err: String,
}

/// Runs the program in a folder of its own, with an empty home: no model is installed, nothing of the user's is seen.
struct Golgi {
    folder: TempDir,
}

impl Golgi {
    fn new() -> Golgi {
        Golgi { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.in_folder(program());
        command.args(args);
        command
    }

    /// Any program, with the folder and the variables of [`Golgi::command`].
    fn in_folder(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, folder) in [("GOLGI_HOME", "home"), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "cache")] {
            command.env(name, self.path(folder));
        }
        for name in ["RUST_BACKTRACE", "HF_HUB_CACHE", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs and checks what must hold of every run.
    fn run(&self, args: &[&str]) -> Done {
        let output = self.command(args).output().unwrap();
        let done = Done {
            code: output.status.code().unwrap_or_else(|| panic!("{args:?} was killed: {:?}", output.status)),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        for word in ["panicked", "internal error", "RUST_BACKTRACE", "\u{1b}"] {
            assert!(!done.err.contains(word) && !done.out.contains(word), "{args:?}: {}{}", done.out, done.err);
        }
        done
    }

    /// Runs what must succeed.
    fn ok(&self, args: &[&str]) -> Done {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{args:?}: {}", done.err);
        done
    }

    /// Runs what must fail with one chain of causes on standard error and nothing on standard output.
    fn fails(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{args:?}: {}", done.err);
        assert!(done.err.starts_with("error: "), "{args:?}: {}", done.err);
        assert_eq!(done.err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{args:?}: {}", done.err);
        done.err
    }

    /// Runs with `--json` and checks the document against its description.
    fn json(&self, schema: &str, args: &[&str]) -> Value {
        let done = self.ok(&[args, &["--json"]].concat());
        let document: Value = serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", done.out));
        json::check(schema, &document);
        document
    }

    /// The files of the folder, by name.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !["home", "hub", "cache"].contains(&name.as_str()));
        names.sort();
        names
    }

    /// A tiny model with a tokenizer of whole words, in this folder.
    fn worded(&self, family: &str) -> String {
        let folder = self.path(family);
        std::fs::create_dir(&folder).unwrap();
        for name in ["config.json", "model.safetensors"] {
            std::fs::copy(Path::new(&reference(family)).join(name), folder.join(name)).unwrap();
        }
        // The tiny models know 96 tokens.
        let filler = (WORDS.split(' ').count()..96).map(|id| format!("w{id}"));
        let words = WORDS.split(' ').map(str::to_owned).chain(filler);
        let vocab: serde_json::Map<String, Value> = words.enumerate().map(|(id, word)| (word, id.into())).collect();
        let tokenizer = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" },
        });
        std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        family.to_owned()
    }
}

/// The first words of the vocabulary of [`Golgi::worded`], by id.
const WORDS: &str = "[UNK] the cat sat on a mat and dog ran";

/// A folder of `assets/reference`: weights and configuration without a tokenizer.
fn reference(family: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/reference").join(family).display().to_string()
}
