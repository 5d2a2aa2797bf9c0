//! The report card of a dictionary as a report.

use golgi_data::context::RunContext;
use golgi_probes::OpenModel;
use golgi_sae::Coder;
use golgi_sae::evaluate::{ProbeScore, SAME, SPARSITIES, SpliceLoss};

use super::evaluate::{Evaluation, mean_of};
use crate::prompt::PromptInput;
use crate::report::{Fact, Figure, Report, Table};
use crate::{Result, provenance};

impl Evaluation {
    /// The result in its common form.
    ///
    /// # Errors
    /// If the model's weights cannot be read for their digest.
    pub fn report(&self, model: &OpenModel, coder: &Coder, ctx: &RunContext) -> Result<Report> {
        let config = &coder.dictionary().config;
        let mut provenance = provenance(model, &PromptInput::default(), ctx.seed())?;
        provenance.tokens = self.quality.rows;
        let names: Vec<&str> = config.inputs.iter().map(|part| part.site.as_str()).collect();
        let title = format!(
            "{} dictionary of {} latents at {}",
            config.architecture.name().replace('_', " "),
            config.latents,
            names.join(", ")
        );
        let mut report = Report::new("sae", title, provenance);
        let q = &self.quality;
        report.summary = vec![
            Fact::new("L0", q.l0).by("mean number of active latents"),
            Fact::new("explained variance", q.explained_variance).by("1 − Σ‖y − ŷ‖² / Σ‖y − μ‖²"),
            Fact::new("explained variance by row", q.explained_variance_by_row).by("E[1 − ‖y − ŷ‖² / ‖y − μ‖²]"),
            Fact::new("cosine", q.cosine).by("E[cos(y, ŷ)]"),
            Fact::new("norm ratio", q.norm_ratio).by("E[‖ŷ‖ / ‖y‖]"),
            Fact::new("shrinkage γ", q.shrinkage).by("E‖ŷ‖² / E[y·ŷ]; 1 is none"),
            Fact::new("L1", q.l1).by("mean sum of activations, in the dictionary's units"),
            Fact::new("dead latents", q.dead).by(format!("never active in {} rows", q.rows)),
            Fact::new("dense latents", q.dense).by("active in more than 10 % of the rows"),
            Fact::new("tokens left out", self.left_out)
                .by("their norm is larger than any that was trained on; inside the model they stay as they are"),
            Fact::new("decoder similarity", mean_of(&self.decoder_similarity))
                .by("mean over latents of the largest cosine with another decoder row"),
        ];
        if let Some(stability) = &self.stability {
            report.summary.push(
                Fact::new("stability", stability.mean_max_cosine)
                    .by("mean over latents of the largest cosine with the other dictionary"),
            );
            report.summary.push(Fact::new("matched latents", stability.matched).by(format!(
                "share of latents that are nearest to each other in both dictionaries, with a cosine of at least {SAME}"
            )));
        }
        if let Some(chance) = self.stability_by_chance {
            report.controls.push(Fact::new("stability by chance", chance).by("the same with random unit directions"));
        }
        for (name, baseline) in &self.baselines {
            report.controls.push(
                Fact::new(format!("explained variance of {name}"), baseline.explained_variance)
                    .by(format!("with {:.0} numbers for each row", q.l0.round().max(1.0))),
            );
        }
        if !self.splice.is_empty() {
            let columns = [
                "in the activation's place",
                "cross-entropy",
                "increase (nats)",
                "recovered from zeros",
                "recovered from the mean",
                "KL (nats)",
            ];
            let row = |one: &SpliceLoss| {
                vec![
                    one.name.clone().into(),
                    one.cross_entropy.into(),
                    one.increase.into(),
                    one.recovered_from_zero.into(),
                    one.recovered_from_mean.into(),
                    one.kl.into(),
                ]
            };
            report.tables.push(Table {
                name: format!("the model's loss over {} tokens", self.splice_tokens),
                columns: columns.map(str::to_owned).to_vec(),
                rows: self.splice.iter().map(row).collect(),
            });
        }
        if self.sites.len() > 1 {
            report.tables.push(self.sites_table());
        }
        self.add_probing(&mut report);
        report.figures.push(density_figure(&q.density));
        Ok(report)
    }

    fn sites_table(&self) -> Table {
        let shares = |site: usize| self.site_shares.iter().map(move |shares| shares.get(site).copied().unwrap_or(0.0));
        let row = |(site, (name, explained)): (usize, &(String, f64))| {
            let mostly = shares(site).filter(|share| *share > 0.9).count();
            let mean = mean_of(&shares(site).collect::<Vec<f32>>());
            vec![name.clone().into(), (*explained).into(), mean.into(), mostly.into()]
        };
        let columns =
            ["site", "explained variance", "mean share of decoder norms", "latents of this site only (above 0.9)"];
        Table {
            name: "sites".to_owned(),
            columns: columns.map(str::to_owned).to_vec(),
            rows: self.sites.iter().enumerate().map(row).collect(),
        }
    }

    fn add_probing(&self, report: &mut Report) {
        let probing = &self.probing;
        let codings: Vec<String> = probing
            .tasks
            .first()
            .map(|task| task.accuracy.iter().map(|one| one.0.clone()).collect())
            .unwrap_or_default();
        let mean = |coding: usize, k: usize| {
            let all: Vec<f32> = probing.tasks.iter().map(|task| task.accuracy[coding].1[k] as f32).collect();
            mean_of(&all)
        };
        for (coding, name) in codings.iter().enumerate() {
            let facts = if coding == 0 { &mut report.summary } else { &mut report.controls };
            facts.push(Fact::new(format!("probing with one latent of {name}"), mean(coding, 0)).by(format!(
                "mean accuracy over {} balanced tasks of logistic probes on the latent that differs most; ½ is chance",
                probing.tasks.len()
            )));
        }
        if !codings.is_empty() {
            let row = |task: &ProbeScore| {
                let mut row = vec![task.task.clone().into(), task.texts.into()];
                row.extend(task.accuracy.iter().flat_map(|one| one.1.iter().map(|accuracy| (*accuracy).into())));
                row.push(task.dense.into());
                row
            };
            let mut columns = vec!["class".to_owned(), "texts".to_owned()];
            columns.extend(codings.iter().flat_map(|name| SPARSITIES.iter().map(move |k| format!("{name}, k = {k}"))));
            columns.push("all dimensions".to_owned());
            let rows = probing.tasks.iter().map(row).collect();
            report.tables.push(Table { name: "accuracy of probes of k latents".to_owned(), columns, rows });
        }
        if !probing.perturbation.is_empty() {
            let columns = ["latents of", "taken out", "own probe loses", "others lose", "targeted (difference)"];
            let row = |one: &golgi_sae::evaluate::Perturbation| {
                vec![one.name.clone().into(), one.removed.into(), one.own.into(), one.others.into(), one.score.into()]
            };
            report.tables.push(Table {
                name: "targeted probe perturbation".to_owned(),
                columns: columns.map(str::to_owned).to_vec(),
                rows: probing.perturbation.iter().map(row).collect(),
            });
        }
        for (index, absorption) in probing.absorption.iter().enumerate() {
            let facts = if index == 0 { &mut report.summary } else { &mut report.controls };
            let name = &absorption.name;
            facts.push(Fact::new(format!("absorption, {name}"), absorption.absorbed).by(format!(
                "share of words at which the latents of their first letter are silent and one other supplies 0.4 of the letter's probe; {} letters",
                absorption.letters.len()
            )));
            facts.push(Fact::new(format!("absorbed fraction, {name}"), absorption.fraction).by(
                "mean of A/(A + M): what up to three other latents supply to the probe, beside what the letter's own do",
            ));
        }
    }
}

/// How many latents are active in which share of rows.
fn density_figure(density: &[f32]) -> Figure {
    let mut bars = [0f32; 10];
    for share in density {
        let bar = match *share {
            0.0 => 0,
            share => 1 + ((share.log10() + 4.0) * 2.0).floor().clamp(0.0, 8.0) as usize,
        };
        bars[bar] += 1.0;
    }
    let labels = ["never", "10⁻⁴", "10⁻³·⁵", "10⁻³", "10⁻²·⁵", "10⁻²", "10⁻¹·⁵", "10⁻¹", "10⁻⁰·⁵", "1"];
    Figure::Bars {
        title: "latents by the share of rows in which they are active (from)".to_owned(),
        labels: labels.map(str::to_owned).to_vec(),
        values: bars.to_vec(),
        signed: false,
    }
}
