//! `AuthZEN` 1.0 over HTTP: thin; each call reads JSON, asks the [`Pdp`] as gRPC does, and writes JSON.
//!
//! Not a listener: it stands behind the front of the data listener, whose limits are its own. `README.md` says what is
//! read from a body and what is written.

mod answer;
mod batch;
mod body;
mod json;
mod metadata;
mod moments;
mod names;
mod read;
mod search;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header::ORIGIN, request::Parts},
    routing::any,
};
use serde_json::Value as Json;
use tonic::{metadata::MetadataMap, service::Routes};

use super::{
    authorization::{Authorization, INLINE_BATCH},
    caller::{Admission, Asked},
    consistency::{Deadline, ask},
    pdp::{Pdp, Refusal},
    proto::v1,
    registry::Connection,
};
use crate::{
    model::Malformed,
    observe::decision_log::{Door, Origin},
};
use answer::Fault;
use body::Most;
pub use metadata::{BaseUrl, NotBaseUrl};
pub use names::{Names, NotNames};
use read::Members;

/// The paths that this door answers, in the order of [`Endpoint`].
const PATHS: [(&str, Endpoint); 5] = [
    ("/access/v1/evaluation", Endpoint::Evaluation),
    ("/access/v1/evaluations", Endpoint::Evaluations),
    ("/access/v1/search/subject", Endpoint::Subjects),
    ("/access/v1/search/resource", Endpoint::Resources),
    ("/access/v1/search/action", Endpoint::Actions),
];

const REQUEST_ID: &str = "x-request-id";

/// What one path answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Evaluation,
    Evaluations,
    Subjects,
    Resources,
    Actions,
}

/// How the door is set up.
#[derive(Debug, Clone)]
pub struct AuthzenSettings {
    /// How long a body may take to come whole.
    pub patience: Duration,
    /// Where callers find the daemon; `None` for no metadata.
    pub url: Option<BaseUrl>,
    /// What callers call by other names.
    pub names: Names,
}

/// The door.
#[derive(Debug, Clone)]
struct Authzen {
    authorization: Authorization,
    settings: AuthzenSettings,
}

/// Adds the door to routes.
#[must_use]
pub fn with_authzen(routes: Routes, authorization: &Authorization, settings: AuthzenSettings) -> Routes {
    let metadata = settings.url.as_ref().map(metadata::Metadata::of).map(Arc::new);
    let door = Arc::new(Authzen { authorization: authorization.clone(), settings });
    let mut router = Router::new();
    for (path, endpoint) in PATHS {
        let answer = move |State(door): State<Arc<Authzen>>, request: Request<Body>| async move {
            door.answer(endpoint, request).await
        };
        router = router.route(path, any(answer));
    }
    let described = any(async move |request: Request<Body>| metadata::answer(metadata.as_deref(), &request));
    let router = router.route(metadata::PATH, described).with_state(door);
    Routes::from(routes.into_axum_router().merge(router)).prepare()
}

/// Reads the body of an evaluation as the question that it asks.
///
/// # Errors
/// The field that is malformed.
pub fn read_question(body: &[u8]) -> Result<v1::AuthorizeRequest, Malformed> {
    read::question(&mut Members::of_body(json::read(body)?)?, "")
}

/// Reads the body of several evaluations; those that are questions, in order.
///
/// # Errors
/// The field that is malformed, if it spoils all of them.
pub fn read_questions(body: &[u8]) -> Result<Vec<v1::AuthorizeRequest>, Malformed> {
    let most = batch::Most { items: 1000, bytes: 4 * 1024 * 1024 };
    Ok(match batch::read(Members::of_body(json::read(body)?)?, "", most)? {
        batch::Asked::One(question) => vec![*question],
        batch::Asked::Several(batch, broken) => {
            let is_broken = |number: usize| broken.iter().any(|(at, _)| *at == number);
            let whole = batch.requests.into_iter().enumerate().filter(|(number, _)| !is_broken(*number));
            whole.map(|(_, question)| question).collect()
        }
    })
}

/// One call: who asks, and what belongs to the asking.
struct Call<'c> {
    pdp: &'c Pdp,
    connection: Option<&'c Connection>,
    headers: &'c HeaderMap,
    request_id: &'c str,
    deadline: Deadline,
}

impl Call<'_> {
    fn admit(&self, asked: Asked, items: usize) -> Result<Admission, Refusal> {
        self.pdp.admit(self.connection, asked, items)
    }

    fn origin(&self) -> Origin {
        self.pdp.origin(Door::Authzen, self.headers)
    }
}

impl Authzen {
    async fn answer(&self, endpoint: Endpoint, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut response = match self.ask(endpoint, &head, body).await {
            Ok(answer) => answer::found(&answer),
            Err(fault) => {
                let ends = fault.ends_connection() && head.version < Version::HTTP_2;
                let mut response = fault.into_response(HeaderValue::from_static("POST"));
                if ends {
                    answer::close(&mut response);
                }
                response
            }
        };
        answer::finish(&mut response, &head.headers);
        response
    }

    async fn ask(&self, endpoint: Endpoint, head: &Parts, body: Body) -> Result<Json, Fault> {
        if head.method != Method::POST {
            return Err(Fault::wrong_method("POST"));
        }
        // A page in a browser on this machine reaches what listens on loopback; services send no origin.
        if head.headers.contains_key(ORIGIN) {
            return Err(Fault::browser());
        }
        let pdp = self.authorization.pdp();
        let connection = head.extensions.get::<Arc<Connection>>().map(Arc::as_ref);
        let deadline = Deadline::of(&MetadataMap::from_headers(head.headers.clone()));
        let most = pdp.gate().read(|live| match endpoint {
            Endpoint::Evaluations => Most { key: "limits.batch_bytes", bytes: live.batch_bytes },
            _ => Most { key: "limits.message_bytes", bytes: live.message_bytes },
        });
        let body = body::collect(head, body, most, self.settings.patience).await?;
        let request_id = head.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let call = Call { pdp, connection, headers: &head.headers, request_id, deadline };
        let members = json::read(&body).and_then(Members::of_body);
        drop(body);
        Ok(self.decide(endpoint, &call, pdp.count_malformed(members.map_err(Refusal::from))?).await?)
    }

    async fn decide(&self, endpoint: Endpoint, call: &Call<'_>, mut members: Members) -> Result<Json, Refusal> {
        let (id, counted) = (call.request_id, |malformed: Malformed| {
            call.pdp.count_malformed::<()>(Err(malformed.into())).err().unwrap_or(Refusal::Panicked)
        });
        match endpoint {
            Endpoint::Evaluation => self.one(call, read::question(&mut members, id).map_err(counted)?).await,
            Endpoint::Evaluations => {
                let most =
                    call.pdp.gate().read(|live| batch::Most { items: live.batch_items, bytes: live.batch_bytes });
                match batch::read(members, id, most).map_err(counted)? {
                    batch::Asked::One(question) => self.one(call, *question).await,
                    batch::Asked::Several(batch, broken) => self.several(call, batch, broken).await,
                }
            }
            Endpoint::Subjects => self.subjects(call, search::subjects(&mut members, id).map_err(counted)?).await,
            Endpoint::Resources => self.resources(call, search::resources(&mut members, id).map_err(counted)?).await,
            Endpoint::Actions => self.actions(call, search::actions(&mut members, id).map_err(counted)?).await,
        }
    }

    async fn one(&self, call: &Call<'_>, mut question: v1::AuthorizeRequest) -> Result<Json, Refusal> {
        self.settings.names.question(&mut question)?;
        let admission = call.admit(Asked::Check, 1)?;
        let (origin, demand) = (call.origin(), question.consistency.clone());
        let answer = ask(call.pdp, call.deadline, |pdp| {
            pdp.with_snapshot(demand.as_ref(), |live| {
                moments::of_question(&live.index, &mut question)?;
                pdp.authorize(live, &question, origin, &admission)
            })
        });
        Ok(answer::decision(answer.await?))
    }

    async fn several(
        &self,
        call: &Call<'_>,
        mut batch: v1::BatchAuthorizeRequest,
        mut broken: Vec<(usize, Malformed)>,
    ) -> Result<Json, Refusal> {
        for (number, question) in batch.requests.iter_mut().enumerate() {
            if let Err(malformed) = self.settings.names.question(question) {
                *question = v1::AuthorizeRequest::default();
                broken.push((number, malformed));
            }
        }
        super::convert::check_request_id(&batch.request_id)?;
        let items = batch.requests.len();
        let admission = call.admit(Asked::Check, items)?;
        let (origin, demand) = (call.origin(), batch.consistency.clone());
        if items > INLINE_BATCH {
            let run = self.authorization.run_expensively(
                admission,
                call.deadline,
                demand.as_ref(),
                move |pdp, live, admission, goes_on| {
                    moments::of_batch(&live.index, &mut batch)?;
                    pdp.batch(live, &batch, origin, admission, goes_on)
                },
            );
            return Ok(answer::decisions(run.await?, &broken));
        }
        let answer = ask(call.pdp, call.deadline, |pdp| {
            pdp.with_snapshot(demand.as_ref(), |live| {
                moments::of_batch(&live.index, &mut batch)?;
                pdp.batch(live, &batch, origin, &admission, || true)
            })
        });
        Ok(answer::decisions(answer.await?, &broken))
    }

    async fn subjects(&self, call: &Call<'_>, mut list: v1::ListSubjectsRequest) -> Result<Json, Refusal> {
        self.settings.names.resource(&mut list.resource);
        if let Some(action) = &mut list.action {
            self.settings.names.action(action, &mut list.context)?;
        }
        let admission = call.admit(Asked::List, 1)?;
        let demand = list.consistency.clone();
        let run = self.authorization.run_expensively(admission, call.deadline, demand.as_ref(), |pdp, live, who, _| {
            moments::of_subject_list(&live.index, &mut list)?;
            pdp.list_subjects(live, list, who)
        });
        Ok(answer::subjects(run.await?))
    }

    async fn resources(&self, call: &Call<'_>, mut list: v1::ListResourcesRequest) -> Result<Json, Refusal> {
        let names = &self.settings.names;
        names.resource_type(&mut list.resource_type);
        names.entity(&mut list.within);
        if let Some(action) = &mut list.action {
            names.action(action, &mut list.context)?;
        }
        let admission = call.admit(Asked::List, 1)?;
        let demand = list.consistency.clone();
        let run = self.authorization.run_expensively(admission, call.deadline, demand.as_ref(), |pdp, live, who, _| {
            moments::of_resource_list(&live.index, &mut list)?;
            pdp.list_resources(live, list, who)
        });
        let mut page = run.await?;
        page.resources.iter_mut().for_each(|found| names.shown_type(&mut found.r#type));
        Ok(answer::resources(page))
    }

    async fn actions(&self, call: &Call<'_>, mut list: v1::ListActionsRequest) -> Result<Json, Refusal> {
        self.settings.names.resource(&mut list.resource);
        let admission = call.admit(Asked::List, 1)?;
        let demand = list.consistency.clone();
        let run =
            self.authorization.run_expensively(admission, call.deadline, demand.as_ref(), move |pdp, live, who, _| {
                moments::of_action_list(&live.index, &mut list)?;
                pdp.list_actions(live, &list, who)
            });
        let mut list = run.await?;
        list.actions.iter_mut().for_each(|found| self.settings.names.shown_action(&mut found.action));
        Ok(answer::actions(list))
    }
}
