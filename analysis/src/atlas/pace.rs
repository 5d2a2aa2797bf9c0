//! When something is due again that costs time and must not cost much of it: checkpoints and provisional tables.

use std::time::Instant;

/// The share of the time that it may take.
const SHARE: f64 = 0.05;

/// A clock for one such thing.
#[derive(Debug)]
pub(super) struct Pace {
    every: f64,
    /// Regardless of the time, after so many steps.
    steps: Option<u64>,
    /// How long to wait this time.
    pause: f64,
    last: Instant,
    since: u64,
}

impl Pace {
    /// Due after `every` seconds, or later where its cost in seconds, as `expected` at first, asks for it.
    pub fn new(every: f64, steps: Option<u64>, expected: f64) -> Pace {
        Pace { every, steps, pause: every.max(expected / SHARE), last: Instant::now(), since: 0 }
    }

    /// Counts a step.
    pub fn step(&mut self) {
        self.since += 1;
    }

    /// Steps since it was done.
    pub fn since(&self) -> u64 {
        self.since
    }

    /// Whether it is time.
    pub fn is_due(&self) -> bool {
        self.last.elapsed().as_secs_f64() >= self.pause || self.steps.is_some_and(|steps| self.since >= steps)
    }

    /// Does it and notes what it cost.
    pub fn spend<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.pause = self.every.max(start.elapsed().as_secs_f64() / SHARE);
        (self.last, self.since) = (Instant::now(), 0);
        done
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_costs_much_is_done_seldom() {
        let mut pace = Pace::new(0.0, None, 0.0);
        assert!(pace.is_due());
        pace.spend(|| std::thread::sleep(Duration::from_millis(20)));
        assert!(!pace.is_due(), "20 ms are due every 400 ms at most");
        assert!(pace.pause >= 0.4);
        assert!(!Pace::new(0.0, None, 60.0).is_due());
    }

    #[test]
    fn steps_count_regardless_of_the_time() {
        let mut pace = Pace::new(1e9, Some(2), 0.0);
        pace.step();
        assert!(!pace.is_due());
        pace.step();
        assert!(pace.is_due());
        pace.spend(|| ());
        assert!(pace.since() == 0 && !pace.is_due());
    }
}
