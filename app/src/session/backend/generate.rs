//! Continuing the text, token by token, with the interventions in force.

use crossbeam_channel::{Receiver, bounded};
use golgi_data::context::RunContext;
use golgi_probes::generate::{GenerateOptions, Sampling, generate};
use golgi_probes::host::{Hosted, Ticket};
use golgi_probes::intervention::Edits;

use super::{Backend, Failure};
use crate::session::Session;
use crate::session::command::{Command, GenerateRequest};
use crate::session::document::Generated;
use crate::session::jobs::{JobId, JobState};
use crate::session::notice::Notice;

/// How many tokens may wait to be drawn; a generation is never longer.
const MOST_TOKENS: usize = 4096;

/// One new token, and the whole continuation as text.
struct Streamed {
    piece: String,
    prob: f32,
    text: String,
}

/// A continuation under way.
pub(super) struct Generating {
    job: JobId,
    stream: Receiver<Streamed>,
    ticket: Ticket<Result<(), Failure>>,
}

impl Backend {
    /// Begins to continue the text.
    pub(super) fn generate(&mut self, session: &mut Session, request: GenerateRequest) {
        if let Some(old) = self.generating.take() {
            old.ticket.context().cancel();
            session.jobs.end(old.job, JobState::Cancelled);
        }
        let document = &session.document;
        let prompt = document.prompt.clone();
        let active = if document.show_original { Vec::new() } else { document.interventions.clone() };
        let (sender, stream) = bounded(MOST_TOKENS);
        let work = move |hosted: &mut Hosted, ctx: &RunContext| {
            let failed =
                |error: &(dyn std::error::Error + 'static)| Failure::of("The text could not be continued.", error, ctx);
            let Hosted { model, traces, .. } = hosted;
            let model = model.as_ref().ok_or_else(|| Failure::Failed(Notice::failure("No model is open.")))?;
            let tokenizer = model.tokenizer().map_err(|error| failed(&error))?;
            let tokens = model.encode(&prompt).map_err(|error| failed(&error))?;
            let mut edits = Edits::new(&model.model, &active, traces).map_err(|error| failed(&error))?;
            let sampling = if request.temperature > 0.0 {
                Sampling::Random { temperature: request.temperature, top_k: 0, top_p: 0.95 }
            } else {
                Sampling::Greedy
            };
            let options = GenerateOptions {
                max_tokens: request.max_tokens.min(MOST_TOKENS),
                sampling,
                stop: tokenizer.end_ids().to_vec(),
                ..GenerateOptions::default()
            };
            // Text is decoded together: a character may be spread over several tokens.
            let before = tokenizer.decode(&tokens);
            let mut all = tokens.clone();
            generate(&model.model, &tokens, &options, &mut edits, ctx, &mut |step| {
                all.push(step.token);
                let decoded = tokenizer.decode(&all);
                let text = decoded
                    .strip_prefix(&before)
                    .map_or_else(|| tokenizer.decode(&all[tokens.len()..]), ToOwned::to_owned);
                let streamed = Streamed { piece: model.piece(step.token), prob: step.log_prob.exp(), text };
                // The channel holds every token there can be; it is closed only when nobody reads any more. While a job runs
                // the window looks by itself, at its own pace.
                let _ = sender.try_send(streamed);
            })
            .map(|_| ())
            .map_err(|error| failed(&error))
        };
        let ctx = RunContext::new(request.seed);
        match self.host.submit(ctx.clone(), work) {
            Ok(ticket) => {
                let job = session.jobs.begin("Continue the text", ctx, Some(Command::Generate(request)));
                session.document.generated = Some(Generated { running: true, ..Generated::default() });
                self.generating = Some(Generating { job, stream, ticket });
            }
            Err(error) => session.notify(Notice::error("The text could not be continued.", &error)),
        }
    }

    /// Asks the continuation under way to stop. What is there stays.
    pub(super) fn stop_generating(&mut self) {
        if let Some(generating) = &self.generating {
            generating.ticket.context().cancel();
        }
    }

    pub(super) fn update_generating(&mut self, session: &mut Session) {
        let Some(generating) = self.generating.take() else { return };
        if session.document.generated.is_none() {
            // It was thrown away, or the text has changed.
            generating.ticket.context().cancel();
        }
        // The answer is looked at first: whatever it covers is in the stream by then.
        let answer = generating.ticket.poll();
        for streamed in generating.stream.try_iter() {
            if let Some(generated) = &mut session.document.generated {
                generated.tokens.push((streamed.piece, streamed.prob));
                generated.text = streamed.text;
            }
        }
        let Some(answer) = answer else {
            self.generating = Some(generating);
            return;
        };
        if let Some(generated) = &mut session.document.generated {
            generated.running = false;
        }
        let state = match answer {
            Ok(Ok(())) => JobState::Done,
            Ok(Err(Failure::Cancelled)) => JobState::Cancelled,
            Ok(Err(Failure::Failed(notice))) => {
                session.document.generated = None;
                session.notify(notice.clone());
                JobState::Failed(notice)
            }
            Err(error) => {
                let notice = Notice::error("The text could not be continued.", &error);
                session.document.generated = None;
                session.notify(notice.clone());
                JobState::Failed(notice)
            }
        };
        session.jobs.end(generating.job, state);
    }
}
