//! What neurons write, and what it means to the vocabulary.
//!
//! The gain of the final norm is folded into the unembedding, which is then centred over the vocabulary (softmax ignores what all
//! logits share) and, for a layer norm, over the stream. Written vectors are centred where the final norm does so. The norm's scale
//! is left out: it depends on the text.

use golgi_data::context::RunContext;
use golgi_probes::layers::{Norm, NormKind};
use golgi_probes::transformer::{Head, Layout};
use golgi_probes::{Device, Kind, OpenModel, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;

use super::statistics::Moments;
use crate::direct::{fold, obstacle, plain};
use crate::distribution::floats;
use crate::error::Result;

/// Rows of the unembedding worked on at once.
const ROWS: i64 = 4096;

/// How a written vector lies in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Profile {
    /// Moments over the vocabulary of the cosines with the rows of the unembedding.
    pub cosines: Moments,
    /// Variance over the vocabulary of the logits `W_U w_out`.
    pub logit_variance: f64,
    /// Length of the vector.
    pub length: f64,
}

/// What each neuron of `layer` adds to the stream, `[d_model, d_mlp]`, f32, the gain of a norm behind the MLP folded in. Centred if
/// the final norm takes the mean out.
pub(crate) fn writes(model: &OpenModel, layer: usize) -> Result<Tensor> {
    let block = &model.model.blocks[layer];
    let mut down = plain(&block.mlp.down.weight)?;
    if let Layout::Sandwich { ln2_post, .. } = &block.layout {
        down = down.f_mul(&plain(&ln2_post.gain)?.f_unsqueeze(1)?)?;
    }
    if model.model.final_norm().is_some_and(|norm| norm.kind == NormKind::Layer) {
        down = down.f_sub(&down.f_mean_dim(0, true, None::<Kind>)?)?;
    }
    Ok(down)
}

/// The columns `chosen` (layer, index) of the written vectors, each with its entries in random order: vectors of the same size and
/// spread that mean nothing. `[d_model, chosen]`.
pub(crate) fn shuffled(model: &OpenModel, chosen: &[(usize, usize)], rng: &mut impl Rng) -> Result<Tensor> {
    let mut columns = Vec::with_capacity(chosen.len());
    let mut cached: Option<(usize, Tensor)> = None;
    for (layer, index) in chosen {
        if cached.as_ref().is_none_or(|(held, _)| held != layer) {
            cached = Some((*layer, writes(model, *layer)?));
        }
        let Some((_, all)) = &cached else { continue };
        let mut values = floats(&all.f_select(1, *index as i64)?)?;
        values.shuffle(rng);
        columns.push(Tensor::f_from_slice(&values)?);
    }
    if columns.is_empty() {
        return Ok(Tensor::f_zeros([model.model.dims.d_model as i64, 0], (Kind::Float, Device::Cpu))?);
    }
    Ok(Tensor::f_stack(&columns, 1)?)
}

/// The unembedding, folded and centred.
pub(crate) struct Vocabulary<'a> {
    table: &'a Tensor,
    project: Option<Tensor>,
    norm: Option<&'a Norm>,
    /// The mean row.
    mean: Tensor,
}

impl<'a> Vocabulary<'a> {
    /// The vocabulary of a model; `None` with the reason if no linear path leads to its logits.
    pub fn new(model: &'a OpenModel) -> Result<Result<Vocabulary<'a>, &'static str>> {
        if let Some(cause) = obstacle(model) {
            return Ok(Err(cause));
        }
        let Head::Lm { norm, project_out, unembed, .. } = &model.model.head else {
            return Ok(Err("it has no unembedding"));
        };
        let project = project_out.as_ref().map(|project| plain(&project.weight)).transpose()?;
        let nothing = Tensor::f_zeros([1], (Kind::Float, Device::Cpu))?;
        let mut vocabulary = Vocabulary { table: &unembed.weight, project, norm: norm.as_ref(), mean: nothing };
        let mut sum = Tensor::f_zeros([model.model.dims.d_model as i64], (Kind::Double, Device::Cpu))?;
        for (start, rows) in vocabulary.pieces() {
            let rows = vocabulary.folded(&vocabulary.table.f_narrow(0, start, rows)?)?;
            sum = sum.f_add(&rows.f_sum_dim_intlist(0, false, Kind::Double)?)?;
        }
        vocabulary.mean = sum.f_div_scalar(vocabulary.size() as f64)?.f_to_kind(Kind::Float)?;
        Ok(Ok(vocabulary))
    }

    /// How many tokens.
    pub fn size(&self) -> i64 {
        self.table.size()[0]
    }

    fn pieces(&self) -> impl Iterator<Item = (i64, i64)> + use<> {
        let size = self.size();
        (0..size).step_by(ROWS as usize).map(move |start| (start, ROWS.min(size - start)))
    }

    fn folded(&self, rows: &Tensor) -> Result<Tensor> {
        let mut rows = plain(rows)?;
        if let Some(project) = &self.project {
            rows = rows.f_matmul(project)?;
        }
        match self.norm {
            Some(norm) => fold(norm, &rows),
            None => Ok(rows),
        }
    }

    /// The folded and centred rows of `tokens`, `[tokens, d_model]`.
    pub fn rows(&self, tokens: &[u32]) -> Result<Tensor> {
        let ids: Vec<i64> = tokens.iter().map(|id| i64::from(*id)).collect();
        let ids = Tensor::f_from_slice(&ids)?.f_to_device(self.table.device())?;
        Ok(self.folded(&self.table.f_index_select(0, &ids)?)?.f_sub(&self.mean)?)
    }

    /// The profile of every column of each of `directions` `[d_model, n]`. Memory: a few times `4096 · n` numbers.
    pub fn profiles(&self, directions: &[Tensor], ctx: &RunContext) -> Result<Vec<Vec<Profile>>> {
        let double = |n: i64| Tensor::f_zeros([5, n], (Kind::Double, Device::Cpu));
        let mut sums = directions.iter().map(|d| double(d.size()[1])).collect::<Result<Vec<_>, _>>()?;
        let lengths = directions
            .iter()
            .map(|d| d.f_square()?.f_sum_dim_intlist(0, false, Kind::Double)?.f_sqrt())
            .collect::<Result<Vec<_>, _>>()?;
        ctx.stage("projecting written vectors on the vocabulary", self.size() as u64);
        for (start, count) in self.pieces() {
            let rows = self.folded(&self.table.f_narrow(0, start, count)?)?.f_sub(&self.mean)?;
            let heights = rows.f_square()?.f_sum_dim_intlist(1, true, None::<Kind>)?.f_sqrt()?.f_clamp_min(1e-20)?;
            for ((direction, length), sum) in directions.iter().zip(&lengths).zip(&mut sums) {
                ctx.check()?;
                let logits = rows.f_matmul(direction)?;
                let length = length.f_to_kind(Kind::Float)?.f_clamp_min(1e-20)?;
                let cosines = logits.f_div(&heights)?.f_div(&length)?;
                let square = cosines.f_square()?;
                let powers = [
                    cosines.f_sum_dim_intlist(0, false, Kind::Double)?,
                    square.f_sum_dim_intlist(0, false, Kind::Double)?,
                    square.f_mul(&cosines)?.f_sum_dim_intlist(0, false, Kind::Double)?,
                    square.f_square()?.f_sum_dim_intlist(0, false, Kind::Double)?,
                    logits.f_square()?.f_sum_dim_intlist(0, false, Kind::Double)?,
                ];
                *sum = sum.f_add(&Tensor::f_stack(&powers, 0)?)?;
            }
            ctx.advance(count as u64);
        }
        let n = self.size() as f64;
        sums.iter().zip(&lengths).map(|(sum, length)| collect(n, sum, length)).collect()
    }
}

fn collect(n: f64, sums: &Tensor, lengths: &Tensor) -> Result<Vec<Profile>> {
    let columns = sums.size()[1] as usize;
    let sums = Vec::<f64>::try_from(sums.f_contiguous()?.f_view([-1])?)?;
    let lengths = Vec::<f64>::try_from(lengths)?;
    let at = |power: usize, column: usize| sums[power * columns + column];
    let profile = |(column, length): (usize, &f64)| Profile {
        cosines: Moments::from_sums(n, [0, 1, 2, 3].map(|power| at(power, column))),
        // The rows are centred, so the mean logit is 0.
        logit_variance: at(4, column) / n,
        length: *length,
    };
    Ok(lengths.iter().enumerate().map(profile).collect())
}

/// The kurtosis of the cosines of one of `vocabulary` random unit rows in `d` dimensions with all of them, its own included.
pub(crate) fn planted_kurtosis(vocabulary: f64, d: f64) -> f64 {
    (3.0 / (d * d) + 1.0 / vocabulary) / (1.0 / d + 1.0 / vocabulary).powi(2)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::testing::{Family, random};

    /// The definition, token by token, in f64.
    fn by_hand(model: &OpenModel, direction: &[f64]) -> Profile {
        let d = direction.len();
        let Head::Lm { norm, project_out, unembed, .. } = &model.model.head else { panic!("no head") };
        let table = match project_out {
            Some(project) => unembed.weight.matmul(&project.weight),
            None => unembed.weight.shallow_clone(),
        };
        let matrix = |t: &Tensor| Vec::<f64>::try_from(t.to_kind(Kind::Double).contiguous().view(-1)).unwrap();
        let (flat, gain) = (matrix(&table), norm.as_ref().map(|norm| matrix(&norm.gain)));
        let layer = norm.as_ref().is_some_and(|norm| norm.kind == NormKind::Layer);
        let mut rows: Vec<Vec<f64>> = flat.chunks(d).map(<[f64]>::to_vec).collect();
        for row in &mut rows {
            if let Some(gain) = &gain {
                row.iter_mut().zip(gain).for_each(|(x, g)| *x *= g);
            }
            if layer {
                let mean = row.iter().sum::<f64>() / d as f64;
                row.iter_mut().for_each(|x| *x -= mean);
            }
        }
        let n = rows.len() as f64;
        let mean: Vec<f64> = (0..d).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / n).collect();
        rows.iter_mut().for_each(|row| row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m));
        let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let logits: Vec<f64> = rows.iter().map(|row| row.iter().zip(direction).map(|(a, b)| a * b).sum()).collect();
        let cosines: Vec<f64> =
            logits.iter().zip(&rows).map(|(logit, row)| logit / length(row) / length(direction)).collect();
        let sum = |power: i32| cosines.iter().map(|c| c.powi(power)).sum::<f64>();
        Profile {
            cosines: Moments::from_sums(n, [sum(1), sum(2), sum(3), sum(4)]),
            logit_variance: logits.iter().map(|l| l * l).sum::<f64>() / n,
            length: length(direction),
        }
    }

    #[test]
    fn profiles_equal_the_definition() {
        for family in [Family::Llama, Family::Gpt2, Family::Projected, Family::Gemma] {
            let model = random(family, 5);
            let vocabulary = Vocabulary::new(&model).unwrap().unwrap();
            let layers: Vec<Tensor> = (0..3).map(|layer| writes(&model, layer).unwrap()).collect();
            let found = vocabulary.profiles(&layers, &RunContext::new(0)).unwrap();
            for (layer, index) in [(0, 0), (1, 4), (2, 8)] {
                let column = layers[layer].select(1, index as i64).to_kind(Kind::Double);
                let expected = by_hand(&model, &Vec::<f64>::try_from(column).unwrap());
                let found = found[layer][index];
                for (a, b) in [
                    (found.cosines.kurtosis, expected.cosines.kurtosis),
                    (found.cosines.skewness, expected.cosines.skewness),
                    (found.cosines.variance, expected.cosines.variance),
                    (found.logit_variance, expected.logit_variance),
                    (found.length, expected.length),
                ] {
                    assert!((a - b).abs() < 1e-4 * b.abs().max(1e-3), "{family:?} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_model_without_a_path_says_why() {
        assert!(Vocabulary::new(&random(Family::Bert, 1)).unwrap().is_err());
        assert!(Vocabulary::new(&random(Family::PostNorm, 1)).unwrap().is_err());
    }

    #[test]
    fn shuffling_keeps_lengths() {
        let model = random(Family::Gpt2, 5);
        let made = shuffled(&model, &[(0, 3), (2, 1)], &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        for (column, (layer, index)) in [(0, 3), (2, 1)].into_iter().enumerate() {
            let real = writes(&model, layer).unwrap().select(1, index);
            let fake = made.select(1, column as i64);
            assert!((real.norm() - fake.norm()).abs().double_value(&[]) < 1e-6);
            assert!(!real.allclose(&fake, 1e-6, 1e-6, false));
        }
        assert_eq!(shuffled(&model, &[], &mut ChaCha8Rng::seed_from_u64(1)).unwrap().size(), [12, 0]);
    }

    #[test]
    fn the_published_cut_is_not_scale_free() {
        // Values of the handbook: GPT2-medium, SmolLM2, and a simulated vocabulary of 200 in 128 dimensions.
        assert!((planted_kurtosis(50_257.0, 1024.0) - 22.9).abs() < 0.1);
        assert!((planted_kurtosis(49_152.0, 576.0) - 9.5).abs() < 0.1);
        assert!((planted_kurtosis(200.0, 128.0) - 31.6).abs() < 1.5);
    }
}
