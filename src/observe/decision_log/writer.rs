//! The thread that renders: out of the queue, into the buffer of what is to be written. It never waits for a file or a
//! socket, so that no record, and no snapshot with it, stays in the queue for long. What the buffer has no room for is
//! dropped here.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{Shared, render};

/// The pause after work: the decisions of that time are rendered together, and nobody pays for waking the thread.
const NAP: Duration = Duration::from_millis(2);
/// The longest sleep: so late is a record at most whose decision came as the thread fell asleep.
const SLEEP: Duration = Duration::from_millis(250);
/// How many records are rendered before the text is handed on.
const ROUND: usize = 1024;
/// How long nothing is dropped until that is told, and so at least the time between two such tellings.
const CALM: Duration = Duration::from_secs(5);

/// The thread's state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    text: String,
    /// The drops that some line tells of.
    told: u64,
    drops: Drops,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, text: String::new(), told: 0, drops: Drops::default() }
    }

    /// Renders until the log is closed and the queue empty.
    pub(super) fn run(&mut self) {
        loop {
            // Looked at first: what came before the closing is still rendered.
            let closed = self.shared.closed.load(Ordering::Acquire);
            let rendered = self.round();
            if let Some(news) = self.drops.look(self.shared.counters.dropped.get(), Instant::now()) {
                tell(&news);
            }
            if rendered > 0 {
                if !closed {
                    thread::park_timeout(NAP);
                }
            } else if closed {
                break;
            } else {
                self.sleep();
            }
        }
        self.shared.output.end();
    }

    fn sleep(&self) {
        self.shared.asleep.store(true, Ordering::SeqCst);
        if self.shared.queue.is_empty() && !self.shared.closed.load(Ordering::SeqCst) {
            thread::park_timeout(SLEEP);
        }
        self.shared.asleep.store(false, Ordering::SeqCst);
    }

    /// Renders what is in the queue, up to a bound; how many records that were.
    pub(super) fn round(&mut self) -> usize {
        let Shared { queue, counters, output, settings, .. } = self.shared.as_ref();
        let room = output.room();
        let (mut taken, mut lines) = (0, 0);
        self.text.clear();
        while taken < ROUND
            && let Some(record) = queue.pop()
        {
            taken += 1;
            let before = self.text.len();
            let dropped = counters.dropped.get();
            let rendered = render::line(&mut self.text, &record, settings, dropped.saturating_sub(self.told));
            if rendered.is_ok() && self.text.len() <= room {
                self.told = dropped;
                lines += 1;
            } else {
                self.text.truncate(before);
                counters.dropped.inc();
            }
        }
        if lines > 0 && !output.add(&self.text, lines) {
            counters.dropped.inc_by(lines);
        }
        taken
    }
}

/// Sees when drops begin and when they have ended.
#[derive(Debug, Default)]
struct Drops {
    seen: u64,
    /// While they go on: how many there were before, and when the latest was seen.
    going_on: Option<(u64, Instant)>,
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    Begun,
    /// How many there were.
    Ended(u64),
}

impl Drops {
    fn look(&mut self, dropped: u64, now: Instant) -> Option<News> {
        let more = dropped > self.seen;
        let before = mem::replace(&mut self.seen, dropped);
        match self.going_on {
            None if more => {
                self.going_on = Some((before, now));
                Some(News::Begun)
            }
            Some((first, _)) if more => {
                self.going_on = Some((first, now));
                None
            }
            Some((first, latest)) if now.duration_since(latest) >= CALM => {
                self.going_on = None;
                Some(News::Ended(dropped.saturating_sub(first)))
            }
            None | Some(_) => None,
        }
    }
}

fn tell(news: &News) {
    match news {
        News::Begun => {
            tracing::warn!("the decision log cannot keep up; decisions are made, but some are not logged");
        }
        News::Ended(dropped) => tracing::info!(dropped, "the decision log keeps up again"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{CALM, Drops, News};

    #[test]
    fn drops_are_told_when_they_begin_and_when_it_has_been_calm() {
        let start = Instant::now();
        let mut drops = Drops::default();
        let looks = [(0, 0, None), (3, 1, Some(News::Begun)), (9, 2, None), (9, 3, None), (10, 4, None), (10, 5, None)];
        for (dropped, halves, expected) in looks {
            assert_eq!(drops.look(dropped, start + CALM / 2 * halves), expected, "{dropped}");
        }
        assert_eq!(drops.look(10, start + CALM / 2 * 6), Some(News::Ended(10)));
        assert_eq!(drops.look(10, start + CALM / 2 * 9), None);
        assert_eq!(drops.look(11, start + CALM / 2 * 10), Some(News::Begun));
        assert_eq!(drops.look(11, start + CALM / 2 * 12), Some(News::Ended(1)));
    }
}
