//! Client threads that ask over real sockets, each on a connection of its own, and write down what came back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sidegate::model::{EntityName, Timestamp};
use sidegate::service::proto::v1::{
    self, authorization_service_client::AuthorizationServiceClient, authorize_stream_response, batch_authorize_result,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::{Dice, seed};
use crate::support::LIMIT;
use crate::support::question::Question;
use crate::support::wire;

/// How many questions a batch or a stream holds.
const MANY: usize = 12;

/// The snapshot and the moment that an answer names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) digest: String,
    pub(crate) sequence: u64,
    pub(crate) at: Option<Timestamp>,
}

/// What was said to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Verdict {
        allow: bool,
        reason: String,
        rule: String,
        undetermined: bool,
    },
    /// The question is malformed.
    NotAsked,
    /// Who or what is allowed.
    List(Vec<EntityName>),
}

/// One answer: to which question, from which snapshot; a refusal as a whole names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) question: usize,
    pub(crate) answer: Answer,
    pub(crate) from: Named,
}

/// By which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    One,
    Batch,
    Stream,
    Resources,
    Subjects,
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The daemon said so.
    Refused(Code),
    /// The connection is gone, or was never there.
    Transport,
    /// Nothing came, and no error either.
    Lost,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) asked: Asked,
    /// Of a list, one reply for each page, and the last one holds it all.
    pub(crate) outcome: Result<Vec<Reply>, Failed>,
}

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) clients: u64,
    /// Between two calls of one client.
    pub(crate) pause: Duration,
    /// Whether lists are asked for: the reference makes of one a question for each subject or resource there is.
    pub(crate) lists: bool,
}

impl Pace {
    /// What a test can afford beside others.
    pub(crate) fn of(clients: u64) -> Self {
        Self { clients, pause: Duration::from_millis(2), lists: true }
    }
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<Vec<Exchange>>>>,
}

impl Load {
    /// Starts clients of `HOST:PORT` or `unix:PATH`; each asks whatever it likes of these questions, one call after the
    /// other, and connects again when its connection breaks.
    pub(crate) fn start(address: &str, questions: &Arc<Vec<Question>>, pace: Pace) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |number: u64| {
            let uri = if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") };
            let dice = Dice::new(seed().wrapping_mul(1_000).wrapping_add(number));
            let (questions, stop, answered) = (Arc::clone(questions), Arc::clone(&stop), Arc::clone(&answered));
            let worker = Worker { uri, dice, questions, stop, answered, pace };
            thread::spawn(move || worker.run())
        };
        let clients = (0..pace.clients).map(client).collect();
        Self { stop, answered, clients }
    }

    /// How many calls were answered so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends it; what was exchanged, by connection.
    pub(crate) fn stop(self) -> Vec<Vec<Exchange>> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

struct Worker {
    uri: String,
    dice: Dice,
    questions: Arc<Vec<Question>>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    pace: Pace,
}

type Stub = AuthorizationServiceClient<Channel>;

impl Worker {
    fn run(mut self) -> Vec<Vec<Exchange>> {
        let mut connections = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        while !self.stop.load(Ordering::Relaxed) {
            let connection = runtime.block_on(self.connection());
            connections.extend((!connection.is_empty()).then_some(connection));
            thread::sleep(self.pace.pause);
        }
        connections
    }

    /// Everything on one connection, until it breaks.
    async fn connection(&mut self) -> Vec<Exchange> {
        let mut exchanges = Vec::new();
        let endpoint = Endpoint::from_shared(self.uri.clone()).unwrap().connect_timeout(LIMIT);
        let Ok(channel) = endpoint.connect().await else { return exchanges };
        let mut stub = Stub::new(channel).max_decoding_message_size(64 << 20);
        while !self.stop.load(Ordering::Relaxed) {
            let asked = match self.dice.below(20) {
                0 if self.pace.lists => Asked::Resources,
                1 if self.pace.lists => Asked::Subjects,
                2 | 3 => Asked::Stream,
                4..=6 => Asked::Batch,
                _ => Asked::One,
            };
            let outcome = tokio::time::timeout(LIMIT, self.ask(&mut stub, asked)).await.unwrap_or(Err(Failed::Lost));
            let is_over = matches!(outcome, Err(Failed::Transport));
            self.answered.fetch_add(u64::from(outcome.is_ok()), Ordering::Relaxed);
            exchanges.push(Exchange { asked, outcome });
            if is_over {
                break;
            }
            tokio::time::sleep(self.pace.pause).await;
        }
        exchanges
    }

    async fn ask(&mut self, stub: &mut Stub, asked: Asked) -> Result<Vec<Reply>, Failed> {
        let questions = Arc::clone(&self.questions);
        let count = if matches!(asked, Asked::Batch | Asked::Stream) { MANY } else { 1 };
        let numbers: Vec<usize> = (0..count).map(|_| self.dice.below(questions.len())).collect();
        let first = &questions[numbers[0]];
        let requests = || numbers.iter().map(|number| wire::authorize(&questions[*number])).collect::<Vec<_>>();
        match asked {
            Asked::One => one(stub, numbers[0], wire::authorize(first)).await.map(|reply| vec![reply]),
            Asked::Batch => batch(stub, &numbers, requests()).await,
            Asked::Stream => stream(stub, &numbers, requests()).await,
            Asked::Resources => resources(stub, numbers[0], wire::list_resources(first)).await,
            Asked::Subjects => subjects(stub, numbers[0], wire::list_subjects(first)).await,
        }
    }
}

async fn one(stub: &mut Stub, question: usize, request: v1::AuthorizeRequest) -> Result<Reply, Failed> {
    match stub.authorize(request).await.map_err(|status| failed(&status)) {
        Ok(response) => Ok(reply_of(question, response.into_inner())),
        Err(Failed::Refused(Code::InvalidArgument)) => Ok(malformed(question)),
        Err(failed) => Err(failed),
    }
}

fn reply_of(question: usize, response: v1::AuthorizeResponse) -> Reply {
    let v1::AuthorizeResponse { decision, reason, rule_id, undetermined, snapshot, evaluated_at, .. } = response;
    let answer = verdict(v1::Verdict { decision, reason, rule_id, undetermined });
    Reply { question, answer, from: named(snapshot, evaluated_at) }
}

/// Names no snapshot; the moment is about right.
fn malformed(question: usize) -> Reply {
    let from = Named { at: Some(now()), ..Named::default() };
    Reply { question, answer: Answer::NotAsked, from }
}

/// The moment, in whole seconds.
pub(crate) fn now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Timestamp::new(i64::try_from(seconds).unwrap(), 0).unwrap()
}

async fn batch(stub: &mut Stub, numbers: &[usize], requests: Vec<v1::AuthorizeRequest>) -> Result<Vec<Reply>, Failed> {
    use batch_authorize_result::Outcome;
    let request = v1::BatchAuthorizeRequest { requests, ..Default::default() };
    let response = stub.batch_authorize(request).await.map_err(|status| failed(&status))?.into_inner();
    if response.results.len() != numbers.len() {
        return Err(Failed::Lost);
    }
    let from = named(response.snapshot, response.evaluated_at);
    let replies = numbers.iter().zip(response.results).map(|(question, result)| {
        let answer = match result.outcome {
            Some(Outcome::Verdict(own)) => verdict(own),
            Some(Outcome::Error(error)) if Code::from(error.code) == Code::InvalidArgument => Answer::NotAsked,
            Some(Outcome::Error(_)) | None => return Err(Failed::Lost),
        };
        Ok(Reply { question: *question, answer, from: from.clone() })
    });
    replies.collect()
}

async fn stream(stub: &mut Stub, numbers: &[usize], requests: Vec<v1::AuthorizeRequest>) -> Result<Vec<Reply>, Failed> {
    use authorize_stream_response::Outcome;
    let request = |request| v1::AuthorizeStreamRequest { request: Some(request) };
    let requests = tokio_stream::iter(requests.into_iter().map(request));
    let mut answers = stub.authorize_stream(requests).await.map_err(|status| failed(&status))?.into_inner();
    let mut replies = Vec::new();
    for question in numbers {
        let next = answers.message().await.map_err(|status| failed(&status))?.ok_or(Failed::Lost)?;
        match next.outcome {
            Some(Outcome::Response(response)) => replies.push(reply_of(*question, response)),
            Some(Outcome::Error(error)) if Code::from(error.code) == Code::InvalidArgument => {
                replies.push(malformed(*question));
            }
            Some(Outcome::Error(_)) | None => return Err(Failed::Lost),
        }
    }
    Ok(replies)
}

async fn resources(
    stub: &mut Stub,
    question: usize,
    mut request: v1::ListResourcesRequest,
) -> Result<Vec<Reply>, Failed> {
    request.page_size = 2;
    let (mut replies, mut all) = (Vec::new(), Vec::new());
    loop {
        let page = stub.list_resources(request.clone()).await.map_err(|status| failed(&status))?.into_inner();
        all.extend(page.resources.into_iter().map(entity));
        let from = named(page.snapshot, page.evaluated_at);
        replies.push(Reply { question, answer: Answer::List(all.clone()), from });
        if page.next_page_token.is_empty() {
            return Ok(replies);
        }
        request.page_token = page.next_page_token;
    }
}

async fn subjects(
    stub: &mut Stub,
    question: usize,
    mut request: v1::ListSubjectsRequest,
) -> Result<Vec<Reply>, Failed> {
    request.page_size = 2;
    let (mut replies, mut all) = (Vec::new(), Vec::new());
    loop {
        let page = stub.list_subjects(request.clone()).await.map_err(|status| failed(&status))?.into_inner();
        all.extend(page.subjects.into_iter().map(entity));
        let from = named(page.snapshot, page.evaluated_at);
        replies.push(Reply { question, answer: Answer::List(all.clone()), from });
        if page.next_page_token.is_empty() {
            return Ok(replies);
        }
        request.page_token = page.next_page_token;
    }
}

fn entity(own: v1::Entity) -> EntityName {
    EntityName { kind: own.r#type, id: own.id }
}

fn verdict(own: v1::Verdict) -> Answer {
    let reason = own.reason().as_str_name().trim_start_matches("REASON_").to_owned();
    let v1::Verdict { decision, rule_id: rule, undetermined, .. } = own;
    Answer::Verdict { allow: v1::Decision::try_from(decision) == Ok(v1::Decision::Allow), reason, rule, undetermined }
}

fn named(snapshot: Option<v1::SnapshotRef>, at: Option<prost_types::Timestamp>) -> Named {
    let v1::SnapshotRef { sequence, digest, stale: _ } = snapshot.unwrap_or_default();
    let at = at.and_then(|at| Timestamp::new(at.seconds, u32::try_from(at.nanos).ok()?));
    Named { digest, sequence, at }
}

/// What the daemon says has no cause within this process; what breaks has.
fn failed(status: &Status) -> Failed {
    let broken = std::error::Error::source(status).is_some() || status.code() == Code::Unknown;
    if broken { Failed::Transport } else { Failed::Refused(status.code()) }
}
