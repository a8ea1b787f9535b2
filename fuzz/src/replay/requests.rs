//! Messages of the wire, from whatever bytes, at the service itself.

use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use prost::Message;
use sidegate::decide;
use sidegate::index::Index;
use sidegate::model::{Decision, Entity, Reason, Request, Timestamp, Value};
use sidegate::observe::metrics::Metrics;
use sidegate::service::proto::v1::{self, authorization_service_server::AuthorizationService, value::Kind};
use sidegate::service::{Authorization, Expensive, Gate, Pdp, PlainBatch, PlainQuestion, Settings};
use sidegate::snapshot::{Keeper, KeeperHandle, KeeperOptions, Snapshot, Store};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tonic::{Code, Response, Status};

use super::{FIXED_FACTS, FIXED_POLICY, source};

/// Messages of a batch.
const BATCH_ITEMS: usize = 200;

/// The first byte chooses a message, the rest is one, well encoded or not. No call panics, and every decision is the one
/// that `decide` makes of what another reader finds in the message.
///
/// # Panics
/// When a decision is another.
pub fn requests(data: &[u8]) {
    let Some((message, bytes)) = data.split_first() else { return };
    let door = door();
    door.runtime.block_on(async {
        match message % 9 {
            0 => authorize(door, bytes).await,
            1 => batch(door, bytes).await,
            2 => explain(door, bytes).await,
            3 => list_actions(door, bytes).await,
            4 => list_resources(door, bytes).await,
            5 => list_subjects(door, bytes).await,
            6 => call(bytes, |request| door.service.list_levels(request)).await.map_or((), |_| ()),
            7 => {
                let answer = call(bytes, |request| door.service.check_grant(request)).await;
                let checked =
                    answer.and_then(|(_, answer): (v1::CheckGrantRequest, v1::CheckGrantResponse)| answer.response);
                // The fixed policy declares no action that stands for a change.
                assert!(checked.is_none_or(|checked| checked.decision() != v1::Decision::Allow), "{bytes:?}");
            }
            _ => call(bytes, |request| door.service.count_seats(request)).await.map_or((), |_| ()),
        }
    });
}

// ---- the door

struct Door {
    runtime: Runtime,
    service: Authorization,
    snapshot: Arc<Snapshot>,
    _keeper: KeeperHandle,
    _drain: watch::Sender<bool>,
}

fn door() -> &'static Door {
    static DOOR: OnceLock<Door> = OnceLock::new();
    DOOR.get_or_init(|| {
        let store = Arc::new(Store::default());
        let directory = tempfile::tempdir().expect("a directory");
        let (tell, told) = mpsc::channel();
        // Whatever the keeper reads, it builds the fixed policy; the file may go when it has.
        let builder = Arc::new(|_, _: &mut dyn FnMut()| {
            let policy = source("policy.yaml", FIXED_POLICY.as_bytes());
            sidegate::document::build(vec![policy, source("facts.yaml", FIXED_FACTS.as_bytes())])
        });
        let file = directory.path().join("policy.yaml");
        std::fs::write(&file, "sidegate: 1\n").expect("a file");
        let options = KeeperOptions {
            events: false,
            poll: Duration::from_secs(86_400),
            reread: Duration::from_secs(86_400),
            ..KeeperOptions::new(&file)
        };
        let on_outcome = Box::new(move |_: &_| tell.send(()).unwrap_or_default());
        let keeper = Keeper::spawn(options, Arc::clone(&store), builder, on_outcome).expect("a thread");
        told.recv_timeout(Duration::from_secs(60)).expect("an outcome");
        let snapshot = store.load_full().expect("a snapshot");
        let metrics = Arc::new(Metrics::default());
        let gate = Gate::new(Settings { batch_items: BATCH_ITEMS, ..Settings::default() }, Arc::clone(&metrics));
        let pdp = Arc::new(Pdp::new(store, Arc::clone(&metrics)).expect("random bytes").with_gate(Arc::new(gate)));
        let expensive = Expensive::spawn(metrics, ()).expect("a thread");
        let (drain, drained) = watch::channel(false);
        let service = Authorization::new(pdp, expensive, drained);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Door { runtime, service, snapshot, _keeper: keeper, _drain: drain }
    })
}

/// The message and its answer; `None` when the bytes are no message or the call is refused.
async fn call<M: Message + Default + Clone, R, F>(
    bytes: &[u8],
    ask: impl FnOnce(tonic::Request<M>) -> F,
) -> Option<(M, R)>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    let message = M::decode(bytes).ok()?;
    let mut request = tonic::Request::new(message.clone());
    // A demand for another snapshot is waited for no longer than this.
    request.set_timeout(Duration::from_millis(5));
    match ask(request).await {
        Ok(response) => Some((message, response.into_inner())),
        Err(status) => {
            assert_ne!(status.code(), Code::Internal, "{status}");
            assert_ne!(status.code(), Code::Unknown, "{status}");
            None
        }
    }
}

// ---- the calls

/// What the hot path reads in place is what the generated decoder reads.
fn read_in_place(bytes: &[u8]) {
    let Some(plain) = PlainQuestion::read(bytes) else { return };
    let message = v1::AuthorizeRequest::decode(bytes).expect("read in place, and no message");
    same_question(&plain, &message);
}

fn same_question(plain: &PlainQuestion<'_>, message: &v1::AuthorizeRequest) {
    Question::of(message).lend(|request| assert_eq!(format!("{:?}", plain.request()), format!("{request:?}")));
    assert_eq!(plain.request_id, message.request_id);
    assert_eq!(message.consistency, None);
}

/// The same of a batch, and of a message of a stream.
fn read_several_in_place(bytes: &[u8]) {
    if let Some(plain) = PlainBatch::read(bytes, BATCH_ITEMS) {
        let message = v1::BatchAuthorizeRequest::decode(bytes).expect("read in place, and no message");
        assert_eq!(plain.questions.len(), message.requests.len());
        plain.questions.iter().zip(&message.requests).for_each(|(plain, message)| same_question(plain, message));
        assert_eq!((plain.semantics, plain.request_id), (message.semantics, &*message.request_id));
        assert_eq!(message.consistency, None);
    }
    if let Some(plain) = PlainQuestion::read_streamed(bytes) {
        let message = v1::AuthorizeStreamRequest::decode(bytes).expect("read in place, and no message");
        same_question(&plain, &message.request.expect("read in place, and not there"));
    }
}

async fn authorize(door: &Door, bytes: &[u8]) {
    read_in_place(bytes);
    let Some((message, answer)) = call(bytes, |request| door.service.authorize(request)).await else { return };
    let time = moment(answer.evaluated_at);
    let said = (answer.decision(), answer.reason(), answer.undetermined);
    assert_eq!(said, Question::of(&message).decide(door, time), "{message:?}");
}

async fn batch(door: &Door, bytes: &[u8]) {
    read_several_in_place(bytes);
    let Some((message, answer)) = call(bytes, |request| door.service.batch_authorize(request)).await else { return };
    let time = moment(answer.evaluated_at);
    assert!(answer.results.len() <= message.requests.len());
    for (item, result) in message.requests.iter().zip(&answer.results) {
        if let Some(v1::batch_authorize_result::Outcome::Verdict(verdict)) = &result.outcome {
            let said = (verdict.decision(), verdict.reason(), verdict.undetermined);
            assert_eq!(said, Question::of(item).decide(door, time), "{item:?}");
        }
    }
}

async fn explain(door: &Door, bytes: &[u8]) {
    let Some((message, answer)) = call(bytes, |request| door.service.explain(request)).await else { return };
    let (message, response) = (message.request.expect("explained"), answer.response.expect("a response"));
    let time = moment(response.evaluated_at);
    let said = (response.decision(), response.reason(), response.undetermined);
    assert_eq!(said, Question::of(&message).decide(door, time), "{message:?}");
    assert!(!answer.summary.is_empty(), "explained without a word");
}

async fn list_actions(door: &Door, bytes: &[u8]) {
    let Some((message, answer)) = call(bytes, |request| door.service.list_actions(request)).await else { return };
    let v1::ListActionsRequest { subject, resource, context, .. } = message;
    let time = moment(answer.evaluated_at);
    for listed in answer.actions {
        let verdict = listed.verdict.expect("a verdict");
        let action = Some(v1::Action { name: listed.action, ..v1::Action::default() });
        let (subject, resource, context) = (subject.clone(), resource.clone(), context.clone());
        let one = v1::AuthorizeRequest { subject, action, resource, context, ..v1::AuthorizeRequest::default() };
        let said = (verdict.decision(), verdict.reason(), verdict.undetermined);
        assert_eq!(said, Question::of(&one).decide(door, time), "{one:?}");
    }
}

async fn list_resources(door: &Door, bytes: &[u8]) {
    let Some((message, answer)) = call(bytes, |request| door.service.list_resources(request)).await else { return };
    let v1::ListResourcesRequest { subject, action, context, page_token, .. } = message;
    assert!(page_token.is_empty(), "a token that nobody gave out: {page_token}");
    let time = moment(answer.evaluated_at);
    for v1::Entity { r#type, id } in answer.resources {
        let resource = Some(v1::Resource { r#type, id, ..v1::Resource::default() });
        let (subject, action, context) = (subject.clone(), action.clone(), context.clone());
        let one = v1::AuthorizeRequest { subject, action, resource, context, ..v1::AuthorizeRequest::default() };
        assert_eq!(Question::of(&one).decide(door, time).0, v1::Decision::Allow, "{one:?}");
    }
}

async fn list_subjects(door: &Door, bytes: &[u8]) {
    let Some((message, answer)) = call(bytes, |request| door.service.list_subjects(request)).await else { return };
    let v1::ListSubjectsRequest { action, resource, context, page_token, .. } = message;
    assert!(page_token.is_empty(), "a token that nobody gave out: {page_token}");
    let time = moment(answer.evaluated_at);
    for v1::Entity { r#type, id } in answer.subjects {
        let subject = Some(v1::Subject { r#type, id, ..v1::Subject::default() });
        let (action, resource, context) = (action.clone(), resource.clone(), context.clone());
        let one = v1::AuthorizeRequest { subject, action, resource, context, ..v1::AuthorizeRequest::default() };
        assert_eq!(Question::of(&one).decide(door, time).0, v1::Decision::Allow, "{one:?}");
    }
}

// ---- another reader

/// What stands in a message that was answered, so everything must be there.
struct Question<'m> {
    message: &'m v1::AuthorizeRequest,
    lists: Vec<Vec<Value<'m>>>,
}

type Said = (v1::Decision, v1::Reason, bool);

impl<'m> Question<'m> {
    fn of(message: &'m v1::AuthorizeRequest) -> Self {
        let (subject, action, resource) = (message.subject.iter(), message.action.iter(), message.resource.iter());
        let maps = subject.map(|own| &own.properties).chain(action.map(|own| &own.properties));
        let maps = maps.chain(resource.map(|own| &own.properties)).chain([&message.context]);
        let lists = maps.flat_map(|map| map.values()).map(|value| match &value.kind {
            Some(Kind::ListValue(list)) => list.values.iter().map(|item| one(item, &[])).collect(),
            _ => Vec::new(),
        });
        Self { message, lists: lists.collect() }
    }

    fn lend<R>(&self, borrow: impl FnOnce(&Request<'_>) -> R) -> R {
        let subject = self.message.subject.as_ref().expect("answered without a subject");
        let action = self.message.action.as_ref().expect("answered without an action");
        let resource = self.message.resource.as_ref().expect("answered without a resource");
        let mut lists = self.lists.iter();
        let mut properties = |map: &'m std::collections::BTreeMap<String, v1::Value>| -> Vec<(&'m str, Value<'_>)> {
            map.iter().zip(&mut lists).map(|((name, value), list)| (name.as_str(), one(value, list))).collect()
        };
        let (subject_properties, action_properties) = (properties(&subject.properties), properties(&action.properties));
        let (resource_properties, context) = (properties(&resource.properties), properties(&self.message.context));
        borrow(&Request {
            subject: Entity { kind: &subject.r#type, id: &subject.id },
            subject_properties: &subject_properties,
            action: &action.name,
            action_properties: &action_properties,
            resource: Entity { kind: &resource.r#type, id: &resource.id },
            parent: resource.parent.as_ref().map(entity),
            resource_properties: &resource_properties,
            context: &context,
        })
    }

    fn decide(&self, door: &Door, time: Timestamp) -> Said {
        let index: &Index = &door.snapshot.index;
        let verdict = self.lend(|request| decide::authorize(index, request, time)).expect("answered, and malformed");
        let decision = match verdict.decision {
            Decision::Allow => v1::Decision::Allow,
            Decision::Deny => v1::Decision::Deny,
        };
        assert_ne!(verdict.reason, Reason::Internal, "an inconsistent snapshot");
        let name = format!("REASON_{}", verdict.reason.code());
        (decision, v1::Reason::from_str_name(&name).expect("a reason"), verdict.undetermined)
    }
}

fn one<'a>(value: &'a v1::Value, list: &'a [Value<'a>]) -> Value<'a> {
    match &value.kind {
        None => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(*value),
        Some(Kind::IntValue(value)) => Value::Int(*value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::TimestampValue(value)) => Value::Timestamp(moment(Some(*value))),
        Some(Kind::ListValue(_)) => Value::List(list),
        Some(Kind::EntityValue(value)) => Value::Entity(entity(value)),
    }
}

fn entity(wire: &v1::Entity) -> Entity<'_> {
    Entity { kind: &wire.r#type, id: &wire.id }
}

/// A moment that was accepted, so it must be one.
fn moment(wire: Option<prost_types::Timestamp>) -> Timestamp {
    let prost_types::Timestamp { seconds, nanos } = wire.unwrap_or_default();
    u32::try_from(nanos).ok().and_then(|nanos| Timestamp::new(seconds, nanos)).unwrap_or(Timestamp::EPOCH)
}
