//! A dictionary inside a model: activations replaced by their reconstructions, and latents changed.

use golgi_data::dictionary::{Codes, Domain};
use golgi_data::site::Site;
use golgi_probes::{Kind, PassInfo, ProbeError, Tap, Tensor};
use serde::{Deserialize, Serialize};

use crate::kernels::vector::add_scaled;
use crate::{Coder, SaeError};

/// What is done to one latent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum LatentEdit {
    /// `x − f_i d_i`: off, wherever it is active.
    Ablate,
    /// `x + (v − f_i) d_i`: as active as this everywhere.
    Clamp {
        /// v, in units of the dictionary's activations.
        value: f32,
    },
    /// `x + (s − 1) f_i d_i`.
    Scale {
        /// s.
        factor: f32,
    },
    /// `x + α d_i`: steering along the decoder's row.
    Add {
        /// α, in units of the dictionary's activations.
        amount: f32,
    },
}

/// What the model goes on with where a dictionary stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Replacement {
    /// The activation as it was, plus what the edits change: what the dictionary does not explain stays.
    KeepError,
    /// The reconstruction, edits included.
    Reconstruction,
    /// 0.
    Zero,
    /// One row, `[d]`: the mean.
    Constant(Vec<f32>),
}

/// The tap that does it at the site of an autoencoder.
pub struct Splice<'a> {
    coder: &'a Coder,
    site: Site,
    replacement: Replacement,
    edits: Vec<(u32, LatentEdit)>,
    /// Rows of others are left as they are.
    domain: Domain,
    offset: i64,
}

impl<'a> Splice<'a> {
    /// A dictionary at its own site. Rows of which it has nothing to say (the first position of a text, massive activations) are left as
    /// they are.
    ///
    /// # Errors
    /// If it is not an autoencoder of one site, or a latent is out of range.
    pub fn new(
        coder: &'a Coder,
        replacement: Replacement,
        edits: Vec<(u32, LatentEdit)>,
    ) -> Result<Splice<'a>, SaeError> {
        let config = &coder.dictionary().config;
        let site = match (config.inputs.as_slice(), config.is_autoencoder()) {
            ([part], true) => part.site.parse().map_err(|error: golgi_data::site::SiteError| {
                SaeError::Settings(format!("the dictionary's site is unknown: {error}"))
            })?,
            _ => {
                return Err(SaeError::Settings(
                    "only an autoencoder of one site can stand in a model for what it reads".to_owned(),
                ));
            }
        };
        if let Some((latent, _)) = edits.iter().find(|(latent, _)| *latent >= config.latents) {
            let latents = config.latents;
            return Err(SaeError::Settings(format!("there is no latent {latent}; the dictionary has {latents}")));
        }
        Ok(Splice { coder, site, replacement, edits, domain: config.domain(), offset: 0 })
    }

    /// The site.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What rows `[n, d]` become.
    ///
    /// # Errors
    /// If the rows have another width, or the tensor library fails.
    pub fn apply(&self, rows: &[f32]) -> Result<Vec<f32>, SaeError> {
        match &self.replacement {
            Replacement::Zero => Ok(vec![0.0; rows.len()]),
            Replacement::Constant(row) => Ok(row.repeat(rows.len() / row.len().max(1))),
            Replacement::Reconstruction => {
                let codes = self.coder.encode(rows)?;
                let mut out = self.coder.decode(&codes, rows)?;
                self.add_edits(&codes, rows, &mut out);
                Ok(out)
            }
            Replacement::KeepError => {
                let mut out = rows.to_vec();
                if !self.edits.is_empty() {
                    self.add_edits(&self.coder.encode(rows)?, rows, &mut out);
                }
                Ok(out)
            }
        }
    }

    fn add_edits(&self, codes: &Codes, rows: &[f32], out: &mut [f32]) {
        if self.edits.is_empty() {
            return;
        }
        let dictionary = self.coder.dictionary();
        let d = dictionary.config.d_out();
        for ((index, row), undo) in out.chunks_mut(d).enumerate().zip(self.coder.undo(rows)) {
            let (latents, values) = codes.row(index);
            for (latent, edit) in &self.edits {
                let active = latents.binary_search(latent).map_or(0.0, |place| values[place]);
                let change = match edit {
                    LatentEdit::Ablate => -active,
                    LatentEdit::Clamp { value } => value - active,
                    LatentEdit::Scale { factor } => (factor - 1.0) * active,
                    LatentEdit::Add { amount } => *amount,
                };
                if change != 0.0 {
                    add_scaled(row, change * undo.factor, dictionary.writes(*latent as usize));
                }
            }
        }
    }
}

impl Tap for Splice<'_> {
    fn wants(&self, site: &Site) -> bool {
        *site == self.site
    }

    fn begin(&mut self, pass: &PassInfo<'_>) -> Result<(), ProbeError> {
        self.offset = pass.offset;
        Ok(())
    }

    fn visit(&mut self, _site: &Site, activation: Tensor) -> Result<Tensor, ProbeError> {
        // With nothing to change the model goes on with the same tensor, bit for bit.
        if self.replacement == Replacement::KeepError && self.edits.is_empty() {
            return Ok(activation);
        }
        let (shape, kind, device) = (activation.size(), activation.kind(), activation.device());
        let plain = activation.f_detach()?.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
        let rows = Vec::<f32>::try_from(plain.f_view([-1])?)?;
        let width = self.coder.dictionary().config.d_in();
        let [_, pos, ..] = shape[..] else { return Ok(activation) };
        let mut out = self.apply(&rows).map_err(|error| match error {
            SaeError::Probe(error) => error,
            other => ProbeError::Trace(other.to_string()),
        })?;
        self.domain.keep_others(&mut out, &rows, width, pos as usize, self.offset == 0);
        Ok(Tensor::f_from_slice(&out)?.f_view(shape.as_slice())?.f_to_kind(kind)?.f_to_device(device)?)
    }
}
