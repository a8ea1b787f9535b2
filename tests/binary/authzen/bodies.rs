//! What the bodies mean: one evaluation, several, what is shown of the why, and which snapshot answers.

use serde_json::{Value as Json, json};

use super::{EVALUATION, EVALUATIONS, Http, question};
use crate::support::{BINDING, Daemon, POLICY, good};

#[test]
fn an_evaluation_is_answered_with_its_reason_and_its_snapshot() {
    let daemon = Daemon::start(&good()).ready();
    for http in [Http::one(&daemon), Http::two(&daemon)] {
        let allowed = http.ask(EVALUATION, &question("ana", "access"));
        assert_eq!(allowed["decision"], true);
        let context = &allowed["context"];
        assert_eq!(
            (&context["reason"], &context["rule_id"]),
            (&json!("GRANTED"), &json!("roles/member/workspace.access"))
        );
        assert_eq!(context["snapshot"]["sequence"], 0);
        assert_eq!(context["snapshot"]["stale"], false);
        assert_eq!(context["snapshot"]["digest"].as_str().unwrap().len(), 64);
        assert!(context["evaluated_at"].as_str().unwrap().ends_with('Z'), "{context}");
        let denied = http.ask(EVALUATION, &question("bob", "access"));
        assert_eq!((&denied["decision"], &denied["context"]["reason"]), (&json!(false), &json!("NO_GRANT")));
        let unknown = http.ask(EVALUATION, &question("zoe", "access"));
        assert_eq!((&unknown["decision"], &unknown["context"]["reason"]), (&json!(false), &json!("UNKNOWN_SUBJECT")));
    }
    assert_eq!(daemon.metric("sidegate_calls_total{method=\"authzen_evaluation\",code=\"OK\"}"), 6);
}

/// A batch of ana's over several actions.
fn batch(semantic: Option<&str>, actions: &[&str]) -> Json {
    let items: Vec<_> = actions.iter().map(|action| json!({"action": {"name": action}})).collect();
    let mut batch = question("ana", "access");
    batch["evaluations"] = Json::from(items);
    if let Some(semantic) = semantic {
        batch["options"] = json!({"evaluations_semantic": semantic, "other": 1});
    }
    batch
}

fn decisions(answer: &Json) -> Vec<bool> {
    assert!(answer.get("decision").is_none(), "{answer}");
    assert_eq!(answer["context"]["snapshot"]["digest"].as_str().unwrap().len(), 64);
    answer["evaluations"].as_array().unwrap().iter().map(|item| item["decision"].as_bool().unwrap()).collect()
}

#[test]
fn several_evaluations_stop_where_their_semantic_says() {
    let daemon = Daemon::start(&good()).ready();
    let http = Http::one(&daemon);
    let asked = |semantic, actions: &[&str]| decisions(&http.ask(EVALUATIONS, &batch(semantic, actions)));
    let mixed = ["access", "leave", "access"];
    assert_eq!(asked(None, &mixed), [true, false, true]);
    assert_eq!(asked(Some("execute_all"), &mixed), [true, false, true]);
    assert_eq!(asked(Some("deny_on_first_deny"), &mixed), [true, false]);
    assert_eq!(asked(Some("permit_on_first_permit"), &["leave", "access", "access"]), [false, true]);
    let wrong = batch(Some("first_come"), &mixed).to_string();
    assert!(http.post(EVALUATIONS, wrong).refused(400).starts_with("options.evaluations_semantic: must be"));
    // More than what is decided where it arrives.
    let many = vec!["access"; 300];
    assert_eq!(asked(None, &many), vec![true; 300]);
    let over = batch(None, &vec!["access"; 1001]).to_string();
    assert!(http.post(EVALUATIONS, over).refused(400).contains("`limits.batch_items`"));
}

#[test]
fn what_an_item_lacks_comes_whole_from_the_top_level() {
    let daemon = Daemon::start(&good()).ready();
    let http = Http::one(&daemon);
    let mut batch = question("bob", "access");
    batch["evaluations"] = json!([
        {},
        {"subject": {"type": "user", "id": "ana"}},
        // Replaced whole, never merged.
        {"subject": {"id": "ana"}},
        {"subject": {"type": "user", "id": "ana"}, "resource": {"type": "workspace", "id": 7}},
        "none",
        {"subject": {"type": "user", "id": "ana"}},
    ]);
    let answer = http.ask(EVALUATIONS, &batch);
    assert_eq!(decisions(&answer), [false, true, false, false, false, true]);
    let error = |number: usize| answer["evaluations"][number]["context"]["error"].clone();
    assert_eq!(error(0), Json::Null);
    assert_eq!(error(2), json!({"status": 400, "message": "evaluations[2].subject.type: is missing"}));
    assert_eq!(error(3), json!({"status": 400, "message": "evaluations[3].resource.id: must be a string"}));
    assert_eq!(error(4), json!({"status": 400, "message": "evaluations[4]: must be an object"}));
    // A top level that nobody needs may be incomplete, as demo applications send it.
    let batch = json!({
        "subject": {"type": "user", "id": "ana"}, "action": {"name": "access"}, "resource": {}, "context": {},
        "evaluations": [{"resource": {"type": "workspace", "id": "prod"}}, {}],
    });
    let answer = http.ask(EVALUATIONS, &batch);
    assert_eq!(decisions(&answer), [true, false]);
    assert_eq!(answer["evaluations"][1]["context"]["error"]["message"], "resource.type: is missing");
    // A bad item is a denial for the semantics too.
    let mut stopping = batch;
    stopping["evaluations"] = json!([{}, {"resource": {"type": "workspace", "id": "prod"}}]);
    stopping["options"] = json!({"evaluations_semantic": "deny_on_first_deny"});
    assert_eq!(decisions(&http.ask(EVALUATIONS, &stopping)), [false]);
}

#[test]
fn without_items_it_is_one_evaluation() {
    let daemon = Daemon::start(&good()).ready();
    let http = Http::one(&daemon);
    for items in [Json::Null, json!([])] {
        let mut body = question("ana", "access");
        body["evaluations"] = items;
        let answer = http.ask(EVALUATIONS, &body);
        assert_eq!((&answer["decision"], answer.get("evaluations")), (&json!(true), None));
    }
    assert!(http.post(EVALUATIONS, "{}").refused(400).starts_with("subject: is missing"));
    assert!(http.post(EVALUATIONS, r#"{"evaluations":{}}"#).refused(400).starts_with("evaluations: must be an array"));
    assert!(http.post(EVALUATIONS, r#"{"evaluations":[{}],"subject":7}"#).refused(400).starts_with("subject: must be"));
}

#[test]
fn a_short_body_cannot_become_a_large_batch() {
    let daemon = Daemon::start(&good()).ready();
    let http = Http::one(&daemon);
    let mut body = question("ana", "access");
    body["context"] = json!({"padding": "x".repeat(100_000)});
    body["evaluations"] = vec![json!({}); 900].into();
    assert!(http.post(EVALUATIONS, body.to_string()).refused(400).contains("`limits.batch_bytes`"));
    body["evaluations"] = vec![json!({}); 9].into();
    assert_eq!(decisions(&http.ask(EVALUATIONS, &body)), [true; 9]);
}

#[test]
fn a_demanded_snapshot_answers_or_nothing_does() {
    let text = |sequence: u32| format!("sequence: {sequence}\n{POLICY}{BINDING}");
    let daemon = Daemon::start(&text(3)).ready();
    let http = Http::one(&daemon);
    let with = |demand: Json| {
        let mut body = question("ana", "access");
        body["consistency"] = demand;
        http.post(EVALUATION, body.to_string())
    };
    let met = with(json!({"at_least_sequence": 3})).json();
    assert_eq!((&met["decision"], &met["context"]["snapshot"]["sequence"]), (&json!(true), &json!(3)));
    let digest = met["context"]["snapshot"]["digest"].clone();
    assert_eq!(with(json!({"exact_digest": digest})).json()["decision"], true);
    assert!(with(json!({"at_least_sequence": 4})).refused(412).contains("sequence 4 is demanded"));
    assert!(with(json!({"exact_digest": "0"})).refused(412).contains("another digest"));
    assert!(with(json!({"exact_digest": ""})).refused(400).starts_with("consistency.exact_digest"));
    assert!(with(json!({"at_least_sequence": "3"})).refused(400).starts_with("consistency.at_least_sequence"));
}

/// What JSON says where the policy declares a type.
const TYPED: &str = "\
sidegate: 1
subject_types: {user: {}}
context: {until: timestamp, stamps: list(timestamp), text: string, number: int, friend: ref(user)}
types:
  account: {root: true, actions: [early, noted, counted, known, any]}
roles:
  member:
    at: account
    allow:
      - {on: account, actions: [early], when: context.until < timestamp('2030-01-01T00:00:00Z')}
      - {on: account, actions: [noted], when: context.text == '2026-01-01T00:00:00Z'}
      - {on: account, actions: [counted], when: context.number == 7}
      - {on: account, actions: [known], when: context.friend == subject}
      - {on: account, actions: [any], when: size(context.stamps) == 1}
subjects: {user/ana: {}}
resources: {account/orbit: {}}
bindings: [{subject: user/ana, role: member, at: account/orbit}]
";

#[test]
fn a_value_has_the_type_that_the_policy_declares_or_none() {
    let daemon = Daemon::start(TYPED).ready();
    let http = Http::one(&daemon);
    let may = |action: &str, context: Json| {
        let body = json!({
            "subject": {"type": "user", "id": "ana"}, "action": {"name": action},
            "resource": {"type": "account", "id": "orbit"}, "context": context,
        });
        let answer = http.ask(EVALUATION, &body);
        (answer["decision"] == true, answer["context"]["undetermined"] == true)
    };
    let (yes, unknown) = ((true, false), (false, true));
    assert_eq!(may("early", json!({"until": "2026-01-01T00:00:00Z"})), yes);
    assert_eq!(may("early", json!({"until": "2031-01-01T00:00:00Z"})), (false, false));
    assert_eq!(may("noted", json!({"text": "2026-01-01T00:00:00Z"})), yes);
    assert_eq!(may("counted", json!({"number": 7})), yes);
    assert_eq!(may("known", json!({"friend": {"type": "user", "id": "ana"}})), yes);
    assert_eq!(may("any", json!({"stamps": ["2026-01-01T00:00:00Z"]})), yes);
    let of_wrong_type = [
        ("early", json!({"until": "tomorrow"})),
        ("early", json!({"until": 0})),
        ("early", json!({"until": null})),
        ("counted", json!({"number": 7.0})),
        ("counted", json!({"number": "7"})),
        ("counted", json!({"number": 18_446_744_073_709_551_615_u64})),
        ("counted", json!({"number": [7]})),
        ("known", json!({"friend": "user/ana"})),
        ("known", json!({"friend": {"type": "user", "id": "ana", "properties": {}}})),
        ("any", json!({"stamps": ["tomorrow"]})),
        ("any", json!({"stamps": [{}]})),
        ("any", json!({"stamps": {}})),
        ("any", json!({"stamps": 1.5})),
    ];
    for (action, context) in of_wrong_type {
        assert_eq!(may(action, context.clone()), unknown, "{action} {context}");
    }
    // Among several each is read by the same rule.
    let several = json!({
        "subject": {"type": "user", "id": "ana"}, "resource": {"type": "account", "id": "orbit"},
        "context": {"until": "2026-01-01T00:00:00Z", "number": 7},
        "evaluations": [{"action": {"name": "early"}}, {"action": {"name": "counted"}}, {"action": {"name": "any"}}],
    });
    assert_eq!(decisions(&http.ask(EVALUATIONS, &several)), [true, true, false]);
}
