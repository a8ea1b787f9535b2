//! Whatever the bytes, nothing panics and every finding can be shown.

use proptest::prelude::*;

use super::super::{Report, Source, parse};
use super::{LINES, POLICY};

/// Reads, and shows what was found.
fn survives(name: &str, bytes: &[u8]) {
    let sources = vec![Source { name: name.to_owned(), bytes: bytes.to_vec() }];
    if let Err(found) = parse(&sources) {
        assert!(!found.is_empty());
        let report = Report::new(found, sources);
        assert!(!report.to_string().is_empty() && !report.lines().is_empty());
    }
}

#[test]
fn a_file_cut_at_any_byte() {
    for (name, text) in [("p.yaml", POLICY), ("f.jsonl", LINES)] {
        for end in 0..text.len() {
            survives(name, &text.as_bytes()[..end]);
        }
    }
}

#[test]
fn a_file_with_any_byte_changed() {
    for (name, text) in [("p.yaml", POLICY), ("f.jsonl", LINES)] {
        let bytes = [b'"', b'{', b'\t', b'\r', 0, 0xff, b'*', b'\n', b'-', b':'].into_iter().cycle();
        for (index, byte) in (0..text.len()).zip(bytes).step_by(3) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[index] = byte;
            survives(name, &bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survives("p.yaml", &bytes);
        survives("f.jsonl", &bytes);
    }

    #[test]
    fn random_text(text in "\\PC{0,60}", tail in "[-?:,{}\\[\\]&*!|>'\"%@`# \\t\\r\\na-c0-9~<\u{202e}]{0,80}") {
        for text in [text.clone(), format!("sidegate: 1\n{text}{tail}"), format!("sidegate: 1\ntypes: {tail}"), tail] {
            survives("p.yaml", text.as_bytes());
            survives("f.jsonl", text.as_bytes());
        }
    }
}
