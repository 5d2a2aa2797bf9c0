//! The integral of integrated gradients.

/// Nodes and weights of the Gauss–Legendre rule with `n` nodes on 0..1; exact for polynomials of degree 2n − 1. Nodes are the roots of
/// the Legendre polynomial, by Newton's method.
pub(super) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let roots = (0..n).map(|i| {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut before, mut value) = (1.0, x);
            for k in 2..=n {
                let k = k as f64;
                (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
            }
            if n == 1 {
                (before, value) = (1.0, x);
            }
            slope = n as f64 * (x * value - before) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        // From −1..1 to 0..1.
        (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
    });
    roots.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for n in [1, 2, 5, 50] {
            let rule = gauss_legendre(n);
            for degree in 0..2 * n as i32 {
                let sum: f64 = rule.iter().map(|(x, w)| w * x.powi(degree)).sum();
                assert!((sum - 1.0 / f64::from(degree + 1)).abs() < 1e-12, "{n} nodes, degree {degree}: {sum}");
            }
        }
        let of_degree_four: f64 = gauss_legendre(2).iter().map(|(x, w)| w * x.powi(4)).sum();
        assert!((of_degree_four - 0.2).abs() > 1e-3);
    }
}
