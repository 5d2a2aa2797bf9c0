//! How far two clusterings of the same things agree.

/// Numbers of things by cluster.
fn sizes(labels: &[u32]) -> Vec<usize> {
    let mut sizes = vec![0; labels.iter().max().map_or(0, |most| *most as usize + 1)];
    labels.iter().for_each(|label| sizes[*label as usize] += 1);
    sizes.retain(|size| *size > 0);
    sizes
}

/// H = −Σ p ln p.
fn entropy(sizes: &[usize], n: f64) -> f64 {
    -sizes.iter().map(|size| *size as f64 / n).map(|p| p * p.ln()).sum::<f64>()
}

/// I(U; V) = Σ_ij n_ij/N · ln(N n_ij / (a_i b_j)).
fn information(u: &[u32], v: &[u32]) -> f64 {
    let n = u.len() as f64;
    let count = |labels: &[u32]| {
        let mut all = vec![0usize; labels.iter().max().map_or(0, |most| *most as usize + 1)];
        labels.iter().for_each(|label| all[*label as usize] += 1);
        all
    };
    let (a, b) = (count(u), count(v));
    let mut joint = vec![0usize; a.len() * b.len()];
    u.iter().zip(v).for_each(|(u, v)| joint[*u as usize * b.len() + *v as usize] += 1);
    let mut sum = 0.0;
    for (i, row) in joint.chunks(b.len().max(1)).enumerate() {
        for (j, both) in row.iter().enumerate().filter(|(_, both)| **both > 0) {
            let both = *both as f64;
            sum += both / n * (n * both / (a[i] as f64 * b[j] as f64)).ln();
        }
    }
    sum
}

/// The expected information of two random clusterings with these sizes (hypergeometric model; Vinh, Epps and Bailey 2010):
///
/// ```text
/// E = Σ_i Σ_j Σ_{k} k/N · ln(N k / (a_i b_j)) · a_i! b_j! (N−a_i)! (N−b_j)! / (N! k! (a_i−k)! (b_j−k)! (N−a_i−b_j+k)!)
/// ```
fn expected(a: &[usize], b: &[usize], n: usize) -> f64 {
    let mut factorial = vec![0f64; n + 1];
    for i in 1..=n {
        factorial[i] = factorial[i - 1] + (i as f64).ln();
    }
    let f = |i: usize| factorial[i];
    let mut sum = 0.0;
    for a in a {
        for b in b {
            let fixed = f(*a) + f(*b) + f(n - a) + f(n - b) - f(n);
            for k in (a + b).saturating_sub(n).max(1)..=*a.min(b) {
                let weight = fixed - f(k) - f(a - k) - f(b - k) - f(n + k - a - b);
                sum += k as f64 / n as f64 * (n as f64 * k as f64 / (*a as f64 * *b as f64)).ln() * weight.exp();
            }
        }
    }
    sum
}

/// Adjusted mutual information `(I − E[I]) / ((H(U) + H(V))/2 − E[I])`: 1 for equal clusterings, 0 on average for random ones. It can
/// be compared with many clusterings `v` of the same sizes at little cost, so the part that depends on sizes is kept.
pub(super) struct Agreement {
    expected: f64,
    entropy: f64,
}

impl Agreement {
    /// For clusterings with the sizes of `u` and `v`.
    pub fn new(u: &[u32], v: &[u32]) -> Agreement {
        let (a, b, n) = (sizes(u), sizes(v), u.len());
        let entropy = (entropy(&a, n as f64) + entropy(&b, n as f64)) / 2.0;
        Agreement { expected: expected(&a, &b, n), entropy }
    }

    /// The adjusted mutual information of two clusterings with these sizes.
    pub fn of(&self, u: &[u32], v: &[u32]) -> f64 {
        let room = self.entropy - self.expected;
        // One cluster on both sides, or all things apart: they agree as far as they can.
        if room.abs() < 1e-12 { 1.0 } else { (information(u, v) - self.expected) / room }
    }
}

/// The adjusted mutual information of two clusterings.
pub fn adjusted_mutual_information(u: &[u32], v: &[u32]) -> f64 {
    Agreement::new(u, v).of(u, v)
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;

    use super::super::matrix::random;
    use super::*;

    #[test]
    fn known_values() {
        // The last by hand: 2 of the 6 arrangements of v agree wholly, so E[I] = ln 2 / 3, and I = 0.
        let cases: [(&[u32], &[u32], f64); 4] = [
            (&[0, 0, 1, 1], &[0, 0, 1, 1], 1.0),
            (&[0, 0, 1, 1], &[1, 1, 0, 0], 1.0),
            (&[0, 0, 0, 0], &[0, 1, 2, 3], 0.0),
            (&[0, 0, 1, 1], &[0, 1, 0, 1], -0.5),
        ];
        for (u, v, value) in cases {
            assert!((adjusted_mutual_information(u, v) - value).abs() < 1e-9, "{u:?} {v:?}");
        }
    }

    #[test]
    fn the_expectation_is_the_mean_over_permutations() {
        let u: Vec<u32> = (0..60).map(|i| [0, 0, 0, 1, 1, 2][i % 6]).collect();
        let mut v: Vec<u32> = (0..60).map(|i| (i / 15) as u32).collect();
        let mut generator = random(3, 0);
        let mut sum = 0.0;
        for _ in 0..3000 {
            v.shuffle(&mut generator);
            sum += information(&u, &v);
        }
        let exact = expected(&sizes(&u), &sizes(&v), 60);
        assert!((sum / 3000.0 - exact).abs() < 0.002, "{} {exact}", sum / 3000.0);
        assert!(exact > 0.03);
    }
}
