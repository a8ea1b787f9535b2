//! The doors of a running daemon agree: one call, a batch and a stream give the same answer to the same question, and
//! it is the engine's on the snapshot and at the moment that the answer names.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sidegate::client::ClientError;
use sidegate::decide;
use sidegate::model::{Decision, Timestamp};
use sidegate::service::proto::v1::{
    self, authorization_service_client::AuthorizationServiceClient, authorize_stream_response::Outcome as Streamed,
    batch_authorize_result::Outcome,
};

use crate::print::print;
use crate::support::question::Question;
use crate::support::served::{LIMIT, Served};
use crate::support::wire;
use crate::universe::{Draw, Universe, question};

/// Items of the batches: some are answered where they arrive, some on the thread for expensive calls. 1,000 together.
const BATCHES: [usize; 4] = [100, 300, 100, 500];

/// What must be the same through every door.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Verdict { allow: bool, reason: String, rule: String, undetermined: bool, digest: String },
    Malformed { message: String, field: String },
}

/// A daemon with a universe that loads, and questions about it; some of them malformed.
fn sample(runner: &mut TestRunner, count: usize) -> (Served, Vec<Question>) {
    let mut choices = || vec(any::<u16>(), 2_400).new_tree(runner).unwrap().current();
    loop {
        let universe = Universe::draw(&mut Draw::new(&choices()));
        let served = Served::start(&[("policy.yaml", print(&universe).as_bytes())]);
        if served.running.store().status().generation > 0 {
            let mut questions: Vec<_> = (0..count).map(|_| question(&mut Draw::new(&choices()), &universe).0).collect();
            questions.iter_mut().step_by(40).for_each(|question| question.resource.id.clear());
            return (served, questions);
        }
    }
}

#[test]
fn a_batch_says_what_each_call_says_and_what_the_engine_says() {
    let (mut asked, mut allowed) = (0, 0);
    let mut runner = TestRunner::deterministic();
    for count in BATCHES {
        let (served, questions) = sample(&mut runner, count);
        let requests: Vec<_> = questions.iter().map(wire::authorize).collect();
        let batch = v1::BatchAuthorizeRequest { requests: requests.clone(), ..Default::default() };
        let batch = served.client.call(|client| client.batch(batch)).unwrap();
        assert_eq!(batch.results.len(), questions.len());
        let digest = batch.snapshot.unwrap().digest;
        let at = batch.evaluated_at.unwrap();
        let at = Timestamp::new(at.seconds, u32::try_from(at.nanos).unwrap()).unwrap();
        for ((question, request), result) in questions.iter().zip(requests).zip(batch.results) {
            let item = match result.outcome.unwrap() {
                Outcome::Verdict(verdict) => of_verdict(&verdict, &digest),
                Outcome::Error(error) => Answer::Malformed { message: error.message, field: error.field },
            };
            assert_eq!(item, single(&served, request), "{question:?}");
            assert_eq!(item, engine(&served, question, at), "{question:?}");
            asked += 1;
            allowed += usize::from(matches!(item, Answer::Verdict { allow: true, .. }));
        }
    }
    assert_eq!(asked, 1_000);
    assert!((20..980).contains(&allowed), "{allowed} of 1,000 were allowed: the questions show little");
}

#[test]
fn a_stream_says_what_each_call_says_under_its_id() {
    let (served, questions) = sample(&mut TestRunner::deterministic(), 300);
    let requests: Vec<_> = (0..)
        .zip(&questions)
        .map(|(number, question)| v1::AuthorizeRequest {
            request_id: format!("q{number}"),
            ..wire::authorize(question)
        })
        .collect();
    let mut wanted: BTreeMap<_, _> =
        requests.iter().map(|request| (request.request_id.clone(), single(&served, request.clone()))).collect();
    let address = format!("http://{}", served.running.addresses().data.unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = AuthorizationServiceClient::connect(address).await.unwrap();
        let asked = requests.into_iter().map(|request| v1::AuthorizeStreamRequest { request: Some(request) });
        let mut answers = client.authorize_stream(tokio_stream::iter(asked)).await.unwrap().into_inner();
        while let Some(answer) = tokio::time::timeout(LIMIT, answers.message()).await.unwrap().unwrap() {
            let told = match answer.outcome.unwrap() {
                Streamed::Response(response) => {
                    assert_eq!(response.request_id, answer.request_id);
                    of_response(&response)
                }
                Streamed::Error(error) => Answer::Malformed { message: error.message, field: error.field },
            };
            assert_eq!(wanted.remove(&answer.request_id), Some(told), "{}", answer.request_id);
        }
    });
    assert!(wanted.is_empty(), "without an answer: {wanted:?}");
}

fn single(served: &Served, request: v1::AuthorizeRequest) -> Answer {
    match served.client.call(|client| client.authorize(request)) {
        Ok(response) => of_response(&response),
        Err(ClientError::Refused { code: tonic::Code::InvalidArgument, message, field }) => {
            Answer::Malformed { message, field: field.expect("the field is named") }
        }
        Err(error) => panic!("{error}"),
    }
}

fn of_response(response: &v1::AuthorizeResponse) -> Answer {
    let verdict = v1::Verdict {
        decision: response.decision,
        reason: response.reason,
        rule_id: response.rule_id.clone(),
        undetermined: response.undetermined,
    };
    of_verdict(&verdict, &response.snapshot.as_ref().unwrap().digest)
}

fn of_verdict(verdict: &v1::Verdict, digest: &str) -> Answer {
    assert_ne!(verdict.decision(), v1::Decision::Unspecified);
    Answer::Verdict {
        allow: verdict.decision() == v1::Decision::Allow,
        reason: verdict.reason().as_str_name().trim_start_matches("REASON_").to_owned(),
        rule: verdict.rule_id.clone(),
        undetermined: verdict.undetermined,
        digest: digest.to_owned(),
    }
}

fn engine(served: &Served, question: &Question, at: Timestamp) -> Answer {
    let live = served.running.store().load_full().unwrap();
    match question.with(|request| decide::authorize(&live.index, request, at)) {
        Ok(verdict) => Answer::Verdict {
            allow: verdict.decision == Decision::Allow,
            reason: verdict.reason.code().to_owned(),
            rule: live.index.rule_id(verdict.because).unwrap_or_default(),
            undetermined: verdict.undetermined,
            digest: live.digest.clone(),
        },
        Err(malformed) => Answer::Malformed { message: malformed.to_string(), field: malformed.field },
    }
}

const WITH_PARAMETERS: &str = r"
sidegate: 1
strict_properties: true
subject_types: {user: {}}
types:
  room:
    root: true
    actions: {view: {}, invite: {parameters: {guest: ref(user)}}, rate: {parameters: {role: role}}}
roles: {host: {at: room, allow: [{on: room, actions: [view, invite]}, {on: room, actions: [rate], assigns: [host]}]}}
subjects: {user/ana: {}}
resources: {room/r: {}}
bindings: [{subject: user/ana, role: host, at: room/r}]
";

#[test]
fn a_list_of_actions_gives_each_the_parameters_that_it_declares() {
    let served = Served::start(&[("policy.yaml", WITH_PARAMETERS.as_bytes())]);
    let list = |parameters: &[(&str, v1::value::Kind)]| {
        let value = |kind: &v1::value::Kind| v1::Value { kind: Some(kind.clone()) };
        let request = v1::ListActionsRequest {
            subject: Some(v1::Subject { r#type: "user".into(), id: "ana".into(), ..Default::default() }),
            resource: Some(v1::Resource { r#type: "room".into(), id: "r".into(), ..Default::default() }),
            parameters: parameters.iter().map(|(name, kind)| ((*name).to_owned(), value(kind))).collect(),
            ..Default::default()
        };
        let listed = served.client.call(|client| client.list_actions(request));
        let may = |one: &v1::ActionVerdict| one.verdict.as_ref().unwrap().decision() == v1::Decision::Allow;
        listed.map(|listed| listed.actions.into_iter().filter(may).map(|one| one.action).collect::<Vec<_>>())
    };
    let guest = || ("guest", v1::value::Kind::EntityValue(v1::Entity { r#type: "user".into(), id: "ana".into() }));
    let role = |name: &str| ("role", v1::value::Kind::StringValue(name.to_owned()));
    assert_eq!(list(&[]).unwrap(), ["view"]);
    assert_eq!(list(&[guest()]).unwrap(), ["invite", "view"]);
    assert_eq!(list(&[guest(), role("host")]).unwrap(), ["invite", "rate", "view"]);
    assert_eq!(list(&[guest(), role("king")]).unwrap(), ["invite", "view"]);
    let undeclared = list(&[("gest", guest().1)]).unwrap_err();
    assert!(format!("{undeclared:?}").contains("gest"), "{undeclared:?}");
}
