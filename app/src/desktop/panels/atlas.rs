//! All units of the open atlas: a table to sort, filter, query and copy.

mod cells;
mod filters;
mod query;

use std::sync::Arc;

use egui::{Button, RichText, Ui};
use golgi_data::unit::Unit;

use self::cells::Shown as ShownColumns;
pub use self::cells::number_text;
use self::filters::FilterForm;
pub use self::filters::kinds;
use self::query::QueryBox;
use super::{Panel, PanelContext};
use crate::desktop::build_form;
use crate::desktop::task::Task;
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::desktop::widgets::virtual_table::{Sort, VirtualTable};
use crate::session::atlas::OpenAtlas;
use crate::session::atlas::filter::Filter;
use crate::session::atlas::listing::{Listing, Order};
use crate::session::command::Command;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text::{grouped, shortened, visible};

/// More units than this are filtered and sorted on a thread of their own, so that no frame waits.
const LISTED_AT_ONCE: usize = 20_000;
/// At most this many rows are copied as text.
const COPIED: usize = 200_000;

/// The panel.
pub struct AtlasPanel {
    filters: FilterForm,
    query: QueryBox,
    columns: ShownColumns,
    order: Order,
    /// Whether only the chosen units are listed.
    only_set: bool,
    listing: Option<Arc<Listing>>,
    coming: Task<Listing>,
    csv: Task<String>,
    /// Where the selected and the hovered unit are listed.
    rows: [Option<(u32, Option<usize>)>; 2],
    /// The unit that was selected when the table was last drawn.
    seen: Option<Unit>,
}

impl Default for AtlasPanel {
    fn default() -> AtlasPanel {
        AtlasPanel {
            filters: FilterForm::default(),
            query: QueryBox::default(),
            columns: ShownColumns::default(),
            order: Order::default(),
            only_set: true,
            listing: None,
            coming: Task::default(),
            csv: Task::default(),
            rows: [None, None],
            seen: None,
        }
    }
}

impl Panel for AtlasPanel {
    fn id(&self) -> &'static str {
        "atlas"
    }

    fn title(&self) -> &'static str {
        "Atlas"
    }

    fn icon(&self) -> &'static str {
        icons::TABLE
    }

    fn help(&self) -> &'static str {
        "Every neuron, head and residual dimension of the open atlas with its statistics. Click a heading to sort, a row to open the unit's page. A bar in a cell is \
         the unit's percentile among the units of its kind and layer. Add filters for any column, choose columns, or ask in SQL: an answer with a column unit lists \
         just those units. Arrow keys, Page Up, Page Down, Home and End move the selection."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[]
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        build_form::strip_ui(ctx, ui);
        match placeholder::shown_or(ui, &ctx.session.atlas.open, "Reading the atlas", |ui| empty_ui(ctx, ui)) {
            Shown::Value { value, stale } => self.loaded(ctx, ui, value, stale),
            Shown::Nothing(again) => {
                if let Some(folder) = ctx.session.atlas.folder.clone().filter(|_| again) {
                    ctx.send(Command::OpenAtlas(folder));
                }
            }
        }
    }
}

/// What panels of an atlas show while none is open.
pub fn empty_ui(ctx: &PanelContext<'_>, ui: &mut Ui) {
    placeholder::centred(ui, |ui| {
        ui.label(RichText::new("No atlas is open").strong().size(15.0));
        ui.add_space(4.0);
        ui.weak(
            "An atlas holds what every unit of a model does over a corpus. Open its folder, or drop it on the window.",
        );
        ui.add_space(8.0);
        if ui.button(format!("{}  Open an atlas folder…", icons::FOLDER_OPEN)).clicked() {
            ctx.send(Command::AskForAtlas);
        }
        if ctx.document().model().is_some() {
            let build = Button::new(format!("{}  Build one of this model…", icons::LIGHTNING));
            if ui.add(build).clicked() {
                ctx.send(Command::AskToBuildAtlas);
            }
        } else {
            ui.weak("To build one, open a model first.");
        }
    });
}

impl AtlasPanel {
    fn loaded(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, open: &Arc<OpenAtlas>, stale: bool) {
        if open.units.is_empty() {
            placeholder::empty(
                ui,
                "The atlas has no units yet",
                "They appear as soon as the first part of it is written.",
            );
            return;
        }
        self.toolbar(ui, open);
        self.filters.tests_ui(ui, &open.units);
        self.query.ui(ctx, ui);
        if self.query.answer_ui(ctx, ui) {
            return;
        }
        let filter = self.filter(ctx);
        self.update(ui, open, &filter);
        let Some(listing) = self.listing.clone() else {
            ui.horizontal(|ui| {
                busy(ui);
                ui.weak("Sorting…");
            });
            return;
        };
        self.summary(ctx, ui, open, &listing, stale);
        if listing.ids.is_empty() {
            placeholder::empty(ui, "No unit passes the filters", "Widen or remove one of them.");
            return;
        }
        self.table(ctx, ui, &listing);
    }

    fn filter(&self, ctx: &PanelContext<'_>) -> Filter {
        let set = ctx.session.atlas.set.clone().filter(|_| self.only_set);
        Filter { set, ..self.filters.filter() }
    }

    fn toolbar(&mut self, ui: &mut Ui, open: &Arc<OpenAtlas>) {
        ui.horizontal_wrapped(|ui| {
            self.filters.ui(ui, &open.units);
            self.columns.menu_ui(ui, &open.units);
            let label = format!("{}  SQL", icons::COMMAND);
            let toggle = ui.add(Button::selectable(self.query.is_open(), label)).accessible_name("SQL");
            if toggle.on_hover_text("Ask the atlas's tables in SQL").clicked() {
                self.query.toggle();
            }
        });
    }

    /// Filters and sorts where something changed.
    fn update(&mut self, ui: &Ui, open: &Arc<OpenAtlas>, filter: &Filter) {
        if let Some(listing) = self.coming.poll() {
            self.listing = Some(Arc::new(listing));
            self.rows = [None, None];
        }
        let table = &open.units;
        if self.coming.is_running() || self.listing.as_ref().is_some_and(|l| l.is_of(table, filter, self.order)) {
            return;
        }
        // The table of an atlas that was closed is let go.
        self.listing = self.listing.take().filter(|listing| Arc::ptr_eq(listing.table(), table));
        let (table, filter, order) = (Arc::clone(table), filter.clone(), self.order);
        let shown = self.columns.indices(&table);
        let list = move || {
            shown.iter().for_each(|column| table.prepare_percentiles(*column));
            Listing::new(&table, &filter, order)
        };
        if open.units.len() <= LISTED_AT_ONCE {
            self.listing = Some(Arc::new(list()));
            self.rows = [None, None];
        } else {
            self.coming.start(ui.ctx(), "list units", list);
        }
    }

    fn summary(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, open: &OpenAtlas, listing: &Arc<Listing>, stale: bool) {
        ui.horizontal_wrapped(|ui| {
            let (shown, all) = (listing.ids.len(), open.units.len());
            let all_text = grouped(all as u64);
            ui.strong(if shown == all {
                format!("{all_text} units")
            } else {
                format!("{} of {all_text} units", grouped(shown as u64))
            });
            let manifest = open.manifest();
            let about = format!("{} over {} tokens of {}", manifest.model, grouped(manifest.tokens), manifest.corpus);
            ui.weak(shortened(&visible(&about), 70)).on_hover_text(visible(&about));
            if !manifest.complete {
                let (text, about) = match &manifest.provisional {
                    Some(so_far) => (
                        format!("provisional: {} of {} tokens", grouped(so_far.tokens), grouped(so_far.of)),
                        "What is known so far. It grows while the build runs; weights, nearest units and families come at its end",
                    ),
                    None => (
                        "unfinished".to_owned(),
                        "The run that makes it has not come to its end; resume it to see all of the corpus",
                    ),
                };
                ui.label(RichText::new(text).color(ctx.palette.warning)).on_hover_text(about);
            }
            if let Some(set) = &ctx.session.atlas.set {
                let name = format!("only {} of the {}", grouped(set.ids.len() as u64), set.name);
                ui.checkbox(&mut self.only_set, visible(&name));
                let forget = Button::new(RichText::new(icons::X).size(11.0)).frame_when_inactive(false).small();
                if ui.add(forget).accessible_name("Forget the chosen units").on_hover_text("Forget them").clicked() {
                    ctx.send(Command::ChooseUnits(None));
                }
            }
            if let Some(csv) = self.csv.poll() {
                ui.copy_text(csv);
            }
            let copy = Button::new(format!("{} CSV", icons::COPY));
            let copy = ui.add_enabled(shown <= COPIED && !self.csv.is_running(), copy);
            let copy = copy.on_hover_text("Copies the listed rows with the columns shown as comma-separated values");
            let limit = format!("Up to {} rows are copied: narrow the filter first", grouped(COPIED as u64));
            if copy.on_disabled_hover_text(limit).clicked() {
                let (listing, columns) = (Arc::clone(listing), self.columns.indices(&open.units));
                self.csv.start(ui.ctx(), "write CSV", move || listing.csv(&columns));
            }
            if self.coming.is_running() || self.csv.is_running() || stale {
                busy(ui);
            }
        });
    }

    /// The row of a unit, remembered from frame to frame.
    fn row_of(&mut self, slot: usize, listing: &Listing, unit: Option<&Unit>) -> Option<usize> {
        let id = listing.table().id_of(unit?)?;
        match self.rows[slot] {
            Some((of, row)) if of == id => row,
            _ => {
                let row = listing.row_of(id);
                self.rows[slot] = Some((id, row));
                row
            }
        }
    }

    fn table(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, listing: &Arc<Listing>) {
        let selected = self.row_of(0, listing, ctx.selection.unit.as_ref());
        let hovered = self.row_of(1, listing, ctx.hover.unit.as_ref());
        let elsewhere = ctx.selection.unit != self.seen;
        self.seen.clone_from(&ctx.selection.unit);
        let table = Arc::clone(listing.table());
        let shown = self.columns.indices(&table);
        let columns = cells::columns(&table, &shown);
        let sort = shown.iter().position(|column| Some(*column) == self.order.column).map_or(0, |at| at + 1);
        let sorted_by_shown = sort > 0 || self.order.column.is_none();
        let describe =
            |row: usize| listing.ids.get(row).map_or_else(String::new, |id| cells::describe(&table, &shown, *id));
        let view = VirtualTable {
            name: "Units",
            columns: &columns,
            pinned: 1,
            rows: listing.ids.len(),
            selected,
            hovered,
            reveal: selected.filter(|_| elsewhere),
            sort: sorted_by_shown.then_some(Sort { column: sort, descending: self.order.descending }),
            describe: &describe,
        };
        let response = view.show(ui, "units", ui.available_size(), &mut |cell| {
            if let Some(id) = listing.ids.get(cell.row) {
                cells::paint(cell, &table, &shown, *id);
            }
        });
        let unit = |row: usize| table.unit(*listing.ids.get(row)?);
        if let Some(unit) = response.hovered.and_then(unit) {
            ctx.set_hover(Selection::of_unit(&unit));
        }
        if let Some(unit) = response.chosen.and_then(unit) {
            self.seen = Some(unit.clone());
            ctx.select(Selection::of_unit(&unit));
        }
        if let Some(sort) = response.sorted {
            let column = sort.column.checked_sub(1).and_then(|at| shown.get(at).copied());
            self.order = Order { column, descending: sort.descending };
        }
    }
}
