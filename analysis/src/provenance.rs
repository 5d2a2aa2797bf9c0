//! Where a result comes from.

use golgi_probes::vision::OpenVision;
use golgi_probes::{Device, OpenModel, ProbeError};

use crate::error::Result;
use crate::prompt::PromptInput;
use crate::report::Provenance;

/// The provenance of a result about `input`.
///
/// # Errors
/// If the model's weight files cannot be read any more.
pub fn provenance(model: &OpenModel, input: &PromptInput, seed: u64) -> Result<Provenance> {
    let active = input.interventions.iter().filter(|intervention| intervention.enabled);
    Ok(Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model.spec.clone(),
        model_digest: model.digest()?,
        device: device(model.model.device),
        dtype: model.dtype.to_string(),
        attention: if input.fused_attention { "fused" } else { "explicit" }.to_owned(),
        seed,
        tokens: input.tokens.len(),
        interventions: active.map(golgi_probes::intervention::Intervention::title).collect(),
    })
}

/// The provenance of a result about a network for images.
///
/// # Errors
/// If the network's weight files cannot be read any more.
pub fn of_vision(open: &OpenVision, seed: u64) -> Result<Provenance, ProbeError> {
    Ok(Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: open.spec.clone(),
        model_digest: open.digest()?,
        device: device(open.network.device),
        dtype: open.dtype.to_string(),
        attention: String::new(),
        seed,
        tokens: 0,
        interventions: Vec::new(),
    })
}

fn device(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Mps => "mps".to_owned(),
        Device::Vulkan => "vulkan".to_owned(),
    }
}
