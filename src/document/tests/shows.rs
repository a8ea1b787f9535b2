//! What people see.

use super::{Report, bad, sources, with};
use crate::model::{Diagnostic, Position, SourceId};

#[test]
fn the_line_and_a_caret() {
    let report = bad(&[("p.yaml", &with("types:\n  bot: {parent: a, atributes: {}}\n"))]);
    let wanted = "error: `types.bot`: unknown key `atributes`\n --> p.yaml:4:20\n  |\n\
                  4 |   bot: {parent: a, atributes: {}}\n  |                    ^^^^^^^^^\n  |\n  \
                  = help: did you mean `attributes`?";
    assert_eq!(report.to_string(), wanted);
}

#[test]
fn wide_characters_and_the_end_of_a_line() {
    let report = bad(&[("p.yaml", &with("types: {\"é漢\": {root: 1}}\n"))]);
    let text = report.to_string();
    assert!(text.contains(" --> p.yaml:3:22\n"), "{text}");
    let report = bad(&[("p.yaml", &with("")), ("f.jsonl", "{\"kind\":1")]);
    assert!(report.to_string().contains("1 | {\"kind\":1\n  |          ^"), "{report}");
}

#[test]
fn a_window_of_a_long_line() {
    let line =
        format!("{{\"kind\":\"block\",\"id\":\"{}\",\"no\":1,\"on\":\"{}\"}}\n", "x".repeat(500), "y".repeat(500));
    let text = bad(&[("p.yaml", &with("")), ("f.jsonl", &line)]).to_string();
    assert!(text.contains(" --> f.jsonl:1:525\n"), "{text}");
    assert!(text.contains("1 | ... xxxx") && text.contains("yyyy ...\n"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let under = lines[4].find("^^^^").unwrap();
    assert_eq!(lines[3].find("\"no\""), Some(under), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() < 180), "{text}");
}

#[test]
fn control_characters_are_escaped() {
    let text = with("types: {\"a\u{202e}b\": {}, \"c\\u001b[31m\": {}}\n");
    let shown = bad(&[("p\u{1b}.yaml", &text)]);
    let all = format!("{shown}{}", shown.lines().join("\n"));
    assert!(all.chars().all(|one| one == '\n' || !(one.is_control() || one == '\u{202e}')), "{all:?}");
    assert!(all.contains("p\\u{1b}.yaml:3:9") && all.contains("a\\u{202e}b"), "{all}");
}

#[test]
fn at_most_fifty_in_full() {
    let text: String = (0..73).map(|number| ["  k", &number.to_string(), ": 1\n"].concat()).collect();
    let report = bad(&[("p.yaml", &with(&format!("types:\n{text}")))]);
    assert_eq!((report.diagnostics.len(), report.lines().len()), (73, 73));
    let shown = report.to_string();
    assert_eq!(shown.matches("error: ").count(), 50);
    assert!(shown.ends_with("\n\nand 23 more"), "{shown}");
    let lines = "{}\n".repeat(100_000);
    let report = bad(&[("p.yaml", &with("")), ("f.jsonl", &lines)]);
    assert_eq!(report.diagnostics.len(), 1001);
    assert_eq!(report.lines()[1000], "f.jsonl:1000:1: error: too many mistakes: reading stopped here");
}

#[test]
fn findings_without_a_place() {
    let none = Position { source: SourceId(9), ..Position::default() };
    let found = vec![
        Diagnostic::warning(Position::default(), "about the file").help("mend it"),
        Diagnostic::error(none, "about nothing"),
        Diagnostic::error(Position { line: 7, column: 9, length: 3, ..Position::default() }, "behind the end"),
    ];
    let report = Report::new(found, sources(&[("p.yaml", "a: 1\n")]));
    assert_eq!(
        report.lines(),
        ["p.yaml: warning: about the file", "p.yaml:7:9: error: behind the end", "error: about nothing"]
    );
    let wanted = "warning: about the file\n --> p.yaml\n = help: mend it\n\n\
                  error: behind the end\n --> p.yaml:7:9\n\nerror: about nothing";
    assert_eq!(report.to_string(), wanted);
}
