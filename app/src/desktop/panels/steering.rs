//! Steering: the text continued with changed latents, beside the model as it is and a control with random latents.

use std::sync::Arc;

use egui::{Button, ComboBox, DragValue, Frame, RichText, ScrollArea, TextStyle, Ui};
use golgi_analysis::sae::Steered;
use golgi_sae::LatentEdit;

use super::features::{dictionary_ui, selected};
use super::{About, Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::desktop::widgets::number;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::session::command::Command;
use crate::session::dictionary::{OpenDictionary, SteerRequest};
use crate::session::results::ResultKind;
use crate::session::text;

/// The most tokens of a continuation.
const MOST_TOKENS: usize = 200;

/// The panel.
pub struct SteeringPanel {
    latent: u32,
    edit: LatentEdit,
    /// The latent that was selected elsewhere when the panel was last drawn.
    seen: Option<u32>,
    request: SteerRequest,
}

impl Default for SteeringPanel {
    fn default() -> SteeringPanel {
        let request = SteerRequest { edits: Vec::new(), max_tokens: 30, temperature: 0.0, seed: 0 };
        SteeringPanel { latent: 0, edit: LatentEdit::Add { amount: 10.0 }, seen: None, request }
    }
}

/// The kinds of change, each with what it starts from.
const KINDS: [(&str, LatentEdit); 4] = [
    ("add", LatentEdit::Add { amount: 10.0 }),
    ("clamp to", LatentEdit::Clamp { value: 10.0 }),
    ("scale by", LatentEdit::Scale { factor: 2.0 }),
    ("ablate", LatentEdit::Ablate),
];

fn kind(edit: LatentEdit) -> &'static str {
    let same = |other: &LatentEdit| std::mem::discriminant(other) == std::mem::discriminant(&edit);
    KINDS.iter().find(|(_, other)| same(other)).map_or("", |(name, _)| name)
}

/// The number of an edit, if it has one.
fn amount(edit: &mut LatentEdit) -> Option<&mut f32> {
    match edit {
        LatentEdit::Add { amount } => Some(amount),
        LatentEdit::Clamp { value } => Some(value),
        LatentEdit::Scale { factor } => Some(factor),
        LatentEdit::Ablate => None,
    }
}

impl Panel for SteeringPanel {
    fn id(&self) -> &'static str {
        "steering"
    }

    fn title(&self) -> &'static str {
        "Steering"
    }

    fn icon(&self) -> &'static str {
        icons::LIGHTNING
    }

    fn help(&self) -> &'static str {
        "Continues the text with latents of a sparse dictionary changed at every token: ablated, scaled, clamped, or added along their decoder \
         row. Beside it stand the model as it is and a control: the same change of latents drawn at random. Strengths are in units of the \
         dictionary's activations; with an atlas of the dictionary open, or the latent active in the text, they can be set in \
         multiples of its largest activation. What the dictionary does not explain is kept."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::Steering]
    }

    fn about(&self) -> About {
        About::Text
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let Some(open) = dictionary_ui(ctx, ui) else { return };
        let chosen = selected(ctx, &open);
        if chosen != self.seen {
            self.seen = chosen;
            self.latent = chosen.unwrap_or(self.latent);
        }
        self.form(ctx, ui, &open);
        ui.separator();
        let step = placeholder::next_step(ctx.document(), "add a change above and run it.");
        match placeholder::shown(
            ui,
            &ctx.session.dictionary.steered,
            "three continuations",
            "Nothing steered yet",
            &step,
        ) {
            Shown::Value { value, stale } => results(ctx, ui, value, stale),
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::Steering));
                }
            }
        }
    }
}

impl SteeringPanel {
    fn form(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, open: &OpenDictionary) {
        let last = open.latents().saturating_sub(1);
        self.latent = self.latent.min(last);
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Latent");
            ui.add(DragValue::new(&mut self.latent).range(0..=last).speed(1.0)).labelled_by(label.id);
            let combo = ComboBox::from_id_salt("edit").selected_text(kind(self.edit)).width(84.0);
            let combo = combo.show_ui(ui, |ui| {
                for (name, start) in KINDS {
                    if ui.selectable_label(kind(self.edit) == name, name).clicked() {
                        self.edit = start;
                    }
                }
            });
            combo.response.accessible_name("Kind of change");
            let largest = largest(ctx, open, self.latent);
            let factor = matches!(self.edit, LatentEdit::Scale { .. });
            if let Some(amount) = amount(&mut self.edit) {
                ui.add(DragValue::new(amount).speed(0.1).max_decimals(2)).accessible_name("Strength");
                if let Some((largest, from)) = largest.filter(|_| !factor) {
                    for times in [1.0, 2.0, 4.0, 8.0] {
                        let button = ui.small_button(format!("{times}×"));
                        if button.on_hover_text(format!("{times} × {}, {from}", number::short(largest))).clicked() {
                            *amount = times * largest;
                        }
                    }
                }
            }
            let add = ui.add_enabled(self.request.edits.len() < 32, Button::new(format!("{} Add change", icons::PLUS)));
            if add.clicked() {
                self.request.edits.retain(|(latent, _)| *latent != self.latent);
                self.request.edits.push((self.latent, self.edit));
            }
        });
        self.request.edits.retain(|(latent, _)| *latent <= last);
        let mut removed = None;
        for (index, (latent, edit)) in self.request.edits.iter_mut().enumerate() {
            ui.horizontal(|ui| {
                ui.label(format!("{} latent {latent}", kind(*edit)));
                if let Some(amount) = amount(edit) {
                    ui.add(DragValue::new(amount).speed(0.1).max_decimals(2))
                        .accessible_name(format!("Strength of latent {latent}"));
                }
                let remove = Button::new(icons::X).frame_when_inactive(false).small();
                if ui.add(remove).accessible_name(format!("Remove the change of latent {latent}")).clicked() {
                    removed = Some(index);
                }
            });
        }
        if let Some(index) = removed {
            self.request.edits.remove(index);
        }
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Tokens");
            ui.add(DragValue::new(&mut self.request.max_tokens).range(1..=MOST_TOKENS)).labelled_by(label.id);
            let label = ui.label("Temperature").on_hover_text("0 chooses the most probable token each time");
            ui.add(DragValue::new(&mut self.request.temperature).range(0.0..=5.0).speed(0.02).max_decimals(2))
                .labelled_by(label.id);
            let label = ui.label("Seed").on_hover_text("Of the draws, and of the control's latents");
            ui.add(DragValue::new(&mut self.request.seed)).labelled_by(label.id);
            let ready = !self.request.edits.is_empty() && ctx.session.has_model();
            let run = ui.add_enabled(ready, Button::new(format!("{} Steer", icons::PLAY)));
            let run = run.on_disabled_hover_text("Open a model, and add a change of a latent first");
            if run.clicked() {
                ctx.send(Command::Steer(self.request.clone()));
            }
        });
    }
}

/// The largest activation that is known of a latent, and from where.
fn largest(ctx: &PanelContext<'_>, open: &OpenDictionary, latent: u32) -> Option<(f32, &'static str)> {
    let of_atlas = || {
        let atlas = ctx.session.atlas.get()?;
        let id = atlas.units.id_of(&open.unit(latent)?)?;
        let largest = *atlas.units.column("max")?.numbers()?.get(id as usize)?;
        Some((largest, "its largest activation in the atlas"))
    };
    let of_text = || {
        let features = ctx.session.dictionary.features.shown()?;
        let own = features.active.iter().flatten().filter(|one| one.latent == latent);
        Some((own.map(|one| one.activation).reduce(f32::max)?, "its largest activation in the text"))
    };
    of_atlas().or_else(of_text).filter(|(largest, _)| *largest > 0.0)
}

fn results(ctx: &PanelContext<'_>, ui: &mut Ui, steered: &Arc<Steered>, stale: bool) {
    let control: Vec<String> = steered.control_latents.iter().map(u32::to_string).collect();
    let changes: Vec<String> = steered.edits.iter().map(|(latent, edit)| described(*latent, *edit)).collect();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if stale {
            ui.weak("Being run again…");
        }
        let cards = [
            ("As it is", String::new(), None, &steered.plain),
            ("Steered", changes.join(", "), Some(steered.kl), &steered.steered),
            (
                "Control",
                format!("the same with latents {}", control.join(", ")),
                Some(steered.control_kl),
                &steered.control,
            ),
        ];
        for (title, about, kl, continuation) in cards {
            Frame::group(ui.style()).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.horizontal_wrapped(|ui| {
                    ui.strong(title);
                    ui.weak(about);
                    if let Some(kl) = kl {
                        ui.weak(format!("KL of the next token {} nats", number::short(kl as f32)))
                            .on_hover_text("KL(as it is ‖ changed) of the first new token");
                    }
                    let copy = Button::new(icons::COPY).frame_when_inactive(false).small();
                    if ui.add(copy).accessible_name(format!("Copy: {title}")).clicked() {
                        ui.copy_text(continuation.clone());
                    }
                });
                let shown = text::visible(continuation);
                ui.label(RichText::new(shown).text_style(TextStyle::Body).color(ctx.palette.text));
            });
            ui.add_space(4.0);
        }
    });
}

/// A change in words.
fn described(latent: u32, edit: LatentEdit) -> String {
    match edit {
        LatentEdit::Ablate => format!("latent {latent} off"),
        LatentEdit::Clamp { value } => format!("latent {latent} at {}", number::short(value)),
        LatentEdit::Scale { factor } => format!("latent {latent} × {}", number::short(factor)),
        LatentEdit::Add { amount } => format!("latent {latent} {}", number::signed(amount)),
    }
}
