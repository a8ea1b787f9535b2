//! Calls over the data listener: malformed ones, demands on the snapshot, batches, size.

use std::time::{Duration, Instant};

use prost::Message as _;
use sidegate::client::{Blocking, Client, allows};
use sidegate::service::proto::v1::{
    self, BatchAuthorizeSemantics as Semantics, batch_authorize_result::Outcome, consistency::Requirement, value::Kind,
};
use tonic::Code;

use crate::raw::{connect, frame, post, send};
use crate::support::{Daemon, LIMIT, ana_may, block_on, good, question, refusal, until};

fn value(kind: Kind) -> v1::Value {
    v1::Value { kind: Some(kind) }
}

fn nested_list() -> v1::Value {
    let list = |values| value(Kind::ListValue(v1::ListValue { values }));
    list(vec![list(vec![])])
}

type Change = fn(&mut v1::AuthorizeRequest);

fn subject(request: &mut v1::AuthorizeRequest) -> &mut v1::Subject {
    request.subject.as_mut().unwrap()
}

fn action(request: &mut v1::AuthorizeRequest) -> &mut v1::Action {
    request.action.as_mut().unwrap()
}

fn resource(request: &mut v1::AuthorizeRequest) -> &mut v1::Resource {
    request.resource.as_mut().unwrap()
}

fn set_parent(request: &mut v1::AuthorizeRequest, kind: &str, id: &str) {
    resource(request).parent = Some(v1::Entity { r#type: kind.into(), id: id.into() });
}

/// What makes a question malformed, and the field that must be named.
const MALFORMED: [(&str, Change); 23] = [
    ("subject", |request| request.subject = None),
    ("action", |request| request.action = None),
    ("resource", |request| request.resource = None),
    ("subject.type", |request| subject(request).r#type.clear()),
    ("subject.id", |request| subject(request).id.clear()),
    ("subject.id", |request| subject(request).id = "x".repeat(1025)),
    ("subject.id", |request| subject(request).id = "a\nb".into()),
    ("subject.id", |request| subject(request).id = "a\u{85}b".into()),
    ("action.name", |request| action(request).name.clear()),
    ("action.name", |request| action(request).name = "\0".into()),
    ("resource.type", |request| resource(request).r#type.clear()),
    ("resource.id", |request| resource(request).id.clear()),
    ("resource.parent.type", |request| set_parent(request, "", "x")),
    ("resource.parent.id", |request| set_parent(request, "account", "")),
    ("subject.properties.x", |request| drop(subject(request).properties.insert("x".into(), nested_list()))),
    ("action.properties.x", |request| drop(action(request).properties.insert("x".into(), nested_list()))),
    ("resource.properties.x", |request| drop(resource(request).properties.insert("x".into(), nested_list()))),
    ("context.x", |request| drop(request.context.insert("x".into(), nested_list()))),
    ("context.x", |request| {
        let year_0 = prost_types::Timestamp { seconds: -62_135_596_801, nanos: 0 };
        request.context.insert("x".into(), value(Kind::TimestampValue(year_0)));
    }),
    ("context.x", |request| {
        let nobody = v1::Entity { r#type: "user".into(), id: String::new() };
        request.context.insert("x".into(), value(Kind::EntityValue(nobody)));
    }),
    ("context", |request| drop(request.context.insert(String::new(), value(Kind::BoolValue(true))))),
    ("context", |request| {
        request.context = (0..257).map(|number| (format!("p{number}"), value(Kind::IntValue(number)))).collect();
    }),
    ("request_id", |request| request.request_id = "x".repeat(1025)),
];

#[test]
fn a_malformed_call_is_told_which_field() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    for (number, (wanted, change)) in (1..).zip(MALFORMED) {
        let mut request = question("ana", "access");
        change(&mut request);
        let (code, message, field) = refusal(client.call(|client| client.authorize(request.clone())));
        assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some(wanted)), "{number}: {message}");
        let (code, _, field) = refusal(client.call(|client| client.explain(request.clone())));
        assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some(wanted)), "{number}: {message}");
        let item = &batch(&client, Semantics::ExecuteAll, vec![request.clone()]).results[0];
        let Some(Outcome::Error(error)) = &item.outcome else { panic!("{number}: {item:?}") };
        assert_eq!((error.code, error.field.as_str()), (Code::InvalidArgument as i32, wanted), "{number}");
        let v1::AuthorizeRequest { subject, resource, context, request_id, .. } = request;
        let list = v1::ListActionsRequest { subject, resource, context, request_id, ..Default::default() };
        if !wanted.starts_with("action") {
            let (code, _, field) = refusal(client.call(|client| client.list_actions(list)));
            assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some(wanted)), "{number}: {message}");
        }
    }
    assert!(ana_may(&client));
    assert_eq!(daemon.metric("sidegate_handler_panics_total"), 0);
}

#[test]
fn a_demanded_snapshot_that_does_not_come_is_refused_in_time() {
    let daemon = Daemon::start(&format!("{}sequence: 4\n", good())).ready();
    let client = daemon.client();
    let demand = |requirement: Requirement| {
        let consistency = Some(v1::Consistency { requirement: Some(requirement) });
        let request = v1::AuthorizeRequest { consistency, ..question("ana", "access") };
        client.call(|client| client.authorize(request))
    };
    let live = demand(Requirement::AtLeastSequence(4)).unwrap();
    assert!(allows(&live));
    let snapshot = live.snapshot.unwrap();
    assert_eq!(snapshot.sequence, 4);
    assert!(demand(Requirement::ExactDigest(snapshot.digest)).is_ok());
    for requirement in [Requirement::AtLeastSequence(5), Requirement::ExactDigest("0".repeat(64))] {
        let begun = Instant::now();
        let (code, message, _) = refusal(demand(requirement));
        let took = begun.elapsed();
        assert_eq!(code, Code::FailedPrecondition, "{message}");
        // The daemon waits 1 s; what is more is the machine's.
        println!("refused after {took:?}");
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    daemon.write(&format!("{}sequence: 5\n", good()));
    until("it comes", || demand(Requirement::AtLeastSequence(5)).is_ok());
}

#[test]
fn a_demand_is_waited_for_no_longer_than_the_caller_waits() {
    let daemon = Daemon::start(&format!("{}sequence: 4\n", good())).ready();
    let consistency = Some(v1::Consistency { requirement: Some(Requirement::AtLeastSequence(5)) });
    let request = v1::AuthorizeRequest { consistency, ..question("ana", "access") };
    // Raw: a client with manners would give up by itself at the same moment.
    let answer = block_on(async {
        let mut client = connect(&daemon.data).await.ready().await.unwrap();
        let mut call = post("/sidegate.v1.AuthorizationService/Authorize", "application/grpc");
        call.headers_mut().insert("grpc-timeout", "50m".parse().unwrap());
        let begun = Instant::now();
        let answer = send(&mut client, call, frame(&request.encode_to_vec())).await.unwrap();
        println!("refused after {:?} of 50 ms", begun.elapsed());
        answer
    });
    assert_eq!(answer.grpc, Some(Code::FailedPrecondition as i32), "{answer:?}");
}

#[test]
fn a_demanded_snapshot_that_comes_meanwhile_answers() {
    let daemon = Daemon::start(&format!("{}sequence: 1\n", good())).ready();
    let consistency = Some(v1::Consistency { requirement: Some(Requirement::AtLeastSequence(2)) });
    let request = v1::AuthorizeRequest { consistency, ..question("ana", "access") };
    let address = daemon.data.clone();
    let waiting = std::thread::spawn(move || {
        let client = Blocking::connect(&address, LIMIT).unwrap();
        // One wait is bounded by a second; a slow machine may need several.
        (0..20).find_map(|_| client.call(|client| client.authorize(request.clone())).ok())
    });
    daemon.write(&format!("{}sequence: 2\n", good()));
    let answer = waiting.join().unwrap().expect("an answer from the second snapshot");
    assert_eq!(answer.snapshot.unwrap().sequence, 2);
}

fn batch(client: &Blocking, semantics: Semantics, requests: Vec<v1::AuthorizeRequest>) -> v1::BatchAuthorizeResponse {
    let batch = v1::BatchAuthorizeRequest { requests, semantics: semantics.into(), ..Default::default() };
    client.call(|client: &Client| client.batch(batch)).unwrap()
}

#[test]
fn a_batch_stops_where_its_semantics_say() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    let of = |letter: char| match letter {
        'a' => question("ana", "access"),
        'd' => question("bob", "access"),
        _ => question("", "access"),
    };
    let run = |semantics: Semantics, letters: &str| {
        let requests = letters.chars().enumerate();
        let requests = requests.map(|(at, letter)| v1::AuthorizeRequest { request_id: at.to_string(), ..of(letter) });
        let answer = batch(&client, semantics, requests.collect());
        assert_eq!(answer.snapshot.unwrap().digest.len(), 64);
        let told = answer.results.into_iter().enumerate().map(|(at, result)| {
            assert_eq!(result.request_id, at.to_string());
            match result.outcome.unwrap() {
                Outcome::Verdict(verdict) if verdict.decision() == v1::Decision::Allow => 'a',
                Outcome::Verdict(verdict) => {
                    assert_eq!(verdict.decision(), v1::Decision::Deny);
                    'd'
                }
                Outcome::Error(error) => {
                    assert_eq!((error.code, error.field.as_str()), (Code::InvalidArgument as i32, "subject.id"));
                    'm'
                }
            }
        });
        told.collect::<String>()
    };
    for semantics in [Semantics::Unspecified, Semantics::ExecuteAll] {
        assert_eq!(run(semantics, "admda"), "admda");
        assert_eq!(run(semantics, ""), "");
    }
    assert_eq!(run(Semantics::DenyOnFirstDeny, "aadaa"), "aad");
    assert_eq!(run(Semantics::DenyOnFirstDeny, "aamaa"), "aam", "a malformed item is a denial");
    assert_eq!(run(Semantics::DenyOnFirstDeny, "aaa"), "aaa");
    assert_eq!(run(Semantics::PermitOnFirstPermit, "ddadd"), "dda");
    assert_eq!(run(Semantics::PermitOnFirstPermit, "mdmad"), "mdma");
    assert_eq!(run(Semantics::PermitOnFirstPermit, "dmd"), "dmd");
    // They are decided sixteen at a time.
    for before in [14, 15, 16, 17, 31, 32, 33] {
        let some = format!("{}a{}", "d".repeat(before), "d".repeat(20));
        assert_eq!(run(Semantics::PermitOnFirstPermit, &some).len(), before + 1);
        assert_eq!(run(Semantics::ExecuteAll, &some), some);
    }
    let long = format!("{}a{}", "d".repeat(600), "d".repeat(399));
    assert_eq!(run(Semantics::PermitOnFirstPermit, &long).len(), 601);
    assert_eq!(run(Semantics::ExecuteAll, &long), long);
}

#[test]
fn what_is_wrong_with_a_whole_batch_is_named() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    let requests = vec![question("ana", "access"); 1001];
    let too_many = v1::BatchAuthorizeRequest { requests, ..Default::default() };
    let unknown = v1::BatchAuthorizeRequest { semantics: 9, ..Default::default() };
    let long = v1::BatchAuthorizeRequest { request_id: "x".repeat(1025), ..Default::default() };
    for (batch, wanted) in [(too_many, "requests"), (unknown, "semantics"), (long, "request_id")] {
        let (code, _, field) = refusal(client.call(|client| client.batch(batch)));
        assert_eq!((code, field.as_deref()), (Code::InvalidArgument, Some(wanted)));
    }
}

#[test]
fn a_message_over_the_cap_is_refused_and_the_connection_lives() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    let huge = |bytes: usize| {
        let mut request = question("ana", "access");
        request.context.insert("x".into(), value(Kind::StringValue("x".repeat(bytes))));
        request
    };
    assert!(allows(&client.call(|client| client.authorize(huge(200_000))).unwrap()), "below the cap");
    for bytes in [300_000, 30_000_000] {
        let (code, message, _) = refusal(client.call(|client| client.authorize(huge(bytes))));
        assert_eq!(code, Code::OutOfRange, "{message}");
        assert!(ana_may(&client));
    }
    assert_eq!(batch(&client, Semantics::ExecuteAll, vec![huge(300_000)]).results.len(), 1, "a batch has its own cap");
    let both = v1::BatchAuthorizeRequest { requests: vec![huge(300_000); 20], ..Default::default() };
    let (code, message, _) = refusal(client.call(|client| client.batch(both)));
    assert_eq!(code, Code::OutOfRange, "{message}");
}
