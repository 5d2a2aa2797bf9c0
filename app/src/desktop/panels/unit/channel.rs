//! The page of a channel: its numbers on the picture, the pictures that excite it most, and images made for it.

mod best;
mod drawing;

use std::sync::Arc;

use egui::{Grid, ScrollArea, Ui};
use golgi_analysis::channels::{BestPictures, ChannelMaps};
use golgi_analysis::visualise::percentile;
use golgi_data::unit::Unit;

use self::best::BestGrid;
use self::drawing::DrawingView;
use crate::desktop::panels::PanelContext;
use crate::desktop::widgets::{number, placeholder};

/// The page's state.
#[derive(Default)]
pub struct ChannelPage {
    best: BestGrid,
    drawing: DrawingView,
}

impl ChannelPage {
    /// Draws the page of the selected channel.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        let unit = ctx.selection.unit.as_ref();
        let unit = unit.filter(|unit| ctx.document().model.shown().is_some_and(|model| model.has_unit(unit)));
        let Some(unit) = unit else {
            let step = "Click a map in Channels, a channel beside the picture, or type an address such as _conv_head:12 above.";
            placeholder::empty(ui, "No channel selected", step);
            return;
        };
        let state = &ctx.session.vision;
        let best = state.best.shown().filter(|best| best.site == unit.site);
        ScrollArea::vertical().id_salt("channel page").auto_shrink(false).show(ui, |ui| {
            if let Some(maps) = state.maps.shown().filter(|maps| maps.site == unit.site) {
                numbers(ctx, ui, unit, maps, best);
            }
            ui.add_space(6.0);
            self.best.ui(ctx, ui, unit, best);
            ui.add_space(6.0);
            self.drawing.ui(ctx, ui, unit, best);
            ui.add_space(8.0);
        });
    }
}

/// The channel on the picture, beside the other channels and the other pictures.
fn numbers(ctx: &PanelContext<'_>, ui: &mut Ui, unit: &Unit, maps: &ChannelMaps, best: Option<&Arc<BestPictures>>) {
    let channel = unit.index as usize;
    let Some(strength) = maps.strengths.get(channel) else { return };
    let rank = 1 + maps.strengths.iter().filter(|other| other.mean > strength.mean).count();
    let (row, column) = strength.at;
    let mut facts = vec![
        ("maximum", format!("{} at row {row}, column {column}", number::short(strength.max))),
        ("mean", number::short(strength.mean)),
        ("rank", format!("{rank} of {} channels by their mean", maps.channels)),
    ];
    if let Some(spot) = ctx.selection.spot {
        let cell = maps.cell(spot.x, spot.y);
        if let Some(value) = maps.value(channel, cell) {
            facts.insert(2, ("here", format!("{} at row {}, column {}", number::short(value), cell.0, cell.1)));
        }
    }
    if let Some(best) = best {
        let others = best.largest(channel);
        let share = percentile(others, strength.max);
        facts.push(("among pictures", format!("above {share:.0} % of {} of {}", others.len(), best.set)));
    }
    ui.strong("On this picture");
    Grid::new("numbers").num_columns(2).min_row_height(0.0).spacing([12.0, 3.0]).show(ui, |ui| {
        for (name, value) in facts {
            ui.weak(name);
            ui.label(value);
            ui.end_row();
        }
    });
}
