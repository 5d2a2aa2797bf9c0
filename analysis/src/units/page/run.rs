//! Putting a page together.

use golgi_data::site::{BlockPoint, Site};
use golgi_data::unit::Unit;
use golgi_probes::transformer::Layout;
use golgi_probes::{Kind, OpenModel, ProbeError, SiteAxes, SiteSpec, Tensor};

use super::vocabulary::{read_ends, write_ends};
use super::{Measure, UnitKind, UnitPage, head, neuron};
use crate::direct::{Readers, obstacle, plain};
use crate::distribution::floats;
use crate::error::Result;
use crate::prompt::PromptRun;

/// The page of `unit` over the prompt of `run`, with `top` tokens at each end of its rankings.
///
/// # Errors
/// If the model has no such unit.
pub fn unit_page(model: &OpenModel, run: &PromptRun, unit: &Unit, top: usize) -> Result<UnitPage> {
    let dims = &model.model.dims;
    let spec = model.model.site(&unit.site)?;
    let size = spec.units(dims);
    if unit.index as usize >= size {
        return Err(ProbeError::UnknownUnit { unit: unit.clone(), size }.into());
    }
    let choices = run.first_choices(model)?;
    let readers = match (choices, obstacle(model)) {
        (Some(ids), None) => {
            let positions: Vec<usize> = (0..ids.len()).collect();
            Some(Readers::new("a unit's attribution", model, run, &positions, ids)?)
        }
        _ => None,
    };
    let (index, layer) = (unit.index, unit.site.layer().unwrap_or(0) as usize);
    let mut page = UnitPage {
        unit: unit.clone(),
        kind: kind(&spec),
        measures: Vec::new(),
        ends: Vec::new(),
        tokens: run.pieces(model),
        activations: Vec::new(),
        activation_formula: String::new(),
        attributions: Vec::new(),
        predictions: choices.into_iter().flatten().map(|id| model.piece(*id)).collect(),
    };
    match page.kind {
        UnitKind::Neuron => {
            (page.measures, page.ends) = neuron::describe(model, layer, index, top)?;
            let acts = run.activation(model, &unit.site)?.f_select(-1, i64::from(index))?;
            if let Some(readers) = readers {
                let reader = readers.behind_mlp(model, run, layer)?.0;
                let worth = reader.f_mv(&neuron::written(&model.model.blocks[layer], index)?)?;
                page.attributions = floats(&worth.f_mul(&acts)?)?;
            }
            page.activations = floats(&acts)?;
            page.activation_formula = "the neuron's activation".into();
        }
        UnitKind::Head => {
            (page.measures, page.ends) = head::describe(model, run, layer, index, top)?;
            let written = written_by_head(model, run, unit, layer)?;
            if let Some(readers) = readers {
                let products = written.f_mul(&readers.behind_attention(model, run, layer)?.0)?;
                page.attributions = floats(&products.f_sum_dim_intlist(-1, false, None::<Kind>)?)?;
            }
            page.activations = floats(&lengths(&contribution(model, run, written, layer)?)?)?;
            page.activation_formula = "length of what the head adds to the residual stream".into();
        }
        UnitKind::Residual => {
            let acts = run.activation(model, &unit.site)?;
            (page.measures, page.ends) = dimension(model, &acts, index, top)?;
            let acts = acts.f_select(-1, i64::from(index))?;
            if let Some(readers) = readers.filter(|_| adds_up(&unit.site)) {
                page.attributions = floats(&readers.u.f_select(-1, i64::from(index))?.f_mul(&acts)?)?;
            }
            page.activations = floats(&acts)?;
            page.activation_formula = "the coordinate".into();
        }
        UnitKind::Other => (page.activations, page.activation_formula) = other(model, run, unit, &spec)?,
    }
    Ok(page)
}

fn kind(spec: &SiteSpec) -> UnitKind {
    match (spec.axes, spec.site.point()) {
        (_, Some(BlockPoint::MlpPost)) => UnitKind::Neuron,
        (_, Some(BlockPoint::Z | BlockPoint::Result)) => UnitKind::Head,
        (SiteAxes::Residual, _) => UnitKind::Residual,
        _ => UnitKind::Other,
    }
}

/// Whether what stands at the site is, or is added to, the residual stream that reaches the final norm.
fn adds_up(site: &Site) -> bool {
    use BlockPoint as P;
    matches!(site, Site::Embed | Site::PosEmbed | Site::TokenTypeEmbed)
        || matches!(site.point(), Some(P::ResidPre | P::ResidMid | P::ResidPost | P::AttnOut | P::MlpOut))
}

/// What the head writes at each position, `[pos, d_model]`, before any norm behind attention.
fn written_by_head(model: &OpenModel, run: &PromptRun, unit: &Unit, layer: usize) -> Result<Tensor> {
    let at_head = run.activation(model, &unit.site)?.f_select(1, i64::from(unit.index))?;
    match unit.site.point() {
        Some(BlockPoint::Result) => Ok(at_head),
        _ => Ok(at_head.f_matmul(&head::output(&model.model.blocks[layer], unit.index)?)?),
    }
}

/// The same behind the norm, with its scale frozen.
fn contribution(model: &OpenModel, run: &PromptRun, written: Tensor, layer: usize) -> Result<Tensor> {
    match &model.model.blocks[layer].layout {
        Layout::Sandwich { ln1_post, .. } => {
            let scale = run.activation(model, &Site::block(layer as u32, BlockPoint::Ln1PostScale))?;
            Ok(super::vocabulary::behind(ln1_post, &written)?.f_div(&scale)?)
        }
        _ => Ok(written),
    }
}

/// Lengths of the vectors along the last axis.
fn lengths(vectors: &Tensor) -> Result<Tensor> {
    Ok(vectors.f_norm_scalaropt_dim(2.0, -1, false)?)
}

fn dimension(
    model: &OpenModel,
    acts: &Tensor,
    index: u32,
    top: usize,
) -> Result<(Vec<Measure>, Vec<super::TokenEnds>)> {
    let d_model = acts.size()[1];
    let basis = Tensor::f_zeros([d_model], (Kind::Float, golgi_probes::Device::Cpu))?;
    let basis = basis.f_index_fill(0, &Tensor::f_from_slice(&[i64::from(index)])?, 1.0)?;
    let mut lists = vec![read_ends(model, None, &basis, "embedding", top)?];
    lists.extend(write_ends(model, &basis, "unembedding", top)?);
    let share = acts.f_square()?.f_select(-1, i64::from(index))?.f_div(&acts.f_square()?.f_sum_dim_intlist(
        -1,
        false,
        None::<Kind>,
    )?)?;
    let measure = |name: &str, value: f64, formula: &str| Measure {
        name: name.into(),
        value: value as f32,
        formula: formula.into(),
    };
    let mean = share.f_mean(None::<Kind>)?.f_double_value(&[])?;
    let mut measures = vec![
        measure("share of squared length", mean, "mean over positions of x_i² / ‖x‖²"),
        measure("share if all were alike", 1.0 / d_model as f64, "1 / d_model"),
    ];
    if let Some(norm) = model.model.final_norm() {
        let gain = plain(&norm.gain)?.f_double_value(&[i64::from(index)])?;
        measures.push(measure("gain of the final norm", gain, ""));
    }
    Ok((measures, lists))
}

fn other(model: &OpenModel, run: &PromptRun, unit: &Unit, spec: &SiteSpec) -> Result<(Vec<f32>, String)> {
    let index = i64::from(unit.index);
    if unit.site == Site::Logits {
        let mut column = Vec::with_capacity(run.tokens().len());
        for at in run.chunks(model) {
            column.extend(floats(&run.logits(model, at)?.f_select(-1, index)?)?);
        }
        return Ok((column, "the token's logit".into()));
    }
    let acts = run.activation(model, &unit.site)?;
    let (values, formula) = match spec.axes {
        SiteAxes::Heads | SiteAxes::KvHeads | SiteAxes::Result => {
            (lengths(&acts.f_select(1, index)?)?, "length of the head's vector")
        }
        SiteAxes::HeadScale | SiteAxes::KvHeadScale => (acts.f_select(1, index)?.f_select(-1, 0)?, "the head's scale"),
        SiteAxes::Pattern => (acts.f_select(0, index)?.f_amax(-1, false)?, "the query's largest entry"),
        _ => (acts.f_select(-1, index)?, "the coordinate"),
    };
    Ok((floats(&values)?, formula.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::attribution::{Params, attribution};
    use crate::testing::{Family, PROMPT, VOCAB, random, run, wired};

    const EVERY: [Family; 7] =
        [Family::Llama, Family::Gpt2, Family::NeoX, Family::Gemma, Family::Projected, Family::PostNorm, Family::Bert];

    #[test]
    fn every_site_of_every_family_has_pages() {
        for family in EVERY {
            let model = random(family, 12);
            let run = run(&model, &PROMPT);
            for spec in model.model.sites() {
                let last = spec.units(&model.model.dims) as u32 - 1;
                let page = unit_page(&model, &run, &Unit::new(spec.site.clone(), last), 4).unwrap();
                assert_eq!(page.activations.len(), PROMPT.len(), "{family:?} {}", spec.site);
                assert!(page.activations.iter().all(|value| value.is_finite()), "{family:?} {}", spec.site);
                assert!(page.ends.iter().all(|ends| ends.top.len() == 4 && ends.bottom.len() == 4));
                assert!(page.measures.iter().all(|measure| measure.value.is_finite()), "{family:?} {}", spec.site);
                let beyond = unit_page(&model, &run, &Unit::new(spec.site.clone(), last + 1), 4).unwrap_err();
                assert!(beyond.to_string().contains("does not exist"), "{beyond}");
            }
        }
    }

    #[test]
    fn attributions_agree_with_the_direct_logit_attribution() {
        for family in Family::LINEAR {
            let model = random(family, 13);
            let run = run(&model, &PROMPT);
            let neuron = unit_page(&model, &run, &Unit::neuron(1, 4), 3).unwrap();
            let head = unit_page(&model, &run, &Unit::head(2, 3), 3).unwrap();
            let result = unit_page(&model, &run, &Unit::new(Site::block(2, BlockPoint::Result), 3), 3).unwrap();
            for pos in 0..PROMPT.len() {
                let params = Params { position: Some(pos as i64), top_neurons: 100, ..Params::default() };
                let all = attribution(&model, &run, &params).unwrap();
                assert_eq!(neuron.predictions[pos], all.target.text);
                let share = all.neurons.iter().find(|(unit, _)| *unit == neuron.unit).unwrap().1;
                assert!((neuron.attributions[pos] - share).abs() < 1e-5, "{family:?}");
                assert!((head.attributions[pos] - all.heads[2][3]).abs() < 1e-5, "{family:?}");
                assert!((result.attributions[pos] - all.heads[2][3]).abs() < 1e-4, "{family:?}");
            }
        }
    }

    #[test]
    fn a_residual_streams_dimensions_add_up_to_the_logit() {
        let model = random(Family::Llama, 13);
        let run = run(&model, &PROMPT);
        let site = Site::block(2, BlockPoint::ResidPost);
        let pages: Vec<UnitPage> =
            (0..12).map(|i| unit_page(&model, &run, &Unit::new(site.clone(), i), 1).unwrap()).collect();
        let logits = run.logits(&model, 0..9).unwrap();
        for pos in 0..9 {
            let sum: f32 = pages.iter().map(|page| page.attributions[pos]).sum();
            let best = logits.get(pos as i64).max().double_value(&[]) as f32;
            assert!((sum - best).abs() < 1e-4);
        }
        // A norm's output is no part of the stream.
        let read = unit_page(&model, &run, &Unit::new(Site::block(1, BlockPoint::Ln1Normalized), 0), 1).unwrap();
        assert!(read.attributions.is_empty() && !read.predictions.is_empty());
    }

    /// What a neuron reads and writes, with every sum written out, for layer norms (where means are taken out).
    #[test]
    fn rankings_are_the_sums_they_claim_to_be() {
        let model = random(Family::Gpt2, 14);
        let page = unit_page(&model, &run(&model, &PROMPT), &Unit::neuron(1, 2), VOCAB).unwrap();
        let values = |x: &Tensor| Vec::<f64>::try_from(x.to_kind(Kind::Double).view(-1)).unwrap();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let centred = |x: Vec<f64>| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            x.into_iter().map(|x| x - mean).collect::<Vec<f64>>()
        };
        let times = |a: Vec<f64>, b: Vec<f64>| a.into_iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>();
        let block = &model.model.blocks[1];
        let read = centred(times(values(&block.mlp.pre.weight.get(2)), values(&block.ln2.gain)));
        let gain = values(&model.model.final_norm().unwrap().gain);
        let write = times(centred(values(&block.mlp.down.weight.select(1, 2))), gain);
        let unembed = model.model.unembedding().unwrap().unwrap();
        let reads = |t: i64| dot(&values(&model.model.embedding.tokens.get(t)), &read);
        let writes: Vec<f64> = centred((0..VOCAB as i64).map(|t| dot(&values(&unembed.get(t)), &write)).collect());
        assert_eq!(page.ends.iter().map(|ends| ends.name.as_str()).collect::<Vec<_>>(), ["reads", "writes"]);
        for (read, write) in page.ends[0].top.iter().zip(&page.ends[1].bottom) {
            assert!((f64::from(read.score) - reads(i64::from(read.id))).abs() < 1e-5);
            assert!((f64::from(write.score) - writes[write.id as usize]).abs() < 1e-5);
        }
        assert!(page.ends[0].top.windows(2).all(|pair| pair[0].score >= pair[1].score));
        assert!(page.ends[1].bottom.windows(2).all(|pair| pair[0].score <= pair[1].score));
    }

    #[test]
    fn a_planted_copying_head_copies() {
        let model = wired();
        let run = run(&model, &[20, 3, 9, 14, 3, 9, 14]);
        let value = |page: &UnitPage, name: &str| page.measures.iter().find(|m| m.name == name).unwrap().value;
        let copier = unit_page(&model, &run, &Unit::head(1, 0), 5).unwrap();
        assert!((value(&copier, "copying score") - 1.0).abs() < 1e-5);
        // Exchanging tokens in pairs leaves 12 eigenvalues −5 and, the mean being out, 11 of 5.
        assert!((value(&copier, "copying score, exchanged") + 1.0 / 23.0).abs() < 1e-4);
        assert!((value(&copier, "copying score, uncentred") - 1.0).abs() < 1e-5);
        assert!(value(&copier, "induction score") > 0.99);
        // It writes the token 5 times over: 5 for itself, against a mean of 5 / 24.
        assert!((copier.ends[0].top[0].score - (5.0 - 5.0 / 24.0)).abs() < 1e-5);
        let silent = unit_page(&model, &run, &Unit::head(1, 1), 5).unwrap();
        assert_eq!((value(&silent, "copying score"), value(&silent, "OV norm")), (0.0, 0.0));
        assert!(silent.activations.iter().all(|length| *length == 0.0));
    }
}
