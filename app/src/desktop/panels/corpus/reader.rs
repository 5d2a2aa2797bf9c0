//! The text of one document, painted.

use std::sync::Arc;

use egui::{Button, Key, Modifiers, RichText, ScrollArea, Ui};

use crate::desktop::panels::PanelContext;
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::number;
use crate::desktop::widgets::token_strip::token_strip;
use crate::session::atlas::Reading;
use crate::session::atlas::corpus::{CONTEXTS_AT_ONCE, Corpus, Painted, Peak, peaks, stored_values};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;
use crate::session::selection::{Place, Selection};
use crate::session::text::{shortened, token_label, visible};

/// The texts of the contexts that are read, and the peaks of a unit: kept while neither changes.
#[derive(Default)]
pub struct ReaderView {
    pieces: Option<(Arc<Corpus>, Reading, Vec<Vec<String>>)>,
    peaks: Option<(Arc<golgi_data::atlas::Page>, Vec<Peak>)>,
}

impl ReaderView {
    /// Draws the document.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, corpus: &Arc<Corpus>) {
        let state = &ctx.session.atlas;
        let Some(reading) = state.reading else { return };
        let Some(document) = corpus.documents.get(reading.document as usize) else { return };
        let contexts = corpus.part(reading);
        if self.pieces.as_ref().is_none_or(|(of, at, _)| !Arc::ptr_eq(of, corpus) || *at != reading) {
            let pieces = contexts.iter().map(|context| corpus.pieces(*context)).collect();
            self.pieces = Some((Arc::clone(corpus), reading, pieces));
        }
        let unit = ctx.selection.unit.as_ref();
        let page = state.page.get().filter(|page| Some(&page.unit) == unit);
        let painted = state.painted.get().filter(|painted| Some(&painted.unit) == unit);
        let scale = self.scale(ui, page, painted);
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(shortened(&visible(&document.id), 40)).strong())
                .on_hover_text(visible(&document.id));
            for label in [&document.language, &document.genre].into_iter().flatten() {
                ui.weak(visible(label));
            }
            parts_ui(ctx, ui, reading, document.contexts.len());
        });
        ui.horizontal_wrapped(|ui| {
            let Some(unit) = unit else {
                ui.weak("Select a unit to see its activation over the text.");
                return;
            };
            let name = state.get().and_then(|open| Some(open.units.short(open.units.id_of(unit)?)));
            ui.label(RichText::new(name.unwrap_or_else(|| unit.short())).strong().color(ctx.palette.accent));
            self.peaks_ui(ctx, ui, page);
            if let Some(scale) = &scale {
                legend(ui, scale, "activation");
            }
            match &state.painted {
                Loadable::Loading { .. } => {
                    busy(ui);
                }
                Loadable::Failed(notice) => {
                    let step = notice.next_step.as_deref().unwrap_or_default();
                    ui.label(RichText::new("stored examples only").color(ctx.palette.warning))
                        .on_hover_text(format!("{} {step}", visible(&notice.sentence)));
                    if ui.small_button("Try again").clicked() {
                        ctx.send(Command::Retry(ResultKind::Painted));
                    }
                }
                Loadable::Empty => {
                    ui.weak("stored examples only")
                        .on_hover_text("Open the atlas's model to see the whole text painted");
                }
                Loadable::Ready(_) => {}
            }
        });
        ui.separator();
        let area = ScrollArea::vertical().id_salt(("document", reading.document, reading.first)).auto_shrink(false);
        area.show(ui, |ui| {
            let pieces = self.pieces.as_ref().map_or(&[][..], |(_, _, pieces)| pieces);
            for (context, tokens) in contexts.iter().zip(pieces) {
                let values: Vec<Option<f32>> = match (painted.and_then(|painted| painted.values(*context)), page) {
                    (Some(values), _) => values.iter().copied().map(Some).collect(),
                    (None, Some(page)) => stored_values(page, *context, tokens.len()),
                    (None, None) => vec![None; tokens.len()],
                };
                context_ui(ctx, ui, *context, tokens, &values, scale.as_ref());
            }
        });
    }

    /// The colours: on the scale of the corpus where it is known.
    fn scale(
        &self,
        ui: &Ui,
        page: Option<&Arc<golgi_data::atlas::Page>>,
        painted: Option<&Arc<Painted>>,
    ) -> Option<Scale> {
        let ends = |name| page.and_then(|page| page.statistic(name)).map(|value| value as f32);
        let known = [ends("min"), ends("max")].into_iter().flatten();
        let seen =
            painted.iter().flat_map(|painted| painted.contexts.iter().flat_map(|(_, values)| values.iter().copied()));
        let scale = match page {
            Some(_) => Scale::fitting(known, ui.visuals().dark_mode),
            None => Scale::fitting(seen, ui.visuals().dark_mode),
        };
        (page.is_some() || painted.is_some()).then_some(scale)
    }

    /// The way from peak to peak.
    fn peaks_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, page: Option<&Arc<golgi_data::atlas::Page>>) {
        let Some(page) = page else { return };
        if self.peaks.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, page)) {
            self.peaks = Some((Arc::clone(page), peaks(page)));
        }
        let Some((_, peaks)) = self.peaks.as_ref().filter(|(_, peaks)| !peaks.is_empty()) else {
            ui.weak("no stored peaks");
            return;
        };
        let is_here = |place: Place| {
            peaks.iter().position(|peak| (peak.context, peak.position) == (place.context, place.position))
        };
        let here = ctx.selection.place.and_then(is_here);
        let writing = ui.ctx().text_edit_focused();
        let key = |key| !writing && ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let (back, on) = (key(Key::OpenBracket), key(Key::CloseBracket));
        let stronger = here.and_then(|here| here.checked_sub(1));
        let weaker = here.map_or(Some(0), |here| Some(here + 1).filter(|next| *next < peaks.len()));
        let mut go = None;
        for (icon, name, to, pressed) in [
            (icons::ARROW_UP, "Stronger peak ([)", stronger, back),
            (icons::ARROW_DOWN, if here.is_none() { "Strongest peak (])" } else { "Next weaker peak (])" }, weaker, on),
        ] {
            let button =
                ui.add_enabled(to.is_some(), Button::new(icon).small()).accessible_name(name).on_hover_text(name);
            if button.clicked() || pressed {
                go = to.or(go);
            }
        }
        match here.and_then(|here| Some((here, peaks.get(here)?))) {
            Some((here, peak)) => {
                ui.weak(format!("peak {} of {}: {}", here + 1, peaks.len(), number::short(peak.value)))
            }
            None => ui.weak(format!("{} stored peaks", peaks.len())),
        };
        if let Some(peak) = go.and_then(|to| peaks.get(to)) {
            ctx.select(Selection::of_place(peak.context, peak.position));
        }
    }
}

fn parts_ui(ctx: &PanelContext<'_>, ui: &mut Ui, reading: Reading, contexts: usize) {
    if contexts <= CONTEXTS_AT_ONCE {
        return;
    }
    let (part, parts) = (reading.first / CONTEXTS_AT_ONCE, contexts.div_ceil(CONTEXTS_AT_ONCE));
    let go = |first: usize| ctx.send(Command::Read(Reading { first, ..reading }));
    let button = |ui: &mut Ui, text: &str, name: &str, on: bool| {
        ui.add_enabled(on, Button::new(text).small()).accessible_name(name).on_hover_text(name).clicked()
    };
    if button(ui, "‹", "Part before", part > 0) {
        go((part - 1) * CONTEXTS_AT_ONCE);
    }
    ui.weak(format!("part {} of {parts}", part + 1));
    if button(ui, "›", "Part behind", part + 1 < parts) {
        go((part + 1) * CONTEXTS_AT_ONCE);
    }
}

fn context_ui(
    ctx: &PanelContext<'_>,
    ui: &mut Ui,
    context: u32,
    tokens: &[String],
    values: &[Option<f32>],
    scale: Option<&Scale>,
) {
    let plain = Scale::unsigned(0.0, 1.0, ui.visuals().dark_mode);
    let here = |place: Option<Place>| {
        place
            .filter(|place| place.context == context)
            .map(|place| usize::from(place.position))
            .filter(|at| *at < tokens.len())
    };
    let (selected, hovered) = (here(ctx.selection.place), here(ctx.hover.place));
    let strip = token_strip(ui, ("context", context), tokens, values, scale.unwrap_or(&plain), selected, hovered);
    let position = |token: usize| u16::try_from(token).unwrap_or(u16::MAX);
    if let Some(token) = strip.hovered {
        ctx.set_hover(Selection::of_place(context, position(token)));
        let text = tokens.get(token).map_or_else(String::new, |text| token_label(text));
        let value = values.get(token).copied().flatten().map_or_else(|| "not stored".to_owned(), number::short);
        strip.response.on_hover_text_at_pointer(format!("{text}\n{value} at position {token}"));
    }
    if let Some(token) = strip.clicked {
        ctx.select(Selection::of_place(context, position(token)));
    }
    ui.add_space(2.0);
}
