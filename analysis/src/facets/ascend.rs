//! The ascent from a facet's mean image.

use golgi_data::context::RunContext;
use golgi_data::site::{Site, SitePattern};
use golgi_probes::vision::{OpenVision, Output};
use golgi_probes::{GradientTap, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tch::Kind;

use super::schedule::{Phase, Schedule};
use super::tv;
use crate::error::VisionError;
use crate::gaussian::gaussian;
use crate::visualise::Ready;

/// Grey noise: mean and deviation.
const GREY: (f32, f32) = (175.0, 8.0);

/// Raises a unit on images.
pub(super) struct Ascent<'a> {
    pub open: &'a OpenVision,
    pub ready: &'a Ready,
    /// The side of what the network is shown.
    pub side: i64,
}

impl Ascent<'_> {
    /// From `start` `[n, 3, side, side]` in 0..255: the images at the end, cut to the same size.
    pub fn run(&self, start: &Tensor, schedule: Schedule, ctx: &RunContext) -> Result<Tensor, VisionError> {
        let mut random = ChaCha8Rng::seed_from_u64(ctx.seed());
        let mut x = match schedule {
            Schedule::MeanImage => start.shallow_clone(),
            Schedule::CentreBias => {
                let values = (0..start.numel()).map(|_| GREY.0 + GREY.1 * gaussian(&mut random));
                Tensor::f_from_slice(&values.collect::<Vec<f32>>())?.f_view(start.size().as_slice())?
            }
        };
        for phase in schedule.phases() {
            let grown = (x.size()[2] as f64 * phase.grow).round() as i64;
            if grown != x.size()[2] {
                x = x.f_upsample_bilinear2d([grown, grown], false, None::<f64>, None::<f64>)?;
            }
            for step in 0..phase.steps {
                ctx.check()?;
                x = self.step(x, phase, step, &mut random)?;
                ctx.advance(1);
            }
        }
        let off = (x.size()[2] - self.side) / 2;
        Ok(x.f_narrow(2, off, self.side)?.f_narrow(3, off, self.side)?.f_contiguous()?)
    }

    fn step(&self, x: Tensor, phase: &Phase, step: u64, random: &mut ChaCha8Rng) -> Result<Tensor, VisionError> {
        let spare = x.size()[2] - self.side;
        let deviation = phase.window * spare as f64;
        let mut place = || {
            let off = spare as f64 / 2.0 + deviation * f64::from(gaussian(random));
            (off.round() as i64).clamp(0, spare)
        };
        let (top, left) = (place(), place());
        let shown = x.f_narrow(2, top, self.side)?.f_narrow(3, left, self.side)?.f_contiguous()?;
        let gradient = self.gradient(&shown, phase.probability)?;
        let size = gradient.f_abs()?.f_mean_dim([1i64, 2, 3].as_slice(), true, None::<Kind>)?.f_add_scalar(1e-20)?;
        let mut change = gradient.f_div(&size)?.f_mul_scalar(phase.rate_at(step))?;
        let margin = phase.margin_of(self.side);
        if margin > 0 && 2 * margin < self.side {
            let inner = self.side - 2 * margin;
            let kept = change.f_narrow(2, margin, inner)?.f_narrow(3, margin, inner)?;
            change = kept.f_constant_pad_nd([margin, margin, margin, margin])?;
        }
        let moved = shown.f_add(&change)?.f_clamp(0.0, 255.0)?;
        let denoised = denoised(&moved, phase.weight_at(step) as f32)?;
        // Only what was shown has changed.
        x.f_narrow(2, top, self.side)?.f_narrow(3, left, self.side)?.f_copy_(&denoised)?;
        Ok(x)
    }

    /// The derivative by pixels in 0..255 of what is raised, of each image.
    fn gradient(&self, shown: &Tensor, probability: bool) -> Result<Tensor, VisionError> {
        let network = &self.open.network;
        let leaf = shown.f_detach()?.f_set_requires_grad(true)?;
        let pixels = self.open.normalised(&leaf.f_div_scalar(255.0)?)?;
        let (seen, site) = (pixels.f_detach()?, &network.nodes[self.ready.node].site);
        let input = Site::Module("input".to_owned());
        let mut tap = GradientTap::new(vec![SitePattern::from(&input), SitePattern::from(site)]);
        network.forward(&seen, &mut tap, false)?;
        let value = &tap.activations()[site];
        let is_class = self.ready.node + 1 == network.nodes.len() && network.output == Output::Classes;
        let read = if probability && is_class { value.f_softmax(1, Kind::Float)? } else { value.shallow_clone() };
        let map = self.ready.map(network, &read, &seen)?;
        let raised = self.ready.values(&map)?.f_sum(None::<Kind>)?;
        let uphill = Tensor::f_run_backward(&[raised], &[&tap.activations()[&input]], false, false)?.remove(0);
        let along = pixels.f_mul(&uphill)?.f_sum(None::<Kind>)?;
        Ok(Tensor::f_run_backward(&[along], &[&leaf], false, false)?.remove(0))
    }
}

fn denoised(images: &Tensor, weight: f32) -> Result<Tensor, VisionError> {
    let size = images.size();
    let (height, width) = (size[2] as usize, size[3] as usize);
    let cpu = images.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut values = Vec::<f32>::try_from(cpu.f_view([-1])?)?;
    values.par_chunks_mut(height * width).for_each(|channel| tv::denoise(channel, height, width, weight));
    let denoised = Tensor::f_from_slice(&values)?.f_view(size.as_slice())?;
    Ok(denoised.f_to_device(images.device())?.f_to_kind(images.kind())?)
}
