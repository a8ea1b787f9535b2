//! The manners of the build thread: it works for a moment at a time and sleeps in between.
//!
//! Niceness is not enough. It says how much of a busy core a thread gets, not when: a kernel that has given it the core
//! lets it have its slice of 1 to 3 ms to the end, and every call that comes meanwhile waits so long.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long it works without a pause, where the core is not busy.
const STRETCH: Duration = Duration::from_micros(50);
/// What it may work for what it was made to wait: about what its niceness gives it of a busy core. Else a core that is
/// never idle, which lets it wait for milliseconds after each pause, would see a large snapshot late.
const SHARE: u32 = 8;
/// But no longer: who was stopped for a while, as a control group stops all of its threads, has not given way to anybody.
const LONGEST: Duration = Duration::from_millis(1);
/// As short as can be: what counts is that others may go first. A kernel makes some 50 µs of it.
const PAUSE: Duration = Duration::from_micros(1);

/// When the build thread worked last, and how long it may.
#[derive(Debug)]
pub(super) struct Pace {
    /// `None` for who need not give way.
    since: Option<Instant>,
    stretch: Duration,
}

impl Pace {
    /// A pace that gives way, or one that does not: until there is something to answer with, all wait for the build.
    pub(super) fn new(gives_way: bool) -> Self {
        Self { since: gives_way.then(Instant::now), stretch: STRETCH }
    }

    /// Sleeps if it is time.
    pub(super) fn step(&mut self) {
        let Some(since) = self.since else { return };
        let now = Instant::now();
        if now.saturating_duration_since(since) < self.stretch {
            return;
        }
        thread::sleep(PAUSE);
        let resumed = Instant::now();
        self.stretch = stretch_after(resumed.saturating_duration_since(now));
        self.since = Some(resumed);
    }
}

fn stretch_after(waited: Duration) -> Duration {
    (waited / SHARE).clamp(STRETCH, LONGEST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST, Pace, STRETCH, stretch_after};

    #[test]
    fn who_is_kept_waiting_may_work_for_a_share_of_it() {
        assert_eq!(stretch_after(Duration::from_micros(60)), STRETCH);
        assert_eq!(stretch_after(Duration::from_millis(4)), Duration::from_micros(500));
        assert_eq!(stretch_after(Duration::from_secs(1)), LONGEST);
    }

    #[test]
    fn a_pause_begins_a_new_stretch() {
        let mut pace = Pace::new(true);
        let begun = pace.since;
        while pace.since == begun {
            pace.step();
        }
        let mut free = Pace::new(false);
        free.step();
        assert!(pace.since > begun && free.since.is_none());
    }
}
