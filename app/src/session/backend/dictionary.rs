//! Opening a dictionary, and what is computed with it.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use golgi_analysis::sae::{PromptFeatures, Steered, features, steer};
use golgi_data::context::RunContext;
use golgi_data::dictionary::Dictionary;
use golgi_probes::generate::{GenerateOptions, Sampling};
use golgi_probes::host::Hosted;
use golgi_sae::{Coder, SaeError};

use super::slot::{Round, Slot};
use super::{Backend, DEFAULT_BUDGET_BYTES, Failure, Subject};
use crate::session::Session;
use crate::session::dictionary::{OpenDictionary, SteerRequest};
use crate::session::loadable::Loadable;
use crate::session::notice::Notice;
use crate::session::results::ResultKind;

/// The dictionary that a result is about, and the change of it.
#[derive(Debug, Clone)]
pub(super) struct About {
    dictionary: Arc<OpenDictionary>,
    steering: Option<SteerRequest>,
}

impl PartialEq for About {
    fn eq(&self, other: &About) -> bool {
        Arc::ptr_eq(&self.dictionary, &other.dictionary) && self.steering == other.steering
    }
}

/// What reads dictionaries, and computes with the open one.
#[derive(Default)]
pub(super) struct Librarian {
    reading: Option<(PathBuf, Receiver<Result<OpenDictionary, Notice>>)>,
    features: Slot<PromptFeatures>,
    steered: Slot<Steered>,
}

impl Librarian {
    pub fn forget(&mut self, kind: ResultKind) {
        match kind {
            ResultKind::PromptFeatures => self.features.forget(),
            _ => self.steered.forget(),
        }
    }
}

fn read(folder: PathBuf) -> Result<OpenDictionary, Notice> {
    let coder = Dictionary::read(&folder).map_err(SaeError::from).and_then(Coder::new);
    let coder = coder.map_err(|error| Notice::error("The dictionary could not be opened.", &error))?;
    Ok(OpenDictionary::new(folder, coder))
}

fn latents(
    hosted: &mut Hosted,
    subject: &Subject,
    _: Option<u64>,
    ctx: &RunContext,
) -> Result<PromptFeatures, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Failure::of("The prompt's features could not be found.", error, ctx)
    };
    let model = hosted.model.as_ref().ok_or_else(|| Failure::Failed(Notice::failure("No model is open.")))?;
    let about = subject.about.as_ref().ok_or(Failure::Cancelled)?;
    let tokens = model.encode(&subject.prompt).map_err(|error| failed(&error))?;
    features(model, &about.dictionary.coder, &tokens, None, None).map_err(|error| failed(&error))
}

fn steering(hosted: &mut Hosted, subject: &Subject, _: Option<u64>, ctx: &RunContext) -> Result<Steered, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::of("The text could not be steered.", error, ctx);
    let model = hosted.model.as_ref().ok_or_else(|| Failure::Failed(Notice::failure("No model is open.")))?;
    let about = subject.about.as_ref().ok_or(Failure::Cancelled)?;
    let request = about.steering.as_ref().ok_or(Failure::Cancelled)?;
    let tokens = model.encode(&subject.prompt).map_err(|error| failed(&error))?;
    let sampling = match request.temperature > 0.0 {
        true => Sampling::Random { temperature: request.temperature, top_k: 0, top_p: 0.95 },
        false => Sampling::Greedy,
    };
    let stop = model.tokenizer().map_err(|error| failed(&error))?.end_ids().to_vec();
    let options = GenerateOptions { max_tokens: request.max_tokens, sampling, stop, ..GenerateOptions::default() };
    let seeded = ctx.with_seed(request.seed);
    steer(model, &about.dictionary.coder, &request.edits, &tokens, &options, &seeded).map_err(|error| failed(&error))
}

impl Backend {
    /// Begins to read a dictionary; an earlier reading is forgotten.
    pub(super) fn open_dictionary(&mut self, folder: PathBuf) {
        let (sender, answer) = bounded(1);
        let (wake, path) = (Arc::clone(&self.wake), folder.clone());
        let work = move || {
            // The window may be gone.
            let _ = sender.send(read(path));
            wake();
        };
        // Without a thread the answer never comes, which is noticed when the sender is gone.
        let _ = std::thread::Builder::new().name("dictionary".into()).spawn(work);
        self.librarian.reading = Some((folder, answer));
    }

    pub(super) fn update_dictionary(&mut self, session: &mut Session) {
        if let Some((folder, answer)) = self.librarian.reading.take() {
            let state = &mut session.dictionary;
            match answer.try_recv() {
                // Meanwhile another one was opened, or this one closed.
                _ if state.folder.as_ref() != Some(&folder) => {}
                Ok(Ok(open)) => state.open = Loadable::ready(open),
                Ok(Err(notice)) => state.open = Loadable::Failed(notice),
                Err(error) if error.is_empty() => self.librarian.reading = Some((folder, answer)),
                Err(_) => state.open = Loadable::Failed(Notice::failure("The dictionary could not be read.")),
            }
        }
        let (document, state) = (&session.document, &mut session.dictionary);
        let has_text = document.model.get().is_some_and(|model| model.has_tokenizer) && !document.prompt.is_empty();
        let open = state.open.get().cloned().filter(|_| has_text);
        let subject = |about: About| Subject {
            model: self.model,
            prompt: document.prompt.clone(),
            interventions: Vec::new(),
            position: None,
            unit: None,
            passage: None,
            about: Some(about),
            sight: None,
        };
        let wanted = |kind| session.wanted.contains(&kind);
        let features = open.clone().map(|dictionary| subject(About { dictionary, steering: None }));
        if features.is_none() {
            state.features = Loadable::Empty;
        }
        let features = features.filter(|_| wanted(ResultKind::PromptFeatures));
        let request = open.zip(state.request.clone());
        let steered = request.map(|(dictionary, request)| subject(About { dictionary, steering: Some(request) }));
        if steered.is_none() {
            state.steered = Loadable::Empty;
        }
        let budget = self.options.budget_bytes.or(Some(DEFAULT_BUDGET_BYTES));
        let mut round = Round { host: &self.host, jobs: &mut session.jobs, budget };
        let own = &mut self.librarian;
        own.features.turn(&mut state.features, features, ResultKind::PromptFeatures, &mut round, latents);
        own.steered.turn(&mut state.steered, steered, ResultKind::Steering, &mut round, steering);
    }
}
