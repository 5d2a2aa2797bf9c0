//! Arithmetic on short rows of f32, compiled for the widest vectors that the processor has.
//!
//! Sums run in a fixed number of lanes whatever the processor, so a run gives the same bits on one machine every time.

/// Lanes of a dot product: enough for two registers of sixteen.
const LANES: usize = 32;

/// Compiles a function three times and chooses at run time.
macro_rules! for_each_processor {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident($($arg:ident: $kind:ty),*) $(-> $result:ty)? = $body:ident) => {
        $(#[$doc])*
        #[inline]
        $visibility fn $name($($arg: $kind),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,fma")]
                fn wide($($arg: $kind),*) $(-> $result)? { $body::<true>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn middle($($arg: $kind),*) $(-> $result)? { $body::<true>($($arg),*) }
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has what `wide` is compiled for.
                    return unsafe { wide($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has what `middle` is compiled for.
                    return unsafe { middle($($arg),*) };
                }
                $body::<false>($($arg),*)
            }
            #[cfg(not(target_arch = "x86_64"))]
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(crate) use for_each_processor;

/// `a · b + c`, rounded once where the processor does that at no cost.
#[inline(always)]
pub(super) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
fn dot_body<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let (heads_a, tail_a) = a.as_chunks::<LANES>();
    let (heads_b, tail_b) = b.as_chunks::<LANES>();
    for (a, b) in heads_a.iter().zip(heads_b) {
        for lane in 0..LANES {
            lanes[lane] = multiply_add::<FUSED>(a[lane], b[lane], lanes[lane]);
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    tail_a.iter().zip(tail_b).fold(lanes[0], |sum, (a, b)| multiply_add::<FUSED>(*a, *b, sum))
}

#[inline(always)]
fn add_scaled_body<const FUSED: bool>(to: &mut [f32], factor: f32, from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = multiply_add::<FUSED>(factor, *from, *to);
    }
}

for_each_processor! {
    /// `Σ a·b`. Both have one length.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 = dot_body
}

for_each_processor! {
    /// `to += factor · from`. Both have one length.
    pub fn add_scaled(to: &mut [f32], factor: f32, from: &[f32]) = add_scaled_body
}

/// The Euclidean norm.
pub fn norm(row: &[f32]) -> f32 {
    dot(row, row).sqrt()
}

/// `Σ a²` in f64, for sums over whole arrays.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    values.chunks(4096).map(|chunk| f64::from(dot(chunk, chunk))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_agrees_with_the_plain_sum() {
        for len in [0, 1, 3, 31, 32, 33, 100, 576, 577] {
            let a: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin()).collect();
            let b: Vec<f32> = (0..len).map(|i| (i as f32 * 1.3).cos()).collect();
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(dot(&a, &b)) - expected).abs() < 1e-4, "{len}");
            assert!((f64::from(dot_body::<false>(&a, &b)) - expected).abs() < 1e-4, "{len}");
            let mut to = b.clone();
            add_scaled(&mut to, 0.5, &a);
            let mut plain = b.clone();
            add_scaled_body::<false>(&mut plain, 0.5, &a);
            assert!(to.iter().zip(&plain).all(|(to, plain)| (to - plain).abs() < 1e-6), "{len}");
            let expected: f64 = a.iter().map(|a| f64::from(*a).powi(2)).sum();
            assert!((sum_of_squares(&a) - expected).abs() < 1e-4, "{len}");
        }
    }
}
