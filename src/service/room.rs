//! The memory that callers make the daemon hold: messages that are not whole yet, and answers that nobody takes. It is
//! bounded for all of them together, for one connection, and in time. What is small is not counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::AbortHandle, time::sleep};

use super::registry::Connection;
use crate::observe::metrics::{Metrics, Shed};

/// A body, or a part of an answer, up to this size is not counted: the limits of streams and connections bound those.
pub(super) const SMALL: usize = 16 * 1024;
/// What all connections may have held together, and one of them. A single body may be larger: its own cap bounds it.
const MOST: usize = 48 * 1024 * 1024;
const MOST_OF_ONE: usize = 16 * 1024 * 1024;

/// The room that the connections of one registry share.
#[derive(Debug)]
pub(super) struct Room {
    held: AtomicUsize,
    patience: Duration,
    metrics: Arc<Metrics>,
}

impl Room {
    /// How long a large body may take to come whole, or to be taken: on loopback it takes milliseconds.
    pub(super) const PATIENCE: Duration = Duration::from_secs(30);

    pub(super) fn new(patience: Duration, metrics: Arc<Metrics>) -> Self {
        Self { held: AtomicUsize::new(0), patience, metrics }
    }
}

/// What one connection has of it.
#[derive(Debug)]
pub struct Share {
    room: Arc<Room>,
    held: AtomicUsize,
    overdue: Notify,
}

impl Share {
    pub(super) fn new(room: &Arc<Room>) -> Self {
        Self { room: Arc::clone(room), held: AtomicUsize::new(0), overdue: Notify::new() }
    }

    /// Takes more, for a body that has `own` already: of its connection's part and of the whole, or of neither.
    fn take(&self, own: usize, more: usize) -> bool {
        if !take(&self.held, own, more, MOST_OF_ONE) {
            return false;
        }
        let fits = take(&self.room.held, own, more, MOST);
        if !fits {
            self.held.fetch_sub(more, Ordering::AcqRel);
        }
        fits
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Waits until something has been held for too long.
    pub(super) async fn overdue(&self) {
        self.overdue.notified().await;
    }
}

/// What one body has of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    connection: Arc<Connection>,
    seen: usize,
    taken: usize,
    clock: Option<AbortHandle>,
}

impl Held {
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        Self { connection: Arc::clone(connection), seen: 0, taken: 0, clock: None }
    }

    /// Counts so many bytes more; `false` when there is no room for them. To be called within a runtime.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        self.seen = self.seen.saturating_add(bytes);
        if self.seen <= SMALL {
            return true;
        }
        let more = self.seen.saturating_sub(self.taken);
        let share = &self.connection.share;
        if !share.take(self.taken, more) {
            share.room.metrics.shed(Shed::Room);
            return false;
        }
        self.taken = self.seen;
        if self.clock.is_none() {
            let (connection, patience) = (Arc::clone(&self.connection), share.room.patience);
            let clock = tokio::spawn(async move {
                sleep(patience).await;
                connection.share.overdue.notify_one();
            });
            self.clock = Some(clock.abort_handle());
        }
        true
    }

    /// Gives all of it back; what comes then is counted, and timed, anew.
    pub(super) fn release(&mut self) {
        if let Some(clock) = self.clock.take() {
            clock.abort();
            let share = &self.connection.share;
            share.held.fetch_sub(self.taken, Ordering::AcqRel);
            share.room.held.fetch_sub(self.taken, Ordering::AcqRel);
        }
        (self.seen, self.taken) = (0, 0);
    }
}

/// Adds to what is held, unless that would be too much together with what others than `own` hold.
fn take(held: &AtomicUsize, own: usize, more: usize, most: usize) -> bool {
    let fits = |held: usize| (held == own || held.saturating_add(more) <= most).then_some(held.saturating_add(more));
    held.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, atomic::Ordering},
        time::Duration,
    };

    use tokio::time::timeout;

    use super::{Held, MOST, MOST_OF_ONE, SMALL};
    use crate::{
        observe::metrics::Metrics,
        service::{Peer, Registered, Registry},
    };

    fn registry() -> Arc<Registry> {
        Arc::new(Registry::new(100, Arc::new(Metrics::default())))
    }

    fn connect(registry: &Arc<Registry>) -> Registered {
        registry.register(Peer::Unknown, "data").unwrap()
    }

    #[tokio::test]
    async fn what_is_small_takes_nothing_and_what_is_dropped_is_given_back() {
        let registry = registry();
        let registered = connect(&registry);
        let share = &registered.connection().share;
        let mut held = Held::new(registered.connection());
        assert!(held.grow(SMALL));
        assert_eq!(share.held.load(Ordering::Relaxed), 0);
        assert!(held.grow(1) && held.grow(100));
        assert_eq!(share.held.load(Ordering::Relaxed), SMALL + 101);
        assert_eq!(share.room.held.load(Ordering::Relaxed), SMALL + 101);
        drop(held);
        assert_eq!((share.held.load(Ordering::Relaxed), share.room.held.load(Ordering::Relaxed)), (0, 0));
    }

    #[tokio::test]
    async fn neither_one_connection_nor_all_may_hold_more() {
        let registry = registry();
        let (mut held, mut refused) = (Vec::new(), 0);
        let connections: Vec<_> = (0..10).map(|_| connect(&registry)).collect();
        for registered in &connections {
            let mut own = 0;
            for _ in 0..100 {
                let mut body = Held::new(registered.connection());
                if body.grow(1 << 20) {
                    own += 1;
                    held.push(body);
                } else {
                    refused += 1;
                }
            }
            assert!(own <= MOST_OF_ONE >> 20, "{own}");
        }
        assert_eq!((held.len(), refused), (MOST >> 20, 1000 - (MOST >> 20)));
        assert!(!held[0].grow(1), "nor may what is there grow");
        held.truncate(1);
        assert!(held[0].grow(MOST), "but alone it may be as large as its cap lets it");
    }

    #[tokio::test]
    async fn what_is_held_for_long_is_told() {
        let metrics = Arc::new(Metrics::default());
        let registry = Arc::new(Registry::with_patience(1, metrics, Duration::from_millis(20)));
        let registered = connect(&registry);
        let share = &registered.connection().share;
        let mut held = Held::new(registered.connection());
        assert!(held.grow(SMALL + 1));
        drop(held);
        assert!(timeout(Duration::from_millis(100), share.overdue()).await.is_err(), "given back in time");
        let mut held = Held::new(registered.connection());
        assert!(held.grow(SMALL + 1));
        timeout(Duration::from_secs(20), share.overdue()).await.unwrap();
    }
}
