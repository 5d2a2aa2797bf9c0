//! The families of networks for images: one file each, and one line each in [`FAMILIES`] or [`TRANSFORMERS`].
//!
//! Files of CNN weights come without a configuration. A family recognises its own by the names of the weights, and takes widths,
//! depths and groups from their shapes; only what leaves no trace in the file (strides, the ε of norms) stands in the code. To add
//! one, start from `resnet.rs`, add a line to the list and its reference activations; the parity test runs over the list.
//! Vision transformers come with a configuration, in the hub's layout, which names their family; start from `vit.rs`.

mod alexnet;
mod clip;
mod convnext;
mod densenet;
mod dinov2;
mod efficientnet;
mod efficientnet_lite;
mod encoder;
mod googlenet;
mod mobilenet_v2;
mod resnet;
mod squeezenet;
mod vgg;
mod vit;

use golgi_data::images::{Fit, Interpolation, Preprocess, PreprocessSettings};
use serde_json::Value;

use super::build::Builder;
use super::graph::Network;
use crate::error::{ProbeError, Result};
use crate::layers::Loader;

/// A family of convolutional networks.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Whether the weights are of this family.
    pub recognise: fn(&Builder) -> bool,
    /// Builds the network.
    pub build: fn(&Loader) -> Result<Network>,
    /// What its published weights expect of a picture.
    pub expects: fn(&Network) -> Result<Preprocess>,
}

/// As torchvision's classifiers were trained.
fn usual(_: &Network) -> Result<Preprocess> {
    Ok(Preprocess::imagenet(224)?)
}

/// Every family.
pub const FAMILIES: &[Family] = &[
    Family { name: "alexnet", recognise: alexnet::recognise, build: alexnet::build, expects: usual },
    Family { name: "vgg", recognise: vgg::recognise, build: vgg::build, expects: usual },
    Family { name: "resnet", recognise: resnet::recognise, build: resnet::build, expects: usual },
    Family { name: "googlenet", recognise: googlenet::recognise, build: googlenet::build, expects: googlenet::expects },
    Family { name: "squeezenet", recognise: squeezenet::recognise, build: squeezenet::build, expects: usual },
    Family { name: "mobilenet_v2", recognise: mobilenet_v2::recognise, build: mobilenet_v2::build, expects: usual },
    Family { name: "densenet", recognise: densenet::recognise, build: densenet::build, expects: usual },
    Family {
        name: "efficientnet",
        recognise: efficientnet::recognise,
        build: efficientnet::build,
        expects: efficientnet::expects,
    },
    Family {
        name: "efficientnet_lite",
        recognise: efficientnet_lite::recognise,
        build: efficientnet_lite::build,
        expects: efficientnet_lite::expects,
    },
    Family { name: "convnext", recognise: convnext::recognise, build: convnext::build, expects: convnext::expects },
];

/// A family of vision transformers.
pub struct TransformerFamily {
    /// Its name.
    pub name: &'static str,
    /// Every `model_type` it reads.
    pub model_types: &'static [&'static str],
    /// Builds the network from its configuration and weights.
    pub build: fn(&Value, &Loader) -> Result<Network>,
    /// What its published weights expect of a picture, for images of so many pixels a side.
    pub expects: fn(u32) -> Result<Preprocess>,
}

/// Every family of vision transformers.
pub const TRANSFORMERS: &[TransformerFamily] = &[
    TransformerFamily { name: "vit", model_types: &["vit"], build: vit::build, expects: stretched },
    TransformerFamily {
        name: "dinov2",
        model_types: &["dinov2", "dinov2_with_registers"],
        build: dinov2::build,
        expects: cropped,
    },
    TransformerFamily { name: "clip", model_types: &["clip", "clip_vision_model"], build: clip::build, expects: clips },
];

fn stretched(size: u32) -> Result<Preprocess> {
    let usual = *Preprocess::imagenet(size)?.settings();
    Ok(Preprocess::new(PreprocessSettings { fit: Fit::Stretch(size), mean: [0.5; 3], std: [0.5; 3], ..usual })?)
}

fn cropped(size: u32) -> Result<Preprocess> {
    let usual = *Preprocess::imagenet(size)?.settings();
    Ok(Preprocess::new(PreprocessSettings { interpolation: Interpolation::Bicubic, ..usual })?)
}

fn clips(size: u32) -> Result<Preprocess> {
    let usual = *Preprocess::imagenet(size)?.settings();
    Ok(Preprocess::new(PreprocessSettings {
        fit: Fit::ResizeThenCrop { resize: size, crop: size },
        interpolation: Interpolation::Bicubic,
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_55, 0.261_302_6, 0.275_777_1],
        ..usual
    })?)
}

/// The family of vision transformers that a configuration names, if it is one.
pub fn transformer(config: &Value) -> Option<&'static TransformerFamily> {
    let found = config.get("model_type").and_then(Value::as_str)?;
    TRANSFORMERS.iter().find(|family| family.model_types.contains(&found))
}

/// The family whose weights `loader` reads, if there is one.
pub fn recognise(loader: &Loader) -> Option<&'static Family> {
    let (names, _) = Builder::new(loader);
    FAMILIES.iter().find(|family| (family.recognise)(&names))
}

/// The family whose weights `loader` reads.
///
/// # Errors
/// [`ProbeError::UnknownFamily`], with the list of those that are known.
pub fn family(loader: &Loader) -> Result<&'static Family> {
    recognise(loader).ok_or_else(|| ProbeError::UnknownFamily {
        found: "(weights without a configuration)".to_owned(),
        supported: FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>().join(", "),
    })
}
