//! The fixture's tables.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use super::super::{Manifest, UnitKind};
use super::texts::{NASTY, Texts};
use super::units::{Role, UnitData};
use super::{Fixture, hash, unit_interval};
use crate::tables::{Columns, TableError, write_parquet};

/// Rows that can be read alone.
const GROUP: usize = 256;
/// Entries of the lists of tokens and neighbours.
const LIST: usize = 8;
/// A row of `tokens` or `logits`: unit, side, rank, token, value, count.
type TokenRow = (u32, &'static str, u8, u32, f32, u32);

pub(super) fn write(
    fixture: &Fixture,
    folder: &Path,
    manifest: &Manifest,
    texts: &Texts,
    units: &[UnitData],
) -> Result<(), Box<dyn Error>> {
    let tokens: Vec<TokenRow> = (0u32..).zip(units).flat_map(|(id, unit)| token_rows(id, unit, texts)).collect();
    let logits: Vec<TokenRow> = (0..manifest.units()).flat_map(|id| logit_rows(id, texts)).collect();
    let save = |name: &str, table: Columns| -> Result<(), TableError> {
        write_parquet(&folder.join(format!("{name}.parquet")), &table.build()?, GROUP)
    };
    save("units", unit_columns(manifest, texts, units, &tokens, &logits))?;
    save("profiles", profile_columns(fixture, manifest, texts, units))?;
    save("examples", example_columns(fixture, units))?;
    let (columns, counts) = token_columns(&tokens, texts, "mean");
    save("tokens", columns.u32("count", counts))?;
    save("logits", token_columns(&logits, texts, "logit").0)?;
    save("neighbours", neighbour_columns(manifest))?;
    save("triggers", trigger_columns(texts, units))?;
    save("contexts", context_columns(texts))?;
    if fixture.families {
        save("families", family_columns(fixture, texts, units))?;
    }
    Ok(())
}

fn unit_columns(
    manifest: &Manifest,
    texts: &Texts,
    units: &[UnitData],
    tokens: &[TokenRow],
    logits: &[TokenRow],
) -> Columns {
    let addresses: Vec<_> = (0..manifest.units()).filter_map(|id| manifest.unit(id)).collect();
    let number = |of: &dyn Fn(&UnitData) -> f32| units.iter().map(of).collect::<Vec<f32>>();
    let drawn = |salt: u64, low: f32, high: f32, neurons: bool| -> Vec<Option<f32>> {
        let draw = |(id, unit): (usize, &UnitData)| {
            (!neurons || unit.kind == UnitKind::Neuron).then(|| low + (high - low) * unit_interval(&[salt, id as u64]))
        };
        units.iter().enumerate().map(draw).collect()
    };
    let joined = |rows: &[TokenRow], side: &str| -> Vec<String> {
        let mut lists: Vec<Vec<&str>> = vec![Vec::new(); units.len()];
        for row in rows.iter().filter(|row| row.1 == side && row.2 < 3) {
            lists[row.0 as usize].push(&texts.vocabulary[row.3 as usize]);
        }
        lists.iter().map(|list| list.join(" · ")).collect()
    };
    let strongest = |labels: &[String], of: &dyn Fn(usize) -> usize| -> Vec<String> {
        let best = |unit: &UnitData| {
            let means = (0..labels.len()).map(|label| unit.over(false, |context, _| of(context) == label).0);
            let best = means.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0);
            labels[best].clone()
        };
        units.iter().map(best).collect()
    };
    let mut table = Columns::new()
        .text("unit", addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
        .text("short", addresses.iter().map(|unit| unit.short()).collect::<Vec<_>>())
        .text("kind", units.iter().map(|unit| unit.kind.name()).collect::<Vec<_>>())
        .i32("layer", units.iter().map(|unit| unit.layer as i32).collect::<Vec<_>>())
        .i32("index", units.iter().map(|unit| unit.index as i32).collect::<Vec<_>>())
        .i64("count", units.iter().map(|unit| unit.sorted.len() as i64).collect::<Vec<_>>())
        .f32("mean", number(&|unit| unit.moments()[0] as f32))
        .f32("std", number(&|unit| unit.moments()[1].sqrt() as f32))
        .f32("skewness", number(&|unit| (unit.moments()[2] / unit.moments()[1].powf(1.5)) as f32))
        .f32("kurtosis", number(&|unit| (unit.moments()[3] / unit.moments()[1].powi(2)) as f32))
        .f32("min", number(&|unit| unit.quantile(0.0)))
        .f32("max", number(&|unit| unit.quantile(1.0)))
        .f32("frac_active", number(&|unit| unit.over(false, |_, _| true).1))
        .f32("active_threshold", number(&|unit| unit.threshold))
        .f32("mean_active", units.iter().map(mean_active).collect::<Vec<_>>());
    let quantiles = ["01", "05", "25", "50", "75", "95", "99", "999"];
    for (name, q) in quantiles.iter().zip([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]) {
        table = table.f32(&format!("q{name}"), number(&|unit| unit.quantile(q)));
    }
    table = table.f32("position_mi", number(&|unit| if unit.role == Role::Position { 0.31 } else { 0.004 }));
    let weights = [
        ("norm_in", 0.5, 2.0),
        ("norm_gate", 0.5, 2.0),
        ("norm_out", 0.5, 2.0),
        ("cos_in_out", -0.5, 0.5),
        ("cos_gate_out", -0.5, 0.5),
        ("bias_in", -0.4, 0.1),
        ("vocab_mean", -0.01, 0.01),
        ("vocab_var", 0.0, 0.02),
        ("vocab_skew", -3.0, 3.0),
        ("vocab_kurt", 2.0, 30.0),
    ];
    for (salt, (name, low, high)) in (20u64..).zip(weights) {
        table = table.f32(name, drawn(salt, low, high, name != "norm_out"));
    }
    table
        .text("top_language", strongest(&texts.languages, &|context| texts.contexts[context].language))
        .text("top_genre", strongest(&texts.genres, &|context| texts.contexts[context].genre))
        .text("top_promoted", joined(logits, "promoted"))
        .text("top_suppressed", joined(logits, "suppressed"))
        .text("top_activating", joined(tokens, "top"))
}

fn mean_active(unit: &UnitData) -> Option<f32> {
    let active: Vec<f32> = unit.sorted.iter().copied().filter(|value| unit.is_active(*value)).collect();
    (!active.is_empty()).then(|| active.iter().sum::<f32>() / active.len() as f32)
}

fn profile_columns(fixture: &Fixture, manifest: &Manifest, texts: &Texts, units: &[UnitData]) -> Columns {
    let mut lists: BTreeMap<&str, Vec<Vec<f32>>> = BTreeMap::new();
    let mut counts = Vec::new();
    for unit in units {
        let mut push = |names: [&'static str; 2], (means, rates): (Vec<f32>, Vec<f32>)| {
            lists.entry(names[0]).or_default().push(means);
            lists.entry(names[1]).or_default().push(rates);
        };
        push(["position_mean", "position_rate"], unit.positions(fixture.context_len));
        let language = |label| unit.over(false, |context, _| texts.contexts[context].language == label);
        push(["language_mean", "language_rate"], (0..texts.languages.len()).map(language).unzip());
        let genre = |label| unit.over(false, |context, _| texts.contexts[context].genre == label);
        push(["genre_mean", "genre_rate"], (0..texts.genres.len()).map(genre).unzip());
        let mut bins = vec![0u32; manifest.bins.count()];
        unit.sorted.iter().for_each(|value| bins[manifest.bins.index(*value)] += 1);
        counts.push(bins);
    }
    let names = ["position_mean", "position_rate", "language_mean", "language_rate", "genre_mean", "genre_rate"];
    let table = names.iter().fold(Columns::new(), |table, name| {
        table.f32_lists(name, lists.get(name).map(Vec::as_slice).unwrap_or_default())
    });
    table.u32_lists("histogram", &counts)
}

/// A unit's id, the unit, and an example's band, rank, context and position.
type ExampleRow<'a> = (u32, &'a UnitData, (i8, u8, usize, usize));

fn example_columns(fixture: &Fixture, units: &[UnitData]) -> Columns {
    let rows: Vec<ExampleRow> = (0u32..)
        .zip(units)
        .flat_map(|(id, unit)| unit.examples.iter().map(move |example| (id, unit, *example)))
        .collect();
    let start = |position: usize| position.saturating_sub(fixture.reach);
    let window = |(_, unit, (_, _, context, at)): &ExampleRow| {
        let values = &unit.values[*context];
        values[start(*at)..(at + fixture.reach + 1).min(values.len())].to_vec()
    };
    Columns::new()
        .u32("unit", rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .i8("band", rows.iter().map(|row| row.2.0).collect::<Vec<_>>())
        .u8("rank", rows.iter().map(|row| row.2.1).collect::<Vec<_>>())
        .u32("context", rows.iter().map(|row| row.2.2 as u32).collect::<Vec<_>>())
        .u16("position", rows.iter().map(|row| row.2.3 as u16).collect::<Vec<_>>())
        .f32("value", rows.iter().map(|row| row.1.values[row.2.2][row.2.3]).collect::<Vec<_>>())
        .u16("window_start", rows.iter().map(|row| start(row.2.3) as u16).collect::<Vec<_>>())
        .f32_lists("window", &rows.iter().map(window).collect::<Vec<_>>())
}

/// The tokens at which a unit is strongest and weakest on average.
fn token_rows(id: u32, unit: &UnitData, texts: &Texts) -> Vec<TokenRow> {
    let mut sums: BTreeMap<u32, (f32, u32)> = BTreeMap::new();
    for (context, values) in texts.contexts.iter().zip(&unit.values) {
        for (token, value) in context.tokens.iter().zip(values).skip(1) {
            let entry = sums.entry(*token).or_default();
            *entry = (entry.0 + value, entry.1 + 1);
        }
    }
    let mut means: Vec<(u32, f32, u32)> = sums.iter().map(|(token, (sum, n))| (*token, sum / *n as f32, *n)).collect();
    means.sort_by(|a, b| b.1.total_cmp(&a.1));
    let side = |name: &'static str, list: &mut dyn Iterator<Item = &(u32, f32, u32)>| -> Vec<TokenRow> {
        list.take(LIST).zip(0u8..).map(|((token, mean, n), rank)| (id, name, rank, *token, *mean, *n)).collect()
    };
    [side("top", &mut means.iter()), side("bottom", &mut means.iter().rev())].concat()
}

fn logit_rows(id: u32, texts: &Texts) -> Vec<TokenRow> {
    let row = |(side, sign): (&'static str, f32), rank: u8| {
        let token =
            1 + hash(&[6, id.into(), rank.into(), side.len() as u64]) as u32 % (texts.vocabulary.len() as u32 - 1);
        let size = 1.2 - 0.12 * f32::from(rank) + 0.05 * unit_interval(&[7, id.into(), rank.into()]);
        (id, side, rank, token, sign * size, 0)
    };
    let sides = [("promoted", 1.0), ("suppressed", -1.0)];
    sides.into_iter().flat_map(|side| (0..LIST as u8).map(move |rank| row(side, rank))).collect()
}

fn token_columns(rows: &[TokenRow], texts: &Texts, value: &str) -> (Columns, Vec<u32>) {
    let table = Columns::new()
        .u32("unit", rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .text("side", rows.iter().map(|row| row.1).collect::<Vec<_>>())
        .u8("rank", rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .u32("token", rows.iter().map(|row| row.3).collect::<Vec<_>>())
        .text("text", rows.iter().map(|row| texts.vocabulary[row.3 as usize].as_str()).collect::<Vec<_>>())
        .f32(value, rows.iter().map(|row| row.4).collect::<Vec<_>>());
    (table, rows.iter().map(|row| row.5).collect())
}

fn neighbour_columns(manifest: &Manifest) -> Columns {
    let n = manifest.units();
    let row = |id: u32, by: &'static str, rank: u8| {
        let other = hash(&[8, id.into(), rank.into(), by.len() as u64]) as u32 % n;
        let value = 0.9 - 0.1 * f32::from(rank) - 0.05 * unit_interval(&[9, id.into(), rank.into()]);
        (id, by, rank, if other == id { (other + 1) % n } else { other }, value)
    };
    let rows: Vec<_> = (0..n)
        .flat_map(|id| ["weights", "correlation"].map(|by| (0..LIST as u8).map(move |rank| row(id, by, rank))))
        .flatten()
        .collect();
    Columns::new()
        .u32("unit", rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .text("by", rows.iter().map(|row| row.1).collect::<Vec<_>>())
        .u8("rank", rows.iter().map(|row| row.2).collect::<Vec<_>>())
        .u32("other", rows.iter().map(|row| row.3).collect::<Vec<_>>())
        .f32("value", rows.iter().map(|row| row.4).collect::<Vec<_>>())
}

/// The words that detectors fire at.
fn trigger_columns(texts: &Texts, units: &[UnitData]) -> Columns {
    let word = |unit: &UnitData| if let Role::Token(word) = unit.role { Some(word) } else { None };
    let rows: Vec<(u32, u32)> = (0u32..).zip(units).filter_map(|(id, unit)| Some((id, word(unit)?))).collect();
    let occurs = |word: u32| -> u32 {
        texts
            .contexts
            .iter()
            .map(|context| context.tokens[1..].iter().filter(|token| **token == word).count() as u32)
            .sum()
    };
    let counts: Vec<u32> = rows.iter().map(|row| occurs(row.1)).collect();
    Columns::new()
        .u32("unit", rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .u8("n", vec![1u8; rows.len()])
        .u8("rank", vec![0u8; rows.len()])
        .text("tokens", rows.iter().map(|row| texts.vocabulary[row.1 as usize].as_str()).collect::<Vec<_>>())
        .u32_lists("ids", &rows.iter().map(|row| vec![row.1]).collect::<Vec<_>>())
        .u32("fired", counts.clone())
        .u32("occurs", counts)
        .u32("error", vec![0u32; rows.len()])
}

fn context_columns(texts: &Texts) -> Columns {
    let contexts = &texts.contexts;
    let ids: Vec<u32> = (0..contexts.len() as u32).collect();
    let piece = |token: &u32| texts.vocabulary[*token as usize].clone();
    Columns::new()
        .u32("context", ids.clone())
        .u32("document", ids)
        .text("document_id", contexts.iter().map(|context| context.document.as_str()).collect::<Vec<_>>())
        .u32("start", vec![0u32; contexts.len()])
        .text("language", contexts.iter().map(|context| texts.languages[context.language].as_str()).collect::<Vec<_>>())
        .text("genre", contexts.iter().map(|context| texts.genres[context.genre].as_str()).collect::<Vec<_>>())
        .text("split", vec!["explore"; contexts.len()])
        .u32_lists("tokens", &contexts.iter().map(|context| context.tokens.clone()).collect::<Vec<_>>())
        .text_lists("pieces", &contexts.iter().map(|c| c.tokens.iter().map(piece).collect()).collect::<Vec<_>>())
}

fn family_columns(fixture: &Fixture, texts: &Texts, units: &[UnitData]) -> Columns {
    let entry = |unit: &UnitData| {
        let word = |word: u32| texts.vocabulary[word as usize].as_str();
        Some(match unit.role {
            Role::Token(at) => {
                ("token detector", "unigram", 0.97, format!("97 % of its activity is explained by `{}`", word(at)))
            }
            Role::After(at) => ("n-gram detector", "previous token", 0.95, format!("fires behind `{}`", word(at))),
            Role::Language(at) => {
                ("language", "mean shift", 0.82, format!("language explains 82 %: {}", texts.languages[at]))
            }
            Role::Position => ("positional", "decaying", 0.31, "0.31 nats between position and activation".to_owned()),
            Role::Dead => ("dead", "never active", 0.0, "not active at any token seen".to_owned()),
            Role::Dense => return None,
        })
    };
    let rows: Vec<_> = (0u32..).zip(units).filter_map(|(id, unit)| Some((id, entry(unit)?))).collect();
    let evidence = |text: &str| if fixture.hostile { format!("{text} {NASTY}") } else { text.to_owned() };
    Columns::new()
        .u32("unit", rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .text("family", rows.iter().map(|row| row.1.0).collect::<Vec<_>>())
        .text("kind", rows.iter().map(|row| row.1.1).collect::<Vec<_>>())
        .f32("score", rows.iter().map(|row| row.1.2).collect::<Vec<f32>>())
        .f32("threshold", vec![0.05f32; rows.len()])
        .text("evidence", rows.iter().map(|row| evidence(&row.1.3)).collect::<Vec<_>>())
}
