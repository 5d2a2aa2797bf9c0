//! What a panel shows instead of a result: why there is none, how far it has come, or what went wrong, and what to do next.

use egui::accesskit::Role;
use egui::{Align, Layout, ProgressBar, RichText, Ui, WidgetInfo, vec2};
use golgi_data::context::Progress;

use crate::desktop::theme::busy::busy;
use crate::session::document::Document;
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::text;

/// The widest that sentences run, in points.
const MEASURE: f32 = 360.0;

/// Nothing is there: a short heading and a sentence that says what to do next.
pub fn empty(ui: &mut Ui, heading: &str, next_step: &str) {
    centred(ui, |ui| {
        ui.label(RichText::new(heading).strong().size(15.0));
        ui.add_space(4.0);
        ui.weak(next_step);
    });
}

/// A result is being computed and there is no older one to show meanwhile.
pub fn loading(ui: &mut Ui, doing: &str, progress: &Progress) {
    centred(ui, |ui| {
        ui.label(RichText::new(format!("{doing}…")).strong().size(15.0));
        ui.add_space(6.0);
        let stage = text::visible(&progress.stage);
        let response = match progress.fraction() {
            Some(share) => ui.add(ProgressBar::new(share).desired_width(MEASURE * 0.7).desired_height(6.0)),
            None => busy(ui),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, doing));
        let counted =
            if progress.total > 0 { format!("{stage} {} of {}", progress.done, progress.total) } else { stage };
        ui.weak(counted.trim());
    });
}

/// A result could not be had. True when it shall be tried again.
pub fn failed(ui: &mut Ui, notice: &Notice) -> bool {
    let mut again = false;
    centred(ui, |ui| {
        ui.label(RichText::new(text::visible(&notice.sentence)).strong().size(15.0).color(ui.visuals().error_fg_color));
        for cause in &notice.causes {
            ui.weak(text::visible(cause));
        }
        if let Some(step) = &notice.next_step {
            ui.add_space(4.0);
            ui.label(text::visible(step));
        }
        ui.add_space(8.0);
        again = ui.button("Try again").clicked();
    });
    again
}

/// What of a result to draw this frame; shows the placeholder where there is nothing to draw.
pub enum Shown<'a, T> {
    /// This; older than the prompt where `stale`.
    Value {
        /// The result.
        value: &'a std::sync::Arc<T>,
        /// Whether a newer one is being computed.
        stale: bool,
    },
    /// Nothing; the placeholder is drawn. True: it shall be tried again.
    Nothing(bool),
}

/// Decides what a panel draws of `result`. `what` is the result's name in a sentence, `heading` and `next_step` are for the empty state.
pub fn shown<'a, T>(ui: &mut Ui, result: &'a Loadable<T>, what: &str, heading: &str, next_step: &str) -> Shown<'a, T> {
    shown_or(ui, result, &format!("Computing {what}"), |ui| empty(ui, heading, next_step))
}

/// The same, saying what is being `doing`, and with another empty state.
pub fn shown_or<'a, T>(
    ui: &mut Ui,
    result: &'a Loadable<T>,
    doing: &str,
    when_empty: impl FnOnce(&mut Ui),
) -> Shown<'a, T> {
    match result {
        Loadable::Ready(value) => Shown::Value { value, stale: false },
        Loadable::Loading { previous: Some(value), .. } => Shown::Value { value, stale: true },
        Loadable::Loading { progress, .. } => {
            loading(ui, doing, progress);
            Shown::Nothing(false)
        }
        Loadable::Failed(notice) => Shown::Nothing(failed(ui, notice)),
        Loadable::Empty => {
            when_empty(ui);
            Shown::Nothing(false)
        }
    }
}

pub(crate) fn centred(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let room = ui.available_size();
    ui.allocate_ui_with_layout(room, Layout::top_down(Align::Center), |ui| {
        ui.set_min_size(room);
        ui.add_space((room.y * 0.32).min(160.0));
        let width = MEASURE.min(room.x - 16.0).max(60.0);
        ui.allocate_ui_with_layout(vec2(width, 0.0), Layout::top_down(Align::Center), add);
    });
}

/// What to do before there can be anything to show of a prompt.
pub fn next_step(document: &Document, then: &str) -> String {
    if document.model().is_none() {
        return match &document.model {
            Loadable::Loading { .. } => "The model is being opened. This panel fills by itself.".to_owned(),
            _ => format!("Open a model from the start screen, or drop its file here. Then {then}"),
        };
    }
    if document.prompt.is_empty() {
        return format!("Type a text into the Prompt panel. Then {then}");
    }
    "It is computed as soon as the prompt has been run; watch Jobs and notices.".to_owned()
}
