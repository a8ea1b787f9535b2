//! When each call is due: at once, or at its place in a schedule that no answer can delay.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::timer::Timer;
use super::{Length, Plan, Share};

/// Calls that may still count, for all threads; `None` where time alone ends it.
pub(super) type CallsLeft = Option<AtomicU64>;

pub(super) fn calls_left(length: Length) -> Arc<CallsLeft> {
    Arc::new(match length {
        Length::Time(_) => None,
        Length::Calls(calls) => Some(AtomicU64::new(calls)),
    })
}

/// One call to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// When it should be sent: its answer's time counts from here.
    pub(super) due: Instant,
    /// Whether it counts, or only warms up.
    pub(super) counts: bool,
}

/// The calls of one thread.
#[derive(Debug)]
pub(super) struct Pace {
    /// When calls begin to count.
    from: Instant,
    end: Option<Instant>,
    left: Arc<CallsLeft>,
    schedule: Option<Schedule>,
    over: AtomicBool,
}

/// Calls at a rate.
#[derive(Debug)]
struct Schedule {
    start: Instant,
    interval: f64,
    /// One permit for each call that is due and that nobody has taken.
    due: Semaphore,
    issued: AtomicU64,
    taken: AtomicU64,
}

impl Pace {
    pub(super) fn new(plan: &Plan, share: Share, left: Arc<CallsLeft>, start: Instant) -> Self {
        let from = start + plan.warm_up;
        // The threads take turns: together they ask at the rate, evenly.
        let schedule = plan.rate.map(|rate| Schedule {
            start: start + Duration::from_secs_f64(as_float(share.number) / rate),
            interval: as_float(share.of) / rate,
            due: Semaphore::new(0),
            issued: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        });
        let end = match plan.length {
            Length::Time(length) => Some(from + length),
            Length::Calls(_) => None,
        };
        Self { from, end, left, schedule, over: AtomicBool::new(false) }
    }

    /// Waits until a call is due; `None` when there are no more. Nothing is lost if the wait is given up.
    pub(super) async fn take(&self) -> Option<Ticket> {
        let Some(schedule) = &self.schedule else { return self.ticket(Instant::now()) };
        loop {
            schedule.due.acquire().await.ok()?.forget();
            let due = schedule.next();
            // What was to warm up and could not in time would only keep from counting.
            if due >= self.from || Instant::now() < self.from {
                return self.ticket(due);
            }
        }
    }

    /// A call that is due already.
    pub(super) fn take_due(&self) -> Option<Ticket> {
        let Some(schedule) = &self.schedule else { return self.ticket(Instant::now()) };
        schedule.due.try_acquire().ok()?.forget();
        self.ticket(schedule.next())
    }

    /// Issues the calls of a schedule, each when it is due, until the end.
    pub(super) async fn keep(&self) -> io::Result<()> {
        let Some(schedule) = &self.schedule else { return Ok(()) };
        let timer = Timer::new()?;
        loop {
            let next = schedule.due(schedule.issued.load(Ordering::Relaxed));
            if self.is_over() || self.end.is_some_and(|end| next >= end) {
                break;
            }
            timer.until(next).await?;
            schedule.issue(self.end);
        }
        if let Some(end) = self.end {
            timer.until(end).await?;
        }
        self.stop();
        Ok(())
    }

    /// No more calls.
    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(schedule) = &self.schedule {
            schedule.due.close();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// When no more calls become due, where time says so.
    pub(super) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// How many calls were due and never sent, because too many others waited for their answers.
    pub(super) fn unsent(&self) -> u64 {
        let count = |schedule: &Schedule| {
            schedule.issued.load(Ordering::Relaxed).saturating_sub(schedule.taken.load(Ordering::Relaxed))
        };
        // Where calls are counted, those issued beyond the last are nobody's.
        self.schedule.as_ref().filter(|_| self.end.is_some()).map_or(0, count)
    }

    fn ticket(&self, due: Instant) -> Option<Ticket> {
        let counts = due >= self.from;
        let goes_on = !self.is_over() && self.end.is_none_or(|end| due < end) && (!counts || self.claim());
        if !goes_on {
            self.over.store(true, Ordering::Relaxed);
        }
        goes_on.then_some(Ticket { due, counts })
    }

    fn claim(&self) -> bool {
        let Some(left) = &*self.left else { return true };
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

impl Schedule {
    fn due(&self, number: u64) -> Instant {
        self.start + Duration::from_secs_f64(number_as_float(number) * self.interval)
    }

    fn next(&self) -> Instant {
        self.due(self.taken.fetch_add(1, Ordering::Relaxed))
    }

    /// Issues everything that is due by now.
    fn issue(&self, end: Option<Instant>) {
        let now = Instant::now();
        let mut number = self.issued.load(Ordering::Relaxed);
        let before = number;
        while self.due(number) <= now && end.is_none_or(|end| self.due(number) < end) {
            number += 1;
        }
        self.issued.store(number, Ordering::Relaxed);
        self.due.add_permits(usize::try_from(number - before).unwrap_or(0));
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^52 calls")]
fn number_as_float(number: u64) -> f64 {
    number as f64
}

fn as_float(number: usize) -> f64 {
    number_as_float(u64::try_from(number).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::{Address, Door, Length, Plan, Share};
    use super::{Pace, calls_left};

    fn pace(rate: Option<f64>, length: Length, warm_up: Duration, start: Instant) -> Pace {
        let one = std::num::NonZeroUsize::MIN;
        let plan = Plan {
            address: Address::parse("127.0.0.1:1").unwrap(),
            door: Door::Authorize,
            rate,
            connections: one,
            in_flight: one,
            threads: one,
            length,
            warm_up,
            deadline: Duration::from_secs(1),
        };
        Pace::new(&plan, Share { number: 0, of: 1 }, calls_left(length), start)
    }

    #[test]
    fn counted_calls_end_and_those_that_warm_up_are_not_counted() {
        let now = Instant::now();
        let pace = pace(None, Length::Calls(2), Duration::from_secs(1), now);
        assert!(!pace.ticket(now).unwrap().counts);
        let later = now + Duration::from_secs(2);
        assert!((0..2).all(|_| pace.ticket(later).unwrap().counts));
        assert_eq!(pace.ticket(later), None);
        assert!(pace.is_over());
    }

    #[test]
    fn what_could_not_warm_up_in_time_is_left_out() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let start = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let pace = pace(Some(100.0), Length::Time(Duration::from_secs(5)), Duration::from_secs(5), start);
        pace.schedule.as_ref().unwrap().issue(pace.end);
        let first = runtime.block_on(pace.take()).unwrap();
        assert!(first.counts && first.due == start + Duration::from_secs(5));
        assert_eq!(pace.unsent(), 499);
    }

    #[test]
    fn a_schedule_does_not_wait_for_answers() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Ten seconds ago: everything is long due, nothing was sent.
        let start = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let pace = pace(Some(100.0), Length::Time(Duration::from_secs(5)), Duration::ZERO, start);
        runtime.block_on(async {
            pace.schedule.as_ref().unwrap().issue(pace.end);
            for number in 0..3_u64 {
                let ticket = pace.take().await.unwrap();
                assert_eq!(ticket.due, start + Duration::from_millis(10 * number), "the time that it was due");
            }
            assert_eq!(pace.unsent(), 497);
            pace.keep().await.unwrap();
            assert_eq!(pace.take().await, None);
        });
    }
}
