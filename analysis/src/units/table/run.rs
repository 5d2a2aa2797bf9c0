//! Computing it.

use golgi_data::site::{BlockPoint, Site};
use golgi_probes::OpenModel;

use super::NeuronTable;
use crate::direct::{Readers, check_token, obstacle};
use crate::distribution::{Distributions, floats};
use crate::error::Result;
use crate::prompt::PromptRun;
use crate::prompt::attribution::neurons;

/// All neurons at `position`, with their share in the logit of `target` (the model's first choice there, if `None`).
/// Where no linear path leads to the logits, `attribution` is empty; where there are no logits, `target_text` is, too.
///
/// # Errors
/// If the position or the target does not exist.
pub fn neuron_table(model: &OpenModel, run: &PromptRun, position: usize, target: Option<u32>) -> Result<NeuronTable> {
    let network = &model.model;
    let position = run.position(position as i64)?;
    let sites: Vec<Site> = (0..network.blocks.len() as u32)
        .flat_map(|layer| [BlockPoint::MlpPost, BlockPoint::Ln2PostScale].map(|point| Site::block(layer, point)))
        .chain([Site::LnFinalScale])
        .collect();
    run.need(model, &sites)?;
    let target = match target {
        Some(id) => check_token(model, id).map(|()| Some(id))?,
        None if network.has_logits() => {
            let predicted = Distributions::new(run.logits(model, position..position + 1)?)?;
            predicted.top(model, 1)?.into_iter().flatten().next().map(|best| best.id)
        }
        None => None,
    };
    let attribution = match target {
        Some(id) if obstacle(model).is_none() => {
            let readers = Readers::new("the neuron table", model, run, &[position], &[id])?;
            floats(&neurons(model, run, &readers, position)?)?
        }
        _ => Vec::new(),
    };
    let mut activation = Vec::with_capacity(network.blocks.len() * network.dims.d_mlp);
    for layer in 0..network.blocks.len() as u32 {
        let acts = run.activation(model, &Site::block(layer, BlockPoint::MlpPost))?;
        activation.extend(floats(&acts.f_select(0, position as i64)?)?);
    }
    let norms = run.norms(model)?;
    Ok(NeuronTable {
        position,
        target: target.unwrap_or(0),
        target_text: target.map(|id| model.piece(id)).unwrap_or_default(),
        n_layers: network.blocks.len(),
        d_mlp: network.dims.d_mlp,
        activation,
        attribution,
        read_norm: norms.read.clone(),
        write_norm: norms.write.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::attribution::{Params, attribution};
    use crate::testing::{Family, PROMPT, random, run};

    #[test]
    fn rows_are_what_the_attribution_lists() {
        for family in Family::LINEAR {
            let model = random(family, 11);
            let run = run(&model, &PROMPT);
            let table = neuron_table(&model, &run, 5, None).unwrap();
            let params = Params { position: Some(5), top_neurons: 100, ..Params::default() };
            let listed = attribution(&model, &run, &params).unwrap();
            assert_eq!((table.target, table.n_layers, table.d_mlp), (listed.target.id, 3, 9));
            assert_eq!(listed.neurons.len(), table.attribution.len());
            for (unit, share) in &listed.neurons {
                let row = unit.site.layer().unwrap() as usize * 9 + unit.index as usize;
                assert_eq!(table.attribution[row], *share);
                let mlp = &model.model.blocks[row / 9].mlp;
                let length = |x: golgi_probes::Tensor| x.square().sum(None).sqrt().double_value(&[]) as f32;
                assert!((table.read_norm[row] - length(mlp.pre.weight.get(row as i64 % 9))).abs() < 1e-5);
                assert!((table.write_norm[row] - length(mlp.down.weight.select(1, row as i64 % 9))).abs() < 1e-5);
                let acts = run.activation(&model, &unit.site).unwrap();
                assert_eq!(table.activation[row], acts.double_value(&[5, i64::from(unit.index)]) as f32);
            }
        }
    }

    #[test]
    fn models_without_a_linear_path_keep_their_activations() {
        for (family, has_target) in [(Family::PostNorm, true), (Family::Bert, false)] {
            let model = random(family, 11);
            let table = neuron_table(&model, &run(&model, &PROMPT), 0, None).unwrap();
            assert_eq!((table.activation.len(), table.attribution.len()), (27, 0));
            assert_eq!(!table.target_text.is_empty(), has_target);
        }
        let model = random(Family::Llama, 11);
        assert!(neuron_table(&model, &run(&model, &PROMPT), 0, Some(23)).is_err());
        assert!(neuron_table(&model, &run(&model, &PROMPT), 9, None).is_err());
    }
}
