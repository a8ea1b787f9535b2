//! What is counted while it asks, and what it comes to in the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tonic::Code;

use super::answer::Said;
use super::lane::lock;
use super::pace::Ticket;

/// The longest time that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(3600);

/// The most snapshots that are told apart.
const MOST_DIGESTS: usize = 1_000;

/// Why a call was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The daemon refused it, with this gRPC code.
    Status(i32),
    /// The daemon answered with this HTTP status.
    Http(u16),
    /// The connection broke, and with it the call.
    Broken,
    /// No connection can be made.
    Unreachable,
    /// The answer is none.
    Unreadable,
}

impl Failure {
    fn name(self) -> String {
        match self {
            Self::Status(code) => status(code),
            Self::Http(status) => format!("HTTP {status}"),
            Self::Broken => "connection broken".to_owned(),
            Self::Unreachable => "unreachable".to_owned(),
            Self::Unreadable => "unreadable answer".to_owned(),
        }
    }
}

/// A gRPC code by the name that its documentation has: `DEADLINE_EXCEEDED`.
fn status(code: i32) -> String {
    let mut name = String::new();
    for (place, character) in format!("{:?}", Code::from(code)).char_indices() {
        if place > 0 && character.is_uppercase() {
            name.push('_');
        }
        name.extend(character.to_uppercase());
    }
    name
}

/// The times of answers, in nanoseconds.
#[derive(Clone, Debug)]
struct Times(Option<Histogram<u64>>);

impl Times {
    fn new(digits: u8) -> Self {
        Self(Histogram::new_with_bounds(1, nanoseconds(LONGEST), digits).ok())
    }

    fn record(&mut self, time: Duration) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(nanoseconds(time));
        }
    }

    fn add(&mut self, other: &Self) {
        if let (Some(own), Some(other)) = (&mut self.0, &other.0) {
            // Both have the same bounds.
            own.add(other).ok();
        }
    }

    fn at(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.as_ref().map_or(0, |histogram| histogram.value_at_quantile(quantile)))
    }
}

/// The counts of one thread.
#[derive(Debug)]
pub(super) struct Tally {
    sent: u64,
    answered: u64,
    calls: u64,
    allowed: u64,
    denied: u64,
    wrong: u64,
    errors: BTreeMap<String, u64>,
    digests: Vec<(Bytes, u64)>,
    times: Times,
    recent: Option<(Times, u64)>,
    span: Option<(Instant, Instant)>,
    pub(super) unsent: u64,
}

impl Tally {
    /// No counts; with a second set of times where the progress is to be told.
    pub(super) fn new(is_watched: bool) -> Self {
        Self {
            sent: 0,
            answered: 0,
            calls: 0,
            allowed: 0,
            denied: 0,
            wrong: 0,
            errors: BTreeMap::new(),
            digests: Vec::new(),
            times: Times::new(3),
            recent: is_watched.then(|| (Times::new(2), 0)),
            span: None,
            unsent: 0,
        }
    }

    pub(super) fn sent(&mut self, ticket: Ticket) {
        self.sent += 1;
        if ticket.counts && self.span.is_none() {
            self.span = Some((ticket.due, ticket.due));
        }
    }

    pub(super) fn answered(&mut self, ticket: Ticket, now: Instant) {
        let time = now.saturating_duration_since(ticket.due);
        if let Some((times, calls)) = &mut self.recent {
            times.record(time);
            *calls += 1;
        }
        self.ended(ticket, now);
        if ticket.counts {
            self.calls += 1;
            self.times.record(time);
        }
    }

    pub(super) fn failed(&mut self, ticket: Ticket, failure: Failure) {
        self.ended(ticket, Instant::now());
        if ticket.counts {
            *self.errors.entry(failure.name()).or_default() += 1;
        }
    }

    fn ended(&mut self, ticket: Ticket, now: Instant) {
        self.answered += 1;
        if let Some((_, last)) = self.span.as_mut().filter(|_| ticket.counts) {
            *last = now;
        }
    }

    pub(super) fn count(&mut self, said: Said, wanted: Option<bool>) {
        match said {
            Said::Decided(allowed) => {
                if allowed {
                    self.allowed += 1;
                } else {
                    self.denied += 1;
                }
                self.wrong += u64::from(wanted.is_some_and(|wanted| wanted != allowed));
            }
            Said::Refused(code) => *self.errors.entry(status(code)).or_default() += 1,
        }
    }

    pub(super) fn named(&mut self, digest: &Bytes) {
        if digest.is_empty() {
            return;
        }
        // The newest stands last: nearly always it is the one.
        if let Some((_, count)) = self.digests.iter_mut().rev().find(|(known, _)| known == digest) {
            *count += 1;
        } else if self.digests.len() < MOST_DIGESTS {
            // A copy: the answer's own buffer is larger and shared.
            self.digests.push((Bytes::copy_from_slice(digest), 1));
        }
    }

    pub(super) fn sent_and_answered(&self) -> (u64, u64) {
        (self.sent, self.answered)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new(false)
    }
}

/// How it goes, since it was last told.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since the beginning.
    pub elapsed: Duration,
    /// Calls answered in a second.
    pub per_second: f64,
    /// The median of the times of answers.
    pub p50: Duration,
    /// What one in a hundred exceeds.
    pub p99: Duration,
    /// Calls not answered, since the warm-up ended.
    pub errors: u64,
    /// Wrong answers, since the warm-up ended.
    pub wrong: u64,
}

impl Moment {
    pub(super) fn take(tallies: &[Arc<Mutex<Tally>>], elapsed: Duration, since: Duration) -> Self {
        let (mut all, mut calls, mut errors, mut wrong) = (Times::new(2), 0, 0, 0);
        for tally in tallies {
            let fresh = (Times::new(2), 0);
            let mut tally = lock(tally);
            errors += tally.errors.values().sum::<u64>();
            wrong += tally.wrong;
            let recent = tally.recent.as_mut().map(|recent| std::mem::replace(recent, fresh));
            // The rest is done without the lock: the thread goes on.
            drop(tally);
            if let Some((times, count)) = recent {
                all.add(&times);
                calls += count;
            }
        }
        let per_second = ratio(calls, since);
        Self { elapsed, per_second, p50: all.at(0.5), p99: all.at(0.99), errors, wrong }
    }
}

/// What it came to. Nothing of the warm-up is in it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Calls that were answered.
    pub calls: u64,
    /// How long that took.
    pub elapsed: Duration,
    /// Questions that were allowed.
    pub allowed: u64,
    /// Questions that were denied.
    pub denied: u64,
    /// Questions whose decision was not the one that was wanted.
    pub wrong: u64,
    /// Calls and questions that were not answered, by why.
    pub errors: BTreeMap<String, u64>,
    /// Calls that had no answer when there was no more time to wait.
    pub unanswered: u64,
    /// Calls of a schedule that were due and never sent.
    pub unsent: u64,
    /// The digests of the snapshots that answered, with how many calls each.
    pub digests: BTreeMap<String, u64>,
    /// What it cost this process to ask once.
    pub cost: Duration,
    times: Times,
}

impl Outcome {
    pub(super) fn sum(tallies: impl IntoIterator<Item = Tally>, cost: Duration) -> Self {
        let mut whole = Self {
            calls: 0,
            elapsed: Duration::ZERO,
            allowed: 0,
            denied: 0,
            wrong: 0,
            errors: BTreeMap::new(),
            unanswered: 0,
            unsent: 0,
            digests: BTreeMap::new(),
            cost: Duration::ZERO,
            times: Times::new(3),
        };
        let (mut span, mut asked): (Option<(Instant, Instant)>, u64) = (None, 0);
        for tally in tallies {
            whole.calls += tally.calls;
            whole.allowed += tally.allowed;
            whole.denied += tally.denied;
            whole.wrong += tally.wrong;
            whole.unanswered += tally.sent.saturating_sub(tally.answered);
            whole.unsent += tally.unsent;
            asked += tally.answered;
            for (name, count) in tally.errors {
                *whole.errors.entry(name).or_default() += count;
            }
            for (digest, count) in tally.digests {
                *whole.digests.entry(String::from_utf8_lossy(&digest).into_owned()).or_default() += count;
            }
            whole.times.add(&tally.times);
            span = match (span, tally.span) {
                (Some((first, last)), Some((begun, ended))) => Some((first.min(begun), last.max(ended))),
                (one, other) => one.or(other),
            };
        }
        whole.elapsed = span.map_or(Duration::ZERO, |(first, last)| last.saturating_duration_since(first));
        whole.cost = cost.checked_div(u32::try_from(asked).unwrap_or(u32::MAX)).unwrap_or_default();
        whole
    }

    /// Calls answered in a second.
    pub fn per_second(&self) -> f64 {
        ratio(self.calls, self.elapsed)
    }

    /// Questions answered.
    pub fn answers(&self) -> u64 {
        self.allowed + self.denied
    }

    /// Whether every call was sent and every question answered.
    pub fn is_whole(&self) -> bool {
        self.errors.is_empty() && self.unanswered == 0 && self.calls > 0
    }

    /// The time of answers that so many exceed: 0.5 for the median, 1.0 for the longest.
    pub fn time(&self, quantile: f64) -> Duration {
        self.times.at(quantile)
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^52 calls")]
fn ratio(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { count as f64 / elapsed.as_secs_f64() }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Failure, Outcome, Said, Tally, Ticket};

    #[test]
    fn counts_what_was_answered_and_what_was_not() {
        let due = Instant::now();
        let (counts, warms) = (Ticket { due, counts: true }, Ticket { due, counts: false });
        let mut tally = Tally::new(false);
        for ticket in [warms, counts, counts, counts, counts] {
            tally.sent(ticket);
        }
        tally.answered(warms, due + Duration::from_secs(9));
        for (said, wanted) in
            [(Said::Decided(true), Some(true)), (Said::Decided(false), Some(true)), (Said::Refused(3), None)]
        {
            tally.count(said, wanted);
        }
        tally.answered(counts, due + Duration::from_millis(1));
        tally.answered(counts, due + Duration::from_millis(2));
        tally.failed(counts, Failure::Status(4));
        for digest in ["a", "b", "a"] {
            tally.named(&digest.into());
        }
        let outcome = Outcome::sum([tally, Tally::new(false)], Duration::from_micros(40));
        assert_eq!((outcome.calls, outcome.allowed, outcome.denied, outcome.wrong), (2, 1, 1, 1));
        assert_eq!(outcome.unanswered, 1);
        let errors: Vec<_> = outcome.errors.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(errors, [("DEADLINE_EXCEEDED", 1), ("INVALID_ARGUMENT", 1)]);
        assert_eq!(outcome.digests.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        let longest = outcome.times.at(1.0);
        assert!(longest >= Duration::from_millis(2) && longest < Duration::from_millis(3), "the warm-up is in it");
        assert_eq!(outcome.cost, Duration::from_micros(10));
    }
}
