//! What an atlas is about: a model and, where wanted, dictionaries of its sites, whose latents are units like any others.

use std::sync::Arc;

use golgi_data::atlas::{AtlasDictionary, UnitGroup, UnitKind};
use golgi_data::dictionary::Dictionary;
use golgi_data::site::{BlockPoint, Site};
use golgi_probes::transformer::SiteAxes;
use golgi_probes::{OpenModel, Tensor};
use golgi_sae::Coder;

use super::weights::written;
use super::{BuildError, BuildOptions};
use crate::error::Result;

/// A dictionary at a site of a model.
#[derive(Debug, Clone)]
pub(super) struct Latents {
    pub coder: Arc<Coder>,
    /// The site that it reads.
    pub site: Site,
    pub about: AtlasDictionary,
}

/// A model with dictionaries.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    pub(super) model: &'a OpenModel,
    pub(super) dictionaries: Vec<Latents>,
}

impl<'a> From<&'a OpenModel> for Subject<'a> {
    fn from(model: &'a OpenModel) -> Subject<'a> {
        Subject { model, dictionaries: Vec::new() }
    }
}

/// Numbers per token at a site.
fn width(model: &OpenModel, site: &Site) -> Option<usize> {
    let spec = model.model.sites().into_iter().find(|spec| spec.site == *site && spec.axes != SiteAxes::Pattern)?;
    // Batch and position first; what follows is one token's.
    Some(spec.shape(&model.model.dims, 1, 1).iter().product())
}

impl<'a> Subject<'a> {
    /// Adds the latents of a dictionary that was read from `source`.
    ///
    /// # Errors
    /// If it reads several sites, or one that the model does not have in this width, or its site has a dictionary already.
    pub fn with(mut self, dictionary: Dictionary, source: &str) -> Result<Subject<'a>> {
        let refuse = |why: String| Err(BuildError::Dictionary { source_name: source.to_owned(), why }.into());
        let config = &dictionary.config;
        let [part] = config.inputs.as_slice() else {
            return refuse("it reads several sites at once; an atlas takes dictionaries that read one".to_owned());
        };
        let Ok(site) = part.site.parse::<Site>() else {
            return refuse(format!("its site `{}` is unknown", part.site));
        };
        match width(self.model, &site) {
            Some(width) if width == part.width as usize => {}
            Some(width) => {
                return refuse(format!("it reads {} numbers at {site}, where this model has {width}", part.width));
            }
            None => return refuse(format!("this model has no site {site}")),
        }
        if self.dictionaries.iter().any(|other| other.site == site) {
            return refuse(format!("there is a dictionary of {site} already; give each its own atlas"));
        }
        let about = AtlasDictionary {
            site: part.site.clone(),
            digest: dictionary.digest(),
            source: source.to_owned(),
            about: format!("{}, {} latents", config.architecture.name(), config.latents),
        };
        let coder = Coder::new(dictionary)
            .map_err(|error| BuildError::Dictionary { source_name: source.to_owned(), why: error.to_string() })?;
        self.dictionaries.push(Latents { coder: Arc::new(coder), site, about });
        Ok(self)
    }

    /// The dictionary that reads `site`.
    pub(super) fn latents_at(&self, site: &Site) -> Option<&Latents> {
        self.dictionaries.iter().find(|own| own.site == *site)
    }

    /// Groups of units in the order of their ids: neurons by layer, latents by dictionary, heads and residual dimensions by layer.
    pub(super) fn groups(&self, options: &BuildOptions) -> Vec<UnitGroup> {
        let (dims, layers) = (&self.model.model.dims, self.model.model.blocks.len() as u32);
        let mut groups = Vec::new();
        let mut start = 0;
        let mut push = |kind, site: Site, count: u32| {
            groups.push(UnitGroup { kind, layer: site.layer().unwrap_or(0), site: site.to_string(), start, count });
            start += count;
        };
        let by_layer =
            |kind, point, count: usize| (0..layers).map(move |layer| (kind, Site::block(layer, point), count as u32));
        let latents = self.dictionaries.iter().map(|own| {
            let latents = own.coder.dictionary().config.latents;
            (UnitKind::Latent, own.site.latents(), latents)
        });
        let neurons = by_layer(UnitKind::Neuron, BlockPoint::MlpPost, dims.d_mlp).filter(|_| options.neurons);
        let heads = by_layer(UnitKind::Head, BlockPoint::Z, dims.n_heads).filter(|_| options.heads);
        let residual = by_layer(UnitKind::Residual, BlockPoint::ResidPost, dims.d_model).filter(|_| options.residual);
        for (kind, site, count) in neurons.chain(latents).chain(heads).chain(residual) {
            push(kind, site, count);
        }
        groups
    }
}

impl Latents {
    /// What the latents write into the residual stream, `[latents, d_model]`; `None` where there is no linear way from what they write
    /// to the stream. A dictionary of MLP activations writes through the MLP's own output weights.
    pub fn written(&self, model: &OpenModel) -> Result<Option<Tensor>> {
        let dictionary = self.coder.dictionary();
        let [part] = dictionary.config.outputs.as_slice() else { return Ok(None) };
        let Ok(Site::Block { layer, point }) = part.site.parse::<Site>() else { return Ok(None) };
        let rows = || -> Result<Tensor> {
            let shape = [i64::from(dictionary.config.latents), i64::from(part.width)];
            Ok(Tensor::f_from_slice(&dictionary.decoder)?.f_view(shape)?)
        };
        match point {
            BlockPoint::ResidPre
            | BlockPoint::ResidMid
            | BlockPoint::ResidPost
            | BlockPoint::AttnOut
            | BlockPoint::MlpOut => Ok(Some(rows()?)),
            BlockPoint::MlpPost => Ok(Some(rows()?.f_matmul(&written(model, layer as usize)?)?)),
            _ => Ok(None),
        }
    }
}
