//! Looks at the certificate files again and again: whoever renews them tells nobody.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::exit::Guard;
use crate::{
    observe::metrics::Metrics,
    service::{Renewal, Tls},
};

/// How often. Reading three small files costs nothing, and it sees what a time stamp may not show.
const EVERY: Duration = Duration::from_secs(2);

/// Renews for as long as it runs. Files are read on a thread of their own: a network disk may take its time.
pub(super) async fn watch(tls: Arc<Tls>, metrics: Arc<Metrics>, guard: Guard) {
    let _guard = guard;
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let looking = renew_soon(Some(&tls), &metrics);
        if let Err(error) = looking.await {
            tracing::error!(%error, "cannot look at the certificates");
        }
    }
}

/// Looks once, at the next occasion. To be called within a runtime.
pub(super) fn renew_soon(tls: Option<&Arc<Tls>>, metrics: &Arc<Metrics>) -> JoinHandle<()> {
    let (tls, metrics) = (tls.map(Arc::clone), Arc::clone(metrics));
    tokio::task::spawn_blocking(move || {
        if let Some(tls) = tls {
            renew(&tls, &metrics);
        }
    })
}

/// Looks once, and tells what has changed.
fn renew(tls: &Tls, metrics: &Metrics) {
    match tls.renew() {
        Renewal::Same => {}
        Renewal::New => {
            metrics.tls_renewed(true);
            tracing::info!("new connections use the new certificate");
        }
        Renewal::Refused(problem) => {
            metrics.tls_renewed(false);
            tracing::error!(problem, "the new certificate cannot be used; the one before it still is");
        }
    }
}
