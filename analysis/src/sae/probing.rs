//! What few latents of a dictionary know, on texts and words that a corpus has.

use golgi_data::context::RunContext;
use golgi_data::corpus::{Context, ContextOptions, NO_LABEL, PackedCorpus, PackedDocument, Split, contexts};
use golgi_data::site::Site;
use golgi_probes::OpenModel;
use golgi_sae::Coder;
use golgi_sae::evaluate::{
    Absorption, Pca, Perturbation, Pooled, ProbeScore, ProbeTask, RandomDirections, Words, absorption, mean_rows,
    perturbations, sparse_probes,
};
use serde::{Deserialize, Serialize};

use super::EvaluateParams;
use super::rows::{activations, pieces, sites_of};
use crate::Result;
use crate::harvest::expected_bos;

/// Tokens of a text that is classified.
pub const PROBE_LEN: usize = 64;
/// What stands in front of a word whose first letter is asked for.
const BEFORE_WORD: &str = "The first letter of the word";

/// Probes of few latents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Probing {
    /// k-sparse probes of languages and genres, of the dictionary and of baselines; empty where the corpus has no labels or too few texts.
    pub tasks: Vec<ProbeScore>,
    /// Targeted probe perturbation with the same classes.
    pub perturbation: Vec<Perturbation>,
    /// Absorption of first letters, of the dictionary and of random directions; empty where there are too few words.
    pub absorption: Vec<Absorption>,
}

/// Runs probes: texts of the split `explore` are what they are fitted to, those of `confirm` what they are judged on. `pca` and `random`
/// are what the dictionary is compared with.
pub(super) fn probing(
    model: &OpenModel,
    corpus: &PackedCorpus,
    coder: &Coder,
    pca: &Pca,
    random: &RandomDirections,
    params: &EvaluateParams,
    ctx: &RunContext,
) -> Result<Probing> {
    let mut found = Probing::default();
    let (texts, trains) = texts(model, corpus, params.probe_texts);
    let labels: Vec<[usize; 2]> = texts.iter().map(|context| labels(corpus, context)).collect();
    let tasks = |texts: &[usize]| -> Vec<ProbeTask> {
        let sides: Vec<bool> = texts.iter().map(|text| trains[*text]).collect();
        let kinds = [("language", corpus.languages()), ("genre", corpus.genres())];
        let of_kind = |(kind, (name, names)): (usize, (&str, &[String]))| {
            let classes: Vec<usize> = texts.iter().map(|text| labels[*text][kind]).collect();
            ProbeTask::all(name, names, &classes, &sides, ctx.seed())
        };
        kinds.into_iter().enumerate().flat_map(of_kind).collect()
    };
    // Without labels the model need not run.
    if !tasks(&(0..texts.len()).collect::<Vec<_>>()).is_empty() {
        let (mut dictionary, mut directions) = (Pooled::of_dictionary(coder), Pooled::of_random(random));
        let (mut rows, mut order, d) = (Vec::new(), Vec::new(), coder.dictionary().config.d_out());
        let config = &coder.dictionary().config;
        pieces(model, corpus, &texts, config, "reading texts for probes", ctx, |piece| {
            let seen: Vec<(usize, usize)> = piece.contexts.into_iter().filter(|one| one.1 > 0).collect();
            let lengths: Vec<usize> = seen.iter().map(|one| one.1).collect();
            order.extend(seen.into_iter().map(|one| one.0));
            rows.extend(mean_rows(&piece.y, d, &lengths));
            dictionary.push(coder, &piece.x, &lengths)?;
            directions.push_random(random, &piece.y, &lengths)?;
            Ok(())
        })?;
        let tasks = tasks(&order);
        ctx.stage("fitting probes", 0);
        let (coordinates, components) = (Pooled::of_coordinates(&rows, pca.mean()), Pooled::of_components(pca, &rows)?);
        let codings = [&dictionary, &coordinates, &components, &directions];
        found.tasks = sparse_probes(&tasks, &rows, d, &codings)?;
        ctx.check()?;
        found.perturbation = perturbations(&tasks, &rows, d, &codings)?;
    }
    found.absorption = absorptions(model, corpus, coder, random, params.words, ctx)?;
    Ok(found)
}

/// Texts, and whether probes are fitted to them: half of each split, as far as the corpus goes.
fn texts(model: &OpenModel, corpus: &PackedCorpus, most: usize) -> (Vec<Context>, Vec<bool>) {
    let (mut texts, mut trains) = (Vec::new(), Vec::new());
    for split in [Split::Explore, Split::Confirm] {
        let len = PROBE_LEN.min(model.model.dims.n_ctx);
        let options = ContextOptions { len, tokens: u64::MAX, split: Some(split), bos: expected_bos(model) };
        let all = contexts(corpus, &options);
        // Long documents would be most of the texts if they came one after the other: every n-th is taken.
        let wanted = (most / 2).min(all.len());
        let chosen = (0..wanted).map(|index| all[index * all.len() / wanted.max(1)]);
        texts.extend(chosen);
        trains.resize(texts.len(), split == Split::Explore);
    }
    (texts, trains)
}

/// Language and genre of a text; a number beyond all for none.
fn labels(corpus: &PackedCorpus, context: &Context) -> [usize; 2] {
    let label = |of: fn(&PackedDocument) -> u16| {
        let label = corpus.documents().get(context.document as usize).map_or(NO_LABEL, of);
        if label == NO_LABEL { usize::MAX } else { usize::from(label) }
    };
    [label(|document| document.language), label(|document| document.genre)]
}

/// The most frequent words of the corpus that are one token each, with their first letters.
fn words(model: &OpenModel, corpus: &PackedCorpus, most: usize) -> Vec<(u32, char)> {
    let Some(tokenizer) = &model.tokenizer else { return Vec::new() };
    let mut counts = std::collections::BTreeMap::<u32, u64>::new();
    for document in corpus.documents().iter().filter(|document| document.split == Split::Explore) {
        corpus.document_tokens(document).iter().for_each(|token| *counts.entry(*token).or_default() += 1);
    }
    let mut counts: Vec<(u32, u64)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let word = |(token, _): (u32, u64)| {
        let text = tokenizer.decode(&[token]);
        // In front of a word of its own there is a space, where the tokenizer knows spaces.
        let word = text.strip_prefix(' ')?;
        let plain = word.len() > 1 && word.chars().all(|letter| letter.is_ascii_alphabetic());
        plain.then(|| word.chars().next().map(|letter| (token, letter.to_ascii_lowercase())))?
    };
    counts.into_iter().filter_map(word).take(most).collect()
}

fn absorptions(
    model: &OpenModel,
    corpus: &PackedCorpus,
    coder: &Coder,
    random: &RandomDirections,
    most: usize,
    ctx: &RunContext,
) -> Result<Vec<Absorption>> {
    let words = words(model, corpus, most);
    let Some(tokenizer) = model.tokenizer.as_ref().filter(|_| !words.is_empty()) else { return Ok(Vec::new()) };
    let config = &coder.dictionary().config;
    let (inputs, outputs) = sites_of(model, config)?;
    let (d_in, d_out) = (config.d_in(), config.d_out());
    let mut before = tokenizer.encode_raw(BEFORE_WORD).map_err(golgi_probes::ProbeError::from)?;
    if let Some(bos) = expected_bos(model) {
        before.insert(0, bos);
    }
    ctx.stage("reading words", words.len() as u64);
    let (mut dictionary, mut directions) = (Pooled::of_dictionary(coder), Pooled::of_random(random));
    let mut rows = Vec::new();
    for words in words.chunks(128) {
        ctx.check()?;
        let sequences: Vec<Vec<u32>> =
            words.iter().map(|(word, _)| before.iter().copied().chain([*word]).collect()).collect();
        let len = before.len() + 1;
        let mut both = activations(model, sequences, &[inputs.as_slice(), &outputs as &[Site]], false)?.into_iter();
        let mut last = |d: usize| -> Vec<f32> {
            let all = both.next().unwrap_or_default();
            all.chunks(d).skip(len - 1).step_by(len).flatten().copied().collect()
        };
        let (x, y) = (last(d_in), last(d_out));
        let lengths = vec![1; words.len()];
        dictionary.push(coder, &x, &lengths)?;
        directions.push_random(random, &y, &lengths)?;
        rows.extend(y);
        ctx.advance(words.len() as u64);
    }
    ctx.stage("judging words", 0);
    // Words in turns: neighbours in frequency go to different sides.
    let trains = (0..words.len()).map(|word| word.is_multiple_of(2)).collect();
    let words = Words { rows, d: d_out, letters: words.into_iter().map(|one| one.1).collect(), trains };
    let found = [&dictionary, &directions].map(|pooled| absorption(&words, pooled));
    let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().filter(|one| !one.letters.is_empty()).collect())
}
