//! The one path from a question to an answer: live snapshot, time, `decide`, count. Every door goes through here.

mod administration;
mod lists;
mod plain;

use std::{
    io,
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{
    caller::{Admission, Asked, Caller, Gate, Place},
    clock::Clock,
    consistency::check,
    convert::{self, Question},
    headers::TRACEPARENT,
    page_token::PageTokens,
    proto::v1,
    registry::Connection,
    settings::Settings,
    staleness::Stale,
};
use crate::{
    decide::{self, ListError},
    index::Corrupt,
    model::{Malformed, Request, Timestamp, Verdict},
    observe::{
        decision_log::{DecisionLog, Door, Entry, Origin, TraceContext},
        metrics::Metrics,
    },
    snapshot::{Snapshot, Store},
};

pub(super) use plain::in_stream;

/// Why a question has no answer. Never an allow: a caller treats each as a denial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller's mistake.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nothing is loaded.
    #[error("no policy snapshot is loaded yet")]
    NoSnapshot,
    /// The live snapshot is not the one demanded; another may come.
    #[error("the live snapshot is not the one demanded: {0}")]
    NotYet(String),
    /// The demand cannot be met by waiting.
    #[error("{0}")]
    Unmeetable(String),
    /// What is live is older than it may be, and the configuration has that denied.
    #[error("the live snapshot is older than it may be, and `snapshot.stale` is `deny`; publish a new one")]
    Stale,
    /// What is asked about is not there.
    #[error("{0}")]
    NotFound(String),
    /// Nothing proves who asks, and it matters.
    #[error("{0}")]
    Unauthenticated(String),
    /// Who asks may not ask this.
    #[error("{0}")]
    NotAllowed(String),
    /// A limit is reached.
    #[error("{0}")]
    Exhausted(String),
    /// The caller's time is over.
    #[error("the deadline passed before {0}")]
    Late(&'static str),
    /// The daemon ends.
    #[error("shutting down; ask again elsewhere")]
    Ending,
    /// The call panicked: a bug.
    #[error("the call panicked; this is a bug")]
    Panicked,
    /// The snapshot is inconsistent in itself: a bug.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl From<ListError> for Refusal {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Malformed(malformed) => Self::Malformed(malformed),
            ListError::Corrupt(corrupt) => Self::Corrupt(corrupt),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Malformed(Malformed { field, problem }) => Status::with_error_details(
                Code::InvalidArgument,
                message,
                ErrorDetails::with_bad_request_violation(field, problem),
            ),
            Refusal::NoSnapshot | Refusal::Stale | Refusal::Ending => Status::unavailable(message),
            Refusal::NotYet(_) | Refusal::Unmeetable(_) => Status::failed_precondition(message),
            Refusal::NotFound(_) => Status::not_found(message),
            Refusal::Unauthenticated(_) => Status::unauthenticated(message),
            Refusal::NotAllowed(_) => Status::permission_denied(message),
            Refusal::Exhausted(_) => Status::resource_exhausted(message),
            Refusal::Late(_) => Status::deadline_exceeded(message),
            Refusal::Panicked | Refusal::Corrupt(_) => Status::internal(message),
        }
    }
}

impl Refusal {
    /// The same refusal as the result of one item of a batch or a stream.
    pub(super) fn into_item(self) -> v1::ItemError {
        let field = match &self {
            Self::Malformed(malformed) => malformed.field.clone(),
            Self::NoSnapshot
            | Self::Stale
            | Self::NotYet(_)
            | Self::Unmeetable(_)
            | Self::NotFound(_)
            | Self::Unauthenticated(_)
            | Self::NotAllowed(_)
            | Self::Exhausted(_)
            | Self::Late(_)
            | Self::Ending
            | Self::Panicked
            | Self::Corrupt(_) => String::new(),
        };
        let status = Status::from(self);
        v1::ItemError { code: status.code().into(), message: status.message().to_owned(), field }
    }
}

/// So many items of a batch are decided before anybody asks whether the answer is still waited for.
const CHUNK: usize = 128;

/// Decides, counts what it decides, and has it logged.
#[derive(Debug)]
pub struct Pdp {
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    log: Option<Arc<DecisionLog>>,
    clock: Clock,
    tokens: PageTokens,
    gate: Arc<Gate>,
    /// Calls that wait for a snapshot that they demand.
    pub(super) waiting: AtomicUsize,
    stale: Stale,
}

impl Pdp {
    /// A decision point over a store.
    ///
    /// # Errors
    /// No random bytes for the key of page tokens.
    pub fn new(store: Arc<Store>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let gate = Arc::new(Gate::new(Settings::default(), Arc::clone(&metrics)));
        let tokens = PageTokens::new()?;
        let (clock, stale, waiting) = (Clock::default(), Stale::Mark, AtomicUsize::new(0));
        Ok(Self { store, metrics, log: None, clock, tokens, gate, waiting, stale })
    }

    /// The same behind a gate of one's own.
    #[must_use]
    pub fn with_gate(self, gate: Arc<Gate>) -> Self {
        Self { gate, ..self }
    }

    /// The same with a decision log.
    #[must_use]
    pub fn with_log(self, log: Option<Arc<DecisionLog>>) -> Self {
        Self { log, ..self }
    }

    /// The same with a rule for what is stale.
    #[must_use]
    pub fn with_stale(self, stale: Stale) -> Self {
        Self { stale, ..self }
    }

    /// The clock of its decisions.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Who may ask what.
    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Lets a caller ask; nothing is answered without.
    pub(super) fn admit(
        &self,
        connection: Option<&Connection>,
        asked: Asked,
        items: usize,
    ) -> Result<Admission, Refusal> {
        self.gate.admit(connection, asked, items)
    }

    /// The time of a decision that is made now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lends the live snapshot if it is the one demanded: what is checked is what answers.
    pub(super) fn with_snapshot<R>(
        &self,
        demand: Option<&v1::Consistency>,
        use_it: impl FnOnce(&Arc<Snapshot>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.store.read(|live| {
            let snapshot = live.ok_or(Refusal::NoSnapshot)?;
            check(demand, snapshot)?;
            self.check_age(snapshot)?;
            use_it(snapshot)
        })
    }

    /// The live snapshot for work on another thread, if it is the one demanded.
    pub(super) fn demand(&self, demand: Option<&v1::Consistency>) -> Result<Arc<Snapshot>, Refusal> {
        let snapshot = self.store.load_full().ok_or(Refusal::NoSnapshot)?;
        check(demand, &snapshot)?;
        self.check_age(&snapshot)?;
        Ok(snapshot)
    }

    fn check_age(&self, snapshot: &Snapshot) -> Result<(), Refusal> {
        // The clock is read for a snapshot that can become stale only.
        let refused = self.stale == Stale::Deny && snapshot.fresh.can_end() && snapshot.fresh.is_over(self.now());
        if refused { Err(Refusal::Stale) } else { Ok(()) }
    }

    /// What the log will say of how a question came.
    pub(super) fn origin(&self, door: Door, headers: &HeaderMap) -> Origin {
        let header = self.log.as_ref().and_then(|_| headers.get(&TRACEPARENT)?.to_str().ok());
        Origin { door, trace: header.and_then(TraceContext::parse) }
    }

    /// Decides one request.
    pub(super) fn authorize(
        &self,
        snapshot: &Arc<Snapshot>,
        request: &v1::AuthorizeRequest,
        origin: Origin,
        caller: &Caller,
    ) -> Result<v1::AuthorizeResponse, Refusal> {
        let time = self.now();
        let verdict = self.verdict(snapshot, (request, &request.request_id), time, origin, caller)?;
        Ok(convert::response(snapshot, &verdict, time, &request.request_id, caller.reasons()))
    }

    /// Decides the items of a batch at one moment, up to where its semantics stop. Between chunks it asks whether
    /// somebody still waits for the answer.
    pub(super) fn batch(
        &self,
        snapshot: &Arc<Snapshot>,
        batch: &v1::BatchAuthorizeRequest,
        origin: Origin,
        caller: &Caller,
        goes_on: impl Fn() -> bool,
    ) -> Result<v1::BatchAuthorizeResponse, Refusal> {
        use v1::{BatchAuthorizeSemantics as Semantics, batch_authorize_result::Outcome};
        let time = self.now();
        // An unknown semantics was refused before: what is left means to decide every item.
        let semantics = Semantics::try_from(batch.semantics).unwrap_or_default();
        let mut results = Vec::with_capacity(batch.requests.len());
        for (number, request) in batch.requests.iter().enumerate() {
            if number > 0 && number.is_multiple_of(CHUNK) && !goes_on() {
                return Err(Refusal::Late("the rest of the batch"));
            }
            // An item without an id of its own is logged under the batch's.
            let logged_as = if request.request_id.is_empty() { &batch.request_id } else { &request.request_id };
            let verdict = self.verdict(snapshot, (request, logged_as), time, origin, caller);
            let allowed = verdict.as_ref().is_ok_and(Verdict::is_allow);
            let outcome = match verdict {
                Ok(verdict) => Outcome::Verdict(convert::verdict(&snapshot.index, &verdict, caller.reasons())),
                Err(refusal) => Outcome::Error(refusal.into_item()),
            };
            let request_id = convert::returned_request_id(&request.request_id).to_owned();
            results.push(v1::BatchAuthorizeResult { request_id, outcome: Some(outcome) });
            if semantics.stops_after(allowed) {
                break;
            }
        }
        Ok(v1::BatchAuthorizeResponse {
            results,
            snapshot: Some(convert::snapshot_ref(snapshot, time)),
            evaluated_at: Some(convert::timestamp(time)),
            request_id: batch.request_id.clone(),
        })
    }

    /// Decides one request and says why.
    pub(super) fn explain(
        &self,
        snapshot: &Arc<Snapshot>,
        request: &v1::AuthorizeRequest,
        origin: Origin,
        caller: &Caller,
    ) -> Result<v1::ExplainResponse, Refusal> {
        let time = self.now();
        let explanation = Question::of(request)?.ask(|question| {
            caller.may_ask(&snapshot.index, question, Place::Resource)?;
            let explanation = decide::explain(&snapshot.index, question, time)?;
            self.note(snapshot, (question, &request.request_id), explanation.verdict, time, origin);
            Ok::<_, Refusal>(explanation)
        })?;
        Ok(convert::explanation(snapshot, explanation, time, &request.request_id))
    }

    /// Decides every action of the resource's type.
    pub(super) fn list_actions(
        &self,
        snapshot: &Snapshot,
        request: &v1::ListActionsRequest,
        caller: &Caller,
    ) -> Result<v1::ListActionsResponse, Refusal> {
        let time = self.now();
        let question = Question::of_every_action(request)?;
        let listed = question.ask(|request| {
            caller.may_ask(&snapshot.index, request, Place::Resource)?;
            Ok::<_, Refusal>(decide::list_actions(&snapshot.index, request, time)?)
        })?;
        let undetermined = listed.iter().filter(|listed| listed.verdict.undetermined).count();
        let actions = listed.into_iter().map(|listed| v1::ActionVerdict {
            action: listed.action,
            verdict: Some(convert::verdict(&snapshot.index, &listed.verdict, caller.reasons())),
        });
        Ok(v1::ListActionsResponse {
            actions: actions.collect(),
            undetermined_count: caller.reasons().count(u32::try_from(undetermined).unwrap_or(u32::MAX)),
            snapshot: Some(convert::snapshot_ref(snapshot, time)),
            evaluated_at: Some(convert::timestamp(time)),
            request_id: request.request_id.clone(),
        })
    }

    fn verdict(
        &self,
        snapshot: &Arc<Snapshot>,
        (request, logged_as): (&v1::AuthorizeRequest, &str),
        time: Timestamp,
        origin: Origin,
        caller: &Caller,
    ) -> Result<Verdict, Refusal> {
        let verdict = Question::of(request).map_err(Refusal::from).and_then(|question| {
            question.ask(|question| self.decide(snapshot, (question, logged_as), time, origin, caller))
        });
        self.count_malformed(verdict)
    }

    /// Counts a question that could not be asked.
    pub(super) fn count_malformed<R>(&self, answer: Result<R, Refusal>) -> Result<R, Refusal> {
        answer.inspect_err(|refusal| {
            if matches!(refusal, Refusal::Malformed(_)) {
                self.metrics.malformed();
            }
        })
    }

    /// Decides, counts, logs: what every decision comes to, whichever way its question was read.
    pub(super) fn decide(
        &self,
        snapshot: &Arc<Snapshot>,
        (request, logged_as): (&Request<'_>, &str),
        time: Timestamp,
        origin: Origin,
        caller: &Caller,
    ) -> Result<Verdict, Refusal> {
        let begun = Instant::now();
        caller.may_ask(&snapshot.index, request, Place::Resource)?;
        let verdict = decide::authorize(&snapshot.index, request, time)?;
        self.metrics.decided(&verdict, begun.elapsed());
        self.note(snapshot, (request, logged_as), verdict, time, origin);
        Ok(verdict)
    }

    /// Has a decision logged, if there is a log and it wants this one.
    fn note(
        &self,
        snapshot: &Arc<Snapshot>,
        (request, request_id): (&Request<'_>, &str),
        verdict: Verdict,
        time: Timestamp,
        origin: Origin,
    ) {
        if let Some(log) = &self.log
            && log.wants(&verdict)
        {
            log.note(&Entry { snapshot, request, verdict, time, request_id, origin });
        }
    }
}
