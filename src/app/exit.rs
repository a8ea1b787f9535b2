//! How the end of one part becomes the end of the whole: nothing dies unnoticed.

use tokio::sync::mpsc;

use super::ExitReason;

/// Tells the control thread why the process must end.
#[derive(Debug, Clone)]
pub(super) struct Exits(mpsc::UnboundedSender<ExitReason>);

/// Tells when it is dropped, be it by a return or by a panic.
#[derive(Debug)]
pub(super) struct Guard {
    exits: Exits,
    what: &'static str,
}

impl Exits {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<ExitReason>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Self(tell), told)
    }

    pub(super) fn tell(&self, reason: ExitReason) {
        // Fails when the control thread has ended already.
        drop(self.0.send(reason));
    }

    /// To be held by a part for as long as it lives.
    pub(super) fn guard(&self, what: &'static str) -> Guard {
        Guard { exits: self.clone(), what }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.exits.tell(ExitReason::Died(self.what));
    }
}

#[cfg(test)]
mod tests {
    use super::{ExitReason, Exits};

    #[tokio::test]
    async fn a_thread_or_task_that_panics_ends_the_process() {
        let (exits, mut told) = Exits::new();
        let guard = exits.guard("thread");
        let thread = std::thread::spawn(move || {
            let _guard = guard;
            panic!("a thread that panics");
        });
        assert!(thread.join().is_err());
        let guard = exits.guard("task");
        let task = tokio::spawn(async move {
            let _guard = guard;
            panic!("a task that panics");
        });
        assert!(task.await.is_err());
        for what in ["thread", "task"] {
            let reason = told.recv().await.unwrap();
            assert_eq!((&reason, reason.code()), (&ExitReason::Died(what), 70));
        }
    }
}
