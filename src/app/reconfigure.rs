//! The thread that reads the configuration again when its file changes. What is good is put in force whole; of what is
//! bad nothing is.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use super::parts::Parts;
use crate::{
    config::{Config, Origin},
    observe::{
        log,
        metrics::{Metrics, ReloadResult},
    },
    service::Gate,
    snapshot::{Fingerprint, fingerprint},
};

/// How often the file is looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long a file must have stayed the same before it is read: what is being written is not.
const SETTLE: Duration = Duration::from_millis(50);
/// How often it is waited for that.
const MOST_SETTLES: u32 = 40;

/// Talks to the thread; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Reconfigure(Sender<()>);

impl Reconfigure {
    /// Starts the thread, where the configuration has a file.
    pub(super) fn spawn(
        origin: Origin,
        filter: log::Filter,
        config: &Config,
        parts: &Parts,
    ) -> io::Result<Option<Self>> {
        let Some(file) = origin.file.clone() else { return Ok(None) };
        let (wake, woken) = mpsc::channel();
        let seen = fingerprint(&file);
        let worker = Worker {
            file,
            origin,
            woken,
            seen,
            running: config.clone(),
            read: config.clone(),
            refused: None,
            filter,
            gate: Arc::clone(&parts.gate),
            metrics: Arc::clone(&parts.metrics),
        };
        let guard = parts.guards.guard("configuration thread");
        thread::Builder::new().name("sidegate-config".to_owned()).spawn(move || {
            let _guard = guard;
            worker.run();
        })?;
        Ok(Some(Self(wake)))
    }

    /// Has the file read again, changed or not.
    pub(super) fn read_again(&self) {
        if self.0.send(()).is_err() {
            tracing::debug!("the configuration thread has ended");
        }
    }
}

struct Worker {
    file: PathBuf,
    origin: Origin,
    woken: Receiver<()>,
    seen: Fingerprint,
    /// What is in force.
    running: Config,
    /// What was read last without a mistake.
    read: Config,
    /// Why the file as it was read last is not in force, if it is not.
    refused: Option<String>,
    filter: log::Filter,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

impl Worker {
    fn run(mut self) {
        // The file may have changed since it was read for the start.
        if self.origin.load().map(|loaded| loaded.config).as_ref() != Ok(&self.read) {
            self.reload();
        }
        loop {
            match self.woken.recv_timeout(POLL) {
                Ok(()) => self.refused = None,
                // What was refused is read again: a fault of the disk may be over without any change to see.
                Err(RecvTimeoutError::Timeout) if self.refused.is_none() && fingerprint(&self.file) == self.seen => {
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // Taken before the bytes are read: what changes in between shows at the next look.
            self.seen = settled(&self.file);
            self.reload();
        }
    }

    fn reload(&mut self) {
        let new = match self.origin.load() {
            Ok(loaded) => loaded.config,
            Err(mistakes) => return self.refuse(mistakes.to_string()),
        };
        // A file that is cut off at its start must not open every door.
        if new.callers.is_empty() && !self.running.callers.is_empty() {
            return self.refuse(
                "the file holds no `[[callers]]` any more, which would let everybody ask everything; that takes a \
                 restart"
                    .to_owned(),
            );
        }
        self.refused = None;
        let (live, waiting) = self.read.differences(&new);
        for key in &waiting {
            tracing::warn!(key, "a key changed; it takes effect at the next start");
        }
        let adopted = self.running.adopting(&new);
        self.read = new;
        if adopted == self.running {
            self.metrics.config_reloaded(ReloadResult::Unchanged);
            tracing::info!("the configuration changes nothing that is in force");
            return;
        }
        if let Err(error) = self.filter.set(&adopted.log_filter) {
            tracing::error!(%error, "the log keeps its filter");
        }
        self.gate.apply(adopted.settings());
        self.running = adopted;
        self.metrics.config_reloaded(ReloadResult::Applied);
        tracing::info!(callers = self.running.callers.len(), changed = live.join(", "), "a configuration is in force");
    }

    /// Said and counted once for the same mistakes.
    fn refuse(&mut self, mistakes: String) {
        if self.refused.as_ref() != Some(&mistakes) {
            self.metrics.config_reloaded(ReloadResult::Rejected);
            tracing::error!("the configuration was refused; the one before stays in force:\n{mistakes}");
        }
        self.refused = Some(mistakes);
    }
}

/// The file's fingerprint once it stays the same, or the last one of many.
fn settled(file: &Path) -> Fingerprint {
    let mut last = fingerprint(file);
    for _ in 0..MOST_SETTLES {
        thread::sleep(SETTLE);
        let now = fingerprint(file);
        if now == last {
            break;
        }
        last = now;
    }
    last
}
