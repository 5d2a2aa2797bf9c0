//! Label maps as masks of concepts, as the network sees the picture.

use std::path::Path;

use golgi_data::images::{ImageError, ImageSet, LabelMap, MaskLabels, Picture, Preprocess};
use serde::Serialize;

use crate::error::VisionError;

/// The category of concepts in sets whose labels have no categories.
const ONLY: &str = "label";

/// Something that pixels are labelled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concept {
    /// What it is called.
    pub name: String,
    /// Its kind, such as colour or shape. A pixel has one concept of each at most.
    pub category: String,
}

/// All concepts of a set.
pub(super) struct Concepts {
    pub all: Vec<Concept>,
    /// For each number of a label map, the concepts that it stands for.
    of_number: Vec<Vec<usize>>,
}

impl Concepts {
    /// Of the table beside the first mask of a set.
    pub fn of(set: &ImageSet) -> Result<Concepts, VisionError> {
        let wrong = |text: String| VisionError::Settings(text);
        let mask = set.entries().iter().find_map(|entry| entry.mask.as_ref()).ok_or_else(|| {
            wrong(format!("the pictures of {} have no label maps; name a table with a column `mask`", set.name()))
        })?;
        let table = MaskLabels::beside(mask)
            .ok_or_else(|| wrong(format!("there is no labels.csv beside {} or above it", mask.display())))?;
        let labels = MaskLabels::read(&table)?;
        let mut all: Vec<Concept> = Vec::new();
        let mut of_number = vec![Vec::new(); usize::from(u16::MAX) + 1];
        for label in &labels.labels {
            let named: Vec<Concept> = if labels.categories.is_empty() {
                vec![Concept { name: label.name.clone(), category: ONLY.to_owned() }]
            } else {
                let pairs = labels.categories.iter().zip(&label.concepts);
                pairs
                    .filter_map(|(category, name)| Some(Concept { name: name.clone()?, category: category.clone() }))
                    .collect()
            };
            for concept in named {
                let at = all.iter().position(|known| *known == concept).unwrap_or_else(|| {
                    all.push(concept);
                    all.len() - 1
                });
                of_number[usize::from(label.value)].push(at);
            }
        }
        if all.is_empty() {
            return Err(wrong(format!("{} names no concepts", table.display())));
        }
        Ok(Concepts { all, of_number })
    }

    /// The masks of one picture, `[concepts, side · side]` of 0 and 1: the part of the label map that the network sees, sampled at the centres of
    /// `side` × `side` pixels.
    pub fn masks(
        &self,
        path: &Path,
        picture: &Picture,
        preprocess: &Preprocess,
        side: usize,
    ) -> Result<Vec<f32>, ImageError> {
        let map = LabelMap::read(path)?;
        map.check_fits(picture, &path.display().to_string())?;
        let [left, top, wide, high] = preprocess.region(picture);
        let pixel = |at: usize, first: f32, length: f32, size: u32| {
            let place = first + (at as f32 + 0.5) * length / side as f32;
            (place as usize).min(size as usize - 1)
        };
        let mut masks = vec![0f32; self.all.len() * side * side];
        for row in 0..side {
            let y = pixel(row, top, high, map.height());
            for column in 0..side {
                let x = pixel(column, left, wide, map.width());
                let number = map.labels()[y * map.width() as usize + x];
                for concept in &self.of_number[usize::from(number)] {
                    masks[(concept * side + row) * side + column] = 1.0;
                }
            }
        }
        Ok(masks)
    }
}
