//! Corpora of every format, read and packed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::context::RunContext;
use crate::tokenizer::Tokenizer;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn read_with(path: &Path, options: &CorpusOptions) -> Result<Vec<Document>, CorpusError> {
    Corpus::open(path.to_str().unwrap(), options)?.documents().collect()
}

fn read(path: &Path) -> Result<Vec<Document>, CorpusError> {
    read_with(path, &CorpusOptions::default())
}

fn parquet(path: &Path, columns: &[(&str, Vec<Option<&str>>)]) {
    parquet_with(path, columns, Compression::UNCOMPRESSED);
}

fn parquet_with(path: &Path, columns: &[(&str, Vec<Option<&str>>)], compression: Compression) {
    let arrays = columns.iter().map(|(name, values)| (*name, Arc::new(StringArray::from(values.clone())) as ArrayRef));
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_folder_is_read_in_order_without_hidden_and_binary_files() {
    let files: [(&str, &[u8]); 6] = [
        ("b.txt", b"second"),
        ("a/z.md", b"first"),
        (".git/config", b"hidden"),
        (".hidden", b"hidden"),
        ("c.png", b"\x89PNG\0\0"),
        ("d.txt", b" \n "),
    ];
    let folder = folder(&files);
    let documents = read(folder.path()).unwrap();
    let seen: Vec<_> = documents.iter().map(|d| (d.id.as_str(), d.text.as_str())).collect();
    assert_eq!(seen, [("a/z.md", "first"), ("b.txt", "second")]);
}

#[test]
fn every_format_gives_the_same_documents() {
    let jsonl = "{\"text\": \"eins\", \"lang\": \"de\", \"genre\": \"x\", \"id\": \"1\"}\n\n{\"text\": \"two, \\\"2\\\"\", \"id\": 2}\n";
    let csv = "genre,lang,text,id\nx,de,eins,1\n,,\"two, \"\"2\"\"\",2\n";
    let folder = folder(&[("c.jsonl", jsonl.as_bytes()), ("c.csv", csv.as_bytes())]);
    let path = folder.path().join("c.parquet");
    let (text, id) = (vec![Some("eins"), Some("two, \"2\"")], vec![Some("1"), Some("2")]);
    parquet(
        &path,
        &[("id", id), ("text", text), ("language", vec![Some("de"), None]), ("genre", vec![Some("x"), None])],
    );
    let expected = read(&folder.path().join("c.jsonl")).unwrap();
    assert_eq!(expected[0].language.as_deref(), Some("de"));
    assert_eq!(expected[1], Document { id: "2".into(), text: "two, \"2\"".into(), language: None, genre: None });
    assert_eq!(read(&folder.path().join("c.csv")).unwrap(), expected);
    assert_eq!(read(&path).unwrap(), expected);
}

#[test]
fn parquet_is_read_with_the_usual_compressions() {
    let folder = folder(&[]);
    let text: Vec<String> = (0..3000).map(|i| format!("Satz {} über Neuronen, der sich wiederholt.", i % 50)).collect();
    let column: Vec<Option<&str>> = text.iter().map(|text| Some(text.as_str())).collect();
    let mut sizes = Vec::new();
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
        let path = folder.path().join(format!("{}.parquet", sizes.len()));
        parquet_with(&path, &[("text", column.clone())], compression);
        let documents = read(&path).unwrap();
        assert!(documents.iter().map(|document| &document.text).eq(&text), "{compression}");
        sizes.push(fs::metadata(&path).unwrap().len());
    }
    assert!(sizes[1] < sizes[0] && sizes[2] < sizes[0], "nothing was compressed: {sizes:?}");
}

#[test]
fn labels_can_be_given_for_documents_without() {
    let folder = folder(&[("a.jsonl", b"{\"text\": \"a\", \"lang\": \"fr\"}\n{\"text\": \"b\"}")]);
    let options = CorpusOptions { language: Some("en".into()), ..CorpusOptions::default() };
    let documents = read_with(folder.path(), &options).unwrap();
    let languages: Vec<_> = documents.iter().map(|d| d.language.as_deref()).collect();
    assert_eq!(languages, [Some("fr"), Some("en")]);
}

#[test]
fn a_long_text_is_cut_between_paragraphs_and_nothing_is_lost() {
    let text: String = (0..4000).map(|i| format!("Paragraph {i} über Neuronen.\n\n")).collect();
    let folder = folder(&[("long.txt", text.as_bytes())]);
    let documents = read(folder.path()).unwrap();
    assert!(documents.len() > 3);
    assert!(documents.iter().all(|d| d.text.ends_with("\n\n") && d.text.len() <= 32 << 10));
    assert_eq!(documents[1].id, "long.txt#2");
    assert_eq!(documents.iter().map(|d| d.text.as_str()).collect::<String>(), text);
}

#[test]
fn bytes_that_are_no_text_are_named_or_replaced() {
    let mut content = "ä".repeat(40_000).into_bytes();
    content.extend(b"\xff end");
    let folder = folder(&[("bad.txt", &content)]);
    let path = folder.path().join("bad.txt");
    let error = read(&path).unwrap_err();
    assert!(matches!(&error, CorpusError::Utf8 { offset: 80_000, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("bad.txt") && message.contains("80000") && message.contains("lossy"), "{message}");
    let documents = read_with(&path, &CorpusOptions { lossy: true, ..CorpusOptions::default() }).unwrap();
    assert!(documents.last().unwrap().text.ends_with("ä\u{fffd} end"));
}

#[test]
fn bad_bytes_in_records_are_named() {
    let folder = folder(&[("a.jsonl", b"{\"text\": \"ok\"}\n{\"text\": \"\xff\"}\n"), ("b.csv", b"text\nok\n\xff\n")]);
    let offset = |name: &str| match read(&folder.path().join(name)) {
        Err(CorpusError::Utf8 { offset, .. }) => offset,
        other => panic!("{other:?}"),
    };
    assert_eq!(offset("a.jsonl"), 25);
    assert_eq!(offset("b.csv"), 8);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let huge = format!("text\n\"{}", "x".repeat(40 << 20));
    let files: [(&str, &[u8]); 5] = [
        ("a.jsonl", b"{\"text\": \"ok\"}\n{\"txt\": 1}"),
        ("b.csv", b"body,id\nx,1\n"),
        ("c.parquet", b"PAR1 no PAR1"),
        ("d.csv", huge.as_bytes()),
        ("e.csv", b"id,text\n1\n"),
    ];
    let folder = folder(&files);
    let message = |name: &str| read(&folder.path().join(name)).unwrap_err().to_string();
    assert!(message("a.jsonl").contains("line 2: missing field `text`"), "{}", message("a.jsonl"));
    assert!(message("b.csv").contains("no column `text` (it has body, id)"), "{}", message("b.csv"));
    assert!(message("c.parquet").contains("cannot be read as Parquet"), "{}", message("c.parquet"));
    assert!(message("d.csv").contains("record 1: larger than the limit of 16 MiB"), "{}", message("d.csv"));
    assert!(message("e.csv").contains("too few to reach the text"), "{}", message("e.csv"));
    parquet(&folder.path().join("f.parquet"), &[("body", vec![Some("x")])]);
    assert!(message("f.parquet").contains("no column `text` (it has body)"));
}

#[test]
fn nothing_is_said_to_be_nothing() {
    let folder = folder(&[("empty/.hidden", b"x"), ("blank.txt", b" \n"), ("binary/a.bin", b"\0\0")]);
    let open = |name: &str| {
        Corpus::open(folder.path().join(name).to_str().unwrap(), &CorpusOptions::default()).map(|corpus| corpus.files())
    };
    assert!(matches!(open("empty"), Err(CorpusError::Empty { .. })));
    assert!(open("binary").unwrap_err().to_string().contains("1 files of it are not text"));
    assert!(matches!(open("absent"), Err(CorpusError::NotFound { .. })));
    let blank = Corpus::open(folder.path().join("blank.txt").to_str().unwrap(), &CorpusOptions::default()).unwrap();
    assert!(matches!(digest(&blank, &RunContext::new(0)), Err(CorpusError::Empty { .. })));
    let error = Corpus::open_in(folder.path(), "starter", &CorpusOptions::default()).unwrap_err();
    assert!(error.to_string().contains("cargo xtask setup"), "{error}");
}

fn tokenizer() -> Tokenizer {
    let folder = folder(&[("vocab.txt", b"[UNK]\none\ntwo\nthree\n##s")]);
    Tokenizer::from_folder(folder.path()).unwrap()
}

#[test]
fn a_corpus_is_tokenised_once_and_mended_when_damaged() {
    let jsonl = "{\"text\": \"one two\", \"lang\": \"en\"}\n{\"text\": \"\"}\n{\"text\": \"three one one\", \"genre\": \"g\"}\n";
    let files = folder(&[("c.jsonl", jsonl.as_bytes())]);
    let home = tempfile::tempdir().unwrap();
    let corpus = Corpus::open(files.path().join("c.jsonl").to_str().unwrap(), &CorpusOptions::default()).unwrap();
    let (tokenizer, ctx) = (tokenizer(), RunContext::new(0));
    let open = || PackedCorpus::open_or_build_in(home.path(), &corpus, &tokenizer, &ctx).unwrap();
    let packed = open();
    assert_eq!(packed.documents().len(), 3);
    let documents: Vec<Document> = corpus.documents().collect::<Result<_, _>>().unwrap();
    for (document, text) in packed.documents().iter().zip(&documents) {
        assert_eq!(packed.document_tokens(document), tokenizer.encode_raw(&text.text).unwrap());
        assert_eq!(document.split, Split::of(&text.text));
        assert_eq!(packed.language(document), text.language.as_deref());
        assert_eq!(packed.genre(document), text.genre.as_deref());
    }
    let tokens = packed.tokens().to_vec();
    drop(packed);
    let made = || fs::read_dir(home.path().join("packed")).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    assert_eq!(made().len(), 1);
    let file = made()[0].join("tokens.u32");
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(open().tokens(), tokens);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
    // Damage of every kind is noticed, and the tokens are made again.
    for name in ["tokens.u32", "documents.json", "manifest.json"] {
        let path = made()[0].join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[5] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(open().tokens(), tokens, "{name}");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(open().tokens(), tokens, "{name} cut");
    }
    assert_eq!(made().len(), 1);
}

#[test]
fn packing_stops_when_it_is_told_to() {
    let files = folder(&[("a.txt", b"one")]);
    let corpus = Corpus::open(files.path().to_str().unwrap(), &CorpusOptions::default()).unwrap();
    let ctx = RunContext::new(0);
    ctx.cancel();
    let stopped = PackedCorpus::open_or_build_in(files.path(), &corpus, &tokenizer(), &ctx);
    assert!(matches!(stopped, Err(CorpusError::Cancelled(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn strangers_files_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..600) {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole.parquet");
        parquet(&whole, &[("text", vec![Some("a"), None, Some("bc")])]);
        let mut damaged = fs::read(&whole).unwrap();
        for (i, byte) in bytes.iter().enumerate().take(3) {
            let at = (cut * 7 + i * 131) % damaged.len();
            damaged[at] ^= byte;
        }
        fs::write(folder.path().join("damaged.parquet"), damaged).unwrap();
        for name in ["a.txt", "a.jsonl", "a.csv", "a.parquet"] {
            fs::write(folder.path().join(name), &bytes).unwrap();
        }
        for name in ["a.txt", "a.jsonl", "a.csv", "a.parquet", "damaged.parquet"] {
            let path = folder.path().join(name);
            for lossy in [false, true] {
                let _ = read_with(&path, &CorpusOptions { lossy, ..CorpusOptions::default() });
            }
        }
    }
}
