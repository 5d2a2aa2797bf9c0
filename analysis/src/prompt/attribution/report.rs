//! What direct logit attribution found.

use golgi_data::unit::Unit;
use serde::{Deserialize, Serialize};

use crate::prompt::Candidate;
use crate::report::{Fact, Figure, Provenance, Report, Table, number};

/// The logit of a token (or the difference to another one) as a sum over everything that writes into the residual stream.
///
/// `embed + pos_embed + Σ heads + Σ attn_bias + Σ mlps + constant + interventions = total`, and `total` equals the model's own
/// `actual` up to rounding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The position whose prediction is explained.
    pub position: usize,
    /// The token whose logit is explained.
    pub target: Candidate,
    /// The token whose logit is subtracted.
    pub foil: Option<Candidate>,
    /// The token embedding's part.
    pub embed: f32,
    /// The position embedding's part (0 where there is none).
    pub pos_embed: f32,
    /// Each head's part: `heads[layer][head]`.
    pub heads: Vec<Vec<f32>>,
    /// The parts of the attention output biases, by layer.
    pub attn_bias: Vec<f32>,
    /// Each MLP's part, biases included, by layer.
    pub mlps: Vec<f32>,
    /// The neurons with the largest parts by magnitude.
    pub neurons: Vec<(Unit, f32)>,
    /// What norm biases and unembedding biases add.
    pub constant: f32,
    /// What interventions wrote into the stream directly: the rest, where any are in force, and 0 otherwise.
    #[serde(default)]
    pub interventions: f32,
    /// The sum of all parts.
    pub total: f32,
    /// The model's logit or logit difference, before any soft cap.
    pub actual: f32,
}

/// The common form.
pub fn report(found: &Attribution, provenance: Provenance) -> Report {
    let mut report = Report::new("attribution", "Direct logit attribution", provenance);
    let mut say = |label: &str, value: serde_json::Value, by: &str| report.summary.push(Fact::new(label, value).by(by));
    say("position", found.position.into(), "");
    say("target", found.target.text.clone().into(), "");
    if let Some(foil) = &found.foil {
        say("foil", foil.text.clone().into(), "");
    }
    say(
        "logit",
        number(found.actual),
        "the model's logit of the target, minus the foil's if there is one, before any soft cap",
    );
    let sum = |rows: &[Vec<f32>]| rows.iter().flatten().sum::<f32>();
    for (label, value) in [
        ("embedding", found.embed),
        ("position embedding", found.pos_embed),
        ("heads", sum(&found.heads)),
        ("attention biases", found.attn_bias.iter().sum()),
        ("MLPs", found.mlps.iter().sum()),
        ("constant", found.constant),
        ("interventions", found.interventions),
    ] {
        say(label, number(value), "");
    }
    let by = "sum of all parts − the model's logit; interventions, where there are any, are the rest by definition";
    report.controls.push(Fact::new("error of the sum", number(found.total - found.actual)).by(by));
    report.tables.push(layers(found));
    report.tables.push(Table {
        name: "neurons".into(),
        columns: ["unit", "share"].map(String::from).to_vec(),
        rows: found.neurons.iter().map(|(unit, share)| vec![unit.short().into(), number(*share)]).collect(),
    });
    let n_heads = found.heads.first().map_or(0, Vec::len);
    report.figures.push(Figure::Heatmap {
        title: "Share of each head".into(),
        rows: (0..found.heads.len()).map(|layer| layer.to_string()).collect(),
        columns: (0..n_heads).map(|head| head.to_string()).collect(),
        values: found.heads.iter().flatten().map(|share| Some(*share)).collect(),
        labels: Vec::new(),
        signed: true,
    });
    report.figures.push(Figure::Bars {
        title: "Share of each MLP".into(),
        labels: (0..found.mlps.len()).map(|layer| layer.to_string()).collect(),
        values: found.mlps.clone(),
        signed: true,
    });
    report
}

fn layers(found: &Attribution) -> Table {
    let row = |(layer, heads): (usize, &Vec<f32>)| {
        vec![layer.into(), number(heads.iter().sum()), number(found.attn_bias[layer]), number(found.mlps[layer])]
    };
    Table {
        name: "layers".into(),
        columns: ["layer", "heads", "attention bias", "MLP"].map(String::from).to_vec(),
        rows: found.heads.iter().enumerate().map(row).collect(),
    }
}
