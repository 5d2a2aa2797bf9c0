//! How rows are put together of sites, and which of them a latent reads and writes.

use std::ops::Range;

use golgi_data::dictionary::Part;

use crate::SaeError;
use crate::parameters::Parameters;

/// What a dictionary is wired to.
#[derive(Debug, Clone, PartialEq)]
pub struct Wiring {
    /// The sites that it reads.
    pub inputs: Vec<Part>,
    /// The sites that it predicts; `None`: it reconstructs what it reads.
    pub outputs: Option<Vec<Part>>,
    /// Whether there is a dense path around the latents.
    pub skips: bool,
    /// A cross-layer transcoder: as many groups of latents as sites; group l reads input l and writes outputs l and later.
    pub cross_layer: bool,
}

impl Wiring {
    /// An autoencoder of one site, or a crosscoder of several.
    pub fn of(inputs: Vec<Part>) -> Wiring {
        Wiring { inputs, outputs: None, skips: false, cross_layer: false }
    }

    /// Whether it reconstructs several sites from all of them (Lindsey et al. 2024).
    pub fn is_crosscoder(&self) -> bool {
        self.outputs.is_none() && self.inputs.len() > 1
    }

    /// Checks that such a dictionary of `latents` latents is possible.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self, latents: u32) -> Result<(), SaeError> {
        let wrong = |text: String| Err(SaeError::Settings(text));
        if self.skips && self.outputs.is_none() {
            return wrong(
                "a dense path around an autoencoder would copy its input; use it with a transcoder".to_owned(),
            );
        }
        if !self.cross_layer {
            return Ok(());
        }
        let (sites, predicted) = (self.inputs.len(), self.outputs.as_ref().map_or(0, Vec::len));
        if sites < 2 || sites != predicted {
            return wrong(format!(
                "a cross-layer transcoder predicts a site of each layer that it reads; it reads {sites} and predicts {predicted}"
            ));
        }
        if !(latents as usize).is_multiple_of(sites) {
            return wrong(format!("{latents} latents cannot be shared evenly among {sites} layers; choose a multiple"));
        }
        if self.skips {
            return wrong("a cross-layer transcoder has no dense path; leave `skip` away".to_owned());
        }
        Ok(())
    }
}

/// Latents with the columns that they read and write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which latents.
    pub latents: Range<usize>,
    /// Columns of the input row.
    pub reads: Range<usize>,
    /// Columns of the output row.
    pub writes: Range<usize>,
}

/// The widths of sites in input and output rows, and who reads and writes which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    crosscoder: bool,
    cross_layer: bool,
}

impl Layout {
    /// Every latent reads all of `d_in` and writes all of `d_out`.
    pub fn plain(d_in: usize, d_out: usize) -> Layout {
        Layout { inputs: vec![d_in], outputs: vec![d_out], crosscoder: false, cross_layer: false }
    }

    /// That of a wiring.
    pub fn new(wiring: &Wiring) -> Layout {
        let widths = |parts: &[Part]| parts.iter().map(|part| part.width as usize).collect::<Vec<_>>();
        let outputs = wiring.outputs.as_ref().unwrap_or(&wiring.inputs);
        Layout {
            inputs: widths(&wiring.inputs),
            outputs: widths(outputs),
            crosscoder: wiring.is_crosscoder(),
            cross_layer: wiring.cross_layer,
        }
    }

    /// Widths of the sites in an input row.
    pub fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// Widths of the sites in an output row.
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// Whether several sites are reconstructed from all of them.
    pub fn is_crosscoder(&self) -> bool {
        self.crosscoder
    }

    /// Whether groups of latents belong to layers.
    pub fn is_cross_layer(&self) -> bool {
        self.cross_layer
    }

    /// The widths whose norms add up to a decoder row's norm in a penalty: `Σ_l ‖d_i^l‖` of a crosscoder (Lindsey et al. 2024),
    /// the norm of the whole row of everything else (of the concatenated decoders of a cross-layer transcoder, Ameisen et al. 2025).
    pub fn penalised(&self) -> Vec<usize> {
        match self.crosscoder {
            true => self.outputs.clone(),
            false => vec![self.outputs.iter().sum()],
        }
    }

    /// Latents in groups of equal reading and writing; a single group unless this is a cross-layer transcoder.
    pub fn blocks(&self, latents: usize) -> Vec<Block> {
        let (d_in, d_out) = (self.inputs.iter().sum(), self.outputs.iter().sum());
        if !self.cross_layer {
            return vec![Block { latents: 0..latents, reads: 0..d_in, writes: 0..d_out }];
        }
        let each = latents / self.inputs.len();
        let (mut read, mut written) = (0, 0);
        let widths = self.inputs.iter().zip(&self.outputs).enumerate();
        widths
            .map(|(layer, (input, output))| {
                let block = Block {
                    latents: layer * each..(layer + 1) * each,
                    reads: read..read + input,
                    writes: written..d_out,
                };
                (read, written) = (read + input, written + output);
                block
            })
            .collect()
    }

    /// Sets to 0 what no latent reads or writes, of weights or of their gradients.
    pub fn mask(&self, parameters: &mut Parameters) {
        if !self.cross_layer {
            return;
        }
        let latents = parameters.encoder_bias.len();
        let (d_in, d_out) = (parameters.encoder.len() / latents, parameters.decoder_bias.len());
        for block in self.blocks(latents) {
            for latent in block.latents {
                let row = &mut parameters.encoder[latent * d_in..(latent + 1) * d_in];
                row[..block.reads.start].fill(0.0);
                row[block.reads.end..].fill(0.0);
                let row = &mut parameters.decoder[latent * d_out..(latent + 1) * d_out];
                row[..block.writes.start].fill(0.0);
                row[block.writes.end..].fill(0.0);
            }
        }
    }
}

/// The columns of each part in a row of parts of these widths.
pub(crate) fn columns(widths: &[usize]) -> impl Iterator<Item = Range<usize>> {
    widths.iter().scan(0, |end, width| {
        let start = *end;
        *end += width;
        Some(start..*end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(width: u32) -> Part {
        Part { site: format!("w{width}"), width }
    }

    #[test]
    fn a_layer_writes_to_itself_and_what_follows() {
        let outputs = Some(vec![part(2), part(4), part(6)]);
        let wiring = Wiring { inputs: vec![part(3), part(5), part(7)], outputs, skips: false, cross_layer: true };
        assert!(wiring.check(9).is_ok());
        assert!(wiring.check(10).unwrap_err().to_string().contains("shared evenly among 3 layers"));
        let layout = Layout::new(&wiring);
        let blocks = layout.blocks(9);
        assert_eq!(blocks[0], Block { latents: 0..3, reads: 0..3, writes: 0..12 });
        assert_eq!(blocks[1], Block { latents: 3..6, reads: 3..8, writes: 2..12 });
        assert_eq!(blocks[2], Block { latents: 6..9, reads: 8..15, writes: 6..12 });
        let ones = |n: usize| vec![1f32; n];
        let mut parameters = Parameters {
            encoder: ones(9 * 15),
            encoder_bias: ones(9),
            decoder: ones(9 * 12),
            decoder_bias: ones(12),
            ..Parameters::default()
        };
        layout.mask(&mut parameters);
        assert_eq!(parameters.encoder.iter().sum::<f32>(), 3.0 * (3.0 + 5.0 + 7.0));
        assert_eq!(parameters.decoder.iter().sum::<f32>(), 3.0 * (12.0 + 10.0 + 6.0));
        assert_eq!(parameters.decoder[3 * 12..3 * 12 + 3], [0.0, 0.0, 1.0]);
    }

    #[test]
    fn impossible_wirings_are_explained() {
        let error = |wiring: Wiring| wiring.check(8).unwrap_err().to_string();
        let alone = Wiring { outputs: None, skips: true, ..Wiring::of(vec![part(3)]) };
        assert!(error(alone).contains("would copy its input"));
        let uneven = Wiring { outputs: Some(vec![part(2)]), cross_layer: true, ..Wiring::of(vec![part(3), part(3)]) };
        assert!(error(uneven).contains("reads 2 and predicts 1"));
    }
}
