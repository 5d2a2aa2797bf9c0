//! Where the panels are: tiles that can be moved, resized, stacked as tabs, closed and opened again.
//!
//! A closed panel keeps its place in the tree and is only hidden, so that it comes back where it was.

use std::collections::HashMap;

use egui::{
    Align2, Button, Color32, CursorIcon, Frame, Id, Margin, Rect, Response, RichText, Role, Sense, Stroke, Style,
    TextStyle, Ui, Visuals, WidgetInfo, WidgetText, pos2, vec2,
};
use egui_tiles::{
    Behavior, Container, EditAction, Linear, LinearDir, SimplificationOptions, TabState, Tile, TileId, Tiles, Tree,
    UiResponse,
};
use serde::{Deserialize, Serialize};

use super::panels::{Panel, PanelContext, panel_ui};
use super::theme::{Palette, icons};
use crate::session::command::Command;

/// Raised whenever the default layout changes enough that stored ones should be forgotten.
const LAYOUT_VERSION: u32 = 1;
const TAB_HEIGHT: f32 = 30.0;
const GAP: f32 = 5.0;

/// The arrangement of the panels, as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct Layout {
    version: u32,
    tree: Tree<String>,
    /// Whether somebody has moved, resized or closed a panel.
    #[serde(default)]
    touched: bool,
    /// Whether it is the one for looking at pictures.
    #[serde(default)]
    pictures: bool,
}

/// The panels and their arrangement.
pub struct Dock {
    panels: Vec<Box<dyn Panel>>,
    layout: Layout,
    /// Where each visible panel was drawn in the last frame, with its tab.
    rects: HashMap<&'static str, Rect>,
}

impl Dock {
    /// The panels in their default places.
    pub fn new(panels: Vec<Box<dyn Panel>>) -> Dock {
        let layout = Layout { version: LAYOUT_VERSION, tree: default_tree(&panels), touched: false, pictures: false };
        Dock { panels, layout, rects: HashMap::new() }
    }

    /// Every panel.
    pub fn panels(&self) -> &[Box<dyn Panel>] {
        &self.panels
    }

    /// The arrangement, to be stored.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Takes over a stored arrangement, if it knows every panel and nothing else.
    pub fn restore(&mut self, layout: Layout) {
        let places: Vec<&String> = layout.tree.tiles.tiles().filter_map(pane_of).collect();
        let complete = self.panels.iter().all(|panel| places.iter().filter(|id| **id == panel.id()).count() == 1);
        if layout.version == LAYOUT_VERSION && complete && places.len() == self.panels.len() {
            self.layout = layout;
        }
    }

    /// Back to the default places, everything open.
    pub fn reset(&mut self) {
        self.layout.tree = default_tree(&self.panels);
        (self.layout.touched, self.layout.pictures) = (false, false);
    }

    /// A layout for looking at a convolutional network: the picture is large, its channels and the unit's page beside it.
    pub fn arrange_for_pictures(&mut self) {
        self.layout.tree = pictures_tree(&self.panels);
        self.layout.pictures = true;
    }

    /// Suits the layout to the kind of model that was opened: the whole of it where nobody has arranged anything, else the panels for
    /// pictures come to the front.
    pub fn show_model(&mut self, vision: bool) {
        match (vision, self.layout.touched) {
            (true, false) => self.arrange_for_pictures(),
            (true, true) => ["channels", "image"].into_iter().for_each(|id| self.open(id)),
            (false, false) if self.layout.pictures => self.reset(),
            (false, _) => {}
        }
    }

    /// A layout for reading an atlas: the table and the unit's page are large, the map and the documents below.
    pub fn arrange_for_atlas(&mut self) {
        self.layout.tree = atlas_tree(&self.panels);
        self.layout.pictures = false;
    }

    /// Brings the atlas to the front. Without a model, and where nobody has arranged anything, the whole layout becomes one for
    /// atlases.
    pub fn show_atlas(&mut self, alone: bool) {
        if alone && !self.layout.touched {
            self.arrange_for_atlas();
        } else {
            self.open("atlas");
        }
    }

    /// Whether a panel is open, be it behind another tab.
    pub fn is_open(&self, id: &str) -> bool {
        self.tile_of(id).is_some_and(|tile| self.layout.tree.is_visible(tile))
    }

    /// Opens a panel and brings it to the front.
    pub fn open(&mut self, id: &str) {
        let Some(tile) = self.tile_of(id) else { return };
        self.layout.tree.set_visible(tile, true);
        let mut child = tile;
        while let Some(parent) = self.layout.tree.tiles.parent_of(child) {
            if let Some(Tile::Container(Container::Tabs(tabs))) = self.layout.tree.tiles.get_mut(parent) {
                tabs.set_active(child);
            }
            child = parent;
        }
    }

    /// Closes a panel.
    pub fn close(&mut self, id: &str) {
        self.layout.touched = true;
        if let Some(tile) = self.tile_of(id) {
            self.layout.tree.set_visible(tile, false);
        }
    }

    /// Panels that can be seen in this frame.
    pub fn visible(&self) -> impl Iterator<Item = &dyn Panel> {
        let shown: Vec<&String> = self
            .layout
            .tree
            .active_tiles()
            .into_iter()
            .filter_map(|tile| self.layout.tree.tiles.get(tile).and_then(pane_of))
            .collect();
        self.panels.iter().map(Box::as_ref).filter(move |panel| shown.iter().any(|id| *id == panel.id()))
    }

    /// Where a panel was drawn in the last frame.
    pub fn rect(&self, id: &str) -> Option<Rect> {
        self.rects.get(id).copied()
    }

    fn tile_of(&self, id: &str) -> Option<TileId> {
        self.layout
            .tree
            .tiles
            .iter()
            .find(|(_, tile)| pane_of(tile).is_some_and(|pane| pane == id))
            .map(|(tile, _)| *tile)
    }

    /// Draws everything.
    pub fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        self.rects.clear();
        let (mut closed, mut touched) = (Vec::new(), self.layout.touched);
        let mut behavior = Behaviour {
            panels: &mut self.panels,
            ctx,
            rects: &mut self.rects,
            closed: &mut closed,
            touched: &mut touched,
        };
        self.layout.tree.ui(&mut behavior, ui);
        self.layout.touched = touched || !closed.is_empty();
        for tile in closed {
            self.layout.tree.set_visible(tile, false);
        }
        if self.layout.tree.active_tiles().iter().all(|tile| self.layout.tree.tiles.get_pane(tile).is_none()) {
            ui.scope_builder(egui::UiBuilder::new().max_rect(ui.max_rect()), |ui| {
                super::widgets::placeholder::empty(
                    ui,
                    "Every panel is closed",
                    "Open one from the View menu or with Ctrl+P, or reset the layout.",
                );
            });
        }
    }
}

fn pane_of(tile: &Tile<String>) -> Option<&String> {
    match tile {
        Tile::Pane(id) => Some(id),
        Tile::Container(_) => None,
    }
}

/// Builds a tree of stacks of panels.
struct Arrangement<'a> {
    tiles: Tiles<String>,
    /// Panels that have no place yet.
    left: Vec<&'a str>,
}

impl<'a> Arrangement<'a> {
    fn of(panels: &'a [Box<dyn Panel>]) -> Arrangement<'a> {
        Arrangement { tiles: Tiles::default(), left: panels.iter().map(|panel| panel.id()).collect() }
    }

    /// Panels one behind the other, the first in front.
    fn stack(&mut self, ids: &[&str]) -> TileId {
        let here: Vec<&str> = ids.iter().copied().filter(|id| self.left.contains(id)).collect();
        self.left.retain(|id| !here.contains(id));
        let panes: Vec<TileId> = here.iter().map(|id| self.tiles.insert_pane((*id).to_owned())).collect();
        let first = panes.first().copied();
        let tabs = self.tiles.insert_tab_tile(panes);
        if let (Some(Tile::Container(Container::Tabs(tabs))), Some(first)) = (self.tiles.get_mut(tabs), first) {
            tabs.set_active(first);
        }
        tabs
    }

    fn split(&mut self, dir: LinearDir, parts: &[(TileId, f32)]) -> TileId {
        let mut linear = Linear::new(dir, parts.iter().map(|(tile, _)| *tile).collect());
        for (tile, share) in parts {
            linear.shares.set_share(*tile, *share);
        }
        self.tiles.insert_container(linear)
    }

    /// The tree. Panels without a place of their own join the stack `others`.
    fn tree(mut self, root: TileId, others: TileId) -> Tree<String> {
        let rest: Vec<TileId> = self.left.into_iter().map(|id| self.tiles.insert_pane(id.to_owned())).collect();
        if let Some(Tile::Container(others)) = self.tiles.get_mut(others) {
            rest.into_iter().for_each(|tile| others.add_child(tile));
        }
        Tree::new(Id::unique("golgi dock"), root, self.tiles)
    }
}

/// Model on the left; the text and what is known of it in the middle; units and changes on the right.
fn default_tree(panels: &[Box<dyn Panel>]) -> Tree<String> {
    let mut all = Arrangement::of(panels);
    let model = all.stack(&["model"]);
    let prompt = all.stack(&["prompt"]);
    let maps = all.stack(&["lens", "attention", "atlas", "map", "corpus"]);
    let units = all.stack(&["neurons", "interventions"]);
    let unit = all.stack(&["unit", "jobs"]);
    let middle = all.split(LinearDir::Vertical, &[(prompt, 0.46), (maps, 0.54)]);
    let right = all.split(LinearDir::Vertical, &[(units, 0.52), (unit, 0.48)]);
    let root = all.split(LinearDir::Horizontal, &[(model, 0.19), (middle, 0.47), (right, 0.34)]);
    all.tree(root, maps)
}

/// The table on the left above the map and the documents; the unit's page on the right.
fn atlas_tree(panels: &[Box<dyn Panel>]) -> Tree<String> {
    let mut all = Arrangement::of(panels);
    let table = all.stack(&["atlas", "prompt", "lens", "attention", "neurons"]);
    let maps = all.stack(&["map", "corpus"]);
    let unit = all.stack(&["unit", "model", "interventions", "jobs"]);
    let left = all.split(LinearDir::Vertical, &[(table, 0.52), (maps, 0.48)]);
    let root = all.split(LinearDir::Horizontal, &[(left, 0.6), (unit, 0.4)]);
    all.tree(root, table)
}

/// Model on the left; the picture above its channels in the middle; the unit's page on the right.
fn pictures_tree(panels: &[Box<dyn Panel>]) -> Tree<String> {
    let mut all = Arrangement::of(panels);
    let model = all.stack(&["model"]);
    let image = all.stack(&["image", "prompt", "lens", "attention"]);
    let channels = all.stack(&["channels", "atlas", "map", "corpus", "neurons", "interventions"]);
    let unit = all.stack(&["unit", "jobs"]);
    let middle = all.split(LinearDir::Vertical, &[(image, 0.6), (channels, 0.4)]);
    let root = all.split(LinearDir::Horizontal, &[(model, 0.19), (middle, 0.51), (unit, 0.3)]);
    all.tree(root, channels)
}

struct Behaviour<'a, 'c> {
    panels: &'a mut [Box<dyn Panel>],
    ctx: &'a mut PanelContext<'c>,
    rects: &'a mut HashMap<&'static str, Rect>,
    closed: &'a mut Vec<TileId>,
    touched: &'a mut bool,
}

impl Behaviour<'_, '_> {
    fn panel(&self, id: &str) -> Option<&dyn Panel> {
        self.panels.iter().map(Box::as_ref).find(|panel| panel.id() == id)
    }

    fn palette(&self) -> &Palette {
        self.ctx.palette
    }
}

impl Behavior<String> for Behaviour<'_, '_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, id: &mut String) -> UiResponse {
        let Some(panel) = self.panels.iter_mut().find(|panel| panel.id() == *id) else { return UiResponse::None };
        let rect = ui.max_rect();
        self.rects.insert(panel.id(), rect.with_min_y(rect.top() - TAB_HEIGHT));
        let frame = Frame::new().fill(self.ctx.palette.panel).inner_margin(Margin::same(10));
        frame.show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            ui.push_id(panel.id(), |ui| panel_ui(panel.as_mut(), self.ctx, ui));
        });
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, id: &String) -> WidgetText {
        self.panel(id).map_or_else(|| id.clone().into(), |panel| panel.title().into())
    }

    fn is_tab_closable(&self, _tiles: &Tiles<String>, _tile: TileId) -> bool {
        true
    }

    fn on_edit(&mut self, edit: EditAction) {
        *self.touched |= matches!(edit, EditAction::TileDropped | EditAction::TileResized);
    }

    fn on_tab_close(&mut self, _tiles: &mut Tiles<String>, tile: TileId) -> bool {
        self.closed.push(tile);
        false
    }

    fn tab_ui(&mut self, tiles: &mut Tiles<String>, ui: &mut Ui, id: Id, tile: TileId, state: &TabState) -> Response {
        let palette = *self.palette();
        let (title, icon) = match tiles.get(tile).and_then(pane_of).and_then(|id| self.panel(id)) {
            Some(panel) => (panel.title(), panel.icon()),
            None => ("Panels", icons::LAYOUT),
        };
        let font = TextStyle::Name(if state.active { "strong" } else { "tab" }.into());
        let font = ui.style().text_styles.get(&font).cloned().unwrap_or_else(|| TextStyle::Body.resolve(ui.style()));
        let color = if state.active { palette.text_strong } else { palette.text_weak };
        let icon = ui.painter().layout_no_wrap(icon.to_owned(), egui::FontId::proportional(15.0), color);
        let text = ui.painter().layout_no_wrap(title.to_owned(), font, color);
        let width = 10.0 + icon.size().x + 6.0 + text.size().x + 26.0;
        let (_, rect) = ui.allocate_space(vec2(width, ui.available_height()));
        let response = ui.interact(rect, id, Sense::click_and_drag()).on_hover_cursor(CursorIcon::Grab);
        response.widget_info(|| WidgetInfo::selected(Role::Tab, true, state.active, title));
        if state.is_being_dragged || !ui.is_rect_visible(rect) {
            return response;
        }
        let rounding = egui::CornerRadius { nw: 6, ne: 6, sw: 0, se: 0 };
        if state.active {
            ui.painter().rect_filled(rect, rounding, palette.panel);
            let line = Rect::from_min_size(rect.min, vec2(rect.width(), 2.0)).shrink2(vec2(6.0, 0.0));
            ui.painter().rect_filled(line, 1.0, palette.accent);
        } else if response.hovered() {
            ui.painter().rect_filled(rect, rounding, palette.raised.gamma_multiply(0.6));
        }
        let mid = rect.center().y;
        let icon_width = icon.size().x;
        ui.painter().galley(pos2(rect.left() + 10.0, mid - icon.size().y / 2.0), icon, color);
        ui.painter().galley(pos2(rect.left() + 16.0 + icon_width, mid - text.size().y / 2.0), text, color);
        let over = ui.rect_contains_pointer(rect);
        let close = Rect::from_center_size(pos2(rect.right() - 14.0, mid), vec2(16.0, 16.0));
        let closing = ui.interact(close, id.with("close"), Sense::click());
        closing.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Close {title}")));
        if over || closing.has_focus() {
            if closing.hovered() || closing.has_focus() {
                ui.painter().rect_filled(close, 4.0, palette.control_hovered);
            }
            let font = egui::FontId::proportional(11.0);
            ui.painter().text(close.center(), Align2::CENTER_CENTER, icons::X, font, palette.text);
        }
        if closing.clicked() || response.middle_clicked() {
            self.on_tab_close(tiles, tile);
        }
        response
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<String>,
        ui: &mut Ui,
        _tile: TileId,
        tabs: &egui_tiles::Tabs,
        _: &mut f32,
    ) {
        let Some(id) = tabs.active.and_then(|tile| tiles.get(tile)).and_then(pane_of) else { return };
        let Some(panel) = self.panel(id) else { return };
        let (id, title, help) = (panel.id(), panel.title(), panel.help());
        ui.add_space(4.0);
        let weak = self.ctx.palette.text_weak;
        let small = |icon: &str| Button::new(RichText::new(icon).size(14.0).color(weak)).frame(false);
        let save = ui.add(small(icons::CAMERA)).accessible_name(format!("Save a picture of {title}"));
        if save.on_hover_text("Save this panel as a PNG").clicked() {
            self.ctx.send(Command::ExportPanelPng { panel: id, path: None });
        }
        ui.add(small(icons::QUESTION)).accessible_name(format!("About {title}")).on_hover_ui(|ui| {
            ui.set_max_width(340.0);
            ui.strong(title);
            ui.label(help);
        });
    }

    fn tab_bar_height(&self, _style: &Style) -> f32 {
        TAB_HEIGHT
    }

    fn gap_width(&self, _style: &Style) -> f32 {
        GAP
    }

    fn min_size(&self) -> f32 {
        120.0
    }

    fn tab_bar_color(&self, _visuals: &Visuals) -> Color32 {
        self.palette().backdrop
    }

    fn tab_bar_hline_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::NONE
    }

    fn resize_stroke(&self, _style: &Style, state: egui_tiles::ResizeState) -> Stroke {
        match state {
            egui_tiles::ResizeState::Idle => Stroke::NONE,
            egui_tiles::ResizeState::Hovering => Stroke::new(2.0, self.palette().line_strong),
            egui_tiles::ResizeState::Dragging => Stroke::new(2.0, self.palette().accent),
        }
    }

    fn drag_preview_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::new(1.5, self.palette().accent)
    }

    fn drag_preview_color(&self, _visuals: &Visuals) -> Color32 {
        self.palette().accent.gamma_multiply(0.18)
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dock() -> Dock {
        Dock::new(super::super::panels::all())
    }

    #[test]
    fn panels_close_open_and_come_back_to_their_place() {
        let mut dock = dock();
        assert!(dock.panels().iter().all(|panel| dock.is_open(panel.id())));
        dock.close("prompt");
        assert!(!dock.is_open("prompt"));
        dock.open("prompt");
        assert!(dock.is_open("prompt"));
        assert!(dock.visible().any(|panel| panel.id() == "prompt"));
        dock.open("jobs");
        assert!(dock.visible().any(|panel| panel.id() == "jobs"), "opening brings to the front");
    }

    #[test]
    fn a_network_gets_a_layout_of_its_own_unless_somebody_has_arranged_the_panels() {
        let mut dock = dock();
        let shows = |dock: &Dock, id: &str| dock.visible().any(|panel| panel.id() == id);
        assert!(shows(&dock, "prompt") && !shows(&dock, "image"));
        dock.show_model(true);
        assert!(shows(&dock, "image") && shows(&dock, "channels") && !shows(&dock, "prompt"));
        dock.show_model(false);
        assert!(shows(&dock, "prompt") && !shows(&dock, "image"));
        dock.close("jobs");
        dock.show_model(true);
        assert!(!dock.is_open("jobs") && shows(&dock, "image"), "what was arranged stays");
        dock.show_model(false);
        assert!(!dock.is_open("jobs"));
    }

    #[test]
    fn layouts_survive_and_foreign_ones_are_refused() {
        let mut first = dock();
        first.close("jobs");
        let text = serde_json::to_string(first.layout()).unwrap();
        let mut second = dock();
        second.restore(serde_json::from_str(&text).unwrap());
        assert!(!second.is_open("jobs"));
        let mut third = dock();
        third.restore(serde_json::from_str(&text.replace("\"prompt\"", "\"other\"")).unwrap());
        assert!(third.is_open("prompt") && third.is_open("jobs"));
    }
}
