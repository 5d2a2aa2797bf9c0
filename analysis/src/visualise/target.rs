//! What is to be raised.

use golgi_data::site::Site;
use golgi_data::unit::Unit;
use golgi_probes::vision::{Extent, Network};
use golgi_probes::{ProbeError, Tensor};
use serde::{Deserialize, Serialize};
use tch::Kind;

/// Why nothing can be visualised.
#[derive(Debug, thiserror::Error)]
pub enum VisualiseError {
    /// The network refused.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Pictures could not be read.
    #[error(transparent)]
    Image(#[from] golgi_data::images::ImageError),
    /// The tensor library failed.
    #[error("the tensor library failed: {}", .0.to_string().lines().next().unwrap_or_default())]
    Tensor(#[from] tch::TchError),
    /// Impossible settings.
    #[error("the settings are not usable: {0}")]
    Settings(String),
    /// Somebody asked the work to stop.
    #[error(transparent)]
    Cancelled(#[from] golgi_data::context::Cancelled),
}

/// How a unit's map becomes one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// Its mean over all positions.
    #[default]
    Channel,
    /// Its value at the centre, position (⌊H/2⌋, ⌊W/2⌋).
    Neuron,
}

impl std::str::FromStr for Aim {
    type Err = String;

    fn from_str(text: &str) -> Result<Aim, String> {
        match text {
            "channel" => Ok(Aim::Channel),
            "neuron" => Ok(Aim::Neuron),
            other => Err(format!("`{other}` is no objective; channel and neuron are")),
        }
    }
}

/// One image per row of `weights`: image i is to raise Σ_c weights[i, c] · value(c).
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where.
    pub site: Site,
    /// A name for each image.
    pub names: Vec<String>,
    /// For each image, channels with their weights. One with weight 1 is a unit, with −1 what silences it, several a direction, a sum or a
    /// difference.
    pub weights: Vec<Vec<(u32, f32)>>,
    /// How a map becomes a number.
    pub aim: Aim,
}

impl Target {
    /// One image for each unit; all must lie at one site.
    ///
    /// # Errors
    /// If there are none, or of several sites.
    pub fn units(units: &[Unit]) -> Result<Target, VisualiseError> {
        let Some(first) = units.first() else {
            return Err(VisualiseError::Settings("there is no unit to visualise".to_owned()));
        };
        if let Some(other) = units.iter().find(|unit| unit.site != first.site) {
            let text =
                format!("`{first}` and `{other}` lie at different sites; visualise them one site after the other");
            return Err(VisualiseError::Settings(text));
        }
        Ok(Target {
            site: first.site.clone(),
            names: units.iter().map(Unit::to_string).collect(),
            weights: units.iter().map(|unit| vec![(unit.index, 1.0)]).collect(),
            aim: Aim::Channel,
        })
    }

    /// The same with another way to make a number of a map.
    #[must_use]
    pub fn aiming(self, aim: Aim) -> Target {
        Target { aim, ..self }
    }

    /// The same, to be lowered in place of raised.
    #[must_use]
    pub fn negative(self) -> Target {
        let turn = |row: Vec<(u32, f32)>| row.into_iter().map(|(channel, weight)| (channel, -weight)).collect();
        let names = self.names.iter().map(|name| format!("-{name}")).collect();
        Target { names, weights: self.weights.into_iter().map(turn).collect(), ..self }
    }

    /// Checks the target against a network: the index of its node, and the weights `[images, channels]`.
    pub(super) fn ready(&self, network: &Network) -> Result<Ready, VisualiseError> {
        let node = network.find(&self.site)?;
        let (channels, map) = match network.nodes[node].extent {
            Extent::Map(channels) => (channels, true),
            Extent::Vector(width) => (width, false),
        };
        let mut dense = vec![0f32; self.weights.len() * channels];
        for (row, list) in dense.chunks_mut(channels).zip(&self.weights) {
            for (channel, weight) in list {
                let unit = Unit::new(self.site.clone(), *channel);
                let place = row.get_mut(*channel as usize);
                *place.ok_or(ProbeError::UnknownUnit { unit, size: channels })? += weight;
            }
            if row.iter().all(|weight| *weight == 0.0) || row.iter().any(|weight| !weight.is_finite()) {
                return Err(VisualiseError::Settings("a direction must be finite and not zero".to_owned()));
            }
        }
        let weights = Tensor::f_from_slice(&dense)?.f_view([self.weights.len() as i64, channels as i64])?;
        let weights = weights.f_to_device(network.device)?.f_to_kind(network.kind)?;
        Ok(Ready { node, weights, aim: self.aim, map })
    }
}

/// A target that fits its network.
pub(super) struct Ready {
    pub node: usize,
    /// `[images, channels]`.
    pub weights: Tensor,
    aim: Aim,
    map: bool,
}

impl Ready {
    /// Of an activation `[n, channels, …]`, the values of its channels `[n, channels]`.
    fn pooled(&self, activation: &Tensor) -> Result<Tensor, tch::TchError> {
        match (self.map, self.aim) {
            (false, _) => Ok(activation.shallow_clone()),
            (true, Aim::Channel) => activation.f_mean_dim([2i64, 3].as_slice(), false, None::<Kind>),
            (true, Aim::Neuron) => {
                let size = activation.size();
                activation.f_select(2, size[2] / 2)?.f_select(2, size[3] / 2)
            }
        }
    }

    /// What each image is to raise, `[n]`, where image i belongs to row i of the weights.
    pub fn values(&self, activation: &Tensor) -> Result<Tensor, tch::TchError> {
        self.pooled(activation)?.f_mul(&self.weights)?.f_sum_dim_intlist(1i64, false, None::<Kind>)
    }

    /// What each picture gives each row of the weights, `[pictures, rows]`. A unit aimed at as a neuron may sit anywhere in a picture, so that its largest
    /// value counts.
    pub fn anywhere(&self, activation: &Tensor) -> Result<Tensor, tch::TchError> {
        if self.map && self.aim == Aim::Neuron {
            let (n, channels) = (activation.size()[0], activation.size()[1]);
            let flat = activation.f_view([n, channels, -1])?;
            let each = self.weights.f_matmul(&flat)?;
            return each.f_amax([2i64], false);
        }
        self.pooled(activation)?.f_matmul(&self.weights.f_transpose(0, 1)?)
    }
}
