//! T31: cycles, diamonds and chains, of whatever refers to its own kind.

use std::fmt::Write as _;

use sidegate::model::Reason;

use super::{HEAD, ask, assert_refused, index, refused};

const FOLDERS: &str = "types: {a: {root: true, actions: [x]}, b: {parent: [a, b], actions: [x]}}\n\
roles: {r: {at: [a, b], allow: [{on: [a, b], actions: [x]}]}}\nsubjects: {user/ana: {}}\n";

/// `b/0` under `parent`, and each further one under the one before.
fn chain(length: usize, parent: &str) -> String {
    let mut text = format!("{HEAD}{FOLDERS}resources:\n  a/root: {{}}\n  b/0: {{parent: {parent}}}\n");
    for number in 1..length {
        writeln!(text, "  b/{number}: {{parent: b/{}}}", number - 1).unwrap();
    }
    text
}

#[test]
fn resources_in_a_circle() {
    for length in [1, 2, 3, 31] {
        let found = refused(&chain(length, &format!("b/{}", length - 1)));
        assert!(found[0].contains("stands above itself"), "{length}: {found:?}");
        assert_eq!(found.len(), 1, "a cycle is told of once: {found:?}");
    }
    for length in [33, 1_000, 20_000] {
        let found = refused(&chain(length, &format!("b/{}", length - 1)));
        assert!(found[0].contains("stands more than 32 deep"), "{length}: {}", found[0]);
        assert!(found.len() <= length / 32 + 1, "{length}: {} findings", found.len());
    }
}

#[test]
fn resources_in_a_long_line() {
    let deepest = |length: usize| chain(length, "a/root") + "bindings: [{subject: user/ana, role: r, at: a/root}]\n";
    // The root is one of the 32.
    assert_eq!(ask(&index(&deepest(31)), "user/ana", "x", "b/30"), Reason::Granted);
    assert_refused(&deepest(32), "stands more than 32 deep");
    let found = refused(&deepest(100_000));
    assert!(found[0].contains("stands more than 32 deep"), "{}", found[0]);
    assert!(found.len() <= 100_000 / 32 + 1, "{}", found.len());
}

#[test]
fn classes_within_classes() {
    let classes = |text: &str| format!("{HEAD}types: {{a: {{root: true, actions: [x]}}}}\nclasses: {text}\n");
    assert_refused(&classes("{k: [k]}"), "class `k` contains itself: k");
    assert_refused(&classes("{k: [m], m: [k, a]}"), "contains itself: k → m");
    assert_refused(&classes("{k: [m], m: [n], n: [o], o: [m]}"), "contains itself: m → n → o");
    assert_eq!(refused(&classes("{k: [m], m: [n], n: [m], z: [k]}")).len(), 1);
    assert_refused(&classes("{k: [k], m: [m]}"), "class `m` contains itself");
    let line = |length: usize| {
        let inner = (1..length).map(|number| format!("k{}: [k{number}]", number - 1));
        let all: Vec<_> = inner.chain([format!("k{}: [a]", length - 1)]).collect();
        format!("{{{}}}", all.join(", "))
    };
    index(&classes(&line(32)));
    assert_refused(&classes(&line(33)), "classes are nested more than 32 deep");
    assert_refused(&classes(&line(20_000)), "classes are nested more than 32 deep");
}

/// Each of 30 layers holds both classes of the next: 2^30 ways to the one type.
#[test]
fn a_diamond_of_classes_is_looked_at_once() {
    let mut text = format!("{HEAD}types: {{a: {{root: true, actions: [x]}}}}\nclasses:\n");
    for layer in 0..30 {
        for side in ["p", "q"] {
            writeln!(text, "  {side}{layer}: [p{}, q{}]", layer + 1, layer + 1).unwrap();
        }
    }
    text += "  p30: [a]\n  q30: [a]\nroles: {r: {at: a, allow: [{on: p0, actions: [x]}]}}\n\
             subjects: {user/ana: {}}\nresources: {a/one: {}}\nbindings: [{subject: user/ana, role: r, at: a/one}]\n";
    assert_eq!(ask(&index(&text), "user/ana", "x", "a/one"), Reason::Granted);
}

fn roles(text: &str) -> String {
    format!("{HEAD}types: {{a: {{root: true, actions: [x]}}}}\nroles:\n{text}")
}

fn role(name: &str, includes: &[String]) -> String {
    let includes = if includes.is_empty() { String::new() } else { format!("includes: [{}], ", includes.join(", ")) };
    format!("  {name}: {{at: a, {includes}allow: [{{on: a, actions: [x]}}]}}\n")
}

#[test]
fn roles_that_include_themselves() {
    assert_refused(&roles(&role("r", &["r".to_owned()])), "role `r` includes itself: r → r");
    let pair = role("p", &["q".to_owned()]) + &role("q", &["p".to_owned()]);
    assert_refused(&roles(&pair), "role `p` includes itself: p → q → p");
    let everybody: Vec<_> = (0..7).map(|number| format!("r{number}")).collect();
    let all: String = everybody.iter().map(|name| role(name, &everybody)).collect();
    assert_refused(&roles(&all), "includes itself");
    let line: String = (0..10_000).map(|number| role(&format!("r{number}"), &[format!("r{}", number + 1)])).collect();
    assert_refused(&roles(&(line + &role("r10000", &[]))), "more than 8 deep");
}

/// Layers of roles, each including all of the next layer.
fn layers(wide: usize) -> String {
    let layer = |number: usize| -> Vec<_> { (0..wide).map(|own| format!("r{number}_{own}")).collect() };
    let roles_of = |number: usize| -> String {
        let next = if number < 7 { layer(number + 1) } else { Vec::new() };
        layer(number).iter().map(|name| role(name, &next)).collect()
    };
    roles(&(0..8).map(roles_of).collect::<String>())
}

#[test]
fn a_diamond_of_roles_is_one_role_or_refused() {
    let facts =
        "subjects: {user/ana: {}}\nresources: {a/one: {}}\nbindings: [{subject: user/ana, role: r0_0, at: a/one}]\n";
    let small = index(&(layers(3) + facts));
    assert_eq!(ask(&small, "user/ana", "x", "a/one"), Reason::Granted);
    assert_eq!(paths(&small), 1, "the same rule in 3^7 ways is one");
    assert_refused(&layers(30), "the roles give more than 4000000 rules");
}

fn paths(index: &sidegate::index::Index) -> usize {
    super::paths(index, "user/ana", "x", "a/one")
}

#[test]
fn types_in_circles_and_long_lines() {
    // A folder in a folder is no mistake: the depth of instances is what is bounded.
    index(&format!("{HEAD}types: {{a: {{root: true}}, b: {{parent: [a, c]}}, c: {{parent: [b]}}}}\n"));
    let line = |length: usize| {
        let mut text = format!("{HEAD}types:\n  t0: {{root: true, actions: [x]}}\n");
        (1..length).for_each(|number| writeln!(text, "  t{number}: {{parent: t{}}}", number - 1).unwrap());
        text
    };
    index(&line(400));
    let types: Vec<_> = (0..4_096).map(|number| format!("t{number}: {{root: true}}")).collect();
    assert_refused(&format!("{HEAD}types: {{{}}}\n", types.join(", ")), "there are 4097 types; 4096 is the most");
}
