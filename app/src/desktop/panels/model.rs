//! The model: its sizes, and the tree of its sites with shapes and parameter counts.

mod network;

use egui::{Align, Button, CollapsingHeader, Grid, Layout, RichText, ScrollArea, Sense, TextEdit, TextStyle, Ui, vec2};
use golgi_data::context::bytes_text;
use golgi_data::images::Fit;
use golgi_data::site::Site;
use golgi_probes::Dims;

use super::{Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::desktop::widgets::highlight::{Light, veil};
use crate::desktop::widgets::placeholder;
use crate::session::document::{ModelInfo, SiteInfo};
use crate::session::loadable::Loadable;
use crate::session::selection::Selection;
use crate::session::text;

const ROW: f32 = 22.0;

/// The panel.
#[derive(Default)]
pub struct ModelPanel {
    filter: String,
    /// Sites are named as the hub's implementation names them, where it has a name.
    hub_names: bool,
    /// The layer that the tree was last scrolled to.
    revealed: Option<u32>,
    /// The site of a network that was chosen in the last frame: the group of a new one opens.
    seen_site: Option<Site>,
}

impl Panel for ModelPanel {
    fn id(&self) -> &'static str {
        "model"
    }

    fn title(&self) -> &'static str {
        "Model"
    }

    fn icon(&self) -> &'static str {
        icons::TREE_STRUCTURE
    }

    fn help(&self) -> &'static str {
        "Every site of the model, in the order of a forward pass, with its shape. Click a layer or a site to select it; right-click \
         to copy its name. The filter takes any part of a name, of the Hugging Face module path or of the description."
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        match &ctx.document().model {
            Loadable::Empty => {
                placeholder::empty(ui, "No model is open", "Choose one on the start screen (Ctrl+N), or drop a file.")
            }
            Loadable::Loading { progress, previous: None } => placeholder::loading(ui, "Computing the model", progress),
            Loadable::Failed(notice) => {
                if placeholder::failed(ui, notice)
                    && let Some(job) = ctx.session.jobs.list().iter().rev().find(|job| job.title.starts_with("Open "))
                {
                    ctx.send(crate::session::command::Command::RetryJob(job.id));
                }
            }
            Loadable::Ready(model) | Loadable::Loading { previous: Some(model), .. } => self.model_ui(ctx, ui, model),
        }
    }
}

impl ModelPanel {
    fn model_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, model: &ModelInfo) {
        facts_ui(ctx, ui, model);
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            let hint = RichText::new("Filter sites").color(ctx.palette.text_weak);
            let aside = if model.vision.is_some() { 0.0 } else { 76.0 };
            let field =
                TextEdit::singleline(&mut self.filter).hint_text(hint).desired_width(ui.available_width() - aside);
            ui.add(field).accessible_name("Filter sites");
            if model.vision.is_some() {
                return;
            }
            let toggle = ui.add(Button::selectable(self.hub_names, "HF names"));
            if toggle.on_hover_text("Name sites as Hugging Face's implementation names its modules").clicked() {
                self.hub_names = !self.hub_names;
            }
        });
        ui.add_space(2.0);
        let filter = self.filter.trim().to_lowercase();
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            let found = if model.vision.is_some() {
                self.network_ui(ctx, ui, model, &filter)
            } else {
                self.tree_ui(ctx, ui, model, &filter)
            };
            self.revealed = ctx.selection.layer;
            self.seen_site = model.chosen_site(ctx.selection).cloned();
            if !found {
                ui.add_space(12.0);
                ui.vertical_centered(|ui| {
                    ui.weak(format!("No site matches “{}”.", text::visible(&self.filter)));
                    if ui.button("Clear the filter").clicked() {
                        self.filter.clear();
                    }
                });
            }
        });
    }

    /// Embeddings, blocks, head. Returns whether anything was drawn.
    fn tree_ui(&self, ctx: &PanelContext<'_>, ui: &mut Ui, model: &ModelInfo, filter: &str) -> bool {
        let first_block = model.sites.iter().position(|site| site.site.layer().is_some()).unwrap_or(model.sites.len());
        let behind =
            model.sites.iter().rposition(|site| site.site.layer().is_some()).map_or(first_block, |last| last + 1);
        let (before, rest) = model.sites.split_at(first_block);
        let (blocks, after) = rest.split_at(behind - first_block);
        let mut found = self.group_ui(ctx, ui, "Embedding", model.embedding_parameters, None, before, filter);
        for (layer, parameters) in model.block_parameters.iter().enumerate() {
            let layer = layer as u32;
            let start = blocks.partition_point(|site| site.site.layer() < Some(layer));
            let end = blocks.partition_point(|site| site.site.layer() <= Some(layer));
            let title = format!("Layer {layer}");
            found |= self.group_ui(ctx, ui, &title, parameters.total(), Some(layer), &blocks[start..end], filter);
        }
        found | self.group_ui(ctx, ui, "Output", model.head_parameters, None, after, filter)
    }

    #[allow(clippy::too_many_arguments, reason = "one row of the tree")]
    fn group_ui(
        &self,
        ctx: &PanelContext<'_>,
        ui: &mut Ui,
        title: &str,
        parameters: u64,
        layer: Option<u32>,
        sites: &[SiteInfo],
        filter: &str,
    ) -> bool {
        let shown: Vec<&SiteInfo> = sites.iter().filter(|site| matches(site, filter)).collect();
        if shown.is_empty() && !(filter.is_empty() && parameters > 0) {
            return false;
        }
        let selected = layer.is_some() && ctx.selection.layer == layer;
        let hovered = layer.is_some() && ctx.hover.layer == layer;
        let heading = RichText::new(title).color(if selected { ctx.palette.accent } else { ctx.palette.text });
        let header = CollapsingHeader::new(heading).id_salt(title).open((!filter.is_empty()).then_some(true));
        let top = ui.cursor().min;
        let width = ui.available_width();
        if let Some(fill) = veil(ui.visuals(), Light::of(selected, hovered)) {
            let rect = egui::Rect::from_min_size(top, vec2(width, ROW));
            ui.painter().rect_filled(rect, 4.0, fill);
        }
        let shown = header.show(ui, |ui| {
            for site in shown {
                self.site_ui(ctx, ui, site);
            }
        });
        let count = text::count_text(parameters);
        let at = egui::pos2(top.x + width - 6.0, shown.header_response.rect.center().y);
        let font = TextStyle::Small.resolve(ui.style());
        ui.painter().text(at, egui::Align2::RIGHT_CENTER, count, font, ctx.palette.text_weak);
        let response = shown.header_response;
        if let Some(layer) = layer {
            if selected && self.revealed != Some(layer) {
                response.scroll_to_me(None);
            }
            if response.hovered() {
                ctx.set_hover(Selection::of_layer(layer));
            }
            if response.clicked() {
                ctx.select(Selection::of_layer(layer));
            }
        }
        response.on_hover_text(format!("{} parameters", text::grouped(parameters)));
        true
    }

    fn site_ui(&self, ctx: &PanelContext<'_>, ui: &mut Ui, site: &SiteInfo) {
        let full = site.site.to_string();
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
        let selected = match &ctx.document().model {
            Loadable::Ready(model) if model.vision.is_some() => model.chosen_site(ctx.selection) == Some(&site.site),
            _ => ctx.selection.site.as_ref() == Some(&site.site),
        };
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::TreeItem, true, selected, &full));
        let hovered = ctx.hover.site.as_ref() == Some(&site.site) || response.hovered();
        if let Some(fill) = veil(ui.visuals(), Light::of(selected, hovered)) {
            ui.painter().rect_filled(rect, 4.0, fill);
        }
        let name = match (&site.alias, self.hub_names) {
            (Some(alias), true) => short_alias(alias, &site.site),
            _ => short_name(&site.site, &full),
        };
        let mono = TextStyle::Monospace.resolve(ui.style());
        let small = egui::FontId::monospace(11.0);
        let color = if selected { ctx.palette.text_strong } else { ctx.palette.text };
        let shape = ui.painter().layout_no_wrap(site.shape.clone(), small, ctx.palette.text_weak);
        let room = rect.width() - 14.0;
        let name = ui.painter().layout_no_wrap(text::visible(&name), mono, color);
        let painter = ui.painter_at(rect);
        painter.galley(egui::pos2(rect.left() + 6.0, rect.center().y - name.size().y / 2.0), name.clone(), color);
        // A shape that would touch the name is left to the tooltip.
        if name.size().x + shape.size().x + 12.0 < room {
            let at = egui::pos2(rect.right() - 6.0 - shape.size().x, rect.center().y - shape.size().y / 2.0);
            painter.galley(at, shape, ctx.palette.text_weak);
        }
        if response.hovered() {
            ctx.set_hover(Selection::of_site(&site.site));
        }
        if response.clicked() {
            ctx.select(Selection::of_site(&site.site));
        }
        response.context_menu(|ui| {
            if ui.button(format!("{}  Copy name", icons::COPY)).clicked() {
                ui.ctx().copy_text(full.clone());
                ui.close();
            }
            if let Some(alias) = &site.alias
                && ui.button(format!("{}  Copy Hugging Face name", icons::COPY)).clicked()
            {
                ui.ctx().copy_text(alias.clone());
                ui.close();
            }
        });
        response.on_hover_ui(|ui| tooltip_ui(ui, site, &full));
    }
}

fn tooltip_ui(ui: &mut Ui, site: &SiteInfo, full: &str) {
    ui.strong(full);
    ui.label(site.about.as_ref());
    Grid::new("site facts").num_columns(2).show(ui, |ui| {
        let units = if site.has_heads { "heads" } else { "units" };
        for (name, value) in [("shape", site.shape.clone()), (units, text::grouped(site.units as u64))] {
            ui.weak(name);
            ui.label(value);
            ui.end_row();
        }
        if let Some(alias) = &site.alias {
            ui.weak("Hugging Face");
            ui.monospace(alias);
            ui.end_row();
        }
    });
    ui.weak("Click to select, right-click to copy.");
}

fn facts_ui(ctx: &PanelContext<'_>, ui: &mut Ui, model: &ModelInfo) {
    let dims = &model.dims;
    ui.horizontal(|ui| {
        let name = text::shortened(&text::visible(&model.name), 36);
        ui.label(RichText::new(name).text_style(TextStyle::Heading).color(ctx.palette.text_strong));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let copy = Button::new(RichText::new(icons::COPY).size(14.0)).frame_when_inactive(false);
            if ui
                .add(copy)
                .accessible_name("Copy the model's address")
                .on_hover_text("Copy the model's address")
                .clicked()
            {
                ui.ctx().copy_text(model.spec.clone());
            }
        });
    });
    let own = match &model.vision {
        Some(vision) => vec![
            ("Sites", text::grouped(model.sites.len() as u64)),
            ("Classes", text::grouped(vision.classes as u64)),
            ("Input", format!("{0} × {0}", vision.side())),
            ("Pictures", fit_text(vision.preprocess.settings().fit).to_owned()),
        ],
        None => transformer_facts(dims),
    };
    let facts = [("Family", text::visible(&model.family)), ("Parameters", text::count_text(model.parameters()))];
    let files = [
        ("On disk", bytes_text(model.bytes_on_disk)),
        ("Licence", model.licence.as_deref().map_or("not stated".into(), |l| text::shortened(&text::visible(l), 24))),
    ];
    let two = ui.available_width() > 226.0;
    Grid::new("model facts").num_columns(if two { 4 } else { 2 }).spacing([8.0, 3.0]).min_row_height(16.0).show(
        ui,
        |ui| {
            for (index, (name, value)) in facts.iter().chain(&own).chain(&files).enumerate() {
                ui.label(RichText::new(*name).small().color(ctx.palette.text_weak));
                ui.label(RichText::new(value).small());
                if !two || index % 2 == 1 {
                    ui.end_row();
                }
            }
        },
    );
}

fn transformer_facts(dims: &Dims) -> Vec<(&'static str, String)> {
    let heads = if dims.n_heads == dims.n_kv_heads {
        dims.n_heads.to_string()
    } else {
        format!("{} ({} KV)", dims.n_heads, dims.n_kv_heads)
    };
    vec![
        ("Layers", dims.n_layers.to_string()),
        ("Heads", heads),
        ("Residual", dims.d_model.to_string()),
        ("Neurons", format!("{} a layer", text::grouped(dims.d_mlp as u64))),
        ("Vocabulary", text::grouped(dims.d_vocab as u64)),
        ("Context", text::grouped(dims.n_ctx as u64)),
    ]
}

/// How a picture becomes the input, in two words.
fn fit_text(fit: Fit) -> &'static str {
    match fit {
        Fit::SquareThenResize(_) => "centre square",
        Fit::ResizeThenCrop { .. } => "centre crop",
        Fit::Stretch(_) => "stretched",
    }
}

fn matches(site: &SiteInfo, filter: &str) -> bool {
    filter.is_empty()
        || site.site.to_string().to_lowercase().contains(filter)
        || site.about.to_lowercase().contains(filter)
        || site.alias.as_ref().is_some_and(|alias| alias.to_lowercase().contains(filter))
}

/// A site's name without the layer or module, which its group says.
fn short_name(site: &Site, full: &str) -> String {
    match (site, site.point()) {
        (_, Some(point)) => point.name().to_owned(),
        (Site::Module(_), None) => {
            full.strip_prefix(&network::group(full)).map_or(full, |rest| rest.trim_start_matches('.')).to_owned()
        }
        _ => full.to_owned(),
    }
}

/// The same for a module path: what follows the layer's number.
fn short_alias(alias: &str, site: &Site) -> String {
    let Some(layer) = site.layer() else { return alias.to_owned() };
    let mark = format!(".{layer}");
    match alias.split_once(&mark) {
        Some((_, "")) => alias.to_owned(),
        Some((_, rest)) => rest.trim_start_matches('.').to_owned(),
        None => alias.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use golgi_data::site::BlockPoint;

    use super::*;

    #[test]
    fn names_leave_out_the_layer() {
        let site = Site::block(3, BlockPoint::Q);
        assert_eq!(short_name(&site, &site.to_string()), "attn.hook_q");
        assert_eq!(short_alias("model.layers.3.self_attn.q_proj", &site), "self_attn.q_proj");
        assert_eq!(short_alias("model.layers.3", &site), "model.layers.3");
        assert_eq!(short_alias("lm_head", &Site::Logits), "lm_head");
        let site: Site = "_blocks.3._bn1".parse().unwrap();
        assert_eq!(short_name(&site, "_blocks.3._bn1"), "_bn1");
        assert_eq!(short_name(&Site::LnFinalScale, "ln_final.hook_scale"), "ln_final.hook_scale");
    }
}
