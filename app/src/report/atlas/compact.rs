//! The data of a page in few bytes: every token once, activations in two characters each, numbers with four digits. What does
//! not fit is left out from the end of each band, and the page says so.
//!
//! Every text passes through [`token`](crate::report::token) here, so the page holds no control character and nothing that
//! turns the text around it; its script sets texts as texts, never as markup.

use std::collections::{BTreeMap, HashMap};

use golgi_data::atlas::{Example, Explanation, Page, TokenValue};
use serde_json::{Value, json};

use super::measures::MEASURES;
use super::{UnitReport, band_name, kind_name, provenance, subtitle};
use crate::report::visible::{one_line, token};

/// What the data of up to 50 units may take; style and script need the rest of 1 MB.
const BYTES_PER_50_UNITS: usize = 940_000;
/// Examples per band and tokens per example, tried in turn until the data fit.
const STEPS: [(usize, usize); 10] =
    [(64, 96), (24, 64), (16, 48), (12, 40), (8, 40), (5, 32), (4, 24), (3, 20), (2, 16), (1, 12)];
/// The longest that a text of the corpus is shown.
const MAX_CHARS: usize = 40;
const MAX_BYTES: usize = 72;
/// The longest sentence.
const MAX_SENTENCE: usize = 300;
/// Entries of a list.
const MAX_LIST: usize = 12;
/// Digits of activations, 64 to each of two characters.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Activations are stored in this many steps of their example's largest on either side of 0.
const LEVELS: f32 = 2047.0;

/// The data as JSON that can stand in an element `script`.
pub(super) fn data(report: &UnitReport) -> String {
    let budget = BYTES_PER_50_UNITS * report.pages.len().div_ceil(50).max(1);
    let mut text = String::new();
    for (per_band, window) in STEPS {
        text = guarded(&document(report, per_band, window).to_string());
        if text.len() <= budget {
            break;
        }
    }
    text
}

/// JSON that no HTML parser mistakes for markup.
fn guarded(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 16);
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

fn document(report: &UnitReport, per_band: usize, window: usize) -> Value {
    let mut tokens = Tokens::new(report, per_band, window);
    let manifest = &report.manifest;
    let measures = MEASURES.iter().map(|one| json!([one.name, one.label, one.about, one.weights, one.share]));
    let labels = |labels: &[golgi_data::atlas::LabelCount]| -> Vec<Value> {
        labels.iter().map(|one| json!([short(&one.label), one.tokens])).collect()
    };
    let units: Vec<Value> = report.pages.iter().map(|page| unit(page, &mut tokens, per_band, window)).collect();
    json!({
        "subtitle": sentence(&subtitle(manifest)),
        "query": report.query.as_deref().map(|query| token(query).chars().take(2000).collect::<String>()),
        "measures": measures.collect::<Vec<_>>(),
        "languages": labels(&manifest.languages),
        "genres": labels(&manifest.genres),
        "bands": (0..=manifest.bands.len() as i8).map(|band| band_name(manifest, band)).collect::<Vec<_>>(),
        "bin": manifest.positions_per_bin,
        "skip": manifest.skip_first,
        "null": number(manifest.correlation_null.map(f64::from)),
        "provenance": provenance(manifest).into_iter().map(|(label, value)| json!([label, sentence(&value)])).collect::<Vec<_>>(),
        "warnings": report.warnings.iter().map(|warning| sentence(warning)).collect::<Vec<_>>(),
        "units": units,
        "tokens": tokens.texts,
    })
}

fn unit(page: &Page, tokens: &mut Tokens, per_band: usize, window: usize) -> Value {
    let statistics: Vec<Value> = MEASURES
        .iter()
        .map(|measure| {
            let found = page.statistics.iter().find(|statistic| statistic.name == measure.name);
            match found.and_then(|statistic| Some((statistic.value?, statistic.percentile))) {
                Some((value, percentile)) => {
                    json!([number(Some(value)), percentile.map(|p| (f64::from(p) * 10.0).round() / 10.0)])
                }
                None => Value::Null,
            }
        })
        .collect();
    let mut list = |values: &[TokenValue]| -> Vec<Value> {
        let values = values.iter().take(MAX_LIST);
        values.map(|one| json!([tokens.id(&one.text), number(Some(one.value.into())), one.count])).collect()
    };
    let (top, bottom) = (list(&page.top_tokens), list(&page.bottom_tokens));
    let (promoted, suppressed) = (list(&page.promoted), list(&page.suppressed));
    let neighbours = |list: &[golgi_data::atlas::Neighbour]| -> Vec<Value> {
        list.iter().take(MAX_LIST).map(|one| json!([one.unit.short(), number(Some(one.value.into()))])).collect()
    };
    let pairs = |values: &mut dyn Iterator<Item = (f32, f32)>| -> Vec<Value> {
        values.map(|(mean, rate)| json!([number(Some(mean.into())), number(Some(rate.into()))])).collect()
    };
    let histogram = page.histogram.first().zip(page.histogram.last()).map(|(first, last)| {
        let counts: Vec<u64> = page.histogram.iter().map(|bar| bar.count.max(0.0).ceil() as u64).collect();
        json!([number(Some(first.low.into())), number(Some(last.high.into())), counts])
    });
    let scale = colour_scale(page);
    let shown: Vec<Value> = chosen(page, per_band).map(|one| example(one, tokens, window)).collect();
    json!({
        "n": page.short,
        "a": page.unit.to_string(),
        "k": kind_name(page),
        "l": page.layer,
        "f": page.families.iter().take(MAX_LIST).map(|family| json!([
            sentence(&family.family), sentence(&family.kind), number(Some(family.score.into())),
            number(Some(family.threshold.into())), sentence(&family.evidence)
        ])).collect::<Vec<_>>(),
        "e": page.explanations.iter().take(MAX_LIST).map(explanation).collect::<Vec<_>>(),
        "s": statistics,
        "h": histogram,
        "p": pairs(&mut page.positions.iter().map(|one| (one.mean, one.rate))),
        "lg": pairs(&mut page.languages.iter().map(|one| (one.mean, one.rate))),
        "ge": pairs(&mut page.genres.iter().map(|one| (one.mean, one.rate))),
        "top": top,
        "bot": bottom,
        "pro": promoted,
        "sup": suppressed,
        "nw": neighbours(&page.nearest_by_weights),
        "nc": neighbours(&page.nearest_by_correlation),
        "t": page.triggers.iter().take(MAX_LIST).map(|one| json!([
            short(&one.text), one.n, one.fired, one.occurs, one.error
        ])).collect::<Vec<_>>(),
        "m": number(Some(scale.into())),
        "x": shown,
        "cut": page.examples.len() - shown.len(),
    })
}

/// Text, who says so, who judged, and each score with its null.
fn explanation(one: &Explanation) -> Value {
    let scores = one.scores.iter().take(MAX_LIST).map(|(name, parts)| {
        let part = |name: &str| number(parts.get(name).copied().flatten());
        json!([short(name), part("score"), part("null")])
    });
    json!([sentence(&one.text), sentence(&one.by), sentence(&one.judge), scores.collect::<Vec<_>>()])
}

/// The first examples of each band.
fn chosen(page: &Page, per_band: usize) -> impl Iterator<Item = &Example> {
    page.examples.iter().filter(move |example| usize::from(example.rank) < per_band)
}

/// The part of an example that is shown: `window` tokens around the peak.
fn cropped(example: &Example, window: usize) -> std::ops::Range<usize> {
    let n = example.tokens.len().min(example.values.len());
    if n <= window {
        return 0..n;
    }
    let first = example.peak.saturating_sub(window * 2 / 3).min(n - window);
    first..first + window
}

fn example(example: &Example, tokens: &mut Tokens, window: usize) -> Value {
    let part = cropped(example, window);
    let peak = example.peak.clamp(part.start, part.end.max(part.start + 1) - 1) - part.start;
    let ids: Vec<usize> = example.tokens[part.clone()].iter().map(|text| tokens.id(text)).collect();
    let labels: Vec<String> = [&example.language, &example.genre].into_iter().flatten().map(|one| short(one)).collect();
    // Each example has a scale of its own, so that small activations keep their digits beside a huge one elsewhere.
    let scale = largest(&example.values[part.clone()]);
    json!([
        example.band,
        number(Some(example.value.into())),
        peak,
        ids,
        number(Some(scale.into())),
        encoded(&example.values[part], scale),
        labels.join(" · "),
        short(&example.document),
        example.position,
    ])
}

fn largest(values: &[f32]) -> f32 {
    values.iter().filter(|value| value.is_finite()).fold(0.0, |scale, value| scale.max(value.abs()))
}

/// The activation that is coloured in full: the largest median of a band's peaks. One activation that is a thousand times as
/// strong as all others, as there are in many models, then does not leave the others white.
pub(super) fn colour_scale(page: &Page) -> f32 {
    let mut bands: BTreeMap<i8, Vec<f32>> = BTreeMap::new();
    for example in page.examples.iter().filter(|example| example.value.is_finite()) {
        bands.entry(example.band).or_default().push(example.value.abs());
    }
    let median = |mut peaks: Vec<f32>| {
        peaks.sort_by(f32::total_cmp);
        peaks[peaks.len() / 2]
    };
    let scale = bands.into_values().map(median).fold(0.0, f32::max);
    if scale > 0.0 { scale } else { page.examples.iter().map(|example| largest(&example.values)).fold(0.0, f32::max) }
}

/// Two characters for each activation, from −`scale` to `scale`.
fn encoded(values: &[f32], scale: f32) -> String {
    let digits = values.iter().flat_map(|value| {
        let strength = if value.is_finite() && scale > 0.0 { (value / scale).clamp(-1.0, 1.0) } else { 0.0 };
        let step = (strength * LEVELS).round() as i32 + 2048;
        [DIGITS[(step / 64) as usize & 63], DIGITS[(step % 64) as usize & 63]]
    });
    digits.map(char::from).collect()
}

/// Every text of a token once, the frequent ones first, so that their numbers are short.
struct Tokens {
    texts: Vec<String>,
    ids: HashMap<String, usize>,
}

impl Tokens {
    fn new(report: &UnitReport, per_band: usize, window: usize) -> Tokens {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for example in report.pages.iter().flat_map(|page| chosen(page, per_band)) {
            for text in &example.tokens[cropped(example, window)] {
                *counts.entry(text).or_default() += 1;
            }
        }
        let mut texts: Vec<(&str, usize)> = counts.into_iter().collect();
        texts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let mut tokens = Tokens { texts: Vec::new(), ids: HashMap::new() };
        for (text, _) in texts {
            tokens.id(text);
        }
        tokens
    }

    fn id(&mut self, text: &str) -> usize {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        self.ids.insert(text.to_owned(), self.texts.len());
        self.texts.push(short(text));
        self.texts.len() - 1
    }
}

/// A text of the corpus, visible and harmless, its end left away where it is very long.
pub(super) fn short(text: &str) -> String {
    limited(&token(text), MAX_CHARS, MAX_BYTES)
}

/// The same with spaces at its edges shown.
pub(super) fn short_line(text: &str) -> String {
    limited(&one_line(text), MAX_CHARS, MAX_BYTES)
}

fn sentence(text: &str) -> String {
    limited(&token(text), MAX_SENTENCE, 2 * MAX_SENTENCE)
}

fn limited(text: &str, max_chars: usize, max_bytes: usize) -> String {
    if text.len() <= max_bytes && text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars().take(max_chars - 1) {
        if out.len() + c.len_utf8() + 3 > max_bytes {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// A number with four digits; nothing for what is no number.
fn number(value: Option<f64>) -> Value {
    let Some(value) = value.filter(|value| value.is_finite()) else { return Value::Null };
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 { json!(rounded as i64) } else { json!(rounded) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &str, scale: f32) -> Vec<f32> {
        let digit = |byte: u8| DIGITS.iter().position(|one| *one == byte).unwrap() as f32;
        text.as_bytes()
            .chunks(2)
            .map(|pair| (digit(pair[0]) * 64.0 + digit(pair[1]) - 2048.0) / LEVELS * scale)
            .collect()
    }

    proptest! {
        #[test]
        fn activations_keep_three_digits(values in prop::collection::vec(-50f32..50.0, 0..40)) {
            let scale = values.iter().fold(0f32, |scale, value| scale.max(value.abs()));
            let back = decoded(&encoded(&values, scale), scale);
            prop_assert_eq!(back.len(), values.len());
            for (value, back) in values.iter().zip(back) {
                prop_assert!((value - back).abs() <= scale / LEVELS, "{} became {}", value, back);
            }
        }

        #[test]
        fn texts_are_short_and_harmless(text in any::<String>()) {
            let short = short(&text);
            prop_assert!(short.chars().count() <= MAX_CHARS && short.len() <= MAX_BYTES);
            prop_assert!(!short.contains(char::is_control));
            let json = guarded(&json!(short).to_string());
            prop_assert!(!json.contains(['<', '>', '&']));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), short);
        }
    }

    #[test]
    fn one_huge_activation_does_not_set_the_colours() {
        let folder = tempfile::tempdir().unwrap();
        golgi_data::atlas::testing::Fixture::default().write(folder.path()).unwrap();
        let mut page = golgi_data::atlas::Atlas::open(folder.path()).unwrap().page(46).unwrap();
        let before = colour_scale(&page);
        assert!(before > 1.0 && before < 5.1, "{before}");
        page.examples[0].value = 1000.0;
        assert!((colour_scale(&page) - before).abs() < 1.0);
        page.examples.clear();
        assert_eq!(colour_scale(&page), 0.0);
    }

    #[test]
    fn numbers_have_four_digits() {
        assert_eq!(number(Some(1.0 / 3.0)), json!(0.3333));
        assert_eq!(number(Some(123_456.0)), json!(123_500));
        assert_eq!(number(Some(f64::NAN)), Value::Null);
        assert_eq!(number(Some(-2.0)), json!(-2));
    }
}
