//! The published schedules of multifaceted feature visualisation.

use serde::{Deserialize, Serialize};

/// The side of the networks' input for which margins were published, in pixels.
const PUBLISHED_SIDE: f64 = 227.0;
/// How much larger than that side an image is at the start.
const BEGIN: f64 = 256.0 / 227.0;

/// Which schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// From the mean of a facet's exemplars: first coarse, then finer, in the end only the middle.
    #[default]
    MeanImage,
    /// From grey noise: a large blurry object first, then detail at the centre only. It shows one image of a unit and no facets, and is a control for them.
    CentreBias,
}

impl std::str::FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        match text {
            "mean-image" => Ok(Schedule::MeanImage),
            "centre-bias" => Ok(Schedule::CentreBias),
            other => Err(format!("`{other}` is no schedule; mean-image and centre-bias are")),
        }
    }
}

/// A stretch of steps x ← x + s · g / mean|g|, each followed by denoising.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Phase {
    /// Factor of the image's size before the first step.
    pub grow: f64,
    /// How many.
    pub steps: u64,
    /// s at the first and last step, in units of 0..255.
    pub rate: [f64; 2],
    /// Denoising: the weight of step i of n is start + end · i / n, as the published program has it.
    pub weight: [f64; 2],
    /// What is shown is cut out about the centre, with a normal deviation of this share of what is left over.
    pub window: f64,
    /// So many pixels at the border get no step, for images of 227.
    pub margin: f64,
    /// Whether the probability of a class is raised in place of its logit.
    pub probability: bool,
}

const fn phase(grow: f64, steps: u64, rate: [f64; 2], weight: [f64; 2], window: f64, margin: f64) -> Phase {
    Phase { grow, steps, rate, weight, window, margin, probability: false }
}

const fn of_probability(grow: f64, steps: u64, rate: f64, weight: [f64; 2]) -> Phase {
    Phase { grow, steps, rate: [rate, rate], weight, window: 0.0, margin: 0.0, probability: true }
}

const MEAN_IMAGE: &[Phase] = &[
    phase(BEGIN, 190, [1.0, 2.0], [0.4, 0.4], 0.3, 0.0),
    phase(1.2, 150, [1.0, 1.0], [0.01, 2.0], 0.3, 0.0),
    phase(1.0, 20, [2.0, 2.0], [0.1, 2.0], 0.2, 50.0),
    phase(1.0, 10, [2.0, 2.0], [0.4, 2.0], 0.3, 0.0),
];

const CENTRE_BIAS: &[Phase] = &[
    of_probability(BEGIN, 190, 11.0, [0.001, 0.05]),
    of_probability(1.2, 150, 6.0, [0.01, 0.08]),
    phase(1.2, 150, [1.0, 1.0], [0.01, 2.0], 0.0, 0.0),
    phase(1.0, 30, [3.0, 3.0], [0.1, 2.0], 0.1, 50.0),
    phase(1.0, 10, [6.0, 3.0], [0.01, 2.0], 0.0, 0.0),
];

impl Schedule {
    pub(super) fn phases(self) -> &'static [Phase] {
        match self {
            Schedule::MeanImage => MEAN_IMAGE,
            Schedule::CentreBias => CENTRE_BIAS,
        }
    }

    /// Steps in all.
    pub(super) fn steps(self) -> u64 {
        self.phases().iter().map(|phase| phase.steps).sum()
    }
}

impl Phase {
    /// s at step `step`.
    pub fn rate_at(&self, step: u64) -> f64 {
        let along = step as f64 / (self.steps - 1).max(1) as f64;
        self.rate[0] + (self.rate[1] - self.rate[0]) * along
    }

    /// The weight of the denoising at step `step`.
    pub fn weight_at(&self, step: u64) -> f64 {
        self.weight[0] + self.weight[1] * step as f64 / self.steps as f64
    }

    /// The margin for what is shown with `side` pixels.
    pub fn margin_of(&self, side: i64) -> i64 {
        (self.margin * side as f64 / PUBLISHED_SIDE).round() as i64
    }
}
