//! Requests against a mapping, without a daemon: what they ask, and what is refused because it has two readings.

mod bypass;
mod model;

use std::collections::BTreeMap;

use super::{Claim, Claims, HttpRequest, Unmapped, header_changes, question};
use crate::document::{Source, build};
use crate::index::Index;
use crate::model::{Entity, Request, Timestamp, Value};

const POLICY: &str = "\
sidegate: 1
subject_types: {user: {attributes: {team: {type: string, from: request}}}, service: {}}
context: {mfa: bool, risk: {type: int, default: 0}, at: timestamp, groups: list(string), boss: ref(user), kind: string}
types:
  ws: {root: true, actions: [open]}
  bot:
    parent: ws
    attributes: {state: {type: string, from: [snapshot, request]}}
    actions: {view: {}, make: {creates: true}, move: {parameters: {to: ref(ws)}}}
  page: {parent: ws, open: true, actions: [read]}
roles: {all: {at: ws, superuser: true}}
subjects: {user/ana: {}, service/spiffe://example.org/web: {}}
resources: {ws/prod: {}, bot/b1: {parent: ws/prod}}
bindings: [{subject: user/ana, role: all, at: ws/prod}]
http:
  subject: [\"user/{claim.sub}\", \"user/{header.x-user}\", \"service/{principal}\"]
  context: {mfa: \"{claim.mfa}\", risk: \"{header.x-risk}\", kind: plain}
  remove_headers: [x-user]
  set_headers: {x-who: \"{subject}\", x-id: \"{subject.id}\", x-what: \"{resource}\", x-fixed: here, x-rule: \"{rule}\"}
  routes:
    GET|HEAD /ws/{ws}/bots/{bot}: {action: view, on: \"bot/{bot}\", parent: \"ws/{ws}\"}
    POST /ws/{ws}/bots/{bot}:
      {action: make, on: \"bot/{bot}\", parent: \"ws/{ws}\", properties: {state: \"{header.x-state}\"}}
    PUT /ws/{ws}/bots/{bot}/to/{to}: {action: move, on: \"bot/{bot}\", parameters: {to: \"{to}\"}}
    GET /ws/{ws}/bots/latest:
      action: open
      on: ws/{ws}
      context: {at: \"{claim.iat}\", groups: \"{claim.realm.groups}\", boss: \"{claim.boss}\", kind: \"{extension.kind}\"}
    GET /ws/{ws}/pages/{page*}: {action: read, on: \"page/{ws}/{page}\", parent: \"ws/{ws}\"}
    GET admin.example.org/ws/{ws}/bots/latest: {action: open, on: \"ws/{ws}\"}
    GET admin.example.org/ws/{ws}/bots/{bot}: {action: move, on: \"bot/{bot}\", parameters: {to: ws/prod}}
    GET /: {action: open, on: \"ws/{extension.home}\", subject: user/guest}
";

/// Claims of a test, in JSON.
#[derive(Debug, Default)]
struct Json(serde_json::Value);

impl Claims for Json {
    fn find(&self, path: &mut dyn Iterator<Item = &str>) -> Option<Claim<'_>> {
        fn claim(value: &serde_json::Value) -> Claim<'_> {
            match value {
                serde_json::Value::Null => Claim::Null,
                serde_json::Value::Bool(flag) => Claim::Bool(*flag),
                serde_json::Value::Number(number) => Claim::Number(number.as_f64().unwrap()),
                serde_json::Value::String(text) => Claim::Text(text),
                serde_json::Value::Array(items) => Claim::List(items.iter().map(claim).collect()),
                serde_json::Value::Object(_) => Claim::Other,
            }
        }
        let mut at = &self.0;
        for key in path {
            at = at.get(key)?;
        }
        Some(claim(at))
    }
}

/// A request that owns what it says.
#[derive(Debug, Default)]
struct Sent {
    method: &'static str,
    path: String,
    host: String,
    headers: Vec<(String, Vec<u8>)>,
    is_joined: bool,
    principal: String,
    extensions: BTreeMap<String, String>,
    claims: Json,
}

impl Sent {
    /// By ana, with a token.
    fn new(method: &'static str, path: &str) -> Self {
        let claims = Json(serde_json::json!({"payload": {"sub": "ana", "mfa": true}}));
        Self { method, path: path.to_owned(), host: "example.org".to_owned(), claims, ..Self::default() }
    }

    fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn claims(mut self, payload: &serde_json::Value) -> Self {
        self.claims = Json(serde_json::json!({"payload": payload}));
        self
    }

    fn ask(&self, index: &Index) -> Result<String, Unmapped> {
        question(index, &self.request()).map(|question| question.ask(told))
    }

    fn request(&self) -> HttpRequest<'_> {
        HttpRequest {
            method: self.method,
            path: &self.path,
            host: &self.host,
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            is_joined: self.is_joined,
            principal: &self.principal,
            extensions: &self.extensions,
            claims: &self.claims,
        }
    }
}

/// A question in one line.
fn told(request: &Request<'_>) -> String {
    let Request { subject, action, resource, parent, .. } = request;
    let parent = parent.map(|parent| format!(" in {parent}")).unwrap_or_default();
    let properties = [
        ("subject", request.subject_properties),
        ("action", request.action_properties),
        ("resource", request.resource_properties),
        ("context", request.context),
    ];
    let all = properties.iter().flat_map(|(owner, own)| own.iter().map(move |(name, value)| (owner, name, value)));
    let all = all.filter(|(_, _, value)| **value != Value::String("plain"));
    let said = format!("{subject} {action} {resource}{parent}");
    all.fold(said, |said, (owner, name, value)| format!("{said} {owner}.{name}={value:?}"))
}

fn index(text: &str) -> Index {
    let sources = vec![Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() }];
    build(sources).unwrap_or_else(|report| panic!("{}", report.lines().join("\n"))).index
}

/// What is told of a text that is refused.
fn refused(text: &str) -> String {
    let sources = vec![Source { name: "policy.yaml".to_owned(), bytes: text.as_bytes().to_vec() }];
    build(sources).expect_err("it was accepted").lines().join("\n")
}

#[test]
fn a_request_asks_what_its_route_says() {
    let index = index(POLICY);
    let asks = |sent: Sent| sent.ask(&index).unwrap_or_else(|problem| panic!("{sent:?}: {problem}"));
    let mfa = " context.mfa=Bool(true)";
    for path in ["/ws/prod/bots/b1", "/ws/prod/bots/b1?x=/../y;z"] {
        assert_eq!(asks(Sent::new("GET", path)), format!("user/ana view bot/b1 in ws/prod{mfa}"));
    }
    let sent = Sent::new("POST", "/ws/prod/bots/caf%C3%A9%20%401").header("x-state", "new").header("x-risk", "7");
    let wanted = "user/ana make bot/caf\u{e9} @1 in ws/prod resource.state=String(\"new\")";
    assert_eq!(asks(sent), format!("{wanted}{mfa} context.risk=Int(7)"));
    let moved = "user/ana move bot/b1 action.to=Entity(Entity { kind: \"ws\", id: \"prod\" })";
    assert_eq!(asks(Sent::new("PUT", "/ws/x/bots/b1/to/prod")), format!("{moved}{mfa}"));
    assert_eq!(
        asks(Sent::new("GET", "/ws/prod/pages/a/b/c")),
        format!("user/ana read page/prod/a/b/c in ws/prod{mfa}")
    );
    let at_host = |host: &str| asks(Sent { host: host.to_owned(), ..Sent::new("GET", "/ws/prod/bots/b1") });
    for host in ["admin.example.org", "admin.example.org:8443"] {
        assert_eq!(at_host(host), format!("{moved}{mfa}"));
    }
    assert_eq!(at_host("example.org"), format!("user/ana view bot/b1 in ws/prod{mfa}"));
    let home = Sent { extensions: [("home".to_owned(), "prod".to_owned())].into(), ..Sent::new("GET", "/") };
    assert_eq!(asks(home), format!("user/guest open ws/prod{mfa}"));
}

#[test]
fn who_asks_is_the_first_that_is_there() {
    let index = index(POLICY);
    let path = "/ws/prod/bots/b1";
    let subject = |sent: Sent| sent.ask(&index).map(|told| told.split(' ').next().unwrap().to_owned());
    let principal = || "spiffe://example.org/web".to_owned();
    let nobody = || Sent::new("GET", path).claims(&serde_json::json!({}));
    assert_eq!(
        subject(Sent { principal: principal(), ..Sent::new("GET", path).header("x-user", "bob") }).unwrap(),
        "user/ana"
    );
    assert_eq!(subject(Sent { principal: principal(), ..nobody().header("x-user", "bob") }).unwrap(), "user/bob");
    assert_eq!(subject(Sent { principal: principal(), ..nobody() }).unwrap(), "service/spiffe://example.org/web");
    assert_eq!(subject(nobody()), Err(Unmapped::NoSubject));
    // What is there and is not one text is nobody, and nobody else is looked for.
    for odd in
        [serde_json::json!(7), serde_json::json!(["ana"]), serde_json::json!({"id": "ana"}), serde_json::json!(true)]
    {
        let sent = Sent::new("GET", path).claims(&serde_json::json!({"sub": odd})).header("x-user", "ana");
        assert_eq!(subject(sent), Err(Unmapped::NoSubject), "{odd}");
    }
    assert_eq!(subject(Sent::new("GET", path).claims(&serde_json::json!({"sub": ""}))), Err(Unmapped::Missing));
    assert_eq!(subject(nobody().header("x-user", "")), Err(Unmapped::Missing));
}

#[test]
fn values_have_their_declared_types_or_none() {
    let index = index(POLICY);
    let path = "/ws/prod/bots/latest";
    let context = |payload: serde_json::Value| Sent::new("GET", path).claims(&payload).ask(&index).unwrap();
    let told = context(serde_json::json!({
        "sub": "ana", "iat": 1_700_000_000, "boss": "bob", "realm": {"groups": ["a", 7, null]},
    }));
    let moment = Timestamp::new(1_700_000_000, 0).unwrap();
    for wanted in [
        format!("context.at={:?}", Value::Timestamp(moment)),
        format!("context.boss={:?}", Value::Entity(Entity { kind: "user", id: "bob" })),
        "context.groups=List([String(\"a\"), Int(7), Bool(false)])".to_owned(),
    ] {
        assert!(told.contains(&wanted), "{told} lacks {wanted}");
    }
    assert!(!told.contains("context.kind"), "what is not there is not said: {told}");
    for (payload, wanted) in [
        (serde_json::json!({"sub": "a", "mfa": "true"}), "context.mfa=String(\"true\")"),
        (serde_json::json!({"sub": "a", "mfa": 1}), "context.mfa=Int(1)"),
        (serde_json::json!({"sub": "a", "mfa": [true]}), "context.mfa=Int(0)"),
        (serde_json::json!({"sub": "a", "iat": 1.5}), "context.at=Bool(false)"),
        (serde_json::json!({"sub": "a", "iat": 1e300}), "context.at=Bool(false)"),
        (serde_json::json!({"sub": "a", "iat": "2026-01-01T00:00:00Z"}), "context.at=Timestamp"),
        (serde_json::json!({"sub": "a", "realm": {"groups": "a"}}), "context.groups=Bool(false)"),
    ] {
        let told = context(payload.clone());
        assert!(told.contains(wanted), "{payload}: {told}");
    }
    for (sent, wanted) in [("7", "Int(7)"), ("-7", "Int(-7)"), ("+7", "String"), ("07", "String"), ("x", "String")] {
        let told = Sent::new("GET", "/ws/prod/bots/b1").header("x-risk", sent).ask(&index).unwrap();
        assert!(told.contains(&format!("context.risk={wanted}")), "{sent}: {told}");
    }
}

#[test]
fn what_goes_on_has_other_headers() {
    let index = index(POLICY);
    let sent = Sent::new("GET", "/ws/prod/bots/b1");
    let request = sent.request();
    let question = question(&index, &request).unwrap();
    let verdict = question.ask(|request| crate::decide::authorize(&index, request, Timestamp::NEW_YEAR_2026)).unwrap();
    assert!(verdict.is_allow());
    let changes = header_changes(&index, &question, &verdict, "digest").unwrap();
    assert_eq!(changes.remove, ["x-user"]);
    let set: Vec<_> = changes.set.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(set, ["x-fixed: here", "x-id: ana", "x-rule: roles/all/bot.view", "x-what: bot/b1", "x-who: user/ana"]);
}

#[test]
fn the_order_of_the_file_never_matters() {
    let whole = index(POLICY);
    let (before, routes) = POLICY.split_once("  routes:\n").unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in routes.lines() {
        if line.starts_with("    ") && !line.starts_with("     ") {
            lines.push(String::new());
        }
        let last = lines.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
    }
    lines.reverse();
    let turned = index(&format!("{before}  routes:\n{}", lines.concat()));
    assert_eq!(whole.digest(), turned.digest());
    let without = index(before.split_once("http:").unwrap().0);
    assert_ne!(whole.digest(), without.digest());
    assert_eq!(Sent::new("GET", "/ws/prod/bots/b1").ask(&without), Err(Unmapped::NoRoute));
}

#[test]
fn mistakes_are_told_where_they_stand() {
    let one = |from: &str, to: &str| {
        assert!(POLICY.contains(from), "{from}");
        refused(&POLICY.replacen(from, to, 1))
    };
    for (from, to, wanted) in [
        ("GET|HEAD /ws/{ws}/bots/{bot}", "GET /ws/{ws}/bots/{other}/", "a slash at the end"),
        ("PUT /ws/{ws}/bots/{bot}/to/{to}", "PUT /ws/{ws}/bots/{ws}/to/{to}", "names two segments `ws`"),
        ("PUT /ws/{ws}/bots/{bot}/to/{to}", "GET /ws/{b}/bots/{bot}", "take the same requests"),
        ("PUT /ws/{ws}/bots/{bot}/to/{to}", "GET /{to}/{bot}/bots/newest", "neither is narrower"),
        ("PUT /ws/{ws}/bots/{bot}/to/{to}", "GET /WS/{to}/bots/{bot}", "upper and lower case"),
        (
            "action: move, on: \"bot/{bot}\", parameters: {to: \"{to}\"}",
            "action: move, on: \"bot/{bot}\"",
            "parameter `to`",
        ),
        ("to: \"{to}\"", "to: \"{too}\"", "`to` is no segment of the path"),
        ("action: view", "action: fly", "`bot` has no action `fly`"),
        (
            "on: \"bot/{bot}\", parent: \"ws/{ws}\"}",
            "on: \"bat/{bot}\", parent: \"ws/{ws}\"}",
            "`bat` is not a type of resources",
        ),
        (
            "on: \"bot/{bot}\", parent: \"ws/{ws}\"}",
            "on: \"bot/{bot}\", parent: \"bot/{ws}\"}",
            "does not stand under a `bot`",
        ),
        ("kind: plain", "kind: 7", "is not of its type"),
        ("kind: plain", "colour: plain", "`colour` is no attribute of context"),
        ("kind: plain", "groups: \"{header.x-groups}\"", "which only a claim can be"),
        ("subject: user/guest", "subject: \"user/{header.x_user}\"", "is no source"),
        ("subject: user/guest", "subject: ws/prod", "not a type of subjects"),
        (
            "GET /: {action: open, on: \"ws/{extension.home}\", subject: user/guest}",
            "GET /{a}: {action: open, on: \"ws/{a}\", subject: \"user/{a}\"}",
            "say who asks by its path",
        ),
        ("remove_headers: [x-user]", "remove_headers: [X-User]", "no header that can be"),
        ("remove_headers: [x-user]", "remove_headers: [x-who]", "both set and removed"),
        ("x-fixed: here", "x-fixed: \"{here}\"", "set to something that is not known"),
        ("  subject: [", "  subjects: [", "unknown key"),
        ("\"service/{principal}\"]", "\"service/{principal}\", user/a, user/b]", "never looked at"),
        ("state: \"{header.x-state}\"", "team: x", "`team` is no attribute of `bot`"),
    ] {
        let told = one(from, to);
        assert!(told.contains(wanted), "{to}: {told}");
        assert!(told.contains("policy.yaml:"), "{to}: {told}");
    }
    let taken = one(
        "PUT /ws/{ws}/bots/{bot}/to/{to}",
        "GET /a/{ws}/{bot}/{to*}: {action: read, on: \"page/x\"}\n    GET /a/{ws}/{bot}/{to}: {action: read, on: \"page/x\"}\n    GET /a/{ws}/{bot}/{to}/{more*}",
    );
    assert!(taken.contains("is in vain"), "{taken}");
    let none = refused(&format!("{}  subject: user/ana\n", POLICY.split_once("  subject: [").unwrap().0));
    assert!(none.contains("`http` has no routes"), "{none}");
}
