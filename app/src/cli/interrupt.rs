//! Ctrl-C: the first one asks the work to stop, the second one ends the program.

use std::sync::Mutex;

use golgi_data::context::RunContext;

/// The work that a Ctrl-C is about.
static CURRENT: Mutex<Option<RunContext>> = Mutex::new(None);

/// From now on a Ctrl-C cancels `ctx`.
pub fn cancels(ctx: &RunContext) {
    let mut current = CURRENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let first = current.is_none();
    *current = Some(ctx.clone());
    if first {
        // Without a handler Ctrl-C ends the program at once, which is no worse.
        let _ = ctrlc::set_handler(|| {
            let current = CURRENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match &*current {
                Some(ctx) if ctx.check().is_ok() => ctx.cancel(),
                _ => std::process::exit(130),
            }
        });
    }
}
