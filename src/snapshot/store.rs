//! The one pointer that requests read, and the news of its changes. Who swaps it is [`super::reload`]'s business.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

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
    /// Whether the live snapshot has been found to be stale.
    pub stale: bool,
}

/// Holds the live snapshot.
#[derive(Debug)]
pub struct Store {
    live: ArcSwapOption<Snapshot>,
    status: watch::Sender<Status>,
    /// When the source was looked at last, in nanoseconds since 1970; 0 for not yet.
    checked: AtomicU64,
    /// When it was found to hold what is live.
    confirmed: AtomicU64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            live: ArcSwapOption::empty(),
            status: watch::Sender::new(Status::default()),
            checked: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
        }
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

    /// What changed last, and what has been live since.
    pub fn status_and_live(&self) -> (Status, Option<Arc<Snapshot>>) {
        let status = self.status.borrow();
        (status.clone(), self.live.load_full())
    }

    /// Makes a snapshot live and returns the one it replaces. Called by one thread only.
    pub(super) fn publish(&self, snapshot: Arc<Snapshot>) -> Option<Arc<Snapshot>> {
        let mut old = None;
        // Within the status's lock: who has found it live finds no status of the one before.
        self.status.send_modify(|status| {
            *status = Status { generation: snapshot.generation, failure: None, stale: false };
            old = self.live.swap(Some(snapshot));
        });
        old
    }

    /// When the source was looked at last.
    pub fn checked_at(&self) -> Option<SystemTime> {
        read_moment(&self.checked)
    }

    /// When the source was last found to hold what is live.
    pub fn confirmed_at(&self) -> Option<SystemTime> {
        read_moment(&self.confirmed)
    }

    /// Tells whether the live snapshot is stale; whether that is news.
    pub fn found_stale(&self, generation: u64, stale: bool) -> bool {
        self.status.send_if_modified(|status| {
            let news = status.generation == generation && status.stale != stale;
            status.stale = if news { stale } else { status.stale };
            news
        })
    }

    /// Notes that the source was looked at, and whether it holds what is live.
    pub(super) fn checked(&self, at: SystemTime, holds_live: bool) {
        note_moment(&self.checked, at);
        if holds_live {
            note_moment(&self.confirmed, at);
        }
    }

    /// Notes a refused load; the live snapshot stays. One that is as before is no news.
    pub(super) fn refuse(&self, failure: Arc<Failure>) {
        self.status.send_if_modified(|status| {
            let news = status.failure.as_ref().is_none_or(|earlier| earlier.rendered != failure.rendered);
            status.failure = Some(failure);
            news
        });
    }

    /// Notes that the source holds what is live.
    pub(super) fn confirm(&self) {
        self.status.send_if_modified(|status| status.failure.take().is_some());
    }
}

fn note_moment(slot: &AtomicU64, at: SystemTime) {
    let elapsed = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    slot.store(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

fn read_moment(slot: &AtomicU64) -> Option<SystemTime> {
    let nanoseconds = slot.load(Ordering::Relaxed);
    (nanoseconds > 0).then(|| UNIX_EPOCH + Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread,
    };

    use super::{super::testing, Snapshot, Store};
    use crate::index::Index;

    /// A snapshot that says everywhere which one it is.
    fn numbered(bytes: &[u8], number: u64) -> Arc<Snapshot> {
        let mut snapshot = testing::snapshot_of(Index::open(bytes.to_vec()).unwrap(), &number.to_string());
        (snapshot.generation, snapshot.sequence) = (number, number);
        Arc::new(snapshot)
    }

    #[test]
    fn readers_see_versions_rise_and_each_of_one_piece() {
        const SWAPS: u64 = 3_000;
        let (store, bytes, over) = (Store::default(), testing::index("a").bytes().to_vec(), AtomicBool::new(false));
        store.publish(numbered(&bytes, 1));
        thread::scope(|scope| {
            let (store, over) = (&store, &over);
            let reader = move |full: bool| {
                let (mut last, mut reads) = (0, 0_u64);
                while !over.load(Ordering::Relaxed) {
                    let seen = if full {
                        store.load_full().map(|live| (live.generation, live.sequence, live.digest.clone()))
                    } else {
                        store.read(|live| live.map(|live| (live.generation, live.sequence, live.digest.clone())))
                    };
                    let (generation, sequence, digest) = seen.unwrap();
                    assert!(generation >= last, "{generation} after {last}");
                    assert_eq!((sequence, digest), (generation, generation.to_string()));
                    if full {
                        assert!(store.status().generation >= generation, "live, and not said to be");
                        let (status, live) = store.status_and_live();
                        assert_eq!(status.generation, live.unwrap().generation);
                    }
                    (last, reads) = (generation, reads + 1);
                }
                reads
            };
            let readers: Vec<_> = (0..8).map(|number| scope.spawn(move || reader(number % 2 == 0))).collect();
            let mut kept = Vec::new();
            for number in 2..=SWAPS {
                kept.push(store.publish(numbered(&bytes, number)).unwrap());
                // What was replaced is let go a while later, as retiring does.
                kept.drain(..kept.len().saturating_sub(2));
            }
            over.store(true, Ordering::Relaxed);
            let reads: Vec<u64> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
            println!("{SWAPS} swaps, {reads:?} reads");
        });
        assert_eq!(store.status().generation, SWAPS);
    }
}
