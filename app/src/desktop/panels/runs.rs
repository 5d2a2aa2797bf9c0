//! Training runs: loss, sparsity, explained variance and dead latents by step, of several dictionaries side by side, and how often
//! their latents are active.

mod charts;

use egui::{Button, Color32, RichText, ScrollArea, Slider, TextStyle, Ui};

use super::{Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::desktop::widgets::placeholder;
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::runs::{Course, Followed};
use crate::session::text;

/// The panel.
#[derive(Default)]
pub struct RunsPanel {
    /// Dictionaries that are not drawn, by folder and name.
    hidden: Vec<(std::path::PathBuf, String)>,
    /// The dictionary whose density is shown, counted over all runs.
    chosen: usize,
    /// Which of its records; the last one where nothing is said.
    record: Option<usize>,
}

/// A dictionary with its colour.
pub(super) struct Drawn<'a> {
    course: &'a Course,
    name: String,
    color: Color32,
}

/// Colours that people with any colour vision tell apart on either ground (after Okabe and Ito).
const COLORS: [Color32; 6] = [
    Color32::from_rgb(0x00, 0x9e, 0x9a),
    Color32::from_rgb(0xe6, 0x8a, 0x00),
    Color32::from_rgb(0x4a, 0x90, 0xd9),
    Color32::from_rgb(0xcc, 0x5b, 0x9a),
    Color32::from_rgb(0x8f, 0x8f, 0x3a),
    Color32::from_rgb(0xd5, 0x4e, 0x2a),
];

impl Panel for RunsPanel {
    fn id(&self) -> &'static str {
        "runs"
    }

    fn title(&self) -> &'static str {
        "SAE runs"
    }

    fn icon(&self) -> &'static str {
        icons::CHART_BAR
    }

    fn help(&self) -> &'static str {
        "Training of sparse dictionaries, while it runs and afterwards: open the folder of `golgi sae train`. Several runs are drawn \
         in the same charts. The histogram shows in which share of the tokens latents are active; the slider goes back in time."
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let runs = ctx.session.runs.list();
        if runs.is_empty() {
            if ui.button("Open a run…").clicked() {
                ctx.send(Command::AskForRun);
            }
            placeholder::empty(
                ui,
                "No training run is open",
                "Train a dictionary with `golgi sae train smollm2 --corpus starter --site blocks.15.hook_resid_post --out run`, then open the \
                 folder `run` here; it may still be running.",
            );
            return;
        }
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            if ui.button("Open another run…").clicked() {
                ctx.send(Command::AskForRun);
            }
            for followed in runs {
                self.run_ui(ui, ctx, followed);
            }
            let drawn = self.drawn(runs);
            if drawn.iter().all(|one| one.course.history.is_empty()) {
                ui.weak("Nothing has been recorded yet; the charts appear with the first record.");
                return;
            }
            charts::courses(ui, ctx.palette, &drawn);
            self.density_ui(ui, ctx, &drawn);
        });
    }
}

impl RunsPanel {
    fn run_ui(&mut self, ui: &mut Ui, ctx: &PanelContext<'_>, followed: &Followed) {
        let name = text::visible(&followed.folder.to_string_lossy());
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            ui.label(RichText::new(text::shortened(&name, 60)).strong()).on_hover_text(&name);
            let close = Button::new(icons::X).frame_when_inactive(false).small();
            if ui.add(close).accessible_name(format!("Close {name}")).clicked() {
                ctx.send(Command::CloseRun(followed.folder.clone()));
            }
            if let (Some(speed), Some(left)) = (followed.speed(), followed.seconds_left().filter(|left| *left > 0.0)) {
                ui.weak(format!("{speed:.1} steps/s, {} left", time_text(left)));
            }
        });
        match &followed.run {
            Loadable::Failed(notice) => {
                ui.colored_label(ctx.palette.error, text::visible(&notice.sentence));
                for cause in &notice.causes {
                    ui.weak(text::visible(cause));
                }
            }
            Loadable::Ready(run) => {
                ui.weak(format!(
                    "{} on {}, {} rows",
                    text::shortened(&text::visible(&run.file.model), 40),
                    text::shortened(&text::visible(&run.file.corpus), 40),
                    text::count_text(run.file.rows)
                ));
                for course in &run.courses {
                    self.course_ui(ui, ctx, followed, course);
                }
            }
            _ => {
                ui.weak("Reading…");
            }
        }
    }

    fn course_ui(&mut self, ui: &mut Ui, ctx: &PanelContext<'_>, followed: &Followed, course: &Course) {
        let key = (followed.folder.clone(), course.name.clone());
        ui.horizontal(|ui| {
            let mut shown = !self.hidden.contains(&key);
            let color = self.color(ctx.session.runs.list(), followed, course);
            ui.label(RichText::new("•").size(20.0).color(color));
            let name = text::visible(&course.name);
            if ui.checkbox(&mut shown, text::shortened(&name, 40)).changed() {
                self.hidden.retain(|hidden| *hidden != key);
                if !shown {
                    self.hidden.push(key);
                }
            }
            let kind = course.architecture.replace('_', " ");
            ui.weak(format!("{kind}, {} latents", text::count_text(course.latents.into())));
            ui.weak(format!("step {} of {}", text::count_text(course.done()), text::count_text(course.steps)));
            if let Some(last) = course.history.last() {
                let report = &last.report;
                ui.label(format!(
                    "L0 {:.1}   explained {:.1} %   dead {:.1} %",
                    report.l0,
                    report.explained * 100.0,
                    report.dead * 100.0
                ));
            }
        });
    }

    /// The colour of a dictionary: its number among all.
    fn color(&self, runs: &[Followed], followed: &Followed, course: &Course) -> Color32 {
        let all = runs.iter().filter_map(|one| Some((one, one.run.shown()?)));
        let all = all.flat_map(|(one, run)| run.courses.iter().map(move |course| (&one.folder, &course.name)));
        let number = all.into_iter().position(|(folder, name)| *folder == followed.folder && *name == course.name);
        COLORS[number.unwrap_or(0) % COLORS.len()]
    }

    fn drawn<'a>(&self, runs: &'a [Followed]) -> Vec<Drawn<'a>> {
        let mut drawn = Vec::new();
        for followed in runs {
            let Some(run) = followed.run.shown() else { continue };
            for course in &run.courses {
                if self.hidden.contains(&(followed.folder.clone(), course.name.clone())) {
                    continue;
                }
                let name = text::shortened(&text::visible(&course.name), 30);
                drawn.push(Drawn { course, name, color: self.color(runs, followed, course) });
            }
        }
        drawn
    }

    fn density_ui(&mut self, ui: &mut Ui, ctx: &PanelContext<'_>, drawn: &[Drawn<'_>]) {
        let recorded: Vec<&Drawn<'_>> = drawn.iter().filter(|one| !one.course.history.is_empty()).collect();
        self.chosen = self.chosen.min(recorded.len().saturating_sub(1));
        let Some(one) = recorded.get(self.chosen) else { return };
        ui.add_space(8.0);
        ui.label(
            RichText::new("HOW OFTEN LATENTS ARE ACTIVE")
                .text_style(TextStyle::Name("caption".into()))
                .color(ctx.palette.text_weak),
        );
        ui.horizontal(|ui| {
            for (index, other) in recorded.iter().enumerate() {
                if ui.selectable_label(index == self.chosen, &other.name).clicked() {
                    (self.chosen, self.record) = (index, None);
                }
            }
        });
        let history = &one.course.history;
        let last = history.len() - 1;
        let mut at = self.record.unwrap_or(last).min(last);
        if last > 0 {
            let before = at;
            ui.add(Slider::new(&mut at, 0..=last).show_value(false).text("time"));
            if at != before {
                self.record = (at < last).then_some(at);
            }
        }
        let record = &history[at];
        ui.weak(format!(
            "up to step {}: {} of {} latents were not active since the record before",
            text::count_text(record.report.step),
            text::count_text(record.density.first().copied().unwrap_or(0).into()),
            text::count_text(one.course.latents.into())
        ));
        charts::density(ui, ctx.palette, record, one.color);
    }
}

/// `45 s`, `3 min`, `2.5 h`.
fn time_text(seconds: f64) -> String {
    match seconds {
        s if s < 99.5 => format!("{s:.0} s"),
        s if s < 5970.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
