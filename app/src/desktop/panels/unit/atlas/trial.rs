//! A text of one's own, run through the open model, with the unit's activation painted over it.

use egui::{Key, TextEdit, Ui};
use golgi_data::atlas::Page;

use super::heading;
use crate::desktop::panels::PanelContext;
use crate::desktop::theme::busy::busy;
use crate::desktop::widgets::colormap::Scale;
use crate::desktop::widgets::number;
use crate::desktop::widgets::token_strip::token_strip;
use crate::session::atlas::Trial;
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::text::{token_label, visible};

/// The field.
#[derive(Default)]
pub struct TrialForm {
    text: String,
}

impl TrialForm {
    /// Draws the field, and what came of the text.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, page: &Page) {
        heading(ui, "Try a text", "Runs your text through the open model and paints this unit's activation");
        if ctx.document().model().is_none_or(|model| !model.has_unit(&page.unit)) {
            ui.horizontal_wrapped(|ui| {
                let latent = matches!(page.unit.site, golgi_data::site::Site::Latents(_));
                ui.weak(match latent {
                    true => "The panel Prompt features shows latents on the prompt, once their dictionary is open.",
                    false => "Open the atlas's model to see this unit on a text of your own.",
                });
                if let Some(open) = ctx.session.atlas.get() {
                    let model = &open.manifest().model;
                    if ctx.document().model().is_none()
                        && !model.is_empty()
                        && ui.small_button(format!("Open {}", visible(model))).clicked()
                    {
                        ctx.send(Command::OpenModel(model.clone()));
                    }
                }
            });
            return;
        }
        let field =
            TextEdit::singleline(&mut self.text).hint_text("Type a text and press Enter").desired_width(f32::INFINITY);
        let field = ui.add(field).accessible_name("Text to try");
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            ctx.send(Command::TryText(self.text.clone()));
        }
        match &ctx.session.atlas.trial {
            Loadable::Empty => {}
            Loadable::Loading { previous: Some(trial), .. } => {
                busy(ui);
                strip(ui, trial, page);
            }
            Loadable::Loading { .. } => {
                busy(ui);
            }
            Loadable::Ready(trial) => strip(ui, trial, page),
            Loadable::Failed(notice) => {
                let causes = std::iter::once(&notice.sentence).chain(&notice.causes).chain(&notice.next_step);
                let text = causes.map(|text| visible(text)).collect::<Vec<_>>().join(" ");
                ui.colored_label(ctx.palette.error, text);
            }
        }
    }
}

fn strip(ui: &mut Ui, trial: &Trial, page: &Page) {
    if trial.unit != page.unit {
        return;
    }
    // On the scale of the corpus, so that strong is strong.
    let ends = [page.statistic("min"), page.statistic("max")].into_iter().flatten().map(|value| value as f32);
    let scale = Scale::fitting(ends.chain(trial.values.iter().copied()), ui.visuals().dark_mode);
    let values: Vec<Option<f32>> = trial.values.iter().copied().map(Some).collect();
    let most = trial.values.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).map(|(index, _)| index);
    let strip = token_strip(ui, "trial", &trial.tokens, &values, &scale, None, most);
    if let Some(token) = strip.hovered {
        let value = trial.values.get(token).copied().unwrap_or(f32::NAN);
        let text = trial.tokens.get(token).map_or_else(String::new, |text| token_label(text));
        strip.response.on_hover_text_at_pointer(format!("{text}\n{}", number::short(value)));
    }
}
