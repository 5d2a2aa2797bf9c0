//! The SQL box: a query, its answer, and how it changes what is listed.

use egui::{Button, Key, Modifiers, RichText, TextEdit, Ui};
use golgi_data::atlas::TABLES;
use golgi_data::tables::arrow::{Array, RecordBatch, cast::AsArray, types};

use crate::desktop::panels::PanelContext;
use crate::desktop::theme::busy::busy;
use crate::desktop::theme::icons;
use crate::desktop::widgets::number;
use crate::desktop::widgets::virtual_table::{Column, VirtualTable};
use crate::session::atlas::listing::quoted;
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::text::{grouped, visible};

const EXAMPLES: [(&str, &str); 3] = [
    ("Rare and strong", "SELECT unit FROM units WHERE frac_active < 0.01 AND kurtosis > 50"),
    (
        "Families by layer",
        "SELECT family, layer, COUNT(*) AS units FROM families JOIN units ON families.unit = units.rowid GROUP BY family, layer ORDER BY units DESC",
    ),
    (
        "Counts by layer",
        "SELECT layer, kind, COUNT(*) AS units, AVG(frac_active) AS active FROM units GROUP BY layer, kind ORDER BY layer",
    ),
];

/// The box.
#[derive(Default)]
pub struct QueryBox {
    open: bool,
    text: String,
}

impl QueryBox {
    /// Whether it is shown.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Shows or hides it.
    pub fn toggle(&mut self) {
        self.open = !self.open;
    }

    /// Draws it, where it is open.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui) {
        if !self.open {
            return;
        }
        let hint = "SELECT unit FROM units WHERE kurtosis > 50 ORDER BY max DESC";
        let field = TextEdit::multiline(&mut self.text)
            .code_editor()
            .hint_text(hint)
            .desired_rows(2)
            .desired_width(f32::INFINITY);
        let field = ui.add(field).accessible_name("SQL query");
        let entered = field.has_focus() && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        ui.horizontal_wrapped(|ui| {
            let usable = !self.text.trim().is_empty();
            let run = Button::new(format!("{}  Run", icons::PLAY)).shortcut_text("Ctrl+Enter");
            if ui.add_enabled(usable, run).accessible_name("Run the query").clicked() || entered && usable {
                ctx.send(Command::QueryAtlas(self.text.trim().to_owned()));
            }
            let tables = format!("Tables: {}", TABLES.join(", "));
            ui.weak("Examples:").on_hover_text(tables);
            for (name, query) in EXAMPLES {
                if ui.small_button(name).on_hover_text(query).clicked() {
                    self.text = query.to_owned();
                }
            }
            match &ctx.session.atlas.answer {
                Loadable::Loading { .. } => {
                    busy(ui);
                }
                Loadable::Ready(answer) => {
                    ui.weak(format!("{} rows", grouped(answer.table.num_rows() as u64)));
                }
                _ => {}
            }
        });
        if let Loadable::Failed(notice) = &ctx.session.atlas.answer {
            let causes = std::iter::once(&notice.sentence).chain(&notice.causes).chain(&notice.next_step);
            let text = causes.map(|text| visible(text)).collect::<Vec<_>>().join(" ");
            ui.label(RichText::new(text).color(ctx.palette.error));
        }
    }

    /// Draws an answer that names no units as a table of its own. Returns whether it stands in place of the units.
    pub fn answer_ui(&self, ctx: &PanelContext<'_>, ui: &mut Ui) -> bool {
        let Some(answer) = ctx.session.atlas.answer.get().filter(|answer| self.open && answer.units.is_none()) else {
            return false;
        };
        let table = &answer.table;
        ui.horizontal(|ui| {
            ui.weak("This answer has no column unit, so it is shown by itself.");
            if ui.button(format!("{} CSV", icons::COPY)).on_hover_text("Copies the answer").clicked() {
                ui.copy_text(csv(table));
            }
        });
        let schema = table.schema();
        let fields = schema.fields().iter();
        let names: Vec<(String, bool)> =
            fields.map(|field| (visible(field.name()), field.data_type().is_numeric())).collect();
        let columns: Vec<Column<'_>> = names
            .iter()
            .map(|(name, numeric)| Column { name, about: "", width: 96.0, numeric: *numeric, sortable: false })
            .collect();
        let describe =
            |row: usize| (0..table.num_columns()).map(|col| cell_text(table, row, col)).collect::<Vec<_>>().join(", ");
        let view = VirtualTable {
            name: "Answer",
            columns: &columns,
            pinned: 0,
            rows: table.num_rows(),
            selected: None,
            hovered: None,
            reveal: None,
            sort: None,
            describe: &describe,
        };
        view.show(ui, "answer", ui.available_size(), &mut |cell| {
            let text = visible(&cell_text(table, cell.row, cell.col));
            if names[cell.col].1 { cell.number(&text) } else { cell.text(&text) }
        });
        true
    }
}

/// A cell of an answer.
fn cell_text(table: &RecordBatch, row: usize, col: usize) -> String {
    let array = table.column(col);
    if row >= array.len() || array.is_null(row) {
        return "–".to_owned();
    }
    macro_rules! integer {
        ($($kind:ty),*) => { $(if let Some(array) = array.as_primitive_opt::<$kind>() { return array.value(row).to_string(); })* };
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        return texts.value(row).to_owned();
    }
    if let Some(numbers) = array.as_primitive_opt::<types::Float32Type>() {
        return number::short(numbers.value(row));
    }
    if let Some(numbers) = array.as_primitive_opt::<types::Float64Type>() {
        return number::short(numbers.value(row) as f32);
    }
    if let Some(truths) = array.as_boolean_opt() {
        return truths.value(row).to_string();
    }
    integer!(types::Int64Type, types::Int32Type, types::UInt32Type, types::UInt64Type);
    integer!(types::Int16Type, types::Int8Type, types::UInt16Type, types::UInt8Type);
    String::new()
}

fn csv(table: &RecordBatch) -> String {
    let names: Vec<String> = table.schema().fields().iter().map(|field| quoted(field.name())).collect();
    let mut out = names.join(",") + "\n";
    for row in 0..table.num_rows() {
        let cells: Vec<String> = (0..table.num_columns()).map(|col| quoted(&cell_text(table, row, col))).collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}
