//! Golgi, the program: a command line, reports, and behind the feature `desktop` a window.
//!
//! - [`cli`]: one file per subcommand.
//! - [`report`]: results as HTML, Markdown and JSON.
//! - [`session`]: what is open, selected and running; it knows no window.
//! - `desktop`: panels, widgets, theme.
//!
//! To look into models from other programs, use `golgi_probes` and `golgi_analysis` directly.

pub mod cli;
#[cfg(feature = "desktop")]
pub mod desktop;
pub mod report;
pub mod session;
