//! A small atlas made by hand, for tests of what reads atlases: here, in the reports and in the window.
//!
//! Every number in it is a true statistic of activations that a formula defines, so pages agree with
//! themselves; only weights, logits and neighbours are drawn at random.
//!
//! ```
//! use golgi_data::atlas::{Atlas, testing::Fixture};
//!
//! let folder = tempfile::tempdir()?;
//! Fixture::default().write(folder.path())?;
//! let atlas = Atlas::open(folder.path())?;
//! let page = atlas.page(atlas.id_of(&"L1N6".parse()?)?)?;
//! assert_eq!(page.families[0].family, "token detector");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod tables;
mod texts;
mod units;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use super::{ATLAS_SCHEMA, Band, Bins, LabelCount, Manifest, Tracked, UnitGroup, UnitKind};
use texts::Texts;
use units::UnitData;

/// What the atlas is to hold.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// Layers of the model.
    pub layers: u32,
    /// Neurons per layer.
    pub neurons: u32,
    /// Heads per layer.
    pub heads: u32,
    /// Dimensions of the residual stream.
    pub residual: u32,
    /// Contexts of the corpus.
    pub contexts: usize,
    /// Tokens per context.
    pub context_len: usize,
    /// Examples of band 0; the bands below have a third of it.
    pub examples: usize,
    /// Tokens on each side of a peak.
    pub reach: usize,
    /// Whether texts, names and labels try to break out of whatever shows them.
    pub hostile: bool,
    /// Whether there is a table of families.
    pub families: bool,
}

impl Default for Fixture {
    fn default() -> Fixture {
        Fixture {
            layers: 3,
            neurons: 40,
            heads: 4,
            residual: 16,
            contexts: 48,
            context_len: 32,
            examples: 12,
            reach: 8,
            hostile: false,
            families: true,
        }
    }
}

/// Positions that share an entry of the position profiles.
const POSITIONS_PER_BIN: usize = 4;
/// The quantile bands of the examples.
const BANDS: [(f64, f64); 5] = [(0.99, 1.0), (0.95, 0.99), (0.85, 0.95), (0.7, 0.85), (0.5, 0.7)];

impl Fixture {
    /// Writes the atlas into `folder`, which must be there.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Manifest, Box<dyn Error>> {
        let texts = Texts::new(self);
        let manifest = self.manifest(&texts);
        let units: Vec<UnitData> = (0..manifest.units()).map(|id| UnitData::new(self, &manifest, &texts, id)).collect();
        tables::write(self, folder, &manifest, &texts, &units)?;
        std::fs::write(folder.join("atlas.json"), format!("{:#}\n", serde_json::to_value(&manifest)?))?;
        Ok(manifest)
    }

    fn manifest(&self, texts: &Texts) -> Manifest {
        let kinds = [
            (UnitKind::Neuron, self.neurons, "mlp.hook_post"),
            (UnitKind::Head, self.heads, "attn.hook_z"),
            (UnitKind::Residual, self.residual, "hook_resid_post"),
        ];
        let mut groups = Vec::new();
        let mut start = 0;
        for (kind, count, point) in kinds {
            for layer in 0..self.layers {
                groups.push(UnitGroup { kind, layer, site: format!("blocks.{layer}.{point}"), start, count });
                start += count;
            }
        }
        let count = |labels: &[String], of: &dyn Fn(usize) -> usize| {
            let tokens = |label: usize| {
                let contexts = (0..texts.contexts.len()).filter(|context| of(*context) == label);
                contexts.map(|context| texts.contexts[context].tokens.len() as u64 - 1).sum()
            };
            labels
                .iter()
                .enumerate()
                .map(|(at, label)| LabelCount { label: label.clone(), tokens: tokens(at) })
                .collect()
        };
        Manifest {
            schema: ATLAS_SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: if self.hostile { texts::NASTY.to_owned() } else { "planted".to_owned() },
            model_digest: "ab".repeat(32),
            family: "gpt2".to_owned(),
            tokenizer_digest: "cd".repeat(32),
            device: "cpu".to_owned(),
            dtype: "float32".to_owned(),
            attention: "explicit".to_owned(),
            seed: 0,
            corpus: if self.hostile { texts::NASTY.to_owned() } else { "planted corpus".to_owned() },
            corpus_digest: "ef".repeat(32),
            split: "explore".to_owned(),
            context_len: self.context_len as u32,
            skip_first: 1,
            tokens: texts.contexts.iter().map(|context| context.tokens.len() as u64).sum(),
            contexts: texts.contexts.len() as u64,
            complete: true,
            provisional: None,
            groups,
            dictionaries: Vec::new(),
            gated: false,
            activation: "gelu".to_owned(),
            active_rule: "neurons: above 0; heads and residual dimensions: |x| above the layer's 95th percentile"
                .to_owned(),
            bins: Bins::default(),
            positions_per_bin: POSITIONS_PER_BIN as u32,
            languages: count(&texts.languages, &|context| texts.contexts[context].language),
            genres: count(&texts.genres, &|context| texts.contexts[context].genre),
            tracked: Tracked { tokens: texts.vocabulary.len() as u32, coverage: 1.0, min_count: 1 },
            bands: BANDS.iter().map(|(low, high)| Band { low: *low, high: *high }).collect(),
            correlation_slots: 4096,
            correlation_null: Some(0.08),
            warnings: if self.hostile { vec![texts::NASTY.to_owned()] } else { Vec::new() },
            files: BTreeMap::new(),
        }
    }
}

/// A number that is the same in every run: 64 bits mixed from the parts.
fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// The same as a number from 0 to 1.
fn unit_interval(parts: &[u64]) -> f32 {
    (hash(parts) >> 40) as f32 / (1u64 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::super::{Atlas, AtlasError, atlases, is_atlas, provisional_folder};
    use super::*;

    #[test]
    fn the_reader_reads_every_unit_whole() {
        for hostile in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let manifest = Fixture { hostile, ..Fixture::default() }.write(folder.path()).unwrap();
            let atlas = Atlas::open(folder.path()).unwrap();
            assert_eq!(atlas.units().unwrap().num_rows(), manifest.units() as usize);
            for id in 0..manifest.units() {
                let page = atlas.page(id).unwrap();
                assert!(!page.positions.is_empty() && !page.languages.is_empty() && page.statistics.len() > 20);
                assert!(page.examples.iter().all(|example| example.tokens.len() == example.values.len()));
                assert!(page.examples.iter().all(|example| example.values[example.peak] == example.value));
            }
        }
    }

    #[test]
    fn what_is_known_so_far_is_read_until_there_is_more() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("atlas");
        std::fs::create_dir(&folder).unwrap();
        let open = || Atlas::open(&folder);
        assert!(matches!(open(), Err(AtlasError::NoAtlas { .. })));
        std::fs::write(folder.join("build.json"), "{}").unwrap();
        assert!(is_atlas(&folder) && !is_atlas(base.path()));
        assert!(matches!(open(), Err(AtlasError::Begun { .. })));
        let so_far = provisional_folder(&folder);
        std::fs::create_dir(&so_far).unwrap();
        let few = Fixture { residual: 8, ..Fixture::default() };
        let manifest = few.write(&so_far).unwrap();
        let atlas = open().unwrap();
        assert_eq!((atlas.folder(), atlas.manifest()), (folder.as_path(), &manifest));
        assert_eq!(atlas.units().unwrap().num_rows(), manifest.units() as usize);
        assert_eq!(atlases(base.path()), [("atlas".to_owned(), manifest.clone())].into());
        let whole = Fixture::default().write(&folder).unwrap();
        assert!(open().unwrap().manifest() == &whole && whole.units() > manifest.units());
        // A damaged manifest is not passed over in favour of an old one.
        std::fs::write(folder.join("atlas.json"), "{").unwrap();
        assert!(matches!(open(), Err(AtlasError::NoAtlas { .. })));
    }

    #[test]
    fn detectors_fire_at_their_word() {
        let folder = tempfile::tempdir().unwrap();
        Fixture::default().write(folder.path()).unwrap();
        let page = Atlas::open(folder.path()).unwrap().page(46).unwrap();
        let word = &page.top_tokens[0].text;
        let fired: Vec<_> = page.examples.iter().filter(|example| example.band == 0 && example.value > 1.0).collect();
        assert!(fired.len() > 2 && fired.iter().all(|one| one.tokens[one.peak] == *word));
        assert_eq!(&page.triggers[0].text, word);
        let texts = Atlas::open(folder.path()).unwrap().sql("SELECT COUNT(*) AS n FROM families").unwrap();
        assert!(crate::tables::i64s(&texts, "n").unwrap().value(0) > 10);
    }
}
