//! The corpus of the benchmark.

use golgi_data::context::RunContext;
use golgi_data::corpus::{Corpus, CorpusOptions, PackedCorpus};
use golgi_probes::OpenModel;

/// The starter corpus, tokenised.
pub fn packed(model: &OpenModel) -> PackedCorpus {
    let failed = "the starter corpus is there: `cargo xtask setup` makes it";
    let corpus = Corpus::open("starter", &CorpusOptions::default()).expect(failed);
    let tokenizer = model.tokenizer().expect("the starter model has one");
    PackedCorpus::open_or_build(&corpus, tokenizer, &RunContext::new(0)).expect(failed)
}
