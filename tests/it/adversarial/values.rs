//! T34, T35, T37: numbers and moments at their ends, conditions that are too much, values that are not what they should be.

use sidegate::decide;
use sidegate::model::{Entity, Reason, Timestamp, Value};

use super::{HEAD, ask_with, assert_refused, index, load, refused, request};

/// A role's rule and a forbid with the same condition.
fn condition(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    format!(
        "{HEAD}context: {{n: int, m: int, t: timestamp, s: string, l: list(string), f: bool, w: ref(user)}}\n\
         types: {{a: {{root: true, attributes: {{n: int, t: timestamp}}, actions: [give, take]}}}}\n\
         roles: {{r: {{at: a, allow: [{{on: a, actions: [give], when: {quoted}}}, {{on: a, actions: [take]}}]}}}}\n\
         forbids: {{f: {{on: a, actions: [take], when: {quoted}}}}}\n\
         subjects: {{user/ana: {{}}}}\nresources: {{a/one: {{}}}}\n\
         bindings: [{{subject: user/ana, role: r, at: a/one}}]\n"
    )
}

/// What the condition is of some context: a rule and a forbid must agree.
fn is(text: &str, context: &[(&str, Value<'_>)]) -> Option<bool> {
    let index = index(&condition(text));
    let given = ask_with(&index, "user/ana", "give", "a/one", context);
    let taken = ask_with(&index, "user/ana", "take", "a/one", context);
    match (given, taken) {
        (Reason::Granted, Reason::Forbidden) => Some(true),
        (Reason::ConditionFalse, Reason::Granted) => Some(false),
        (Reason::ConditionUnknown, Reason::Forbidden) => None,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn ints_at_their_ends() {
    let (min, max) = (Value::Int(i64::MIN), Value::Int(i64::MAX));
    assert_eq!(is("context.n < context.m", &[("n", min), ("m", max)]), Some(true));
    assert_eq!(is("context.n < -9223372036854775807", &[("n", min)]), Some(true));
    assert_eq!(is("context.n > 9223372036854775806", &[("n", max)]), Some(true));
    assert_eq!(is("context.n == -9223372036854775807", &[("n", max)]), Some(false));
    assert_eq!(is("context.n > 9223372036854775807 || context.n < -9223372036854775807", &[("n", max)]), Some(false));
    for too_large in ["9223372036854775808", "-9223372036854775809", "99999999999999999999999999999999999999999"] {
        assert_refused(&condition(&format!("context.n == {too_large}")), "p.yaml");
        let stored = condition("context.f").replace("a/one: {}", &format!("a/one: {{attributes: {{n: {too_large}}}}}"));
        assert_refused(&stored, "does not fit an int of 64 bits");
    }
    for no_int in ["1.5", "1e3", "0x10", "NaN", ".inf", "1_000", "+1"] {
        let stored = condition("context.f").replace("a/one: {}", &format!("a/one: {{attributes: {{n: {no_int}}}}}"));
        assert_refused(&stored, "not an int");
    }
    for arithmetic in ["context.n + 1 == 0", "context.n / 0 == 0", "context.n % 2 == 0", "context.n == 1 * 2"] {
        assert!(load(&condition(arithmetic)).is_err(), "{arithmetic}");
    }
}

#[test]
fn moments_at_their_ends() {
    for (moment, is_before) in [(Timestamp::MIN, true), (Timestamp::EPOCH, true), (Timestamp::MAX, false)] {
        let sent = [("t", Value::Timestamp(moment))];
        assert_eq!(is("context.t < timestamp('2026-01-01T00:00:00Z')", &sent), Some(is_before), "{moment}");
        assert_eq!(is("context.t < request.time", &sent), Some(is_before), "{moment}");
    }
    for no_moment in [
        "10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01",
        "9223372036854775807",
        "",
    ] {
        assert!(load(&condition(&format!("context.t < timestamp('{no_moment}')"))).is_err(), "{no_moment}");
        let stored =
            condition("context.f").replace("a/one: {}", &format!("a/one: {{attributes: {{t: '{no_moment}'}}}}"));
        assert!(load(&stored).is_err(), "{no_moment}");
    }
    let spans =
        |ends: &str| condition("context.f").replace("role: r, at: a/one", &format!("role: r, at: a/one, {ends}"));
    // It begins when it ends, or after: never in force, whatever the clock says.
    for (ends, at) in [
        ("not_before: 2026-06-01T12:00:00Z, expires: 2026-06-01T12:00:00Z", "2026-06-01T12:00:00Z"),
        ("not_before: 9999-12-31T23:59:59Z, expires: 0001-01-01T00:00:00Z", "2026-06-01T12:00:00Z"),
    ] {
        if let Ok(built) = load(&spans(ends)) {
            let request = request("user/ana", "give", "a/one", &[("f", Value::Bool(true))]);
            let verdict = decide::authorize(&built.index, &request, Timestamp::parse(at).unwrap()).unwrap();
            assert_eq!(verdict.reason, Reason::Expired, "{ends}");
        }
    }
    let always = index(&spans("not_before: 0001-01-01T00:00:00Z, expires: 9999-12-31T23:59:59.999999999Z"));
    for (time, wanted) in
        [(Timestamp::MIN, Reason::Granted), (noon_of_9999(), Reason::Granted), (Timestamp::MAX, Reason::Expired)]
    {
        let request = request("user/ana", "give", "a/one", &[("f", Value::Bool(true))]);
        assert_eq!(decide::authorize(&always, &request, time).unwrap().reason, wanted, "{time}");
    }
}

fn noon_of_9999() -> Timestamp {
    Timestamp::parse("9999-12-31T12:00:00Z").unwrap()
}

#[test]
fn conditions_that_are_too_much() {
    let bombs = [
        "(".repeat(10_000) + "context.f" + &")".repeat(10_000),
        "!".repeat(10_000) + "context.f",
        "!(".repeat(2_000) + "context.f" + &")".repeat(2_000),
        vec!["context.f"; 100_000].join(" || "),
        vec!["context.f"; 300].join("||"),
        format!("context.s == '{}'", "x".repeat(1 << 20)),
        format!("context.s in [{}]", vec!["'x'"; 1_000].join(",")),
        format!("context.s in [{}]", vec!["'x'"; 1_000_000].join(",")),
        format!("context.s.startsWith({}", "(".repeat(4_000)),
        "[".repeat(4_000),
        "size(".repeat(800),
        "[size(".repeat(600),
        format!("{}'x'{} == 1", "size([".repeat(500), "])".repeat(500)),
        format!("context.s in {}'x'{}", "[".repeat(2_000), "]".repeat(2_000)),
        "context".to_owned() + &".x".repeat(2_000),
        "context.s.matches('(a+)+$')".to_owned(),
        "[1, 2].all(x, x > 0)".to_owned(),
        "context.l.exists(x, x == 'a')".to_owned(),
    ];
    for bomb in bombs {
        let found = refused(&condition(&bomb));
        assert!(found.iter().all(|line| line.len() < 20_000), "an error as long as the bomb");
    }
    // The largest that is allowed is answered like any other.
    let largest = vec!["context.f"; 128].join(" || ");
    assert_eq!(is(&largest, &[("f", Value::Bool(false))]), Some(false));
    assert_eq!(is(&largest, &[]), None);
    // A negation and its parentheses are two levels.
    let deepest = "!(".repeat(16) + "context.f" + &")".repeat(16);
    assert_eq!(is(&deepest, &[("f", Value::Bool(false))]), Some(false));
}

#[test]
fn a_condition_that_guards_too_many_actions() {
    let types: Vec<_> = (0..200).map(|number| format!("t{number}: {{root: true, actions: [{}]}}", actions())).collect();
    let whens: Vec<_> = (0..10)
        .map(|number| {
            format!(
                "{{on: k, actions: all, when: \"{} || context.n == {number}\"}}",
                vec!["context.f"; 120].join(" || ")
            )
        })
        .collect();
    let names: Vec<_> = (0..200).map(|number| format!("t{number}")).collect();
    let text = format!(
        "{HEAD}context: {{f: bool, n: int}}\ntypes: {{{}}}\nclasses: {{k: [{}]}}\nroles: {{r: {{at: t0, allow: [{}]}}}}\n",
        types.join(", "),
        names.join(", "),
        whens.join(", ")
    );
    assert_refused(&text, "with this condition there are more than 8000000 steps");
}

fn actions() -> String {
    (0..200).map(|number| format!("x{number}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn values_of_a_wrong_type_are_unknown() {
    let entity = Value::Entity(Entity { kind: "user", id: "ana" });
    let nested = [Value::List(&[])];
    let wrong = [Value::Null, Value::String("true"), Value::Int(1), Value::List(&[]), Value::List(&nested), entity];
    for value in wrong {
        assert_eq!(is("context.f", &[("f", value)]), None, "{value:?}");
        assert_eq!(is("!context.f", &[("f", value)]), None, "{value:?}");
        assert_eq!(is("has(context.f)", &[("f", value)]), None, "{value:?}");
    }
    let mixed = [Value::String("x"), Value::Int(1)];
    assert_eq!(is("'x' in context.l", &[("l", Value::List(&mixed))]), None);
    for (kind, id) in [("user", "nobody"), ("a", "one"), ("ghost", "x")] {
        let sent = [("w", Value::Entity(Entity { kind, id }))];
        assert_ne!(is("context.w == subject", &sent), Some(true), "{kind}/{id}");
    }
    // What nobody declares is nobody's value.
    assert_eq!(is("context.f", &[("F", Value::Bool(true)), ("f ", Value::Bool(true))]), None);
}

#[test]
fn a_name_twice_is_malformed_and_many_names_are_answered() {
    let index = index(&condition("context.f"));
    let twice = [("f", Value::Bool(true)), ("f", Value::Bool(false))];
    assert!(decide::authorize(&index, &request("user/ana", "give", "a/one", &twice), super::noon()).is_err());
    let names: Vec<_> = (0..256).map(|number| format!("x{number}")).collect();
    let mut many: Vec<_> = names.iter().map(|name| (name.as_str(), Value::Bool(true))).collect();
    assert_eq!(ask_with(&index, "user/ana", "give", "a/one", &many), Reason::ConditionUnknown);
    many.push(("f", Value::Bool(true)));
    assert_eq!(ask_with(&index, "user/ana", "give", "a/one", &many), Reason::Granted);
}
