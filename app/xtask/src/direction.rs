//! Which package of ours may depend on which, and where the window library may be named.
//!
//! The rules are a table; the facts come from `cargo metadata` and the sources. Lower layers stay free of the tensor
//! library and the window, so that they build fast, test fast and can be used alone.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo::Workspace;

/// What one package may depend on.
struct Rule {
    package: &'static str,
    /// Packages of ours.
    ours: &'static [&'static str],
    tensors: bool,
    window: bool,
}

const fn rule(package: &'static str, ours: &'static [&'static str], tensors: bool, window: bool) -> Rule {
    Rule { package, ours, tensors, window }
}

const RULES: &[Rule] = &[
    rule("golgi-features", &[], false, false),
    rule("golgi-fetch", &[], false, false),
    rule("golgi-data", &["golgi-features", "golgi-fetch"], false, false),
    rule("golgi-probes", &["golgi-data"], true, false),
    rule("golgi-sae", &["golgi-data", "golgi-probes"], true, false),
    rule("golgi-analysis", &["golgi-data", "golgi-probes", "golgi-sae"], true, false),
    rule("golgi", &["golgi-data", "golgi-probes", "golgi-sae", "golgi-analysis"], false, true),
    rule("golgi-tests", &["golgi-data", "golgi-probes", "golgi-sae", "golgi-analysis", "golgi"], false, true),
    rule("xtask", &["golgi-fetch"], false, false),
];

/// The only folder of the application that may name the window library.
const DESKTOP: &str = "app/src/desktop/";

fn is_tensor_library(name: &str) -> bool {
    matches!(name, "tch" | "torch-sys")
}

fn is_window_library(name: &str) -> bool {
    let name = name.replace('-', "_");
    matches!(name.as_str(), "egui" | "eframe" | "epaint" | "emath" | "ecolor" | "winit" | "wgpu")
        || name.starts_with("egui_")
}

/// `cargo metadata` of the checkout's own packages.
///
/// # Errors
/// Cargo cannot read the workspace.
pub fn metadata(workspace: &Workspace) -> Result<Value> {
    let output = workspace
        .cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo cannot read the workspace; its message is above");
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")
}

/// Checks the whole checkout.
///
/// # Errors
/// Every violation, one per line.
pub fn check(workspace: &Workspace) -> Result<()> {
    let metadata = metadata(workspace)?;
    let mut violations = check_packages(&metadata)?;
    violations.extend(check_build_scripts(&metadata));
    visit(&workspace.root, Path::new("app/src"), &mut |path, text| violations.extend(check_source(path, text)))?;
    if violations.is_empty() {
        return Ok(());
    }
    bail!("the dependency direction is broken:\n  {}", violations.join("\n  "))
}

/// Compares the direct dependencies of every kind (normal, build, dev) with the rules.
fn check_packages(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut violations = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(rule) = RULES.iter().find(|rule| rule.package == name) else {
            violations.push(format!("{name} has no rule; add one to app/xtask/src/direction.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let dependency = dependency["name"].as_str().unwrap_or_default();
            let ours = RULES.iter().any(|rule| rule.package == dependency);
            let forbidden = (ours && dependency != name && !rule.ours.contains(&dependency))
                || (is_tensor_library(dependency) && !rule.tensors)
                || (is_window_library(dependency) && !rule.window);
            if forbidden {
                violations.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    for rule in RULES.iter().filter(|rule| !packages.iter().any(|package| package["name"] == rule.package)) {
        violations.push(format!("{} is in the rules but not in the workspace", rule.package));
    }
    Ok(violations)
}

/// Finds packages whose programs and tests are linked to the tensor library and have no build script that says where it is: they start
/// only where `LD_LIBRARY_PATH` happens to be set.
fn check_build_scripts(metadata: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let linked = |name: &str| {
        RULES.iter().any(|rule| rule.package == name && (rule.tensors || rule.ours.contains(&"golgi-probes")))
    };
    let has_script = |package: &Value| {
        list(&package["targets"]).iter().any(|target| list(&target["kind"]).contains(&"custom-build".into()))
    };
    let packages = list(&metadata["packages"]);
    let bad =
        packages.iter().filter(|package| linked(package["name"].as_str().unwrap_or_default()) && !has_script(package));
    bad.map(|package| {
        let name = package["name"].as_str().unwrap_or_default();
        format!("{name} has no build script; write one that includes probes/build.rs, so that its tests find libtorch")
    })
    .collect()
}

/// Finds the window and tensor libraries named in a source of the application where they must not be. Whole-line
/// comments may speak of them.
fn check_source(path: &str, text: &str) -> Vec<String> {
    let desktop = path.starts_with(DESKTOP);
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let forbidden = |name: &str| is_tensor_library(name) || (is_window_library(name) && !desktop);
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .filter_map(|(number, line)| {
            let name = line.split(|c| !word(c)).find(|name| forbidden(name))?;
            Some(format!("{path}:{} names {name}, which belongs under {DESKTOP} or in a lower package", number + 1))
        })
        .collect()
}

/// Calls `each` with every Rust source below `folder`, its path written with `/` from the top of the checkout.
fn visit(root: &Path, folder: &Path, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
    let full = root.join(folder);
    let entries = fs::read_dir(&full).with_context(|| format!("cannot read {}", full.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", full.display()))?;
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            visit(root, &path, each)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("cannot read {}", path.display()))?;
            each(&path.to_string_lossy().replace('\\', "/"), &text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace of every package, with one more dependency for one of them.
    fn with(package: &str, dependency: &str) -> Value {
        let packages = RULES.iter().map(|rule| {
            let mut names = rule.ours.to_vec();
            names.push("serde");
            if rule.package == package {
                names.push(dependency);
            }
            let dependencies: Vec<_> = names.iter().map(|name| json!({ "name": name, "kind": null })).collect();
            json!({ "name": rule.package, "dependencies": dependencies })
        });
        json!({ "packages": packages.collect::<Vec<_>>() })
    }

    fn violations(package: &str, dependency: &str) -> Vec<String> {
        check_packages(&with(package, dependency)).unwrap()
    }

    #[test]
    fn dependencies_that_point_upwards_are_found() {
        for (package, dependency) in [
            ("golgi-data", "golgi-probes"),
            ("golgi-data", "tch"),
            ("golgi-data", "egui"),
            ("golgi-probes", "golgi-analysis"),
            ("golgi-probes", "egui_extras"),
            ("golgi-analysis", "golgi"),
            ("golgi-analysis", "eframe"),
            ("golgi-analysis", "golgi-fetch"),
            ("golgi", "tch"),
            ("golgi", "torch-sys"),
            ("golgi", "golgi-tests"),
            ("golgi-tests", "tch"),
            ("xtask", "golgi-data"),
            ("golgi-fetch", "golgi-data"),
        ] {
            assert_eq!(violations(package, dependency), [format!("{package} must not depend on {dependency}")]);
        }
    }

    #[test]
    fn a_package_that_cannot_find_libtorch_is_found() {
        let with = |name: &str, kind: &str| json!({ "packages": [{ "name": name, "targets": [{ "kind": [kind] }] }] });
        assert!(check_build_scripts(&with("golgi-sae", "lib"))[0].contains("golgi-sae has no build script"));
        assert_eq!(check_build_scripts(&with("golgi-sae", "custom-build")), [] as [String; 0]);
        assert_eq!(check_build_scripts(&with("golgi-data", "lib")), [] as [String; 0]);
    }

    #[test]
    fn dependencies_that_point_downwards_are_allowed() {
        for (package, dependency) in [
            ("golgi-probes", "tch"),
            ("golgi-analysis", "tch"),
            ("golgi", "egui-wgpu"),
            ("golgi-tests", "egui_kittest"),
            ("golgi-data", "rayon"),
            ("golgi-data", "golgi-data"), // A package may name itself for its own tests.
        ] {
            assert_eq!(violations(package, dependency), [] as [String; 0]);
        }
    }

    #[test]
    fn packages_must_be_in_the_rules_and_the_workspace() {
        let stranger = json!({ "packages": [{ "name": "golgi-new", "dependencies": [] }] });
        let violations = check_packages(&stranger).unwrap();
        assert!(violations[0].starts_with("golgi-new has no rule"));
        assert_eq!(violations.len(), 1 + RULES.len());
        assert!(check_packages(&json!({})).is_err());
    }

    #[test]
    fn this_checkout_keeps_the_direction() {
        check(&Workspace::find().unwrap()).unwrap();
    }

    #[test]
    fn the_window_is_named_only_under_desktop() {
        let found = |path, text| check_source(path, text).len();
        for text in ["use egui::Ui;", "let x = eframe::run_native;", "fn f(plot: &egui_plot::Plot) {}", "use egui;"] {
            assert_eq!(found("app/src/session/mod.rs", text), 1, "{text}");
            assert_eq!(found("app/src/main.rs", text), 1, "{text}");
            assert_eq!(found("app/src/desktop_window.rs", text), 1, "{text}");
            assert_eq!(found("app/src/desktop/panels/unit.rs", text), 0, "{text}");
        }
        assert_eq!(found("app/src/desktop/mod.rs", "use tch::Tensor;"), 1);
        for text in
            ["//! Knows nothing of egui.", "    // no egui here", "let regui = 1;", "use crate::desktop;", "patch::x"]
        {
            assert_eq!(found("app/src/session/mod.rs", text), 0, "{text}");
        }
        let message = &check_source("app/src/cli/mod.rs", "\n\nuse egui::Ui;\n")[0];
        assert!(message.starts_with("app/src/cli/mod.rs:3 names egui"), "{message}");
    }
}
