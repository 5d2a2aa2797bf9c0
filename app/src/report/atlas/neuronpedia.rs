//! Neuronpedia's feature JSON: one object per unit, its fields as the site's interface gives and takes them.
//!
//! Fields that an atlas has nothing for are empty lists, as the site itself leaves them. The strongest examples belong to no
//! band; the site marks those with −1 as bounds.

use golgi_data::atlas::{Example, Manifest, Neighbour, Page, TokenValue};
use serde_json::{Value, json};

use super::UnitReport;

/// A list of features.
pub(super) fn value(report: &UnitReport) -> Value {
    report.pages.iter().map(|page| feature(&report.manifest, page)).collect()
}

fn feature(manifest: &Manifest, page: &Page) -> Value {
    let layer = layer(page);
    let texts = |list: &[TokenValue]| list.iter().map(|token| token.text.clone()).collect::<Vec<_>>();
    let values = |list: &[TokenValue]| list.iter().map(|token| token.value).collect::<Vec<_>>();
    let neighbours = |list: &[Neighbour]| -> (Vec<u32>, Vec<f32>) {
        // The site's lists hold indices alone: those of the unit's own layer and kind.
        let same = list.iter().filter(|other| other.unit.site == page.unit.site);
        same.map(|other| (other.unit.index, other.value)).unzip()
    };
    let (alike, cosines) = neighbours(&page.nearest_by_weights);
    let (together, pearson) = neighbours(&page.nearest_by_correlation);
    // The site reads both lists in parallel, so a bar is named by its middle and not by its two edges.
    let bars = page.histogram.iter().map(|bar| (bar.count, 0.5 * (bar.low + bar.high)));
    let (heights, middles): (Vec<f32>, Vec<f32>) = bars.unzip();
    json!({
        "modelId": manifest.model,
        "layer": layer,
        "index": page.unit.index.to_string(),
        "sourceSetName": source_set(page),
        "hookName": page.unit.site.to_string(),
        "maxActApprox": page.statistic("max").unwrap_or(0.0),
        "hasVector": false,
        "vector": [],
        "vectorLabel": null,
        "topkCosSimIndices": alike,
        "topkCosSimValues": cosines,
        "neuron_alignment_indices": [],
        "neuron_alignment_values": [],
        "neuron_alignment_l1": [],
        "correlated_neurons_indices": together,
        "correlated_neurons_pearson": pearson,
        "correlated_neurons_l1": [],
        "correlated_features_indices": [],
        "correlated_features_pearson": [],
        "correlated_features_l1": [],
        "pos_str": texts(&page.promoted),
        "pos_values": values(&page.promoted),
        "neg_str": texts(&page.suppressed),
        "neg_values": values(&page.suppressed),
        "frac_nonzero": page.statistic("frac_active").unwrap_or(0.0),
        "freq_hist_data_bar_heights": heights,
        "freq_hist_data_bar_values": middles,
        "logits_hist_data_bar_heights": [],
        "logits_hist_data_bar_values": [],
        "decoder_weights_dist": [],
        "n_prompts_total": manifest.contexts,
        "n_tokens_in_prompt": manifest.context_len,
        "dataset": manifest.corpus,
        "explanations": explanations(manifest, page, &layer),
        "activations": page.examples.iter().map(|example| activation(manifest, page, &layer, example)).collect::<Vec<_>>(),
    })
}

/// Plain neurons go by the number of their layer; heads and residual dimensions by a source of their own.
fn layer(page: &Page) -> String {
    match page.kind {
        "neuron" => page.layer.to_string(),
        _ => format!("{}-{}", page.layer, source_set(page)),
    }
}

fn source_set(page: &Page) -> &'static str {
    match page.kind {
        "neuron" => "neurons",
        "latent" => "golgi-sae",
        "head" => "golgi-heads",
        _ => "golgi-residual",
    }
}

fn explanations(manifest: &Manifest, page: &Page, layer: &str) -> Vec<Value> {
    let families = page.families.iter().map(|family| {
        json!({
            "modelId": manifest.model,
            "layer": layer,
            "index": page.unit.index.to_string(),
            "description": format!("{}, {}: {}", family.family, family.kind, family.evidence),
            "authorId": null,
            "typeName": "golgi-families",
            "explanationModelName": format!("golgi {}", manifest.version),
            "scoreV2": family.score,
        })
    });
    let told = page.explanations.iter().map(|one| {
        let scores = one.scores.iter().filter_map(|(name, parts)| {
            let value = parts.get("score").copied().flatten()?;
            Some(json!({ "value": value, "explanationScoreTypeName": name, "explanationScoreModelName": one.judge }))
        });
        json!({
            "modelId": manifest.model,
            "layer": layer,
            "index": page.unit.index.to_string(),
            "description": one.text,
            "authorId": null,
            "typeName": "golgi-explain",
            "explanationModelName": one.by,
            "scores": scores.collect::<Vec<_>>(),
        })
    });
    told.chain(families).collect()
}

fn activation(manifest: &Manifest, page: &Page, layer: &str, example: &Example) -> Value {
    let band = usize::try_from(example.band).ok().and_then(|band| manifest.bands.get(band.checked_sub(1)?));
    let bound = |q: f64| {
        let name = if q >= 1.0 { "max".to_owned() } else { quantile_column(q) };
        page.statistic(&name)
    };
    // Bounds of bands lie at quantiles that the table may not hold; then the examples' own range stands for them.
    let own = page.examples.iter().filter(|other| other.band == example.band).map(|other| f64::from(other.value));
    let (low, high) =
        own.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let (min, max, contains) = match band {
        Some(band) => (bound(band.low).unwrap_or(low), bound(band.high).unwrap_or(high), band.high - band.low),
        None => (-1.0, -1.0, -1.0),
    };
    json!({
        "modelId": manifest.model,
        "layer": layer,
        "index": page.unit.index.to_string(),
        "dataIndex": format!("{}#{}", example.document, example.context),
        "dataSource": manifest.corpus,
        "tokens": example.tokens,
        "values": example.values,
        "maxValue": example.value,
        "maxValueTokenIndex": example.peak,
        "minValue": example.values.iter().copied().fold(example.value, f32::min),
        "binMin": min,
        "binMax": max,
        "binContains": contains,
        "qualifyingTokenIndex": example.peak,
        "dfaValues": [],
        "dfaTargetIndex": null,
        "dfaMaxValue": null,
        "lossValues": [],
        "logitContributions": null,
    })
}

/// `0.5` is `q50`, `0.999` is `q999`.
fn quantile_column(q: f64) -> String {
    let percent = (q * 100.0).round();
    if (q * 100.0 - percent).abs() < 1e-9 { format!("q{percent:02}") } else { format!("q{:03}", (q * 1000.0).round()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_have_columns() {
        assert_eq!([0.5, 0.01, 0.99, 0.999].map(quantile_column), ["q50", "q01", "q99", "q999"]);
    }
}
