//! The results in their common form, with the published figures.

use super::NAME;
use super::measures::{Feature, represented};
use super::phase::{Fate, Phase};
use super::polytopes::{NAMED, census};
use super::solve::Solved;
use super::sweep::Sweep;
use crate::report::{Fact, Figure, Level, Provenance, Report, Series, Table, number};

/// WᵀW is shown up to this many features.
const MAX_GRAM: usize = 40;

fn provenance(seed: u64) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: "toy models, x′ = ReLU(WᵀWx + b)".to_owned(),
        device: "cpu".to_owned(),
        dtype: "float32".to_owned(),
        seed,
        ..Provenance::default()
    }
}

/// The dimensionalities of the published polytopes.
fn levels() -> Vec<Level> {
    let level = |(name, k, r): &(&str, usize, usize)| Level {
        name: if *k == 1 { "dedicated, 1".to_owned() } else { format!("{name}, {r}/{k}") },
        y: *r as f32 / *k as f32,
    };
    NAMED.iter().map(level).collect()
}

fn columns<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn shown(value: f32) -> String {
    format!("{value:.3}")
}

impl Solved {
    /// The result in its common form.
    pub fn report(&self, seed: u64) -> Report {
        let (n, m) = (self.task.features(), self.task.hidden);
        let title = format!("A toy model of {n} features in {m} dimensions");
        let mut report = Report::new(NAME, title, provenance(seed));
        let kinds = census(&self.polytopes).into_iter().map(|(name, count)| format!("{count} × {name}"));
        report.summary = vec![
            Fact::new("loss", self.best.loss).by("E Σ I_i (x_i − x′_i)²"),
            Fact::new("represented features", represented(&self.features)).by("‖W_i‖ ≥ 0.5"),
            Fact::new("dimensions per feature", self.dimensions_per_feature).by("D* = m / ‖W‖²_F"),
            Fact::new("dimensions in use", number(self.features.iter().map(|one| one.dimensionality).sum()))
                .by("Σ D_i, D_i = ‖W_i‖² / Σ_j (Ŵ_i·W_j)²"),
            Fact::new("polytopes", kinds.collect::<Vec<_>>().join(", ")).by("sets of features that share dimensions"),
        ];
        report.controls = vec![
            Fact::new("loss of the linear model", self.linear.loss).by("x′ = WᵀWx + b, trained alike"),
            Fact::new("features of the linear model", represented(&self.linear_features)).by("‖W_i‖ ≥ 0.5"),
            Fact::new("loss without superposition", self.without_superposition)
                .by("Σ I_i (p_i/3 − p_i²/4) over all but the m features for which it is largest"),
            Fact::new("starts as good as the best", format!("{} of {}", self.as_good(), self.losses.len()))
                .by("loss within 5 %"),
        ];
        report.tables.push(Table {
            name: "features".to_owned(),
            columns: columns([
                "feature",
                "importance",
                "density",
                "‖W_i‖",
                "interference",
                "D_i",
                "bias",
                "linear ‖W_i‖",
            ]),
            rows: self.features.iter().enumerate().map(|(i, one)| self.row(i, one)).collect(),
        });
        let polytopes = self.polytopes.iter().map(|one| {
            let features: Vec<String> = one.features.iter().take(20).map(usize::to_string).collect();
            let more = if one.features.len() > 20 { " …" } else { "" };
            vec![
                one.name().into(),
                one.features.len().into(),
                one.dimensions.into(),
                number(one.dimensionality),
                number(one.spread),
                format!("{}{more}", features.join(" ")).into(),
            ]
        });
        report.tables.push(Table {
            name: "polytopes".to_owned(),
            columns: columns(["polytope", "features", "dimensions", "mean D_i", "spread of D_i", "which"]),
            rows: polytopes.collect(),
        });
        let names: Vec<String> = (0..n).map(|i| i.to_string()).collect();
        if n <= MAX_GRAM {
            let gram = self.best.toy.gram();
            report.figures.push(Figure::Heatmap {
                title: "WᵀW: what feature (column) puts out at feature (row)".to_owned(),
                rows: names.clone(),
                columns: names.clone(),
                values: gram.iter().map(|value| Some(*value)).collect(),
                labels: if n <= 10 { gram.iter().map(|value| format!("{value:+.2}")).collect() } else { vec![] },
                signed: true,
            });
        }
        if m == 2 {
            let points = (0..n).map(|i| [self.best.toy.column(i)[0], self.best.toy.column(i)[1]]);
            report.figures.push(Figure::Scatter {
                title: "The features in their two dimensions".to_owned(),
                x: "first dimension".to_owned(),
                y: "second dimension".to_owned(),
                log_x: false,
                square: true,
                series: vec![Series {
                    name: String::new(),
                    points: points.collect(),
                    labels: names.iter().map(|name| format!("feature {name}")).collect(),
                    joined: false,
                }],
                levels: vec![],
            });
        }
        report.figures.push(self.norms(&names));
        report
    }

    fn row(&self, i: usize, one: &Feature) -> Vec<serde_json::Value> {
        vec![
            i.into(),
            number(self.task.importance[i]),
            number(self.task.density[i]),
            number(one.norm),
            number(one.interference),
            number(one.dimensionality),
            number(one.bias),
            number(self.linear_features[i].norm),
        ]
    }

    /// Norms by feature, those in superposition apart from those that have their dimension to themselves.
    fn norms(&self, names: &[String]) -> Figure {
        let (mut alone, mut shared) = (Vec::new(), Vec::new());
        for (i, one) in self.features.iter().enumerate() {
            let list = if one.interference > 0.25 { &mut shared } else { &mut alone };
            list.push((i, one.norm));
        }
        let series = |name: &str, list: Vec<(usize, f32)>| Series {
            name: name.to_owned(),
            labels: list.iter().map(|(i, _)| format!("feature {}", names[*i])).collect(),
            points: list.into_iter().map(|(i, norm)| [i as f32, norm]).collect(),
            joined: false,
        };
        Figure::Scatter {
            title: "How strongly each feature is represented".to_owned(),
            x: "feature".to_owned(),
            y: "‖W_i‖".to_owned(),
            log_x: false,
            square: false,
            series: vec![series("to itself, interference ≤ 0.25", alone), series("in superposition", shared)],
            levels: vec![],
        }
    }
}

impl Phase {
    /// The result in its common form.
    pub fn report(&self, seed: u64) -> Report {
        let m = self.hidden;
        let title = format!("Phase diagram of {} features in {m} dimension{}", m + 1, if m == 1 { "" } else { "s" });
        let mut report = Report::new(NAME, title, provenance(seed));
        let counts = self.counts();
        for (fate, count) in Fate::ALL.iter().zip(counts) {
            report.summary.push(Fact::new(format!("cells {}", fate.name()), count));
        }
        let (all, clear) = self.agreement();
        report.controls = vec![
            Fact::new("agreement with the closed forms", all)
                .by("share of cells with the kind of solution of least loss"),
            Fact::new("agreement where they are clear", clear).by("cells where it is 20 % below any other"),
            Fact::new("largest loss in units of theirs", self.worst_ratio())
                .by("trained models move norms and biases: ≤ 1"),
        ];
        // The most important on top, as published.
        let order: Vec<usize> = (0..self.importances.len()).rev().collect();
        let width = self.densities.len();
        let rows: Vec<String> = order.iter().map(|row| shown(self.importances[*row])).collect();
        let heads: Vec<String> = self.densities.iter().map(|density| shown(*density)).collect();
        let cells = || order.iter().flat_map(|row| &self.cells[row * width..(row + 1) * width]);
        report.figures.push(Figure::Heatmap {
            title: "What becomes of the extra feature (rows: its importance, columns: density): D a dimension of its own, s superposed, · not represented"
                .to_owned(),
            rows: rows.clone(),
            columns: heads.clone(),
            values: cells().map(|cell| Some([0.0, 1.0, -1.0][cell.fate as usize])).collect(),
            labels: cells().map(|cell| ["·", "D", "s"][cell.fate as usize].to_owned()).collect(),
            signed: true,
        });
        for (name, value) in [
            ("Its norm ‖W‖", (|cell| cell.norm) as fn(&super::Cell) -> f32),
            ("What stands in its direction, Σ_j (Ŵ·W_j)²", |cell| cell.interference),
        ] {
            report.figures.push(Figure::Heatmap {
                title: name.to_owned(),
                rows: rows.clone(),
                columns: heads.clone(),
                values: cells().map(|cell| Some(value(cell))).collect(),
                labels: vec![],
                signed: false,
            });
        }
        let row = |cell: &super::Cell| {
            let mut row =
                vec![number(cell.importance), number(cell.density), cell.fate.name().into(), cell.loss.into()];
            row.extend(cell.closed.map(serde_json::Value::from));
            row.extend(cell.shares.map(number));
            row
        };
        report.tables.push(Table {
            name: "cells".to_owned(),
            columns: columns([
                "importance",
                "density",
                "extra feature",
                "loss",
                "closed form: not represented",
                "dedicated",
                "superposed",
                "share of fits: not represented",
                "of fits: dedicated",
                "of fits: superposed",
            ]),
            rows: cells().map(row).collect(),
        });
        report
    }
}

impl Sweep {
    /// The result in its common form.
    pub fn report(&self, seed: u64) -> Report {
        let title = format!("{} equally important features in {} dimensions", self.features, self.hidden);
        let mut report = Report::new(NAME, title, provenance(seed));
        let mut all: Vec<(String, usize)> = Vec::new();
        for (name, count) in self.stages.iter().flat_map(|stage| census(&stage.polytopes)) {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                None => all.push((name, count)),
            }
        }
        for (name, vertices, dimensions) in NAMED {
            let count = all.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
            let formula =
                format!("{vertices} feature{} in {dimensions} dimensions", if vertices == 1 { "" } else { "s" });
            report.summary.push(
                Fact::new(format!("{name}s found").replace("dedicateds", "dedicated dimensions"), count).by(formula),
            );
        }
        let dense = self.stages.first().map(|stage| stage.dimensions_per_feature);
        report
            .controls
            .push(Fact::new("dimensions per feature without sparsity", dense).by("D* at density 1: no superposition"));
        let row = |stage: &super::Stage| {
            let kinds = census(&stage.polytopes);
            let kinds: Vec<String> = kinds.iter().take(5).map(|(name, count)| format!("{count} × {name}")).collect();
            vec![
                number(stage.density),
                stage.loss.into(),
                stage.dimensions_per_feature.into(),
                stage.represented.into(),
                number(stage.median()),
                number(stage.total()),
                kinds.join(", ").into(),
            ]
        };
        report.tables.push(Table {
            name: "densities".to_owned(),
            columns: columns(["density", "loss", "D*", "represented", "median D_i of these", "Σ D_i", "polytopes"]),
            rows: self.stages.iter().map(row).collect(),
        });
        let sparsity = |stage: &super::Stage| 1.0 / stage.density;
        let d_star = self.stages.iter().map(|stage| [sparsity(stage), stage.dimensions_per_feature as f32]);
        let level = |name: &str, y: f32| Level { name: name.to_owned(), y };
        report.figures.push(Figure::Scatter {
            title: "Dimensions per feature".to_owned(),
            x: "1 / (1 − S)".to_owned(),
            y: "D* = m / ‖W‖²_F".to_owned(),
            log_x: true,
            square: false,
            series: vec![Series { name: String::new(), points: d_star.collect(), labels: vec![], joined: true }],
            levels: vec![level("1", 1.0), level("1/2", 0.5)],
        });
        let (mut points, mut labels) = (Vec::new(), Vec::new());
        for stage in &self.stages {
            for (feature, share) in stage.dimensionality.iter().enumerate() {
                points.push([sparsity(stage), *share]);
                let polytope = stage.polytopes.iter().find(|one| one.features.contains(&feature));
                let name = polytope.map_or_else(|| "not represented".to_owned(), |one| one.name());
                labels.push(format!("feature {feature}: {name}"));
            }
        }
        report.figures.push(Figure::Scatter {
            title: "Dimensionality of each feature".to_owned(),
            x: "1 / (1 − S)".to_owned(),
            y: "D_i".to_owned(),
            log_x: true,
            square: false,
            series: vec![Series { name: String::new(), points, labels, joined: false }],
            levels: levels(),
        });
        report
    }
}

#[cfg(test)]
mod tests {
    use golgi_data::context::RunContext;

    use super::super::{PhaseParams, SolveParams, SweepParams, Training, phase, solve, sweep};
    use super::*;

    #[test]
    fn reports_are_whole() {
        let training = Training { steps: 50, rate: 1e-2, batch: 32, ..Training::default() };
        let ctx = RunContext::new(7);
        let solved = SolveParams { starts: 2, training: training.clone(), ..SolveParams::default() };
        let diagram = PhaseParams { cells: 3, fits: 2, training: training.clone(), ..PhaseParams::default() };
        let swept = SweepParams { features: 10, hidden: 3, densities: 3, training, ..SweepParams::default() };
        let reports = [
            solve(&solved, &ctx).unwrap().report(7),
            phase(&diagram, &ctx).unwrap().report(7),
            sweep(&swept, &ctx).unwrap().report(7),
        ];
        for report in &reports {
            assert!(report.summary.len() >= 3 && !report.controls.is_empty() && report.figures.len() >= 2);
            assert_eq!((report.analysis.as_str(), report.provenance.seed), ("superposition", 7));
            for table in &report.tables {
                assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.name);
            }
            for figure in &report.figures {
                match figure {
                    Figure::Heatmap { rows, columns, values, labels, .. } => {
                        assert_eq!(values.len(), rows.len() * columns.len());
                        assert!(labels.is_empty() || labels.len() == values.len());
                    }
                    Figure::Scatter { series, .. } => {
                        let labelled = |one: &Series| one.labels.is_empty() || one.labels.len() == one.points.len();
                        assert!(series.iter().all(labelled));
                    }
                    _ => panic!("unexpected figure"),
                }
            }
            let text = serde_json::to_string(report).unwrap();
            let read: Report = serde_json::from_str(&text).unwrap();
            assert_eq!((read.tables.len(), read.figures == report.figures), (report.tables.len(), true));
        }
        // The most important cell is in the first row.
        let Figure::Heatmap { rows, columns, .. } = &reports[1].figures[0] else { panic!() };
        assert_eq!((rows[0].as_str(), columns[0].as_str()), ("10.000", "1.000"));
        assert!(reports[2].fact("dimensions per feature without sparsity").unwrap().is_number());
    }
}
