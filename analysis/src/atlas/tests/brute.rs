//! Every table beside brute force.

use std::collections::HashMap;

use golgi_data::atlas::{Atlas, Page, UnitKind};
use golgi_data::corpus::{Context, ContextOptions, PackedCorpus, batches, contexts};
use golgi_data::tables::{FloatLists, f32s, i8s, u8s, u16s, u32s};
use golgi_data::unit::Unit;
use golgi_probes::{Batch, Capture, ForwardOptions, OpenModel, Tensor};

use super::{built, corpus, options};
use crate::atlas::examples::{BANDS, PER_BAND, TOP};
use crate::atlas::lanes::mix;
use crate::distribution::floats;
use crate::testing::{Family, random};

/// The activations of one unit: per context, per position.
struct Brute {
    contexts: Vec<Context>,
    tokens: Vec<Vec<u32>>,
    /// By site name: per context `[pos][unit]`.
    values: HashMap<String, Vec<Vec<Vec<f32>>>>,
}

impl Brute {
    fn new(model: &OpenModel, corpus: &PackedCorpus, len: usize, tokens: u64) -> Brute {
        let mut contexts = contexts(corpus, &ContextOptions { len, tokens, split: None, bos: None });
        contexts.retain(|context| context.len > 1);
        let tokens: Vec<Vec<u32>> = contexts.iter().map(|context| corpus.context_tokens(context).to_vec()).collect();
        let mut values: HashMap<String, Vec<Vec<Vec<f32>>>> = HashMap::new();
        // The batches of the build: another one would be rounded differently by the model itself.
        for numbers in batches(&contexts, options().batch_tokens) {
            let patterns = ["blocks.*.mlp.hook_post", "blocks.*.attn.hook_z", "blocks.*.hook_resid_post"];
            let patterns = patterns.map(|pattern| golgi_data::site::SitePattern::new(pattern).unwrap());
            let mut capture = Capture::new(patterns.to_vec());
            let ids: Vec<i64> =
                numbers.iter().flat_map(|number| &tokens[*number as usize]).map(|id| i64::from(*id)).collect();
            let ids = Tensor::from_slice(&ids).view([numbers.len() as i64, -1]);
            model.model.forward(&Batch::from_tensors(ids, None), &mut capture, ForwardOptions::default()).unwrap();
            for (site, tensor) in capture.into_trace(Vec::new()).unwrap().sites {
                let name = site.to_string();
                let tensor =
                    if name.contains("hook_z") { tensor.f_norm_scalaropt_dim(2.0, -1, false).unwrap() } else { tensor };
                let width = *tensor.size().last().unwrap() as usize;
                let rows: Vec<Vec<f32>> = floats(&tensor).unwrap().chunks(width).map(<[f32]>::to_vec).collect();
                let all = values.entry(name).or_insert_with(|| vec![Vec::new(); contexts.len()]);
                for (number, rows) in numbers.iter().zip(rows.chunks(rows.len() / numbers.len())) {
                    all[*number as usize] = rows.to_vec();
                }
            }
        }
        Brute { contexts, tokens, values }
    }

    /// `(context, position, token, value)` of every position.
    fn of(&self, unit: &Unit) -> Vec<(usize, usize, u32, f32)> {
        let values = &self.values[&unit.site.to_string()];
        let each = |context: usize| {
            let rows = values[context].iter().zip(&self.tokens[context]).enumerate();
            rows.map(move |(position, (row, token))| (context, position, *token, row[unit.index as usize]))
        };
        (0..values.len()).flat_map(each).collect()
    }
}

fn near(found: f64, truth: f64, allowed: f64, what: &str) {
    assert!((found - truth).abs() <= allowed * truth.abs().max(0.05), "{what}: {found} for {truth}");
}

fn check_moments(page: &Page, values: &[f64]) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let power = |k: i32| values.iter().map(|x| (x - mean).powi(k)).sum::<f64>() / n;
    let std = power(2).sqrt();
    let truth =
        [("mean", mean), ("std", std), ("skewness", power(3) / std.powi(3)), ("kurtosis", power(4) / std.powi(4))];
    for (name, truth) in truth {
        near(page.statistic(name).unwrap(), truth, 1e-6, name);
    }
    assert_eq!(page.statistic("min"), values.iter().copied().reduce(f64::min));
    assert_eq!(page.statistic("max"), values.iter().copied().reduce(f64::max));
}

/// The mean and the share of active values of those for which `of` is true.
fn part(
    values: &[(usize, usize, u32, f32)],
    page: &Page,
    signed: bool,
    of: impl Fn(usize, usize, u32) -> bool,
) -> (f64, f64, usize) {
    let threshold = page.statistic("active_threshold").unwrap() as f32;
    let own: Vec<f32> = values.iter().filter(|v| of(v.0, v.1, v.2)).map(|v| v.3).collect();
    let active = own.iter().filter(|x| if signed { **x > threshold } else { x.abs() > threshold }).count();
    (own.iter().map(|x| f64::from(*x)).sum::<f64>() / own.len() as f64, active as f64 / own.len() as f64, own.len())
}

#[test]
fn statistics_equal_brute_force() {
    for family in [Family::Llama, Family::Gpt2] {
        let (model, corpus, folder) = (random(family, 3), corpus(60, 2), tempfile::tempdir().unwrap());
        let manifest = built(&model, &corpus, &options(), folder.path()).unwrap();
        let atlas = Atlas::open(folder.path()).unwrap();
        let brute = Brute::new(&model, &corpus, 16, 900);
        assert_eq!(manifest.contexts as usize, brute.contexts.len());
        for id in 0..manifest.units() {
            let page = atlas.page(id).unwrap();
            let all = brute.of(&page.unit);
            let counted: Vec<_> = all.iter().copied().filter(|value| value.1 > 0).collect();
            assert_eq!(page.statistic("count"), Some(counted.len() as f64));
            check_moments(&page, &counted.iter().map(|value| f64::from(value.3)).collect::<Vec<_>>());
            let signed = family == Family::Gpt2 && manifest.group_of(id).unwrap().kind == UnitKind::Neuron;
            assert!(!signed || page.statistic("active_threshold") == Some(0.0));
            let (_, rate, _) = part(&counted, &page, signed, |_, _, _| true);
            near(page.statistic("frac_active").unwrap(), rate, 1e-6, "frac_active");
            for entry in &page.positions {
                let (mean, rate, _) = part(&all, &page, signed, |_, position, _| position == entry.position as usize);
                near(f64::from(entry.mean), mean, 1e-6, "position mean");
                near(f64::from(entry.rate), rate, 1e-6, "position rate");
            }
            for (label, entry) in page.languages.iter().enumerate() {
                let language = |context: usize| corpus.documents()[brute.contexts[context].document as usize].language;
                let own = |context: usize, _: usize, _: u32| usize::from(language(context)) == label;
                let (mean, rate, count) = part(&counted, &page, signed, own);
                assert_eq!(entry.tokens, count as u64);
                near(f64::from(entry.mean), mean, 1e-6, "language mean");
                near(f64::from(entry.rate), rate, 1e-6, "language rate");
            }
            // Every token of this vocabulary is tracked, so the list starts with the best of all.
            let means: Vec<(u32, f64, usize)> = (0..23)
                .map(|token| {
                    let (mean, _, count) = part(&counted, &page, signed, |_, _, other| other == token);
                    (token, mean, count)
                })
                .filter(|(_, _, count)| *count as u32 >= manifest.tracked.min_count)
                .collect();
            let best = means.iter().map(|mean| mean.1).fold(f64::NEG_INFINITY, f64::max);
            near(f64::from(page.top_tokens[0].value), best, 1e-4, "top token");
            for listed in page.top_tokens.iter().chain(&page.bottom_tokens) {
                let own = means.iter().find(|mean| mean.0 == listed.token).unwrap();
                assert_eq!(listed.count, Some(own.2 as u32));
                near(f64::from(listed.value), own.1, 1e-4, "token mean");
            }
        }
    }
}

/// Rank, context, position and value of an example.
type Listed = (u8, usize, usize, f32);

#[test]
fn examples_equal_brute_force() {
    let (model, corpus, folder) = (random(Family::Gpt2, 4), corpus(60, 3), tempfile::tempdir().unwrap());
    let options = super::BuildOptions { tokens: 3000, ..options() };
    let manifest = built(&model, &corpus, &options, folder.path()).unwrap();
    let atlas = Atlas::open(folder.path()).unwrap();
    let brute = Brute::new(&model, &corpus, 16, 3000);
    let table = atlas.table("examples").unwrap();
    let (unit, band, rank) =
        (u32s(&table, "unit").unwrap(), i8s(&table, "band").unwrap(), u8s(&table, "rank").unwrap());
    let (context, position) = (u32s(&table, "context").unwrap(), u16s(&table, "position").unwrap());
    let (value, start) = (f32s(&table, "value").unwrap(), u16s(&table, "window_start").unwrap());
    let window = FloatLists::of(&table, "window").unwrap();
    let mut found: HashMap<(u32, i8), Vec<Listed>> = HashMap::new();
    for row in 0..table.num_rows() {
        let (context, position) = (context.value(row) as usize, usize::from(position.value(row)));
        found.entry((unit.value(row), band.value(row))).or_default().push((
            rank.value(row),
            context,
            position,
            value.value(row),
        ));
        let own = manifest.unit(unit.value(row)).unwrap();
        let truth = &brute.values[&own.site.to_string()][context];
        let first = usize::from(start.value(row));
        let values = window.floats(row);
        assert_eq!(
            (first, first + values.len()),
            (position.saturating_sub(10).max(1), (position + 11).min(truth.len()))
        );
        for (value, truth) in values.iter().zip(&truth[first..]) {
            near(f64::from(*value), f64::from(truth[own.index as usize]), 1e-3, "window");
        }
    }
    for id in 0..manifest.units() {
        let counted: Vec<_> = brute.of(&manifest.unit(id).unwrap()).into_iter().filter(|value| value.1 > 0).collect();
        // The strongest contexts, each by its best position; in size, where the sign does not count.
        let signed = manifest.group_of(id).unwrap().kind == UnitKind::Neuron;
        let strength = |value: f32| if signed { value } else { value.abs() };
        let mut best: HashMap<usize, f32> = HashMap::new();
        counted.iter().for_each(|v| {
            let entry = best.entry(v.0).or_insert(f32::NEG_INFINITY);
            *entry = entry.max(strength(v.3));
        });
        let mut peaks: Vec<f32> = best.into_values().collect();
        peaks.sort_by(|a, b| b.total_cmp(a));
        let strongest = &found[&(id, 0)];
        assert_eq!(strongest.len(), TOP.min(peaks.len()));
        for (example, peak) in strongest.iter().zip(&peaks) {
            near(f64::from(strength(example.3)), f64::from(*peak), 1e-5, "peak");
        }
        // A band holds the smallest hashes among the values between its own bounds.
        let hash = |context: usize, position: usize| (mix(5 ^ ((context as u64) << 16 | position as u64)) >> 32) as u32;
        for number in 1..=BANDS as i8 {
            let Some(own) = found.get(&(id, number)) else { continue };
            assert!(own.len() <= PER_BAND);
            let (low, high) = own.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |b, e| (b.0.min(e.3), b.1.max(e.3)));
            let largest = own.iter().map(|e| hash(e.1, e.2)).max().unwrap();
            let rivals = counted.iter().filter(|v| v.3 > low + 1e-5 && v.3 < high - 1e-5);
            for rival in rivals.filter(|v| !own.iter().any(|e| (e.1, e.2) == (v.0, v.1))) {
                assert!(own.len() == PER_BAND && hash(rival.0, rival.1) > largest, "{id} {number}");
            }
        }
    }
}

#[test]
fn triggers_equal_brute_force() {
    // Neurons of the first layer depend on little but the token; with a low bias they fire at few of so small a vocabulary.
    let (model, corpus, folder) = (random(Family::Gpt2, 6), corpus(60, 4), tempfile::tempdir().unwrap());
    for index in 0..9 {
        let bias = model.model.blocks[0].mlp.pre.bias.as_ref().unwrap().get(index);
        let _ = bias.shallow_clone().g_sub_scalar_(0.3 * index as f64);
    }
    let manifest = built(&model, &corpus, &options(), folder.path()).unwrap();
    let atlas = Atlas::open(folder.path()).unwrap();
    let brute = Brute::new(&model, &corpus, 16, 900);
    let (mut detectors, mut listed) = (0, 0);
    for id in (0..manifest.units()).filter(|id| manifest.group_of(*id).unwrap().kind == UnitKind::Neuron) {
        let page = atlas.page(id).unwrap();
        let all = brute.of(&page.unit);
        let firing = all.iter().filter(|value| value.1 > 0 && value.3 > 0.0);
        let mut counts: HashMap<u32, (u32, u32)> = HashMap::new();
        all.iter().filter(|value| value.1 > 0).for_each(|value| counts.entry(value.2).or_default().1 += 1);
        let mut fired = 0;
        firing.for_each(|value| {
            fired += 1;
            counts.get_mut(&value.2).unwrap().0 += 1;
        });
        let mut covers: Vec<u32> = counts.values().map(|count| count.0).collect();
        covers.sort_by(|a, b| b.cmp(a));
        let covered: u32 = covers.iter().take(5).sum();
        let is_detector = fired > 0 && f64::from(covered) >= 0.95 * f64::from(fired);
        let unigrams: Vec<_> = page.triggers.iter().filter(|trigger| trigger.n == 1).collect();
        assert!(!is_detector || !unigrams.is_empty(), "the detector {} was lost", page.short);
        detectors += usize::from(is_detector);
        listed += usize::from(!unigrams.is_empty());
        for trigger in unigrams {
            let token = trigger.text.trim_start_matches('#').parse().unwrap();
            let (fired, occurs) = counts[&token];
            assert_eq!(trigger.occurs, occurs);
            assert!(trigger.fired <= fired && trigger.fired + trigger.error >= fired, "{trigger:?} {fired}");
        }
    }
    assert!(detectors > 0, "no detector to be found");
    assert!(listed < 27, "nothing was taken out of the count");
}
