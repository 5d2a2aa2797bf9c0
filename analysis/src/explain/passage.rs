//! Pieces of text with a unit's true activation at every token, parted into what explainers may see and what scores are
//! computed on.

use std::collections::BTreeMap;

/// Longer stretches are cut into passages of at most so many tokens.
const LONGEST: usize = 26;
/// The length that is aimed at when cutting.
const LENGTH: usize = 20;
/// The rank, from 0, of the context whose largest activation is the scale of the unit: rare units fire in a few contexts only, and
/// one or two of them may be a thousand times as strong as all others.
const RANK: usize = 2;
/// The share of that scale from which on a unit counts as firing; where fuzzing of Delphi sets it.
const FIRING: f32 = 0.3;
/// If fewer passages than this share are silent,
const SILENT: f64 = 0.1;
/// the weakest of this share count as such.
const WEAKEST: f64 = 0.25;

/// A piece of a context.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// The number of the context in the atlas.
    pub context: u32,
    /// The position of its first token in the context.
    pub start: usize,
    /// The tokens as text.
    pub pieces: Vec<String>,
    /// The unit's activation at each of them.
    pub values: Vec<f32>,
    /// The language of the document, where known.
    pub language: Option<String>,
    /// Its genre, where known.
    pub genre: Option<String>,
    /// Whether a unit near this one fires in it, where that is known.
    pub rival: bool,
}

impl Passage {
    /// Where the activation is largest.
    pub fn peak(&self) -> usize {
        (1..self.values.len()).fold(0, |peak, at| if self.values[at] > self.values[peak] { at } else { peak })
    }

    /// The largest activation.
    pub fn max(&self) -> f32 {
        self.values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// The text.
    pub fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// What is known of where a unit fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The unit's largest activation in its third strongest context.
    pub scale: f32,
    /// Whether the unit is strongest below 0, so that all activations here have the opposite sign.
    pub negative: bool,
    /// From this activation on the unit counts as firing.
    pub threshold: f32,
    /// What explainers may see.
    pub train: Vec<Passage>,
    /// What only scores see: other contexts.
    pub test: Vec<Passage>,
}

/// Activations known at some positions of a context.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Token and activation by position.
    pub at: BTreeMap<usize, (String, f32)>,
    /// The document's language.
    pub language: Option<String>,
    /// Its genre.
    pub genre: Option<String>,
    /// Positions at which a unit near this one fires.
    pub rivals: Vec<usize>,
}

impl Evidence {
    /// Cuts what is known into passages and parts them by context: contexts in the order of their largest activation go to
    /// explaining and to scoring in turns, so that both sides see all strengths and no context twice. `active` is what the atlas
    /// calls active.
    ///
    /// A unit fires from `max(active, 0.3·scale)` on, where `scale` is the largest activation of its third strongest context: smooth
    /// activation functions have no natural 0. Of a unit that by this fires in more than nine in ten passages it is asked where it is
    /// strong: it fires from the lower quartile of the passages' largest activations on.
    pub(super) fn new(contexts: BTreeMap<u32, Known>, active: f32) -> Evidence {
        let mut by_context: Vec<(f32, Vec<Passage>)> = contexts
            .into_iter()
            .map(|(context, known)| passages(context, known))
            .filter(|passages| !passages.is_empty())
            .map(|passages| (passages.iter().map(Passage::max).fold(f32::NEG_INFINITY, f32::max), passages))
            .collect();
        by_context.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1[0].context.cmp(&b.1[0].context)));
        let scale = by_context.get(RANK.min(by_context.len().saturating_sub(1))).map_or(0.0, |context| context.0);
        let active = if active.is_finite() { active } else { f32::MAX };
        let mut peaks: Vec<f32> =
            by_context.iter().flat_map(|(_, passages)| passages.iter().map(Passage::max)).collect();
        peaks.sort_by(f32::total_cmp);
        let quantile = |share: f64| peaks.get((share * peaks.len() as f64) as usize).copied().unwrap_or(0.0);
        let mut threshold = active.max(FIRING * scale);
        if quantile(SILENT) >= threshold {
            threshold = quantile(WEAKEST);
        }
        let mut evidence = Evidence { negative: false, scale, threshold, train: Vec::new(), test: Vec::new() };
        for (turn, (_, passages)) in by_context.into_iter().enumerate() {
            let side = if turn % 2 == 0 { &mut evidence.train } else { &mut evidence.test };
            side.extend(passages);
        }
        evidence
    }

    /// Whether the unit ever fires: its strongest activations are positive and reach the threshold.
    pub fn fires(&self) -> bool {
        self.scale > 0.0 && self.train.iter().any(|passage| self.is_positive(passage))
    }

    /// Whether the unit fires in a passage.
    pub fn is_positive(&self, passage: &Passage) -> bool {
        self.scale > 0.0 && passage.max() >= self.threshold
    }

    /// Whether the unit fires at a token of a passage.
    pub fn fires_at(&self, passage: &Passage, at: usize) -> bool {
        self.scale > 0.0 && passage.values[at] >= self.threshold
    }
}

/// The unbroken stretches of a context, long ones cut.
fn passages(context: u32, known: Known) -> Vec<Passage> {
    let Known { at, language, genre, rivals } = known;
    let mut stretches: Vec<Vec<(usize, String, f32)>> = Vec::new();
    for (position, (piece, value)) in at {
        if !value.is_finite() {
            continue;
        }
        match stretches.last_mut() {
            Some(stretch) if stretch.last().is_some_and(|last| last.0 + 1 == position) => {
                stretch.push((position, piece, value));
            }
            _ => stretches.push(vec![(position, piece, value)]),
        }
    }
    let mut out = Vec::new();
    for stretch in stretches {
        let parts = if stretch.len() > LONGEST { stretch.len().div_ceil(LENGTH) } else { 1 };
        let each = stretch.len().div_ceil(parts);
        let mut stretch = stretch.into_iter().peekable();
        while let Some((start, ..)) = stretch.peek() {
            let start = *start;
            let (mut pieces, mut values) = (Vec::with_capacity(each), Vec::with_capacity(each));
            for (_, piece, value) in stretch.by_ref().take(each) {
                pieces.push(piece);
                values.push(value);
            }
            let inside = start..start + pieces.len();
            out.push(Passage {
                context,
                start,
                pieces,
                values,
                language: language.clone(),
                genre: genre.clone(),
                rival: rivals.iter().any(|position| inside.contains(position)),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(positions: impl IntoIterator<Item = usize>, value: impl Fn(usize) -> f32) -> Known {
        let at = positions.into_iter().map(|position| (position, (format!("t{position}"), value(position)))).collect();
        Known { at, rivals: vec![3], ..Known::default() }
    }

    #[test]
    fn stretches_become_passages() {
        let found = passages(7, known((1..5).chain(8..108), |at| at as f32));
        let shape: Vec<(usize, usize)> = found.iter().map(|one| (one.start, one.pieces.len())).collect();
        assert_eq!(shape, [(1, 4), (8, 20), (28, 20), (48, 20), (68, 20), (88, 20)]);
        assert_eq!(found[1].pieces[0], "t8");
        assert_eq!((found[1].max(), found[1].peak()), (27.0, 19));
        assert!(found[0].rival && !found[1].rival);
        // What is no number is left out, and parts what stands around it.
        let found = passages(0, known(0..5, |at| if at == 2 { f32::NAN } else { 1.0 }));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn no_context_is_on_both_sides_and_both_see_all_strengths() {
        let contexts = (0..20u32).map(|context| (context, known(0..10, move |_| (context % 10) as f32))).collect();
        let evidence = Evidence::new(contexts, 0.0);
        let numbers = |side: &[Passage]| side.iter().map(|one| one.context).collect::<std::collections::BTreeSet<_>>();
        assert!(numbers(&evidence.train).is_disjoint(&numbers(&evidence.test)));
        let sum = |side: &[Passage]| side.iter().map(Passage::max).sum::<f32>();
        assert_eq!((sum(&evidence.train), sum(&evidence.test)), (45.0, 45.0));
        assert_eq!((evidence.scale, evidence.fires()), (8.0, true));
        assert!((evidence.threshold - 2.4).abs() < 1e-6);
        let few = |context: u32| known(0..10, move |_| if context < 4 { 5.0 } else { 0.0 });
        let few = (0..20u32).map(|context| (context, few(context))).collect();
        assert!((Evidence::new(few, 0.0).threshold - 1.5).abs() < 1e-6);
        // Of a unit that is active everywhere the weakest quarter is silent.
        let many = (0..40u32).map(|context| (context, known(0..10, move |_| 20.0 + 0.5 * context as f32))).collect();
        assert_eq!(Evidence::new(many, 0.0).threshold, 25.0);
        assert!(evidence.is_positive(&evidence.train[0]));
        let negative = (0..20u32).map(|context| (context, known(0..10, |_| -0.1))).collect();
        assert!(!Evidence::new(negative, 0.0).fires());
        assert!(!Evidence::new(BTreeMap::new(), 0.0).fires());
    }
}
