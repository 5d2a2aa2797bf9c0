//! All channels of a site on the picture: a grid of small heat maps.

mod grid;
mod order;
mod sites;

use std::sync::Arc;

use egui::{Button, ComboBox, Label, RichText, Slider, TextEdit, Ui};
use golgi_analysis::channels::ChannelMaps;

use self::order::{Listing, Order, Wanted};
use self::sites::SiteMenu;
use super::{About, Panel, PanelContext};
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::results::ResultKind;
use crate::session::text;

/// From this width on the size of the maps can be chosen, in points.
const WITH_SLIDER: f32 = 640.0;

/// The panel.
pub struct ChannelsPanel {
    sites: SiteMenu,
    wanted: Wanted,
    listing: Option<Listing>,
    /// Whether all maps have one scale.
    common: bool,
    /// Side of a map, in points.
    side: f32,
}

impl Default for ChannelsPanel {
    fn default() -> ChannelsPanel {
        let (sites, wanted) = (SiteMenu::default(), Wanted::default());
        ChannelsPanel { sites, wanted, listing: None, common: false, side: 64.0 }
    }
}

impl Panel for ChannelsPanel {
    fn id(&self) -> &'static str {
        "channels"
    }

    fn title(&self) -> &'static str {
        "Channels"
    }

    fn icon(&self) -> &'static str {
        icons::SQUARES_FOUR
    }

    fn help(&self) -> &'static str {
        "Every channel of a site on the picture: where it is active and how much. Choose the site here or in Model; sort by the largest value, the mean, or the value at the \
         position that is selected in Image. Click a map to select its channel everywhere. The filter takes numbers and ranges, such as 3, 10-20."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::Picture, ResultKind::ChannelMaps]
    }

    fn about(&self) -> About {
        About::Pictures
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let Some(model) = ctx.document().model.shown() else {
            let step = "Open a convolutional network from the start screen (Ctrl+N), such as EfficientNet-Lite0.";
            placeholder::empty(ui, "No network is open", step);
            return;
        };
        let state = &ctx.session.vision;
        let chosen = model.chosen_site(ctx.selection);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            self.sites.ui(ctx, ui, model, chosen);
            self.toolbar(ui, ctx.selection.spot.is_some());
            if let Some(maps) = state.maps.shown() {
                self.update(ctx, maps);
                self.summary(ctx, ui, maps);
            }
        });
        ui.add_space(2.0);
        let step = match &state.seen {
            Loadable::Failed(_) => "The picture could not be read; Image says why. Choose another one there.",
            _ if state.picture.is_none() => "Choose a picture in Image, or drop one on the window.",
            _ => "They are computed as soon as the picture has been read.",
        };
        match placeholder::shown(ui, &state.maps, "the channels", "No channels yet", step) {
            Shown::Value { value, stale } => {
                let Some(listing) = self.listing.as_ref().filter(|listing| listing.is_of(value)) else { return };
                if listing.channels.is_empty() {
                    placeholder::empty(ui, "No channel passes the filter", "Write numbers and ranges: 3, 10-20.");
                    return;
                }
                let other = chosen.is_some_and(|site| *site != value.site);
                if stale || other {
                    ui.multiply_opacity(0.6);
                }
                let common = self.common.then_some(listing.scale);
                grid::ui(ctx, ui, value, listing, self.wanted.order, common, self.side);
            }
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::ChannelMaps));
                }
            }
        }
    }
}

impl ChannelsPanel {
    fn toolbar(&mut self, ui: &mut Ui, has_spot: bool) {
        let order = &mut self.wanted.order;
        let menu = ComboBox::from_id_salt("order").selected_text(format!("by {}", order.name())).width(104.0);
        let menu = menu.show_ui(ui, |ui| {
            for choice in Order::ALL {
                ui.selectable_value(order, choice, choice.name()).on_hover_text(choice.about());
            }
        });
        menu.response.accessible_name("Order of the channels");
        if *order == Order::Here && !has_spot {
            ui.colored_label(ui.visuals().warn_fg_color, "click a position in Image");
        }
        let field = TextEdit::singleline(&mut self.wanted.filter).hint_text("3, 7-9").desired_width(70.0);
        let field = ui.add(field).accessible_name("Filter channels by number");
        if !self.wanted.is_understood() {
            field.on_hover_text("Write numbers and ranges: 3, 10-20");
            ui.colored_label(ui.visuals().warn_fg_color, "numbers and ranges, such as 3, 10-20");
        }
        let common = Button::selectable(self.common, "One scale");
        let hint = "All maps have one scale, so that strong channels stand out. Otherwise each has its own.";
        if ui.add(common).on_hover_text(hint).clicked() {
            self.common = !self.common;
        }
        if ui.max_rect().width() < WITH_SLIDER {
            return;
        }
        ui.spacing_mut().slider_width = 44.0;
        let slider = Slider::new(&mut self.side, 32.0..=160.0).show_value(false);
        ui.add(slider).accessible_name("Size of the maps").on_hover_text("Size of the maps");
    }

    /// Filters and sorts where something changed. A site has thousands of channels at most: that is done at once.
    fn update(&mut self, ctx: &PanelContext<'_>, maps: &Arc<ChannelMaps>) {
        let spot = ctx.selection.spot.filter(|_| self.wanted.order == Order::Here);
        let cell = spot.map(|spot| maps.cell(spot.x, spot.y));
        let current = self.listing.as_ref().is_some_and(|listing| listing.is_current(maps, &self.wanted, cell));
        if !current {
            self.listing = Some(Listing::new(maps, &self.wanted, cell));
        }
    }

    fn summary(&self, ctx: &PanelContext<'_>, ui: &mut Ui, maps: &Arc<ChannelMaps>) {
        let Some(listing) = &self.listing else { return };
        let (shown, all) = (listing.channels.len(), text::grouped(maps.channels as u64));
        let counted = if shown == maps.channels { all } else { format!("{} of {all}", text::grouped(shown as u64)) };
        let copy = ui.add(Button::new(format!("{} CSV", icons::COPY))).on_hover_text("Copies the listed channels");
        let size = RichText::new(format!("{counted} · {} × {}", maps.rows, maps.columns)).weak();
        ui.add(Label::new(size).extend()).on_hover_text("Channels and the size of their maps");
        if copy.clicked() {
            let spot = ctx.selection.spot.map(|spot| maps.cell(spot.x, spot.y));
            ui.copy_text(order::csv(maps, &listing.channels, spot));
        }
        if self.common {
            let (low, high) = listing.scale;
            let dark = ui.visuals().dark_mode;
            let scale = Scale::fitting([low, high], dark);
            legend(ui, &scale, "activation");
        }
        if ctx.session.vision.maps.is_loading() || ctx.session.vision.seen.is_loading() {
            busy(ui);
        }
    }
}
