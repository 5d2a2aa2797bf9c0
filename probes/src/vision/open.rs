//! Opening a network for images.

use golgi_data::context::RunContext;
use golgi_data::images::{Picture, Preprocess};
use golgi_data::models::{ModelFiles, Resolver};
use serde::Serialize;
use serde_json::Value;
use tch::Tensor;

use super::arch;
use super::graph::{Network, Output};
use crate::error::{ProbeError, Result};
use crate::layers::Loader;
use crate::open::{DType, OpenOptions};
use crate::origin::Origin;

/// A network for images, with everything that belongs to it.
#[derive(Debug)]
pub struct OpenVision {
    /// A short name for people.
    pub name: String,
    /// What the user typed.
    pub spec: String,
    /// The network.
    pub network: Network,
    /// What it expects of a picture.
    pub preprocess: Preprocess,
    /// Its licence, where known.
    pub licence: Option<String>,
    /// What it computes in.
    pub dtype: DType,
    origin: Origin,
}

/// Opens `spec`: a catalogue name, a folder, a single file of weights or `hf://org/repo`.
///
/// # Errors
/// If it cannot be found, read or understood, or is no network for images that is known; each with the next step.
pub fn open(spec: &str, resolver: &Resolver, options: &OpenOptions, ctx: &RunContext) -> Result<OpenVision> {
    ctx.stage("reading the model", 0);
    OpenVision::from_files(resolver.resolve(spec, ctx)?, options, ctx)
}

/// Whether these are weights of a network for images that is known. CLIP, which has a tower for images and one for texts, is one.
pub fn is_vision(files: &ModelFiles, ctx: &RunContext) -> bool {
    match files.config {
        Value::Null => arch::recognise(&Loader::new(&files.weights, ctx, tch::Kind::Float, tch::Device::Cpu)).is_some(),
        ref config => arch::transformer(config).is_some(),
    }
}

/// The side of the images that a configuration names, else 224.
fn image_size(config: &Value) -> u32 {
    let named = |config: &Value| config.get("image_size").and_then(Value::as_u64);
    let size = named(config).or_else(|| named(config.get("vision_config")?));
    size.and_then(|size| u32::try_from(size).ok()).unwrap_or(224)
}

impl OpenVision {
    /// Builds the network from files that are at hand.
    ///
    /// # Errors
    /// If no family recognises configuration or weights, or some weights are missing, misshapen or damaged.
    pub fn from_files(files: ModelFiles, options: &OpenOptions, ctx: &RunContext) -> Result<OpenVision> {
        let ModelFiles { name, spec, config, preprocessor, weights, licence, .. } = files;
        let device = options.device.resolve()?;
        let loader = Loader::new(&weights, ctx, options.dtype.kind(), device);
        ctx.stage("loading weights", weights.names().count() as u64);
        let (network, preprocess) = if config.is_null() {
            let family = arch::family(&loader)?;
            let network = (family.build)(&loader)?;
            let preprocess = (family.expects)(&network)?;
            (network, preprocess)
        } else {
            let family = arch::transformer(&config).ok_or_else(|| ProbeError::Language(spec.clone()))?;
            let usual = (family.expects)(image_size(&config))?;
            let preprocess = if preprocessor.is_null() { usual } else { Preprocess::from_hub(&preprocessor, &usual)? };
            ((family.build)(&config, &loader)?, preprocess)
        };
        let (dtype, origin) = (options.dtype, Origin::files(weights));
        Ok(OpenVision { name, spec, network, preprocess, licence, dtype, origin })
    }

    /// Wraps a network that was built by hand, such as one with planted units. It has no files, hence no digest.
    pub fn in_memory(name: &str, network: Network, preprocess: Preprocess) -> OpenVision {
        let dtype = if network.kind == tch::Kind::BFloat16 { DType::Bf16 } else { DType::F32 };
        let name = name.to_owned();
        OpenVision { spec: name.clone(), name, network, preprocess, licence: None, dtype, origin: Origin::default() }
    }

    /// SHA-256 over the weight files, hexadecimal; computed once. Empty for a network that was built in memory.
    ///
    /// # Errors
    /// If the files cannot be read any more.
    pub fn digest(&self) -> Result<String> {
        self.origin.digest()
    }

    /// Bytes of the weight files.
    pub fn bytes_on_disk(&self) -> u64 {
        self.origin.bytes_on_disk()
    }

    /// A picture as the network expects it, `[1, 3, size, size]`.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn pixels(&self, picture: &Picture) -> Result<Tensor> {
        self.tensor(&self.preprocess.apply(picture))
    }

    /// What [`Preprocess::apply`] gives, `[3, size, size]`, as a batch of one.
    ///
    /// # Errors
    /// If it has another size.
    pub fn tensor(&self, values: &[f32]) -> Result<Tensor> {
        let size = self.preprocess.input_size() as i64;
        let pixels = Tensor::f_from_slice(values)?.f_view([1, 3, size, size])?;
        Ok(pixels.f_to_device(self.network.device)?.f_to_kind(self.network.kind)?)
    }

    /// Images `[n, 3, height, width]` with values in 0..1 as the network expects them: (255 x · scale − mean) / std.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn normalised(&self, images: &Tensor) -> Result<Tensor> {
        let settings = self.preprocess.settings();
        let row = |values: &[f32; 3]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_view([1, 3, 1, 1])?.f_to_device(images.device())?)
        };
        let scaled = images.f_mul_scalar(255.0 * f64::from(settings.scale))?;
        Ok(scaled.f_sub(&row(&settings.mean)?)?.f_div(&row(&settings.std)?)?.f_to_kind(self.network.kind)?)
    }

    /// The name of a class: of ImageNet's where there are 1000, else its number.
    pub fn class(&self, index: usize) -> String {
        let named = (self.network.classes() == 1000).then(|| IMAGENET.lines().nth(index)).flatten();
        named.map_or_else(|| format!("class {index}"), str::to_owned)
    }

    /// The classes of a picture with their probabilities and logits, the most probable first.
    ///
    /// # Errors
    /// As [`Network::forward`]; [`ProbeError::NoClasses`] if the network is no classifier.
    pub fn classify(&self, picture: &Picture, most: usize) -> Result<Vec<ClassScore>> {
        if self.network.output == Output::Features {
            return Err(ProbeError::NoClasses(self.name.clone()));
        }
        let logits = self.network.logits(&self.pixels(picture)?)?.f_view([-1])?;
        let values = Vec::<f32>::try_from(logits.f_to_device(tch::Device::Cpu)?)?;
        let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = values.iter().map(|value| f64::from(value - largest).exp()).sum();
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
        let score = |index: usize| ClassScore {
            index,
            name: self.class(index),
            logit: values[index],
            probability: f64::from(values[index] - largest).exp() / total,
        };
        Ok(order.into_iter().take(most).map(score).collect())
    }

    /// The same network with the entries of each weight shuffled (convolutions and linear maps; norms keep theirs): what a method shows without anything
    /// learned.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn twin(&self, seed: u64) -> Result<OpenVision> {
        Ok(OpenVision::in_memory(
            &format!("{} (shuffled)", self.name),
            self.network.shuffled(seed, 0)?,
            self.preprocess,
        ))
    }
}

/// One class of a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScore {
    /// Its number.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its logit.
    pub logit: f32,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// The names of ImageNet's classes, a line each, as torchvision has them.
const IMAGENET: &str = include_str!("../../../assets/imagenet_classes.txt");
