//! The panel of jobs and notices.

use egui_kittest::kittest::Queryable;
use golgi::session::command::Command;
use golgi::session::document::Document;
use golgi::session::jobs::JobState;
use golgi::session::notice::Notice;
use golgi::session::results::ResultKind;
use golgi_data::context::RunContext;

use super::stage::{settle, stage};

#[test]
fn empty_says_what_will_be_here() {
    stage(Document::default(), &["jobs"]).get_by_label("Nothing is running");
}

#[test]
fn a_running_job_shows_progress_and_can_be_cancelled() {
    let mut harness = stage(Document::default(), &["jobs"]);
    let ctx = RunContext::new(0);
    ctx.stage("loading weights", 10);
    ctx.advance(4);
    harness.state_mut().session.jobs.begin("Open smollm2", ctx.clone(), None);
    harness.run_steps(2);
    harness.get_by_label("loading weights");
    harness.get_by_label("Cancel Open smollm2").click();
    settle(&mut harness);
    assert!(ctx.check().is_err());
}

#[test]
fn a_failed_job_tells_why_and_can_be_tried_again() {
    let mut harness = stage(Document::default(), &["jobs"]);
    let jobs = &mut harness.state_mut().session.jobs;
    let retry = Some(Command::Retry(ResultKind::LogitLens));
    let job = jobs.begin("Logit lens", RunContext::new(0), retry);
    jobs.end(job, JobState::Failed(Notice::failure("Too long.").with_next_step("Shorten the text")));
    harness.run_steps(2);
    harness.get_by_label("Too long.");
    harness.get_by_label("Shorten the text");
    harness.get_by_label("Retry Logit lens").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent[..], [Command::RetryJob(_)]));
    harness.get_by_label("Clear finished jobs").click();
    settle(&mut harness);
    harness.get_by_label("Nothing is running");
}

#[test]
fn notices_are_listed_counted_and_dismissed() {
    let mut harness = stage(Document::default(), &["jobs"]);
    for _ in 0..3 {
        harness.state_mut().session.notify(Notice::warning("The tokenizer knows more tokens."));
    }
    harness.run_steps(2);
    harness.get_by_label("The tokenizer knows more tokens.");
    harness.get_by_label("3 times");
    harness.get_by_label("Copy details").click();
    harness.get_by_label("Dismiss").click();
    settle(&mut harness);
    harness.get_by_label("Nothing is running");
}

#[test]
fn a_build_is_paused_and_resumed_not_cancelled() {
    let mut harness = stage(Document::default(), &["jobs"]);
    let ctx = RunContext::new(0);
    let jobs = &mut harness.state_mut().session.jobs;
    let job = jobs.begin("Build an atlas", ctx.clone(), Some(Command::ReloadAtlas));
    jobs.can_pause(job);
    harness.run_steps(2);
    harness.get_by_label("Pause Build an atlas").click();
    settle(&mut harness);
    assert!(ctx.check().is_err());
    harness.state_mut().session.jobs.end(job, JobState::Cancelled);
    settle(&mut harness);
    harness.get_by_label("paused");
    harness.get_by_label("Resume Build an atlas").click();
    settle(&mut harness);
    assert!(matches!(harness.state().sent.last(), Some(Command::RetryJob(of)) if *of == job));
}
