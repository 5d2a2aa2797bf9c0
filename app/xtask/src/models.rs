//! The models that come with set-up, fetched by the built program itself.

use std::path::Path;

use anyhow::{Result, bail};

use crate::cargo::Cargo;
use crate::host::Host;

/// The model a newcomer starts with.
pub const STARTER: &str = "smollm2";
/// What the tests open.
pub const FOR_TESTS: [&str; 3] = [STARTER, "minilm", "efficientnet-lite0"];

/// Those of `names` that are not installed. The program renames a model's folder when it is whole.
pub fn missing<'a>(host: &Host, names: &[&'a str]) -> Vec<&'a str> {
    names.iter().copied().filter(|name| !host.home.join("models").join(name).is_dir()).collect()
}

/// Lets `program` fetch the missing ones.
///
/// # Errors
/// The program could not fetch one; it said why.
pub fn fetch(cargo: &Cargo, program: &Path, host: &Host, names: &[&str]) -> Result<()> {
    for name in missing(host, names) {
        eprintln!("Fetching the model {name}");
        let mut command = cargo.command(program);
        let status = command.args(["models", "fetch", name]).stdout(std::io::stderr()).status()?;
        if !status.success() {
            bail!("the model {name} could not be fetched ({status}); the lines above say why");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_models_are_not_fetched_again() {
        let home = std::env::temp_dir().join(format!("golgi-xtask-models-{}", std::process::id()));
        std::fs::create_dir_all(home.join("models/minilm")).unwrap();
        let host = Host { home: home.clone(), ..Host::detect().unwrap() };
        assert_eq!(missing(&host, &FOR_TESTS), ["smollm2", "efficientnet-lite0"]);
        std::fs::remove_dir_all(home).unwrap();
    }
}
