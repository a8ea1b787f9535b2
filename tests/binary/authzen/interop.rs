//! What the working group publishes about its demo applications, in tables of our own, and the packs that answer it.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{EVALUATION, EVALUATIONS, Http};
use crate::support::Daemon;

/// A daemon of an example, with the configuration beside it.
pub(super) fn serve(example: &str) -> Daemon {
    let pack: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(example);
    let file = pack.join("sidegate.toml");
    let more = if file.exists() { vec!["--config", file.to_str().unwrap()] } else { Vec::new() };
    Daemon::serve(tempfile::tempdir().unwrap(), &pack, &more).ready()
}

/// The people of the to-do list: the digit in which their tokens' subjects differ, their address, and whether they may.
const PEOPLE: [(char, &str, &str); 5] = [
    ('A', "rick@the-citadel.com", "editor admin evil_genius"),
    ('E', "morty@the-citadel.com", "editor"),
    ('I', "summer@the-smiths.com", "editor"),
    ('M', "beth@the-smiths.com", "viewer"),
    ('Q', "jerry@the-smiths.com", "viewer"),
];

fn token_subject(digit: char) -> String {
    format!("CiRmZD{digit}2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs")
}

/// Somebody's entry on the list.
fn entry(owner: &str) -> Json {
    let number = match owner.split('@').next().unwrap() {
        "morty" => 1,
        "rick" => 2,
        "summer" => 3,
        "beth" => 4,
        _ => 5,
    };
    let id = format!("7240d0db-8ff0-41ec-98b2-34a096273b9{number}");
    json!({"type": "todo", "id": id, "properties": {"ownerID": owner}})
}

#[test]
fn the_todo_list_is_answered_as_published() {
    let daemon = serve("authzen-todo");
    let http = Http::one(&daemon);
    let mut asked = 0;
    for (digit, address, roles) in PEOPLE {
        let (edits, all) = (roles.contains("editor"), roles.contains("admin"));
        let second = if all { "morty@the-citadel.com" } else { address };
        let shared = json!({"type": "todo", "id": "todo-1"});
        let profile = |address: &str| json!({"type": "user", "id": address});
        let questions = [
            ("can_read_user", profile("beth@the-smiths.com"), true),
            ("can_read_user", profile(address), true),
            ("can_read_todos", shared.clone(), true),
            ("can_create_todo", shared, edits),
            ("can_update_todo", entry("rick@the-citadel.com"), all),
            ("can_update_todo", entry(second), edits),
            ("can_delete_todo", entry("rick@the-citadel.com"), all),
            ("can_delete_todo", entry(second), edits),
        ];
        for (action, resource, expected) in questions {
            let subject = json!({"type": "user", "id": token_subject(digit)});
            let body = json!({"subject": subject, "action": {"name": action}, "resource": resource});
            let answer = http.ask(EVALUATION, &body);
            assert_eq!(answer["decision"], expected, "{body}: {answer}");
            asked += 1;
        }
    }
    assert_eq!(asked, 40);
    let several = [
        ('A', ["rick@the-citadel.com", "jerry@the-smiths.com"], [true, true]),
        ('E', ["rick@the-citadel.com", "morty@the-citadel.com"], [false, true]),
        ('Q', ["rick@the-citadel.com", "jerry@the-smiths.com"], [false, false]),
    ];
    for (digit, owners, expected) in several {
        let items = owners.map(|owner| json!({"resource": entry(owner)}));
        let subject = json!({"type": "user", "id": token_subject(digit)});
        let body = json!({"subject": subject, "action": {"name": "can_update_todo"}, "evaluations": items});
        let answer = http.ask(EVALUATIONS, &body);
        let decisions: Vec<_> =
            answer["evaluations"].as_array().unwrap().iter().map(|item| &item["decision"]).collect();
        assert_eq!(decisions, expected, "{body}: {answer}");
    }
}

#[test]
fn the_gateway_is_answered_as_published() {
    let daemon = serve("authzen-gateway");
    let http = Http::one(&daemon);
    let routes = [
        ("GET", "/users/{userId}", true),
        ("GET", "/todos", true),
        ("POST", "/todos", false),
        ("PUT", "/todos/{todoId}", false),
        ("DELETE", "/todos/{todoId}", false),
    ];
    for (digit, _, roles) in PEOPLE {
        for (method, route, for_all) in routes {
            let body = json!({
                "subject": {"type": "identity", "id": token_subject(digit)},
                "action": {"name": method},
                "resource": {"type": "route", "id": route},
            });
            assert_eq!(http.ask(EVALUATION, &body)["decision"], for_all || roles.contains("editor"), "{body}");
        }
    }
}

const USERS: [&str; 6] = ["alice", "bob", "carol", "dan", "erin", "felix"];
const ACTIONS: [&str; 3] = ["view", "edit", "delete"];

/// Who may view, edit and delete each record, by the first letter of their names.
const RECORDS: [(u32, &str, &str, &str); 20] = [
    (101, "abcd", "a", "a"),
    (102, "abcd", "b", "b"),
    (103, "abcd", "c", "c"),
    (104, "adf", "d", "d"),
    (105, "abcde", "e", "e"),
    (106, "adf", "f", "f"),
    (107, "ad", "a", "a"),
    (108, "abcd", "b", "b"),
    (109, "acdf", "c", "c"),
    (110, "ad", "ad", "d"),
    (111, "adef", "e", "e"),
    (112, "abcdf", "f", "f"),
    (113, "ad", "a", "a"),
    (114, "abdf", "b", "b"),
    (115, "acde", "cd", "c"),
    (116, "abcd", "d", "d"),
    (117, "abcde", "e", "e"),
    (118, "adf", "f", "f"),
    (119, "abcd", "a", "a"),
    (120, "abdf", "b", "b"),
];

/// Whether one of them may, by the table.
fn may(user: &str, action: &str, record: u32) -> bool {
    let (_, view, edit, delete) = RECORDS.into_iter().find(|(number, ..)| *number == record).unwrap();
    let who = match action {
        "view" => view,
        "edit" => edit,
        _ => delete,
    };
    who.contains(user.chars().next().unwrap())
}

/// What a search finds, in the order of the names: the order of an answer means nothing.
fn found(http: &Http, what: &str, body: &Json) -> Vec<String> {
    let answer = http.ask(&format!("/access/v1/search/{what}"), body);
    assert_eq!(answer["page"]["next_token"], "", "{answer}");
    let results = answer["results"].as_array().unwrap();
    let kind = if what == "subject" { "user" } else { "record" };
    let mut names: Vec<_> = results
        .iter()
        .map(|result| {
            assert!(what == "action" || result["type"] == kind, "{result}");
            let name = if what == "action" { &result["name"] } else { &result["id"] };
            name.as_str().unwrap().to_owned()
        })
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn the_searches_are_answered_as_published() {
    let daemon = serve("authzen-search");
    let http = Http::one(&daemon);
    let user = |id: &str| json!({"type": "user", "id": id});
    let record = |id: u32| json!({"type": "record", "id": id.to_string()});
    let mut asked = [0; 3];
    for action in ACTIONS {
        for (id, ..) in RECORDS {
            let body = json!({"subject": {"type": "user"}, "action": {"name": action}, "resource": record(id)});
            let wanted: Vec<_> = USERS.into_iter().filter(|user| may(user, action, id)).collect();
            assert_eq!(found(&http, "subject", &body), wanted, "{body}");
            asked[0] += 1;
        }
        for name in USERS {
            // The searches of the identity provider demo are those among these that delete.
            let body = json!({"subject": user(name), "action": {"name": action}, "resource": {"type": "record"}});
            let ids = RECORDS.into_iter().map(|(id, ..)| id).filter(|id| may(name, action, *id));
            assert_eq!(found(&http, "resource", &body), ids.map(|id| id.to_string()).collect::<Vec<_>>(), "{body}");
            asked[1] += 1;
        }
    }
    for name in USERS {
        for (id, ..) in RECORDS {
            let body = json!({"subject": user(name), "resource": record(id)});
            let mut wanted: Vec<_> = ACTIONS.into_iter().filter(|action| may(name, action, id)).collect();
            wanted.sort_unstable();
            assert_eq!(found(&http, "action", &body), wanted, "{body}");
            asked[2] += 1;
        }
    }
    assert_eq!(asked, [60, 18, 120]);
}
