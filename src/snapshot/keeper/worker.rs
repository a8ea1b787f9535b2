//! What the build thread does: looks, waits until nobody writes any more, reloads, and waits for the next change.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use super::{KeeperOptions, OnOutcome, Wake};
use crate::snapshot::{
    chain::{Chain, Fingerprint},
    mounts,
    reload::{Outcome, Reloader},
    watch::{Alarm, Watcher},
};

/// A burst of events is waited out at most this many debounce times.
const MOST_DEBOUNCES: u32 = 3;
/// How soon a blind keeper polls: no watch tells it anything.
const BLIND_POLL: Duration = Duration::from_millis(500);
/// How long a source that was just written must not change where no event tells that its writer is done: found by a
/// poll, or read on demand.
pub(super) const QUIET: Duration = Duration::from_millis(250);
/// The same before it was watched. Shorter: nothing may be live yet.
const QUIET_UNSEEN: Duration = Duration::from_millis(100);
/// How often a source that keeps changing is looked at before the next poll.
const LOOKS: u32 = 40;
/// How soon retired snapshots are looked at again.
const SWEEP: Duration = Duration::from_millis(50);
/// Added to the niceness that the daemon was given.
const NICENESS: i32 = 10;

/// What a wake-up comes to.
enum Order {
    /// See whether the source changed: events said so, and have settled.
    Look,
    /// The same, because it is time.
    Poll,
    /// Read it whether it changed or not.
    Reload(Option<Sender<Outcome>>),
    Stop,
}

pub(super) struct Worker {
    pub(super) source: PathBuf,
    pub(super) options: KeeperOptions,
    pub(super) woken: Receiver<Wake>,
    pub(super) alarm: Alarm,
    pub(super) watcher: Watcher,
    pub(super) reloader: Reloader,
    pub(super) on_outcome: OnOutcome,
}

impl Worker {
    pub(super) fn run(mut self) {
        mounts::warn_about(&self.source);
        let mut gives_way = false;
        let (mut seen, mut read) = (None, Instant::now());
        let (mut asked, mut has_settled) = (None, false);
        // What could not be tried for want of memory, or by a fault of the disk, may work without any change to see.
        let mut pause = self.options.poll;
        loop {
            if !gives_way && self.reloader.has_live() {
                give_way();
                gives_way = true;
            }
            let mut found = self.fingerprint();
            let rest = if self.reloader.is_settled() { self.options.reread } else { pause };
            let has_changed = seen.as_ref() != Some(&found);
            if has_changed && asked.is_none() {
                match self.stagger() {
                    Order::Stop => return,
                    Order::Look | Order::Poll => {}
                    Order::Reload(tell) => asked = Some(tell.into_iter().collect()),
                }
                // What changed meanwhile has not settled.
                let later = self.fingerprint();
                has_settled &= later == found;
                found = later;
            }
            if !has_changed && asked.is_none() && read.elapsed() < rest {
                self.reloader.looked();
            } else if let Some(whole) = self.whole(found, has_settled)
                && self.reload(&whole, &mut asked)
            {
                // Taken before the bytes were read: what changes later shows at the next look.
                seen = Some(whole);
                read = Instant::now();
                let next = if self.reloader.is_settled() { self.options.poll } else { pause * 2 };
                pause = next.min(self.options.reread);
            }
            has_settled = false;
            match self.wait() {
                Order::Stop => return,
                Order::Look => has_settled = true,
                Order::Poll => {}
                Order::Reload(tell) => asked.get_or_insert_with(Vec::new).extend(tell),
            }
        }
    }

    /// The source as it is when nobody seems to be in the middle of writing it; `None` while somebody is. Half of a
    /// policy may be valid, and forbid less than all of it.
    fn whole(&mut self, mut found: Fingerprint, has_settled: bool) -> Option<Fingerprint> {
        let in_doubt = self.watcher.take_doubt();
        let quiet = match (self.watcher.is_blind(), in_doubt, has_settled) {
            (false, true, _) => QUIET_UNSEEN,
            (true, ..) | (false, false, false) => QUIET,
            (false, false, true) => Duration::ZERO,
        };
        for _ in 0..LOOKS {
            if self.watcher.is_written_for().is_some() {
                return None;
            }
            if found.age() >= quiet {
                return Some(found);
            }
            thread::sleep(quiet);
            let again = self.fingerprint();
            if again == found && self.watcher.is_written_for().is_none() {
                return Some(again);
            }
            found = again;
        }
        None
    }

    /// Waits for something to do; frees retired snapshots meanwhile.
    fn wait(&mut self) -> Order {
        let poll = if self.watcher.is_blind() { self.options.poll.min(BLIND_POLL) } else { self.options.poll };
        // Whoever writes now ends it, which rings, or is not waited for any longer.
        let end = Instant::now() + self.watcher.is_written_for().map_or(poll, |rest| rest.min(poll));
        loop {
            let waiting = self.reloader.sweep();
            let rest = end.saturating_duration_since(Instant::now());
            match self.woken.recv_timeout(if waiting { rest.min(SWEEP) } else { rest }) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return Order::Stop,
                Ok(Wake::Reload(tell)) => return Order::Reload(tell),
                Ok(Wake::Changed) => return self.settle(),
                Err(RecvTimeoutError::Timeout) if Instant::now() >= end => return Order::Poll,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Waits for a part of the jitter. Who asks for a reload does not wait, nor does who has nothing to serve.
    fn stagger(&mut self) -> Order {
        let most = if self.reloader.has_live() { self.options.jitter } else { Duration::ZERO };
        let end = Instant::now() + random_part(most);
        loop {
            let waiting = self.reloader.sweep();
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Order::Look;
            }
            match self.woken.recv_timeout(if waiting { rest.min(SWEEP) } else { rest }) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return Order::Stop,
                Ok(Wake::Reload(tell)) => return Order::Reload(tell),
                Ok(Wake::Changed) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Waits out a burst of changes.
    fn settle(&self) -> Order {
        let end = Instant::now() + self.options.debounce * MOST_DEBOUNCES;
        loop {
            self.alarm.reset();
            let rest = self.options.debounce.min(end.saturating_duration_since(Instant::now()));
            match self.woken.recv_timeout(rest) {
                Ok(Wake::Changed) if !rest.is_zero() => {}
                Ok(Wake::Changed) | Err(RecvTimeoutError::Timeout) => return Order::Look,
                Ok(Wake::Reload(tell)) => return Order::Reload(tell),
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return Order::Stop,
            }
        }
    }

    fn fingerprint(&mut self) -> Fingerprint {
        self.alarm.reset();
        let chain = Chain::resolve(&self.source);
        self.watcher.arm(&chain);
        chain.fingerprint()
    }

    /// Reads the source, unless it is not any more what was found whole; only on demand are equal bytes built again.
    fn reload(&mut self, whole: &Fingerprint, asked: &mut Option<Vec<Sender<Outcome>>>) -> bool {
        let source = &self.source;
        let outcome = self.reloader.reload_if(asked.is_some(), &|| Chain::resolve(source).fingerprint() == *whole);
        if self.reloader.was_disturbed() {
            return false;
        }
        let asked = asked.take();
        if let Some(outcome) = outcome {
            (self.on_outcome)(&outcome);
            for tell in asked.into_iter().flatten() {
                drop(tell.send(outcome.clone()));
            }
        }
        true
    }
}

/// Who answers requests goes before who builds; not before there is something to answer with, for until then all wait for
/// the build, and on a busy machine for long. In Linux niceness is a thread's own.
fn give_way() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "the build thread runs at normal priority");
    }
}

/// A random time up to a limit. Without random bytes the whole of it: late is better than all at once.
pub(super) fn random_part(limit: Duration) -> Duration {
    let mut bytes = [0; 4];
    if limit.is_zero() || getrandom::fill(&mut bytes).is_err() {
        return limit;
    }
    limit.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}
