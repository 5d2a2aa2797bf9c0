//! The texts an atlas was made of: contexts, joined to the documents that they were cut from.

use golgi_data::atlas::{Atlas, AtlasError, Page};
use golgi_data::tables::arrow::{Array, RecordBatch, cast::AsArray, types};
use golgi_data::tables::{TextColumn, u32s};
use golgi_data::unit::Unit;

use super::Reading;

/// At most so many contexts of a document are shown and run at once.
pub const CONTEXTS_AT_ONCE: usize = 16;

/// A document, or rather the parts of it that the atlas has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEntry {
    /// What it is called in its corpus.
    pub id: String,
    /// Its language.
    pub language: Option<String>,
    /// Its genre.
    pub genre: Option<String>,
    /// Its contexts, in the order of the text: rows of `contexts.parquet`.
    pub contexts: Vec<u32>,
    /// How many tokens they have.
    pub tokens: usize,
}

/// The documents of an atlas.
#[derive(Debug)]
pub struct Corpus {
    table: RecordBatch,
    /// The documents, in the order in which the atlas has seen them.
    pub documents: Vec<DocumentEntry>,
    /// The document of each context.
    document_of: Vec<u32>,
    /// Languages that occur, with the number of documents.
    pub languages: Vec<(String, usize)>,
    /// Genres that occur, with the number of documents.
    pub genres: Vec<(String, usize)>,
}

impl Corpus {
    /// Reads the contexts of an atlas. It takes a moment.
    ///
    /// # Errors
    /// If the table is missing, damaged or lacks a column.
    pub fn read(atlas: &Atlas) -> Result<Corpus, AtlasError> {
        Corpus::new(atlas.table("contexts")?)
    }

    /// Takes in the table of contexts.
    ///
    /// # Errors
    /// If it lacks a column.
    pub fn new(table: RecordBatch) -> Result<Corpus, AtlasError> {
        let (document, start) = (u32s(&table, "document")?, u32s(&table, "start")?);
        let id = TextColumn::of(&table, "document_id")?;
        let (language, genre) = (TextColumn::of(&table, "language")?, TextColumn::of(&table, "genre")?);
        let mut place_of = std::collections::HashMap::new();
        let mut documents: Vec<DocumentEntry> = Vec::new();
        let mut document_of = Vec::with_capacity(table.num_rows());
        for row in 0..table.num_rows() {
            let place = *place_of.entry(document.value(row)).or_insert_with(|| {
                documents.push(DocumentEntry {
                    id: id.get(row).unwrap_or_default().to_owned(),
                    language: language.get(row).map(str::to_owned),
                    genre: genre.get(row).map(str::to_owned),
                    contexts: Vec::new(),
                    tokens: 0,
                });
                documents.len() - 1
            });
            documents[place].contexts.push(row as u32);
            documents[place].tokens += list_len(&table, "tokens", row);
            document_of.push(place as u32);
        }
        for document in &mut documents {
            document.contexts.sort_by_key(|row| start.value(*row as usize));
        }
        let languages = counted(documents.iter().filter_map(|document| document.language.as_deref()));
        let genres = counted(documents.iter().filter_map(|document| document.genre.as_deref()));
        Ok(Corpus { table, documents, document_of, languages, genres })
    }

    /// How many contexts there are.
    pub fn contexts(&self) -> usize {
        self.table.num_rows()
    }

    /// The document that a context was cut from: an index into [`documents`](Self::documents).
    pub fn document_of(&self, context: u32) -> Option<u32> {
        self.document_of.get(context as usize).copied()
    }

    /// Which part of which document holds a context.
    pub fn reading_at(&self, context: u32) -> Option<Reading> {
        let document = self.document_of(context)?;
        let at = self.documents.get(document as usize)?.contexts.iter().position(|row| *row == context)?;
        Some(Reading { document, first: at - at % CONTEXTS_AT_ONCE })
    }

    /// The contexts of a part of a document.
    pub fn part(&self, reading: Reading) -> &[u32] {
        let contexts = self.documents.get(reading.document as usize).map_or(&[][..], |document| &document.contexts);
        let first = reading.first.min(contexts.len());
        &contexts[first..(first + CONTEXTS_AT_ONCE).min(contexts.len())]
    }

    /// The token ids of a context.
    pub fn tokens(&self, context: u32) -> Vec<u32> {
        let lists = self.table.column_by_name("tokens").and_then(|column| column.as_list_opt::<i32>());
        let row = context as usize;
        let Some(lists) = lists.filter(|lists| row < lists.len() && lists.is_valid(row)) else { return Vec::new() };
        lists.value(row).as_primitive_opt::<types::UInt32Type>().map_or_else(Vec::new, |ids| ids.values().to_vec())
    }

    /// The texts of a context's tokens.
    pub fn pieces(&self, context: u32) -> Vec<String> {
        let lists = self.table.column_by_name("pieces").and_then(|column| column.as_list_opt::<i32>());
        let row = context as usize;
        let Some(lists) = lists.filter(|lists| row < lists.len() && lists.is_valid(row)) else { return Vec::new() };
        let texts = lists.value(row);
        let Some(texts) = texts.as_string_opt::<i32>() else { return Vec::new() };
        texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect()
    }

    /// The text of a document, as far as the atlas has seen it.
    pub fn text(&self, document: u32) -> String {
        let contexts = self.documents.get(document as usize).map_or(&[][..], |document| &document.contexts);
        contexts.iter().flat_map(|context| self.pieces(*context)).collect()
    }

    /// The documents that have this language, this genre, and this text in them, capital or small.
    pub fn find(&self, language: Option<&str>, genre: Option<&str>, text: &str) -> Vec<u32> {
        use rayon::prelude::*;
        let wanted = text.to_lowercase();
        let fits =
            |of: &Option<String>, wanted: Option<&str>| wanted.is_none_or(|wanted| of.as_deref() == Some(wanted));
        (0..self.documents.len() as u32)
            .into_par_iter()
            .filter(|index| {
                let document = &self.documents[*index as usize];
                fits(&document.language, language)
                    && fits(&document.genre, genre)
                    && (wanted.is_empty()
                        || document.id.to_lowercase().contains(&wanted)
                        || self.text(*index).to_lowercase().contains(&wanted))
            })
            .collect()
    }
}

fn list_len(table: &RecordBatch, name: &str, row: usize) -> usize {
    let lists = table.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
    lists.filter(|lists| lists.is_valid(row)).map_or(0, |lists| lists.value_length(row) as usize)
}

fn counted<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    labels.for_each(|label| *counts.entry(label.to_owned()).or_insert(0) += 1);
    counts.into_iter().collect()
}

/// A unit's activation over some contexts.
#[derive(Debug, Clone, PartialEq)]
pub struct Painted {
    /// The unit.
    pub unit: Unit,
    /// For each context one number per token.
    pub contexts: Vec<(u32, Vec<f32>)>,
}

impl Painted {
    /// The activations over a context.
    pub fn values(&self, context: u32) -> Option<&[f32]> {
        self.contexts.iter().find(|(of, _)| *of == context).map(|(_, values)| values.as_slice())
    }
}

/// What the stored examples of a unit tell about the activation over a context of `len` tokens.
pub fn stored_values(page: &Page, context: u32, len: usize) -> Vec<Option<f32>> {
    let mut values = vec![None; len];
    for example in page.examples.iter().filter(|example| example.context == context) {
        let first = usize::from(example.position).saturating_sub(example.peak);
        for (slot, value) in values.iter_mut().skip(first).zip(&example.values) {
            *slot = Some(*value);
        }
    }
    values
}

/// A place where a unit is active.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// The context.
    pub context: u32,
    /// The position in it.
    pub position: u16,
    /// The activation.
    pub value: f32,
}

/// The stored peaks of a unit, the strongest first, each place once.
pub fn peaks(page: &Page) -> Vec<Peak> {
    let peak = |example: &golgi_data::atlas::Example| Peak {
        context: example.context,
        position: example.position,
        value: example.value,
    };
    let mut peaks: Vec<Peak> = page.examples.iter().map(peak).collect();
    peaks.sort_by_key(|peak| (peak.context, peak.position));
    peaks.dedup_by_key(|peak| (peak.context, peak.position));
    peaks.sort_by(|a, b| b.value.total_cmp(&a.value));
    peaks
}

#[cfg(test)]
mod tests {
    use golgi_data::tables::Columns;

    use super::*;

    fn corpus() -> Corpus {
        let pieces = |words: &str| words.split_inclusive(' ').map(str::to_owned).collect::<Vec<_>>();
        let table = Columns::new()
            .u32("context", vec![0, 1, 2])
            .u32("document", vec![7, 3, 7])
            .text("document_id", vec!["b.txt", "a.txt", "b.txt"])
            .u32("start", vec![128, 0, 0])
            .text("language", vec![Some("en"), None, Some("en")])
            .text("genre", vec!["prose", "code", "prose"])
            .u32_lists("tokens", &[vec![1, 2], vec![3], vec![4, 5, 6]])
            .text_lists("pieces", &[pieces("the end"), pieces("fn"), pieces("Once upon a ")])
            .build()
            .unwrap();
        Corpus::new(table).unwrap()
    }

    #[test]
    fn contexts_become_documents_again() {
        let corpus = corpus();
        assert_eq!(corpus.documents[0].contexts, [2, 0]);
        assert_eq!((corpus.documents[0].tokens, corpus.document_of(1)), (5, Some(1)));
        assert_eq!(corpus.text(0), "Once upon a the end");
        let reading = corpus.reading_at(0).unwrap();
        assert_eq!((reading, corpus.part(reading)), (Reading { document: 0, first: 0 }, &[2u32, 0][..]));
        assert_eq!(corpus.reading_at(77), None);
        assert_eq!((corpus.tokens(2), corpus.tokens(9)), (vec![4, 5, 6], vec![]));
        assert_eq!(corpus.languages, [("en".to_owned(), 1)]);
    }

    #[test]
    fn documents_are_found() {
        let corpus = corpus();
        assert_eq!(corpus.find(None, None, ""), [0, 1]);
        assert_eq!(corpus.find(Some("en"), None, ""), [0]);
        assert_eq!(corpus.find(None, Some("code"), "ONCE"), [0u32; 0]);
        assert_eq!(corpus.find(None, None, "UPON"), [0]);
        assert_eq!(corpus.find(None, None, "a.txt"), [1]);
    }
}
