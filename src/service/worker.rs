//! The data workers: threads with a runtime each, so that a connection lives and dies on one core.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{connection::Connected, listener::Stream, registry::Registered};

/// The most workers by default: beyond, a sidecar takes more than its share.
const MOST_WORKERS: usize = 4;

/// How many workers the machine, or the share of it that this process may use, calls for.
pub fn default_worker_count() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS)
}

enum Command {
    Serve(Stream, Registered),
    Ping(oneshot::Sender<()>),
    #[cfg(test)]
    Panic,
}

/// Every data worker. Dropping it stops them, and cuts what they still serve.
#[derive(Debug)]
pub struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    load: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts the threads. `on_exit` makes what is dropped when a thread ends, also by a panic.
    ///
    /// # Errors
    /// No thread or no runtime.
    pub fn spawn<G: Send + 'static>(count: usize, connected: &Connected, on_exit: impl Fn() -> G) -> io::Result<Self> {
        (0..count.max(1))
            .map(|number| Worker::spawn(number, connected.clone(), on_exit()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Hands a connection to the worker that has the fewest.
    pub fn serve(&self, stream: Stream, registered: Registered) {
        let Some(worker) = self.0.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else { return };
        worker.load.fetch_add(1, Ordering::Relaxed);
        // Bounded by the registry's cap. It fails when the worker has died, which ends the process.
        drop(worker.commands.send(Command::Serve(stream, registered)));
    }

    /// Whether every worker answers within the time.
    pub async fn all_answer(&self, within: Duration) -> bool {
        let asked: Vec<_> = self
            .0
            .iter()
            .map(|worker| {
                let (answer, answered) = oneshot::channel();
                drop(worker.commands.send(Command::Ping(answer)));
                answered
            })
            .collect();
        let all = async {
            for answered in asked {
                if answered.await.is_err() {
                    return false;
                }
            }
            true
        };
        timeout(within, all).await.unwrap_or(false)
    }
}

impl Worker {
    fn spawn(number: usize, connected: Connected, on_exit: impl Send + 'static) -> io::Result<Self> {
        let (commands, mut received) = mpsc::unbounded_channel();
        let load = Arc::new(AtomicUsize::new(0));
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&load);
        thread::Builder::new().name(format!("sidegate-data-{number}")).spawn(move || {
            let _on_exit = on_exit;
            runtime.block_on(async move {
                while let Some(command) = received.recv().await {
                    match command {
                        Command::Serve(stream, registered) => {
                            let place = Load(Arc::clone(&shared));
                            let serving = connected.clone().serve(stream, registered);
                            tokio::spawn(async move {
                                let _place = place;
                                serving.await;
                            });
                        }
                        // Fails when who asked has stopped waiting.
                        Command::Ping(answer) => drop(answer.send(())),
                        #[cfg(test)]
                        Command::Panic => panic!("a worker that panics"),
                    }
                }
            });
        })?;
        Ok(Self { commands, load })
    }
}

/// One connection of a worker's load.
struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{self, Sender},
        time::Duration,
    };

    use tokio::sync::watch;
    use tonic::service::Routes;

    use super::{
        super::{connection::HttpLimits, front::Kind},
        Command, Connected, Workers,
    };

    struct Guard(Sender<()>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }

    #[tokio::test]
    async fn one_that_panics_tells_and_answers_no_more() {
        let (tell, told) = mpsc::channel();
        let (_drain, drain) = watch::channel(false);
        let (routes, limits) = (Routes::default(), HttpLimits::default());
        let connected = Connected { routes, fast: None, kind: Kind::Grpc, limits, tls: None, drain };
        let workers = Workers::spawn(2, &connected, || Guard(tell.clone())).unwrap();
        assert!(workers.all_answer(Duration::from_secs(20)).await);
        workers.0[1].commands.send(Command::Panic).unwrap();
        told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(!workers.all_answer(Duration::from_secs(20)).await);
    }
}
