//! What pictures do to units, and the codes that describe them.

use golgi_data::context::RunContext;
use golgi_data::images::ImageSet;
use golgi_data::site::Site;
use golgi_probes::vision::{Extent, Network, Op, OpenVision};
use golgi_probes::{Capture, Tensor};
use tch::Kind;

use crate::error::VisionError;
use crate::visualise::Ready;

/// Pictures that are shown to the network at once.
const BATCH: usize = 16;

/// Of each picture that could be read.
pub(super) struct Gathered {
    /// Its index in the set.
    pub pictures: Vec<usize>,
    /// For each unit, its value.
    pub values: Vec<Vec<f32>>,
    /// `[pictures, width]`.
    pub codes: Vec<f32>,
    /// Numbers of a code.
    pub width: usize,
}

/// The layer whose values describe a picture if none is named: what the last linear layer reads, else the last layer.
pub(super) fn code_node(network: &Network) -> usize {
    let linear = network.nodes.iter().rev().find(|node| matches!(node.op, Op::Linear(_)));
    let read = linear.and_then(|node| node.inputs.first().copied());
    let vector = |node: &usize| matches!(network.nodes[*node].extent, Extent::Vector(_));
    read.filter(vector).unwrap_or(network.nodes.len() - 1)
}

pub(super) fn gather(
    open: &OpenVision,
    ready: &Ready,
    units: usize,
    code: &Site,
    (set, limit): (&ImageSet, usize),
    ctx: &RunContext,
) -> Result<Gathered, VisionError> {
    let network = &open.network;
    let code_node = network.find(code)?;
    let width = network.nodes[code_node].extent.channels();
    let wanted: Vec<usize> = (0..set.len().min(limit)).collect();
    ctx.stage("showing real pictures", wanted.len() as u64);
    let mut found = Gathered { pictures: Vec::new(), values: vec![Vec::new(); units], codes: Vec::new(), width };
    let preprocess = open.preprocess;
    let mut batches = set.read_batches(&wanted, BATCH, ctx, |loaded| preprocess.apply(&loaded.picture));
    while let Some(batch) = batches.next().transpose()? {
        let pixels = batch.iter().map(|(_, values)| open.tensor(values)).collect::<Result<Vec<_>, _>>()?;
        let pixels = Tensor::f_cat(&pixels, 0)?;
        let site = &network.nodes[ready.node].site;
        let mut capture = Capture::sites([site, code]).on_device();
        network.forward(&pixels, &mut capture, false)?;
        let trace = capture.into_trace(Vec::new())?;
        let size = (pixels.size()[2], pixels.size()[3]);
        let numbers = |tensor: Tensor| -> Result<Vec<f32>, VisionError> {
            let flat = tensor.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?;
            Ok(Vec::<f32>::try_from(flat)?)
        };
        let map = ready.map(network, trace.get(site)?, &pixels)?;
        let values = numbers(ready.anywhere(&map)?.f_transpose(0, 1)?)?;
        found.values.iter_mut().zip(values.chunks(batch.len())).for_each(|(row, new)| row.extend_from_slice(new));
        // Codes of maps are their means: where something is seen does not matter.
        let codes = network.as_map(code_node, trace.get(code)?, size)?;
        found.codes.extend(numbers(codes.f_mean_dim([2i64, 3].as_slice(), false, None::<Kind>)?)?);
        found.pictures.extend(batch.iter().map(|(index, _)| *index));
        ctx.advance(batch.len() as u64);
    }
    let report = batches.report();
    if report.bad > 0 {
        ctx.warn(report.to_string());
    }
    Ok(found)
}
