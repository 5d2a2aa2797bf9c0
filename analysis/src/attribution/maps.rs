//! The maps.

use golgi_data::context::RunContext;
use golgi_data::site::{Site, SitePattern};
use golgi_data::unit::Unit;
use golgi_probes::vision::{Extent, Network, OpenVision, Rule};
use golgi_probes::{GradientTap, ProbeError, Tensor};
use serde::Serialize;
use tch::Kind;

use super::baseline::Baseline;
use super::integrated::gauss_legendre;
use super::method::Method;
use crate::error::VisionError;

/// Nodes of the first attempt at an integral.
const NODES: usize = 50;
/// And of the last.
const MOST_NODES: usize = 400;
/// Points of the path that are run at once.
const BATCH: usize = 8;
/// The sum of integrated gradients may miss the difference of values by this share.
const INCOMPLETE: f64 = 0.01;

/// What is to be explained: y, the value of a unit (its sum over all positions, where it has many).
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The unit.
    pub unit: Unit,
    /// What it is called.
    pub name: String,
    /// Where Grad-CAM's maps are taken; its resolution is theirs.
    pub layer: Site,
}

impl Question {
    /// The logit of class `index`.
    ///
    /// # Errors
    /// If the network is no classifier or has no such class.
    pub fn class(open: &OpenVision, index: usize) -> Result<Question, VisionError> {
        let network = &open.network;
        if network.classes() == 0 {
            return Err(ProbeError::NoClasses(open.name.clone()).into());
        }
        let last = network.nodes.len() - 1;
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let question = Question::unit(open, Unit::new(network.nodes[last].site.clone(), index))?;
        Ok(Question { name: open.class(index as usize), ..question })
    }

    /// A unit anywhere.
    ///
    /// # Errors
    /// If the network has no such unit.
    pub fn unit(open: &OpenVision, unit: Unit) -> Result<Question, VisionError> {
        let node = open.network.check(&unit)?;
        let layer =
            open.network.nodes[last_map(&open.network, node, open.preprocess.input_size() as i64)?].site.clone();
        Ok(Question { name: unit.to_string(), unit, layer })
    }

    /// y on `pixels`, `[1, 3, height, width]`.
    ///
    /// # Errors
    /// As [`attribute`].
    pub fn value(&self, open: &OpenVision, pixels: &Tensor) -> Result<f32, VisionError> {
        Ok(Explainer::new(open, &open.network, self, pixels, MOST_NODES)?.y(pixels)? as f32)
    }

    /// The same with Grad-CAM at another layer.
    ///
    /// # Errors
    /// If the unit does not come behind it, or it has no maps.
    pub fn at(self, open: &OpenVision, layer: Site) -> Result<Question, VisionError> {
        let (node, of) = (open.network.find(&layer)?, open.network.find(&self.unit.site)?);
        if node >= of || matches!(open.network.nodes[node].extent, Extent::Vector(_)) {
            let text = format!("Grad-CAM reads maps before `{}`, and `{layer}` has none", self.unit.site);
            return Err(VisionError::Settings(text));
        }
        Ok(Question { layer, ..self })
    }
}

/// The last node before `target` that has maps of more than one position and that the target reads through all its positions. Behind the last norm of a vision
/// transformer only the class token counts, so that it is the norm before the last attention there.
fn last_map(network: &Network, target: usize, side: i64) -> Result<usize, VisionError> {
    let sizes = network.spatial(side, side)?;
    let attention = golgi_data::site::BlockPoint::Ln1Normalized;
    let good = |node: &usize| match network.nodes[*node].extent {
        Extent::Map(_) => sizes[*node].0 * sizes[*node].1 > 1,
        _ => network.nodes[*node].site.point() == Some(attention),
    };
    let tokens = (0..target).rev().find(|node| network.nodes[*node].site.point() == Some(attention));
    let found = tokens.or_else(|| (1..target.max(1)).rev().find(good)).unwrap_or(0);
    Ok(found)
}

/// Where the value of a unit comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Map {
    /// By which method.
    pub method: Method,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `[height · width]`, as the method's formula has them.
    pub values: Vec<f32>,
    /// What comes back in each colour, `[3 · height · width]`, or the map itself where the method has no colours: for comparisons of signed maps.
    #[serde(skip)]
    pub signed: Vec<f32>,
    /// Whether integrated gradients are whole.
    pub completeness: Option<Completeness>,
}

/// Σ of integrated gradients beside y(x) − y(x′), which it should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Completeness {
    /// y(x) − y(x′).
    pub difference: f64,
    /// Σ of the map.
    pub sum: f64,
    /// Nodes of the integral.
    pub nodes: usize,
}

impl Completeness {
    /// |Σ − (y(x) − y(x′))| / |y(x) − y(x′)|.
    pub fn residual(&self) -> f64 {
        (self.sum - self.difference).abs() / self.difference.abs().max(1e-9)
    }
}

/// The maps of `question` on `pixels`, `[1, 3, height, width]`.
///
/// # Errors
/// If the question does not fit the network, the pixels do not, or the work is cancelled.
pub fn attribute(
    open: &OpenVision,
    question: &Question,
    pixels: &Tensor,
    methods: &[Method],
    ctx: &RunContext,
) -> Result<Vec<Map>, VisionError> {
    let explainer = Explainer::new(open, &open.network, question, pixels, MOST_NODES)?;
    methods.iter().map(|method| explainer.map(*method, ctx)).collect()
}

/// Answers a question about a network, which may be a shuffled copy of that of `open`.
pub(super) struct Explainer<'a> {
    open: &'a OpenVision,
    network: &'a Network,
    target: usize,
    channel: i64,
    layer: usize,
    pixels: &'a Tensor,
    most_nodes: usize,
}

impl<'a> Explainer<'a> {
    pub fn new(
        open: &'a OpenVision,
        network: &'a Network,
        question: &Question,
        pixels: &'a Tensor,
        most_nodes: usize,
    ) -> Result<Explainer<'a>, VisionError> {
        let (target, layer) = (network.check(&question.unit)?, network.find(&question.layer)?);
        if pixels.size().first() != Some(&1) {
            return Err(VisionError::Settings("attributions are made for one picture at a time".to_owned()));
        }
        let channel = i64::from(question.unit.index);
        Ok(Explainer { open, network, target, channel, layer, pixels, most_nodes })
    }

    /// y of each image, and its derivative by the activation: 1 at every position of the unit.
    fn value(&self, activation: &Tensor, pixels: &Tensor) -> Result<(Vec<f64>, Tensor), VisionError> {
        let leaf = activation.f_detach()?.f_set_requires_grad(true)?;
        let size = pixels.size();
        tch::with_grad(|| {
            let map = self.network.as_map(self.target, &leaf, (size[2], size[3]))?;
            let y = map.f_select(1, self.channel)?.f_sum_dim_intlist([1i64, 2].as_slice(), false, None::<Kind>)?;
            let seed = Tensor::f_run_backward(&[y.f_sum(None::<Kind>)?], &[&leaf], false, false)?.remove(0);
            let values = y.f_detach()?.f_to_kind(Kind::Double)?.f_to_device(tch::Device::Cpu)?;
            Ok((Vec::<f64>::try_from(values)?, seed))
        })
    }

    fn y(&self, pixels: &Tensor) -> Result<f64, VisionError> {
        Ok(self.value(&self.network.activation(pixels, self.target)?, pixels)?.0[0])
    }

    /// ∂y/∂x of each image, `[n, 3, height, width]`.
    fn gradient(&self, pixels: &Tensor) -> Result<Tensor, VisionError> {
        let (input, site) = (&self.network.nodes[0].site, &self.network.nodes[self.target].site);
        let mut tap = GradientTap::new(vec![SitePattern::from(input), SitePattern::from(site)]);
        self.network.forward(pixels, &mut tap, false)?;
        let size = pixels.size();
        let map = self.network.as_map(self.target, &tap.activations()[site], (size[2], size[3]))?;
        let y = map.f_select(1, self.channel)?.f_sum(None::<Kind>)?;
        Ok(Tensor::f_run_backward(&[y], &[&tap.activations()[input]], false, false)?.remove(0))
    }

    /// What comes back at node `to`, `[n, …]`, by a rule.
    fn back(&self, pixels: &Tensor, to: usize, rule: Rule) -> Result<Tensor, VisionError> {
        let record = self.network.record(pixels, self.target)?;
        let (_, seed) = self.value(record.target()?, pixels)?;
        Ok(self.network.backward(&record, &seed, to, rule)?)
    }

    pub fn map(&self, method: Method, ctx: &RunContext) -> Result<Map, VisionError> {
        ctx.check()?;
        let mut completeness = None;
        let (map, signed) = match method {
            Method::Saliency => strongest(self.gradient(self.pixels)?)?,
            Method::Guided => strongest(self.back(self.pixels, 0, Rule::Guided)?)?,
            Method::Deconvnet => strongest(self.back(self.pixels, 0, Rule::Deconvnet)?)?,
            Method::InputTimesGradient => summed(self.gradient(self.pixels)?.f_mul(self.pixels)?)?,
            Method::Integrated(baseline) => {
                let (values, complete) = self.integrated(baseline, ctx)?;
                completeness = Some(complete);
                summed(values)?
            }
            Method::GradCam => {
                let map = self.cam()?;
                (map.shallow_clone(), map)
            }
            Method::GuidedGradCam => {
                strongest(self.back(self.pixels, 0, Rule::Guided)?.f_mul(&self.cam()?.f_unsqueeze(0)?)?)?
            }
        };
        let size = self.pixels.size();
        Ok(Map {
            method,
            height: size[2] as usize,
            width: size[3] as usize,
            values: numbers(&map)?,
            signed: numbers(&signed)?,
            completeness,
        })
    }

    /// The map of Grad-CAM at the picture's size, `[1, height, width]`.
    fn cam(&self) -> Result<Tensor, VisionError> {
        let size = self.pixels.size();
        let picture = (size[2], size[3]);
        let record = self.network.record(self.pixels, self.target)?;
        let (_, seed) = self.value(record.target()?, self.pixels)?;
        let gradient = self.network.backward(&record, &seed, self.layer, Rule::Gradient)?;
        let unread = || ProbeError::Trace("the unit does not depend on the layer of Grad-CAM".to_owned());
        let value = record.value(self.layer).ok_or_else(unread)?;
        let maps = self.network.as_map(self.layer, value, picture)?;
        let weights = self.network.as_map(self.layer, &gradient, picture)?;
        let weights = weights.f_mean_dim([2i64, 3].as_slice(), true, None::<Kind>)?;
        let cam = maps.f_mul(&weights)?.f_sum_dim_intlist(1i64, true, None::<Kind>)?.f_clamp_min(0.0)?;
        let cam = cam.f_upsample_bilinear2d([picture.0, picture.1], false, None::<f64>, None::<f64>)?;
        Ok(cam.f_squeeze_dim(1)?)
    }

    /// Integrated gradients `[1, 3, height, width]`; nodes are doubled until they are whole.
    fn integrated(&self, baseline: Baseline, ctx: &RunContext) -> Result<(Tensor, Completeness), VisionError> {
        let from = baseline.of(self.open, self.pixels)?;
        let way = self.pixels.f_sub(&from)?;
        let difference = self.y(self.pixels)? - self.y(&from)?;
        let mut nodes = NODES.min(self.most_nodes);
        loop {
            let mut sum = Tensor::f_zeros_like(&way)?;
            for part in gauss_legendre(nodes).chunks(BATCH) {
                ctx.check()?;
                let column = |values: Vec<f32>| -> Result<Tensor, VisionError> {
                    let column = Tensor::f_from_slice(&values)?.f_view([-1, 1, 1, 1])?;
                    Ok(column.f_to_device(way.device())?.f_to_kind(way.kind())?)
                };
                let along = column(part.iter().map(|(at, _)| *at as f32).collect())?;
                let weights = column(part.iter().map(|(_, weight)| *weight as f32).collect())?;
                let gradients = self.gradient(&way.f_mul(&along)?.f_add(&from)?)?;
                sum = sum.f_add(&gradients.f_mul(&weights)?.f_sum_dim_intlist(0i64, true, None::<Kind>)?)?;
            }
            let map = sum.f_mul(&way)?;
            let total = map.f_sum(Kind::Double)?.f_double_value(&[])?;
            let complete = Completeness { difference, sum: total, nodes };
            if complete.residual() < INCOMPLETE || nodes >= self.most_nodes {
                return Ok((map, complete));
            }
            nodes *= 2;
        }
    }
}

/// Of `[1, 3, height, width]`: the largest absolute value over the colours, and the colours as they are.
fn strongest(colours: Tensor) -> Result<(Tensor, Tensor), VisionError> {
    Ok((colours.f_abs()?.f_amax([1i64], false)?, colours))
}

/// Of `[1, 3, height, width]`: the sum over the colours, and the colours as they are.
fn summed(colours: Tensor) -> Result<(Tensor, Tensor), VisionError> {
    Ok((colours.f_sum_dim_intlist(1i64, false, None::<Kind>)?, colours))
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>, VisionError> {
    let flat =
        tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?;
    Ok(Vec::<f32>::try_from(flat)?)
}
