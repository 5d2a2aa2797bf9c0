//! Networks of torchvision with the formula weights of `make_reference.py`.

use golgi_data::context::RunContext;
use golgi_data::weights::Weights;
use golgi_probes::layers::Loader;
use golgi_probes::vision::{Network, arch};
use golgi_probes::{Device, Kind, Tensor};
use sha2::{Digest, Sha256};

use crate::parity::reference_folder;

/// So many elements are computed at once.
const CHUNK: i64 = 1 << 22;

fn values(name: &str, shape: &[usize]) -> Vec<u8> {
    let digest = Sha256::digest(name.as_bytes());
    let h = f64::from(u16::from_be_bytes([digest[0], digest[1]])) / 65536.0;
    let total: i64 = shape.iter().map(|n| *n as i64).product();
    let fan_in = (total / (shape[0] as i64).max(1)) as f64;
    let mut bytes = vec![0u8; total as usize * 4];
    for first in (0..total).step_by(CHUNK as usize) {
        let last = (first + CHUNK).min(total);
        let i = Tensor::arange_start(first, last, (Kind::Double, Device::Cpu));
        let s = ((i * 12.9898 + h * 78.233).sin() * 43758.5453).frac();
        // `frac` keeps the sign; the formula asks for s − ⌊s⌋.
        let u = (&s - s.floor()) * 2.0 - 1.0;
        let u = match shape.len() {
            _ if name.ends_with("running_var") => u * 0.5 + 1.0,
            _ if name.ends_with("running_mean") => u * 0.1,
            1 if name.ends_with("weight") => u * 0.2 + 1.0,
            1 => u * 0.1,
            _ => u * (6.0 / fan_in).sqrt(),
        };
        let part = u.to_kind(Kind::Float);
        part.copy_data_u8(&mut bytes[first as usize * 4..last as usize * 4], (last - first) as usize);
    }
    bytes
}

/// The weights of the torchvision network `name`, as its state dict names them.
pub fn weights(name: &str) -> Weights {
    let shapes = std::fs::read(reference_folder("torchvision").join("shapes.json")).unwrap();
    let shapes: serde_json::Value = serde_json::from_slice(&shapes).unwrap();
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (tensor, shape) in shapes[name].as_object().unwrap() {
        let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
        let begin = data.len();
        data.extend(values(tensor, &shape));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert(tensor.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let file = [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat();
    Weights::from_bytes(file, "model.safetensors").unwrap()
}

pub fn network(name: &str) -> Network {
    let (weights, ctx) = (weights(name), RunContext::new(0));
    let loader = Loader::new(&weights, &ctx, Kind::Float, Device::Cpu);
    (arch::family(&loader).unwrap().build)(&loader).unwrap()
}

/// `sin(0.05 i)`, `[1, 3, 64, 64]`.
pub fn image() -> Tensor {
    let i = Tensor::arange(3 * 64 * 64, (Kind::Double, Device::Cpu));
    (i * 0.05).sin().view([1, 3, 64, 64]).to_kind(Kind::Float)
}
