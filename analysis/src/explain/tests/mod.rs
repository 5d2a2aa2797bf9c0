//! Planted truth: units whose role is known, judges that know everything or lie, a neuron that carries what is said of it.

mod intervention;
mod readers;
mod resume;

use std::collections::HashMap;

use golgi_data::atlas::{Atlas, Explanation, testing::Fixture};
use golgi_data::context::RunContext;
use golgi_data::tables::{TextColumn, u32s};
use tempfile::TempDir;

use super::*;

/// An atlas with enough contexts for tests of significance.
fn planted() -> (TempDir, Atlas) {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture { contexts: 240, examples: 48, neurons: 36, heads: 2, residual: 4, ..Fixture::default() };
    fixture.write(folder.path()).unwrap();
    let atlas = Atlas::open(folder.path()).unwrap();
    (folder, atlas)
}

/// The planted family of each neuron, and what is behind the last quotation mark or colon of its evidence.
fn roles(atlas: &Atlas) -> HashMap<u32, (String, String)> {
    let table = atlas.table("families").unwrap();
    let (units, family) = (u32s(&table, "unit").unwrap(), TextColumn::of(&table, "family").unwrap());
    let evidence = TextColumn::of(&table, "evidence").unwrap();
    let word = |text: &str| match text.split('`').nth(1) {
        Some(word) => word.to_owned(),
        None => text.rsplit(": ").next().unwrap().to_owned(),
    };
    let role = |row: usize| (family.get(row).unwrap().to_owned(), word(evidence.get(row).unwrap()));
    (0..table.num_rows()).map(|row| (units.value(row), role(row))).collect()
}

fn described(atlas: &Atlas, ids: &[u32]) -> Vec<Explanation> {
    let (mut describer, mut rule) = (Describer, ByRule);
    let mut parties = Parties { explainer: &mut describer, judge: &mut rule, embedder: None, model: None };
    explain(atlas, ids, &Options::default(), &mut parties, false, &RunContext::new(0)).unwrap().records
}

fn part(record: &Explanation, score: &str, part: &str) -> Option<f64> {
    record.scores[score].get(part).copied().flatten()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn planted_roles_are_described_and_score_high_where_noise_does_not() {
    let (_folder, atlas) = planted();
    let roles = roles(&atlas);
    let ids: Vec<u32> = (0..108).collect();
    let records = described(&atlas, &ids);
    let (mut noise, mut nulls, mut hard) = (Vec::new(), Vec::new(), Vec::new());
    for record in &records {
        let rule: Rule = serde_json::from_value(record.rule.clone().unwrap()).unwrap();
        let atoms: Vec<&Atom> = rule.clauses.iter().map(|clause| &clause.atom).collect();
        let about = format!("{} {}: {} {:?}", record.unit, record.text, record.evidence, record.scores);
        nulls.extend(part(record, "detection", "null"));
        let Some((family, word)) = roles.get(&record.id) else {
            noise.extend(part(record, "detection", "score"));
            continue;
        };
        if family == "dead" {
            assert!(atoms.is_empty() && record.text.starts_with("Never fires"), "{about}");
            assert!(record.scores.values().all(|parts| parts.is_empty()), "{about}");
            continue;
        }
        match family.as_str() {
            "token detector" => assert_eq!(atoms, [&Atom::Token { token: word.clone() }], "{about}"),
            "language" => assert_eq!(atoms, [&Atom::Language { label: word.clone() }], "{about}"),
            // It decays over nine tokens; the examples lie so near the beginning that most of them hold some of these.
            "positional" => assert!(matches!(atoms[..], [Atom::Position { from: 0..=1, to: 1..=14 }]), "{about}"),
            "n-gram detector" => {
                // Where the word behind is always the same, both say the same.
                let behind = |atom: &&Atom| matches!(atom, Atom::After { token } if token == word);
                let same = |atom: &&Atom| matches!(atom, Atom::Token { .. } | Atom::Ngram { .. });
                assert!(!atoms.is_empty() && atoms.iter().all(|atom| behind(atom) || same(atom)), "{about}");
            }
            other => panic!("{other} is no role"),
        }
        for score in ["detection", "fuzzing"] {
            let value = part(record, score, "score").unwrap();
            // Passages of a positional unit lie near the beginning, and so do those they are told from: whole passages say little.
            assert!(if family == "positional" { value > 0.5 } else { value >= 0.9 }, "{score} {value} {about}");
        }
        assert!(part(record, "observational", "score").unwrap() >= 0.85, "{about}");
        let strength = part(record, "simulation", "score").unwrap();
        assert!(strength >= if matches!(family.as_str(), "language" | "positional") { 0.5 } else { 0.85 }, "{about}");
        hard.extend(part(record, "detection", "hard"));
    }
    assert!(noise.len() > 10 && (mean(&noise) - 0.5).abs() < 0.1, "{noise:?}");
    assert!((mean(&nulls) - 0.5).abs() < 0.1, "{nulls:?}");
    assert!(hard.len() > 30 && mean(&hard) > 0.85, "{hard:?}");
}

#[test]
fn sentences_are_for_people() {
    let (_folder, atlas) = planted();
    let roles = roles(&atlas);
    let pick = |family: &str| (0..36).find(|id| roles.get(id).is_some_and(|role| role.0 == family)).unwrap();
    let ids = ["token detector", "language", "positional", "dead"].map(pick);
    let texts: Vec<String> = described(&atlas, &ids).into_iter().map(|one| one.text).collect();
    assert!(texts[0].starts_with(&format!("Fires on “{}”", roles[&ids[0]].1.trim_end_matches('\n'))), "{}", texts[0]);
    assert!(texts[1].starts_with("Fires in ") && texts[2].starts_with("Fires at the first "), "{texts:?}");
    assert!(texts.iter().all(|text| text.contains("Raises the odds of “")), "{texts:?}");
}

#[test]
fn a_corpus_that_breaks_out_of_quotes_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    Fixture { hostile: true, ..Fixture::default() }.write(folder.path()).unwrap();
    let atlas = Atlas::open(folder.path()).unwrap();
    let records = described(&atlas, &(0..40).collect::<Vec<_>>());
    let written = golgi_data::atlas::explanations(folder.path()).unwrap();
    assert!(written == records);
    assert!(records.iter().all(|one| !one.text.contains(char::is_control)));
}

#[test]
fn the_describer_costs_nothing_but_time() {
    let (_folder, atlas) = planted();
    let ids: Vec<u32> = (0..40).collect();
    let options = Options::default();
    let ctx = RunContext::new(0);
    let free = estimate(&atlas, &ids, &options, (Party::Free, Party::Free), None, &ctx).unwrap();
    assert_eq!((free.units, free.calls, free.tokens_in), (40, 0, 0));
    let remote = estimate(&atlas, &ids, &options, (Party::Remote, Party::Remote), None, &ctx).unwrap();
    assert!(remote.calls > 400 && remote.tokens_in > 50 * remote.calls && remote.seconds > remote.calls as f64);
}

#[test]
fn a_party_that_is_missing_is_named() {
    let (_folder, atlas) = planted();
    let mut describer = Describer;
    for (scores, word) in [(Score::Intervention, "model"), (Score::Embedding, "minilm")] {
        let options = Options { scores: vec![score_of(scores)], ..Options::default() };
        let mut rule = ByRule;
        let mut parties = Parties { explainer: &mut describer, judge: &mut rule, embedder: None, model: None };
        let error = explain(&atlas, &[0], &options, &mut parties, false, &RunContext::new(0)).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

fn score_of(score: Score) -> Score {
    score.name().parse().unwrap()
}

#[test]
fn a_unit_that_does_all_it_does_below_0_is_described_there() {
    let (_folder, atlas) = planted();
    let mut page = atlas.page(36).unwrap();
    let manifest = golgi_data::atlas::Manifest { gated: true, ..atlas.manifest().clone() };
    let right = rule(&page, &gather::evidence(&manifest, &page, None));
    for example in &mut page.examples {
        example.value = -example.value;
        example.values.iter_mut().for_each(|value| *value = -*value);
    }
    std::mem::swap(&mut page.top_tokens, &mut page.bottom_tokens);
    page.bottom_tokens.iter_mut().for_each(|token| token.value = -token.value);
    let evidence = gather::evidence(&manifest, &page, None);
    let turned = rule(&page, &evidence);
    assert!(!right.negative && turned.negative);
    assert_eq!(turned.clauses, right.clauses);
    let text = wording::sentence(&page, &evidence, &turned);
    assert!(text.starts_with("Fires below 0 on “"), "{text}");
    // Where only what is above 0 counts, signs stay.
    assert!(!gather::evidence(atlas.manifest(), &page, None).negative);
}
