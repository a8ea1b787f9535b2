//! The thread that writes, and the buffer of lines before it. Trouble is counted, told once, and tried again with growing
//! pauses; a line of which a part was written is written whole to what is opened next.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    mem,
    os::{fd::AsFd, unix::fs::OpenOptionsExt, unix::net::UnixStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{Destination, Shared};

/// The bytes that may wait to be written; as many more may be on their way.
const ROOM: usize = 1024 * 1024;
/// How long one write to a socket may take before the thread looks up.
const WRITE: Duration = Duration::from_millis(250);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause before a destination that is full but well is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(5);
/// Trouble is told at most so often.
const QUIET: Duration = Duration::from_secs(30);

/// The buffer.
#[derive(Debug, Default)]
pub(super) struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: Vec<u8>,
    /// How many lines are not written, those on their way among them.
    lines: u64,
    reopen: bool,
    phase: Phase,
    /// The thread has come to its end.
    ended: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Lines come and go.
    #[default]
    Open,
    /// Nothing more will be added.
    Ending,
    /// Nobody waits for the rest.
    Abandoned,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much text may be added.
    pub(super) fn room(&self) -> usize {
        ROOM.saturating_sub(self.lock().text.len())
    }

    /// Adds whole lines; `false` when it is too late for that.
    pub(super) fn add(&self, text: &str, lines: u64) -> bool {
        let mut state = self.lock();
        if state.phase == Phase::Abandoned {
            return false;
        }
        state.text.extend_from_slice(text.as_bytes());
        state.lines += lines;
        drop(state);
        self.changed.notify_all();
        true
    }

    /// What is written is no longer on its way; `false` when it was given up before.
    fn written(&self, lines: u64) -> bool {
        let mut state = self.lock();
        state.lines = state.lines.saturating_sub(lines);
        state.phase < Phase::Abandoned
    }

    /// Takes what waits, as a reader would.
    #[cfg(test)]
    pub(super) fn take(&self) -> Vec<u8> {
        mem::take(&mut self.lock().text)
    }

    /// Has a file opened anew.
    pub(super) fn reopen(&self) {
        self.lock().reopen = true;
        self.changed.notify_all();
    }

    /// Says that nothing more will be added.
    pub(super) fn end(&self) {
        self.enter(Phase::Ending);
    }

    /// Gives up what is not written.
    pub(super) fn abandon(&self) {
        self.enter(Phase::Abandoned);
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = state.phase.max(phase);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until everything is written, or the time is over; how many lines are not.
    pub(super) fn wait_for_end(&self, within: Duration) -> u64 {
        let waited = self.changed.wait_timeout_while(self.lock(), within, |state| !state.ended);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.phase = Phase::Abandoned;
        self.changed.notify_all();
        mem::take(&mut state.lines)
    }

    /// Waits, unless the thread is wanted earlier.
    fn pause(&self, time: Duration) {
        let wanted = |state: &mut State| !state.reopen && state.phase == Phase::Open;
        drop(self.changed.wait_timeout_while(self.lock(), time, wanted));
    }
}

enum Sink {
    File(File),
    Socket(UnixStream),
}

/// The thread's state.
pub(super) struct Outlet {
    shared: Arc<Shared>,
    sink: Option<Sink>,
    /// What is on its way, and how much of it is written.
    chunk: Vec<u8>,
    sent: usize,
    /// The next pause, while there is trouble.
    trouble: Option<Duration>,
    told: Option<Instant>,
}

impl Outlet {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, sink: None, chunk: Vec::new(), sent: 0, trouble: None, told: None }
    }

    /// Writes until the end.
    pub(super) fn run(&mut self) {
        while self.has_more() {
            match self.write() {
                Ok(()) => self.well(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    thread::sleep(FULL_PAUSE);
                }
                Err(error) => {
                    if !self.failed(&error) {
                        break;
                    }
                }
            }
        }
        self.shared.output.lock().ended = true;
        self.shared.output.changed.notify_all();
    }

    /// Waits for something to write; `false` at the end.
    fn has_more(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.output.lock();
        loop {
            if mem::take(&mut state.reopen) && matches!(self.sink, Some(Sink::File(_))) {
                self.close();
            }
            if state.phase == Phase::Abandoned {
                return false;
            }
            if self.sent < self.chunk.len() {
                return true;
            }
            self.chunk.clear();
            self.sent = 0;
            if !state.text.is_empty() {
                mem::swap(&mut self.chunk, &mut state.text);
                return true;
            }
            if state.phase == Phase::Ending {
                return false;
            }
            state = shared.output.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes as much as goes at once.
    fn write(&mut self) -> io::Result<()> {
        let rest = self.chunk.get(self.sent..).unwrap_or_default();
        let sink = match &mut self.sink {
            Some(sink) => sink,
            none => none.insert(open(&self.shared.settings.destination)?),
        };
        let written = match sink {
            Sink::File(file) => file.write(rest)?,
            Sink::Socket(socket) => socket.write(rest)?,
        };
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        let lines = rest.iter().take(written).filter(|byte| **byte == b'\n').count();
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.sent += written;
        if self.shared.output.written(lines) {
            self.shared.counters.written.inc_by(lines);
        }
        Ok(())
    }

    /// Closes what is open. A line of which a part is written begins anew.
    fn close(&mut self) {
        self.sink = None;
        let written = self.chunk.get(..self.sent).unwrap_or_default();
        self.sent = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    }

    fn well(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(to = %self.shared.settings.destination, "the decision log is written again");
        }
    }

    /// Notes trouble and waits before the next attempt; `false` when there is none.
    fn failed(&mut self, error: &io::Error) -> bool {
        self.shared.counters.errors.inc();
        if self.trouble.is_none() && self.told.is_none_or(|told| told.elapsed() >= QUIET) {
            let to = &self.shared.settings.destination;
            tracing::error!(%to, %error, "the decision log cannot be written; it is tried again");
            self.told = Some(Instant::now());
        }
        // Where a disk is full, the rest of the line finds its place once there is room.
        if error.kind() != ErrorKind::StorageFull {
            self.close();
        }
        if self.shared.output.lock().phase > Phase::Open {
            return false;
        }
        let pause = self.trouble.unwrap_or(FIRST_PAUSE);
        self.trouble = Some((pause * 2).min(LONGEST_PAUSE));
        self.shared.output.pause(pause);
        true
    }
}

fn open(destination: &Destination) -> io::Result<Sink> {
    Ok(match destination {
        // Not through the standard library's own buffer: what is counted as written is.
        Destination::Stdout => Sink::File(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        Destination::File(path) => Sink::File(OpenOptions::new().append(true).create(true).mode(0o640).open(path)?),
        Destination::Unix(path) => {
            let socket = UnixStream::connect(path)?;
            socket.set_write_timeout(Some(WRITE))?;
            Sink::Socket(socket)
        }
    })
}
