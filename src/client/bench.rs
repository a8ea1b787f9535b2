//! A load generator: asks a running daemon as fast as it answers, or at a rate, and says how long the answers took.
//!
//! It speaks HTTP/2 with the `h2` crate and messages that are made before the clock starts, because a generator that
//! costs as much as the daemon measures itself. At a rate, the time of an answer counts from when its question was due,
//! not from when it could be sent: a daemon that stalls cannot slow the questions down and so hide that it stalled.
//! What is asked, and how answers are printed, is for the command line.

mod answer;
mod call;
mod lane;
mod link;
mod pace;
mod questions;
mod stream;
mod tally;
mod timer;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::ClientError;
use lane::{Lanes, Start, lock};
use tally::Tally;

pub use link::Address;
pub use questions::{Question, Questions};
pub use tally::{Moment, Outcome};

/// The most connections, calls in flight on one, and questions in a batch: bounds on memory, far beyond what is useful.
pub const MOST: usize = 10_000;

/// How often a progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to ask.
    pub address: Address,
    /// By which call.
    pub door: Door,
    /// Calls a second in all; `None` to ask again as soon as an answer is there.
    pub rate: Option<f64>,
    /// Connections in all.
    pub connections: NonZeroUsize,
    /// The most calls that wait for their answers at once, on each connection.
    pub in_flight: NonZeroUsize,
    /// Threads that ask.
    pub threads: NonZeroUsize,
    /// How long.
    pub length: Length,
    /// How long to ask before anything counts.
    pub warm_up: Duration,
    /// How long the daemon may take to answer one call.
    pub deadline: Duration,
}

/// The call that carries the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `Authorize`: one question a call.
    Authorize,
    /// `BatchAuthorize`: so many questions a call.
    Batch(NonZeroUsize),
    /// `AuthorizeStream`: one stream a connection, one question a message.
    Stream,
}

/// When to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// After this time.
    Time(Duration),
    /// After so many calls.
    Calls(u64),
}

/// Asks, and tells the progress every second if somebody wants to know it.
///
/// # Errors
/// Nobody there to begin with, or no thread. Whatever goes wrong later is counted in the outcome.
pub fn run(
    plan: &Plan,
    questions: Questions,
    mut progress: Option<&mut dyn FnMut(&Moment)>,
) -> Result<Outcome, ClientError> {
    let questions = Arc::new(questions);
    let threads = plan.threads.get().min(plan.connections.get());
    let start = Arc::new(Start::new(threads));
    let calls = pace::calls_left(plan.length);
    let tallies: Vec<_> = (0..threads).map(|_| Arc::new(Mutex::new(Tally::new(progress.is_some())))).collect();
    let asking = tallies.iter().enumerate().map(|(number, tally)| {
        let share = Share { number, of: threads };
        let lanes = Lanes {
            plan: plan.clone(),
            questions: Arc::clone(&questions),
            tally: Arc::clone(tally),
            share,
            calls: Arc::clone(&calls),
            start: Arc::clone(&start),
        };
        thread::Builder::new().name(format!("bench-{number}")).spawn(move || lanes.run())
    });
    let asking = asking.collect::<Result<Vec<_>, io::Error>>()?;
    let begun = Instant::now();
    let mut told = begun;
    while asking.iter().any(|thread| !thread.is_finished()) {
        // Short enough that the end is not waited for.
        thread::sleep(Duration::from_millis(20));
        if let Some(tell) = progress.as_deref_mut().filter(|_| told.elapsed() >= TOLD_EVERY) {
            tell(&Moment::take(&tallies, begun.elapsed(), told.elapsed()));
            told = Instant::now();
        }
    }
    let mut cost = Duration::ZERO;
    for thread in asking {
        let died = |_| ClientError::Runtime(io::Error::other("a thread of the load generator panicked; this is a bug"));
        cost += thread.join().map_err(died)??;
    }
    let tallies = tallies.iter().map(|tally| std::mem::take(&mut *lock(tally)));
    Ok(Outcome::sum(tallies, cost))
}

/// Which of the threads this is.
#[derive(Clone, Copy, Debug)]
struct Share {
    number: usize,
    of: usize,
}

impl Share {
    /// This thread's part of so many.
    fn part(self, whole: usize) -> usize {
        whole / self.of + usize::from(self.number < whole % self.of)
    }
}
