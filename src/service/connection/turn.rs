//! The calls of an HTTP/2 connection, begun in the connection's own task.
//!
//! Nearly every call is answered the first time it is polled. A task of its own would cost it an allocation, a place in
//! the scheduler's list and a wake, for nothing. So the calls that one reading brings wait here until the connection has
//! been polled, are polled once each, and the connection writes their answers together. Only what is not ready then
//! becomes a task. Nothing is decided here.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Waker},
};

use hyper::rt::Executor;

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The calls that wait for their first turn; they are gone with it.
#[derive(Default)]
pub(super) struct Turn {
    waiting: Arc<Mutex<Vec<Call>>>,
    /// The room of the last ones, to be used again.
    spare: Vec<Call>,
}

/// What puts calls there. It keeps none of them alive: they hold one of these themselves.
#[derive(Clone)]
pub(super) struct Caller(Weak<Mutex<Vec<Call>>>);

impl Turn {
    pub(super) fn caller(&self) -> Caller {
        Caller(Arc::downgrade(&self.waiting))
    }

    /// Polls every call that waits; whether there was one. To be called within a runtime.
    pub(super) fn take(&mut self) -> bool {
        let mut calls = mem::take(&mut self.spare);
        mem::swap(&mut calls, &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !calls.is_empty();
        for call in calls.drain(..) {
            begin(call);
        }
        self.spare = calls;
        any
    }
}

/// Polls a call once, and spawns it if it goes on.
fn begin(mut call: Call) {
    // Nobody is woken by this: the task polls again, and is what will be woken. A panic ends the call, as in a task.
    let mut nobody = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut nobody)));
    if polled.is_ok_and(|polled| polled.is_pending()) {
        drop(tokio::spawn(call));
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Caller {
    fn execute(&self, call: F) {
        // With the connection its calls end.
        if let Some(waiting) = self.0.upgrade() {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(call));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use hyper::rt::Executor;
    use tokio::{sync::oneshot, time::timeout};

    use super::Turn;

    #[tokio::test]
    async fn what_is_ready_is_done_and_what_is_not_goes_on() {
        let mut turn = Turn::default();
        let caller = turn.caller();
        let done = Arc::new(AtomicUsize::new(0));
        let (go, gone) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel::<()>();
        let count = Arc::clone(&done);
        caller.execute(async move {
            count.fetch_add(1, Ordering::Relaxed);
        });
        caller.execute(async { panic!("a bug") });
        caller.execute(async move {
            gone.await.unwrap();
            tell.send(()).unwrap();
        });
        assert_eq!(done.load(Ordering::Relaxed), 0, "not before its turn");
        assert!(turn.take());
        assert_eq!(done.load(Ordering::Relaxed), 1);
        assert!(!turn.take());
        go.send(()).unwrap();
        timeout(Duration::from_secs(20), told).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_waits_is_gone_with_its_connection() {
        let turn = Turn::default();
        let (caller, held) = (turn.caller(), Arc::new(()));
        let (own, other) = (caller.clone(), Arc::clone(&held));
        caller.execute(async move {
            pending::<()>().await;
            drop((own, other));
        });
        assert_eq!(Arc::strong_count(&held), 2);
        drop(turn);
        assert_eq!(Arc::strong_count(&held), 1);
        caller.execute(ready(()));
    }
}
