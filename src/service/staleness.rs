//! What becomes of questions when the live snapshot is older than it may be, and who notices that it is.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::clock::Clock;
use crate::{model::Timestamp, snapshot::Store};

/// How often the age of a snapshot that can become stale is looked at. Decisions look for themselves.
const LOOK: Duration = Duration::from_millis(250);

/// What becomes of questions to a stale snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stale {
    /// They are answered, and the answer says so.
    #[default]
    Mark,
    /// They end in `UNAVAILABLE`.
    Deny,
}

impl Stale {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mark, Self::Deny];

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mark => "mark",
            Self::Deny => "deny",
        }
    }
}

/// Tells the store, and so everybody who watches it, when the live snapshot becomes stale and when it is fresh again.
pub async fn mind_staleness(store: Arc<Store>, clock: Clock) {
    let mut news = store.subscribe();
    loop {
        let live = store.read(|live| live.map(|live| (live.generation, Arc::clone(&live.fresh))));
        let can_end = live.as_ref().is_some_and(|(_, fresh)| fresh.can_end());
        if let Some((generation, fresh)) = live {
            let stale = fresh.is_over(clock.now());
            if store.found_stale(generation, stale) {
                tell(stale, fresh.until());
            }
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            () = sleep(LOOK), if can_end => {}
        }
    }
}

fn tell(stale: bool, until: Option<Timestamp>) {
    let until = until.map(|until| until.to_string());
    if stale {
        tracing::warn!(until, "the live snapshot is older than it may be");
    } else {
        tracing::info!(until, "the live snapshot is fresh again");
    }
}
