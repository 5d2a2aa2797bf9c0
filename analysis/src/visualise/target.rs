//! What is to be raised.

use golgi_data::site::Site;
use golgi_data::unit::Unit;
use golgi_probes::vision::Network;
use golgi_probes::{ProbeError, Tensor};
use serde::{Deserialize, Serialize};
use tch::Kind;

use crate::error::VisionError;

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
    pub fn units(units: &[Unit]) -> Result<Target, VisionError> {
        let Some(first) = units.first() else {
            return Err(VisionError::Settings("there is no unit to visualise".to_owned()));
        };
        if let Some(other) = units.iter().find(|unit| unit.site != first.site) {
            let text =
                format!("`{first}` and `{other}` lie at different sites; visualise them one site after the other");
            return Err(VisionError::Settings(text));
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
    pub(crate) fn ready(&self, network: &Network) -> Result<Ready, VisionError> {
        let node = network.find(&self.site)?;
        let channels = network.nodes[node].extent.channels();
        let mut dense = vec![0f32; self.weights.len() * channels];
        for (row, list) in dense.chunks_mut(channels).zip(&self.weights) {
            for (channel, weight) in list {
                network.check(&Unit::new(self.site.clone(), *channel))?;
                row[*channel as usize] += weight;
            }
            if row.iter().all(|weight| *weight == 0.0) || row.iter().any(|weight| !weight.is_finite()) {
                return Err(VisionError::Settings("a direction must be finite and not zero".to_owned()));
            }
        }
        let weights = Tensor::f_from_slice(&dense)?.f_view([self.weights.len() as i64, channels as i64])?;
        let weights = weights.f_to_device(network.device)?.f_to_kind(network.kind)?;
        Ok(Ready { node, weights, aim: self.aim })
    }
}

/// A target that fits its network.
pub(crate) struct Ready {
    pub node: usize,
    /// `[images, channels]`.
    pub weights: Tensor,
    aim: Aim,
}

impl Ready {
    /// The activation of the target as a map `[n, channels, rows, columns]`, for images `pixels`.
    pub fn map(&self, network: &Network, activation: &Tensor, pixels: &Tensor) -> Result<Tensor, ProbeError> {
        let size = pixels.size();
        network.as_map(self.node, activation, (size[2], size[3]))
    }

    /// The values of the channels of a map, `[n, channels]`.
    fn pooled(&self, map: &Tensor) -> Result<Tensor, tch::TchError> {
        match self.aim {
            Aim::Channel => map.f_mean_dim([2i64, 3].as_slice(), false, None::<Kind>),
            Aim::Neuron => {
                let size = map.size();
                map.f_select(2, size[2] / 2)?.f_select(2, size[3] / 2)
            }
        }
    }

    /// What each image is to raise, `[n]`, where image i belongs to row i of the weights.
    pub fn values(&self, map: &Tensor) -> Result<Tensor, tch::TchError> {
        self.pooled(map)?.f_mul(&self.weights)?.f_sum_dim_intlist(1i64, false, None::<Kind>)
    }

    /// What each picture gives each row of the weights, `[pictures, rows]`. A unit aimed at as a neuron may sit anywhere in a picture, so that its largest
    /// value counts.
    pub fn anywhere(&self, map: &Tensor) -> Result<Tensor, tch::TchError> {
        if self.aim == Aim::Neuron {
            return self.weights.f_matmul(&map.f_flatten(2, -1)?)?.f_amax([2i64], false);
        }
        self.pooled(map)?.f_matmul(&self.weights.f_transpose(0, 1)?)
    }
}
