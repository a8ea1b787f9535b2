//! Where an answer comes from: a snapshot on disk, or a running daemon.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value as Json, json};

use crate::document::{Built, Report};
use crate::model::Timestamp;
use crate::snapshot::{ReadError, build_streamed};

use super::Exit;
use super::output::{Trouble, count};
use super::progress::Progress;
use super::wire::TlsArguments;

/// The largest source that is read for a person: far beyond what can be numbered, so memory is the bound.
const MAX_BYTES: u64 = 64 << 30;

/// Whom to ask, and how.
#[derive(Debug, Args)]
pub(super) struct Whom {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    pub(super) tls: TlsArguments,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// A snapshot on disk: a file or a directory
    #[arg(long, value_name = "PATH")]
    snapshot: Option<PathBuf>,
    /// A running daemon: HOST:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    server: Option<String>,
}

impl Whom {
    /// The snapshot on disk; one of the two is always given.
    pub(super) fn path(&self) -> &Path {
        self.source.snapshot.as_deref().unwrap_or(Path::new(""))
    }

    /// The address of a running daemon.
    pub(super) fn server(&self) -> Option<&str> {
        self.source.server.as_deref()
    }
}

/// Reads and builds a snapshot; what is wrong with it is the trouble.
pub(super) fn open(path: &Path) -> Result<Built, Trouble> {
    let built = build(path).map_err(|problem| Trouble::new(Exit::BadPolicy, problem.to_string()))?;
    built.map_err(|report| {
        let findings = count(report.lines().len(), "finding");
        let text = format!("{} is no valid snapshot ({findings})\n\n{report}", path.display());
        Trouble::new(Exit::BadPolicy, text)
    })
}

/// Reads and builds, with a line of progress on a terminal where that takes long.
pub(super) fn build(path: &Path) -> Result<Result<Built, Report>, ReadError> {
    let progress = Progress::new();
    let built = build_streamed(path, MAX_BYTES, &|read, all| progress.tell(read, all));
    progress.end();
    built
}

/// The moment of a decision made here.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Timestamp::new(seconds, since.subsec_nanos()).unwrap_or(Timestamp::MAX)
}

/// The identity of a snapshot, for machines.
pub(super) fn identity(built: &Built) -> Json {
    json!({"sequence": built.publication.sequence, "digest": hex(built.index.digest())})
}

/// A digest as text.
pub(super) fn hex(digest: [u8; 32]) -> String {
    blake3::Hash::from_bytes(digest).to_hex().to_string()
}
