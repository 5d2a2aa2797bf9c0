//! Pictures that are generated, with the truth about every pixel: textures, shapes, and scenes of shapes over textured or
//! photographic grounds.
//!
//! ```
//! use golgi_data::images::generate::{Scene, SceneOptions};
//!
//! let options = SceneOptions { side: 64, ..SceneOptions::default() };
//! let (picture, concepts) = Scene::generate(7, &options)?;
//! assert_eq!(picture.width(), 64);
//! // Every object has a colour, a shape and a texture.
//! for category in ["colour", "shape", "texture"] {
//!     assert!(concepts.iter().any(|concept| concept.category == category && concept.pixels() > 0));
//! }
//! assert_eq!(Scene::generate(7, &options)?.0, picture);
//! # Ok::<(), golgi_data::images::ImageError>(())
//! ```

mod palette;
mod scene;
mod shape;
mod texture;
mod write;

pub use palette::Colour;
pub use scene::{CATEGORIES, ConceptMask, Ground, Object, Scene, SceneOptions};
pub use shape::Shape;
pub use texture::{Texture, TextureKind};
pub use write::write_set;

#[cfg(test)]
mod tests;
