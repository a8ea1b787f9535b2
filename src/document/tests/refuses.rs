//! Every refusal, at its place.

use super::{bad, refused, with};

#[test]
fn unsafe_yaml() {
    refused("types: &a {}", &["3:8: error: YAML anchors are not allowed"]);
    refused(
        "types: &a {}\nroles: *a",
        &["3:8: error: YAML anchors are not allowed", "4:8: error: YAML aliases are not allowed"],
    );
    refused("roles: *a", &["3:8: error: YAML aliases are not allowed"]);
    refused("types: !!map {}", &["3:8: error: YAML tags are not allowed"]);
    refused("types: {bot: {<<: {root: true}}}", &["3:15: error: YAML merge keys are not allowed"]);
    refused("types: {}\n---\nsidegate: 1", &["4:1: error: a second YAML document begins here"]);
    refused("types: {}\nroles: {}\ntypes: {}", &["5:1: error: `types` is written twice; first at p.yaml:3:1"]);
    refused("types: {-1: {}}", &["3:9: error: a key must be text, not an int"]);
    refused("types: {[a]: {}}", &["3:9: error: a key must be text, not a list"]);
    refused("types: {true: {}}", &["3:9: error: a key must be text, not a bool"]);
    refused("types:\n\tbot: {}", &["4:1: error: a tab stands where YAML allows none"]);
    refused("types: {a: ", &["3:8: error: not valid YAML: unclosed bracket '{'"]);
    assert_eq!(
        bad(&[("p.yaml", "%YAML 1.2\n---\nsidegate: 1\n")]).lines(),
        ["p.yaml:1:1: error: YAML directives are not allowed"]
    );
}

#[test]
fn depth() {
    let nested = |depth: usize| with(&format!("types: {}{}", "[".repeat(depth), "]".repeat(depth)));
    let deep = "error: lists and mappings are nested deeper than 64 levels";
    assert_eq!(
        bad(&[("p.yaml", &nested(63))]).lines(),
        ["p.yaml:3:8: error: `types`: expected a mapping, found a list"]
    );
    assert_eq!(bad(&[("p.yaml", &nested(64))]).lines(), [format!("p.yaml:3:71: {deep}")]);
    let block: String = (0..65).map(|depth| " ".repeat(depth) + "a:\n").collect();
    assert_eq!(bad(&[("p.yaml", &block)]).lines(), [format!("p.yaml:65:65: {deep}")]);
    for bomb in ["[", "{a: ", "- ", "? ", "{", "[{", "- ? "] {
        for text in [bomb.repeat(100_000), with(&format!("types: {}", bomb.repeat(100_000)))] {
            assert_eq!(bad(&[("p.yaml", &text)]).diagnostics.len(), 1, "{bomb}");
        }
    }
    let (lists, shown) = ("list(".repeat(100_000), "list(".repeat(16));
    refused(
        &format!("context: {{a: \"{lists}\"}}"),
        &[&format!("3:14: error: `context.a`: `{shown}…` is not a type of values")],
    );
}

#[test]
fn files_that_are_no_policy() {
    let lines = |text: &str| bad(&[("p.yaml", text)]).lines();
    for empty in ["", "\n\n", "# only a comment\n", "\u{feff}"] {
        assert_eq!(lines(empty), ["p.yaml:1:1: error: the file is empty"], "{empty:?}");
    }
    assert_eq!(lines("null\n"), ["p.yaml:1:1: error: expected a mapping, found nothing"]);
    assert_eq!(lines("sidegate: 1\n"), ["p.yaml:1:1: error: there is no policy here"]);
    assert_eq!(lines("\ntypes: {}\n"), ["p.yaml:2:1: error: the key `sidegate` is missing"]);
    assert_eq!(lines("sidegate: 2\nlevels: {}\n"), ["p.yaml:1:11: error: version `2` of the language is not known"]);
    assert_eq!(lines("sidegate: \"1\"\n"), ["p.yaml:1:11: error: the version of the language must be `1`"]);
    assert_eq!(bad(&[("f.jsonl", "\n \n")]).lines(), ["f.jsonl:1:1: error: the file is empty"]);
    let broken = super::Source { name: "p.yaml".to_owned(), bytes: b"sidegate: 1\na: \xffb".to_vec() };
    let found = super::parse(&[broken]).unwrap_err();
    assert_eq!((found[0].at.line, found[0].at.column, found[0].message.as_str()), (2, 4, "the file is not UTF-8"));
}

#[test]
fn unknown_keys_and_wrong_types() {
    refused("typs: {}", &["3:1: error: unknown key `typs`"]);
    refused(
        "types:\n  bot: {root: yes}",
        &["4:15: error: `types.bot.root`: expected `true` or `false`, found the string `yes`"],
    );
    refused(
        "types: {bot: {root: \"true\"}}",
        &["3:21: error: `types.bot.root`: expected `true` or `false`, found the string `true`"],
    );
    refused(
        "sequence: 0777",
        &["3:11: error: `sequence`: expected a number from 0 to 18446744073709551615, found the string `0777`"],
    );
    refused(
        "sequence: 1e3",
        &["3:11: error: `sequence`: expected a number from 0 to 18446744073709551615, found the string `1e3`"],
    );
    refused("sequence: -1", &["3:11: error: `sequence`: expected a number from 0 to 18446744073709551615, found `-1`"]);
    refused("forbids:", &["3:1: error: `forbids`: expected a mapping, found nothing"]);
    refused("forbids: {f: {when: }}", &["3:15: error: `forbids.f.when`: expected a condition, found nothing"]);
    refused("forbids: {f: {when: \" \"}}", &["3:21: error: `forbids.f.when`: the condition is empty"]);
    refused(
        "subjects: {user/a: {attributes: {n: 9223372036854775808}}}",
        &["3:37: error: `subjects.user/a.attributes.n`: `9223372036854775808` does not fit an int of 64 bits"],
    );
    refused(
        "subjects: {user/a: {attributes: {n: {}}}}",
        &["3:37: error: `subjects.user/a.attributes.n`: expected a value, found a mapping"],
    );
    refused("roles: {r: {at: a, holders: []}}", &["3:29: error: `roles.r.holders`: the list is empty"]);
}

#[test]
fn names_and_ids() {
    for name in ["Bot", "a-b", "_a", "1a", "é", "''"] {
        let shown = name.trim_matches('\'');
        refused(
            &format!("types: {{{name}: {{root: true}}}}"),
            &[&format!("3:9: error: `types`: `{shown}` is not a name")],
        );
    }
    for name in ["subject", "all", "request"] {
        refused(
            &format!("classes: {{{name}: []}}"),
            &[&format!("3:11: error: `classes`: `{name}` is a reserved word")],
        );
    }
    refused("types: {a: {actions: [all]}}", &["3:23: error: `types.a.actions[0]`: `all` is a reserved word"]);
    refused("subjects: {ana: {}}", &["3:12: error: `subjects`: `ana` is not a `type/id`"]);
    refused(
        "subjects: {\"user/a\\u202eb\": {}}",
        &["3:12: error: `subjects`: an id must not hold bidirectional control characters: `a\\u{202e}b`"],
    );
    refused(
        "subjects: {\"user/a\\tb\": {}}",
        &["3:12: error: `subjects`: an id must not hold control characters: `a b`"],
    );
    let (long, shown) = ("x".repeat(1025), "x".repeat(80));
    refused(
        &format!("subjects: {{user/{long}: {{}}}}"),
        &[&format!("3:12: error: `subjects`: an id must not be longer than 1024 bytes: `{shown}…`")],
    );
}

#[test]
fn types_of_values() {
    refused("context: {a: boolean}", &["3:14: error: `context.a`: `boolean` is not a type of values"]);
    refused("context: {a: list(ref(User))}", &["3:23: error: `context.a`: `User` is not a name"]);
    refused(
        "context: {a: list(list(int))}",
        &["3:19: error: `context.a`: a list of lists is not a type: the items of a list are scalars"],
    );
    refused("context: {a: enum}", &["3:14: error: `context.a`: an enum needs its `values`"]);
    refused("context: {a: {type: int, values: [x]}}", &["3:34: error: `context.a`: only an enum has `values`"]);
    refused("context: {a: {type: enum, values: []}}", &["3:35: error: `context.a`: an enum needs at least one value"]);
    refused(
        "context: {a: {type: enum, values: [x, x]}}",
        &["3:39: error: `context.a`: the value `x` is defined twice; first at p.yaml:3:36"],
    );
    refused(
        "context: {a: {type: int, from: snapshot}}",
        &["3:32: error: `context.a`: `context.a`: context always comes from the request"],
    );
    refused(
        "types: {t: {attributes: {a: {type: int, from: [request]}}}}",
        &[
            "3:47: error: `types.t.attributes.a.from`: expected `snapshot`, `request`, `[snapshot, request]` or `[request, snapshot]`, found a list",
        ],
    );
}

#[test]
fn what_excludes_each_other() {
    refused(
        "roles:\n  r:\n    at: a\n    allow:\n      - {on: b}\n      - {on: b, actions: [x], operations: [y]}",
        &[
            "7:9: error: `roles.r.allow[0]`: neither `actions` nor `operations` is written",
            "8:9: error: `roles.r.allow[1]`: both `actions` and `operations` are written",
        ],
    );
    refused(
        "roles: {r: {at: a, limits: [{on: b}, {on: b, only: [], actions: all}]}}",
        &[
            "3:29: error: `roles.r.limits[0]`: a limit needs exactly one of `only` and `only_when`",
            "3:38: error: `roles.r.limits[1]`: a ceiling (`only`) names its actions itself",
        ],
    );
    refused(
        "types: {t: {actions: {a: {also: {action: b}}}}}",
        &["3:33: error: `types.t.actions.a.also`: `also` needs exactly one of `on` and `under`"],
    );
    refused(
        "forbids: {f: {not_before: 2026-01-02T00:00:00Z, expires: 2026-01-02T00:00:00Z}}",
        &[
            "3:58: error: `forbids.f`: `expires` (2026-01-02T00:00:00Z) is not after `not_before` (2026-01-02T00:00:00Z)",
        ],
    );
    refused("forbids: {f: {expires: tomorrow}}", &["3:24: error: `forbids.f.expires`: `tomorrow` is not a timestamp"]);
}

#[test]
fn shapes_are_added_to_never_redefined() {
    refused(
        "shapes:\n  s: {parent: a, attributes: {x: int}, actions: [v]}\ntypes:\n  t: {shape: s, parent: b, attributes: {x: int}, actions: [v]}",
        &[
            "6:25: error: `types.t`: `parent` is already defined by the shape `s` at p.yaml:4:15",
            "6:41: error: `types.t`: the attribute `x` is already defined by the shape `s` at p.yaml:4:31",
            "6:60: error: `types.t`: the action `v` is already defined by the shape `s` at p.yaml:4:50",
        ],
    );
    refused(
        "shapes: {content: {}}\ntypes: {t: {shape: contents}}",
        &["4:20: error: `types.t`: there is no shape `contents`"],
    );
    // A shape that could not be read is not called unknown.
    refused(
        "shapes: {s: {colour: 1, root: 2}}\ntypes: {t: {shape: s}}",
        &[
            "3:14: error: `shapes.s`: unknown key `colour`",
            "3:31: error: `shapes.s.root`: expected `true` or `false`, found the int `2`",
        ],
    );
}

#[test]
fn definitions_over_several_files() {
    let one =
        with("sequence: 1\ntypes: {a: {root: true}, c: {root: true}}\nroles: {r: {at: a}}\nsubjects: {user/a: }\n");
    let two = "sidegate: 1\nsequence: 1\ntypes: {a: {root: true}}\nclasses: {c: []}\nroles: {r: {at: a}}\n";
    let three = "{\"kind\":\"subject\",\"id\":\"user/a\"}\n{\"kind\":\"snapshot\",\"sequence\":1}\n";
    assert_eq!(
        bad(&[("1.yaml", &one), ("2.yaml", two), ("3.jsonl", three)]).lines(),
        [
            "2.yaml:2:11: error: `sequence` is written twice; first at 1.yaml:3:11",
            "2.yaml:3:9: error: the type or class `a` is defined twice; first at 1.yaml:4:9",
            "2.yaml:4:11: error: the type or class `c` is defined twice; first at 1.yaml:4:26",
            "2.yaml:5:9: error: the role `r` is defined twice; first at 1.yaml:5:9",
            "3.jsonl:1:24: error: the subject `user/a` is defined twice; first at 1.yaml:6:12",
            "3.jsonl:2:31: error: `sequence` is written twice; first at 1.yaml:3:11",
        ]
    );
}

#[test]
fn lines_of_json() {
    let text = "{\"kind\":\"subject\",\"id\":\"user/é\",\"disabled\":\"no\"}\n\
                {\"id\":\"user/a\"}\n\
                {\"kind\":\"subjects\"}\n\
                {\"kind\":\"binding\",\"subject\":\"user/a\",\"role\":\"r\",\"at\":\"a/b\",\"expires\":null}\n\
                {\"kind\":\"resource\",\"id\":\"a/b\",\"attributes\":{\"x\":1,\"x\":2}}\n\
                []\n\
                {\"kind\":\"resource\",\"id\":\"a/c\",\"parnt\":\"c/d\"}\n\
                {\"kind\":\"resource\",\"id\":\"a/b\"\n\
                {\"kind\":\"block\",\"id\":\"b\",\"on\":[]}\n";
    assert_eq!(
        bad(&[("p.yaml", &with("")), ("f.jsonl", text)]).lines(),
        [
            "f.jsonl:1:44: error: `disabled`: expected `true` or `false`, found the string `no`",
            "f.jsonl:2:1: error: the key `kind` is missing",
            "f.jsonl:3:9: error: `subjects` is not a kind of fact",
            "f.jsonl:4:70: error: `expires`: expected a timestamp, found nothing",
            "f.jsonl:5:51: error: `x` is written twice; first at f.jsonl:5:45",
            "f.jsonl:6:1: error: expected a mapping, found a list",
            "f.jsonl:7:31: error: unknown key `parnt`",
            "f.jsonl:8:30: error: not valid JSON: `,` or `}` is missing, the line ends",
            "f.jsonl:9:31: error: `on`: the list is empty",
        ]
    );
}

#[test]
fn terms() {
    refused(
        "defined_roles: {a/b: {c/d: {t: {actions: all, when: {all: [{eq: 1}, {attr: x, equal: 1}, {attr: 1}]}}}}}",
        &[
            "3:60: error: `defined_roles.a/b.c/d.t.when.all[0]`: the key `attr` is missing",
            "3:79: error: `defined_roles.a/b.c/d.t.when.all[1]`: unknown key `equal`",
            "3:97: error: `defined_roles.a/b.c/d.t.when.all[2].attr`: expected an id, found the int `1`",
        ],
    );
}

#[test]
fn size() {
    // Zeroed pages are never touched: the size is looked at before the text.
    let huge = super::Source { name: "p.yaml".to_owned(), bytes: vec![0; (256 << 20) + 1] };
    let found = super::parse(&[huge]).unwrap_err();
    assert_eq!(found[0].message, "the file has 268435457 bytes, more than the 268435456 allowed");
    let many = format!("[{}]", "1,".repeat(2_000_000));
    assert_eq!(bad(&[("p.yaml", &many)]).lines(), ["p.yaml:1:4000000: error: more than 2000000 values in one file"]);
    let line = format!("[{}1]", "1,".repeat(2_000_000));
    let lines = bad(&[("p.yaml", &with("")), ("f.jsonl", &line)]).lines();
    assert_eq!(lines, ["f.jsonl:1:4000000: error: more than 2000000 values in one line"]);
}
