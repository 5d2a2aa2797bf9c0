//! The maps of all channels of a site over one picture.

use golgi_data::site::Site;
use golgi_probes::vision::{Crop, Field, OpenVision};
use golgi_probes::{ProbeError, Tensor};
use tch::{Device, Kind};

/// The activations of a site on one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelMaps {
    /// The site.
    pub site: Site,
    /// How many channels, or numbers of a vector.
    pub channels: usize,
    /// Rows of a map; 1 for a vector.
    pub rows: usize,
    /// Columns of a map; 1 for a vector.
    pub columns: usize,
    /// `[channels, rows, columns]`.
    pub values: Vec<f32>,
    /// By channel.
    pub strengths: Vec<Strength>,
    /// What the positions of the site see of the input.
    pub field: Field,
    /// The side of the input, in pixels.
    pub side: u32,
}

/// A channel on one picture in two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strength {
    /// The largest value of its map.
    pub max: f32,
    /// Where it is: row and column.
    pub at: (usize, usize),
    /// The mean of its map.
    pub mean: f32,
}

impl Strength {
    fn of(map: &[f32], columns: usize) -> Strength {
        let (mut best, mut max) = (0, f32::NEG_INFINITY);
        for (index, value) in map.iter().enumerate() {
            if *value > max {
                (best, max) = (index, *value);
            }
        }
        let sum: f64 = map.iter().map(|value| f64::from(*value)).sum();
        let columns = columns.max(1);
        Strength { max, at: (best / columns, best % columns), mean: (sum / map.len().max(1) as f64) as f32 }
    }
}

impl ChannelMaps {
    /// The maps of `values` `[channels, rows, columns]`.
    pub fn new(site: Site, shape: [usize; 3], values: Vec<f32>, field: Field, side: u32) -> ChannelMaps {
        let [channels, rows, columns] = shape;
        let strengths = values.chunks(rows.max(1) * columns.max(1)).map(|map| Strength::of(map, columns)).collect();
        ChannelMaps { site, channels, rows, columns, values, strengths, field, side }
    }

    /// The map of a channel, row by row; empty where there is no such channel.
    pub fn map(&self, channel: usize) -> &[f32] {
        let size = self.rows * self.columns;
        self.values.get(channel * size..(channel + 1) * size).unwrap_or_default()
    }

    /// The value of a channel at a position of its map.
    pub fn value(&self, channel: usize, (row, column): (usize, usize)) -> Option<f32> {
        if row >= self.rows || column >= self.columns {
            return None;
        }
        self.map(channel).get(row * self.columns + column).copied()
    }

    /// The position of the maps that covers a pixel of the input, where a map is spread evenly over it.
    pub fn cell(&self, x: u32, y: u32) -> (usize, usize) {
        let along = |pixel: u32, cells: usize| {
            let at = u64::from(pixel) * cells as u64 / u64::from(self.side.max(1));
            (at as usize).min(cells.saturating_sub(1))
        };
        (along(y, self.rows), along(x, self.columns))
    }

    /// The pixels of the input that a position sees.
    pub fn sees(&self, (row, column): (usize, usize)) -> Crop {
        let side = i64::from(self.side);
        self.field.crop((row as i64, column as i64), (side, side))
    }

    /// The channels with the largest values at a position, the largest first, at most `most`.
    pub fn strongest_at(&self, cell: (usize, usize), most: usize) -> Vec<(usize, f32)> {
        let values = (0..self.channels).filter_map(|channel| Some((channel, self.value(channel, cell)?)));
        let mut values: Vec<(usize, f32)> = values.filter(|(_, value)| value.is_finite()).collect();
        values.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        values.truncate(most);
        values
    }
}

/// The maps of every channel of `site` for `pixels` `[1, 3, size, size]`.
///
/// # Errors
/// If the network has no such site, or the image is too small for it.
pub fn channel_maps(open: &OpenVision, pixels: &Tensor, site: &Site) -> Result<ChannelMaps, ProbeError> {
    let values = activation(open, pixels, site)?;
    let shape = [1, 2, 3].map(|axis| values.size()[axis] as usize);
    let side = open.preprocess.input_size() as u32;
    let field = open.network.fields(i64::from(side), i64::from(side))?[open.network.find(site)?];
    let values = Vec::<f32>::try_from(values.f_contiguous()?.f_view([-1])?)?;
    Ok(ChannelMaps::new(site.clone(), shape, values, field, side))
}

/// The activation of a site as `[batch, channels, rows, columns]`, f32 in main memory; see [`golgi_probes::vision::Network::as_map`].
pub(super) fn activation(open: &OpenVision, pixels: &Tensor, site: &Site) -> Result<Tensor, ProbeError> {
    let (node, size) = (open.network.find(site)?, pixels.size());
    let value = open.network.activation(pixels, node)?;
    let maps = open.network.as_map(node, &value, (size[2], size[3]))?;
    Ok(maps.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?)
}
