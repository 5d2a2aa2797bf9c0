//! Attention patterns: all heads as thumbnails, one of them large, and one token's attention painted over the text.

mod grid;
mod order;
mod pattern;

use std::sync::Arc;

use egui::{ComboBox, DragValue, Label, RichText, ScrollArea, Ui};
use golgi_analysis::prompt::attention::AttentionMaps;

use self::order::Order;
use self::pattern::{Large, Options, Relative};
use super::{About, Panel, PanelContext};
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::colormap::{Scale, legend};
use crate::desktop::widgets::heatmap::{CellSize, Heatmap, Place};
use crate::desktop::widgets::highlight::Light;
use crate::desktop::widgets::number;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::desktop::widgets::texture::{Content, Grid};
use crate::desktop::widgets::token_strip::token_strip;
use crate::session::command::Command;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;

/// From this width on, the thumbnails lie beside the large pattern instead of above it.
const SIDE_BY_SIDE: f32 = 620.0;

/// Below this height, the large pattern leaves out what is told elsewhere.
const ROOMY: f32 = 320.0;

/// Which side of a pattern the selected token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Side {
    /// Where the token looks.
    #[default]
    Query,
    /// Which tokens look at it.
    Key,
}

/// The panel.
#[derive(Default)]
pub struct AttentionPanel {
    order: Order,
    /// First and last layer; the last layer of all where it is more than there are.
    layers: Option<(usize, usize)>,
    options: Options,
    side: Side,
    listed: Option<Listed>,
    large: Option<Large>,
}

/// The heads in order, kept until the order changes, and the tokens' names.
struct Listed {
    maps: Arc<AttentionMaps>,
    order: Order,
    layers: (usize, usize),
    heads: Vec<(usize, usize)>,
    names: Vec<String>,
}

impl Panel for AttentionPanel {
    fn id(&self) -> &'static str {
        "attention"
    }

    fn title(&self) -> &'static str {
        "Attention"
    }

    fn icon(&self) -> &'static str {
        icons::GRID_NINE
    }

    fn help(&self) -> &'static str {
        "Every head's attention pattern. Click a thumbnail to see the head large: rows are queries, columns are keys. The query view paints over the \
         text where the selected token looks, the key view which tokens look at it. Many heads rest on the first position: hide it to see the \
         rest. Ctrl and the wheel zoom into a long prompt."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::AttentionMaps]
    }

    fn about(&self) -> About {
        About::Text
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let step = placeholder::next_step(ctx.document(), "every head's attention pattern appears here.");
        match placeholder::shown(ui, &ctx.results().attention, "attention patterns", "No attention patterns yet", &step)
        {
            Shown::Value { value, .. } if value.patterns.is_empty() => {
                placeholder::empty(
                    ui,
                    "No attention patterns",
                    "This model has none, or they were not captured: switch fused attention off.",
                );
            }
            Shown::Value { value, stale } => self.loaded(ctx, ui, value, stale),
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::AttentionMaps));
                }
            }
        }
    }
}

impl AttentionPanel {
    fn loaded(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, maps: &Arc<AttentionMaps>, stale: bool) {
        self.toolbar(ui, maps, stale);
        if stale {
            ui.multiply_opacity(0.6);
        }
        let layers = self.layers.unwrap_or((0, usize::MAX));
        let known =
            self.listed.take().filter(|l| Arc::ptr_eq(&l.maps, maps) && l.order == self.order && l.layers == layers);
        let listed = known.unwrap_or_else(|| Listed {
            maps: Arc::clone(maps),
            order: self.order,
            layers,
            heads: order::heads(maps, self.order, layers),
            names: maps.tokens.iter().map(|token| text::token_label(token)).collect(),
        });
        match selected_head(ctx, maps) {
            None => {
                ui.weak("Click a head to see it large.");
                grid::thumbnails(ctx, ui, maps, &listed.heads, self.order, self.options);
            }
            Some(head) => {
                let room = ui.available_size();
                let panel = if room.x >= SIDE_BY_SIDE {
                    egui::Panel::left("heads").default_size(room.x * 0.42).size_range(120.0..=room.x - 240.0)
                } else {
                    egui::Panel::top("heads above")
                        .default_size(room.y * 0.3)
                        .size_range(60.0..=(room.y - 120.0).max(61.0))
                };
                panel.resizable(true).frame(egui::Frame::NONE).show(ui, |ui| {
                    grid::thumbnails(ctx, ui, maps, &listed.heads, self.order, self.options);
                });
                let margin = egui::Margin { left: 8, top: 4, ..egui::Margin::ZERO };
                egui::CentralPanel::no_frame()
                    .frame(egui::Frame::NONE.inner_margin(margin))
                    .show(ui, |ui| self.large(ctx, ui, maps, head, &listed.names));
            }
        }
        self.listed = Some(listed);
    }

    fn toolbar(&mut self, ui: &mut Ui, maps: &AttentionMaps, stale: bool) {
        ui.horizontal_wrapped(|ui| {
            let sort =
                ComboBox::from_id_salt("order").selected_text(format!("Sort: {}", self.order.name())).width(150.0);
            let sort = sort.show_ui(ui, |ui| {
                for order in Order::ALL {
                    ui.selectable_value(&mut self.order, order, order.name()).on_hover_text(order.about());
                }
            });
            sort.response.accessible_name("Sort heads by");
            let last = maps.n_layers.saturating_sub(1);
            let (mut from, mut to) = self.layers.unwrap_or((0, last));
            (from, to) = (from.min(last), to.min(last));
            let before = (from, to);
            let label = ui.label("Layers");
            ui.add(DragValue::new(&mut from).range(0..=to))
                .labelled_by(label.id)
                .on_hover_text("The first layer shown");
            ui.label("to");
            ui.add(DragValue::new(&mut to).range(from..=last))
                .accessible_name("Last layer")
                .on_hover_text("The last layer shown");
            if (from, to) != before {
                self.layers = if (from, to) == (0, last) { None } else { Some((from, to)) };
            }
            ui.checkbox(&mut self.options.mask_first, "Hide first position").on_hover_text(
                "Leaves out attention to the first position, where many heads rest when they have nothing to do",
            );
            let relative = format!("Colour: {}", self.options.relative.name());
            let relative = ComboBox::from_id_salt("relative").selected_text(relative).width(150.0).show_ui(ui, |ui| {
                for relative in Relative::ALL {
                    ui.selectable_value(&mut self.options.relative, relative, relative.name());
                }
            });
            relative.response.accessible_name("Colours are relative");
            legend(ui, &Scale::unsigned(0.0, 1.0, ui.visuals().dark_mode), "share of attention");
            if stale {
                busy(ui);
                ui.weak("The newer text is being computed.");
            }
        });
    }

    fn large(
        &mut self,
        ctx: &PanelContext<'_>,
        ui: &mut Ui,
        maps: &Arc<AttentionMaps>,
        (layer, head): (usize, usize),
        names: &[String],
    ) {
        let pos = maps.tokens.len();
        let roomy = ui.available_height() >= ROOMY;
        ui.horizontal_wrapped(|ui| {
            ui.strong(format!("L{layer}H{head}"));
            ui.selectable_value(&mut self.side, Side::Query, "Query view")
                .on_hover_text("Where the selected token looks");
            ui.selectable_value(&mut self.side, Side::Key, "Key view")
                .on_hover_text("Which tokens look at the selected token");
            // Where there is little room, the pattern needs it; the thumbnail's tooltip has the scores too.
            if let Some(score) = order::score(maps, layer, head).filter(|_| roomy) {
                for order in [Order::Previous, Order::Induction, Order::Duplicate, Order::First, Order::Entropy] {
                    let value = order.score(score).map_or_else(String::new, number::short);
                    let score = RichText::new(format!("{} {value}", order.name())).weak();
                    ui.add(Label::new(score).extend()).on_hover_text(order.about());
                }
            }
        });
        self.strip(ctx, ui, maps, (layer, head));
        let large = Large::of(self.large.take(), maps, (layer, head), self.options);
        let (by_query, selected, hovered) = (self.side == Side::Query, ctx.token_among(pos), ctx.hover.token);
        let light = |own: bool, index: usize| Light::of(own && selected == Some(index), own && hovered == Some(index));
        let pattern = maps.pattern(layer, head);
        let describe = |query: usize, key: usize| {
            let weight = pattern.get(query * pos + key).copied().unwrap_or(f32::NAN);
            format!("query {query} {}, key {key} {}: {}", name(names, query), name(names, key), number::short(weight))
        };
        let heatmap = Heatmap {
            name: "Attention pattern, query by key",
            content: Content::of(maps, (layer, head, self.options)),
            grid: Grid { rows: pos, cols: pos, values: &large.shares },
            scale: Scale::unsigned(0.0, 1.0, ui.visuals().dark_mode),
            row_names: names,
            col_names: names,
            cell: CellSize::Fit(30.0),
            text: &|_, _| String::new(),
            describe: &describe,
            row_light: &|row| light(by_query, row),
            col_light: &|col| light(!by_query, col),
            selected: None,
        };
        let shown = heatmap.show(ui, "pattern", ui.available_size());
        let token = |place: Place| if by_query { place.row.or(place.col) } else { place.col.or(place.row) };
        let selection = |token| Selection::of_head(layer as u32, head as u32).at_token(token);
        if let Some(token) = shown.hovered.and_then(token) {
            ctx.set_hover(selection(token));
        }
        if let Some(token) = shown.clicked.and_then(token) {
            ctx.select(selection(token));
        }
        if let Some((query, key)) = shown.hovered.and_then(Place::as_cell) {
            shown.response.on_hover_text_at_pointer(describe(query, key));
        }
        self.large = Some(large);
    }

    /// One token's attention over the text.
    fn strip(&self, ctx: &PanelContext<'_>, ui: &mut Ui, maps: &AttentionMaps, (layer, head): (usize, usize)) {
        let pos = maps.tokens.len();
        // Without a selection the last token stands in: its prediction is what most questions are about.
        let hovered = ctx.hover.token.filter(|token| *token < pos);
        let Some(token) = hovered.or(ctx.token_among(pos)) else { return };
        let values =
            pattern::weights(maps.pattern(layer, head), pos, token, self.side == Side::Key, self.options.mask_first);
        let most = values.iter().flatten().copied().fold(0.0, f32::max);
        let top = if self.options.relative == Relative::One || most <= 0.0 { 1.0 } else { most };
        let scale = Scale::unsigned(0.0, top, ui.visuals().dark_mode);
        let height =
            if ui.available_height() < ROOMY { 42.0 } else { (ui.available_height() * 0.3).clamp(42.0, 130.0) };
        let strip = ScrollArea::vertical()
            .id_salt("attention strip")
            .max_height(height)
            .min_scrolled_height(0.0)
            .show(ui, |ui| {
                token_strip(ui, "attention", &maps.tokens, &values, &scale, ctx.token_among(pos), ctx.hover.token)
            });
        if let Some(token) = strip.inner.hovered {
            ctx.set_hover(Selection::of_token(token));
        }
        if let Some(token) = strip.inner.clicked {
            ctx.select(Selection::of_token(token));
        }
        ui.add_space(2.0);
    }
}

fn selected_head(ctx: &PanelContext<'_>, maps: &AttentionMaps) -> Option<(usize, usize)> {
    let (layer, head) = (ctx.selection.layer? as usize, ctx.selection.head? as usize);
    (layer < maps.n_layers && head < maps.n_heads).then_some((layer, head))
}

fn name(names: &[String], index: usize) -> &str {
    names.get(index).map_or("", String::as_str)
}
