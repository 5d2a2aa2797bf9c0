//! The prompt: its text, its tokens coloured by what the model makes of them, and what comes next.

mod generate;
mod next;

use egui::{
    Align, Button, ComboBox, Key, KeyboardShortcut, Layout, Modifiers, RichText, ScrollArea, TextEdit, Ui, vec2,
};
use golgi_analysis::prompt::token_stats::{TokenStat, TokenStats};

use super::{About, Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::token_strip::token_strip;
use crate::desktop::widgets::{number, placeholder};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;

/// A text is run this long after the last key.
const DEBOUNCE_SECS: f64 = 0.6;
/// Width of the next-token table beside the tokens.
const TABLE: f32 = 270.0;
const RUN: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Enter);

/// What colours the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ColorBy {
    #[default]
    Loss,
    Probability,
    Entropy,
    Unit,
}

impl ColorBy {
    const ALL: [ColorBy; 4] = [ColorBy::Loss, ColorBy::Probability, ColorBy::Entropy, ColorBy::Unit];

    fn name(self) -> &'static str {
        match self {
            ColorBy::Loss => "Loss",
            ColorBy::Probability => "Probability",
            ColorBy::Entropy => "Entropy",
            ColorBy::Unit => "Selected unit",
        }
    }

    fn about(self) -> &'static str {
        match self {
            ColorBy::Loss => "−ln p of each token given those before it, nats",
            ColorBy::Probability => "Probability of each token given those before it",
            ColorBy::Entropy => "Entropy of the distribution over the token that follows, nats",
            ColorBy::Unit => "Activation of the selected unit at each token",
        }
    }

    fn of(self, token: &TokenStat) -> Option<f32> {
        match self {
            ColorBy::Loss => token.loss,
            ColorBy::Probability => token.prob,
            ColorBy::Entropy => Some(token.entropy),
            ColorBy::Unit => None,
        }
    }
}

/// The panel.
#[derive(Default)]
pub struct PromptPanel {
    /// What is in the field.
    draft: String,
    /// The document's text when the field was last filled from it or sent to it.
    known: String,
    /// When the last key was pressed, while the field differs from the document.
    changed_at: Option<f64>,
    color_by: ColorBy,
    generate: generate::Controls,
}

impl Panel for PromptPanel {
    fn id(&self) -> &'static str {
        "prompt"
    }

    fn title(&self) -> &'static str {
        "Prompt"
    }

    fn icon(&self) -> &'static str {
        icons::TEXT_AA
    }

    fn help(&self) -> &'static str {
        "The text that every panel is about. It runs a moment after you stop typing, or at once with Ctrl+Enter. Click a token to \
         select it: the table beside it shows what the model expects next there. “Continue” lets the model write on, with your \
         interventions in force."
    }

    fn needs(&self) -> &'static [ResultKind] {
        if self.color_by == ColorBy::Unit {
            &[ResultKind::TokenStats, ResultKind::UnitPage]
        } else {
            &[ResultKind::TokenStats]
        }
    }

    fn about(&self) -> About {
        About::Text
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        self.editor_ui(ctx, ui);
        ui.add_space(2.0);
        self.bar_ui(ctx, ui);
        ui.add_space(4.0);
        generate::result_ui(ctx, ui);
        self.tokens_ui(ctx, ui);
    }
}

impl PromptPanel {
    fn editor_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let document = ctx.document();
        if document.prompt != self.known {
            // Undone, opened anew, or continued by the model.
            self.known.clone_from(&document.prompt);
            self.draft.clone_from(&document.prompt);
            self.changed_at = None;
        }
        let now = ui.input(|input| input.time);
        let rows = if ui.available_height() > 300.0 { 3 } else { 2 };
        let line = ui.text_style_height(&egui::TextStyle::Body) + 2.0;
        let field = ScrollArea::vertical().id_salt("text").max_height(line * (rows as f32 + 2.0)).show(ui, |ui| {
            let hint = RichText::new("Type a text for the model to read").color(ctx.palette.text_weak);
            let field =
                TextEdit::multiline(&mut self.draft).hint_text(hint).desired_rows(rows).desired_width(f32::INFINITY);
            ui.add(field.return_key(KeyboardShortcut::new(Modifiers::NONE, Key::Enter)).margin(8))
                .accessible_name("Prompt")
        });
        let field = field.inner;
        if field.changed() {
            self.changed_at = Some(now);
        }
        let at_once = field.has_focus() && ui.input_mut(|input| input.consume_shortcut(&RUN));
        let Some(changed_at) = self.changed_at else {
            if at_once {
                ctx.send(Command::Retry(ResultKind::TokenStats));
            }
            return;
        };
        let left = DEBOUNCE_SECS - (now - changed_at);
        if at_once || left <= 0.0 {
            self.send(ctx);
        } else {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(left));
        }
    }

    fn send(&mut self, ctx: &PanelContext<'_>) {
        self.changed_at = None;
        if self.draft != self.known {
            self.known.clone_from(&self.draft);
            ctx.send(Command::SetPrompt(self.draft.clone()));
        }
    }

    fn bar_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let waiting = self.changed_at.is_some();
            let run = ui.add_enabled(waiting, Button::new(format!("{}  Run", icons::PLAY))).accessible_name("Run");
            let hint = "Runs by itself a moment after you stop typing";
            if run.on_hover_text(hint).on_disabled_hover_text("The text below is up to date").clicked() {
                self.send(ctx);
            }
            ui.separator();
            ComboBox::from_id_salt("colour by")
                .selected_text(self.color_by.name())
                .width(118.0)
                .show_ui(ui, |ui| {
                    for by in ColorBy::ALL {
                        ui.selectable_value(&mut self.color_by, by, by.name()).on_hover_text(by.about());
                    }
                })
                .response
                .accessible_name("Colour tokens by")
                .on_hover_text(self.color_by.about());
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| self.generate.ui(ctx, ui));
        });
    }

    fn tokens_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let document = ctx.document();
        let tokenless = document.model().is_some_and(|model| !model.has_tokenizer);
        if tokenless {
            placeholder::empty(
                ui,
                "This model has no tokenizer",
                "Open a folder that has a tokenizer.json beside the weights, to run text.",
            );
            return;
        }
        let stats = &ctx.results().stats;
        match stats {
            Loadable::Empty => {
                let next = placeholder::next_step(document, "its tokens appear here.");
                placeholder::empty(ui, "No text has been run", &next);
            }
            Loadable::Failed(notice) => {
                if placeholder::failed(ui, notice) {
                    ctx.send(Command::Retry(ResultKind::TokenStats));
                }
            }
            Loadable::Loading { progress, previous: None } => {
                placeholder::loading(ui, "Computing the tokens", progress)
            }
            Loadable::Ready(stats) | Loadable::Loading { previous: Some(stats), .. } => self.loaded_ui(ctx, ui, stats),
        }
    }

    fn loaded_ui(&self, ctx: &PanelContext<'_>, ui: &mut Ui, stats: &TokenStats) {
        let size = ui.available_size();
        let focus = ctx.session.focus_token();
        if size.x > 2.0 * TABLE {
            ui.horizontal_top(|ui| {
                let left = vec2(size.x - TABLE - 18.0, size.y);
                ui.allocate_ui_with_layout(left, Layout::top_down(Align::Min), |ui| {
                    self.strip_ui(ctx, ui, stats, size.y - 24.0)
                });
                ui.separator();
                ui.allocate_ui_with_layout(vec2(TABLE, size.y), Layout::top_down(Align::Min), |ui| {
                    next::table_ui(ctx, ui, stats, focus);
                });
            });
        } else {
            self.strip_ui(ctx, ui, stats, (size.y * 0.5 - 24.0).max(60.0));
            ui.add_space(4.0);
            next::table_ui(ctx, ui, stats, focus);
        }
    }

    fn strip_ui(&self, ctx: &PanelContext<'_>, ui: &mut Ui, stats: &TokenStats, height: f32) {
        let tokens: Vec<&str> = stats.tokens.iter().map(|token| token.text.as_str()).collect();
        let (values, scale) = self.values(ctx, stats);
        let mut what = self.color_by.about().to_owned();
        if self.color_by == ColorBy::Unit {
            what = match &ctx.selection.unit {
                Some(unit) => format!("Activation of {}", unit.short()),
                None => "Select a unit in any panel to see it here".to_owned(),
            };
        }
        legend(ui, &scale, &what);
        ui.add_space(2.0);
        ScrollArea::vertical().id_salt("tokens").max_height(height).auto_shrink(false).show(ui, |ui| {
            let strip = token_strip(ui, "prompt", &tokens, &values, &scale, ctx.session.focus_token(), ctx.hover.token);
            if let Some(pos) = strip.hovered {
                ctx.set_hover(Selection::of_token(pos));
                let value = values.get(pos).copied().flatten().filter(|_| self.color_by == ColorBy::Unit);
                strip.response.on_hover_ui_at_pointer(|ui| token_tooltip_ui(ui, stats, pos, value));
            }
            if let Some(pos) = strip.clicked {
                ctx.select(Selection::of_token(pos));
            }
        });
    }

    fn values(&self, ctx: &PanelContext<'_>, stats: &TokenStats) -> (Vec<Option<f32>>, Scale) {
        let dark = ctx.palette.dark;
        let values: Vec<Option<f32>> = match self.color_by {
            ColorBy::Unit => {
                let page = ctx.results().unit.shown().filter(|page| Some(&page.unit) == ctx.selection.unit.as_ref());
                let fits = page.filter(|page| page.activations.len() == stats.tokens.len());
                fits.map_or_else(Vec::new, |page| page.activations.iter().map(|value| Some(*value)).collect())
            }
            by => stats.tokens.iter().map(|token| by.of(token)).collect(),
        };
        let scale = match self.color_by {
            ColorBy::Probability => Scale::unsigned(0.0, 1.0, dark),
            _ => Scale::fitting(values.iter().flatten().copied(), dark),
        };
        (values, scale)
    }
}

/// Everything known about a token.
fn token_tooltip_ui(ui: &mut Ui, stats: &TokenStats, pos: usize, activation: Option<f32>) {
    let Some(token) = stats.tokens.get(pos) else { return };
    ui.strong(text::token_label(&token.text));
    egui::Grid::new("token facts").num_columns(2).spacing([14.0, 2.0]).min_row_height(16.0).show(ui, |ui| {
        let none = || "nothing predicts the first token".to_owned();
        let mut facts = vec![
            ("position", pos.to_string()),
            ("id", token.id.to_string()),
            ("probability", token.prob.map_or_else(none, text::percent)),
            ("loss", token.loss.map_or_else(none, |loss| format!("{} nats", number::short(loss)))),
            ("rank", token.rank.map_or_else(none, |rank| rank.to_string())),
            ("entropy of what follows", format!("{} nats", number::short(token.entropy))),
        ];
        if let Some(activation) = activation {
            facts.push(("activation", number::short(activation)));
        }
        for (name, value) in facts {
            ui.weak(name);
            ui.label(value);
            ui.end_row();
        }
    });
}
