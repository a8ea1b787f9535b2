//! Signals of the system as commands to the control thread.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::control::Command;

/// The signals that the process heeds, from the moment that this is made.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// To be called within a runtime.
    pub(super) fn new() -> Option<Self> {
        let all = || {
            Ok::<_, std::io::Error>(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
            })
        };
        all().inspect_err(|error| tracing::error!(%error, "signals end the process without a drain")).ok()
    }

    /// What the next one stands for; without any, none ever comes.
    pub(super) async fn next(signals: &mut Option<Self>) -> Command {
        let Some(Self { terminate, interrupt, hang_up }) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => Command::Drain,
            _ = interrupt.recv() => Command::Drain,
            _ = hang_up.recv() => Command::Reload,
        }
    }
}
