//! Tests beside a policy: what arrives, what is refused, and that they are no part of a snapshot.

use super::super::build;
use super::{POLICY, refused, sources};
use crate::document::gather::Gathered;
use crate::document::{Tested, read_with};
use crate::model::{Case, Decision, EntityName, Literal, Query, Reason, Wanted};

/// The tests of a text that need not compile.
fn cases(text: &str) -> Vec<Case> {
    let read = read_with(&sources(&[("p.yaml", text)]), Gathered::default(), |_, _| Vec::new());
    read.unwrap_or_else(|found| panic!("{found:?}")).2
}

#[test]
fn every_key_arrives() {
    let cases = cases(POLICY);
    let [full, actions, resources, subjects, invalid, malformed, levels, seats] = cases.as_slice() else {
        panic!("{}", cases.len())
    };
    assert_eq!((full.name.value.as_str(), full.name.at.line), ("in full", 95));
    let given = &full.given;
    let counts =
        (given.subjects.len(), given.resources.len(), given.roles.len(), given.bindings.len(), given.blocks.len());
    assert_eq!(counts, (1, 1, 1, 1, 1));
    assert_eq!(full.time, Some(Case::TIME));
    let Query::Decide(ask) = &full.query else { panic!("{:?}", full.query) };
    assert_eq!((ask.subject.to_string().as_str(), ask.action.as_str()), ("user/new", "view"));
    assert_eq!(ask.parent.as_ref().map(ToString::to_string).as_deref(), Some("workspace/new"));
    let sent =
        [&ask.subject_properties, &ask.parameters, &ask.properties, &ask.context].map(|all| all[0].1.value.clone());
    let wanted = [Literal::String("red".to_owned()), Literal::Int(1), Literal::Null, Literal::Bool(true)];
    assert_eq!(sent, wanted);
    let rule = Some("blocks/new".to_owned());
    let (decision, reason, undetermined) = (Decision::Deny, Some(Reason::Forbidden), Some(false));
    assert_eq!(full.wanted, Wanted::Decision { decision, reason, rule, undetermined });
    assert!(matches!(&actions.query, Query::Actions(ask) if ask.action.is_empty() && ask.parent.is_some()));
    let within = EntityName { kind: "workspace".to_owned(), id: "prod".to_owned() };
    assert!(
        matches!(&resources.query, Query::Resources(ask, Some(scope)) if ask.resource.kind == "bot" && *scope == within)
    );
    assert_eq!(resources.wanted, Wanted::Names(vec!["bot/helper/two".to_owned()]));
    assert!(matches!(&subjects.query, Query::Subjects(ask) if ask.subject.kind == "user" && ask.subject.id.is_empty()));
    assert_eq!((&invalid.query, invalid.time()), (&Query::Nothing, Case::TIME));
    assert_eq!(invalid.wanted, Wanted::Invalid(vec!["user/new".to_owned(), "custom/idle".to_owned()]));
    assert!(matches!(&levels.query, Query::Levels { at, .. } if *at == within));
    assert_eq!(levels.wanted, Wanted::Levels(vec![("voice".to_owned(), "edit".to_owned())]));
    assert!(matches!(&seats.query, Query::Seats { class, at } if class == "editor" && *at == within));
    assert_eq!(seats.wanted, Wanted::Count(3));
    assert_eq!(malformed.wanted, Wanted::Malformed("resource.properties.tag".to_owned()));
}

#[test]
fn what_makes_no_sense() {
    refused(
        "tests:
  - {name: a, ask: {subject: user/a, action: x, resource: t/a}, expect: maybe}
  - {name: b, ask: {subject: user/a, action: x, resource: t/a}, expect: {}}
  - {name: c, ask: {subject: user/a, action: x, resource: t/a}, expect: {decision: allow, reason: NO_GRANT}}
  - {name: d, ask: {subject: user/a, action: x, resource: t/a}, expect: {reason: NO_GRANTS}}
  - {name: e, ask: {subject: user/a, action: x, resource: t/a}, expect: [x]}
  - {name: f, list_actions: {subject: user/a, resource: t/a}, expect: allow}
  - {name: g, expect: allow}
  - {name: h, ask: {subject: user/a, action: x, resource: t/a}, expect: {invalid: x}}
  - {name: i, ask: {subject: user/a, action: x, resource: t/a}, who_can: {action: x, resource: t/a}, expect: allow}
  - {name: j, expect: {invalid: x, reason: NO_GRANT}}
  - {name: k, expect: {invalid: []}}
  - {name: l, given: {subject: {}}, expect: {invalid: x}}
  - {name: m, ask: {subject: user/a, action: x, resource: t/a}}
  - {ask: {subject: user/a, action: x, resource: t/a, colour: red}, expect: allow}
  - {name: o, levels: {subject: user/a, at: t/a}, expect: {none: read}}
  - {name: p, levels: {subject: user/a, at: t/a}, expect: 3}
  - {name: q, seats: {class: c, at: t/a}, expect: [3]}
",
        &[
            "4:73: error: `tests[0].expect`: `maybe` is not a decision",
            "5:73: error: `tests[1]`: one of `decision`, `reason`, `malformed`, `invalid`, `levels` must be written",
            "6:99: error: `tests[2]`: `NO_GRANT` never comes with that decision",
            "7:82: error: `tests[3].expect.reason`: `NO_GRANTS` is not a reason",
            "8:73: error: `tests[4]`: a decision is wanted: `allow`, `deny` or a mapping",
            "9:71: error: `tests[5]`: a list is wanted: `[...]`",
            "10:5: error: `tests[6]`: the test asks nothing",
            "11:20: error: `tests[7]`: a question beside `invalid`",
            "12:74: error: `tests[8]`: a second question in one test",
            "13:23: error: `tests[9]`: `malformed`, `invalid` and `levels` each stand alone",
            "14:33: error: `tests[10].expect.invalid`: the list is empty",
            "15:23: error: `tests[11].given`: unknown key `subject`",
            "16:5: error: `tests[12]`: the key `expect` is missing",
            "17:5: error: `tests[13]`: the key `name` is missing",
            "17:55: error: `tests[13].ask`: unknown key `colour`",
            "18:59: error: `tests[14]`: one of `decision`, `reason`, `malformed`, `invalid`, `levels` must be written",
            "18:60: error: `tests[14].expect`: unknown key `none`",
            "19:59: error: `tests[15]`: levels are wanted: `{levels: {...}}`",
            "20:51: error: `tests[16]`: a number is wanted",
            "20:52: error: `tests[16].expect[0]`: expected an id, found the int `3`",
        ],
    );
}

#[test]
fn a_name_is_given_once() {
    let test = "- {name: a, ask: {subject: user/a, action: x, resource: t/a}, expect: allow}\n";
    refused(&format!("tests:\n{test}{test}"), &["5:10: error: the test `a` is defined twice; first at p.yaml:4:10"]);
}

#[test]
fn tests_are_no_part_of_a_snapshot() {
    let policy = "sidegate: 1\nsubject_types: {user: {}}\ntypes: {site: {root: true, actions: [open]}}\nsubjects: {user/a: {}}\n";
    let tests =
        "sidegate: 1\ntests: [{name: a, ask: {subject: user/a, action: open, resource: site/a}, expect: deny}]\n";
    let digest = |files: &[(&str, &str)]| build(sources(files)).unwrap().index.digest();
    assert_eq!(digest(&[("p.yaml", policy)]), digest(&[("p.yaml", policy), ("tests.yaml", tests)]));
    let tested = Tested::read(sources(&[("p.yaml", policy), ("tests.yaml", tests)])).unwrap();
    assert_eq!(tested.place(&tested.cases()[0]), ("tests.yaml", 2));
    let wrong = tests.replace("deny", "dony");
    assert!(build(sources(&[("p.yaml", policy), ("tests.yaml", &wrong)])).is_err(), "a mistake of form is a mistake");
    assert!(Tested::read(sources(&[("tests.yaml", tests)])).is_err(), "tests alone are no policy");
}
