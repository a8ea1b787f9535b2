//! `sidegate.v1.AuthorizationService`: thin; each call converts, asks the [`Pdp`] and converts back.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status, metadata::MetadataMap};

use super::{
    consistency::{ask, deadline},
    convert,
    expensive::Expensive,
    pdp::{Pdp, Refusal},
    proto::v1::{self, authorization_service_server::AuthorizationService},
    stream::{Answers, Drain, answer_stream},
};
use crate::{
    model::Malformed,
    observe::{decision_log::Door, metrics::Shed},
    snapshot::Snapshot,
};

/// A batch of at most so many items is decided where it arrives: 128 decisions take less than handing them over twice.
const INLINE_BATCH: usize = 128;

/// The service.
#[derive(Debug, Clone)]
pub struct Authorization {
    pdp: Arc<Pdp>,
    expensive: Expensive,
    batch_items: usize,
    drain: Drain,
}

impl Authorization {
    /// Answers from a decision point; `batch_items` is the cap of a batch, `drain` ends streams.
    pub fn new(pdp: Arc<Pdp>, expensive: Expensive, batch_items: usize, drain: Drain) -> Self {
        Self { pdp, expensive, batch_items, drain }
    }

    /// Answers on the thread for expensive calls, from a snapshot that is held for as long as it takes.
    async fn expensively<R: Send + 'static>(
        &self,
        metadata: &MetadataMap,
        demand: Option<&v1::Consistency>,
        job: impl FnOnce(&Pdp, &Arc<Snapshot>) -> Result<R, Refusal> + Send + 'static,
    ) -> Result<Response<R>, Status> {
        let snapshot = ask(&self.pdp, metadata, |pdp| pdp.demand(demand)).await?;
        let pdp = Arc::clone(&self.pdp);
        let answer = self.expensive.run(deadline(metadata), move || job(&pdp, &snapshot)).await;
        match answer {
            Ok(Ok(answer)) => Ok(Response::new(answer)),
            Ok(Err(refusal)) => {
                if matches!(refusal, Refusal::Malformed(_)) {
                    self.pdp.metrics().malformed();
                }
                Err(refusal.into())
            }
            Err(status) => {
                if status.code() == Code::ResourceExhausted {
                    self.pdp.metrics().shed(Shed::ExpensiveCall);
                }
                Err(status)
            }
        }
    }

    fn check_batch(&self, batch: &v1::BatchAuthorizeRequest) -> Result<(), Refusal> {
        let v1::BatchAuthorizeRequest { requests, semantics, consistency: _, request_id } = batch;
        convert::check_request_id(request_id)?;
        if requests.len() > self.batch_items {
            let most = self.batch_items;
            return Err(Malformed::new("requests", format!("must not hold more than {most} items")).into());
        }
        match v1::BatchAuthorizeSemantics::try_from(*semantics) {
            Ok(_) => Ok(()),
            Err(_) => Err(Malformed::new("semantics", "is none that this daemon knows").into()),
        }
    }
}

#[tonic::async_trait]
impl AuthorizationService for Authorization {
    async fn authorize(
        &self,
        request: Request<v1::AuthorizeRequest>,
    ) -> Result<Response<v1::AuthorizeResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let origin = self.pdp.origin(Door::Authorize, metadata.as_ref());
        let answer = ask(&self.pdp, &metadata, |pdp| {
            pdp.with_snapshot(request.consistency.as_ref(), |snapshot| pdp.authorize(snapshot, &request, origin))
        });
        Ok(Response::new(answer.await?))
    }

    async fn batch_authorize(
        &self,
        request: Request<v1::BatchAuthorizeRequest>,
    ) -> Result<Response<v1::BatchAuthorizeResponse>, Status> {
        let (metadata, _, batch) = request.into_parts();
        if let Err(refusal) = self.check_batch(&batch) {
            self.pdp.metrics().malformed();
            return Err(refusal.into());
        }
        let origin = self.pdp.origin(Door::Batch, metadata.as_ref());
        if batch.requests.len() > INLINE_BATCH {
            let demand = batch.consistency.clone();
            let job = move |pdp: &Pdp, snapshot: &Arc<Snapshot>| Ok(pdp.batch(snapshot, &batch, origin));
            return self.expensively(&metadata, demand.as_ref(), job).await;
        }
        let answer = ask(&self.pdp, &metadata, |pdp| {
            pdp.with_snapshot(batch.consistency.as_ref(), |snapshot| Ok(pdp.batch(snapshot, &batch, origin)))
        });
        Ok(Response::new(answer.await?))
    }

    type AuthorizeStreamStream = Answers;

    async fn authorize_stream(
        &self,
        request: Request<tonic::Streaming<v1::AuthorizeStreamRequest>>,
    ) -> Result<Response<Self::AuthorizeStreamStream>, Status> {
        let origin = self.pdp.origin(Door::Stream, request.metadata().as_ref());
        Ok(Response::new(answer_stream(Arc::clone(&self.pdp), request.into_inner(), self.drain.clone(), origin)))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        let (metadata, _, v1::ExplainRequest { request }) = request.into_parts();
        let Some(request) = request else {
            self.pdp.metrics().malformed();
            return Err(Refusal::Malformed(convert::missing("request")).into());
        };
        let demand = request.consistency.clone();
        let origin = self.pdp.origin(Door::Explain, metadata.as_ref());
        self.expensively(&metadata, demand.as_ref(), move |pdp, snapshot| pdp.explain(snapshot, &request, origin)).await
    }

    async fn list_actions(
        &self,
        request: Request<v1::ListActionsRequest>,
    ) -> Result<Response<v1::ListActionsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let demand = request.consistency.clone();
        self.expensively(&metadata, demand.as_ref(), move |pdp, snapshot| pdp.list_actions(snapshot, &request)).await
    }

    async fn list_levels(
        &self,
        request: Request<v1::ListLevelsRequest>,
    ) -> Result<Response<v1::ListLevelsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let demand = request.consistency.clone();
        self.expensively(&metadata, demand.as_ref(), move |pdp, snapshot| pdp.list_levels(snapshot, request)).await
    }

    async fn list_resources(
        &self,
        request: Request<v1::ListResourcesRequest>,
    ) -> Result<Response<v1::ListResourcesResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let demand = request.consistency.clone();
        self.expensively(&metadata, demand.as_ref(), move |pdp, snapshot| pdp.list_resources(snapshot, request)).await
    }

    async fn list_subjects(
        &self,
        request: Request<v1::ListSubjectsRequest>,
    ) -> Result<Response<v1::ListSubjectsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let demand = request.consistency.clone();
        self.expensively(&metadata, demand.as_ref(), move |pdp, snapshot| pdp.list_subjects(snapshot, request)).await
    }

    async fn check_grant(
        &self,
        request: Request<v1::CheckGrantRequest>,
    ) -> Result<Response<v1::CheckGrantResponse>, Status> {
        let (metadata, _, v1::CheckGrantRequest { request }) = request.into_parts();
        let Some(request) = request else {
            self.pdp.metrics().malformed();
            return Err(Refusal::Malformed(convert::missing("request")).into());
        };
        let demand = request.consistency.clone();
        self.expensively(&metadata, demand.as_ref(), move |pdp, snapshot| pdp.check_grant(snapshot, &request)).await
    }

    async fn count_seats(
        &self,
        request: Request<v1::CountSeatsRequest>,
    ) -> Result<Response<v1::CountSeatsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let demand = request.consistency.clone();
        self.expensively(&metadata, demand.as_ref(), move |pdp, snapshot| pdp.count_seats(snapshot, request)).await
    }
}
