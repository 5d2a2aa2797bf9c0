//! The ascent.

use golgi_data::context::RunContext;
use golgi_data::images::Picture;
use golgi_data::site::{Site, SitePattern};
use golgi_probes::vision::{Network, OpenVision, Rule};
use golgi_probes::{GradientTap, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::nn::OptimizerConfig;
use tch::{Kind, nn};

use super::jitter::Jitter;
use super::picture::Parametrisation;
use super::target::{Ready, Target};
use crate::error::VisionError;

/// So often the value without transformations is recorded.
const RECORDS: u64 = 32;
/// Steps from one look at the images to the next, for whoever watches them.
const LOOK: u64 = 4;

/// How images are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How an image is written.
    pub parametrisation: Parametrisation,
    /// Its side, in pixels.
    pub size: u32,
    /// Steps of Adam.
    pub steps: u64,
    /// Their rate.
    pub rate: f64,
    /// In so many first steps the gradient is let through rectifiers that block all of it.
    pub redirected: u64,
    /// Random transformations of each step.
    pub jitter: Jitter,
    /// Weight of the diversity of the batch, Σ_{i≠j} ⟨Ĝᵢ, Ĝⱼ⟩ / n with Ĝ the normalised Gram matrix of the target's map, which is taken from what is raised.
    pub diversity: f64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            parametrisation: Parametrisation::Fft,
            size: 128,
            steps: 512,
            rate: 0.05,
            redirected: 16,
            jitter: Jitter::default(),
            diversity: 0.0,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), VisionError> {
        let wrong = |text: String| Err(VisionError::Settings(text));
        if !(16..=1024).contains(&self.size) {
            return wrong(format!("images of {} pixels a side; 16 to 1024 are possible", self.size));
        }
        if !(1..=100_000).contains(&self.steps) {
            return wrong(format!("{} steps; 1 to 100,000 are possible", self.steps));
        }
        if !(self.rate.is_finite() && self.rate > 0.0 && self.diversity.is_finite()) {
            return wrong("the rate must be positive, the diversity finite".to_owned());
        }
        match self.jitter.fault(i64::from(self.size)) {
            Some(fault) => wrong(fault),
            None => Ok(()),
        }
    }
}

/// Whether an image may be looked at as what its unit responds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its unit rose.
    Converged,
    /// Its unit never rose above its start.
    DidNotConverge,
    /// Its unit stayed at 0 or below.
    NeverExcited,
    /// Its values were not finite any more.
    Diverged,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Converged => "converged",
            Verdict::DidNotConverge => "did not converge",
            Verdict::NeverExcited => "did not converge: the unit was never excited",
            Verdict::Diverged => "did not converge: the values were not finite",
        })
    }
}

/// What was found for one row of the target.
#[derive(Debug, Clone)]
pub struct Optimised {
    /// As in the target.
    pub name: String,
    /// The image.
    pub picture: Picture,
    /// What it was to raise, on the image itself without transformations.
    pub value: f32,
    /// The same at the start.
    pub start: f32,
    /// The same along the way: steps and values.
    pub curve: Vec<(u64, f32)>,
    /// Whether it may be believed.
    pub verdict: Verdict,
}

/// Finds an image for each row of `target`, all in one batch. Random choices come from the context's seed.
///
/// # Errors
/// If the target does not fit the network, the settings are impossible, or the work is cancelled.
pub fn visualise(
    open: &OpenVision,
    target: &Target,
    settings: &Settings,
    ctx: &RunContext,
) -> Result<Vec<Optimised>, VisionError> {
    watched(open, target, settings, ctx, None)
}

/// As [`visualise`]; every few steps `watch` gets the number of steps done and the images as they are by then, one per row of the target.
///
/// # Errors
/// As [`visualise`].
pub fn visualise_watched(
    open: &OpenVision,
    target: &Target,
    settings: &Settings,
    ctx: &RunContext,
    watch: &mut dyn FnMut(u64, Vec<Picture>),
) -> Result<Vec<Optimised>, VisionError> {
    watched(open, target, settings, ctx, Some(watch))
}

type Watch<'a> = Option<&'a mut dyn FnMut(u64, Vec<Picture>)>;

fn watched(
    open: &OpenVision,
    target: &Target,
    settings: &Settings,
    ctx: &RunContext,
    watch: Watch<'_>,
) -> Result<Vec<Optimised>, VisionError> {
    settings.check()?;
    let ready = target.ready(&open.network)?;
    let ascent = Ascent { open, network: &open.network, site: &target.site, ready, settings };
    ascent.run(&target.names, ctx, watch)
}

struct Ascent<'a> {
    open: &'a OpenVision,
    network: &'a Network,
    site: &'a Site,
    ready: Ready,
    settings: &'a Settings,
}

impl Ascent<'_> {
    fn run(&self, names: &[String], ctx: &RunContext, mut watch: Watch<'_>) -> Result<Vec<Optimised>, VisionError> {
        let (settings, side) = (self.settings, i64::from(self.settings.size));
        let start = settings.parametrisation.start(names.len(), settings.size as usize, ctx.seed())?;
        let store = nn::VarStore::new(self.network.device);
        let parameters = store.root().f_var_copy("image", &start)?;
        let mut adam = nn::Adam::default().build(&store, settings.rate)?;
        let mut random = ChaCha8Rng::seed_from_u64(ctx.seed());
        random.set_stream(u64::MAX);
        ctx.stage("optimising images", settings.steps);
        let every = settings.steps.div_ceil(RECORDS).max(1);
        let mut curves: Vec<Vec<(u64, f32)>> = vec![Vec::new(); names.len()];
        let record = |step: u64, curves: &mut Vec<Vec<(u64, f32)>>| -> Result<(), VisionError> {
            let images = tch::no_grad(|| settings.parametrisation.images(&parameters, side))?;
            let values = self.values(&self.open.normalised(&images)?)?;
            curves.iter_mut().zip(values).for_each(|(curve, value)| curve.push((step, value)));
            Ok(())
        };
        for step in 0..settings.steps {
            ctx.check()?;
            if step % every == 0 {
                record(step, &mut curves)?;
            }
            if step % LOOK == 0
                && let Some(watch) = &mut watch
            {
                let images = tch::no_grad(|| settings.parametrisation.images(&parameters, side))?;
                let pictures = (0..names.len()).map(|index| to_picture(&images.f_get(index as i64)?));
                watch(step, pictures.collect::<Result<Vec<_>, _>>()?);
            }
            let images = settings.parametrisation.images(&parameters, side)?;
            let shown = self.open.normalised(&settings.jitter.apply(&images, &mut random)?)?;
            let uphill = self.uphill(&shown.f_detach()?, step < settings.redirected)?;
            // Along what the pixels want, back to the parameters.
            let loss = shown.f_mul(&uphill)?.f_sum(None::<Kind>)?.f_neg()?;
            adam.zero_grad();
            loss.f_backward()?;
            adam.step();
            ctx.advance(1);
        }
        record(settings.steps, &mut curves)?;
        let images = tch::no_grad(|| settings.parametrisation.images(&parameters, side))?;
        let found = names.iter().zip(curves).enumerate();
        found.map(|(index, (name, curve))| self.optimised(name, &images.f_get(index as i64)?, curve)).collect()
    }

    fn optimised(&self, name: &str, image: &Tensor, curve: Vec<(u64, f32)>) -> Result<Optimised, VisionError> {
        let of = |at: Option<&(u64, f32)>| at.map_or(f32::NAN, |(_, value)| *value);
        let (start, value) = (of(curve.first()), of(curve.last()));
        let verdict = match (start, value) {
            (_, value) if !value.is_finite() => Verdict::Diverged,
            (start, value) if value <= 0.0 && start <= 0.0 && curve.iter().all(|(_, value)| *value <= 0.0) => {
                Verdict::NeverExcited
            }
            (start, value) if value > start => Verdict::Converged,
            _ => Verdict::DidNotConverge,
        };
        Ok(Optimised { name: name.to_owned(), picture: to_picture(image)?, value, start, curve, verdict })
    }

    /// What each image of `pixels` is to raise, as it stands.
    fn values(&self, pixels: &Tensor) -> Result<Vec<f32>, VisionError> {
        let activation = self.network.activation(pixels, self.ready.node)?;
        let map = self.ready.map(self.network, &activation, pixels)?;
        let values = tch::no_grad(|| self.ready.values(&map))?;
        let values = values.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?;
        Ok(Vec::<f32>::try_from(values)?)
    }

    /// The derivative, by the pixels, of what is raised.
    fn uphill(&self, pixels: &Tensor, redirected: bool) -> Result<Tensor, VisionError> {
        if redirected {
            let record = self.network.record(pixels, self.ready.node)?;
            let value = record.target()?.f_detach()?.f_set_requires_grad(true)?;
            let seed = Tensor::f_run_backward(&[self.objective(&value, pixels)?], &[&value], false, false)?.remove(0);
            return Ok(self.network.backward(&record, &seed, 0, Rule::Redirected)?);
        }
        let input = Site::Module("input".to_owned());
        let mut tap = GradientTap::new(vec![SitePattern::from(&input), SitePattern::from(self.site)]);
        self.network.forward(pixels, &mut tap, false)?;
        let objective = self.objective(&tap.activations()[self.site], pixels)?;
        let pixels = &tap.activations()[&input];
        Ok(Tensor::f_run_backward(&[objective], &[pixels], false, false)?.remove(0))
    }

    fn objective(&self, activation: &Tensor, pixels: &Tensor) -> Result<Tensor, VisionError> {
        let map = self.ready.map(self.network, activation, pixels)?;
        let raised = self.ready.values(&map)?.f_sum(None::<Kind>)?;
        let n = map.size()[0];
        if self.settings.diversity == 0.0 || n < 2 {
            return Ok(raised);
        }
        // Gram matrices [n, channels · channels], each of length 1; the products of different ones are summed.
        let flat = map.f_flatten(2, -1)?;
        let gram = flat.f_bmm(&flat.f_transpose(1, 2)?)?.f_flatten(1, -1)?;
        let length = gram.f_square()?.f_sum_dim_intlist(1i64, true, None::<Kind>)?.f_sqrt()?.f_add_scalar(1e-12)?;
        let unit = gram.f_div(&length)?;
        let all = unit.f_matmul(&unit.f_transpose(0, 1)?)?;
        let alike = all.f_sum(None::<Kind>)?.f_sub(&all.f_trace()?)?.f_div_scalar(n)?;
        Ok(raised.f_sub(&alike.f_mul_scalar(self.settings.diversity)?)?)
    }
}

/// `[3, side, side]` in 0..1 as a picture.
pub(crate) fn to_picture(image: &Tensor) -> Result<Picture, VisionError> {
    let size = image.size();
    let bytes = image.f_permute([1, 2, 0])?.f_mul_scalar(255.0)?.f_round()?.f_clamp(0.0, 255.0)?;
    let bytes = bytes.f_to_kind(Kind::Uint8)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?;
    Ok(Picture::new(size[2] as u32, size[1] as u32, Vec::<u8>::try_from(bytes)?)?)
}
