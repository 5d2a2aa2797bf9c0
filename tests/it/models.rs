//! The real models, opened once for all tests.
//!
//! `cargo xtask test` installs them below the cache folder before it runs the tests. A model belongs to one thread, so each
//! has a host, as in the window; tests send it work and wait.

use std::sync::{Arc, LazyLock};

use golgi_data::context::RunContext;
use golgi_data::models::Resolver;
use golgi_probes::host::{Hosted, ModelHost};
use golgi_probes::{OpenModel, OpenOptions, open};

/// A real model on its own thread.
pub struct Real {
    name: &'static str,
    host: ModelHost,
}

impl Real {
    fn start(name: &'static str) -> Real {
        Real { name, host: ModelHost::start(Arc::new(|| {})) }
    }

    /// Runs `work` on the model's thread and returns what it returns.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce(&OpenModel) -> T + Send + 'static) -> T {
        let name = self.name;
        let with_model = move |hosted: &mut Hosted, ctx: &RunContext| {
            if hosted.model.is_none() {
                let opened = open(name, &Resolver::default(), &OpenOptions::default(), ctx);
                hosted.model =
                    Some(opened.unwrap_or_else(|error| panic!("{error}; run the tests with `cargo xtask test`")));
            }
            work(hosted.model.as_ref().unwrap())
        };
        self.host.submit(RunContext::new(0), with_model).unwrap().wait().unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Gemma 3 270M, whose terms have to be accepted before it is fetched: `None` where nobody has.
pub fn gemma() -> Option<Real> {
    golgi_data::models::home().join("models/gemma3-270m").is_dir().then(|| Real::start("gemma3-270m"))
}

pub static SMOLLM2: LazyLock<Real> = LazyLock::new(|| Real::start("smollm2"));
pub static MINILM: LazyLock<Real> = LazyLock::new(|| Real::start("minilm"));
