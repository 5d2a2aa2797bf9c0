//! Pictures to study vision models on.
//!
//! A [`Picture`] is 8-bit sRGB, whatever its file was; what that took is in its [`Remark`]s. [`Preprocess`] makes a model's
//! input of it. An [`ImageSet`] is a folder, a folder of class folders, a table or a single file, whose pictures are read
//! in batches; every picture belongs to one [`Split`](crate::corpus::Split) for good, by the hash of its file. A
//! [`LabelMap`] says for every pixel of a picture what is there, and [`generate`] makes pictures with masks that are exact.
//!
//! ```
//! use golgi_data::images::{Picture, Preprocess};
//!
//! let picture = Picture::new(300, 200, vec![200; 300 * 200 * 3])?;
//! let preprocess = Preprocess::imagenet(224)?;
//! let input = preprocess.apply(&picture); // [3, 224, 224]
//! assert_eq!(input.len(), 3 * 224 * 224);
//! assert!((input[0] - (200.0 / 255.0 - 0.485) / 0.229).abs() < 1e-4);
//! # Ok::<(), golgi_data::images::ImageError>(())
//! ```

mod csv_file;
mod decode;
mod error;
pub mod generate;
mod hub;
mod jpeg;
mod mask;
mod picture;
mod preprocess;
mod resample;
mod set;
mod starter;
mod thumbnail;

pub use error::ImageError;
pub use mask::{LABELS, LabelMap, MaskLabel, MaskLabels};
pub use picture::{Picture, Remark};
pub use preprocess::{Fit, Preprocess, PreprocessSettings};
pub use resample::Interpolation;
pub use set::{Batches, Contents, ImageEntry, ImageSet, Loaded, ReadReport, SetNote, TABLE};
pub use starter::{StarterImages, starter_folder, starter_parts};

#[cfg(test)]
mod mask_tests;
#[cfg(test)]
mod picture_tests;
#[cfg(test)]
mod preprocess_tests;
