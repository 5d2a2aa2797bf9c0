//! The pictures of a set that excite the channels of a site most.

use golgi_data::context::RunContext;
use golgi_data::images::ImageSet;
use golgi_data::site::Site;
use golgi_probes::Tensor;
use golgi_probes::vision::{Crop, Field, OpenVision};
use tch::Kind;

use super::maps::activation;
use crate::error::VisionError;

/// Pictures that are shown to the network at once.
const BATCH: usize = 8;

/// What every channel of a site does on pictures of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct BestPictures {
    /// The site.
    pub site: Site,
    /// What the set is called.
    pub set: String,
    /// Pictures that were shown, by their index in the set.
    pub shown: Vec<usize>,
    /// Pictures that could not be read.
    pub unread: usize,
    /// How many channels.
    pub channels: usize,
    /// Columns of a map.
    columns: usize,
    /// The largest value of each map, `[channels, shown]`.
    largest: Vec<f32>,
    /// Where that is: row · columns + column.
    places: Vec<u32>,
    /// The mean of each map, `[channels, shown]`.
    means: Vec<f32>,
    field: Field,
    side: u32,
}

/// A picture that excites a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Its index in the set.
    pub picture: usize,
    /// The largest value of the channel's map.
    pub value: f32,
    /// The pixels of the input that the position of this value sees.
    pub sees: Crop,
}

impl BestPictures {
    /// The largest value of a channel's map on each picture.
    pub fn largest(&self, channel: usize) -> &[f32] {
        self.row(&self.largest, channel)
    }

    /// The mean of a channel's map on each picture.
    pub fn means(&self, channel: usize) -> &[f32] {
        self.row(&self.means, channel)
    }

    fn row<'a, T>(&self, values: &'a [T], channel: usize) -> &'a [T] {
        let n = self.shown.len();
        values.get(channel * n..(channel + 1) * n).unwrap_or_default()
    }

    /// The pictures on which a channel's largest value is largest, the best first, at most `most`. Where units saturate, as those of ReLU6 do, the
    /// mean decides.
    pub fn top(&self, channel: usize, most: usize) -> Vec<Best> {
        let values = self.largest(channel);
        let mut order: Vec<usize> = (0..values.len()).filter(|at| values[*at].is_finite()).collect();
        let means = self.means(channel);
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(means[*b].total_cmp(&means[*a])).then(a.cmp(b)));
        order.truncate(most);
        let places = self.row(&self.places, channel);
        let columns = i64::from(self.columns.max(1) as u32);
        let best = |at: usize| {
            let (place, side) = (i64::from(places[at]), i64::from(self.side));
            let sees = self.field.crop((place / columns, place % columns), (side, side));
            Best { picture: self.shown[at], value: values[at], sees }
        };
        order.into_iter().map(best).collect()
    }
}

/// Shows at most `limit` pictures of `set`, spread evenly over it, to the network, and keeps how every channel of `site` responds.
///
/// # Errors
/// If the network has no such site, no picture can be read, or the work is cancelled.
pub fn best_pictures(
    open: &OpenVision,
    site: &Site,
    set: &ImageSet,
    limit: usize,
    ctx: &RunContext,
) -> Result<BestPictures, VisionError> {
    let node = open.network.find(site)?;
    let channels = open.network.nodes[node].extent.channels();
    let (size, count) = (open.preprocess.input_size() as i64, set.len().min(limit));
    let indices: Vec<usize> = (0..count).map(|at| at * set.len() / count.max(1)).collect();
    ctx.stage("showing pictures", count as u64);
    let mut found = BestPictures {
        site: site.clone(),
        set: set.name().to_owned(),
        shown: Vec::with_capacity(count),
        unread: 0,
        channels,
        columns: 1,
        largest: Vec::new(),
        places: Vec::new(),
        means: Vec::new(),
        field: open.network.fields(size, size)?[node],
        side: size as u32,
    };
    // By picture first: how many can be read is known at the end.
    let (mut largest, mut places, mut means): (Vec<f32>, Vec<i64>, Vec<f32>) = Default::default();
    let preprocess = open.preprocess;
    let mut batches = set.read_batches(&indices, BATCH, ctx, move |loaded| preprocess.apply(&loaded.picture));
    for batch in batches.by_ref() {
        let batch = batch?;
        let pixels: Vec<f32> = batch.iter().flat_map(|(_, pixels)| pixels.iter().copied()).collect();
        let pixels = Tensor::f_from_slice(&pixels)?.f_view([batch.len() as i64, 3, size, size])?;
        let pixels = pixels.f_to_device(open.network.device)?.f_to_kind(open.network.kind)?;
        let values = activation(open, &pixels, site)?;
        found.columns = values.size()[3] as usize;
        let flat = values.f_flatten(2, 3)?;
        let (max, place) = flat.f_max_dim(2, false)?;
        largest.extend(Vec::<f32>::try_from(max.f_contiguous()?.f_view([-1])?)?);
        places.extend(Vec::<i64>::try_from(place.f_contiguous()?.f_view([-1])?)?);
        let mean = flat.f_mean_dim(2i64, false, None::<Kind>)?;
        means.extend(Vec::<f32>::try_from(mean.f_contiguous()?.f_view([-1])?)?);
        found.shown.extend(batch.iter().map(|(index, _)| *index));
        ctx.advance(BATCH as u64);
    }
    found.unread = batches.report().bad;
    found.largest = by_channel(&largest, channels);
    found.means = by_channel(&means, channels);
    found.places = by_channel(&places, channels).into_iter().map(|place| place as u32).collect();
    Ok(found)
}

/// `[pictures, channels]` turned into `[channels, pictures]`.
fn by_channel<T: Copy>(values: &[T], channels: usize) -> Vec<T> {
    (0..channels).flat_map(|channel| values.iter().skip(channel).step_by(channels.max(1)).copied()).collect()
}
