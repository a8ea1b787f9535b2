//! How long a connection may last: clockwork that is asked at the moments which it names. It closes nothing itself.

use std::time::Duration;

use tokio::time::Instant;

use super::HttpLimits;
use crate::observe::metrics::Closed;

/// How long a client without a call in flight may take to close when told to: one that does not listen, or listens
/// no more, must not hold up the drain.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long calls may go on after their connection has become too old: streams have no other end.
const GRACE: Duration = Duration::from_secs(30);
/// Idleness is found out by looking so many times, each of which must show nothing.
const LOOKS: u32 = 4;
/// With nothing to wait for; further away than any connection lasts.
const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Wait,
    /// Tell the client to go, and let calls in flight end.
    Close,
    /// End it.
    End(Closed),
}

/// What a connection shows of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Whether a complete request has come.
    pub(super) heard: bool,
    /// Calls so far.
    pub(super) calls: u64,
    /// Calls in flight.
    pub(super) in_flight: usize,
}

/// The clockwork of one connection.
#[derive(Debug)]
pub(super) struct Life {
    /// Until when a first request must have come; `None` once it has.
    first: Option<Instant>,
    rest: Option<Rest>,
    /// When it is too old.
    old: Option<Instant>,
    closing: Option<Closing>,
}

#[derive(Debug)]
struct Rest {
    step: Duration,
    next: Instant,
    /// What the last look has shown.
    calls: u64,
    resting: bool,
    quiet: u32,
}

#[derive(Debug)]
struct Closing {
    why: Closed,
    next: Instant,
    /// When calls in flight are cut too.
    cut: Option<Instant>,
}

impl Life {
    /// Begins with the accept. `draw` is a random number: clients that came together are not sent away together.
    pub(super) fn new(limits: &HttpLimits, accepted: Instant, draw: u32) -> Self {
        let HttpLimits { handshake, idle, max_age, .. } = limits;
        // From nine to eleven tenths.
        let share = 0.9 + 0.2 * f64::from(draw) / f64::from(u32::MAX);
        let step = *idle / LOOKS;
        let rest = Rest { step, next: accepted + step, calls: 0, resting: true, quiet: 0 };
        Self {
            first: Some(accepted + *handshake),
            rest: (!idle.is_zero()).then_some(rest),
            old: (!max_age.is_zero()).then(|| accepted + max_age.mul_f64(share)),
            closing: None,
        }
    }

    /// When to ask again.
    pub(super) fn next(&self) -> Instant {
        if let Some(closing) = &self.closing {
            return closing.next;
        }
        let rest = self.rest.as_ref().map(|rest| rest.next);
        let next = [self.first, rest, self.old].into_iter().flatten().min();
        next.unwrap_or_else(|| Instant::now() + FAR)
    }

    /// Until when a first request must have come.
    pub(super) fn first(&self) -> Instant {
        self.first.unwrap_or_else(Instant::now)
    }

    /// Why it is being closed, if it is.
    pub(super) fn closing(&self) -> Option<Closed> {
        self.closing.as_ref().map(|closing| closing.why)
    }

    /// Begins to close it because all are to end.
    pub(super) fn drain(&mut self, now: Instant) {
        self.close(Closed::Drain, now, None);
    }

    /// What is to be done now.
    pub(super) fn step(&mut self, now: Instant, seen: Seen) -> Step {
        if let Some(closing) = &mut self.closing {
            return closing.step(now, seen);
        }
        if self.first.is_some_and(|first| first <= now) {
            self.first = None;
            if !seen.heard {
                self.close(Closed::NoRequest, now, Some(now + FAREWELL));
                return Step::Close;
            }
        }
        if self.old.is_some_and(|old| old <= now) {
            self.close(Closed::Age, now, Some(now + GRACE));
            return Step::Close;
        }
        if self.rest.as_mut().is_some_and(|rest| rest.next <= now && rest.is_over(now, seen)) {
            self.close(Closed::Idle, now, None);
            return Step::Close;
        }
        Step::Wait
    }

    fn close(&mut self, why: Closed, now: Instant, cut: Option<Instant>) {
        self.closing = Some(Closing { why, next: now + FAREWELL, cut });
    }
}

impl Rest {
    /// Looks once more; whether it has now been quiet for long enough.
    fn is_over(&mut self, now: Instant, seen: Seen) -> bool {
        self.next = now + self.step;
        let resting = seen.in_flight == 0;
        // Quiet from one look to the next: nothing was under way, nothing has begun.
        self.quiet = if resting && self.resting && seen.calls == self.calls { self.quiet + 1 } else { 0 };
        (self.calls, self.resting) = (seen.calls, resting);
        self.quiet >= LOOKS
    }
}

impl Closing {
    fn step(&mut self, now: Instant, seen: Seen) -> Step {
        if seen.in_flight == 0 || self.cut.is_some_and(|cut| cut <= now) {
            return Step::End(self.why);
        }
        self.next = now + FAREWELL;
        Step::Wait
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Closed, HttpLimits, Life, Seen, Step};

    const SECOND: Duration = Duration::from_secs(1);

    fn seen(heard: bool, calls: u64, in_flight: usize) -> Seen {
        Seen { heard, calls, in_flight }
    }

    fn life(draw: u32) -> (Life, Instant) {
        let limits =
            HttpLimits { handshake: 5 * SECOND, idle: 40 * SECOND, max_age: 1000 * SECOND, ..HttpLimits::default() };
        let now = Instant::now();
        (Life::new(&limits, now, draw), now)
    }

    /// Asks as its owner does, until something is to be done; how long that took.
    fn run(life: &mut Life, begun: Instant, mut see: impl FnMut(Duration) -> Seen) -> (Step, Duration) {
        loop {
            let now = life.next();
            match life.step(now, see(now - begun)) {
                Step::Wait => assert!(life.next() > now, "it would spin"),
                step => return (step, now - begun),
            }
        }
    }

    #[test]
    fn without_a_request_it_ends_after_the_handshake_time() {
        let (mut life, begun) = life(0);
        // A call whose body does not come is no request.
        assert_eq!(run(&mut life, begun, |_| seen(false, 1, 1)), (Step::Close, 5 * SECOND));
        assert_eq!(life.closing(), Some(Closed::NoRequest));
        assert_eq!(run(&mut life, begun, |_| seen(false, 1, 1)), (Step::End(Closed::NoRequest), 6 * SECOND));
    }

    #[test]
    fn it_is_idle_when_nothing_has_happened_for_so_long_and_not_before() {
        let (mut life, begun) = life(0);
        let see = |at: Duration| seen(true, u64::from(at > 33 * SECOND), 0);
        let (step, after) = run(&mut life, begun, see);
        assert_eq!(step, Step::Close);
        assert!((73 * SECOND..=83 * SECOND).contains(&after), "{after:?}");
        assert_eq!(run(&mut life, begun, see).0, Step::End(Closed::Idle));
    }

    #[test]
    fn a_call_in_flight_is_no_idleness() {
        let (mut life, begun) = life(0);
        let (step, after) = run(&mut life, begun, |at| seen(true, 1, usize::from(at < 300 * SECOND)));
        assert_eq!(step, Step::Close);
        assert!((340 * SECOND..=350 * SECOND).contains(&after), "{after:?}");
    }

    #[test]
    fn it_grows_old_at_a_moment_of_its_own_and_calls_may_end() {
        let mut calls = 0;
        let mut busy = |_| {
            calls += 1;
            seen(true, calls, 1)
        };
        for (draw, expected) in [(0, 900), (u32::MAX / 2, 1000), (u32::MAX, 1100)] {
            let (mut life, begun) = life(draw);
            let (step, after) = run(&mut life, begun, &mut busy);
            assert_eq!(step, Step::Close);
            assert!(after.abs_diff(expected * SECOND) < SECOND / 10, "{after:?}");
            let (step, end) = run(&mut life, begun, &mut busy);
            assert_eq!((step, end), (Step::End(Closed::Age), after + 30 * SECOND));
        }
        let (mut life, begun) = life(0);
        run(&mut life, begun, &mut busy);
        assert_eq!(run(&mut life, begun, |_| seen(true, 9, 0)), (Step::End(Closed::Age), 901 * SECOND));
    }

    #[test]
    fn what_is_zero_never_comes() {
        let limits = HttpLimits { idle: Duration::ZERO, max_age: Duration::ZERO, ..HttpLimits::default() };
        let begun = Instant::now();
        let mut life = Life::new(&limits, begun, 7);
        assert_eq!(life.step(life.next(), seen(true, 1, 0)), Step::Wait);
        assert!(life.next() > begun + 1_000_000 * SECOND);
        life.drain(begun);
        assert_eq!(
            run(&mut life, begun, |at| seen(true, 1, usize::from(at < 60 * SECOND))).0,
            Step::End(Closed::Drain)
        );
    }
}
