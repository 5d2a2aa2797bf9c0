//! Which channels are listed, and in which order.

use std::fmt::Write as _;
use std::sync::Arc;

use golgi_analysis::channels::ChannelMaps;

/// What channels are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Their number.
    Number,
    /// The largest value of their maps.
    #[default]
    Max,
    /// The mean of their maps.
    Mean,
    /// The value at the selected position.
    Here,
}

impl Order {
    /// Every order.
    pub const ALL: [Order; 4] = [Order::Number, Order::Max, Order::Mean, Order::Here];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Order::Number => "number",
            Order::Max => "maximum",
            Order::Mean => "mean",
            Order::Here => "value here",
        }
    }

    /// What it means.
    pub fn about(self) -> &'static str {
        match self {
            Order::Number => "In the order of the site's channels",
            Order::Max => "By the largest value of each map, the largest first",
            Order::Mean => "By the mean of each map, the largest first",
            Order::Here => "By the value at the position that is selected in Image, the largest first",
        }
    }

    /// The number that a channel is sorted by; `None` where there is none.
    pub fn value(self, maps: &ChannelMaps, channel: usize, cell: Option<(usize, usize)>) -> Option<f32> {
        let strength = maps.strengths.get(channel)?;
        match self {
            Order::Number => None,
            Order::Max => Some(strength.max),
            Order::Mean => Some(strength.mean),
            Order::Here => maps.value(channel, cell?),
        }
    }
}

/// What the user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The order.
    pub order: Order,
    /// Numbers and ranges; empty for all.
    pub filter: String,
}

impl Wanted {
    /// Whether the filter can be understood.
    pub fn is_understood(&self) -> bool {
        ranges(&self.filter).is_some()
    }
}

/// `3, 10-20` as ranges, ends included; `None` if it is something else.
fn ranges(text: &str) -> Option<Vec<(usize, usize)>> {
    let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let range = |part: &str| match part.split_once(['-', '–']) {
        Some((from, to)) => Some((from.trim().parse().ok()?, to.trim().parse().ok()?)),
        None => part.parse().ok().map(|number| (number, number)),
    };
    parts.map(range).collect()
}

/// The channels that are listed.
pub struct Listing {
    maps: Arc<ChannelMaps>,
    wanted: Wanted,
    cell: Option<(usize, usize)>,
    /// In their order.
    pub channels: Vec<usize>,
    /// The smallest and the largest value of all maps.
    pub scale: (f32, f32),
}

impl Listing {
    /// Filters and sorts the channels of `maps`; `cell` is the selected position.
    pub fn new(maps: &Arc<ChannelMaps>, wanted: &Wanted, cell: Option<(usize, usize)>) -> Listing {
        let ranges = ranges(&wanted.filter).unwrap_or_default();
        let passes =
            |channel: &usize| ranges.is_empty() || ranges.iter().any(|(from, to)| (from..=to).contains(&channel));
        let mut channels: Vec<usize> = (0..maps.channels).filter(passes).collect();
        if wanted.order != Order::Number {
            let value = |channel: &usize| wanted.order.value(maps, *channel, cell).unwrap_or(f32::NEG_INFINITY);
            let mean =
                |channel: &usize| maps.strengths.get(*channel).map_or(f32::NEG_INFINITY, |strength| strength.mean);
            // Units of ReLU6 saturate: of equal ones the more active are first. Stable: else they keep the order of their numbers.
            channels.sort_by(|a, b| value(b).total_cmp(&value(a)).then(mean(b).total_cmp(&mean(a))));
        }
        let finite = maps.values.iter().copied().filter(|value| value.is_finite());
        let scale = finite.fold((0f32, 0f32), |(low, high), value| (low.min(value), high.max(value)));
        Listing { maps: Arc::clone(maps), wanted: wanted.clone(), cell, channels, scale }
    }

    /// Whether it lists channels of these maps.
    pub fn is_of(&self, maps: &Arc<ChannelMaps>) -> bool {
        Arc::ptr_eq(&self.maps, maps)
    }

    /// Whether nothing has changed since.
    pub fn is_current(&self, maps: &Arc<ChannelMaps>, wanted: &Wanted, cell: Option<(usize, usize)>) -> bool {
        self.is_of(maps) && self.wanted == *wanted && self.cell == cell
    }
}

/// The channels as comma-separated values; `cell` is the selected position.
pub fn csv(maps: &ChannelMaps, channels: &[usize], cell: Option<(usize, usize)>) -> String {
    let mut out = String::from("unit,max,row,column,mean");
    out.push_str(if cell.is_some() { ",here\n" } else { "\n" });
    for channel in channels {
        let Some(strength) = maps.strengths.get(*channel) else { continue };
        let (row, column) = strength.at;
        // Writing to a string cannot fail.
        let _ = write!(out, "{}:{channel},{},{row},{column},{}", maps.site, strength.max, strength.mean);
        if let Some(value) = cell.and_then(|cell| maps.value(*channel, cell)) {
            let _ = write!(out, ",{value}");
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use golgi_probes::vision::{Field, Span};

    use super::*;

    fn maps() -> Arc<ChannelMaps> {
        let span = Span { first: 0, jump: 4, size: 4 };
        let field = Field { rows: span, columns: span };
        // Channel 0: even; 1: one strong corner; 2: nothing; 3: negative in the corner.
        let values = vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, -2.0];
        Arc::new(ChannelMaps::new("conv".parse().unwrap(), [4, 2, 2], values, field, 8))
    }

    fn listed(order: Order, filter: &str, cell: Option<(usize, usize)>) -> Vec<usize> {
        Listing::new(&maps(), &Wanted { order, filter: filter.to_owned() }, cell).channels
    }

    #[test]
    fn channels_are_sorted_and_filtered() {
        assert_eq!(listed(Order::Number, "", None), [0, 1, 2, 3]);
        assert_eq!(listed(Order::Max, "", None), [1, 0, 3, 2]);
        assert_eq!(listed(Order::Mean, "", None), [0, 1, 2, 3]);
        assert_eq!(listed(Order::Here, "", Some((1, 1))), [1, 0, 2, 3]);
        assert_eq!(listed(Order::Here, "", Some((0, 1))), [0, 1, 2, 3], "equal here: by the mean");
        assert_eq!(listed(Order::Max, "2-3, 0", None), [0, 3, 2]);
        assert_eq!(listed(Order::Number, "7", None), [0usize; 0]);
        assert!(!Wanted { filter: "cat".into(), ..Wanted::default() }.is_understood());
        assert_eq!(Listing::new(&maps(), &Wanted::default(), None).scale, (-2.0, 3.0));
    }

    #[test]
    fn the_copy_says_what_is_listed() {
        let text = csv(&maps(), &[1, 3], Some((1, 1)));
        assert_eq!(text, "unit,max,row,column,mean,here\nconv:1,3,1,1,0.75,3\nconv:3,0.5,0,0,-0.375,-2\n");
        assert!(csv(&maps(), &[9], None).ends_with("mean\n"));
    }
}
