//! The build thread: waits for a change, reloads, frees what was replaced. One build at a time, the newest wins. What it
//! does is in `worker`; here is how it is started, asked and stopped.

mod worker;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use self::worker::Worker;
use super::{
    last_good::LastGood,
    load::Builder,
    reload::{Outcome, Reloader},
    store::Store,
    watch::{Alarm, Watcher},
};

/// What a keeper keeps, and how.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// The file or directory.
    pub source: PathBuf,
    /// The largest source in bytes.
    pub max_bytes: u64,
    /// How long to wait for a burst of events to end.
    pub debounce: Duration,
    /// How often to `stat` the source in case an event was missed.
    pub poll: Duration,
    /// How often to read it all again in case even that shows nothing.
    pub reread: Duration,
    /// Whether to ask the kernel for events; without, polling alone.
    pub events: bool,
    /// The longest random wait before a changed source is read, so that a fleet does not read it in one moment.
    pub jitter: Duration,
    /// How long a snapshot may be relied on whose publisher does not say.
    pub max_age: Option<Duration>,
    /// Where a copy of the newest good snapshot is kept, if anywhere.
    pub state: Option<PathBuf>,
}

impl KeeperOptions {
    /// The usual times for a source.
    pub fn new(source: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            max_bytes: super::MAX_SOURCE_BYTES,
            debounce: Duration::from_millis(30),
            poll: Duration::from_secs(2),
            reread: Duration::from_secs(60),
            events: true,
            jitter: Duration::ZERO,
            max_age: None,
            state: None,
        }
    }
}

/// Called on the build thread after every reload that has something to say.
pub type OnOutcome = Box<dyn Fn(&Outcome) + Send>;

/// Starts build threads.
#[derive(Debug)]
pub struct Keeper;

enum Wake {
    Changed,
    Reload(Option<Sender<Outcome>>),
    Stop,
}

/// Talks to a build thread; dropping it stops the thread.
#[derive(Debug)]
pub struct KeeperHandle {
    wake: Sender<Wake>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the build thread. Its first act is to load the source.
    ///
    /// # Errors
    /// No thread, or no current directory to make a relative path absolute.
    pub fn spawn(
        options: KeeperOptions,
        store: Arc<Store>,
        builder: Builder,
        on_outcome: OnOutcome,
    ) -> io::Result<KeeperHandle> {
        let source = std::path::absolute(&options.source)?;
        let (wake, woken) = mpsc::channel();
        let alarm = Alarm::new({
            let wake = wake.clone();
            // A send fails only when the thread has ended: nobody is left to tell.
            move || drop(wake.send(Wake::Changed))
        });
        let watcher = Watcher::new(alarm.clone(), options.events);
        let last_good = LastGood::new(options.state.as_deref(), &source);
        let reloader = Reloader::new(options.source.clone(), options.max_bytes, builder, store, last_good)
            .with_max_age(options.max_age);
        let worker = Worker { source, options, woken, alarm, watcher, reloader, on_outcome };
        let thread = thread::Builder::new().name("sidegate-build".to_owned()).spawn(move || worker.run())?;
        Ok(KeeperHandle { wake, thread })
    }
}

impl KeeperHandle {
    /// Asks for a reload of whatever the source holds, without waiting for it.
    pub fn reload(&self) {
        drop(self.wake.send(Wake::Reload(None)));
    }

    /// Asks for a reload; the outcome arrives on the receiver.
    pub fn reload_and_tell(&self) -> Receiver<Outcome> {
        let (tell, told) = mpsc::channel();
        drop(self.wake.send(Wake::Reload(Some(tell))));
        told
    }

    /// Whether the thread runs no more though nobody stopped it.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for KeeperHandle {
    fn drop(&mut self) {
        // Not joined: a large build in progress must not hold up the end of the process.
        drop(self.wake.send(Wake::Stop));
    }
}

#[cfg(test)]
mod tests;
