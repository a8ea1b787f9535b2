//! `envoy.service.auth.v3.Authorization`: what Envoy, Istio and whatever else speaks `ext_authz` ask before they let a
//! request through.
//!
//! A denial is an answer; an RPC error means that there is none, and is what `failure_mode_allow` lets through. So
//! whatever a client could bring about by what it sends is answered, with a denial: also a message that cannot be read,
//! or is too large.

mod answer;
mod codec;
mod request;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request as HttpCall, Response as HttpReply};
use tonic::{Code, Request, Response, Status, body::Body, server::NamedService};
use tower::Service;

use super::{
    caller::{Asked, Reasons},
    consistency::{Deadline, ask},
    pdp::{Pdp, Refusal},
    proto::envoy_v3::{CheckRequest, CheckResponse, authorization_server},
    registry::Connection,
};
use crate::{
    mapping::Unmapped,
    observe::decision_log::{Door, Origin},
};

pub(super) use codec::Lenient;

/// What the rule about a caller does not let it ask.
const NOT_ALLOWED: &str = "NOT_ALLOWED";

/// The service of Envoy's.
#[derive(Debug, Clone)]
pub struct Envoy(Arc<Pdp>);

impl Envoy {
    /// Answers from a decision point.
    pub fn new(pdp: Arc<Pdp>) -> Self {
        Self(pdp)
    }

    /// Answers one question. What is refused because of what it says is a denial; what the daemon lacks is an error.
    async fn answer(&self, request: &Request<CheckRequest>) -> Result<CheckResponse, Refusal> {
        let connection = request.extensions().get::<Arc<Connection>>().map(Arc::as_ref);
        let admission = self.0.admit(connection, Asked::Check, 1)?;
        let deadline = Deadline::of(request.metadata());
        let origin = self.0.origin(Door::Check, request.metadata().as_ref());
        let check = request.get_ref();
        let answer =
            ask(&self.0, deadline, |pdp| pdp.with_snapshot(None, |live| pdp.check(live, check, origin, &admission)));
        let denied = match answer.await {
            Err(Refusal::Malformed(_)) => "MALFORMED",
            Err(Refusal::NotAllowed(_) | Refusal::Unauthenticated(_)) => NOT_ALLOWED,
            settled => return settled,
        };
        Ok(answer::refused(denied, admission.reasons()))
    }
}

#[tonic::async_trait]
impl authorization_server::Authorization for Envoy {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        match self.answer(&request).await {
            Ok(answer) => Ok(Response::new(answer)),
            // Whom no rule covers: no to every request, and no reason to let them through.
            Err(Refusal::NotAllowed(_) | Refusal::Unauthenticated(_)) => {
                Ok(Response::new(answer::refused(NOT_ALLOWED, Reasons::Code)))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// The service with the live bound on messages, and denials for what is over it.
#[derive(Debug, Clone)]
pub(super) struct Bounded {
    server: authorization_server::AuthorizationServer<Envoy>,
    pdp: Arc<Pdp>,
}

impl Bounded {
    pub(super) fn new(envoy: Envoy) -> Self {
        let pdp = Arc::clone(&envoy.0);
        Self { server: authorization_server::AuthorizationServer::new(envoy), pdp }
    }
}

impl NamedService for Bounded {
    const NAME: &'static str = authorization_server::AuthorizationServer::<Envoy>::NAME;
}

impl Service<HttpCall<Body>> for Bounded {
    type Response = HttpReply<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<HttpReply<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpCall<Body>) -> Self::Future {
        let most = self.pdp.gate().read(|live| live.message_bytes);
        let calling = self.server.clone().max_decoding_message_size(most).call(request);
        let pdp = Arc::clone(&self.pdp);
        Box::pin(async move {
            let reply = calling.await?;
            // Nothing else here answers with this code. As an error, a client could get past a lenient Envoy by size.
            if Status::from_header_map(reply.headers()).is_none_or(|status| status.code() != Code::OutOfRange) {
                return Ok(reply);
            }
            pdp.metrics().unmapped(Unmapped::Unreadable.code());
            let denied = answer::refused(Unmapped::Unreadable.code(), Reasons::Code);
            Ok(codec::reply(&denied).unwrap_or(reply))
        })
    }
}

/// A question and what becomes of it, on a snapshot that is live.
impl Pdp {
    fn check(
        &self,
        snapshot: &Arc<crate::snapshot::Snapshot>,
        check: &CheckRequest,
        origin: Origin,
        caller: &super::caller::Caller,
    ) -> Result<CheckResponse, Refusal> {
        let reasons = caller.reasons();
        let asked = request::read(check).ok_or(Unmapped::Unreadable);
        let mapped = asked.and_then(|(request, id)| {
            crate::mapping::question(&snapshot.index, &request.as_mapped()).map(|question| (question, id))
        });
        let (question, id) = match mapped {
            Ok(mapped) => mapped,
            Err(Unmapped::Corrupt(corrupt)) => return Err(corrupt.into()),
            Err(unmapped) => {
                self.metrics().unmapped(unmapped.code());
                return Ok(answer::refused(unmapped.code(), reasons));
            }
        };
        let time = self.now();
        let verdict = question.ask(|question| self.decide(snapshot, (question, id), time, origin, caller));
        let verdict = self.count_malformed(verdict)?;
        answer::decided(snapshot, &question, &verdict, reasons)
    }
}
