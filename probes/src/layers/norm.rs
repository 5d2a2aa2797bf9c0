//! Layer norm and RMS norm, written out so that their scale can be read and changed.

use golgi_data::site::{BlockPoint, Site};
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::pass::{Flow, Pass};

/// Which norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// `(x − mean) / √(var + ε) · gain + bias`.
    Layer,
    /// `x / √(mean(x²) + ε) · gain`.
    Rms,
    /// RMS norm whose file stores `gain − 1` (Gemma).
    RmsPlusOne,
}

/// The element type in which sums over values of `kind` are taken: f32 at least.
pub(crate) fn accumulating(kind: Kind) -> Kind {
    if kind == Kind::Double { Kind::Double } else { Kind::Float }
}

/// A norm over the last axis.
#[derive(Debug)]
pub struct Norm {
    /// The effective gain, `[size]`: for Gemma the stored value plus 1.
    pub gain: Tensor,
    /// `[size]`, layer norm only.
    pub bias: Option<Tensor>,
    /// Which norm.
    pub kind: NormKind,
    /// ε, added to the variance.
    pub eps: f64,
}

/// The two sites of a norm: its scale and its output.
pub(crate) enum NormSites {
    /// Inside a block.
    Block(u32, BlockPoint, BlockPoint),
    /// Elsewhere.
    Plain(Site, Site),
}

impl NormSites {
    fn visit_scale(&self, pass: &mut Pass, scale: Tensor) -> Flow<Tensor> {
        match self {
            NormSites::Block(layer, point, _) => pass.block(*layer, *point, scale),
            NormSites::Plain(site, _) => pass.site(site.clone(), scale),
        }
    }

    fn visit_normalized(&self, pass: &mut Pass, normalized: Tensor) -> Flow<Tensor> {
        match self {
            NormSites::Block(layer, _, point) => pass.block(*layer, *point, normalized),
            NormSites::Plain(_, site) => pass.site(site.clone(), normalized),
        }
    }
}

impl Norm {
    /// `x` without its mean, for a layer norm; `x` itself for an RMS norm. Never in 16 bits, as in the reference
    /// implementations.
    pub fn center(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.f_to_kind(accumulating(x.kind()))?;
        Ok(match self.kind {
            NormKind::Layer => x.f_sub(&x.f_mean_dim(-1, true, None)?)?,
            NormKind::Rms | NormKind::RmsPlusOne => x,
        })
    }

    /// `√(mean(centred²) + ε)`, `[…, 1]`.
    pub fn scale(&self, centred: &Tensor) -> Result<Tensor> {
        Ok(centred.f_square()?.f_mean_dim(-1, true, None)?.f_add_scalar(self.eps)?.f_sqrt()?)
    }

    /// `centred / scale · gain + bias`, in the element type `kind`.
    pub fn normalize(&self, centred: &Tensor, scale: &Tensor, kind: Kind) -> Result<Tensor> {
        let unit = centred.f_div(scale)?;
        // Llama rounds before it multiplies with the gain, Gemma and layer norms afterwards; in f32 it is the same.
        let scaled = match self.kind {
            NormKind::Rms => unit.f_to_kind(kind)?.f_mul(&self.gain)?,
            NormKind::Layer | NormKind::RmsPlusOne => unit.f_mul(&self.gain)?,
        };
        let shifted = match &self.bias {
            Some(bias) => scaled.f_add(bias)?,
            None => scaled,
        };
        Ok(shifted.f_to_kind(kind)?)
    }

    /// The whole norm without taps.
    ///
    /// # Errors
    /// If the last axis of `x` has another size than the norm.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = self.center(x)?;
        self.normalize(&centred, &self.scale(&centred)?, x.kind())
    }

    pub(crate) fn tapped(&self, pass: &mut Pass, sites: &NormSites, x: &Tensor) -> Flow<Tensor> {
        let centred = self.center(x)?;
        let scale = sites.visit_scale(pass, self.scale(&centred)?)?;
        let normalized = self.normalize(&centred, &scale, x.kind())?;
        sites.visit_normalized(pass, normalized)
    }
}
