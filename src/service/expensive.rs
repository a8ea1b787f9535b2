//! One thread for calls that take long: they must not stand in the way of a decision. What is over the cap is shed.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tonic::Status;

use crate::observe::metrics::Metrics;

type Job = Box<dyn FnOnce() + Send>;

/// Hands jobs to the thread.
#[derive(Debug, Clone)]
pub struct Expensive {
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
}

impl Expensive {
    /// Starts the thread. `on_exit` is dropped when it ends.
    ///
    /// # Errors
    /// No thread.
    pub fn spawn(in_flight: usize, metrics: Arc<Metrics>, on_exit: impl Send + 'static) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new().name("sidegate-expensive".to_owned()).spawn(move || {
            let _on_exit = on_exit;
            while let Ok(job) = queue.recv() {
                // Its caller finds the answer missing and says INTERNAL.
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    metrics.panicked();
                    tracing::error!("an expensive call panicked; this is a bug");
                }
            }
        })?;
        Ok(Self { jobs, places: Arc::new(Semaphore::new(in_flight)) })
    }

    /// Runs one job there. Work whose caller has gone or whose deadline has passed is not begun.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` over the cap, `DEADLINE_EXCEEDED`, `INTERNAL` when the job panicked.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        deadline: Option<Duration>,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Status> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Status::resource_exhausted("too many expensive calls are in flight; try again later"));
        };
        let begun = Instant::now();
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move || {
            let place: OwnedSemaphorePermit = place;
            if tell.is_closed() {
                return;
            }
            let late = deadline.is_some_and(|deadline| begun.elapsed() >= deadline);
            let answer =
                if late { Err(Status::deadline_exceeded("the deadline passed in the queue")) } else { Ok(job()) };
            drop(place);
            // Fails when the caller has gone meanwhile.
            drop(tell.send(answer));
        });
        if self.jobs.send(job).is_err() {
            return Err(Status::unavailable("shutting down"));
        }
        told.await.unwrap_or_else(|_| Err(Status::internal("the call panicked; this is a bug")))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        time::Duration,
    };

    use tonic::Code;

    use super::{Expensive, Metrics};

    #[tokio::test]
    async fn sheds_over_the_cap_and_survives_a_panic() {
        let metrics = Arc::new(Metrics::default());
        let expensive = Expensive::spawn(1, Arc::clone(&metrics), ()).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let expensive = expensive.clone();
            async move { expensive.run(None, move || held.recv().is_ok()).await }
        });
        while expensive.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let shed = expensive.run(None, || ()).await.unwrap_err();
        assert_eq!(shed.code(), Code::ResourceExhausted);
        release.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        let panicked = expensive.run::<()>(None, || panic!("a bug")).await.unwrap_err();
        assert_eq!(panicked.code(), Code::Internal);
        assert_eq!(expensive.run(Some(Duration::from_secs(60)), || 5).await.unwrap(), 5);
        let late = expensive.run(Some(Duration::ZERO), || ()).await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
        assert!(metrics.render().contains("sidegate_handler_panics_total 1"));
    }
}
