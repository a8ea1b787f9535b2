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
    use crate::{
        decide::authorize,
        document::{self, Source},
        index::Index,
        model::{Entity, Reason, Request, Timestamp},
    };

    /// 2026-01-31T09:00:00Z, when the grant below ends.
    const END: u64 = 1_769_850_000;
    const HOUR: u64 = 3_600;
    const TEN_YEARS: u64 = 87_600 * HOUR;

    #[test]
    fn never_falls() {
        let clock = Clock::default();
        let later = clock.at_least(2_000_000_001);
        assert_eq!((later.seconds(), later.nanos()), (2, 1));
        assert_eq!(clock.at_least(1_000_000_000), later);
        assert!(clock.now() > later && clock.at_least(5) > later);
    }

    #[test]
    fn a_clock_set_back_revives_no_grant() {
        let index = index();
        for back in [1, HOUR, TEN_YEARS, END] {
            let clock = Clock::default();
            let ask = |seconds: u64| reason(&index, clock.at_least(seconds * 1_000_000_000));
            assert_eq!(ask(END - 1), Reason::Granted);
            assert_eq!(ask(END - 1 - back.min(END - 1)), Reason::Granted, "set back before the end");
            assert_eq!(ask(END), Reason::Expired);
            assert_eq!(ask(END - back), Reason::Expired, "set back by {back} s");
            assert_eq!(ask(END + back), Reason::Expired);
        }
    }

    #[test]
    fn a_clock_that_was_ahead_ends_grants_and_never_begins_one_again() {
        let (index, clock) = (index(), Clock::default());
        let ask = |seconds: u64| reason(&index, clock.at_least(seconds * 1_000_000_000));
        assert_eq!(ask(END - HOUR), Reason::Granted);
        assert_eq!(ask(END + TEN_YEARS), Reason::Expired);
        assert_eq!(ask(END - HOUR), Reason::Expired, "set right again: the end was seen");
        assert_eq!(reason(&index, clock.at_least(u64::MAX)), Reason::Expired, "beyond what a clock can say");
    }

    #[test]
    fn threads_agree_that_time_does_not_fall() {
        let clock = Clock::default();
        std::thread::scope(|scope| {
            for number in 0..4_u64 {
                let clock = &clock;
                scope.spawn(move || {
                    let mut last = Timestamp::EPOCH;
                    for step in 0..10_000_u64 {
                        // Each core's own clock goes to and fro.
                        let now = clock.at_least(step * 1_000 + (step * (number + 3) * 7_919) % 5_000);
                        assert!(now >= last);
                        last = now;
                    }
                });
            }
        });
    }

    fn index() -> Index {
        let text = "sidegate: 1\nsubject_types: {user: {}}\ntypes: {desk: {root: true, actions: [sit]}}\n\
            roles: {guest: {at: desk, allow: [{on: desk, actions: [sit]}]}}\nsubjects: {user/ana: {}}\n\
            resources: {desk/one: {}}\nbindings: [{subject: user/ana, role: guest, at: desk/one, \
            expires: 2026-01-31T09:00:00Z}]\n";
        let source = Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
        document::build(vec![source]).unwrap().index
    }

    fn reason(index: &Index, time: Timestamp) -> Reason {
        let request = Request {
            subject: Entity { kind: "user", id: "ana" },
            subject_properties: &[],
            action: "sit",
            action_properties: &[],
            resource: Entity { kind: "desk", id: "one" },
            parent: None,
            resource_properties: &[],
            context: &[],
        };
        authorize(index, &request, time).unwrap().reason
    }
}
