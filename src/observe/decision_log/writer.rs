//! The thread that renders: out of the queue, into the buffer of what is to be written. It never waits for a file or a
//! socket, so that no record, and no snapshot with it, stays in the queue for long. What the buffer has no room for is
//! dropped here.

use std::{
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
            self.drops.look(self.shared.counters.dropped.get());
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

/// Tells when drops begin and when they have ended.
#[derive(Debug, Default)]
struct Drops {
    seen: u64,
    /// While they go on: how many there were before, and when the latest was seen.
    going_on: Option<(u64, Instant)>,
}

impl Drops {
    fn look(&mut self, dropped: u64) {
        match self.going_on {
            None if dropped > self.seen => {
                tracing::warn!("the decision log cannot keep up; decisions are made, but some are not logged");
                self.going_on = Some((self.seen, Instant::now()));
            }
            Some((before, _)) if dropped > self.seen => self.going_on = Some((before, Instant::now())),
            Some((before, latest)) if latest.elapsed() >= CALM => {
                tracing::info!(dropped = dropped.saturating_sub(before), "the decision log keeps up again");
                self.going_on = None;
            }
            None | Some(_) => {}
        }
        self.seen = dropped;
    }
}
