//! The result in its common form.

use golgi_sae::Coder;
use serde_json::Value;

use super::NAME;
use super::cloud::Cloud;
use super::crystals::Crystals;
use super::lobes::Lobes;
use super::matrix::moments;
use super::run::Geometry;
use crate::report::{Fact, Figure, Level, Provenance, Report, Series, Table};

/// Kinds of points that a figure tells apart.
const KINDS: usize = 6;

fn columns<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// `mean ± deviation`, three digits.
fn spread(values: &[f64]) -> Value {
    let (mean, deviation) = moments(values);
    if values.is_empty() { Value::Null } else { format!("{mean:.3} ± {deviation:.3}").into() }
}

fn series(name: &str, points: Vec<[f32; 2]>, joined: bool) -> Series {
    Series { name: name.to_owned(), points, labels: vec![], joined }
}

impl Geometry {
    /// The result in its common form. `provenance` says of which model and texts it is.
    pub fn report(&self, coder: &Coder, provenance: Provenance) -> Report {
        let config = &coder.dictionary().config;
        let names: Vec<&str> = config.outputs.iter().map(|part| part.site.as_str()).collect();
        let title = format!("Geometry of {} latents at {}", config.latents, names.join(", "));
        let mut report = Report::new(NAME, title, provenance);
        self.cloud.add(&mut report);
        if let Some(lobes) = &self.lobes {
            lobes.add(&mut report);
        }
        if let Some(crystals) = &self.crystals {
            crystals.add(&mut report);
        }
        report
    }
}

impl Cloud {
    fn add(&self, report: &mut Report) {
        let ranks = format!("log₁₀ λ over log₁₀ rank, ranks {} to {}", self.ranks.0, self.ranks.1);
        report.summary.push(Fact::new("slope of the spectrum", self.slope).by(ranks));
        let negentropy = format!("H_gauss − H_kNN in nats, {} points in {} components", self.points, self.components);
        report.summary.push(Fact::new("negentropy", self.negentropy).by(negentropy));
        report.controls.push(
            Fact::new("slope of Gaussian clouds", spread(&self.gaussian_slopes)).by("as many points and dimensions"),
        );
        report.controls.push(
            Fact::new("negentropy of Gaussians", spread(&self.gaussian_negentropies)).by("with the cloud's covariance"),
        );
        report.controls.push(Fact::new("z of the negentropy", self.z()).by("above those Gaussians"));
        let points = |values: &[f64]| {
            let all = values.iter().enumerate().filter(|(_, value)| **value > 0.0);
            all.map(|(at, value)| [(at + 1) as f32, value.log10() as f32]).collect::<Vec<_>>()
        };
        report.figures.push(Figure::Scatter {
            title: "Spectrum of the decoder directions".to_owned(),
            x: "rank".to_owned(),
            y: "log₁₀ λ".to_owned(),
            log_x: true,
            square: false,
            series: vec![
                series("dictionary", points(&self.eigenvalues), true),
                series("Gaussian", points(&self.gaussian_eigenvalues), true),
            ],
            levels: vec![],
        });
    }
}

impl Lobes {
    fn add(&self, report: &mut Report) {
        let z = |level: &&super::LobeLevel| level.z_shuffled().unwrap_or(0.0);
        let Some(best) = self.levels.iter().max_by(|a, b| z(a).total_cmp(&z(b))) else { return };
        report.summary.push(
            Fact::new("agreement of lobes", best.agreement)
                .by(format!("adjusted mutual information of co-occurrence and angle, {} clusters", best.k)),
        );
        report
            .summary
            .push(Fact::new("latents clustered", self.latents.len()).by(format!("in {} blocks", self.blocks)));
        report.controls.push(Fact::new("agreement with shuffled labels", spread(&best.shuffled)));
        report.controls.push(Fact::new("z above shuffled labels", best.z_shuffled()));
        report.controls.push(Fact::new("agreement of random directions", spread(&best.random)));
        report.controls.push(Fact::new("z above random directions", best.z_random()));
        let rows = self.levels.iter().map(|level| {
            vec![
                level.k.into(),
                level.agreement.into(),
                spread(&level.shuffled),
                level.z_shuffled().into(),
                spread(&level.random),
                level.z_random().into(),
                level.accuracy.into(),
                level.accuracy_shuffled.into(),
            ]
        });
        report.tables.push(Table {
            name: "lobes by number of clusters".to_owned(),
            columns: columns([
                "clusters",
                "agreement",
                "shuffled",
                "z",
                "random directions",
                "z ",
                "lobe from decoder row: balanced accuracy",
                "with shuffled lobes",
            ]),
            rows: rows.collect(),
        });
        let line = |value: &dyn Fn(&super::LobeLevel) -> f64| {
            self.levels.iter().map(|level| [level.k as f32, value(level) as f32]).collect::<Vec<_>>()
        };
        report.figures.push(Figure::Scatter {
            title: "Agreement of co-occurrence and angle".to_owned(),
            x: "clusters".to_owned(),
            y: "adjusted mutual information".to_owned(),
            log_x: true,
            square: false,
            series: vec![
                series("dictionary", line(&|level| level.agreement), true),
                series("shuffled labels", line(&|level| moments(&level.shuffled).0), true),
                series("random directions", line(&|level| moments(&level.random).0), true),
            ],
            levels: vec![Level { name: "chance".to_owned(), y: 0.0 }],
        });
        let mut sizes = vec![0usize; best.k];
        best.lobes.iter().for_each(|lobe| sizes[*lobe as usize] += 1);
        let mut order: Vec<usize> = (0..best.k).collect();
        order.sort_by(|a, b| sizes[*b].cmp(&sizes[*a]));
        let rows = order.iter().map(|lobe| {
            let of = || (0..self.latents.len()).filter(|at| best.lobes[*at] as usize == *lobe);
            let mean = of().map(|at| f64::from(self.counts[at])).sum::<f64>() / sizes[*lobe].max(1) as f64;
            let mut frequent: Vec<usize> = of().collect();
            frequent.sort_by(|a, b| self.counts[*b].cmp(&self.counts[*a]).then(a.cmp(b)));
            let shown: Vec<String> = frequent.iter().take(8).map(|at| self.latents[*at].to_string()).collect();
            let share = mean / self.blocks.max(1) as f64;
            vec![(*lobe).into(), sizes[*lobe].into(), share.into(), shown.join(" ").into()]
        });
        report.tables.push(Table {
            name: format!("the {} lobes", best.k),
            columns: columns(["lobe", "latents", "mean share of blocks", "the most frequent latents"]),
            rows: rows.collect(),
        });
        let drawn = order.iter().take(KINDS).map(|lobe| {
            let of = || (0..self.latents.len()).filter(|at| best.lobes[*at] as usize == *lobe);
            Series {
                name: format!("lobe {lobe}"),
                points: of().map(|at| self.map[at]).collect(),
                labels: of().map(|at| format!("latent {}", self.latents[at])).collect(),
                joined: false,
            }
        });
        report.figures.push(Figure::Scatter {
            title: "Decoder directions of the largest lobes".to_owned(),
            x: "first principal component".to_owned(),
            y: "second".to_owned(),
            log_x: false,
            square: true,
            series: drawn.collect(),
            levels: vec![],
        });
    }
}

impl Crystals {
    fn add(&self, report: &mut Report) {
        report.summary.push(
            Fact::new("silhouette of relations behind LDA", self.held_out).by("of pairs that it was not fitted to"),
        );
        report.summary.push(Fact::new("silhouette as they are", self.held_out_raw).by("of the same pairs"));
        report.controls.push(Fact::new("silhouette with shuffled relations", spread(&self.shuffled)));
        report.controls.push(Fact::new("z above shuffled relations", self.z()));
        report.controls.push(Fact::new("silhouette of the fitted pairs", self.fitted).by("flattering by construction"));
        report.summary.push(
            Fact::new("relations recognised", self.accuracy)
                .by("share of held-out pairs nearest to their own relation's mean"),
        );
        report.controls.push(Fact::new("with shuffled relations", spread(&self.accuracy_shuffled)));
        let rows = self.relations.iter().map(|(name, pairs)| vec![name.clone().into(), (*pairs).into()]);
        report.tables.push(Table {
            name: "relations".to_owned(),
            columns: columns(["relation", "pairs"]),
            rows: rows.collect(),
        });
        report.figures.push(Figure::Scatter {
            title: "How well parallelograms close".to_owned(),
            x: "distractor directions removed".to_owned(),
            y: "‖v_i − v_j‖² of one relation / of different ones".to_owned(),
            log_x: false,
            square: false,
            series: vec![series("", self.closure.iter().map(|(k, value)| [*k as f32, *value as f32]).collect(), true)],
            levels: vec![Level { name: "no relation".to_owned(), y: 1.0 }],
        });
        if self.map.len() != self.names.len() {
            return;
        }
        let drawn = self.relations.iter().enumerate().map(|(relation, (name, _))| {
            let of = || (0..self.map.len()).filter(|at| self.labels[*at] == relation);
            Series {
                name: name.clone(),
                points: of().map(|at| self.map[at]).collect(),
                labels: of().map(|at| format!("{}: {}", name, self.names[at])).collect(),
                joined: false,
            }
        });
        report.figures.push(Figure::Scatter {
            title: "Differences on the first two discriminants, fitted to all pairs".to_owned(),
            x: "first discriminant".to_owned(),
            y: "second".to_owned(),
            log_x: false,
            square: false,
            series: drawn.collect(),
            levels: vec![],
        });
    }
}
