//! Generating prompts.

use golgi_probes::OpenModel;
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, Result};

/// `{A}` and `{B}` are the names in order of mention, `{S}` the subject, `{P}` a place, `{O}` an object. The prompt ends in front of
/// the answer.
const FRAMES: &[&str] = &[
    "When {A} and {B} went to the {P}, {S} gave a {O} to",
    "Then, {A} and {B} went to the {P}. {S} gave a {O} to",
    "After {A} and {B} went to the {P}, {S} gave a {O} to",
    "When {A} and {B} got a {O} at the {P}, {S} decided to give it to",
    "Then, {A} and {B} were working at the {P}. {S} decided to give a {O} to",
    "Then, {A} and {B} had a lot of fun at the {P}. {S} gave a {O} to",
    "While {A} and {B} were working at the {P}, {S} gave a {O} to",
    "While {A} and {B} were commuting to the {P}, {S} gave a {O} to",
    "Afterwards, {A} and {B} went to the {P}. {S} handed a {O} to",
    "Yesterday, {A} and {B} met at the {P}, and {S} brought a {O} to",
];

const NAMES: &str = "Aaron Adam Alan Alex Alice Amy Andrew Anna Anne Anthony Arthur Ben Bill Bob Brian Bruce Carl Charles Chris \
    Christine Claire Daniel David Donald Douglas Edward Elizabeth Emily Emma Eric Frank Fred George Grace Graham \
    Greg Harry Helen Henry Howard Ian Jack Jacob James Jamie Jane Jason Jennifer Jessica Jim Joe John Jonathan \
    Joseph Julia Kate Keith Kelly Kevin Laura Lee Lewis Lisa Louis Lucy Luke Maria Mark Martin Mary Matthew Max \
    Michael Michelle Mike Nancy Neil Nick Oliver Patrick Paul Peter Philip Rachel Ralph Richard Robert Roger \
    Ruth Ryan Sam Sara Sarah Scott Simon Sophie Stephen Steve Steven Susan Thomas Tim Tom Tony Victoria Walter \
    William";

const PLACES: &str = "store garden restaurant school hospital office house station park library museum beach market hotel airport \
    theater";

const OBJECTS: &str =
    "ring drink book basketball computer necklace snack bone letter ticket camera flower watch hat gift phone";

/// In which order the two names are mentioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Indirect object first, subject second.
    #[serde(rename = "ABBA")]
    Abba,
    /// Subject first.
    #[serde(rename = "BABA")]
    Baba,
}

/// A prompt with its right and its wrong answer, and its control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoiPrompt {
    /// The text, without the answer.
    pub text: String,
    /// The same text with a third name as subject.
    pub control: String,
    /// Which frame it fills.
    pub frame: usize,
    /// Order of the names.
    pub order: Order,
    /// The indirect object: the right answer, with its token.
    pub io: (String, u32),
    /// The subject: the wrong one.
    pub s: (String, u32),
}

/// `n` prompts, the same for the same `seed`, alternating between both orders.
///
/// # Errors
/// If the model has no tokenizer, or fewer than three of the names are single tokens.
pub fn prompts(model: &OpenModel, n: usize, seed: u64) -> Result<Vec<IoiPrompt>> {
    let names = single_tokens(model)?;
    if names.len() < 3 {
        return Err(AnalysisError::Unsuitable {
            analysis: "ioi",
            model: model.name.clone(),
            cause: format!(
                "only {} English names are single tokens of its vocabulary, and three are needed",
                names.len()
            ),
        });
    }
    let (places, objects): (Vec<&str>, Vec<&str>) = (PLACES.split(' ').collect(), OBJECTS.split(' ').collect());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Frames are dealt out like cards, each to two prompts, one of either order.
    let mut deck: Vec<usize> = Vec::new();
    let mut frame = 0;
    let mut one = |index: usize| {
        let order = if index.is_multiple_of(2) { Order::Abba } else { Order::Baba };
        if order == Order::Abba {
            if deck.is_empty() {
                deck = (0..FRAMES.len()).collect();
                deck.shuffle(&mut rng);
            }
            frame = deck.pop().unwrap_or(0);
        }
        let chosen: Vec<&(String, u32)> = names.choose_multiple(&mut rng, 3).collect();
        let (io, s, third) = (chosen[0], chosen[1], chosen[2]);
        let (first, second) = if order == Order::Abba { (io, s) } else { (s, io) };
        let place = places.choose(&mut rng).unwrap_or(&places[0]);
        let object = objects.choose(&mut rng).unwrap_or(&objects[0]);
        let fill = |subject: &str| {
            let names = FRAMES[frame].replace("{A}", &first.0).replace("{B}", &second.0).replace("{S}", subject);
            names.replace("{P}", place).replace("{O}", object)
        };
        IoiPrompt { text: fill(&s.0), control: fill(&third.0), frame, order, io: io.clone(), s: s.clone() }
    };
    Ok((0..n).map(&mut one).collect())
}

/// The names that this tokenizer writes as one token behind a space, with that token.
fn single_tokens(model: &OpenModel) -> Result<Vec<(String, u32)>> {
    let tokenizer = model.tokenizer()?;
    let raw = |text: &str| tokenizer.encode_raw(text).map_err(golgi_probes::ProbeError::from);
    // Behind other text, since some tokenizers treat the beginning of a text in their own way.
    let before = raw("They gave it to")?;
    let mut found = Vec::new();
    for name in NAMES.split(' ') {
        let ids = raw(&format!("They gave it to {name}"))?;
        if let [start @ .., id] = ids.as_slice()
            && start == before.as_slice()
            && !tokenizer.is_special(*id)
            && (*id as usize) < model.model.dims.d_vocab
        {
            found.push((name.to_owned(), *id));
        }
    }
    Ok(found)
}
