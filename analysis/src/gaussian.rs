//! Random numbers of the normal distribution.

use rand::Rng;

/// A number from N(0, 1) (Box and Muller).
pub(crate) fn gaussian(random: &mut impl Rng) -> f32 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
}
