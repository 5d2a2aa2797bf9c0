//! Places in the corpus to look at: the contexts where a unit is strongest, and a fair sample of each band of its values.
//!
//! Where activity is judged by magnitude (neurons of gated MLPs, residual dimensions), so is strength: many such neurons do all they do below
//! 0.
//!
//! Within a band those places are kept whose hash of (context, position, seed) is smallest: a uniform sample that does not
//! depend on the order in which contexts come by.

use half::f16;

use super::batch::Batch;
use super::channel::Channel;
use super::lanes::{LANES, Row, SIGNED, SKIP_FIRST, Tally, masked};
use super::profiles::Totals;

/// Contexts kept because the unit is strongest in them.
pub(super) const TOP: usize = 16;
/// Places kept of each band.
pub(super) const PER_BAND: usize = 4;
/// Tokens shown on each side of the peak.
pub(super) const REACH: usize = 10;
const WINDOW: usize = 2 * REACH + 1;

/// The bounds of the bands, as quantiles of the calibration tokens: band 1 lies above the first.
pub(super) const BAND_EDGES: [f64; 5] = [0.999, 0.99, 0.9, 0.5, 0.01];
/// Bands; band 0 of the table, the strongest contexts, is not among them.
pub(super) const BANDS: usize = BAND_EDGES.len() + 1;

const SLOTS: usize = TOP + BANDS * PER_BAND;

/// A place where a unit was met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub value: f32,
    pub hash: u32,
    pub context: u32,
    pub position: u16,
    filled: bool,
    /// Activations around the position, as f16 to save memory.
    window: [u16; WINDOW],
}

const EMPTY: Place =
    Place { value: 0.0, hash: u32::MAX, context: u32::MAX, position: u16::MAX, filled: false, window: [0; WINDOW] };

impl Place {
    /// The first position of the window.
    pub fn window_start(&self) -> usize {
        usize::from(self.position).saturating_sub(REACH).max(SKIP_FIRST)
    }

    /// The activations of the window in a context of `len` positions, the peak's own exact.
    pub fn window(&self, len: usize) -> Vec<f32> {
        let (start, position) = (self.window_start(), usize::from(self.position));
        let end = (position + REACH + 1).min(len);
        let value =
            |at: usize| if at == position { self.value } else { f16::from_bits(self.window[at - start]).to_f32() };
        (start..end).map(value).collect()
    }

    fn found(rows: &[Row], lane: usize, (context, position, hash): (u32, usize, u32)) -> Place {
        let mut place =
            Place { value: rows[position][lane], hash, context, position: position as u16, filled: true, ..EMPTY };
        let start = place.window_start();
        for (slot, row) in place.window.iter_mut().zip(&rows[start..rows.len().min(position + REACH + 1)]) {
            *slot = f16::from_f32(row[lane].clamp(-65504.0, 65504.0)).to_bits();
        }
        place
    }

    /// How strong the unit is here, by value or by magnitude.
    fn strength(&self, magnitude: u32) -> f32 {
        masked(self.value, magnitude)
    }

    /// Whether this place is preferred among the strongest: by strength, then by the smaller context.
    fn stronger(&self, other: &Place, magnitude: u32) -> bool {
        let (own, theirs) = (self.strength(magnitude), other.strength(magnitude));
        own > theirs || (own == theirs && self.context < other.context)
    }

    /// Whether this place is preferred within a band.
    fn earlier(&self, other: &Place) -> bool {
        (self.hash, self.context, self.position) < (other.hash, other.context, other.position)
    }
}

/// The places of a block's units.
#[derive(Debug, Clone)]
pub(super) struct Examples {
    /// Drops the sign before strengths are compared, or keeps it.
    magnitude: u32,
    /// `[LANES][TOP + BANDS · PER_BAND]`.
    places: Vec<Place>,
    /// What a context's greatest strength must reach to be among the strongest.
    reach: Row,
    /// Lower bounds of the bands, the highest first.
    edges: [Row; BAND_EDGES.len()],
    /// The hash that a place of each band must not exceed.
    limits: [Tally; BANDS],
}

impl Examples {
    pub fn new(magnitude: u32) -> Examples {
        Examples {
            magnitude,
            places: vec![EMPTY; LANES * SLOTS],
            reach: [f32::NEG_INFINITY; LANES],
            edges: [[f32::NEG_INFINITY; LANES]; BAND_EDGES.len()],
            limits: [[u32::MAX; LANES]; BANDS],
        }
    }

    /// Fixes the bounds of the bands of one unit, the highest first.
    pub fn set_edges(&mut self, lane: usize, edges: [f32; BAND_EDGES.len()]) {
        for (row, edge) in self.edges.iter_mut().zip(edges) {
            row[lane] = edge;
        }
    }

    /// Takes the context into the lists of those units that are strong enough in it.
    #[inline(always)]
    pub fn add_strongest(&mut self, context: &[Row], number: u32, totals: &Totals) {
        let mut any = false;
        for lane in 0..LANES {
            any |= totals.strength(lane, self.magnitude) >= self.reach[lane];
        }
        if any {
            self.take_strongest(context, number, totals);
        }
    }

    #[inline(never)]
    fn take_strongest(&mut self, context: &[Row], number: u32, totals: &Totals) {
        for lane in 0..LANES {
            let (strength, magnitude) = (totals.strength(lane, self.magnitude), self.magnitude);
            if strength < self.reach[lane] {
                continue;
            }
            let there = |position: &usize| masked(context[*position][lane], magnitude) == strength;
            let Some(position) = (SKIP_FIRST..context.len()).find(there) else {
                continue;
            };
            let kept = &mut self.places[lane * SLOTS..][..TOP];
            let place = Place::found(context, lane, (number, position, 0));
            if let Some(last) = replace(kept, place, |a, b| a.stronger(b, magnitude)) {
                self.reach[lane] = last.strength(magnitude);
            }
        }
    }

    /// Takes what belongs to the samples of the bands.
    #[inline(always)]
    pub fn add_bands(&mut self, rows: &[Row], batch: &Batch) {
        for (index, context) in rows.chunks_exact(batch.len).enumerate() {
            for position in SKIP_FIRST..batch.len {
                let hash = batch.hashes[index * batch.len + position];
                let row = &context[position];
                let mut hit = 0u32;
                for lane in 0..LANES {
                    let mut limit = self.limits[0][lane];
                    for band in 0..BAND_EDGES.len() {
                        limit = if row[lane] <= self.edges[band][lane] { self.limits[band + 1][lane] } else { limit };
                    }
                    hit |= u32::from(hash <= limit);
                }
                if hit != 0 {
                    self.take_band(context, row, (batch.contexts[index], position, hash));
                }
            }
        }
    }

    #[inline(never)]
    fn take_band(&mut self, context: &[Row], row: &Row, at: (u32, usize, u32)) {
        for lane in 0..LANES {
            let band = (0..BAND_EDGES.len()).take_while(|band| row[lane] <= self.edges[*band][lane]).count();
            if at.2 > self.limits[band][lane] {
                continue;
            }
            let kept = &mut self.places[lane * SLOTS + TOP + band * PER_BAND..][..PER_BAND];
            if let Some(last) = replace(kept, Place::found(context, lane, at), Place::earlier) {
                self.limits[band][lane] = last.hash;
            }
        }
    }

    /// The places of one unit with their bands, in order: the strongest first, then band by band.
    pub fn of(&self, lane: usize) -> Vec<(usize, Vec<Place>)> {
        let places = &self.places[lane * SLOTS..][..SLOTS];
        let sorted = |places: &[Place], magnitude: u32| {
            let mut places: Vec<Place> = places.iter().filter(|place| place.filled).copied().collect();
            places.sort_by(|a, b| {
                let order = b.strength(magnitude).total_cmp(&a.strength(magnitude));
                order.then((a.context, a.position).cmp(&(b.context, b.position)))
            });
            places
        };
        let bands = places[TOP..].chunks_exact(PER_BAND).map(|places| sorted(places, SIGNED)).enumerate();
        std::iter::once((0, sorted(&places[..TOP], self.magnitude)))
            .chain(bands.map(|(band, places)| (band + 1, places)))
            .collect()
    }

    pub fn bytes() -> u64 {
        (LANES * (SLOTS * size_of::<Place>() + (1 + BANDS + BAND_EDGES.len()) * 4)) as u64
    }

    pub fn transfer(&mut self, channel: &mut Channel) -> std::io::Result<()> {
        for place in &mut self.places {
            let mut filled = u8::from(place.filled);
            channel.number(&mut filled)?;
            place.filled = filled != 0;
            channel.number(&mut place.value)?;
            channel.number(&mut place.hash)?;
            channel.number(&mut place.context)?;
            channel.number(&mut place.position)?;
            channel.numbers(&mut place.window)?;
        }
        channel.numbers(&mut self.reach)?;
        channel.rows(&mut self.edges)?;
        channel.rows(&mut self.limits)
    }
}

/// Puts `place` where the least preferred of `kept` is, if it is preferred to that. Returns the one that is least preferred
/// afterwards, once all are filled.
fn replace(kept: &mut [Place], place: Place, preferred: impl Fn(&Place, &Place) -> bool) -> Option<Place> {
    if let Some(free) = kept.iter_mut().find(|place| !place.filled) {
        *free = place;
    } else {
        let worst = least(kept, &preferred);
        if !preferred(&place, &kept[worst]) {
            return None;
        }
        kept[worst] = place;
    }
    kept.iter().all(|place| place.filled).then(|| kept[least(kept, &preferred)])
}

/// The least preferred of places that are all filled.
fn least(kept: &[Place], preferred: impl Fn(&Place, &Place) -> bool) -> usize {
    (1..kept.len()).fold(0, |least, i| if preferred(&kept[least], &kept[i]) { i } else { least })
}
