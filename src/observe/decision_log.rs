//! The decision log: which decisions were made, as lines of JSON. It never holds up a decision: what does not fit is
//! dropped and counted.
//!
//! Three stations. A thread that decides puts a `Record` of fixed size into a bounded queue: no allocation, no lock, no
//! wait. The thread `sidegate-log` renders records into lines (`writer`). The thread `sidegate-log-out` hands lines to
//! the file, socket or standard output (`output`), and is the only one that may have to wait for it. So what waits for
//! a slow disk is text: a record, which holds on to the snapshot that its numbers belong to, is rendered within
//! milliseconds, whatever the disk does, and a replaced snapshot is let go as soon.

mod json;
mod output;
mod property;
mod record;
mod render;
mod trace_context;
mod writer;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use crossbeam_queue::ArrayQueue;

use super::metrics::LogCounters;
use crate::{
    model::{Request, Timestamp, Verdict},
    snapshot::Snapshot,
};
use output::{Outlet, Output};
pub use property::{Owner, PropertyName};
use record::Record;
pub use trace_context::TraceContext;
use writer::Writer;

/// Which decisions are logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// None.
    #[default]
    Off,
    /// Every denial.
    Denials,
    /// Every decision.
    All,
    /// One decision in so many, by a count: the first, and then each so many later.
    Sampled,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Off, Self::Denials, Self::All, Self::Sampled];

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Denials => "denials",
            Self::All => "all",
            Self::Sampled => "sampled",
        }
    }
}

/// Where lines go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    #[default]
    Stdout,
    /// A file, appended to.
    File(PathBuf),
    /// A stream socket that somebody else listens on.
    Unix(PathBuf),
}

impl Destination {
    /// Reads `stdout`, `file:PATH` or `unix:PATH`.
    pub fn parse(text: &str) -> Option<Self> {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        match text.split_once(':') {
            None if text == "stdout" => Some(Self::Stdout),
            Some(("file", rest)) => path(rest).map(Self::File),
            Some(("unix", rest)) => path(rest).map(Self::Unix),
            None | Some(_) => None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What is logged, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which decisions.
    pub mode: Mode,
    /// Where to.
    pub destination: Destination,
    /// In [`Mode::Sampled`], one in so many.
    pub one_in: usize,
    /// The properties whose values may be written.
    pub properties: Vec<PropertyName>,
    /// How many decisions may wait.
    pub queue: usize,
}

/// By which call a decision was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `Authorize`.
    Authorize,
    /// An item of `BatchAuthorize`.
    Batch,
    /// A message of `AuthorizeStream`.
    Stream,
    /// `Explain`.
    Explain,
    /// `CheckGrant`.
    CheckGrant,
    /// `Check` of Envoy's.
    Check,
    /// `AuthZEN`, one evaluation or several.
    Authzen,
}

impl Door {
    fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Batch => "batch",
            Self::Stream => "stream",
            Self::Explain => "explain",
            Self::CheckGrant => "check_grant",
            Self::Check => "check",
            Self::Authzen => "authzen",
        }
    }
}

/// What is known of a question beside the question itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The call.
    pub door: Door,
    /// The trace that the call is a part of, where it says so.
    pub trace: Option<TraceContext>,
}

/// One decision, borrowed from where it was made.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The snapshot that answered.
    pub snapshot: &'a Arc<Snapshot>,
    /// What was asked.
    pub request: &'a Request<'a>,
    /// What was answered.
    pub verdict: Verdict,
    /// For which moment.
    pub time: Timestamp,
    /// The caller's own name for the call.
    pub request_id: &'a str,
    /// How the question came.
    pub origin: Origin,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    queue: ArrayQueue<Record>,
    counters: LogCounters,
    output: Output,
    /// Whether the writer sleeps so deep that it must be woken.
    asleep: AtomicBool,
    /// Whether nothing more will come.
    closed: AtomicBool,
}

/// The log. Dropping it ends its threads without waiting for what they have yet to write.
#[derive(Debug)]
pub struct DecisionLog {
    shared: Arc<Shared>,
    writer: Thread,
    seen: AtomicUsize,
}

impl DecisionLog {
    /// Starts the threads; `None` where the log is off. `on_exit` makes what is dropped when a thread ends.
    ///
    /// # Errors
    /// No thread.
    pub fn spawn<G: Send + 'static>(
        settings: Settings,
        counters: LogCounters,
        on_exit: impl Fn() -> G,
    ) -> io::Result<Option<Self>> {
        if settings.mode == Mode::Off {
            return Ok(None);
        }
        let shared = Arc::new(Shared {
            queue: ArrayQueue::new(settings.queue.max(1)),
            settings,
            counters,
            output: Output::default(),
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let (guard, mut outlet) = (on_exit(), Outlet::new(Arc::clone(&shared)));
        thread::Builder::new().name("sidegate-log-out".to_owned()).spawn(move || {
            let _guard = guard;
            outlet.run();
        })?;
        let (guard, mut writer) = (on_exit(), Writer::new(Arc::clone(&shared)));
        let writer = thread::Builder::new().name("sidegate-log".to_owned()).spawn(move || {
            let _guard = guard;
            writer.run();
        })?;
        Ok(Some(Self { shared, writer: writer.thread().clone(), seen: AtomicUsize::new(0) }))
    }

    /// Whether this decision is one of those that are logged. Each decision is asked about once: it may be counted.
    #[inline]
    pub fn wants(&self, verdict: &Verdict) -> bool {
        let Settings { mode, one_in, .. } = &self.shared.settings;
        match mode {
            Mode::Off => false,
            Mode::Denials => !verdict.is_allow(),
            Mode::All => true,
            Mode::Sampled => self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of((*one_in).max(1)),
        }
    }

    /// Puts a decision into the queue, or counts it as dropped. Never waits, never allocates.
    pub fn note(&self, entry: &Entry<'_>) {
        let shared = &self.shared;
        let record = Record::new(entry, &shared.settings.properties);
        if shared.queue.push(record).is_err() {
            shared.counters.dropped.inc();
        }
        // Seldom true: a writer that has work naps without being woken. Should this look be a moment too early, it
        // wakes by itself a little later.
        if shared.asleep.load(Ordering::Relaxed) && shared.asleep.swap(false, Ordering::AcqRel) {
            self.writer.unpark();
        }
    }

    /// Opens a file anew, after somebody has moved it away.
    pub fn reopen(&self) {
        self.shared.output.reopen();
    }

    /// Writes what waits, for at most so long; how many lines could not be written.
    pub fn finish(&self, within: Duration) -> u64 {
        self.close();
        let mut lost = self.shared.output.wait_for_end(within);
        while self.shared.queue.pop().is_some() {
            lost += 1;
        }
        self.shared.counters.dropped.inc_by(lost);
        lost
    }

    /// How many decisions were written and dropped so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.counters.written.get(), self.shared.counters.dropped.get())
    }

    fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.writer.unpark();
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.close();
        self.shared.output.abandon();
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
