//! Opening a convolutional network.

use std::cell::OnceCell;

use golgi_data::context::RunContext;
use golgi_data::models::{ModelFiles, Resolver};
use golgi_data::weights::Weights;

use super::arch;
use super::graph::Network;
use crate::error::Result;
use crate::layers::Loader;
use crate::open::{DType, OpenOptions};

/// A convolutional network, with everything that belongs to it.
#[derive(Debug)]
pub struct OpenVision {
    /// A short name for people.
    pub name: String,
    /// What the user typed.
    pub spec: String,
    /// The network.
    pub network: Network,
    /// Its licence, where known.
    pub licence: Option<String>,
    /// What it computes in.
    pub dtype: DType,
    /// Absent for a network that was built in memory.
    weights: Option<Weights>,
    digest: OnceCell<String>,
}

/// Opens `spec`: a catalogue name, a folder, a single file of weights or `hf://org/repo`.
///
/// # Errors
/// If it cannot be found, read or understood, or is no convolutional network that is known; each with the next step.
pub fn open(spec: &str, resolver: &Resolver, options: &OpenOptions, ctx: &RunContext) -> Result<OpenVision> {
    ctx.stage("reading the model", 0);
    OpenVision::from_files(resolver.resolve(spec, ctx)?, options, ctx)
}

/// Whether these are weights of a convolutional network that is known.
pub fn is_vision(files: &ModelFiles, ctx: &RunContext) -> bool {
    files.config.is_null()
        && arch::recognise(&Loader::new(&files.weights, ctx, tch::Kind::Float, tch::Device::Cpu)).is_some()
}

impl OpenVision {
    /// Builds the network from files that are at hand.
    ///
    /// # Errors
    /// If no family recognises the weights, or some are missing, misshapen or damaged.
    pub fn from_files(files: ModelFiles, options: &OpenOptions, ctx: &RunContext) -> Result<OpenVision> {
        let ModelFiles { name, spec, weights, licence, .. } = files;
        let device = options.device.resolve()?;
        let loader = Loader::new(&weights, ctx, options.dtype.kind(), device);
        let family = arch::family(&loader)?;
        ctx.stage("loading weights", weights.names().count() as u64);
        let network = (family.build)(&loader)?;
        let (dtype, digest, weights) = (options.dtype, OnceCell::new(), Some(weights));
        Ok(OpenVision { name, spec, network, licence, dtype, weights, digest })
    }

    /// Wraps a network that was built by hand, such as one with planted units. It has no files, hence no digest.
    pub fn in_memory(name: &str, network: Network) -> OpenVision {
        let dtype = if network.kind == tch::Kind::BFloat16 { DType::Bf16 } else { DType::F32 };
        let name = name.to_owned();
        OpenVision { spec: name.clone(), name, network, licence: None, dtype, weights: None, digest: OnceCell::new() }
    }

    /// SHA-256 over the weight files, hexadecimal; computed once. Empty for a network that was built in memory.
    ///
    /// # Errors
    /// If the files cannot be read any more.
    pub fn digest(&self) -> Result<String> {
        if let Some(digest) = self.digest.get() {
            return Ok(digest.clone());
        }
        let digest = self.weights.as_ref().map(Weights::digest).transpose()?.unwrap_or_default();
        Ok(self.digest.get_or_init(|| digest).clone())
    }

    /// Bytes of the weight files.
    pub fn bytes_on_disk(&self) -> u64 {
        self.weights.as_ref().map_or(0, Weights::bytes_on_disk)
    }
}
