//! What the open atlas knows of the unit: families, examples, statistics, profiles, neighbours, and a text of one's own.

mod examples;
mod lists;
mod profiles;
mod statistics;
mod trial;

use std::sync::Arc;

use egui::{RichText, ScrollArea, TextStyle, Ui};
use golgi_data::atlas::Page;

use self::examples::Examples;
use self::trial::TrialForm;
use super::super::PanelContext;
use crate::desktop::theme::busy::busy;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::session::command::Command;
use crate::session::results::ResultKind;
use crate::session::text::visible;

/// From this width on, examples stand beside the rest.
const BESIDE: f32 = 860.0;

/// The page's state.
#[derive(Default)]
pub struct AtlasPage {
    examples: Examples,
    trial: TrialForm,
    logarithmic: Option<bool>,
}

impl AtlasPage {
    /// Draws it.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let empty = |ui: &mut Ui| match &ctx.selection.unit {
            None => placeholder::empty(
                ui,
                "No unit selected",
                "Click a row in Atlas or a point on the map, or type an address such as L5N123 above.",
            ),
            Some(unit) if ctx.session.atlas.id_of(unit).is_none() => {
                let about =
                    format!("The atlas knows MLP neurons, heads and the residual stream behind blocks, not {unit}.");
                placeholder::empty(ui, "Not in the atlas", &about);
            }
            Some(_) => placeholder::empty(ui, "The page is about to be read", "It takes a moment."),
        };
        match placeholder::shown_or(ui, &ctx.session.atlas.page, "Reading the unit's page", empty) {
            Shown::Value { value, stale } => {
                if stale || ctx.selection.unit.as_ref().is_some_and(|unit| *unit != value.unit) {
                    ui.horizontal(|ui| {
                        busy(ui);
                        ui.weak(format!("{} is shown until the newer page is there.", value.short));
                    });
                    ui.multiply_opacity(0.6);
                }
                let area = ScrollArea::vertical().id_salt("atlas page").auto_shrink(false);
                area.show(ui, |ui| self.page_ui(ctx, ui, value));
            }
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::AtlasPage));
                }
            }
        }
    }

    fn page_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, page: &Arc<Page>) {
        explanations_ui(ui, page);
        families_ui(ctx, ui, page);
        if ui.available_width() >= BESIDE {
            ui.columns(2, |columns| {
                lists::tokens_ui(&mut columns[0], page);
                self.numbers_ui(ctx, &mut columns[0], page);
                self.trial.ui(ctx, &mut columns[1], page);
                self.examples.ui(ctx, &mut columns[1], page);
            });
        } else {
            self.trial.ui(ctx, ui, page);
            lists::tokens_ui(ui, page);
            self.examples.ui(ctx, ui, page);
            self.numbers_ui(ctx, ui, page);
        }
    }

    fn numbers_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, page: &Page) {
        statistics::histogram_ui(ui, page, self.logarithmic.get_or_insert(true));
        statistics::ui(ui, page);
        profiles::ui(ui, page);
        lists::neighbours_ui(ctx, ui, page);
        lists::triggers_ui(ui, page);
    }
}

/// The heading of a part of the page.
fn heading(ui: &mut Ui, title: &str, about: &str) {
    ui.add_space(10.0);
    title_ui(ui, title, about);
}

/// The same without the space above, for lines that hold more than the heading.
fn title_ui(ui: &mut Ui, title: &str, about: &str) {
    let response = ui.label(RichText::new(title).text_style(TextStyle::Name("strong".into())).strong());
    if !about.is_empty() {
        response.on_hover_text(about);
    }
}

fn explanations_ui(ui: &mut Ui, page: &Page) {
    for one in &page.explanations {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(visible(&one.text)).strong());
            ui.weak(visible(&one.by));
            let scores = one.scores.iter().filter_map(|(name, parts)| {
                let part = |name: &str| parts.get(name).copied().flatten();
                let null = part("null").map_or_else(String::new, |null| format!(" ({null:.2})"));
                Some(format!("{} {:.2}{null}", visible(name), part("score")?))
            });
            let scores: Vec<String> = scores.collect();
            if !scores.is_empty() {
                let about = "How well the explanation predicts what the unit does; in brackets what explanations of other units get";
                ui.weak(scores.join(" · ")).on_hover_text(about);
            }
        });
    }
}

fn families_ui(ctx: &PanelContext<'_>, ui: &mut Ui, page: &Page) {
    for family in &page.families {
        ui.horizontal_wrapped(|ui| {
            let name = if family.kind.is_empty() || family.kind == family.family {
                family.family.clone()
            } else {
                format!("{}: {}", family.family, family.kind)
            };
            ui.label(RichText::new(visible(&name)).strong().color(ctx.palette.accent));
            ui.label(visible(&family.evidence));
            let (score, threshold) =
                [family.score, family.threshold].map(crate::desktop::widgets::number::short).into();
            ui.weak(format!("score {score}, from {threshold}")).on_hover_text("What decided, and what it had to pass");
        });
    }
}
