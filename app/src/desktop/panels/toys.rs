//! Toy models of superposition: phase diagrams, polytopes and dimensions per feature, trained in the background.

mod one;
mod phase;
mod sweep;

use egui::{ComboBox, DragValue, RichText, ScrollArea, TextStyle, Ui};
use golgi_analysis::superposition::{PhaseParams, SolveParams, SweepParams};

use super::{Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::toys::ToyRequest;

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Page {
    #[default]
    Phase,
    Sweep,
    One,
}

/// The panel.
#[derive(Default)]
pub struct ToysPanel {
    page: Page,
    phase: PhaseParams,
    sweep: SweepParams,
    solve: SolveParams,
    /// The cell of the phase diagram that was clicked: importance and density.
    cell: Option<(usize, usize)>,
}

impl Panel for ToysPanel {
    fn id(&self) -> &'static str {
        "toys"
    }

    fn title(&self) -> &'static str {
        "Toy models"
    }

    fn icon(&self) -> &'static str {
        icons::CIRCLES_THREE
    }

    fn help(&self) -> &'static str {
        "Small models x′ = ReLU(WᵀWx + b) that keep more features than they have dimensions. The phase diagram shows what becomes of one extra \
         feature by its density and importance; the sweep, where dimensionalities gather while inputs become sparser; one model, which polytope \
         its features form. Training runs beside everything else and needs no open model."
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            for (page, name) in [(Page::Phase, "Phase diagram"), (Page::Sweep, "Sweep"), (Page::One, "One model")] {
                ui.selectable_value(&mut self.page, page, name);
            }
        });
        let request = ui.horizontal_wrapped(|ui| self.request_ui(ctx, ui)).inner;
        if let Some(request) = &request {
            ctx.send(Command::TrainToys(request.clone()));
        }
        ui.separator();
        let toys = &ctx.session.toys;
        let again = match self.page {
            Page::Phase => show(ui, &toys.phase, |ui, found| phase::ui(ui, ctx, found, &mut self.cell)),
            Page::Sweep => show(ui, &toys.sweep, |ui, found| sweep::ui(ui, ctx, found)),
            Page::One => show(ui, &toys.solved, |ui, found| one::ui(ui, ctx, found)),
        };
        if again {
            ctx.send(Command::TrainToys(self.wanted()));
        }
    }
}

/// Draws a result or what stands in its place. True: it shall be tried again.
fn show<T>(ui: &mut Ui, result: &Loadable<T>, draw: impl FnOnce(&mut Ui, &std::sync::Arc<T>)) -> bool {
    let next = "Press Train. Small models take seconds, and nothing has to be open.";
    match placeholder::shown_or(ui, result, "Training", |ui| placeholder::empty(ui, "Nothing trained yet", next)) {
        Shown::Value { value, stale } => {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                if stale {
                    ui.weak("Training anew; this is what was found before.");
                }
                draw(ui, value);
            });
            false
        }
        Shown::Nothing(again) => again,
    }
}

impl ToysPanel {
    /// What the form of the page asks for.
    fn wanted(&self) -> ToyRequest {
        match self.page {
            Page::Phase => ToyRequest::Phase(self.phase.clone()),
            Page::Sweep => ToyRequest::Sweep(self.sweep.clone()),
            Page::One => ToyRequest::Solve(self.solve.clone()),
        }
    }

    /// The form; what it asks for when Train was pressed.
    fn request_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) -> Option<ToyRequest> {
        match self.page {
            Page::Phase => {
                let name = |hidden| if hidden == 1 { "2 features, 1 dimension" } else { "3 features, 2 dimensions" };
                let combo = ComboBox::from_id_salt("sizes").selected_text(name(self.phase.hidden));
                let combo = combo.show_ui(ui, |ui| {
                    for hidden in [1, 2] {
                        ui.selectable_value(&mut self.phase.hidden, hidden, name(hidden));
                    }
                });
                combo.response.accessible_name("Features and dimensions");
                number(ui, "cells", &mut self.phase.cells, 4, 40);
                number(ui, "fits", &mut self.phase.fits, 2, 30);
            }
            Page::Sweep => {
                number(ui, "features", &mut self.sweep.features, 2, 400);
                number(ui, "dimensions", &mut self.sweep.hidden, 1, 60);
                number(ui, "densities", &mut self.sweep.densities, 2, 40);
                number(ui, "starts", &mut self.sweep.starts, 1, 20);
            }
            Page::One => {
                number(ui, "features", &mut self.solve.features, 2, 200);
                number(ui, "dimensions", &mut self.solve.hidden, 1, 40);
                share(ui, "density", &mut self.solve.density);
                share(ui, "importance ratio", &mut self.solve.importance);
                number(ui, "starts", &mut self.solve.starts, 1, 50);
            }
        }
        let request = ui.button("Train").clicked().then(|| self.wanted());
        if ctx.session.toys.is_busy() && ui.button("Stop").clicked() {
            ctx.send(Command::StopToys);
        }
        request
    }
}

fn number(ui: &mut Ui, name: &str, value: &mut usize, low: usize, high: usize) {
    let label = ui.weak(name);
    ui.add(DragValue::new(value).range(low..=high).speed(0.2)).labelled_by(label.id);
}

fn share(ui: &mut Ui, name: &str, value: &mut f32) {
    let label = ui.weak(name);
    ui.add(DragValue::new(value).range(0.001..=1.0).speed(0.002)).labelled_by(label.id);
}

/// A small heading.
fn caption(ui: &mut Ui, ctx: &PanelContext<'_>, text: &str) {
    ui.add_space(6.0);
    let text = RichText::new(text.to_uppercase()).text_style(TextStyle::Name("caption".into()));
    ui.label(text.color(ctx.palette.text_weak));
}
