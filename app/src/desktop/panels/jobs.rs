//! Jobs and notices: what is running, what ended how, and everything there was to tell.

use std::time::Duration;

use egui::{Align, Button, Layout, RichText, ScrollArea, TextStyle, Ui};

use super::{Panel, PanelContext};
use crate::desktop::theme::{Palette, icons, progress_bar};
use crate::desktop::toasts;
use crate::desktop::widgets::placeholder;
use crate::session::command::Command;
use crate::session::jobs::{Job, JobState};
use crate::session::notices::Listed;
use crate::session::text;

/// The panel.
#[derive(Default)]
pub struct JobsPanel;

impl Panel for JobsPanel {
    fn id(&self) -> &'static str {
        "jobs"
    }

    fn title(&self) -> &'static str {
        "Jobs and notices"
    }

    fn icon(&self) -> &'static str {
        icons::BELL
    }

    fn help(&self) -> &'static str {
        "Work in the background, with its progress and the time left. Cancel what runs, retry what failed. Below, everything \
         that went wrong or is worth knowing, with its causes and the next step."
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let (jobs, notices) = (ctx.session.jobs.list(), ctx.session.notices.list());
        if jobs.is_empty() && notices.is_empty() {
            placeholder::empty(
                ui,
                "Nothing is running",
                "Work in the background and everything there is to tell appears here.",
            );
            return;
        }
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            if !notices.is_empty() {
                heading_ui(ui, ctx.palette, "Notices", "Clear notices", || ctx.send(Command::ClearNotices));
                for listed in notices.iter().rev() {
                    notice_ui(ui, ctx, listed);
                }
                ui.add_space(10.0);
            }
            if !jobs.is_empty() {
                heading_ui(ui, ctx.palette, "Jobs", "Clear finished jobs", || ctx.send(Command::ClearFinishedJobs));
                let (running, ended): (Vec<&Job>, Vec<&Job>) = jobs.iter().rev().partition(|job| job.is_running());
                for job in running.into_iter().chain(ended) {
                    job_ui(ui, ctx, job);
                }
            }
        });
    }
}

fn heading_ui(ui: &mut Ui, palette: &Palette, name: &str, clear: &str, on_clear: impl FnOnce()) {
    ui.horizontal(|ui| {
        ui.label(
            RichText::new(name.to_uppercase()).text_style(TextStyle::Name("caption".into())).color(palette.text_weak),
        );
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let button = Button::new(RichText::new("Clear").small()).frame_when_inactive(false).small();
            if ui.add(button).accessible_name(clear).clicked() {
                on_clear();
            }
        });
    });
}

fn job_ui(ui: &mut Ui, ctx: &PanelContext<'_>, job: &Job) {
    let palette = ctx.palette;
    let (icon, color) = match &job.state {
        JobState::Running => (icons::HOURGLASS_MEDIUM, palette.accent),
        JobState::Done => (icons::CHECK_CIRCLE, palette.good),
        JobState::Cancelled => (icons::PROHIBIT, palette.text_weak),
        JobState::Failed(_) => (icons::X_CIRCLE, palette.error),
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(icon).size(15.0).color(color));
        let title = RichText::new(text::visible(&job.title));
        ui.label(if matches!(job.state, JobState::Failed(_)) { title.color(palette.error) } else { title });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if job.is_running() {
                let stop = if job.can_pause { "Pause" } else { "Cancel" };
                if ui.small_button(stop).accessible_name(format!("{stop} {}", job.title)).clicked() {
                    ctx.send(Command::CancelJob(job.id));
                }
            } else if job.retry.is_some()
                && !matches!(job.state, JobState::Done)
                && ui.small_button(again(job)).accessible_name(format!("{} {}", again(job), job.title)).clicked()
            {
                ctx.send(Command::RetryJob(job.id));
            }
            ui.weak(timing(job));
        });
    });
    if job.is_running() {
        ui.add(progress_bar(palette, job.progress.fraction())).accessible_name(&job.title);
    }
    if let JobState::Failed(notice) = &job.state {
        ui.indent(job.id, |ui| toasts::body_ui(ui, palette, notice));
    }
}

/// What starting it again is called.
fn again(job: &Job) -> &'static str {
    if job.can_pause { "Resume" } else { "Retry" }
}

fn timing(job: &Job) -> String {
    let stage = text::visible(&job.progress.stage);
    match (&job.state, job.time_left()) {
        (JobState::Running, Some(left)) => format!("{stage} · {} left", span(left)),
        (JobState::Running, None) => stage,
        (JobState::Cancelled, _) if job.can_pause => "paused".into(),
        (JobState::Cancelled, _) => "cancelled".into(),
        _ => span(job.elapsed()),
    }
}

/// A length of time for people: `240 ms`, `3.2 s`, `4 min`.
fn span(time: Duration) -> String {
    match time.as_secs_f32() {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 90.0 => format!("{s:.1} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

fn notice_ui(ui: &mut Ui, ctx: &PanelContext<'_>, listed: &Listed) {
    let palette = ctx.palette;
    let (icon, color) = toasts::look(listed.notice.severity, palette);
    ui.horizontal_top(|ui| {
        ui.label(RichText::new(icon).size(15.0).color(color));
        let width = ui.available_width() - 62.0;
        ui.vertical(|ui| {
            ui.set_width(width);
            toasts::body_ui(ui, palette, &listed.notice);
            if listed.count > 1 {
                ui.weak(format!("{} times", listed.count));
            }
        });
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            let small = |icon: &str| Button::new(RichText::new(icon).size(13.0)).frame_when_inactive(false).small();
            if ui.add(small(icons::X)).accessible_name("Dismiss").on_hover_text("Dismiss").clicked() {
                ctx.send(Command::DismissNotice(listed.id));
            }
            if ui.add(small(icons::COPY)).accessible_name("Copy details").on_hover_text("Copy details").clicked() {
                ui.ctx().copy_text(listed.notice.details());
            }
        });
    });
    ui.add_space(4.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        assert_eq!(span(Duration::from_millis(240)), "240 ms");
        assert_eq!(span(Duration::from_millis(3200)), "3.2 s");
        assert_eq!(span(Duration::from_secs(240)), "4 min");
    }
}
