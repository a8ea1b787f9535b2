//! Searches: pages of one snapshot, what may not be said of what is sought, and who may search at all.

use std::fs;

use serde_json::{Value as Json, json};

use super::{EVALUATION, EVALUATIONS, Http, question};
use crate::support::{BINDING, Daemon, POLICY, good, until};

const SUBJECT: &str = "/access/v1/search/subject";
const RESOURCE: &str = "/access/v1/search/resource";
const ACTION: &str = "/access/v1/search/action";

/// Ana may access 25 workspaces.
fn many(extra: &str) -> String {
    let more = (0..25)
        .fold(String::new(), |text, number| text + &format!("  workspace/w{number:0>2}: {{parent: account/orbit}}\n"));
    let wide = POLICY.replace("{at: workspace, allow", "{at: account, allow");
    wide + &more + extra + "bindings: [{subject: user/ana, role: member, at: account/orbit}]\n"
}

fn workspaces(page: &Json) -> Json {
    json!({"subject": {"type": "user", "id": "ana"}, "action": {"name": "access"}, "resource": {"type": "workspace"}, "page": page})
}

#[test]
fn pages_are_disjoint_whole_and_of_one_snapshot() {
    let daemon = Daemon::start(&many("")).ready();
    let http = Http::one(&daemon);
    let (mut ids, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = http.ask(RESOURCE, &workspaces(&json!({"limit": 7, "token": token})));
        let results = page["results"].as_array().unwrap();
        assert_eq!(page["page"]["count"], results.len());
        ids.extend(results.iter().map(|found| found["id"].as_str().unwrap().to_owned()));
        token = page["page"]["next_token"].as_str().unwrap().to_owned();
        pages += 1;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((ids.len(), pages), (26, 4));
    let first = http.ask(RESOURCE, &workspaces(&json!({"limit": 7})));
    let token = first["page"]["next_token"].clone();
    // Of another query, damaged, of another search.
    let mut other = workspaces(&json!({"token": token}));
    other["action"]["name"] = "leave".into();
    assert!(http.post(RESOURCE, other.to_string()).refused(400).starts_with("page.token: belongs to another query"));
    assert!(
        http.post(RESOURCE, workspaces(&json!({"token": "00"})).to_string()).refused(400).starts_with("page.token")
    );
    let does = json!({"subject": {"type": "user", "id": "ana"}, "resource": {"type": "workspace", "id": "prod"}, "page": {"token": token}});
    assert!(http.post(ACTION, does.to_string()).refused(400).starts_with("page.token"));
    for limit in [json!(-1), json!("7"), json!(1.5)] {
        assert!(
            http.post(RESOURCE, workspaces(&json!({"limit": limit})).to_string())
                .refused(400)
                .starts_with("page.limit")
        );
    }
    daemon.write(&many("  workspace/x: {parent: account/orbit}\n"));
    until("the new snapshot is live", || {
        http.ask(RESOURCE, &workspaces(&json!({})))["results"].as_array().unwrap().len() == 27
    });
    let body = workspaces(&json!({"token": token})).to_string();
    assert!(http.post(RESOURCE, body).refused(400).contains("ask for the first page again"));
}

#[test]
fn nothing_is_said_of_what_is_sought_but_its_type() {
    let daemon = Daemon::start(&many("")).ready();
    let http = Http::one(&daemon);
    let mut body = workspaces(&json!({}));
    body["resource"] = json!({"type": "workspace", "id": 7, "properties": {}});
    assert_eq!(http.ask(RESOURCE, &body)["results"].as_array().unwrap().len(), 26);
    body["resource"]["properties"] = json!({"state": "open"});
    assert!(http.post(RESOURCE, body.to_string()).refused(400).starts_with("resource.properties: cannot be sent"));
    body["resource"] = json!({"type": ""});
    assert!(http.post(RESOURCE, body.to_string()).refused(400).starts_with("resource.type: must not be empty"));
    let who = json!({"subject": {"type": "user", "properties": {"x": 1}}, "action": {"name": "access"}, "resource": {"type": "workspace", "id": "prod"}});
    assert!(http.post(SUBJECT, who.to_string()).refused(400).starts_with("subject.properties: cannot be sent"));
    let mut within = workspaces(&json!({}));
    within["within"] = json!({"type": "workspace", "id": "w07"});
    assert_eq!(http.ask(RESOURCE, &within)["results"], json!([{"type": "workspace", "id": "w07"}]));
}

#[test]
fn caller_rules_hold_here_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    let serve = |rule: &str| {
        fs::write(&file, format!("[[callers]]\nname = \"local\"\nanyone = true\n{rule}\n")).unwrap();
        Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready()
    };
    let daemon = serve("reasons = \"none\"\nassert = []");
    let http = Http::one(&daemon);
    let allowed = http.ask(EVALUATION, &question("ana", "access"));
    assert_eq!(allowed["decision"], true);
    let context = allowed["context"].as_object().unwrap();
    assert_eq!(context.keys().collect::<Vec<_>>(), ["evaluated_at", "snapshot"]);
    let refused = http.post(RESOURCE, workspaces(&json!({})).to_string());
    assert!(refused.refused(403).contains("`list = true`"));
    let mut asserting = question("ana", "access");
    asserting["context"] = json!({"mfa": true});
    assert!(http.post(EVALUATION, asserting.to_string()).refused(403).contains("`context.mfa` in `assert`"));
    let batch = json!({"evaluations": [asserting, question("ana", "access")]});
    let answer = http.ask(EVALUATIONS, &batch);
    assert_eq!(answer["evaluations"][0]["context"]["error"]["status"], 403);
    assert_eq!(
        (&answer["evaluations"][0]["decision"], &answer["evaluations"][1]["decision"]),
        (&json!(false), &json!(true))
    );
    let daemon = serve("reasons = \"code\"\nrate = 1\nburst = 2");
    let http = Http::one(&daemon);
    let three = vec![question("ana", "access"); 3];
    let answer = http.post(EVALUATIONS, json!({"evaluations": three}).to_string());
    assert!(answer.refused(429).contains("`burst` = 2"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
    let context = &http.ask(EVALUATION, &question("ana", "access"))["context"];
    assert_eq!((&context["reason"], context.get("rule_id")), (&json!("GRANTED"), None));
}

#[test]
fn a_caller_asks_of_its_own_types_and_tenants_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    let serve = |rule: &str| {
        fs::write(&file, format!("[[callers]]\nname = \"local\"\nanyone = true\nlist = true\n{rule}\n")).unwrap();
        Daemon::start_with(&good(), &["--config", file.to_str().unwrap()]).ready()
    };
    for rule in ["subject_types = [\"robot\"]", "tenants = [\"account/other\"]"] {
        let daemon = serve(rule);
        let http = Http::one(&daemon);
        http.post(EVALUATION, question("ana", "access").to_string()).refused(403);
        let batch = http.ask(EVALUATIONS, &json!({"evaluations": [question("ana", "access")]}));
        assert_eq!(batch["evaluations"][0]["decision"], false, "{rule}");
        assert_eq!(batch["evaluations"][0]["context"]["error"]["status"], 403, "{rule}");
        http.post(RESOURCE, workspaces(&json!({})).to_string()).refused(403);
        let which = json!({"subject": {"type": "user", "id": "ana"}, "resource": {"type": "workspace", "id": "prod"}});
        http.post(ACTION, which.to_string()).refused(403);
        let who = json!({"subject": {"type": "user"}, "action": {"name": "access"}, "resource": {"type": "workspace", "id": "prod"}});
        http.post(SUBJECT, who.to_string()).refused(403);
    }
    let daemon = serve("tenants = [\"account/orbit\"]");
    let http = Http::one(&daemon);
    assert_eq!(http.ask(EVALUATION, &question("ana", "access"))["decision"], true);
    http.post(RESOURCE, workspaces(&json!({})).to_string()).refused(403);
    let mut within = workspaces(&json!({}));
    within["within"] = json!({"type": "account", "id": "orbit"});
    assert_eq!(http.ask(RESOURCE, &within)["results"], json!([{"type": "workspace", "id": "prod"}]));
}

#[test]
fn names_go_there_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidegate.toml");
    let names = "resource.type:user=workspace, action.name:ACCESS=access, action.properties.strong=context.mfa";
    fs::write(&file, format!("[authzen]\nnames = \"{names}\"\n")).unwrap();
    let conditional =
        POLICY.replace("actions: [access]}]}", "actions: [access], when: context.mfa == true}]}") + BINDING;
    let daemon = Daemon::start_with(&conditional, &["--config", file.to_str().unwrap()]).ready();
    let http = Http::one(&daemon);
    let ask = |strong: Json| {
        json!({
            "subject": {"type": "user", "id": "ana"}, "resource": {"type": "user", "id": "prod"},
            "action": {"name": "ACCESS", "properties": {"strong": strong}},
        })
    };
    assert_eq!(http.ask(EVALUATION, &ask(json!(true)))["decision"], true);
    assert_eq!(http.ask(EVALUATION, &ask(json!(false)))["decision"], false);
    assert_eq!(http.ask(EVALUATIONS, &json!({"evaluations": [ask(json!(true))]}))["evaluations"][0]["decision"], true);
    let mut twice = ask(json!(true));
    twice["context"] = json!({"mfa": false});
    assert!(http.post(EVALUATION, twice.to_string()).refused(400).starts_with("context.mfa: is given twice"));
    let answer = http.ask(EVALUATIONS, &json!({"evaluations": [twice, ask(json!(true))]}));
    assert_eq!(
        (&answer["evaluations"][0]["decision"], &answer["evaluations"][1]["decision"]),
        (&json!(false), &json!(true))
    );
    let mut search = ask(json!(true));
    search["resource"] = json!({"type": "user"});
    assert_eq!(http.ask(RESOURCE, &search)["results"], json!([{"type": "user", "id": "prod"}]));
    let does = json!({"subject": {"type": "user", "id": "ana"}, "resource": {"type": "user", "id": "prod"}, "context": {"mfa": true}});
    assert_eq!(http.ask(ACTION, &does)["results"], json!([{"name": "ACCESS"}]));
}
