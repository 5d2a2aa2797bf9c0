//! Hand-made tokenizers small enough to check by eye; the real models are tested in [`super::real_tests`].

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::weights::Weights;

/// A value for the metadata of a GGUF made by [`gguf`].
pub(super) enum Meta<'a> {
    Text(&'a str),
    Flag(bool),
    Number(u32),
    Texts(&'a [&'a str]),
    Floats(&'a [f32]),
    Ints(&'a [i32]),
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The bytes of a GGUF with these metadata and one tensor of one number.
fn gguf(entries: &[(&str, Meta)]) -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
    out.extend((entries.len() as u64).to_le_bytes());
    let array = |out: &mut Vec<u8>, kind: u32, length: usize| {
        out.extend(9u32.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((length as u64).to_le_bytes());
    };
    for (key, value) in entries {
        push_text(&mut out, key);
        match value {
            Meta::Text(text) => {
                out.extend(8u32.to_le_bytes());
                push_text(&mut out, text);
            }
            Meta::Flag(flag) => out.extend([7, 0, 0, 0, u8::from(*flag)]),
            Meta::Number(number) => {
                out.extend(4u32.to_le_bytes());
                out.extend(number.to_le_bytes());
            }
            Meta::Texts(texts) => {
                array(&mut out, 8, texts.len());
                texts.iter().for_each(|text| push_text(&mut out, text));
            }
            Meta::Floats(floats) => {
                array(&mut out, 6, floats.len());
                out.extend(floats.iter().flat_map(|x| x.to_le_bytes()));
            }
            Meta::Ints(ints) => {
                array(&mut out, 5, ints.len());
                out.extend(ints.iter().flat_map(|x| x.to_le_bytes()));
            }
        }
    }
    push_text(&mut out, "x");
    out.extend(1u32.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend([0; 12]);
    out.resize(out.len().next_multiple_of(32) + 4, 0);
    out
}

pub(super) fn from_entries(entries: &[(&str, Meta)]) -> Result<Tokenizer, TokenizerError> {
    let weights = Weights::from_bytes(gguf(entries), "test.gguf").unwrap();
    Tokenizer::from_gguf(weights.gguf().unwrap())
}

const BYTE_TOKENS: [&str; 10] = ["<|end|>", "a", "b", "Ġ", "ab", "Ġab", "Ã", "¼", "1", "<tool>"];

fn byte_level(pre: &str) -> Tokenizer {
    from_entries(&[
        ("tokenizer.ggml.model", Meta::Text("gpt2")),
        ("tokenizer.ggml.pre", Meta::Text(pre)),
        ("tokenizer.ggml.tokens", Meta::Texts(&BYTE_TOKENS)),
        ("tokenizer.ggml.token_type", Meta::Ints(&[3, 1, 1, 1, 1, 1, 1, 1, 1, 4])),
        ("tokenizer.ggml.merges", Meta::Texts(&["a b", "Ġ ab", "x y"])),
        ("tokenizer.ggml.bos_token_id", Meta::Number(0)),
        ("tokenizer.ggml.eos_token_id", Meta::Number(0)),
        ("tokenizer.ggml.padding_token_id", Meta::Number(77)),
        ("tokenizer.ggml.add_bos_token", Meta::Flag(true)),
    ])
    .unwrap()
}

#[test]
fn byte_level_bpe_from_gguf() {
    let tokenizer = byte_level("gpt-2");
    assert_eq!(tokenizer.encode("ab abb").unwrap(), [0, 4, 5, 2]);
    assert_eq!(tokenizer.encode_raw("ab<|end|>a<tool>").unwrap(), [4, 0, 1, 9]);
    assert_eq!(tokenizer.encode_raw("ü").unwrap(), [6, 7]);
    assert_eq!(tokenizer.decode(&[5, 6, 7, 0, 99]), " abü<|end|>");
    let pieces: Vec<String> = [0, 5, 6, 9, 99].into_iter().map(|id| tokenizer.piece(id)).collect();
    assert_eq!(pieces, ["<|end|>", " ab", "�", "<tool>", "<unused 99>"]);
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.pad()), (Some(0), Some(0), None));
    assert_eq!(tokenizer.end_ids(), [0]);
    assert_eq!((tokenizer.is_special(0), tokenizer.is_special(9), tokenizer.is_special(99)), (true, false, false));
    assert_eq!((tokenizer.vocab_size(), tokenizer.token_to_id("Ġab")), (10, Some(5)));
    assert!(tokenizer.warnings()[0].contains("1 merges"), "{:?}", tokenizer.warnings());
}

#[test]
fn an_unknown_way_to_cut_text_warns() {
    let tokenizer = byte_level("of-next-year");
    assert_eq!(tokenizer.encode_raw("ab ab").unwrap(), [4, 5]);
    assert!(tokenizer.warnings()[0].contains("`of-next-year`"));
}

const MARKED: [&str; 15] =
    ["<unk>", "<s>", "</s>", "<0x0A>", "<0xC3>", "<0xBC>", "▁", "a", "b", "▁a", "ab", "▁ab", "aab", "aa", "  "];

fn sentence_piece(extra: &[(&'static str, bool)]) -> Tokenizer {
    let scores = [0., 0., 0., 0., 0., 0., -9., -10., -11., -2., -1., -3., -5., -4., 0.];
    let mut entries = vec![
        ("tokenizer.ggml.model", Meta::Text("llama")),
        ("tokenizer.ggml.tokens", Meta::Texts(&MARKED)),
        ("tokenizer.ggml.token_type", Meta::Ints(&[2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 4])),
        ("tokenizer.ggml.scores", Meta::Floats(&scores)),
    ];
    entries.extend(extra.iter().map(|(key, value)| (*key, Meta::Flag(*value))));
    from_entries(&entries).unwrap()
}

#[test]
fn sentence_piece_from_gguf() {
    let tokenizer = sentence_piece(&[]);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
    // `ab` (-1) is merged before `▁a` (-2), and `▁ab` (-3) from the two of them.
    assert_eq!(tokenizer.encode("ab").unwrap(), [1, 11]);
    assert_eq!(tokenizer.encode_raw("aab").unwrap(), [9, 10]);
    assert_eq!(tokenizer.encode_raw("a ab").unwrap(), [9, 11]);
    // Bytes for what the vocabulary lacks; a byte's name in text is only text.
    assert_eq!(tokenizer.encode_raw("aü\n").unwrap(), [9, 4, 5, 3]);
    assert!(!tokenizer.encode_raw("<0x0A>").unwrap().contains(&3));
    // A user-defined run of spaces is taken before merging, and what follows begins anew.
    assert_eq!(tokenizer.encode_raw("a  a").unwrap(), [9, 14, 9]);
    assert_eq!(tokenizer.encode_raw("a</s>b").unwrap(), [9, 2, 6, 8]);
    assert_eq!(tokenizer.decode(&[11, 9, 4, 5]), "ab aü");
    assert_eq!([11, 4, 3, 14].map(|id| tokenizer.piece(id)), [" ab", "�", "\n", "  "]);
}

#[test]
fn sentence_piece_flags_count() {
    let tokenizer = sentence_piece(&[
        ("tokenizer.ggml.add_space_prefix", false),
        ("tokenizer.ggml.add_bos_token", false),
        ("tokenizer.ggml.add_eos_token", true),
    ]);
    assert_eq!(tokenizer.encode("ab a").unwrap(), [10, 9, 2]);
    assert_eq!(tokenizer.decode(&[9, 10]), " aab");
}

#[test]
fn word_piece_from_gguf() {
    let tokenizer = from_entries(&[
        ("tokenizer.ggml.model", Meta::Text("bert")),
        ("tokenizer.ggml.tokens", Meta::Texts(&["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁play", "ing", "▁,"])),
        ("tokenizer.ggml.token_type", Meta::Ints(&[3, 2, 3, 3, 1, 1, 1])),
        ("tokenizer.ggml.bos_token_id", Meta::Number(2)),
        ("tokenizer.ggml.seperator_token_id", Meta::Number(3)),
    ])
    .unwrap();
    assert_eq!(tokenizer.encode("Playing, x").unwrap(), [2, 4, 5, 6, 1, 3]);
    assert_eq!(tokenizer.encode_raw("play [SEP]").unwrap(), [4, 3]);
    assert_eq!((tokenizer.bos(), tokenizer.pad(), tokenizer.is_special(1)), (None, Some(0), true));
    assert_eq!(tokenizer.piece(5), "##ing");
}

#[test]
fn ggufs_without_a_usable_tokenizer() {
    let none = from_entries(&[("general.name", Meta::Text("x"))]).unwrap_err();
    assert!(none.is_absent() && matches!(none, TokenizerError::NotInGguf));
    let unigram = from_entries(&[("tokenizer.ggml.model", Meta::Text("t5"))]).unwrap_err();
    assert!(unigram.is_absent() && unigram.to_string().contains("`t5`"), "{unigram}");
    let mismatch = from_entries(&[
        ("tokenizer.ggml.model", Meta::Text("gpt2")),
        ("tokenizer.ggml.tokens", Meta::Texts(&["a", "b"])),
        ("tokenizer.ggml.token_type", Meta::Ints(&[1])),
    ]);
    assert!(mismatch.unwrap_err().to_string().contains("1 token types for 2 tokens"));
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const VOCAB: (&str, &str) = ("vocab.json", r#"{"</s>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4}"#);
const MERGES: (&str, &str) = ("merges.txt", "#version: 0.2\na b\n");

#[test]
fn a_folder_with_gpt2s_two_files() {
    let config =
        r#"{"bos_token": {"content": "</s>"}, "eos_token": "</s>", "pad_token": "<pad>", "add_bos_token": true}"#;
    let folder = folder(&[VOCAB, MERGES, ("tokenizer_config.json", config)]);
    let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
    assert_eq!(tokenizer.encode("ab a</s>").unwrap(), [0, 3, 4, 1, 0]);
    assert_eq!(tokenizer.encode_raw("ab").unwrap(), [3]);
    // `<pad>` is not in the vocabulary, and no id is made up for it.
    assert_eq!((tokenizer.bos(), tokenizer.pad(), tokenizer.vocab_size()), (Some(0), None, 5));
    assert!(tokenizer.is_special(0) && !tokenizer.has_chat_template());
    assert!(matches!(tokenizer.render_chat(&[], true), Err(TokenizerError::NoChatTemplate)));
}

#[test]
fn a_folder_with_berts_word_list() {
    let list = ("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplay\n##ing\n");
    let tokenizer = Tokenizer::from_folder(folder(&[list]).path()).unwrap();
    assert_eq!(tokenizer.encode("Playing [MASK]").unwrap(), [2, 5, 6, 4, 3]);
}

#[test]
fn end_of_turn_comes_from_several_places() {
    let config = ("tokenizer_config.json", r#"{"eos_token": "</s>"}"#);
    let generation = ("generation_config.json", r#"{"eos_token_id": [0, 3]}"#);
    let tokenizer = Tokenizer::from_folder(folder(&[VOCAB, MERGES, config, generation]).path()).unwrap();
    assert_eq!(tokenizer.end_ids(), [0, 3]);
}

#[test]
fn folders_without_a_usable_tokenizer() {
    let empty = tempfile::tempdir().unwrap();
    let missing = Tokenizer::from_folder(empty.path()).unwrap_err();
    assert!(missing.is_absent() && missing.to_string().contains("tokenizer.json"), "{missing}");
    let model = Tokenizer::from_folder(folder(&[("tokenizer.model", "x")]).path()).unwrap_err();
    assert!(matches!(model, TokenizerError::OnlySentencePiece { .. }));
    for damaged in ["", "{", "[]", r#"{"version":"1.0","model":{"type":"Nonsense"}}"#] {
        let error = Tokenizer::from_folder(folder(&[("tokenizer.json", damaged)]).path()).unwrap_err();
        assert!(!error.is_absent() && error.to_string().contains("download the model again"), "{error}");
    }
    let bad_merges = Tokenizer::from_folder(folder(&[VOCAB, ("merges.txt", "nospace\n")]).path()).unwrap_err();
    assert!(matches!(bad_merges, TokenizerError::Damaged { .. }), "{bad_merges}");
    let bad_id = Tokenizer::from_folder(folder(&[("vocab.json", r#"{"a": -1}"#), MERGES]).path()).unwrap_err();
    assert!(bad_id.to_string().contains("vocab.json"), "{bad_id}");
}

#[test]
fn digests_tell_tokenizers_apart() {
    assert_eq!(byte_level("gpt-2").digest(), byte_level("gpt-2").digest());
    assert_ne!(byte_level("gpt-2").digest(), byte_level("qwen2").digest());
    assert_eq!(byte_level("gpt-2").digest().len(), 64);
}

fn shared<T: Send + Sync + Clone>(_: &T) {}

#[test]
fn tokenizers_are_shared_between_threads() {
    shared(&byte_level("gpt-2"));
}

fn template(source: &str) -> ChatTemplate {
    let tokens = vec![("bos_token".to_owned(), "<s>".to_owned())];
    ChatTemplate { source: source.to_owned(), tokens }
}

fn say(role: &str, content: &str) -> ChatMessage {
    ChatMessage { role: role.to_owned(), content: content.to_owned() }
}

fn render(source: &str) -> Result<String, TokenizerError> {
    let day = UNIX_EPOCH + Duration::from_secs(951_782_400);
    template(source).render(&[say("user", " Hi <b> "), say("assistant", "Yes")], true, day)
}

#[test]
fn templates_render_as_the_reference_does() {
    // Blocks swallow the space before and the line break after them.
    let loops = concat!(
        "{{ bos_token }}{% for m in messages %}\n  {% if m['role'] == 'user' %}\nU:{{ m.content.strip() }}\n",
        "  {% else %}\nA:{{ m['content'] | upper }}{{ eos_token }}\n  {% endif %}\n{% endfor %}\n",
        "{% if add_generation_prompt %}G{% endif %}"
    );
    assert_eq!(render(loops).unwrap(), "<s>U:Hi <b>\nA:YES\nG");
    let scoped = concat!(
        "{% set ns = namespace(n=0) %}{% for m in messages if m.role == 'user' %}{% set ns.n = ns.n + 1 %}",
        "{% endfor %}{{ ns.n }}{{ messages[-1:][0].role.startswith('ass') }}"
    );
    assert_eq!(render(scoped).unwrap(), "1True");
    assert_eq!(render("{{ strftime_now('%d %b %Y') }}").unwrap(), "29 Feb 2000");
    assert_eq!(render("{% if tools is none and not documents %}ok{% endif %}").unwrap(), "ok");
    assert_eq!(render("{%- generation -%} x {%- endgeneration %}").unwrap(), "x");
    assert_eq!(render("{% for m in messages %}{% continue %}{% endfor %}.").unwrap(), ".");
}

#[test]
fn json_in_templates_is_not_escaped_for_html() {
    assert_eq!(render("{{ messages[0] | tojson }}").unwrap(), r#"{"role": "user", "content": " Hi <b> "}"#);
    assert_eq!(render(r#"{{ "it's \\u003c & \"" | tojson }}"#).unwrap(), r#""it's \\u003c & \"""#);
}

#[test]
fn templates_can_refuse_and_be_wrong() {
    let refused = render("{{ raise_exception('roles must alternate') }}").unwrap_err();
    assert!(refused.to_string().contains("roles must alternate"), "{refused}");
    for wrong in ["{% for %}", "{{ messages[0].content.no_such_method() }}", "{% include 'other' %}", "{{ 1 / 0 }}"] {
        assert!(matches!(render(wrong), Err(TokenizerError::Chat { .. })), "{wrong}");
    }
}

#[test]
fn templates_cannot_run_or_write_for_ever() {
    let endless = "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}";
    assert!(render(endless).unwrap_err().to_string().contains("steps"));
    let huge = "{% set s = 'x' * 9999999 %}{% for a in range(99) %}{{ s }}{% endfor %}";
    assert!(matches!(render(huge), Err(TokenizerError::Chat { .. })));
    let deep = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
    assert!(matches!(render(deep), Err(TokenizerError::Chat { .. })));
    let long = template(&" ".repeat(2 << 20)).render(&[], false, UNIX_EPOCH).unwrap_err();
    assert!(long.to_string().contains("limit"));
}

#[test]
fn the_chat_template_of_a_folder() {
    let text = |name: &str, template: &str| {
        let config = format!(r#"{{"chat_template": {template}}}"#);
        let files = [VOCAB, MERGES, ("tokenizer_config.json", config.as_str()), (name, "from the file")];
        Tokenizer::from_folder(folder(&files).path()).unwrap().render_chat(&[], false)
    };
    assert_eq!(text("other", r#""from the string""#).unwrap(), "from the string");
    let several = r#"[{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]"#;
    assert_eq!(text("other", several).unwrap(), "yes");
    assert_eq!(text("chat_template.jinja", r#""from the string""#).unwrap(), "from the file");
}

#[test]
fn missing_folders_hold_no_tokenizer() {
    assert!(Tokenizer::from_folder(Path::new("/no/such/folder")).unwrap_err().is_absent());
}

proptest! {
    #[test]
    fn any_text_survives_byte_level(text in "[ab üÿ]{0,40}") {
        // Bytes the vocabulary lacks are dropped by the model, so only those it has are asked for.
        let known: String = text.chars().filter(|c| "ab ü".contains(*c)).collect();
        let tokenizer = byte_level("gpt-2");
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode_raw(&known).unwrap()), known);
    }

    #[test]
    fn damaged_metadata_never_panic(at in 24usize..400, byte: u8) {
        let mut bytes = gguf(&[
            ("tokenizer.ggml.model", Meta::Text("llama")),
            ("tokenizer.ggml.tokens", Meta::Texts(&["<unk>", "a", "b", "ab"])),
            ("tokenizer.ggml.token_type", Meta::Ints(&[2, 1, 1, 1])),
            ("tokenizer.ggml.scores", Meta::Floats(&[0., -1., -2., -3.])),
            ("tokenizer.ggml.bos_token_id", Meta::Number(1)),
        ]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(weights) = Weights::from_bytes(bytes, "damaged.gguf")
            && let Ok(tokenizer) = Tokenizer::from_gguf(weights.gguf().unwrap())
        {
            let ids = tokenizer.encode("ab c").unwrap_or_default();
            tokenizer.decode(&ids);
        }
    }

    #[test]
    fn damaged_tokenizer_json_never_panics(at in 0usize..800, byte in 0u8..128) {
        let mut text = tokenizers_json();
        let at = at % text.len();
        text[at] = byte;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tokenizer.json"), text).unwrap();
        if let Ok(tokenizer) = Tokenizer::from_folder(folder.path()) {
            let ids = tokenizer.encode("ab c").unwrap_or_default();
            tokenizer.decode(&ids);
            tokenizer.piece(0);
        }
    }
}

fn tokenizers_json() -> Vec<u8> {
    sentence_piece(&[]).inner.backend.to_string(false).unwrap().into_bytes()
}
