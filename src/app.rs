//! The only wiring: bind, load, serve, drain. Everything else is handed what it needs.

mod control;
mod descriptors;
mod exit;
mod news;
mod orphans;
mod parts;
mod reconfigure;
mod renewal;
mod signals;
mod supervisor;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::{
    config::{Config, Origin},
    observe::{
        log::{self, LogError},
        spans,
    },
    service::TlsError,
    snapshot::{Builder, Store, document_builder},
};
use control::Command;
use parts::Parts;
use reconfigure::Reconfigure;
use signals::Signals;

/// How long what waits for the log may take to be written at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address or a socket is taken or not ours.
    #[error("cannot listen on `{address}` ({key}): {error}")]
    Bind {
        /// The key that names it.
        key: &'static str,
        /// What was to be bound.
        address: String,
        /// Why not.
        error: io::Error,
    },
    /// No thread, no runtime.
    #[error("cannot start: {0}")]
    Threads(#[from] io::Error),
    /// The built-in descriptors are broken.
    #[error("cannot serve reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The log could not be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The files of TLS cannot be used.
    #[error("cannot use TLS: {0}")]
    Tls(#[from] TlsError),
    /// Spans cannot be sent.
    #[error(transparent)]
    Spans(#[from] spans::SpansError),
    /// The configuration names no source.
    #[error("`snapshot.path` is not set; give `--snapshot PATH`")]
    NoSource,
}

impl AppError {
    /// The exit code of a process that ends with this.
    pub fn code(&self) -> u8 {
        match self {
            Self::Bind { .. } | Self::Threads(_) | Self::Reflection(_) | Self::Log(LogError::Thread(_)) => 70,
            Self::Log(LogError::Filter { .. } | LogError::Twice) | Self::Tls(_) | Self::Spans(_) | Self::NoSource => 78,
        }
    }
}

/// Why the daemon ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It was told to, and has drained.
    Stopped {
        /// Connections that were cut because the drain took too long, or a second signal came.
        cut: usize,
    },
    /// The first load was refused, and the configuration says to end then; holds the findings as people read them.
    FailedFast(String),
    /// A thread or a listener ended that must not: a bug.
    Died(&'static str),
}

impl ExitReason {
    /// The exit code of a process that ends for this.
    pub fn code(&self) -> u8 {
        match self {
            Self::Stopped { .. } => 0,
            Self::FailedFast(_) => 65,
            Self::Died(_) => 70,
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped { cut: 0 } => f.write_str("stopped"),
            Self::Stopped { cut } => write!(f, "stopped; {cut} connections were cut"),
            Self::FailedFast(_) => f.write_str("the first load was refused"),
            Self::Died(what) => write!(f, "the {what} ended unexpectedly; this is a bug"),
        }
    }
}

/// Where the daemon can be reached: with the ports that the system chose for 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The data listener.
    pub data: Option<SocketAddr>,
    /// The data listener's Unix socket.
    pub uds: Option<PathBuf>,
    /// The ops listener.
    pub ops: Option<SocketAddr>,
    /// The admin listener.
    pub admin: Option<SocketAddr>,
    /// The admin listener's Unix socket.
    pub admin_uds: Option<PathBuf>,
}

/// A running daemon. Dropping it ends it at once.
#[derive(Debug)]
pub struct Running {
    addresses: Addresses,
    store: Arc<Store>,
    commands: mpsc::UnboundedSender<Command>,
    control: Option<JoinHandle<ExitReason>>,
}

/// Sets up the log, runs the daemon until it is told to end, by SIGTERM, SIGINT or a failure. `started` is called as
/// soon as the listeners are bound.
///
/// # Errors
/// It could not start.
pub fn run(config: &Config, started: impl FnOnce(&Running)) -> Result<ExitReason, AppError> {
    run_from(config, Origin::default(), started)
}

/// The same, and reads the configuration again whenever its file changes.
///
/// # Errors
/// It could not start.
pub fn run_from(config: &Config, origin: Origin, started: impl FnOnce(&Running)) -> Result<ExitReason, AppError> {
    let (log, filter) = log::init(config.log_format, &config.log_filter)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "starting");
    let running = start_with(config, document_builder(), true, Some((origin, filter)));
    let reason = running.map(|running| {
        started(&running);
        running.wait()
    });
    log.finish(LAST_LINES);
    reason
}

/// Starts the daemon in this process, without log and signals: for the demo and for tests.
///
/// # Errors
/// It could not start.
pub fn start(config: &Config) -> Result<Running, AppError> {
    start_with(config, document_builder(), false, None)
}

fn start_with(
    config: &Config,
    builder: Builder,
    signals: bool,
    origin: Option<(Origin, log::Filter)>,
) -> Result<Running, AppError> {
    let (commands, received) = mpsc::unbounded_channel();
    let mut parts = Parts::assemble(config, builder)?;
    if let Some((origin, filter)) = origin {
        parts.reconfigure = Reconfigure::spawn(origin, filter, config, &parts)?;
    }
    let addresses = parts.addresses.clone();
    let store = Arc::clone(&parts.store);
    let signals = {
        let _within = parts.runtime.enter();
        signals.then(Signals::new).flatten()
    };
    let control =
        thread::Builder::new().name("sidegate-control".to_owned()).spawn(move || parts.run(received, signals))?;
    Ok(Running { addresses, store, commands, control: Some(control) })
}

impl Running {
    /// Where it can be reached.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What it serves from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Waits until a snapshot is live; `false` if none is within the time, or the daemon has ended.
    pub fn ready(&self, within: Duration) -> bool {
        let begun = Instant::now();
        loop {
            if self.store.read(|live| live.is_some()) {
                return true;
            }
            let ended = self.control.as_ref().is_none_or(JoinHandle::is_finished);
            if ended || begun.elapsed() >= within {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Reads the source again at once.
    pub fn reload(&self) {
        self.tell(Command::Reload);
    }

    /// Ends it in good order: not serving, no new connections, calls in flight answered.
    pub fn shutdown(&self) {
        self.tell(Command::Drain);
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitReason {
        match self.control.take().map(JoinHandle::join) {
            Some(Ok(reason)) => reason,
            Some(Err(_)) | None => ExitReason::Died("control thread"),
        }
    }

    fn tell(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::debug!(?command, "the daemon has ended already");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(control) = self.control.take() {
            self.tell(Command::End);
            if control.join().is_err() {
                tracing::error!("the control thread had panicked");
            }
        }
    }
}
