//! All units of the open atlas as points: two columns as axes, a third as colour.

mod look;

use std::sync::Arc;

use egui::{Button, ComboBox, RichText, Ui};
use golgi_data::atlas::UnitKind;

use self::look::{colours, default_choice, legend_ui, version};
use super::atlas::{empty_ui, kinds};
use super::{Panel, PanelContext};
use crate::desktop::task::Task;
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::desktop::widgets::scatter::picture::{Dots, Picture};
use crate::desktop::widgets::scatter::{AxisLook, Look, Scatter, Tool};
use crate::session::atlas::columns::{UnitTable, Values};
use crate::session::atlas::filter::UnitSet;
use crate::session::atlas::known;
use crate::session::atlas::points::{Axis, Choice, Points};
use crate::session::command::Command;
use crate::session::selection::Selection;
use crate::session::text::{grouped, visible};

/// More units than this are placed on a thread of their own.
const PLACED_AT_ONCE: usize = 20_000;

/// The panel.
#[derive(Default)]
pub struct MapPanel {
    choice: Option<Choice>,
    tool: Tool,
    scatter: Scatter,
    points: Option<Arc<Points>>,
    /// Counts the points placed, so that pictures of earlier ones are told apart.
    placed: u64,
    coming: Task<Points>,
    lasso: Task<UnitSet>,
}

impl Panel for MapPanel {
    fn id(&self) -> &'static str {
        "map"
    }

    fn title(&self) -> &'static str {
        "Map"
    }

    fn icon(&self) -> &'static str {
        icons::MAP_TRIFOLD
    }

    fn help(&self) -> &'static str {
        "Every unit of the open atlas as a point. Choose the columns of both axes and of the colour. Drag to move, scroll to zoom, double-click to see everything. \
         Click a point to open the unit's page. With the rectangle or the lasso (or while Shift is held) dragging chooses units: the Atlas panel lists just those. \
         With the keyboard, arrows move, plus and minus zoom, 0 shows everything."
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        match placeholder::shown_or(ui, &ctx.session.atlas.open, "Reading the atlas", |ui| empty_ui(ctx, ui)) {
            Shown::Value { value, .. } if value.units.is_empty() => {
                placeholder::empty(
                    ui,
                    "The atlas has no units yet",
                    "They appear as soon as the first part of it is written.",
                );
            }
            Shown::Value { value, .. } => self.loaded(ctx, ui, &value.units),
            Shown::Nothing(again) => {
                if let Some(folder) = ctx.session.atlas.folder.clone().filter(|_| again) {
                    ctx.send(Command::OpenAtlas(folder));
                }
            }
        }
    }
}

impl MapPanel {
    fn loaded(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, table: &Arc<UnitTable>) {
        let mut choice = self.choice.clone().unwrap_or_else(|| default_choice(table));
        let before = choice.clone();
        ui.horizontal_wrapped(|ui| {
            axis_ui(ui, "x", table, &mut choice.x);
            axis_ui(ui, "y", table, &mut choice.y);
            colour_ui(ui, table, &mut choice.colour);
            kind_ui(ui, table, &mut choice.kind);
            self.tools_ui(ui);
        });
        if (&choice.x, &choice.y, choice.kind) != (&before.x, &before.y, before.kind) {
            self.scatter.fit();
        }
        self.place(ui, table, &choice);
        self.choice = Some(choice);
        let Some(points) = self.points.clone() else {
            ui.horizontal(|ui| {
                busy(ui);
                ui.weak("Placing the units…");
            });
            return;
        };
        self.status_ui(ctx, ui, &points);
        if points.ids.is_empty() {
            placeholder::empty(
                ui,
                "No unit has a place here",
                "Choose other axes, switch the logarithm off, or another kind of unit.",
            );
            return;
        }
        self.map_ui(ctx, ui, &points);
    }

    fn tools_ui(&mut self, ui: &mut Ui) {
        let tools = [
            (Tool::Pan, icons::ARROWS_OUT, "Move the map by dragging"),
            (Tool::Rectangle, icons::SELECTION, "Choose units in a rectangle"),
            (Tool::Lasso, icons::LASSO, "Choose units in a loop (or hold Shift)"),
        ];
        for (tool, icon, name) in tools {
            let button = ui.add(Button::selectable(self.tool == tool, RichText::new(icon).size(15.0)));
            if button.accessible_name(name).on_hover_text(name).clicked() {
                self.tool = tool;
            }
        }
        let fit = ui.button("Fit").on_hover_text("Shows everything (double-click, or 0)");
        if fit.clicked() {
            self.scatter.fit();
        }
    }

    fn place(&mut self, ui: &Ui, table: &Arc<UnitTable>, choice: &Choice) {
        let take = |map: &mut MapPanel, points: Points| {
            map.points = Some(Arc::new(points));
            map.placed += 1;
        };
        if let Some(points) = self.coming.poll() {
            take(self, points);
        }
        if self.coming.is_running() || self.points.as_ref().is_some_and(|points| points.is_of(table, choice)) {
            return;
        }
        self.points = self.points.take().filter(|points| Arc::ptr_eq(points.table(), table));
        let (table, choice) = (Arc::clone(table), choice.clone());
        if table.len() <= PLACED_AT_ONCE {
            take(self, Points::new(&table, &choice));
        } else {
            self.coming.start(ui.ctx(), "place units", move || Points::new(&table, &choice));
        }
    }

    fn status_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, points: &Arc<Points>) {
        if let Some(set) = self.lasso.poll() {
            let set = if set.ids.is_empty() { None } else { Some(Arc::new(set)) };
            ctx.send(Command::ChooseUnits(set));
        }
        ui.horizontal_wrapped(|ui| {
            legend_ui(ui, points, &self.choice.as_ref().map_or_else(String::new, |choice| choice.colour.clone()));
            ui.weak(format!("{} units", grouped(points.ids.len() as u64)));
            if points.left_out > 0 {
                let text = format!("{} without a place", grouped(points.left_out as u64));
                ui.weak(text)
                    .on_hover_text("They have no number on one of the axes, or none above 0 on a logarithmic one");
            }
            if let Some(set) = &ctx.session.atlas.set {
                let text = format!("{} chosen: {}", grouped(set.ids.len() as u64), visible(&set.name));
                ui.label(RichText::new(text).color(ctx.palette.accent));
                let forget = Button::new(RichText::new(icons::X).size(11.0)).frame_when_inactive(false).small();
                if ui.add(forget).accessible_name("Choose no units").on_hover_text("Chooses none").clicked() {
                    ctx.send(Command::ChooseUnits(None));
                }
            }
            if self.coming.is_running() || self.lasso.is_running() {
                busy(ui);
            }
        });
    }

    fn map_ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, points: &Arc<Points>) {
        let table = points.table();
        let Some(choice) = self.choice.clone() else { return };
        let place = |selection: &Selection| {
            let id = table.id_of(selection.unit.as_ref()?)?;
            Some((id, points.place_of(id)?))
        };
        let selected = place(ctx.selection);
        let name = selected.map_or_else(String::new, |(id, _)| table.short(id));
        let (x, y) = (visible(known::title(&choice.x.column)), visible(known::title(&choice.y.column)));
        let set = ctx.session.atlas.set.clone();
        let dark = ctx.palette.dark;
        let look = Look {
            name: "Map of units",
            x: AxisLook { name: &x, log: choice.x.log },
            y: AxisLook { name: &y, log: choice.y.log },
            bounds: points.bounds,
            points: points.ids.len(),
            tool: self.tool,
            version: version(self.placed, set.as_ref(), dark),
            selected: selected.map(|(_, place)| (place, name.as_str())),
            hovered: place(ctx.hover).map(|(_, place)| place),
        };
        let drawn = Arc::clone(points);
        let draw = || {
            move |window, size, scale| {
                let colours = colours(&drawn.colours, dark);
                let chosen = |id: u32| set.as_ref().is_some_and(|set| set.contains(id));
                let dots = Dots {
                    ids: &drawn.ids,
                    x: &drawn.x,
                    y: &drawn.y,
                    codes: &drawn.codes,
                    colours: &colours,
                    chosen: if set.is_some() { Some(&chosen) } else { None },
                };
                Picture::draw(&dots, window, size, scale)
            }
        };
        let response = self.scatter.show(ui, "units", ui.available_size(), &look, draw);
        if let Some(unit) = response.clicked.and_then(|id| table.unit(id)) {
            ctx.select(Selection::of_unit(&unit));
        }
        if let Some(polygon) = response.chosen {
            let (points, name) = (Arc::clone(points), "map's choice");
            self.lasso.start(ui.ctx(), "lasso", move || UnitSet::new(name, points.inside(&polygon)));
        }
        if let Some(id) = response.hovered
            && let Some(unit) = table.unit(id)
        {
            ctx.set_hover(Selection::of_unit(&unit));
            response.response.on_hover_ui_at_pointer(|ui| look::tooltip_ui(ui, table, &choice, id));
        }
    }
}

fn axis_ui(ui: &mut Ui, name: &str, table: &UnitTable, axis: &mut Axis) {
    ui.weak(name);
    let combo = ComboBox::from_id_salt(("axis", name)).selected_text(visible(known::title(&axis.column))).width(86.0);
    let combo = combo.height(420.0).show_ui(ui, |ui| {
        for column in table.columns().iter().filter(|column| column.numbers().is_some()) {
            let title = visible(known::title(&column.name));
            ui.selectable_value(&mut axis.column, column.name.clone(), title);
        }
    });
    combo.response.accessible_name(format!("{name} axis"));
    ui.checkbox(&mut axis.log, "log").accessible_name(format!("{name} axis in powers of ten"));
}

fn colour_ui(ui: &mut Ui, table: &UnitTable, colour: &mut String) {
    ui.weak("colour");
    let text = if colour.is_empty() { "none".to_owned() } else { visible(known::title(colour)) };
    let combo = ComboBox::from_id_salt("colour").selected_text(text).width(82.0).height(420.0).show_ui(ui, |ui| {
        ui.selectable_value(colour, String::new(), "none");
        for column in table.columns().iter().filter(|column| !matches!(column.values, Values::Texts(_))) {
            ui.selectable_value(colour, column.name.clone(), visible(known::title(&column.name)));
        }
    });
    combo.response.accessible_name("Colour");
}

fn kind_ui(ui: &mut Ui, table: &UnitTable, kind: &mut Option<UnitKind>) {
    let occurring = table.kinds();
    if occurring.len() < 2 {
        return;
    }
    let combo = ComboBox::from_id_salt("kind").selected_text(kind.map_or("All kinds", kinds)).width(84.0);
    let combo = combo.show_ui(ui, |ui| {
        for one in occurring {
            ui.selectable_value(kind, Some(one), kinds(one));
        }
        ui.selectable_value(kind, None, "All kinds");
    });
    combo.response.accessible_name("Kind of unit on the map");
}
