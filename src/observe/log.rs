//! The log: text or JSON lines on standard error, filtered by level or target. Who logs never waits for who reads.

mod queue;

use std::{io, panic, sync::OnceLock, thread, time::Duration};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::{
    Registry,
    filter::{ParseError, Targets},
    fmt,
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use queue::Lines;

/// How much is told of what a panic says.
const LONGEST_PANIC: usize = 1024;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("`{filter}` is not a log filter: {problem}; write `info`, or `info,sidegate=debug`")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong.
        problem: String,
    },
    /// No thread to write it.
    #[error("cannot start the log: {0}")]
    Thread(#[from] io::Error),
    /// Somebody set one up already.
    #[error("a log is set up already")]
    Twice,
}

/// Changes which lines of the log there are.
#[derive(Debug, Clone)]
pub struct Filter(reload::Handle<Targets, Registry>);

impl Filter {
    /// Puts another filter in force.
    ///
    /// # Errors
    /// It is not a filter.
    pub fn set(&self, filter: &str) -> Result<(), LogError> {
        let parsed = parse(filter)?;
        let set = self.0.reload(parsed);
        set.map_err(|error| LogError::Filter { filter: filter.to_owned(), problem: error.to_string() })
    }
}

/// Checks a filter (`info`, `warn,sidegate=debug`) without using it.
///
/// # Errors
/// It is not a filter.
pub fn check_filter(filter: &str) -> Result<(), LogError> {
    parse(filter).map(drop)
}

/// The log of the process. There is one, as there is one subscriber of `tracing`.
#[derive(Debug, Clone)]
pub struct Log(Lines);

/// Sends the log of the whole process to standard error. Control characters in what is logged are escaped.
///
/// # Errors
/// A wrong filter, no thread, or a log that is set up already.
pub fn init(format: Format, filter: &str) -> Result<(Log, Filter), LogError> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let registry = tracing_subscriber::registry().with(filter);
    let tell_of = |count| tracing::warn!(count, "lines are missing from this log: nobody read it fast enough");
    let lines = Lines::spawn(io::stderr(), dropped(), tell_of)?;
    let done = match format {
        Format::Text => registry.with(fmt::layer().with_ansi(false).with_writer(lines.clone())).try_init(),
        Format::Json => registry.with(fmt::layer().json().with_writer(lines.clone())).try_init(),
    };
    done.map_err(|_| LogError::Twice)?;
    // What the hook of the standard library prints is several lines, and of no format.
    panic::set_hook(Box::new(tell_of_panic));
    Ok((Log(lines), Filter(handle)))
}

fn tell_of_panic(panic: &panic::PanicHookInfo<'_>) {
    let thread = thread::current();
    let at = panic.location().map(ToString::to_string);
    let payload = panic.payload();
    let said = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let said: Option<String> = said.map(|said| said.chars().take(LONGEST_PANIC).collect());
    tracing::error!(thread = thread.name(), at, said, "a thread panicked; this is a bug");
}

impl Log {
    /// Waits until what was logged is written, for at most so long.
    pub fn finish(&self, within: Duration) {
        self.0.finish(within);
    }
}

/// How many lines were dropped, in the whole process.
pub fn dropped() -> Counter {
    static DROPPED: OnceLock<Counter> = OnceLock::new();
    DROPPED.get_or_init(Counter::default).clone()
}

/// By level and target, not by span and field, for which a filter would need regular expressions.
fn parse(filter: &str) -> Result<Targets, LogError> {
    filter
        .parse()
        .map_err(|error: ParseError| LogError::Filter { filter: filter.to_owned(), problem: error.to_string() })
}
