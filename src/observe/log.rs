//! The log: text or JSON lines on standard error, filtered by level or target.

use std::io;

use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

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
    /// Somebody set one up already.
    #[error("a log is set up already")]
    Twice,
}

/// Changes which lines of the log there are.
#[derive(Debug, Clone)]
pub struct Filter(reload::Handle<EnvFilter, Registry>);

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

/// Sends the log of the whole process to standard error. Control characters in what is logged are escaped.
///
/// # Errors
/// A wrong filter, or a log that is set up already.
pub fn init(format: Format, filter: &str) -> Result<Filter, LogError> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let registry = tracing_subscriber::registry().with(filter);
    let done = match format {
        Format::Text => registry.with(fmt::layer().with_ansi(false).with_writer(io::stderr)).try_init(),
        Format::Json => registry.with(fmt::layer().json().with_writer(io::stderr)).try_init(),
    };
    done.map_err(|_| LogError::Twice)?;
    Ok(Filter(handle))
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(filter)
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), problem: error.to_string() })
}
