//! The form that asks what atlas shall be built, and what it says of a build under way.

use std::path::PathBuf;

use egui::{Button, Frame, Grid, Id, Modal, RichText, TextEdit, Ui};
use golgi_data::context::bytes_text;

use super::panels::PanelContext;
use super::theme::{Palette, busy, icons, progress_bar};
use crate::session::Session;
use crate::session::build::{Build, BuildPhase, BuildRequest};
use crate::session::command::Command;
use crate::session::text::{grouped, visible};

/// The form.
pub struct BuildForm {
    model: String,
    corpus: String,
    tokens: u64,
    folder: String,
}

impl BuildForm {
    /// A form with a proposal for a model.
    pub fn new(spec: &str, name: &str) -> BuildForm {
        let safe: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        let folder = dirs::document_dir().or_else(dirs::home_dir).unwrap_or_else(|| PathBuf::from("."));
        let folder = folder.join(format!("golgi-atlas-{}", safe.trim_matches('.')));
        let folder = folder.to_string_lossy().into_owned();
        BuildForm { model: spec.to_owned(), corpus: "starter".to_owned(), tokens: 100_000, folder }
    }

    fn request(&self) -> BuildRequest {
        BuildRequest {
            model: self.model.clone(),
            corpus: self.corpus.trim().to_owned(),
            tokens: self.tokens,
            folder: PathBuf::from(self.folder.trim()),
        }
    }

    /// Draws the form. Returns whether it is done with.
    pub fn ui(&mut self, ui: &Ui, session: &Session, palette: &Palette) -> bool {
        let commands = session.commands();
        let frame = Frame::window(ui.style()).inner_margin(18);
        let shown = Modal::new(Id::unique("build form")).frame(frame).show(ui.ctx(), |ui| {
            ui.set_width(500.0);
            ui.heading("Build an atlas");
            ui.weak("Every neuron, head and residual dimension over a corpus. It runs beside the window, with a second copy of the model in memory.");
            ui.add_space(6.0);
            Grid::new("build").num_columns(2).spacing([12.0, 6.0]).show(ui, |ui| {
                for (name, text) in [("Corpus", &mut self.corpus), ("Folder", &mut self.folder)] {
                    let label = ui.label(name);
                    ui.add(TextEdit::singleline(text).desired_width(390.0)).labelled_by(label.id);
                    ui.end_row();
                }
                let label = ui.label("Tokens");
                ui.horizontal(|ui| {
                    ui.add(egui::DragValue::new(&mut self.tokens).range(1_000..=10_000_000_000u64).speed(1000.0)).labelled_by(label.id);
                    for (name, tokens) in [("20 k", 20_000), ("100 k", 100_000), ("1 M", 1_000_000)] {
                        if ui.small_button(name).clicked() {
                            self.tokens = tokens;
                        }
                    }
                });
                ui.end_row();
            });
            ui.weak("The corpus is starter, a text file, a folder, or a JSONL, Parquet or CSV file.");
            let request = self.request();
            let build = session.build.as_ref().filter(|build| build.request == request);
            ui.add_space(4.0);
            estimate_ui(ui, palette, build);
            ui.add_space(8.0);
            let mut done = false;
            ui.horizontal(|ui| {
                let usable = !request.corpus.is_empty() && !self.folder.trim().is_empty();
                let busy = session.build.as_ref().is_some_and(Build::is_busy);
                let estimate = ui.add_enabled(usable && !busy, Button::new("Estimate"));
                if estimate.on_hover_text("Runs a few hundred tokens to tell time and size").clicked() {
                    commands.send(Command::EstimateAtlas(request.clone()));
                }
                let begin = RichText::new(format!("{}  Build", icons::HAMMER)).color(palette.on_accent);
                let begin = ui.add_enabled(usable && !busy, Button::new(begin).fill(palette.accent_fill));
                if begin.accessible_name("Build").clicked() {
                    commands.send(Command::BuildAtlas(request.clone()));
                    done = true;
                }
                done |= ui.button("Cancel").clicked();
            });
            done
        });
        shown.inner || shown.should_close()
    }
}

/// What is known of what a build will take.
fn estimate_ui(ui: &mut Ui, palette: &Palette, build: Option<&Build>) {
    let Some(build) = build else { return };
    match (&build.phase, &build.estimate) {
        (BuildPhase::Estimating, _) => {
            ui.horizontal(|ui| {
                busy::busy(ui);
                ui.weak("Opening the model and running a few hundred tokens…");
            });
        }
        (BuildPhase::Failed(notice), _) => {
            let causes = std::iter::once(&notice.sentence).chain(&notice.causes).chain(&notice.next_step);
            let text = causes.map(|text| visible(text)).collect::<Vec<_>>().join(" ");
            ui.label(RichText::new(text).color(palette.error));
        }
        (_, Some(estimate)) => {
            let sizes = format!(
                "{} units over {} tokens: about {} (of which {} after the model has run), {} of memory, {} on disk.",
                grouped(estimate.units),
                grouped(estimate.tokens),
                span(estimate.seconds),
                span(estimate.after_seconds),
                bytes_text(estimate.memory_bytes),
                bytes_text(estimate.disk_bytes),
            );
            ui.label(sizes);
        }
        _ => {}
    }
}

/// A length of time for people.
fn span(secs: f64) -> String {
    match secs {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A line about the build under way, where there is one.
pub fn strip_ui(ctx: &PanelContext<'_>, ui: &mut Ui) {
    let Some(build) = &ctx.session.build else { return };
    let job = build.job.and_then(|job| ctx.session.jobs.get(job));
    ui.horizontal(|ui| {
        ui.label(RichText::new(icons::HAMMER).color(ctx.palette.accent));
        match &build.phase {
            BuildPhase::Running => {
                let progress = job.map(|job| job.progress.clone()).unwrap_or_default();
                ui.label(format!("Building the atlas: {}", visible(&progress.stage)));
                ui.add(progress_bar(ctx.palette, progress.fraction()).desired_width(140.0))
                    .accessible_name("Progress of the build");
                if let Some(left) = job.and_then(|job| job.time_left()) {
                    ui.weak(format!("{} left", span(left.as_secs_f64())));
                }
                if ui.button(format!("{}  Pause", icons::PAUSE)).on_hover_text("What is done is kept").clicked() {
                    ctx.send(Command::PauseBuild);
                }
            }
            BuildPhase::Paused | BuildPhase::Failed(_) => {
                let (text, color) = match &build.phase {
                    BuildPhase::Failed(notice) => (visible(&notice.sentence), ctx.palette.error),
                    _ => ("The build is paused".to_owned(), ctx.palette.text),
                };
                ui.label(RichText::new(text).color(color));
                if ui.button(format!("{}  Resume", icons::PLAY)).on_hover_text("Goes on from what is done").clicked() {
                    ctx.send(Command::BuildAtlas(build.request.clone()));
                }
                let forget = format!("What is done stays in {}", build.request.folder.display());
                if ui.button("Cancel").on_hover_text(forget).clicked() {
                    ctx.send(Command::ForgetBuild);
                }
            }
            BuildPhase::Estimating | BuildPhase::Estimated => {
                ui.weak("An atlas is being planned");
                if ui.button("Go on").clicked() {
                    ctx.send(Command::AskToBuildAtlas);
                }
                if ui.button("Cancel").clicked() {
                    ctx.send(Command::ForgetBuild);
                }
            }
        }
    });
    ui.separator();
}
