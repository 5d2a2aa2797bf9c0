//! The list of notices, and which of them still float over the window.

use std::time::{Duration, Instant};

use super::notice::{Notice, Severity};

/// How many notices are kept.
const KEPT: usize = 100;
/// How long a notice floats over the window.
const SHOWN: Duration = Duration::from_secs(6);
/// How long an error does.
const SHOWN_ERROR: Duration = Duration::from_secs(14);

/// A notice in the list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its number, unique in this session.
    pub id: u64,
    /// The notice.
    pub notice: Notice,
    /// When it arrived.
    pub at: Instant,
    /// How often the same one arrived in a row.
    pub count: u32,
    /// Whether it may float over the window.
    pub floats: bool,
}

impl Listed {
    /// How long it will go on floating; `None` once it no longer does.
    pub fn floats_for(&self) -> Option<Duration> {
        let shown = if self.notice.severity == Severity::Error { SHOWN_ERROR } else { SHOWN };
        shown.checked_sub(self.at.elapsed()).filter(|_| self.floats)
    }
}

/// Notices, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    list: Vec<Listed>,
    next: u64,
}

impl Notices {
    /// Every notice, the newest last.
    pub fn list(&self) -> &[Listed] {
        &self.list
    }

    /// Adds a notice. The same one twice in a row is counted, not repeated.
    pub fn push(&mut self, notice: Notice) {
        if let Some(last) = self.list.last_mut().filter(|last| last.notice == notice) {
            last.count += 1;
            last.at = Instant::now();
            last.floats = true;
            return;
        }
        self.next += 1;
        self.list.push(Listed { id: self.next, notice, at: Instant::now(), count: 1, floats: true });
        if self.list.len() > KEPT {
            self.list.remove(0);
        }
    }

    /// Adds a notice that is shown elsewhere already: it does not float.
    pub fn push_quietly(&mut self, notice: Notice) {
        self.push(notice);
        if let Some(last) = self.list.last_mut() {
            last.floats = false;
        }
    }

    /// Removes one.
    pub fn dismiss(&mut self, id: u64) {
        self.list.retain(|listed| listed.id != id);
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// How many are errors.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|listed| listed.notice.severity == Severity::Error).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_and_the_list_is_bounded() {
        let mut notices = Notices::default();
        notices.push(Notice::failure("no"));
        notices.push(Notice::failure("no"));
        assert_eq!((notices.list().len(), notices.list()[0].count, notices.errors()), (1, 2, 1));
        for n in 0..300 {
            notices.push(Notice::info(n.to_string()));
        }
        assert_eq!(notices.list().len(), KEPT);
        notices.push_quietly(Notice::failure("shown elsewhere"));
        assert!(notices.list()[KEPT - 1].floats_for().is_none() && notices.list()[KEPT - 2].floats_for().is_some());
        let id = notices.list()[0].id;
        notices.dismiss(id);
        assert_eq!(notices.list().len(), KEPT - 1);
    }
}
