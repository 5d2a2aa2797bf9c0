//! The tokenizers of real models against their references. The models are those that set-up installs under Golgi's
//! home; the expected ids are in `assets/reference/`, with the program that made them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::tests::{Meta, from_entries};
use super::*;
use crate::models::{catalogue, home};
use crate::weights::Weights;

/// Where set-up puts a model. Set-up installs the ones without terms to accept before it runs tests.
fn installed(name: &str) -> PathBuf {
    let entry = catalogue().iter().find(|entry| entry.name == name).unwrap();
    assert!(entry.is_installed(&home()), "{name} is not installed; run the tests with `cargo xtask test`");
    entry.path(&home())
}

fn reference(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/reference").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

fn of_gguf(path: &Path) -> Tokenizer {
    let weights = Weights::open(path).unwrap();
    Tokenizer::from_gguf(weights.gguf().unwrap()).unwrap()
}

/// Compares with the column `name` of `tokens.json` and says all that differs.
fn compare(tokenizer: &Tokenizer, name: &str, encode: impl Fn(&str) -> Vec<u32>) {
    let mut wrong = Vec::new();
    let cases = reference("tokens.json");
    for case in cases.as_array().unwrap() {
        let (text, expected) = (case["text"].as_str().unwrap(), ids(&case[name]));
        let actual = encode(text);
        if actual != expected {
            wrong.push(format!("{text:?}: {actual:?} instead of {expected:?}"));
        }
    }
    assert!(cases.as_array().unwrap().len() > 80 && wrong.is_empty(), "{tokenizer:?}\n{}", wrong.join("\n"));
}

#[test]
fn smollm2_agrees_with_the_reference() {
    let tokenizer = of_gguf(&installed("smollm2"));
    compare(&tokenizer, "smollm2", |text| tokenizer.encode(text).unwrap());
    for case in reference("real_models.json")["SmolLM2-135M-Instruct.Q4_1.gguf"].as_array().unwrap() {
        let actual = tokenizer.encode(case["prompt"].as_str().unwrap()).unwrap();
        assert_eq!(actual, ids(&case["tokens"]));
        let pieces: Vec<String> = actual.iter().map(|id| tokenizer.piece(*id)).collect();
        assert_eq!(serde_json::to_value(pieces).unwrap(), case["pieces"]);
        assert_eq!(tokenizer.decode(&actual), case["prompt"].as_str().unwrap());
    }
    assert_eq!((tokenizer.vocab_size(), tokenizer.bos(), tokenizer.eos()), (49_152, Some(1), Some(2)));
    assert!(tokenizer.is_special(2) && !tokenizer.is_special(2427) && tokenizer.warnings().is_empty());
    assert_eq!(tokenizer.piece(49_152), "<unused 49152>");
}

#[test]
fn smollm2_renders_its_chat_template() {
    let tokenizer = of_gguf(&installed("smollm2"));
    let message = ChatMessage { role: "user".to_owned(), content: "Hi".to_owned() };
    let text = tokenizer.render_chat(&[message], true).unwrap();
    assert_eq!(
        text,
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
         <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(tokenizer.encode_raw(&text).unwrap()[0], 1);
    assert!(tokenizer.end_ids().contains(&2));
}

#[test]
fn minilm_agrees_with_the_reference() {
    let tokenizer = Tokenizer::from_folder(&installed("minilm")).unwrap();
    compare(&tokenizer, "minilm", |text| tokenizer.encode(text).unwrap());
    for case in reference("real_models.json")["all-MiniLM-L6-v2"].as_array().unwrap() {
        assert_eq!(tokenizer.encode(case["text"].as_str().unwrap()).unwrap(), ids(&case["tokens"]));
    }
    // The file asks for 128 tokens, padded and cut; neither happens here.
    let long = tokenizer.encode(&"cat ".repeat(300)).unwrap();
    assert_eq!((long.len(), tokenizer.encode("cat").unwrap().len()), (302, 3));
    assert_eq!((tokenizer.vocab_size(), tokenizer.pad(), tokenizer.piece(101)), (30_522, Some(0), "[CLS]".to_owned()));
    assert_eq!(tokenizer.decode(&[1037, 4937]), "a cat");
}

/// The list of words of MiniLM as a GGUF stores it gives what `tokenizer.json` gives.
#[test]
fn minilm_in_a_gguf_agrees_with_the_reference() {
    let text = std::fs::read_to_string(installed("minilm").join("vocab.txt")).unwrap();
    let is_special = |word: &str| matches!(word, "[PAD]" | "[UNK]" | "[CLS]" | "[SEP]" | "[MASK]");
    let spell = |word: &str| match word.strip_prefix("##") {
        Some(rest) => rest.to_owned(),
        None if is_special(word) => word.to_owned(),
        None => format!("▁{word}"),
    };
    let tokens: Vec<String> = text.lines().map(spell).collect();
    let types: Vec<i32> = text.lines().map(|word| if is_special(word) { 3 } else { 1 }).collect();
    let tokenizer = from_entries(&[
        ("tokenizer.ggml.model", Meta::Text("bert")),
        ("tokenizer.ggml.tokens", Meta::Texts(&tokens.iter().map(String::as_str).collect::<Vec<_>>())),
        ("tokenizer.ggml.token_type", Meta::Ints(&types)),
        ("tokenizer.ggml.unknown_token_id", Meta::Number(100)),
        ("tokenizer.ggml.seperator_token_id", Meta::Number(102)),
        ("tokenizer.ggml.cls_token_id", Meta::Number(101)),
    ])
    .unwrap();
    compare(&tokenizer, "minilm", |text| tokenizer.encode(text).unwrap());
}

/// A vocabulary of 900 entries with a space before the text, which no model of the catalogue has.
#[test]
fn scores_merge_as_sentencepiece_does() {
    let fixture = reference("sentencepiece.json");
    let tokens: Vec<&str> = fixture["tokens"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    let scores: Vec<f32> = fixture["scores"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap() as f32).collect();
    let types: Vec<i32> = ids(&fixture["types"]).into_iter().map(|kind| kind as i32).collect();
    let tokenizer = from_entries(&[
        ("tokenizer.ggml.model", Meta::Text("llama")),
        ("tokenizer.ggml.tokens", Meta::Texts(&tokens)),
        ("tokenizer.ggml.scores", Meta::Floats(&scores)),
        ("tokenizer.ggml.token_type", Meta::Ints(&types)),
    ])
    .unwrap();
    for case in fixture["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let actual = tokenizer.encode_raw(text).unwrap();
        assert_eq!(actual, ids(&case["ids"]), "{text:?}");
        assert_eq!(tokenizer.decode(&actual), text.replace('▁', " "));
    }
    assert_eq!(tokenizer.encode("to be").unwrap()[0], 1);
}

/// Gemma's terms must be accepted, so it is only there if somebody has fetched it.
#[test]
fn gemma3_agrees_with_the_reference() {
    let entry = catalogue().iter().find(|entry| entry.name == "gemma3-270m").unwrap();
    if !entry.is_installed(&home()) {
        eprintln!("skipped: gemma3-270m is not installed (`golgi models fetch gemma3-270m`)");
        return;
    }
    let weights = Weights::open(&entry.path(&home())).unwrap();
    let start = Instant::now();
    let tokenizer = Tokenizer::from_gguf(weights.gguf().unwrap()).unwrap();
    let load = start.elapsed();
    assert!(load < Duration::from_secs(8), "loading took {load:?}");
    compare(&tokenizer, "gemma3", |text| tokenizer.encode_raw(text).unwrap());
    assert_eq!(tokenizer.encode("Hi").unwrap()[0], 2);
    assert_eq!((tokenizer.vocab_size(), tokenizer.bos(), tokenizer.eos()), (262_144, Some(2), Some(1)));
    let text = "  Größe 漢字 🙂\n\n\tend";
    assert_eq!(tokenizer.decode(&tokenizer.encode_raw(text).unwrap()), text);
}
