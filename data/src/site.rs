//! Sites: the named points of a model where activations can be read and changed.
//!
//! The canonical text form is TransformerLens' (`blocks.5.mlp.hook_post`). Networks without that convention, such as
//! CNNs, use the module path of their reference implementation (`layer3.0.conv2`), which parses as [`Site::Module`]. What a sparse
//! dictionary makes of a site is a site too, [`Site::Latents`].
//!
//! ```
//! use golgi_data::site::{BlockPoint, Site, SitePattern};
//!
//! let site: Site = "blocks.5.mlp.hook_post".parse()?;
//! assert_eq!(site, Site::block(5, BlockPoint::MlpPost));
//! assert!(SitePattern::new("blocks.*.mlp.*")?.matches(&site));
//! # Ok::<(), golgi_data::site::SiteError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest site name or pattern that is accepted, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// A site name or pattern that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// Not a site name.
    #[error("`{0}` is not a site name; `golgi inspect MODEL` lists the sites of a model")]
    Name(String),
    /// Not a glob.
    #[error("`{pattern}` is not a valid site pattern: {cause}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What the glob compiler said.
        cause: String,
    },
}

/// A named point of a model. Ordered as a forward pass visits it: embeddings, blocks by layer, final norm, logits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// `hook_embed`: token embeddings as added to the residual stream, `[batch, pos, d_model]`.
    Embed,
    /// `hook_pos_embed`: learned position embeddings, `[batch, pos, d_model]`.
    PosEmbed,
    /// `hook_token_type_embed`: BERT's segment embeddings, `[batch, pos, d_model]`.
    TokenTypeEmbed,
    /// `embed.ln.hook_scale`: the norm of the embeddings (BERT), `[batch, pos, 1]`.
    EmbedNormScale,
    /// `embed.ln.hook_normalized`: the normalised embeddings (BERT), `[batch, pos, d_model]`.
    EmbedNormNormalized,
    /// A point inside block `layer`, counted from 0.
    Block {
        /// The layer, from 0.
        layer: u32,
        /// Which point of the block.
        point: BlockPoint,
    },
    /// `ln_final.hook_scale`, `[batch, pos, 1]`.
    LnFinalScale,
    /// `ln_final.hook_normalized`: what the unembedding reads, `[batch, pos, d_model]`.
    LnFinalNormalized,
    /// `logits`, `[batch, pos, d_vocab]`.
    Logits,
    /// Any other point, by its module path.
    Module(String),
    /// `SITE.hook_sae_acts_post`: the latents of a dictionary that reads `SITE`, `[batch, pos, latents]`; no point of the model itself.
    Latents(Box<Site>),
}

macro_rules! block_points {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The points inside a transformer block, in the order in which a forward pass visits them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum BlockPoint { $($(#[$doc])* $variant,)* }

        impl BlockPoint {
            /// Every point, in order of a forward pass.
            pub const ALL: &'static [BlockPoint] = &[$(BlockPoint::$variant,)*];

            /// The name behind `blocks.N.`.
            pub fn name(self) -> &'static str {
                match self { $(BlockPoint::$variant => $name,)* }
            }
        }
    };
}

block_points! {
    /// The residual stream before the block, `[batch, pos, d_model]`.
    ResidPre = "hook_resid_pre",
    /// Scale of the norm before attention, `[batch, pos, 1]`.
    Ln1Scale = "ln1.hook_scale",
    /// Output of the norm before attention, gain and bias applied, `[batch, pos, d_model]`.
    Ln1Normalized = "ln1.hook_normalized",
    /// Queries before any query norm and rotation, `[batch, pos, n_heads, d_head]`.
    Q = "attn.hook_q",
    /// Keys before any key norm and rotation, `[batch, pos, n_kv_heads, d_head]`.
    K = "attn.hook_k",
    /// Values, `[batch, pos, n_kv_heads, d_head]`.
    V = "attn.hook_v",
    /// Scale of the query norm, `[batch, pos, n_heads, 1]`.
    QNormScale = "attn.q_norm.hook_scale",
    /// Output of the query norm, `[batch, pos, n_heads, d_head]`.
    QNormNormalized = "attn.q_norm.hook_normalized",
    /// Scale of the key norm, `[batch, pos, n_kv_heads, 1]`.
    KNormScale = "attn.k_norm.hook_scale",
    /// Output of the key norm, `[batch, pos, n_kv_heads, d_head]`.
    KNormNormalized = "attn.k_norm.hook_normalized",
    /// Rotated queries, `[batch, pos, n_heads, d_head]`.
    RotQ = "attn.hook_rot_q",
    /// Rotated keys, `[batch, pos, n_kv_heads, d_head]`.
    RotK = "attn.hook_rot_k",
    /// Scaled, soft-capped and masked attention scores, `[batch, n_heads, query, key]`; masked entries are `-inf`.
    AttnScores = "attn.hook_attn_scores",
    /// Attention probabilities, `[batch, n_heads, query, key]`.
    Pattern = "attn.hook_pattern",
    /// Values mixed by the pattern, `[batch, pos, n_heads, d_head]`.
    Z = "attn.hook_z",
    /// What each head writes, before the output bias, `[batch, pos, n_heads, d_model]`.
    Result = "attn.hook_result",
    /// Scale of the norm behind attention (Gemma 2 and 3), `[batch, pos, 1]`.
    Ln1PostScale = "ln1_post.hook_scale",
    /// Output of the norm behind attention (Gemma 2 and 3), `[batch, pos, d_model]`.
    Ln1PostNormalized = "ln1_post.hook_normalized",
    /// The contribution of attention to the residual stream, `[batch, pos, d_model]`.
    AttnOut = "hook_attn_out",
    /// The residual stream between attention and MLP, `[batch, pos, d_model]`.
    ResidMid = "hook_resid_mid",
    /// Scale of the norm before the MLP, `[batch, pos, 1]`.
    Ln2Scale = "ln2.hook_scale",
    /// Output of the norm before the MLP, gain and bias applied, `[batch, pos, d_model]`.
    Ln2Normalized = "ln2.hook_normalized",
    /// MLP pre-activations (of the gate in a gated MLP), `[batch, pos, d_mlp]`.
    MlpPre = "mlp.hook_pre",
    /// The linear branch of a gated MLP, `[batch, pos, d_mlp]`.
    MlpPreLinear = "mlp.hook_pre_linear",
    /// MLP activations, the input of the down projection, `[batch, pos, d_mlp]`.
    MlpPost = "mlp.hook_post",
    /// Scale of the norm behind the MLP (Gemma 2 and 3), `[batch, pos, 1]`.
    Ln2PostScale = "ln2_post.hook_scale",
    /// Output of the norm behind the MLP (Gemma 2 and 3), `[batch, pos, d_model]`.
    Ln2PostNormalized = "ln2_post.hook_normalized",
    /// The contribution of the MLP to the residual stream, `[batch, pos, d_model]`.
    MlpOut = "hook_mlp_out",
    /// The residual stream behind the block, `[batch, pos, d_model]`.
    ResidPost = "hook_resid_post",
}

impl Site {
    /// The site `point` of block `layer`.
    pub fn block(layer: u32, point: BlockPoint) -> Site {
        Site::Block { layer, point }
    }

    /// The latents of a dictionary that reads this site.
    #[must_use]
    pub fn latents(&self) -> Site {
        Site::Latents(Box::new(self.clone()))
    }

    /// The layer this site belongs to, if it lies in a block; for latents that of what they are read from.
    pub fn layer(&self) -> Option<u32> {
        match self {
            Site::Block { layer, .. } => Some(*layer),
            Site::Latents(read) => read.layer(),
            _ => None,
        }
    }

    /// The point inside its block, if it lies in one.
    pub fn point(&self) -> Option<BlockPoint> {
        match self {
            Site::Block { point, .. } => Some(*point),
            _ => None,
        }
    }
}

/// What follows the name of a site in that of its latents.
const LATENTS: &str = ".hook_sae_acts_post";

const PLAIN: &[(&str, Site)] = &[
    ("hook_embed", Site::Embed),
    ("hook_pos_embed", Site::PosEmbed),
    ("hook_token_type_embed", Site::TokenTypeEmbed),
    ("embed.ln.hook_scale", Site::EmbedNormScale),
    ("embed.ln.hook_normalized", Site::EmbedNormNormalized),
    ("ln_final.hook_scale", Site::LnFinalScale),
    ("ln_final.hook_normalized", Site::LnFinalNormalized),
    ("logits", Site::Logits),
];

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Site::Block { layer, point } => write!(f, "blocks.{layer}.{}", point.name()),
            Site::Module(path) => f.write_str(path),
            Site::Latents(read) => write!(f, "{read}{LATENTS}"),
            plain => {
                let name = PLAIN.iter().find(|(_, site)| site == plain).map_or("", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

impl FromStr for Site {
    type Err = SiteError;

    fn from_str(text: &str) -> Result<Site, SiteError> {
        let unknown = || SiteError::Name(text.chars().take(MAX_NAME_BYTES).collect());
        if let Some((_, site)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(site.clone());
        }
        if let Some(read) = text.strip_suffix(LATENTS) {
            return match read.parse() {
                // Latents of latents are nobody's.
                Ok(Site::Latents(_)) | Err(_) => Err(unknown()),
                Ok(site) => Ok(Site::latents(&site)),
            };
        }
        if let Some((layer, name)) = text.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'))
            && let Some(point) = BlockPoint::ALL.iter().find(|point| point.name() == name)
        {
            // Only the shortest spelling of a number, so that parsing and printing are inverse.
            let number: u32 = layer.parse().map_err(|_| unknown())?;
            if number.to_string() != layer {
                return Err(unknown());
            }
            return Ok(Site::block(number, *point));
        }
        let word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // A TransformerLens-like name that is none of ours is a typing error, never a module path.
        let looks_like_a_hook = text.contains("hook_");
        if text.len() <= MAX_NAME_BYTES && !looks_like_a_hook && text.split('.').all(word) {
            return Ok(Site::Module(text.to_owned()));
        }
        Err(unknown())
    }
}

impl Serialize for Site {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Site {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Site, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A glob over canonical site names. `*` matches any run of characters, dots included; `?`, `[…]` and `{a,b}` work as
/// in a shell.
#[derive(Debug, Clone)]
pub struct SitePattern {
    text: String,
    matcher: globset::GlobMatcher,
}

impl SitePattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`SiteError::Pattern`] if it is no valid glob or longer than 256 bytes.
    pub fn new(text: &str) -> Result<SitePattern, SiteError> {
        let refuse = |cause: String| SiteError::Pattern { pattern: text.chars().take(MAX_NAME_BYTES).collect(), cause };
        if text.is_empty() || text.len() > MAX_NAME_BYTES {
            return Err(refuse(format!("a pattern has 1 to {MAX_NAME_BYTES} characters")));
        }
        let glob = globset::GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(true)
            .build()
            .map_err(|error| refuse(error.kind().to_string()))?;
        Ok(SitePattern { text: text.to_owned(), matcher: glob.compile_matcher() })
    }

    /// Whether `site` matches.
    pub fn matches(&self, site: &Site) -> bool {
        self.matcher.is_match(site.to_string())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<&Site> for SitePattern {
    /// The pattern that matches just this site. Site names hold no character that is special in a glob.
    fn from(site: &Site) -> SitePattern {
        SitePattern::new(&site.to_string()).expect("a site name is a valid pattern")
    }
}

impl PartialEq for SitePattern {
    fn eq(&self, other: &SitePattern) -> bool {
        self.text == other.text
    }
}

impl FromStr for SitePattern {
    type Err = SiteError;

    fn from_str(text: &str) -> Result<SitePattern, SiteError> {
        SitePattern::new(text)
    }
}

impl fmt::Display for SitePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for SitePattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for SitePattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<SitePattern, D::Error> {
        let text = String::deserialize(deserializer)?;
        SitePattern::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_parses_to_itself() {
        let blocks = BlockPoint::ALL.iter().map(|point| Site::block(17, *point));
        for site in PLAIN.iter().map(|(_, site)| site.clone()).chain(blocks) {
            assert_eq!(site.to_string().parse::<Site>(), Ok(site));
        }
    }

    #[test]
    fn misspelt_hooks_are_refused_and_module_paths_are_not() {
        assert!("blocks.5.mlp.hook_pst".parse::<Site>().is_err());
        assert!("blocks.05.mlp.hook_post".parse::<Site>().is_err());
        assert!("blocks.x.mlp.hook_post".parse::<Site>().is_err());
        assert!("".parse::<Site>().is_err());
        assert_eq!("layer3.0.conv2".parse::<Site>(), Ok(Site::Module("layer3.0.conv2".into())));
    }

    #[test]
    fn stars_cross_dots() {
        let site = Site::block(5, BlockPoint::Pattern);
        for (pattern, expected) in
            [("*", true), ("blocks.5.*", true), ("*hook_pattern", true), ("blocks.?.mlp*", false)]
        {
            assert_eq!(SitePattern::new(pattern).unwrap().matches(&site), expected, "{pattern}");
        }
        assert!(SitePattern::new("blocks.[").is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_round_trips(text in "[a-z0-9_.]{0,40}") {
            if let Ok(site) = text.parse::<Site>() {
                prop_assert_eq!(site.to_string(), text);
            }
        }
    }
}
