//! Who is connected: the cap, the gauges, and what was cut at the end. Live state, never part of a decision.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use dashmap::DashMap;
use tokio::sync::watch;

use super::{
    caller::Remembered,
    peer::{Certificate, Peer},
    room::{Room, Share},
};
use crate::model::order;
use crate::observe::metrics::{Closed, Metrics, Shed};

/// One open connection.
#[derive(Debug)]
pub struct Connection {
    /// Counts from 1.
    pub id: u64,
    /// The other end, as the system names it.
    pub peer: Peer,
    /// What the other end has proved by TLS, once it has.
    pub certificate: OnceLock<Certificate>,
    /// What the rules about callers say of it.
    pub remembered: Remembered,
    /// Which listener took it.
    pub listener: &'static str,
    /// Since when.
    pub since: Instant,
    /// Whether a complete request has come: until then it is nobody's.
    pub heard: AtomicBool,
    /// Calls whose answer is not all under way yet.
    pub in_flight: AtomicUsize,
    /// Calls so far.
    pub calls: AtomicU64,
    /// Turns true when it has become too old: streams end then.
    pub old: watch::Sender<bool>,
    /// What it makes the daemon hold.
    pub share: Share,
}

/// Every open connection.
#[derive(Debug)]
pub struct Registry {
    open: DashMap<u64, Arc<Connection>>,
    count: AtomicUsize,
    next: AtomicU64,
    most: usize,
    room: Arc<Room>,
    metrics: Arc<Metrics>,
}

/// A place in the registry, given back when dropped.
#[derive(Debug)]
pub struct Registered {
    registry: Arc<Registry>,
    connection: Arc<Connection>,
    why: Closed,
}

impl Registry {
    /// At most `most` at once.
    pub fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        let room = Arc::new(Room::new(Room::PATIENCE, Arc::clone(&metrics)));
        Self { open: DashMap::new(), count: AtomicUsize::new(0), next: AtomicU64::new(1), most, room, metrics }
    }

    /// The same with another patience for bodies that do not come whole, or are not taken.
    #[cfg(test)]
    pub(super) fn with_patience(most: usize, metrics: Arc<Metrics>, patience: std::time::Duration) -> Self {
        let room = Arc::new(Room::new(patience, Arc::clone(&metrics)));
        Self { room, ..Self::new(most, metrics) }
    }

    /// Enters a connection; `None`, counted, when there is no place.
    pub fn register(self: &Arc<Self>, peer: Peer, listener: &'static str) -> Option<Registered> {
        let taken = self
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < self.most).then_some(count + 1));
        if taken.is_err() {
            self.metrics.shed(Shed::Connection);
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            id,
            peer,
            certificate: OnceLock::new(),
            remembered: Remembered::default(),
            listener,
            since: Instant::now(),
            heard: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            old: watch::Sender::new(false),
            share: Share::new(&self.room),
        });
        self.open.insert(id, Arc::clone(&connection));
        self.metrics.connected(listener);
        // What nobody gives a reason for has been cut.
        Some(Registered { registry: Arc::clone(self), connection, why: Closed::Cut })
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Those that are open, in order of their age.
    pub fn open(&self) -> Vec<Arc<Connection>> {
        let mut open: Vec<_> = self.open.iter().map(|entry| Arc::clone(entry.value())).collect();
        order::by_key(&mut open, |connection| connection.id);
        open
    }

    /// Where it counts.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }
}

impl Registered {
    /// The connection that holds the place.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Where it counts.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.registry.metrics
    }

    /// Gives the place back, for this reason.
    pub(super) fn close(mut self, why: Closed) {
        self.why = why;
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.open.remove(&self.connection.id);
        self.registry.count.fetch_sub(1, Ordering::AcqRel);
        self.registry.metrics.disconnected(self.connection.listener, self.why);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Closed, Peer, Registry};
    use crate::observe::metrics::Metrics;

    fn peer(uid: u32) -> Peer {
        Peer::Unix { uid, gid: 1, pid: None }
    }

    #[test]
    fn keeps_the_cap_and_gives_places_back() {
        let metrics = Arc::new(Metrics::default());
        let registry = Arc::new(Registry::new(2, Arc::clone(&metrics)));
        let first = registry.register(peer(1), "data").unwrap();
        let second = registry.register(peer(2), "data").unwrap();
        assert!(registry.register(peer(3), "data").is_none());
        assert!(metrics.render().contains("sidegate_shed_total{what=\"connection\"} 1"));
        drop(first);
        assert_eq!(registry.open().iter().map(|open| open.peer).collect::<Vec<_>>(), [peer(2)]);
        assert!(registry.register(peer(4), "data").is_some());
        second.close(Closed::Idle);
        assert_eq!(registry.count(), 0);
        let text = metrics.render();
        for why in ["cut\"} 2", "idle\"} 1"] {
            assert!(
                text.contains(&format!("sidegate_connections_closed_total{{listener=\"data\",why=\"{why}")),
                "{text}"
            );
        }
    }
}
