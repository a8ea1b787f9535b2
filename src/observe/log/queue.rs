//! Lines on their way to standard error. Whoever logs never waits: a thread of its own writes, what it has no room for is
//! dropped and counted.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// What may wait, in bytes.
const ROOM: usize = 1024 * 1024;

/// The end that is written to; clones write to the same queue.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Tells of lines, of the end, and that all is written.
    news: Condvar,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines that were dropped and not told of yet.
    dropped: u64,
    /// Whether the thread is writing what it took.
    writing: bool,
}

impl Lines {
    /// Starts the thread; `tell_of` makes the line that says how many are missing.
    ///
    /// # Errors
    /// No thread.
    pub(super) fn spawn(
        mut out: impl Write + Send + 'static,
        dropped: Counter,
        tell_of: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared { waiting: Mutex::default(), news: Condvar::new(), dropped });
        let mine = Arc::clone(&shared);
        thread::Builder::new().name("sidegate-stderr".to_owned()).spawn(move || {
            loop {
                let (lines, missing) = mine.take();
                // Nobody is left to be told of an error.
                drop(out.write_all(&lines).and_then(|()| out.flush()));
                if missing > 0 {
                    tell_of(missing);
                }
            }
        })?;
        Ok(Self(shared))
    }

    /// Waits until all is written, for at most so long.
    pub(super) fn finish(&self, within: Duration) {
        let end = Instant::now() + within;
        let mut waiting = self.0.lock();
        while waiting.writing || !waiting.lines.is_empty() {
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            waiting = self.0.news.wait_timeout(waiting, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn put(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.lines.len().saturating_add(line.len()) > ROOM {
            waiting.dropped = waiting.dropped.saturating_add(1);
            self.0.dropped.inc();
            return;
        }
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        self.0.news.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines; with them, how many are missing before them.
    fn take(&self) -> (Vec<u8>, u64) {
        let mut waiting = self.lock();
        waiting.writing = false;
        if waiting.lines.is_empty() {
            self.news.notify_all();
        }
        while waiting.lines.is_empty() {
            waiting = self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writing = true;
        (mem::take(&mut waiting.lines), mem::take(&mut waiting.dropped))
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { lines: self.clone(), text: Vec::new() }
    }
}

/// One line, put into the queue as a whole.
#[derive(Debug)]
pub(super) struct Line {
    lines: Lines,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.lines.put(&self.text);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{
            Mutex,
            mpsc::{self, Receiver, Sender},
        },
        time::Duration,
    };

    use prometheus_client::metrics::counter::Counter;
    use tracing_subscriber::fmt::MakeWriter as _;

    use super::{Lines, ROOM};

    const LIMIT: Duration = Duration::from_secs(20);

    /// Hands on what is written, once it is let.
    struct Slow {
        gate: Mutex<Receiver<()>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, part: &[u8]) -> io::Result<usize> {
            // Fails once the test lets everything pass.
            self.gate.lock().unwrap().recv().ok();
            self.written.send(part.to_vec()).unwrap();
            Ok(part.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_and_what_is_lost_is_counted() {
        let (open, gate) = mpsc::channel();
        let (written, read) = mpsc::channel();
        let (missing, missed) = mpsc::channel();
        let dropped = Counter::default();
        let slow = Slow { gate: Mutex::new(gate), written };
        let lines = Lines::spawn(slow, dropped.clone(), move |count| missing.send(count).unwrap()).unwrap();
        let put = |text: &[u8]| lines.make_writer().write_all(text).unwrap();
        put(b"first\n");
        // The thread has taken it when there is room for everything again.
        while !lines.0.lock().lines.is_empty() {
            std::thread::yield_now();
        }
        let line = vec![b'x'; ROOM / 4];
        for _ in 0..7 {
            put(&line);
        }
        assert_eq!(dropped.get(), 3);
        lines.finish(Duration::from_millis(1));
        drop(open);
        lines.finish(LIMIT);
        assert_eq!(read.recv_timeout(LIMIT).unwrap(), b"first\n");
        assert_eq!(read.recv_timeout(LIMIT).unwrap().len(), ROOM);
        assert_eq!(missed.recv_timeout(LIMIT).unwrap(), 3);
        put(b"last\n");
        lines.finish(LIMIT);
        assert_eq!(read.recv_timeout(LIMIT).unwrap(), b"last\n");
        assert_eq!(dropped.get(), 3);
    }
}
