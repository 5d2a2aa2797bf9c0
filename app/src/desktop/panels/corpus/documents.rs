//! The list of documents: filters, search, choice.

use std::sync::Arc;

use egui::{ComboBox, TextEdit, Ui, Vec2};

use crate::desktop::panels::PanelContext;
use crate::desktop::task::Task;
use crate::desktop::theme::busy::busy;
use crate::desktop::widgets::virtual_table::{Column, VirtualTable};
use crate::session::atlas::Reading;
use crate::session::atlas::corpus::Corpus;
use crate::session::command::Command;
use crate::session::text::{grouped, visible};

/// More tokens than this are searched on a thread of their own.
const SEARCHED_AT_ONCE: usize = 20_000;

const COLUMNS: [Column<'static>; 4] = [
    column("Document", "Its name in the corpus", 84.0, false),
    column("Language", "Its language", 70.0, false),
    column("Genre", "Its genre", 58.0, false),
    column("Tokens", "Tokens that the atlas has seen of it", 56.0, true),
];

const fn column(name: &'static str, about: &'static str, width: f32, numeric: bool) -> Column<'static> {
    Column { name, about, width, numeric, sortable: false }
}

#[derive(Clone, PartialEq, Default)]
struct Sought {
    language: Option<String>,
    genre: Option<String>,
    text: String,
}

type Found = (Arc<Corpus>, Sought, Arc<Vec<u32>>);

/// The list's state.
#[derive(Default)]
pub struct DocumentList {
    sought: Sought,
    found: Option<Found>,
    coming: Task<Found>,
    seen: Option<u32>,
}

impl DocumentList {
    /// The filters.
    pub fn filters_ui(&mut self, ui: &mut Ui, corpus: &Corpus) {
        ui.horizontal_wrapped(|ui| {
            let field = TextEdit::singleline(&mut self.sought.text).hint_text("Search the texts").desired_width(150.0);
            ui.add(field).accessible_name("Search the texts");
            label_ui(ui, "language", "All languages", &corpus.languages, &mut self.sought.language);
            label_ui(ui, "genre", "All genres", &corpus.genres, &mut self.sought.genre);
            if let Some((_, _, found)) = &self.found {
                let all = corpus.documents.len();
                let text = if found.len() == all {
                    format!("{} documents", grouped(all as u64))
                } else {
                    format!("{} of {} documents", grouped(found.len() as u64), grouped(all as u64))
                };
                ui.weak(text);
            }
            if self.coming.is_running() {
                busy(ui);
            }
        });
    }

    /// Searches where something changed.
    pub fn update(&mut self, ui: &Ui, corpus: &Arc<Corpus>) {
        if let Some(found) = self.coming.poll() {
            self.found = Some(found);
        }
        let current = |(of, sought, _): &Found| Arc::ptr_eq(of, corpus) && *sought == self.sought;
        if self.coming.is_running() || self.found.as_ref().is_some_and(current) {
            return;
        }
        let (corpus, sought) = (Arc::clone(corpus), self.sought.clone());
        let small = corpus.documents.iter().map(|document| document.tokens).sum::<usize>() <= SEARCHED_AT_ONCE;
        let search = move || {
            let found = corpus.find(sought.language.as_deref(), sought.genre.as_deref(), sought.text.trim());
            (corpus, sought, Arc::new(found))
        };
        if small {
            self.found = Some(search());
        } else {
            self.coming.start(ui.ctx(), "search documents", search);
        }
    }

    /// The list, `size` big.
    pub fn ui(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, corpus: &Corpus, size: Vec2) {
        let Some((_, _, found)) = self.found.clone() else { return };
        let reading = ctx.session.atlas.reading.map(|reading| reading.document);
        let selected = reading.and_then(|document| found.iter().position(|of| *of == document));
        let elsewhere = reading != self.seen;
        self.seen = reading;
        let document = |row: usize| corpus.documents.get(*found.get(row)? as usize);
        let describe = |row: usize| {
            document(row).map_or_else(String::new, |document| format!("document {}", visible(&document.id)))
        };
        let table = VirtualTable {
            name: "Documents",
            columns: &COLUMNS,
            pinned: 0,
            rows: found.len(),
            selected,
            hovered: None,
            reveal: selected.filter(|_| elsewhere),
            sort: None,
            describe: &describe,
        };
        let shown = table.show(ui, "documents", size, &mut |cell| {
            let Some(document) = document(cell.row) else { return };
            match cell.col {
                0 => cell.text(&visible(&document.id)),
                1 => cell.text(&visible(document.language.as_deref().unwrap_or("–"))),
                2 => cell.text(&visible(document.genre.as_deref().unwrap_or("–"))),
                _ => cell.number(&grouped(document.tokens as u64)),
            }
        });
        if let Some(document) = shown.hovered.and_then(document) {
            shown.response.on_hover_text_at_pointer(visible(&document.id));
        }
        if let Some(document) = shown.chosen.and_then(|row| found.get(row).copied()) {
            self.seen = Some(document);
            ctx.send(Command::Read(Reading { document, first: 0 }));
        }
    }
}

fn label_ui(ui: &mut Ui, name: &str, all: &str, labels: &[(String, usize)], chosen: &mut Option<String>) {
    if labels.is_empty() {
        return;
    }
    let text = chosen.as_deref().map_or_else(|| all.to_owned(), visible);
    let combo = ComboBox::from_id_salt(name).selected_text(text).width(104.0).show_ui(ui, |ui| {
        ui.selectable_value(chosen, None, all);
        for (label, documents) in labels {
            let text = format!("{}  ({})", visible(label), grouped(*documents as u64));
            ui.selectable_value(chosen, Some(label.clone()), text);
        }
    });
    combo.response.accessible_name(format!("Filter by {name}"));
}
