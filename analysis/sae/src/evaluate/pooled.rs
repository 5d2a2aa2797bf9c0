//! Texts as a dictionary, or something that must be beaten by it, sees them: one activation for each latent and text.

use golgi_data::dictionary::Codes;
use rayon::prelude::*;

use super::{Pca, RandomDirections};
use crate::kernels::matmul;
use crate::kernels::vector::add_scaled;
use crate::{Coder, SaeError};

/// The mean activations of texts. What latent i writes to text t is `activations[t, i] · directions[i]`.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// Its name in tables.
    pub name: String,
    /// How many latents.
    pub latents: usize,
    /// `[texts, latents]`: the mean over a text's positions.
    pub activations: Vec<f32>,
    /// `[latents, d]`.
    pub directions: Vec<f32>,
}

impl Pooled {
    /// The activation of a latent in a text.
    pub fn at(&self, text: usize, latent: usize) -> f32 {
        self.activations[text * self.latents + latent]
    }

    /// What a latent writes.
    pub fn direction(&self, latent: usize) -> &[f32] {
        let d = self.directions.len() / self.latents.max(1);
        &self.directions[latent * d..(latent + 1) * d]
    }

    /// No text yet, of a dictionary.
    pub fn of_dictionary(coder: &Coder) -> Pooled {
        let dictionary = coder.dictionary();
        let (latents, directions) = (dictionary.config.latents as usize, dictionary.decoder.clone());
        Pooled { name: "dictionary".to_owned(), latents, activations: Vec::new(), directions }
    }

    /// Adds texts of `lengths` positions, whose rows stand one behind the other in `rows`, to what a dictionary makes of them. A
    /// latent counts as it writes: its activation times what undoes the normalisation.
    ///
    /// # Errors
    /// If the rows are not of the dictionary's width, or the tensor library fails.
    pub fn push(&mut self, coder: &Coder, rows: &[f32], lengths: &[usize]) -> Result<(), SaeError> {
        let (codes, undo) = (coder.encode(rows)?, coder.undo(rows));
        self.push_codes(&codes, lengths, |row| undo[row].factor);
        Ok(())
    }

    fn push_codes(&mut self, codes: &Codes, lengths: &[usize], factor: impl Fn(usize) -> f32) {
        let mut row = 0;
        for length in lengths {
            let start = self.activations.len();
            self.activations.resize(start + self.latents, 0.0);
            let text = &mut self.activations[start..];
            for row in row..row + length {
                let (latents, values) = codes.row(row);
                for (latent, value) in latents.iter().zip(values) {
                    text[*latent as usize] += value * factor(row) / *length as f32;
                }
            }
            row += length;
        }
    }

    /// The coordinates of the site, from `mean`: the model's own basis. `texts` are mean rows, `[texts, d]`.
    pub fn of_coordinates(texts: &[f32], mean: &[f32]) -> Pooled {
        let d = mean.len();
        let mut activations = texts.to_vec();
        activations.par_chunks_mut(d).for_each(|row| add_scaled(row, -1.0, mean));
        let mut directions = vec![0f32; d * d];
        (0..d).for_each(|at| directions[at * d + at] = 1.0);
        Pooled { name: "coordinates".to_owned(), latents: d, activations, directions }
    }

    /// Principal components. `texts` are mean rows, `[texts, d]`.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn of_components(pca: &Pca, texts: &[f32]) -> Result<Pooled, SaeError> {
        let directions = pca.components().to_vec();
        let d = pca.mean().len();
        let latents = directions.len() / d;
        let mut centred = texts.to_vec();
        centred.par_chunks_mut(d).for_each(|row| add_scaled(row, -1.0, pca.mean()));
        let mut activations = vec![0f32; texts.len() / d * latents];
        matmul::times_transposed(&mut activations, &centred, &directions, d)?;
        Ok(Pooled { name: "PCA".to_owned(), latents, activations, directions })
    }

    /// No text yet, of random directions.
    pub fn of_random(random: &RandomDirections) -> Pooled {
        let directions = random.directions().to_vec();
        let latents = directions.len() / random.mean().len();
        Pooled { name: "random directions".to_owned(), latents, activations: Vec::new(), directions }
    }

    /// As [`Pooled::push`] for random directions.
    ///
    /// # Errors
    /// If the tensor library fails.
    pub fn push_random(&mut self, random: &RandomDirections, rows: &[f32], lengths: &[usize]) -> Result<(), SaeError> {
        self.push_codes(&random.encode(rows)?, lengths, |_| 1.0);
        Ok(())
    }
}

/// Mean rows of texts of `lengths` positions, `[texts, d]`.
pub fn mean_rows(rows: &[f32], d: usize, lengths: &[usize]) -> Vec<f32> {
    let mut means = vec![0f32; lengths.len() * d];
    let mut rows = rows.chunks(d);
    for (mean, length) in means.chunks_mut(d).zip(lengths) {
        rows.by_ref().take(*length).for_each(|row| add_scaled(mean, 1.0 / *length as f32, row));
    }
    means
}

#[cfg(test)]
mod tests {
    use golgi_data::dictionary::{Architecture, Config, Dictionary, Normalisation, Part};

    use super::*;

    #[test]
    fn texts_are_means_of_what_is_written() {
        let mut config = Config::autoencoder(Architecture::Standard, Part { site: "x".into(), width: 2 }, 2);
        config.normalisation = Normalisation::Scale { input: 2.0, output: 2.0 };
        let eye = vec![1.0, 0.0, 0.0, 1.0];
        let dictionary = Dictionary {
            encoder: eye.clone(),
            encoder_bias: vec![0.0; 2],
            decoder: eye,
            decoder_bias: vec![0.0; 2],
            ..Dictionary::empty(config)
        };
        let coder = Coder::new(dictionary).unwrap();
        let rows = [1.0, 2.0, 3.0, -4.0, 5.0, 6.0];
        let mut pooled = Pooled::of_dictionary(&coder);
        pooled.push(&coder, &rows, &[2, 1]).unwrap();
        // Latents are twice as active as they write.
        assert_eq!(pooled.activations, [2.0, 1.0, 5.0, 6.0]);
        let texts = mean_rows(&rows, 2, &[2, 1]);
        assert_eq!(texts, [2.0, -1.0, 5.0, 6.0]);
        assert_eq!(Pooled::of_coordinates(&texts, &[1.0, 1.0]).activations, [1.0, -2.0, 4.0, 5.0]);
        let pca = Pca::fit(&texts, 2, 2).unwrap();
        let components = Pooled::of_components(&pca, &texts).unwrap();
        for (text, row) in texts.chunks(2).enumerate() {
            for (at, value) in row.iter().enumerate() {
                let written = (0..2).map(|one| components.at(text, one) * components.direction(one)[at]).sum::<f32>();
                assert!((written + pca.mean()[at] - value).abs() < 1e-5);
            }
        }
    }
}
