//! Sparse dictionaries as they lie on disk: autoencoders, transcoders, crosscoders, in Golgi's own form and in those of other
//! libraries.
//!
//! A [`Dictionary`] maps an activation `x` (row vector, `d_in`) to few active latents `f` (of `m`) and these to `y` (`d_out`):
//!
//! ```text
//! x' = normalised x                      z = (x' − b_dec, if so configured) · W_enc + b_enc
//! f  = activation of the architecture    y' = f · W_dec + b_dec (+ x' · W_skipᵀ)      y = y' with the normalisation undone
//! ```
//!
//! Several input or output sites (crosscoders, cross-layer transcoders) stand side by side in one row, in the order of
//! [`Config::inputs`] and [`Config::outputs`].
//!
//! On disk a dictionary is a folder with `dictionary.json` ([`Config`], schema `golgi.dictionary/1`) and `weights.safetensors`.
//! [`Dictionary::encode`] and [`Dictionary::decode`] are plain and slow: they say what the numbers mean, and faster code is checked
//! against them.
//!
//! ```
//! use golgi_data::dictionary::{Architecture, Config, Dictionary, Part};
//!
//! let site = Part { site: "blocks.0.hook_resid_post".into(), width: 2 };
//! let config = Config::autoencoder(Architecture::TopK { k: 1 }, site, 3);
//! let dictionary = Dictionary {
//!     encoder: vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0],
//!     encoder_bias: vec![0.0; 3],
//!     decoder: vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0],
//!     decoder_bias: vec![0.0; 2],
//!     ..Dictionary::empty(config)
//! };
//! let codes = dictionary.encode(&[-2.0, 0.5])?;
//! assert_eq!((codes.row(0).0, codes.row(0).1), (&[2u32][..], &[2.0f32][..]));
//! assert_eq!(dictionary.decode(&codes, &[-2.0, 0.5])?, [-2.0, 0.0]);
//!
//! let folder = tempfile::tempdir()?;
//! dictionary.write(folder.path())?;
//! assert_eq!(Dictionary::read(folder.path())?, dictionary);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod codes;
mod config;
mod error;
pub mod exchange;
mod native;
mod plain;
#[cfg(test)]
mod tests;

pub use codes::Codes;
pub use config::{Architecture, Config, Domain, Normalisation, Part};
pub use error::DictionaryError;
pub use native::{CONFIG, WEIGHTS};
pub use plain::Undo;

/// A sparse dictionary with its weights. All matrices are row-major and have one row per latent.
#[derive(Debug, Clone, PartialEq)]
pub struct Dictionary {
    /// What it is and where it belongs.
    pub config: Config,
    /// W_encᵀ, `[m, d_in]`: what each latent reads.
    pub encoder: Vec<f32>,
    /// b_enc, `[m]`; of a gated dictionary b_gate.
    pub encoder_bias: Vec<f32>,
    /// W_dec, `[m, d_out]`: what each latent writes.
    pub decoder: Vec<f32>,
    /// b_dec, `[d_out]`.
    pub decoder_bias: Vec<f32>,
    /// θ, `[m]`, of JumpReLU; of BatchTopK and Matryoshka the threshold that takes the batch's place after training.
    pub threshold: Option<Vec<f32>>,
    /// The second path of a gated dictionary.
    pub magnitude: Option<Magnitude>,
    /// W_skip, `[d_out, d_in]`, of a skip transcoder.
    pub skip: Option<Vec<f32>>,
}

/// How strongly an open gate's latent is active: `ReLU(e^r ⊙ (x − b_dec)·W_enc + b_mag)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Magnitude {
    /// r, `[m]`.
    pub log_scale: Vec<f32>,
    /// b_mag, `[m]`.
    pub bias: Vec<f32>,
}

impl Dictionary {
    /// A dictionary of this form without weights, to be filled.
    pub fn empty(config: Config) -> Dictionary {
        let (encoder, encoder_bias, decoder, decoder_bias) = (vec![], vec![], vec![], vec![]);
        Dictionary {
            config,
            encoder,
            encoder_bias,
            decoder,
            decoder_bias,
            threshold: None,
            magnitude: None,
            skip: None,
        }
    }

    /// What latent `latent` reads, `[d_in]`.
    pub fn reads(&self, latent: usize) -> &[f32] {
        let width = self.config.d_in();
        &self.encoder[latent * width..(latent + 1) * width]
    }

    /// What latent `latent` writes, `[d_out]`.
    pub fn writes(&self, latent: usize) -> &[f32] {
        let width = self.config.d_out();
        &self.decoder[latent * width..(latent + 1) * width]
    }

    /// BLAKE3 of its form and its numbers, in hexadecimal: the same for dictionaries that compute the same in the same way, wherever
    /// they came from.
    pub fn digest(&self) -> String {
        let Config { architecture, inputs, outputs, normalisation, subtract_decoder_bias, .. } = &self.config;
        let form = serde_json::json!([architecture, inputs, outputs, normalisation, subtract_decoder_bias]);
        let mut hasher = blake3::Hasher::new();
        hasher.update(form.to_string().as_bytes());
        let magnitude = self.magnitude.as_ref();
        let arrays = [
            Some(&self.encoder),
            Some(&self.encoder_bias),
            Some(&self.decoder),
            Some(&self.decoder_bias),
            self.threshold.as_ref(),
            magnitude.map(|one| &one.log_scale),
            magnitude.map(|one| &one.bias),
            self.skip.as_ref(),
        ];
        for values in arrays {
            // The length in front tells an array that is not there from one that is empty.
            hasher.update(&values.map_or(u64::MAX, |values| values.len() as u64).to_le_bytes());
            for value in values.into_iter().flatten() {
                hasher.update(&value.to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Checks every shape, that every number is finite, and that the configuration is possible.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), DictionaryError> {
        self.config.check()?;
        let (m, d_in, d_out) = (self.config.latents as usize, self.config.d_in(), self.config.d_out());
        let magnitude = self.magnitude.as_ref();
        let arrays = [
            ("W_enc", Some(&self.encoder), m * d_in),
            ("b_enc", Some(&self.encoder_bias), m),
            ("W_dec", Some(&self.decoder), m * d_out),
            ("b_dec", Some(&self.decoder_bias), d_out),
            ("threshold", self.threshold.as_ref(), m),
            ("r_mag", magnitude.map(|one| &one.log_scale), m),
            ("b_mag", magnitude.map(|one| &one.bias), m),
            ("W_skip", self.skip.as_ref(), d_in * d_out),
        ];
        for (name, values, expected) in arrays {
            let Some(values) = values else { continue };
            if values.len() != expected {
                return Err(DictionaryError::Size { name, expected, actual: values.len() });
            }
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Err(DictionaryError::NotFinite { name, at, value: values[at] });
            }
        }
        let architecture = &self.config.architecture;
        let name = architecture.name();
        if architecture.has_threshold() && self.threshold.is_none() {
            return Err(DictionaryError::Missing { name: "threshold", architecture: name });
        }
        if *architecture == Architecture::Gated && magnitude.is_none() {
            return Err(DictionaryError::Missing { name: "r_mag and b_mag", architecture: name });
        }
        Ok(())
    }
}
