//! `sidegate test`: what it prints, what it writes, how it ends.

use std::fs;

use tempfile::TempDir;

use crate::support::{Ended, good, run};

const PASSES: &str =
    "  - {name: ana may, ask: {subject: user/ana, action: access, resource: workspace/prod}, expect: allow}\n";
const FAILS: &str =
    "  - {name: <bob> may, ask: {subject: user/bob, action: access, resource: workspace/prod}, expect: allow}\n";

/// A directory with sources of these names and tests.
fn sources(all: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, tests) in all {
        let tests = if tests.is_empty() { String::new() } else { format!("tests:\n{tests}") };
        fs::write(directory.path().join(name), good() + &tests).unwrap();
    }
    directory
}

/// Runs a line in which `DIR` stands for the directory.
fn test(directory: &TempDir, line: &str) -> Ended {
    let line = line.replace("DIR", directory.path().to_str().unwrap());
    run(&line.split(' ').collect::<Vec<_>>())
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    let directory = sources(&[("good.yaml", PASSES), ("failing.yaml", FAILS), ("none.yaml", "")]);
    fs::write(directory.path().join("wrong.yaml"), "sidegate: 1\ntests: 7\n").unwrap();
    let compiled = test(&directory, "compile DIR/good.yaml -o DIR/compiled");
    assert_eq!(compiled.code, Some(0), "{}", compiled.err);
    let lines = [
        ("test DIR/compiled", 65),
        ("test DIR/good.yaml", 0),
        ("test DIR/good.yaml DIR/good.yaml", 0),
        ("test DIR/failing.yaml", 1),
        ("test DIR/failing.yaml DIR/good.yaml", 1),
        ("test DIR/none.yaml", 65),
        ("test DIR/good.yaml DIR/none.yaml", 65),
        ("test DIR/none.yaml DIR/failing.yaml", 65),
        ("test DIR/wrong.yaml", 65),
        ("test DIR/absent.yaml", 65),
        // Together they define everything twice.
        ("test DIR", 65),
        ("test", 64),
        ("test DIR/good.yaml --junit", 64),
        ("test DIR/good.yaml --colour", 64),
        ("test DIR/good.yaml --junit DIR/no/such/place.xml", 70),
    ];
    for (line, code) in lines {
        let ended = test(&directory, line);
        assert_eq!(ended.code, Some(code), "{line}\n{}{}", ended.out, ended.err);
        assert_eq!(ended.err.is_empty(), code < 64, "{line}\n{}", ended.err);
    }
}

#[test]
fn a_failure_is_one_line_with_its_place() {
    let directory = sources(&[("p.yaml", &format!("{PASSES}{FAILS}"))]);
    let path = directory.path().join("p.yaml").display().to_string();
    let ended = test(&directory, "test DIR/p.yaml");
    let line = good().lines().count() + 3;
    let wanted = format!(
        "{path}:{line}: `<bob> may`: wanted ALLOW, got DENY NO_GRANT; denied: `user/bob` holds no role on \
         `workspace/prod` or above it; it is granted by `member`\n{path}: 1 passed, 1 failed\n"
    );
    assert_eq!(ended.out, wanted);
}

#[test]
fn the_xml_counts_and_escapes() {
    let directory = sources(&[("p.yaml", &format!("{PASSES}{FAILS}")), ("none.yaml", "")]);
    let ended = test(&directory, "test DIR/p.yaml DIR/none.yaml --junit DIR/out.xml");
    assert_eq!(ended.code, Some(65));
    let xml = fs::read_to_string(directory.path().join("out.xml")).unwrap();
    for part in [
        "tests=\"2\" failures=\"1\" errors=\"0\"",
        "<testcase name=\"&lt;bob&gt; may\"",
        "<failure message=\"wanted ALLOW, got DENY NO_GRANT; ",
        "tests=\"1\" failures=\"0\" errors=\"1\"",
        "it holds no tests",
    ] {
        assert!(xml.contains(part), "{part} is not in\n{xml}");
    }
}

#[test]
fn tests_change_no_other_verb() {
    let directory = sources(&[("with.yaml", FAILS), ("without.yaml", "")]);
    let with = test(&directory, "validate DIR/with.yaml");
    let without = test(&directory, "validate DIR/without.yaml");
    assert_eq!((with.code, with.out), (Some(0), without.out));
    let asked = test(&directory, "check --snapshot DIR/with.yaml user/bob access workspace/prod");
    assert_eq!(asked.code, Some(1));
}
