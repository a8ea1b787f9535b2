//! From a path to a snapshot: read, build, describe. Applies nothing.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    freshness::Freshness,
    read::{ReadError, read},
};
use crate::{
    document::{self, Built, Report, Source},
    index::{Counts, Index},
    model::Timestamp,
};

/// The way from sources to an index, with a pause to call every few microseconds where that can be. Injected, so that the
/// life of a snapshot can be tested without a language.
pub type Builder = Arc<dyn Fn(Vec<Source>, &mut dyn FnMut()) -> Result<Built, Report> + Send + Sync>;

/// The policy language's own builder.
pub fn document_builder() -> Builder {
    Arc::new(document::build_in_steps)
}

/// The most names of files that a snapshot keeps.
const MOST_FILES: usize = 100;
/// The most findings of a refused load that are kept, and how long each may be.
const MOST_ERRORS: usize = 100;
const LONGEST_ERROR: usize = 1024;
/// How much of the rendered report is kept: it goes into the log.
const LONGEST_REPORT: usize = 64 * 1024;

/// One immutable snapshot, and where it came from.
#[derive(Debug)]
pub struct Snapshot {
    /// What decisions are made from.
    pub index: Index,
    /// The sequence that the source declares; 0 where it declares none.
    pub sequence: u64,
    /// When its publisher issued it, where that is said.
    pub issued_at: Option<Timestamp>,
    /// How long after that it may be relied on, where that is said.
    pub max_age: Option<Duration>,
    /// BLAKE3 of the compiled index, in lower-case hexadecimal.
    pub digest: String,
    /// Counts the swaps of this process, from 1; 0 for a snapshot that was never live.
    pub generation: u64,
    /// Where it was read from.
    pub source: PathBuf,
    /// The files in it by name, the first hundred of them.
    pub files: Vec<String>,
    /// How many files there are.
    pub file_count: usize,
    /// When it was built.
    pub loaded_at: SystemTime,
    /// How long it took to build, with the pauses in between.
    pub took: Duration,
    /// Until when it may be relied on.
    pub fresh: Arc<Freshness>,
    /// Whether it is the copy of the last good one, because the source is not good.
    pub restored: bool,
    /// How much it holds.
    pub counts: Counts,
    /// Findings that did not stop it, each as `file:line:column: message`. Not the report itself, which holds the
    /// whole source.
    pub warnings: Vec<String>,
}

/// Tests watch on which thread it is freed.
#[cfg(test)]
impl Drop for Snapshot {
    fn drop(&mut self) {
        super::testing::note_freed(&self.digest);
    }
}

/// Why a source did not become the live snapshot.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its content is wrong: every finding, with its place.
    #[error("{0}")]
    Rejected(Report),
    /// It is older than what is or was live.
    #[error("the source declares sequence {declared}, but {live} was applied already; publish with a higher sequence")]
    OldSequence {
        /// What the source declares.
        declared: u64,
        /// The highest sequence that this process has applied.
        live: u64,
    },
    /// Two contents under one sequence.
    #[error("the source declares sequence {declared} again, with other content; publish with a higher sequence")]
    SameSequence {
        /// What the source declares.
        declared: u64,
    },
    /// The build might not fit into the memory that is left.
    #[error(
        "building this source may take {needed} bytes, and the control group leaves {left}; raise its memory limit, or \
         ship facts as JSON Lines"
    )]
    NoMemory {
        /// What the build may take at its peak.
        needed: u64,
        /// What is left.
        left: u64,
    },
    /// Too many retired snapshots are still in use.
    #[error("two retired snapshots are still in use; the source is read again shortly")]
    Crowded,
    /// The build panicked: a bug, and no reason to stop serving.
    #[error("the build of the snapshot panicked; this is a bug: {0}")]
    Panicked(String),
}

/// A refused load, as the log, the metrics and the admin calls tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: SystemTime,
    /// How long the attempt took.
    pub took: Duration,
    /// One line.
    pub summary: String,
    /// Findings, each on a line of its own: the first hundred.
    pub errors: Vec<String>,
    /// How many findings there are.
    pub error_count: usize,
    /// Everything but the offending lines: it goes into logs. Cut where it is very long.
    pub rendered: String,
}

impl Failure {
    pub(super) fn new(error: &LoadError, at: SystemTime, took: Duration) -> Self {
        let rendered = match error {
            LoadError::Rejected(report) => report.brief(),
            other => other.to_string(),
        };
        let rendered = shortened(rendered, LONGEST_REPORT);
        let mut errors = match error {
            LoadError::Rejected(report) => report.lines(),
            LoadError::Read(_)
            | LoadError::OldSequence { .. }
            | LoadError::SameSequence { .. }
            | LoadError::NoMemory { .. }
            | LoadError::Crowded
            | LoadError::Panicked(_) => vec![rendered.clone()],
        };
        let error_count = errors.len();
        errors.truncate(MOST_ERRORS);
        let errors: Vec<String> = errors.into_iter().map(|line| shortened(line, LONGEST_ERROR)).collect();
        let summary = match errors.first() {
            None => "the source was refused".to_owned(),
            Some(only) if error_count == 1 => only.clone(),
            Some(first) => format!("{first} (and {} more)", error_count.saturating_sub(1)),
        };
        Self { at, took, summary, errors, error_count, rendered }
    }
}

/// At most so many bytes; says so where something is missing.
fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

/// Reads and builds a snapshot that is not live anywhere: what the command line decides on.
///
/// # Errors
/// What the source gets wrong.
pub fn load(path: &Path, max_bytes: u64, builder: &Builder) -> Result<Snapshot, LoadError> {
    let sources = read(path, max_bytes)?;
    build(sources, path, builder, &mut || {})
}

pub(super) fn build(
    sources: Vec<Source>,
    path: &Path,
    builder: &Builder,
    pause: &mut dyn FnMut(),
) -> Result<Snapshot, LoadError> {
    let begun = Instant::now();
    let file_count = sources.len();
    let files = sources.iter().take(MOST_FILES).map(|source| source.name.clone()).collect();
    let built = catch_unwind(AssertUnwindSafe(|| builder(sources, pause)))
        .map_err(|panic| LoadError::Panicked(panic_message(panic.as_ref())))?;
    let Built { index, publication, warnings } = built.map_err(LoadError::Rejected)?;
    Ok(Snapshot {
        sequence: publication.sequence,
        issued_at: publication.issued_at,
        max_age: publication.max_age,
        digest: blake3::Hash::from_bytes(index.digest()).to_hex().to_string(),
        generation: 0,
        source: path.to_owned(),
        files,
        file_count,
        loaded_at: SystemTime::now(),
        took: begun.elapsed(),
        fresh: Arc::default(),
        restored: false,
        counts: index.counts(),
        warnings: warnings.lines(),
        index,
    })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "without a message".to_owned()
    }
}
