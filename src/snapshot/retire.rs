//! Where replaced snapshots wait until nobody reads them: freeing a large one takes long enough to be felt, so it never
//! happens on a thread that answers requests.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::load::Snapshot;

/// How long a replaced snapshot is kept at least, whoever reads it.
const GRACE: Duration = Duration::from_millis(100);
/// At most so many wait.
const MOST: usize = 2;
const PAUSE: Duration = Duration::from_millis(5);

/// The replaced snapshots; lives on the build thread.
#[derive(Debug, Default)]
pub(super) struct Retired(Vec<(Instant, Arc<Snapshot>)>);

impl Retired {
    /// Takes a replaced snapshot.
    pub(super) fn push(&mut self, snapshot: Arc<Snapshot>) {
        self.0.push((Instant::now(), snapshot));
    }

    /// Frees those that nobody reads any more.
    pub(super) fn sweep(&mut self) {
        // A count of one cannot rise again: nobody else holds a reference to make another from.
        self.0.retain(|(since, snapshot)| since.elapsed() < GRACE || Arc::strong_count(snapshot) > 1);
    }

    /// Whether any wait.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until one more fits; before a large build until none are left, so that it stands beside the live snapshot
    /// alone. After `limit` it is enough that one more fits; `false` when not even that is so.
    pub(super) fn make_room(&mut self, is_large: bool, limit: Duration) -> bool {
        let begun = Instant::now();
        let beside = if is_large { 0 } else { MOST - 1 };
        loop {
            self.sweep();
            if self.0.len() <= beside {
                return true;
            }
            if begun.elapsed() >= limit {
                return self.0.len() < MOST;
            }
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{super::testing, GRACE, Retired};

    #[test]
    fn frees_after_the_grace_and_only_the_last_reference() {
        let mut retired = Retired::default();
        let held = Arc::new(testing::snapshot("held"));
        retired.push(Arc::clone(&held));
        retired.push(Arc::new(testing::snapshot("free")));
        retired.sweep();
        assert_eq!(retired.0.len(), 2, "within the grace");
        assert!(retired.make_room(true, GRACE * 2), "one more fits");
        assert_eq!(retired.0.len(), 1);
        drop(held);
        assert!(retired.make_room(true, Duration::from_secs(10)) && retired.is_empty());
    }

    #[test]
    fn one_within_its_grace_holds_up_a_large_build_alone() {
        let mut retired = Retired::default();
        retired.push(Arc::new(testing::snapshot("new")));
        assert!(retired.make_room(false, Duration::from_secs(10)));
        assert_eq!(retired.0.len(), 1, "it was not waited for");
        assert!(retired.make_room(true, Duration::from_secs(10)) && retired.is_empty());
    }

    #[test]
    fn two_that_are_in_use_leave_no_room() {
        let mut retired = Retired::default();
        let held = [Arc::new(testing::snapshot("a")), Arc::new(testing::snapshot("b"))];
        for snapshot in &held {
            retired.push(Arc::clone(snapshot));
        }
        assert!(!retired.make_room(true, Duration::from_millis(20)));
        assert!(!retired.make_room(false, Duration::from_millis(20)));
    }
}
