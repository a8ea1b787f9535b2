//! The time of decision: the system's clock, except that it never falls within a process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::model::Timestamp;

/// Reads the time; shared by every door of a process. Clones are one clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// The latest time that was given out, in nanoseconds since 1970.
    latest: Arc<AtomicU64>,
}

impl Clock {
    /// The time now, or the latest that was given out if the system's clock was set back since.
    pub fn now(&self) -> Timestamp {
        // A clock before 1970 or after 2554 reads as its nearest bound.
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.at_least(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    fn at_least(&self, now: u64) -> Timestamp {
        let now = self.latest.fetch_max(now, Ordering::Relaxed).max(now);
        let seconds = i64::try_from(now / 1_000_000_000).unwrap_or(i64::MAX);
        let nanos = u32::try_from(now % 1_000_000_000).unwrap_or(0);
        Timestamp::new(seconds, nanos).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn never_falls() {
        let clock = Clock::default();
        let later = clock.at_least(2_000_000_001);
        assert_eq!((later.seconds(), later.nanos()), (2, 1));
        assert_eq!(clock.at_least(1_000_000_000), later);
        assert!(clock.now() > later && clock.at_least(5) > later);
    }
}
