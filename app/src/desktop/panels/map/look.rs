//! Colours, legend and tooltips of the map.

use std::sync::Arc;

use egui::{Color32, RichText, Sense, Ui, vec2};
use golgi_data::atlas::UnitKind;

use crate::desktop::panels::atlas::number_text;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::scatter;
use crate::session::atlas::columns::UnitTable;
use crate::session::atlas::filter::UnitSet;
use crate::session::atlas::known;
use crate::session::atlas::points::{Axis, CATEGORIES, Choice, Colours, NO_COLOUR, Points};
use crate::session::text::{shortened, visible};

/// The colours of categories: Okabe and Ito's, which people with any colour vision tell apart, with black replaced.
const ON_DARK: [u32; CATEGORIES] = [0x56b4e9, 0xe69f00, 0x2fbf92, 0xf0e442, 0xe2875f, 0xd993bd, 0x5d8fd9, 0xbfbfbf];
const ON_LIGHT: [u32; CATEGORIES] = [0x0072b2, 0xd55e00, 0x009e73, 0xa88600, 0xcc79a7, 0x3a9bd9, 0x8c4500, 0x555555];

fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

fn category(index: usize, dark: bool) -> Color32 {
    let colours = if dark { ON_DARK } else { ON_LIGHT };
    colours.get(index).map_or_else(|| other(dark), |hex| rgb(*hex))
}

/// Of what has no colour of its own.
fn other(dark: bool) -> Color32 {
    Color32::from_gray(if dark { 92 } else { 176 })
}

fn scale(low: f32, high: f32, dark: bool) -> Scale {
    if low < 0.0 && high > 0.0 { Scale::signed(high, dark) } else { Scale::unsigned(low, high, dark) }
}

/// The colour of each code.
pub fn colours(of: &Colours, dark: bool) -> [Color32; 256] {
    let mut colours = [other(dark); 256];
    match of {
        Colours::None => colours[0] = category(0, dark),
        Colours::Categories(names) => (0..names.len().min(CATEGORIES)).for_each(|at| colours[at] = category(at, dark)),
        Colours::Range(low, high) => {
            let scale = scale(*low, *high, dark);
            // The ends of the maps are the ground's own colour, on which a dot would not be seen.
            let (start, middle) = if dark { (0.22, 0.08) } else { (0.34, 0.14) };
            let from = if *low < 0.0 && *high > 0.0 { 0.0 } else { start };
            for (code, colour) in colours.iter_mut().enumerate().take(usize::from(NO_COLOUR)) {
                let t = from + (1.0 - from) * code as f32 / 254.0;
                let near_zero = from == 0.0 && (t - 0.5).abs() < middle;
                *colour = if near_zero { other(dark) } else { scale.at(t) };
            }
        }
    }
    colours
}

/// What the colours mean.
pub fn legend_ui(ui: &mut Ui, points: &Points, column: &str) {
    let dark = ui.visuals().dark_mode;
    match &points.colours {
        Colours::None => {}
        Colours::Range(low, high) => {
            legend(ui, &scale(*low, *high, dark), &visible(known::title(column)));
        }
        Colours::Categories(names) => {
            let names = names.iter().enumerate().map(|(at, name)| (category(at, dark), shortened(&visible(name), 22)));
            let rest = points.codes.contains(&NO_COLOUR).then(|| (other(dark), "others".to_owned()));
            for (colour, name) in names.chain(rest) {
                let (rect, _) = ui.allocate_exact_size(vec2(9.0, 14.0), Sense::hover());
                ui.painter().circle_filled(rect.center(), 4.5, colour);
                ui.label(RichText::new(name).small());
            }
        }
    }
}

/// The unit under the pointer.
pub fn tooltip_ui(ui: &mut Ui, table: &UnitTable, choice: &Choice, id: u32) {
    ui.strong(table.short(id));
    egui::Grid::new("point").num_columns(2).spacing([14.0, 2.0]).min_row_height(16.0).show(ui, |ui| {
        let mut names = vec![choice.x.column.as_str(), &choice.y.column];
        names.extend([choice.colour.as_str(), "top_activating", "top_promoted", "family"]);
        let mut seen = Vec::new();
        for name in names {
            let Some(column) = table.column(name).filter(|_| !seen.contains(&name)) else { continue };
            seen.push(name);
            let value = match column.numbers() {
                Some(numbers) => numbers.get(id as usize).map(|value| number_text(name, *value)),
                None => column.text(id as usize).map(|text| shortened(&visible(&text), 60)),
            };
            if let Some(value) = value {
                ui.weak(visible(known::title(name)));
                ui.label(value);
                ui.end_row();
            }
        }
    });
}

/// Axes to begin with: how often a unit is active against how peaked it is.
pub fn default_choice(table: &UnitTable) -> Choice {
    let numeric = |name: &&str| table.column(name).is_some_and(|column| column.numbers().is_some());
    let axis = |names: &[&str], log: bool| {
        let column = names.iter().copied().find(|name| numeric(name)).or_else(|| {
            table.columns().iter().find(|column| column.numbers().is_some()).map(|column| column.name.as_str())
        });
        Axis { column: column.unwrap_or_default().to_owned(), log }
    };
    let colour = if numeric(&"layer") { "layer" } else { "" };
    let kind = table.kinds().first().copied().or(Some(UnitKind::Neuron));
    Choice {
        x: axis(&["frac_active", "mean"], true),
        y: axis(&["kurtosis", "max"], true),
        colour: colour.to_owned(),
        kind,
    }
}

/// Changes whenever the picture would be another one.
pub fn version(placed: u64, set: Option<&Arc<UnitSet>>, dark: bool) -> u64 {
    scatter::version((placed, set.map_or(0, |set| Arc::as_ptr(set) as usize), dark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_stand_out_from_the_ground() {
        for dark in [true, false] {
            let ground = if dark { 0x10u8 } else { 0xec };
            for of in [Colours::None, Colours::Range(0.0, 1.0), Colours::Range(-1.0, 1.0)] {
                let used = if of == Colours::None { 1 } else { 255 };
                for colour in &colours(&of, dark)[..used] {
                    let apart = [colour.r(), colour.g(), colour.b()].map(|byte| byte.abs_diff(ground));
                    assert!(apart.iter().any(|apart| *apart > 40), "{of:?} {colour:?} dark {dark}");
                }
            }
        }
    }
}
