//! Letting the model continue the text.

use egui::{Button, CornerRadius, DragValue, Frame, Margin, RichText, ScrollArea, Stroke, Ui};

use super::super::PanelContext;
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::session::command::{Command, GenerateRequest};
use crate::session::document::Generated;
use crate::session::text;

/// How to continue.
pub(super) struct Controls {
    request: GenerateRequest,
}

impl Default for Controls {
    fn default() -> Controls {
        Controls { request: GenerateRequest { max_tokens: 40, temperature: 0.0, seed: 0 } }
    }
}

impl Controls {
    /// Draws the controls, from right to left.
    pub(super) fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let document = ctx.document();
        let possible = document.model().is_some_and(|model| model.has_logits && model.has_tokenizer && model.causal);
        let running = document.generated.as_ref().is_some_and(|generated| generated.running);
        if running {
            let job = ctx.session.jobs.running().find(|job| job.title == "Continue the text").map(|job| job.id);
            let stop = ui.add(Button::new(format!("{}  Stop", icons::STOP))).accessible_name("Stop");
            if let Some(job) = job.filter(|_| stop.clicked()) {
                ctx.send(Command::CancelJob(job));
            }
            busy(ui);
            return;
        }
        let ready = possible && !document.prompt.is_empty();
        let button =
            ui.add_enabled(ready, Button::new(format!("{}  Continue", icons::LIGHTNING))).accessible_name("Continue");
        let why = if possible { "Type a text first" } else { "This needs an open model that predicts the next token" };
        if button
            .on_hover_text("Let the model write on, with your interventions in force")
            .on_disabled_hover_text(why)
            .clicked()
        {
            ctx.send(Command::Generate(self.request));
        }
        ui.menu_button(icons::SLIDERS_HORIZONTAL, |ui| self.options_ui(ui))
            .response
            .accessible_name("How to continue")
            .on_hover_text("How to continue");
    }

    fn options_ui(&mut self, ui: &mut Ui) {
        ui.set_min_width(220.0);
        egui::Grid::new("generate options").num_columns(2).show(ui, |ui| {
            let request = &mut self.request;
            let label = ui.label("New tokens");
            ui.add(DragValue::new(&mut request.max_tokens).range(1..=1024)).labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Temperature").on_hover_text("0 always takes the most probable token");
            ui.add(DragValue::new(&mut request.temperature).range(0.0..=4.0).speed(0.02).max_decimals(2))
                .labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Seed");
            ui.add_enabled(request.temperature > 0.0, DragValue::new(&mut request.seed)).labelled_by(label.id);
            ui.end_row();
        });
    }
}

/// Draws the continuation, if there is one.
pub(super) fn result_ui(ctx: &PanelContext<'_>, ui: &mut Ui) {
    let Some(generated) = &ctx.document().generated else { return };
    let frame = Frame::new()
        .fill(ctx.palette.raised)
        .stroke(Stroke::new(1.0, ctx.palette.line))
        .corner_radius(CornerRadius::same(6));
    frame.inner_margin(Margin::symmetric(10, 8)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ScrollArea::vertical()
            .id_salt("continuation")
            .max_height(96.0)
            .auto_shrink([false, true])
            .stick_to_bottom(true)
            .show(ui, |ui| text_ui(ui, generated));
        ui.horizontal(|ui| {
            if generated.running {
                ui.weak(format!("{} tokens so far", generated.tokens.len()));
                return;
            }
            let keep =
                ui.add_enabled(!generated.text.is_empty(), Button::new(format!("{}  Keep", icons::CHECK)).small());
            if keep.accessible_name("Keep the continuation").on_hover_text("Append it to the text").clicked() {
                ctx.send(Command::AcceptGeneration);
            }
            if ui.add(Button::new("Discard").small()).accessible_name("Discard the continuation").clicked() {
                ctx.send(Command::DiscardGeneration);
            }
            let mean = generated.tokens.iter().map(|(_, prob)| prob.max(f32::MIN_POSITIVE).ln()).sum::<f32>();
            let mean = (mean / generated.tokens.len().max(1) as f32).exp();
            ui.weak(format!("{} tokens, typical probability {}", generated.tokens.len(), text::percent(mean)));
        });
    });
    ui.add_space(4.0);
}

fn text_ui(ui: &mut Ui, generated: &Generated) {
    if generated.text.is_empty() {
        ui.weak(if generated.running { "The model is reading the text…" } else { "The model ends the text here." });
        return;
    }
    // Line breaks stay line breaks here; everything else that cannot be seen is shown.
    for line in generated.text.split('\n') {
        ui.label(RichText::new(text::visible(line)));
    }
}
