//! One thread of the load generator: its connections, what asks on them, and when to give up waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime;
use tokio::task::JoinSet;

use super::answer::Said;
use super::link::{self, Link};
use super::pace::{CallsLeft, Pace, Ticket};
use super::tally::{Failure, Tally};
use super::{ClientError, Door, Plan, Questions, Share, call, stream};

/// How often it is looked whether answers still come.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What every thread waits for before the clock starts.
#[derive(Debug)]
pub(super) struct Start {
    barrier: Barrier,
    failed: AtomicBool,
}

impl Start {
    pub(super) fn new(threads: usize) -> Self {
        Self { barrier: Barrier::new(threads), failed: AtomicBool::new(false) }
    }
}

/// What one thread needs.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) plan: Plan,
    pub(super) questions: Arc<Questions>,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) share: Share,
    pub(super) calls: Arc<CallsLeft>,
    pub(super) start: Arc<Start>,
}

impl Lanes {
    /// Asks to the end. How much of its processor the thread took.
    pub(super) fn run(self) -> Result<Duration, ClientError> {
        runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.ask())?;
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Ok(Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0)))
    }

    async fn ask(&self) -> Result<(), ClientError> {
        let opened = self.open().await;
        if opened.is_err() {
            self.start.failed.store(true, Ordering::Relaxed);
        }
        self.start.barrier.wait();
        let (links, request) = opened?;
        if self.start.failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let pace = Arc::new(Pace::new(&self.plan, self.share, Arc::clone(&self.calls), Instant::now()));
        let mut lanes = JoinSet::new();
        for link in links {
            let lane = Lane {
                link,
                request: request.clone(),
                pace: Arc::clone(&pace),
                questions: Arc::clone(&self.questions),
                tally: Arc::clone(&self.tally),
            };
            let in_flight = self.plan.in_flight.get();
            match self.plan.door {
                Door::Stream => drop(lanes.spawn(stream::ask(lane, in_flight))),
                door => (0..in_flight).for_each(|_| drop(lanes.spawn(call::ask(lane.clone(), door)))),
            }
        }
        let keeper = Arc::clone(&pace);
        let kept = async move { keeper.keep().await };
        let (kept, ()) = tokio::join!(kept, self.wait(&pace, lanes));
        lock(&self.tally).unsent = pace.unsent();
        kept.map_err(ClientError::Runtime)
    }

    async fn open(&self) -> Result<(Vec<Arc<Link>>, Request<()>), ClientError> {
        let Plan { address, door, deadline, .. } = &self.plan;
        let in_flight = if *door == Door::Stream { 1 } else { self.plan.in_flight.get() };
        let mut links = Vec::new();
        for _ in 0..self.share.part(self.plan.connections.get()) {
            links.push(Arc::new(Link::open(address, in_flight, *deadline).await?));
        }
        Ok((links, link::request(address, *door, *deadline)?))
    }

    /// Waits for the last answer, but not for one that does not come.
    async fn wait(&self, pace: &Pace, mut lanes: JoinSet<()>) {
        let patience = self.plan.deadline + Duration::from_millis(500);
        let (mut answers, mut since) = (0, Instant::now());
        loop {
            match tokio::time::timeout(LOOK_EVERY, lanes.join_next()).await {
                Ok(None) => break,
                Ok(Some(_)) => continue,
                Err(_elapsed) => {}
            }
            let (sent, answered) = lock(&self.tally).sent_and_answered();
            if answered != answers || sent == answered {
                (answers, since) = (answered, Instant::now());
            }
            let is_late = pace.end().is_some_and(|end| end + patience < Instant::now());
            if is_late || since.elapsed() > patience {
                break;
            }
        }
        pace.stop();
    }
}

/// What asks, one call at a time; a stream, several.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) link: Arc<Link>,
    pub(super) request: Request<()>,
    pub(super) pace: Arc<Pace>,
    pub(super) questions: Arc<Questions>,
    tally: Arc<Mutex<Tally>>,
}

impl Lane {
    /// A call is on its way.
    pub(super) fn sent(&self, ticket: Ticket) {
        lock(&self.tally).sent(ticket);
    }

    /// A call was answered: what became of each of its questions.
    pub(super) fn answered(
        &self,
        ticket: Ticket,
        now: Instant,
        said: impl Iterator<Item = (u32, Said)>,
        digest: &Bytes,
    ) {
        let mut tally = lock(&self.tally);
        tally.answered(ticket, now);
        if ticket.counts {
            said.for_each(|(number, said)| tally.count(said, self.questions.allowed(number)));
            tally.named(digest);
        }
    }

    /// A call was not answered.
    pub(super) fn failed(&self, ticket: Ticket, failure: Failure) {
        lock(&self.tally).failed(ticket, failure);
    }
}

/// A count is never left half done by a panic.
pub(super) fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
