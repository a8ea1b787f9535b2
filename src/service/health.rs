//! `grpc.health.v1.Health` as its specification has it. `tonic-health` keeps the statuses; this service in front of it
//! adds `List`, and a `Watch` that answers `SERVICE_UNKNOWN` for an unknown service and stays open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use tonic_health::{
    ServingStatus,
    pb::health_server::Health as _,
    server::{HealthReporter, HealthService as Statuses},
};

use super::proto::health_v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
    health_check_response::ServingStatus as Wire, health_server,
};
use crate::observe::metrics::{Metrics, Shed};

/// The most watchers at once: each is a task and a stream that last as long as their client likes.
const MOST_WATCHERS: usize = 1024;

/// Sets statuses.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    names: Arc<Mutex<BTreeSet<String>>>,
    news: watch::Sender<News>,
}

#[derive(Debug, Clone, Copy, Default)]
struct News {
    /// Makes every change differ from the one before.
    count: u64,
    /// Nothing becomes serving any more.
    ending: bool,
    /// The last status has been set; watchers get it and are let go.
    last: bool,
}

impl Health {
    /// Knows the server as a whole, which does not serve yet.
    pub async fn new() -> Self {
        let health =
            Self { reporter: HealthReporter::new(), names: Arc::default(), news: watch::Sender::new(News::default()) };
        health.set("", false).await;
        health
    }

    /// Sets the status of one service, which is known from now on.
    pub async fn set(&self, name: &str, serving: bool) {
        let serving = serving && !self.news.borrow().ending;
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status(name, status).await;
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.news.send_modify(|news| news.count = news.count.wrapping_add(1));
    }

    /// Sets the status of every known service.
    pub async fn set_all(&self, serving: bool) {
        for name in self.names() {
            self.set(&name, serving).await;
        }
    }

    /// Nothing serves any more; watchers are told and let go.
    pub async fn shut_down(&self) {
        self.news.send_modify(|news| news.ending = true);
        self.set_all(false).await;
        self.news.send_modify(|news| news.last = true);
    }

    /// A door to these statuses.
    pub fn service(&self, metrics: Arc<Metrics>) -> HealthService {
        HealthService {
            health: self.clone(),
            statuses: Arc::new(Statuses::from_health_reporter(self.reporter.clone())),
            places: Arc::new(Semaphore::new(MOST_WATCHERS)),
            metrics,
        }
    }

    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The service.
#[derive(Debug, Clone)]
pub struct HealthService {
    health: Health,
    statuses: Arc<Statuses>,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl HealthService {
    async fn status(&self, service: String) -> Result<HealthCheckResponse, Status> {
        let request = tonic_health::pb::HealthCheckRequest { service };
        let tonic_health::pb::HealthCheckResponse { status } =
            self.statuses.check(Request::new(request)).await?.into_inner();
        Ok(HealthCheckResponse { status })
    }

    /// Sends the status now and after every change, until the client or the process goes.
    async fn watch_service(self, service: String, tell: mpsc::Sender<Result<HealthCheckResponse, Status>>) {
        let mut news = self.health.news.subscribe();
        let mut told = None;
        loop {
            let last = news.borrow_and_update().last;
            let answer = match self.status(service.clone()).await {
                Ok(answer) => answer,
                Err(status) if status.code() == Code::NotFound => {
                    HealthCheckResponse { status: Wire::ServiceUnknown.into() }
                }
                Err(status) => {
                    drop(tell.send(Err(status)).await);
                    return;
                }
            };
            if told != Some(answer.status) && tell.send(Ok(answer)).await.is_err() {
                return;
            }
            told = Some(answer.status);
            if last {
                return;
            }
            tokio::select! {
                () = tell.closed() => return,
                changed = news.changed() => if changed.is_err() { return },
            }
        }
    }
}

#[tonic::async_trait]
impl health_server::Health for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let HealthCheckRequest { service } = request.into_inner();
        Ok(Response::new(self.status(service).await?))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        let mut statuses = BTreeMap::new();
        for name in self.health.names() {
            let status = self.status(name.clone()).await?;
            statuses.insert(name, status);
        }
        Ok(Response::new(HealthListResponse { statuses }))
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let HealthCheckRequest { service } = request.into_inner();
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.metrics.shed(Shed::Watcher);
            return Err(Status::resource_exhausted("too many health watchers"));
        };
        let (tell, told) = mpsc::channel(1);
        let watcher = self.clone().watch_service(service, tell);
        tokio::spawn(async move {
            watcher.await;
            drop(place);
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::time::timeout;
    use tokio_stream::StreamExt;
    use tonic::{Code, Request};

    use super::{Health, HealthCheckRequest, HealthListRequest, HealthService, Wire, health_server::Health as _};
    use crate::observe::metrics::Metrics;

    fn ask(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.to_owned() })
    }

    async fn door() -> (Health, HealthService) {
        let health = Health::new().await;
        let door = health.service(Arc::new(Metrics::default()));
        (health, door)
    }

    #[tokio::test]
    async fn check_and_list() {
        let (health, door) = door().await;
        let check = async |name: &str| door.check(ask(name)).await.map(|answer| answer.into_inner().status());
        assert_eq!(check("").await.unwrap(), Wire::NotServing);
        assert_eq!(check("a").await.unwrap_err().code(), Code::NotFound);
        health.set("a", true).await;
        assert_eq!(check("a").await.unwrap(), Wire::Serving);
        let statuses = door.list(Request::new(HealthListRequest {})).await.unwrap().into_inner().statuses;
        let statuses: Vec<_> = statuses.iter().map(|(name, status)| (name.as_str(), status.status())).collect();
        assert_eq!(statuses, [("", Wire::NotServing), ("a", Wire::Serving)]);
    }

    #[tokio::test]
    async fn watch_of_an_unknown_service_stays_open_and_tells() {
        let (health, door) = door().await;
        let mut stream = door.watch(ask("later")).await.unwrap().into_inner();
        let mut next = async || timeout(Duration::from_secs(10), stream.next()).await.unwrap();
        assert_eq!(next().await.unwrap().unwrap().status(), Wire::ServiceUnknown);
        health.set("later", true).await;
        assert_eq!(next().await.unwrap().unwrap().status(), Wire::Serving);
        health.set("other", true).await;
        health.set("later", false).await;
        assert_eq!(next().await.unwrap().unwrap().status(), Wire::NotServing, "each change once");
        health.set("later", true).await;
        assert_eq!(next().await.unwrap().unwrap().status(), Wire::Serving);
        health.shut_down().await;
        assert_eq!(next().await.unwrap().unwrap().status(), Wire::NotServing);
        assert!(next().await.is_none(), "let go at the end");
    }
}
