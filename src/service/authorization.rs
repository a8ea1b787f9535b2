//! `sidegate.v1.AuthorizationService`: thin; each call converts, asks the [`Pdp`] and converts back.

use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, header::CONTENT_TYPE};
use tokio_stream::Empty;
use tonic::{Request, Response, Status, Streaming, body::Body};

use super::{
    caller::{Admission, Asked, Gate},
    consistency::{Deadline, ask},
    convert,
    expensive::{Expensive, Ran},
    fast::{GRPC, PlainBatch},
    pdp::{Pdp, Refusal},
    proto::v1::{self, BatchAuthorizeSemantics as Semantics, authorization_service_server::AuthorizationService},
    registry::Connection,
    stream::{Drain, Questions, answer_stream},
};
use crate::{
    model::Malformed,
    observe::{decision_log::Door, metrics::Shed},
    snapshot::Snapshot,
};

/// A batch of at most so many items is decided where it arrives: 128 decisions take less than handing them over twice.
pub(super) const INLINE_BATCH: usize = 128;

/// The service.
#[derive(Debug, Clone)]
pub struct Authorization {
    pdp: Arc<Pdp>,
    expensive: Expensive,
    drain: Drain,
}

impl Authorization {
    /// Answers from a decision point; `drain` ends streams.
    pub fn new(pdp: Arc<Pdp>, expensive: Expensive, drain: Drain) -> Self {
        Self { pdp, expensive, drain }
    }

    /// Where its answers come from.
    pub(super) fn pdp(&self) -> &Arc<Pdp> {
        &self.pdp
    }

    /// Where the limits are live.
    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(self.pdp.gate())
    }

    /// Answers on the thread for expensive calls, from a snapshot that is held for as long as it takes.
    pub(super) async fn run_expensively<R: Send + 'static>(
        &self,
        admission: Admission,
        deadline: Deadline,
        demand: Option<&v1::Consistency>,
        job: impl FnOnce(&Pdp, &Arc<Snapshot>, &Admission, &dyn Fn() -> bool) -> Result<R, Refusal> + Send + 'static,
    ) -> Result<R, Refusal> {
        let snapshot = ask(&self.pdp, deadline, |pdp| pdp.demand(demand)).await?;
        let pdp = Arc::clone(&self.pdp);
        let most = self.pdp.gate().read(|live| live.expensive_calls);
        // The caller's place goes with the job: who hangs up does not get another for work that still runs.
        let job = move |goes_on: &dyn Fn() -> bool| job(&pdp, &snapshot, &admission, goes_on);
        let answer = match self.expensive.run(deadline, most, job).await {
            Ran::Answered(answer) => answer,
            Ran::Ended(refusal) => Err(refusal),
            Ran::Shed => {
                self.pdp.metrics().shed(Shed::ExpensiveCall);
                Err(Refusal::Exhausted("too many expensive calls are in flight; try again later".to_owned()))
            }
        };
        self.pdp.count_malformed(answer)
    }

    /// The same as a response.
    async fn expensively<R: Send + 'static>(
        &self,
        admission: Admission,
        deadline: Deadline,
        demand: Option<&v1::Consistency>,
        job: impl FnOnce(&Pdp, &Arc<Snapshot>, &Admission, &dyn Fn() -> bool) -> Result<R, Refusal> + Send + 'static,
    ) -> Result<Response<R>, Status> {
        Ok(Response::new(self.run_expensively(admission, deadline, demand, job).await?))
    }

    /// Lets the caller of a request ask, and reads their deadline.
    fn admit<T>(&self, request: &Request<T>, asked: Asked, items: usize) -> Result<(Admission, Deadline), Refusal> {
        let admission = self.pdp.admit(connection(request.extensions()).map(Arc::as_ref), asked, items)?;
        Ok((admission, Deadline::of(request.metadata())))
    }

    /// Answers a small batch that was read in place.
    pub(super) fn batch_in_place(&self, request: &Request<Bytes>, batch: &PlainBatch<'_>) -> Result<Bytes, Refusal> {
        let PlainBatch { questions, semantics, request_id } = batch;
        let items = questions.len();
        let semantics = self.pdp.count_malformed(self.check_batch(items, *semantics, request_id))?;
        let (admission, _) = self.admit(request, Asked::Check, items.max(1))?;
        let origin = self.pdp.origin(Door::Batch, request.metadata().as_ref());
        self.pdp.batch_plain(batch, semantics, origin, &admission)
    }

    /// Answers the questions of a stream, which is uncompressed.
    pub(super) fn stream(&self, request: http::Request<Body>) -> http::Response<Body> {
        let (head, body) = request.into_parts();
        let connection = connection(&head.extensions);
        let admission = match self.pdp.admit(connection.map(Arc::as_ref), Asked::Check, 1) {
            Ok(admission) => admission,
            Err(refusal) => return Status::from(refusal).into_http(),
        };
        let origin = self.pdp.origin(Door::Stream, &head.headers);
        let questions = Questions::new(body, self.pdp.gate().read(|live| live.message_bytes));
        let (pdp, drain) = (Arc::clone(&self.pdp), self.drain.clone());
        let answers = answer_stream(pdp, questions, drain, origin, (connection.map(Arc::clone), admission));
        let mut response = http::Response::new(Body::new(answers));
        response.headers_mut().insert(CONTENT_TYPE, GRPC);
        response
    }

    fn check_batch(&self, items: usize, semantics: i32, request_id: &str) -> Result<Semantics, Refusal> {
        convert::check_request_id(request_id)?;
        let most = self.pdp.gate().read(|live| live.batch_items);
        if items > most {
            return Err(Malformed::new("requests", format!("must not hold more than {most} items")).into());
        }
        let known = Semantics::try_from(semantics);
        known.map_err(|_| Malformed::new("semantics", "is none that this daemon knows").into())
    }

    fn present(&self, request: Option<v1::AuthorizeRequest>) -> Result<v1::AuthorizeRequest, Refusal> {
        self.pdp.count_malformed(request.ok_or_else(|| convert::missing("request").into()))
    }
}

/// The connection that a call came by.
fn connection(extensions: &Extensions) -> Option<&Arc<Connection>> {
    extensions.get()
}

#[tonic::async_trait]
impl AuthorizationService for Authorization {
    async fn authorize(
        &self,
        request: Request<v1::AuthorizeRequest>,
    ) -> Result<Response<v1::AuthorizeResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::Check, 1)?;
        let origin = self.pdp.origin(Door::Authorize, request.metadata().as_ref());
        let request = request.into_inner();
        let answer = ask(&self.pdp, deadline, |pdp| {
            pdp.with_snapshot(request.consistency.as_ref(), |live| pdp.authorize(live, &request, origin, &admission))
        });
        Ok(Response::new(answer.await?))
    }

    async fn batch_authorize(
        &self,
        request: Request<v1::BatchAuthorizeRequest>,
    ) -> Result<Response<v1::BatchAuthorizeResponse>, Status> {
        let v1::BatchAuthorizeRequest { requests, semantics, consistency: _, request_id } = request.get_ref();
        self.pdp.count_malformed(self.check_batch(requests.len(), *semantics, request_id))?;
        let items = requests.len().max(1);
        let (admission, deadline) = self.admit(&request, Asked::Check, items)?;
        let origin = self.pdp.origin(Door::Batch, request.metadata().as_ref());
        let batch = request.into_inner();
        if items > INLINE_BATCH {
            let demand = batch.consistency.clone();
            let job = move |pdp: &Pdp, snapshot: &Arc<Snapshot>, admission: &Admission, goes_on: &dyn Fn() -> bool| {
                pdp.batch(snapshot, &batch, origin, admission, goes_on)
            };
            return self.expensively(admission, deadline, demand.as_ref(), job).await;
        }
        let answer = ask(&self.pdp, deadline, |pdp| {
            pdp.with_snapshot(batch.consistency.as_ref(), |snapshot| {
                pdp.batch(snapshot, &batch, origin, &admission, || true)
            })
        });
        Ok(Response::new(answer.await?))
    }

    type AuthorizeStreamStream = Empty<Result<v1::AuthorizeStreamResponse, Status>>;

    /// Never called: its messages are read in place, by `stream`.
    async fn authorize_stream(
        &self,
        _: Request<Streaming<v1::AuthorizeStreamRequest>>,
    ) -> Result<Response<Self::AuthorizeStreamStream>, Status> {
        Err(Status::unimplemented("a stream is answered elsewhere"))
    }

    async fn explain(&self, request: Request<v1::ExplainRequest>) -> Result<Response<v1::ExplainResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::Explain, 1)?;
        let origin = self.pdp.origin(Door::Explain, request.metadata().as_ref());
        let request = self.present(request.into_inner().request)?;
        let demand = request.consistency.clone();
        self.expensively(admission, deadline, demand.as_ref(), move |pdp, snapshot, caller, _| {
            pdp.explain(snapshot, &request, origin, caller)
        })
        .await
    }

    async fn list_actions(
        &self,
        request: Request<v1::ListActionsRequest>,
    ) -> Result<Response<v1::ListActionsResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::List, 1)?;
        let request = request.into_inner();
        let demand = request.consistency.clone();
        self.expensively(admission, deadline, demand.as_ref(), move |pdp, snapshot, caller, _| {
            pdp.list_actions(snapshot, &request, caller)
        })
        .await
    }

    async fn list_levels(
        &self,
        request: Request<v1::ListLevelsRequest>,
    ) -> Result<Response<v1::ListLevelsResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::List, 1)?;
        let request = request.into_inner();
        let demand = request.consistency.clone();
        self.expensively(admission, deadline, demand.as_ref(), move |pdp, snapshot, caller, _| {
            pdp.list_levels(snapshot, request, caller)
        })
        .await
    }

    async fn list_resources(
        &self,
        request: Request<v1::ListResourcesRequest>,
    ) -> Result<Response<v1::ListResourcesResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::List, 1)?;
        let request = request.into_inner();
        let demand = request.consistency.clone();
        self.expensively(admission, deadline, demand.as_ref(), move |pdp, snapshot, caller, _| {
            pdp.list_resources(snapshot, request, caller)
        })
        .await
    }

    async fn list_subjects(
        &self,
        request: Request<v1::ListSubjectsRequest>,
    ) -> Result<Response<v1::ListSubjectsResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::List, 1)?;
        let request = request.into_inner();
        let demand = request.consistency.clone();
        self.expensively(admission, deadline, demand.as_ref(), move |pdp, snapshot, caller, _| {
            pdp.list_subjects(snapshot, request, caller)
        })
        .await
    }

    async fn check_grant(
        &self,
        request: Request<v1::CheckGrantRequest>,
    ) -> Result<Response<v1::CheckGrantResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::Administration, 1)?;
        let origin = self.pdp.origin(Door::CheckGrant, request.metadata().as_ref());
        let request = self.present(request.into_inner().request)?;
        let demand = request.consistency.clone();
        self.expensively(admission, deadline, demand.as_ref(), move |pdp, snapshot, caller, _| {
            pdp.check_grant(snapshot, &request, origin, caller)
        })
        .await
    }

    async fn count_seats(
        &self,
        request: Request<v1::CountSeatsRequest>,
    ) -> Result<Response<v1::CountSeatsResponse>, Status> {
        let (admission, deadline) = self.admit(&request, Asked::Administration, 1)?;
        let request = request.into_inner();
        let demand = request.consistency.clone();
        self.expensively(admission, deadline, demand.as_ref(), move |pdp, snapshot, caller, _| {
            pdp.count_seats(snapshot, request, caller)
        })
        .await
    }
}
