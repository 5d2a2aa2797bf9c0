//! Convolutional networks: opening one, and what is answered at once about a picture.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use golgi_analysis::channels::{ChannelMaps, channel_maps};
use golgi_data::context::RunContext;
use golgi_data::images::Picture;
use golgi_data::models::ModelFiles;
use golgi_data::site::Site;
use golgi_probes::host::Hosted;
use golgi_probes::vision::OpenVision;
use golgi_probes::{Dims, OpenOptions, ProbeError, Tensor};

use super::slot::Round;
use super::studio::Source;
use super::{Backend, DEFAULT_BUDGET_BYTES, Failure, Subject};
use crate::session::Session;
use crate::session::document::{ModelInfo, SiteInfo, VisionInfo};
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::results::ResultKind;
use crate::session::vision::{Seen, Shelf};

/// Classes that are kept of a picture.
const CLASSES: usize = 10;

/// The sizes of a transformer, of which a convolutional network has none.
const NONE: Dims =
    Dims { n_layers: 0, d_model: 0, n_heads: 0, n_kv_heads: 0, d_head: 0, d_mlp: 0, d_vocab: 0, n_ctx: 0 };

/// What a result about pictures is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    pub picture: Option<PathBuf>,
    pub site: Option<Site>,
    pub shelf: Option<Arc<Shelf>>,
    pub limit: usize,
    /// What opens the network again. It belongs to the model, which the subject names.
    pub source: Option<Arc<Source>>,
}

impl PartialEq for Sight {
    fn eq(&self, other: &Sight) -> bool {
        let same_shelf = match (&self.shelf, &other.shelf) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_shelf && (&self.picture, &self.site, self.limit) == (&other.picture, &other.site, other.limit)
    }
}

/// The open network on the model's thread, and the picture that was read last.
#[derive(Default)]
pub(super) struct Bench {
    open: Option<OpenVision>,
    pixels: Option<(PathBuf, Tensor)>,
}

impl Bench {
    fn network(&self) -> Result<&OpenVision, Failure> {
        self.open.as_ref().ok_or_else(|| Failure::Failed(Notice::failure("No convolutional network is open.")))
    }
}

/// Opens a convolutional network on the model's thread, in place of whatever is open there.
pub(super) fn open(
    hosted: &mut Hosted,
    files: ModelFiles,
    options: &OpenOptions,
    ctx: &RunContext,
) -> Result<ModelInfo, ProbeError> {
    let open = OpenVision::from_files(files, options, ctx)?;
    let info = describe(&open)?;
    hosted.model = None;
    hosted.traces.clear();
    hosted.slots.clear();
    hosted.slots.of::<Bench>().open = Some(open);
    Ok(info)
}

/// The network as plain data.
fn describe(open: &OpenVision) -> Result<ModelInfo, ProbeError> {
    let (network, side) = (&open.network, open.preprocess.input_size());
    let sizes = network.spatial(side as i64, side as i64)?;
    let sites = network.nodes.iter().zip(&sizes).map(|(node, (rows, columns))| {
        let units = node.extent.channels();
        let sides: Vec<String> = node.extent.shape((*rows, *columns)).iter().map(i64::to_string).collect();
        let shape = format!("[batch, {}]", sides.join(", "));
        SiteInfo {
            site: node.site.clone(),
            shape,
            about: node.op.description().into(),
            alias: None,
            units,
            has_heads: false,
            is_residual: false,
        }
    });
    let maps = network.map_sizes(side as i64, side as i64)?;
    let maps = maps.iter().map(|(rows, columns)| (*rows as usize, *columns as usize)).collect();
    Ok(ModelInfo {
        name: open.name.clone(),
        spec: open.spec.clone(),
        family: network.family.to_owned(),
        dims: NONE,
        sites: sites.collect(),
        embedding_parameters: 0,
        block_parameters: Vec::new(),
        head_parameters: network.parameters(),
        device: super::open::device_name(network.device),
        dtype: open.dtype.to_string(),
        licence: open.licence.clone(),
        has_tokenizer: false,
        has_logits: true,
        causal: false,
        bytes_on_disk: open.bytes_on_disk(),
        vision: Some(VisionInfo { preprocess: open.preprocess, classes: network.classes(), maps }),
    })
}

fn failed<'a>(doing: &'a str, ctx: &'a RunContext) -> impl Fn(&(dyn std::error::Error + 'static)) -> Failure + 'a {
    move |error| Failure::of(doing, error, ctx)
}

/// Reads the picture and asks the network for its classes.
fn seen(hosted: &mut Hosted, subject: &Subject, _: Option<u64>, ctx: &RunContext) -> Result<Seen, Failure> {
    let failed = failed("The picture could not be shown to the network.", ctx);
    let path = subject.sight.as_ref().and_then(|sight| sight.picture.as_ref()).ok_or(Failure::Cancelled)?;
    let bench = hosted.slots.of::<Bench>();
    let picture = Picture::read(path).map_err(|error| failed(&error))?;
    let open = bench.network()?;
    let input = open.preprocess.apply(&picture);
    let input = open.preprocess.denormalise(&input).map_err(|error| failed(&error))?;
    let classes = open.classify(&picture, CLASSES).map_err(|error| failed(&error))?;
    let pixels = open.pixels(&picture).map_err(|error| failed(&error))?;
    bench.pixels = Some((path.clone(), pixels));
    Ok(Seen {
        path: path.clone(),
        size: (picture.width(), picture.height()),
        remarks: picture.remarks().iter().map(ToString::to_string).collect(),
        input,
        classes,
    })
}

/// The maps of the chosen site over the picture.
fn maps(hosted: &mut Hosted, subject: &Subject, _: Option<u64>, ctx: &RunContext) -> Result<ChannelMaps, Failure> {
    let failed = failed("The channels could not be computed.", ctx);
    let sight = subject.sight.as_ref().ok_or(Failure::Cancelled)?;
    let (path, site) = sight.picture.as_ref().zip(sight.site.as_ref()).ok_or(Failure::Cancelled)?;
    let bench = hosted.slots.of::<Bench>();
    if bench.pixels.as_ref().is_none_or(|(of, _)| of != path) {
        let picture = Picture::read(path).map_err(|error| failed(&error))?;
        let pixels = bench.network()?.pixels(&picture).map_err(|error| failed(&error))?;
        bench.pixels = Some((path.clone(), pixels));
    }
    let Some((_, pixels)) = &bench.pixels else { return Err(Failure::Cancelled) };
    channel_maps(bench.network()?, pixels, site).map_err(|error| failed(&error))
}

/// A photograph to begin with, if the shelf has one.
fn first_picture(shelf: &Shelf) -> Option<&Path> {
    let entries = shelf.set.entries();
    let liked = entries.iter().find(|entry| entry.path.ends_with("photographs/chelsea.png"));
    liked.or(entries.first()).map(|entry| entry.path.as_path())
}

impl Backend {
    /// Takes in and asks for everything about pictures.
    pub(super) fn update_vision(&mut self, session: &mut Session) {
        self.update_shelf(session);
        self.update_drawing(session);
        let document = &session.document;
        let Some(model) = document.model.get().filter(|model| model.vision.is_some()).cloned() else {
            if !document.model.is_loading() {
                self.slots.seen.abandon(&mut session.jobs);
                self.slots.maps.abandon(&mut session.jobs);
                self.abandon_studio(session);
                session.vision.forget_results();
            }
            return;
        };
        let state = &mut session.vision;
        if state.picture.is_none() {
            state.picture = state.shelf.get().and_then(|shelf| first_picture(shelf)).map(Path::to_owned);
        }
        let site = model.chosen_site(&session.selection).cloned();
        let number = self.model;
        let subject = |sight: Sight| Subject { model: number, sight: Some(sight), ..Subject::default() };
        let picture = state.picture.clone();
        let seen = picture.clone().map(|path| subject(Sight { picture: Some(path), ..Sight::default() }));
        // A picture that cannot be read is said to be so once.
        let readable = state.seen.get().filter(|seen| Some(&seen.path) == picture.as_ref()).is_some();
        let maps = site.clone().filter(|_| readable && session.wanted.contains(&ResultKind::ChannelMaps));
        let maps = maps.map(|site| subject(Sight { picture, site: Some(site), ..Sight::default() }));
        if seen.is_none() || state.seen.failure().is_some() {
            // Maps of an earlier picture are not shown beside one that cannot be read.
            self.slots.maps.forget();
            state.maps = Loadable::Empty;
        }
        let budget = self.options.budget_bytes.or(Some(DEFAULT_BUDGET_BYTES));
        let mut round = Round { host: &self.host, jobs: &mut session.jobs, budget };
        // The classes come first and always: they are what the network says.
        self.slots.seen.turn(&mut state.seen, seen, ResultKind::Picture, &mut round, self::seen);
        self.slots.maps.turn(&mut state.maps, maps, ResultKind::ChannelMaps, &mut round, self::maps);
        self.update_best(session, &model);
    }
}
