//! The documents of the open atlas, with the selected unit's activation painted over them.

mod documents;
mod reader;

use std::sync::Arc;

use egui::Ui;

use self::documents::DocumentList;
use self::reader::ReaderView;
use super::atlas::empty_ui;
use super::{Panel, PanelContext};
use crate::desktop::theme::icons;
use crate::desktop::widgets::placeholder::{self, Shown};
use crate::session::atlas::corpus::Corpus;
use crate::session::command::Command;
use crate::session::results::ResultKind;

/// From this width on, the list stands beside the text.
const BESIDE: f32 = 520.0;

/// The panel.
#[derive(Default)]
pub struct CorpusPanel {
    list: DocumentList,
    reader: ReaderView,
}

impl Panel for CorpusPanel {
    fn id(&self) -> &'static str {
        "corpus"
    }

    fn title(&self) -> &'static str {
        "Corpus"
    }

    fn icon(&self) -> &'static str {
        icons::BOOK_OPEN_TEXT
    }

    fn help(&self) -> &'static str {
        "The documents that the atlas was made of. Filter them by language and genre, search in them, and read them with the selected unit's activation painted over the text: \
         over all of it while the atlas's model is open, else over the stored examples. The arrows go from peak to peak, the strongest first. Click a token to select its place."
    }

    fn needs(&self) -> &'static [ResultKind] {
        &[ResultKind::Corpus, ResultKind::AtlasPage, ResultKind::Painted]
    }

    fn ui(&mut self, ctx: &mut PanelContext<'_>, ui: &mut Ui) {
        let state = &ctx.session.atlas;
        if state.get().is_none() {
            if let Shown::Nothing(true) =
                placeholder::shown_or(ui, &state.open, "Reading the atlas", |ui| empty_ui(ctx, ui))
                && let Some(folder) = state.folder.clone()
            {
                ctx.send(Command::OpenAtlas(folder));
            }
            return;
        }
        let empty = |ui: &mut Ui| placeholder::empty(ui, "The documents are about to be read", "It takes a moment.");
        match placeholder::shown_or(ui, &state.corpus, "Reading the documents", empty) {
            Shown::Value { value, .. } if value.documents.is_empty() => {
                placeholder::empty(
                    ui,
                    "The atlas has no documents yet",
                    "They appear as soon as the first part of it is written.",
                );
            }
            Shown::Value { value, .. } => self.loaded(ctx, ui, value),
            Shown::Nothing(again) => {
                if again {
                    ctx.send(Command::Retry(ResultKind::Corpus));
                }
            }
        }
    }
}

impl CorpusPanel {
    fn loaded(&mut self, ctx: &PanelContext<'_>, ui: &mut Ui, corpus: &Arc<Corpus>) {
        self.list.filters_ui(ui, corpus);
        self.list.update(ui, corpus);
        let room = ui.available_size();
        if room.x < BESIDE {
            let height = (room.y * 0.3).clamp(80.0, 180.0);
            self.list.ui(ctx, ui, corpus, egui::vec2(room.x, height));
            ui.separator();
            self.reader.ui(ctx, ui, corpus);
            return;
        }
        let width = (room.x * 0.36).clamp(200.0, 340.0);
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(width);
                self.list.ui(ctx, ui, corpus, egui::vec2(width, room.y));
            });
            ui.vertical(|ui| self.reader.ui(ctx, ui, corpus));
        });
    }
}
