//! circuit-tracer's transcoders: `config.yaml` with the hooks, and for each layer `layer_N.safetensors` (per-layer) or
//! `W_enc_N.safetensors` and `W_dec_N.safetensors` (cross-layer).
//!
//! Of a cross-layer transcoder each layer's features become one dictionary, which reads that layer and writes it and all later
//! ones. The sum of all dictionaries is the reconstruction; a layer's bias stands in that layer's own dictionary.

use std::path::Path;

use serde_json::json;

use super::json;
use super::sites::{self, Named};
use super::tensors::Tensors;
use super::{ExchangeError, Format, Sink, Source, finish};
use crate::dictionary::{Architecture, Config, Dictionary};

/// circuit-tracer's folders.
pub(super) static FORMAT: Format = Format {
    name: "circuit_tracer",
    about: "circuit-tracer's transcoders, per-layer and cross-layer",
    files: "config.yaml, and layer_0.safetensors or W_enc_0.safetensors",
    recognise: |folder| folder.join("layer_0.safetensors").is_file() || is_cross(folder),
    read,
    write: None,
};

const CONFIG: &str = "config.yaml";
/// The most layers of a set.
const MAX_LAYERS: u32 = 1024;

fn is_cross(folder: &Path) -> bool {
    folder.join("W_enc_0.safetensors").is_file() && folder.join("W_dec_0.safetensors").is_file()
}

fn read(source: &Source<'_>, each: &mut Sink<'_>) -> Result<(), ExchangeError> {
    let cross = is_cross(&source.folder);
    let file = |layer: u32| {
        source.folder.join(if cross {
            format!("W_enc_{layer}.safetensors")
        } else {
            format!("layer_{layer}.safetensors")
        })
    };
    let layers = (0..MAX_LAYERS).find(|layer| !file(*layer).is_file()).unwrap_or(MAX_LAYERS);
    let set = Set::of(source, cross, layers)?;
    for layer in 0..layers {
        let tensors = Tensors::open(&file(layer))?;
        let dictionary = if cross { set.cross_layer(layer, &tensors)? } else { set.per_layer(layer, &tensors)? };
        finish(dictionary, &FORMAT, each)?;
    }
    Ok(())
}

/// What all layers share.
struct Set<'a> {
    source: &'a Source<'a>,
    layers: u32,
    model: Option<String>,
    input: Option<String>,
    output: Option<String>,
}

impl<'a> Set<'a> {
    fn of(source: &'a Source<'a>, cross: bool, layers: u32) -> Result<Set<'a>, ExchangeError> {
        let path = source.folder.join(CONFIG);
        let text = if path.is_file() { json::text(&path)? } else { String::new() };
        let field = |key: &str| field(&text, key);
        let kind = if cross { "cross_layer_transcoder" } else { "transcoder_set" };
        if let Some(said) = field("model_kind")
            && said != kind
        {
            let what = format!("`model_kind` is {said}, but the files beside it are those of a {kind}");
            return Err(ExchangeError::File { path, what });
        }
        let set = Set {
            source,
            layers,
            model: field("model_name"),
            input: field("feature_input_hook"),
            output: field("feature_output_hook"),
        };
        Ok(set)
    }

    fn site(&self, hook: Option<&String>, layer: u32, key: &str) -> Result<Named, String> {
        let hook = hook.ok_or_else(|| format!("there is no {CONFIG} beside it that says `{key}`"))?;
        sites::from_hook(&format!("blocks.{layer}.{hook}"), self.model.as_deref())
    }

    fn configuration(
        &self,
        layer: u32,
        last: u32,
        [d, m]: [usize; 2],
        architecture: Architecture,
        tensors: &Tensors,
    ) -> Result<Config, ExchangeError> {
        let path = &self.source.folder;
        let input = self.site(self.input.as_ref(), layer, "feature_input_hook");
        let mut conversions = Vec::new();
        let latents =
            u32::try_from(m).map_err(|_| tensors.wrong(format!("it has {m} latents, which no dictionary has")))?;
        let input = sites::choose(self.source.options.site.as_deref(), input, Some(layer), path)?;
        let mut config = Config::autoencoder(architecture, input.part(d, &mut conversions), latents);
        config.outputs = (layer..=last)
            .map(|layer| {
                let output = self.site(self.output.as_ref(), layer, "feature_output_hook");
                let output = sites::choose(self.source.options.target.as_deref(), output, Some(layer), path)?;
                // One note is enough: they differ in the layer only.
                let mut notes = Vec::new();
                let part = output.part(d, &mut notes);
                if layer == last {
                    conversions.extend(notes);
                }
                Ok(part)
            })
            .collect::<Result<_, ExchangeError>>()?;
        config.subtract_decoder_bias = false;
        config.model = self.model.clone();
        conversions.extend(tensors.rounded());
        config.conversions = conversions;
        config.training = Some(json!({ FORMAT.name: { "layer": layer, "layers": self.layers } }));
        Ok(config)
    }

    fn per_layer(&self, layer: u32, tensors: &Tensors) -> Result<Dictionary, ExchangeError> {
        let threshold = "activation_function.threshold";
        tensors.only(&["W_enc", "W_dec", "b_enc", "b_dec", "W_skip", threshold])?;
        // The documented layout is [features, d]; the encoder of SAELens would be its transpose.
        let [m, d] = tensors.matrix("W_enc")?;
        let jump = tensors.has(threshold);
        let config = self.configuration(layer, layer, [d, m], relu(jump), tensors)?;
        config.check()?;
        Ok(Dictionary {
            encoder: tensors.read("W_enc", &[m, d])?,
            encoder_bias: tensors.read("b_enc", &[m])?,
            decoder: tensors.read("W_dec", &[m, d])?,
            decoder_bias: tensors.read("b_dec", &[d])?,
            threshold: if jump { Some(tensors.read(threshold, &[m])?) } else { None },
            skip: if tensors.has("W_skip") { Some(tensors.read("W_skip", &[d, d])?) } else { None },
            ..Dictionary::empty(config)
        })
    }

    fn cross_layer(&self, layer: u32, tensors: &Tensors) -> Result<Dictionary, ExchangeError> {
        let named = |name: &str| format!("{name}_{layer}");
        let (encoder, threshold) = (named("W_enc"), named("threshold"));
        tensors.only(&[&encoder, &threshold, &named("b_enc"), &named("b_dec")])?;
        let [m, d] = tensors.matrix(&encoder)?;
        let writes = (self.layers - layer) as usize;
        let jump = tensors.has(&threshold);
        let mut config = self.configuration(layer, self.layers - 1, [d, m], relu(jump), tensors)?;
        config.conversions.push(format!(
            "It is layer {layer} of a cross-layer transcoder: the sum over the dictionaries of all {} layers is the \
             reconstruction, in which the bias of each layer stands once, with that layer's own features.",
            self.layers
        ));
        config.check()?;
        let decoders = Tensors::open(&self.source.folder.join(format!("W_dec_{layer}.safetensors")))?;
        decoders.only(&[&named("W_dec")])?;
        let mut decoder_bias = tensors.read(&named("b_dec"), &[d])?;
        decoder_bias.resize(writes * d, 0.0);
        Ok(Dictionary {
            encoder: tensors.read(&encoder, &[m, d])?,
            encoder_bias: tensors.read(&named("b_enc"), &[m])?,
            decoder: decoders.read(&named("W_dec"), &[m, writes, d])?,
            decoder_bias,
            threshold: if jump { Some(tensors.read(&threshold, &[m])?) } else { None },
            ..Dictionary::empty(config)
        })
    }
}

fn relu(jump: bool) -> Architecture {
    if jump { Architecture::JumpRelu } else { Architecture::Standard }
}

/// The plain value of a field at the top of a YAML file.
fn field(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let value = value.trim();
    let bare = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
        _ => value.split(" #").next().unwrap_or_default().trim_end(),
    };
    (!bare.is_empty()).then(|| bare.chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn plain_fields_of_yaml_are_found() {
        let text =
            "model_name: \"google/gemma-2-2b\"\nfeature_input_hook: mlp.hook_in  # in\nnested:\n  scan: 'x'\nempty:\n";
        assert_eq!(field(text, "model_name").unwrap(), "google/gemma-2-2b");
        assert_eq!(field(text, "feature_input_hook").unwrap(), "mlp.hook_in");
        for missing in ["scan", "empty", "model", "nested"] {
            assert_eq!(field(text, missing), None, "{missing}");
        }
    }
}
