//! All neurons of all layers at the selected token.

mod rows;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use egui::{DragValue, TextEdit, Ui};
use golgi_analysis::units::table::NeuronTable;
use golgi_data::unit::Unit;

use self::rows::{Filter, Rows, count};
use super::{About, Panel, PanelContext};
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::number;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::desktop::widgets::virtual_table::{Cell, Column, Sort, VirtualTable};
use crate::report::count as count_text;
use crate::session::command::Command;
use crate::session::results::ResultKind;
use crate::session::selection::Selection;
use crate::session::text;

/// More neurons than this are sorted on a thread of their own, so that no frame waits.
const SORTED_AT_ONCE: usize = 20_000;
/// At most this many rows are copied as text.
const COPIED: usize = 200_000;

const COLUMNS: [Column<'static>; 7] = [
    column("Layer", "The neuron's layer", 46.0),
    column("Neuron", "Its index within the layer", 58.0),
    column("Activation", "mlp.hook_post at the selected token", 116.0),
    column(
        "Attribution",
        "Activation × (write direction · unembedding of the target, behind the frozen final norm): its direct part of the target's logit",
        124.0,
    ),
    column("|Attribution|", "The attribution's size", 96.0),
    column("Read norm", "Length of the read vector (of the gate, in a gated MLP)", 74.0),
    column("Write norm", "Length of the write vector", 74.0),
];

const fn column(name: &'static str, about: &'static str, width: f32) -> Column<'static> {
    Column { name, about, width, numeric: true, sortable: true }
}

/// The panel.
pub struct NeuronsPanel {
    filter: Filter,
    sort: Sort,
    rows: Option<Arc<Rows>>,
    /// Rows that are being sorted.
    coming: Option<Receiver<Rows>>,
    /// The largest |activation| and |attribution|, of this table.
    most: Option<(Arc<NeuronTable>, f32, f32)>,
    /// The unit that was selected when the table was last drawn.
    seen: Option<Unit>,
}

impl Default for NeuronsPanel {
    fn default() -> NeuronsPanel {
        let sort = Sort { column: 4, descending: true };
        NeuronsPanel { filter: Filter::default(), sort, rows: None, coming: None, most: None, seen: None }
    }
}

impl Panel for NeuronsPanel {
    fn id(&self) -> &'static str {
        "neurons"
    }

    fn title(&self) -> &'static str {
        "Neurons"
    }

    fn icon(&self) -> &'static str {
        icons::CIRCLES_THREE
    }

    fn help(&self) -> &'static str {
        "Every MLP neuron of every layer at the selected token: how active it is, and how much it adds directly to the logit of the model's first choice there. \
         Click a heading to sort, a row to open the neuron's page. The filter takes L5N123, L5 or N123. Arrow keys, Page Up, Page Down, Home and End move the selection."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::NeuronTable]
    }

    fn about(&self) -> About {
        About::Text
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let step = placeholder::next_step(ctx.document(), "all neurons at the selected token are listed here.");
        match placeholder::shown(ui, &ctx.results().neurons, "the neuron table", "No neurons listed yet", &step) {
            Shown::Value { value, .. } if count(value) == 0 => {
                placeholder::empty(ui, "No neurons", "This model has no MLP whose neurons could be listed.");
            }
            Shown::Value { value, stale } => self.loaded(ctx, ui, value, stale),
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::NeuronTable));
                }
            }
        }
    }
}

impl NeuronsPanel {
    fn loaded(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, table: &Arc<NeuronTable>, stale: bool) {
        self.filters(ui, table, stale);
        self.update(ui, table);
        let Some(rows) = self.rows.clone() else {
            ui.horizontal(|ui| {
                busy(ui);
                ui.weak("Sorting…");
            });
            return;
        };
        self.summary(ctx, ui, &rows);
        if rows.order.is_empty() {
            placeholder::empty(
                ui,
                "No neuron passes the filter",
                "Clear the text, lower the least activation or widen the layers.",
            );
            return;
        }
        if stale {
            ui.multiply_opacity(0.6);
        }
        self.table(ctx, ui, &rows);
    }

    /// Filters and sorts where something changed: at once, or on a thread where that takes longer than a frame.
    fn update(&mut self, ui: &Ui, table: &Arc<NeuronTable>) {
        if self.most.as_ref().is_none_or(|(of, ..)| !Arc::ptr_eq(of, table)) {
            let most = |values: &[f32]| values.iter().map(|v| v.abs()).filter(|v| v.is_finite()).fold(0.0, f32::max);
            self.most = Some((Arc::clone(table), most(&table.activation), most(&table.attribution)));
        }
        if let Some(coming) = &self.coming {
            match coming.try_recv() {
                Ok(rows) => (self.rows, self.coming) = (Some(Arc::new(rows)), None),
                Err(TryRecvError::Disconnected) => self.coming = None,
                Err(TryRecvError::Empty) => {}
            }
        }
        if self.coming.is_some() || self.rows.as_ref().is_some_and(|rows| rows.is_of(table, &self.filter, self.sort)) {
            return;
        }
        if count(table) <= SORTED_AT_ONCE {
            self.rows = Some(Arc::new(Rows::new(table, &self.filter, self.sort)));
            return;
        }
        let (sender, receiver) = channel();
        let (table, filter, sort, ctx) = (Arc::clone(table), self.filter.clone(), self.sort, ui.ctx().clone());
        std::thread::spawn(move || {
            // The panel may be gone by then; nobody minds.
            let _ = sender.send(Rows::new(&table, &filter, sort));
            ctx.request_repaint();
        });
        self.coming = Some(receiver);
    }

    fn filters(&mut self, ui: &mut Ui, table: &NeuronTable, stale: bool) {
        ui.horizontal_wrapped(|ui| {
            let edit = TextEdit::singleline(&mut self.filter.text).hint_text("L5N123, L5 or N123").desired_width(160.0);
            let response = ui.add(edit).accessible_name("Filter by address");
            if !self.filter.is_understood() {
                response.on_hover_text("Write L5N123 for one neuron, L5 for a layer, N123 for an index");
                ui.colored_label(ui.visuals().warn_fg_color, "not an address: write L5N123, L5 or N123");
            }
            let last = table.n_layers.saturating_sub(1) as u32;
            let (mut from, mut to) = self.filter.layers.unwrap_or((0, last));
            (from, to) = (from.min(last), to.min(last));
            let label = ui.label("Layers");
            ui.add(DragValue::new(&mut from).range(0..=to)).labelled_by(label.id);
            ui.label("to");
            ui.add(DragValue::new(&mut to).range(from..=last)).accessible_name("Last layer");
            self.filter.layers = if (from, to) == (0, last) { None } else { Some((from, to)) };
            let label = ui.label("|activation| ≥").on_hover_text("Hides neurons that are less active");
            ui.add(DragValue::new(&mut self.filter.least).range(0.0..=f32::MAX).speed(0.02).max_decimals(3))
                .labelled_by(label.id);
            if self.filter != Filter::default() && ui.button("Clear").on_hover_text("Shows all neurons again").clicked()
            {
                self.filter = Filter::default();
            }
            if stale || self.coming.is_some() {
                busy(ui);
                ui.weak(if stale { "The newer table is being computed." } else { "Sorting…" });
            }
        });
    }

    fn summary(&self, ctx: &PanelContext<'_>, ui: &mut Ui, rows: &Rows) {
        let table = rows.table();
        ui.horizontal_wrapped(|ui| {
            let (shown, all) = (rows.order.len(), count(table));
            let shown_text = count_text(shown as u64);
            let counted = if shown == all {
                format!("{shown_text} neurons")
            } else {
                format!("{shown_text} of {} neurons", count_text(all as u64))
            };
            ui.strong(counted);
            let token =
                ctx.document().tokens().get(table.position).map(|token| text::shortened(&text::token_label(token), 20));
            let at = token.map_or_else(String::new, |token| format!(" {token}"));
            let target = text::shortened(&text::token_label(&table.target_text), 20);
            ui.weak(format!("at token {}{at}, attribution to {target}", table.position));
            let selected = ctx.selection.unit.as_ref().filter(|unit| rows.row_of(unit).is_some());
            if let Some(unit) = selected
                && ui
                    .button(format!("{} {}", icons::COPY, unit.short()))
                    .on_hover_text("Copies the selected neuron's address")
                    .clicked()
            {
                ui.copy_text(unit.to_string());
            }
            let copy = ui.add_enabled(shown <= COPIED, egui::Button::new(format!("{} CSV", icons::COPY)));
            let copy = copy.on_hover_text("Copies the listed rows as comma-separated values");
            let copy = copy.on_disabled_hover_text(format!(
                "Up to {} rows are copied: narrow the filter first",
                count_text(COPIED as u64)
            ));
            if copy.clicked() {
                ui.copy_text(rows.csv());
            }
        });
    }

    fn table(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, rows: &Rows) {
        let selected = ctx.selection.unit.as_ref().and_then(|unit| rows.row_of(unit));
        let elsewhere = ctx.selection.unit != self.seen;
        self.seen.clone_from(&ctx.selection.unit);
        let (activation, attribution) =
            self.most.as_ref().map_or((1.0, 1.0), |(_, activation, attribution)| (*activation, *attribution));
        let data = rows.table();
        let describe = |row: usize| {
            let i = rows.order.get(row).map_or(0, |neuron| *neuron as usize);
            let unit = rows.unit(row).map_or_else(String::new, |unit| unit.short());
            format!(
                "{unit} activation {}, attribution {}",
                number::short(data.activation[i]),
                number::signed(data.attribution[i])
            )
        };
        let table = VirtualTable {
            name: "Neurons",
            columns: &COLUMNS,
            pinned: 0,
            rows: rows.order.len(),
            selected,
            hovered: ctx.hover.unit.as_ref().and_then(|unit| rows.row_of(unit)),
            reveal: selected.filter(|_| elsewhere),
            sort: Some(self.sort),
            describe: &describe,
        };
        let shown =
            table.show(ui, "neurons", ui.available_size(), &mut |cell| paint(cell, rows, activation, attribution));
        if let Some(unit) = shown.hovered.and_then(|row| rows.unit(row)) {
            ctx.set_hover(Selection::of_unit(&unit));
        }
        if let Some(unit) = shown.chosen.and_then(|row| rows.unit(row)) {
            self.seen = Some(unit.clone());
            ctx.select(Selection::of_unit(&unit));
        }
        if let Some(sort) = shown.sorted {
            self.sort = sort;
        }
    }
}

fn paint(cell: &Cell<'_>, rows: &Rows, activation: f32, attribution: f32) {
    let Some(neuron) = rows.order.get(cell.row).map(|neuron| *neuron as usize) else { return };
    let data = rows.table();
    let share = |value: f32, most: f32| if most > 0.0 { value / most } else { 0.0 };
    match cell.col {
        0 => cell.number(&(neuron / data.d_mlp.max(1)).to_string()),
        1 => cell.number(&(neuron % data.d_mlp.max(1)).to_string()),
        2 => cell.bar(share(data.activation[neuron], activation), true, &number::short(data.activation[neuron])),
        3 => cell.bar(share(data.attribution[neuron], attribution), true, &number::signed(data.attribution[neuron])),
        4 => cell.number(&number::short(data.attribution[neuron].abs())),
        5 => cell.number(&number::short(data.read_norm[neuron])),
        _ => cell.number(&number::short(data.write_norm[neuron])),
    }
}
