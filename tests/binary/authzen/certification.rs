//! The certification scenario of the Authorization API 1.0, by its numbers.

use serde_json::{Value as Json, json};

use super::{Answer, EVALUATION, EVALUATIONS, Http, interop::serve};

const SUBJECT: &str = "/access/v1/search/subject";
const RESOURCE: &str = "/access/v1/search/resource";
const ACTION: &str = "/access/v1/search/action";

fn user(id: &str) -> Json {
    json!({"type": "user", "id": id})
}

fn record(id: &str) -> Json {
    json!({"type": "record", "id": id})
}

fn with(mut entity: Json, properties: Json) -> Json {
    entity["properties"] = properties;
    entity
}

#[expect(clippy::needless_pass_by_value, reason = "what is asked is written where it is asked")]
fn ask(subject: Json, action: &str, resource: Json) -> Json {
    json!({"subject": subject, "action": {"name": action}, "resource": resource})
}

/// The same with another member.
fn and(mut body: Json, name: &str, value: Json) -> Json {
    body[name] = value;
    body
}

/// The same without one.
fn without(mut body: Json, path: &str) -> Json {
    let (owner, name) = path.rsplit_once('/').unwrap();
    body.pointer_mut(owner).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    body
}

fn situation() -> Json {
    json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"})
}

fn alice_reads() -> Json {
    ask(user("alice"), "read", record("record-1"))
}

fn archived() -> Json {
    with(record("record-2"), json!({"status": "archived"}))
}

fn admin() -> Json {
    with(user("bob"), json!({"role": "admin"}))
}

#[test]
fn basic() {
    let daemon = serve("authzen-certification");
    let http = Http::one(&daemon);
    let deletes = |soft: bool| {
        let action = json!({"name": "delete", "properties": {"soft": soft}});
        and(ask(user("alice"), "delete", record("record-1")), "action", action)
    };
    let many = json!({
        "subject": with(user("alice"), json!({"department": "Sales", "role": "manager"})),
        "action": {"name": "read", "properties": {"method": "GET"}},
        "resource": with(record("record-1"), json!({"status": "active", "owner": "bob"})),
    });
    let decided = [
        ("2.2.1", alice_reads(), true),
        ("2.2.2", ask(user("bob"), "write", record("record-1")), false),
        ("2.2.3", and(alice_reads(), "context", situation()), true),
        ("2.2.4", ask(user("alice"), "write", archived()), false),
        ("2.2.5", ask(admin(), "write", archived()), true),
        ("2.2.6", deletes(true), true),
        ("2.2.7", deletes(false), false),
        ("2.2.8", many, true),
        ("2.2.9", and(and(alice_reads(), "foo", json!("bar")), "futureField", json!({"nested": true})), true),
        ("1.4 rule 2", ask(user("alice"), "write", record("record-1")), true),
        ("1.4 rule 3", ask(user("bob"), "read", record("record-1")), true),
    ];
    for (number, body, expected) in decided {
        let answer = http.ask(EVALUATION, &body);
        assert_eq!(answer["decision"], expected, "{number}: {answer}");
        assert!(answer["context"].is_object(), "2.3.2");
    }
    let mut refused: Vec<Json> =
        ["subject", "action", "resource"].into_iter().map(|part| without(alice_reads(), &format!("/{part}"))).collect();
    for path in ["/subject/type", "/subject/id", "/action/name", "/resource/type", "/resource/id"] {
        refused.push(without(alice_reads(), path));
    }
    refused.push(and(alice_reads(), "subject", json!("alice")));
    refused.push(and(alice_reads(), "action", json!({"name": 123})));
    for body in refused {
        http.post(EVALUATION, body.to_string()).refused(400);
    }
    http.send(http::Request::post(EVALUATION).header("content-type", "text/plain"), alice_reads().to_string())
        .refused(400);
    http.post(EVALUATION, "{\"subject\": ").refused(400);
    http.post(EVALUATION, "").refused(400);
    let sent = http::Request::post(EVALUATION).header("content-type", "application/json");
    let answer = http.send(sent.header("x-request-id", "bfe9eb29"), alice_reads().to_string());
    assert_eq!((answer.json()["decision"].clone(), answer.header("x-request-id")), (json!(true), "bfe9eb29"));
    for _ in 0..5 {
        assert_eq!(http.ask(EVALUATION, &alice_reads())["decision"], true, "2.6");
    }
}

#[test]
fn batch() {
    let daemon = serve("authzen-certification");
    let http = Http::one(&daemon);
    let on = |resource: Json| json!({"resource": resource});
    let both = || json!([on(record("record-1")), on(record("record-2"))]);
    let top = |subject: Json, action: &str| json!({"subject": subject, "action": {"name": action}});
    let active = || with(record("record-1"), json!({"status": "active"}));
    let timed = and(top(user("alice"), "read"), "context", json!({"time": "2025-06-27T18:03-07:00"}));
    let over = json!({"resource": record("record-2"), "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"}});
    let full = json!([ask(user("alice"), "read", record("record-1")), ask(user("bob"), "write", record("record-1"))]);
    let execute = and(top(user("alice"), "read"), "options", json!({"evaluations_semantic": "execute_all"}));
    let bobs = json!({"subject": user("bob"), "resource": record("record-1")});
    let actions = json!([{"action": {"name": "read"}}, {"action": {"name": "write"}}]);
    let archived_write = json!({"action": {"name": "write"}, "resource": archived()});
    let inherited = and(top(user("alice"), "write"), "resource", active());
    let decided = [
        ("3.2.1", and(top(user("alice"), "read"), "evaluations", both()), [true, true]),
        ("3.2.2", and(bobs, "evaluations", actions), [true, false]),
        (
            "3.2.3",
            and(top(user("alice"), "write"), "evaluations", json!([on(active()), on(archived())])),
            [true, false],
        ),
        (
            "3.2.4",
            and(archived_write, "evaluations", json!([{"subject": user("alice")}, {"subject": admin()}])),
            [false, true],
        ),
        ("3.2.5", json!({"evaluations": full}), [true, false]),
        ("3.2.6", and(timed, "evaluations", json!([on(record("record-1")), over])), [true, true]),
        ("3.2.7", and(inherited, "evaluations", json!([{}, on(archived())])), [true, false]),
        ("3.4.1", and(execute, "evaluations", json!([on(record("record-1")), {}])), [true, false]),
    ];
    for (number, body, expected) in decided {
        let answer = http.ask(EVALUATIONS, &body);
        let decisions: Vec<_> =
            answer["evaluations"].as_array().unwrap().iter().map(|item| &item["decision"]).collect();
        assert_eq!(decisions, expected, "{number}: {answer}");
        assert!(answer.get("decision").is_none(), "3.3.4");
    }
    for body in [alice_reads(), and(alice_reads(), "evaluations", json!([]))] {
        assert_eq!(http.ask(EVALUATIONS, &body)["decision"], true, "3.4.2, 3.4.3");
    }
}

/// The names that a search finds.
fn found(answer: &Json) -> Vec<&str> {
    let name = |result: &'static str| move |found: &Json| found.get(result).is_some();
    let results = answer["results"].as_array().unwrap();
    let key = if results.iter().all(name("name")) { "name" } else { "id" };
    results.iter().map(|result| result[key].as_str().unwrap()).collect()
}

#[test]
fn search() {
    let daemon = serve("authzen-certification");
    let http = Http::one(&daemon);
    let readers = || json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": record("record-1")});
    let reads = || json!({"subject": user("alice"), "action": {"name": "read"}, "resource": {"type": "record"}});
    let does = || json!({"subject": user("alice"), "resource": record("record-1")});
    let people = || vec!["alice", "bob"];
    let records = || vec!["record-1", "record-2"];
    let searches = [
        ("4.2.1", SUBJECT, readers(), people()),
        ("4.2.2", SUBJECT, and(readers(), "context", situation()), people()),
        ("4.2.3", SUBJECT, and(readers(), "subject", user("alice")), people()),
        ("4.2.4", SUBJECT, ask(json!({"type": "user"}), "write", archived()), vec!["bob"]),
        ("4.3.1", RESOURCE, reads(), records()),
        ("4.3.2", RESOURCE, and(reads(), "context", situation()), records()),
        ("4.3.3", RESOURCE, and(reads(), "resource", record("record-1")), records()),
        ("4.3.4", RESOURCE, ask(admin(), "write", json!({"type": "record"})), vec!["record-2"]),
        ("4.4.1", ACTION, does(), vec!["read", "write"]),
        ("4.4.2", ACTION, and(does(), "context", situation()), vec!["read", "write"]),
        ("4.4.3", ACTION, json!({"subject": admin(), "resource": archived()}), vec!["read", "write"]),
        ("4.6.1", ACTION, and(does(), "subject", user("nonexistent-user")), vec![]),
        ("4.6.1", SUBJECT, and(readers(), "resource", record("nonexistent")), vec![]),
        ("4.6.1", RESOURCE, and(reads(), "subject", user("nonexistent-user")), vec![]),
        ("4.6.2", SUBJECT, and(readers(), "subject", json!({"type": "spaceship"})), vec![]),
        ("4.6.2", RESOURCE, and(reads(), "resource", json!({"type": "spaceship"})), vec![]),
        ("4.6.2", RESOURCE, and(reads(), "subject", json!({"type": "spaceship", "id": "x"})), vec![]),
        ("4.6.2", ACTION, and(does(), "resource", json!({"type": "spaceship", "id": "x"})), vec![]),
    ];
    for (number, path, body, expected) in searches {
        assert_eq!(found(&http.ask(path, &body)), expected, "{number}: {body}");
    }
    let first = http.ask(SUBJECT, &and(readers(), "page", json!({"limit": 1})));
    let token = first["page"]["next_token"].as_str().unwrap();
    assert_eq!((found(&first), token.is_empty()), (vec!["alice"], false), "4.5.1");
    let rest = http.ask(SUBJECT, &and(readers(), "page", json!({"token": token})));
    assert_eq!((found(&rest), rest["page"]["next_token"].as_str()), (vec!["bob"], Some("")), "4.5.2");
    let refused = [
        (SUBJECT, without(readers(), "/action")),
        (RESOURCE, without(reads(), "/subject")),
        (ACTION, without(does(), "/resource")),
        (SUBJECT, without(readers(), "/resource/id")),
        (RESOURCE, without(reads(), "/subject/id")),
        (ACTION, without(does(), "/subject/id")),
    ];
    for (path, body) in refused {
        http.post(path, body.to_string()).refused(400);
    }
}

#[test]
fn transport() {
    let daemon = serve("authzen-certification");
    let http = Http::one(&daemon);
    let echoed = |path: &str| -> Answer {
        let request =
            http::Request::post(path).header("content-type", "application/json").header("x-request-id", "5.4");
        let body =
            json!({"subject": user("alice"), "action": {"name": "read"}, "resource": record("record-1"), "x": {}});
        http.send(request, body.to_string())
    };
    for path in [EVALUATION, EVALUATIONS, SUBJECT, RESOURCE, ACTION] {
        let answer = echoed(path);
        answer.json();
        assert_eq!(answer.header("x-request-id"), "5.4", "{path}");
    }
}
