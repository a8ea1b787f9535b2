//! Who is covered by which rule, what a rule lets ask, and that narrowing a rule never widens what is answered.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    document::{Source, build},
    index::Index,
    model::{Entity, Request, Value},
    observe::decision_log::Owner,
    service::{
        peer::{Certificate, Peer},
        registry::{Registered, Registry},
    },
};

const POLICY: &str = "\
sidegate: 1
subject_types: {user: {}, robot: {}}
context: {mfa: bool, place: string}
types:
  account: {root: true}
  workspace: {parent: account, actions: [access]}
  bot:
    parent: workspace
    open: true
    attributes: {locked: {type: bool, from: [request, snapshot]}, state: {type: string, from: request}}
    actions: {view: {}, move: {parameters: {to: ref(workspace)}}}
roles:
  member: {at: workspace, allow: [{on: workspace, actions: [access]}]}
subjects: {user/ana: {}, robot/r2: {}}
resources:
  account/orbit: {}
  account/other: {}
  workspace/prod: {parent: account/orbit}
  workspace/lab: {parent: account/other}
  bot/helper: {parent: workspace/prod}
";

fn index() -> Index {
    let source = Source { name: "policy.yaml".to_owned(), bytes: POLICY.as_bytes().to_vec() };
    build(vec![source]).unwrap_or_else(|report| panic!("{report}")).index
}

fn unix(uid: u32, gid: u32) -> Peer {
    Peer::Unix { uid, gid, pid: None }
}

fn tcp(address: &str) -> Peer {
    Peer::Address(address.parse::<SocketAddr>().unwrap())
}

fn connect(peer: Peer, uris: &[&str], dns: &[&str]) -> Registered {
    let registered = Arc::new(Registry::new(1, Arc::default())).register(peer, "data").unwrap();
    if !uris.is_empty() || !dns.is_empty() {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = Certificate { uris: own(uris), dns: own(dns) };
        registered.connection().certificate.set(certificate).unwrap();
    }
    registered
}

fn gate(rules: Vec<CallerRule>) -> Gate {
    let callers = rules.into_iter().map(Arc::new).collect();
    Gate::new(Settings { callers, ..Settings::default() }, Arc::default())
}

fn users(name: &str, uid: u32) -> CallerRule {
    CallerRule::new(name, Who::Unix { uids: vec![uid], gids: Vec::new() })
}

fn tls(name: &str, pattern: &str) -> CallerRule {
    CallerRule::new(name, Who::Tls(vec![SanPattern::parse(pattern).unwrap()]))
}

fn covered(gate: &Gate, registered: &Registered) -> Result<String, Refusal> {
    let caller = gate.caller(Some(registered.connection()))?;
    Ok(caller.rule.as_ref().map_or("", |rule| rule.name.as_str()).to_owned())
}

#[test]
fn the_first_rule_that_covers_a_caller_counts() {
    let both = Who::Unix { uids: vec![7], gids: vec![8, 9] };
    let gate = gate(vec![
        CallerRule::new("both", both),
        users("seven", 7),
        CallerRule::new("group", Who::Unix { uids: Vec::new(), gids: vec![20] }),
        tls("ops", "spiffe://example.org/ops/*"),
        tls("web", "web.example.org"),
    ]);
    for (peer, name) in [(unix(7, 9), "both"), (unix(7, 1), "seven"), (unix(1, 20), "group")] {
        assert_eq!(covered(&gate, &connect(peer, &[], &[])).as_deref(), Ok(name));
    }
    let elsewhere = tcp("10.0.0.9:1");
    let named = |uris: &[&str], dns: &[&str]| covered(&gate, &connect(elsewhere, uris, dns));
    assert_eq!(named(&["spiffe://example.org/ops/a"], &[]).as_deref(), Ok("ops"));
    assert_eq!(named(&["urn:x"], &["other", "WEB.example.ORG"]).as_deref(), Ok("web"));
    // A name of one sort is never taken for one of the other.
    assert!(matches!(named(&["web.example.org"], &["spiffe://example.org/ops/a"]), Err(Refusal::NotAllowed(_))));
    let Err(Refusal::NotAllowed(message)) = covered(&gate, &connect(unix(1, 2), &[], &[])) else { panic!("covered") };
    assert_eq!(message, "no caller rule covers uid 1 gid 2");
    for nobody in [tcp("127.0.0.1:1"), elsewhere, Peer::Unknown] {
        let refused = covered(&gate, &connect(nobody, &[], &[]));
        assert!(matches!(refused, Err(Refusal::Unauthenticated(_))), "{refused:?}");
    }
}

#[test]
fn without_rules_only_this_machine_is_let_in() {
    let closed = gate(Vec::new());
    for here in [tcp("127.0.0.1:1"), tcp("[::1]:1"), tcp("[::ffff:127.0.0.1]:1"), unix(1, 1), Peer::Unknown] {
        assert_eq!(covered(&closed, &connect(here, &[], &[])).as_deref(), Ok(""), "{here}");
    }
    for there in [tcp("10.0.0.9:1"), tcp("[fe80::1]:1")] {
        assert!(matches!(covered(&closed, &connect(there, &[], &[])), Err(Refusal::Unauthenticated(_))), "{there}");
        let open = Gate::new(Settings { open_to_strangers: true, ..Settings::default() }, Arc::default());
        assert!(covered(&open, &connect(there, &[], &[])).is_ok());
    }
}

#[test]
fn a_prefix_ends_at_a_slash_and_nobody_climbs_out_of_it() {
    for bad in [
        "",
        "*",
        "spiffe://*",
        "spiffe://example.org*",
        "spiffe://example.org/a*",
        "spiffe:///*",
        "*.example.org",
        "spiffe://*/a",
        "://example.org/*",
        "a b",
        "spiffe://example.org/*/b",
        "urn:x:*",
    ] {
        assert!(SanPattern::parse(bad).is_err(), "{bad}");
    }
    let gate = gate(vec![tls("prod", "spiffe://example.org/prod/*")]);
    let named = |uri: &str| covered(&gate, &connect(Peer::Unknown, &[uri], &[])).is_ok();
    assert!(named("spiffe://example.org/prod/a") && named("spiffe://example.org/prod/a/b"));
    for bad in ["", "../test/a", "a/../../test", "./a", "a//b", "/a", "%2e%2e/test", "a?b", "a#b", "a\\b", "a/"] {
        assert!(!named(&format!("spiffe://example.org/prod/{bad}")), "{bad}");
    }
    for bad in ["spiffe://example.org/prod", "spiffe://example.org/production/a", "spiffe://example.orgx/prod/a"] {
        assert!(!named(bad), "{bad}");
    }
}

#[test]
fn a_change_of_the_rules_is_seen_by_connections_that_are_open() {
    let gate = gate(vec![users("a", 7)]);
    let registered = connect(unix(7, 7), &[], &[]);
    let caller = gate.caller(Some(registered.connection())).unwrap();
    let again = gate.caller(Some(registered.connection())).unwrap();
    assert!(Arc::ptr_eq(&caller, &again), "matched once");
    gate.apply(Settings { callers: vec![Arc::new(users("b", 8))], ..Settings::default() });
    assert!(matches!(covered(&gate, &registered), Err(Refusal::NotAllowed(_))));
    gate.apply(Settings { callers: vec![Arc::new(users("c", 7))], ..Settings::default() });
    assert_eq!(covered(&gate, &registered).as_deref(), Ok("c"));
}

#[test]
fn neither_a_new_connection_nor_a_new_rule_refills_a_bucket() {
    let now = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&now);
    let metrics = Arc::new(Metrics::default());
    let rule =
        |per_second| CallerRule { rate: Some(Rate { per_second, burst: 3 }), in_flight: Some(2), ..users("a", 7) };
    let settings = |rate| Settings { callers: vec![Arc::new(rule(rate))], ..Settings::default() };
    let clock = Ticks::new(move || Duration::from_secs(read.load(Ordering::Relaxed)));
    let gate = Gate::with_clock(settings(1), Arc::clone(&metrics), clock);
    let ask = |items| {
        let registered = connect(unix(7, 7), &[], &[]);
        gate.admit(Some(registered.connection()), Asked::Check, items)
    };
    drop(ask(2).unwrap());
    gate.apply(settings(1));
    let place = ask(1).unwrap();
    let Err(Refusal::Exhausted(message)) = ask(1) else { panic!("not over the rate") };
    assert!(message.contains("`rate` = 1") && message.contains("`a`"), "{message}");
    let Err(Refusal::Exhausted(message)) = ask(4) else { panic!("not over the burst") };
    assert!(message.contains("`burst` = 3"), "{message}");
    now.store(100, Ordering::Relaxed);
    let other = ask(1).unwrap();
    let Err(Refusal::Exhausted(message)) = ask(1) else { panic!("not over the calls in flight") };
    assert!(message.contains("`in_flight` = 2"), "{message}");
    drop((place, other));
    assert!(ask(1).is_ok());
    let text = metrics.render();
    for line in [
        "sidegate_shed_total{what=\"caller_rate\"} 2",
        "sidegate_shed_total{what=\"caller_in_flight\"} 1",
        "sidegate_caller_refusals_total{caller=\"a\",why=\"limit\"} 3",
    ] {
        assert!(text.lines().any(|is| is == line), "{line} is missing from\n{text}");
    }
    gate.apply(Settings::default());
    assert!(!metrics.render().contains("caller=\"a\""), "labels go with rules");
}

/// A question in the terms that rules are about.
#[derive(Debug, Clone)]
struct Drawn {
    subject: &'static str,
    resource: Entity<'static>,
    parent: Option<Entity<'static>>,
    to: Option<Entity<'static>>,
    sent: Vec<(Owner, &'static str)>,
}

impl Drawn {
    fn ask<R>(&self, use_it: impl FnOnce(&Request<'_>) -> R) -> R {
        let of = |owner| -> Vec<(&str, Value<'_>)> {
            self.sent.iter().filter(|(is, _)| *is == owner).map(|(_, name)| (*name, Value::Bool(true))).collect()
        };
        let to: Vec<_> = self.to.iter().map(|to| ("to", Value::Entity(*to))).collect();
        use_it(&Request {
            subject: Entity { kind: self.subject, id: "ana" },
            subject_properties: &of(Owner::Subject),
            action: "view",
            action_properties: &to,
            resource: self.resource,
            parent: self.parent,
            resource_properties: &of(Owner::Resource),
            context: &of(Owner::Context),
        })
    }
}

const NODES: [(&str, &str); 8] = [
    ("account", "orbit"),
    ("account", "other"),
    ("workspace", "prod"),
    ("workspace", "lab"),
    ("bot", "helper"),
    ("bot", "new"),
    ("nothing", "x"),
    ("workspace", "nowhere"),
];
const PROPERTIES: [(Owner, &str); 4] =
    [(Owner::Resource, "locked"), (Owner::Resource, "state"), (Owner::Context, "mfa"), (Owner::Context, "place")];

fn node() -> impl Strategy<Value = Entity<'static>> {
    proptest::sample::select(&NODES[..]).prop_map(|(kind, id)| Entity { kind, id })
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let subject = proptest::sample::select(vec!["user", "robot", "nothing"]);
    let sent = proptest::sample::subsequence(PROPERTIES.to_vec(), 0..=4);
    (subject, node(), proptest::option::of(node()), proptest::option::of(node()), sent)
        .prop_map(|(subject, resource, parent, to, sent)| Drawn { subject, resource, parent, to, sent })
}

fn rule() -> impl Strategy<Value = CallerRule> {
    let types = proptest::option::of(proptest::sample::subsequence(vec!["user", "robot"], 0..=2));
    let tenants = proptest::option::of(proptest::collection::vec(node(), 0..3));
    let asserted =
        proptest::sample::subsequence(vec!["*", "context.*", "context.mfa", "resource.locked", "resource.*"], 0..=5);
    (types, tenants, asserted, any::<(bool, bool, bool)>()).prop_map(|(types, tenants, asserted, flags)| {
        let mut rule = users("r", 7);
        rule.subject_types = types.map(|types| types.into_iter().map(str::to_owned).collect());
        rule.tenants = tenants.map(|nodes| {
            let mut tenants = Tenants::default();
            for node in &nodes {
                tenants.add(&node.to_string()).unwrap();
            }
            tenants
        });
        rule.assert = Asserted::nothing();
        for text in asserted {
            rule.assert.add(text).unwrap();
        }
        (rule.list, rule.explain, rule.administration) = flags;
        rule
    })
}

/// One thing of a rule taken away.
fn narrowed(rule: &CallerRule, what: usize) -> CallerRule {
    let mut narrow = rule.clone();
    match what {
        0 => drop(narrow.subject_types.get_or_insert_with(|| ["user".to_owned()].into()).pop_first()),
        1 => narrow.tenants = Some(Tenants::default()),
        2 if rule.tenants.is_none() => drop(narrow.tenants.get_or_insert_default().add("workspace/prod")),
        3 => narrow.assert.all = false,
        4 => drop(narrow.assert.names.pop()),
        5 => drop(narrow.assert.owners.pop()),
        6 => narrow.list = false,
        7 => narrow.explain = false,
        8 => narrow.administration = false,
        _ => {}
    }
    narrow
}

fn lets(rule: &CallerRule, index: &Index, question: &Drawn, asked: Asked, place: Place<'_>) -> bool {
    let gate = gate(vec![rule.clone()]);
    let registered = connect(unix(7, 7), &[], &[]);
    let Ok(admission) = gate.admit(Some(registered.connection()), asked, 1) else { return false };
    question.ask(|request| admission.may_ask(index, request, place)).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn narrowing_a_rule_never_widens_what_is_answered(rule in rule(), question in drawn(), what in 0..9_usize) {
        let index = index_once();
        let narrow = narrowed(&rule, what);
        for asked in [Asked::Check, Asked::List, Asked::Explain, Asked::Administration] {
            for place in [Place::Resource, Place::Within(None), Place::Within(question.parent)] {
                if lets(&narrow, index, &question, asked, place) {
                    prop_assert!(lets(&rule, index, &question, asked, place), "{narrow:?} lets ask what {rule:?} does not");
                }
            }
        }
    }
}

fn index_once() -> &'static Index {
    static INDEX: std::sync::OnceLock<Index> = std::sync::OnceLock::new();
    INDEX.get_or_init(index)
}

fn question(resource: (&'static str, &'static str)) -> Drawn {
    let resource = Entity { kind: resource.0, id: resource.1 };
    Drawn { subject: "user", resource, parent: None, to: None, sent: Vec::new() }
}

#[test]
fn tenants_are_what_the_snapshot_places_below_them() {
    let mut tenants = Tenants::default();
    tenants.add("account/orbit").unwrap();
    let rule = CallerRule { tenants: Some(tenants), ..users("r", 7) };
    let lets = |question: &Drawn| lets(&rule, index_once(), question, Asked::Check, Place::Resource);
    let prod = Entity { kind: "workspace", id: "prod" };
    let lab = Entity { kind: "workspace", id: "lab" };
    assert!(lets(&question(("account", "orbit"))) && lets(&question(("bot", "helper"))));
    assert!(!lets(&question(("workspace", "lab"))) && !lets(&question(("nothing", "x"))));
    assert!(lets(&Drawn { parent: Some(prod), ..question(("bot", "new")) }), "placed by its parent");
    assert!(!lets(&Drawn { parent: Some(lab), ..question(("bot", "new")) }));
    assert!(
        !lets(&Drawn { parent: Some(prod), ..question(("workspace", "lab")) }),
        "a held one stands where it stands"
    );
    assert!(!lets(&question(("bot", "new"))), "nobody knows where it would stand");
    assert!(lets(&Drawn { to: Some(prod), ..question(("bot", "helper")) }));
    assert!(!lets(&Drawn { to: Some(lab), ..question(("bot", "helper")) }), "a second object is asked about too");
}

#[test]
fn a_value_that_would_win_over_the_stored_one_must_be_named() {
    let send = |asserted: Option<&[&str]>, owner, name| {
        let mut rule = users("r", 7);
        if let Some(texts) = asserted {
            rule.assert = Asserted::nothing();
            for text in texts {
                rule.assert.add(text).unwrap();
            }
        }
        let question = Drawn { sent: vec![(owner, name)], ..question(("bot", "helper")) };
        lets(&rule, index_once(), &question, Asked::Check, Place::Resource)
    };
    assert!(send(None, Owner::Resource, "state") && send(None, Owner::Context, "mfa"));
    for many in [None, Some(&["*"][..]), Some(&["resource.*"][..])] {
        assert!(!send(many, Owner::Resource, "locked"), "{many:?}");
    }
    assert!(send(Some(&["resource.locked"]), Owner::Resource, "locked"));
    assert!(!send(Some(&["resource.locked"]), Owner::Context, "locked"));
    assert!(!send(Some(&[]), Owner::Context, "mfa") && send(Some(&["context.*"]), Owner::Context, "mfa"));
}

#[test]
fn what_rules_name_and_the_snapshot_does_not_know_is_told() {
    let mut rule = users("r", 7);
    rule.subject_types = Some(["user".to_owned(), "usr".to_owned()].into());
    let mut tenants = Tenants::default();
    tenants.add("workspace/prod").unwrap();
    tenants.add("workspace/gone").unwrap();
    rule.tenants = Some(tenants);
    rule.assert.add("context.mfa").unwrap();
    rule.assert.add("context.mfaa").unwrap();
    let unknown = unknown_names([&rule], index_once());
    assert_eq!(unknown.len(), 3, "{unknown:?}");
    for name in ["`usr`", "`workspace/gone`", "`context.mfaa`"] {
        assert!(unknown.iter().any(|line| line.contains(name)), "{name}: {unknown:?}");
    }
}
