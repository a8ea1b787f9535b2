//! Rules about callers, by the real program over its Unix socket: who is let in, what they may ask, what they are told.
//!
//! The own user is read, never assumed: in CI it may be anybody.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use prost::Message as _;
use sidegate::client::{Blocking, ClientError, allows};
use sidegate::service::proto::v1::{
    self, authorization_service_client::AuthorizationServiceClient, authorize_stream_response::Outcome as Streamed,
    batch_authorize_result::Outcome, value::Kind,
};
use tonic::Code;

use crate::raw::{connect, frame, post, send};
use crate::support::{BINDING, Daemon, LIMIT, POLICY, ana_may, block_on, question, refusal, until};

/// A workspace of somebody else's, and a property whose sent value would win over the stored one.
const MORE: &str = "  account/other: {}\n  workspace/lab: {parent: account/other}\n";

fn policy() -> String {
    let attributes = "actions: [access, leave], attributes: {locked: {type: bool, from: [request, snapshot]}}";
    POLICY.replace("actions: [access, leave]", attributes) + MORE + BINDING
}

/// A daemon with one Unix socket and a configuration file of these rules; `{own}` is the own user, `{other}` another.
struct Served {
    daemon: Daemon,
    file: PathBuf,
    socket: String,
}

fn filled(rules: &str) -> String {
    let own = rustix::process::getuid().as_raw();
    rules.replace("{own}", &own.to_string()).replace("{other}", &own.wrapping_add(1).to_string())
}

impl Served {
    fn with(rules: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (file, socket) = (directory.path().join("sidegate.toml"), directory.path().join("data.sock"));
        fs::write(&file, filled(rules)).unwrap();
        let source = directory.path().join("policy.yaml");
        fs::write(&source, policy()).unwrap();
        let more = ["--config", file.to_str().unwrap(), "--uds", socket.to_str().unwrap()];
        let daemon = Daemon::serve(directory, &source, &more).ready();
        Self { daemon, socket: format!("unix:{}", socket.display()), file }
    }

    /// With one rule that covers the own user, and more of it.
    fn letting(what: &str) -> Self {
        Self::with(&format!("[[callers]]\nname = \"tests\"\nuid = {{own}}\n{what}\n"))
    }

    fn client(&self) -> Blocking {
        Blocking::connect(&self.socket, LIMIT).unwrap()
    }

    /// Puts other text in the file's place, in one step.
    fn rewrite(&self, text: &str) {
        let next = self.file.with_extension("next");
        fs::write(&next, filled(text)).unwrap();
        fs::rename(next, &self.file).unwrap();
    }

    fn reloads(&self, result: &str) -> u64 {
        self.daemon.metric(&format!("sidegate_config_reloads_total{{result=\"{result}\"}}"))
    }
}

fn ask(client: &Blocking, request: v1::AuthorizeRequest) -> Result<v1::AuthorizeResponse, ClientError> {
    client.call(|client| client.authorize(request))
}

fn batch(client: &Blocking, requests: Vec<v1::AuthorizeRequest>) -> Result<v1::BatchAuthorizeResponse, ClientError> {
    client.call(|client| client.batch(v1::BatchAuthorizeRequest { requests, ..Default::default() }))
}

fn of_lab() -> v1::AuthorizeRequest {
    let mut request = question("ana", "access");
    request.resource.as_mut().unwrap().id = "lab".into();
    request
}

fn entity(kind: &str, id: &str) -> v1::Entity {
    v1::Entity { r#type: kind.into(), id: id.into() }
}

/// Refused with this code, in words that hold all of these.
fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, code: Code, words: &[&str]) {
    let (is, message, _) = refusal(answer);
    assert_eq!(is, code, "{message}");
    for word in words {
        assert!(message.contains(word), "{word} is missing from: {message}");
    }
}

#[test]
fn the_own_user_is_let_in_and_others_are_not() {
    let served = Served::letting("");
    assert!(ana_may(&served.client()));
    refused(ask(&served.daemon.client(), question("ana", "access")), Code::Unauthenticated, &["proves nothing"]);
    assert_eq!(served.daemon.metric("sidegate_caller_refusals_total{caller=\"\",why=\"not_allowed\"}"), 1);
    let served = Served::with("[[callers]]\nname = \"others\"\nuid = {other}\n");
    let own = format!("uid {}", rustix::process::getuid().as_raw());
    refused(ask(&served.client(), question("ana", "access")), Code::PermissionDenied, &[&own]);
    let health = served.client().call(|client| client.health(""));
    assert!(health.is_ok(), "probes are nobody's question");
}

#[test]
fn a_change_of_the_file_reaches_open_connections_and_streams() {
    let served = Served::letting("");
    let client = served.client();
    assert!(ana_may(&client));
    block_on(async {
        let (questions, asked) = tokio::sync::mpsc::channel(8);
        let mut stub = AuthorizationServiceClient::connect(served.socket.clone()).await.unwrap();
        let one = || v1::AuthorizeStreamRequest { request: Some(question("ana", "access")) };
        questions.send(one()).await.unwrap();
        let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
        let mut answers = stub.authorize_stream(asked).await.unwrap().into_inner();
        let first = answers.message().await.unwrap().unwrap();
        assert!(matches!(first.outcome, Some(Streamed::Response(response)) if allows(&response)));
        served.rewrite("[[callers]]\nname = \"others\"\nuid = {other}\n");
        // On the connection that is open already.
        while stub.authorize(question("ana", "access")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        questions.send(one()).await.unwrap();
        let second = answers.message().await.unwrap().unwrap();
        let Some(Streamed::Error(error)) = second.outcome else { panic!("{second:?}") };
        assert_eq!(error.code, Code::PermissionDenied as i32, "{}", error.message);
    });
    assert_eq!(served.reloads("applied"), 1);
    served.rewrite("[[callers]]\nname = \"tests\"\nuid = {own}\n");
    until("it is let in again", || ask(&client, question("ana", "access")).is_ok());
}

#[test]
fn a_bad_file_changes_nothing_and_an_empty_one_opens_nothing() {
    let served = Served::with("[[callers]]\nname = \"others\"\nuid = {other}\n");
    let client = served.client();
    let closed = || refused(ask(&client, question("ana", "access")), Code::PermissionDenied, &[]);
    served.rewrite("[[callers]]\nname = \"tests\"\nuid = {own}\nlst = true\n[limits]\nstreams = 0\n");
    let refusals = || served.daemon.log("the configuration was refused");
    until("the bad file is refused", || refusals().len() == 1);
    let told = refusals()[0]["message"].as_str().unwrap().to_owned();
    for part in ["sidegate.toml:4: unknown key `callers.lst`", "sidegate.toml:6: `limits.streams`"] {
        assert!(told.contains(part), "{part} is missing from {told}");
    }
    assert_eq!((served.reloads("rejected"), served.daemon.metric("sidegate_config_refused")), (1, 1));
    closed();
    served.rewrite("");
    until("the empty file is refused", || refusals().len() == 2);
    closed();
    served.rewrite("[limits]\nstreams = 7\n[[callers]]\nname = \"tests\"\nuid = {own}\n");
    until("the good file is in force", || served.reloads("applied") == 1);
    assert!(ana_may(&client));
    assert_eq!(served.daemon.metric("sidegate_config_refused"), 0);
    let waiting = served.daemon.logged("a key changed; it takes effect at the next start");
    assert_eq!(waiting["key"], "limits.streams");
}

#[test]
fn a_signal_has_the_file_read_and_limits_of_calls_follow() {
    let served = Served::letting("");
    let client = served.client();
    assert!(batch(&client, vec![question("ana", "access"); 3]).is_ok());
    served.daemon.process.signal(rustix::process::Signal::HUP);
    until("it is read", || served.reloads("unchanged") == 1);
    let rule = "[[callers]]\nname = \"tests\"\nuid = {own}\n";
    served.rewrite(&format!("[limits]\nbatch_items = 2\nmessage_bytes = 1024\n[log]\nfilter = \"warn\"\n{rule}"));
    until("it is in force", || served.reloads("applied") == 1);
    refused(batch(&client, vec![question("ana", "access"); 3]), Code::InvalidArgument, &["more than 2 items"]);
    let mut large = question("ana", "access");
    large.request_id = "x".repeat(1020);
    refused(ask(&client, large), Code::OutOfRange, &["1024"]);
    served.rewrite(rule);
    until("it is undone", || served.reloads("applied") == 2);
    assert!(batch(&client, vec![question("ana", "access"); 3]).is_ok());
    served.daemon.process.signal(rustix::process::Signal::HUP);
    until("the filter is undone too", || !served.daemon.log("the configuration changes nothing").is_empty());
}

#[test]
fn reasons_are_shown_as_far_as_the_rule_says() {
    for (reasons, code, rules) in [("none", false, false), ("code", true, false), ("full", true, true)] {
        let served = Served::letting(&format!("reasons = \"{reasons}\"\nlist = true\nadministration = true"));
        let client = served.client();
        let seen = |reason: v1::Reason, rule_id: &str| {
            assert_eq!(reason != v1::Reason::Unspecified, code, "{reasons}: {reason:?}");
            assert_eq!(!rule_id.is_empty(), rules, "{reasons}: {rule_id}");
        };
        let mut request = question("ana", "access");
        request.request_id = "mine".into();
        let answer = ask(&client, request).unwrap();
        assert!(allows(&answer) && answer.request_id == "mine");
        assert!(answer.snapshot.is_some() && answer.evaluated_at.is_some());
        seen(answer.reason(), &answer.rule_id);
        let items = batch(&client, vec![question("ana", "access")]).unwrap().results;
        let Some(Outcome::Verdict(verdict)) = &items[0].outcome else { panic!("{items:?}") };
        seen(verdict.reason(), &verdict.rule_id);
        let listing = v1::ListActionsRequest {
            subject: question("ana", "access").subject,
            resource: question("ana", "access").resource,
            ..Default::default()
        };
        let actions = client.call(|client| client.list_actions(listing)).unwrap().actions;
        let access = actions.iter().find(|listed| listed.action == "access").unwrap().verdict.as_ref().unwrap();
        seen(access.reason(), &access.rule_id);
        refused(client.call(|client| client.explain(question("ana", "access"))), Code::PermissionDenied, &["explain"]);
        block_on(async {
            let mut stub = AuthorizationServiceClient::connect(served.socket.clone()).await.unwrap();
            let one = v1::AuthorizeStreamRequest { request: Some(question("ana", "access")) };
            let mut answers = stub.authorize_stream(tokio_stream::iter([one])).await.unwrap().into_inner();
            let Some(Streamed::Response(answer)) = answers.message().await.unwrap().unwrap().outcome else {
                panic!("no answer")
            };
            seen(answer.reason(), &answer.rule_id);
        });
    }
}

#[test]
fn what_a_rule_does_not_allow_is_refused_at_every_door() {
    let served = Served::letting("");
    let client = served.client();
    let request = || question("ana", "access");
    let listing =
        v1::ListActionsRequest { subject: request().subject, resource: request().resource, ..Default::default() };
    let list = &["`tests`", "`list = true`"][..];
    refused(client.call(|client| client.list_actions(listing)), Code::PermissionDenied, list);
    let resources = v1::ListResourcesRequest {
        subject: request().subject,
        action: request().action,
        resource_type: "workspace".into(),
        ..Default::default()
    };
    refused(client.call(|client| client.list_resources(resources)), Code::PermissionDenied, list);
    let subjects = v1::ListSubjectsRequest {
        action: request().action,
        resource: request().resource,
        subject_type: "user".into(),
        ..Default::default()
    };
    refused(client.call(|client| client.list_subjects(subjects)), Code::PermissionDenied, list);
    let levels = v1::ListLevelsRequest {
        subject: Some(entity("user", "ana")),
        scope: Some(entity("workspace", "prod")),
        ..Default::default()
    };
    refused(client.call(|client| client.list_levels(levels)), Code::PermissionDenied, list);
    refused(client.call(|client| client.explain(request())), Code::PermissionDenied, &["`explain = true`"]);
    let administration = &["`administration = true`"][..];
    refused(client.call(|client| client.check_grant(request())), Code::PermissionDenied, administration);
    let seats = v1::CountSeatsRequest { scope: Some(entity("workspace", "prod")), ..Default::default() };
    refused(client.call(|client| client.count_seats(seats)), Code::PermissionDenied, administration);
    assert_eq!(served.daemon.metric("sidegate_caller_refusals_total{caller=\"tests\",why=\"not_allowed\"}"), 7);
    assert!(ana_may(&client));
}

#[test]
fn tenants_and_types_bound_what_is_asked_about() {
    let served = Served::letting("tenants = [\"account/orbit\"]\nsubject_types = [\"user\"]\nlist = true");
    let client = served.client();
    assert!(ana_may(&client));
    refused(ask(&client, of_lab()), Code::PermissionDenied, &["`tests`", "`tenants`"]);
    let mut unknown = question("ana", "access");
    unknown.resource.as_mut().unwrap().id = "nowhere".into();
    refused(ask(&client, unknown), Code::PermissionDenied, &["`tenants`"]);
    let mut robot = question("ana", "access");
    robot.subject.as_mut().unwrap().r#type = "robot".into();
    refused(ask(&client, robot), Code::PermissionDenied, &["`robot`", "`subject_types`"]);
    let results = batch(&client, vec![of_lab(), question("ana", "access")]).unwrap().results;
    assert!(matches!(&results[0].outcome, Some(Outcome::Error(error)) if error.code == Code::PermissionDenied as i32));
    assert!(matches!(&results[1].outcome, Some(Outcome::Verdict(_))));
    let within = |within| v1::ListResourcesRequest {
        subject: question("ana", "access").subject,
        action: question("ana", "access").action,
        resource_type: "workspace".into(),
        within,
        ..Default::default()
    };
    let list = |node| client.call(|client| client.list_resources(within(node)));
    refused(list(None), Code::PermissionDenied, &["`within`"]);
    refused(list(Some(entity("account", "other"))), Code::PermissionDenied, &["`tenants`"]);
    assert_eq!(list(Some(entity("account", "orbit"))).unwrap().resources.len(), 1);
}

#[test]
fn only_what_a_rule_names_may_be_asserted() {
    let yes = v1::Value { kind: Some(Kind::BoolValue(true)) };
    let with_context = || {
        let mut request = question("ana", "access");
        request.context.insert("mfa".into(), yes.clone());
        request
    };
    let with_locked = || {
        let mut request = question("ana", "access");
        request.resource.as_mut().unwrap().properties.insert("locked".into(), yes.clone());
        request
    };
    let served = Served::letting("");
    assert!(ask(&served.client(), with_context()).is_ok());
    let locked = &["`tests`", "`resource.locked`", "`assert`"][..];
    refused(ask(&served.client(), with_locked()), Code::PermissionDenied, locked);
    let served = Served::letting("assert = [\"resource.locked\"]");
    assert!(ask(&served.client(), with_locked()).is_ok());
    refused(ask(&served.client(), with_context()), Code::PermissionDenied, &["`context.mfa`", "`assert`"]);
}

#[test]
fn a_rate_counts_items_and_a_new_connection_brings_no_more() {
    // One a second: none is earned back within the test's few calls, unless it takes that long.
    let served = Served::letting("rate = 1\nburst = 20");
    assert!(batch(&served.client(), vec![question("ana", "access"); 20]).is_ok());
    let mut over = 0;
    for _ in 0..20 {
        over += usize::from(matches!(
            ask(&served.client(), question("ana", "access")),
            Err(ClientError::Refused { code: Code::ResourceExhausted, .. })
        ));
    }
    assert!(over > 0, "twenty calls within less than twenty seconds");
    let huge = batch(&served.client(), vec![question("ana", "access"); 21]);
    refused(huge, Code::ResourceExhausted, &["`burst` = 20", "`tests`"]);
    let shed = served.daemon.metric("sidegate_shed_total{what=\"caller_rate\"}");
    assert_eq!(shed, u64::try_from(over).unwrap() + 1);
}

#[test]
fn calls_in_flight_are_bounded_and_given_back() {
    let served = Served::letting("in_flight = 1");
    block_on(async {
        let (questions, asked) = tokio::sync::mpsc::channel(8);
        let mut stub = AuthorizationServiceClient::connect(served.socket.clone()).await.unwrap();
        let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
        let answers = stub.authorize_stream(asked).await.unwrap();
        let refused = stub.authorize(question("ana", "access")).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.message().contains("`in_flight` = 1"), "{refused}");
        drop((questions, answers));
        while stub.authorize(question("ana", "access")).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    assert!(served.daemon.metric("sidegate_shed_total{what=\"caller_in_flight\"}") >= 1);
}

#[test]
fn those_who_wait_for_a_snapshot_are_few_and_nobody_late_is_begun() {
    let served = Served::with("[limits]\nwaiters = 1\n");
    let mut demanding = question("ana", "access");
    let requirement = Some(v1::consistency::Requirement::ExactDigest("00".into()));
    demanding.consistency = Some(v1::Consistency { requirement });
    block_on(async {
        let stub = AuthorizationServiceClient::connect(served.socket.clone()).await.unwrap();
        let calls = [demanding.clone(), demanding.clone()].map(|request| {
            let mut stub = stub.clone();
            tokio::spawn(async move { stub.authorize(request).await.unwrap_err().code() })
        });
        let mut codes = Vec::new();
        for call in calls {
            codes.push(call.await.unwrap());
        }
        codes.sort_by_key(|code| *code as i32);
        assert_eq!(codes, [Code::ResourceExhausted, Code::FailedPrecondition]);
        let listing = v1::ListActionsRequest {
            subject: question("ana", "access").subject,
            resource: question("ana", "access").resource,
            ..Default::default()
        };
        let batch = v1::BatchAuthorizeRequest { requests: vec![question("ana", "access"); 200], ..Default::default() };
        let mut client = connect(&served.daemon.data).await;
        for (call, message) in [
            ("ListActions", listing.encode_to_vec()),
            ("BatchAuthorize", batch.encode_to_vec()),
            ("Authorize", demanding.encode_to_vec()),
        ] {
            let path = format!("/sidegate.v1.AuthorizationService/{call}");
            let mut late = post(&path, "application/grpc");
            late.headers_mut().insert("grpc-timeout", "0n".parse().unwrap());
            let answer = send(&mut client, late, frame(&message)).await.unwrap();
            assert_eq!(answer.grpc, Some(Code::DeadlineExceeded as i32), "{call}");
        }
    });
    assert_eq!(served.daemon.metric("sidegate_shed_total{what=\"waiter\"}"), 1);
}

#[test]
fn names_that_the_snapshot_does_not_know_are_told() {
    let served = Served::letting("tenants = [\"workspace/gone\"]\nassert = [\"context.mfaa\"]");
    let told = || served.daemon.log("a caller rule names what the live snapshot does not know");
    until("both are told", || told().len() >= 2);
    for name in ["the tenant `workspace/gone`", "the property `context.mfaa`"] {
        let is = |line: &serde_json::Value| line["name"].as_str().is_some_and(|said| said.contains(name));
        assert!(told().iter().any(is), "{name}: {:?}", told());
    }
}

#[test]
fn a_configuration_in_a_volume_follows_its_swaps() {
    let directory = tempfile::tempdir().unwrap();
    let volume = directory.path().join("volume");
    let version = |name: &str, rules: &str| {
        fs::create_dir_all(volume.join(name)).unwrap();
        fs::write(volume.join(name).join("sidegate.toml"), filled(rules)).unwrap();
        std::os::unix::fs::symlink(name, volume.join("..next")).unwrap();
        fs::rename(volume.join("..next"), volume.join("..data")).unwrap();
    };
    version("..1", "[[callers]]\nname = \"tests\"\nuid = {own}\n");
    std::os::unix::fs::symlink("..data/sidegate.toml", volume.join("sidegate.toml")).unwrap();
    let (source, socket) = (directory.path().join("policy.yaml"), directory.path().join("data.sock"));
    fs::write(&source, policy()).unwrap();
    let (file, path) = (volume.join("sidegate.toml"), socket.display().to_string());
    let daemon = Daemon::serve(directory, &source, &["--config", file.to_str().unwrap(), "--uds", &path]).ready();
    let client = Blocking::connect(&format!("unix:{path}"), LIMIT).unwrap();
    assert!(ana_may(&client));
    version("..2", "[[callers]]\nname = \"others\"\nuid = {other}\n");
    until("the second version is in force", || ask(&client, question("ana", "access")).is_err());
    assert_eq!(daemon.metric("sidegate_config_reloads_total{result=\"applied\"}"), 1);
}

#[test]
fn what_would_unpack_to_far_more_is_refused() {
    let served = Served::with("");
    let huge =
        v1::BatchAuthorizeRequest { requests: vec![v1::AuthorizeRequest::default(); 1 << 20], ..Default::default() };
    block_on(async {
        let mut client = connect(&served.daemon.data).await;
        let call = post("/sidegate.v1.AuthorizationService/BatchAuthorize", "application/grpc");
        let answer = send(&mut client, call, frame(&huge.encode_to_vec())).await.unwrap();
        assert_eq!(answer.grpc, Some(Code::InvalidArgument as i32));
    });
    assert!(ana_may(&served.client()));
}
