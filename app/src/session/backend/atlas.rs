//! Reading the open atlas: units, pages, documents, answers to queries.

use std::path::PathBuf;
use std::sync::Arc;

use golgi_data::atlas::{Atlas, AtlasError, Page};
use golgi_data::context::RunContext;
use golgi_data::tables::arrow::RecordBatch;
use golgi_data::tables::{TextColumn, i64s};
use golgi_data::unit::Unit;

use super::reader::{Lane, Reader};
use super::{Backend, Failure};
use crate::session::Session;
use crate::session::atlas::columns::UnitTable;
use crate::session::atlas::corpus::Corpus;
use crate::session::atlas::filter::UnitSet;
use crate::session::atlas::{Answer, OpenAtlas};
use crate::session::command::Command;
use crate::session::loadable::Loadable;
use crate::session::notice::{Notice, Severity};
use crate::session::results::ResultKind;
use crate::session::text::{count_text, shortened, visible};

/// What is read of the open atlas, and its generation: it grows with each opening and each reading anew.
pub(super) struct Desk {
    reader: Reader,
    generation: u64,
    query: Option<(u64, String)>,
    queries: u64,
    open: Lane<(u64, PathBuf), OpenAtlas>,
    page: Lane<(u64, u32), Page>,
    corpus: Lane<u64, Corpus>,
    answer: Lane<(u64, u64, String), Answer>,
}

impl Desk {
    pub fn start(wake: Arc<dyn Fn() + Send + Sync>) -> Desk {
        Desk {
            reader: Reader::start(wake),
            generation: 0,
            query: None,
            queries: 0,
            open: Lane::default(),
            page: Lane::default(),
            corpus: Lane::default(),
            answer: Lane::default(),
        }
    }

    /// Another atlas is open, or the same one has grown.
    pub fn turn_over(&mut self) {
        self.generation += 1;
        self.query = None;
    }

    /// Asks a query.
    pub fn ask(&mut self, query: String) {
        self.queries += 1;
        self.query = Some((self.queries, query));
    }

    pub fn forget(&mut self, kind: ResultKind) {
        match kind {
            ResultKind::AtlasPage => self.page.forget(),
            ResultKind::Corpus => self.corpus.forget(),
            _ => {}
        }
    }
}

/// An error of an atlas as a failure.
fn failed(doing: &'static str, ctx: &RunContext) -> impl Fn(AtlasError) -> Failure {
    let ctx = ctx.clone();
    move |error| Failure::of(doing, &error, &ctx)
}

impl Backend {
    pub(super) fn update_atlas(&mut self, session: &mut Session) {
        let desk = &mut self.desk;
        let Some(folder) = session.atlas.folder.clone() else {
            desk.open.abandon(&mut session.jobs);
            desk.page.abandon(&mut session.jobs);
            desk.corpus.abandon(&mut session.jobs);
            desk.answer.abandon(&mut session.jobs);
            return;
        };
        let generation = desk.generation;
        let around = (&desk.reader, &mut session.jobs);
        let opening = ("Open atlas", Command::OpenAtlas(folder.clone()));
        let state = &mut session.atlas;
        let arrived =
            desk.open.turn(&mut state.open, Some((generation, folder)), opening, around, |(_, folder), ctx| {
                let read = Atlas::open(&folder).and_then(OpenAtlas::read);
                read.map_err(failed("The atlas could not be opened.", ctx))
            });
        if arrived {
            self.opened(session);
        }
        let (desk, state) = (&mut self.desk, &mut session.atlas);
        let Some(open) = state.open.get().cloned() else { return };
        let wants = |kind| session.wanted.contains(&kind);

        let id = session.selection.unit.as_ref().and_then(|unit| open.units.id_of(unit));
        if id.is_none() {
            state.page = Loadable::Empty;
        }
        let page = id.filter(|_| wants(ResultKind::AtlasPage)).map(|id| (generation, id));
        let titled = |kind: ResultKind| (kind.title(), Command::Retry(kind));
        let atlas = Arc::clone(&open.atlas);
        let around = (&desk.reader, &mut session.jobs);
        desk.page.turn(&mut state.page, page, titled(ResultKind::AtlasPage), around, move |(_, id), ctx| {
            atlas.page(id).map_err(failed("The unit's page could not be read.", ctx))
        });
        let atlas = Arc::clone(&open.atlas);
        let around = (&desk.reader, &mut session.jobs);
        let corpus = wants(ResultKind::Corpus).then_some(generation);
        desk.corpus.turn(&mut state.corpus, corpus, titled(ResultKind::Corpus), around, move |_, ctx| {
            Corpus::read(&atlas).map_err(failed("The documents could not be read.", ctx))
        });
        let query = desk.query.clone().map(|(number, query)| (generation, number, query));
        let retry = Command::QueryAtlas(query.as_ref().map_or_else(String::new, |(_, _, query)| query.clone()));
        let around = (&desk.reader, &mut session.jobs);
        let answered =
            desk.answer.turn(&mut state.answer, query, ("Query", retry), around, move |(_, _, query), ctx| {
                let table = open.atlas.sql(&query).map_err(failed("The query was not answered.", ctx))?;
                let units = units_of(&table, &open.units, &query);
                Ok(Answer { query, table, units })
            });
        if let (true, Some(units)) = (answered, state.answer.get().and_then(|answer| answer.units.clone())) {
            state.set = Some(units);
        }
    }

    /// An atlas was opened, or could not be.
    fn opened(&mut self, session: &mut Session) {
        match &session.atlas.open {
            Loadable::Ready(open) => {
                let manifest = open.manifest();
                let about =
                    format!("{} units, {} tokens", count_text(open.units.len() as u64), count_text(manifest.tokens));
                let name = format!("Atlas of {}", shortened(&visible(&manifest.model), 60));
                let folder = open.atlas.folder();
                // A relative path means another folder tomorrow.
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
                session.recent.add(&folder.to_string_lossy(), &name, about);
                session.store_recent();
            }
            Loadable::Failed(notice) if notice.severity == Severity::Error => {
                let notice: Notice = notice.clone();
                session.notify(notice);
            }
            _ => {}
        }
    }
}

/// The units that an answer names in its column `unit`, by address or by id.
fn units_of(answer: &RecordBatch, units: &UnitTable, query: &str) -> Option<Arc<UnitSet>> {
    let ids: Vec<u32> = if let Ok(names) = TextColumn::of(answer, "unit") {
        let id = |row| units.id_of(&names.get(row)?.parse::<Unit>().ok()?);
        (0..answer.num_rows()).filter_map(id).collect()
    } else {
        // Other tables name units by their ids, which the engine returns in its own width.
        let ids = i64s(answer, "unit").ok()?;
        ids.iter().flatten().filter_map(|id| u32::try_from(id).ok()).filter(|id| (*id as usize) < units.len()).collect()
    };
    Some(Arc::new(UnitSet::new(format!("answer to {}", shortened(&visible(query), 60)), ids)))
}
