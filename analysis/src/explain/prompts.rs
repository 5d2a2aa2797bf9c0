//! What language models are asked, and how their answers are read.
//!
//! The forms are the published ones: firing tokens between `<<` and `>>` and an answer behind `[EXPLANATION]:` (Delphi, arXiv
//! 2410.13928); verdicts as a list of 0 and 1; simulated activations as whole numbers, one per token (Bills et al. 2023).
//! Answers come from strangers: they are only ever text, and what is kept of them is short and without control characters.

use super::passage::{Evidence, Passage};

/// The longest explanation that is kept, in characters.
const MAX_EXPLANATION: usize = 400;
/// The longest answer to a question for an explanation, in tokens.
const EXPLANATION_TOKENS: u32 = 300;
/// The largest simulated activation.
pub(super) const LEVELS: f32 = 10.0;
/// What stands in place of an explanation that was not given.
pub(super) const NONE_GIVEN: &str = "(no explanation was given)";

/// A question to a language model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What it is told about its task.
    pub system: String,
    /// The question.
    pub user: String,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
}

impl Prompt {
    /// Its size in tokens, at the usual four characters each.
    pub fn tokens(&self) -> u64 {
        (self.system.len() + self.user.len()).div_ceil(4) as u64
    }
}

/// A passage with what fires between `<<` and `>>`; neighbours share a pair.
fn marked(passage: &Passage, marks: impl Fn(usize) -> bool) -> String {
    let mut out = String::new();
    let mut inside = false;
    for (at, piece) in passage.pieces.iter().enumerate() {
        if marks(at) != inside {
            out += if inside { ">>" } else { "<<" };
            inside = !inside;
        }
        // The text's own marks would be mistaken for ours.
        out += &piece.replace("<<", "‹‹").replace(">>", "››");
    }
    out + if inside { ">>" } else { "" }
}

/// Passages where the unit fires, from its whole range: the strongest, and others evenly over the rest.
fn shown(evidence: &Evidence, examples: usize) -> Vec<&Passage> {
    let mut firing: Vec<&Passage> = evidence.train.iter().filter(|passage| evidence.is_positive(passage)).collect();
    firing.sort_by(|a, b| b.max().total_cmp(&a.max()).then((a.context, a.start).cmp(&(b.context, b.start))));
    if firing.len() <= examples {
        return firing;
    }
    let strongest = examples.div_ceil(2);
    let rest = &firing[strongest..];
    let others = examples - strongest;
    let spread = (0..others).map(|at| rest[at * rest.len() / others.max(1)]);
    firing[..strongest].iter().copied().chain(spread).collect()
}

/// Asks for an explanation.
pub(super) fn explain(evidence: &Evidence, examples: usize) -> Prompt {
    let system = "You study what single units of a neural network respond to. Below are passages from texts. The tokens to which one \
                  unit responds stand between << and >>; behind each passage they are listed with how strongly it responds, from 1 to 10. \
                  Find what these tokens or their surroundings have in common. Be specific and brief; do not list several guesses, do \
                  not mention the marks. End your answer with one line of the form\n[EXPLANATION]: the common pattern in one sentence";
    let mut user = String::new();
    for (number, passage) in shown(evidence, examples).into_iter().enumerate() {
        let fires = |at: usize| evidence.fires_at(passage, at);
        user += &format!("Passage {}: {}\n", number + 1, marked(passage, fires));
        let listed = (0..passage.pieces.len()).filter(|at| fires(*at)).map(|at| {
            let level = (LEVELS * passage.values[at] / evidence.scale).round().clamp(1.0, LEVELS);
            format!("({:?}, {level})", passage.pieces[at])
        });
        user += &format!("Activations: {}\n", listed.collect::<Vec<_>>().join(", "));
    }
    Prompt { system: system.to_owned(), user, max_tokens: EXPLANATION_TOKENS }
}

/// The explanation in an answer: what stands behind the last `[EXPLANATION]:`, else its last line.
pub(super) fn explanation_in(answer: &str) -> String {
    let upper = answer.to_ascii_uppercase();
    let text = match upper.rfind("[EXPLANATION]") {
        Some(at) => answer[at + "[EXPLANATION]".len()..].trim_start_matches([':', ' ']).lines().next(),
        None => answer.lines().rev().find(|line| !line.trim().is_empty()),
    };
    let text = clean(text.unwrap_or_default());
    if text.is_empty() { NONE_GIVEN.to_owned() } else { text }
}

/// A stranger's text on one line, short, without characters that steer a terminal or turn the text around them.
pub(super) fn clean(text: &str) -> String {
    let words = text.split_whitespace().map(|word| word.chars().filter(|c| !steers(*c)).collect());
    let text: String = words.filter(|word: &String| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_EXPLANATION) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text,
    }
}

/// Whether a character steers a terminal, hides, or turns the text around it.
pub(super) fn steers(c: char) -> bool {
    let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || hides || matches!(c, '\u{202a}'..='\u{202e}')
}

const JUDGE: &str =
    "You are given a description of what a unit of a neural network responds to, and numbered passages from texts.";

/// Asks which passages an explanation applies to.
pub(super) fn detection(explanation: &str, passages: &[&Passage]) -> Prompt {
    let task = "For each passage in turn, say 1 if it contains something that fits the description, else 0.";
    verdicts(explanation, task, passages.iter().map(|passage| passage.text()))
}

/// Asks in which passages the right tokens are marked.
pub(super) fn fuzzing(explanation: &str, passages: &[(&Passage, Vec<usize>)]) -> Prompt {
    let task = "In each passage some tokens stand between << and >>. For each passage in turn, say 1 if the marked tokens are those that \
                fit the description, else 0.";
    verdicts(explanation, task, passages.iter().map(|(passage, marks)| marked(passage, |at| marks.contains(&at))))
}

fn verdicts(explanation: &str, task: &str, passages: impl Iterator<Item = String>) -> Prompt {
    let mut user = format!("Description: {explanation}\n");
    let mut n = 0;
    for (number, passage) in passages.enumerate() {
        n = number as u32 + 1;
        user += &format!("Passage {n}: {passage}\n");
    }
    let system = format!(
        "{JUDGE} {task} Answer with a list of as many numbers as there are passages and nothing else, such as [0, 1, 1]."
    );
    Prompt { system, user, max_tokens: 20 + 4 * n }
}

/// Asks about one passage, for models whose inclination to yes or no can be measured.
pub(super) fn yes_or_no(explanation: &str, passage: &Passage, marks: Option<&[usize]>) -> Prompt {
    let (text, question) = match marks {
        None => (passage.text(), "Does the passage contain something that fits the description?"),
        Some(marks) => (
            marked(passage, |at| marks.contains(&at)),
            "Some tokens of the passage stand between << and >>. Are these the tokens that fit the description?",
        ),
    };
    let user = format!("Description: {explanation}\nPassage: {text}\n{question} Answer with Yes or No.");
    Prompt { system: String::new(), user, max_tokens: 1 }
}

/// Asks for the activation at every token of a passage.
pub(super) fn simulation(explanation: &str, passage: &Passage) -> Prompt {
    let n = passage.pieces.len();
    let system = format!(
        "You are given a description of what a unit of a neural network responds to, and the {n} tokens of a passage as a list. Say for \
         each token how strongly the unit responds to it, from 0 (not at all, as for most tokens) to 10. Answer with a list of {n} whole \
         numbers and nothing else."
    );
    let tokens: Vec<String> = passage.pieces.iter().map(|piece| format!("{piece:?}")).collect();
    let user = format!("Description: {explanation}\nTokens: [{}]", tokens.join(", "));
    Prompt { system, user, max_tokens: 20 + 4 * n as u32 }
}

/// What stands before the first token where the activations of all tokens are read off at once.
pub(super) fn all_at_once(explanation: &str) -> String {
    format!(
        "A unit of a neural network responds to tokens of a text, on a scale from 0 to 9; to most it does not respond, which is 0.\n\
         The unit responds to: {explanation}\nTokens and activations:\n"
    )
}

/// The verdicts in an answer: the last list in it, if it has `n` entries, each 0 or 1.
pub(super) fn verdicts_in(answer: &str, n: usize) -> Option<Vec<bool>> {
    numbers_in(answer, n)?
        .into_iter()
        .map(|value| if value == 0.0 { Some(false) } else { (value == 1.0).then_some(true) })
        .collect()
}

/// The simulated activations in an answer: the last list in it, if it has `n` numbers from 0 to 10.
pub(super) fn activations_in(answer: &str, n: usize) -> Option<Vec<f32>> {
    numbers_in(answer, n)?.into_iter().map(|value| (0.0..=LEVELS).contains(&value).then_some(value)).collect()
}

fn numbers_in(answer: &str, n: usize) -> Option<Vec<f32>> {
    let end = answer.rfind(']')?;
    let start = answer[..end].rfind('[')?;
    let inside = answer[start + 1..end].split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let numbers: Option<Vec<f32>> = inside.take(n + 1).map(|entry| entry.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() == n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passage() -> Passage {
        Passage {
            context: 0,
            start: 1,
            pieces: ["a", " <<b", " c", " d"].map(String::from).to_vec(),
            values: vec![0.0, 4.0, 5.0, 0.0],
            language: None,
            genre: None,
            rival: false,
        }
    }

    #[test]
    fn neighbours_share_a_pair_of_marks() {
        assert_eq!(marked(&passage(), |at| at == 1 || at == 2), "a<< ‹‹b c>> d");
        assert_eq!(marked(&passage(), |at| at == 0 || at == 3), "<<a>> ‹‹b c<< d>>");
        let evidence = Evidence { negative: false, scale: 5.0, threshold: 1.5, train: vec![passage()], test: vec![] };
        let prompt = explain(&evidence, 5);
        assert!(prompt.user.contains("a<< ‹‹b c>> d\nActivations: (\" <<b\", 8), (\" c\", 10)"), "{}", prompt.user);
    }

    #[test]
    fn answers_are_read_and_made_harmless() {
        assert_eq!(
            explanation_in("Let me think.\n[EXPLANATION]: first\n[Explanation]: names of  rivers\nbye"),
            "names of rivers"
        );
        assert_eq!(explanation_in("just this\n\n"), "just this");
        assert_eq!(explanation_in("[EXPLANATION]:"), NONE_GIVEN);
        assert_eq!(explanation_in(""), NONE_GIVEN);
        assert_eq!(clean("a\u{1b}[31m\u{202e}b\u{0}\n\t c"), "a[31mb c");
        assert_eq!(clean(&"é".repeat(1000)).chars().count(), MAX_EXPLANATION + 1);
        assert_eq!(verdicts_in("Sure: [0, 1,1]", 3), Some(vec![false, true, true]));
        for bad in ["[0, 1]", "[0, 1, 1, 1]", "[0, 1, 2]", "0, 1, 1", "[0, 1, x]", "][", ""] {
            assert_eq!(verdicts_in(bad, 3), None, "{bad}");
        }
        assert_eq!(activations_in("[0, 10, 2.5]", 3), Some(vec![0.0, 10.0, 2.5]));
        for bad in ["[0, 11, 2]", "[0, NaN, 2]", "[0, -1, 2]", "[inf, 1, 2]"] {
            assert_eq!(activations_in(bad, 3), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_comes_from_the_whole_range() {
        let train: Vec<Passage> =
            (0..20).map(|n| Passage { context: n, values: vec![n as f32 + 2.0; 4], ..passage() }).collect();
        let evidence = Evidence { negative: false, scale: 10.0, threshold: 1.5, train, test: vec![] };
        let contexts: Vec<u32> = shown(&evidence, 6).iter().map(|one| one.context).collect();
        assert_eq!(contexts, [19, 18, 17, 16, 11, 5]);
    }

    proptest! {
        #[test]
        fn no_answer_does_harm(answer in any::<String>(), n in 0usize..5) {
            let text = explanation_in(&answer);
            prop_assert!(!text.is_empty() && text.chars().count() <= MAX_EXPLANATION + 1);
            prop_assert!(!text.contains(char::is_control));
            let _ = verdicts_in(&answer, n);
            let _ = activations_in(&answer, n);
        }
    }
}
