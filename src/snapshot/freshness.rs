//! How long a snapshot may be relied on. Reads no clock: who asks brings the time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::model::Timestamp;

const NEVER: u64 = u64::MAX;

/// Until when a snapshot is fresh. One number, so that asking costs a request one comparison.
#[derive(Debug)]
pub struct Freshness {
    /// Nanoseconds since 1970.
    until: AtomicU64,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { until: AtomicU64::new(NEVER) }
    }
}

impl PartialEq for Freshness {
    fn eq(&self, other: &Self) -> bool {
        self.nanoseconds() == other.nanoseconds()
    }
}

impl Eq for Freshness {}

impl Freshness {
    /// One that ends so long after 1970, for those who show it.
    pub fn ending(after: Duration) -> Self {
        let fresh = Self::default();
        fresh.end_at(Timestamp::EPOCH, after);
        fresh
    }

    /// Whether it can end at all.
    #[inline]
    pub fn can_end(&self) -> bool {
        self.nanoseconds() != NEVER
    }

    /// Whether it has ended at a moment.
    #[inline]
    pub fn is_over(&self, time: Timestamp) -> bool {
        let until = self.nanoseconds();
        until != NEVER && nanoseconds_of(time) >= until
    }

    /// The moment at which it ends, if it does.
    pub fn until(&self) -> Option<Timestamp> {
        let until = self.nanoseconds();
        let nanos = u32::try_from(until % 1_000_000_000).ok()?;
        Timestamp::new(i64::try_from(until / 1_000_000_000).ok()?, nanos).filter(|_| until != NEVER)
    }

    pub(super) fn end_at(&self, begin: Timestamp, after: Duration) {
        let after = u64::try_from(after.as_nanos()).unwrap_or(NEVER);
        self.until.store(nanoseconds_of(begin).saturating_add(after), Ordering::Relaxed);
    }

    fn nanoseconds(&self) -> u64 {
        self.until.load(Ordering::Relaxed)
    }
}

fn nanoseconds_of(time: Timestamp) -> u64 {
    let seconds = u64::try_from(time.seconds()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(time.nanos()))
}

/// A moment of the system's clock; one before 1970 reads as 1970.
pub(super) fn moment(time: SystemTime) -> Timestamp {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
    Timestamp::new(seconds, elapsed.subsec_nanos()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Freshness, Timestamp};

    #[test]
    fn ends_at_its_moment_and_by_itself_never() {
        let fresh = Freshness::default();
        assert!(!fresh.can_end() && !fresh.is_over(Timestamp::MAX) && fresh.until().is_none());
        fresh.end_at(Timestamp::NEW_YEAR_2026, Duration::from_secs(60));
        let at = |seconds| Timestamp::new(Timestamp::NEW_YEAR_2026.seconds() + seconds, 0).unwrap();
        assert!(fresh.can_end() && !fresh.is_over(at(59)) && fresh.is_over(at(60)) && fresh.is_over(Timestamp::MAX));
        assert_eq!(fresh.until(), Some(at(60)));
        fresh.end_at(Timestamp::MIN, Duration::ZERO);
        assert!(fresh.is_over(Timestamp::EPOCH), "what was issued before 1970");
        fresh.end_at(Timestamp::MAX, Duration::MAX);
        assert!(!fresh.is_over(Timestamp::NEW_YEAR_2026));
    }
}
