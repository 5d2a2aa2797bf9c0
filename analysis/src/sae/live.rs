//! A running model as a source of rows: training without a store.

use golgi_data::context::RunContext;
use golgi_data::corpus::PackedCorpus;
use golgi_data::dictionary::Part;
use golgi_data::site::Site;
use golgi_data::store::StorePlan;
use golgi_probes::OpenModel;
use golgi_sae::SaeError;
use golgi_sae::train::{Origin, Producer};

use super::rows::activations;
use crate::AnalysisError;
use crate::harvest::{HarvestError, HarvestParams, plan};

/// What a model computes over a corpus, for [`Live`](golgi_sae::train::Live).
pub struct ModelRows<'a> {
    model: &'a OpenModel,
    corpus: &'a PackedCorpus,
    plan: StorePlan,
    sites: Vec<Site>,
    parts: Vec<Part>,
    /// Contexts of one length, that go through the model together.
    groups: Vec<Vec<u32>>,
    /// Rows of each group, BOS left out.
    rows: Vec<usize>,
    batch_tokens: usize,
    ctx: &'a RunContext,
}

impl<'a> ModelRows<'a> {
    /// Fixes sites and contexts, as a harvest does.
    ///
    /// # Errors
    /// As [`plan`].
    pub fn new(
        model: &'a OpenModel,
        corpus: &'a PackedCorpus,
        params: &HarvestParams,
        ctx: &'a RunContext,
    ) -> Result<ModelRows<'a>, HarvestError> {
        let (plan, sites) = plan(model, corpus, params, ctx.seed())?;
        let parts =
            plan.manifest().sites.iter().map(|site| Part { site: site.site.clone(), width: site.width }).collect();
        let groups: Vec<Vec<u32>> = (0..plan.shards()).flat_map(|shard| plan.groups(shard).to_vec()).collect();
        let length = |context: &u32| usize::from(plan.contexts()[*context as usize].len);
        let rows = groups.iter().map(|group| group.iter().map(length).sum()).collect();
        let batch_tokens = params.batch_tokens;
        Ok(ModelRows { model, corpus, plan, sites, parts, groups, rows, batch_tokens, ctx })
    }
}

impl Producer for ModelRows<'_> {
    fn origin(&self) -> Result<Origin, SaeError> {
        let manifest = self.plan.manifest();
        Origin::new(manifest, &(manifest, self.batch_tokens), manifest.contexts.tokens)
    }

    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn groups(&self) -> &[usize] {
        &self.rows
    }

    fn compute(&self, group: usize) -> Result<Vec<Vec<f32>>, SaeError> {
        self.ctx.check()?;
        let contexts = self.groups.get(group).map(Vec::as_slice).unwrap_or_default();
        let sequences = contexts.iter().map(|context| self.plan.sequence(*context, self.corpus)).collect();
        let groups: Vec<&[Site]> = self.sites.iter().map(std::slice::from_ref).collect();
        let skips_first = self.plan.manifest().contexts.bos.is_some();
        activations(self.model, sequences, &groups, skips_first).map_err(|error| match error {
            AnalysisError::Probe(error) => error.into(),
            AnalysisError::Sae(error) => error,
            other => SaeError::Settings(other.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use golgi_data::corpus::{PackedDocument, Split};
    use golgi_data::dictionary::Architecture;
    use golgi_data::site::SitePattern;
    use golgi_data::store::Store;
    use golgi_sae::Settings;
    use golgi_sae::train::{Job, Live, RunOptions, Source, run};

    use super::*;
    use crate::harvest::harvest;
    use crate::testing::{Family, VOCAB, random};

    const SITES: [&str; 2] = ["blocks.0.hook_resid_post", "blocks.1.hook_resid_post"];

    fn corpus() -> PackedCorpus {
        let document = |i: usize| {
            let (id, split) = (format!("d{i}"), Split::Explore);
            let document = PackedDocument { id, start: 0, len: 0, language: 0, genre: 0, split };
            (document, (0..30 + 13 * i).map(|k| ((i * 7 + k * k) % VOCAB) as u32).collect())
        };
        PackedCorpus::in_memory("planted", (0..12).map(document).collect(), vec!["en".into()], vec![])
    }

    fn params() -> HarvestParams {
        let sites = SITES.iter().map(|site| SitePattern::new(site).unwrap()).collect();
        HarvestParams { context: 16, batch_tokens: 64, ..HarvestParams::new(sites, 100_000) }
    }

    fn jobs() -> Vec<Job> {
        let mut settings = Settings::published(Architecture::TopK { k: 3 }, 24, 30);
        (settings.batch, settings.max_norm) = (100, None);
        let inputs = SITES.map(str::to_owned).to_vec();
        let crosscoder = Job {
            name: "both".into(),
            settings: settings.clone().of_crosscoder(),
            inputs: inputs.clone(),
            outputs: vec![],
            skips: false,
            cross_layer: false,
        };
        let one = Job { name: "one".into(), settings, inputs: inputs[..1].to_vec(), ..crosscoder.clone() };
        vec![crosscoder, one]
    }

    #[test]
    fn the_rows_of_an_epoch_are_those_of_a_store() {
        let (model, corpus, ctx) = (random(Family::Llama, 4), corpus(), RunContext::new(2));
        let folder = tempfile::tempdir().unwrap();
        harvest(&model, &corpus, &params(), folder.path(), false, &ctx).unwrap();
        let store = Store::open(folder.path()).unwrap();
        let producer = ModelRows::new(&model, &corpus, &params(), &ctx).unwrap();
        let live = Live::new(&producer, 100, 3, 0).unwrap();
        let (job, total) = (&jobs()[0], live.origin().unwrap().rows);
        assert_eq!(store.origin().unwrap().rows, total);
        let rows = |source: &dyn Source| {
            let (mut batches, mut input, mut all) = (source.batches(job).unwrap(), Vec::new(), Vec::new());
            for _ in 0..total / 100 {
                batches.next_into(&mut input, &mut Vec::new()).unwrap();
                all.extend(input.chunks(24).map(|row| row.iter().map(|value| (value * 1e3).round() as i64).collect()));
            }
            all
        };
        let (mut stored, computed): (Vec<Vec<i64>>, Vec<Vec<i64>>) = (rows(&store), rows(&live));
        // The same rows but for those that fill no batch at the end, in another order.
        stored.sort_unstable();
        let near = |row: &&Vec<i64>| {
            let place = stored.partition_point(|one| one[0] < row[0] - 1);
            let mut like = stored[place..].iter().take_while(|one| one[0] <= row[0] + 1);
            like.any(|one| one.iter().zip(*row).all(|(a, b)| a.abs_diff(*b) <= 1))
        };
        let found = computed.iter().filter(near).count();
        assert!(found + 100 > computed.len() && found > computed.len() * 9 / 10, "{found} of {}", computed.len());
    }

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let read = |name: &str| (name.to_owned(), std::fs::read(folder.join(name)).unwrap());
        let names =
            ["both/weights.safetensors", "both/history.jsonl", "one/weights.safetensors", "one/dictionary.json"];
        names.map(read).into()
    }

    #[test]
    fn a_run_of_a_model_that_is_stopped_ends_with_the_same_bytes() {
        let (model, corpus) = (random(Family::Gpt2, 4), corpus());
        let folder = tempfile::tempdir().unwrap();
        let run_to = |out: &str, stop: Option<u64>| {
            let ctx = RunContext::new(2);
            stop.into_iter().for_each(|steps| ctx.cancel_at(steps));
            let producer = ModelRows::new(&model, &corpus, &params(), &ctx).unwrap();
            let live = Live::new(&producer, 100, 3, 0).unwrap();
            run(&live, jobs(), RunOptions::default(), &folder.path().join(out), true, &ctx).unwrap()
        };
        assert!(!run_to("whole", None).stopped);
        for stop in [7, 1, 18] {
            assert!(run_to("broken", Some(stop)).stopped);
        }
        assert_eq!(run_to("broken", None).steps, 60 - 26);
        assert!(files(&folder.path().join("whole")) == files(&folder.path().join("broken")));
    }
}
