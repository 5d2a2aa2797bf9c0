//! The families of convolutional networks: one file each, and one line each in [`FAMILIES`].
//!
//! Files of CNN weights come without a configuration. A family recognises its own by the names of the weights, and takes widths,
//! depths and groups from their shapes; only what leaves no trace in the file (strides, the ε of norms) stands in the code. To add
//! one, start from `resnet.rs`, add a line to the list and its reference activations; the parity test runs over the list.

mod alexnet;
mod convnext;
mod densenet;
mod efficientnet;
mod efficientnet_lite;
mod googlenet;
mod mobilenet_v2;
mod resnet;
mod squeezenet;
mod vgg;

use golgi_data::images::Preprocess;

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
