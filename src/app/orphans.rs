//! As process number 1 of a container the daemon is the parent of whoever has lost its own, such as what a probe's
//! shell left running. It starts nobody itself, so that every child that ends is one of those.

use rustix::process::{WaitOptions, getpid, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Takes note of the end of orphans, without which each would stay in the table of processes for ever. Ends at once
/// where it is not number 1.
pub(super) async fn bury() {
    if !getpid().is_init() {
        return;
    }
    let mut ended = match signal(SignalKind::child()) {
        Ok(ended) => ended,
        Err(error) => {
            tracing::warn!(%error, "orphans that end stay in the table of processes");
            return;
        }
    };
    loop {
        // One signal may stand for several ends.
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        if ended.recv().await.is_none() {
            return;
        }
    }
}
