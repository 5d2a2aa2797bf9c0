//! Language models as explainers and judges: one that knows the truth, and some that lie.

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::Result;
use crate::testing::{Family, reading};

/// Explains that a unit fires on one token, and judges by looking for the token named in the description.
#[derive(Clone)]
struct Oracle {
    token: String,
    asked: Rc<Cell<u64>>,
}

impl Oracle {
    fn answer(&self, prompt: &Prompt) -> String {
        let user = &prompt.user;
        let Some(rest) = user.strip_prefix("Description: the token ") else {
            return format!("Let me see.\n[EXPLANATION]: the token {}", self.token.trim());
        };
        let (word, rest) = rest.split_once('\n').unwrap();
        if let Some(tokens) = rest.strip_prefix("Tokens: ") {
            let tokens: Vec<String> = serde_json::from_str(tokens).unwrap();
            let values: Vec<&str> = tokens.iter().map(|one| if one.trim() == word { "9" } else { "0" }).collect();
            return format!("[{}]", values.join(", "));
        }
        let fuzz = prompt.system.contains("<<");
        // Passages may hold line breaks of their own.
        let verdicts = rest.split("Passage ").skip(1).map(|passage| {
            let marked = format!("<< {word}>>");
            let there = passage.split_whitespace().any(|one| one.trim_matches(|c| "<>".contains(c)) == word);
            if fuzz { passage.contains(&marked) } else { there }
        });
        let verdicts: Vec<&str> = verdicts.map(|there| if there { "1" } else { "0" }).collect();
        format!("Verdicts [{}]", verdicts.join(", "))
    }
}

impl Chat for Oracle {
    fn name(&self) -> String {
        "oracle".to_owned()
    }

    fn ask(&mut self, prompt: &Prompt) -> Result<String> {
        self.asked.set(self.asked.get() + 1);
        Ok(self.answer(prompt))
    }

    fn usage(&self) -> Usage {
        Usage { calls: self.asked.get(), ..Usage::default() }
    }
}

/// Says the same to everything.
struct Liar(String);

impl Chat for Liar {
    fn name(&self) -> String {
        "liar".to_owned()
    }

    fn ask(&mut self, _: &Prompt) -> Result<String> {
        Ok(self.0.clone())
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}

fn run(atlas: &Atlas, ids: &[u32], teller: impl Chat, reader: impl Chat) -> Outcome {
    let mut explainer = Told::new(Box::new(teller), 10);
    let mut judge = Reader::new(Box::new(reader));
    let mut parties = Parties { explainer: &mut explainer, judge: &mut judge, embedder: None, model: None };
    let options = Options { passages: 20, ..Options::default() };
    explain(atlas, ids, &options, &mut parties, false, &RunContext::new(0)).unwrap()
}

/// Token detectors whose word stands behind a space and is nothing but letters.
fn detectors(atlas: &Atlas) -> Vec<(u32, String)> {
    let plain =
        |word: &str| word.starts_with(' ') && word.trim().len() > 3 && word.trim().chars().all(char::is_alphabetic);
    let mut found: Vec<(u32, String)> = roles(atlas)
        .into_iter()
        .filter(|(_, (family, word))| family == "token detector" && plain(word))
        .map(|(id, (_, word))| (id, word))
        .collect();
    found.sort();
    found
}

#[test]
fn a_true_explanation_passes_and_that_of_another_unit_does_not() {
    let (_folder, atlas) = planted();
    let units = detectors(&atlas);
    let ((first, word), (second, _)) = (&units[0], units.iter().find(|one| one.1 != units[0].1).unwrap());
    let asked = Rc::new(Cell::new(0));
    let oracle = Oracle { token: word.clone(), asked: Rc::clone(&asked) };
    let judge = Oracle { asked: Rc::default(), ..oracle.clone() };
    let outcome = run(&atlas, &[*first, *second], oracle, judge);
    let [right, wrong] = outcome.records.as_slice() else { panic!("{} records", outcome.records.len()) };
    assert_eq!((right.text.as_str(), right.by.as_str()), (format!("the token {}", word.trim()).as_str(), "oracle"));
    for score in ["detection", "fuzzing", "simulation", "observational"] {
        let value = part(right, score, "score").unwrap();
        assert!(value > 0.9, "{score} {value} {:?}", right.scores);
        let chance = if score == "simulation" { 0.0 } else { 0.5 };
        assert!(part(wrong, score, "score").unwrap_or(0.0) < chance + 0.2, "{score} {:?}", wrong.scores);
    }
    assert_eq!(part(right, "detection", "answered"), Some(1.0));
    assert_eq!(asked.get(), 2);
    assert!(outcome.calls > 10);
}

#[test]
fn liars_are_recorded_as_such() {
    let (_folder, atlas) = planted();
    let (id, _) = &detectors(&atlas)[0];
    let huge = "x ".repeat(200_000) + "[1";
    for answer in ["", "[0, 1, 0, 1, 0, 1]", "[[[[", "\u{1b}[31m\u{202e}[EXPLANATION]:", &huge] {
        let outcome = run(&atlas, &[*id], Liar(answer.to_owned()), Liar(answer.to_owned()));
        let record = &outcome.records[0];
        assert!(record.text.chars().count() <= 401 && !record.text.contains(char::is_control), "{}", record.text);
        for score in ["detection", "fuzzing", "simulation"] {
            assert_eq!(
                (part(record, score, "score"), part(record, score, "answered")),
                (None, Some(0.0)),
                "{answer:.20}"
            );
        }
        assert_eq!(part(record, "observational", "score"), None);
    }
    // Yes to everything is chance, whatever the explanation.
    let outcome = run(&atlas, &[*id], Liar("all".into()), Liar("[1, 1, 1, 1, 1]".into()));
    assert_eq!(part(&outcome.records[0], "fuzzing", "answered").map(|share| share > 0.5), Some(true));
    assert_eq!(part(&outcome.records[0], "detection", "score"), Some(0.5));
}

#[test]
fn a_local_model_answers_in_all_three_ways() {
    let model = reading(Family::Gpt2, 3);
    let ctx = RunContext::new(0);
    let mut local = Local::new(&model, &ctx).unwrap();
    let prompt = Prompt { system: "When".into(), user: " Mary went".into(), max_tokens: 3 };
    assert!(!local.ask(&prompt).unwrap().is_empty());
    // Both words are unknown to this tokenizer, hence the same token: no inclination either way.
    assert_eq!(local.inclination(&prompt).unwrap(), Some(0.5));
    // Nor does it tell digits apart.
    assert_eq!(local.expected("When", &[" Mary".to_owned()]).unwrap(), None);
    assert_eq!((local.usage().calls, local.usage().tokens_out <= 3), (2, true));
    assert!(Local::new(&reading(Family::Bert, 3), &ctx).is_err());
}

#[test]
fn embeddings_do_not_depend_on_company_and_tell_texts_apart() {
    let model = reading(Family::Bert, 5);
    let ctx = RunContext::new(0);
    let texts = ["When Mary went", " the store", " a book and a ring"].map(String::from);
    let all = Embedder::new(&model, &ctx).unwrap().embed(&texts).unwrap();
    for (text, vector) in texts.iter().zip(&all) {
        let alone = Embedder::new(&model, &ctx).unwrap().embed(std::slice::from_ref(text)).unwrap().remove(0);
        assert!(alone.iter().zip(vector).all(|(a, b)| (a - b).abs() < 1e-4), "{text}");
        assert!((vector.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-4);
    }
    assert!(Embedder::new(&reading(Family::Gpt2, 5), &ctx).is_err());
    let about = |id: u32, text: &str| Explanation {
        id,
        unit: format!("L0N{id}"),
        by: "me".into(),
        text: text.into(),
        rule: None,
        judge: String::new(),
        scores: Default::default(),
        evidence: String::new(),
        settings: String::new(),
    };
    let known = texts.iter().enumerate().map(|(id, text)| about(id as u32, text)).collect();
    let hits = search(known, " the store", 2, &mut Embedder::new(&model, &ctx).unwrap()).unwrap();
    assert_eq!((hits.len(), hits[0].explanation.id), (2, 1));
    assert!((hits[0].similarity - 1.0).abs() < 1e-4 && hits[1].similarity < hits[0].similarity);
}

#[test]
fn an_explanation_that_reads_like_its_passages_is_near_them() {
    let model = reading(Family::Bert, 5);
    let ctx = RunContext::new(0);
    let passage = |context: u32, words: &[&str], value: f32| Passage {
        context,
        start: 0,
        pieces: words.iter().map(|word| (*word).to_owned()).collect(),
        values: vec![value; words.len()],
        language: None,
        genre: None,
        rival: false,
    };
    let (store, ring) = ([" the", " store"], [" a", " ring"]);
    let train = vec![passage(0, &store, 5.0)];
    let test = (1..5).map(|n| passage(n, &store, 5.0)).chain((5..13).map(|n| passage(n, &ring, 0.0))).collect();
    let evidence = Evidence { negative: false, scale: 5.0, threshold: 1.5, train, test };
    let exam = Exam::new(&evidence, 10, 0);
    let account = |text: &str| Account { text: text.into(), rule: None };
    let (own, other) = (account(" the store"), account(" a ring"));
    let others = [&other];
    let candidate = super::scores::Candidate {
        evidence: &evidence,
        exam: &exam,
        account: &own,
        others: &others,
        simulated: 5,
        seed: 0,
    };
    let (mut rule, mut embedder) = (ByRule, Embedder::new(&model, &ctx).unwrap());
    let mut bench = super::scores::Bench::new(&mut rule);
    let found =
        super::scores::measure(Score::Embedding, &candidate, &mut bench, Some(&mut embedder), None).unwrap().unwrap();
    assert_eq!((found["score"], found["hard"], found["null"]), (Some(1.0), Some(1.0), Some(0.0)));
    assert!(found["separation"].unwrap() > 0.0);
}
