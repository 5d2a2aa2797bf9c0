//! Prompt features: which latents of the open dictionary each token makes active, which speak for the prediction, and which help to
//! predict the text.

mod rows;

use std::sync::Arc;

use egui::{Button, RichText, ScrollArea, TextStyle, Ui, vec2};
use golgi_analysis::sae::PromptFeatures;

use self::rows::{Row, Rows};
use super::{About, Panel, PanelContext};
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::number;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::desktop::widgets::token_strip::token_strip;
use crate::desktop::widgets::virtual_table::{Cell, Column, Sort, VirtualTable};
use crate::session::command::Command;
use crate::session::dictionary::OpenDictionary;
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;

/// The columns; their order is that of [`Rows::sort`].
const COLUMNS: [Column<'static>; 6] = [
    column("Token", "Position and text of the token", 92.0, false),
    column("Latent", "Its number in the dictionary", 64.0, true),
    column("Activation", "How active it is there, in the dictionary's units", 116.0, true),
    column(
        "Attribution",
        "Activation × ∂(logit of the first choice − logit of the second)/∂activation: to first order what that difference would lose without it",
        116.0,
        true,
    ),
    column(
        "Loss effect",
        "Activation × ∂(summed loss of the text)/∂activation, in nats: below 0 where the latent helps to predict the text",
        116.0,
        true,
    ),
    column("In the open atlas", "The tokens at which it is strongest on average", 170.0, false),
];

const fn column(name: &'static str, about: &'static str, width: f32, numeric: bool) -> Column<'static> {
    Column { name, about, width, numeric, sortable: true }
}

/// The panel.
pub struct FeaturesPanel {
    /// Latents of all tokens, not only of the selected one.
    all: bool,
    sort: Sort,
    rows: Option<Rows>,
}

impl Default for FeaturesPanel {
    fn default() -> FeaturesPanel {
        FeaturesPanel { all: false, sort: Sort { column: 2, descending: true }, rows: None }
    }
}

impl Panel for FeaturesPanel {
    fn id(&self) -> &'static str {
        "features"
    }

    fn title(&self) -> &'static str {
        "Prompt features"
    }

    fn icon(&self) -> &'static str {
        icons::GRID_NINE
    }

    fn help(&self) -> &'static str {
        "Which latents of a sparse dictionary the text makes active, token by token: by activation, by what they add to the difference of the \
         model's two first choices, and by how they help to predict the text. Without a latent selected, tokens are coloured by what the \
         dictionary leaves unexplained; click a row to colour them by that latent. With an atlas of the dictionary open, a latent's page \
         follows the selection. The model is run as it is, without interventions."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::PromptFeatures]
    }

    fn about(&self) -> About {
        About::Text
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let Some(open) = dictionary_ui(ctx, ui) else { return };
        let step = placeholder::next_step(ctx.document(), "the latents that it makes active are listed here.");
        let features = &ctx.session.dictionary.features;
        match placeholder::shown(ui, features, "the prompt's features", "No features yet", &step) {
            Shown::Value { value, stale } => self.loaded(ctx, ui, (value, &open), stale),
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::PromptFeatures));
                }
            }
        }
    }
}

/// Which dictionary is open, with what opens and closes it; `None`, and a sentence, where there is none.
pub(super) fn dictionary_ui(ctx: &PanelContext<'_>, ui: &mut Ui) -> Option<Arc<OpenDictionary>> {
    let state = &ctx.session.dictionary;
    match (&state.open, &state.folder) {
        (Loadable::Ready(open), Some(folder)) => {
            let config = &open.coder.dictionary().config;
            ui.horizontal_wrapped(|ui| {
                let name = text::visible(&folder.to_string_lossy());
                ui.strong(text::shortened(&name, 48)).on_hover_text(&name);
                ui.weak(format!(
                    "{} latents, {}, reads {}",
                    text::count_text(config.latents.into()),
                    config.architecture.name().replace('_', " "),
                    text::shortened(&text::visible(&config.inputs[0].site), 48)
                ));
                let close = Button::new(icons::X).frame_when_inactive(false).small();
                if ui.add(close).accessible_name("Close the dictionary").clicked() {
                    ctx.send(Command::CloseDictionary);
                }
            });
            Some(Arc::clone(open))
        }
        (Loadable::Failed(notice), folder) => {
            if placeholder::failed(ui, notice)
                && let Some(folder) = folder
            {
                ctx.send(Command::OpenDictionary(folder.clone()));
            }
            ui.vertical_centered(|ui| {
                if ui.button("Open another dictionary…").clicked() {
                    ctx.send(Command::AskForDictionary);
                }
            });
            None
        }
        (Loadable::Loading { progress, .. }, _) => {
            placeholder::loading(ui, "Opening the dictionary", progress);
            None
        }
        _ => {
            if ui.button("Open a dictionary…").clicked() {
                ctx.send(Command::AskForDictionary);
            }
            placeholder::empty(
                ui,
                "No sparse dictionary is open",
                "Open the folder of a dictionary that `golgi sae train` has made or `golgi sae import` has brought in.",
            );
            None
        }
    }
}

/// The selected latent of `open`, if there is one.
pub(super) fn selected(ctx: &PanelContext<'_>, open: &OpenDictionary) -> Option<u32> {
    open.latent(ctx.selection.unit.as_ref()?)
}

impl FeaturesPanel {
    fn loaded(
        &mut self,
        ctx: &PanelContext<'_>,
        ui: &mut Ui,
        (features, open): (&Arc<PromptFeatures>, &OpenDictionary),
        stale: bool,
    ) {
        self.summary(ctx, ui, features, stale);
        strip(ctx, ui, features, selected(ctx, open));
        let token = ctx.token_among(features.tokens.len()).filter(|_| !self.all);
        if self.rows.as_ref().is_none_or(|rows| !rows.is_of(features, token, self.sort)) {
            self.rows = Some(Rows::new(features, token, self.sort));
        }
        if let Some(rows) = self.rows.take() {
            self.table(ctx, ui, &rows, open);
            self.rows = Some(rows);
        }
    }

    fn summary(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, features: &PromptFeatures, stale: bool) {
        ui.horizontal_wrapped(|ui| {
            let label = |piece: &str| text::shortened(&text::token_label(piece), 16);
            ui.label(format!("{} over {}", label(&features.target.1), label(&features.foil.1)))
                .on_hover_text("The model's two first choices behind the text, whose logits are compared");
            let latents: f32 = features.active.iter().flatten().map(|one| one.attribution).sum();
            ui.label(RichText::new(number::signed(features.difference)).strong()).on_hover_text("logit difference");
            ui.weak(format!(
                "latents {}, what they leave unexplained {}",
                number::signed(latents),
                number::signed(features.error_attribution)
            ))
            .on_hover_text("to first order; the rest comes past this site, and from b_dec");
            if stale {
                busy(ui);
            }
        });
        ui.horizontal(|ui| {
            let token = ctx.token_among(features.pieces.len()).and_then(|token| features.pieces.get(token));
            let token = token.map_or_else(String::new, |piece| text::shortened(&text::token_label(piece), 16));
            ui.selectable_value(&mut self.all, false, format!("At {token}"));
            ui.selectable_value(&mut self.all, true, "At every token");
        });
    }

    fn table(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, rows: &Rows, open: &OpenDictionary) {
        let list = rows.list();
        if list.is_empty() {
            ui.weak(
                "No latent is active here. Of first tokens and massive activations, which were left out of its training, the dictionary \
                 has nothing to say.",
            );
            return;
        }
        let most = rows.most();
        let features = rows.features();
        let piece = |row: &Row| text::token_label(&features.pieces[row.position]);
        let known = |latent: u32| -> Option<String> {
            let atlas = ctx.session.atlas.get()?;
            let id = atlas.units.id_of(&open.unit(latent)?)?;
            Some(text::visible(&atlas.units.column("top_activating")?.text(id as usize)?))
        };
        let describe = |row: usize| {
            let row = &list[row];
            format!(
                "latent {} at {} {}: activation {}, attribution {}, loss effect {}",
                row.active.latent,
                row.position,
                piece(row),
                number::short(row.active.activation),
                number::signed(row.active.attribution),
                number::signed(row.active.loss_effect)
            )
        };
        let own = selected(ctx, open);
        let table = VirtualTable {
            name: "Features",
            columns: &COLUMNS,
            pinned: 0,
            rows: list.len(),
            selected: list.iter().position(|row| Some(row.active.latent) == own),
            hovered: None,
            reveal: None,
            sort: Some(self.sort),
            describe: &describe,
        };
        let mut paint = |cell: &Cell<'_>| {
            let row = &list[cell.row];
            match cell.col {
                0 => cell.text(&format!("{} {}", row.position, piece(row))),
                1 => cell.number(&row.active.latent.to_string()),
                2 => cell.bar(row.active.activation / most[0], false, &number::short(row.active.activation)),
                3 => cell.bar(row.active.attribution / most[1], true, &number::signed(row.active.attribution)),
                4 => cell.bar(row.active.loss_effect / most[2], true, &number::signed(row.active.loss_effect)),
                _ => cell.text(&known(row.active.latent).unwrap_or_default()),
            }
        };
        let size = vec2(ui.available_width(), ui.available_height().max(160.0));
        let shown = table.show(ui, "prompt features", size, &mut paint);
        if let Some(row) = shown.hovered.and_then(|row| list.get(row)) {
            ctx.set_hover(Selection::of_token(row.position));
        }
        if let Some(row) = shown.chosen.and_then(|row| list.get(row))
            && let Some(unit) = open.unit(row.active.latent)
        {
            // The token stays: the table is about it.
            ctx.select(Selection { unit: Some(unit), ..Selection::default() });
        }
        if let Some(sort) = shown.sorted {
            self.sort = sort;
        }
    }
}

/// The text, coloured by a latent's activation, or by what the dictionary leaves unexplained.
fn strip(ctx: &PanelContext<'_>, ui: &mut Ui, features: &PromptFeatures, latent: Option<u32>) {
    let dark = ui.visuals().dark_mode;
    let (values, scale, what) = match latent {
        Some(latent) => {
            let at = |row: &Vec<golgi_analysis::sae::ActiveLatent>| {
                row.iter().find(|one| one.latent == latent).map_or(0.0, |one| one.activation)
            };
            let values: Vec<f32> = features.active.iter().map(at).collect();
            let most = values.iter().copied().fold(0.0, f32::max);
            (values, Scale::unsigned(0.0, most.max(f32::MIN_POSITIVE), dark), format!("activation of latent {latent}"))
        }
        None => (
            features.unexplained.clone(),
            Scale::unsigned(0.0, 1.0, dark),
            "left unexplained, ‖x − x̂‖² / ‖x‖²".to_owned(),
        ),
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(what.to_uppercase()).text_style(TextStyle::Name("caption".into())));
        legend(ui, &scale, &what);
    });
    let colours: Vec<Option<f32>> = values.iter().map(|value| Some(*value)).collect();
    let selected = ctx.token_among(features.pieces.len());
    let strip = ScrollArea::vertical()
        .id_salt("feature strip")
        .max_height(120.0)
        .show(ui, |ui| token_strip(ui, "features", &features.pieces, &colours, &scale, selected, ctx.hover.token))
        .inner;
    if let Some(token) = strip.hovered {
        ctx.set_hover(Selection::of_token(token));
        strip.response.on_hover_text_at_pointer(format!("{token}: {}", number::short(values[token])));
    }
    if let Some(token) = strip.clicked {
        ctx.select(Selection::of_token(token));
    }
}
