//! The shape in which activations are worked on: rows of 64 units, one row per token.
//!
//! A block of units is brought up to date with a whole batch at once, so that its state stays in the cache while the batch
//! goes by, and every inner loop runs over the 64 units of a row, which the compiler turns into vector instructions.

/// Units of one block.
pub(super) const LANES: usize = 64;
/// The activations of a block's units at one token.
pub(super) type Row = [f32; LANES];
/// One counter per unit.
pub(super) type Tally = [u32; LANES];
/// One precise number per unit.
pub(super) type Wide = [f64; LANES];

/// Positions at the start of every context that enter nothing but the position profile: the first token is an attention
/// sink in most models.
pub(super) const SKIP_FIRST: usize = 1;

/// `x`, or `|x|` where `magnitude` drops the sign bit.
#[inline(always)]
pub(super) fn masked(x: f32, magnitude: u32) -> f32 {
    f32::from_bits(x.to_bits() & magnitude)
}

/// Whether a unit is active: `x > threshold`, or `|x| > threshold` where `magnitude` drops the sign bit.
#[inline(always)]
pub(super) fn is_active(x: f32, threshold: f32, magnitude: u32) -> bool {
    masked(x, magnitude) > threshold
}

/// The mask of [`is_active`] that keeps the sign.
pub(super) const SIGNED: u32 = u32::MAX;
/// The mask of [`is_active`] that drops the sign.
pub(super) const ABSOLUTE: u32 = u32::MAX >> 1;

/// A well-mixed 64-bit number from another (SplitMix64's finaliser).
#[inline]
pub(super) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
