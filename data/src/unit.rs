//! Units: one neuron, head, channel, residual dimension or latent of a dictionary, with an address that can be copied and pasted.
//!
//! ```
//! use golgi_data::unit::Unit;
//!
//! let neuron: Unit = "L5N123".parse()?;
//! assert_eq!(neuron.to_string(), "blocks.5.mlp.hook_post:123");
//! let head: Unit = "L18H6".parse()?;
//! assert_eq!(head.to_string(), "blocks.18.attn.hook_z:6");
//! let latent: Unit = "L15F99".parse()?;
//! assert_eq!(latent.to_string(), "blocks.15.hook_resid_post.hook_sae_acts_post:99");
//! # Ok::<(), golgi_data::unit::UnitError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::site::{BlockPoint, Site};

/// A unit address that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the address of a unit; write `blocks.5.mlp.hook_post:123`, or `L5N123` for a neuron, `L18H6` for a head and `L15F99` for a latent"
)]
pub struct UnitError(pub String);

/// One coordinate of a site: the neuron of an MLP site, the head of an attention site, the dimension of a residual one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit {
    /// Where it lives.
    pub site: Site,
    /// Its index along the site's unit axis: the last one, or the head axis of a per-head site.
    pub index: u32,
}

impl Unit {
    /// The unit `index` of `site`.
    pub fn new(site: Site, index: u32) -> Unit {
        Unit { site, index }
    }

    /// MLP neuron `index` of `layer`, read at `mlp.hook_post`.
    pub fn neuron(layer: u32, index: u32) -> Unit {
        Unit::new(Site::block(layer, BlockPoint::MlpPost), index)
    }

    /// Attention head `index` of `layer`, read at `attn.hook_z`.
    pub fn head(layer: u32, index: u32) -> Unit {
        Unit::new(Site::block(layer, BlockPoint::Z), index)
    }

    /// Latent `index` of a dictionary of the residual stream behind `layer`.
    pub fn latent(layer: u32, index: u32) -> Unit {
        Unit::new(Site::block(layer, BlockPoint::ResidPost).latents(), index)
    }

    /// The short form `L5N123`, `L18H6` or `L15F99` where there is one, else the whole address.
    pub fn short(&self) -> String {
        match &self.site {
            Site::Block { layer, point: BlockPoint::MlpPost } => format!("L{layer}N{}", self.index),
            Site::Block { layer, point: BlockPoint::Z } => format!("L{layer}H{}", self.index),
            Site::Latents(read) => match **read {
                Site::Block { layer, point: BlockPoint::ResidPost } => format!("L{layer}F{}", self.index),
                _ => self.to_string(),
            },
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.site, self.index)
    }
}

impl FromStr for Unit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Unit, UnitError> {
        let unknown = || UnitError(text.chars().take(200).collect());
        if let Some((site, index)) = text.rsplit_once(':') {
            let site = site.parse().map_err(|_| unknown())?;
            return Ok(Unit::new(site, index.parse().map_err(|_| unknown())?));
        }
        let rest = text.strip_prefix(['L', 'l']).ok_or_else(unknown)?;
        let at = rest.find(['N', 'n', 'H', 'h', 'F', 'f']).ok_or_else(unknown)?;
        let (layer, index) =
            (rest[..at].parse().map_err(|_| unknown())?, rest[at + 1..].parse().map_err(|_| unknown())?);
        Ok(match rest.as_bytes()[at] {
            b'N' | b'n' => Unit::neuron(layer, index),
            b'F' | b'f' => Unit::latent(layer, index),
            _ => Unit::head(layer, index),
        })
    }
}

impl Serialize for Unit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Unit, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_and_short_forms() {
        assert_eq!("l5n1".parse::<Unit>(), Ok(Unit::neuron(5, 1)));
        assert_eq!(Unit::head(18, 6).short(), "L18H6");
        let latent = Unit::latent(15, 99);
        assert_eq!((latent.short().parse(), latent.to_string().parse()), (Ok(latent.clone()), Ok(latent.clone())));
        assert_eq!(latent.site.layer(), Some(15));
        assert!(format!("{}.hook_sae_acts_post:1", latent.site).parse::<Unit>().is_err());
        let early = Unit::new(Site::Embed.latents(), 3);
        assert_eq!((early.short(), early.short().parse()), ("hook_embed.hook_sae_acts_post:3".into(), Ok(early)));
        for bad in ["", "L", "LN", "L5", "L5N", "5N1", "blocks.5.mlp.hook_post", "blocks.5.mlp.hook_post:-1", "L5é1"] {
            assert!(bad.parse::<Unit>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(layer in 0u32..200, index in any::<u32>()) {
            let unit = Unit::neuron(layer, index);
            prop_assert_eq!(unit.to_string().parse::<Unit>(), Ok(unit.clone()));
            prop_assert_eq!(unit.short().parse::<Unit>(), Ok(unit));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,30}") {
            let _ = text.parse::<Unit>();
        }
    }
}
