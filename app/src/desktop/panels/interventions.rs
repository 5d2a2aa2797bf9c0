//! Interventions: what is changed in the model, in which order, and what that does to its predictions.

mod add;
mod card;
mod effect;

use egui::{ScrollArea, Ui};

use super::{About, Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::session::results::ResultKind;

/// The panel.
#[derive(Default)]
pub struct InterventionsPanel {
    add: add::AddForm,
}

impl Panel for InterventionsPanel {
    fn id(&self) -> &'static str {
        "interventions"
    }

    fn title(&self) -> &'static str {
        "Interventions"
    }

    fn icon(&self) -> &'static str {
        icons::SLIDERS_HORIZONTAL
    }

    fn help(&self) -> &'static str {
        "Changes of the model's activations, applied in this order in every run and while it writes. Select a head, a neuron or a \
         site in any panel and add a change of it. Below: the next-token distribution of the model as it is, and changed. \
         KL(before ‖ after) says how far apart they are, in nats."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::TokenStats, ResultKind::Effect]
    }

    fn about(&self) -> About {
        About::Text
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        self.add.ui(ctx, ui);
        ui.add_space(4.0);
        ui.separator();
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let list = &ctx.document().interventions;
            if list.is_empty() {
                ui.add_space(24.0);
                ui.vertical_centered(|ui| {
                    ui.label(egui::RichText::new("The model runs as it is").text_style(egui::TextStyle::Name("strong".into())));
                    ui.weak("Select a head, neuron or site in any panel, then add a change above. Zeroing a head is a good first one.");
                });
                return;
            }
            for (index, intervention) in list.iter().enumerate() {
                card::ui(ctx, ui, index, list.len(), intervention);
            }
            ui.add_space(6.0);
            effect::ui(ctx, ui);
        });
    }
}
