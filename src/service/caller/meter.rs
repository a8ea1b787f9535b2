//! How much each caller has asked lately. A bucket is one number, the moment by which what was asked would be paid for:
//! so it needs no lock, no timer, and nothing to be refilled.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use dashmap::DashMap;

use super::{
    identity::Identity,
    rule::{CallerRule, Rate},
};

/// Callers that are told apart at most; whoever comes on top shares one bucket a rule.
const MOST_METERS: usize = 16_384;
/// After so many newcomers those that are of no use any more are dropped.
const SWEEP_EVERY: usize = 256;
const SECOND: u64 = 1_000_000_000;

/// A clock that never falls: time since some moment.
#[derive(Clone)]
pub struct Ticks(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Ticks {
    /// A clock of one's own.
    pub fn new(read: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }
}

impl Default for Ticks {
    fn default() -> Self {
        let begun = Instant::now();
        Self::new(move || begun.elapsed())
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticks")
    }
}

/// The use of one caller under one rule.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// When all that was asked is paid for, in nanoseconds of the clock.
    paid_at: AtomicU64,
    in_flight: AtomicUsize,
}

/// One call in flight; ends when dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Meter>);

impl Meter {
    /// Takes so many items out of the bucket, all or none.
    pub(super) fn charge(&self, rate: Rate, items: usize, now: u64) -> bool {
        let Rate { per_second, burst } = rate;
        let each = SECOND / u64::from(per_second.max(1));
        let cost = u64::try_from(items).ok().and_then(|items| items.checked_mul(each));
        let Some(cost) = cost else { return false };
        let room = u64::from(burst).saturating_mul(each);
        let taken = self.paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid_at| {
            let next = paid_at.max(now).checked_add(cost)?;
            (next - now <= room).then_some(next)
        });
        taken.is_ok()
    }

    /// Takes a place among so many calls in flight.
    pub(super) fn enter(self: &Arc<Self>, most: usize) -> Option<InFlight> {
        let taken = self
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < most).then_some(count + 1));
        taken.ok().map(|_| InFlight(Arc::clone(self)))
    }

    /// Whether a new one would say the same.
    fn is_as_new(&self, now: u64) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && self.paid_at.load(Ordering::Relaxed) <= now
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Everybody's use. It outlives connections and changes of the rules: neither refills a bucket.
#[derive(Debug)]
pub(super) struct Meters {
    known: DashMap<(String, Identity), Arc<Meter>>,
    newcomers: AtomicUsize,
    clock: Ticks,
}

impl Meters {
    pub(super) fn new(clock: Ticks) -> Self {
        Self { known: DashMap::new(), newcomers: AtomicUsize::new(0), clock }
    }

    /// The clock's time in nanoseconds.
    pub(super) fn now(&self) -> u64 {
        u64::try_from((self.clock.0)().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The use of a caller.
    pub(super) fn of(&self, rule: &CallerRule, identity: Identity) -> Arc<Meter> {
        let key = (rule.name.clone(), identity);
        if let Some(known) = self.known.get(&key) {
            return Arc::clone(&known);
        }
        let full = self.known.len() >= MOST_METERS;
        if full || self.newcomers.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            self.sweep();
        }
        let (name, identity) = key;
        let identity = if self.known.len() >= MOST_METERS { Identity::Others } else { identity };
        Arc::clone(&self.known.entry((name, identity)).or_default())
    }

    /// Drops those that nobody uses and that are as good as new.
    fn sweep(&self) {
        let now = self.now();
        self.known.retain(|_, meter| Arc::strong_count(meter) > 1 || !meter.is_as_new(now));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use super::{
        super::rule::{CallerRule, Rate, Who},
        Identity, MOST_METERS, Meter, Meters, SECOND, Ticks,
    };

    const RATE: Rate = Rate { per_second: 10, burst: 5 };

    #[test]
    fn a_bucket_holds_its_burst_and_fills_at_its_rate() {
        let meter = Meter::default();
        assert!((0..5).all(|_| meter.charge(RATE, 1, 0)), "a burst at once");
        assert!(!meter.charge(RATE, 1, 0) && !meter.charge(RATE, 1, SECOND / 10 - 1));
        assert!(meter.charge(RATE, 1, SECOND / 10) && !meter.charge(RATE, 1, SECOND / 10));
        assert!(!meter.charge(RATE, 6, 100 * SECOND), "more than fits is never taken");
        assert!(meter.charge(RATE, 5, 100 * SECOND), "a long rest fills it, and no further");
        assert!(!meter.charge(RATE, 1, 100 * SECOND));
        assert!(!meter.charge(RATE, usize::MAX, u64::MAX), "no number overflows");
    }

    #[test]
    fn over_any_time_no_more_than_the_rate_and_one_burst_is_let_through() {
        let meter = Meter::default();
        let mut through: u64 = 0;
        // Uneven steps and sizes, from a fixed sequence.
        let (mut now, mut state) = (0_u64, 88_172_645_463_325_252_u64);
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            now += state % (SECOND / 20);
            let items = state % 4 + 1;
            if meter.charge(RATE, usize::try_from(items).unwrap(), now) {
                through += items;
            }
            assert!(through <= 5 + now * 10 / SECOND + 1, "{through} by {now}");
        }
        assert!(through > now * 9 / SECOND, "{through} by {now}: the rate is also reached");
    }

    #[test]
    fn places_are_given_back() {
        let meter = Arc::new(Meter::default());
        let (first, second) = (meter.enter(2), meter.enter(2));
        assert!(first.is_some() && second.is_some() && meter.enter(2).is_none());
        drop(first);
        assert!(meter.enter(2).is_some());
    }

    #[test]
    fn memory_is_bounded_and_nobody_is_refilled_by_leaving() {
        let now = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&now);
        let meters = Meters::new(Ticks::new(move || Duration::from_nanos(read.load(Ordering::Relaxed))));
        let rule = CallerRule::new("r", Who::Anyone);
        let spent = meters.of(&rule, Identity::Uid(1));
        assert!(spent.charge(RATE, 5, 0));
        drop(spent);
        meters.sweep();
        assert!(!meters.of(&rule, Identity::Uid(1)).charge(RATE, 1, 0), "still spent");
        let mut held: Vec<_> =
            (0..u32::try_from(MOST_METERS).unwrap() + 10).map(|uid| meters.of(&rule, Identity::Uid(uid))).collect();
        assert!(meters.known.len() <= MOST_METERS + 1, "{}", meters.known.len());
        let last = held.pop().unwrap();
        assert!(Arc::ptr_eq(&last, &held.pop().unwrap()), "those without room share one");
        drop((held, last));
        now.store(SECOND, Ordering::Relaxed);
        meters.sweep();
        assert_eq!(meters.known.len(), 0);
    }
}
