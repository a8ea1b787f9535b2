//! A client of Sidegate that denies whenever it is not told to allow, and a tower layer that asks before a handler runs.

pub mod layer;

use std::time::Duration;

use tonic::transport::{Channel, Endpoint, Error};
use tonic::{Code, Request, Response, Status};

use proto::authorization_service_client::AuthorizationServiceClient;
use proto::batch_authorize_result::Outcome;
use proto::{
    Action, AuthorizeRequest, BatchAuthorizeRequest, BatchAuthorizeResult, Decision, Reason, Resource, Subject,
};

/// The messages of `sidegate.v1`.
#[expect(clippy::pedantic, reason = "generated; documented in proto/")]
pub mod proto {
    tonic::include_proto!("sidegate.v1");
}

/// A decision takes microseconds: what is not there after this is not coming, and somebody waits for the page.
const DEADLINE: Duration = Duration::from_millis(500);

/// Decisions change nothing, so asking again is safe: so long after an attempt that found nobody.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(40)];

/// The type and the id of a subject or a resource.
#[derive(Clone, Debug)]
pub struct Entity {
    kind: String,
    id: String,
}

impl Entity {
    /// As in `Entity::new("user", "ana")`.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

/// Whether the subject may, and why: a reason of the policy, or an error. For logs, not for users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    allowed: bool,
    why: String,
    error: bool,
}

impl Answer {
    /// Only the one value that allows makes this true.
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.allowed
    }

    /// `NO_GRANT`, or `(UNAVAILABLE)` where there was no decision.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Whether Sidegate could not be asked, or its answer not be understood. It denies all the same.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.error
    }

    /// A denial without a decision.
    pub(crate) fn failed(why: &str) -> Self {
        Self { allowed: false, why: format!("({why})"), error: true }
    }

    fn decided(decision: i32, reason: i32) -> Self {
        // Not its absence, and not a value that this client does not know.
        let allowed = decision == i32::from(Decision::Allow);
        let why = Reason::try_from(reason).map_or_else(|_| reason.to_string(), |known| known.as_str_name().to_owned());
        Self { allowed, why: why.trim_start_matches("REASON_").to_owned(), error: false }
    }

    fn of_item(result: BatchAuthorizeResult) -> Self {
        match result.outcome {
            Some(Outcome::Verdict(verdict)) => Self::decided(verdict.decision, verdict.reason),
            Some(Outcome::Error(error)) => Self::failed(&error.message),
            None => Self::failed("no outcome"),
        }
    }
}

/// Asks a daemon. Clones share one connection, which is made when it is needed and again when it is lost.
#[derive(Clone, Debug)]
pub struct Sidegate {
    client: AuthorizationServiceClient<Channel>,
    deadline: Duration,
}

impl Sidegate {
    /// At `127.0.0.1:8650` or `unix:/sockets/sidegate/data.sock`, which need not be there yet. Within a tokio runtime.
    ///
    /// # Errors
    /// It is no address.
    pub fn new(address: &str) -> Result<Self, Error> {
        let target = if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") };
        let endpoint = Endpoint::from_shared(target)?
            .connect_timeout(DEADLINE)
            // Finds a peer that is gone without a word while calls wait for it.
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(5));
        Ok(Self { client: AuthorizationServiceClient::new(endpoint.connect_lazy()), deadline: DEADLINE })
    }

    /// Whether it is allowed. Whatever else happens, it is not.
    pub async fn allowed(&self, subject: &Entity, action: &str, resource: &Entity) -> bool {
        self.check(subject, action, resource).await.allowed()
    }

    /// The same, and why.
    pub async fn check(&self, subject: &Entity, action: &str, resource: &Entity) -> Answer {
        let asked = question(subject, action, resource);
        let call =
            |mut client: AuthorizationServiceClient<Channel>, request| async move { client.authorize(request).await };
        match self.ask(asked, call).await {
            Ok(answer) => Answer::decided(answer.decision, answer.reason),
            Err(status) => Answer::failed(name(status.code())),
        }
    }

    /// An answer for every action, in order, by one call on one snapshot: which buttons does this page show?
    pub async fn check_all(&self, subject: &Entity, resource: &Entity, actions: &[&str]) -> Vec<Answer> {
        let every = |answer: Answer| vec![answer; actions.len()];
        let requests = actions.iter().map(|action| question(subject, action, resource)).collect();
        let batch = BatchAuthorizeRequest { requests, ..Default::default() };
        let call = |mut client: AuthorizationServiceClient<Channel>, request| async move {
            client.batch_authorize(request).await
        };
        match self.ask(batch, call).await {
            Ok(answer) if answer.results.len() != actions.len() => every(Answer::failed("answers are missing")),
            Ok(answer) => answer.results.into_iter().map(Answer::of_item).collect(),
            Err(status) => every(Answer::failed(name(status.code()))),
        }
    }

    /// One question, asked again where nobody was there, all within one deadline.
    async fn ask<Q, A, F>(
        &self,
        question: Q,
        call: impl Fn(AuthorizationServiceClient<Channel>, Request<Q>) -> F,
    ) -> Result<A, Status>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let attempts = async {
            let mut pauses = PAUSES.iter();
            loop {
                let mut request = Request::new(question.clone());
                request.set_timeout(self.deadline);
                match (call(self.client.clone(), request).await, pauses.next()) {
                    (Err(status), Some(pause)) if status.code() == Code::Unavailable => {
                        tokio::time::sleep(*pause).await;
                    }
                    (outcome, _) => return outcome.map(Response::into_inner),
                }
            }
        };
        let late = |_| Err(Status::deadline_exceeded("no answer in time"));
        tokio::time::timeout(self.deadline, attempts).await.unwrap_or_else(late)
    }
}

fn question(subject: &Entity, action: &str, resource: &Entity) -> AuthorizeRequest {
    AuthorizeRequest {
        subject: Some(Subject { r#type: subject.kind.clone(), id: subject.id.clone(), ..Default::default() }),
        action: Some(Action { name: action.to_owned(), ..Default::default() }),
        resource: Some(Resource { r#type: resource.kind.clone(), id: resource.id.clone(), ..Default::default() }),
        ..Default::default()
    }
}

/// As the other languages write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::Unavailable => "UNAVAILABLE",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::Unauthenticated => "UNAUTHENTICATED",
        Code::Cancelled => "CANCELLED",
        _ => "INTERNAL",
    }
}
