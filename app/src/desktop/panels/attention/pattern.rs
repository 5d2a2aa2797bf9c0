//! One head's pattern, ready to be coloured: the first position masked, weights as they are or relative to the strongest.

use std::sync::Arc;

use golgi_analysis::prompt::attention::AttentionMaps;

/// What a weight's colour is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Relative {
    /// To 1: colours of all heads compare.
    #[default]
    One,
    /// To the head's strongest weight.
    Head,
    /// To the strongest weight of each query.
    Row,
}

impl Relative {
    /// All of them.
    pub const ALL: [Relative; 3] = [Relative::One, Relative::Head, Relative::Row];

    /// In the menu.
    pub fn name(self) -> &'static str {
        match self {
            Relative::One => "0 to 1",
            Relative::Head => "to each head's maximum",
            Relative::Row => "to each query's maximum",
        }
    }
}

/// How patterns are prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Options {
    /// Attention to the first position, where many heads rest, is left out.
    pub mask_first: bool,
    /// What colours are relative to.
    pub relative: Relative,
}

/// The shares that are coloured, in 0..=1: `pos × pos`, queries as rows; NaN where nothing is shown.
pub fn prepare(pattern: &[f32], pos: usize, options: Options) -> Vec<f32> {
    let mut shares = pattern.to_vec();
    if pos == 0 {
        return shares;
    }
    if options.mask_first {
        shares.iter_mut().step_by(pos).for_each(|share| *share = f32::NAN);
    }
    let relate = |shares: &mut [f32]| {
        let most = shares.iter().copied().fold(0.0, f32::max);
        if most > 0.0 {
            shares.iter_mut().for_each(|share| *share /= most);
        }
    };
    match options.relative {
        Relative::One => {}
        Relative::Head => relate(&mut shares),
        Relative::Row => shares.chunks_mut(pos).for_each(relate),
    }
    shares
}

/// One prepared pattern, kept as long as it is shown large.
pub struct Large {
    maps: Arc<AttentionMaps>,
    head: (usize, usize),
    options: Options,
    /// See [`prepare`].
    pub shares: Vec<f32>,
}

impl Large {
    /// The pattern of head `(layer, head)`, taken from `old` where it is the same.
    pub fn of(old: Option<Large>, maps: &Arc<AttentionMaps>, head: (usize, usize), options: Options) -> Large {
        match old {
            Some(old) if Arc::ptr_eq(&old.maps, maps) && old.head == head && old.options == options => old,
            _ => {
                let shares = prepare(maps.pattern(head.0, head.1), maps.tokens.len(), options);
                Large { maps: Arc::clone(maps), head, options, shares }
            }
        }
    }
}

/// A query's weights by key, or a key's weights by query.
pub fn weights(pattern: &[f32], pos: usize, token: usize, by_key: bool, mask_first: bool) -> Vec<Option<f32>> {
    (0..pos)
        .map(|other| {
            let (query, key) = if by_key { (other, token) } else { (token, other) };
            if mask_first && key == 0 { None } else { pattern.get(query * pos + key).copied() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERN: [f32; 9] = [1.0, 0.0, 0.0, 0.8, 0.2, 0.0, 0.5, 0.1, 0.4];

    #[test]
    fn the_first_position_can_be_masked() {
        let shares = prepare(&PATTERN, 3, Options { mask_first: true, relative: Relative::Row });
        assert!(shares[0].is_nan() && shares[3].is_nan() && shares[6].is_nan());
        assert_eq!((shares[4], shares[7], shares[8]), (1.0, 0.25, 1.0));
        let shares = prepare(&PATTERN, 3, Options { mask_first: true, relative: Relative::Head });
        assert_eq!(shares[4], 0.5);
        assert_eq!(prepare(&PATTERN, 3, Options::default()), PATTERN);
        assert!(prepare(&[], 0, Options::default()).is_empty());
    }

    #[test]
    fn queries_look_and_keys_are_looked_at() {
        assert_eq!(weights(&PATTERN, 3, 2, false, false), [Some(0.5), Some(0.1), Some(0.4)]);
        assert_eq!(weights(&PATTERN, 3, 1, true, false), [Some(0.0), Some(0.2), Some(0.1)]);
        assert_eq!(weights(&PATTERN, 3, 2, false, true), [None, Some(0.1), Some(0.4)]);
        assert_eq!(weights(&PATTERN, 3, 0, true, true), [None; 3]);
    }
}
