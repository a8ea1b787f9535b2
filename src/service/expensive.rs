//! One thread for calls that take long: they must not stand in the way of a decision. What is over the cap is shed.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Sender},
    },
    thread,
};

use tokio::sync::oneshot;

use super::{consistency::Deadline, pdp::Refusal};

use crate::observe::metrics::Metrics;

type Job = Box<dyn FnOnce() + Send>;

/// Hands jobs to the thread.
#[derive(Debug, Clone)]
pub struct Expensive {
    jobs: Sender<Job>,
    in_flight: Arc<AtomicUsize>,
}

/// One job, queued or running.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(in_flight: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let taken =
            in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < most).then_some(count + 1));
        taken.ok().map(|_| Self(Arc::clone(in_flight)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What became of a job.
#[derive(Debug)]
pub(super) enum Ran<R> {
    /// It has an answer.
    Answered(R),
    /// There was no place for it.
    Shed,
    /// It has none: it was late, or panicked, or the daemon ends.
    Ended(Refusal),
}

impl Expensive {
    /// Starts the thread. `on_exit` is dropped when it ends.
    ///
    /// # Errors
    /// No thread.
    pub fn spawn(metrics: Arc<Metrics>, on_exit: impl Send + 'static) -> io::Result<Self> {
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
        Ok(Self { jobs, in_flight: Arc::default() })
    }

    /// Runs one job there, if there are not `most` already. Work whose caller has gone or whose deadline has passed is
    /// not begun; the job is lent the question whether that is so meanwhile.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        deadline: Deadline,
        most: usize,
        job: impl FnOnce(&dyn Fn() -> bool) -> R + Send + 'static,
    ) -> Ran<R> {
        if let Err(late) = deadline.before("the call") {
            return Ran::Ended(late);
        }
        let Some(place) = Place::take(&self.in_flight, most) else { return Ran::Shed };
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move || {
            let place = place;
            if tell.is_closed() {
                return;
            }
            let answer =
                deadline.before("the call's turn").map(|()| job(&|| !tell.is_closed() && !deadline.has_passed()));
            drop(place);
            // Fails when the caller has gone meanwhile.
            drop(tell.send(answer));
        });
        if self.jobs.send(job).is_err() {
            return Ran::Ended(Refusal::Ending);
        }
        match told.await {
            Ok(Ok(answer)) => Ran::Answered(answer),
            Ok(Err(late)) => Ran::Ended(late),
            Err(_) => Ran::Ended(Refusal::Panicked),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::Ordering, mpsc};

    use tonic::metadata::MetadataMap;

    use super::{Deadline, Expensive, Metrics, Ran, Refusal};

    fn within(text: &'static str) -> Deadline {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", text.parse().unwrap());
        Deadline::of(&metadata)
    }

    #[tokio::test]
    async fn sheds_over_the_cap_and_survives_a_panic() {
        let metrics = Arc::new(Metrics::default());
        let expensive = Expensive::spawn(Arc::clone(&metrics), ()).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let expensive = expensive.clone();
            async move { expensive.run(within("1M"), 1, move |_| held.recv().is_ok()).await }
        });
        while expensive.in_flight.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(expensive.run(within("1M"), 1, |_| ()).await, Ran::Shed));
        release.send(()).unwrap();
        assert!(matches!(first.await.unwrap(), Ran::Answered(true)));
        let panicked = expensive.run::<()>(within("1M"), 1, |_| panic!("a bug")).await;
        assert!(matches!(panicked, Ran::Ended(Refusal::Panicked)), "{panicked:?}");
        assert!(matches!(expensive.run(within("1M"), 1, |goes_on| goes_on()).await, Ran::Answered(true)));
        let late = expensive.run(within("0n"), 1, |_| ()).await;
        assert!(matches!(late, Ran::Ended(Refusal::Late(_))), "{late:?}");
        assert_eq!(expensive.in_flight.load(Ordering::Acquire), 0);
        assert!(metrics.render().contains("sidegate_handler_panics_total 1"));
    }
}
