//! `sidegate.v1.SnapshotService`: what is loaded, and a reload on demand. For the admin listener only.

use std::{
    fmt,
    path::Path,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio_stream::{Stream, StreamExt, wrappers::WatchStream};
use tonic::{Request, Response, Status};

use super::{
    clock::Clock,
    convert,
    proto::v1::{self, snapshot_service_server::SnapshotService},
};
use crate::{
    index::Counts,
    snapshot::{Failure, Outcome, Snapshot, Store},
};

/// How long a reload is waited for.
const LONGEST_RELOAD: Duration = Duration::from_secs(60);

/// Asks the build thread for a reload; the outcome arrives on the receiver.
pub type Reload = Arc<dyn Fn() -> std::sync::mpsc::Receiver<Outcome> + Send + Sync>;

/// The service.
#[derive(Clone)]
pub struct Snapshots {
    store: Arc<Store>,
    source: Arc<Path>,
    reload: Reload,
}

impl fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots").finish_non_exhaustive()
    }
}

impl Snapshots {
    /// Describes a store, which is filled from `source`; `reload` asks for a reload.
    pub fn new(store: Arc<Store>, source: impl Into<Arc<Path>>, reload: Reload) -> Self {
        Self { store, source: source.into(), reload }
    }

    fn status(&self) -> v1::SnapshotStatus {
        let (status, live) = self.store.status_and_live();
        v1::SnapshotStatus {
            live: live.map(|live| info(&live)),
            failure: status.failure.map(|failure| {
                let Failure { at, took: _, summary, errors, error_count, rendered: _ } = failure.as_ref();
                v1::ReloadFailure {
                    failed_at: moment(*at),
                    summary: summary.clone(),
                    errors: errors.clone(),
                    error_count: count(*error_count),
                }
            }),
            source: self.source.display().to_string(),
            checked_at: self.store.checked_at().and_then(moment),
            confirmed_at: self.store.confirmed_at().and_then(moment),
        }
    }
}

#[tonic::async_trait]
impl SnapshotService for Snapshots {
    async fn get_snapshot(
        &self,
        _: Request<v1::GetSnapshotRequest>,
    ) -> Result<Response<v1::GetSnapshotResponse>, Status> {
        Ok(Response::new(v1::GetSnapshotResponse { status: Some(self.status()) }))
    }

    type WatchSnapshotStream = Pin<Box<dyn Stream<Item = Result<v1::WatchSnapshotResponse, Status>> + Send>>;

    async fn watch_snapshot(
        &self,
        _: Request<v1::WatchSnapshotRequest>,
    ) -> Result<Response<Self::WatchSnapshotStream>, Status> {
        let this = self.clone();
        let changes = WatchStream::new(self.store.subscribe());
        let answers = changes.map(move |_| Ok(v1::WatchSnapshotResponse { status: Some(this.status()) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn reload_snapshot(
        &self,
        _: Request<v1::ReloadSnapshotRequest>,
    ) -> Result<Response<v1::ReloadSnapshotResponse>, Status> {
        let told = (self.reload)();
        let outcome = tokio::task::spawn_blocking(move || told.recv_timeout(LONGEST_RELOAD)).await;
        let outcome = match outcome {
            Ok(Ok(Outcome::Applied(_))) => v1::ReloadOutcome::Applied,
            Ok(Ok(Outcome::Unchanged)) => v1::ReloadOutcome::Unchanged,
            Ok(Ok(Outcome::Rejected(_) | Outcome::Restored(..))) => v1::ReloadOutcome::Rejected,
            Ok(Err(_)) => return Err(Status::deadline_exceeded("the reload takes longer than a minute")),
            Err(_) => return Err(Status::internal("the wait for the reload panicked")),
        };
        let status = Some(self.status());
        Ok(Response::new(v1::ReloadSnapshotResponse { outcome: outcome.into(), status }))
    }

    async fn diff_snapshot(
        &self,
        _: Request<v1::DiffSnapshotRequest>,
    ) -> Result<Response<v1::DiffSnapshotResponse>, Status> {
        Err(Status::unimplemented("`DiffSnapshot` is not served by this version"))
    }
}

fn info(snapshot: &Snapshot) -> v1::SnapshotInfo {
    let Counts { types, roles, subjects, resources, bindings, forbids } = snapshot.counts;
    let now = Clock::default().now();
    v1::SnapshotInfo {
        snapshot: Some(convert::snapshot_ref(snapshot, now)),
        generation: snapshot.generation,
        source: snapshot.source.display().to_string(),
        loaded_at: moment(snapshot.loaded_at),
        counts: Some(v1::SnapshotCounts {
            types: count(types),
            roles: count(roles),
            subjects: count(subjects),
            resources: count(resources),
            bindings: count(bindings),
            forbids: count(forbids),
        }),
        warnings: snapshot.warnings.clone(),
        issued_at: snapshot.issued_at.map(convert::timestamp),
        max_age: snapshot.max_age.and_then(span),
        fresh_until: snapshot.fresh.until().map(convert::timestamp),
        age: SystemTime::now().duration_since(snapshot.loaded_at).ok().and_then(span),
        load_time: span(snapshot.took),
        size_bytes: count(snapshot.index.bytes().len()),
        restored: snapshot.restored,
        files: snapshot.files.clone(),
        file_count: count(snapshot.file_count),
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn span(time: Duration) -> Option<prost_types::Duration> {
    let nanos = i32::try_from(time.subsec_nanos()).ok()?;
    Some(prost_types::Duration { seconds: i64::try_from(time.as_secs()).ok()?, nanos })
}

fn moment(time: SystemTime) -> Option<prost_types::Timestamp> {
    let elapsed = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let nanos = i32::try_from(elapsed.subsec_nanos()).ok()?;
    Some(prost_types::Timestamp { seconds: i64::try_from(elapsed.as_secs()).ok()?, nanos })
}
