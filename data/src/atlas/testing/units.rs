//! Activations of the fixture's units and their statistics.

use super::super::{Manifest, UnitKind};
use super::texts::Texts;
use super::{BANDS, Fixture, POSITIONS_PER_BIN, hash, unit_interval};

/// One unit.
pub(super) struct UnitData {
    pub kind: UnitKind,
    pub role: Role,
    pub layer: u32,
    pub index: u32,
    /// Context by context, position by position.
    pub values: Vec<Vec<f32>>,
    /// The same without skipped positions, sorted.
    pub sorted: Vec<f32>,
    pub threshold: f32,
    /// Band, rank, context and position.
    pub examples: Vec<(i8, u8, usize, usize)>,
}

/// What a neuron does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Token(u32),
    Language(usize),
    Position,
    Dead,
    Dense,
    After(u32),
}

impl UnitData {
    pub(super) fn new(fixture: &Fixture, manifest: &Manifest, texts: &Texts, id: u32) -> UnitData {
        let group = manifest.group_of(id).expect("the ids are those of the manifest");
        let word = 1 + (hash(&[2, id.into()]) as usize % (texts.vocabulary.len() - 1)) as u32;
        let role = match (group.kind, (id - group.start) % 6) {
            (UnitKind::Neuron, 0) => Role::Token(word),
            (UnitKind::Neuron, 1) => Role::Language(hash(&[3, id.into()]) as usize % texts.languages.len()),
            (UnitKind::Neuron, 2) => Role::Position,
            (UnitKind::Neuron, 3) => Role::Dead,
            (UnitKind::Neuron, 5) => Role::After(word),
            _ => Role::Dense,
        };
        let values: Vec<Vec<f32>> = (0..texts.contexts.len())
            .map(|context| {
                let positions = 0..texts.contexts[context].tokens.len();
                positions.map(|position| activation(texts, id, group.kind, role, context, position)).collect()
            })
            .collect();
        let mut sorted: Vec<f32> = values.iter().flat_map(|context| context[1..].iter().copied()).collect();
        sorted.sort_by(f32::total_cmp);
        let threshold = if group.kind == UnitKind::Neuron { 0.0 } else { quantile(&sorted, 0.95) };
        let examples = examples(fixture, &values, &sorted);
        UnitData {
            kind: group.kind,
            role,
            layer: group.layer,
            index: id - group.start,
            values,
            sorted,
            threshold,
            examples,
        }
    }

    /// Mean and share active over the chosen places, the skipped ones left out unless `all`.
    pub(super) fn over(&self, all: bool, wanted: impl Fn(usize, usize) -> bool) -> (f32, f32) {
        let (mut n, mut sum, mut active) = (0f32, 0f64, 0f32);
        for (context, values) in self.values.iter().enumerate() {
            for (position, value) in values.iter().enumerate().skip(usize::from(!all)) {
                if wanted(context, position) {
                    n += 1.0;
                    sum += f64::from(*value);
                    active += f32::from(self.is_active(*value));
                }
            }
        }
        if n == 0.0 { (0.0, 0.0) } else { ((sum / f64::from(n)) as f32, active / n) }
    }

    pub(super) fn is_active(&self, value: f32) -> bool {
        if self.kind == UnitKind::Neuron { value > 0.0 } else { value.abs() > self.threshold.abs() }
    }

    /// The central moments 1 (the mean itself) to 4.
    pub(super) fn moments(&self) -> [f64; 4] {
        let n = self.sorted.len().max(1) as f64;
        let mean = self.sorted.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
        let central =
            |power: i32| self.sorted.iter().map(|value| (f64::from(*value) - mean).powi(power)).sum::<f64>() / n;
        [mean, central(2), central(3), central(4)]
    }

    pub(super) fn quantile(&self, q: f64) -> f32 {
        quantile(&self.sorted, q)
    }

    /// Bins of the position profile: mean and rate.
    pub(super) fn positions(&self, context_len: usize) -> (Vec<f32>, Vec<f32>) {
        let bins = 0..context_len.div_ceil(POSITIONS_PER_BIN);
        bins.map(|bin| self.over(true, |_, position| position / POSITIONS_PER_BIN == bin)).unzip()
    }
}

fn quantile(sorted: &[f32], q: f64) -> f32 {
    let rank = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

fn activation(texts: &Texts, id: u32, kind: UnitKind, role: Role, context: usize, position: usize) -> f32 {
    let text = &texts.contexts[context];
    let draw = unit_interval(&[4, id.into(), context as u64, position as u64]);
    let noise = draw - unit_interval(&[5, id.into(), context as u64, position as u64]);
    if kind == UnitKind::Head {
        return 1.0 + noise.abs() * 3.0;
    }
    if kind == UnitKind::Residual {
        return noise * 4.0;
    }
    let fired = 2.0 + draw * 3.0;
    match role {
        Role::Token(word) if text.tokens[position] == word => fired,
        Role::After(word) if position > 0 && text.tokens[position - 1] == word => fired,
        Role::Language(language) if text.language == language => (draw * 3.0 - 0.6).max(-0.17),
        Role::Position => (2.5 * (-(position as f32) / 9.0).exp() + noise * 0.3).max(-0.17),
        Role::Dead => -0.1 * draw,
        Role::Dense => {
            if noise > 0.0 {
                noise * 2.0
            } else {
                noise * 0.17
            }
        }
        _ => -0.17 * draw,
    }
}

/// The strongest place of each context, the strongest contexts first; then places between two quantiles, spread evenly.
fn examples(fixture: &Fixture, values: &[Vec<f32>], sorted: &[f32]) -> Vec<(i8, u8, usize, usize)> {
    let mut places: Vec<(usize, usize)> =
        values.iter().enumerate().flat_map(|(context, row)| (1..row.len()).map(move |at| (context, at))).collect();
    let value = |place: &(usize, usize)| values[place.0][place.1];
    places.sort_by(|a, b| value(b).total_cmp(&value(a)).then(a.cmp(b)));
    let mut found = Vec::new();
    let mut seen = vec![false; values.len()];
    for place in &places {
        if found.len() < fixture.examples && !std::mem::replace(&mut seen[place.0], true) {
            found.push((0, found.len() as u8, place.0, place.1));
        }
    }
    for (band, (low, high)) in (1i8..).zip(BANDS) {
        let (low, high) = (quantile(sorted, low), quantile(sorted, high));
        let inside: Vec<&(usize, usize)> =
            places.iter().filter(|place| value(place) > low && value(place) <= high).collect();
        let wanted = (fixture.examples / 3).max(1);
        let step = (inside.len() / wanted).max(1);
        let chosen = inside.iter().step_by(step).take(wanted).enumerate();
        found.extend(chosen.map(|(rank, place)| (band, rank as u8, place.0, place.1)));
    }
    found
}
