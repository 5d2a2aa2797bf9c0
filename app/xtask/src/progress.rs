//! One line of progress on a terminal; a few lines in a pipe or a log.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// In a log, smaller downloads than this many bytes are over before anybody reads of them.
const WORTH_TELLING: u64 = 50_000_000;

/// Prints how far one download has come.
pub struct Meter {
    label: String,
    terminal: bool,
    drawn: Instant,
    tenth: u64,
}

impl Meter {
    /// A meter that has printed nothing yet.
    pub fn new(label: String) -> Self {
        Self { label, terminal: std::io::stderr().is_terminal(), drawn: Instant::now(), tenth: 0 }
    }

    /// Takes the bytes done and the total, 0 where unknown.
    pub fn update(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        if self.terminal {
            if self.drawn.elapsed() > Duration::from_millis(200) {
                self.drawn = Instant::now();
                eprint!("\r  {}: {}\x1b[K", self.label, describe(done, total));
                // A terminal that cannot be written to is no reason to stop the download.
                let _ = std::io::stderr().flush();
            }
        } else if total > WORTH_TELLING && done * 10 / total > self.tenth {
            self.tenth = done * 10 / total;
            eprintln!("  {}: {}", self.label, describe(done, total));
        }
        ControlFlow::Continue(())
    }

    /// Clears the line.
    pub fn finish(self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

fn describe(done: u64, total: u64) -> String {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    match (done, total) {
        (0, 0) => "looking for the file".to_owned(),
        (_, 0) => format!("{:.1} MB", megabytes(done)),
        _ => format!("{:.1} of {:.1} MB ({} %)", megabytes(done), megabytes(total), done * 100 / total),
    }
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn sizes_are_told_as_far_as_they_are_known() {
        assert_eq!(describe(0, 0), "looking for the file");
        assert_eq!(describe(1_500_000, 0), "1.5 MB");
        assert_eq!(describe(265_300_000, 530_600_000), "265.3 of 530.6 MB (50 %)");
    }
}
