//! Applying interventions: the tap.

use std::collections::BTreeMap;

use golgi_data::site::{BlockPoint, Site};
use tch::{Kind, Tensor};

use super::scope::Window;
use super::{Direction, Edit, Intervention};
use crate::error::{ProbeError, Result};
use crate::tap::{PassInfo, Tap};
use crate::trace::Trace;
use crate::transformer::{SiteSpec, Transformer};

/// Stored traces by name, for `mean` and `patch`.
pub type Traces = BTreeMap<String, Trace>;

/// An intervention that fits its model.
struct Ready<'a> {
    intervention: &'a Intervention,
    /// `[last axis]`, for edits with a direction.
    direction: Option<Tensor>,
    trace: Option<&'a Trace>,
}

/// The tap that applies interventions, in their order.
pub struct Edits<'a> {
    sites: Vec<(SiteSpec, Vec<usize>)>,
    ready: Vec<Ready<'a>>,
    window: Window,
    real: Option<Tensor>,
}

impl<'a> Edits<'a> {
    /// Checks every enabled intervention against the model: its sites, heads, units, directions and traces.
    ///
    /// # Errors
    /// [`ProbeError::Intervention`] with its label and what does not fit.
    pub fn new(model: &Transformer, interventions: &'a [Intervention], traces: &'a Traces) -> Result<Edits<'a>> {
        let mut edits = Edits { sites: Vec::new(), ready: Vec::new(), window: Window::default(), real: None };
        let specs = model.sites();
        let mut by_site: Vec<Vec<usize>> = vec![Vec::new(); specs.len()];
        for intervention in interventions.iter().filter(|intervention| intervention.enabled) {
            let matched: Vec<usize> =
                (0..specs.len()).filter(|index| intervention.site.matches(&specs[*index].site)).collect();
            if matched.is_empty() {
                return Err(refuse(
                    intervention,
                    format!("the model has no site that matches `{}`", intervention.site),
                ));
            }
            let (direction, trace) = check(model, intervention, matched.iter().map(|i| &specs[*i]), traces)?;
            matched.iter().for_each(|index| by_site[*index].push(edits.ready.len()));
            edits.ready.push(Ready { intervention, direction, trace });
        }
        edits.sites = specs.into_iter().zip(by_site).filter(|(_, list)| !list.is_empty()).collect();
        Ok(edits)
    }
}

fn refuse(intervention: &Intervention, cause: String) -> ProbeError {
    ProbeError::Intervention { label: intervention.title(), cause }
}

/// Whether a direction may be added to the residual stream at this site.
fn is_residual_width(spec: &SiteSpec, model: &Transformer) -> bool {
    spec.shape(&model.dims, 1, 1).last() == Some(&model.dims.d_model)
}

fn check<'a, 's>(
    model: &Transformer,
    intervention: &Intervention,
    specs: impl Iterator<Item = &'s SiteSpec>,
    traces: &'a Traces,
) -> Result<(Option<Tensor>, Option<&'a Trace>)> {
    let no = |cause: String| refuse(intervention, cause);
    let direction = match &intervention.edit {
        Edit::Add { direction, .. } | Edit::ProjectOut { direction } => Some(direction),
        _ => None,
    };
    let numbers = match &intervention.edit {
        Edit::Set { value } => vec![*value],
        Edit::Scale { factor } => vec![*factor],
        Edit::Add { strength, .. } => vec![*strength],
        Edit::Clamp { min, max } => min.iter().chain(max).copied().collect(),
        _ => Vec::new(),
    };
    if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(no(format!("{number} is not a number one can compute with")));
    }
    if let Edit::Clamp { min, max } = &intervention.edit
        && (min.is_none() && max.is_none() || min.zip(*max).is_some_and(|(min, max)| min > max))
    {
        return Err(no("a clamp needs a `min`, a `max`, or both with min ≤ max".into()));
    }
    let trace = match &intervention.edit {
        Edit::Mean { trace: Some(name) } | Edit::Patch { trace: name } => {
            let names = || traces.keys().cloned().collect::<Vec<_>>().join(", ");
            let found = traces.get(name);
            Some(found.ok_or_else(|| no(format!("there is no trace `{name}`; stored are: {}", names())))?)
        }
        _ => None,
    };
    for spec in specs {
        let scope = &intervention.scope;
        let heads = spec.head_axis().map(|axis| spec.shape(&model.dims, 1, 1)[axis as usize]);
        if let Some(list) = &scope.heads {
            let Some(n) = heads else {
                return Err(no(format!("`{}` has no heads", spec.site)));
            };
            if let Some(head) = list.iter().find(|head| **head as usize >= n) {
                return Err(no(format!("head {head} does not exist: `{}` has {n} heads, counted from 0", spec.site)));
            }
        }
        let width = *spec.shape(&model.dims, 1, 1).last().unwrap_or(&0);
        let is_pattern = spec.axes == crate::transformer::SiteAxes::Pattern;
        if let Some(unit) = scope.units.iter().flatten().find(|unit| !is_pattern && **unit as usize >= width) {
            return Err(no(format!("unit {unit} does not exist: `{}` has {width} units, counted from 0", spec.site)));
        }
        match direction {
            Some(Direction::Values(values)) if values.len() != width => {
                let found = values.len();
                return Err(no(format!("its direction has {found} numbers, but `{}` is {width} wide", spec.site)));
            }
            Some(Direction::Writes(_) | Direction::Token(_)) if !is_residual_width(spec, model) => {
                return Err(no(format!("`{}` is not as wide as the residual stream", spec.site)));
            }
            _ => {}
        }
        if let Some(trace) = trace
            && !trace.sites.contains_key(&spec.site)
        {
            return Err(no(format!("the trace holds nothing of `{}`", spec.site)));
        }
    }
    Ok((direction.map(|direction| vector(model, direction, &no)).transpose()?, trace))
}

fn vector(model: &Transformer, direction: &Direction, no: &dyn Fn(String) -> ProbeError) -> Result<Tensor> {
    let unit_length = |v: Tensor| -> Result<Tensor> {
        let v = v.f_to_kind(Kind::Float)?;
        let length = v.f_norm()?.f_double_value(&[])?;
        if length > 0.0 { Ok(v.f_div_scalar(length)?) } else { Err(no("its direction is zero".into())) }
    };
    let v = match direction {
        Direction::Values(values) => {
            if values.iter().any(|value| !value.is_finite()) || values.iter().all(|value| *value == 0.0) {
                return Err(no("its direction must be finite and not zero".into()));
            }
            Tensor::f_from_slice(values)?
        }
        Direction::Writes(unit) => {
            let known = matches!(&unit.site, Site::Block { point: BlockPoint::MlpPost, .. });
            let spec = model.site(&unit.site)?;
            if !known || unit.index as usize >= spec.units(&model.dims) {
                return Err(no(format!("`{unit}` is not a neuron of this model")));
            }
            let layer = unit.site.layer().unwrap_or(0);
            unit_length(model.mlp(layer).down.weight.f_select(1, i64::from(unit.index))?)?
        }
        Direction::Token(token) => {
            let Some(table) = model.unembedding()? else {
                return Err(no("the model has no unembedding".into()));
            };
            if i64::from(*token) >= table.size()[0] {
                return Err(no(format!("token {token} is outside the vocabulary")));
            }
            unit_length(table.f_select(0, i64::from(*token))?)?
        }
    };
    Ok(v.f_to_device(model.device)?.f_to_kind(model.kind)?)
}

impl Tap for Edits<'_> {
    fn wants(&self, site: &Site) -> bool {
        self.sites.iter().any(|(spec, _)| spec.site == *site)
    }

    fn begin(&mut self, pass: &PassInfo<'_>) -> Result<()> {
        self.window = Window::from(pass);
        self.real = pass.mask.map(Tensor::shallow_clone);
        Ok(())
    }

    fn visit(&mut self, site: &Site, mut activation: Tensor) -> Result<Tensor> {
        let Some((spec, list)) = self.sites.iter().find(|(spec, _)| spec.site == *site) else {
            return Ok(activation);
        };
        let pass = self.window;
        let held = activation.size()[spec.pos_axis() as usize];
        self.window = pass.last(held);
        for index in list {
            let ready = &self.ready[*index];
            let size = activation.size();
            let mask = ready.intervention.scope.mask(spec, &size, self.window, activation.device())?;
            let changed = self.edit(ready, spec, &activation)?;
            activation = match mask {
                Some(mask) => changed.f_where_self(&mask, &activation)?,
                None => changed,
            };
        }
        self.window = pass;
        Ok(activation)
    }
}

impl Edits<'_> {
    /// The activation as if the edit acted everywhere.
    fn edit(&self, ready: &Ready, spec: &SiteSpec, x: &Tensor) -> Result<Tensor> {
        let no = |cause: String| refuse(ready.intervention, cause);
        let direction = || ready.direction.as_ref().ok_or_else(|| no("it has no direction".into()));
        Ok(match &ready.intervention.edit {
            Edit::Zero => x.f_zeros_like()?,
            Edit::Set { value } => x.f_full_like(*value)?,
            Edit::Scale { factor } => x.f_mul_scalar(*factor)?,
            Edit::Clamp { min, max } => {
                let low = match min {
                    Some(min) => x.f_clamp_min(*min)?,
                    None => x.shallow_clone(),
                };
                match max {
                    Some(max) => low.f_clamp_max(*max)?,
                    None => low,
                }
            }
            Edit::Add { strength, .. } => x.f_add(&direction()?.f_mul_scalar(*strength)?)?,
            Edit::ProjectOut { .. } => {
                let d = direction()?;
                let along = x.f_mul(d)?.f_sum_dim_intlist(-1, true, None::<Kind>)?;
                x.f_sub(&along.f_div(&d.f_square()?.f_sum(None::<Kind>)?)?.f_mul(d)?)?
            }
            Edit::Mean { .. } => {
                let source = ready.trace.map(|trace| trace.get(&spec.site)).transpose()?;
                let mean = match source {
                    Some(stored) => mean(stored, spec, None)?,
                    None => {
                        let last = |real: &Tensor| real.f_narrow(1, real.size()[1] - self.window.pos, self.window.pos);
                        mean(x, spec, self.real.as_ref().map(last).transpose()?.as_ref())?
                    }
                };
                mean.f_to_device(x.device())?.f_to_kind(x.kind())?.f_expand_as(x)?
            }
            Edit::Patch { .. } => {
                let trace = ready.trace.ok_or_else(|| no("it has no trace".into()))?;
                self.patched(ready, spec, x, trace.get(&spec.site)?)?
            }
        })
    }

    /// `x` with the scope's positions taken from `stored`.
    fn patched(&self, ready: &Ready, spec: &SiteSpec, x: &Tensor, stored: &Tensor) -> Result<Tensor> {
        let no = |cause: String| refuse(ready.intervention, cause);
        let (size, held) = (x.size(), stored.size());
        let axis = spec.pos_axis();
        let a = axis as usize;
        let same = |i: usize| i == a || size[i] == held[i] || (i == 0 && held[0] == 1);
        if size.len() != held.len() || !(0..size.len()).all(same) {
            return Err(no(format!("the trace has shape {held:?} at `{}`, this pass {size:?}", spec.site)));
        }
        let here = ready.intervention.scope.positions.within(self.window);
        let wanted: Vec<i64> = here.iter().map(|p| p + self.window.offset).collect();
        if let Some(position) = wanted.iter().find(|p| **p >= held[a]) {
            return Err(no(format!(
                "the trace ends before position {position}; name the positions to patch, or use texts of equal length"
            )));
        }
        let stored = stored.f_to_device(x.device())?.f_to_kind(x.kind())?;
        let source = stored.f_index_select(axis, &Tensor::f_from_slice(&wanted)?.f_to_device(x.device())?)?;
        let mut shape = size.clone();
        shape[a] = wanted.len() as i64;
        let source = source.f_expand(shape.as_slice(), false)?;
        Ok(x.f_index_copy(axis, &Tensor::f_from_slice(&here)?.f_to_device(x.device())?, &source)?)
    }
}

/// The mean over sequences and real positions, with those axes kept as 1.
fn mean(x: &Tensor, spec: &SiteSpec, real: Option<&Tensor>) -> Result<Tensor> {
    let axes = [0, spec.pos_axis()];
    let Some(real) = real else {
        return Ok(x.f_mean_dim(axes.as_slice(), true, None::<Kind>)?);
    };
    let mut shape = vec![1; x.dim()];
    shape[0] = x.size()[0];
    shape[axes[1] as usize] = x.size()[axes[1] as usize];
    let weight = real.f_view(shape.as_slice())?.f_to_kind(x.kind())?;
    let total = x.f_mul(&weight)?.f_sum_dim_intlist(axes.as_slice(), true, None::<Kind>)?;
    Ok(total.f_div(&weight.f_sum(None::<Kind>)?)?)
}
