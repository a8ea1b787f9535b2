//! The one pointer that requests read, and the news of its changes. Who swaps it is [`super::reload`]'s business.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::load::{Failure, Snapshot};

/// What changed last: numbers only, so that nobody who waits for news keeps an old snapshot alive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// How many snapshots have gone live; 0 while there is none.
    pub generation: u64,
    /// Why the newest content of the source is not live, where it is not.
    pub failure: Option<Arc<Failure>>,
}

/// Holds the live snapshot.
#[derive(Debug)]
pub struct Store {
    live: ArcSwapOption<Snapshot>,
    status: watch::Sender<Status>,
}

impl Default for Store {
    fn default() -> Self {
        Self { live: ArcSwapOption::empty(), status: watch::Sender::new(Status::default()) }
    }
}

impl Store {
    /// Lends the live snapshot. The closure keeps the loan from crossing an `await`: loans are few per thread.
    pub fn read<R>(&self, use_it: impl FnOnce(Option<&Arc<Snapshot>>) -> R) -> R {
        use_it(self.live.load().as_ref())
    }

    /// The live snapshot for work that is long or crosses threads. It is not freed before the work lets go of it.
    pub fn load_full(&self) -> Option<Arc<Snapshot>> {
        self.live.load_full()
    }

    /// Tells of every change from now on.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// What changed last.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Makes a snapshot live and returns the one it replaces. Called by one thread only.
    pub(super) fn publish(&self, snapshot: Arc<Snapshot>) -> Option<Arc<Snapshot>> {
        let generation = snapshot.generation;
        let old = self.live.swap(Some(snapshot));
        self.status.send_replace(Status { generation, failure: None });
        old
    }

    /// Notes a refused load; the live snapshot stays.
    pub(super) fn refuse(&self, failure: Arc<Failure>) {
        self.status.send_modify(|status| status.failure = Some(failure));
    }

    /// Notes that the source holds what is live.
    pub(super) fn confirm(&self) {
        self.status.send_if_modified(|status| status.failure.take().is_some());
    }
}
