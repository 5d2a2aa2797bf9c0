//! Places of the corpus where the unit is active, by band.

use std::collections::HashSet;

use egui::{Button, RichText, Ui};
use golgi_data::atlas::{Example, Page};

use super::{heading, title_ui};
use crate::desktop::panels::PanelContext;
use crate::desktop::theme::icons;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::number;
use crate::desktop::widgets::token_strip::token_strip;
use crate::session::command::Command;
use crate::session::selection::{Place, Selection};
use crate::session::text::{shortened, token_label, visible};

/// How many examples of a band are shown before all are asked for.
const FEW: usize = 5;
/// Tokens on each side of the peak, where windows are short.
const AROUND: usize = 8;

/// What is unfolded.
#[derive(Default)]
pub struct Examples {
    of: Option<u32>,
    /// Bands of which all examples are shown.
    whole_bands: HashSet<i8>,
    /// Examples whose context is shown.
    expanded: HashSet<(i8, u8)>,
    whole_windows: bool,
}

impl Examples {
    /// Draws the bands.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, page: &Page) {
        if self.of != Some(page.id) {
            (self.of, self.whole_bands, self.expanded) = (Some(page.id), HashSet::new(), HashSet::new());
        }
        if page.examples.is_empty() {
            heading(ui, "Examples", "");
            ui.weak("The atlas has no examples of this unit: it was never active, or they are not written yet.");
            return;
        }
        let values = page.examples.iter().flat_map(|example| example.values.iter().copied());
        let scale = Scale::fitting(values, ui.visuals().dark_mode);
        ui.add_space(10.0);
        ui.horizontal_wrapped(|ui| {
            title_ui(
                ui,
                "Examples",
                "Places of the corpus where it is active; the outlined token is the peak. Click a token to go there",
            );
            legend(ui, &scale, "activation");
            ui.checkbox(&mut self.whole_windows, "whole windows");
        });
        let mut rest = page.examples.as_slice();
        while let Some(first) = rest.first() {
            let band = first.band;
            let end = rest.iter().position(|example| example.band != band).unwrap_or(rest.len());
            let (examples, after) = rest.split_at(end);
            rest = after;
            self.band_ui(ctx, ui, band, examples, &scale);
        }
    }

    fn band_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, band: i8, examples: &[Example], scale: &Scale) {
        let all = self.whole_bands.contains(&band);
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            let bands = ctx.session.atlas.get().map_or(&[][..], |open| &open.manifest().bands);
            let name = match usize::try_from(band).ok().and_then(|band| bands.get(band.checked_sub(1)?)) {
                Some(band) => format!("quantiles {} to {} %", quantile(band.low), quantile(band.high)),
                None => "strongest".to_owned(),
            };
            ui.label(RichText::new(name).small().color(ctx.palette.text_weak));
            if examples.len() > FEW {
                let text = if all { "fewer".to_owned() } else { format!("all {}", examples.len()) };
                let button = Button::new(RichText::new(text).small()).frame_when_inactive(false).small();
                if ui.add(button).clicked() && !self.whole_bands.remove(&band) {
                    self.whole_bands.insert(band);
                }
            }
        });
        for example in examples.iter().take(if all { usize::MAX } else { FEW }) {
            ui.push_id((example.band, example.rank), |ui| self.example_ui(ctx, ui, example, scale));
        }
    }

    fn example_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, example: &Example, scale: &Scale) {
        let key = (example.band, example.rank);
        let expanded = self.expanded.contains(&key);
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 16.0;
            let caret = if expanded { icons::CARET_DOWN } else { icons::CARET_RIGHT };
            let button = Button::new(RichText::new(caret).size(11.0)).frame_when_inactive(false).small();
            let button = ui.add(button).accessible_name(format!("Context of {}", number::short(example.value)));
            if button.on_hover_text("Shows the whole context").clicked() && !self.expanded.remove(&key) {
                self.expanded.insert(key);
            }
            ui.label(RichText::new(number::short(example.value)).small().strong());
            let labels: Vec<&str> =
                [&example.language, &example.genre].into_iter().flatten().map(String::as_str).collect();
            let about = format!("{} {}", labels.join(" · "), example.document);
            ui.label(RichText::new(shortened(&visible(about.trim()), 48)).small().color(ctx.palette.text_weak));
            let read = Button::new(RichText::new(icons::BOOK_OPEN_TEXT).size(13.0)).frame_when_inactive(false).small();
            let read = ui.add(read).accessible_name(format!("Read on at {}", number::short(example.value)));
            if read.on_hover_text("Read on in Corpus").clicked() {
                ctx.select(Selection::of_place(example.context, example.position));
                ctx.send(Command::ShowPanel("corpus"));
            }
        });
        let whole = expanded || self.whole_windows;
        let (from, to) = if whole {
            (0, example.tokens.len())
        } else {
            let peak = example.peak.min(example.tokens.len());
            (peak.saturating_sub(AROUND), (peak + AROUND + 1).min(example.tokens.len()))
        };
        if expanded && !example.before.is_empty() {
            ui.weak(visible(&example.before));
        }
        // The first token of the window, as a position of the context.
        let start = usize::from(example.position).saturating_sub(example.peak) + from;
        let values: Vec<Option<f32>> = (from..to).map(|at| example.values.get(at).copied()).collect();
        let here = |place: Option<Place>| {
            let place = place.filter(|place| place.context == example.context)?;
            usize::from(place.position).checked_sub(start).filter(|at| *at < to - from)
        };
        let selected = here(ctx.selection.place);
        let lit = here(ctx.hover.place).or(example.peak.checked_sub(from));
        let strip = token_strip(ui, "window", &example.tokens[from..to], &values, scale, selected, lit);
        let position = |token: usize| u16::try_from(start + token).unwrap_or(u16::MAX);
        if let Some(token) = strip.hovered {
            ctx.set_hover(Selection::of_place(example.context, position(token)));
            let text = example.tokens.get(from + token).map_or_else(String::new, |text| token_label(text));
            let value = values.get(token).copied().flatten().map_or_else(String::new, number::short);
            strip.response.on_hover_text_at_pointer(format!("{text}\n{value} at position {}", start + token));
        }
        if let Some(token) = strip.clicked {
            ctx.select(Selection::of_place(example.context, position(token)));
        }
        if expanded && !example.after.is_empty() {
            ui.weak(visible(&example.after));
        }
        ui.add_space(3.0);
    }
}

/// A quantile in percent, with no more digits than it needs.
fn quantile(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_short() {
        assert_eq!([0.5, 0.999, 1.0, 0.0].map(quantile), ["50", "99.9", "100", "0"]);
    }
}
