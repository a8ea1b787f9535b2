//! Our conditions against the `cel` crate's, on a stack that its recursion does not exhaust.

use std::thread;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::{Map, Value, json};
use sidegate_oracles::conditions::{ATTRIBUTES, Condition, is_optional, ours, theirs};

const STACK: usize = 64 << 20;
const WORDS: [&str; 6] = ["", "a", "ab", "b", "é", "it's"];
const MOMENTS: [&str; 3] = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2027-01-01T00:00:00.5Z"];

/// A string literal in one of CEL's ways to write it.
fn text() -> impl Strategy<Value = String> {
    (select(&WORDS[..]), any::<bool>()).prop_map(|(word, single)| {
        if single && !word.contains('\'') { format!("'{word}'") } else { format!("\"{word}\"") }
    })
}

fn test() -> impl Strategy<Value = Condition> {
    let order = || select(&["==", "!=", "<", "<=", ">", ">="][..]);
    let equal = || select(&["==", "!="][..]);
    let flag = || select(&["resource.open", "resource.closed"][..]);
    let number = || {
        prop_oneof![
            select(&["resource.rank", "resource.size"][..]).prop_map(str::to_owned),
            (-2_i64..4).prop_map(|n| n.to_string())
        ]
    };
    let word = || select(&["resource.tag", "resource.note"][..]);
    let moment = || select(&MOMENTS[..]);
    prop_oneof![
        flag().prop_map(str::to_owned),
        flag().prop_map(|flag| format!("!{flag}")),
        (flag(), equal(), any::<bool>()).prop_map(|(flag, sign, value)| format!("{flag} {sign} {value}")),
        (flag(), equal(), flag()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (select(&["resource.rank", "resource.size"][..]), order(), number())
            .prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (word(), equal(), text()).prop_map(|(left, sign, right)| format!("{left}{sign}{right}")),
        (word(), equal(), word()).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (word(), vec(text(), 1..4)).prop_map(|(left, list)| format!("{left} in [{}]", list.join(", "))),
        (word(), Just("resource.tags")).prop_map(|(left, right)| format!("{left} in {right}")),
        text().prop_map(|left| format!("{left} in resource.tags")),
        number().prop_map(|left| format!("{left} in resource.ranks")),
        (select(&["resource.tags", "resource.ranks", "resource.tag", "resource.note"][..]), order(), 0..4)
            .prop_map(|(list, sign, n)| format!("size({list}) {sign} {n}")),
        (word(), select(&["startsWith", "endsWith", "contains"][..]), text())
            .prop_map(|(left, call, right)| format!("{left}.{call}({right})")),
        (order(), moment()).prop_map(|(sign, moment)| format!("resource.since {sign} timestamp('{moment}')")),
        select(&["since", "note"][..]).prop_map(|name| format!("has(resource.{name})")),
    ]
    .prop_map(Condition::Test)
}

fn condition() -> impl Strategy<Value = Condition> {
    test().prop_recursive(4, 16, 2, |inner| {
        let pair = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            pair().prop_map(|(left, right)| Condition::And(left, right)),
            pair().prop_map(|(left, right)| Condition::Or(left, right)),
        ]
    })
}

/// Values for all attributes, without those that are `missing`.
fn values(missing: bool) -> impl Strategy<Value = Map<String, Value>> {
    let present = vec(any::<bool>(), ATTRIBUTES.len());
    let words = (select(&WORDS[..]), select(&WORDS[..]), vec(select(&WORDS[..]), 0..3));
    let others = (any::<bool>(), any::<bool>(), -2_i64..4, -2_i64..4, vec(-2_i64..4, 0..3), select(&MOMENTS[..]));
    (present, words, others).prop_map(move |(present, (tag, note, tags), (open, closed, rank, size, ranks, since))| {
        let all = json!({
            "open": open, "closed": closed, "rank": rank, "size": size, "tag": tag, "note": note,
            "tags": tags, "ranks": ranks, "since": since,
        });
        let Value::Object(all) = all else { unreachable!() };
        let kept = |name: &str| {
            let position = ATTRIBUTES.iter().position(|(own, _)| *own == name).expect("declared");
            !missing || present[position]
        };
        all.into_iter().filter(|(name, _)| kept(name)).collect()
    })
}

fn run(missing: bool, property: fn(&Condition, &Map<String, Value>) -> Result<(), String>) {
    let cases = std::env::var("SIDEGATE_CONDITIONS").map_or(4_000, |text| text.parse().expect("a number"));
    let seed = std::env::var("SIDEGATE_SEED").map_or(1, |text| text.parse().expect("a number"));
    let config = Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..Config::default() };
    let worker = move || {
        let result = TestRunner::new(config).run(&(condition(), values(missing)), |(condition, values)| {
            property(&condition, &values).map_err(TestCaseError::fail)
        });
        result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    };
    thread::Builder::new().stack_size(STACK).spawn(worker).expect("a thread").join().expect("no difference");
}

#[test]
fn present_values_decide_alike() {
    run(false, |condition, values| {
        let text = condition.text();
        match (ours(&text, values), theirs(&text, values)) {
            (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
            (ours, theirs) => Err(format!("{text}: we say {ours:?}, cel says {theirs:?}")),
        }
    });
}

#[test]
fn missing_values_are_unknown_where_cel_has_an_error() {
    run(true, |condition, values| {
        let text = condition.text();
        let expected = condition.kleene(&|test| theirs(test, values));
        let (ours, whole) = (ours(&text, values), theirs(&text, values));
        if ours != expected {
            return Err(format!("{text}: we say {ours:?}, its tests under cel say {expected:?}"));
        }
        // Where cel evaluates the whole without an error, it must be the same value.
        if whole.is_some() && whole != ours {
            Err(format!("{text}: we say {ours:?}, cel says {whole:?}"))
        } else {
            Ok(())
        }
    });
}

#[test]
fn absence_is_a_fact_only_of_optional_attributes() {
    let worker = || {
        for (name, _) in ATTRIBUTES {
            let wanted = is_optional(name).then_some(false);
            assert_eq!(ours(&format!("has(resource.{name})"), &Map::new()), wanted, "{name}");
        }
    };
    thread::Builder::new().stack_size(STACK).spawn(worker).expect("a thread").join().expect("no difference");
}
