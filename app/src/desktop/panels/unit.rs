//! The page of one unit, live: what it reads and writes, and what it does along the prompt.

mod atlas;
mod channel;
mod header;

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{Grid, Label, RichText, ScrollArea, TextStyle, Ui};
use golgi_analysis::units::page::{ScoredToken, TokenEnds, UnitKind, UnitPage};

use self::atlas::AtlasPage;
use self::channel::ChannelPage;
use self::header::Header;
use super::{Panel, PanelContext};
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::bar_chart::bar_chart;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::desktop::widgets::token_strip::token_strip;
use crate::desktop::widgets::{bar, number};
use crate::session::command::Command;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;

/// From this width on, the two ends of a direction stand beside each other for each direction, and directions beside each other.
const BESIDE: f32 = 560.0;

/// The panel.
#[derive(Default)]
pub struct UnitPanel {
    header: Header,
    atlas: AtlasPage,
    channel: ChannelPage,
    /// Whether the prompt is shown although an atlas is open.
    prompt: bool,
}

impl Panel for UnitPanel {
    fn id(&self) -> &'static str {
        "unit"
    }

    fn title(&self) -> &'static str {
        "Unit"
    }

    fn icon(&self) -> &'static str {
        icons::CROSSHAIR
    }

    fn help(&self) -> &'static str {
        "The page of the selected neuron, head or dimension. Its read and write directions are shown by the tokens at their two ends, through embedding and \
         unembedding; below, its activation along the prompt and what it adds directly to the logit of the model's first choice at each position. \
         Zero it or scale it to see what the model does without it. With an atlas open, the page also tells what the unit does over the corpus: families, examples, \
         statistics, profiles, nearest units; and it paints any text of yours. Of a convolutional network, it is the page of a channel: its numbers on the picture, \
         the pictures that excite it most with what the position sees framed, and images made for it."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[
            ResultKind::UnitPage,
            ResultKind::AtlasPage,
            ResultKind::Trial,
            ResultKind::ChannelMaps,
            ResultKind::BestPictures,
        ]
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        if ctx.document().model.shown().is_some_and(|model| model.vision.is_some()) {
            self.header.ui(ctx, ui, ctx.selection.unit.as_ref());
            ui.separator();
            self.channel.ui(ctx, ui);
            return;
        }
        let page = &ctx.results().unit;
        let (model, atlas) = (ctx.document().model().is_some(), ctx.session.atlas.get().is_some());
        if model || atlas {
            self.header.ui(ctx, ui, ctx.selection.unit.as_ref());
            if model && atlas {
                ui.horizontal(|ui| {
                    ui.selectable_value(&mut self.prompt, false, "Over the corpus");
                    ui.selectable_value(&mut self.prompt, true, "In this prompt");
                });
            }
            ui.separator();
        }
        if atlas && !(model && self.prompt) {
            self.atlas.ui(ctx, ui);
            return;
        }
        let step = if ctx.document().model().is_some() && ctx.selection.unit.is_none() {
            "Click a row in Neurons or a head in Attention, or type an address such as L5N123 above.".to_owned()
        } else {
            placeholder::next_step(ctx.document(), "select a neuron or head.")
        };
        match placeholder::shown(ui, page, "the unit's page", "No unit selected", &step) {
            Shown::Value { value, stale } => {
                let other = ctx.selection.unit.as_ref().is_some_and(|unit| *unit != value.unit);
                if stale || other {
                    ui.horizontal(|ui| {
                        busy(ui);
                        ui.weak(format!("{} is shown until the newer page is there.", value.unit.short()));
                    });
                    ui.multiply_opacity(0.6);
                }
                ScrollArea::vertical().id_salt("unit page").auto_shrink(false).show(ui, |ui| loaded(ctx, ui, value));
            }
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::UnitPage));
                }
            }
        }
    }
}

fn loaded(ctx: &PanelContext<'_>, ui: &mut Ui, page: &Arc<UnitPage>) {
    activations(ctx, ui, page);
    attributions(ctx, ui, page);
    measures(ui, page);
    if ui.available_width() >= BESIDE && page.ends.len() > 1 {
        for pair in page.ends.chunks(2) {
            ui.columns(2, |columns| {
                for (column, ends) in columns.iter_mut().zip(pair) {
                    both_ends(column, ends);
                }
            });
        }
    } else {
        page.ends.iter().for_each(|ends| both_ends(ui, ends));
    }
}

fn section(ui: &mut Ui, title: &str, about: &str) {
    let response = ui.label(RichText::new(title).strong());
    if !about.is_empty() {
        response.on_hover_text(text::visible(about));
    }
}

fn kind(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Neuron => "neuron",
        UnitKind::Head => "attention head",
        UnitKind::Residual => "dimension of the residual stream",
        UnitKind::Other => "coordinate",
    }
}

/// From the weights: norms, cosines, bias.
fn measures(ui: &mut Ui, page: &UnitPage) {
    section(
        ui,
        "From its weights",
        "Numbers that do not depend on the prompt; rest the pointer on one for its formula",
    );
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 18.0;
        ui.weak(kind(page.kind));
        for measure in &page.measures {
            let mut pair = LayoutJob::default();
            let font = TextStyle::Body.resolve(ui.style());
            pair.append(
                &text::visible(&measure.name),
                0.0,
                TextFormat::simple(font.clone(), ui.visuals().weak_text_color()),
            );
            pair.append(&number::short(measure.value), 6.0, TextFormat::simple(font, ui.visuals().text_color()));
            ui.add(Label::new(pair).extend()).on_hover_text(text::visible(&measure.formula));
        }
    });
}

/// Top and bottom tokens of one direction.
fn both_ends(ui: &mut Ui, ends: &TokenEnds) {
    ui.add_space(6.0);
    section(ui, &text::visible(&ends.name), &ends.formula);
    let most = ends
        .top
        .iter()
        .chain(&ends.bottom)
        .map(|token| token.score.abs())
        .filter(|s| s.is_finite())
        .fold(0.0, f32::max);
    ui.columns(2, |columns| {
        for (column, (name, tokens)) in columns.iter_mut().zip([("top", &ends.top), ("bottom", &ends.bottom)]) {
            column.push_id((&ends.name, name), |ui| list(ui, name, tokens, most));
        }
    });
}

fn list(ui: &mut Ui, name: &str, tokens: &[ScoredToken], most: f32) {
    ui.weak(name);
    let width = (ui.available_width() * 0.28).clamp(24.0, 110.0);
    let longest = ((ui.available_width() - width - 60.0) / 7.5).clamp(4.0, 24.0) as usize;
    Grid::new("tokens").num_columns(2).min_row_height(0.0).spacing([8.0, 2.0]).show(ui, |ui| {
        for token in tokens {
            let label = text::token_label(&token.text);
            let shown = text::shortened(&label, longest);
            ui.label(shown).on_hover_text(format!("{label}, token {}", token.id));
            let share = if most > 0.0 { token.score / most } else { 0.0 };
            bar::bar(ui, width, share, true, &number::signed(token.score));
            ui.end_row();
        }
    });
}

/// The unit's activation along the prompt.
fn activations(ctx: &PanelContext<'_>, ui: &mut Ui, page: &UnitPage) {
    if page.activations.is_empty() {
        return;
    }
    let name = if page.kind == UnitKind::Head { "Length of what it writes" } else { "Activation" };
    let scale = Scale::fitting(page.activations.iter().copied(), ui.visuals().dark_mode);
    ui.add_space(6.0);
    ui.horizontal_wrapped(|ui| {
        section(ui, name, &page.activation_formula);
        legend(ui, &scale, name);
        if let Some((at, most)) = strongest(&page.activations) {
            let token =
                page.tokens.get(at).map_or_else(String::new, |token| text::shortened(&text::token_label(token), 20));
            ui.weak(format!("strongest {} at {at} {token}", number::short(most)));
        }
    });
    along(ctx, ui, page, name, &page.activations, &scale, &|token| {
        page.activations.get(token).map_or_else(String::new, |value| format!("{name} {}", number::short(*value)))
    });
}

/// Its direct attribution to the model's first choice at each position.
fn attributions(ctx: &PanelContext<'_>, ui: &mut Ui, page: &UnitPage) {
    if page.attributions.is_empty() {
        return;
    }
    let scale = Scale::signed(strongest(&page.attributions).map_or(0.0, |(_, most)| most), ui.visuals().dark_mode);
    ui.add_space(6.0);
    ui.horizontal_wrapped(|ui| {
        section(
            ui,
            "Attribution to the prediction",
            "What the unit adds directly to the logit of the model's first choice at each position",
        );
        legend(ui, &scale, "direct attribution, logits");
    });
    along(ctx, ui, page, "Attribution", &page.attributions, &scale, &|token| {
        let prediction =
            page.predictions.get(token).map_or_else(String::new, |text| format!(" to {}", text::token_label(text)));
        page.attributions.get(token).map_or_else(String::new, |value| format!("{}{prediction}", number::signed(*value)))
    });
}

/// Numbers along the prompt, as coloured text and as bars, both linked to the shared selection.
fn along(
    ctx: &PanelContext<'_>,
    ui: &mut Ui,
    page: &UnitPage,
    name: &str,
    values: &[f32],
    scale: &Scale,
    about: &dyn Fn(usize) -> String,
) {
    let (selected, hovered) = (ctx.token_among(page.tokens.len()), ctx.hover.token);
    let colours: Vec<Option<f32>> = values.iter().copied().map(Some).collect();
    let strip = ScrollArea::vertical()
        .id_salt(name)
        .max_height(140.0)
        .show(ui, |ui| token_strip(ui, name, &page.tokens, &colours, scale, selected, hovered))
        .inner;
    let chart = bar_chart(ui, name, 64.0, values, selected, hovered);
    for (pointed, clicked, response) in
        [(strip.hovered, strip.clicked, strip.response), (chart.hovered, chart.clicked, chart.response)]
    {
        if let Some(token) = pointed {
            ctx.set_hover(Selection::of_token(token));
            let label = page.tokens.get(token).map_or_else(String::new, |text| text::token_label(text));
            response.on_hover_text_at_pointer(format!("{token} {label}\n{}", about(token)));
        }
        if let Some(token) = clicked {
            ctx.select(Selection::of_token(token));
        }
    }
}

fn strongest(values: &[f32]) -> Option<(usize, f32)> {
    values
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, value)| value.is_finite())
        .max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_value_may_be_negative() {
        assert_eq!(strongest(&[0.5, -2.0, f32::NAN, 1.0]), Some((1, -2.0)));
        assert_eq!(strongest(&[f32::INFINITY]), None);
    }
}
