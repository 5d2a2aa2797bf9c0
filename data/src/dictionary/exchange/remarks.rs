//! What Golgi adds to configurations of other libraries, so that nothing is lost on the way there and back.

use serde_json::Value;

use super::Options;
use crate::dictionary::Config;

/// The field that holds Golgi's configuration; other libraries ignore it.
pub(super) const FIELD: &str = "golgi";

/// Puts Golgi's configuration in `value` in the place of `plain`, the one that the other library sees, if it describes the
/// same, and says so if it does not. `hook` is how the form names a site.
pub(super) fn restore(value: Option<&Value>, plain: &mut Config, options: &Options, hook: impl Fn(&str) -> String) {
    let Some(value) = value else { return };
    let shape = |config: &Config| {
        let parts = config.inputs.iter().chain(&config.outputs);
        let parts: Vec<(String, u32)> = parts.map(|part| (hook(&part.site), part.width)).collect();
        (config.latents, parts, config.inputs.len(), config.subtract_decoder_bias)
    };
    let same = |config: &Config| {
        config.check().is_ok()
            && shape(config) == shape(plain)
            && config.normalisation == plain.normalisation
            && (config.architecture == plain.architecture
                || plain.architecture.has_threshold() && config.architecture.has_threshold())
    };
    match serde_json::from_value::<Config>(value.clone()) {
        Ok(config) if same(&config) => *plain = config,
        // Then it is the user who contradicts.
        _ if options.site.is_some() || options.target.is_some() => {}
        _ => plain.conversions.push(CONTRADICTION.to_owned()),
    }
}

/// The sentence about remarks that do not fit.
const CONTRADICTION: &str = "The folder's remarks of Golgi contradict its configuration and were left aside.";
